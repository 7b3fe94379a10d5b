"""One spectrum from raw numbers: bad points, bad input, lmfit's side, and what is flagged."""

from __future__ import annotations

import numpy as np
import pytest
from made_spectra import FREQUENCY, two_arcs, with_outliers

import cellpipe
from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuits import circuit_impedance, evaluate_circuit, parse_circuit

TEXT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"


def test_the_face_offers_both_fits() -> None:
    assert callable(cellpipe.fit_impedance)
    assert callable(cellpipe.fit_impedance_series)


@pytest.mark.slow
def test_bad_points_cost_nothing_and_are_flagged() -> None:
    """Four of 81 points 5 to 30 % off: no R leaves four bounds; clean data lose nothing."""
    rng = np.random.default_rng(5)
    far, count = 0, 0
    for made in two_arcs(40, 21, noise=0.005):
        bound = made.bound[made.resistances]
        if (bound > 0.05).any():
            continue
        spoilt = with_outliers(made.impedance, rng)
        fit = cellpipe.fit_impedance(made.frequency, spoilt, TEXT)
        far += np.count_nonzero(np.abs(fit.fit.theta - made.theta)[made.resistances] > 4 * bound)
        count += 3
        assert any("stand alone" in flag for flag in fit.flags)
        assert cellpipe.fit_impedance(made.frequency, made.impedance, TEXT).used.all()
    assert count > 30
    assert far <= 0.01 * count


def test_leads_are_fitted_and_not_cut() -> None:
    for made in two_arcs(15, 22, inductive=True, noise=0.005):
        if (made.bound[made.resistances] > 0.05).any():
            continue
        fit = cellpipe.fit_impedance(made.frequency, made.impedance, made.form.circuit.text)
        assert len(fit.frequency_hertz) == 81
        assert abs(np.expm1(fit.fit.theta[1] - made.theta[1])) < 0.02


def test_what_is_no_impedance_is_dropped_and_counted() -> None:
    made = next(two_arcs(1, 2))
    f = np.concatenate([made.frequency, [-1.0, 0.0, np.nan, made.frequency[5], 10.5, 11.5]])
    z = np.concatenate([made.impedance, [1, 1, 1, 1, np.nan, 0]])
    fit = cellpipe.fit_impedance(f, z, TEXT)
    assert dict(fit.left_out) == {
        "frequency not above zero": 3, "no number": 1,
        "impedance zero or beyond all sizes": 1, "frequency measured twice": 1,
    }  # fmt: skip
    assert any("frequency measured twice" in flag for flag in fit.flags)


def test_the_order_of_the_points_does_not_matter() -> None:
    made = next(two_arcs(1, 3))
    turned = cellpipe.fit_impedance(made.frequency[::-1], made.impedance[::-1], TEXT)
    there = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT)
    assert turned.values == pytest.approx(there.values, rel=1e-6)


def test_an_impedance_n_times_as_large_has_n_times_the_resistances() -> None:
    made = next(two_arcs(1, 4))
    plain = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT).values
    scaled = cellpipe.fit_impedance(made.frequency, 1000 * made.impedance, TEXT).values
    for name, value in plain.items():
        factor = {"R": 1000, "W": 1000}.get(name[0], 1e-3 if name.endswith("Q") else 1)
        assert scaled[name] == pytest.approx(factor * value, rel=1e-3), name


def test_the_result_is_lmfits_with_its_report_and_intervals() -> None:
    made = next(m for m in two_arcs(20, 5) if (m.bound < 0.05).all())
    fit = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT)
    assert type(fit.result).__name__ == "MinimizerResult"
    for name, value in fit.values.items():
        assert fit.result.params[name].value == pytest.approx(value, rel=1e-5)
        assert fit.result.params[name].stderr == pytest.approx(fit.standard_errors[name], rel=0.02)
    assert "CPE1_n" in fit.report()
    low, best, high = (value for _, value in fit.confidence_intervals((1,))["R1"])
    assert low < best < high
    assert (high - low) / 2 == pytest.approx(fit.standard_errors["R1"], rel=0.1)


