"""Read the sheets of a workbook (.xlsx, or an old .xls) with fastexcel.

The first rows of an .xlsx are read from its XML without reading the sheet, so that recognising a
file and determining the column types for fastexcel cost little.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, cast
from xml.etree import ElementTree

import fastexcel
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.archives import check_begins_the_file
from cellpipe.formats.format import Sample
from cellpipe.formats.tabular.delimited import unique_names
from cellpipe.formats.tabular.dialect import Match, split_header
from cellpipe.formats.tabular.sheet_account import check_sheet, leave_out_empty_rows
from cellpipe.system.change_time import change_time_ns

try:  # fastnda replaces zlib's inflate in the whole process by ISA-L's, which has its own errors
    from isal.igzip_lib import IsalError
except ImportError:  # ISA-L doesn't exist for this machine
    IsalError = zlib.error  # type: ignore[assignment]

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOOK = "xl/workbook.xml"
_FIRST_ROWS = 6
_NAMES = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\bname=\"([^\"]*)\"")
_INFLATE = cast("type[Exception]", IsalError)
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, _INFLATE, EOFError, OSError)
Kind = fastexcel.DType
_EXACT: tuple[Kind, Kind] = ("string", "float")
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """A sheet's name and the text of its first rows, empty cells as empty text.

    ``member`` is its path in the archive, empty in an old .xls.
    """

    name: str
    rows: Rows
    member: str = ""


def sheet_names(sample: Sample) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, none if the file is not a workbook.

    If an .xlsx was cut off, the names are read from its first bytes, where Excel writes them.
    """
    if sample.head.startswith(_OLE):
        return _fastexcel_names(sample.path)
    if not sample.head.startswith(_ZIP):
        return ()
    try:
        with zipfile.ZipFile(sample.path) as archive:
            return _parse_sheet_names(archive.read(_BOOK)) if _BOOK in archive.namelist() else ()
    except BROKEN_ZIP:
        return _parse_sheet_names(_inflate_member(sample.head, _BOOK.encode()))


def _fastexcel_names(path: Path) -> tuple[str, ...]:
    try:
        return tuple(fastexcel.read_excel(path.read_bytes()).sheet_names)
    except fastexcel.FastExcelError:
        return ()


def _parse_sheet_names(book: bytes) -> tuple[str, ...]:
    names = (name.decode("utf-8", "replace") for name in _NAMES.findall(book))
    return tuple(
        name.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
        for name in names
    )


def _inflate_member(head: bytes, name: bytes) -> bytes:
    """Inflate a member of a zip archive without its directory, as far as its bytes are there."""
    at = head.find(name) - 30
    if at < 0 or head[at : at + 4] != _ZIP:
        return b""
    start = at + 30 + len(name) + int.from_bytes(head[at + 28 : at + 30], "little")
    try:
        return zlib.decompressobj(-15).decompress(head[start:], 1 << 20)
    except (zlib.error, _INFLATE):
        return b""


def read_sheets(path: Path) -> tuple[Sheet, ...]:
    """Return the sheets of a workbook with their first rows.

    Raises
    ------
    DamagedFileError
        If the workbook can't be opened, or other bytes stand before it.

    """
    check_begins_the_file(path)
    return _known_sheets(path)


def _known_sheets(path: Path) -> tuple[Sheet, ...]:
    status = path.stat()
    return _cached_sheets(
        path, status.st_mtime_ns, status.st_size, change_time_ns(str(path), status)
    )


def try_read_sheets(path: Path) -> tuple[Sheet, ...]:
    """Return the sheets of a workbook, none if it can't be opened."""
    try:
        return _known_sheets(path)
    except DamagedFileError:
        return ()


