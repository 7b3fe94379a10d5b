"""Read the times of an .ndax's records around damaged pages.

fastnda counts the steps of what it is given from 1. Behind a damaged page they are counted on by
the step that the first record there states.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import numpy as np
import polars as pl
from fastnda._ndc import read_ndc

from cellpipe.formats.neware.pages import Pages

_RECORD_BYTES = {8: 42, 9: 45, 11: 47, 12: 47, 13: 55, 14: 55, 16: 100, 17: 100}  # by version
_STEP_AT, _OLD_STEP_AT = 37, 34  # in a record; the latter in version 8
_RECORDS_AT, _BITS_AT = 132, 4  # in a page

Span = tuple[int, int | None]


def read_run_parts(pages: Pages) -> tuple[pl.DataFrame, list[Span]]:
    """Return the records with times, and the spans of numbers whose times are lost.

    A span is the last known number before it and the first one behind it, None if there is none.
    """
    if not pages.lost:
        return read_ndc(pages.content), []
    parts = pages.parts() if pages.content[2] in _RECORD_BYTES else [pages.before_loss()]
    tables: list[pl.DataFrame] = []
    spans: list[Span] = []
    last = 0
    first_step: int | None = None
    for part in parts:
        table: pl.DataFrame = read_ndc(part)
        if not table.height:
            continue
        step = _first_step(part, pages.page_bytes)
        first_step = (
            _first_known_step(step, is_first=not tables and part is parts[0])
            if first_step is None
            else first_step
        )
        if part is not parts[0]:
            table = table.with_columns(pl.col("step_count") + (step - first_step))
        numbers = table["index"].to_numpy()
        if part is not parts[0]:
            spans.append((last, int(numbers.min())))
        tables.append(table)
        last = int(numbers.max())
    if not parts or len(pages.content) == pages.lost[-1] + pages.page_bytes or len(parts) == 1:
        spans.append((last, None))
    empty: pl.DataFrame = read_ndc(pages.content[: pages.page_bytes])
    return (pl.concat(tables, how="vertical_relaxed") if tables else empty), spans


def _first_known_step(step: int, *, is_first: bool) -> int:
    """Return the number of the first step: that of the first page, or 1 if that page is lost."""
    return step if is_first else 1


def _first_step(part: bytes, page_bytes: int) -> int:
    """Return the step that the first record of a part states."""
    version = part[2]
    bits = np.unpackbits(
        np.frombuffer(part, np.uint8, _RECORDS_AT - _BITS_AT, page_bytes + _BITS_AT),
        bitorder="little",
    )
    step_at = _OLD_STEP_AT if version == 8 else _STEP_AT
    at = page_bytes + _RECORDS_AT + int(bits.argmax()) * _RECORD_BYTES[version] + step_at
    return int.from_bytes(part[at : at + 4], "little")


def is_within(number: pl.Expr, spans: list[Span]) -> pl.Expr:
    """Return whether a number lies within one of some spans."""
    tests = [(number > last) & (number < first) if first is not None else number > last
             for last, first in spans]  # fmt: skip
    return reduce(or_, tests, pl.lit(value=False))


def follows_its_time(number: pl.Series, timed: pl.Series) -> pl.Series:
    """Return whether all records between each one and the last one with a time are there.

    Those before the first time are left out elsewhere, and count as such.
    """
    index, times = number.to_numpy().astype(np.int64), np.sort(timed.to_numpy().astype(np.int64))
    if not index.size or (np.diff(index) == 1).all() or not times.size:
        return pl.Series(np.ones(index.size, np.bool_))
    place = np.searchsorted(times, index, side="right") - 1
    anchor = times[np.maximum(place, 0)]
    row = np.searchsorted(index, anchor)
    return pl.Series((place < 0) | (index - anchor == np.arange(index.size) - row))
