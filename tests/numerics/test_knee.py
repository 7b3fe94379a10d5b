"""Claims about how retention falls: straight or with a knee, and when it passes 80 %."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellpipe.numerics.cycling.knee import FEWEST, find_knee
from cellpipe.numerics.cycling.life import REACH, predict_life, predicts_itself


def noise(rng: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """Make noise of 0.2 % whose neighbours are correlated."""
    new = rng.normal(size=count)
    made = [float(new[0])]
    for each in new[1:]:
        made.append(correlation * made[-1] + math.sqrt(1 - correlation**2) * float(each))
    return 2e-3 * np.array(made)


def straight(count: int, slope: float = 4e-4) -> tuple[np.ndarray, np.ndarray]:
    cycle = np.arange(1.0, count + 1)
    return cycle, 1 - slope * (cycle - 1)


def bent(count: int, knee: float, before: float, after: float) -> tuple[np.ndarray, np.ndarray]:
    cycle, retention = straight(count, before)
    return cycle, retention - (after - before) * np.maximum(cycle - knee, 0)


def test_a_knee_is_found_with_both_slopes_within_their_intervals() -> None:
    cycle, retention = bent(120, 71.1, 5.0e-4, 3.49e-3)
    found = find_knee(cycle, retention + noise(np.random.default_rng(1), 120, 0.0))
    assert found is not None
    assert found.shape == "knee"
    assert found.knee.low <= 71.1 <= found.knee.high
    assert found.knee.high - found.knee.low < 2
    assert found.before.low <= -5.0e-4 <= found.before.high
    assert found.after.low <= -3.49e-3 <= found.after.high


def test_fade_that_slows_down_is_no_knee() -> None:
    cycle, retention = bent(120, 60.0, 3e-3, 5e-4)
    found = find_knee(cycle, retention + noise(np.random.default_rng(2), 120, 0.0))
    assert found is not None
    assert found.shape == "slower"


def test_fade_that_bends_smoothly_has_no_knee() -> None:
    cycle = np.arange(1.0, 201)
    rng = np.random.default_rng(3)
    shapes = [
        find_knee(cycle, 1 - 1e-6 * cycle**2 + noise(rng, 200, 0.3)).shape  # type: ignore[union-attr]
        for _ in range(10)
    ]
    assert shapes.count("curved") >= 9


def test_the_first_cycles_own_bend_is_left_out_and_one_odd_cycle_moves_nothing() -> None:
    cycle, retention = straight(150)
    retention = (
        retention - 0.05 * (1 - np.exp(-cycle / 3)) + noise(np.random.default_rng(4), 150, 0)
    )
    found = find_knee(cycle, retention)
    assert found is not None
    assert found.shape == "straight"
    assert found.first > 5
    spoilt = retention.copy()
    spoilt[70] = 0.3
    again = find_knee(cycle, spoilt)
    assert again is not None
    assert again.before.value == pytest.approx(found.before.value, rel=0.02)


def test_retention_that_wanders_is_no_straight_line() -> None:
    cycle, retention = straight(60)
    steps = np.cumsum(np.random.default_rng(11).normal(size=60)) * 5e-3
    found = find_knee(cycle, retention + steps)
    assert found is not None
    assert found.shape == "irregular"
    assert predict_life(cycle, retention + steps, found, None).outlook == "not borne"


def test_too_few_cycles_tell_no_shape() -> None:
    cycle, retention = straight(FEWEST - 1)
    assert find_knee(cycle, retention) is None
    assert find_knee(cycle[:0], retention[:0]) is None


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8, 0.9, 0.97])
def test_straight_cells_have_a_knee_in_one_of_a_hundred_at_most(correlation: float) -> None:
    rng = np.random.default_rng(5)
    false = series = 0
    for count in (16, 30, 60, 120):
        cycle, retention = straight(count)
        for _ in range(250):
            found = find_knee(cycle, retention + noise(rng, count, correlation))
            series += 1
            false += found is not None and found.shape == "knee"
    assert false <= 0.01 * series


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_slopes_and_knees_lie_within_their_intervals(correlation: float) -> None:
    rng = np.random.default_rng(6)
    cycle, retention = bent(120, 72.0, 4e-4, 2e-3)
    found = [find_knee(cycle, retention + noise(rng, 120, correlation)) for _ in range(200)]
    knees = [each for each in found if each and each.shape == "knee"]
    assert len(knees) >= 195
    for held in (
        [each.knee.low <= 72 <= each.knee.high for each in knees],
        [each.before.low <= -4e-4 <= each.before.high for each in knees],
        [each.after.low <= -2e-3 <= each.after.high for each in knees],
    ):
        assert np.mean(held) >= 0.9
    cycle, retention = straight(120)
    lines = [find_knee(cycle, retention + noise(rng, 120, correlation)) for _ in range(200)]
    held = [each.before.low <= -4e-4 <= each.before.high for each in lines if each]
    assert np.mean(held) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("count", "slope"), [(100, 1.5e-3), (200, 7e-4)])
def test_straight_cells_pass_80_percent_within_the_predicted_interval(
    count: int, slope: float
) -> None:
    rng = np.random.default_rng(7)
    held = []
    cycle, retention = straight(2 * count, slope)
    for _ in range(60):
        noisy = retention + noise(rng, 2 * count, 0.5)
        known, seen = cycle[:count], noisy[:count]
        life = predict_life(known, seen, find_knee(known, seen), None)
        below = noisy < 0.8
        true = cycle[int(np.flatnonzero(below[:-2] & below[1:-1] & below[2:])[0])]
        if life.outlook == "within":
            held.append(life.low <= true and not true > life.high)
    assert len(held) >= 45
    assert np.mean(held) >= 0.93


def test_no_line_is_drawn_further_than_two_thirds_of_its_own_length() -> None:
    cycle, retention = straight(100, 5e-4)
    seen = retention + noise(np.random.default_rng(8), 100, 0.0)
    life = predict_life(cycle, seen, find_knee(cycle, seen), None)
    assert life.outlook == "beyond"
    assert math.isnan(life.cycle)
    assert life.horizon == pytest.approx(100 + REACH * 99)


def test_a_past_that_does_not_predict_itself_bears_no_prediction() -> None:
    rng = np.random.default_rng(9)
    for made in (bent(100, 65.0, 3e-4, 3e-3), bent(100, 55.0, 3e-3, 2e-4)):
        assert not predicts_itself(made[0], made[1] + noise(rng, 100, 0.0))
    cycle = np.arange(1.0, 101)
    smooth = 1 - 1.5e-5 * cycle**2 + noise(rng, 100, 0.0)
    assert predict_life(cycle, smooth, find_knee(cycle, smooth), None).outlook == "not borne"


def test_a_limit_that_is_passed_is_no_prediction() -> None:
    cycle, retention = straight(100, 4e-3)
    life = predict_life(cycle, retention, find_knee(cycle, retention), 52)
    assert (life.outlook, life.cycle) == ("reached", 52)
    assert math.isnan(life.low)


@pytest.mark.parametrize("noise", [1e-4, 3e-4, 5e-4, 1e-3, 2e-3])
@pytest.mark.parametrize("place", [0, 1, 3, 60, 97, 98, 99])
def test_one_cycle_far_off_makes_no_knee_and_widens_no_interval(noise: float, place: int) -> None:
    x = np.arange(1, 101.0)
    for seed, off in enumerate((-0.3, -0.03, 0.03, 12 * noise, -12 * noise)):
        scatter = np.random.default_rng(seed).normal(0, noise, 100)
        clean = find_knee(x, 1 - 0.001 * (x - 1) + scatter)
        scatter[place] += off
        found = find_knee(x, 1 - 0.001 * (x - 1) + scatter)
        assert found is not None
        assert clean is not None
        assert found.shape == "straight"
        wide = found.before.high - found.before.low
        assert wide < 1.7 * (clean.before.high - clean.before.low)


def test_one_cycle_far_off_moves_no_prediction_of_the_life() -> None:
    x = np.arange(1, 151.0)
    scatter = np.random.default_rng(1).normal(0, 3e-4, 150)
    y = 1 - 0.001 * (x - 1) + scatter
    clean = predict_life(x, y, find_knee(x, y), None)
    y[70] -= 0.5
    with_one = predict_life(x, y, find_knee(x, y), None)
    assert clean.outlook == with_one.outlook == "within"
    assert abs(clean.cycle - with_one.cycle) <= 1
    assert with_one.low >= clean.low - 1
