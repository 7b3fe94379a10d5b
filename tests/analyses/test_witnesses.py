"""Whatever is done to a recording, each charge stays within the uncertainty that is stated of it.

The cell is made: its charges follow from currents and times on paper. Its recording has a counter
of one of the usual kinds, or none, and is then thinned, sampled otherwise, put out of order,
doubled, cut or spoilt, one witness or one record at a time, as files that people hand in are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellpipe.analyses import cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import add_charge, half_cycle_segments
from cellpipe.core.contracts import validate, validate_rows
from cellpipe.core.model import Cell
from made_files import LONG

FULL = Cell("A", "full")
EXAMPLES = 90 if LONG else 12  # of each change: 2,520 in all, or 336
SOME = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COUNTERS = ("none", "step", "cycle", "total", "net")
UP, DOWN, NET = "vendor_charging_capacity_ah", "vendor_discharging_capacity_ah", "net_capacity_ah"


@dataclass(frozen=True)
class Made:
    """A test of some cycles: what is run, and how it is recorded."""

    currents: tuple[float, ...]  # A, of each half cycle
    hours: tuple[float, ...]
    taper: float  # share of the current at which a charge's constant voltage ends; 1 for none
    rest_second: float
    every: float  # s between two records
    counter: str
    digits: int  # decimals of the counter in mAh
    cycles: int = 2


@st.composite
def made_tests(draw: st.DrawFn, *, counters: tuple[str, ...]) -> Made:
    current = draw(st.floats(0.4e-3, 5e-3))
    hours = draw(st.floats(0.6, 3.0))
    return Made(
        (current, draw(st.floats(0.4e-3, 5e-3))), (hours, draw(st.floats(0.6, 3.0))),
        draw(st.sampled_from([1.0, 0.3, 0.05])), draw(st.sampled_from([0.0, 300.0, 1800.0])),
        draw(st.sampled_from([10.0, 30.0, 60.0, 97.3])), draw(st.sampled_from(counters)),
        draw(st.sampled_from([5, 7, 12])),
    )  # fmt: skip


def run(made: Made) -> tuple[pl.DataFrame, list[float]]:
    """Give the recording, and the charge of each half cycle on paper, Ah."""
    parts, truth = [], []
    now, step, up, down = 0.0, 0, 0.0, 0.0
    for cycle in range(1, made.cycles + 1):
        for sign, ampere, hours in zip((1, -1), made.currents, made.hours, strict=True):
            at_start = up, down
            steps: list[tuple[str, float]] = [("CC", hours * 3600)]
            if sign > 0 and made.taper < 1:
                steps.append(("CV", 1200 * np.log(1 / made.taper)))
            steps += [("rest", made.rest_second)] if made.rest_second else []
            for kind, lasts in steps:
                step += 1
                count = int(lasts // made.every)
                since = np.append(np.arange(count + 1) * made.every, lasts)
                since = since[np.append(np.diff(since) > 1e-3, True)]
                if kind == "CC":
                    passed, current = ampere * since / 3600, np.full(since.size, ampere)
                elif kind == "CV":
                    current = ampere * np.exp(-since / 1200)
                    passed = ampere / 3 * (1 - np.exp(-since / 1200))
                else:
                    passed = current = np.zeros(since.size)
                volt = np.linspace(3, 4.2, since.size) if kind == "CC" else np.full(since.size, 4.2)
                volt = 4.2 + 3.0 - volt if sign < 0 and kind == "CC" else volt
                volt = np.full(since.size, 4.1 if sign > 0 else 3.1) if kind == "rest" else volt
                ones = np.ones(since.size)
                total = np.stack([up + passed * (sign > 0), down + passed * (sign < 0)])
                parts.append(np.stack([
                    now + since, since, volt, sign * current, step * ones, cycle * ones, *total,
                    passed * (sign > 0), passed * (sign < 0)]))  # fmt: skip
                up, down = float(total[0, -1]), float(total[1, -1])
                now += lasts
            truth.append(up - at_start[0] if sign > 0 else down - at_start[1])
    time, since, volt, current, number, cycle_, charged, discharged, in_up, in_down = (
        np.concatenate(parts, axis=1)
    )
    counted = {"step": (in_up, in_down), "total": (charged, discharged)}
    first = np.searchsorted(cycle_, cycle_)
    counted["cycle"] = charged - charged[first], discharged - discharged[first]
    columns = {
        "record_index": np.arange(1, time.size + 1), "test_time_second": time,
        "unix_time_second": np.floor(time + 1.7e9), "step_time_second": since,
        "voltage_volt": volt, "current_ampere": current,
        "cycle_count": cycle_.astype(np.int64), "step_count": number.astype(np.int64),
    }  # fmt: skip
    if made.counter == "net":
        columns[NET] = np.round((charged - discharged) * 1e3, made.digits) * 1e-3
    elif made.counter != "none":
        for name, values in zip((UP, DOWN), counted[made.counter], strict=True):
            columns[name] = np.round(values * 1e3, made.digits) * 1e-3
    return pl.DataFrame(columns), truth


def compute(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Go from what a reader gives to the stored records, half cycles and cycles."""
    table, _, _ = validate_rows("timeseries", frame)
    segments = validate("half_cycle_segments", half_cycle_segments(table, "0" * 64))
    (halves,) = half_cycles.ANALYSIS.compute(FULL, {"half_cycle_segments": segments})
    (made,) = cycles.ANALYSIS.compute(FULL, {"half_cycles": halves.table})
    return table, validate("half_cycles", halves.table), validate("cycles", made.table)


