"""Further tables on the page: the first rows of each, its columns' meanings, and where all are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import polars as pl

from cellpipe.report.further import FurtherColumn, FurtherTable
from cellpipe.report.html.cell_tables import format_text
from cellpipe.report.html.grid import Grid, GridColumn, build_grid
from cellpipe.report.wording import (
    NOTHING,
    format_integer,
    format_number,
    format_time,
)
from cellpipe.system.atomic_files import file_name

ROWS = 20


@dataclass(frozen=True)
class ShownTable:
    """A further table as the page shows it; ``place`` leads from the page to all of its rows."""

    name: str
    about: str
    rows: Grid
    columns: Grid
    count: str = ""
    place: str = ""


def shown_table(table: FurtherTable, cell_id: str) -> ShownTable:
    """Return what a cell's page shows of a further table: at most 20 rows."""
    columns = [_grid_column(column, table.rows[column.name].dtype) for column in table.columns]
    absent = "This cell has no row of this table."
    meanings = tuple((c.name, c.unit or NOTHING, c.meaning) for c in table.columns)
    height = table.rows.height
    few = height <= ROWS
    return ShownTable(
        table.name,
        f"{table.about} One row: {table.row}.",
        build_grid(table.rows.head(ROWS), columns, absent),
        Grid(("Column", "Unit", "Meaning"), meanings, frozenset({0, 1, 2})),
        f"All {height} rows" if few else f"The first {ROWS} of {height} rows; all of them",
        quote(str(PurePosixPath("..", "tables", table.name, f"{file_name(cell_id)}.parquet")))
        if height
        else "",
    )


def missing_table(table: FurtherTable, sentence: str) -> ShownTable:
    """Return what stands in the place of a further table that can't be shown."""
    blank = Grid((), (), absent=sentence)
    return ShownTable(table.name, table.about, blank, Grid((), ()))


def _grid_column(column: FurtherColumn, dtype: pl.DataType) -> GridColumn:
    is_text = not dtype.is_numeric() or column.is_clock
    return GridColumn(column.head, column.name, _writer(column, dtype), text=is_text)


def _writer(column: FurtherColumn, dtype: pl.DataType) -> Callable[[Any], str]:
    if column.is_clock or isinstance(dtype, pl.Datetime):
        return format_time
    if dtype.is_float():
        return partial(format_number, digits=5)
    if dtype.is_integer():
        return format_integer
    return _format_flag if dtype == pl.Boolean() else format_text


def _format_flag(value: bool | None) -> str:
    return NOTHING if value is None else "yes" if value else "no"
