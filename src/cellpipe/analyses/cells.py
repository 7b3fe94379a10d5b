"""Summary of a cell in one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from cellpipe.analyses.complete_cycles import NO_CYCLES_IN, STUB
from cellpipe.analyses.conditions import known_electrolyte
from cellpipe.analyses.cycles import KNOWN, POSSIBLE, reversible_direction
from cellpipe.analyses.missing_fields import find_missing_fields
from cellpipe.analyses.plating_summary import plating_summary
from cellpipe.analyses.plausibility import contradiction_findings, find_contradictions
from cellpipe.core.contracts import load_schema
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ageing import (
    RETENTION_CYCLES,
    fade,
    first_cycle_below,
    usual_rate,
)
from cellpipe.numerics.cycling.protocol import NO_CYCLES

_OF_CYCLES = ("cycles", "complete_cycles", "formation_cycles", "rates", "usual_rate_cycles")


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    stretches, spectra = tables["protocol_segments"], tables["interfacial_resistance"]
    cycles = tables["cycles"].filter(~pl.col("protocol").is_in(NO_CYCLES))
    found = find_contradictions(cell, cycles, tables["half_cycles"])
    contradictions, contradicting = contradiction_findings(cell, found)
    row: dict[str, object] = {
        "cell_id": cell.cell_id,
        "configuration": cell.configuration,
        "group": cell.group,
        "in_sheet": cell.in_sheet,
        "files": tables["files"].height,
        "contradictions": contradictions,
        "protocol": _protocol(stretches),
        "no_cycle_reason": _no_cycle_reason(tables["cycles"]),
        **_cycling_summary(cell, cycles, tables["cycles"]),
        **_ageing_summary(cycles, reversible_direction(cell)),
        **_impedance_summary(spectra),
        "electrolyte_family": known_electrolyte(cell),
        **plating_summary(tables),
        **dict.fromkeys(_unknown_counts(tables)),
    }
    types = {name: column.dtype for name, column in load_schema("cells").columns.items()}
    holds = row["plating_summary"] is None
    findings = (
        *contradicting, *_remark_findings(row), *find_missing_fields(cell, tables, holds=holds)
    )  # fmt: skip
    return (Result("cells", pl.DataFrame([row], schema=types), findings),)


def _protocol(stretches: pl.DataFrame) -> str | None:
    """Name what was done with the cell, each once, in the order of time."""
    return ", ".join(stretches["kind"].unique(maintain_order=True)) or None


def _no_cycle_reason(cycles: pl.DataFrame) -> str | None:
    """Return why there are no cycles although current flowed; None if there are any."""
    kinds = cycles["protocol"].unique(maintain_order=True).to_list()
    if not kinds or any(kind not in NO_CYCLES for kind in kinds):
        return None
    return "; ".join(NO_CYCLES_IN[kind] for kind in kinds)


def _remark_findings(row: dict[str, object]) -> tuple[Finding, ...]:
    """Return a finding for an efficiency that no cell has."""
    findings = []
    for name, remark in (("initial", "initial_remark"), ("mean", "mean_efficiency_remark")):
        value = row[f"{name}_coulombic_efficiency"]
        if row[remark] is not None and isinstance(value, float):
            if POSSIBLE[0] <= value <= POSSIBLE[1]:
                continue
            sentence = f"The {name} Coulombic efficiency is {100 * value:.1f} %: {row[remark]}."
            findings.append(Finding("warning", f"{name}_efficiency_impossible", sentence))
    return tuple(findings)


def _unknown_counts(tables: Tables) -> tuple[str, ...]:
    """Name the counts that can't be known, as what was to be counted could not be made: not 0."""

    def is_lost(raw: str, made: str) -> bool:
        return raw in tables and tables[raw].height > 0 and tables[made].is_empty()

    lost_spectra = is_lost("impedance", "interfacial_resistance")
    lost_cycles = is_lost("half_cycle_segments", "cycles")
    return (*(_OF_CYCLES if lost_cycles else ()), *(("spectra",) if lost_spectra else ()))


