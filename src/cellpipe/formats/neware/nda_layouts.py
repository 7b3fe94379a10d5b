"""State where the fields of an .nda's records are, and read them for many records at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OWN_COUNT = 129  # from this version on (BTS 9) the file states its number of records
_RECORD, _CHANNEL, _EVENT, _OLD_EVENT = 0x55, 0x65, 0xAA, 0xFF

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """A record's bytes: its size, the places of number, kind and time, the known kinds.

    ``kind_at`` and ``time_at`` are None where records have none. A time is a number of seconds or
    microseconds since 1970, or a date: year, in two bytes, month, day, hour, minute, second.
    """

    size: int
    kind_at: int | None
    number_at: int
    time_at: int | None
    is_date: bool = False
    records: frozenset[int] = frozenset({_RECORD})
    others: frozenset[int] = frozenset({_CHANNEL, _EVENT})


def _old(size: int, time_at: int | None) -> Layout:
    records, others = frozenset({0, _RECORD}), frozenset({_OLD_EVENT})
    return Layout(size, 0, 1, time_at, records=records, others=others)


_LAYOUTS = (
    ((1,), Layout(38, None, 0, None)),
    ((3, 4), _old(43, None)),
    ((5, 6, 7, 8), _old(59, 47)),
    ((9,), Layout(60, 0, 2, 48)),
    ((10,), Layout(64, 0, 2, 52)),
    ((11, 12, 13, 15, 18), Layout(69, 0, 2, 53)),
    ((14, 16, 17, 20, 22, 23, 24), Layout(86, 0, 2, 70)),
    ((26, 28, 29), Layout(86, 0, 2, 70, is_date=True)),
    ((19,), Layout(68, 0, 8, 60)),
    ((25, 27), Layout(70, 0, 2, 53)),
)
LAYOUTS = {version: layout for versions, layout in _LAYOUTS for version in versions}
BTS9_LAYOUTS = (
    Layout(88, 4, 16, 68), Layout(52, 0, 8, 44), Layout(56, 0, 8, 44), Layout(60, 0, 8, 36),
)  # fmt: skip  # fmt: skip
_DATE_PARTS = (
    (1, 7, 8),
    (2, 1, 12),
    (3, 1, 31),
    (4, 0, 23),
    (5, 0, 59),
    (6, 0, 59),
)  # place, least, most; 1792 to 2303


def read_fields(content: Bytes, start: int, step: int, count: int, kind: str) -> Numbers:
    """Return the numbers at ``start``, ``start + step`` and so on, as far as the file goes."""
    dtype = np.dtype(kind)
    count = max(min(count, (content.size - start - dtype.itemsize) // step + 1), 0)
    view = np.ndarray((count,), dtype, content, start, (step,))
    return view.astype(np.int64)


def read_kinds(content: Bytes, layout: Layout, start: int, step: int, count: int) -> Bytes:
    """Return the kinds of the records at ``start``, ``start + step`` and so on."""
    at = start + (layout.kind_at or 0)
    return content[at : at + step * (count - 1) + 1 : step] if count > 0 else content[:0]


def is_kind(kinds: Bytes, wanted: frozenset[int]) -> Flags:
    """Return which of some kinds are wanted."""
    first, *others = sorted(wanted)
    known: Flags = kinds == first
    for kind in others:
        known |= kinds == kind
    return known


def are_valid(content: Bytes, layout: Layout, place: int, numbers: Numbers) -> Flags:
    """Return which of the records from a place have a number, a known kind and a time."""
    known = numbers > 0
    is_timed = known
    if layout.kind_at is not None:
        kinds = read_kinds(content, layout, place, layout.size, numbers.size)
        is_timed = is_kind(kinds, layout.records)
        known &= is_timed | is_kind(kinds, layout.others)
    if layout.time_at is None:
        return known
    return known & (_have_time(content, layout, place + layout.time_at, numbers.size) | ~is_timed)


def _have_time(content: Bytes, layout: Layout, at: int, count: int) -> Flags:
    if not layout.is_date:
        times = read_fields(content, at, layout.size, count, "<u4") != 0
        return np.concatenate((times, np.zeros(count - times.size, np.bool_)))
    valid = np.ones(count, np.bool_)
    for place, least, most in _DATE_PARTS:
        part = content[at + place :: layout.size][:count]
        valid[: part.size] &= (part >= least) & (part <= most)
    return valid


def is_record(layout: Layout, kinds: Bytes) -> Flags:
    """Return which kinds are those of records; all, where records have no kind."""
    if layout.kind_at is None:
        return np.ones(kinds.size, np.bool_)
    return is_kind(kinds, layout.records)


def is_channel(layout: Layout, kinds: Bytes) -> Flags:
    """Return which kinds are those of auxiliary channels, which have the numbers of records."""
    if _CHANNEL not in layout.others:
        return np.zeros(kinds.size, np.bool_)
    return is_kind(kinds, frozenset({_CHANNEL}))
