"""Write reports from tables: a page and a workbook for each cell, and an index of the lab."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from cellpipe.core.model import AnalysisFacts, Cell
from cellpipe.report.blocks import BlockFailure, Tell, log_failure, new_findings
from cellpipe.report.news import News
from cellpipe.system.atomic_files import file_name, write_bytes

VERSION = 6  # to be raised when pages or workbooks change: all of them are written anew

__all__ = [
    "VERSION", "BlockFailure", "file_name", "write_cell_report", "write_index",
    "write_lab_workbook",
]  # fmt: skip


def write_cell_report(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    folder: Path,
    *,
    version: str,
    analyses: AnalysisFacts,
    tell: Tell = log_failure,
) -> tuple[Path, Path]:
    """Write the page and the workbook of one cell into ``folder/cells``.

    A block of either that fails is replaced by a sentence, and stands among the cell's findings.

    Parameters
    ----------
    cell
        The cell's row of the cell sheet.
    tables
        This cell's rows of each table, by contract name; in ``impedance`` the spectra are numbered
        through the cell. Any table may be empty.
    files
        This cell's rows of the table ``files``.
    folder
        Folder of the reports.
    version, analyses
        Version of cellpipe, and the analyses, that made the numbers.
    tell
        Called for each block that fails.

    Returns
    -------
    page, workbook
        Their paths. Each file is written atomically, and the same input gives the same bytes.

    """
    name = file_name(cell.cell_id)
    failed: list[BlockFailure] = []
    with _pause_gc():
        page, workbook = _render(cell, tables, files, name, version, analyses, failed.append)
        if failed:  # once more, so that the findings of both name what is missing in either
            said = new_findings(tables["findings"], failed, cell.cell_id)
            all_said = {**tables, "findings": said}
            page, workbook = _render(cell, all_said, files, name, version, analyses, lambda _: None)
    for each in failed:
        tell(each)
    stem = folder / "cells" / name
    return (
        write_bytes(stem.with_name(f"{name}.html"), _encode_page(page)),
        write_bytes(stem.with_name(f"{name}.xlsx"), workbook),
    )


def _render(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    name: str,
    version: str,
    analyses: AnalysisFacts,
    tell: Tell,
) -> tuple[str, bytes]:
    from cellpipe.report.excel.cell_workbook import cell_workbook
    from cellpipe.report.html.cell_page import cell_page

    page = cell_page(cell, tables, files, name=name, version=version, analyses=analyses, tell=tell)
    workbook = cell_workbook(cell, tables, files, version=version, analyses=analyses, tell=tell)
    return page, workbook


@contextlib.contextmanager
def _pause_gc() -> Iterator[None]:
    """Pause the garbage collector: a report makes many small objects and hardly any cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def write_index(
    tables: Mapping[str, pl.DataFrame],
    folder: Path,
    *,
    version: str,
    interim: str = "",
    news: News | None = None,
) -> Path:
    """Write the lab's index of all cells to ``folder/index.html`` and return its path.

    ``tables`` are the lab's ``cells``, ``baseline_comparison``, ``baselines``, ``cycles``,
    ``files``, ``findings`` and ``cell_sheet``; ``interim`` says how far a run is that still goes
    on, whose page has no figures and needs neither ``baselines`` nor ``cell_sheet``; ``news`` says
    what is new.
    """
    from cellpipe.report.html.index import index_page

    page = index_page(tables, version=version, interim=interim, news=news)
    return write_bytes(folder / "index.html", _encode_page(page))


def write_lab_workbook(tables: Mapping[str, pl.DataFrame], folder: Path, *, version: str) -> Path:
    """Write the lab's workbook to ``folder/all-cells.xlsx`` and return its path.

    ``tables`` are those of `write_index`, and ``own_columns``.
    """
    from cellpipe.report.excel.lab_workbook import lab_workbook

    return write_bytes(folder / "all-cells.xlsx", lab_workbook(tables, version=version))


def _encode_page(page: str) -> bytes:
    return page.encode("utf-8", "xmlcharrefreplace")
