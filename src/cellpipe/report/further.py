"""Tables that analyses of packages make: what a report shows of them without knowing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from cellpipe.core.contracts import column_metadata, empty_table, load_schema

_CLOCK = "unix_time_second"


@dataclass(frozen=True)
class FurtherColumn:
    """A column of such a table: its name and unit as the head says them, and what it means."""

    name: str
    unit: str
    meaning: str

    @property
    def is_clock(self) -> bool:
        """Whether it holds seconds since 1970, which people read as a time."""
        return self.name.endswith(_CLOCK)

    @property
    def head(self) -> str:
        """Name and unit."""
        unit = "UTC" if self.is_clock else self.unit
        return f"{self.name} ({unit})" if unit not in {"", "1"} else self.name


@dataclass(frozen=True)
class FurtherTable:
    """A cell's rows of such a table, without ``cell_id``, and what its schema says."""

    name: str
    about: str
    row: str
    columns: tuple[FurtherColumn, ...]
    rows: pl.DataFrame


def collect_further(
    tables: Mapping[str, pl.DataFrame], names: Iterable[str]
) -> tuple[FurtherTable, ...]:
    """Return a cell's further tables, in the order of their analyses."""
    return tuple(_describe(name, tables.get(name)) for name in names)


def _describe(name: str, table: pl.DataFrame | None) -> FurtherTable:
    schema = load_schema(name)
    rows = (empty_table(name) if table is None else table).drop("cell_id")
    said = column_metadata(name, rows.columns)
    columns = tuple(
        FurtherColumn(column, said[column].get("unit", ""), said[column].get("meaning", ""))
        for column in rows.columns
    )
    return FurtherTable(name, schema.about, schema.row, columns, rows)
