"""Comparison of a cell with published cells on equal terms, or the reason against it.

A row is comparable if it has the cell's configuration and both capacities have the same basis:
mAh/g of cathode or anode active material, or mAh/cm². If the row gives a loading of its active
material in mg/cm², its mAh/g × mg/cm² is compared per area and marked as derived. "Initial" is the
first discharge of a complete cycle, as in the table (in a half cell the lithiation). Retention is
over that, as Table 1 means it, and is compared at the row's own cycle; the retention over the first
discharge at the same rate stands beside it. A cell that has not reached the row's cycle is compared
at its last complete cycle, with the row's retention interpolated linearly from 1 at cycle 1 to the
row's last cycle, and marked as interpolated. The spread of a row is the range of the retentions
from its printed capacities and of its printed retention, interpolated in the same way.

Comparable rows are ranked by similarity: electrolyte family, then cathode, then temperature
(differences up to 5 K count as equal), then rate.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from cellpipe.analyses.conditions import (
    cell_conditions,
    describe_conditions,
    differences,
    distance,
    parse_currents,
    published_conditions,
    similarities,
)
from cellpipe.baselines.published_points import end_retentions, loading_mg_per_cm2
from cellpipe.baselines.verdict import verdict
from cellpipe.core.contracts import load_schema
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.cycling.ageing import fade, usual_rate

_CAPACITIES = {
    "cathode active material": ("specific_discharging_capacity_mah_per_g", "mAh/g"),
    "anode active material": ("specific_discharging_capacity_mah_per_g", "mAh/g"),
    "area": ("areal_discharging_capacity_mah_per_cm2", "mAh/cm2"),
}
_BASES = {"cathode active mass": "cathode active material",
          "anode active mass": "anode active material"}  # fmt: skip


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    cycles = tables["cycles"].filter("complete").sort("cycle")
    own_conditions = cell_conditions(cell, tables["cycles"], tables["half_cycles"])
    strips = not tables["cells"]["plating_summary"].drop_nulls().is_empty()
    cell_fade = {} if strips else _cell_fade(cycles)
    published = tables["baselines"].to_dicts()
    doubts = tables["cells"]["contradictions"].drop_nulls()
    doubt = f"it contradicts physics: {doubts[0]}" if doubts.len() else None
    if strips:
        doubt = "it strips and plates, and has no capacity of its own"
    rows = [_compare_row(cell, cycles, row, doubt) | cell_fade for row in published]
    conditions = [published_conditions(row) for row in published]
    order = [index for index, row in enumerate(rows) if row["comparable"]]
    order.sort(key=lambda index: (distance(own_conditions, conditions[index]), index))
    for index, row in enumerate(rows):
        row["cell_conditions"] = describe_conditions(own_conditions)
        row["differences"] = "; ".join(differences(own_conditions, conditions[index]))
        if index in order:
            row["rank"] = order.index(index) + 1
            row["alike"] = ", ".join(similarities(own_conditions, conditions[index]))
        row["verdict"] = verdict(row)
    types = {
        name: column.dtype for name, column in load_schema("baseline_comparison").columns.items()
    }
    return (Result("baseline_comparison", pl.DataFrame(rows, schema=types)),)


def _cell_fade(cycles: pl.DataFrame) -> dict[str, object]:
    """Return the steady loss of discharge capacity per cycle, relative to the first discharge.

    Theil–Sen slope over the complete cycles at the most frequent rate, with its 95 % interval;
    the losses of the first cycles are not included.
    """
    complete = cycles.filter("complete")
    if complete.is_empty() or not cycles["discharging_capacity_ah"][0]:
        return {}
    usual = usual_rate(complete["rate_group"].to_numpy())
    same = complete.filter((pl.col("rate_group") == usual) & ~pl.col("formation_cycle"))
    retention = same["discharging_capacity_ah"].to_numpy() / cycles["discharging_capacity_ah"][0]
    slope = fade(same["cycle"].to_numpy().astype(np.float64), retention)
    ends = {"": -slope.value, "_low": -slope.high, "_high": -slope.low}
    return {f"cell_fade_per_cycle{name}": v for name, v in ends.items() if np.isfinite(v)}


def _compare_row(
    cell: Cell, cycles: pl.DataFrame, row: dict[str, Any], doubt: str | None
) -> dict[str, Any]:
    """Compare a cell with a published one; ``doubt`` is why its numbers can't be."""
    compared: dict[str, Any] = {
        "cell_id": cell.cell_id, "source": row["source"], "row": row["row"], "doi": row["doi"],
        "first_author_year": row["first_author_year"],
        "baseline_initial_derived": False, "interpolated": False, "comparable": False,
        "reached": False, "other_rate": False,
        "baseline_retention_printed": _fraction(row["retention_percent"]), **_row_fade(row),
    }  # fmt: skip
    reason = doubt or _exclusion_reason(cell, cycles, row)
    if reason is not None:
        return compared | {"reason": reason}
    basis, initial, unit, derived = _common_basis(cycles, row)
    if basis is None:
        basis_of_row = row["capacity_basis_inferred"]
        return compared | {"reason": f"no shared basis: the row is per {basis_of_row}"}
    column, _ = _CAPACITIES[basis]
    initial_of_cell = cycles[column][0]
    compared |= {
        "comparable": True, "basis": basis, "unit": unit, "cell_initial_capacity": initial_of_cell,
        "baseline_initial_capacity": initial, "baseline_initial_derived": derived,
        "capacity_ratio": initial_of_cell / initial if initial else None,
    }  # fmt: skip
    retention = _compare_retention(cycles, row)
    reason = _caveat(row, retention, derived=derived)
    return compared | retention | {"reason": reason}