def _cycling_summary(cell: Cell, cycles: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, object]:
    """Return first capacities and efficiencies: of the first complete cycle, and of those after.

    ``pairs`` are the cycles with those of pulses, holds and sweeps, which are none.
    """
    complete = cycles.filter("complete")
    initial = (complete if complete.height else cycles).head(1)
    first = initial.row(0, named=True) if initial.height else {}
    is_known = pl.col("coulombic_efficiency_uncertainty") <= KNOWN
    after = complete.filter(
        ~pl.col("formation_cycle") & (pl.col("cycle") > pl.col("retention_reference_cycle"))
    )
    later = after.filter(is_known)["coulombic_efficiency"]
    last = complete.filter(pl.col("capacity_retention").is_not_null())
    final = last.row(-1, named=True) if last.height > 1 else {}  # none of a single cycle
    low, high = POSSIBLE
    possible = [
        efficiency
        for number, efficiency in complete.select(
            "cycle", pl.when(is_known).then("coulombic_efficiency")
        ).iter_rows()
        if number != first["cycle"] or efficiency is None or low <= efficiency <= high
    ]
    return {
        "cycles": cycles.height,
        "complete_cycles": complete.height,
        "initial_cycle": first.get("cycle"),
        "first_charging_capacity_ah": first.get("charging_capacity_ah"),
        "first_discharging_capacity_ah": first.get("discharging_capacity_ah"),
        "first_specific_discharging_capacity_mah_per_g": first.get(
            "specific_discharging_capacity_mah_per_g"
        ),
        "capacity_basis": first.get("capacity_basis"),
        "first_areal_discharging_capacity_mah_per_cm2": first.get(
            "areal_discharging_capacity_mah_per_cm2"
        ),
        "initial_remark": _initial_remark(
            cell, first, _cut_before(pairs, first) if complete.height else None
        ),
        "initial_coulombic_efficiency": first.get("coulombic_efficiency"),
        "mean_coulombic_efficiency": later.mean(),
        "mean_efficiency_remark": _mean_remark(later, after["coulombic_efficiency"].count()),
        "coulombic_efficiency_standard_deviation": later.std(),
        "cumulative_coulombic_efficiency": _cumulative_efficiency(possible),
        "capacity_retention": final.get("capacity_retention"),
        "retention_cycle": final.get("cycle"),
        "retention_reference_cycle": final.get("retention_reference_cycle"),
    }


def _cumulative_efficiency(efficiencies: list[float | None]) -> float | None:
    known = [efficiency for efficiency in efficiencies if efficiency is not None]
    return float(np.prod(known)) if known and len(known) == len(efficiencies) else None


def _cut_before(cycles: pl.DataFrame, first: dict[str, Any]) -> str | None:
    """Return which cycle before the initial one is not whole, or none; stubs do not count."""
    charge = pl.max_horizontal("charging_capacity_ah", "discharging_capacity_ah")
    usual = max(first.get(f"{side}_capacity_ah") or 0.0 for side in ("charging", "discharging"))
    cut = cycles.filter((pl.col("cycle") < first["cycle"]) & (charge >= STUB * usual))
    if cut.is_empty():
        return None
    number, kind = cut["cycle"][0], cut["protocol"][0]
    if kind in NO_CYCLES:
        return f"cycle {number} is {NO_CYCLES_IN[kind]}"
    return f"cycle {number} is not complete: {cut['incomplete_because'][0]}"


def _initial_remark(cell: Cell, first: dict[str, Any], earlier: str | None) -> str | None:
    """Return why the initial capacities and efficiency are not what they seem; None if they are."""
    if first.get("incomplete_because"):
        return f"cycle {first['cycle']} is not complete: {first['incomplete_because']}"
    if earlier is not None and first:
        return f"cycle {first['cycle']}'s, as {earlier}"
    efficiency, off = (
        first.get(f"coulombic_efficiency{of}") for of in ("", "_uncertainty")
    )  # fmt: skip
    if efficiency is not None and off is not None and off > KNOWN:
        return f"cycle {first['cycle']}'s efficiency is known to ± {100 * off:.2g} % only"
    if efficiency is None or POSSIBLE[0] <= efficiency <= POSSIBLE[1]:
        return None
    first_half, second_half = "charge", "discharge"
    state = "the cell came charged"
    if reversible_direction(cell) == "charge":
        first_half, second_half, state = (
            "lithiation",
            "delithiation",
            "the electrode came lithiated",
        )
    if efficiency > POSSIBLE[1]:
        return f"{state}: the first {first_half} holds less than the {second_half} after it"
    return (
        f"most of the first {first_half} did not come back: a side reaction, a short circuit, or "
        f"a {second_half} that ended early"
    )


def _mean_remark(efficiency: pl.Series, number: int) -> str | None:
    """Return why the mean is none or can't be a cell's own, of the efficiencies that are known."""
    if number and efficiency.is_empty():
        return f"the efficiency of none of {number} cycles is known to 1 %"
    mean = efficiency.mean()
    if not isinstance(mean, float) or POSSIBLE[0] <= mean <= POSSIBLE[1]:
        return None
    if mean > POSSIBLE[1]:
        return "more came out than went in: look at the kind of the cell and the current's sign"
    return "most of the charge did not come back: a side reaction or a short circuit"


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
        **_equal_rate_retentions(complete, usual),
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


def _equal_rate_retentions(complete: pl.DataFrame, usual: int) -> dict[str, object]:
    """Return the last retentions at equal rate: at the usual rate, and of a check cycle.

    A check cycle is one after formation at another rate than the usual one, which was run before.
    """
    later = complete.filter(
        ~pl.col("formation_cycle"),
        pl.col("capacity_retention_at_rate").is_not_null(),
        pl.len().over("rate_group") > 1,
    )
    at_usual = later.filter(pl.col("rate_group") == usual)
    first = at_usual["cycle"].min()
    checks = later.filter(
        (pl.col("rate_group") != usual) & (pl.col("protocol") != "rate test")
        & (pl.col("rate_reference_cycle") < pl.col("cycle"))
        & (pl.col("cycle") > pl.lit(first, pl.Int64))
    )  # fmt: skip
    numbers: dict[str, object] = {}
    for name, rows in (("retention_at_rate", at_usual), ("check", checks)):
        row = rows.row(-1, named=True) if rows.height else {}
        value = "capacity_retention_at_rate" if name == "retention_at_rate" else "check_retention"
        numbers |= {
            value: row.get("capacity_retention_at_rate"),
            f"{name}_cycle": row.get("cycle"),
            f"{name}_reference_cycle": row.get("rate_reference_cycle"),
        }
    return numbers


