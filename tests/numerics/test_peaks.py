"""Peaks of dQ/dV come back where they were put, and are followed from cycle to cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cellpipe.numerics.cycling.differentiate import differential_capacity, sufficient_smoothing
from cellpipe.numerics.cycling.peaks import Peaks, locate_peaks, track_peaks

ONE = np.array([0])
GRID = np.linspace(0.02, 0.9, 8000)


def density(places: dict[float, float], width: float = 0.03) -> np.ndarray:
    """Give a known dQ/dV, Ah/V: Gaussians of the given heights over a background."""
    bells = (h * np.exp(-(((GRID - p) / width) ** 2) / 2) for p, h in places.items())
    return sum(bells) + 0.05


def measured(
    curve: np.ndarray, records: int, noise: float, seed: int, *, digit: float = 0, above: float = 0
) -> Peaks:
    """Cycle a cell of this dQ/dV: even charges, noisy or rounded voltages (V); find its peaks."""
    passed = np.cumsum(curve) * (GRID[1] - GRID[0])
    at = np.linspace(passed[0], passed[-1], records)
    random = np.random.default_rng(seed)
    voltage = np.interp(at, passed, GRID) + noise * random.standard_normal(records)
    voltage = np.round(np.round((voltage + above) / digit) * digit, 7) if digit else voltage
    smoothing = sufficient_smoothing(voltage, ONE, 0.005)
    found = differential_capacity(
        voltage, np.diff(at, prepend=at[0]), ONE, step_volt=0.005, smoothing_volt=smoothing
    )
    return locate_peaks(found.at, found.density, smoothing[0])


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.005])
@pytest.mark.parametrize("records", [150, 800, 20_000])
def test_positions_come_back_within_five_millivolts_under_noise(noise: float, records: int) -> None:
    """In 30 seeds each; a peak that noise adds beside them would show as a third one."""
    true = {0.30: 1.0, 0.45: 0.8}
    worst, extra = 0.0, 0
    for seed in range(30):
        found = measured(density(true), records, noise, seed)
        apart = [np.abs(found.voltage_volt - place).min() for place in true]
        worst, extra = max(worst, *apart), extra + (len(found.voltage_volt) != 2)
    assert worst <= 0.005
    assert extra == 0


def test_height_width_and_charge_are_the_curves_own() -> None:
    found = measured(density({0.4: 2.0}), 20_000, 0.0, 0)
    smoothed = np.hypot(0.03, 0.005)
    assert found.height_ah_per_volt[0] == pytest.approx(2.0 * 0.03 / smoothed + 0.05, rel=5e-3)
    assert found.width_volt[0] == pytest.approx(2.3548 * smoothed, rel=0.02)
    assert found.capacity_ah[0] == pytest.approx(2.0 * 0.03 * np.sqrt(2 * np.pi), rel=0.01)


def bell(place: float, width: float, charge: float) -> np.ndarray:
    """Give dQ/dV, Ah/V, of a Gaussian of this charge, Ah."""
    return charge / (width * np.sqrt(2 * np.pi)) * np.exp(-(((GRID - place) / width) ** 2) / 2)


BACKGROUNDS = {
    "none": 0.0 * GRID + 1e-3,
    "even": 0.0 * GRID + 0.9,
    "sloping": 1.8 * (1 - GRID),
    "a broad peak below it": bell(0.45, 0.15, 0.9) + 0.05,
    "a broad peak beside it": bell(0.30, 0.06, 0.7) + 0.2,
}


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("noise", [0.0, 0.001, 0.005])
def test_the_charge_of_a_peak_is_its_own_and_not_the_backgrounds(
    background: str, noise: float
) -> None:
    found = measured(BACKGROUNDS[background] + bell(0.43, 0.01, 1.8), 1500, noise, 1)
    nearest = int(np.argmin(np.abs(found.voltage_volt - 0.43)))
    assert found.capacity_ah[nearest] == pytest.approx(1.8, rel=0.03 if noise < 0.005 else 0.07)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([1e-4, 3.05e-4, 1e-3, 1.526e-3, 2e-3]),
    st.sampled_from([150, 1000, 10_000]),
    st.sampled_from([0.0, 0.001]),
    st.sampled_from([0.008, 0.015, 0.03, 0.06]),
    st.tuples(st.floats(0.15, 0.4), st.floats(0.2, 0.35), st.floats(0.5, 1.0)),
    st.floats(0.0, 3.5).map(lambda volt: round(volt, 3)),
)
def test_digits_of_the_voltage_split_no_peak_and_move_none(
    digit: float,
    records: int,
    noise: float,
    width: float,
    second: tuple[float, float, float],
    above: float,
) -> None:
    place, apart, height = second
    assume(apart > 4 * width)  # peaks that stand apart
    curve = density({place: 1.0, place + apart: height}, width)
    is_top = (curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])
    true = GRID[1:-1][is_top]
    assume(len(true) == 2)
    found = measured(curve, records, noise, 0, digit=digit, above=above)
    assert len(found.voltage_volt) == 2
    assert np.abs(found.voltage_volt - above - true).max() <= 0.005


def test_a_voltage_that_is_held_at_the_end_is_no_peak() -> None:
    voltage = np.concatenate([np.linspace(3, 4.2, 500), np.full(200, 4.2)])
    found = differential_capacity(
        voltage, np.full(700, 1e-5), ONE, step_volt=0.005, smoothing_volt=np.array([0.005])
    )
    assert len(locate_peaks(found.at, found.density, 0.005).voltage_volt) == 0


def test_what_lies_below_zero_is_no_peak() -> None:
    at = np.arange(200) * 0.005
    dip = -np.exp(-(((at - 0.5) / 0.2) ** 2)) + 0.3 * np.exp(-(((at - 0.5) / 0.03) ** 2))
    bell = 0.5 * np.exp(-(((at - 0.8) / 0.03) ** 2))
    found = locate_peaks(at, dip + bell, 0.005)
    assert len(found.height_ah_per_volt) == 1
    assert found.voltage_volt[0] == pytest.approx(0.8, abs=0.01)
    assert len(locate_peaks(at, dip, 0.005).voltage_volt) == 0


def test_a_curve_of_a_few_points_has_no_peak() -> None:
    for count in (0, 1, 5):
        assert len(locate_peaks(np.arange(count) * 0.005, np.ones(count), 0.005).voltage_volt) == 0


def test_a_peak_that_fades_and_moves_keeps_its_number() -> None:
    """Two peaks over 200 cycles: one moves by 150 mV in all, the other fades until it is gone."""
    curve, voltage, true = [], [], []
    for cycle in range(200):
        curve.append(cycle)
        voltage.append(0.30 + 0.15 * cycle / 200)
        true.append(1)
        if cycle < 120 and cycle % 7:  # now and then it isn't found
            curve.append(cycle)
            voltage.append(0.55 + 0.005 * np.sin(cycle))
            true.append(2)
    numbers = track_peaks(np.array(curve), np.array(voltage))
    assert numbers.tolist() == [{true[0]: 1}.get(t, 2) for t in true]


def test_no_two_peaks_of_one_curve_share_a_number() -> None:
    random = np.random.default_rng(2)
    curve = np.sort(random.integers(0, 40, 200))
    numbers = track_peaks(curve, random.uniform(0, 1, 200))
    assert len(set(zip(curve.tolist(), numbers.tolist(), strict=True))) == 200
    assert len(track_peaks(np.zeros(0, np.int64), np.zeros(0))) == 0
