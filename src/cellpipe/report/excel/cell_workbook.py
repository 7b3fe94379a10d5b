"""Write the workbook of a cell: all numbers of its page with units, sources, live formulas."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime

import polars as pl
import xlsxwriter

from cellpipe.core.model import Cell
from cellpipe.report.excel.charts import insert_charts
from cellpipe.report.excel.cycle_sheet import cycle_columns
from cellpipe.report.excel.data_sheets import (
    arc_columns,
    curve_columns,
    file_columns,
    finding_columns,
    fit_columns,
    growth_columns,
    profile_columns,
    resistance_columns,
    spectrum_columns,
)
from cellpipe.report.excel.sheets import Book, SheetColumn, SheetLayout, write_sheet
from cellpipe.report.excel.summary_sheet import write_summary
from cellpipe.report.figures.choice import select_cycles
from cellpipe.report.html.comparison_tables import baseline_columns
from cellpipe.report.wording import kind_words

# Fixed, so that the same input gives the same bytes.
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 (the file format has no zone)


def cell_workbook(
    cell: Cell, tables: Mapping[str, pl.DataFrame], files: pl.DataFrame, *, version: str
) -> bytes:
    """Return the workbook of a cell as bytes."""
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, workbook_options())
    workbook.set_properties({"title": cell.cell_id[:200], "created": CREATED})
    book = Book(workbook)
    words = kind_words(cell)
    sheets = _sheets(cell, tables, files, version)
    layouts = {name: SheetLayout(name, columns) for name, columns, _ in sheets}
    write_summary(book, cell, layouts["Cycles"], tables["cells"], tables["cycles"], words)
    for name, columns, absent in sheets:
        write_sheet(book, name, columns, absent)
    insert_charts(book, layouts, tables, words)
    workbook.close()
    return content.getvalue()


def workbook_options() -> dict[str, object]:
    """Return xlsxwriter's settings, new for each workbook: it writes into the inner dictionary."""
    return {
        "in_memory": True,
        "constant_memory": False,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        # A font that every office program has, or knows the widths of: charts are sized by columns.
        "default_format_properties": {"font_name": "Arial", "font_size": 10},
    }


def _sheets(
    cell: Cell, tables: Mapping[str, pl.DataFrame], files: pl.DataFrame, version: str
) -> list[tuple[str, list[SheetColumn], str]]:
    """Return name, columns and the sentence for an empty table of each sheet, in order."""
    cycles = tables["cycles"]
    profiles, curves = tables["voltage_profiles"], tables["differential_capacity"]
    spectra, growth = tables["impedance"], tables["interfacial_resistance"]
    none = "There are no impedance spectra of this cell."
    return [
        ("Cycles", cycle_columns(cell, tables, files, kind_words(cell)), "There are no cycles."),
        (
            "Profiles",
            profile_columns(cell, profiles, select_cycles(cycles, profiles), cycles),
            "There are no voltage profiles.",
        ),
        (
            "dQdV",
            curve_columns(cell, curves, select_cycles(cycles, curves), cycles),
            "There are no dQ/dV curves.",
        ),
        ("EIS", spectrum_columns(spectra, growth, tables["circuit_fits"]), none),
        ("Resistance", resistance_columns(growth), none),
        ("Growth", growth_columns(tables["resistance_growth"]), none),
        ("Arcs", arc_columns(tables["impedance_arcs"]), "No arc was fitted."),
        ("Fits", fit_columns(tables["circuit_fits"]), "No circuit was fitted."),
        (
            "Baselines",
            baseline_columns(tables["baseline_comparison"], tables["baselines"]),
            "There are no published cells.",
        ),
        ("Findings", finding_columns(tables["findings"]), "There are no findings."),
        ("Provenance", file_columns(files, version), "No raw file belongs to this cell."),
    ]
