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

from cellpipe.analyses import cells, cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import add_charge, half_cycle_segments
from cellpipe.core.contracts import empty_table, validate, validate_rows
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
                every = max(made.every, lasts / 50) if kind == "rest" else made.every
                count = int(lasts // every)
                since = np.append(np.arange(count + 1) * every, lasts)
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
    (made,) = cycles.ANALYSIS.compute(
        FULL,
        {"half_cycles": halves.table, "protocol_segments": empty_table("protocol_segments")},
    )
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


def spoil_some_currents(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    """Up to four times one to three records within a constant current, not beside each other."""
    current, steps = frame["current_ampere"].to_numpy().copy(), frame["step_count"].to_numpy()
    for _ in range(data.draw(st.integers(1, 4), label="number")):
        step = draw_step(frame, data)
        at = np.flatnonzero(steps == step)
        if at.size < 30 or np.ptp(frame["current_ampere"].to_numpy()[at]) > 0:
            continue
        start = data.draw(st.sampled_from(at[6:-9:12].tolist()), label="record")
        several = slice(start, start + data.draw(st.integers(1, 3), label="records"))
        current[several] *= data.draw(st.sampled_from([0.0, 3.0, 0.5, -1.0, 1e4]), label="times")
    return frame.with_columns(pl.Series("current_ampere", current))


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


def run_at_another_pace(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    """Throughout, or from some record on; step times may tell the same as dates, or are absent."""
    pace = data.draw(st.sampled_from([0.5, 0.9, 0.98, 1.02, 1.7]), label="pace")
    at = data.draw(st.sampled_from([0, draw_record(frame, data)]), label="from")
    time = pl.col("test_time_second")
    since = (time - time.get(at)).clip(0)
    frame = frame.with_columns(test_time_second=time + (pace - 1) * since)
    return frame if data.draw(st.booleans()) else frame.drop("step_time_second")


def stand_still(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    """For some records, and catch up."""
    count = data.draw(st.integers(20, 120), label="count")
    at = data.draw(st.integers(2, max(frame.height - count - 3, 2)), label="record")
    time = frame["test_time_second"].to_numpy().copy()
    time[at : at + count] = time[at]
    return frame.with_columns(pl.Series("test_time_second", time))


def in_whole_minutes(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    """Cut off the seconds of the test time; no other time tells them."""
    start = data.draw(st.floats(0, 60), label="start")
    time = ((pl.col("test_time_second") + start) / 60).floor() * 60
    return frame.with_columns(test_time_second=time).drop("step_time_second")


def log_no_current(frame: pl.DataFrame, data: st.DataObject) -> pl.DataFrame:
    """Within a constant current, while its counter, if there is one, goes on."""
    step = draw_step(frame, data)
    at = np.flatnonzero(frame["step_count"].to_numpy() == step)
    if not {UP, NET} & {*frame.columns} or at.size < 20:
        return frame
    current = frame["current_ampere"].to_numpy().copy()
    if np.ptp(current[at]) > 0:
        return frame
    current[at[at.size // 3 : -at.size // 4]] = 0.0
    return frame.with_columns(pl.Series("current_ampere", current))


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
    "some wrong currents": spoil_some_currents,
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
    "test time at another pace": run_at_another_pace,
    "test time that stands still and catches up": stand_still,
    "test time in whole minutes": in_whole_minutes,
    "a current logged as 0 while it is counted": log_no_current,
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
    frame, truth = run(replace(made, rest_second=rest))
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
@given(made=made_tests(counters=("none",)), data=st.data())
def test_pauses_and_a_drift_of_the_computers_clock_speak_against_no_charge(
    made: Made, data: st.DataObject
) -> None:
    """Up to three pauses in a step, in which the clock goes on and the test time does not."""
    frame, truth = run(made)
    clock = frame["unix_time_second"].to_numpy().astype(np.float64)
    for _ in range(data.draw(st.integers(0, 3), label="pauses")):
        clock[draw_record(frame, data) :] += data.draw(st.floats(5, 1e5), label="s")
    drift = data.draw(st.sampled_from([0.0, 1e-3, -2e-3]), label="drift")
    clock += drift * (clock - clock[0])
    halves = holds(
        frame.with_columns(unix_time_second=pl.Series(np.floor(clock))).drop("step_time_second"),
        truth,
    )
    assert set(halves["charge_source"]) == {"current × test time"}
    alone = holds(frame.drop("step_time_second", "unix_time_second"), truth)
    assert halves["capacity_ah"].to_list() == alone["capacity_ah"].to_list()


@SOME
@given(made=made_tests(counters=COUNTERS[1:]), digits=st.integers(0, 3))
def test_a_counter_of_few_digits_costs_no_more_than_the_better_of_it_and_the_integral(
    made: Made, digits: int
) -> None:
    frame, truth = run(replace(made, digits=digits))
    halves = holds(frame, truth)
    names = {UP, DOWN, NET} & {*frame.columns}
    integrated = holds(frame.drop(names), truth)["charge_uncertainty_ah"]
    counted = 4 * 10.0 ** -(digits + 3)  # two digits in each of two steps
    least = np.maximum(2 * integrated.to_numpy(), 0) * 1.01 + 1e-6 * max(truth)
    assert (halves["charge_uncertainty_ah"].to_numpy() <= np.maximum(least, counted)).all()


@SOME
@given(made=made_tests(counters=COUNTERS), data=st.data())
def test_the_records_of_a_half_cycle_add_up_to_its_capacity(
    made: Made, data: st.DataObject
) -> None:
    table, halves, _ = compute(decimate(run(made)[0], data))
    charged = add_charge(table).filter(pl.col("segment") > 0)
    sums = charged.group_by("segment", maintain_order=True).agg(pl.col("charge_ah").sum().abs())
    assert sums["charge_ah"].to_list() == pytest.approx(halves["capacity_ah"].to_list(), rel=1e-12)


def test_an_efficiency_that_far_records_do_not_tell_is_in_the_table_and_in_no_mean() -> None:
    """Every 300 s, with no record where a step ends: each half cycle may be off by 4 %."""
    frame, truth = run(Made((1e-3, 1e-3), (2.0, 1.98), 1.0, 600.0, 10.0, "none", 12, cycles=6))
    summary = {}
    for name, table in (("all", frame), ("few", frame.gather_every(30))):
        _, halves, made = compute(table.drop("step_time_second"))
        (found,) = cells.ANALYSIS.compute(FULL, {
            "cycles": made, "interfacial_resistance": empty_table("interfacial_resistance"),
            "files": empty_table("files"), "half_cycles": halves,
            "protocol_segments": empty_table("protocol_segments"),
            "half_cycle_segments": empty_table("half_cycle_segments"),
            "impedance": empty_table("impedance"),
        })  # fmt: skip
        summary[name] = validate("cells", found.table).row(0, named=True), made
        (result,) = cycles.ANALYSIS.compute(
            FULL,
            {"half_cycles": halves, "protocol_segments": empty_table("protocol_segments")},
        )
        said = [finding.code for finding in result.findings]
        assert ("efficiency_uncertain" in said) is (name == "few")
    row, made = summary["few"]
    assert made["coulombic_efficiency"].count() >= 4
    assert (made["coulombic_efficiency_uncertainty"].drop_nulls() > 0.01).all()
    assert row["mean_coulombic_efficiency"] is None
    assert row["cumulative_coulombic_efficiency"] is None
    assert "is known to 1 %" in row["mean_efficiency_remark"]
    assert "is known to ±" in row["initial_remark"]
    row, _ = summary["all"]
    assert row["mean_coulombic_efficiency"] == pytest.approx(truth[1] / truth[0], abs=1e-3)
    assert row["mean_efficiency_remark"] is None