def _impedance_summary(spectra: pl.DataFrame) -> dict[str, object]:
    """Return what stands for a cell's spectra: only numbers without a remark, each with its error.

    Whether a number may stand alone is decided where it is made, spectrum by spectrum.
    """
    out: dict[str, object] = {"spectra": spectra.height}
    remark = pl.col("interfacial_resistance_remark")
    known = spectra.filter(pl.col("interfacial_resistance_ohm").is_not_null() & remark.is_null())
    series = _of_one_state(known)
    is_one = series.height > 0 and series["varies"][0] is None
    for end, place in (("first", 0), ("last", -1)):
        row = series.row(place, named=True) if series.height and (is_one or place) else {}
        ohm, error = (
            row.get(f"interfacial_resistance{name}_ohm") for name in ("", "_standard_error")
        )
        areal = row.get("areal_interfacial_resistance_ohm_cm2")
        out |= {
            f"{end}_interfacial_resistance_ohm": ohm,
            f"{end}_interfacial_resistance_standard_error_ohm": error,
            f"{end}_areal_interfacial_resistance_ohm_cm2": areal,
            f"{end}_areal_interfacial_resistance_standard_error_ohm_cm2":
                None if areal is None else error * areal / ohm,
        }  # fmt: skip
    out["interfacial_resistance_state"] = _state_text(series, spectra)
    conductive = spectra.drop_nulls("ionic_conductivity_siemens_per_cm")
    last = conductive.row(-1, named=True) if conductive.height else {}
    for name in ("ionic_conductivity_siemens_per_cm",
                 "ionic_conductivity_standard_error_siemens_per_cm"):  # fmt: skip
        out[name] = last.get(name)
    for name, is_known in (
        ("interfacial_resistance_remark", known.height > 0),
        ("ionic_conductivity_remark", bool(last)),
    ):
        reasons = spectra[name].drop_nulls()
        out[name] = None if is_known or reasons.is_empty() else reasons[-1]
    return out


def _state_text(series: pl.DataFrame, spectra: pl.DataFrame) -> str | None:
    """Say which spectra a number is of; None if it is the first and the last, of one state."""
    if series.is_empty():
        return None
    if series["varies"][0] is not None:
        return f"the last spectrum only: {series['varies'][0]}"
    if spectra["state"].n_unique() == 1:
        ends = (series["spectrum"][0], series["spectrum"][-1])
        if ends == (spectra["spectrum"].min(), spectra["spectrum"].max()):
            return None
        return f"spectrum {ends[0]} → {ends[1]} of {spectra.height}; none before or after gives one"
    voltage, celsius = series["voltage_volt"].mean(), series["temperature_celsius"].mean()
    said = [] if not isinstance(voltage, float) else [f"{voltage:.2f} V"]
    said += [] if not isinstance(celsius, float) else [f"{celsius:.0f} °C"]
    at = f" at {', '.join(said)}" if said else ""
    of = f"{series.height} of {spectra.height} spectra"
    return f"first → last of the {of}{at} (state {series['state'][0]})"


def _of_one_state(spectra: pl.DataFrame) -> pl.DataFrame:
    """Return the spectra that count of the state with the most of them, the last one of equals."""
    counted = spectra.filter(pl.col("left_out_of_series").is_null())
    if counted.is_empty():
        return counted
    sizes = counted.group_by("state").agg(pl.len(), last=pl.col("spectrum").max())
    state = sizes.sort("len", "last")["state"][-1]
    return counted.filter(state=state).sort("spectrum")


ANALYSIS = Analysis(
    "cells",
    ("cycles", "half_cycles", "interfacial_resistance", "files", "half_cycle_segments",
     "impedance", "protocol_segments", "critical_current", "short_circuits", "stripping_plating",
     "plating_efficiency"),
    ("cells",), _compute, version=11,
    fields=(
        "cell_id", "configuration", "group", "in_sheet", "inferred", "cathode_active_mass_mg",
        "anode_active_mass_mg", "area_cm2", "nominal_capacity_mah_per_g", "reference_offset_volt",
        "working_electrode_role", "stack_pressure_mpa", "temperature_celsius", "materials",
        "confirmed", "np_ratio", "fabrication_pressure_mpa", "lower_voltage_volt",
        "upper_voltage_volt", "electrolyte", "refused", "working_electrode", "counter_electrode",
        "cathode", "silicon", "electrode_composition",
    ),
)  # fmt: skip
