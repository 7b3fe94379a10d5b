"""Build recordings from vendors' columns: the steps common to all makers' tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats import clock
from cellpipe.formats.damaged_records import (
    LINE,
    find_date_leaps,
    find_unreadable,
    reject_zero_records,
)
from cellpipe.formats.gaps import find_number_gaps, find_time_gaps
from cellpipe.formats.tabular.dialect import (
    Match,
    Quantity,
    find_targets,
    match_headers,
    split_header,
    standard_expressions,
)

_COUNTERS = ("record_index", "cycle_count", "step_count", "step_id")
DURATIONS = (
    "test_time_second",
    "step_time_second",
    "charging_time_second",
    "discharging_time_second",
)
_DATE = "unix_time_second"
_TEXT = "step_type"
TEXT_TARGETS = frozenset({*DURATIONS, _DATE, _TEXT})  # targets whose cells may be text
COUNTER_PARTS = (  # a counter, and its parts by the direction of the current
    ("capacity_ah", "vendor_charging_capacity_ah", "vendor_discharging_capacity_ah"),
    ("energy_wh", "vendor_charging_energy_wh", "vendor_discharging_energy_wh"),
)
_REQUIRED_CYCLE_TARGETS = (
    "cycle_count",
    "vendor_charging_capacity_ah",
    "vendor_discharging_capacity_ah",
)
CYCLE_TARGETS = frozenset(
    {*_REQUIRED_CYCLE_TARGETS, "vendor_charging_energy_wh", "vendor_discharging_energy_wh"}
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the instrument's own clock


def standard_columns(
    frame: pl.DataFrame, matches: Sequence[Match], *, bare_seconds: bool
) -> pl.DataFrame:
    """Rename, rescale and type a vendor's columns; :func:`build_recording` parses the dates.

    ``bare_seconds``: the maker's documentation fixes seconds for a time without a unit.
    """
    numbers = [match for match in matches if match.target not in TEXT_TARGETS]
    table = frame.select(standard_expressions(frame, numbers))
    counters = pl.col([name for name in _COUNTERS if name in table.columns])
    columns = [*table.with_columns(counters.cast(pl.Int64, strict=False))]
    for match in matches:
        column = frame[match.header]
        if match.target in DURATIONS:
            has_unit = bare_seconds or split_header(match.header)[1] is not None
            columns.append(
                clock.to_seconds(column, match.factor, has_unit=has_unit).alias(match.target)
            )
        elif match.target == _TEXT:
            columns.append(column.cast(pl.String).str.strip_chars().alias(_TEXT))
        elif match.target == _DATE:
            columns.append(column.alias(_DATE))
    return pl.DataFrame(columns)


def require(matches: Sequence[Match], headers: Sequence[str], needed: Mapping[str, str]) -> None:
    """Check that all needed columns are there.

    Raises
    ------
    DamagedFileError
        If one is missing; ``needed`` maps a target to the vendor's names for it.

    """
    targets = {match.target for match in matches}
    missing = [names for target, names in needed.items() if target not in targets]
    if missing:
        shown = ", ".join(header for header in headers if header)
        raise DamagedFileError(
            f"the columns {shown[:200]}",
            expected=f"a column {' and a column '.join(missing)}",
            remedy="export the file again with this column",
        )


def match_required(
    headers: Sequence[str], quantities: tuple[Quantity, ...], needed: Mapping[str, str]
) -> list[Match]:
    """Match headers with a maker's quantities.

    Raises
    ------
    DamagedFileError
        If a needed column is missing, or the unit of one is not known.

    """
    matches = match_headers(headers, quantities)
    require(matches, headers, needed)
    return matches


def vendor_cycles(
    frame: pl.DataFrame, quantities: tuple[Quantity, ...], *, bare_seconds: bool
) -> dict[str, pl.DataFrame]:
    """Return the table ``vendor_cycles`` of a maker's own table of cycles, one row per cycle.

    It is left out if the cycle's number or one of its capacities is missing, or the unit of a
    column is unknown: the records don't need it.
    """
    targets = find_targets(frame.columns, quantities)
    if (
        not {*_REQUIRED_CYCLE_TARGETS} <= targets.keys()
        or not all(targets.values())
        or not frame.height
    ):
        return {}
    table = standard_columns(
        frame, match_headers(frame.columns, quantities), bare_seconds=bare_seconds
    )
    table = table.drop_nulls("cycle_count")
    return {"vendor_cycles": table} if table.height else {}


def metadata_from_labels(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return a file's labels and values as metadata: ``Start Time`` becomes ``start_time``."""
    return {re.sub(r"\W+", "_", label).strip("_").lower(): text for label, text in pairs}


def count_steps(table: pl.DataFrame) -> pl.Series:
    """Count the steps as run, from 1.

    A step begins where the protocol's line, the cycle or the kind of step changes, or where the
    step time decreases.
    """
    begins = pl.repeat(value=False, n=pl.len())
    for name in ("step_id", "cycle_count", "step_type"):
        if name in table.columns:
            column = pl.col(name).forward_fill()
            begins |= (column != column.shift(1)).fill_null(value=False)
    if "step_time_second" in table.columns:
        begins |= (pl.col("step_time_second").forward_fill().diff() < 0).fill_null(value=False)
    return table.select(step_count=begins.cast(pl.Int64).cum_sum() + 1)["step_count"]


