"""Put a recording right where the rest of it tells what is wrong, and say so.

Rows in reverse order are turned; rows that stand twice, and single records that nothing else of
the recording bears out, are set aside; test times that go back or run in another unit are put right
by step time, clock and counters. What nothing tells is left as it is, and named elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.clocks import UNITS, find_paces
from cellpipe.core.recordings.counted_spikes import find_counted_spikes
from cellpipe.core.recordings.elapsed_times import Clocks, find_leaps, repair_elapsed_times
from cellpipe.core.recordings.energies import CHARGES
from cellpipe.core.recordings.order import order_findings
from cellpipe.core.recordings.records import Flags, Floats, Records, growth, is_empty
from cellpipe.core.recordings.spikes import MOST_SPIKES, find_current_spike

_FEWEST = 10  # records
_SAMPLE = 5_000  # rows that suffice to compare clocks
_UNIT = 0.02  # of a factor: it is that of a unit
_SAME = 0.2  # of the counted charge
_MANY = 0.2  # of the records, at which the time goes back: the rows are out of order
_MOST_LOST = 0.5  # of the records


class Repair(NamedTuple):
    """A table, what was put right in it, and the rows that were left out."""

    table: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    left_out: pl.DataFrame | None = None


def repair_recording(table: pl.DataFrame) -> Repair:
    """Put a recording right.

    Parameters
    ----------
    table
        A ``timeseries``, or some of its rows.

    """
    if table.height < _FEWEST:
        return Repair(table)
    findings: list[Finding] = []
    left_out: list[pl.DataFrame] = []
    for repair in _REPAIRS:
        done = repair(table)
        table = done.table
        findings += done.findings
        left_out += [] if done.left_out is None else [done.left_out]
    return Repair(table, tuple(findings), pl.concat(left_out) if left_out else None)


def _goes_back(table: pl.DataFrame) -> bool:
    return not table["test_time_second"].is_sorted()


def _turn_rows(table: pl.DataFrame) -> Repair:
    """Turn rows that stand newest first."""
    if not _goes_back(table):
        return Repair(table)
    found = order_findings(table, Records.of(table))
    said = [finding for finding in found if finding.code == "records_reversed"]
    if not said or not table["test_time_second"].is_sorted(descending=True):
        return Repair(table)
    turned = table.reverse()
    numbers = turned["record_index"]
    if numbers.is_sorted(descending=True):
        turned = turned.with_columns(record_index=numbers.sort())
    if "step_count" in turned.columns:
        steps = turned["step_count"]
        if steps.null_count() == 0 and not steps.is_sorted() and steps.is_sorted(descending=True):
            turned = turned.with_columns(step_count=int(steps.max()) + int(steps.min()) - steps)  # type: ignore[arg-type]
    sentence = f"{said[0].sentence} They were turned: all else in the file runs the other way."
    return Repair(turned, (Finding("warning", "records_reversed", sentence, said[0].rows),))


def _sort_rows(table: pl.DataFrame) -> Repair:
    """Put rows in the order of time, if that is the order of all else that counts up, too."""
    if not _goes_back(table):
        return Repair(table)
    back = int((table["test_time_second"].diff() < 0).sum())
    if back <= _MANY * table.height:
        return Repair(table)
    rising = [name for name in ("unix_time_second", "step_count") if name in table.columns]
    for keys in (["record_index"], ["test_time_second", *rising, "record_index"]):
        ordered = table.sort(keys)
        others = ["test_time_second", *rising]
        if all(ordered[name].drop_nulls().is_sorted() for name in others):
            break
    else:
        return Repair(table)
    sentence = (
        f"The test time goes backwards at {back:,} of {table.height - 1:,} places: the rows are "
        "out of order. They were put in that of time, clock and steps."
    )
    finding = Finding("warning", "time_goes_backwards", sentence, back)
    return Repair(ordered.with_columns(record_index=table["record_index"].sort()), (finding,))


def _swap_times(table: pl.DataFrame) -> Repair:
    """Swap test time and step time where the one goes back at each step, and not the other."""
    if not _goes_back(table) or "step_time_second" not in table.columns:
        return Repair(table)
    step_time, time = table["step_time_second"], table["test_time_second"]
    if step_time.null_count() or not step_time.is_sorted():
        return Repair(table)
    over = int((step_time > time).sum())
    if over <= _MOST_LOST * table.height or not (step_time - time).min() >= 0:  # type: ignore[operator]
        return Repair(table)
    sentence = (
        f"The step time is greater than the test time in {over / table.height:.0%} of the records "
        "and never goes back, while the test time does: the two columns are swapped. They were "
        "put in each other's place."
    )
    finding = Finding("warning", "step_time_exceeds_test_time", sentence, over)
    swapped = table.with_columns(
        step_time.alias("test_time_second"), time.alias("step_time_second")
    )
    return Repair(swapped, (finding,))


def _drop_repeated_rows(table: pl.DataFrame) -> Repair:
    """Set aside rows that repeat earlier ones and stand where the time goes back."""
    if not _goes_back(table):
        return Repair(table)
    time = table["test_time_second"].to_numpy()
    back = np.append(False, time[1:] <= np.maximum.accumulate(time)[:-1])
    measured = [name for name, dtype in table.schema.items() if dtype == pl.Float64]
    repeats = back & ~table.select(pl.struct(measured).is_first_distinct()).to_series().to_numpy()
    beside = np.append(repeats[1:], False) | np.append(False, repeats[:-1])
    repeats &= beside  # a single one may be a record of which only the time is wrong
    number = int(repeats.sum())
    if not number or number > _MOST_LOST * table.height / 2:
        return Repair(table)
    first = table["record_index"].to_numpy()[repeats][0]
    sentence = (
        f"{number:,} records, the first of them record {first:,}, repeat earlier ones in all that "
        "was measured, so that the test time goes back. Each was taken once."
    )
    finding = Finding("warning", "time_goes_backwards", sentence, number)
    reason = "The record repeats an earlier one."
    return Repair(*_leave_out(table, repeats, "test_time_second", reason, finding))


def _leave_out(
    table: pl.DataFrame, wrong: Flags, column: str, reason: str, finding: Finding
) -> tuple[pl.DataFrame, tuple[Finding, ...], pl.DataFrame]:
    rows = table.filter(wrong).select(
        table=pl.lit("timeseries"), record_index="record_index", column=pl.lit(column),
        value=pl.col(column).cast(pl.String), reason=pl.lit(reason),
    )  # fmt: skip
    return table.filter(~wrong), (finding,), rows


def _values(table: pl.DataFrame, name: str) -> Floats:
    """Return a column's numbers, NaN where there are none."""
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _clocks(table: pl.DataFrame, records: Records) -> Clocks:
    return Clocks(
        table["test_time_second"].to_numpy(),
        _values(table, "step_time_second"),
        _values(table, "unix_time_second"),
        np.append(False, records.is_apart),
    )