@lru_cache(maxsize=4)
def _cached_sheets(
    path: Path, _modified: int, _size: int, _changed: int | None
) -> tuple[Sheet, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(_sheets_from_xml(archive))
    except (*BROKEN_ZIP, KeyError, ElementTree.ParseError, ValueError, IndexError, RuntimeError):
        return tuple(_sheets_from_fastexcel(path))


def _sheets_from_xml(archive: zipfile.ZipFile) -> Iterator[Sheet]:
    targets = {
        relationship.attrib["Id"]: relationship.attrib["Target"]
        for relationship in _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    for sheet in list(_elements(archive, _BOOK, "sheet")):
        relation = next(value for key, value in sheet.attrib.items() if key.endswith("}id"))
        target = targets[relation]
        member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        yield Sheet(sheet.attrib["name"], _first_rows(archive, member), member)


def _elements(archive: zipfile.ZipFile, member: str, tag: str) -> Iterator[ElementTree.Element]:
    with archive.open(member) as stream:
        yield from _parse_elements(stream, tag)


def _parse_elements(stream: IO[bytes], tag: str) -> Iterator[ElementTree.Element]:
    for _, element in ElementTree.iterparse(stream):  # noqa: S314 - expat bounds its entities
        if element.tag.rpartition("}")[2] == tag:
            yield element


def _first_rows(archive: zipfile.ZipFile, member: str) -> Rows:
    """Return the first rows as fastexcel returns them: from the first used row and column."""
    elements = list(islice(_elements(archive, member, "row"), _FIRST_ROWS))
    rows = [[_parse_cell(cell) for cell in row if cell.tag.endswith("}c")] for row in elements]
    shared = _shared_strings(archive, {int(t) for row in rows for _, kind, t in row if kind == "s"})
    placed: list[tuple[str, ...]] = []
    for element, row in zip(elements, rows, strict=True):
        texts = _place_cells([(at, shared[int(t)] if kind == "s" else t) for at, kind, t in row])
        gap = int(element.attrib.get("r", 0)) - int(elements[0].attrib.get("r", 0)) - len(placed)
        placed += [()] * (gap if placed else 0) + ([texts] if placed or any(texts) else [])
    margin = min((_margin(row) for row in placed if any(row)), default=0)
    return tuple(row[margin:] for row in placed)


def _margin(row: tuple[str, ...]) -> int:
    return next(place for place, text in enumerate(row) if text)


def _parse_cell(cell: ElementTree.Element) -> tuple[int | None, str, str]:
    """Return a cell's column (None: the next one), its kind and its text."""
    letters = re.match(r"[A-Z]+", cell.attrib.get("r", ""))
    column = None
    if letters:
        column = 0
        for letter in letters[0]:
            column = column * 26 + ord(letter) - 64
        column -= 1
    kind = cell.attrib.get("t", "n")
    if kind == "inlineStr":
        return column, kind, _text(cell)
    value = next((part.text or "" for part in cell if part.tag.endswith("}v")), "")
    return column, kind if value else "n", value


def _text(element: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in element.iter() if part.tag.endswith("}t"))


def _shared_strings(archive: zipfile.ZipFile, wanted: set[int]) -> Mapping[int, str]:
    if not wanted:
        return {}
    elements = _elements(archive, "xl/sharedStrings.xml", "si")
    first = islice(enumerate(elements), max(wanted) + 1)
    return {place: _text(element) for place, element in first if place in wanted}


def _place_cells(cells: list[tuple[int | None, str]]) -> tuple[str, ...]:
    row: list[str] = []
    for place, text in cells:
        row += [""] * ((len(row) if place is None else place) - len(row))
        row.append(text.strip())
    return tuple(row)


def _sheets_from_fastexcel(path: Path) -> Iterator[Sheet]:
    book = _open_workbook(path)
    for name in book.sheet_names:
        frame = _load_frame(book, name, 0, dtypes="string", n_rows=_FIRST_ROWS)
        rows = tuple(tuple((text or "").strip() for text in row) for row in frame.rows())
        yield Sheet(name, rows)


def _open_workbook(path: Path) -> fastexcel.ExcelReader:
    try:
        return fastexcel.read_excel(path.read_bytes())
    except fastexcel.FastExcelError as error:
        raise _damaged_file_error("a workbook that can't be opened") from error


def _damaged_file_error(found: str) -> DamagedFileError:
    return DamagedFileError(
        found,
        expected="a whole Excel file",
        remedy="copy it again: it may have been copied while it was being written",
    )


def column_names(sheet: Sheet, header: int) -> list[str]:
    """Return the unique column names from a sheet's header row."""
    return unique_names(sheet.rows[header])


def read_columns(
    path: Path,
    sheet: Sheet,
    header: int,
    matches: Sequence[Match],
    *,
    bare_seconds: bool,
    findings: list[Finding] | None = None,
) -> pl.DataFrame:
    """Read matched columns of a sheet below its header row, without its empty rows.

    Parameters
    ----------
    path
        The workbook.
    sheet
        The sheet.
    header
        The place of its header among its first rows.
    matches
        The columns to be read.
    bare_seconds
        A time without a unit is a number of seconds, not an Excel time.
    findings
        If given, the sheet's rows are accounted for, and what is found is added to it.

    Raises
    ------
    DamagedFileError
        If the sheet can't be read or, where its rows are accounted for, its checksum is wrong.

    """
    if findings is not None:
        findings += check_sheet(path, sheet.member, sheet.name)
    if len(sheet.rows) < header + 2:
        return pl.DataFrame(schema=dict.fromkeys((match.header for match in matches), pl.String))
    names, first = column_names(sheet, header), sheet.rows[header + 1]
    kinds: dict[str | int, Kind] = {}
    for match in matches:
        index = names.index(match.header)
        example = first[index] if index < len(first) else ""
        kinds[index] = _kind(example, match, bare_seconds=bare_seconds)
    wanted = sorted(index for index in kinds if isinstance(index, int))
    frame = _load_frame(
        _open_workbook(path), sheet.name, header + 1, use_columns=wanted, dtypes=kinds
    )
    frame = frame.rename(dict(zip(frame.columns, (names[i] for i in wanted), strict=True)))
    kept, empty = leave_out_empty_rows(frame, header + 2, sheet.name)
    if findings is not None:
        findings += empty
    return kept


def _kind(example: str, match: Match, *, bare_seconds: bool) -> Kind:
    """Return the type with which to read a column, from its target and its first cell's text.

    Numbers under a date are Excel days unless they are too large for that.
    """
    number = re.fullmatch(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", example) is not None
    if match.target == "step_type":
        return "string"
    if match.target == "unix_time_second":
        return "string" if not number else "datetime" if float(example) < 1e5 else "float"
    if match.target in {"test_time_second", "step_time_second"}:
        if not number:
            return "string"
        has_unit = bare_seconds or split_header(match.header)[1] is not None
        return "float" if has_unit else "duration"
    return "float"


def read_text_table(path: Path, sheet: str) -> pl.DataFrame:
    """Read a small sheet whose first row is its header as columns of text."""
    rows = read_texts(path, sheet)
    names = unique_names(rows[0]) if rows else []
    return pl.DataFrame(rows[1:], schema=dict.fromkeys(names, pl.String), orient="row")


def read_texts(path: Path, sheet: str) -> list[tuple[str, ...]]:
    """Read a small sheet as rows of text, empty cells as empty text."""
    return [tuple((cell or "").strip() for cell in row) for row in read_lines(path, sheet).rows()]


def read_exact_texts(path: Path, sheet: str) -> list[tuple[str, ...]]:
    """Read a small sheet as rows of text, its numbers with all their digits."""
    book = _open_workbook(path)
    texts, numbers = (_load_frame(book, sheet, 0, dtypes=kind).rows() for kind in _EXACT)
    return [
        tuple(
            (text or "").strip() if number is None else repr(number)
            for text, number in zip(row, values, strict=True)
        )
        for row, values in zip(texts, numbers, strict=True)
    ]


def read_lines(path: Path, sheet: str) -> pl.DataFrame:
    """Read a whole sheet as text, its columns named ``c0``, ``c1`` and so on."""
    frame = _load_frame(_open_workbook(path), sheet, 0, dtypes="string")
    return frame.rename({name: f"c{place}" for place, name in enumerate(frame.columns)})


def _load_frame(
    book: fastexcel.ExcelReader,
    sheet: str,
    skip: int,
    *,
    dtypes: Kind | dict[str | int, Kind],
    use_columns: Sequence[int] | None = None,
    n_rows: int | None = None,
) -> pl.DataFrame:
    try:
        loaded = book.load_sheet(
            sheet,
            header_row=None,
            skip_rows=skip,
            n_rows=n_rows,
            dtypes=dtypes,
            use_columns=list(use_columns) if use_columns is not None else None,
        )
    except fastexcel.FastExcelError as error:
        raise _damaged_file_error(f"a sheet {sheet!r} that can't be read") from error
    return loaded.to_polars()
