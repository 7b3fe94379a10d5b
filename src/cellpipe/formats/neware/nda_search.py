"""Find the records of an .nda behind damaged bytes.

A record is found where its kind is known and the next number follows a record's size later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellpipe.core.errors import DamagedFileError
from cellpipe.formats.left_over import Gap
from cellpipe.formats.neware.nda_layouts import (
    Bytes,
    Layout,
    Numbers,
    are_valid,
    is_channel,
    is_record,
    read_fields,
    read_kinds,
)

_MOST_GAPS = 2000
_WINDOW = 1 << 18
_FIRST_STEPS = 64
_SHORT = 3  # of fewer records that follow each other it is no witness that they do


@dataclass(frozen=True)
class Found:
    """The places of a block's records, the gaps between them, and where the block really ends."""

    starts: Numbers
    gaps: list[Gap]
    stop: int


def find_records(content: Bytes, layout: Layout, begin: int, stop: int) -> Found:
    """Find the records in a block, and the gaps between them."""
    size = layout.size
    starts: list[Numbers] = []
    gaps: list[Gap] = []
    place = begin
    while place + size <= stop:
        count = _count_linked(content, layout, place, stop)
        if count:
            starts.append(place + size * np.arange(count, dtype=np.int64))
            place += count * size
            continue
        following = _next_start(content, layout, place, stop)
        if following is None:
            break
        before = int(starts[-1][-1]) if starts else None
        lost, moved = _measure_gap(content, layout, before, place, following)
        if before is not None and (moved or _continues_before(content, before, place, following)):
            starts[-1], place, lost = starts[-1][:-1], before, lost + 1
        gaps.append(Gap(place, following, lost))
        stop = min(stop + moved, content.size)
        place = following
        if len(gaps) > _MOST_GAPS:
            raise DamagedFileError(
                f"records that are damaged in more than {_MOST_GAPS} places",
                expected="a whole Neware .nda file",
                remedy="copy it again from the instrument, or export it as .csv from BTSDA",
            )
    if place < stop:
        before = int(starts[-1][-1]) if starts else None
        if before is not None and _continues_before(content, before, place, stop):
            starts[-1], place = starts[-1][:-1], before
        gaps.append(Gap(place, stop, (stop - place) // size or 1))
    return Found(np.concatenate(starts or [np.empty(0, np.int64)]), gaps, max(place, stop))


def _continues_before(content: Bytes, before: int, place: int, stop: int) -> bool:
    """Return whether what damaged a gap may have begun within the record before it.

    A single record with a wrong beginning is damaged there. What is longer may have begun anywhere;
    of bytes that are all the same it is seen where they begin.
    """
    size = place - before
    if stop - place != size:
        return True
    value = content[place]
    return bool(content[place - 1] == value and (content[place : place + 4] == value).all() and (
        content[before - 1] != value or (content[place - 8 : place] == value).all()
    ))  # fmt: skip


def _measure_gap(
    content: Bytes, layout: Layout, before: int | None, place: int, following: int
) -> tuple[int, int]:
    """Return the number of records that a gap lost, and of the bytes that came in or went there."""
    passed = following - place
    room = -(-passed // layout.size)
    if before is None:
        return room, passed % layout.size
    last, next_one = (
        int(read_fields(content, at + layout.number_at, 1, 1, "<u4")[0])
        for at in (before, following)
    )
    lost = next_one - last - 1
    moved = passed - lost * layout.size
    is_of_events = layout.kind_at == 0 and moved % layout.size == 0
    return min(max(lost, 0), room), 0 if is_of_events else moved


def _count_linked(content: Bytes, layout: Layout, place: int, stop: int) -> int:
    """Count the records that follow each other from a place, each with the next number.

    Events and auxiliary channels between them are passed over.
    """
    room, number = (stop - place) // layout.size, _FIRST_STEPS
    while True:
        number = min(number, room)
        numbers = read_fields(content, place + layout.number_at, layout.size, number, "<u4")
        kinds = read_kinds(content, layout, place, layout.size, numbers.size)
        is_bad = ~are_valid(content, layout, place, numbers)
        numbered = np.flatnonzero(is_record(layout, kinds))
        is_bad[numbered[1:][np.diff(numbers[numbered]) != 1]] = True
        if is_bad.any() or number == room:
            first = int(is_bad.argmax()) if is_bad.any() else int(numbers.size)
            return first if first > 1 or room == 1 else 0
        number *= 8


def _next_start(content: Bytes, layout: Layout, place: int, stop: int) -> int | None:
    """Return the next place at which two records follow each other, None if there is none."""
    size = layout.size
    for first in range(place, stop - 2 * size + 1, _WINDOW):
        number = min(_WINDOW, stop - 2 * size + 1 - first)
        here = read_fields(content, first + layout.number_at, 1, number, "<u4")
        after = read_fields(content, first + size + layout.number_at, 1, number, "<u4")
        kinds, next_kinds = (
            read_kinds(content, layout, at, 1, number) for at in (first, first + size)
        )
        is_start = is_record(layout, kinds) & is_record(layout, next_kinds) & (after - here == 1)
        is_start |= is_record(layout, kinds) & is_channel(layout, next_kinds) & (after == here)
        is_start &= here > 0
        found = np.flatnonzero(is_start)
        for candidate in found.tolist():
            if _count_linked(content, layout, first + candidate, stop) >= _needed(
                layout, first + candidate, stop
            ):
                return first + candidate
    return None


def _needed(layout: Layout, place: int, stop: int) -> int:
    return min(_SHORT, (stop - place) // layout.size)