def _row_fade(row: dict[str, Any]) -> dict[str, object]:
    """Return the loss per cycle between a row's two points, relative to the first."""
    ends, cycle = end_retentions(row), row["later_cycle"]
    if ends is None or not cycle or cycle < 2:
        return {}
    steps = cycle - 1
    return {"baseline_fade_per_cycle_low": (1 - max(ends)) / steps,
            "baseline_fade_per_cycle_high": (1 - min(ends)) / steps}  # fmt: skip


def _exclusion_reason(cell: Cell, cycles: pl.DataFrame, row: dict[str, Any]) -> str | None:
    kind = row["cell_kind_inferred"]
    if cell.configuration is None:
        return "the cell sheet does not say what kind the cell is"
    if cell.configuration != kind:
        return f"the row is a {kind} cell"
    if kind == "half" and cell.working_electrode_role != _electrode_role(row):
        return (
            "the row is a half cell of "
            f"{'an anode' if _electrode_role(row) == 'anode' else 'a cathode'}"
        )
    if not cycles.height:
        return "the cell has no complete cycle"
    return None


def _electrode_role(row: dict[str, Any]) -> str:
    """Return which electrode of a published half cell is the working electrode."""
    no_cathode = (row["cathode_composition"] or "-").strip() in {"-", "–"}
    return "anode" if no_cathode else "cathode"


def _common_basis(
    cycles: pl.DataFrame, row: dict[str, Any]
) -> tuple[str | None, float | None, str | None, bool]:
    """Return the common basis, the row's initial capacity, its unit and whether it is derived.

    The basis is that of the row, or the area by means of the row's loading; None if there is none.
    """
    basis = row["capacity_basis_inferred"]
    own_basis = _BASES.get(str(cycles["capacity_basis"][0]))
    areal = cycles["areal_discharging_capacity_mah_per_cm2"][0] is not None
    if basis == own_basis or (basis == "area" and areal):
        return basis, row["initial_value"], _CAPACITIES[basis][1], False
    loading = loading_mg_per_cm2(row["loading_text"] or "", row["capacity_basis_inferred"])
    if areal and loading is not None and basis != "area":
        return "area", row["initial_value"] * loading * 1e-3, "mAh/cm2", True
    return None, None, None, False


