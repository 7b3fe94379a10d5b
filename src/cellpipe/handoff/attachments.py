"""The files delivered with a cell: page, workbook, figures, tables, its row of the cell sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import polars as pl

from cellpipe import analyses
from cellpipe.core.model import Cell
from cellpipe.handoff.record import Attachment
from cellpipe.report.figures.files import figure_files
from cellpipe.report.html.cell_page import cell_panels
from cellpipe.report.html.cell_tables import SHEET_FIELDS
from cellpipe.report.long_tables import long_csv

_WIDTH = "two-columns"
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def media_type(name: str) -> str:
    """Return the media type of a file by its suffix."""
    return MEDIA_TYPES.get(PurePath(name).suffix, "application/octet-stream")


def build_attachments(
    cell: Cell, tables: Mapping[str, pl.DataFrame], reports: Mapping[str, bytes]
) -> tuple[Attachment, ...]:
    """Return a cell's files to deliver, by name; the same results give the same bytes.

    ``reports`` are the page and the workbook as stored in the results. Tables are the non-empty
    ones of the analyses; records and spectra are delivered as Battery Data Format files.
    """
    descriptions = {".html": "Page of the cell", ".xlsx": "Workbook of the cell"}
    made = [
        Attachment(name, descriptions.get(PurePath(name).suffix, name), content)
        for name, content in reports.items()
    ]
    made.append(Attachment("cell-sheet.csv", "Row of the cell sheet", long_csv(_sheet_table(cell))))
    for panel in cell_panels(cell, tables):
        for name, content in figure_files(panel, (_WIDTH,)).items():
            made.append(Attachment(f"figure-{name}", f"{panel.title}, as a figure", content))
    names = [name for analysis in analyses.all_analyses() for name in analysis.makes]
    for name in (*names, "findings"):
        if tables[name].height:
            about = f"Table {name}"
            made.append(Attachment(f"table-{name}.csv", about, long_csv(tables[name])))
    return tuple(sorted(made, key=lambda each: each.name))


def _sheet_table(cell: Cell) -> pl.DataFrame:
    """Return the cell sheet's row as a table with one row and units in the headers."""
    row: dict[str, object] = {"Cell ID": cell.cell_id}
    for name, attribute, unit in SHEET_FIELDS:
        found = getattr(cell, attribute)
        value = "; ".join(found) if isinstance(found, tuple) else found
        row[f"{name} / {unit}" if unit else name] = value
    return pl.DataFrame([row])
