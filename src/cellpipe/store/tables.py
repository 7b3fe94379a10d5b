"""Read and write tables as parquet files, atomically, with units in the fields' metadata."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl
from arro3.core import Schema

from cellpipe.core.contracts import column_metadata, load_schema
from cellpipe.core.errors import DamagedTableError
from cellpipe.store.layout import LAB, table_path
from cellpipe.system.atomic_files import atomic_write


def write_table(folder: Path, table: str, key: str, frame: pl.DataFrame) -> Path:
    """Write a validated table with its units.

    A table of a raw file gets a last column ``file_sha256``, so that a program that reads many of
    them can tell their rows apart, and find the file, its cell and its start in the table
    ``files``.

    Raises
    ------
    StoreError
        If the folder can't be written.

    """
    described = column_metadata(table, frame.columns)
    if key != LAB and "cell_id" not in load_schema(table).columns:
        frame = frame.with_columns(file_sha256=pl.lit(key, pl.String))
        described["file_sha256"] = {"meaning": "Content of the raw file; see the table files."}
    fields = Schema.from_arrow(frame.schema)
    arrow = Schema(
        [fields.field(name).with_metadata(described.get(name, {})) for name in fields.names],
        metadata={"table": table},
    )
    path = table_path(folder, table, key)

    def write(file: Path) -> None:
        try:
            frame.write_parquet(file, arrow_schema=arrow)
        except pl.exceptions.ComputeError as error:
            match = re.search(r"(.*) \(os error \d+\)", str(error))
            if match is None:
                raise
            raise OSError(None, match[1]) from error

    return atomic_write(path, write)


def read_table(
    folder: Path, table: str, key: str, columns: Collection[str] | None = None
) -> pl.DataFrame | None:
    """Read a table, or those of some columns that it has; return None if there is none.

    Raises
    ------
    DamagedTableError
        If the file exists and can't be read.

    """
    path = table_path(folder, table, key)
    if not path.is_file():
        return None
    try:
        if columns is None:
            return pl.read_parquet(path, glob=False)
        there = [name for name in pl.read_parquet_schema(path) if name in columns]
        return pl.read_parquet(path, glob=False, columns=there)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DamagedTableError(
            f"a table that can't be read ({type(error).__name__})", expected="a whole parquet file",
            remedy="the next run puts it aside and makes it again", file=path,
        ) from error  # fmt: skip
