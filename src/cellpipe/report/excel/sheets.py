"""Write a table to a sheet: units in the head, blanks for nulls, formulas with values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xlsxwriter.worksheet import Worksheet

HEAD = "head"
FIXED_0, FIXED_1, FIXED_2, FIXED_3, FIXED_4 = "0", "0.0", "0.00", "0.000", "0.0000"
PERCENT, SCIENTIFIC, TEXT = "0.00%", "0.000E+00", "@"
_LONGEST_TEXT = 32_000
_NUMBERS = frozenset({int, float})


@dataclass(frozen=True)
class Formula:
    """A live formula and the value that the table holds for it."""

    text: str
    value: float


@dataclass(frozen=True)
class SheetColumn:
    """One column of a sheet; ``values`` are numbers, texts, formulas, or None for a blank.

    ``key`` is the column of the table that it shows: formulas and charts find it by that.
    """

    head: str
    values: Sequence[object]
    style: str = TEXT
    width: float = 11.0
    key: str = ""


class SheetLayout:
    """Where the columns of a sheet lie, by their keys; nothing else knows letters or numbers."""

    def __init__(self, name: str, columns: Sequence[SheetColumn]) -> None:
        self.name = name
        self._places = {each.key: place for place, each in enumerate(columns) if each.key}

    def letter(self, key: str) -> str:
        """Return the letter of a column; a key that the sheet does not have is a KeyError."""
        return column_letter(self._places[key])

    def column_range(self, key: str, rows: int) -> str:
        """Return a column's cells below the head, for a formula on another sheet."""
        letter = self.letter(key)
        return f"{self.name}!{letter}2:{letter}{rows + 1}"

    def chart_series(self, x: str, y: str, rows: tuple[int, int]) -> dict[str, list[str | int]]:
        """Return the cells that a chart reads: x and y from the first to the last of rows.

        Rows count from 1, the first one below the head.
        """
        first, last = rows
        across, up = self._places[x], self._places[y]
        return {
            "categories": [self.name, first, across, last, across],
            "values": [self.name, first, up, last, up],
        }


@dataclass(frozen=True)
class Book:
    """A workbook being written, with its cell formats."""

    workbook: Any
    formats: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def style(self, number: str = TEXT, *marks: str) -> Any:
        """Return the format for a number format and marks, such as head, title, wrong or left."""
        key = (number, *marks)
        if key not in self.formats:
            look: dict[str, object] = {"font_name": "Arial", "font_size": 10, "num_format": number}
            if number == TEXT:
                look["indent"] = 1
            for mark in marks:
                look |= _MARKS[mark]
            self.formats[key] = self.workbook.add_format(look)
        return self.formats[key]


_MARKS: dict[str, dict[str, object]] = {
    HEAD: {
        "bold": True,
        "bg_color": "#DCE6F1",
        "bottom": 1,
        "text_wrap": True,
        "valign": "vcenter",
    },
    "title": {"bold": True, "font_size": 14},
    "wrong": {"bold": True, "font_color": "#A8201A", "bg_color": "#FDEEEE"},
    "input": {"font_color": "#0000FF"},
    "soft": {"font_color": "#5A6572", "italic": True},
    "wrap": {"text_wrap": True, "valign": "top"},
    "left": {"align": "left", "indent": 1},
}


class Sheet(Worksheet):  # type: ignore[misc]  # xlsxwriter has no types
    """A sheet whose formulas use only functions of Excel 2007 and before.

    xlsxwriter searches each formula for about thirty newer functions, which took a third of a
    workbook's time; no formula here uses any of them.
    """

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:  # noqa: ARG002 - the library's own signature
        return formula.removeprefix("=")


def write_sheet(book: Book, name: str, columns: Sequence[SheetColumn], absent: str) -> None:
    """Write a table as a sheet with a frozen head, a frozen first column and filters.

    A table without rows shows the sentence ``absent``.
    """
    sheet = book.workbook.add_worksheet(name, Sheet)
    rows = max((len(column.values) for column in columns), default=0)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column.head, book.style(TEXT, HEAD))
        sheet.set_column(place, place, column.width)
        _write_column(sheet, place, column, book.style(column.style))
    sheet.set_row(0, 45)
    sheet.freeze_panes(1, 1)
    if rows:
        sheet.autofilter(0, 0, rows, len(columns) - 1)
    else:
        sheet.write_string(1, 0, absent, book.style(TEXT, "soft"))
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _write_column(sheet: Any, place: int, column: SheetColumn, look: Any) -> None:
    """Write the values of a column; numbers, the most frequent, by the fastest call."""
    write: Any = sheet.write_number
    finite: Any = math.isfinite
    for row, value in enumerate(column.values, start=1):
        if value.__class__ in _NUMBERS and finite(value):
            write(row, place, value, look)
        elif value is not None:
            write_value(sheet, row, place, value, look)


def write_value(sheet: Any, row: int, column: int, value: object, look: Any) -> None:
    """Write one cell: text as text whatever it looks like; null, NaN and infinity as blank."""
    if isinstance(value, Formula):
        sheet.write_formula(row, column, value.text, look, value.value)
    elif isinstance(value, bool):
        sheet.write_string(row, column, "yes" if value else "no", look)
    elif isinstance(value, (int, float)):
        if math.isfinite(value):
            sheet.write_number(row, column, value, look)
    elif value is not None:
        sheet.write_string(row, column, str(value)[:_LONGEST_TEXT], look)


def formula_or_value(
    text: str, computed: float | None, value: float | None
) -> Formula | float | None:
    """Return a formula if it yields the table's value, else the table's value itself.

    ``computed`` is the formula's value by the same arithmetic; the table's value takes precedence.
    """
    if value is None or computed is None:
        return value
    same = math.isclose(computed, value, rel_tol=1e-9, abs_tol=1e-12)
    return Formula(text, value) if same else value


def column_letter(place: int) -> str:
    """Return the letters of a column by its index from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
