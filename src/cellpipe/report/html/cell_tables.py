"""The tables of a cell's page: cycles, fits, cell sheet, files."""

from __future__ import annotations

from functools import partial

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.html.grid import Grid, Shown, folded, grid
from cellpipe.report.wording import (
    NOTHING,
    KindWords,
    fixed,
    moment,
    number,
    percent,
    whole,
)

_FOUR = partial(number, digits=4)

SHEET_FIELDS = (
    ("Configuration", "configuration", ""),
    ("Files", "patterns", ""),
    ("Working electrode", "working_electrode", ""),
    ("Role of the working electrode", "working_electrode_role", ""),
    ("Cathode active mass", "cathode_active_mass_mg", "mg"),
    ("Anode active mass", "anode_active_mass_mg", "mg"),
    ("Area", "area_cm2", "cm²"),
    ("Counter electrode", "counter_electrode", ""),
    ("Reference offset vs Li⁺/Li", "reference_offset_volt", "V"),
    ("Nominal capacity (1C)", "nominal_capacity_mah_per_g", "mAh/g"),
    ("Stack pressure", "stack_pressure_mpa", "MPa"),
    ("Fabrication pressure", "fabrication_pressure_mpa", "MPa"),
    ("Temperature", "temperature_celsius", "°C"),
    ("Lower voltage", "lower_voltage_volt", "V"),
    ("Upper voltage", "upper_voltage_volt", "V"),
    ("Electrolyte", "electrolyte", ""),
    ("Electrolyte thickness", "electrolyte_thickness_um", "µm"),
    ("Electrode composition", "electrode_composition", ""),
    ("Silicon", "silicon", ""),
    ("N/P ratio", "np_ratio", ""),
    ("Cathode", "cathode", ""),
    ("Group", "group", ""),
    ("Comment", "comment", ""),
)


def text(value: str | None) -> str:
    """Write a text, or the sign for nothing."""
    return NOTHING if value is None else value


def cycle_grid(cycles: pl.DataFrame, words: KindWords) -> Grid:
    """Give the cycles with the cell's own words for its directions."""
    specific, areal = "specific_{}_capacity_mah_per_g", "areal_{}_capacity_mah_per_cm2"
    directions = (("charging", words.charge), ("discharging", words.discharge))
    table = cycles.sort("cycle").with_columns(
        pl.col("charging_capacity_ah", "discharging_capacity_ah") * 1e3,
        pl.col("duration_second") / 3600,
        pl.when("complete").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("complete"),
    )
    columns = [
        Shown("Cycle", "cycle", whole),
        *(Shown(f"{w} (mAh)", f"{d}_capacity_ah", _FOUR) for d, w in directions),
        *(Shown(f"{w} (mAh/g)", specific.format(d), _FOUR) for d, w in directions),
        *(Shown(f"{w} (mAh/cm²)", areal.format(d), _FOUR) for d, w in directions),
        Shown("CE (%)", "coulombic_efficiency", _bare_percent),
        Shown(f"Retention (%){_of_reference(cycles)}", "capacity_retention", _bare_percent),
        Shown("Energy efficiency (%)", "energy_efficiency", _bare_percent),
        Shown("Hysteresis (V)", "voltage_hysteresis_volt", number),
        Shown("C-rate (1/h)", "discharging_c_rate", number),
        Shown("Duration (h)", "duration_second", number),
        Shown("Start (UTC)", "start_unix_time_second", moment, text=True),
        Shown("Instrument's cycle", "vendor_cycle_count", whole),
        Shown("Complete", "complete", text, text=True),
    ]
    absent = "There are no cycles in this cell's files."
    return folded(grid(table, columns, absent), 10, 5)


def _of_reference(cycles: pl.DataFrame) -> str:
    """Name the reference cycle of the retention, which is one for all cycles of a cell."""
    reference = cycles["retention_reference_cycle"].drop_nulls()
    return f" of cycle {reference[0]}" if len(reference) else ""


def _bare_percent(value: float | None) -> str:
    return fixed(None if value is None else 100 * value, 2)


