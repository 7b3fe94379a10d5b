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
_DAMAGED_DIRECTORY = "a zip file or workbook with a damaged directory: its members can't be found"
_ZIP, _PARQUET, _UTF16 = b"PK\x03\x04", b"PAR1", (b"\xff\xfe", b"\xfe\xff")
_LEAST_BYTES = 600 << 20  # of memory that any file may take
_BYTES_PER_BYTE = 160  # of memory; records of a packed .ndax take 145
_WORKBOOK_BYTES_PER_BYTE = 60  # of memory; real workbooks take 27, and any may hold pictures
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls"})
_SECONDS, _BYTES_PER_SECOND = 600.0, 100_000
_MEMBERS = 2000  # real archives have up to some dozens
_ALWAYS_BYTES = 32 << 20  # unpacked: what any archive may hold
_RATIO = 60  # unpacked to packed, of an archive or member above that; real ones reach 12
_PACKED_RATIO = 1.5  # what is packed less well holds no table, and counts for nothing
_SMALL_MEMBERS = re.compile(r"(^|/)(workbook\.xml|styles\.xml|\[Content_Types\]\.xml|.*\.rels)$")
_SMALL_BYTES = 4 << 20
_BOOK = re.compile(r"(^|[/\\])workbook\.xml$", re.IGNORECASE)
_CHUNK = 1 << 20
_TEXT_WINDOW = 1 << 17  # bytes; a cell holds at most 32,767 characters, 98,301 bytes
_ROW_BYTES = 2 << 20  # a sheet has at most 16,384 columns
_LINE_WINDOW, _LINE_LOOK = 1 << 19, 1 << 11  # real lines of records have up to 13,163 bytes
_SHORT_LINES_BYTES = 8 << 20  # of stretches with lines of less than that many bytes on average:
_LEAST_LINE = 10  # real files have 41 and more
_CELLS, _PLACES_PER_CELL = 4_000_000, 10
_SHEET_COLUMNS, _SHEET_ROWS = 16_384, 1_048_576
_FAR = re.compile(
    rb'<c r="(?:[A-Za-z]{3}|[B-Zb-z][A-Za-z][0-9]{5}|[A-Za-z]{0,2}[0-9]{6}|[^A-Za-z])'
)
_PREFIXED = re.compile(rb"<[^\s<>:]+:c[\s/>]")
_PLACE = re.compile(
    rb"<(?:[^\s<>:/]+:)?(c|row)(?=[\s/>])|\sr\s*=\s*[\"']([A-Za-z]{0,9})([0-9]{1,9})(?![0-9])"
)
_VALUES, _VALUES_PER_BYTE = 20_000_000, 30  # of a parquet file


def reading_bound(size: int, suffix: str = "") -> Bound:
    """Return the memory and time that reading a file of so many bytes and this kind may take."""
    is_workbook = suffix.lower() in _WORKBOOKS
    per_byte = _WORKBOOK_BYTES_PER_BYTE if is_workbook else _BYTES_PER_BYTE
    return Bound(_LEAST_BYTES + per_byte * size, _SECONDS + size / _BYTES_PER_SECOND)


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
    """Refuse a text file with lines that are longer, or shorter, than an instrument's.

    Raises
    ------
    DamagedFileError
        If one line is too long, or millions are too short, as empty ones are.
    OSError
        If it can't be read.

    """
    if b"\x00" in head and not head.startswith(_UTF16):
        return
    size, short, lines = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        for begin in range(0, size, _LINE_WINDOW):
            stream.seek(begin)
            if not _has_line_end(stream):
                raise _wrong_lines(
                    path, f"a line of more than {_LINE_WINDOW:,} bytes at byte {begin:,}"
                )
        stream.seek(0)
        while size > _SHORT_LINES_BYTES and (chunk := stream.read(_CHUNK)):
            ends = max(chunk.count(b"\n"), chunk.count(b"\r"))
            if len(chunk) < _LEAST_LINE * ends:
                short, lines = short + len(chunk), lines + ends
    if short > _SHORT_LINES_BYTES:
        raise _wrong_lines(path, f"{lines:,} lines in {short:,} bytes, empty ones or almost")


def _wrong_lines(path: Path, found: str) -> DamagedFileError:
    return DamagedFileError(
        found, expected="one record in a line, as instruments write them",
        remedy="export the file again from the instrument's program", file=path,
    )  # fmt: skip


def _has_line_end(stream: BinaryIO) -> bool:
    """Return whether a line, or the file, ends within a stretch: mostly in its first bytes.

    Zeros end a line, too: they are no part of one, and its reader says so.
    """
    for _ in range(0, _LINE_WINDOW, _LINE_LOOK):
        look = stream.read(_LINE_LOOK)
        if len(look) < _LINE_LOOK or any(end in look for end in (b"\n", b"\r", b"\x00")):
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
        if any(_BOOK.search(member.filename) for member in members):
            for member in members:
                _check_workbook_member(archive, member)