def holds(frame: pl.DataFrame, truth: list[float], scale: float = 1.0) -> pl.DataFrame:
    """Hold each charge and each efficiency against the one on paper; give the half cycles."""
    _, halves, made = compute(frame)
    found, off = halves["capacity_ah"].to_list(), halves["charge_uncertainty_ah"].to_list()
    assert len(found) == len(truth), (found, truth)
    for mine, true, uncertainty, source in zip(
        found, truth, off, halves["charge_source"], strict=True
    ):
        assert abs(mine - true * scale) <= uncertainty + 1e-9 * true * scale, (
            mine, true * scale, uncertainty, source)  # fmt: skip
    for row in made.iter_rows(named=True):
        if row["coulombic_efficiency"] is not None:
            true = truth[row["discharging_half_cycle"] - 1] / truth[row["charging_half_cycle"] - 1]
            apart = abs(row["coulombic_efficiency"] - true)
            # to first order; the uncertainties of both charges may be large
            assert apart <= 1.5 * row["coulombic_efficiency_uncertainty"] + 1e-9
    return halves


Change = Callable[[pl.DataFrame, st.DataObject], pl.DataFrame]


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(record_index=pl.int_range(1, pl.len() + 1))


def draw_record(frame: pl.DataFrame, data: st.DataObject) -> int:
    return data.draw(st.integers(2, frame.height - 3), label="record")


def draw_step(frame: pl.DataFrame, data: st.DataObject) -> int:
    driven = frame.filter(pl.col("current_ampere") != 0)["step_count"].unique().sort()
    return data.draw(st.sampled_from(driven.to_list()), label="step")


def set_at(frame: pl.DataFrame, name: str, at: int, value: float) -> pl.DataFrame:
    values = frame[name].to_numpy().copy()
    values[at] = value
    return frame.with_columns(pl.Series(name, values))


