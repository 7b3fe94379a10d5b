"""Return whether a file holds as many bytes as its format says it must: a guard against half a copy.

Four of seven formats are read short without a word by most readers. What each format tells of its
own length is little, but enough to wait: a file that seems cut is waited for longer, never refused.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = 66_000  # the end record and the longest comment behind it
_LINES = 20_000
_JET_PAGE = 4096
_NDA_WITH_LENGTH = range(9, 130)  # versions below leave the length out, BTS 9 has none
_MPR_START = 52
_MPR_LONG_HEADER = 0xFFFFFFFF


def is_complete(path: Path) -> bool:
    """Return whether a file ends where its format says.

    Raises
    ------
    OSError
        If it can't be opened.

    """
    check = _CHECKS.get(path.suffix.lower())
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(4)
        if check is None and head.startswith(b"PK\x03\x04"):
            check = _is_complete_zip
        return check(stream, size) if check else True


def _is_complete_zip(stream: BinaryIO, size: int) -> bool:
    stream.seek(max(0, size - _ZIP_TAIL))
    return _ZIP_END in stream.read()


def _is_complete_text(stream: BinaryIO, size: int) -> bool:
    """Return whether the last line has an end, or at least is laid out like the one before.

    EC-Lab writes no end behind the last line; its numbers are all of one length.
    """
    stream.seek(max(0, size - _LINES))
    tail = stream.read().replace(b"\x00", b"")  # of UTF-16, what is left is enough
    if tail.endswith((b"\n", b"\r", b"\x1a")):
        return True
    lines = re.split(rb"\r?\n|\r", tail)
    if len(lines) < 2:
        return False
    before, last = (re.split(rb"[\t;,]", re.sub(rb"[+-]?\d", b"0", s)) for s in lines[-2:])
    return len(before) == len(last) > 1 and len(before[-1]) == len(last[-1])


def _is_complete_jet(_stream: BinaryIO, size: int) -> bool:
    return size % _JET_PAGE == 0


def _is_complete_nda(stream: BinaryIO, size: int) -> bool:
    stream.seek(0)
    head = stream.read(72)
    if head.startswith(b"PK"):
        return _is_complete_zip(stream, size)
    if len(head) < 72 or head[14] not in _NDA_WITH_LENGTH:
        return len(head) == 72
    begin, length = struct.unpack_from("<2I", head, 64)
    return not length or begin + length <= size


def _is_complete_mpr(stream: BinaryIO, size: int) -> bool:
    place = _MPR_START
    while place < size:
        stream.seek(place)
        header = stream.read(65)
        if header[:6] != b"MODULE":
            return place > _MPR_START  # a file may be padded
        if len(header) < 65:
            return False
        first, second = struct.unpack_from("<2I", header, 41)
        is_long = first == _MPR_LONG_HEADER
        place += (65 if is_long else 57) + (second if is_long else first)
    return place == size


def _is_complete_parquet(stream: BinaryIO, size: int) -> bool:
    stream.seek(max(0, size - 4))
    return stream.read() == b"PAR1"


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    ".mpr": _is_complete_mpr, ".nda": _is_complete_nda, ".ndax": _is_complete_zip, ".xlsx": _is_complete_zip, ".res": _is_complete_jet, ".parquet": _is_complete_parquet,
    ".mpt": _is_complete_text, ".csv": _is_complete_text, ".txt": _is_complete_text, ".dta": _is_complete_text, ".z": _is_complete_text,
}  # fmt: skip
