"""Where files of a common kind end: what several formats say of whether theirs are complete.

Each function takes a file, open at its beginning, and its size in bytes, as ``is_complete`` of a
:class:`cellpipe.formats.format.Format` does.
"""

from __future__ import annotations

import re
from typing import BinaryIO

ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = 66_000  # the end record and the longest comment behind it
_LINES = 20_000


def is_complete_zip(stream: BinaryIO, size: int) -> bool:
    """Return whether a zip archive has its directory, which is written last."""
    stream.seek(max(0, size - _ZIP_TAIL))
    return _ZIP_END in stream.read()


def is_complete_workbook(stream: BinaryIO, size: int) -> bool:
    """Return whether a workbook ends: an .xlsx as the archive that it is.

    An old .xls, and whatever else is called so, says nothing of its end; zeros are no beginning.
    """
    head = stream.read(len(ZIP))
    return is_complete_zip(stream, size) if head == ZIP else bool(head.strip(b"\x00"))


def is_complete_parquet(stream: BinaryIO, size: int) -> bool:
    """Return whether a parquet file ends with its mark."""
    stream.seek(max(0, size - len(PARQUET)))
    return stream.read() == PARQUET


def is_complete_text(stream: BinaryIO, size: int) -> bool:
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
