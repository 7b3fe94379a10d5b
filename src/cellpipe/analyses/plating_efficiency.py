"""Efficiency of plating lithium on a foil without lithium, by cycles and with a reservoir."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.baselines.materials import plates_on_foil
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.cycling.plating import (
    Efficiency,
    Reservoir,
    find_reservoir,
    mean_efficiency,
    reservoir_efficiency,
)

_LEAST_VOLT, _RUNS_AWAY = 0.1, 3.0  # at the end of the last stripping: V, and of its plateau
_FIRST = 2  # cycles; with more, the first one is in no mean


def reservoir_of(half_cycles: pl.DataFrame) -> Reservoir | None:
    """Return the reservoir among the half cycles of a foil against lithium, None without one."""
    return find_reservoir(_plates(half_cycles), half_cycles["capacity_ah"].to_numpy())


def drop_shared_efficiencies(
    cell: Cell, table: pl.DataFrame, half_cycles: pl.DataFrame
) -> pl.DataFrame:
    """Return a table of cycles without efficiencies of those that share a reservoir."""
    found = reservoir_of(half_cycles) if plates_on_foil(cell) else None
    if found is None:
        return table
    last = found.end if found.last is None else found.last
    numbers = half_cycles["half_cycle"][found.first : last + 1]
    shares = pl.any_horizontal(
        pl.col(f"{word}_half_cycle").is_in(numbers.to_list())
        for word in ("charging", "discharging")
    )
    names = ("coulombic_efficiency", "coulombic_efficiency_uncertainty", "energy_efficiency")
    return table.with_columns(pl.when(~shares.fill_null(value=False)).then(name).alias(name)
                              for name in names)  # fmt: skip


def _plates(half_cycles: pl.DataFrame) -> NDArray[np.bool_]:
    return (half_cycles["direction"] == "discharge").to_numpy()


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    blank = empty_table("plating_efficiency")
    half_cycles = tables["half_cycles"]
    if not plates_on_foil(cell) or half_cycles.is_empty():
        return (Result("plating_efficiency", blank),)
    reservoir = reservoir_of(half_cycles)
    rows = [_cycles_row(tables["cycles"])]
    if reservoir is not None:
        rows.append(_reservoir_row(reservoir, half_cycles))
    known = [row for row in rows if row["efficiency"] is not None]
    for row in rows:
        row |= {"cell_id": cell.cell_id, "used": bool(known) and row is known[-1]}
    filled = [{name: row.get(name) for name in blank.columns} for row in rows]
    return (Result("plating_efficiency", pl.DataFrame(filled, schema=blank.schema)),)


def _cycles_row(cycles: pl.DataFrame) -> dict[str, Any]:
    """Return the mean of the complete cycles after the first: a reservoir's have no efficiency."""
    known = cycles.filter("complete")["coulombic_efficiency"].drop_nulls().to_numpy()
    known = known[1:] if len(known) > _FIRST else known
    found = mean_efficiency(known)
    single = Efficiency(float(known[0]), np.nan, np.nan) if len(known) == 1 else None
    because = None if len(known) else "no cycle strips all that was plated"
    return {
        "method": "cycles",
        "cycles": len(known),
        **_columns(found or single),
        "remark": because,
    }


def _reservoir_row(reservoir: Reservoir, half_cycles: pl.DataFrame) -> dict[str, Any]:
    charge = half_cycles["capacity_ah"].to_numpy()
    first, last, pairs, end = reservoir
    found = None
    if last is not None and _strips_all(half_cycles, reservoir, last):
        uncertainty = half_cycles["charge_uncertainty_ah"].to_numpy()
        found = reservoir_efficiency(reservoir, charge, uncertainty)
    return {
        "method": "reservoir",
        "cycles": pairs,
        "reservoir_charge_ah": float(charge[first]),
        "cycled_charge_ah": float(charge[first + 1 : end + 1].mean()),
        "final_charge_ah": None if last is None else float(charge[last]),
        **_columns(found),
        "remark": None if found else "the final stripping is not in the data to its end",
    }


def _strips_all(half_cycles: pl.DataFrame, reservoir: Reservoir, last: int) -> bool:
    """Tell whether the last stripping went on until no lithium was left: its voltage ran away."""
    strips = half_cycles["mean_voltage_volt"][reservoir.first + 1 : reservoir.end : 2]
    plateau = float(np.median(np.abs(strips.drop_nulls().to_numpy())))
    end = half_cycles["end_voltage_volt"][last]
    return bool(end > max(_LEAST_VOLT, _RUNS_AWAY * plateau))


def _columns(found: Efficiency | None) -> dict[str, float | None]:
    values = found or Efficiency(np.nan, np.nan, np.nan)
    names = ("efficiency", "efficiency_low", "efficiency_high")
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(names, values, strict=True)
    }


ANALYSIS = Analysis(
    "plating_efficiency", ("half_cycles", "cycles"), ("plating_efficiency",), _compute, version=1,
    fields=("cell_id", "configuration", "materials"),
    columns={"cycles": ("complete", "coulombic_efficiency")},
)  # fmt: skip
