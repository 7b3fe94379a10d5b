"""The content of a cell sheet: the rows of a workbook or of a .csv, within bounds."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cellpipe.cell_sheet.merged_cells import Merged, read_merged_cells
from cellpipe.core.errors import CellSheetError, DamagedFileError
from cellpipe.system.file_bounds import check_lines, check_sizes
from cellpipe.system.regular_files import is_special, read_regular

LARGEST_SHEET = 16 << 20  # bytes of a cell sheet; one of ten thousand rows has a fourth of it
_BEGINNING = 20  # lines, within which the headers are
MOST_ROWS, MOST_COLUMNS = 100_000, 1_000


def read_rows(path: Path) -> tuple[list[list[str]], Sequence[Merged]]:
    """Return a sheet's rows, and which of a workbook's cells are merged.

    Raises
    ------
    CellSheetError
        If it can't be opened, or is no table.

    """
    try:
        content = read_bounded_content(path)
    except PermissionError as error:
        raise CellSheetError(
            "a file that is locked", expected="a file that can be read",
            remedy="close it in Excel and start again", file=path.name,
        ) from error  # fmt: skip
    except OSError as error:
        if not is_special(path):
            raise
        raise CellSheetError(
            "a pipe, a socket or a device", expected="a file", remedy="put the sheet in its place",
            file=path.name,
        ) from error  # fmt: skip
    if path.suffix.lower() == ".csv":
        return parse_csv_rows(content, path.name), ()
    import fastexcel

    try:
        sheet = fastexcel.read_excel(content).load_sheet(
            0, header_row=None, skip_rows=0, dtypes="string"
        )
    except Exception as error:
        raise CellSheetError(
            "content that is no workbook", expected="an .xlsx workbook",
            remedy="save it again from Excel, or as cells.csv", file=path.name,
        ) from error  # fmt: skip
    _check_shape(sheet.height, sheet.width, path.name)
    rows = [[str(v) if v is not None else "" for v in row] for row in sheet.to_polars().rows()]
    return rows, read_merged_cells(content)


def _check_shape(rows: int, columns: int, name: str) -> None:
    """Refuse a table with more rows or columns than one of cells has."""
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        found = f"{rows:,} rows" if rows > MOST_ROWS else f"{columns:,} columns"
        raise CellSheetError(
            f"a table of {found}", expected=f"at most {MOST_ROWS:,} rows and {MOST_COLUMNS:,} "
            "columns", file=name,
            remedy="delete the empty rows and columns around the table, and what is no row of it",
        )  # fmt: skip


def read_bounded_content(path: Path) -> bytes:
    """Return the bytes of a cell sheet or of baselines, if they are no more than such a table has.

    Raises
    ------
    CellSheetError
        If the file is beyond a bound, which the message names.
    OSError
        If it can't be read.

    """
    size = path.stat().st_size
    if size > LARGEST_SHEET:
        raise CellSheetError(
            f"a file of {size:,} bytes", expected=f"a table of at most {LARGEST_SHEET:,} bytes",
            remedy="keep what is no row of a cell in another file", file=path.name,
        )  # fmt: skip
    content = read_regular(path)
    try:
        check_sizes(path, content)
        check_lines(path, content)
    except DamagedFileError as error:
        raise CellSheetError(
            error.found, expected=error.expected, remedy=error.remedy, file=path.name
        ) from error
    return content


def parse_csv_rows(content: bytes, name: str) -> list[list[str]]:
    """Parse the rows of a .csv from Excel: commas, semicolons or tabs, Unicode or Windows-1252.

    Raises
    ------
    CellSheetError
        If it is no table, or one of too many rows or columns; ``name`` is the file's in messages.

    """
    try:
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    lines = text.split("\n", _BEGINNING)[:_BEGINNING]
    first = next((line for line in lines if "cell id" in line.lower()), lines[0])  # or a title
    separator = max(",;\t", key=first.count)
    rows = max(text.count("\n"), text.count("\r"))
    _check_shape(rows, first.count(separator) + 1, name)
    try:
        return list(csv.reader(io.StringIO(text, newline=None), delimiter=separator))
    except csv.Error as error:
        raise CellSheetError(
            f"text that is no table ({error})", expected="one row per cell",
            remedy="save it again from Excel as CSV or .xlsx", file=name,
        ) from error  # fmt: skip
