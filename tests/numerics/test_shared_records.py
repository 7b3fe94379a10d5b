"""Which records two recordings share is decided by times, voltages and currents together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpipe.numerics.cycling.record_alignment import Records
from cellpipe.numerics.cycling.shared_records import find_common

BEGIN = 1.7e9


def made(count: int = 400, seed: int = 1, *, begin: float | None = BEGIN) -> Records:
    """Return a noisy charge and discharge at 1 mA, with uneven intervals."""
    random = np.random.default_rng(seed)
    time = np.cumsum(random.choice([10.0, 30.0, 30.5], count))
    volt = np.round(3.6 + 0.5 * np.sin(time / 2000) + random.normal(0, 1e-3, count), 4)
    ampere = np.where(np.sin(time / 2000) > 0, 1e-3, -1e-3)
    clock = None if begin is None else np.round(begin + time)
    return Records(time, volt, ampere, clock)


def part(records: Records, begin: int, end: int, **changed: object) -> Records:
    """Return records from one place to another."""
    clock = records.unix_second
    cut = Records(
        records.test_second[begin:end],
        records.voltage_volt[begin:end],
        records.current_ampere[begin:end],
        None if clock is None else clock[begin:end],
        {name: values[begin:end] for name, values in records.counters.items()},
        {name: values[begin:end] for name, values in records.counts.items()},
    )
    return replace(cut, **changed)  # type: ignore[arg-type]


def places(first: Records, second: Records) -> list[int]:
    """Return the places of the second one's records that the first holds."""
    shared = find_common(first, second)
    return [] if shared is None else shared.at.tolist()


def test_parts_of_one_test_share_nothing() -> None:
    whole = made()
    assert places(part(whole, 0, 200), part(whole, 200, 400)) == []


def test_equal_tests_on_other_days_share_nothing() -> None:
    whole = made()
    assert whole.unix_second is not None
    for apart in (20 * 3600.0, 86_400.0, 7 * 86_400.0 + 37):
        assert places(whole, replace(whole, unix_second=whole.unix_second + apart)) == []


def test_an_even_programme_some_hours_later_is_no_time_zone() -> None:
    time = np.arange(0.0, 3600.0, 10.0)
    ramp = Records(time, 3 + time / 3600, np.full(time.size, 1e-3), BEGIN + time)
    assert ramp.unix_second is not None
    shared = find_common(ramp, replace(ramp, unix_second=ramp.unix_second + 2 * 3600.0))
    assert shared is not None
    assert shared.is_doubtful


def test_voltage_decides_where_times_and_currents_are_equal() -> None:
    whole = made()
    assert places(whole, replace(whole, voltage_volt=whole.voltage_volt + 0.01)) == []


@pytest.mark.parametrize("begin", [BEGIN, None])
def test_a_counter_that_shows_something_else_speaks_against_it_without_a_clock(
    begin: float | None,
) -> None:
    count = np.linspace(0, 1, 400)
    one = replace(made(begin=begin), counters={"net_capacity_ah": count})
    other = replace(one, counters={"net_capacity_ah": count + 1})
    assert bool(places(one, other)) is (begin is not None)


def test_records_that_repeat_themselves_are_doubted_where_nothing_tells() -> None:
    whole = made(100, begin=None)
    time = np.concatenate([whole.test_second + n * 5000.0 for n in range(4)])
    volt, ampere = (np.tile(c, 4) for c in (whole.voltage_volt, whole.current_ampere))
    later = Records(whole.test_second - 1.0, whole.voltage_volt, whole.current_ampere)
    shared = find_common(Records(time, volt, ampere), later)
    assert shared is not None
    assert shared.is_doubtful
    assert not len(shared.at)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_two_exports_share_what_both_hold(data: st.DataObject) -> None:
    begin, end = sorted(data.draw(st.lists(st.integers(0, 400), min_size=2, max_size=2)))
    cut = data.draw(st.integers(0, 400))
    whole = made(seed=data.draw(st.integers(0, 20)))
    zone = data.draw(st.sampled_from([0.0, 3600.0, -7200.0, 5.5 * 3600]))
    zero = data.draw(st.sampled_from([0.0, 1234.5]))
    kept = np.ones(400, np.bool_)
    kept[data.draw(st.lists(st.integers(0, 399), max_size=3))] = False
    first, second = part(whole, 0, cut), part(whole, begin, end)
    missing = [n for n in range(begin, min(cut, end)) if not kept[n]]
    if cut - len(missing) > 20:
        first = Records(*(c[kept[:cut]] for c in (
            first.test_second, first.voltage_volt, first.current_ampere, first.unix_second
        )))  # fmt: skip
    else:
        missing = []
    assert second.unix_second is not None
    second = replace(
        second, test_second=second.test_second - zero, unix_second=second.unix_second + zone,
        voltage_volt=np.round(second.voltage_volt, 3),
    )  # fmt: skip
    expected = [n - begin for n in range(begin, min(cut, end)) if n not in missing]
    if zone and len(expected) < 60:
        return  # so few may be chance
    if len(missing) > 0.1 * len(expected):
        return
    assert places(first, second) == expected
    if zone and expected:
        shared = find_common(first, second)
        assert shared is not None
        assert shared.clock_second == pytest.approx(-zone, abs=1)