def _repair_times(table: pl.DataFrame) -> Repair:
    """Put test times right that go back; set records aside whose time nothing tells."""
    if not _goes_back(table):
        return Repair(table)
    records = Records.of(table)
    found = order_findings(table, records)
    if any(finding.code in {"records_reversed", "records_doubled"} for finding in found):
        return Repair(table)
    clocks = _clocks(table, records)
    time, times = clocks.time, repair_elapsed_times(clocks)
    kept = times.time[~times.is_lost]
    if times.is_lost.sum() > _MOST_LOST * table.height or (np.diff(kept) < 0).any():
        return Repair(table)
    parts = {
        "{} took the time that step time or clock tell": times.is_placed,
        "{} set aside, because nothing else tells the time": times.is_lost,
        "where it begins anew ({}), it was added up by the other clocks": times.begins_anew,
    }
    said = "; ".join(text.format(_number(part)) for text, part in parts.items() if part.any())
    number = int((np.diff(time) < 0).sum())
    sentence = (
        f"The test time goes backwards {'once' if number == 1 else f'{number:,} times'}, by up to "
        f"{-np.diff(time).min():.4g} s. It was put right: {said}."
    )
    finding = Finding("warning", "time_goes_backwards", sentence, number)
    table = table.with_columns(test_time_second=pl.Series(times.time))
    if not times.is_lost.any():
        return Repair(table, (finding,))
    reason = "Its test time goes back, and nothing else tells it."
    return Repair(*_leave_out(table, times.is_lost, "test_time_second", reason, finding))


def _number(part: Flags) -> str:
    count = int(part.sum())
    return "1 record" if count == 1 else f"{count:,} records"


