"""The order of a cell's files: by their clocks, by a test time that goes on, else by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from cellpipe.store import Content
from cellpipe.store.records import Extent

_NEVER_SET = 631_152_000.0  # s since 1970: 1990; a clock that shows less was never set
_BEGINNING = 5.0  # mean intervals in which a test time that starts anew has its first record
_ORIGIN_SECOND = 5.0  # clocks printed in whole seconds: the zeros of one test time


def sort_by_time(contents: Mapping[str, Content]) -> list[str]:
    """Put paths in the order of time.

    Where files have no clock but go on with the test time or the record numbers of others, by
    these; where test times or the instrument's cycles go on from name to name, against the clocks,
    by names. Else one without a clock stands behind those whose names come before its own.
    """
    counted = _sort_by_test_time(contents) or _sort_by_names(contents)
    if counted is not None:
        return counted
    begins = {path: begin_second(content) for path, content in contents.items()}
    keys = {path: natural_key(path) for path in contents}
    timed = [
        (begin, _test_begin(contents[path]), keys[path], path)
        for path, begin in begins.items()
        if begin is not None
    ]
    ordered = [path for *_, path in sorted(timed)]  # a test time tells more than whole seconds
    for path in sorted((path for path in contents if begins[path] is None), key=keys.__getitem__):
        before = (n for n in range(len(ordered), 0, -1) if keys[ordered[n - 1]] < keys[path])
        ordered.insert(next(before, 0), path)
    return ordered


def _test_begin(content: Content) -> tuple[float, int]:
    extent = content.extent
    return (extent.test_second[0], extent.number[0]) if extent is not None else (0.0, 0)


def _sort_by_test_time(contents: Mapping[str, Content]) -> list[str] | None:
    """Put the parts of one test in order, if not all have a clock and they go on; else None."""
    extents = {path: content.extent for path, content in contents.items()}
    known = {path: extent for path, extent in extents.items() if extent is not None}
    clocks = [path for path, content in contents.items() if begin_second(content) is not None]
    if len(known) < len(contents) or len(clocks) == len(contents):
        return None
    ordered = sorted(known, key=lambda path: (known[path].test_second, known[path].number))
    if not all(_goes_on(known[one], known[other]) for one, other in pairwise(ordered)):
        return None
    by_clock = sorted(clocks, key=lambda path: begin_second(contents[path]) or 0.0)
    return ordered if by_clock == [path for path in ordered if path in clocks] else None


def _sort_by_names(contents: Mapping[str, Content]) -> list[str] | None:
    """Put the parts of one test in order, whose names and counts agree against a clock; or None."""
    begins = {path: begin_second(content) for path, content in contents.items()}
    named = sorted(contents, key=natural_key)
    timed = sorted(named, key=lambda path: begins[path] or 0.0)
    if None in begins.values() or timed == named:
        return None
    by_name, by_clock = (
        all(_counts_on(contents[one], contents[other]) for one, other in pairwise(order))
        for order in (named, timed)
    )
    return named if by_name and not by_clock else None


def is_clock_back(one: Content, other: Content) -> bool:
    """Return whether the clock of a content that follows another one begins before it."""
    first, second = begin_second(one), begin_second(other)
    return first is not None and second is not None and second < first


def _counts_on(one: Content, other: Content) -> bool:
    """Return whether test time or the instrument's cycle number go on from one to another."""
    a, b = one.extent, other.extent
    if a is None or b is None:
        return False
    if b.test_second[0] > a.test_second[1]:
        return True
    if a.cycle is None or b.cycle is None or b.test_second[0] > _BEGINNING * _interval(b):
        return False
    return b.cycle[0] >= 2 and b.cycle[0] - a.cycle[1] in (0, 1)


def _goes_on(one: Extent, other: Extent) -> bool:
    """Return whether test times, or the record numbers with them, go on from one to another."""
    if other.test_second[0] > one.test_second[1]:
        return True
    if other.test_second[0] <= one.test_second[0] or other.test_second[1] <= one.test_second[1]:
        return False
    begins_later = other.number[0] > one.number[0] and other.number[1] > one.number[1]
    return begins_later or other.test_second[0] > _BEGINNING * _interval(other)


def _interval(extent: Extent) -> float:
    """Return the mean interval between two records, s."""
    first, last = extent.test_second
    return (last - first) / max(1, extent.number[1] - extent.number[0])


def follows(one: Content, other: Content) -> bool:
    """Return whether a content goes on with the test time and record numbers of another one."""
    a, b = one.extent, other.extent
    if a is None or b is None or b.test_second[0] <= a.test_second[1]:
        return False
    if a.unix_second is None or b.unix_second is None:
        return b.number[0] > a.number[1]
    origins = (e[0] - x.test_second[0] for e, x in ((a.unix_second, a), (b.unix_second, b)))
    return b.number[0] > a.number[1] and abs(next(origins) - next(origins)) <= _ORIGIN_SECOND


def natural_key(path: str) -> tuple[tuple[str, int], ...]:
    """Return a name's words and numbers, so that part 10 comes after part 9."""
    parts = re.findall(r"(\D*)(\d*)", path.casefold())
    return tuple((word, int(digits or 0)) for word, digits in parts)


def begin_second(content: Content) -> float | None:
    """Return when a content's first record was made, s since 1970; None if it has no clock."""
    if content.extent is not None and content.extent.unix_second is not None:
        return content.extent.unix_second[0] if is_clock_set(content) else None
    return content.started_at.timestamp() if content.started_at is not None else None


def end_second(content: Content) -> float | None:
    """Return when a content's last record was made, s since 1970; None if it has no clock."""
    if content.extent is not None and content.extent.unix_second is not None:
        return content.extent.unix_second[1] if is_clock_set(content) else None
    if content.started_at is None:
        return None
    return content.started_at.timestamp() + (content.span_second or 0.0)


def is_clock_set(content: Content) -> bool:
    """Return whether a content's absolute times are those of a clock that was set."""
    clock = content.extent.unix_second if content.extent is not None else None
    return clock is None or clock[0] >= _NEVER_SET
