"""Further tables in the workbook: a sheet for each, and one with what their columns mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from cellpipe.report.excel.sheets import FIXED_0, TEXT, SheetColumn
from cellpipe.report.further import FurtherColumn, FurtherTable
from cellpipe.report.wording import format_time

ROWS = 10_000  # of a sheet: more are in the table's file only
MEANINGS = "Further tables"
_LONGEST_NAME = 31
_GENERAL = "General"


def further_columns(table: FurtherTable) -> list[SheetColumn]:
    """Return the first 10,000 rows of a further table."""
    rows = table.rows.head(ROWS)
    return [_sheet_column(column, rows[column.name]) for column in table.columns]


def meaning_columns(tables: Sequence[FurtherTable]) -> list[SheetColumn]:
    """Return what the columns of all further tables mean, one column of a table a row."""
    rows = [(table, column) for table in tables for column in table.columns]
    return [
        SheetColumn("Table", [table.name for table, _ in rows], TEXT, 24),
        SheetColumn("Rows of the cell", [table.rows.height for table, _ in rows], FIXED_0),
        SheetColumn("On its sheet", [min(t.rows.height, ROWS) for t, _ in rows], FIXED_0),
        SheetColumn("Column", [column.name for _, column in rows], TEXT, 30),
        SheetColumn("Unit", [column.unit for _, column in rows], TEXT, 10),
        SheetColumn("Meaning", [column.meaning for _, column in rows], TEXT, 80),
        SheetColumn("The table is", [table.about for table, _ in rows], TEXT, 60),
    ]


def sheet_names(tables: Sequence[FurtherTable], taken: Iterable[str]) -> list[str]:
    """Return a name for the sheet of each table that Excel takes and that no other sheet has."""
    used = {name.casefold() for name in taken}
    names = []
    for table in tables:
        plain = re.sub(r"[\[\]:*?/\\']", "_", table.name)[:_LONGEST_NAME]
        name, number = plain, 2
        while name.casefold() in used:
            name = f"{plain[: _LONGEST_NAME - 4]} {number}"
            number += 1
        used.add(name.casefold())
        names.append(name)
    return names


def _sheet_column(column: FurtherColumn, values: pl.Series) -> SheetColumn:
    if column.is_clock or isinstance(values.dtype, pl.Datetime):
        times = [None if value is None else format_time(value) for value in values.to_list()]
        return SheetColumn(column.head, times, TEXT, 17)
    if values.dtype.is_integer():
        return SheetColumn(column.head, values.to_list(), FIXED_0, 14)
    style = _GENERAL if values.dtype.is_float() else TEXT
    return SheetColumn(column.head, values.to_list(), style, 18)
