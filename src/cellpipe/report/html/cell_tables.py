"""Build the tables of a cell's page: cycles, fits, arcs, cell sheet, files."""

from __future__ import annotations

from functools import partial

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.html.grid import Grid, GridColumn, build_grid, fold_rows
from cellpipe.report.wording import (
    NOTHING,
    KindWords,
    format_fixed,
    format_integer,
    format_number,
    format_percent,
    format_time,
)

_FOUR = partial(format_number, digits=4)
OWN_REMARK = "a column of the lab's own"
REFUSED = "refused, so not used: see what is to check"
_HEADERS = {  # of the sheet, where the page calls a field otherwise
    "Reference offset vs Li⁺/Li": "Reference offset", "Nominal capacity (1C)": "1C capacity",
}  # fmt: skip

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
    ("Confirmed", "confirmed", ""),
    ("Ended", "ended", ""),
    ("Comment", "comment", ""),
)


def format_text(value: str | None) -> str:
    """Return the text, or a dash for None."""
    return NOTHING if value is None else value


def cycle_grid(cycles: pl.DataFrame, words: KindWords) -> Grid:
    """Return the cycles, one per row; the directions are named for the kind of cell."""
    specific, areal = "specific_{}_capacity_mah_per_g", "areal_{}_capacity_mah_per_cm2"
    directions = (("charging", words.charge), ("discharging", words.discharge))
    table = cycles.sort("cycle").with_columns(
        pl.col("charging_capacity_ah", "discharging_capacity_ah") * 1e3,
        pl.col("duration_second") / 3600,
        pl.when("complete").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("complete"),
    )
    columns = [
        GridColumn("Cycle", "cycle", format_integer),
        GridColumn("Kind", "protocol", format_text, text=True),
        *(GridColumn(f"{w} (mAh)", f"{d}_capacity_ah", _FOUR) for d, w in directions),
        *(GridColumn(f"{w} (mAh/g)", specific.format(d), _FOUR) for d, w in directions),
        *(GridColumn(f"{w} (mAh/cm²)", areal.format(d), _FOUR) for d, w in directions),
        GridColumn("CE (%)", "coulombic_efficiency", _percent_value),
        GridColumn("CE ± (%)", "coulombic_efficiency_uncertainty", _percent_doubt),
        GridColumn(
            f"Retention (%){_reference_suffix(cycles)}", "capacity_retention", _percent_value
        ),
        GridColumn("At its rate (%)", "capacity_retention_at_rate", _percent_value),
        GridColumn("Over cycle", "rate_reference_cycle", format_integer),
        GridColumn("Energy efficiency (%)", "energy_efficiency", _percent_value),
        GridColumn("Hysteresis (V)", "voltage_hysteresis_volt", format_number),
        GridColumn("C-rate (1/h)", "discharging_c_rate", format_number),
        GridColumn("Duration (h)", "duration_second", format_number),
        GridColumn("Start (UTC)", "start_unix_time_second", format_time, text=True),
        GridColumn("Instrument's cycle", "vendor_cycle_count", format_integer),
        *(
            GridColumn(f"{w} from", f"{d}_charge_source", format_text, text=True)
            for d, w in directions
        ),
        GridColumn("Complete", "complete", format_text, text=True),
        GridColumn("Not complete because", "incomplete_because", format_text, text=True),
    ]
    absent = "There are no cycles in this cell's files."
    return fold_rows(build_grid(table, columns, absent), 10, 5)


