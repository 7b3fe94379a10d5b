"""Paths of the files in a results folder."""

from __future__ import annotations

from pathlib import Path

from cellpipe.system.atomic_files import file_name

ALL_CELLS = "all-cells.xlsx"
LAB = "lab"  # key of the tables of the whole lab


def table_path(folder: Path, table: str, key: str) -> Path:
    """Return the path of a table; ``key`` is a content's sha256 or a cell's id."""
    return folder / "tables" / table / f"{file_name(key)}.parquet"


def cell_report_paths(folder: Path, cell_id: str) -> tuple[Path, Path]:
    """Return the paths of a cell's page and of its workbook."""
    stem = folder / "cells" / file_name(cell_id)
    return stem.with_name(f"{stem.name}.html"), stem.with_name(f"{stem.name}.xlsx")
