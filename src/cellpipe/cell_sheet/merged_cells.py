"""Merged cells of a workbook: only the first holds the value, all others count as empty."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cellpipe.cell_sheet.row import FieldColumn
from cellpipe.core.model import Finding

_RANGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*ref=\"\$?([A-Z]+)\$?(\d+):\$?([A-Z]+)\$?(\d+)\"")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*?r:id=\"([^\"]+)\"")
_TARGET = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")


@dataclass(frozen=True)
class Merged:
    """A range of cells that are one; rows and columns from 0, the last ones included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


def read_merged_cells(content: bytes) -> tuple[Merged, ...]:
    """Return the merged cells of a workbook's first sheet; none if it has no such part."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            part = _first_sheet(book)
            text = book.read(part) if part else b""
    except (zipfile.BadZipFile, KeyError, NotImplementedError):  # an .xls, or no workbook
        return ()
    return tuple(
        Merged(int(top) - 1, _column_number(left), int(bottom) - 1, _column_number(right))
        for left, top, right, bottom in _RANGE.findall(text)
    )


def _first_sheet(book: zipfile.ZipFile) -> str | None:
    """Return the name of the part that holds the first sheet."""
    named = _SHEET.search(book.read("xl/workbook.xml"))
    if named is None:
        return None
    for each in _TARGET.findall(book.read("xl/_rels/workbook.xml.rels")):
        target = re.search(rb"Target=\"([^\"]+)\"", each)
        if target and re.search(rb"\bId=\"" + re.escape(named[1]) + rb"\"", each):
            path = target[1].decode()
            return path.lstrip("/") if path.startswith("/") else f"xl/{path}"
    return None


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number - 1


def merged_findings(
    merged: Sequence[Merged],
    row: int,
    cell_id: str,
    rows: Sequence[Sequence[str]],
    places: Mapping[str, FieldColumn],
) -> Iterator[Finding]:
    """Yield a finding for each field of a cell's row that is empty for it is merged with another.

    ``row`` counts from 0. A field whose merged cells are all empty says nothing.
    """
    for place in places.values():
        for one in merged:
            inside = one.first_row <= row <= one.last_row
            inside = inside and one.first_column <= place.column <= one.last_column
            is_first = (row, place.column) == (one.first_row, one.first_column)
            value = _value(rows, one.first_row, one.first_column)
            if not inside or is_first or not value:
                continue
            yield Finding(
                "warning", "merged_cells",
                f"Cell sheet, {place.field.header}: it is merged with the field that holds "
                f"'{value}', so it is empty for this cell.",
                remedy="Unmerge the cells in Excel, and write the value into each.",
                cell_id=cell_id,
            )  # fmt: skip


def _value(rows: Sequence[Sequence[str]], row: int, column: int) -> str:
    if row >= len(rows) or column >= len(rows[row]):
        return ""
    return rows[row][column].strip()
