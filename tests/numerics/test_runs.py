"""What ends a half cycle and what doesn't."""

from __future__ import annotations

import numpy as np

from cellpipe.numerics.runs import directions, merged_numbers, segment_numbers


def segments(current: np.ndarray, seconds: float = 60.0) -> np.ndarray:
    time = np.arange(len(current)) * seconds
    direction = directions(current)
    return segment_numbers(direction, current * seconds / 3600, time)


def test_charge_rest_and_discharge_are_told_apart() -> None:
    current = np.array([0, 1, 1, 0, -1, -1, 0], float)
    assert directions(current).tolist() == [0, 1, 1, 0, -1, -1, 0]
    assert segments(current).tolist() == [0, 1, 1, 0, 2, 2, 0]


def test_a_rest_does_not_end_a_half_cycle() -> None:
    current = np.concatenate([np.ones(50), np.zeros(20), np.ones(50), -np.ones(80)])
    assert segments(current).max() == 2


def test_noise_at_rest_is_no_current() -> None:
    noise = 1e-4 * np.random.default_rng(1).standard_normal(400)
    current = np.concatenate([np.ones(100), noise, -np.ones(100)])
    assert segments(current).max() == 2
    assert (segments(current)[100:500] == 0).all()


def test_a_recording_of_noise_alone_has_no_half_cycle() -> None:
    assert segments(1e-6 * np.random.default_rng(2).standard_normal(500)).max() == 0


def test_a_recording_without_current_has_no_half_cycle() -> None:
    assert segments(np.zeros(10)).max() == 0
    assert len(segments(np.zeros(0))) == 0


def test_short_pulses_belong_to_the_half_cycle_around_them() -> None:
    current = np.concatenate([np.ones(500), [-1.0], np.ones(500), -np.ones(1000)])
    assert segments(current, seconds=10.0).max() == 2


def test_a_slow_formation_beside_a_fast_cycle_is_not_taken_for_noise() -> None:
    fast, slow = 10.0, 0.05
    current = np.concatenate([np.full(900, slow), np.full(900, -slow), [fast] * 20, [-fast] * 20])
    assert segments(current, 600.0).max() == 4


def test_a_half_cycle_cut_by_a_files_end_goes_on_in_the_next() -> None:
    direction = np.array([1, 1, -1, -1, 1], np.int8)
    charge = np.array([0.4, 0.6, 0.7, 0.3, 1.0])
    lasted = np.full(5, 3600.0)
    assert merged_numbers(direction, charge, lasted).tolist() == [1, 1, 2, 2, 3]
