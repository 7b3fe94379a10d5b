"""Tell the whole records of an .mpr from damaged ones by their times, which never decrease.

A record of zeros, or one whose time lies outside the times before and behind it, is damaged: the
file was overwritten there. Where bytes were inserted or removed, the records before that place are
counted from the beginning of the data, and those behind it from their end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.biologic.modules import COPY_AGAIN, Content, Records
from cellpipe.formats.biologic.record_columns import read_columns
from cellpipe.formats.left_over import Gap, lost_records, rest_finding

_TIME = "time/s"
_LATEST = 1e9  # s; more than thirty years
_FEW = 64  # bytes; more of them can't be inside the last record without touching its time

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def read_whole_records(
    content: Content, table: Records, only: Collection[str]
) -> tuple[pl.DataFrame, list[Finding]]:
    """Return the columns of the records that are whole, and findings of the others.

    If some are left out, a column ``record_index`` has the numbers of those that are left.

    Raises
    ------
    DamagedFileError
        If bytes were inserted or removed among records that have no time.

    """
    columns = read_columns(content, table, only)
    if not table.count:
        return columns, []
    if _TIME not in columns.columns:
        if table.moved and not table.is_cut:
            raise DamagedFileError(
                f"{table.moved} bytes among its records that belong to none",
                expected="a whole number of records",
                remedy=COPY_AGAIN,
            )
        whole = np.frombuffer(content, np.uint8, table.count * table.layout.itemsize, table.start)
        is_empty: Flags = np.equal(whole.reshape(table.count, -1).max(axis=1), 0)
        return _leave_out(table, columns, is_empty)
    time = columns[_TIME].to_numpy()
    width, stated = table.layout.itemsize, min(table.declared, table.count)
    more = table.room - table.declared * width
    if table.room and (table.is_cut or more > _FEW) and _is_rising(time[:stated]).all():
        end = table.start + table.room
        rest = [rest_finding(end - more, end, "the file", "a module")] if more > 0 else []
        return columns[:stated], rest
    if table.moved:
        behind = read_columns(content, replace(table, start=table.start + table.moved), only)
        if 0 < behind[_TIME][-1] < _LATEST:
            return _join_ends(table, columns, behind)
    if not table.room:
        return _leave_out(table, columns, _find_damaged(time))
    return _leave_out(table, columns[:stated], _find_damaged(time[:stated]))


def _leave_out(
    table: Records, columns: pl.DataFrame, damaged: Flags
) -> tuple[pl.DataFrame, list[Finding]]:
    if not damaged.any():
        return columns, []
    kept = columns.with_row_index("record_index", offset=1).filter(~pl.Series(damaged))
    return kept, _damage_findings(table, damaged)


def _damage_findings(table: Records, damaged: Flags) -> list[Finding]:
    edges = np.flatnonzero(np.diff(damaged.astype(np.int8), prepend=0, append=0))
    width = table.layout.itemsize
    gaps = [
        Gap(table.start + first * width, table.start + last * width, last - first)
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
    return lost_records(gaps, "the file", f"records of {width} bytes whose times increase")


def _find_damaged(time: Floats) -> Flags:
    """Return which records have a time that can't be, or are beside such a one."""
    damaged = np.zeros(time.size, np.bool_)
    valid = np.isfinite(time) & (time >= 0) & (time < _LATEST)
    if valid.all() and not (time[1:] < time[:-1]).any() and not (time[1:] == 0).any():
        return damaged
    kept = np.zeros(time.size, np.bool_)
    candidates = np.flatnonzero(valid & ((time > 0) | (np.arange(time.size) == 0)))
    kept[candidates[_longest_increase(time[candidates])]] = True
    places = np.flatnonzero(kept)
    if not places.size:
        return ~kept
    within = np.arange(time.size)
    within = (within > places[0]) & (within < places[-1])
    damaged = ~kept & (within | ~valid | (time == 0))
    near: Flags = damaged.copy()
    near[1:] |= damaged[:-1]
    near[:-1] |= damaged[1:]
    return near


def _longest_increase(time: Floats) -> list[int]:
    """Return the places of the longest sequence of times that don't decrease."""
    tails: list[float] = []
    ends: list[int] = []
    before = np.full(time.size, -1)
    for place, value in enumerate(time.tolist()):
        length = bisect_right(tails, value)
        before[place] = ends[length - 1] if length else -1
        if length == len(tails):
            tails.append(value)
            ends.append(place)
        else:
            tails[length], ends[length] = value, place
    sequence: list[int] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        sequence.append(place)
        place = int(before[place])
    return sequence[::-1]


def _is_rising(time: Floats) -> Flags:
    rising: Flags = np.logical_and(time >= 0, time < _LATEST)
    rising[1:] &= np.greater_equal(time[1:], time[:-1])
    return rising


def _join_ends(
    table: Records, columns: pl.DataFrame, behind: pl.DataFrame
) -> tuple[pl.DataFrame, list[Finding]]:
    """Join the records counted from the beginning and those counted from the end of the data."""
    forward, backward = columns[_TIME].to_numpy(), behind[_TIME].to_numpy()
    last = backward[-1]
    rising = _is_rising(forward) & (forward <= last)
    front = max(int((~rising).argmax()) - 1 if not rising.all() else table.count - 1, 0)
    least = forward[front - 1] if front else 0.0
    falling = (backward >= least) & (backward <= last)
    falling[:-1] &= backward[:-1] <= backward[1:]
    bad = np.flatnonzero(~falling)
    back = min(max(int(bad[-1]) + 2 if bad.size else 0, front), table.count)
    missing = table.declared - table.count
    index = np.arange(1, table.count + 1)
    index[back:] += missing
    joined = pl.concat([columns[:front], behind[back:]])
    joined.insert_column(0, pl.Series("record_index", np.delete(index, np.s_[front:back])))
    width = table.layout.itemsize
    gap = Gap(
        table.start + front * width, table.start + table.moved + back * width,
        max(back - front + missing, 0),
    )  # fmt: skip
    return joined, lost_records([gap], "the file", f"records of {width} bytes")
