"""A resistance has a law only where one describes it; whether it changes is never in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_growth import FALLING, NONE, SHAPES, TURNING, measured

from cellpipe.numerics.impedance.growth import NO_LAW, fit_growth


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("count", [6, 10, 25])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_law_is_the_true_one_or_none(name: str, count: int, correlation: float) -> None:
    curve, true = SHAPES[name]
    random = np.random.default_rng(count)
    for _ in range(3):
        found = fit_growth(*measured(curve, count, random, correlation))
        assert found is not None
        assert found.law in {true, NO_LAW}
        trend = "falling" if name in FALLING else "rising"
        assert found.trend == ("not monotone" if name in TURNING else trend)
        assert (found.probability >= 0.9) == (found.law != NO_LAW)


@pytest.mark.parametrize("name", [name for name, (_, law) in SHAPES.items() if law != NONE])
def test_long_series_have_their_law_named(name: str) -> None:
    curve, true = SHAPES[name]
    random = np.random.default_rng(1)
    named = [fit_growth(*measured(curve, 30, random)) for _ in range(4)]
    laws = [growth.law for growth in named if growth is not None]
    assert laws.count(true) >= (1 if "tenth" in name else 3)


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
    found = fit_growth(*measured(lambda t: 100 + 0 * t, count, random, correlation))
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


def test_one_odd_spectrum_is_named_and_decides_nothing() -> None:
    random = np.random.default_rng(3)
    time, resistance, error = measured(lambda t: 100 + 0 * t, 12, random)
    resistance[6] = 180
    found = fit_growth(time, resistance, error)
    assert found is not None
    assert (found.law, found.odd) == ("constant", 6)


def test_no_part_of_a_law_is_far_larger_than_what_changed() -> None:
    random = np.random.default_rng(4)
    for count in (6, 9, 14):
        time, resistance, error = measured(SHAPES["rise, then fall"][0], count, random)
        resistance[count // 2] *= 1.5
        found = fit_growth(time, resistance, error)
        assert found is not None
        assert abs(found.rate) * max(1.0, time[-1]) ** 0 <= 10 * np.ptp(resistance)