def _compare_retention(cycles: pl.DataFrame, row: dict[str, Any]) -> dict[str, object]:
    """Return retentions at the row's cycle, or at the cell's last complete cycle before it."""
    end, ends = row["later_cycle"], end_retentions(row)
    complete = cycles.filter(pl.col("complete"))
    if end is None or not complete.height or ends is None:
        return {}
    cycle = min(int(end), int(complete["cycle"][-1]))
    first = float(cycles["discharging_capacity_ah"][0])
    reached = complete.filter(pl.col("cycle") <= cycle)
    if not reached.height or first <= 0:
        return {}
    cycle = int(reached["cycle"][-1])
    progress = (cycle - 1) / (int(end) - 1) if end > 1 else 1.0
    low, high = (1 - (1 - retention) * progress for retention in (min(ends), max(ends)))
    own = float(reached["discharging_capacity_ah"][-1]) / first
    rates = (cycles["rate_group"][0], reached["rate_group"][-1])
    alike = complete.filter(pl.col("rate_group") == rates[1])["discharging_capacity_ah"][0]
    compared: dict[str, object] = {
        "cycle": cycle, "cell_retention": own, "baseline_retention_low": low,
        "cell_retention_at_rate": (
            float(reached["discharging_capacity_ah"][-1]) / alike if alike else None
        ),
        "baseline_retention_high": high, "interpolated": cycle < int(end),
        "reached": int(complete["cycle"][-1]) >= int(end),
        "other_rate": None not in rates and rates[0] != rates[1],
    }  # fmt: skip
    if cycle > complete["cycle"][0]:  # in the first cycle, both are 100 % by definition
        compared["cell_fade_to_cycle"] = (1 - own) / (cycle - complete["cycle"][0])
        shown = [round(100 * value, 1) for value in (low, own, high)]  # rounded as in the report
        above, below = shown[1] > shown[2], shown[1] < shown[0]
        compared["standing"] = "above" if above else "below" if below else "within"
    return compared


def _caveat(row: dict[str, Any], retention: dict[str, object], *, derived: bool) -> str | None:
    caveats = []
    if derived:
        caveats.append("the row's capacity was converted with its printed loading")
    if retention.get("interpolated") and retention.get("reached"):
        caveats.append(f"cycle {row['later_cycle']} of the cell is not complete: the one before it "
                    "that is stands for it")  # fmt: skip
    elif retention.get("interpolated"):
        caveats.append(
            f"the row ends at cycle {row['later_cycle']}; interpolated to the cell's last"
        )
    if retention.get("other_rate"):
        caveats.append(
            "the cell's first discharge was at another rate: its retention contains that"
        )
    return "; ".join([*caveats, *remarks(row)]) or None


def remarks(row: dict[str, Any]) -> list[str]:
    """Return caveats about a row of ``baselines``, as sentences.

    They name a printed retention that differs from that of the printed capacities, a missing one of
    either, several printed currents, and a loading printed for another cathode than the row's.
    """
    printed, initial = row["retention_percent"], row["initial_value"]
    values = [v for v in (row["later_value_low"], row["later_value_high"]) if v is not None]
    computed = initial and row["later_unit"] == row["initial_unit"]
    ends = sorted({round(100 * value / initial, 1) for value in values}) if computed else []
    computed_text = "–".join(f"{end:.1f}" for end in ends)
    caveats = []
    if printed is None:
        caveats.append(f"no retention is printed; the capacities give {computed_text} %" if ends
                    else "one capacity only is printed: no retention can be had")  # fmt: skip
    elif ends and not ends[0] - 0.1 <= printed <= ends[-1] + 0.1:
        caveats.append(f"printed {printed:g} %, but the printed capacities give {computed_text} %")
    elif len(ends) > 1:
        caveats.append(
            f"printed {printed:g} %; the printed range of capacities gives {computed_text} %"
        )
    if any(len(values) > 1 for values in parse_currents(row["current_text"] or "").values()):
        caveats.append("of the currents that are printed, the last is compared")
    loaded = re.search(r"\b(N[CM][MC]\d+|LCO|LFP|NCA)\b", row["loading_text"] or "")
    cathode = row["cathode_composition"] or ""
    if loaded and loaded[1] not in cathode:
        caveats.append(f"the loading is printed for {loaded[1]}, the cathode is {cathode}")
    return caveats


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


ANALYSIS = Analysis(
    "baseline_comparison", ("cycles", "half_cycles", "baselines", "cells"),
    ("baseline_comparison",), _compute, version=5,
    fields=(
        "cell_id", "configuration", "working_electrode_role", "temperature_celsius",
        "lower_voltage_volt", "upper_voltage_volt", "electrolyte", "cathode", "working_electrode",
        "stack_pressure_mpa", "cathode_active_mass_mg", "anode_active_mass_mg", "area_cm2",
        "reference_offset_volt", "materials",
    ),
    columns={"cells": ("cell_id", "contradictions", "plating_summary")},
)  # fmt: skip
