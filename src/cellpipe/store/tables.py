"""Tables as parquet files: written whole or not at all, with units in the fields' metadata."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from arro3.core import Schema

from cellpipe.contracts import units
from cellpipe.result_files import file_name, written_whole


def table_path(folder: Path, table: str, key: str) -> Path:
    """Give the place of a table: ``key`` is a content's sha256 or a cell's id."""
    return folder / "tables" / table / f"{file_name(key)}.parquet"


def write_table(folder: Path, table: str, key: str, frame: pl.DataFrame) -> Path:
    """Write a table that kept its contract, with its units.

    Raises
    ------
    OSError
        If the folder can't be written.

    """
    described = units(table, frame.columns)
    fields = Schema.from_arrow(frame.schema)
    schema = Schema(
        [fields.field(name).with_metadata(described.get(name, {})) for name in fields.names],
        metadata={"table": table},
    )
    path = table_path(folder, table, key)
    written_whole(path, lambda file: frame.write_parquet(file, arrow_schema=schema))
    return path


def read_table(folder: Path, table: str, key: str) -> pl.DataFrame | None:
    """Read a table, or None where there is none."""
    path = table_path(folder, table, key)
    return pl.read_parquet(path) if path.is_file() else None
