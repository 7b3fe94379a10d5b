"""Peaks of the distribution of relaxation times: resistances within their errors, and flags."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.relaxation_times import RelaxationTimes, relaxation_times

FREQUENCY = np.geomspace(1e6, 1e-2, 81)


def found(text: str, values: tuple[float, ...], seed: int, noise: float) -> RelaxationTimes:
    rng = np.random.default_rng(seed)
    z = evaluate_circuit(parse_circuit(text), FREQUENCY, np.array(values, float))[0]
    z = z * (1 + noise * (rng.standard_normal(81) + 1j * rng.standard_normal(81)))
    times = relaxation_times(FREQUENCY, z)
    assert times is not None
    return times


def test_two_ideal_arcs_are_two_peaks_with_their_resistance_time_and_capacitance() -> None:
    for seed in range(10):
        times = found("R(RC)(RC)", (10, 20, 1e-7, 50, 1e-4), seed, 0.003)
        assert len(times.peaks) == 2
        for peak, r, c in zip(times.peaks, (20, 50), (1e-7, 1e-4), strict=True):
            assert peak.resistance == pytest.approx(r, rel=0.01)
            assert peak.time_constant == pytest.approx(r * c, rel=0.05)
            assert peak.frequency == pytest.approx(1 / (2 * np.pi * peak.time_constant))
            assert peak.capacitance == pytest.approx(c, rel=0.05)
            assert peak.stands_alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("R(RC)(RC)", (10, 20, 1e-7, 50, 1e-4)),
        ("R(RQ)(RQ)", (10, 20, 1e-7, 0.9, 50, 1e-4, 0.9)),
        ("R(RQ)(RQ)", (10, 20, 1e-6, 0.8, 50, 1e-4, 0.7)),
        ("R(RQ)(RQ)W", (10, 20, 1e-7, 0.9, 50, 1e-4, 0.9, 3)),
        ("R(RQ)(RQ)T", (10, 20, 1e-7, 0.85, 50, 1e-5, 0.85, 30, 5)),
        ("LR(RQ)(RQ)", (1e-7, 10, 20, 1e-7, 0.9, 50, 1e-4, 0.9)),
    ],
)
def test_the_true_resistance_lies_within_two_errors(text: str, values: tuple[float, ...]) -> None:
    """In 95 % of the arcs of 20 draws at each of three noises, the two large peaks of each."""
    within = []
    for noise in (0.001, 0.003, 0.01):
        for seed in range(20):
            times = found(text, values, seed, noise)
            fast = [peak for peak in times.peaks if peak.time_constant < 0.05]
            large = sorted(fast, key=lambda peak: -peak.resistance)[:2]
            for peak, r in zip(sorted(large, key=lambda p: p.time_constant), (20, 50), strict=True):
                within.append(abs(peak.resistance - r) < 2 * peak.resistance_error)
                assert peak.resistance_error < 0.15 * r
    assert np.mean(within) >= 0.95


def test_the_wings_of_a_depressed_arc_are_no_peaks_that_stand_alone() -> None:
    for seed in range(10):
        times = found("R(RQ)", (10, 50, 1e-4, 0.85), seed, 0.001)
        alone = [peak for peak in times.peaks if peak.stands_alone]
        assert len(alone) == 1
        assert alone[0].resistance == pytest.approx(50, rel=0.2)


def test_a_tail_beyond_the_window_is_no_peak_that_stands_alone() -> None:
    times = found("R(RC)C", (10, 20, 1e-6, 1e-3), 1, 0.003)
    late = [peak for peak in times.peaks if peak.time_constant > 1 / (2 * np.pi * 0.01)]
    assert not any(peak.stands_alone for peak in late)
    open_end = found("R(RQ)W", (10, 20, 1e-7, 0.9, 30), 1, 0.003)
    assert not open_end.peaks[-1].stands_alone


def test_all_resistance_of_a_closed_spectrum_is_in_its_peaks() -> None:
    times = found("R(RQ)(RQ)", (10, 20, 1e-7, 0.9, 50, 1e-4, 0.9), 2, 0.002)
    whole = sum(peak.resistance for peak in times.peaks)
    step = np.log(times.time_constant_second[1] / times.time_constant_second[0])
    assert whole == pytest.approx(step * times.distribution.sum(), rel=0.02)
    assert whole == pytest.approx(70, rel=0.03)


def test_an_impedance_n_times_as_large_has_peaks_n_times_as_large() -> None:
    small, large = (
        found("R(RQ)(RC)", (k * 10, k * 20, 1e-7 / k, 0.9, k * 50, 1e-4 / k), 3, 0.003)
        for k in (1, 1000)
    )
    for one, other in zip(small.peaks, large.peaks, strict=True):
        assert other.resistance == pytest.approx(1000 * one.resistance, rel=1e-6)
        assert other.resistance_error == pytest.approx(1000 * one.resistance_error, rel=1e-4)
        assert other.time_constant == pytest.approx(one.time_constant, rel=1e-6)


def test_the_text_names_the_peaks_and_no_array() -> None:
    text = repr(found("R(RC)(RC)", (10, 20, 1e-7, 50, 1e-4), 1, 0.003))
    assert text.splitlines()[0].endswith("2 peaks")
    assert " ± 1" in text
    assert "array" not in text
