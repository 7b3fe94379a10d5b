"""A vendor's times as seconds: durations as numbers or clock text, dates as text or numbers.

Durations: a number in the header's unit; text such as ``4344:10:00.5``, ``1d 02:03:04`` or
``2-03:04:05``, which is read as it stands; Excel's time cells. Dates: text in one of
:data:`DATE_FORMATS`, Excel's date cells, or a number whose magnitude says what it is: days since
1899-12-30 (20 000 to 100 000), seconds (from 1e8), milliseconds (from 1e11) or 100 ns (from 1e15)
since 1970 in UTC. The four ranges are those of the years 1973 to 2173 and do not touch.
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
_ENOUGH = 100  # first values that are looked at for how they are written
_OLE_UNIX_DAYS = 25_569.0  # day of 1970-01-01 counted from 1899-12-30
_EPOCHS = ((1e8, 1e10, 1.0), (1e11, 1e13, 1e-3), (1e15, 1e17, 1e-7))  # from, to, factor
_DAYS = r"^(?:(\d+)\s*(?:[dD天]|-|\s)\s*)?(\d+):(\d+):(\d+(?:\.\d*)?)$"


@dataclass(frozen=True)
class Dates:
    """Absolute times in seconds since 1970, and whose clock they are by."""

    seconds: pl.Series
    clock: Literal["utc", "local"] = "local"
    findings: tuple[Finding, ...] = ()


def to_seconds(column: pl.Series, factor: float, *, has_unit: bool) -> pl.Series:
    """Turn durations into seconds; what can't be read is null.

    Parameters
    ----------
    column
        Numbers, text or Excel's time cells.
    factor
        Of the unit in the header, for numbers.
    has_unit
        Whether the header has one. A number without a unit is refused, clock text needs none.

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


def _no_unit_error(column: str, which: str) -> DamagedFileError:
    return DamagedFileError(
        f"column {column!r} with numbers ({which}) and no unit",
        expected="clock text such as 01:02:03, or a unit in the header",
        remedy="export the file again with times as h:m:s or in seconds",
    )


def _seconds_from_clock(text: pl.Series) -> pl.Series:
    """Return the seconds of ``h:m:s``, fast where nothing stands before the hours."""
    if text.head(_ENOUGH).str.contains(",", literal=True).any():
        text = text.str.replace(",", ".", literal=True)
    parts = pl.LazyFrame({"text": text}).select(pl.col("text").str.split_exact(":", 2))
    numbers = parts.unnest("text").select(pl.all().cast(pl.Float64, strict=False)).collect()
    hours, minutes, rest = numbers.get_columns()
    plain = (hours * 3600 + minutes * 60 + rest).alias(text.name)
    if plain.null_count() == text.null_count():
        return plain
    groups = text.str.extract_groups(_DAYS).struct.unnest().cast(pl.Float64)
    days, hours, minutes, rest = groups.get_columns()
    return days.fill_null(0) * 86_400 + hours * 3600 + minutes * 60 + rest


def parse_dates(column: pl.Series, elapsed: pl.Series | None) -> Dates:
    """Turn absolute times into seconds since 1970; what can't be read is null.

    ``elapsed`` is the test time: where day and month could stand either way round, the order in
    which the dates advance as the test time does is taken.
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
    """Read dates in the way in which fewest are lost and the span is that of the test time.

    The ways are held against values from all over the column, then the best is used for all.
    """
    sample = _sample_rows(pl.DataFrame({"text": text, "elapsed": elapsed}))
    best, rivals = _choose_format(sample["text"], sample["elapsed"])
    if best is None:
        nothing = pl.Series(text.name, [None] * text.len(), pl.Float64)
        known = sample["text"].drop_nulls().filter(sample["text"].drop_nulls() != "")
        return Dates(nothing, "local", _unreadable_findings(known[0]) if known.len() else ())
    moments = _unix_seconds(_parse_in_parallel(text, best))
    if moments.null_count() > (text.is_null() | (text == "")).sum():
        whole = _choose_format(text, elapsed)
        best, rivals = whole if whole[0] is not None else (best, rivals)
        moments = _unix_seconds(_parse_datetimes(text, str(best)))
    others = [_unix_seconds(_parse_datetimes(sample["text"], other)) for other in rivals]
    own = _unix_seconds(_parse_datetimes(sample["text"], str(best)))
    return Dates(moments, "local", _order_findings(own, others, str(best)))


def _sample_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the first, the last and evenly spaced rows between them."""
    if frame.height <= _SAMPLES:
        return frame
    every = -(-frame.height // _SAMPLES)
    return pl.concat([frame.gather_every(every), frame.tail(1)])


def _choose_format(text: pl.Series, elapsed: pl.Series | None) -> tuple[str | None, list[str]]:
    """Return the best of the formats, and those that are as good; None if there is none."""
    known = text.drop_nulls().filter(text.drop_nulls() != "")
    ends = pl.concat([known.head(1), known.tail(1)])
    tried_all = pl.DataFrame({"text": ends}).select(
        _datetime_expression(form).null_count().alias(form) for form in DATE_FORMATS
    )
    fitting = [form for form, lost in zip(DATE_FORMATS, tried_all.row(0), strict=True) if not lost]
    if not fitting or not known.len():
        return None, []
    tried = {form: _unix_seconds(_parse_datetimes(text, form)) for form in fitting}
    fewest = min(column.null_count() for column in tried.values())
    best = {form: column for form, column in tried.items() if column.null_count() == fewest}
    apart = {form: _disagreement(column, elapsed) for form, column in best.items()}
    form = min(best, key=lambda form: apart[form])
    return form, [other for other in best if apart[other] == apart[form] and other != form]


def _datetime_expression(form: str) -> pl.Expr:
    return pl.col("text").str.to_datetime(form, time_unit="us", strict=False)


def _parse_datetimes(text: pl.Series, form: str) -> pl.Series:
    return pl.DataFrame({"text": text}).select(_datetime_expression(form))["text"]


def _parse_in_parallel(text: pl.Series, form: str) -> pl.Series:
    lazy = pl.LazyFrame({"text": text}).select(_datetime_expression(form))
    return lazy.collect(engine="streaming")["text"]


def _disagreement(moments: pl.Series, elapsed: pl.Series | None) -> float:
    """Return how far the dates' span is from the test time's, in seconds."""
    if elapsed is None:
        return 0.0
    both = pl.DataFrame({"moment": moments, "elapsed": elapsed}).drop_nulls()
    if both.height < 2:
        return 0.0
    span = both["moment"][-1] - both["moment"][0]
    return round(abs(float(span) - float(both["elapsed"][-1] - both["elapsed"][0])), 1)


def _order_findings(own: pl.Series, rivals: list[pl.Series], form: str) -> tuple[Finding, ...]:
    order = {"%m/%d": "month/day", "%d/%m": "day/month"}.get(form[:5])
    if order is None or all(column.equals(own) for column in rivals):
        return ()
    sentence = f"Day and month could stand either way round; the dates are read as {order}/year."
    return (Finding("info", "date_order_assumed", sentence),)


def _unreadable_findings(example: object) -> tuple[Finding, ...]:
    sentence = f"The dates (such as {example!r}) can't be read and are left out."
    return (Finding("warning", "dates_unreadable", sentence),)