def protocol_grid(stretches: pl.DataFrame) -> Grid:
    """Return what was done with the cell, one stretch per row; nothing where there is none."""
    table = stretches.with_columns(
        pl.col("charging_current_ampere", "discharging_current_ampere") * 1e3,
        pl.col("duration_second") / 3600,
    )
    columns = [
        GridColumn("Stretch", "stretch", format_integer),
        GridColumn("Kind", "kind", format_text, text=True),
        GridColumn("Told by", "told_by", format_text, text=True),
        GridColumn("Start (UTC)", "start_unix_time_second", format_time, text=True),
        GridColumn("Duration (h)", "duration_second", format_number),
        GridColumn("From cycle", "first_cycle", format_integer),
        GridColumn("To cycle", "last_cycle", format_integer),
        GridColumn("Charging current (mA)", "charging_current_ampere", format_number),
        GridColumn("Discharging current (mA)", "discharging_current_ampere", format_number),
        GridColumn("C-rate (1/h)", "c_rate", format_number),
        GridColumn("Pulses", "pulses", format_integer),
        GridColumn("Spectra", "spectra", format_integer),
        GridColumn("Records", "records", format_integer),
    ]
    absent = "No records of time are in this cell's files."
    return fold_rows(build_grid(table, columns, absent), 10, 5)


def _reference_suffix(cycles: pl.DataFrame) -> str:
    """Return the name of the retention's reference cycle, the same for all cycles of a cell."""
    reference = cycles["retention_reference_cycle"].drop_nulls()
    return f" of cycle {reference[0]}" if len(reference) else ""


def _percent_value(value: float | None) -> str:
    return format_fixed(None if value is None else 100 * value, 2)


def _percent_doubt(value: float | None) -> str:
    return format_number(None if value is None else 100 * value, digits=2)


def fit_grid(fits: pl.DataFrame, growth: pl.DataFrame) -> Grid:
    """Return the fitted parameters, one per row, and what was prescribed if anything was."""
    table = _join_spectra(fits, growth)
    constrained = fits["constraint"].null_count() < fits.height
    prescribed = [GridColumn("Prescribed", "constraint", format_text, text=True)]
    prescribed = prescribed if constrained else []
    columns = [
        GridColumn("Spectrum", "spectrum", format_integer),
        GridColumn("Cycles begun", "cycle", format_integer),
        GridColumn("Circuit", "circuit", format_text, text=True),
        GridColumn("Element", "element", format_text, text=True),
        GridColumn("Parameter", "parameter", format_text, text=True),
        GridColumn("Value", "value", _FOUR),
        GridColumn("Standard error", "standard_error", partial(format_number, digits=2)),
        GridColumn("of that noise", "precision", partial(format_number, digits=2)),
        GridColumn("Unit", "unit", format_text, text=True),
        GridColumn("Determined", "sure", format_text, text=True),
        *prescribed,
        GridColumn("Residual (%)", "relative_residual", _percent_value),
    ]
    sizes = table.group_by("spectrum", maintain_order=True).len()["len"].to_list() or [0]
    return fold_rows(
        build_grid(table, columns, "No circuit was fitted."), sum(sizes[:1]), sizes[-1]
    )


def _join_spectra(rows: pl.DataFrame, growth: pl.DataFrame) -> pl.DataFrame:
    """Return rows with cycle and residual of their spectrum, and ``sure``: yes if identifiable."""
    spectra = growth.select("spectrum", "cycle", "relative_residual")
    return rows.join(spectra, on="spectrum", how="left", maintain_order="left").with_columns(
        sure=pl.when("identifiable").then(pl.lit("yes")).otherwise(pl.lit("no"))
    )


