"""Paths of the files in a results folder."""

from __future__ import annotations

from pathlib import Path

from cellpipe.system.atomic_files import file_name

LAB = "lab"  # key of the tables of the whole lab


def table_path(folder: Path, table: str, key: str) -> Path:
    """Return the path of a table; ``key`` is a content's sha256 or a cell's id."""
    return folder / "tables" / table / f"{file_name(key)}.parquet"
