"""Tables as parquet files: written whole or not at all, with units in the fields' metadata."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
from arro3.core import Schema

from cellpipe.contracts import checked, units


def table_path(folder: Path, table: str, key: str) -> Path:
    """Give the place of a table: ``key`` is a content's sha256 or a cell's id."""
    return folder / "tables" / table / f"{safe_name(key)}.parquet"


def safe_name(text: str) -> str:
    """Give a name that is a file's name on Windows, macOS and Linux, different for each text."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain)
    if plain == text and plain == plain.lower() and not reserved and len(plain) <= 80:
        return plain
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{plain[:60] or 'cell'}-{mark}"


def write_table(folder: Path, table: str, key: str, frame: pl.DataFrame) -> Path:
    """Hold the contract against a table and write it.

    Raises
    ------
    ContractError
        If the table breaks its contract.
    OSError
        If the folder can't be written.

    """
    ready = checked(table, frame)
    described = units(table, ready.columns)
    fields = Schema.from_arrow(ready.schema)
    schema = Schema(
        [fields.field(name).with_metadata(described.get(name, {})) for name in fields.names],
        metadata={"table": table},
    )
    path = table_path(folder, table, key)
    written_whole(path, lambda file: ready.write_parquet(file, arrow_schema=schema))
    return path


def read_table(folder: Path, table: str, key: str) -> pl.DataFrame | None:
    """Read a table, or None where there is none."""
    path = table_path(folder, table, key)
    return pl.read_parquet(path) if path.is_file() else None


def written_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(unfinished)
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
