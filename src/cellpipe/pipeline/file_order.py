"""The order of a cell's files: by their clocks, by a test time that goes on, else by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from cellpipe.store import Content
from cellpipe.store.records import Extent

_BEGINNING = 5.0  # mean intervals in which a test time that starts anew has its first record
_ORIGIN_SECOND = 5.0  # clocks printed in whole seconds: the zeros of one test time


def sort_by_time(contents: Mapping[str, Content]) -> list[str]:
    """Put paths in the order of time.

    Where files have no clock but go on with the test time or the record numbers of others, by
    these; else one without a clock stands behind those whose names come before its own.
    """
    by_test = _sort_by_test_time(contents)
    if by_test is not None:
        return by_test
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


def _goes_on(one: Extent, other: Extent) -> bool:
    """Return whether test times, or the record numbers with them, go on from one to another."""
    if other.test_second[0] > one.test_second[1]:
        return True
    if other.test_second[0] <= one.test_second[0] or other.test_second[1] <= one.test_second[1]:
        return False
    begins_later = other.number[0] > one.number[0] and other.number[1] > one.number[1]
    interval = (other.test_second[1] - other.test_second[0]) / max(
        1, other.number[1] - other.number[0]
    )
    return begins_later or other.test_second[0] > _BEGINNING * interval


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
        return content.extent.unix_second[0]
    return content.started_at.timestamp() if content.started_at is not None else None


def end_second(content: Content) -> float | None:
    """Return when a content's last record was made, s since 1970; None if it has no clock."""
    if content.extent is not None and content.extent.unix_second is not None:
        return content.extent.unix_second[1]
    if content.started_at is None:
        return None
    return content.started_at.timestamp() + (content.span_second or 0.0)
