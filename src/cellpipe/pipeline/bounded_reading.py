"""Read what anybody may have made in a process that may die of it: raw files and cell sheets.

The process that asks imports no reader: that is done beside it, in the one that reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cellpipe.cell_sheet.sheet import CellSheet, read_cell_sheet
from cellpipe.core.errors import CellSheetError, DamagedFileError
from cellpipe.core.model import Measurement
from cellpipe.system.file_bounds import reading_bound
from cellpipe.system.processes import Bound, WorkerDiedError, run_in_worker

R = TypeVar("R")


def read_file(path: Path, columns: str | None = None, area_cm2: float | None = None) -> Measurement:
    """Read a raw file that holds one recording; see :func:`cellpipe.formats.read`.

    ``columns`` and ``area_cm2`` are what somebody says of a plain table of spectra.

    Raises
    ------
    FileError
        If it can't be used, or reading it takes more memory or time than it may.
    OSError
        If it can't be opened.

    """
    return _read_bounded(_read_one, path, columns, area_cm2)


def read_recordings(path: Path, time_zone: str | None) -> list[Measurement]:
    """Read all recordings of a raw file; raises what :func:`read_file` does."""
    return _read_bounded(_read_all_parts, path, time_zone)


def _read_one(path: Path, columns: str | None, area_cm2: float | None) -> Measurement:
    from cellpipe.formats import Statement, read

    return read(path, stated=Statement(columns, area_cm2))


def _read_all_parts(path: Path, time_zone: str | None) -> list[Measurement]:
    from cellpipe.formats import parts, read

    return [read(path, part=part, time_zone=time_zone) for part in parts(path) or (None,)]


def _read_bounded(work: Callable[..., R], path: Path, *arguments: object) -> R:
    try:
        return run_in_worker(work, path, *arguments, bound=_bound_of(path))
    except WorkerDiedError as error:
        raise death_error(error).with_file(path) from error


def _bound_of(path: Path) -> Bound:
    try:
        return reading_bound(path.stat().st_size, path.suffix)
    except OSError:
        return reading_bound(0)  # reading it says what is wrong


def is_claimed(path: Path) -> bool:
    """Return whether some format claims a file, or the process that looked into it died of it.

    Raises
    ------
    CellpipeError
        If none does.
    OSError
        If it can't be opened.

    """
    try:
        run_in_worker(_find_format, path, bound=_bound_of(path))
    except WorkerDiedError:
        return True  # reading it says what is wrong
    return True


def _find_format(path: Path) -> None:
    from cellpipe.formats import find_format

    find_format(path)


def read_sheet(folder: Path) -> CellSheet:
    """Read the cell sheet of a folder; see :func:`cellpipe.cell_sheet.sheet.read_cell_sheet`.

    Raises
    ------
    CellSheetError
        If it can't be used.
    WorkerDiedError
        If the process died of it.

    """
    return run_in_worker(read_cell_sheet, folder, bound=reading_bound(0))


def sheet_death_error(how: str, file: Path) -> CellSheetError:
    """Say of a cell sheet that the process which read it died of it."""
    return CellSheetError(
        f"a cell sheet whose reading {how}", expected="one table with a row for each cell",
        remedy="copy the table into a new workbook and save that as cells.xlsx, or as cells.csv",
        file=file.name,
    )  # fmt: skip


def death_error(error: WorkerDiedError) -> DamagedFileError:
    """Say of a raw file that the process which read it died of it."""
    return DamagedFileError(
        f"content whose reading {error}", expected="a file that can be read",
        remedy="open it in the program that wrote it, delete what is no part of the table, such as "
        "stray cells, and export it again; if it looks right there, report the file to the authors",
    )  # fmt: skip
