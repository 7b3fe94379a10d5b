"""Parameters that are fixed, bounded or tied, in a fit and in a series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_spectra import FREQUENCY, SERIES_CIRCUIT, noisy, series
from scipy.optimize import least_squares

import cellpipe
from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuits import circuit_impedance, evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.constraints import Constraint, read_constraints

TEXT = "R0-p(R1,CPE1)-p(R2,CPE2)"
TRUE = {"R0": 10.0, "R1": 30.0, "CPE1_Q": 1e-6, "CPE1_n": 0.9, "R2": 50.0, "CPE2_Q": 1e-4,
        "CPE2_n": 0.9}  # fmt: skip
CIRCUIT = parse_circuit(TEXT)


def made(seed: int, noise: float = 0.005) -> np.ndarray:
    clean = evaluate_circuit(CIRCUIT, FREQUENCY, np.array(list(TRUE.values())))[0]
    return noisy(clean, noise, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("R0=5", "R0", Constraint(value=5)),
        (" R0 = 5e-3 ", "R0", Constraint(value=5e-3)),
        ("R0=0,5", "R0", Constraint(value=0.5)),
        ("0.6<CPE1_n<0.95", "CPE1_n", Constraint(min=0.6, max=0.95)),
        ("0,6 ≤ CPE1_n ≤ 0,95", "CPE1_n", Constraint(min=0.6, max=0.95)),
        ("0.95>CPE1_n>0.6", "CPE1_n", Constraint(min=0.6, max=0.95)),
        ("0.6<n1<0.95", "CPE1_n", Constraint(min=0.6, max=0.95)),
        ("Q2<=1e-3", "CPE2_Q", Constraint(max=1e-3)),
        ("R1>3", "R1", Constraint(min=3)),
        ("3<R1", "R1", Constraint(min=3)),
        ("CPE2_n=CPE1_n", "CPE2_n", Constraint(expr="CPE1_n")),
        ("n2=n1", "CPE2_n", Constraint(expr="CPE1_n")),
        ("R2=2*R1", "R2", Constraint(expr="2*R1")),
    ],
)
def test_a_constraint_reads_as_it_is_said(text: str, name: str, meant: Constraint) -> None:
    assert read_constraints([text], CIRCUIT) == {name: meant}


def test_bounds_on_both_sides_may_be_said_one_by_one() -> None:
    both = read_constraints(["R1>3", "R1<9"], CIRCUIT)
    assert both == {"R1": Constraint(min=3, max=9)}
    assert read_constraints({"R1": (3, 9), "R0": 5, "n2": "n1"}, CIRCUIT) == {
        **both, "R0": Constraint(value=5), "CPE2_n": Constraint(expr="CPE1_n"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["R7=5"], r"'R7', which is no parameter of .*expected one of R0 \(ohm\), R1 \(ohm\)"),
        (["R1=2*R9"], "'R9', which is no parameter"),
        (["n9<0.8"], "'n9'"),
        (["R0"], "found 'R0'; expected a value"),
        (["5"], "expected a value"),
        (["R0=five"], "'five'"),
        (["1<R0>5"], "expected a value"),
        (["R0<5<R1"], "expected a value"),
        (["R0<1<5"], "the name in the middle"),
        (["R0=0"], "fixed at 0; expected between"),
        (["R0=-5"], "fixed at -5; expected between"),
        (["CPE1_n=1.4"], "expected between 0.3 and 1"),
        (["R1>9", "R1<3"], "hold no value"),
        (["n1<0.1"], "hold no value"),
        (["R0=5", "R0=6"], "two constraints on R0"),
        (["R0=5", "R0<9"], "two constraints on R0"),
        (["R1=R2", "R2=R1"], "R1 = R2 = R1"),
        (["R1=R1"], "a tie with 'R1'"),
        (["R1=open(R2)"], "'open', which is no parameter"),
        (["R1=sqrt"], "a tie with"),
        (["R1=2*"], "a tie with"),
    ],
)
def test_what_is_no_constraint_is_refused_with_what_would_be_one(
    texts: list[str], found: str
) -> None:
    with pytest.raises(CellpipeError, match=found):
        cellpipe.fit_impedance(FREQUENCY, made(1), TEXT, parameters=texts)


def test_a_tie_that_leads_beyond_what_an_element_can_have_is_refused() -> None:
    with pytest.raises(CellpipeError, match=r"CPE2_n tied to 2\*CPE1_n, which gives 1"):
        cellpipe.fit_impedance(FREQUENCY, made(1), TEXT, parameters=["n2=2*n1"])


def test_a_fixed_parameter_stays_has_no_error_and_says_so() -> None:
    fit = cellpipe.fit_impedance(FREQUENCY, made(2), TEXT, parameters=["R0=10", "n1=0.9"])
    assert fit.values["R0"] == pytest.approx(10, rel=1e-12)
    assert math.isnan(fit.standard_errors["R0"])
    assert math.isnan(fit.precisions["CPE1_n"])
    assert not fit.identifiable["R0"]  # the data did not give it
    assert "R0 was fixed at 10 ohm: it has no error." in fit.flags
    assert not any("does not determine" in flag for flag in fit.flags)
    assert fit.fit.free_count == 5
    others = [name for name in fit.names if name not in {"R0", "CPE1_n"}]
    assert all(fit.standard_errors[name] > 0 and fit.identifiable[name] for name in others)


def test_what_is_left_has_smaller_errors_and_the_truth_lies_within_them() -> None:
    """Over 60 draws the deviations are as large as the errors say; fixed n makes them smaller."""
    deviations, shares = [], []
    for seed in range(60):
        z = made(seed)
        free = cellpipe.fit_impedance(FREQUENCY, z, TEXT)
        held = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=["n1=0.9", "n2=n1"])
        assert held.fit.cost >= free.fit.cost * (1 - 1e-9)
        deviations += [(held.values[name] - TRUE[name]) / held.standard_errors[name]
                       for name in ("R0", "R1", "R2", "CPE1_Q", "CPE2_Q")]  # fmt: skip
        shares.append(held.standard_errors["R1"] / free.standard_errors["R1"])
    assert 0.85 < float(np.sqrt(np.mean(np.square(deviations)))) < 1.15
    assert np.median(shares) < 0.7


def test_the_degrees_of_freedom_follow() -> None:
    fit = cellpipe.fit_impedance(FREQUENCY, made(3), TEXT, parameters=["n2=n1", "R0=10"])
    assert fit.fit.free_count == 5
    freedom = 2 * int(fit.used.sum()) - 5
    assert fit.result.nfree == freedom
    assert fit.result.redchi == pytest.approx(fit.fit.cost / freedom, rel=1e-6)


@pytest.mark.parametrize(
    "constraints",
    [["R1=20"], ["CPE1_Q=2e-6"], ["R2=2*R1"], ["n1<0.85"], ["R2>55", "n2=n1"], ["R1=R2/2+R0"]],
    ids=str,
)
def test_the_optimum_is_that_of_lmfit(constraints: list[str]) -> None:
    fit = cellpipe.fit_impedance(FREQUENCY, made(4), TEXT, parameters=constraints, robust=False)
    for name, value in fit.values.items():
        assert fit.result.params[name].value == pytest.approx(value, rel=2e-3), name
    assert fit.fit.cost <= fit.result.chisqr * (1 + 1e-6)


def test_the_optimum_is_that_of_scipy_from_the_truth() -> None:
    z = made(4)
    fit = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=["R1=25"], robust=False)
    keys = [key for key in CIRCUIT.keys if key != ("R1", "R")]

    def residual(logs: np.ndarray) -> np.ndarray:
        values = dict(zip(keys, np.exp(logs), strict=True)) | {("R1", "R"): 25.0}
        difference = (circuit_impedance(TEXT, values, FREQUENCY) - z) / abs(z)
        return np.concatenate([difference.real, difference.imag])

    start = np.log([value for name, value in TRUE.items() if name != "R1"])
    upper = [0.0 if name == "n" else np.inf for _, name in keys]
    other = least_squares(residual, start, bounds=(-np.inf, upper), xtol=1e-14, ftol=1e-14)
    assert fit.fit.cost == pytest.approx(2 * other.cost, rel=1e-6)


def test_a_bound_that_is_not_met_changes_nothing_and_one_that_is_met_is_said() -> None:
    z = made(5)
    free = cellpipe.fit_impedance(FREQUENCY, z, TEXT)
    wide = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=["1<R1<1000"])
    assert wide.values == pytest.approx(free.values, rel=1e-4)
    assert wide.standard_errors == pytest.approx(free.standard_errors, rel=1e-2)
    tight = cellpipe.fit_impedance(FREQUENCY, z, TEXT, parameters=["R1<20"])
    assert tight.values["R1"] == pytest.approx(20)
    assert math.isnan(tight.standard_errors["R1"])
    assert "R1 lies at the bound that was given, 20 ohm." in tight.flags


def test_all_parameters_may_be_fixed() -> None:
    given = [f"{name}={value}" for name, value in TRUE.items()]
    fit = cellpipe.fit_impedance(FREQUENCY, made(6), TEXT, parameters=given)
    assert fit.values == pytest.approx(TRUE)
    assert fit.fit.free_count == 0
    assert all(math.isnan(error) for error in fit.standard_errors.values())
    several = cellpipe.fit_impedance_series(FREQUENCY, [made(6), made(7)], TEXT, parameters=given)
    assert several.values["R2"] == pytest.approx([50, 50])


def test_a_series_is_fitted_jointly_under_constraints_and_gains_by_the_right_ones() -> None:
    drawn = series("approaching", 1, 12)
    true_n = drawn.theta[0, [3, 6]]
    arguments = (FREQUENCY, drawn.impedance, SERIES_CIRCUIT, drawn.time)
    free = cellpipe.fit_impedance_series(*arguments)
    held = cellpipe.fit_impedance_series(
        *arguments, parameters=[f"n1={true_n[0]}", f"n2={true_n[1]}"]
    )
    assert held.values["CPE1_n"] == pytest.approx(np.full(12, true_n[0]))
    assert np.isnan(held.standard_errors["CPE1_n"]).all()
    truth = np.exp(drawn.theta[:, 4])
    assert (held.standard_errors["R2"] < free.standard_errors["R2"]).all()
    assert (np.abs(held.values["R2"] - truth) < 4 * held.standard_errors["R2"]).all()
    assert held.joint is not None
    assert all("CPE1_n was fixed" in " ".join(flags) for flags in held.flags)


@pytest.mark.parametrize(
    ("constraint", "holds"),
    [
        ("R0=12", lambda v: np.allclose(v["R0"], 12)),
        ("n2=n1", lambda v: np.allclose(v["CPE2_n"], v["CPE1_n"])),
        ("R2=2*R0", lambda v: np.allclose(v["R2"], 2 * v["R0"])),
        ("CPE1_Q=1e-5", lambda v: np.allclose(v["CPE1_Q"], 1e-5)),
        ("0.5<n1<0.8", lambda v: ((v["CPE1_n"] > 0.4999) & (v["CPE1_n"] < 0.8001)).all()),
        ("R2>33", lambda v: (v["R2"] > 32.999).all()),
    ],
)
def test_a_constraint_holds_in_every_spectrum_of_a_series(constraint: str, holds: object) -> None:
    drawn = series("approaching", 1, 6)
    found = cellpipe.fit_impedance_series(
        FREQUENCY, drawn.impedance, SERIES_CIRCUIT, drawn.time, parameters=[constraint]
    )
    assert holds(found.values)  # type: ignore[operator]
    assert found.fits[0].fit.free_count == (8 if "<" in constraint or ">" in constraint else 7)


def test_names_are_checked_before_a_series_is_fitted() -> None:
    with pytest.raises(CellpipeError, match="no parameter of R0-C1"):
        cellpipe.fit_impedance_series(FREQUENCY, [made(1)] * 2, "R0-C1", parameters=["R1=5"])


def test_a_constraint_holds_in_a_spectrum_that_stands_apart_from_its_series() -> None:
    drawn = series("separated", 2, 8)
    spoilt = drawn.impedance.copy()
    spoilt[3] *= 20
    found = cellpipe.fit_impedance_series(
        FREQUENCY, spoilt, SERIES_CIRCUIT, drawn.time, parameters=["n2=n1"]
    )
    assert found.values["CPE2_n"] == pytest.approx(found.values["CPE1_n"])
    assert [fit.fit.free_count for fit in found] == [7] * 8
    assert found[2:5].values["R0"] == pytest.approx(found.values["R0"][2:5])
