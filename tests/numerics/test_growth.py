"""A resistance has a law only where one describes it; whether it changes is never in doubt."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_growth import FALLING, NONE, SHAPES, TURNING, WORKED, Curve, clocks, measured, noise

from cellpipe.numerics.impedance.growth import NO_LAW, build_data, fit_growth
from cellpipe.numerics.impedance.growth_clocks import find_clock
from cellpipe.numerics.impedance.growth_laws import LAWS, fit_law


def stays(time: np.ndarray) -> np.ndarray:
    return np.full(len(time), 100.0)


@pytest.mark.parametrize("name", SHAPES)
def test_the_law_is_the_true_one_or_none(name: str) -> None:
    """A wrong one in at most two of 24 series (5 % in benchmarks/eis.py); never a wrong trend."""
    curve, true = SHAPES[name]
    trend = "falling" if name in FALLING else "rising"
    trend = "not monotone" if name in TURNING else trend
    wrong = []
    for count, correlation in product((6, 10, 25), (0.0, 0.6)):
        random = np.random.default_rng(count)
        for _ in range(4):
            found = fit_growth(*measured(curve, count, random, correlation))
            assert found is not None
            assert found.trend == trend
            assert (found.probability >= 0.95) == (found.law != NO_LAW)
            wrong.append(found.law not in {true, NO_LAW})
    assert sum(wrong) <= 2


@pytest.mark.parametrize(
    "name", [name for name, (_, law) in SHAPES.items() if law != NONE and "tenth" not in name]
)
def test_long_series_have_their_law_named(name: str) -> None:
    curve, true = SHAPES[name]
    random = np.random.default_rng(1)
    named = [fit_growth(*measured(curve, 30, random)) for _ in range(4)]
    laws = [growth.law for growth in named if growth is not None]
    assert laws.count(true) >= 3


def test_parameters_of_the_laws_come_back() -> None:
    random = np.random.default_rng(2)
    found = {name: fit_growth(*measured(curve, 30, random)) for name, (curve, _) in SHAPES.items()}
    assert found["saturating, 60 h"].parameter == pytest.approx(60, rel=0.05)
    assert found["saturating, 60 h"].rate == pytest.approx(200, rel=0.02)
    assert found["exponential, 38 times"].parameter == pytest.approx(500 / 3.64, rel=0.02)
    assert found["square root from 100 h on"].start == pytest.approx(100, abs=8)
    assert found["knee"].parameter == pytest.approx(250, abs=15)
    assert found["knee"].rate_after == pytest.approx(0.4, rel=0.05)
    assert found["power 3"].parameter == pytest.approx(3, rel=0.05)
    assert found["jump"].jumps[0][1] == pytest.approx(100, rel=0.02)


@settings(max_examples=300, deadline=None)
@given(st.integers(5, 40), st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 0.6]))
def test_a_resistance_that_stays_is_not_said_to_change(
    count: int, seed: int, correlation: float
) -> None:
    random = np.random.default_rng(seed)
    found = fit_growth(*measured(stays, count, random, correlation))
    assert found is not None
    # one in a thousand may be called a change; one that is named a law would be a growth
    assert found.trend == "unchanged" or found.chance < 1e-3


@given(st.integers(5, 40), st.floats(1.2, 40), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_a_resistance_that_grows_is_never_said_to_stay(count: int, times: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = random.uniform(0.3, 3)
    found = fit_growth(*measured(lambda t: 100 * (1 + (times - 1) * (t / 500) ** shape), count,
                                 random))  # fmt: skip
    assert found is not None
    assert found.trend == "rising"


@pytest.mark.parametrize("count", [6, 9, 20])
@pytest.mark.parametrize("factor", [1.8, 0.6, 1.1])
def test_one_odd_spectrum_is_named_and_decides_nothing(count: int, factor: float) -> None:
    random = np.random.default_rng(3)
    for place in range(1, count - 1):
        time, resistance, error = measured(stays, count, random)
        resistance[place] *= factor
        found = fit_growth(time, resistance, error)
        assert found is not None
        assert (found.law, found.odd, found.trend) == ("constant", place, "unchanged")
        others = np.delete(resistance, place)
        assert min(others) <= found.initial <= max(others)


@pytest.mark.parametrize("place", [0, -1])
def test_a_change_that_rests_on_the_first_or_last_spectrum_has_no_law(place: int) -> None:
    random = np.random.default_rng(3)
    for count in (5, 6, 12, 30):
        time, resistance, error = measured(stays, count, random)
        resistance[place] *= 2
        found = fit_growth(time, resistance, error)
        assert found is not None
        assert (found.law, found.odd) == (NO_LAW, place % count)
        assert found.trend == ("falling" if place == 0 else "rising")


def test_one_odd_spectrum_of_a_growth_is_left_out_of_its_law() -> None:
    random = np.random.default_rng(5)
    for place in range(4, 14):  # before, its neighbours are far apart themselves
        time, resistance, error = measured(SHAPES["square root"][0], 15, random)
        resistance[place] *= 1.3
        found = fit_growth(time, resistance, error)
        assert found is not None
        assert found.odd == place
        assert found.law in {"square root", NO_LAW}


def test_a_knee_does_not_rest_on_the_last_spectrum() -> None:
    random = np.random.default_rng(6)
    for count in (7, 15, 30):
        time, resistance, error = measured(SHAPES["linear"][0], count, random)
        resistance[-1] *= 1.5
        found = fit_growth(time, resistance, error)
        assert found is not None
        assert (found.law, found.trend) == (NO_LAW, "rising")


@pytest.mark.parametrize(
    "curve",
    [
        lambda t: 100 + 200 / (1 + np.exp(-(t - 250) / 40)),  # an S
        lambda t: 100 + 60 * ((3 * t / 500) % 1),  # a saw
        lambda t: 100 + 0.1 * t + 8 * np.sin(t / 20),  # a room that gets warm and cold
        lambda t: 100 + 80 * (1 - np.exp(-t / 20)) + 0.2 * t,  # two changes at once
        lambda t: 100 + 5 * np.sqrt(t) + 0.5 * np.maximum(t - 300, 0),
        lambda t: 100 + 0.5 * np.minimum(t, 150) + 0.8 * np.maximum(t - 350, 0),  # two knees
    ],
)
def test_what_follows_none_of_the_laws_has_none(curve: Curve) -> None:
    random = np.random.default_rng(7)
    for count in (15, 30):
        found = fit_growth(*measured(curve, count, random))
        assert found is not None
        assert found.law == NO_LAW
        assert found.trend != "unchanged"


def test_two_jumps_between_constants_are_no_growth() -> None:
    random = np.random.default_rng(8)
    found = fit_growth(*measured(lambda t: 100 + 50 * (t > 150) + 60 * (t > 350), 24, random))
    assert found is not None
    assert [round(step, -1) for _, step in found.jumps] == [50, 60]
    assert found.law in {"constant", NO_LAW}


def test_a_law_does_not_depend_on_the_unit_of_time_or_resistance() -> None:
    random = np.random.default_rng(9)
    for name in ("power 0.7", "saturating, 60 h", "knee", "rise, then fall"):
        time, resistance, error = measured(SHAPES[name][0], 15, random)
        found = fit_growth(time, resistance, error)
        scaled = fit_growth(3600 * time, 1e-3 * resistance, 1e-3 * error)
        assert found is not None
        assert scaled is not None
        assert (scaled.law, scaled.trend) == (found.law, found.trend)
        assert scaled.exponent == pytest.approx(found.exponent)


@pytest.mark.parametrize("clock", WORKED)
def test_the_clock_of_a_growth_is_told_where_the_clocks_run_apart(clock: str) -> None:
    random = np.random.default_rng(10)
    named = []
    for _ in range(12):
        shown = clocks(15, random)
        true = 100 + 60 * np.sqrt(shown[clock] / shown[clock][-1])
        found = find_clock(shown, true * (1 + 0.005 * noise(random, 15, 0.0)), 0.005 * true)
        assert found is not None
        assert clock in found[0]
        named.append(found[0] == (clock,))
    assert sum(named) >= 9


def test_clocks_that_run_alike_are_not_told_apart() -> None:
    random = np.random.default_rng(11)
    cycles = np.arange(1.0, 16)
    shown = {"time": 20 * cycles, "charge passed": 3 * cycles, "cycles": cycles}
    true = 100 + 20 * np.sqrt(cycles)
    found = find_clock(shown, true * (1 + 0.005 * random.standard_normal(15)), 0.005 * true)
    assert found is not None
    assert found[0] == WORKED


def test_a_clock_that_stands_still_explains_no_change() -> None:
    time = np.arange(1.0, 11)
    found = find_clock({"time": time, "cycles": np.full(10, 3.0)}, 100 + time, np.full(10, 0.1))
    assert found is not None
    assert found[0] == ("time",)


def test_no_clock_is_named_where_no_law_holds() -> None:
    time = np.arange(1.0, 21)
    shown = {"time": time, "cycles": np.floor(time / 2)}
    assert find_clock(shown, 100 + 50 * np.sin(time), np.full(20, 0.1)) is None
    assert find_clock({"time": time}, 100 + time, np.full(20, 0.1)) is None


def test_no_part_of_a_law_is_far_larger_than_what_changed() -> None:
    random = np.random.default_rng(4)
    for count in (6, 9, 14):
        time, resistance, error = measured(SHAPES["rise, then fall"][0], count, random)
        resistance[count // 2] *= 1.5
        data = build_data(time, resistance, error)
        for law in LAWS:
            fit = fit_law(law, data)
            parts = fit.shape.columns(data.time)[:, 1:] * fit.amounts[None, 1:]
            assert np.ptp(parts, axis=0).max(initial=0.0) <= 5.001 * np.ptp(resistance)


def test_what_is_no_verdict_has_no_numbers_of_a_law() -> None:
    random = np.random.default_rng(5)
    found = fit_growth(*measured(SHAPES["rise, then fall"][0], 14, random))
    assert found is not None
    assert found.law == NO_LAW
    numbers = (found.probability, found.initial, found.rate, found.rate_error, found.parameter,
               found.start, found.rate_after)  # fmt: skip
    assert np.isnan(numbers).all()
