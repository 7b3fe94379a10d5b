"""Stripping and plating of symmetric cells: overpotentials, short circuits, critical current.

A cell is symmetric if the sheet says so and its voltage does not contradict that, or if the sheet
says nothing and voltage and charge mirror each other around zero
(:mod:`cellpipe.numerics.cycling.symmetric`). Its half cycles, cut where the current changes, give
overpotential, polarisation and charge. Shorts are told by :mod:`cellpipe.numerics.cycling.shorts`,
and after the last half cycle by the spectra (:mod:`cellpipe.analyses.spectrum_shorts`); the
critical current density by :mod:`cellpipe.numerics.cycling.critical_current`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.internal_shorts import internal_short_findings
from cellpipe.analyses.spectrum_shorts import spectrum_shorts
from cellpipe.analyses.symmetric_cells import Life, collect_life, symmetric_evidence
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.critical_current import find_critical_current
from cellpipe.numerics.cycling.shorts import Short, find_shorts
from cellpipe.numerics.cycling.symmetric import (
    CONTRADICTS,
    FOLLOWS,
    Evidence,
    Stretches,
    find_stretches,
    is_stripping_and_plating,
)

TRACE = 1200  # times, of each of which the trace has the lowest and the highest voltage
_TABLES = ("stripping_plating", "voltage_trace", "short_circuits", "critical_current")
Row = dict[str, Any]


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    half_cycles, timeseries = tables["half_cycles"], tables["timeseries"]
    evidence = symmetric_evidence(half_cycles)
    findings = _evidence_findings(cell, evidence)
    if half_cycles.is_empty() or not is_stripping_and_plating(cell.configuration, evidence):
        return _results({}, findings + internal_short_findings(cell, tables))
    life = collect_life(timeseries)
    stretches = find_stretches(life.second, life.ampere, life.direction, life.step)
    if not len(stretches.first):
        return _results({}, findings)
    search = find_shorts(life.volt, life.second, stretches, life.celsius)
    shorts = [_short_row(short, life, stretches) for short in search.shorts]
    shorts = shorts or spectrum_shorts(life, stretches, tables["impedance"])
    rows = [
        {"cell_id": cell.cell_id, "stretch": n + 1, **_stretch_row(life, stretches, n, shorts)}
        for n in range(len(stretches.first))
    ]
    charge = np.cumsum([row["charge_ah"] for row in rows])
    for row, total in zip(rows, charge, strict=True):
        row["cumulative_charge_ah"] = float(total)
    for number, row in enumerate(shorts, start=1):
        before = row["stretch"] - 1
        row |= {
            "cell_id": cell.cell_id, "short": number,
            "cumulative_charge_ah": float(charge[before - 1]) if before else 0.0,
        }  # fmt: skip
    critical = {
        "cell_id": cell.cell_id,
        "known_from": _known_from(cell, evidence),
        "shorts": len(shorts),
        "judged": search.judged,
        "half_cycles": len(rows),
        **_critical_row(life, stretches, shorts),
    }
    made = {"stripping_plating": rows, "short_circuits": shorts, "critical_current": [critical]}
    areal = {name: [_add_areal(cell, row) for row in each] for name, each in made.items()}
    return _results(areal | {"voltage_trace": _trace(cell, life)}, findings + _short_findings(
        areal["short_circuits"]
    ))  # fmt: skip


def _results(made: dict[str, list[Row]], findings: tuple[Finding, ...]) -> tuple[Result, ...]:
    results = []
    for name in _TABLES:
        schema = empty_table(name).schema
        rows = [{column: row.get(column) for column in schema} for row in made.get(name, [])]
        results.append(
            Result(name, pl.DataFrame(rows, schema=schema), findings if name == _TABLES[0] else ())
        )
    return tuple(results)


def _known_from(cell: Cell, evidence: Evidence) -> str:
    if cell.configuration is None:
        return "voltage"
    return "sheet and voltage" if evidence == FOLLOWS else "sheet"


def _evidence_findings(cell: Cell, evidence: Evidence) -> tuple[Finding, ...]:
    if cell.configuration == "symmetric" and evidence == CONTRADICTS:
        sentence = (
            "The cell sheet says symmetric, but the voltage keeps its sign whichever way the "
            "current flows, as in a cell with two different electrodes: it is not looked at as a "
            "symmetric cell. Is the Configuration right?"
        )
        return (Finding("warning", "not_symmetric", sentence),)
    if cell.configuration == "full" and evidence == FOLLOWS:
        sentence = (
            "The cell sheet says full, but the voltage follows the current around zero and is the "
            "same in both directions, as in a symmetric cell, which has no capacity, efficiency or "
            "retention. Is the Configuration right?"
        )
        return (Finding("warning", "looks_symmetric", sentence),)
    if cell.configuration is None and evidence == FOLLOWS:
        sentence = (
            "The cell behaves as a symmetric one: its voltage follows the current around zero, and "
            "is the same in both directions. So it has no capacity, efficiency or retention. Write "
            "symmetric as its Configuration."
        )
        return (Finding("info", "symmetric_by_voltage", sentence),)
    return ()


def _stretch_row(life: Life, stretches: Stretches, number: int, shorts: list[Row]) -> Row:
    a, b = int(stretches.first[number]), int(stretches.last[number])
    sign = float(stretches.direction[number])
    millivolt = 1e3 * sign * life.volt[a : b + 1]
    second = life.second[a : b + 1]
    span = float(second[-1] - second[0])
    mean = float(np.trapezoid(millivolt, second)) / span if span > 0 else float(millivolt.mean())
    ampere = float(stretches.ampere[number])
    unix = float(life.unix[a])
    return {
        "direction": "positive" if sign > 0 else "negative",
        "start_hour": float(second[0]) / 3600,
        "start_unix_time_second": unix if np.isfinite(unix) else None,
        "duration_second": span,
        "current_ampere": ampere,
        "charge_ah": abs(float(life.charge_ah[a : b + 1].sum())),
        "mean_overpotential_mv": mean,
        "end_overpotential_mv": float(np.median(millivolt[-3:])),
        "peak_overpotential_mv": float(millivolt.max()),
        "polarisation_ohm": 1e-3 * mean / ampere,
        "state": _state(float(second[0]) / 3600, float(second[-1]) / 3600, shorts),
    }


def _state(begin: float, end: float, shorts: list[Row]) -> str:
    """Return whether the cell is shorted between two times, h."""
    state = "sound"
    for row in shorts:
        stop = np.inf if row["end_hour"] is None else row["end_hour"]
        if row["start_hour"] <= begin and stop >= end:
            return "shorted"
        if row["start_hour"] <= end and stop > begin:
            state = "partly shorted"
    return state


def _short_row(short: Short, life: Life, stretches: Stretches) -> Row:
    unix = float(life.unix[short.record])
    return {
        "kind": short.kind,
        "sign": short.sign,
        "start_hour": float(life.second[short.record]) / 3600,
        "start_unix_time_second": unix if np.isfinite(unix) else None,
        "end_hour": None if short.until is None else float(life.second[short.until]) / 3600,
        "stretch": short.stretch + 1,
        "current_ampere": float(stretches.ampere[short.stretch]),
        "before_ohm": short.before_ohm,
        "after_ohm": short.after_ohm,
    }


def _critical_row(life: Life, stretches: Stretches, shorts: list[Row]) -> Row:
    short = shorts[0]["stretch"] - 1 if shorts else None
    found = find_critical_current(stretches.ampere, short)
    held, shorted = (None if np.isnan(x) else x for x in (found.held, found.shorted))
    has_test = found.levels > 0
    return {
        "verdict": found.verdict,
        "levels": found.levels,
        "held_ampere": held,
        "shorted_ampere": shorted,
        "start_hour": float(life.second[stretches.first[found.first]]) / 3600 if has_test else None,
        "end_hour": float(life.second[stretches.last[found.last]]) / 3600 if has_test else None,
        "short_hour": shorts[0]["start_hour"] if shorts else None,
    }


def _add_areal(cell: Cell, row: Row) -> Row:
    """Return a row with what it holds per area; null without an area."""
    area = cell.area_cm2
    per_area = {
        "current_density_ma_per_cm2": ("current_ampere", 1e3),
        "areal_charge_mah_per_cm2": ("charge_ah", 1e3),
        "cumulative_areal_charge_mah_per_cm2": ("cumulative_charge_ah", 1e3),
        "critical_current_density_ma_per_cm2": ("held_ampere", 1e3),
        "shorted_current_density_ma_per_cm2": ("shorted_ampere", 1e3),
    }
    more = {
        name: factor * row[source] / area
        for name, (source, factor) in per_area.items()
        if area and row.get(source) is not None
    }
    if area and "polarisation_ohm" in row:
        more["polarisation_ohm_cm2"] = row["polarisation_ohm"] * area
    held = more.get("critical_current_density_ma_per_cm2")
    shorted = more.get("shorted_current_density_ma_per_cm2")
    if held is not None and shorted is not None:
        more["step_ma_per_cm2"] = shorted - held
    return row | more


def _trace(cell: Cell, life: Life) -> list[Row]:
    """Return the records with the lowest and highest voltage of each of some times."""
    places = _extremes(life.volt, TRACE)
    return [
        {"cell_id": cell.cell_id, "hour": hour, "voltage_volt": volt, "current_ampere": ampere}
        for hour, volt, ampere in zip(
            (life.second[places] / 3600).tolist(), life.volt[places].tolist(),
            life.ampere[places].tolist(), strict=True,
        )
    ]  # fmt: skip


def _extremes(volt: NDArray[np.float64], parts: int) -> NDArray[np.int64]:
    """Return the places of the lowest and the highest value of each part, and both ends."""
    if len(volt) <= 2 * parts:
        return np.arange(len(volt))
    edges = np.linspace(0, len(volt), parts + 1).astype(np.int64)
    chosen = {0, len(volt) - 1}
    for a, b in pairwise(edges.tolist()):
        chosen |= {int(a + np.argmin(volt[a:b])), int(a + np.argmax(volt[a:b]))}
    return np.array(sorted(chosen), np.int64)


def _short_findings(shorts: list[Row]) -> tuple[Finding, ...]:
    """Return the finding that says that the cell was shorted, and when."""
    if not shorts:
        return ()
    first = shorts[0]
    density = first.get("current_density_ma_per_cm2")
    at = f"{1e3 * first['current_ampere']:.4g} mA" if density is None else f"{density:.3g} mA/cm²"
    words = {
        "hard": "the voltage stays low from there on",
        "soft": "it recovered at {:.4g} h",
        "open": "the data end too soon to tell whether it stays",
    }[first["kind"]].format(first["end_hour"] or 0.0)
    more = f" {len(shorts) - 1} more followed." if len(shorts) > 1 else ""
    sentence = (
        f"Short circuit at {first['start_hour']:.4g} h, at {at} ({first['sign']}: "
        f"{first['before_ohm']:.3g} → {first['after_ohm']:.3g} Ω): {words}.{more} Overpotentials "
        "after it are not those of the interfaces."
    )
    return (Finding("warning", "short_circuit", sentence, len(shorts)),)


ANALYSIS = Analysis(
    "stripping_plating", ("half_cycles", "cycles", "timeseries", "impedance"), _TABLES, _compute,
    version=1, fields=("cell_id", "configuration", "area_cm2", "working_electrode_role"),
    columns={
        "cycles": (
            "cycle", "charging_capacity_ah", "discharging_capacity_ah", "charging_half_cycle",
        ),
    },
)  # fmt: skip
