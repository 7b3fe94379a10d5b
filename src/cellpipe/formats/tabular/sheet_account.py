"""Account for the rows of a workbook's sheet: its checksum, its stated extent, its empty rows.

fastexcel compares the bytes of a sheet with nothing, and gives rows that are missing in the file as
empty ones. Here the checksum in the archive is compared, the last row with the one that the sheet
states, and empty rows among the others are counted.
"""

from __future__ import annotations

import re
import struct
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding

try:  # three times as fast; it doesn't exist for every machine
    from isal.isal_zlib import crc32, decompressobj
except ImportError:
    from zlib import crc32, decompressobj  # type: ignore[assignment]

_EXTENT = re.compile(rb'<(?:\w+:)?dimension\b[^>]*?\bref="[A-Z]+\d+:[A-Z]+(\d+)"')
_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d+)"')
_HEAD_BYTES = 4096
_LOCAL_HEAD = 30
_STRINGS = "xl/sharedStrings.xml"
_LARGEST_MEMBER, _LARGEST_RATIO = 1 << 26, 300  # a sheet of numbers is compressed up to 30-fold
_SHOWN = 3


def check_sheet(path: Path, member: str, sheet: str) -> list[Finding]:
    """Compare a sheet with its checksum, and its last row with the one that it states.

    Parameters
    ----------
    path
        The workbook.
    member
        The sheet's path in the archive; none for an old .xls, of which nothing can be compared.
    sheet
        Its name.

    Raises
    ------
    DamagedFileError
        If the checksum is another one: any cell may be wrong.

    """
    if not member:
        return []
    status = path.stat()
    try:
        content = _read_member(path, member)
        strings = _are_strings_right(path, status.st_mtime_ns, status.st_size)
    except (zipfile.BadZipFile, KeyError, EOFError, RuntimeError):
        content, strings = None, False
    if content is None or not strings:
        raise DamagedFileError(
            f"a sheet {sheet!r} that does not have the checksum stated for it",
            expected="a whole Excel file",
            remedy="copy it again, or export it again: cells of the sheet are damaged",
        )
    stated, last = _EXTENT.search(content[:_HEAD_BYTES]), _last_row(content)
    if stated is None or last is None or last >= int(stated[1]):
        return []
    missing = int(stated[1]) - last
    sentence = (
        f"The sheet {sheet!r} states {int(stated[1])} rows and ends with row {last}: it was cut "
        "off or is damaged."
    )
    return [Finding("warning", "file_cut_off", sentence, missing)]


@lru_cache(maxsize=4)
def _are_strings_right(path: Path, _modified: int, _size: int) -> bool:
    """Return whether the texts of all sheets, which are in one member, have their checksum."""
    with zipfile.ZipFile(path) as archive:
        if _STRINGS not in archive.namelist():
            return True
    return _read_member(path, _STRINGS) is not None


def _read_member(path: Path, member: str) -> bytes | None:
    """Return a member's content, None if its checksum is another one."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
        if info.file_size > max(_LARGEST_MEMBER, _LARGEST_RATIO * info.compress_size):
            return None
        if info.compress_type != zipfile.ZIP_DEFLATED:
            return archive.read(info)
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        head = stream.read(_LOCAL_HEAD)
        name, extra = struct.unpack_from("<2H", head, 26)
        stream.seek(name + extra, 1)
        packed = stream.read(info.compress_size)
    try:
        content: bytes = decompressobj(-15).decompress(packed, info.file_size + 1)
    except Exception:  # ISA-L's error has no common base with zlib's
        return None
    is_right = len(content) == info.file_size and crc32(content) == info.CRC
    return content if is_right else None


def _last_row(content: bytes) -> int | None:
    """Return the number of the last row element; None if rows are not numbered."""
    at = content.rfind(b"<row ")
    if at < 0:
        at = content.rfind(b":row ")
    match = _ROW.search(content[max(at - 20, 0) : at + 200]) if at >= 0 else None
    return int(match[1]) if match else None


def leave_out_empty_rows(
    frame: pl.DataFrame, first_row: int, sheet: str
) -> tuple[pl.DataFrame, list[Finding]]:
    """Return the rows that hold something, and a finding of empty ones that others follow.

    Parameters
    ----------
    frame
        The rows of a sheet below its header.
    first_row
        The number of the first of them in the sheet.
    sheet
        The sheet's name.

    """
    is_empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not is_empty.any():
        return frame, []
    kept = frame.filter(~is_empty)
    empty = np.flatnonzero(is_empty.to_numpy())
    last = int((~is_empty).arg_true().max() or 0)  # type: ignore[arg-type]
    empty = empty[empty < last]
    if not empty.size or not kept.height:
        return kept, []
    begins = empty[np.flatnonzero(np.diff(empty, prepend=-2) > 1)] + first_row
    shown = ", ".join(str(row) for row in begins[:_SHOWN])
    more = " and others" if begins.size > _SHOWN else ""
    sentence = (
        f"{empty.size} rows of the sheet {sheet!r} are empty or missing, from row {shown}{more} "
        "on; records may be lost there."
    )
    return kept, [Finding("warning", "rows_missing", sentence, int(empty.size))]
