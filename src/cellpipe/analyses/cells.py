"""Summary of a cell in one row, and findings about fields missing from the cell sheet."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.analyses.cycles import reversible_direction
from cellpipe.core.contracts import load_schema
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ageing import (
    RETENTION_CYCLES,
    fade,
    first_cycle_below,
    usual_rate,
)

_OF_CYCLES = ("cycles", "complete_cycles", "formation_cycles", "rates", "usual_rate_cycles")


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    cycles, spectra = tables["cycles"], tables["interfacial_resistance"]
    row: dict[str, object] = {
        "cell_id": cell.cell_id,
        "configuration": cell.configuration,
        "group": cell.group,
        "in_sheet": cell.in_sheet,
        "files": tables["files"].height,
        **_cycling_summary(cycles),
        **_ageing_summary(cycles, reversible_direction(cell)),
        **_impedance_summary(spectra),
        **dict.fromkeys(_unknown_counts(tables)),
    }
    types = {name: column.dtype for name, column in load_schema("cells").columns.items()}
    return (Result("cells", pl.DataFrame([row], schema=types), _missing_fields(cell, tables)),)


def _unknown_counts(tables: Tables) -> tuple[str, ...]:
    """Name the counts that can't be known, as what was to be counted could not be made: not 0."""

    def is_lost(raw: str, made: str) -> bool:
        return raw in tables and tables[raw].height > 0 and tables[made].is_empty()

    lost_spectra = is_lost("impedance", "interfacial_resistance")
    lost_cycles = is_lost("half_cycle_segments", "cycles")
    return (*(_OF_CYCLES if lost_cycles else ()), *(("spectra",) if lost_spectra else ()))


def _cycling_summary(cycles: pl.DataFrame) -> dict[str, object]:
    complete = cycles.filter("complete")
    later = complete.filter(pl.col("cycle") > 1)["coulombic_efficiency"]
    last = complete.filter(pl.col("capacity_retention").is_not_null())
    first = cycles.row(0, named=True) if cycles.height else {}
    final = last.row(-1, named=True) if last.height else {}
    return {
        "cycles": cycles.height,
        "complete_cycles": complete.height,
        "first_charging_capacity_ah": first.get("charging_capacity_ah"),
        "first_discharging_capacity_ah": first.get("discharging_capacity_ah"),
        "first_specific_discharging_capacity_mah_per_g": first.get(
            "specific_discharging_capacity_mah_per_g"
        ),
        "capacity_basis": first.get("capacity_basis"),
        "first_areal_discharging_capacity_mah_per_cm2": first.get(
            "areal_discharging_capacity_mah_per_cm2"
        ),
        "initial_coulombic_efficiency": first.get("coulombic_efficiency"),
        "mean_coulombic_efficiency": later.mean(),
        "coulombic_efficiency_standard_deviation": later.std(),
        "cumulative_coulombic_efficiency": _cumulative_efficiency(complete["coulombic_efficiency"]),
        "capacity_retention": final.get("capacity_retention"),
        "retention_cycle": final.get("cycle"),
        "retention_reference_cycle": final.get("retention_reference_cycle"),
    }


def _cumulative_efficiency(efficiency: pl.Series) -> float | None:
    return None if efficiency.null_count() or not efficiency.len() else float(efficiency.product())


def _ageing_summary(cycles: pl.DataFrame, direction: str) -> dict[str, object]:
    """Return ageing at equal rate, and the retention at cycle numbers common in papers."""
    complete = cycles.filter(pl.col("complete") & pl.col("capacity_retention").is_not_null())
    retention_at = dict(complete.select("cycle", "capacity_retention").iter_rows())
    usual = usual_rate(complete["rate_group"].to_numpy())
    same = complete.filter(
        (pl.col("rate_group") == usual) & ~pl.col("formation_cycle")
        & pl.col("capacity_retention_at_rate").is_not_null()
    )  # fmt: skip
    number, retention = same["cycle"].to_numpy(), same["capacity_retention_at_rate"].to_numpy()
    slope = fade(number.astype(np.float64), retention)
    column = "charging_capacity_ah" if direction == "charge" else "discharging_capacity_ah"
    return {
        "reference_capacity_ah": complete[column][0] if complete.height else None,
        **{f"capacity_retention_cycle_{n}": retention_at.get(n) for n in RETENTION_CYCLES},
        "formation_cycles": int(cycles["formation_cycle"].sum()),
        "rates": cycles["rate_group"].n_unique(),
        "usual_rate_cycles": same.height,
        "cycles_to_90_percent": first_cycle_below(number, retention, 0.9),
        "cycles_to_80_percent": first_cycle_below(number, retention, 0.8),
        "fade_per_cycle": -slope.value if np.isfinite(slope.value) else None,
        "fade_per_cycle_low": -slope.high if np.isfinite(slope.high) else None,
        "fade_per_cycle_high": -slope.low if np.isfinite(slope.low) else None,
    }


