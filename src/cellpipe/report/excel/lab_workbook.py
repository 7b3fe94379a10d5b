"""Write the workbook of the lab: one row per cell, replicates, published cells, findings, files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import xlsxwriter

from cellpipe.report.excel.cell_workbook import CREATED, workbook_options
from cellpipe.report.excel.data_sheets import file_columns, finding_columns
from cellpipe.report.excel.sheets import (
    FIXED_0,
    FIXED_2,
    FIXED_3,
    FIXED_4,
    PERCENT,
    SCIENTIFIC,
    TEXT,
    Book,
    SheetColumn,
    SheetLayout,
    formula_or_value,
    write_sheet,
)
from cellpipe.report.figures.style import BLUE
from cellpipe.report.html.replicates import replicate_grid

_FINE = "0.000%"
_CELLS = (
    ("Cell", "cell_id", TEXT, 20),
    ("Kind", "configuration", TEXT, 10),
    ("Group", "group", TEXT, 14),
    ("Against physics", "contradictions", TEXT, 24),
    ("Cycles", "cycles", FIXED_0, 8),
    ("Complete cycles", "complete_cycles", FIXED_0, 10),
    ("First charge (mAh)", "first_charging_capacity_ah", FIXED_4, 11),
    ("First discharge (mAh)", "first_discharging_capacity_ah", FIXED_4, 11),
    ("First discharge (mAh/g)", "first_specific_discharging_capacity_mah_per_g", FIXED_2, 11),
    ("Basis", "capacity_basis", TEXT, 20),
    ("First discharge (mAh/cm²)", "first_areal_discharging_capacity_mah_per_cm2", FIXED_4, 11),
    ("Initial Coulombic efficiency", "initial_coulombic_efficiency", PERCENT, 11),
    ("To bear in mind of the initial cycle", "initial_remark", TEXT, 24),
    ("Mean Coulombic efficiency", "mean_coulombic_efficiency", PERCENT, 11),
    ("To bear in mind of the mean", "mean_efficiency_remark", TEXT, 24),
    ("Capacity retention", "capacity_retention", PERCENT, 11),
    ("At cycle", "retention_cycle", FIXED_0, 8),
    ("Over cycle", "retention_reference_cycle", FIXED_0, 8),
    ("Retention at equal rate", "capacity_retention_at_rate", PERCENT, 11),
    ("At cycle, equal rate", "retention_at_rate_cycle", FIXED_0, 8),
    ("Over cycle, equal rate", "retention_at_rate_reference_cycle", FIXED_0, 8),
    ("Check cycle's retention", "check_retention", PERCENT, 11),
    ("Check cycle", "check_cycle", FIXED_0, 8),
    ("Check over cycle", "check_reference_cycle", FIXED_0, 8),
    ("Fade per cycle", "fade_per_cycle", _FINE, 10),
    ("Fade, 95 % from", "fade_per_cycle_low", _FINE, 10),
    ("Fade, 95 % to", "fade_per_cycle_high", _FINE, 10),
    ("Below 80 % from cycle", "cycles_to_80_percent", FIXED_0, 11),
    ("First interfacial resistance (Ω)", "first_interfacial_resistance_ohm", FIXED_3, 13),
    ("First, standard error (Ω)", "first_interfacial_resistance_standard_error_ohm", FIXED_3, 12),
    ("Last interfacial resistance (Ω)", "last_interfacial_resistance_ohm", FIXED_3, 13),
    ("Last, standard error (Ω)", "last_interfacial_resistance_standard_error_ohm", FIXED_3, 12),
    ("First (Ω cm²)", "first_areal_interfacial_resistance_ohm_cm2", FIXED_3, 11),
    (
        "First, standard error (Ω cm²)",
        "first_areal_interfacial_resistance_standard_error_ohm_cm2",
        FIXED_3,
        12,
    ),
    ("Last (Ω cm²)", "last_areal_interfacial_resistance_ohm_cm2", FIXED_3, 11),
    (
        "Last, standard error (Ω cm²)",
        "last_areal_interfacial_resistance_standard_error_ohm_cm2",
        FIXED_3,
        12,
    ),
    ("Why no interfacial resistance", "interfacial_resistance_remark", TEXT, 24),
    ("Ionic conductivity (S/cm)", "ionic_conductivity_siemens_per_cm", SCIENTIFIC, 12),
    (
        "Conductivity, standard error (S/cm)",
        "ionic_conductivity_standard_error_siemens_per_cm",
        SCIENTIFIC,
        12,
    ),
    ("Why no conductivity", "ionic_conductivity_remark", TEXT, 24),
    ("Stripping and plating", "plating_summary", TEXT, 40),
    ("Critical current density (mA/cm²)", "critical_current_density_ma_per_cm2", FIXED_3, 12),
    ("Short circuit at (h)", "short_circuit_hour", FIXED_2, 10),
    ("Plating efficiency", "plating_efficiency", PERCENT, 10),
)
_BESIDE = (
    ("Cell", "cell_id", TEXT, 20),
    ("Rank", "rank", FIXED_0, 7),
    ("Published cell", "first_author_year", TEXT, 18),
    ("From", "source", TEXT, 14),
    ("Row", "row", FIXED_0, 7),
    ("Retention is", "standing", TEXT, 11),
    ("At cycle", "cycle", FIXED_0, 8),
    ("The cell's retention", "cell_retention", PERCENT, 11),
    ("The cell's at equal rate", "cell_retention_at_rate", PERCENT, 11),
    ("Published, low", "baseline_retention_low", PERCENT, 11),
    ("Published, high", "baseline_retention_high", PERCENT, 11),
    ("On a straight line", "interpolated", TEXT, 11),
    ("The cell's first discharge", "cell_initial_capacity", FIXED_3, 12),
    ("Published first discharge", "baseline_initial_capacity", FIXED_3, 12),
    ("Unit", "unit", TEXT, 10),
    ("Basis", "basis", TEXT, 22),
)
_MILLI = ("first_charging_capacity_ah", "first_discharging_capacity_ah")


def lab_workbook(tables: Mapping[str, pl.DataFrame], *, version: str) -> bytes:
    """Return the lab's workbook as bytes.

    ``tables`` are ``cells``, ``baseline_comparison``, ``cycles``, ``files``, ``findings`` and
    ``own_columns``.
    """
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, workbook_options())
    workbook.set_properties({"title": "All cells", "created": CREATED})
    book = Book(workbook)
    cells = tables["cells"].sort("cell_id")
    beside = tables["baseline_comparison"].filter("comparable").sort("cell_id", "rank")
    rows = _formula_columns(cells)
    write_sheet(book, "Cells", rows, "There are no cells yet.")
    write_sheet(
        book, "Replicates", _replicates(cells, tables["cycles"]), "No two cells share a group."
    )
    columns = [SheetColumn(h, beside[c].to_list(), s, w) for h, c, s, w in _BESIDE]
    own = _own_columns(cells, tables["own_columns"])
    if own:
        write_sheet(book, "Own columns", own, "")
    write_sheet(book, "Baselines", columns, "No cell can be compared with a published one yet.")
    findings = tables["findings"]
    kinds = SheetColumn("About a", findings["subject_kind"].to_list(), TEXT, 10)
    named = SheetColumn("Subject", findings["subject"].to_list(), TEXT, 24)
    write_sheet(book, "Findings", [kinds, named, *finding_columns(findings)], "No findings.")
    write_sheet(book, "Provenance", file_columns(tables["files"], version), "There are no files.")
    _insert_chart(book, SheetLayout("Cells", rows), cells)
    workbook.close()
    return content.getvalue()


def cell_columns(cells: pl.DataFrame) -> list[SheetColumn]:
    """Return the columns of the sheet of cells, one row per cell; values only, no formulas."""
    shown = cells.with_columns(pl.col(name) * 1e3 for name in _MILLI)
    return [SheetColumn(h, shown[c].to_list(), s, w, c) for h, c, s, w in _CELLS]


def _formula_columns(cells: pl.DataFrame) -> list[SheetColumn]:
    shown = cells.with_columns(pl.col(name) * 1e3 for name in _MILLI)
    columns = {column.key: column for column in cell_columns(cells)}
    layout = SheetLayout("Cells", list(columns.values()))
    charge, discharge = (layout.letter(name) for name in _MILLI)
    efficiency = columns["initial_coulombic_efficiency"]
    rows = zip(
        cells["configuration"], *(shown[name] for name in _MILLI), efficiency.values, strict=True
    )
    formulas = [_efficiency(number, charge, discharge, *row) for number, row in enumerate(rows, 2)]
    columns[efficiency.key] = replace(efficiency, values=formulas)
    return list(columns.values())


def _efficiency(
    row: int, charge: str, discharge: str, kind: str | None, charged: float | None,
    discharged: float | None, value: Any,
) -> object:  # fmt: skip
    """Return the first efficiency as a formula, in the direction of the kind of cell."""
    if not charged or not discharged:
        return value
    if kind == "half":
        return formula_or_value(f"={charge}{row}/{discharge}{row}", charged / discharged, value)
    return formula_or_value(f"={discharge}{row}/{charge}{row}", discharged / charged, value)


def _replicates(cells: pl.DataFrame, cycles: pl.DataFrame) -> list[SheetColumn]:
    """Return the replicates as the index shows them: mean ± standard deviation, as text."""
    grid = replicate_grid(cells, cycles)
    return [
        SheetColumn(head, [row[place] for row in grid.body], TEXT, 26)
        for place, head in enumerate(grid.heads)
    ]


def _own_columns(cells: pl.DataFrame, own: pl.DataFrame) -> list[SheetColumn]:
    """Return the lab's own columns of the cell sheet, one row a cell; none if there are none."""
    headers = own["column"].unique(maintain_order=True).to_list()
    said = {(cell_id, column): value for cell_id, column, value in own.iter_rows()}
    names = cells["cell_id"].to_list()
    columns = [
        SheetColumn(header, [said.get((name, header)) for name in names], TEXT, 18)
        for header in headers
    ]
    return [SheetColumn("Cell", names, TEXT, 20), *columns] if columns else []


def _insert_chart(book: Book, layout: SheetLayout, cells: pl.DataFrame) -> None:
    if cells["capacity_retention"].drop_nulls().is_empty():
        return
    chart = book.workbook.add_chart({"type": "scatter"})
    chart.add_series({
        "name": "Capacity retention",
        **layout.chart_series("retention_cycle", "capacity_retention", (1, cells.height)),
        "marker": {"type": "circle", "size": 6, "border": {"color": BLUE}, "fill": {"color": BLUE}},
    })  # fmt: skip
    chart.set_title(
        {"name": "Retention of every cell at its last cycle", "name_font": {"size": 12}}
    )
    chart.set_x_axis({"name": "Cycle", "min": 0})
    chart.set_y_axis({"name": "Capacity retention", "num_format": "0%"})
    chart.set_legend({"none": True})
    chart.set_size({"width": 720, "height": 400})
    sheet = book.workbook.add_worksheet("Chart")
    sheet.insert_chart(0, 0, chart, {"description": "Retention of every cell at its last cycle"})
