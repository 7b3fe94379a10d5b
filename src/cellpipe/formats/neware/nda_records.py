"""Account for the records of a Neware .nda, and find them again behind damaged bytes.

The records of a block have one size and are numbered; each begins with a byte that names its kind.
In a whole block the numbers increase by one from record to record. Where they don't, the records
are searched for byte by byte: one begins where its kind is known and the next number follows a
record's size later. :func:`account_for_records` puts the records that it finds into a copy of the
file, at the places where fastnda expects them, and the rest of each block is filled with bytes that
are no record.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.left_over import Gap, left_over, lost_records

OWN_COUNT = 129  # from this version on (BTS 9) the file states its number of records
_MOST_GAPS = 2000
_WINDOW = 1 << 18
_FIRST_STEPS = 64
_SHORT = 3  # a run of fewer records that does not continue another one is no witness
_FILLER = 0xFE  # of a kind that no record has
_RECORD, _CHANNEL, _EVENT, _OLD_EVENT = 0x55, 0x65, 0xAA, 0xFF
_START = bytes((_RECORD, 0, 1, 0, 0, 0))  # by which fastnda finds the records of some versions
_FOUND_BY_START = {26, 28, 29}

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
_BTS9_LAYOUTS = (
    Layout(88, 4, 16, 68), Layout(52, 0, 8, 44), Layout(56, 0, 8, 44), Layout(60, 0, 8, 36),
)  # fmt: skip
_DATE_PARTS = (
    (1, 7, 8),
    (2, 1, 12),
    (3, 1, 31),
    (4, 0, 23),
    (5, 0, 59),
    (6, 0, 59),
)  # place, least, most; 1792 to 2303


@dataclass(frozen=True)
class Account:
    """What became of a file's bytes: findings, and a copy in which the records are in their places.

    ``content`` is None if nothing is wrong with the file. ``added_start`` says that the copy begins
    with a record of number 1 that the file does not have; ``stores_test_time``, that the records
    have the time since the start.
    """

    findings: list[Finding] = field(default_factory=list)
    content: bytes | None = None
    added_start: bool = False
    stores_test_time: bool = False


@dataclass(frozen=True)
class _Found:
    """The places of a block's records, the gaps between them, and where the block really ends."""

    starts: Numbers
    gaps: list[Gap]
    stop: int


def account_for_records(path: Path) -> Account:
    """Count the bytes of an .nda's blocks of records, and repair those that don't add up.

    Raises
    ------
    DamagedFileError
        If there are more damaged places than a file can have that is worth reading.

    """
    if path.stat().st_size < 128:
        return Account()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        content = np.frombuffer(data, np.uint8)
        try:
            return _account(content)
        finally:
            del content