def test_a_user_can_hold_bound_and_tie_parameters() -> None:
    made = next(m for m in two_arcs(20, 5) if (m.bound < 0.05).all())
    free = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT)
    wanted = free.parameters()
    wanted["CPE1_n"].set(value=0.9, vary=False)
    wanted["R2"].set(expr="2 * R1")
    wanted["R0"].set(max=0.9 * free.values["R0"])
    held = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT, parameters=wanted)
    assert held.values["CPE1_n"] == pytest.approx(0.9)
    assert held.values["R2"] == pytest.approx(2 * held.values["R1"])
    assert held.values["R0"] <= 0.9 * free.values["R0"] * (1 + 1e-6)
    assert held.relative_residual > free.relative_residual
    assert held.result.params["R2"].expr == "2 * R1"


def test_a_constraint_on_what_is_not_there_is_an_error() -> None:
    made = next(two_arcs(1, 5))
    wanted = cellpipe.fit_impedance(made.frequency, made.impedance, TEXT).parameters()
    with pytest.raises(CellpipeError, match="a constraint on"):
        cellpipe.fit_impedance(made.frequency, made.impedance, "R0-C1", parameters=wanted)


def test_known_deviations_are_weights() -> None:
    """Spoilt low frequencies with honest deviations don't move the fast arc."""
    made = next(m for m in two_arcs(20, 6, noise=0.002) if (m.bound < 0.05).all())
    rng = np.random.default_rng(1)
    slow = made.frequency < 1
    z = made.impedance + 0.2 * np.abs(made.impedance) * slow * rng.standard_normal(81)
    deviation = np.where(slow, 0.2, 0.002) * np.abs(made.impedance)
    fit = cellpipe.fit_impedance(made.frequency, z, TEXT, deviation_ohm=deviation, robust=False)
    assert abs(fit.fit.theta[1] - made.theta[1]) < 5 * made.bound[1]


@pytest.mark.parametrize(
    ("frequency", "z", "message"),
    [
        ([1.0, 10, 100], [1 - 1j, 1, 1], "3 usable frequencies"),
        (np.full(50, 10.0), np.ones(50) - 1j, "1 usable frequencies; 49 left out"),
        (FREQUENCY, np.zeros(81), "0 usable frequencies; 81 left out"),
        (np.linspace(10, 12, 30), np.ones(30) - 1j, "frequencies from 10 to 12 Hz"),
        (FREQUENCY, np.ones(80), "frequencies of shape"),
        (FREQUENCY, np.full(81, np.nan), "0 usable frequencies"),
    ],
)
def test_what_can_not_be_fitted_is_an_error_that_says_why(
    frequency: np.ndarray, z: np.ndarray, message: str
) -> None:
    with pytest.raises(CellpipeError, match=message):
        cellpipe.fit_impedance(frequency, z)


def test_a_circuit_with_more_parameters_than_data_is_an_error() -> None:
    made = next(two_arcs(1, 5))
    with pytest.raises(CellpipeError, match="4 frequencies for the 8 parameters"):
        cellpipe.fit_impedance(made.frequency[::25], made.impedance[::25], TEXT)