def decimate(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    every = data.draw(st.integers(2, 12), label="every")
    kept = pl.int_range(pl.len()) % every == 0
    ends = (pl.col("step_count") != pl.col("step_count").shift(-1)).fill_null(value=True)
    starts = (pl.col("step_count") != pl.col("step_count").shift(1)).fill_null(value=True)
    return frame.filter(kept | ends | starts)


def duplicate_rows(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    at = draw_record(frame, data)
    count = data.draw(st.integers(2, 20), label="count")
    return numbered(pl.concat([frame[:at], frame[max(at - count, 0) :]]))


def drop_record(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    at = draw_record(frame, data)
    return pl.concat([frame[:at], frame[at + 1 :]])


def spoil_current(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    return set_at(frame, "current_ampere", draw_record(frame, data), 10.0)


def spoil_time(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    at = draw_record(frame, data)
    time = float(frame["test_time_second"][at])
    return set_at(frame, "test_time_second", at, data.draw(st.sampled_from([0.0, time + 36e3])))


def spoil_counter_record(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    at = draw_record(frame, data)
    for name in {UP, NET} & {*frame.columns}:
        frame = set_at(frame, name, at, 0.0)
    return frame


def set_back_twice(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    step = draw_step(frame, data)
    at = np.flatnonzero(frame["step_count"].to_numpy() == step)
    for name in {UP, DOWN, NET} & {*frame.columns}:
        values = frame[name].to_numpy().copy()
        for place in (at[at.size // 3], at[2 * at.size // 3]):
            values[place : at[-1] + 1] -= values[place]
        frame = frame.with_columns(pl.Series(name, values))
    return frame


def spoil_counter(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    factor = data.draw(st.sampled_from([1000.0, 1.3, 0.5]), label="factor")
    names = {UP, DOWN, NET} & {*frame.columns}
    return frame.with_columns(pl.col(name) * factor for name in names)


def spoil_clock(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    clock = pl.col("unix_time_second")
    change = data.draw(st.sampled_from([clock * 0 + 1.7e9, (clock - 1.7e9) * 2 + 1.7e9]))
    return frame.with_columns(unix_time_second=change)


def spoil_step_time(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    factor = data.draw(st.sampled_from([1000.0, 1 / 60, 1 / 3600]), label="factor")
    return frame.with_columns(pl.col("step_time_second") * factor)


def in_milliseconds(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    factor = data.draw(st.sampled_from([1000.0, 1 / 60, 1 / 3600]), label="factor")
    return frame.with_columns(pl.col("test_time_second") * factor)


def restart_in_steps(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    return frame.with_columns(test_time_second=pl.col("step_time_second"))


def wrap_at_a_day(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    start = data.draw(st.floats(0, 86_000), label="start")
    return frame.with_columns(test_time_second=(pl.col("test_time_second") + start) % 86_400)


def leap(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    later = pl.int_range(pl.len()) >= draw_record(frame, data)
    ahead = data.draw(st.floats(7200, 1e6), label="s")
    return frame.with_columns(test_time_second=pl.col("test_time_second") + later * ahead)


def turn_counters(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    names = {DOWN, NET} & {*frame.columns}
    return frame.with_columns(-pl.col(name) for name in names)


def shuffle(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    return frame.sample(fraction=1, shuffle=True, seed=data.draw(st.integers(0, 99)))


def zero_at_each_start(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    starts = (pl.col("step_count") != pl.col("step_count").shift(1)).fill_null(value=True)
    zero = pl.when(starts).then(0.0).otherwise(pl.col("test_time_second"))
    return frame.with_columns(test_time_second=zero)


CHANGES: dict[str, Change] = {
    "nothing": lambda frame, _: frame,
    "decimated": decimate,
    "shuffled": shuffle,
    "reversed": lambda frame, _: frame.reverse(),
    "reversed and numbered": lambda frame, _: numbered(frame.reverse()),
    "rows twice": duplicate_rows,
    "a record dropped": drop_record,
    "one current of 10 A": spoil_current,
    "one time of 0 or 10 h on": spoil_time,
    "one count of 0": spoil_counter_record,
    "counter set back twice in a step": set_back_twice,
    "counter in another unit": spoil_counter,
    "clock that stands or runs twice as fast": spoil_clock,
    "step time in another unit": spoil_step_time,
    "test time in another unit": in_milliseconds,
    "test time that restarts": restart_in_steps,
    "test time that wraps": wrap_at_a_day,
    "test time 0 at each start": zero_at_each_start,
    "test time that leaps ahead for good": leap,
    "counters with the other sign": turn_counters,
    "no step times": lambda frame, _: frame.drop("step_time_second"),
    "no clock": lambda frame, _: frame.drop("unix_time_second"),
    "no steps": lambda frame, _: frame.drop("step_time_second", "step_count"),
}


@pytest.mark.parametrize("name", CHANGES)
@SOME
@given(made=made_tests(counters=COUNTERS), data=st.data())
def test_whatever_is_done_to_a_recording_its_charges_stay_within_their_uncertainty(
    name: str, made: Made, data: st.DataObject
) -> None:
    frame, truth = run(made)
    holds(CHANGES[name](frame, data), truth)


@SOME
@given(made=made_tests(counters=COUNTERS), every=st.sampled_from([5.0, 20.0, 45.0, 131.0]))
def test_another_sampling_gives_the_same_charges(made: Made, every: float) -> None:
    frame, truth = run(replace(made, every=every))
    holds(frame, truth)


@SOME
@given(
    made=made_tests(counters=COUNTERS), scale=st.sampled_from([1e-3, 0.1, 10.0, 1e3, 3.6, 1 / 3.6])
)
def test_currents_and_counters_in_another_unit_give_the_charges_in_it(
    made: Made, scale: float
) -> None:
    frame, truth = run(made)
    names = {UP, DOWN, NET, "current_ampere"} & {*frame.columns}
    holds(frame.with_columns(pl.col(name) * scale for name in names), truth, scale)


@SOME
@given(made=made_tests(counters=COUNTERS), rest=st.floats(10, 1e6))
def test_a_rest_between_adds_no_charge(made: Made, rest: float) -> None:
    frame, truth = run(replace(made, rest_second=rest, every=max(made.every, rest / 50)))
    holds(frame, truth)


@SOME
@given(made=made_tests(counters=COUNTERS[1:]), data=st.data())
def test_what_a_counter_tells_is_taken_to_its_last_digit(made: Made, data: st.DataObject) -> None:
    """However the current tapers between the records that are left."""
    frame, truth = run(made)
    halves = holds(decimate(frame, data), truth)
    assert set(halves["charge_source"]) == {"counter"}
    digit = 10.0 ** -(made.digits + 3)
    assert halves["charge_uncertainty_ah"].max() <= 8 * digit + 1e-6 * max(truth)


@SOME
@given(made=made_tests(counters=COUNTERS), data=st.data())
def test_the_records_of_a_half_cycle_add_up_to_its_capacity(
    made: Made, data: st.DataObject
) -> None:
    table, halves, _ = compute(decimate(run(made)[0], data))
    charged = add_charge(table).filter(pl.col("segment") > 0)
    sums = charged.group_by("segment", maintain_order=True).agg(pl.col("charge_ah").sum().abs())
    assert sums["charge_ah"].to_list() == pytest.approx(halves["capacity_ah"].to_list(), rel=1e-12)
