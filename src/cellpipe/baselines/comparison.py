"""A cell beside the rows of Table 1: like with like, or the reason why not.

A row is comparable if it is of the cell's kind and both capacities are on one basis: mAh/g of
cathode or anode active material, or mAh/cm²; where the row prints a loading of its active
material in mg/cm², its mAh/g × mg/cm² is compared per area and marked as derived. "Initial" is the
first discharge, as in the table (in a half cell the first lithiation). Retention is compared at
the row's own cycle; a cell that is not there yet is compared at its last complete cycle with the
row's retention interpolated along the straight line from 1 at cycle 1 to the row's end, and marked
as such. The row's retention is what its printed capacities give; the printed one stands beside it.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from cellpipe.contracts import schema
from cellpipe.domain import Analysis, Cell, Result, Tables

_CAPACITIES = {
    "cathode active material": ("specific_discharging_capacity_mah_per_g", "mAh/g"),
    "anode active material": ("specific_discharging_capacity_mah_per_g", "mAh/g"),
    "area": ("areal_discharging_capacity_mah_per_cm2", "mAh/cm2"),
}
_BASES = {"cathode active mass": "cathode active material",
          "anode active mass": "anode active material"}  # fmt: skip


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    cycles = tables["cycles"].filter(
        pl.col("complete") | (pl.col("cycle") == 1), pl.col("discharging_capacity_ah").is_not_null()
    )
    rows = [_compared(cell, cycles, row) for row in tables["baselines"].iter_rows(named=True)]
    types = {name: column.dtype for name, column in schema("baseline_comparison").columns.items()}
    return (Result("baseline_comparison", pl.DataFrame(rows, schema=types)),)


def _compared(cell: Cell, cycles: pl.DataFrame, row: dict[str, Any]) -> dict[str, object]:
    compared: dict[str, object] = {
        "cell_id": cell.cell_id, "row": row["row"], "doi": row["doi"],
        "first_author_year": row["first_author_year"],
        "baseline_initial_derived": False, "interpolated": False, "comparable": False,
        "baseline_retention_printed": _fraction(row["retention_percent"]),
    }  # fmt: skip
    reason = _obstacle(cell, cycles, row)
    if reason is not None:
        return compared | {"reason": reason}
    basis, initial, unit, derived = _shared_basis(cycles, row)
    if basis is None:
        wanted = row["capacity_basis_inferred"]
        return compared | {"reason": f"no shared basis: the row is per {wanted}"}
    column, _ = _CAPACITIES[basis]
    own = cycles[column][0]
    compared |= {
        "comparable": True, "basis": basis, "unit": unit, "cell_initial_capacity": own,
        "baseline_initial_capacity": initial, "baseline_initial_derived": derived,
        "capacity_ratio": own / initial if initial else None,
    }  # fmt: skip
    retention = _retention(cycles, row)
    return compared | retention | {"reason": _caveat(row, retention, derived=derived)}


def _obstacle(cell: Cell, cycles: pl.DataFrame, row: dict[str, Any]) -> str | None:
    kind = row["cell_kind_inferred"]
    if cell.configuration is None:
        return "the cell sheet does not say what kind the cell is"
    if cell.configuration != kind:
        return f"the row is a {kind} cell"
    if not cycles.height or cycles["cycle"][0] != 1:
        return "the cell has no first discharge"
    return None


def _shared_basis(
    cycles: pl.DataFrame, row: dict[str, Any]
) -> tuple[str | None, float | None, str | None, bool]:
    """Give the basis that both have: the row's own, or the area through the row's loading."""
    wanted = row["capacity_basis_inferred"]
    own = _BASES.get(str(cycles["capacity_basis"][0]))
    areal = cycles["areal_discharging_capacity_mah_per_cm2"][0] is not None
    if wanted == own or (wanted == "area" and areal):
        return wanted, row["initial_value"], _CAPACITIES[wanted][1], False
    loading = loading_mg_per_cm2(row["loading_text"], row["capacity_basis_inferred"])
    if areal and loading is not None and wanted != "area":
        return "area", row["initial_value"] * loading * 1e-3, "mAh/cm2", True
    return None, None, None, False


def loading_mg_per_cm2(text: str, basis: str) -> float | None:
    """Read the loading of the material that a row's capacity is per from the printed text.

    Gives None where the text names no loading of that material.
    """
    cathode = basis == "cathode active material"
    for part in text.split(";"):
        found = re.search(r"([\d.]+)\s*mg\s*cm", part)
        silicon = part.strip().lower().lstrip("µ").startswith("si")
        if found and silicon != cathode:
            return float(found[1])
    return None


def _retention(cycles: pl.DataFrame, row: dict[str, Any]) -> dict[str, object]:
    """Compare retentions at the row's cycle, or at the cell's last one before it."""
    end = row["later_cycle"]
    complete = cycles.filter(pl.col("complete"))
    if end is None or not complete.height or not row["later_value_low"]:
        return {}
    cycle = min(int(end), int(complete["cycle"][-1]))
    first = float(cycles["discharging_capacity_ah"][0])
    at = complete.filter(pl.col("cycle") <= cycle)
    if not at.height or first <= 0:
        return {}
    cycle = int(at["cycle"][-1])
    way = (cycle - 1) / (int(end) - 1) if end > 1 else 1.0
    low, high = (1 - (1 - row[name] / row["initial_value"]) * way
                 for name in ("later_value_low", "later_value_high"))  # fmt: skip
    return {
        "cycle": cycle, "cell_retention": float(at["discharging_capacity_ah"][-1]) / first,
        "baseline_retention_low": low, "baseline_retention_high": high,
        "interpolated": cycle < int(end),
    }  # fmt: skip


def _caveat(row: dict[str, Any], retention: dict[str, object], *, derived: bool) -> str | None:
    said = []
    if derived:
        said.append("the row's capacity was converted with its printed loading")
    if row["later_cycle"] is None:
        said.append("the row prints one capacity only: no retention")
    if retention.get("interpolated"):
        said.append(f"the row ends at cycle {row['later_cycle']}; interpolated to the cell's last")
    printed, low, high = (row[n] for n in (
        "retention_percent", "later_value_low", "later_value_high"))  # fmt: skip
    if printed is not None and low is not None:
        ends = [100 * value / row["initial_value"] for value in (low, high)]
        if printed < min(ends) - 0.1 or printed > max(ends) + 0.1:
            said.append(
                f"printed {printed:g} %, but the printed capacities give "
                + (f"{ends[0]:.1f} %" if low == high else f"{ends[0]:.1f}–{ends[1]:.1f} %")
            )
    return "; ".join(said) or None


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


ANALYSIS = Analysis(
    "baseline_comparison", ("cycles", "baselines"), ("baseline_comparison",), _compute
)