def archive_damage(path: Path) -> str:
    """Return what is wrong with the directory of an archive, empty if nothing is."""
    if not zipfile.is_zipfile(path):
        return "a zip file or workbook that was cut off"
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist()[:_MEMBERS]:
                archive.open(member).close()
    except (zipfile.BadZipFile, OSError, EOFError, *_WRONG_DIRECTORY) as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        return _DAMAGED_DIRECTORY
    return ""


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Check what the archive's directory says of its members."""
    if len(members) > _MEMBERS:
        raise _beyond(f"an archive of {len(members):,} members", f"at most {_MEMBERS:,}")
    for name, count in Counter(member.filename for member in members).items():
        if count > 1:
            raise _beyond(f"an archive with {count} members {name!r}", "one of each name")
    tables = [m for m in members if m.file_size > _PACKED_RATIO * m.compress_size]
    packed = min(size, sum(member.compress_size for member in tables))  # they may overlap
    total = sum(member.file_size for member in tables)
    largest = max(tables, key=lambda m: m.file_size / max(m.compress_size, 1 << 19), default=None)
    if largest is not None and largest.file_size > _most_bytes(largest.compress_size):
        packed, total = min(size, largest.compress_size), largest.file_size
    if largest is not None and total > _most_bytes(packed):
        raise _beyond(
            f"{packed:,} bytes that unpack to {total:,} bytes, {largest.file_size:,} of "
            f"them in {largest.filename!r}",
            f"at most {_most_bytes(packed):,}",
        )
    for member in members:
        if _SMALL_MEMBERS.search(member.filename) and member.file_size > _SMALL_BYTES:
            raise _beyond(
                f"a member {member.filename!r} of {member.file_size:,} bytes",
                f"at most {_SMALL_BYTES:,}",
            )


def _most_bytes(packed: int) -> int:
    """Return how many bytes so many packed ones may unpack to."""
    return max(_ALWAYS_BYTES, _RATIO * packed)


def _check_workbook_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Check that a member is as long as stated, the length of its texts, and where its cells are.

    Readers of workbooks reserve memory for every place of the rectangle around all cells. A sheet
    may have any name; what holds ``sheetData`` is one.
    """
    name, is_sheet, is_far, since_row = member.filename, False, False, 0
    is_xml = name.lower().endswith(".xml")
    try:
        for chunk in _read_tags(archive, member):
            is_sheet = is_sheet or b"sheetData" in chunk
            if (is_xml or is_sheet) and _has_long_text(chunk):
                raise _beyond(
                    f"a text of more than {_TEXT_WINDOW:,} bytes in one cell of {name!r}",
                    "at most 32,767 characters in a cell",
                )
            since_row = 0 if b"row" in chunk else since_row + len(chunk)
            if is_sheet and since_row > _ROW_BYTES:
                raise _beyond(f"a row of more than {_ROW_BYTES:,} bytes in {name!r}", "table rows")
            is_far = is_far or (is_sheet and _may_be_far(chunk))
        if is_far:
            _check_places(name, _read_tags(archive, member))
    except (zipfile.BadZipFile, zlib.error, _IsalError, EOFError) as error:
        if "CRC" in str(error):
            raise _beyond(
                f"a member {name!r} whose checksum is wrong: its bytes were changed, or not the "
                f"{member.file_size:,} that it states",
                "a whole workbook",
            ) from error
        if isinstance(error, zipfile.BadZipFile):
            raise _beyond(_DAMAGED_DIRECTORY, "a whole workbook") from error
        raise _beyond(
            f"a member {name!r} that does not unpack to the {member.file_size:,} bytes it states",
            "a whole workbook",
        ) from error
    except (NotImplementedError, RuntimeError):  # packed in another way, or encrypted
        return


def _read_tags(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in stretches that end before a tag begins, if one does."""
    rest = b""
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            joined = rest + chunk
            end = joined.rfind(b"<", len(joined) - _TEXT_WINDOW)
            end = len(joined) if end < 0 else end
            rest = joined[end:]
            yield joined[:end]
    yield rest


def _has_long_text(chunk: bytes) -> bool:
    """Return whether there is no tag for so long that a text is longer than a cell's may be."""
    begins = range(0, len(chunk) - _TEXT_WINDOW + 1, _TEXT_WINDOW)
    return any(chunk.find(b"<", at, at + _TEXT_WINDOW) < 0 for at in begins)


def _may_be_far(chunk: bytes) -> bool:
    """Return whether a cell states a place far away, or does not state it as programs do."""
    cells = sum(chunk.count(b"<c" + end) for end in (b" ", b">", b"/", b"\n", b"\r", b"\t"))
    return (
        cells > chunk.count(b'<c r="')
        or _FAR.search(chunk) is not None
        or (b":c" in chunk and _PREFIXED.search(chunk) is not None)
    )


def _check_places(name: str, chunks: Iterator[bytes]) -> None:
    """Compare the rectangle around a sheet's cells with how many there are.

    A cell that states no place is the next one in its row.
    """
    cells, row, in_row, columns, rows = 0, 0, 0, _Furthest(), _Furthest()
    for chunk in chunks:
        for tag, letters, digits in _PLACE.findall(chunk):
            if tag == b"row":
                row, in_row = row + 1, 0
            elif tag:
                cells, in_row = cells + 1, in_row + 1
                columns.see(in_row, f"row {row}")
                rows.see(row, f"row {row}")
            elif letters:
                cell = f"cell {(letters + digits).decode('ascii').upper()}"
                columns.see(column_number(letters), cell)
                rows.see(int(digits), cell)
            else:
                row = max(row, int(digits))
    places = columns.number * rows.number
    is_outside = columns.number > _SHEET_COLUMNS or rows.number > _SHEET_ROWS
    if is_outside or places > max(_CELLS, _PLACES_PER_CELL * cells):
        far = columns if columns.number > 702 or rows.number < 1 << 16 else rows
        raise DamagedFileError(
            f"a value in {far.place} of {name!r}, far outside the table: {places:,} places for "
            f"{cells:,} cells",
            expected="cells that lie together",
            remedy="delete the rows and columns around it, and save the workbook again",
        )


@dataclass
class _Furthest:
    """The largest number of a column or row, and the cell or row that has it."""

    number: int = 0
    place: str = ""

    def see(self, number: int, place: str) -> None:
        is_named = number == self.number and self.place.startswith("row") and "cell" in place
        if number > self.number or is_named:
            self.number, self.place = number, place


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
