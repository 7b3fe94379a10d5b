"""What a file may claim, checked before anything is unpacked, and what reading it may take.

A small file can state sizes that no memory holds: a packed member of zeros, a value in the last
cell of a sheet, a line without an end. Real files are far from these bounds; what is beyond one is
refused by its name. What nobody foresaw is left to the bounds of the process that reads.
"""

from __future__ import annotations

import errno
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.system.worker_process import Bound

try:  # fastnda replaces zlib's inflate in the whole process by ISA-L's, which has its own errors
    from isal.igzip_lib import IsalError
except ImportError:  # ISA-L doesn't exist for this machine
    IsalError = zlib.error  # type: ignore[assignment]

_IsalError = cast("type[Exception]", IsalError)
_WRONG_DIRECTORY = (ValueError, OverflowError, NotImplementedError, RuntimeError, struct.error)
_ZIP, _PARQUET, _UTF16 = b"PK\x03\x04", b"PAR1", (b"\xff\xfe", b"\xfe\xff")
_LEAST_BYTES = 600 << 20  # of memory that any file may take
_BYTES_PER_BYTE = 160  # of memory; records of a packed .ndax take 145
_SECONDS, _BYTES_PER_SECOND = 600.0, 100_000
_MEMBERS = 2000  # real archives have up to some dozens
_ALWAYS_BYTES = 32 << 20  # unpacked: what any archive may hold
_RATIO = 60  # unpacked to packed, of a whole archive above that; real ones reach 12
_SMALL_MEMBERS = re.compile(r"(^|/)(workbook\.xml|styles\.xml|\[Content_Types\]\.xml|.*\.rels)$")
_SMALL_BYTES = 4 << 20
_CHUNK = 1 << 20
_TEXT_WINDOW = 1 << 17  # bytes; a cell holds at most 32,767 characters, 98,301 bytes
_ROW_BYTES = 2 << 20  # a sheet has at most 16,384 columns
_LINE_WINDOW, _LINE_LOOK = 1 << 15, 1 << 11  # real lines have up to 13,163 bytes
_CELLS, _PLACES_PER_CELL = 4_000_000, 10
_FAR = re.compile(rb' r="(?:[A-Za-z]{3}|[A-Za-z]{0,2}[0-9]{7}|[A-Za-z]{2}[0-9]{6})')
_PLACE = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,7})[\"']")
_PLACE_BYTES = 32  # of the longest such attribute, which may lie in two chunks
_VALUES, _VALUES_PER_BYTE = 20_000_000, 30  # of a parquet file


def reading_bound(size: int) -> Bound:
    """Return the memory and time that reading a file of so many bytes may take."""
    return Bound(_LEAST_BYTES + _BYTES_PER_BYTE * size, _SECONDS + size / _BYTES_PER_SECOND)


def check_sizes(path: Path, head: bytes) -> None:
    """Refuse an archive or a parquet file that states what can't be; ``head`` is its beginning.

    Raises
    ------
    DamagedFileError
        If it is beyond a bound, which the message names.
    OSError
        If it can't be read.

    """
    status = path.stat()
    try:
        if head.startswith(_ZIP):
            _check_archive(path, status.st_mtime_ns, status.st_size)
        elif head.startswith(_PARQUET):
            _check_parquet(path, status.st_size)
    except DamagedFileError as error:
        raise error.with_file(path) from error
    except _WRONG_DIRECTORY:
        return  # reading it says what is wrong
    except OSError as error:
        if error.errno not in {None, errno.EINVAL}:  # that is a place before the file's beginning
            raise


def check_lines(path: Path, head: bytes) -> None:
    """Refuse a text file with a line that is longer than an instrument's; else as above."""
    if b"\x00" in head and not head.startswith(_UTF16):
        return
    size = path.stat().st_size
    with path.open("rb") as stream:
        for begin in range(0, size, _LINE_WINDOW):
            stream.seek(begin)
            if not _has_line_end(stream):
                raise DamagedFileError(
                    f"a line of more than {_LINE_WINDOW:,} bytes at byte {begin:,}",
                    expected="one record in a line, as instruments write them",
                    remedy="export the file again from the instrument's program", file=path,
                )  # fmt: skip


def _has_line_end(stream: BinaryIO) -> bool:
    """Return whether a line, or the file, ends within a stretch: mostly in its first bytes."""
    for _ in range(0, _LINE_WINDOW, _LINE_LOOK):
        look = stream.read(_LINE_LOOK)
        if len(look) < _LINE_LOOK or b"\n" in look or b"\r" in look:
            return True
    return False


