"""Series of spectra: an arc stays the same arc, its errors are honest, and its growth has a law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_spectra import FREQUENCY, KINDS, SERIES_CIRCUIT, labelled, series, two_arcs

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.growth import fit_growth
from cellpipe.numerics.impedance.processes import (
    PROCESSES,
    brug_capacitance,
    effective_capacitance,
    process_probabilities,
)
from cellpipe.numerics.impedance.series import ImpedanceSeries, fit_impedance_series


def matrices(found: ImpedanceSeries) -> tuple[np.ndarray, np.ndarray]:
    theta = np.array([fit.fit.theta for fit in found.fits])
    return theta, np.sqrt([np.diag(fit.fit.spread) for fit in found.fits])


@pytest.mark.parametrize("kind", KINDS)
def test_an_arc_stays_the_same_arc_when_another_comes_near_or_passes(kind: str) -> None:
    """No swap; R of the growing arc within 1.5 % in the median; 95 % intervals hold at 85 %."""
    errors, inside, exponents = [], [], []
    for seed in (0, 3):
        made = series(kind, seed)
        found = fit_impedance_series(FREQUENCY, made.impedance, SERIES_CIRCUIT)
        theta, deviation = matrices(found)
        named, swapped, turned = labelled(theta, made.theta)
        assert swapped == 0
        off = named[:, 1] - made.theta[:, 1]
        errors.append(np.median(np.abs(off)))
        inside.append(np.abs(off) < 1.96 * deviation[:, 4 if turned else 1])
        resistance = np.exp(named[:, 1])
        law = fit_growth(made.time, resistance, resistance * deviation[:, 4 if turned else 1])
        assert law is not None
        exponents.append(law.exponent)
    assert max(errors) < 0.02
    assert np.mean(inside) > 0.85
    assert exponents == pytest.approx([0.5, 0.5], abs=0.05)


def test_the_circuit_of_a_series_is_found_even_where_single_spectra_cant_tell() -> None:
    made = series("crossing", 1)
    assert fit_impedance_series(FREQUENCY, made.impedance).circuit == SERIES_CIRCUIT


def test_a_real_ageing_series_is_smoother_together_and_hardly_worse_described(
    real_data: Path,
) -> None:
    held = np.load(real_data / "spectra" / "series" / "zhang_35C02.npz")
    text = "L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
    found = fit_impedance_series(held["f"], held["Z"][::6], text)
    together, _ = matrices(found)
    first = [arc.first for arc in found.fits[0].fit.form.arcs]
    for place in first:
        apart = np.sqrt(np.mean(np.diff(np.sort(found.single[:, first], axis=1), 2, axis=0) ** 2))
        assert np.sqrt(np.mean(np.diff(together[:, place], 2) ** 2)) < 0.6 * apart
    residual = np.mean([fit.relative_residual for fit in found.fits])
    assert residual < 0.006
    assert found.values["R2"][-1] > 1.6 * found.values["R2"][0]


def test_a_series_says_what_a_single_spectrum_says_for_one_spectrum() -> None:
    made = next(two_arcs(1, 30))
    text = made.form.circuit.text
    found = fit_impedance_series(made.frequency, made.impedance[None], text)
    assert len(found.fits) == 1
    assert found.fits[0].fit.cost <= 1.0001 * made.from_truth()[1]


def test_spectra_may_have_frequencies_of_their_own() -> None:
    made = series("separated", 2, spectra=6)
    frequency = [FREQUENCY[: 81 - 4 * i] for i in range(6)]
    impedance = [z[: 81 - 4 * i] for i, z in enumerate(made.impedance)]
    found = fit_impedance_series(frequency, impedance, SERIES_CIRCUIT)
    theta, _ = matrices(found)
    named, swapped, _ = labelled(theta, made.theta)
    assert swapped == 0
    assert np.abs(named[:, 1] - made.theta[:, 1]).max() < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2, 3], np.ones((2, 3)) + 0j), "in spectrum 1, 3 usable frequencies"),
        ((FREQUENCY, np.ones((0, 81)) + 0j), "not spectra"),
        (([FREQUENCY], np.ones((2, 81)) + 0j), "1 arrays of frequencies for 2 spectra"),
        ((FREQUENCY, np.ones((2, 81)) + 0j, "R0", [2.0, 1.0]), "times"),
    ],
)
def test_a_series_that_can_not_be_fitted_says_why(arguments: tuple, message: str) -> None:
    with pytest.raises(CellpipeError, match=message):
        fit_impedance_series(*arguments)


@pytest.mark.parametrize(
    ("exponent", "law"), [(0.5, "square root"), (1.0, "linear"), (0.7, "power")]
)
def test_the_law_of_growth_is_found(exponent: float, law: str) -> None:
    rng = np.random.default_rng(4)
    time = np.linspace(0, 1e6, 50)
    right, inside = 0, 0
    for _ in range(40):
        clean = 100 + 80 * (time / 1e6) ** exponent
        noisy = clean * (1 + 0.01 * rng.standard_normal(50))
        found = fit_growth(time, noisy, 0.01 * clean)
        assert found is not None
        right += found.law == law
        inside += abs(found.exponent - exponent) < 1.96 * found.exponent_error
        assert not found.jumps
    assert right >= 33
    assert inside >= 33


def test_a_lost_contact_is_a_jump_and_no_growth() -> None:
    rng = np.random.default_rng(5)
    time = np.linspace(0, 1e6, 50)
    clean = 100 + 80 * np.sqrt(time / 1e6) + 40 * (np.arange(50) >= 30)
    found = fit_growth(time, clean * (1 + 0.005 * rng.standard_normal(50)), 0.005 * clean)
    assert found is not None
    assert [place for place, _ in found.jumps] == [30]
    assert found.jumps[0][1] == pytest.approx(40, rel=0.15)
    assert found.law == "square root"


def test_four_resistances_have_no_law() -> None:
    assert fit_growth(np.arange(4.0), np.arange(4.0) + 1, np.ones(4)) is None


def test_capacitances_name_the_processes() -> None:
    typical = dict(zip((1e-12, 1e-9, 3e-6, 1e-3), PROCESSES, strict=True))
    for farad, process in typical.items():
        likely = process_probabilities(farad * 2.0, 2.0)
        assert sum(likely.values()) == pytest.approx(1)
        assert likely[process] > 0.85
    edge = process_probabilities(3e-8, 1.0)
    assert edge["grain boundary"] == pytest.approx(0.5, abs=0.01)


def test_a_name_is_less_certain_without_an_area() -> None:
    assert (
        process_probabilities(3e-6, None)["interphase"]
        < process_probabilities(3e-6, 1.0)["interphase"]
    )


def test_both_capacitances_are_the_capacitor_where_there_is_one() -> None:
    assert effective_capacitance(50.0, 2e-6, 1.0) == pytest.approx(2e-6)
    assert brug_capacitance(50.0, 2e-6, 1.0, 10.0) == pytest.approx(2e-6)
    assert brug_capacitance(50.0, 2e-6, 0.8, 10.0) < effective_capacitance(50.0, 2e-6, 0.8)