def fit_grid(fits: pl.DataFrame, growth: pl.DataFrame) -> Grid:
    """Give the fitted parameters, one a row."""
    table = _by_spectrum(fits, growth)
    columns = [
        Shown("Spectrum", "spectrum", whole),
        Shown("Cycles begun", "cycle", whole),
        Shown("Circuit", "circuit", text, text=True),
        Shown("Element", "element", text, text=True),
        Shown("Parameter", "parameter", text, text=True),
        Shown("Value", "value", _FOUR),
        Shown("Standard error", "standard_error", partial(number, digits=2)),
        Shown("of that noise", "precision", partial(number, digits=2)),
        Shown("Unit", "unit", text, text=True),
        Shown("Determined", "sure", text, text=True),
        Shown("Residual (%)", "relative_residual", _bare_percent),
    ]
    sizes = table.group_by("spectrum", maintain_order=True).len()["len"].to_list() or [0]
    return folded(grid(table, columns, "No circuit was fitted."), sum(sizes[:1]), sizes[-1])


def _by_spectrum(rows: pl.DataFrame, growth: pl.DataFrame) -> pl.DataFrame:
    """Put the spectrum's cycle and residual beside rows, and in words if they are determined."""
    spectra = growth.select("spectrum", "cycle", "relative_residual")
    return rows.join(spectra, on="spectrum", how="left", maintain_order="left").with_columns(
        sure=pl.when("identifiable").then(pl.lit("yes")).otherwise(pl.lit("no"))
    )


def arc_grid(arcs: pl.DataFrame, growth: pl.DataFrame) -> Grid:
    """Give the arcs of every spectrum, one a row."""
    table = _by_spectrum(arcs, growth)
    columns = [
        Shown("Spectrum", "spectrum", whole),
        Shown("Cycles begun", "cycle", whole),
        Shown("Arc", "arc", text, text=True),
        Shown("Process", "process", text, text=True),
        Shown("Probability", "process_probability", percent),
        Shown("R (Ω)", "resistance_ohm", _FOUR),
        Shown("Standard error (Ω)", "resistance_standard_error_ohm", partial(number, digits=2)),
        Shown("of that noise (Ω)", "resistance_precision_ohm", partial(number, digits=2)),
        Shown("R (Ω cm²)", "areal_resistance_ohm_cm2", _FOUR),
        Shown("τ (s)", "time_constant_second", partial(number, digits=3)),
        Shown("n", "exponent", partial(number, digits=3)),
        Shown("C (F)", "capacitance_farad", partial(number, digits=3)),
        Shown("C, Brug (F)", "brug_capacitance_farad", partial(number, digits=3)),
        Shown("Determined", "sure", text, text=True),
    ]
    sizes = table.group_by("spectrum", maintain_order=True).len()["len"].to_list() or [0]
    return folded(grid(table, columns, "No arc was fitted."), sum(sizes[:1]), sizes[-1])


def sheet_grid(cell: Cell) -> Grid:
    """Give the cell sheet's row as it was read; what was inferred says from what."""
    body = []
    for name, field, unit in SHEET_FIELDS:
        value = getattr(cell, field)
        source = cell.inferred.get(field)
        written = _sheet_value(value)
        with_unit = f"{written} {unit}" if unit and written != NOTHING else written
        body.append((name, with_unit, f"inferred: {source}" if source else ""))
    return Grid(("Field", "Value", "Remark"), tuple(body), frozenset({0, 1, 2}))


def _sheet_value(value: object) -> str:
    if value is None or value in {(), ""}:
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def file_grid(files: pl.DataFrame) -> Grid:
    """Give the raw files: what they are, what was read from them, and their content's identity."""
    columns = [
        Shown("File", "path", text, text=True),
        Shown("Status", "status", text, text=True),
        Shown("Format", "format", text, text=True),
        Shown("Records", "records", whole),
        Shown("Spectra", "spectra", whole),
        Shown("Start (UTC)", "started_at", moment, text=True),
        Shown("Size (B)", "size_byte", whole),
        Shown("sha256", "file_sha256", text, text=True),
        Shown("Reason", "reason", text, text=True),
    ]
    return grid(files.sort("path"), columns, "No raw file belongs to this cell.")