def _impedance_summary(spectra: pl.DataFrame) -> dict[str, object]:
    known = spectra.filter(pl.col("interfacial_resistance_ohm").is_not_null())
    first = known.row(0, named=True) if known.height else {}
    last = known.row(-1, named=True) if known.height else {}
    return {
        "spectra": spectra.height,
        "first_interfacial_resistance_ohm": first.get("interfacial_resistance_ohm"),
        "last_interfacial_resistance_ohm": last.get("interfacial_resistance_ohm"),
        "first_areal_interfacial_resistance_ohm_cm2": first.get(
            "areal_interfacial_resistance_ohm_cm2"
        ),
        "last_areal_interfacial_resistance_ohm_cm2": last.get(
            "areal_interfacial_resistance_ohm_cm2"
        ),
    }


def _missing_fields(cell: Cell, tables: Tables) -> tuple[Finding, ...]:
    """Return one finding for each result that a missing field of the cell sheet would add."""
    if not cell.in_sheet:
        sentence = (
            f"{cell.cell_id} has no row in the cell sheet (cells.xlsx or cells.csv): capacities "
            "are in mAh only. A row with Configuration, active mass and area adds Coulombic "
            "efficiency, mAh/g, mAh/cm², Ω cm² and the comparison with published cells."
        )
        return (Finding("warning", "not_in_sheet", sentence),)
    findings = []
    cycled, spectra = tables["cycles"].height, tables["interfacial_resistance"].height
    no_mass = cell.cathode_active_mass_mg is None and cell.anode_active_mass_mg is None
    if cycled and cell.configuration != "symmetric" and no_mass:
        findings.append(_field_finding("Active mass / mg", "mAh/g"))
    if (cycled or spectra) and cell.area_cm2 is None:
        findings.append(_field_finding("Area / cm²", "mAh/cm² and Ω cm²"))
    if cycled and cell.nominal_capacity_mah_per_g is None:
        findings.append(_field_finding("1C capacity / mAh/g", "the C-rate"))
    if cell.configuration == "half" and cell.reference_offset_volt is None:
        findings.append(_field_finding("Reference offset / V", "potentials against Li+/Li"))
    if cell.configuration == "half" and "working_electrode_role" in cell.inferred:
        sentence = (
            "The cell sheet names no working electrode; the half cell is taken for a silicon "
            "anode's: its efficiency is delithiation over the lithiation before it."
        )
        findings.append(Finding("warning", "working_electrode_inferred", sentence))
    if cell.configuration == "half" and cell.working_electrode_role is None:
        findings.append(_field_finding("Working electrode", "Coulombic efficiency and mAh/g"))
    if cell.stack_pressure_mpa is None:
        findings.append(
            _field_finding("Stack pressure / MPa", "a condition that results depend on")
        )
    if cell.temperature_celsius is None:
        findings.append(_field_finding("Temperature / °C", "a condition that results depend on"))
    return tuple(findings)


def _field_finding(field: str, gain: str) -> Finding:
    sentence = f"The cell sheet leaves '{field}' empty; it would add {gain}."
    return Finding("info", "sheet_field_missing", sentence)


ANALYSIS = Analysis(
    "cells", ("cycles", "interfacial_resistance", "files", "half_cycle_segments", "impedance"),
    ("cells",), _compute, version=2,
    fields=(
        "cell_id", "configuration", "group", "in_sheet", "inferred", "cathode_active_mass_mg",
        "anode_active_mass_mg", "area_cm2", "nominal_capacity_mah_per_g", "reference_offset_volt",
        "working_electrode_role", "stack_pressure_mpa", "temperature_celsius",
    ),
)  # fmt: skip
