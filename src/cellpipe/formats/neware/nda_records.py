"""Account for the records of a Neware .nda, and find them again behind damaged bytes.

The records of a block have one size and are numbered; each begins with a byte that names its kind.
In a whole block the numbers increase by one from record to record. Where they don't, the records
are searched for byte by byte: one begins where its kind is known and the next number follows a
record's size later. :func:`account_for_records` puts the records that it finds into a copy of the
file, at the places where fastnda expects them, and the rest of each block is filled with bytes that
are no record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cellpipe.core.model import Finding
from cellpipe.formats.left_over import Gap, lost_records, rest_finding
from cellpipe.formats.neware.nda_layouts import (
    BTS9_LAYOUTS,
    LAYOUTS,
    OWN_COUNT,
    Bytes,
    Layout,
    is_kind,
    read_fields,
    read_kinds,
)
from cellpipe.formats.neware.nda_search import find_records
from cellpipe.formats.neware.nda_sequence import choose_records

_TIMED = 64  # records, of which at least one has a time where the instrument wrote any
_FILLER = 0xFE  # of a kind that no record has
_START = b"\x55\x00\x01\x00\x00\x00"  # by which fastnda finds the records of some versions
_FOUND_BY_START = {26, 28, 29}


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


def account_for_records(path: Path, *, is_suspect: bool = False) -> Account:
    """Count the bytes of an .nda's blocks of records, and repair those that don't add up.

    Parameters
    ----------
    path
        The file.
    is_suspect
        Look at each record's time, too: something in what was read of them can't be.

    Raises
    ------
    DamagedFileError
        If there are more damaged places than a file can have that is worth reading.

    """
    if path.stat().st_size < 128:
        return Account()
    return _account(np.memmap(path, np.uint8, "r"), is_suspect=is_suspect)


def _account(content: Bytes, *, is_suspect: bool = False) -> Account:
    version = int(content[14])
    begin, length = _block(content, version)
    layout = _find_layout(content, version, begin, length)
    if layout is None or not 0 < begin < content.size:
        return Account()
    if _is_without_times(content, layout, begin):
        layout = replace(layout, time_at=None)
    stop = min(begin + length, content.size) if length else content.size
    is_whole = _is_whole(content, layout, begin, (stop - begin) // layout.size)
    if not is_whole or is_suspect:
        return _repair(content, layout, (begin, stop, begin + length), version)
    return Account(_rest_findings(content, layout, begin, length) if version < OWN_COUNT else [])


def _is_without_times(content: Bytes, layout: Layout, begin: int) -> bool:
    """Return whether the instrument wrote no times: not one of the first records has any."""
    if layout.time_at is None or layout.is_date:
        return False
    return not read_fields(content, begin + layout.time_at, layout.size, _TIMED, "<u4").any()


def _rest_findings(content: Bytes, layout: Layout, begin: int, length: int) -> list[Finding]:
    """Account for what follows the records: the auxiliary channels, if there are any."""
    if not length:
        return []
    findings: list[Finding] = []
    stop, rest = begin + length, length % layout.size
    if rest:
        findings.append(rest_finding(stop - rest, stop, "the file", "a whole record"))
    channels, size = struct.unpack_from("<2I", content[:128].tobytes(), 72)
    if size:
        stop = channels + size
        count = (min(stop, content.size) - channels) // layout.size
        kinds = read_kinds(content, layout, channels, layout.size, count)
        wrong = channels + layout.size * np.flatnonzero(~is_kind(kinds, layout.others))
        gaps = [Gap(at, at + layout.size, 1) for at in wrong.tolist()]
        findings += lost_records(gaps, "the file", "records of auxiliary channels")
    if stop < content.size:
        findings.append(rest_finding(stop, content.size, "the file", "its end"))
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
        numbers = read_fields(
            content, begin + layout.number_at, layout.size, min(count, 5000), "<u4"
        )
        return int((np.diff(numbers) == 1).sum())

    best = max(BTS9_LAYOUTS, key=links)
    return best if links(best) else None


def _is_whole(content: Bytes, layout: Layout, begin: int, count: int) -> bool:
    """Return whether all records are of a known kind and numbered from 1 without a gap."""
    bytes_read = layout.number_at + 4
    if begin + count * layout.size > content.size or not count:
        return not count
    rows = np.ndarray((count,), f"V{bytes_read}", content, begin, (layout.size,)).copy()
    heads = rows.view(np.uint8).reshape(count, bytes_read)
    numbers = heads[:, layout.number_at :].copy().view("<u4").ravel()
    if layout.kind_at is not None:
        kinds = heads[:, layout.kind_at]
        is_record = is_kind(kinds, layout.records)
        others = kinds[~is_record]
        if not is_kind(others, layout.others).all():
            return False
        numbers = numbers[is_record] if others.size else numbers
    return bool(
        not numbers.size
        or (numbers[0] == 1 and numbers[-1] == numbers.size and (numbers[1:] > numbers[:-1]).all())
    )


def _repair(content: Bytes, layout: Layout, block: tuple[int, int, int], version: int) -> Account:
    """Return a copy with the records that can be found, and findings of those that can't.

    ``block`` is where the records begin, where they end in the file, and where they end as stated.
    """
    begin, stop, stated = block
    found = find_records(content, layout, begin, stop)
    room = (stop - begin) // layout.size
    most = max(room, (stated - begin) // layout.size)
    kept, findings = choose_records(content, layout, found.starts, most)
    rows = content[kept[:room, None] + np.arange(layout.size)]
    is_record = is_kind(rows[:, 0], layout.records)
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
