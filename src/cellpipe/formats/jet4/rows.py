"""Locate the rows of a table in a Jet 4 / ACE database file, on all its pages at once.

Layout
------
Slot flags of a page of rows: 0x4000 alone, the slot holds a pointer (u32: slot number in the low
byte, page number above it) to a moved row; 0x8000 alone, the row is such a moved row and is counted
at its pointer; both, the row is deleted; none, the row is here.

A row: u16 number of columns stored; the fixed-length values at the offsets of the definition,
counted from byte 2; the variable-length values; from the end backwards the null mask (one bit a
column, set where a value is present), u16 number of variable-length values, u16 beginning of each
of them in order, u16 end of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellpipe.formats.jet4.pages import (
    BEGIN_BITS,
    MOST_SLOTS,
    PAGE_BYTES,
    SLOTS_AT,
    Flags,
    JetError,
    PageFile,
    Positions,
    u16_at,
    u32_at,
)

_FLAG_BITS = 0xC000
_MOVED_AWAY = 0x4000


@dataclass(frozen=True)
class _Slots:
    """The row slots of several pages, flattened; ``page_index`` is the index of each one's page.

    ``pages``, ``counts`` and ``firsts`` (index of the page's first slot) have one entry a page,
    the others one a slot; ``begin`` and ``stop`` are bytes within the page.
    """

    pages: Positions
    counts: Positions
    firsts: Positions
    page_index: Positions
    begin: Positions
    stop: Positions
    flags: Positions


@dataclass(frozen=True)
class Rows:
    """Rows of a table: positions of row and null mask in the file, number of columns stored."""

    begin: Positions
    mask: Positions
    columns: Positions

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.begin.size)


def live_rows(file: PageFile, pages: Positions) -> Rows:
    """Locate the rows on the pages of one table, in the order of pages and slots.

    Deleted rows are left out; a moved row takes the place of its pointer, which must lead to
    a page of the same table.
    """
    slots = _slots(file, pages)
    live = np.flatnonzero((slots.flags == 0) | (slots.flags == _MOVED_AWAY))
    _check_spans(slots, live)
    moved = slots.flags[live] == _MOVED_AWAY
    if moved.any():
        live[moved] = _targets(file, slots, live[moved])
        _check_spans(slots, live)
        if np.unique(live).size != live.size:
            raise JetError("found one moved row under two pointers, expected one pointer a row")
    base = slots.pages[slots.page_index[live]] * PAGE_BYTES
    return _rows(file, base + slots.begin[live], base + slots.stop[live])


def _slots(file: PageFile, pages: Positions) -> _Slots:
    """Read the slots of all pages.

    A row ends at the lowest beginning among the slots before it on its page, so that no two rows
    overlap even if the slots are wrong.  One running minimum covers all pages: each page is shifted
    below all earlier ones.
    """
    head = pages * PAGE_BYTES
    counts = u16_at(file, head + 12)
    if np.any(counts > MOST_SLOTS):
        page, found = pages[np.argmax(counts)], counts.max()
        raise JetError(f"page {page}: found {found} row slots, expected at most {MOST_SLOTS}")
    firsts = np.cumsum(counts) - counts
    page_index = np.repeat(np.arange(pages.size, dtype=np.int64), counts)
    number = np.arange(page_index.size, dtype=np.int64) - firsts[page_index]
    raw = u16_at(file, head[page_index] + SLOTS_AT + 2 * number)
    begin = raw & BEGIN_BITS
    shift = page_index * (BEGIN_BITS + 1)
    stop = np.full(begin.size, PAGE_BYTES, dtype=np.int64)
    later = np.flatnonzero(number)
    lowest = np.minimum.accumulate(begin - shift)[later - 1] + shift[later]
    stop[later] = np.minimum(lowest, PAGE_BYTES)
    return _Slots(pages, counts, firsts, page_index, begin, stop, raw & _FLAG_BITS)


def _check_spans(slots: _Slots, rows: Positions) -> None:
    """Raise JetError for a row that is not between the slots of its page and the page's end."""
    floor = SLOTS_AT + 2 * slots.counts[slots.page_index[rows]]
    begin, stop = slots.begin[rows], slots.stop[rows]
    wrong = np.flatnonzero((begin < floor) | (begin > stop))
    if wrong.size:
        row = wrong[0]
        page = slots.pages[slots.page_index[rows[row]]]
        raise JetError(
            f"page {page}: found a row at bytes {begin[row]} to {stop[row]}, "
            f"expected it within {floor[row]} to {PAGE_BYTES}"
        )


def _targets(file: PageFile, slots: _Slots, pointers: Positions) -> Positions:
    """Return the slot to which each slot with a pointer refers."""
    if np.any(slots.stop[pointers] - slots.begin[pointers] < 4):
        raise JetError("found a row pointer cut short, expected 4 bytes")
    base = slots.pages[slots.page_index[pointers]] * PAGE_BYTES
    value = u32_at(file, base + slots.begin[pointers])
    page, number = value >> 8, value & 0xFF
    index = np.minimum(np.searchsorted(slots.pages, page), slots.pages.size - 1)
    wrong = np.flatnonzero((slots.pages[index] != page) | (number >= slots.counts[index]))
    if wrong.size:
        row = wrong[0]
        raise JetError(
            f"found a pointer to row {number[row]} of page {page[row]}, "
            "expected a row of the same table"
        )
    target = slots.firsts[index] + number
    if np.any(slots.flags[target] & _MOVED_AWAY):
        raise JetError("found a row pointer to a deleted or moved row, expected a row")
    return target


def _rows(file: PageFile, begin: Positions, stop: Positions) -> Rows:
    """Read the number of columns in each row and locate its null mask."""
    if np.any(stop - begin < 2):
        raise JetError("found a row of less than 2 bytes, expected a number of columns")
    columns = u16_at(file, begin)
    mask = stop - (columns + 7) // 8
    wrong = np.flatnonzero(mask < begin + 2)
    if wrong.size:
        row = wrong[0]
        raise JetError(
            f"page {begin[row] // PAGE_BYTES}: found a row of {stop[row] - begin[row]} bytes, "
            f"expected room for the null mask of {columns[row]} columns"
        )
    return Rows(begin, mask, columns)


def is_present(file: PageFile, rows: Rows, number: int) -> Flags:
    """Return for each row whether its null mask marks the column of this number as present."""
    stored = rows.columns > number
    byte = np.where(stored, rows.mask + number // 8, 0)
    return stored & ((file.content[byte] >> (number % 8)) & 1).astype(np.bool_)


def fixed_positions(rows: Rows, present: Flags, offset: int, size: int, name: str) -> Positions:
    """Return the file position of a fixed-length value in each row; 0 where there is none."""
    position = rows.begin + 2 + offset
    if np.any(present & (position + size > rows.mask)):
        raise JetError(f"column {name!r}: found a row that ends before its value of {size} bytes")
    return np.where(present, position, 0)


def variable_spans(
    file: PageFile, rows: Rows, present: Flags, order: int, name: str
) -> tuple[Positions, Positions]:
    """Return the file positions and the lengths of the variable-length values of this order.

    The length is -1 where there is no value (the row was written before the column existed, or the
    mask says null).
    """
    begin = np.zeros(len(rows), dtype=np.int64)
    length = np.full(len(rows), -1, dtype=np.int64)
    table = rows.mask - 2
    has_table = present & (table >= rows.begin + 2)
    count = u16_at(file, np.where(has_table, table, 0))
    with_value = np.flatnonzero(has_table & (count > order))
    entry = table[with_value] - 2 - 2 * order
    if np.any(entry - 2 < rows.begin[with_value] + 2):
        raise JetError(f"column {name!r}: found a row too short for its table of values")
    start, stop = u16_at(file, entry), u16_at(file, entry - 2)
    room = entry - rows.begin[with_value]
    if np.any((start < 2) | (start > stop) | (stop > room)):
        raise JetError(f"column {name!r}: found a value that lies outside its row")
    begin[with_value] = rows.begin[with_value] + start
    length[with_value] = stop - start
    return begin, length
