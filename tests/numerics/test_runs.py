"""What ends a half cycle and what doesn't."""

from __future__ import annotations

import numpy as np

from cellpipe.numerics.cycling import runs
from cellpipe.numerics.cycling.runs import current_directions, number_half_cycles, segment_numbers


def segments(current: np.ndarray, seconds: float = 60.0) -> np.ndarray:
    time = np.arange(len(current)) * seconds
    direction = current_directions(current)
    charge = current * seconds / 3600
    found = runs.find_segments(direction, charge, time, np.cumsum(charge))
    return segment_numbers(direction, found)


def test_charge_rest_and_discharge_are_told_apart() -> None:
    current = np.array([0, 1, 1, 0, -1, -1, 0], float)
    assert current_directions(current).tolist() == [0, 1, 1, 0, -1, -1, 0]
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
    assert number_half_cycles(direction, charge, lasted, charge).tolist() == [1, 1, 2, 2, 3]


def test_a_drive_cycle_is_one_half_cycle() -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(2, 30, 200)
    powers = np.where(np.arange(200) % 3 == 2, 1, -1) * random.uniform(0.1, 3, 200)
    drive = np.repeat(powers, lengths)
    assert segments(drive, seconds=1.0).max() == 1
    charge = np.full(3600, 1.0)
    numbers = segments(np.concatenate([charge, drive, charge]), seconds=1.0)
    assert numbers.max() == 3
    assert (numbers[3600:-3600] == 2).all()


def test_quick_cycling_is_not_taken_for_a_drive_cycle() -> None:
    current = np.tile(np.repeat([1.0, -1.0], 50), 30)
    assert segments(current, seconds=1.0).max() == 60


def test_titration_pulses_with_rests_between_are_one_half_cycle() -> None:
    pulse = np.concatenate([np.ones(60), np.zeros(200)])
    current = np.concatenate([np.tile(pulse, 20), np.tile(-pulse, 20)])
    assert segments(current, seconds=10.0).max() == 2


def test_pulses_that_measure_a_resistance_make_no_half_cycles() -> None:
    """A hybrid pulse test: a tenth of the charge, a rest, ten seconds out and ten seconds in."""
    piece = np.concatenate([
        np.full(360, -1.0), np.zeros(360), np.full(10, -3.0), np.zeros(40), np.full(10, 2.0),
    ])  # fmt: skip
    current = np.concatenate([np.ones(3600), np.tile(piece, 9), np.full(360, -1.0)])
    assert segments(current, seconds=1.0).max() == 2


def test_a_cycle_of_seconds_between_the_voltage_limits_is_no_pulse() -> None:
    """A rate test: what passes at the highest rate is a hundredth of the capacity."""
    direction = np.tile(np.array([1, -1], np.int8), 4)
    charge = np.array([1.0, 1.0, 0.01, 0.01, 0.01, 0.01, 0.9, 0.9])
    lasted = np.array([3600.0, 3600.0, 2.0, 2.0, 2.0, 2.0, 3600.0, 3600.0])
    ends = np.where(direction > 0, 3.4, 1.4)
    assert number_half_cycles(direction, charge, lasted, ends).max() == 8
    halfway = np.where(lasted < 10, 2.4, ends)
    assert number_half_cycles(direction, charge, lasted, halfway).max() == 4


def test_a_long_series_of_equal_small_cycles_is_cycling() -> None:
    direction = np.tile(np.array([1, -1], np.int8), 101)
    charge = np.concatenate([[1.0, 0.5], np.full(200, 0.02)])
    lasted = np.concatenate([[3600.0, 1800.0], np.full(200, 60.0)])
    assert number_half_cycles(direction, charge, lasted, np.full(202, 2.1)).max() == 202


def test_runs_that_carry_nothing_are_no_error() -> None:
    direction = np.tile(np.array([1, -1], np.int8), 30)
    charge = np.where(direction > 0, 1e-6, 0.0)
    time = np.arange(60.0)
    for given in (charge, np.zeros(60)):
        found = runs.find_segments(direction, given, time, np.zeros(60))
        assert len(found.first) <= 60


def test_a_single_run_whose_charge_is_of_the_other_sign_is_one_segment() -> None:
    """A counter may run against the current: three records are no reason to fail."""
    found = runs.find_segments(
        np.array([1, 0, 0], np.int8), np.array([-1e-6, 0.0, 0.0]), np.arange(3.0), np.full(3, 3.7)
    )
    assert [len(part) for part in found] == [1, 1]
