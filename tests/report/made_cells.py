"""Made cells for the report's tests: tables that keep their contracts, for cells that are odd."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellpipe.analyses import ANALYSES, capacity_fade, relaxation_times, resistance_growth
from cellpipe.baselines import table1
from cellpipe.core import contracts
from cellpipe.core.finding_rows import finding_rows, keep_since
from cellpipe.core.model import Cell, Finding
from cellpipe.numerics.impedance.circuits import circuit_impedance

START = 1_767_225_600.0
HALF_CYCLE_SECONDS = 18_000.0
CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
STRIPPED = (
    "stripping_plating", "voltage_trace", "short_circuits", "critical_current",
    "plating_efficiency",
)  # fmt: skip
SHA = hashlib.sha256(b"made").hexdigest()


@dataclass(frozen=True)
class Made:
    """A made cell with its tables and its files."""

    cell: Cell
    tables: Mapping[str, pl.DataFrame]
    files: pl.DataFrame


Reports = dict[str, tuple[Made, Path, Path]]

FULL = Cell(
    "SSB-01",
    "full",
    ("SSB-01*",),
    "NCM811/LPSCl/VGCF",
    "cathode",
    cathode_active_mass_mg=15.71,
    anode_active_mass_mg=1.31,
    area_cm2=0.785,
    counter_electrode="Si/LPSCl/C",
    nominal_capacity_mah_per_g=180.0,
    stack_pressure_mpa=50.0,
    fabrication_pressure_mpa=375.0,
    temperature_celsius=30.0,
    lower_voltage_volt=2.5,
    upper_voltage_volt=4.2,
    electrolyte="Li6PS5Cl",
    cathode="NCM811",
    group="A",
    inferred={"cathode_active_mass_mg": "electrode mass × active fraction"},
)
HALF = Cell(
    "SSB-02",
    "half",
    ("SSB-02*",),
    "Si/LPSCl/C",
    "anode",
    anode_active_mass_mg=0.912,
    area_cm2=0.785,
    counter_electrode="In/InLi",
    reference_offset_volt=0.62,
    nominal_capacity_mah_per_g=3579.0,
    stack_pressure_mpa=50.0,
    temperature_celsius=25.0,
    electrolyte="Li6PS5Cl",
    comment='=HYPERLINK("http://example.org") and $x$ <b>bold</b>',
    inferred={"reference_offset_volt": "counter electrode In/InLi"},
)
UNKNOWN = Cell("stray file 7", in_sheet=False)


def made(
    cell: Cell, cycles: int, spectra: int, *, identifiable: bool = True, clock: bool = True
) -> Made:
    """Make a cell with so many cycles and spectra."""
    halves = _half_cycles(cell, cycles, clock)
    paired = _cycles(cell, halves)
    growth, fits, points = _impedance(cell, spectra, cycles, identifiable, clock)
    (laws,) = resistance_growth.ANALYSIS.compute(
        cell,
        {"interfacial_resistance": growth, "impedance_arcs": _arcs(cell, growth), "cycles": paired},
    )
    profiles, differential = _curves(cell, halves)
    times, peaks = relaxation_times.ANALYSIS.compute(cell, {"impedance": points})
    frames = {
        "half_cycles": halves,
        "cycles": paired,
        "protocol_segments": _stretches(cell, paired, spectra, clock),
        "voltage_profiles": profiles,
        "differential_capacity": differential,
        "differential_capacity_peaks": contracts.empty_table("differential_capacity_peaks"),
        "circuit_fits": fits,
        "interfacial_resistance": growth,
        "impedance_arcs": _arcs(cell, growth),
        "resistance_growth": laws.table,
        "interface_changes": contracts.empty_table("interface_changes"),
        "activation_energies": contracts.empty_table("activation_energies"),
        "relaxation_times": times.table,
        "relaxation_peaks": peaks.table,
        "impedance": points,
        "baselines": table1(),
        "baseline_comparison": _comparison(cell, paired, halves, _summary(cell, paired, growth)),
        "cells": _summary(cell, paired, growth),
        "capacity_fade": capacity_fade.ANALYSIS.compute(cell, {"cycles": paired})[0].table,
        "findings": _findings(cell),
        **{name: contracts.empty_table(name) for name in STRIPPED},
    }
    return Made(cell, {name: contracts.validate(name, frame) for name, frame in frames.items()},
                _files(cell))  # fmt: skip


def _stretches(cell: Cell, cycles: pl.DataFrame, spectra: int, clock: bool) -> pl.DataFrame:
    """Return one stretch of cycling, if there are cycles, and one of spectra, if there are any."""
    last = 12 + 10 * cycles.height
    kinds = ["cycling"] * (cycles.height > 0) + ["EIS"] * (spectra > 0)
    rows = [
        {"cell_id": cell.cell_id, "stretch": number, "kind": kind, "told_by": "current pattern",
         "file_sha256": SHA, "last_file_sha256": SHA, "first_record_index": 1,
         "last_record_index": 36_000, "records": 36_000, "duration_second": 3600.0 * last,
         "start_unix_time_second": float(START) if clock else None,
         "end_unix_time_second": START + 3600.0 * last if clock else None,
         "first_half_cycle": 1 if kind == "cycling" else None,
         "last_half_cycle": 2 * cycles.height if kind == "cycling" else None,
         "first_cycle": 1 if kind == "cycling" else None,
         "last_cycle": cycles.height if kind == "cycling" else None,
         "spectra": spectra if kind == "EIS" else 0}
        for number, kind in enumerate(kinds, 1)
    ]  # fmt: skip
    return _frame("protocol_segments", rows)


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {c: s.dtype for c, s in contracts.load_schema(name).columns.items() if s.required}
    return pl.DataFrame([{c: row.get(c) for c in columns} for row in rows], schema=columns)


def _is_half(cell: Cell) -> bool:
    return cell.configuration == "half"


def _first_charge_ah(cell: Cell) -> float:
    return 2.9e-3 if _is_half(cell) else 3.3e-3


def _half_cycles(cell: Cell, cycles: int, clock: bool) -> pl.DataFrame:
    rows = []
    rng = np.random.default_rng(7)
    first, second = ("discharge", "charge") if _is_half(cell) else ("charge", "discharge")
    for n in range(cycles):
        capacity = _first_charge_ah(cell) * 0.82 * np.exp(-n / 300 if n < 300 else -1 - n / 9000)
        loss = 0.24 * np.exp(-n * 1.6) + 0.004 + 0.0012 * float(rng.standard_normal())
        if cycles > 30 and n == 22:
            loss = 0.09
        for k, direction in enumerate((first, second)):
            charge = capacity * (1 if k else 1 / (1 - loss))
            volts = _mean_voltage(cell, direction)
            low, high = (-0.6, 0.9) if _is_half(cell) else (2.5, 4.2)
            number = 2 * n + k + 1
            start = START + number * HALF_CYCLE_SECONDS
            rows.append({
                "cell_id": cell.cell_id, "half_cycle": number, "direction": direction,
                "capacity_ah": charge, "energy_wh": charge * volts,
                "vendor_capacity_ah": charge * 1.0002, "vendor_capacity_difference": 1 / 1.0002 - 1,
                "charge_source": "current × test time", "charge_uncertainty_ah": charge * 2e-4,
                "mean_voltage_volt": volts, "start_voltage_volt": low, "end_voltage_volt": high,
                "min_voltage_volt": low, "max_voltage_volt": high, "constant_current_ampere": 6e-4,
                "constant_voltage_share": 0.05, "start_unix_time_second": start if clock else None,
                "duration_second": 17_400.0, "vendor_cycle_count": n,
                "mean_temperature_celsius": 30.1, "records_after": 5, "segments": 1,
                "ended_by": "end of file" if cycles > 1 and n + 1 == cycles and k else
                "voltage limit", "begins_within": False,
                "file_sha256": SHA,
                "first_record_index": 1 + 300 * (number - 1), "last_file_sha256": SHA,
                "last_record_index": 300 * number,
            })  # fmt: skip
    return _frame("half_cycles", rows)


def _mean_voltage(cell: Cell, direction: str) -> float:
    middle = -0.25 if _is_half(cell) else 3.6
    return middle + (0.08 if direction == "charge" else -0.08)


def _mass(cell: Cell) -> tuple[float | None, str | None]:
    if _is_half(cell):
        return cell.anode_active_mass_mg, "anode active mass" if cell.anode_active_mass_mg else None
    mass = cell.cathode_active_mass_mg
    return mass, "cathode active mass" if mass else None


def _cycles(cell: Cell, halves: pl.DataFrame) -> pl.DataFrame:
    mass, basis = _mass(cell)
    rows = []
    pairs = [p.sort("direction") for _, p in halves.group_by(
        (pl.col("half_cycle") - 1) // 2, maintain_order=True)]  # fmt: skip
    column = "charging_capacity_ah" if _is_half(cell) else "discharging_capacity_ah"
    for n, pair in enumerate(pairs):
        charge, discharge = pair.row(0, named=True), pair.row(1, named=True)
        row: dict[str, Any] = {
            "cell_id": cell.cell_id, "cycle": n + 1,
            "complete": n + 1 < len(pairs) or len(pairs) < 2,
            "vendor_cycle_count": n, "capacity_basis": basis, "rate_group": 1,
            "discharging_c_rate": 0.31 if mass else None, "formation_cycle": False,
            "protocol": "cycling",
            "start_unix_time_second": discharge["start_unix_time_second"],
            "duration_second": 34_800.0, "mean_temperature_celsius": 30.1,
            "voltage_hysteresis_volt": charge["mean_voltage_volt"] - discharge["mean_voltage_volt"],
        }  # fmt: skip
        for word, half in (("charging", charge), ("discharging", discharge)):
            q = half["capacity_ah"]
            row |= {
                f"{word}_half_cycle": half["half_cycle"], f"{word}_capacity_ah": q,
                f"{word}_charge_source": half["charge_source"],
                f"{word}_charge_uncertainty_ah": half["charge_uncertainty_ah"],
                f"{word}_energy_wh": half["energy_wh"],
                f"mean_{word}_voltage_volt": half["mean_voltage_volt"],
                f"specific_{word}_capacity_mah_per_g": q * 1e6 / mass if mass else None,
                f"areal_{word}_capacity_mah_per_cm2": (
                    q * 1e3 / cell.area_cm2 if cell.area_cm2 else None
                ),
            }  # fmt: skip
        ratio = discharge["capacity_ah"] / charge["capacity_ah"]
        efficiency = {"full": ratio, "half": 1 / ratio}.get(cell.configuration or "")
        reference = rows[0] if rows else row
        is_symmetric = cell.configuration == "symmetric"
        row["retention_reference_cycle"] = None if is_symmetric else 1
        row["rate_reference_cycle"] = None if is_symmetric else 1
        if not row["complete"]:
            second = "charge" if _is_half(cell) else "discharge"
            row["incomplete_because"] = f"the data end in its {second}"
        if row["complete"]:
            gain = discharge["energy_wh"] / charge["energy_wh"]
            row |= {
                "coulombic_efficiency": efficiency,
                "coulombic_efficiency_uncertainty": efficiency * 4e-4 if efficiency else None,
                "energy_efficiency": gain if cell.configuration == "full" else None,
            }
        if row["complete"] and not is_symmetric:
            row |= {
                "capacity_retention": row[column] / reference[column],
                "capacity_retention_at_rate": row[column] / reference[column],
            }
        rows.append(row)
    return _frame("cycles", rows)


def _curves(cell: Cell, halves: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    profiles, differential = [], []
    x = np.linspace(0, 1, 400 if halves.height < 1000 else 80)
    for half, direction, capacity in halves.select(
        "half_cycle", "direction", "capacity_ah"
    ).iter_rows():
        charging = direction == "charge"
        if _is_half(cell):
            level = 0.35 * np.log((0.01 + x) / (1.04 - x)) / 3 - 0.25
            volts = level + 0.05 if charging else level[::-1] - 0.12
        else:
            level = 3.35 + 0.55 * x + 0.09 * np.tanh((x - 0.25) * 9) + 0.05 * np.log(
                (0.01 + x) / (1.02 - x))  # fmt: skip
            volts = level + 0.03 if charging else level[::-1] - 0.09 - 1e-4 * half
        shared = {"cell_id": cell.cell_id, "half_cycle": half, "direction": direction}
        profiles.append(
            pl.DataFrame({**shared, "capacity_ah": x * capacity, "voltage_volt": volts})
        )
        grid = np.arange(volts.min(), volts.max(), 0.005)
        order = np.argsort(volts)
        slope = np.abs(np.gradient(np.interp(grid, volts[order], (x * capacity)[order]), grid))
        differential.append(pl.DataFrame({
            **shared, "voltage_volt": grid, "grid_step_volt": 0.005, "smoothing_volt": 0.006,
            "differential_capacity_ah_per_volt": slope,
        }))  # fmt: skip
    if not profiles:
        return contracts.empty_table("voltage_profiles"), contracts.empty_table(
            "differential_capacity"
        )
    return pl.concat(profiles), pl.concat(differential)


def _impedance(
    cell: Cell, spectra: int, cycles: int, identifiable: bool, clock: bool
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    growth, fits, points = [], [], []
    rng = np.random.default_rng(11)
    frequency = np.geomspace(7e6, 0.02, 55)
    area = cell.area_cm2
    for k in range(spectra):
        cycle = round(k * cycles / max(spectra - 1, 1))
        hours = 12 + 10 * cycle
        values = {
            ("R0", "R"): 18.0, ("R1", "R"): 22.0 + 0.3 * k, ("CPE1", "Q"): 4e-9,
            ("CPE1", "n"): 0.96, ("R2", "R"): 24.0 + 1.9 * np.sqrt(hours), ("CPE2", "Q"): 3e-6,
            ("CPE2", "n"): 0.82, ("CPE3", "Q"): 0.05, ("CPE3", "n"): 0.6,
        }  # fmt: skip
        z = np.asarray(circuit_impedance(CIRCUIT, values, frequency))
        noise = rng.standard_normal((2, z.size)) * 0.003
        z = z + np.abs(z) * (noise[0] + 1j * noise[1])
        sure = identifiable or k % 3 != 1
        now = START + 3600 * hours
        points.append(pl.DataFrame({
            "record_index": np.arange(55 * k + 1, 55 * k + 56), "spectrum": k + 1,
            "test_time_second": 3600.0 * hours, "frequency_hertz": frequency,
            "real_impedance_ohm": z.real, "imaginary_impedance_ohm": z.imag,
        }))  # fmt: skip
        units = {"R": "ohm", "Q": "ohm^-1 s^n", "n": "1"}
        fits += [
            {"cell_id": cell.cell_id, "spectrum": k + 1, "circuit": CIRCUIT, "element": element,
             "parameter": name, "value": value, "standard_error": value * (0.02 if sure else 0.9),
             "precision": 0.01 * value,
             "unit": units[name], "identifiable": sure}
            for (element, name), value in values.items()
        ]  # fmt: skip
        resistance = values["R2", "R"]
        growth.append({
            "cell_id": cell.cell_id, "spectrum": k + 1, "file_sha256": SHA,
            "spectrum_in_file": k + 1, "cycle": cycle if clock else None,
            "unix_time_second": now if clock else None,
            "test_time_second": 3600.0 * hours, "voltage_volt": 3.7,
            "interfacial_resistance_ohm": resistance,
            "interfacial_resistance_standard_error_ohm": resistance * (0.02 if sure else 0.9),
            "areal_interfacial_resistance_ohm_cm2": resistance * area if area else None,
            "series_resistance_ohm": 40.0, "circuit": CIRCUIT, "relative_residual": 0.004,
            "frequencies": 55, "frequencies_left_out": 0, "noise": 0.003, "state": 1,
            "series": 1,
            "kramers_kronig_violation": 0.004, "kramers_kronig_valid": True,
            "interfacial_resistance_precision_ohm": resistance * 0.01, "identifiable": sure,
        })  # fmt: skip
    return (
        _frame("interfacial_resistance", growth),
        _frame("circuit_fits", fits),
        pl.concat(points) if points else contracts.empty_table("impedance"),
    )


def _arcs(cell: Cell, growth: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for row in growth.iter_rows(named=True):
        sizes = ((22.0 + 0.3 * (row["spectrum"] - 1), "grain boundary", 4e-9, 0.96),
                 (row["interfacial_resistance_ohm"], "interphase", 3e-6, 0.82))  # fmt: skip
        for arc, (r, process, q, n) in enumerate(sizes, start=1):
            tau = (r * q) ** (1 / n)
            rows.append({
                "cell_id": cell.cell_id, "spectrum": row["spectrum"], "arc": str(arc),
                "process": process, "process_probability": 0.9, "resistance_ohm": r,
                "resistance_standard_error_ohm": 0.02 * r, "resistance_precision_ohm": 0.01 * r,
                "time_constant_second": tau, "exponent": n, "capacitance_farad": tau / r,
                "brug_capacitance_farad": 0.8 * tau / r, "identifiable": row["identifiable"],
            })  # fmt: skip
    return _frame("impedance_arcs", rows)


def _summary(cell: Cell, cycles: pl.DataFrame, growth: pl.DataFrame) -> pl.DataFrame:
    row: dict[str, Any] = {
        "cell_id": cell.cell_id, "configuration": cell.configuration, "group": cell.group,
        "in_sheet": cell.in_sheet, "files": 2, "cycles": cycles.height,
        "complete_cycles": cycles["complete"].sum(), "spectra": growth.height,
        "formation_cycles": 0, "rates": min(cycles.height, 1),
        "protocol": "cycling" if cycles.height else None,
        "usual_rate_cycles": cycles["complete"].sum(), "symmetric": False,
    }  # fmt: skip
    if cycles.height:
        first = cycles.row(0, named=True)
        complete = cycles.filter("complete")
        row |= {
            "initial_cycle": 1,
            "first_charging_capacity_ah": first["charging_capacity_ah"],
            "first_discharging_capacity_ah": first["discharging_capacity_ah"],
            "first_specific_discharging_capacity_mah_per_g": first[
                "specific_discharging_capacity_mah_per_g"
            ],
            "capacity_basis": first["capacity_basis"],
            "first_areal_discharging_capacity_mah_per_cm2": first[
                "areal_discharging_capacity_mah_per_cm2"
            ],
            "initial_coulombic_efficiency": first["coulombic_efficiency"],
            "mean_coulombic_efficiency": complete.filter(pl.col("cycle") >= 2)[
                "coulombic_efficiency"
            ].mean(),
        }
        if complete.height > 1 and cell.configuration != "symmetric":
            row |= {
                "capacity_retention_at_rate": complete["capacity_retention_at_rate"][-1],
                "retention_at_rate_cycle": complete["cycle"][-1],
                "retention_at_rate_reference_cycle": 1,
                "capacity_retention": complete["capacity_retention"][-1],
                "retention_cycle": complete["cycle"][-1],
                "retention_reference_cycle": 1,
            }
    for stem in ("interfacial_resistance_ohm", "areal_interfacial_resistance_ohm_cm2"):
        if growth.height:
            unit = stem.partition("_resistance_")[2]
            error = f"{stem.removesuffix(unit)}standard_error_{unit}"
            for end, place in (("first", 0), ("last", -1)):
                value, ohm, of_ohm = (
                    growth[name][place] for name in
                    (stem, "interfacial_resistance_ohm",
                     "interfacial_resistance_standard_error_ohm")
                )  # fmt: skip
                row |= {f"{end}_{stem}": value}
                row |= {f"{end}_{error}": None if value is None else value / ohm * of_ohm}
    return _frame("cells", [row])


def _comparison(
    cell: Cell, cycles: pl.DataFrame, halves: pl.DataFrame, summary: pl.DataFrame
) -> pl.DataFrame:
    comparison = next(one for one in ANALYSES if one.name == "baseline_comparison")
    tables = {"cycles": cycles, "half_cycles": halves, "cells": summary, "baselines": table1()}
    (result,) = comparison.compute(cell, tables)
    return result.table


def _findings(cell: Cell) -> pl.DataFrame:
    sentence = "The instrument counts 61 cycles where the half cycles give 60."
    found = [
        Finding("warning", "vendor_cycles", sentence, 61),
        Finding("info", "rest", "Two rests <i>."),
    ]
    return keep_since(finding_rows(found, cell.cell_id), None, datetime(2026, 1, 1, tzinfo=UTC))


def _files(cell: Cell) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {"path": f"cycling/{cell.cell_id}_C01.mpr", "file_sha256": SHA, "cell_id": cell.cell_id,
         "status": "used", "format": "biologic_mpr", "size_byte": 2_345_678, "records": 36_000,
         "spectra": 0, "started_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"path": f"eis/{cell.cell_id}_C02.mpr", "file_sha256": SHA[::-1], "cell_id": cell.cell_id,
         "status": "set aside", "size_byte": 12, "reason": "found 12 bytes; expected a header."},
    ]  # fmt: skip
    return contracts.validate("files", _frame("files", rows))


@cache
def odd_cells() -> dict[str, Made]:
    """All cells that the report must bear, by what is odd about them."""
    long_id = "Cell with a very long name, 60 characters, written out (2026)"[:60]
    return {
        "full with spectra": made(FULL, 60, 8),
        "half": made(HALF, 20, 5, identifiable=False),
        "no spectra": made(replace(FULL, cell_id="SSB-03a", group="A"), 40, 0),
        "only spectra": made(replace(FULL, cell_id="SSB-04", group=None), 0, 4, clock=False),
        "one cycle": made(replace(FULL, cell_id="SSB-05"), 1, 1),
        "2000 cycles": made(replace(FULL, cell_id="SSB-06"), 2000, 30),
        "kind unknown": made(UNKNOWN, 12, 3, clock=False),
        "hostile id": made(replace(HALF, cell_id="<script>alert(1)</script>"), 6, 2),
        "long id": made(replace(HALF, cell_id=long_id, area_cm2=None), 3, 0),
        "nothing at all": made(Cell("EMPTY"), 0, 0),
    }