def number_records(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Keep the instrument's record numbers if they increase from 1 or more, else number from 1.

    Records missing between others give a finding, by their numbers or, without these, by even
    times; so do numbers that don't increase, because a gap in them is not seen then.
    """
    renumbered = table.with_columns(record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    if "record_index" not in table.columns:
        return renumbered, find_time_gaps(table["test_time_second"])
    numbers = table["record_index"]
    lowest, wrong = numbers.min(), int((numbers.diff().drop_nulls() <= 0).sum())
    if not numbers.null_count() and not wrong and isinstance(lowest, int):
        return table if lowest >= 1 else renumbered, find_number_gaps(numbers)
    wrong += numbers.null_count()
    if wrong >= numbers.len() - 1:  # none at all, or from the last to the first
        return renumbered, _same_number_findings(numbers)
    if not wrong:
        return renumbered, ()
    at = (numbers.is_null() | (numbers.diff() <= 0)).arg_max() or 0
    sentence = (
        f"The record numbers are missing or do not increase at {wrong:,} places, first in row "
        f"{at + 1:,}: the records are numbered anew, and lines may be missing or repeated."
    )
    return renumbered, (Finding("warning", "records_out_of_order", sentence, wrong),)


def _same_number_findings(numbers: pl.Series) -> tuple[Finding, ...]:
    if numbers.null_count() or numbers.len() < 2 or numbers.n_unique() > 1:
        return ()
    sentence = (
        f"All {numbers.len():,} records have the number {numbers[0]}: they are numbered anew, and "
        "lines may be missing or repeated."
    )
    return (Finding("warning", "records_out_of_order", sentence, numbers.len()),)


def build_recording(
    table: pl.DataFrame, metadata: Mapping[str, object], findings: Sequence[Finding]
) -> Recording:
    """Return the recording of a table, with its dates converted to seconds since 1970.

    Raises
    ------
    NoDataError
        If it has no row.

    """
    if not table.height:
        raise _no_records_error()
    table, zero_findings = reject_zero_records(table)
    table, number_findings = number_records(table)
    findings = (*findings, *zero_findings, *number_findings)
    if _DATE not in table.columns:
        table = table.drop(LINE, strict=False)
        return Recording({"timeseries": table}, metadata, findings)
    dates = clock.parse_dates(table[_DATE], table["test_time_second"])
    findings = (*findings, *_date_findings(table, dates))
    table = table.drop(LINE, strict=False).with_columns(dates.seconds.alias(_DATE))
    return Recording(
        {"timeseries": table},
        metadata,
        (*findings, *dates.findings),
        _start_time(table, dates.clock),
        dates.clock,
    )


def _date_findings(table: pl.DataFrame, dates: clock.Dates) -> tuple[Finding, ...]:
    """Return what the dates are not, where some of them can be read."""
    if dates.seconds.null_count() == dates.seconds.len():
        return ()
    return (
        *find_unreadable(table[_DATE], dates.seconds, table, "date", "dates_unreadable"),
        *find_date_leaps(dates.seconds, table),
    )


def _no_records_error() -> NoDataError:
    return NoDataError(
        "no record",
        expected="at least one",
        remedy="nothing if the test has just begun; else export it again",
    )


def _start_time(table: pl.DataFrame, clock_kind: str) -> datetime | None:
    """Return the first record's date minus its test time."""
    times = table.select(_DATE, "test_time_second").drop_nulls().head(1)
    if not times.height:
        return None
    moment = _EPOCH + timedelta(seconds=round(times[_DATE][0] - times["test_time_second"][0], 3))
    return moment.replace(tzinfo=UTC) if clock_kind == "utc" else moment


def split_counters(table: pl.DataFrame) -> pl.DataFrame:
    """Split a step's capacity and energy into parts by the sign of the current."""
    for total, charging, discharging in COUNTER_PARTS:
        if total not in table.columns:
            continue
        if charging not in table.columns and discharging not in table.columns:
            current, amount = pl.col("current_ampere"), pl.col(total).abs()
            table = table.with_columns(
                pl.when(current > 0).then(amount).otherwise(0.0).alias(charging),
                pl.when(current < 0).then(amount).otherwise(0.0).alias(discharging),
            )
        table = table.drop(total)
    return table


def build_elapsed_recording(
    name: str,
    table: pl.DataFrame,
    started: datetime | None,
    metadata: Mapping[str, object],
    findings: Sequence[Finding],
) -> Recording:
    """Return the recording of a table whose clock was read once, at its start.

    Raises
    ------
    NoDataError
        If it has no row.

    """
    if not table.height:
        raise _no_records_error()
    table, zero_findings = reject_zero_records(table)
    table, number_findings = number_records(table)
    table = table.drop(LINE, strict=False)
    findings = (*findings, *zero_findings, *number_findings)
    if started is None:
        return Recording({name: table}, metadata, findings, None, "elapsed")
    zero = (started - _EPOCH).total_seconds()
    table = table.with_columns((pl.col("test_time_second") + zero).alias(_DATE))
    first_time = started + timedelta(seconds=float(table["test_time_second"][0] or 0.0))
    return Recording({name: table}, metadata, findings, first_time, "elapsed")
