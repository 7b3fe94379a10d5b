"""Rates, fade and the cycle where a limit is passed: answers that are known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellpipe.numerics.cycling.ageing import (
    count_formation_cycles,
    fade,
    first_cycle_below,
    rate_groups,
    usual_rate,
)


def currents(*cycles: tuple[float, int]) -> np.ndarray:
    """Give both currents of so many cycles of each rate."""
    return np.concatenate([np.full((count, 2), ampere) for ampere, count in cycles])


def test_the_rates_of_a_rate_test_are_told_apart_and_found_again() -> None:
    rates = currents((0.1, 5), (0.2, 5), (0.5, 5), (0.1, 3))
    assert rate_groups(rates).tolist() == [1] * 5 + [2] * 5 + [3] * 5 + [1] * 3


def test_noise_of_the_current_makes_no_new_rate() -> None:
    random = np.random.default_rng(1)
    noisy = currents((1.0, 300)) * random.uniform(0.97, 1.03, (300, 2))
    assert rate_groups(noisy).max() == 1


def test_a_half_that_is_missing_agrees_with_any_rate() -> None:
    rates = currents((0.1, 2), (0.5, 2))
    rates[0, 0] = rates[3, 1] = np.nan
    assert rate_groups(rates).tolist() == [1, 1, 2, 2]


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_a_larger_electrode_has_the_same_rates(amperes: list[float], factor: float) -> None:
    rates = np.column_stack([amperes, amperes])
    assert rate_groups(rates * factor).max() <= len(amperes)
    assert (rate_groups(rates)[0], usual_rate(rate_groups(rates))) >= (1, 1)


def test_slow_cycles_before_the_others_are_the_formation() -> None:
    for rates, count in (
        (currents((0.05, 3), (0.5, 100)), 3),
        (currents((0.05, 1), (0.1, 2), (0.5, 100)), 3),
        (currents((0.5, 100)), 0),
        (currents((0.1, 5), (0.5, 5), (0.1, 5)), 0),
        (currents((1.0, 2), (0.5, 100)), 0),
    ):
        assert count_formation_cycles(rate_groups(rates), rates) == count


def test_a_straight_fade_is_found_whatever_a_quarter_of_the_cycles_do() -> None:
    cycle = np.arange(1.0, 101.0)
    retention = 1 - 1e-3 * (cycle - 1)
    retention[::4] -= 0.3
    slope = fade(cycle, retention)
    assert slope.value == pytest.approx(-1e-3, rel=0.02)
    assert slope.low <= slope.value <= slope.high


def test_the_interval_of_the_fade_holds_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(5)
    cycle = np.arange(1.0, 61.0)
    held = 0
    for _ in range(400):
        slope = fade(cycle, 1 - 5e-4 * cycle + 0.01 * random.standard_normal(60))
        held += slope.low <= -5e-4 <= slope.high
    assert 0.92 <= held / 400 <= 0.98


def test_four_cycles_have_no_slope() -> None:
    assert np.isnan(fade(np.arange(4.0), np.ones(4)).value)


def test_one_bad_cycle_is_not_the_end_of_a_cell() -> None:
    cycle = np.arange(1, 12)
    retention = np.array([1, 0.98, 0.5, 0.95, 0.93, 0.91, 0.89, 0.88, 0.79, 0.78, 0.77])
    assert first_cycle_below(cycle, retention, 0.9) == 7
    assert first_cycle_below(cycle, retention, 0.8) == 9
    assert first_cycle_below(cycle[:-1], retention[:-1], 0.8) is None  # not yet confirmed
    assert first_cycle_below(cycle, retention, 0.7) is None
    assert first_cycle_below(cycle[:0], retention[:0], 0.9) is None


@given(st.integers(0, 2**32 - 1))
def test_a_cycle_is_of_the_first_rate_that_it_agrees_with(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rates = draw.choice([1.0, 1.04, 1.09, 1.12, 1.2, 0.0], (draw.integers(0, 30), 2))
    rates[draw.random(rates.shape) < draw.choice([0.0, 0.2, 0.6])] = np.nan
    firsts: list[NDArray[np.float64]] = []
    for cycle, number in zip(np.where(rates > 0, rates, np.nan), rate_groups(rates), strict=True):
        agrees = [
            all(math.isnan(x) or x < 1.1 for x in np.fmax(cycle / first, first / cycle))
            for first in firsts
        ]
        if any(agrees):
            assert number == agrees.index(True) + 1
            first = firsts[number - 1]
            firsts[number - 1] = np.where(np.isnan(first), cycle, first)
        else:
            firsts.append(cycle)
            assert number == len(firsts)
