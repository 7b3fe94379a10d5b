"""Convert vendors' durations and dates to seconds.

A duration is a number in the unit of its header; text such as ``4344:10:00.5``, ``1d 02:03:04`` or
``2-03:04:05``, which needs no unit; or an Excel time cell. A date is text in one of
:data:`DATE_FORMATS`, an Excel date cell, or a number whose magnitude determines its meaning: days
since 1899-12-30 (20 000 to 100 000), seconds (from 1e8), milliseconds (from 1e11) or 100 ns (from
1e15) since 1970 in UTC. The four ranges cover the years 1973 to 2173 and do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding

DATE_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %I:%M:%S%.f %p",
    "%d/%m/%Y %I:%M:%S%.f %p",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d-%b-%y %I:%M:%S %p",
    "%d-%b-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y年%m月%d日 %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M",
)
_SAMPLES = 1000
_ENOUGH = 100  # first values checked to see how a column is written
_HOUR_SECOND = 3600.0  # that clocks are changed by
_LONGEST = 3.0  # usual intervals between the records before and after a change
_OLE_UNIX_DAYS = 25_569.0  # day of 1970-01-01 counted from 1899-12-30
_EPOCHS = ((1e8, 1e10, 1.0), (1e11, 1e13, 1e-3), (1e15, 1e17, 1e-7))  # from, to, factor
_DAYS = r"^(?:(\d+)\s*(?:[dD天]|-|\s)\s*)?(\d+):(\d+):(\d+(?:\.\d*)?)$"


@dataclass(frozen=True)
class Dates:
    """Absolute times in seconds since 1970, and the clock that they were read from."""

    seconds: pl.Series
    clock: Literal["utc", "local"] = "local"
    findings: tuple[Finding, ...] = ()


def to_seconds(column: pl.Series, factor: float, *, has_unit: bool) -> pl.Series:
    """Convert durations to seconds; values that can't be read become null.

    Parameters
    ----------
    column
        Numbers, text or Excel time cells.
    factor
        Seconds in the unit of the header, for numbers.
    has_unit
        Whether the header states a unit. Clock text needs none.

    Raises
    ------
    DamagedFileError
        If there are numbers other than zero without a unit.

    """
    if column.dtype == pl.Duration:
        if column.null_count() == column.len():
            raise _no_unit_error(column.name, "that are no Excel times")
        return column.dt.total_microseconds() / 1e6
    if column.dtype != pl.String:
        return column.cast(pl.Float64) * factor
    text = column.str.strip_chars()
    if text.drop_nulls().head(_ENOUGH).str.contains(":", literal=True).any():
        return _seconds_from_clock(text)
    numbers = text.cast(pl.Float64, strict=False)
    if not has_unit and (numbers != 0).any():
        raise _no_unit_error(column.name, f"such as {text.drop_nulls()[-1]}")
    return numbers * factor


def _no_unit_error(column: str, example: str) -> DamagedFileError:
    return DamagedFileError(
        f"column {column!r} with numbers ({example}) and no unit",
        expected="clock text such as 01:02:03, or a unit in the header",
        remedy="export the file again with times as h:m:s or in seconds",
    )


def _seconds_from_clock(text: pl.Series) -> pl.Series:
    """Return the seconds of ``h:m:s`` text, by a faster way where no value states days."""
    if text.head(_ENOUGH).str.contains(",", literal=True).any():
        text = text.str.replace(",", ".", literal=True)
    parts = pl.LazyFrame({"text": text}).select(pl.col("text").str.split_exact(":", 2))
    numbers = parts.unnest("text").select(pl.all().cast(pl.Float64, strict=False)).collect()
    hours, minutes, seconds = numbers.get_columns()
    total = (hours * 3600 + minutes * 60 + seconds).alias(text.name)
    if total.null_count() == text.null_count():
        return total
    groups = text.str.extract_groups(_DAYS).struct.unnest().cast(pl.Float64)
    days, hours, minutes, seconds = groups.get_columns()
    return days.fill_null(0) * 86_400 + hours * 3600 + minutes * 60 + seconds


def parse_dates(column: pl.Series, elapsed: pl.Series | None) -> Dates:
    """Convert absolute times to seconds since 1970; values that can't be read become null.

    ``elapsed`` is the test time in seconds: where the order of day and month is ambiguous, the
    order in which the dates advance with the test time is used.
    """
    if column.dtype == pl.Datetime:
        return Dates(_unix_seconds(column))
    if column.dtype != pl.String:
        return _dates_from_numbers(column.cast(pl.Float64))
    text = column.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() <= (text.null_count() + text.len()) // 2:
        return _dates_from_numbers(numbers)
    return _dates_from_text(text, elapsed)


def since_first_date(moments: pl.Series) -> pl.Series:
    """Return the seconds since the first date; a clock that is set back by an hour goes on.

    It was set back where it goes back by as much less than an hour as usually passes, or a little
    more, between two records.
    """
    steps = moments.diff()
    usual = steps.filter(steps > 0).median()
    longest = _LONGEST * float(usual) if isinstance(usual, int | float) else 0.0
    is_back = (steps < 0) & (steps + _HOUR_SECOND).is_between(0, longest)
    hours = (is_back.fill_null(value=False).cast(pl.Float64) * _HOUR_SECOND).cum_sum()
    begin = float(moments.drop_nulls()[0])
    return (moments + hours - begin).alias(moments.name)


def _unix_seconds(moments: pl.Series) -> pl.Series:
    return moments.dt.epoch("us") / 1e6


def _dates_from_numbers(numbers: pl.Series) -> Dates:
    first = numbers.drop_nulls().head(1).sum()
    for low, high, factor in _EPOCHS:
        if low <= first < high:
            return Dates((numbers * factor).round(6), "utc")
    if 20_000 <= first < 100_000:
        return Dates(((numbers - _OLE_UNIX_DAYS) * 86_400).round(3))
    return Dates(
        pl.Series(numbers.name, [None] * numbers.len(), pl.Float64),
        "local",
        _unreadable_findings(first),
    )


def _dates_from_text(text: pl.Series, elapsed: pl.Series | None) -> Dates:
    """Read dates in the format that loses fewest and best reproduces the span of the test time.

    The formats are tried on values sampled from the whole column, then the best is used for all.
    """
    sample = _sample_rows(pl.DataFrame({"text": text, "elapsed": elapsed}))
    best, rivals = _choose_format(sample["text"], sample["elapsed"])
    if best is None:
        nulls = pl.Series(text.name, [None] * text.len(), pl.Float64)
        known = sample["text"].drop_nulls().filter(sample["text"].drop_nulls() != "")
        return Dates(nulls, "local", _unreadable_findings(known[0]) if known.len() else ())
    moments = _unix_seconds(_parse_in_parallel(text, best))
    if moments.null_count() > (text.is_null() | (text == "")).sum():
        choice = _choose_format(text, elapsed)
        best, rivals = choice if choice[0] is not None else (best, rivals)
        moments = _unix_seconds(_parse_datetimes(text, str(best)))
    others = [_unix_seconds(_parse_datetimes(sample["text"], other)) for other in rivals]
    chosen = _unix_seconds(_parse_datetimes(sample["text"], str(best)))
    return Dates(moments, "local", _order_findings(chosen, others, str(best)))


def _sample_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the first, the last and evenly spaced rows between them."""
    if frame.height <= _SAMPLES:
        return frame
    stride = -(-frame.height // _SAMPLES)
    return pl.concat([frame.gather_every(stride), frame.tail(1)])


def _choose_format(text: pl.Series, elapsed: pl.Series | None) -> tuple[str | None, list[str]]:
    """Return the best date format, None if none fits, and the formats that are equally good."""
    known = text.drop_nulls().filter(text.drop_nulls() != "")
    ends = pl.concat([known.head(1), known.tail(1)])
    nulls_at_ends = pl.DataFrame({"text": ends}).select(
        _datetime_expression(pattern).null_count().alias(pattern) for pattern in DATE_FORMATS
    )
    fitting = [
        pattern
        for pattern, nulls in zip(DATE_FORMATS, nulls_at_ends.row(0), strict=True)
        if not nulls
    ]
    if not fitting or not known.len():
        return None, []
    parsed = {pattern: _unix_seconds(_parse_datetimes(text, pattern)) for pattern in fitting}
    fewest = min(column.null_count() for column in parsed.values())
    best = {pattern: column for pattern, column in parsed.items() if column.null_count() == fewest}
    differences = {pattern: _disagreement(column, elapsed) for pattern, column in best.items()}
    pattern = min(best, key=lambda pattern: differences[pattern])
    return pattern, [
        other for other in best if differences[other] == differences[pattern] and other != pattern
    ]


def _datetime_expression(pattern: str) -> pl.Expr:
    return pl.col("text").str.to_datetime(pattern, time_unit="us", strict=False)


def _parse_datetimes(text: pl.Series, pattern: str) -> pl.Series:
    return pl.DataFrame({"text": text}).select(_datetime_expression(pattern))["text"]


def _parse_in_parallel(text: pl.Series, pattern: str) -> pl.Series:
    lazy = pl.LazyFrame({"text": text}).select(_datetime_expression(pattern))
    return lazy.collect(engine="streaming")["text"]


def _disagreement(moments: pl.Series, elapsed: pl.Series | None) -> float:
    """Return the difference between the spans of dates and test time, in seconds."""
    if elapsed is None:
        return 0.0
    both = pl.DataFrame({"moment": moments, "elapsed": elapsed}).drop_nulls()
    if both.height < 2:
        return 0.0
    span = both["moment"][-1] - both["moment"][0]
    return round(abs(float(span) - float(both["elapsed"][-1] - both["elapsed"][0])), 1)


def _order_findings(
    chosen: pl.Series, rivals: list[pl.Series], pattern: str
) -> tuple[Finding, ...]:
    order = {"%m/%d": "month/day", "%d/%m": "day/month"}.get(pattern[:5])
    if order is None or all(column.equals(chosen) for column in rivals):
        return ()
    sentence = f"Day and month could stand either way round; the dates are read as {order}/year."
    return (Finding("info", "date_order_assumed", sentence),)


def _unreadable_findings(example: object) -> tuple[Finding, ...]:
    sentence = f"The dates (such as {example!r}) can't be read and are left out."
    return (Finding("warning", "dates_unreadable", sentence),)
