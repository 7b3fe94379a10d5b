"""Paths of the files in a results folder."""

from __future__ import annotations

from pathlib import Path

from cellpipe.system.atomic_files import file_name

ALL_CELLS = "all-cells.xlsx"
INDEX = "index.html"
LAB_PAGES = (INDEX, ALL_CELLS)  # about all cells, made anew whenever something changed
DIGESTS = ("digest.txt", "digest.html")
SHEET_COPY, BASELINES_COPY, MATERIALS_COPY = "sheet.copy", "baselines.copy", "materials.copy"
TOP_FILES = (
    *LAB_PAGES, *DIGESTS, f"{SHEET_COPY}.xlsx", f"{SHEET_COPY}.csv", f"{BASELINES_COPY}.csv",
    f"{MATERIALS_COPY}.yaml",
)  # fmt: skip
RESULT_FOLDERS = ("tables", "cells", "gathered")  # in these, every file of cellpipe's is recorded
LAB = "lab"  # key of the tables of the whole lab


def is_result_name(name: str) -> bool:
    """Return whether a name in the results is one that cellpipe gives to a recorded file."""
    folder, _, rest = name.partition("/")
    if not rest:
        return name in TOP_FILES
    if folder not in RESULT_FOLDERS or rest.rpartition("/")[2].startswith("."):
        return False
    return rest.endswith((".html", ".xlsx") if folder == "cells" else ".parquet")


def table_path(folder: Path, table: str, key: str) -> Path:
    """Return the path of a table; ``key`` is a content's sha256 or a cell's id."""
    return folder / "tables" / table / f"{file_name(key)}.parquet"


def cell_report_paths(folder: Path, cell_id: str) -> tuple[Path, Path]:
    """Return the paths of a cell's page and of its workbook."""
    stem = folder / "cells" / file_name(cell_id)
    return stem.with_name(f"{stem.name}.html"), stem.with_name(f"{stem.name}.xlsx")
