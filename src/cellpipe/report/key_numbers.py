"""Describe a cell in one line and six key numbers, for the top of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.wording import NOTHING, KindWords, format_number, format_percent, pluralize

_DOUBTS = ("leads_reversed", "current_sign_contradicts")  # findings of files


@dataclass(frozen=True)
class KeyNumber:
    """A key number: its name, its value with unit, and its basis."""

    name: str
    value: str
    basis: str


def describe_cell(cell: Cell, words: KindWords) -> str:
    """Return one line that says what the cell is, from the cell sheet alone."""
    parts = [words.kind]
    if cell.working_electrode:
        parts.append(f"working electrode {cell.working_electrode}")
    if cell.counter_electrode:
        parts.append(f"counter electrode {cell.counter_electrode}")
    if cell.electrolyte:
        parts.append(f"electrolyte {cell.electrolyte}")
    if cell.cathode:
        parts.append(f"cathode {cell.cathode}")
    if cell.stack_pressure_mpa is not None:
        parts.append(f"{cell.stack_pressure_mpa:g} MPa stack pressure")
    if cell.temperature_celsius is not None:
        parts.append(f"{cell.temperature_celsius:g} °C")
    if not cell.in_sheet:
        parts.append("not in the cell sheet")
    return " · ".join(parts)


def key_numbers(summary: pl.DataFrame, words: KindWords) -> list[KeyNumber]:
    """Return the six numbers that a lab manager asks for first; none if ``summary`` is empty."""
    if summary.is_empty():
        return []
    row = summary.row(0, named=True)
    return [
        _first_capacity(row, words),
        KeyNumber(
            "Initial Coulombic efficiency",
            format_percent(row["initial_coulombic_efficiency"], 2),
            f"cycle 1: {words.efficiency}" if words.efficiency else no_efficiency_reason(row),
        ),
        KeyNumber(
            "Mean Coulombic efficiency",
            format_percent(row["mean_coulombic_efficiency"], 2),
            "complete cycles from cycle 2 on",
        ),
        _retention(row),
        _resistance(row),
        _cycles(row),
    ]


def headline(tables: Mapping[str, pl.DataFrame], words: KindWords) -> list[KeyNumber]:
    """Return the key numbers of a cell by its tables; none of a current whose sign is doubted."""
    if not tables["findings"]["code"].is_in(_DOUBTS).any():
        return key_numbers(tables["cells"], words)
    basis = "the sign of the current is in doubt; see what is to check"
    return [KeyNumber("Key numbers", NOTHING, basis)]


def _cycles(row: dict[str, object]) -> KeyNumber:
    complete = row["complete_cycles"]
    if not isinstance(complete, int):
        return KeyNumber("Cycles", NOTHING, "could not be made; see what is to check")
    return KeyNumber("Cycles", str(row["cycles"]), pluralize(complete, "complete", "complete"))


def no_efficiency_reason(row: dict[str, object]) -> str:
    """Return why a cell has no Coulombic efficiency."""
    if row["configuration"] == "symmetric":
        return "a symmetric cell has none"
    if row["configuration"] == "half":
        return "needs the working electrode"
    return "needs the kind of the cell"


def _first_capacity(row: dict[str, object], words: KindWords) -> KeyNumber:
    name = f"First {words.discharge}"
    specific = _to_float(row["first_specific_discharging_capacity_mah_per_g"])
    areal = _to_float(row["first_areal_discharging_capacity_mah_per_cm2"])
    charge = _to_float(row["first_discharging_capacity_ah"])
    areal_text = "" if areal is None else f"{format_number(areal)} mAh/cm²"
    if specific is not None:
        basis = f"per {row['capacity_basis']}"
        full_basis = f"{basis}; {areal_text} by area" if areal_text else basis
        return KeyNumber(name, f"{format_number(specific, 4)} mAh/g", full_basis)
    if areal_text:
        return KeyNumber(name, areal_text, "per area")
    if charge is None:
        return KeyNumber(name, NOTHING, "no discharge")
    return KeyNumber(name, f"{format_number(1e3 * charge, 4)} mAh", "no active mass, no area known")


def _retention(row: dict[str, object]) -> KeyNumber:
    value = _to_float(row["capacity_retention"])
    if value is None:
        return KeyNumber("Capacity retention", NOTHING, "needs two complete cycles")
    basis = f"cycle {row['retention_cycle']} over cycle {row['retention_reference_cycle']}"
    fade = _to_float(row["fade_per_cycle"])
    if fade is not None:
        basis += f"; fade {format_percent(fade, 3)} per cycle at the usual rate"
    return KeyNumber("Capacity retention", format_percent(value), basis)


def _resistance(row: dict[str, object]) -> KeyNumber:
    name = "Interfacial resistance"
    value, unit = resistance_text(row)
    if not unit:
        return KeyNumber(name, NOTHING, "no spectrum gave one")
    basis = "its only spectrum" if row["spectra"] == 1 else "first → last spectrum"
    return KeyNumber(name, f"{value} {unit}", basis)


def resistance_text(row: dict[str, object]) -> tuple[str, str]:
    """Return the first and last interfacial resistance as text, and the unit: per area if known."""
    stems = (("areal_interfacial_resistance_ohm_cm2", "Ω cm²"), ("interfacial_resistance_ohm", "Ω"))
    for stem, unit in stems:
        first, last = _to_float(row[f"first_{stem}"]), _to_float(row[f"last_{stem}"])
        if row["spectra"] == 1 and first is not None:
            return format_number(first), unit
        if first is not None or last is not None:
            return f"{format_number(first)} → {format_number(last)}", unit
    return NOTHING, ""


def _to_float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
