"""The key numbers of cells that strip and plate: symmetric ones, and foils against lithium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.report.wording import NOTHING, format_number, format_percent

Row = Mapping[str, Any]
Number = tuple[str, str, str]  # name, value with unit, basis


def is_symmetric(tables: Mapping[str, pl.DataFrame]) -> bool:
    """Tell whether a cell's tables are those of a symmetric cell."""
    return "critical_current" in tables and tables["critical_current"].height > 0


def holds_capacity(tables: Mapping[str, pl.DataFrame]) -> bool:
    """Tell whether a cell has a capacity of its own: it neither strips nor plates only."""
    is_foil = "plating_efficiency" in tables and tables["plating_efficiency"].height > 0
    return not is_symmetric(tables) and not is_foil


def symmetric_numbers(tables: Mapping[str, pl.DataFrame]) -> list[Number]:
    """Return critical current, short, polarisation, overpotential and charge of a symmetric cell.

    Those of half cycles are of the first and the last one in which the cell was sound.
    """
    row = tables["critical_current"].row(0, named=True)
    halves = tables["stripping_plating"]
    sound = halves.filter(state="sound")
    return [_critical(row), _short(row, tables["short_circuits"]), *_half_cycles(sound, halves)]


def _critical(row: Row) -> Number:
    name, verdict = "Critical current density", row["verdict"]
    if verdict == "no rising current":
        return name, NOTHING, "there was no test with a current that rises step by step"
    area = "" if row["shorted_current_density_ma_per_cm2"] or row[
        "critical_current_density_ma_per_cm2"
    ] else "; no area in the cell sheet"  # fmt: skip
    steps = f"{row['levels']} rising currents"
    held, shorted = (_current(row, end) for end in ("held", "shorted"))
    if verdict == "not shorted":
        return name, f"above {held}", f"{steps}; the test ended without a short{area}"
    if verdict == "shorted at the lowest":
        return name, f"below {shorted}", f"{steps}; the lowest one shorted the cell{area}"
    step = row["step_ma_per_cm2"]
    off = "" if step is None else f", a step of {format_number(step)} mA/cm²"
    hour = format_number(row["short_hour"])
    return name, held, f"held; {shorted} shorted the cell at {hour} h{off}{area}"


def _current(row: Row, end: str) -> str:
    """Return the current that was held, or that shorted the cell, per area if that is known."""
    stem = {"held": "critical", "shorted": "shorted"}[end]
    density, ampere = row[f"{stem}_current_density_ma_per_cm2"], row[f"{end}_ampere"]
    if density is not None:
        return f"{format_number(density)} mA/cm²"
    return NOTHING if ampere is None else f"{format_number(1e3 * ampere)} mA"


def _short(row: Row, shorts: pl.DataFrame) -> Number:
    name = "Short circuit"
    if shorts.is_empty():
        basis = f"{row['judged']} of {row['half_cycles']} half cycles could tell"
        return name, "none found" if row["judged"] else NOTHING, basis
    first = shorts.row(0, named=True)
    density = first["current_density_ma_per_cm2"]
    at = (
        f"{format_number(1e3 * first['current_ampere'])} mA" if density is None
        else f"{format_number(density)} mA/cm²"
    )  # fmt: skip
    ohm = f"{format_number(first['before_ohm'])} → {format_number(first['after_ohm'])} Ω"
    more = f"; {len(shorts)} in all" if len(shorts) > 1 else ""
    kind = "" if first["kind"] == "open" else f"{first['kind']}, "
    value = f"{format_number(first['start_hour'])} h"
    return name, value, f"{kind}at {at}: {first['sign']}, {ohm}{more}"


def _half_cycles(sound: pl.DataFrame, halves: pl.DataFrame) -> list[Number]:
    areal = halves["polarisation_ohm_cm2"].null_count() == 0
    no_area = "" if areal else "; no area in the cell sheet"
    column, unit = ("polarisation_ohm_cm2", "Ω cm²") if areal else ("polarisation_ohm", "Ω")
    ends = "first → last half cycle without a short"
    last = halves.row(-1, named=True)
    charge, per = (
        (last["cumulative_areal_charge_mah_per_cm2"], "mAh/cm²") if areal
        else (1e3 * last["cumulative_charge_ah"], "mAh")
    )  # fmt: skip
    return [
        ("Polarisation", _first_and_last(sound, column, unit), f"{ends}{no_area}"),
        ("Mean overpotential", _first_and_last(sound, "mean_overpotential_mv", "mV"), ends),
        ("Cumulative charge", f"{format_number(charge)} {per}", f"both directions{no_area}"),
    ]


def _first_and_last(sound: pl.DataFrame, column: str, unit: str) -> str:
    if sound.is_empty():
        return NOTHING
    values = [format_number(sound[column][place]) for place in (0, -1)]
    return f"{values[0]} → {values[1]} {unit}"


def efficiency_numbers(efficiency: pl.DataFrame) -> list[Number]:
    """Return the plating efficiency of a foil against lithium, by the method that is used."""
    name = "Plating efficiency"
    used = efficiency.filter("used")
    if used.is_empty():
        return [(name, NOTHING, efficiency["remark"].drop_nulls()[-1])]
    row = used.row(0, named=True)
    low, high = (format_percent(row[f"efficiency_{end}"], 2) for end in ("low", "high"))
    if row["method"] == "reservoir":
        basis = (
            f"reservoir of {format_number(1e3 * row['reservoir_charge_ah'])} mAh, "
            f"{row['cycles']} × {format_number(1e3 * row['cycled_charge_ah'])} mAh, "
            f"{format_number(1e3 * row['final_charge_ah'])} mAh in the end; {low} to {high}"
        )
    else:
        basis = f"mean of {row['cycles']} cycles, stripped over plated; 95 %: {low} to {high}"
    return [(name, format_percent(row["efficiency"], 2), basis)]
