"""dQ/dV gives the capacity back, whatever the curve looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.numerics.differentiate import charge_by_voltage, differential_capacity


@given(
    st.lists(st.floats(2.5, 4.2), min_size=3, max_size=200),
    st.floats(0, 0.02),
    st.integers(0, 2**31),
)
def test_the_sum_over_the_grid_is_the_charge_however_the_voltage_wanders(
    voltages: list[float], smoothing: float, seed: int
) -> None:
    voltage = np.array(voltages)
    charge = np.random.default_rng(seed).uniform(0, 1, len(voltage))
    middle, density = differential_capacity(
        voltage, charge, step_volt=0.005, smoothing_volt=smoothing
    )
    if len(middle):
        assert density.sum() * 0.005 == pytest.approx(charge[1:].sum(), rel=1e-9)


def test_a_straight_line_has_one_slope() -> None:
    voltage = np.linspace(3.0, 4.0, 501)
    charge = np.full(501, 0.002)
    middle, density = differential_capacity(voltage, charge, step_volt=0.01, smoothing_volt=0)
    inside = (middle > 3.02) & (middle < 3.98)
    assert np.allclose(density[inside], 1.0)


def test_a_plateau_is_kept_as_a_peak_with_all_its_charge() -> None:
    voltage = np.concatenate(
        [np.linspace(3, 3.3, 50), np.full(100, 3.3), np.linspace(3.3, 3.6, 50)]
    )
    charge = np.full(200, 0.01)
    middle, density = differential_capacity(voltage, charge, step_volt=0.005, smoothing_volt=0)
    peak = int(np.argmax(density))
    assert abs(middle[peak] - 3.3) < 0.005
    assert density[peak] * 0.005 == pytest.approx(1.0, rel=0.02)


def test_peaks_of_a_known_curve_come_back_within_five_millivolts_under_noise() -> None:
    rng = np.random.default_rng(3)
    grid = np.linspace(0.05, 0.9, 4000)
    peaks = (0.30, 0.45)
    density = sum(np.exp(-(((grid - p) / 0.03) ** 2) / 2) for p in peaks) + 0.05
    passed = np.cumsum(density) * (grid[1] - grid[0])
    at = np.linspace(passed[0], passed[-1], 800)
    voltage = np.interp(at, passed, grid) + 0.001 * rng.standard_normal(800)
    charge = np.diff(at, prepend=at[0])
    middle, found = differential_capacity(voltage, charge, step_volt=0.005, smoothing_volt=0.005)
    for low, high, true in ((0.2, 0.37, 0.30), (0.38, 0.6, 0.45)):
        window = (middle > low) & (middle < high)
        assert abs(middle[window][np.argmax(found[window])] - true) <= 0.005


def test_fewer_than_three_records_give_no_curve() -> None:
    for count in (0, 1, 2):
        middle, density = differential_capacity(
            np.full(count, 3.0), np.ones(count), step_volt=0.005, smoothing_volt=0.005
        )
        assert len(middle) == len(density) == 0


def test_charge_below_a_voltage_never_falls_as_the_voltage_rises() -> None:
    rng = np.random.default_rng(4)
    voltage = rng.uniform(3, 4, 100)
    edges = np.linspace(2.9, 4.1, 50)
    below = charge_by_voltage(voltage, rng.uniform(0, 1, 100), edges)
    assert (np.diff(below) >= -1e-9).all()
    assert below[0] == pytest.approx(0, abs=1e-12)
