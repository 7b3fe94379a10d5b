"""dQ/dV gives the capacity back and dV/dQ the voltage, whatever the curve looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.numerics.cycling.differentiate import (
    Curves,
    differential_capacity,
    differential_voltage,
    sufficient_smoothing,
)

ONE = np.array([0])


def of_one(voltage: np.ndarray, charge: np.ndarray, step: float, smoothing: float) -> Curves:
    sigma = np.array([smoothing])
    return differential_capacity(voltage, charge, ONE, step_volt=step, smoothing_volt=sigma)


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
    curve = of_one(voltage, charge, 0.005, smoothing)
    if len(curve.at):
        assert curve.density.sum() * 0.005 == pytest.approx(charge.sum(), rel=1e-9)


@given(st.lists(st.integers(3, 40), min_size=1, max_size=12), st.integers(0, 2**31))
def test_many_half_cycles_at_once_give_what_each_gives_alone(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    voltages = [random.uniform(3, 4, count) for count in counts]
    charges = [random.uniform(0, 1, count) for count in counts]
    begins = np.cumsum([0, *counts[:-1]])
    together = differential_capacity(
        np.concatenate(voltages), np.concatenate(charges), begins, step_volt=0.01,
        smoothing_volt=np.full(len(counts), 0.01),
    )  # fmt: skip
    for (at, density), voltage, charge in zip(together.parts(), voltages, charges, strict=True):
        alone = of_one(voltage, charge, 0.01, 0.01)
        assert np.array_equal(at, alone.at)
        assert np.allclose(density, alone.density, rtol=1e-9, atol=1e-12)


def test_a_straight_line_has_one_slope() -> None:
    curve = of_one(np.linspace(3.0, 4.0, 501), np.full(501, 0.002), 0.01, 0)
    inside = (curve.at > 3.02) & (curve.at < 3.98)
    assert np.allclose(curve.density[inside], 1.0)


def test_a_plateau_is_kept_as_a_peak_with_all_its_charge() -> None:
    voltage = np.concatenate(
        [np.linspace(3, 3.3, 50), np.full(100, 3.3), np.linspace(3.3, 3.6, 50)]
    )
    curve = of_one(voltage, np.full(200, 0.01), 0.005, 0)
    peak = int(np.argmax(curve.density))
    assert abs(curve.at[peak] - 3.3) < 0.005
    assert curve.density[peak] * 0.005 == pytest.approx(1.0, rel=0.02)


def test_fewer_than_three_records_or_one_voltage_give_no_curve() -> None:
    for voltage in (np.zeros(0), np.full(2, 3.0), np.full(50, 3.0)):
        begins = ONE if len(voltage) else np.zeros(0, np.int64)
        curve = differential_capacity(
            voltage,
            np.ones(len(voltage)),
            begins,
            step_volt=0.005,
            smoothing_volt=np.full(len(begins), 0.005),
        )
        assert len(curve.at) == len(curve.density) == 0


def test_a_voltage_that_is_no_cells_does_not_fill_the_memory() -> None:
    curve = of_one(np.array([0.0, 1e9, 2.0, 3.0]), np.ones(4), 0.005, 0.005)
    assert len(curve.at) == 0


def test_the_sum_of_dv_dq_is_the_change_of_the_voltage() -> None:
    passed = np.linspace(0, 2e-3, 1000)
    voltage = 3 + 0.6 * np.tanh((passed - 1e-3) / 3e-4) + 200 * passed
    curve = differential_voltage(
        voltage, np.diff(passed, prepend=0.0), ONE, steps=200, smoothing_steps=1.0
    )
    step = passed[-1] / 200
    between = (curve.at[0] - step / 2 <= passed) & (passed <= curve.at[-1] + step / 2)
    change = voltage[between][-1] - voltage[between][0]
    assert curve.density.sum() * step == pytest.approx(change, rel=2e-3)
    true = 0.6 / 3e-4 / np.cosh((curve.at - 1e-3) / 3e-4) ** 2 + 200
    middle = slice(20, -20)
    assert np.abs(curve.density[middle] / true[middle] - 1).max() < 0.01


@pytest.mark.parametrize("steps", [20, 200])
def test_dv_dq_is_right_at_the_ends(steps: int) -> None:
    passed = np.linspace(0, 2e-3, 2000)
    charge = np.diff(passed, prepend=0.0)
    line = differential_voltage(3 + 200 * passed, charge, ONE, steps=steps, smoothing_steps=1.0)
    assert np.allclose(line.density, 200, rtol=1e-6)
    bow = 3 + 200 * passed + 1e5 * passed**2
    curve = differential_voltage(bow, charge, ONE, steps=steps, smoothing_steps=1.0)
    true = 200 + 2e5 * curve.at
    assert np.abs(curve.density / true - 1).max() < 2 / steps


def test_a_pulse_against_the_direction_leaves_dv_dq_whole() -> None:
    charge = np.concatenate([np.full(200, 1e-5), np.full(20, -1e-5), np.full(200, 1e-5)])
    voltage = 3 + 100 * np.cumsum(charge)
    curve = differential_voltage(voltage, charge, ONE, steps=100, smoothing_steps=1.0)
    assert np.isfinite(curve.density).all()
    assert np.median(curve.density) == pytest.approx(100, rel=0.05)


def test_few_records_have_no_dv_dq() -> None:
    curve = differential_voltage(
        np.linspace(3, 4, 20), np.ones(20), ONE, steps=200, smoothing_steps=1.0
    )
    assert len(curve.at) == 0
    assert [len(at) for at, _ in curve.parts()] == [0]


def test_the_smoothing_follows_the_noise_and_stays_within_its_bounds() -> None:
    random = np.random.default_rng(6)
    line = np.linspace(3, 4, 1000)
    widths = [
        sufficient_smoothing(line + noise * random.standard_normal(1000), ONE, 0.005)[0]
        for noise in (0.0, 1e-4, 3e-3, 5e-3, 0.1)
    ]
    assert widths[:2] == [0.005, 0.005]
    assert widths[2] < widths[3] <= 0.02
    assert widths[4] == 0.02


def test_the_ripple_that_noise_leaves_is_what_the_smoothing_promises() -> None:
    random = np.random.default_rng(7)
    line = np.linspace(3, 4, 2000)
    ripples = []
    for _ in range(40):
        voltage = line + 4e-3 * random.standard_normal(2000)
        smoothing = sufficient_smoothing(voltage, ONE, 0.005)
        curve = differential_capacity(
            voltage, np.full(2000, 5e-4), ONE, step_volt=0.005, smoothing_volt=smoothing
        )
        inside = (curve.at > 3.1) & (curve.at < 3.9)
        ripples.append(curve.density[inside].std())
    assert np.mean(ripples) == pytest.approx(0.015, rel=0.2)