RNG = np.random.default_rng(8)
ODD = {
    "all points equal": np.full(81, 100 - 10j),
    "only noise": RNG.standard_normal(81) + 1j * RNG.standard_normal(81),
    "only an inductor": 2j * np.pi * FREQUENCY * 1e-6,
    "a negative real part": -50
    + circuit_impedance("p(R1,C1)", {("R1", "R"): 20.0, ("C1", "C"): 1e-5}, FREQUENCY),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("circuit", [TEXT, None])
def test_an_odd_spectrum_never_gives_a_number_without_a_warning(
    name: str, circuit: str | None
) -> None:
    fit = cellpipe.fit_impedance(FREQUENCY, ODD[name], circuit)
    assert fit.flags, name


def test_a_million_points_are_thinned_to_a_thousand() -> None:
    made = next(two_arcs(1, 5))
    frequency = np.geomspace(1e6, 1e-2, 1_000_000)
    place = np.interp(np.log(frequency), np.log(FREQUENCY[::-1]), np.arange(81)[::-1])
    z = np.interp(place, np.arange(81), made.clean.real) + 1j * np.interp(
        place, np.arange(81), made.clean.imag
    )
    fit = cellpipe.fit_impedance(frequency, z, TEXT)
    assert len(fit.frequency_hertz) <= 1000
    assert any("thousand" in flag for flag in fit.flags)


def test_an_element_that_the_data_does_not_determine_is_flagged() -> None:
    made = next(two_arcs(1, 5, "W"))
    fit = cellpipe.fit_impedance(
        made.frequency, made.impedance, "R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-W1"
    )
    assert not all(fit.identifiable.values())
    assert any("does not determine" in flag for flag in fit.flags)


def spectrum_of(text: str, *values: float) -> np.ndarray:
    rng = np.random.default_rng(6)
    clean = evaluate_circuit(parse_circuit(text), FREQUENCY, np.array(values))[0]
    return clean * (1 + 0.003 * (rng.standard_normal(81) + 1j * rng.standard_normal(81)))


@pytest.mark.parametrize(
    ("text", "values", "unknown"),
    [
        ("p(R0,p(R1,CPE1))", (10, 20, 1e-4, 0.85), {"R0", "R1", "CPE1_Q"}),
        ("R0-p(R1,p(R2,CPE2))", (5, 10, 20, 1e-4, 0.85), {"R1", "R2", "CPE2_Q"}),
        ("R1-R2", (5, 6), {"R1", "R2"}),
        ("R0-p(R1,CPE1)-R2", (5, 10, 1e-4, 0.9, 4), {"R0", "R2"}),
        ("W1-W2", (1, 1), {"W1", "W2"}),
    ],
)
def test_a_circuit_that_no_data_can_determine_is_flagged(
    text: str, values: tuple[float, ...], unknown: set[str]
) -> None:
    fit = cellpipe.fit_impedance(FREQUENCY, spectrum_of(text, *values), text)
    assert {name for name, known in fit.identifiable.items() if not known} >= unknown
    assert any("does not determine" in flag for flag in fit.flags)


@pytest.mark.parametrize(("bound", "value"), [("max", 25.0), ("min", 35.0)])
def test_a_bound_that_is_met_gives_what_the_value_there_gives(bound: str, value: float) -> None:
    z = spectrum_of(TEXT, 10, 30, 1e-5, 0.9, 20, 1e-2, 0.9, 1.0)
    wanted = cellpipe.fit_impedance(FREQUENCY, z, TEXT).parameters()
    wanted["R1"].set(**{bound: value})
    met = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=wanted)
    wanted["R1"].set(value=value, vary=False)
    held = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=wanted)
    assert met.fit.cost == pytest.approx(held.fit.cost, rel=1e-3)
    assert met.values["R2"] == pytest.approx(held.values["R2"], rel=1e-2)
    assert met.standard_errors["R2"] == pytest.approx(held.standard_errors["R2"], rel=0.1)


def test_expressions_may_speak_of_each_other_and_all_may_be_fixed() -> None:
    z = spectrum_of(TEXT, 10, 30, 1e-5, 0.9, 20, 1e-2, 0.9, 1.0)
    fit = cellpipe.fit_impedance(FREQUENCY, z, TEXT)
    tied = fit.parameters()
    tied["R1"].set(expr="1.5 * R2")
    tied["R2"].set(expr="2 * R0")
    found = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=tied).values
    assert found["R1"] == pytest.approx(3 * found["R0"])
    fixed = fit.parameters()
    for name in fixed:
        fixed[name].set(vary=False)
    again = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=fixed)
    assert again.values == pytest.approx(fit.values)


@pytest.mark.parametrize("deviation", [np.ones(40), np.float64(1.0), np.ones(90)])
def test_deviations_of_another_shape_are_an_error(deviation: np.ndarray) -> None:
    made = next(two_arcs(1, 5))
    with pytest.raises(CellpipeError, match="deviations of shape"):
        cellpipe.fit_impedance(made.frequency, made.impedance, TEXT, deviation_ohm=deviation)


@pytest.mark.parametrize("area", [0.0, -1.0, np.inf])
def test_an_area_that_is_none_is_an_error(area: float) -> None:
    made = next(two_arcs(1, 5))
    with pytest.raises(CellpipeError, match="an area of"):
        cellpipe.fit_impedance(made.frequency, made.impedance, TEXT, area_cm2=area)


def test_arcs_have_names_of_their_own() -> None:
    made = next(two_arcs(1, 5))
    fit = cellpipe.fit_impedance(made.frequency, made.impedance, "R0-p(R1,CPE1)-ZARC1-W1")
    assert [arc.name for arc in fit.arcs] == ["R1", "ZARC1"]


def test_five_points_are_not_fitted_with_seven_parameters() -> None:
    made = next(two_arcs(1, 5))
    fit = cellpipe.fit_impedance(made.frequency[::20], made.impedance[::20])
    assert len(fit.values) <= 5