def arc_grid(arcs: pl.DataFrame, growth: pl.DataFrame) -> Grid:
    """Return the arcs of every spectrum, one per row."""
    table = _join_spectra(arcs, growth)
    columns = [
        GridColumn("Spectrum", "spectrum", format_integer),
        GridColumn("Cycles begun", "cycle", format_integer),
        GridColumn("Arc", "arc", format_text, text=True),
        GridColumn("Process", "process", format_text, text=True),
        GridColumn("Probability", "process_probability", format_percent),
        GridColumn("R (Ω)", "resistance_ohm", _FOUR),
        GridColumn(
            "Standard error (Ω)", "resistance_standard_error_ohm", partial(format_number, digits=2)
        ),
        GridColumn(
            "of that noise (Ω)", "resistance_precision_ohm", partial(format_number, digits=2)
        ),
        GridColumn("R (Ω cm²)", "areal_resistance_ohm_cm2", _FOUR),
        GridColumn("τ (s)", "time_constant_second", partial(format_number, digits=3)),
        GridColumn("n", "exponent", partial(format_number, digits=3)),
        GridColumn("C (F)", "capacitance_farad", partial(format_number, digits=3)),
        GridColumn("C, Brug (F)", "brug_capacitance_farad", partial(format_number, digits=3)),
        GridColumn("Determined", "sure", format_text, text=True),
    ]
    sizes = table.group_by("spectrum", maintain_order=True).len()["len"].to_list() or [0]
    return fold_rows(build_grid(table, columns, "No arc was fitted."), sum(sizes[:1]), sizes[-1])


def peak_grid(peaks: pl.DataFrame) -> Grid:
    """Return the peaks of the relaxation times of every spectrum, one per row."""
    table = peaks.with_columns(
        alone=pl.when("stands_alone").then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    short = partial(format_number, digits=3)
    columns = [
        GridColumn("Spectrum", "spectrum", format_integer),
        GridColumn("Peak", "peak", format_integer),
        GridColumn("τ (s)", "time_constant_second", short),
        GridColumn("Frequency (Hz)", "frequency_hertz", short),
        GridColumn("R (Ω)", "resistance_ohm", _FOUR),
        GridColumn(
            "Standard error (Ω)", "resistance_standard_error_ohm", partial(format_number, digits=2)
        ),
        GridColumn("C (F)", "capacitance_farad", short),
        GridColumn("Stands alone", "alone", format_text, text=True),
    ]
    sizes = table.group_by("spectrum", maintain_order=True).len()["len"].to_list() or [0]
    absent = "No spectrum has a distribution of relaxation times: it takes ten frequencies."
    return fold_rows(build_grid(table, columns, absent), sum(sizes[:1]), sizes[-1])


def sheet_grid(cell: Cell) -> Grid:
    """Return the cell sheet's row as it was read, with the source of each inferred value."""
    body = []
    for name, field, unit in SHEET_FIELDS:
        value = getattr(cell, field)
        source = cell.inferred.get(field)
        written = _format_sheet_value(value)
        with_unit = f"{written} {unit}" if unit and written != NOTHING else written
        body.append((name, with_unit, f"inferred: {source}" if source else ""))
        header = _HEADERS.get(name, name)
        if header in cell.refused and written == NOTHING:
            body[-1] = (name, f"'{cell.refused[header]}'", REFUSED)
    shown = {_HEADERS.get(name, name) for name, _, _ in SHEET_FIELDS}
    rest = [header for header in cell.refused if header not in shown]
    body += [(header, f"'{cell.refused[header]}'", REFUSED) for header in rest]
    body += [(header, value, OWN_REMARK) for header, value in cell.own_columns.items()]
    return Grid(("Field", "Value", "Remark"), tuple(body), frozenset({0, 1, 2}))


def _format_sheet_value(value: object) -> str:
    if value is None or value in {(), ""}:
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def file_grid(files: pl.DataFrame) -> Grid:
    """Return the raw files: what they are, what was read from them, and their SHA-256."""
    columns = [
        GridColumn("File", "path", format_text, text=True),
        GridColumn("Status", "status", format_text, text=True),
        GridColumn("Format", "format", format_text, text=True),
        GridColumn("Records", "records", format_integer),
        GridColumn("Spectra", "spectra", format_integer),
        GridColumn("Start (UTC)", "started_at", format_time, text=True),
        GridColumn("Size (B)", "size_byte", format_integer),
        GridColumn("sha256", "file_sha256", format_text, text=True),
        GridColumn("Reason", "reason", format_text, text=True),
    ]
    return build_grid(files.sort("path"), columns, "No raw file belongs to this cell.")
