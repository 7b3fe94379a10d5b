"""Whether records of one file go on with those of another, and how long after them."""

from __future__ import annotations

from typing import Any

import polars as pl

CLOCK_SECOND = 5.0  # clocks printed in whole seconds, and what passes while files are changed
LONGEST = 2.0  # usual intervals between two records of one recording
_USUAL = 6  # records at either end that say what is usual
_COUNTERS = {1: "vendor_charging_capacity_ah", -1: "vendor_discharging_capacity_ah"}
_OF_A_STEP = ("step_id", "cycle_count", "step_type")

Row = dict[str, Any]


def continue_records(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame | None:
    """Return the records of two files as one recording; None if the second doesn't go on.

    It goes on if its first record comes no later than two usual intervals after the last one, or
    has the next number. How much later tells the test time, where it goes on, else the time in a
    step that both hold, else the clock, else the counter of the step. The second one's test time
    and step numbers are counted on.
    """
    if not (before.height and after.height) or before.columns != after.columns:
        return None
    end, begin = before.row(-1, named=True), after.row(0, named=True)
    in_step = _is_in_step(end, begin)
    clock = _difference(end, begin, "unix_time_second")
    test = end["test_time_second"]
    ahead = begin["test_time_second"] - test
    counts_on = ahead > 0 and (clock is None or abs(ahead - clock) <= CLOCK_SECOND)
    elapsed = ahead if counts_on else _elapsed(end, begin, clock, in_step=in_step)
    usual = max(_usual_interval(before.tail(_USUAL)), _usual_interval(after.head(_USUAL)))
    is_next = counts_on and begin["record_index"] == end["record_index"] + 1
    if elapsed is None or not (is_next or elapsed <= LONGEST * usual):
        return None
    offset = test + elapsed - begin["test_time_second"]
    if not counts_on:
        after = after.with_columns(test_time_second=pl.col("test_time_second") + offset)
    last, first = end.get("step_count"), begin.get("step_count")
    if last is not None and first is not None and not first >= max(last, 2):  # else it counts on
        steps = last - first + (0 if in_step else 1)
        after = after.with_columns(step_count=pl.col("step_count") + steps)
    return pl.concat([before, after])


def _elapsed(end: Row, begin: Row, clock: float | None, *, in_step: bool) -> float | None:
    """Return the seconds between two records whose test times are not those of one test."""
    by_step = _difference(end, begin, "step_time_second") if in_step else None
    if by_step is not None and (clock is None or abs(by_step - clock) <= CLOCK_SECOND):
        return by_step
    if clock is not None:
        return clock if clock > 0 else None
    return _counted_second(end, begin) if in_step else None


def _is_in_step(end: Row, begin: Row) -> bool:
    """Return whether two records may lie in one step: same current, and the step's time goes on."""
    flows = end["current_ampere"] * begin["current_ampere"] > 0
    rests = end["current_ampere"] == begin["current_ampere"] == 0
    same = all(end.get(name) == begin.get(name) for name in _OF_A_STEP)
    times = _difference(end, begin, "step_time_second")
    return (flows or rests) and same and (times is None or times > 0)


def _difference(end: Row, begin: Row, name: str) -> float | None:
    one, other = end.get(name), begin.get(name)
    return None if one is None or other is None else float(other) - float(one)


def _counted_second(end: Row, begin: Row) -> float | None:
    """Return how long the current takes for what the counter rose by, s; None if it did not."""
    ampere = (end["current_ampere"] + begin["current_ampere"]) / 2
    counted = _difference(end, begin, _COUNTERS[1 if ampere > 0 else -1])
    if counted is None or counted <= 0 or ampere == 0:
        return None
    return counted * 3600 / float(abs(ampere))


def _usual_interval(records: pl.DataFrame) -> float:
    """Return the median interval of test time, s; 0 for a single record."""
    median = records["test_time_second"].diff().drop_nulls().median()
    return float(median) if isinstance(median, int | float) else 0.0
