"""Build the page's tables of cells that strip and plate."""

from __future__ import annotations

from functools import partial

import polars as pl

from cellpipe.report.html.cell_tables import format_text
from cellpipe.report.html.grid import Grid, GridColumn, build_grid, fold_rows
from cellpipe.report.wording import format_integer, format_number, format_percent

_THREE, _FOUR = partial(format_number, digits=3), partial(format_number, digits=4)
_FINE = partial(format_percent, decimals=2)


def stripping_grid(halves: pl.DataFrame) -> Grid:
    """Return the half cycles of a symmetric cell, one per row."""
    table = halves.with_columns(
        pl.col("duration_second") / 3600, pl.col("current_ampere") * 1e3,
        pl.col("charge_ah", "cumulative_charge_ah") * 1e3,
    )  # fmt: skip
    columns = [
        GridColumn("Half cycle", "stretch", format_integer),
        GridColumn("Current is", "direction", format_text, text=True),
        GridColumn("From (h)", "start_hour", _FOUR),
        GridColumn("Lasts (h)", "duration_second", _THREE),
        GridColumn("Current (mA)", "current_ampere", _FOUR),
        GridColumn("Current density (mA/cm²)", "current_density_ma_per_cm2", _THREE),
        GridColumn("Overpotential, mean (mV)", "mean_overpotential_mv", _FOUR),
        GridColumn("end (mV)", "end_overpotential_mv", _FOUR),
        GridColumn("peak (mV)", "peak_overpotential_mv", _FOUR),
        GridColumn("Polarisation (Ω)", "polarisation_ohm", _FOUR),
        GridColumn("Polarisation (Ω cm²)", "polarisation_ohm_cm2", _FOUR),
        GridColumn("Charge (mAh)", "charge_ah", _FOUR),
        GridColumn("Charge (mAh/cm²)", "areal_charge_mah_per_cm2", _FOUR),
        GridColumn("Cumulative (mAh)", "cumulative_charge_ah", _FOUR),
        GridColumn("Cumulative (mAh/cm²)", "cumulative_areal_charge_mah_per_cm2", _FOUR),
        GridColumn("Cell is", "state", format_text, text=True),
    ]
    return fold_rows(build_grid(table, columns, ""), 10, 10)


def short_grid(shorts: pl.DataFrame) -> Grid:
    """Return the short circuits of a cell, one per row; nothing where there is none."""
    table = shorts.with_columns(pl.col("current_ampere") * 1e3)
    columns = [
        GridColumn("Short", "short", format_integer),
        GridColumn("Kind", "kind", format_text, text=True),
        GridColumn("Seen by", "sign", format_text, text=True),
        GridColumn("From (h)", "start_hour", _FOUR),
        GridColumn("To (h)", "end_hour", _FOUR),
        GridColumn("In half cycle", "stretch", format_integer),
        GridColumn("Current (mA)", "current_ampere", _FOUR),
        GridColumn("Current density (mA/cm²)", "current_density_ma_per_cm2", _THREE),
        GridColumn("Charge before it (mAh/cm²)", "cumulative_areal_charge_mah_per_cm2", _FOUR),
        GridColumn("Before (Ω)", "before_ohm", _THREE),
        GridColumn("After (Ω)", "after_ohm", _THREE),
    ]
    return build_grid(table, columns, "")


def efficiency_grid(efficiency: pl.DataFrame) -> Grid:
    """Return the plating efficiency by each method; nothing where there is none."""
    charges = ("reservoir_charge_ah", "cycled_charge_ah", "final_charge_ah")
    used = pl.when("used").then(pl.lit("yes")).otherwise(pl.lit("no"))
    table = efficiency.with_columns(pl.col(charges) * 1e3, used=used)
    columns = [
        GridColumn("Method", "method", format_text, text=True),
        GridColumn("Used", "used", format_text, text=True),
        GridColumn("Efficiency", "efficiency", _FINE),
        GridColumn("from", "efficiency_low", _FINE),
        GridColumn("to", "efficiency_high", _FINE),
        GridColumn("Cycles", "cycles", format_integer),
        GridColumn("Q_T (mAh)", "reservoir_charge_ah", _FOUR),
        GridColumn("Q_C (mAh)", "cycled_charge_ah", _FOUR),
        GridColumn("Q_S (mAh)", "final_charge_ah", _FOUR),
        GridColumn("To bear in mind", "remark", format_text, text=True),
    ]
    return build_grid(table, columns, "")