def _repair_leaps(table: pl.DataFrame) -> Repair:
    """Take back where the test time leaps ahead for good and the other clocks do not."""
    if not {"unix_time_second", "step_time_second"} & {*table.columns} or _goes_back(table):
        return Repair(table)
    clocks = _clocks(table, Records.of(table))
    time, leaps = clocks.time, find_leaps(clocks)
    number = int(np.count_nonzero(leaps))
    if not number:
        return Repair(table)
    first = table["record_index"].to_numpy()[np.flatnonzero(leaps)[0]]
    sentence = (
        f"Before record {first:,} the test time leaps ahead by {leaps[leaps != 0][0]:.6g} s while "
        f"the other clocks go on{f', and at {number - 1:,} other places' if number > 1 else ''}. "
        "It was put right."
    )
    finding = Finding("warning", "clock_leaps", sentence, number)
    return Repair(
        table.with_columns(test_time_second=pl.Series(time - np.cumsum(leaps))), (finding,)
    )


def _repair_unit(table: pl.DataFrame) -> Repair:
    """Put a test time or a step time right that runs in another unit than the other clocks."""
    stride = max(table.height // _SAMPLE, 1)
    sample = table.drop(column.name for column in table if is_empty(column)).gather_every(stride)
    if sample.height < _FEWEST or not {"unix_time_second", "step_time_second"} & {*sample.columns}:
        return Repair(table)
    paces = find_paces(sample, Records.of(sample))
    off = {name: pace for name, pace in paces.items() if _unit(pace)}
    if not off:
        return Repair(table)
    ratio = _count_ratio(sample)
    name = "step time"
    if len(off) == len(paces) and (len(off) == 2 or "dates" in off or _fits(ratio, off[name])):
        target, pace, word = "test_time_second", next(iter(off.values())), "test time"
        by = " and ".join(off)
        if _fits(ratio, 1.0) or (len(off) == 2 and abs(off["dates"] / off[name] - 1) > _UNIT):
            return Repair(table)
    elif name in off and (len(paces) == 2 or _fits(ratio, 1.0)):
        target, pace, word = "step_time_second", 1 / off[name], name
        by = "test time and dates" if len(paces) == 2 else "the test time and the charge counters"
    else:
        return Repair(table)
    factor = _unit(pace)
    sentence = (
        f"The {word} is in {UNITS_BY_SECOND[factor]}, not in s: {by} and it differ by the factor "
        f"{1 / factor:.6g}. It was put right."
    )
    finding = Finding("warning", "clock_pace_differs", sentence)
    return Repair(table.with_columns(pl.col(target) * factor), (finding,))


UNITS_BY_SECOND = {seconds: unit for unit, seconds in UNITS.items()}


def _unit(pace: float) -> float:
    """Return the seconds of the unit that a pace tells; 0 if it tells none."""
    return next((s for s in UNITS_BY_SECOND if abs(pace / s - 1) <= _UNIT), 0.0)


def _count_ratio(table: pl.DataFrame) -> float:
    """Return how many times the counted charge current and test time give; 0 without counters."""
    if not {*CHARGES} <= {*table.columns}:
        return 0.0
    records = Records.of(table)
    counted = float(sum(growth(table[name], records.apart).sum() for name in CHARGES))
    return float(np.abs(records.charges).sum()) / counted if counted else 0.0


def _fits(ratio: float, pace: float) -> bool:
    """Return whether counters side with a test time that runs at the pace of 1/``pace``."""
    return bool(ratio) and abs(ratio * pace - 1) <= _SAME


def _drop_spikes(table: pl.DataFrame) -> Repair:
    """Set single records aside whose current nothing else of the recording bears out."""
    at: list[int] = []
    found: list[Finding] = []
    rows = []
    for _ in range(MOST_SPIKES):
        records = Records.of(table)
        spike = find_current_spike(table, records)
        at = [spike] if spike is not None else find_counted_spikes(table, records)
        if not at:
            break
        current = table["current_ampere"].to_numpy()[at]
        names = ", ".join(f"{n:,}" for n in table["record_index"].to_numpy()[at])
        sentence = (
            f"The current of record {names} is {', '.join(f'{c:.4g}' for c in current)} A, far "
            "beyond all others, and neither the voltage nor a counter answers. A spike of the "
            "instrument, or a slip: it is set aside."
        )
        finding = Finding("warning", "current_spike", sentence, len(at))
        wrong = np.zeros(table.height, np.bool_)
        wrong[at] = True
        reason = "Nothing else of the recording bears its current out."
        table, findings, left_out = _leave_out(table, wrong, "current_ampere", reason, finding)
        found += findings
        rows.append(left_out)
    return Repair(table, tuple(found), pl.concat(rows) if rows else None)


_REPAIRS = (
    _turn_rows, _sort_rows, _swap_times, _drop_repeated_rows, _repair_times, _repair_leaps,
    _repair_unit, _drop_spikes,
)  # fmt: skip