def _account(content: Bytes) -> Account:
    version = int(content[14])
    begin, length = _block(content, version)
    layout = _find_layout(content, version, begin, length)
    if layout is None or not 0 < begin < content.size:
        return Account()
    if _is_without_times(content, layout, begin):
        layout = replace(layout, time_at=None)
    stop = min(begin + length, content.size) if length else content.size
    if not _is_whole(content, layout, begin, (stop - begin) // layout.size):
        return _repair(content, layout, (begin, stop, begin + length), version)
    return Account(_rest_findings(content, layout, begin, length) if version < OWN_COUNT else [])


def _is_without_times(content: Bytes, layout: Layout, begin: int) -> bool:
    """Return whether the instrument wrote no times: not one of the first records has any."""
    if layout.time_at is None or layout.is_date:
        return False
    return not _fields(content, begin + layout.time_at, layout.size, _FIRST_STEPS, "<u4").any()


def _rest_findings(content: Bytes, layout: Layout, begin: int, length: int) -> list[Finding]:
    """Account for what follows the records: the auxiliary channels, if there are any."""
    if not length:
        return []
    findings: list[Finding] = []
    stop, rest = begin + length, length % layout.size
    if rest:
        findings.append(left_over(stop - rest, stop, "the file", "a whole record"))
    channels, size = struct.unpack_from("<2I", content[:128].tobytes(), 72)
    if size:
        stop = channels + size
        count = (min(stop, content.size) - channels) // layout.size
        kinds = _kinds(content, layout, channels, layout.size, count)
        wrong = channels + layout.size * np.flatnonzero(~_is_kind(kinds, layout.others))
        gaps = [Gap(at, at + layout.size, 1) for at in wrong.tolist()]
        findings += lost_records(gaps, "the file", "records of auxiliary channels")
    if stop < content.size:
        findings.append(left_over(stop, content.size, "the file", "its end"))
    return findings


def _block(content: Bytes, version: int) -> tuple[int, int]:
    """Return begin and length of the records; (0, 0) in a BTS 9 file of several blocks."""
    form, at = ("<2Q", 82) if version >= OWN_COUNT else ("<2I", 64)
    begin, length = struct.unpack_from(form, content[:128].tobytes(), at)
    return int(begin), int(length)


def _find_layout(content: Bytes, version: int, begin: int, length: int) -> Layout | None:
    """Return the layout of the records; in BTS 9 that in which most numbers are in sequence."""
    if version < OWN_COUNT:
        return LAYOUTS.get(version)

    def links(layout: Layout) -> int:
        count = (min(begin + length, content.size) - begin) // layout.size
        if begin <= 0 or count < 2:
            return 0
        numbers = _fields(content, begin + layout.number_at, layout.size, min(count, 5000), "<u4")
        return int((np.diff(numbers) == 1).sum())

    best = max(_BTS9_LAYOUTS, key=links)
    return best if links(best) else None


def _fields(content: Bytes, start: int, step: int, count: int, kind: str) -> Numbers:
    """Return the numbers at ``start``, ``start + step`` and so on."""
    dtype = np.dtype(kind)
    count = max(min(count, (content.size - start - dtype.itemsize) // step + 1), 0)
    view = np.ndarray((count,), dtype, content, start, (step,))
    return view.astype(np.int64)


def _kinds(content: Bytes, layout: Layout, start: int, step: int, count: int) -> Bytes:
    at = start + (layout.kind_at or 0)
    return content[at : at + step * (count - 1) + 1 : step] if count > 0 else content[:0]


def _is_kind(kinds: Bytes, wanted: frozenset[int]) -> Flags:
    table = np.zeros(256, np.bool_)
    table[list(wanted)] = True
    known: Flags = table[kinds]
    return known


def _is_whole(content: Bytes, layout: Layout, begin: int, count: int) -> bool:
    """Return whether all records are known as such and numbered from 1 without a gap."""
    numbers = _fields(content, begin + layout.number_at, layout.size, count, "<u4")
    if numbers.size < count or not _are_known(content, layout, begin, numbers).all():
        return False
    if layout.kind_at is not None:
        kinds = _kinds(content, layout, begin, layout.size, count)
        numbers = numbers[_is_kind(kinds, layout.records)]
    return bool(not numbers.size or (numbers[0] == 1 and (np.diff(numbers) == 1).all()))


def _repair(content: Bytes, layout: Layout, block: tuple[int, int, int], version: int) -> Account:
    """Return a copy with the records that can be found, and findings of those that can't.

    ``block`` is where the records begin, where they end in the file, and where they end as stated.
    """
    begin, stop, stated = block
    found = _find_records(content, layout, begin, stop)
    room = (stop - begin) // layout.size
    most = max(room, (stated - begin) // layout.size)
    kept, findings = _keep_numbered(content, layout, found.starts, most)
    rows = content[kept[:room, None] + np.arange(layout.size)]
    is_record = _is_kind(rows[:, 0], layout.records)
    added = version in _FOUND_BY_START and bool(is_record.any()) and not _has_start(rows)
    if added:
        first = rows[is_record][:1].copy()
        first[:, : len(_START)] = np.frombuffer(_START, np.uint8)
        rows = np.concatenate((first, rows[: room - 1]))
    filler = bytes((_FILLER if layout.kind_at is not None else 0,))
    packed = rows.tobytes().ljust(stop - begin, filler)
    head = content[:begin].tobytes()
    if version in _FOUND_BY_START:
        head = head.replace(_START, bytes(len(_START)))
    repaired = head + packed + content[found.stop :].tobytes()
    lost = lost_records(found.gaps, "the file", f"records of {layout.size} bytes")
    stores_test_time = version >= OWN_COUNT and layout.kind_at == 0
    return Account([*lost, *findings], repaired, added, stores_test_time)


def _has_start(rows: Bytes) -> bool:
    wanted = np.frombuffer(_START, np.uint8)
    return bool((rows[:, : len(_START)] == wanted).all(axis=1).any())


def _find_records(content: Bytes, layout: Layout, begin: int, stop: int) -> _Found:
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
    return _Found(np.concatenate(starts or [np.empty(0, np.int64)]), gaps, max(place, stop))


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
        int(_fields(content, at + layout.number_at, 1, 1, "<u4")[0]) for at in (before, following)
    )
    lost = next_one - last - 1
    moved = passed - lost * layout.size
    is_of_events = layout.kind_at == 0 and moved % layout.size == 0
    return min(max(lost, 0), room), 0 if is_of_events else moved


def _count_linked(content: Bytes, layout: Layout, place: int, stop: int) -> int:
    """Count the records that follow each other from a place, each with the next number.

    Events between them have numbers of their own, which say nothing.
    """
    room, number = (stop - place) // layout.size, _FIRST_STEPS
    while True:
        number = min(number, room)
        numbers = _fields(content, place + layout.number_at, layout.size, number, "<u4")
        kinds = _kinds(content, layout, place, layout.size, numbers.size)
        is_bad = ~_are_known(content, layout, place, numbers)
        numbered = np.flatnonzero(~_is_event(layout, kinds))
        steps = np.diff(numbers[numbered])
        is_bad[numbered[1:][(steps < 0) | (steps > 1)]] = True
        if is_bad.any() or number == room:
            first = int(is_bad.argmax()) if is_bad.any() else int(numbers.size)
            return first if first > 1 or room == 1 else 0
        number *= 8


def _are_known(content: Bytes, layout: Layout, place: int, numbers: Numbers) -> Flags:
    """Return which of the records from a place have a number, a known kind and a time."""
    known = numbers > 0
    is_timed = known
    if layout.kind_at is not None:
        kinds = _kinds(content, layout, place, layout.size, numbers.size)
        is_timed = _is_kind(kinds, layout.records)
        known &= is_timed | _is_kind(kinds, layout.others)
    if layout.time_at is None:
        return known
    return known & (_have_time(content, layout, place + layout.time_at, numbers.size) | ~is_timed)


def _have_time(content: Bytes, layout: Layout, at: int, count: int) -> Flags:
    if not layout.is_date:
        times = _fields(content, at, layout.size, count, "<u4") != 0
        return np.concatenate((times, np.zeros(count - times.size, np.bool_)))
    valid = np.ones(count, np.bool_)
    for place, least, most in _DATE_PARTS:
        part = content[at + place :: layout.size][:count]
        valid[: part.size] &= (part >= least) & (part <= most)
    return valid


def _is_event(layout: Layout, kinds: Bytes) -> Flags:
    if layout.kind_at is None:
        return np.zeros(kinds.size, np.bool_)
    return _is_kind(kinds, layout.others - {_CHANNEL})


def _next_start(content: Bytes, layout: Layout, place: int, stop: int) -> int | None:
    """Return the next place at which two records follow each other, None if there is none."""
    size = layout.size
    for first in range(place, stop - 2 * size + 1, _WINDOW):
        number = min(_WINDOW, stop - 2 * size + 1 - first)
        here = _fields(content, first + layout.number_at, 1, number, "<u4")
        after = _fields(content, first + size + layout.number_at, 1, number, "<u4")
        steps = after - here
        is_start = (here > 0) & (steps >= 0) & (steps <= 1)
        if layout.kind_at is not None:
            wanted = layout.records | layout.others
            for offset in (first, first + size):
                is_start &= _is_kind(_kinds(content, layout, offset, 1, number), wanted)
        found = np.flatnonzero(is_start)
        for candidate in found.tolist():
            if _count_linked(content, layout, first + candidate, stop) >= _needed(
                layout, first + candidate, stop
            ):
                return first + candidate
    return None


def _needed(layout: Layout, place: int, stop: int) -> int:
    return min(_SHORT, (stop - place) // layout.size)


def _keep_numbered(
    content: Bytes, layout: Layout, starts: Numbers, most: int
) -> tuple[Numbers, list[Finding]]:
    """Return the places of the records to be kept: each number once, in the order of the file.

    ``most`` is the largest number that a record can have.
    """
    if not starts.size:
        return starts, []
    numbers = np.zeros(starts.size, np.int64)
    for byte in range(4):
        numbers |= content[starts + layout.number_at + byte].astype(np.int64) << 8 * byte
    is_record = np.ones(starts.size, np.bool_)
    if layout.kind_at is not None:
        is_record = _is_kind(content[starts + layout.kind_at], layout.records)
    own = np.flatnonzero(is_record)
    chosen = own[_longest_sequence(numbers[own], most)]
    rejected = is_record.copy()
    rejected[chosen] = False
    is_twice = rejected & np.isin(numbers, numbers[chosen])
    findings = [
        *_rejected_findings(starts, rejected & ~is_twice, is_twice),
        *_missing_findings(numbers[chosen]),
    ]
    return starts[~rejected], findings


def _longest_sequence(numbers: Numbers, most: int) -> Flags:
    """Return which records are in the longest sequence of increasing numbers.

    A sequence is made of runs, in each of which the numbers increase by one; of a run that begins
    within the one before, only what follows that counts.
    """
    kept = np.zeros(numbers.size, np.bool_)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(numbers) != 1) + 1))[: numbers.size]
    ends = np.append(begins[1:], numbers.size)
    lasts, lengths = numbers[ends - 1] if begins.size else begins, ends[: begins.size] - begins
    possible = np.flatnonzero(lasts <= most)
    begins, lasts, lengths = begins[possible], lasts[possible], lengths[possible]
    score, previous = lengths.copy(), np.full(lengths.size, -1)
    for run in range(1, lengths.size):
        gained = score[:run] + np.minimum(lengths[run], lasts[run] - lasts[:run])
        gained[lasts[:run] >= lasts[run]] = 0
        best = int(gained.argmax())
        if gained[best] > score[run]:
            score[run], previous[run] = gained[best], best
    run = int(score.argmax()) if score.size else -1
    while run >= 0:
        before = lasts[previous[run]] if previous[run] >= 0 else 0
        length = min(lengths[run], lasts[run] - before)
        end = begins[run] + lengths[run]
        kept[end - length : end] = True
        run = int(previous[run])
    return kept


def _rejected_findings(starts: Numbers, wrong: Flags, twice: Flags) -> Iterator[Finding]:
    if wrong.any():
        number = int(wrong.sum())
        sentence = (
            f"{number} records have a number that does not fit their neighbours' (the first at "
            f"byte {starts[wrong.argmax()]}): they are damaged or out of place, and were left out."
        )
        yield Finding("warning", "records_lost", sentence, number)
    if twice.any():
        number = int(twice.sum())
        sentence = (
            f"{number} records stand twice in the file (one of them at byte "
            f"{starts[twice.argmax()]}); each counts once."
        )
        yield Finding("warning", "records_repeated", sentence, number)


def _missing_findings(numbers: Numbers) -> list[Finding]:
    missing = int(numbers[-1]) - numbers.size if numbers.size else 0
    if missing <= 0:
        return []
    after = numbers[np.flatnonzero(np.diff(numbers, prepend=0) > 1)[0]]
    sentence = (
        f"By the numbers of the records, {missing} of {numbers[-1]} are missing, the first ones "
        f"before record {after}."
    )
    return [Finding("warning", "records_missing", sentence, missing)]
