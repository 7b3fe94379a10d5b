"""Tables of many cells in one file, so that a query about the whole lab opens one file, not all.

``gathered/<table>.parquet`` holds the rows of ``tables/<table>/*.parquet`` as they were when it was
written, and in its metadata the size and time of each of those files. It may be deleted at any
time: files that are newer, or not in it, are read directly. Their schemas say which tables are
consolidated.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import polars as pl

from cellpipe.core.contracts import empty_table, load_schema, table_names
from cellpipe.core.errors import SchemaError
from cellpipe.system.atomic_files import atomic_write
from cellpipe.system.own_folder import foreign_names, is_unfinished

FOLDER = "gathered"
ENOUGH = 100  # fewer files are quickly opened one by one
_NEWER = 0.02  # the share of files that may be newer than the consolidated one
_INDEX = "cellpipe.files"
_NAME = re.compile(r"[A-Za-z0-9._-]+\.parquet")  # as cellpipe names files; copies of Dropbox don't

State = tuple[int, int]  # size in bytes, time of change in ns
Index = dict[str, tuple[State, str]]


class TableSource(Protocol):
    """The source of result files: a folder, or an address of object storage."""

    def file_states(self, table: str) -> dict[str, State]:
        """Return size and time of each file of a table, by name, in order of names."""

    def location(self, name: str) -> str:
        """Return the location of the file with this path in the results, as polars takes it."""


class FolderSource:
    """Results in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file_states(self, table: str) -> dict[str, State]:
        """Return size and time of each file of a table, by name, in order of names."""
        place = self.folder / "tables" / table
        if not place.is_dir():
            return {}
        foreign = foreign_names(self.folder)
        with os.scandir(place) as entries:
            found = [
                (entry.name, entry.stat())
                for entry in entries
                if _NAME.fullmatch(entry.name)
                and not is_unfinished(entry.name)
                and entry.is_file()
                and f"tables/{table}/{entry.name}" not in foreign
            ]
        return {name: (status.st_size, status.st_mtime_ns) for name, status in sorted(found)}

    def location(self, name: str) -> str:
        """Return the location of the file with this path in the results."""
        return str(self.folder / name)


def scan_table(shelf: TableSource, table: str) -> pl.LazyFrame:
    """Return all rows of a table of cells: those consolidated, and those of newer files."""
    there, index = shelf.file_states(table), _read_index(shelf, table)
    newer = dict.fromkeys(_newer_files(there, index))
    if not index or len(newer) > max(ENOUGH, _NEWER * len(there)):
        return _scan_files(shelf, table, there)
    held = pl.scan_parquet(
        shelf.location(consolidated_name(table)), schema=empty_table(table).schema,
        missing_columns="insert", extra_columns="ignore", glob=False,
    )  # fmt: skip
    # Newer cells are excluded by id too: another process may add them before the frame is read.
    left_out = {index[name][1] for name in index if name in newer or name not in there}
    left_out |= {*_cells_by_file(shelf, table, newer).values()}
    if left_out:
        held = held.filter(~pl.col("cell_id").is_in(sorted(left_out)))
    return pl.concat([held, _scan_files(shelf, table, newer)])


def _scan_files(
    shelf: TableSource, table: str, names: Iterable[str], file: str | None = None
) -> pl.LazyFrame:
    """Return the rows of files of a table as one frame; ``file`` names a column for their paths.

    A file of an older version may lack a column, or have one that no longer exists.
    """
    columns = empty_table(table).schema
    paths = [shelf.location(f"tables/{table}/{name}") for name in names]
    if not paths:
        return pl.LazyFrame(schema=columns | ({file: pl.String()} if file else {}))
    return pl.scan_parquet(
        paths, schema=columns, missing_columns="insert", extra_columns="ignore",
        include_file_paths=file, glob=False,
    )  # fmt: skip


def _cells_by_file(shelf: TableSource, table: str, names: Iterable[str]) -> dict[str, str]:
    """Return the cell of each file that has rows, by file name."""
    found = _scan_files(shelf, table, names, "_file")
    rows = found.group_by("_file").agg(pl.col("cell_id").first()).collect().iter_rows()
    return {Path(path).name: cell for path, cell in rows}


def consolidated_tables() -> tuple[str, ...]:
    """Return the tables of cells that are gathered in one file each, in alphabetical order.

    Those are all whose rows name their cell, but for the ones of which the schema says
    ``consolidate: false``. One whose schema can't be read is none: what makes it says so.
    """
    return tuple(name for name in table_names() if _is_consolidated(name))


def _is_consolidated(name: str) -> bool:
    try:
        schema = load_schema(name)
    except SchemaError:
        return False
    return schema.consolidate and "cell_id" in schema.columns


def consolidated_name(table: str) -> str:
    """Return the path within the results of a consolidated table."""
    return f"{FOLDER}/{table}.parquet"


def consolidate_tables(folder: Path, *, all_of_it: bool = False) -> list[Path]:
    """Consolidate the tables of which enough files are newer, or all; return the files written.

    Raises
    ------
    StoreError
        If the folder can't be written.

    """
    written, shelf = [], FolderSource(folder)
    for table in consolidated_tables():
        there, index = shelf.file_states(table), _read_index(shelf, table)
        count = len(_newer_files(there, index)) + len(index.keys() - there.keys())
        if len(there) >= ENOUGH and count > (0 if all_of_it else _NEWER * len(there)):
            written.append(_consolidate_table(shelf, table, there))
    return written


def _consolidate_table(shelf: FolderSource, table: str, there: dict[str, State]) -> Path:
    known = _read_index(shelf, table)
    held = {name: cell for name, (_, cell) in known.items()}
    cells = held | _cells_by_file(shelf, table, _newer_files(there, known))
    frame = scan_table(shelf, table).sort("cell_id", maintain_order=True).collect()
    index = {name: (state, cells.get(name, "")) for name, state in there.items()}
    metadata = {_INDEX: json.dumps(index)}
    return atomic_write(
        shelf.folder / consolidated_name(table),
        lambda file: frame.write_parquet(file, metadata=metadata),
    )


def _newer_files(there: dict[str, State], index: Index) -> list[str]:
    return [name for name, state in there.items() if name not in index or index[name][0] != state]


def _read_index(shelf: TableSource, table: str) -> Index:
    """Return state and cell of each consolidated file of a table; empty if it can't be read."""
    try:
        told = pl.read_parquet_metadata(shelf.location(consolidated_name(table))).get(_INDEX, "{}")
    except (OSError, pl.exceptions.PolarsError):
        return {}
    return {name: ((size, time), cell) for name, ((size, time), cell) in json.loads(told).items()}