@lru_cache(maxsize=4)  # each recording in a workbook asks for it
def _check_archive(path: Path, _modified: int, size: int) -> None:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        return  # reading it says what is wrong
    with archive:
        members = archive.infolist()
        _check_members(members, size)
        if any(member.filename.lower() == "xl/workbook.xml" for member in members):
            for member in members:
                _check_workbook_member(archive, member)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Check what the archive's directory says of its members."""
    if len(members) > _MEMBERS:
        raise _beyond(f"an archive of {len(members):,} members", f"at most {_MEMBERS:,}")
    for name, count in Counter(member.filename for member in members).items():
        if count > 1:
            raise _beyond(f"an archive with {count} members {name!r}", "one of each name")
    total, most = sum(member.file_size for member in members), max(_ALWAYS_BYTES, _RATIO * size)
    if total > most:
        largest = max(members, key=lambda member: member.file_size)
        raise _beyond(
            f"{size:,} bytes that unpack to {total:,} bytes, {largest.file_size:,} of them in "
            f"{largest.filename!r}",
            f"at most {most:,}",
        )
    for member in members:
        if _SMALL_MEMBERS.search(member.filename) and member.file_size > _SMALL_BYTES:
            raise _beyond(
                f"a member {member.filename!r} of {member.file_size:,} bytes",
                f"at most {_SMALL_BYTES:,}",
            )


def _check_workbook_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Check that a member is as long as stated, the length of its texts, and where its cells are.

    Readers of workbooks reserve memory for every place of the rectangle around all cells.
    """
    name, is_far, tail, since_row = member.filename, False, b"", 0
    is_xml = name.lower().endswith(".xml")
    try:
        for chunk in _read_chunks(archive, member):
            if is_xml and _has_long_text(chunk):
                raise _beyond(
                    f"a text of more than {_TEXT_WINDOW:,} bytes in one cell of {name!r}",
                    "at most 32,767 characters in a cell",
                )
            since_row = 0 if b"row" in chunk else since_row + len(chunk)
            if since_row > _ROW_BYTES and name.startswith("xl/worksheets/"):
                raise _beyond(f"a row of more than {_ROW_BYTES:,} bytes in {name!r}", "table rows")
            joined = tail + chunk
            tail = joined[-_PLACE_BYTES:]
            is_far = is_far or bool(_FAR.search(joined)) or b" r='" in joined
        if is_far:
            _check_places(name, _read_chunks(archive, member))
    except (zipfile.BadZipFile, zlib.error, _IsalError, EOFError) as error:
        raise _beyond(
            f"a member {name!r} that does not unpack to the {member.file_size:,} bytes it states",
            "a whole workbook",
        ) from error
    except (NotImplementedError, RuntimeError):  # packed in another way, or encrypted
        return


def _read_chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _has_long_text(chunk: bytes) -> bool:
    """Return whether there is no tag for so long that a text is longer than a cell's may be."""
    begins = range(0, len(chunk) - _TEXT_WINDOW + 1, _TEXT_WINDOW)
    return any(chunk.find(b"<", at, at + _TEXT_WINDOW) < 0 for at in begins)


def _check_places(name: str, chunks: Iterator[bytes]) -> None:
    """Compare the rectangle around a sheet's cells with how many there are."""
    cells, tail, columns, rows = 0, b"", _Furthest(), _Furthest()
    for chunk in chunks:
        joined = tail + chunk
        tail = joined[-_PLACE_BYTES:]
        for letters, digits in _PLACE.findall(joined):
            cells += 1
            columns.see(column_number(letters), letters + digits)
            rows.see(int(digits), letters + digits)
    places = columns.number * rows.number
    if places > max(_CELLS, _PLACES_PER_CELL * cells):
        far = columns if columns.number > 702 or rows.number < 1 << 16 else rows
        raise DamagedFileError(
            f"a value in cell {far.cell} of {name!r}, far outside the table: {places:,} places for "
            f"{cells:,} cells",
            expected="cells that lie together",
            remedy="delete the rows and columns around that cell, and save the workbook again",
        )


@dataclass
class _Furthest:
    """The largest number of a column or row, and the cell that has it."""

    number: int = 0
    cell: str = ""

    def see(self, number: int, cell: bytes) -> None:
        if number > self.number:
            self.number, self.cell = number, cell.decode("ascii").upper()


def column_number(letters: bytes) -> int:
    """Return the number of a column from its letters: 1 for A, 16384 for XFD."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _check_parquet(path: Path, size: int) -> None:
    try:
        frame = pl.scan_parquet(path, glob=False)
        columns = len(frame.collect_schema())
        rows = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return  # reading it says what is wrong
    most = max(_VALUES, _VALUES_PER_BYTE * size)
    if rows * columns > most:
        raise _beyond(f"{size:,} bytes that state {rows:,} rows of {columns}", f"{most:,} values")


def _beyond(found: str, expected: str) -> DamagedFileError:
    return DamagedFileError(
        found, expected=expected,
        remedy="copy it again from the instrument, or save it again with the program that wrote it",
    )  # fmt: skip
