"""Describe a cell in one line and its key numbers, for the top of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.plating_numbers import efficiency_numbers, is_symmetric, symmetric_numbers
from cellpipe.report.wording import (
    NOTHING,
    KindWords,
    format_number,
    format_percent,
    format_with_error,
    pluralize,
)

_DOUBTS = ("leads_reversed", "current_sign_contradicts")  # findings of files
MEAN_BASIS = "complete cycles after the first, without formation"


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
    """Return the numbers that a lab manager asks for first; none if ``summary`` is empty.

    Of a cell that was never cycled these are its spectra's alone. A number that needs an
    explanation stands in parentheses, with its reason beside it.
    """
    if summary.is_empty():
        return []
    row = summary.row(0, named=True)
    of_spectra = [_resistance(row), *_conductivity(row)]
    if row["cycles"] == 0 and row["spectra"] and row["first_discharging_capacity_ah"] is None:
        return [*of_spectra, _cycles(row)]
    return [
        _first_capacity(row, words),
        _initial_efficiency(row, words),
        KeyNumber(
            "Mean Coulombic efficiency",
            mean_efficiency_text(row),
            row["mean_efficiency_remark"] or row["no_cycle_reason"] or MEAN_BASIS,
        ),
        _retention(row),
        _retention_at_rate(row),
        *of_spectra,
        _cycles(row),
    ]


def headline(tables: Mapping[str, pl.DataFrame], words: KindWords) -> list[KeyNumber]:
    """Return the key numbers of a cell by its tables; none of a current whose sign is doubted."""
    if not tables["findings"]["code"].is_in(_DOUBTS).any():
        numbers = _plating_numbers(tables) or key_numbers(tables["cells"], words)
        return [_mark_contradiction(key, tables["cells"]) for key in numbers]
    basis = "the sign of the current is in doubt; see what is to check"
    return [KeyNumber("Key numbers", NOTHING, basis)]


def _plating_numbers(tables: Mapping[str, pl.DataFrame]) -> list[KeyNumber]:
    """Return the key numbers of a cell that strips and plates; none of another cell."""
    efficiency = tables.get("plating_efficiency", pl.DataFrame())
    if tables["cells"].is_empty() or (efficiency.is_empty() and not is_symmetric(tables)):
        return []
    row = tables["cells"].row(0, named=True)
    found = symmetric_numbers(tables) if is_symmetric(tables) else efficiency_numbers(efficiency)
    cycles = KeyNumber("Cycles", str(row["cycles"]), "of two half cycles")
    return [*(KeyNumber(*each) for each in found), _resistance(row), *_conductivity(row), cycles]


def _mark_contradiction(key: KeyNumber, cells: pl.DataFrame) -> KeyNumber:
    """Put a number into parentheses that contradicts physics, or hangs on what does."""
    said = cells["contradictions"][0] or ""
    if key.value == NOTHING or not contradicts_number(said, key.name):
        return key
    value = key.value if key.value.startswith("(") else bracket(key.value, said)
    return KeyNumber(key.name, value, f"contradicts physics, see above; {key.basis}")


def contradicts_number(said: str | None, name: str) -> bool:
    """Return whether what contradicts physics is about a key number, by its name."""
    kinds = ("capacity", "lithiation", "loading", "area")
    if name.startswith("First "):
        return any(kind in (said or "") for kind in kinds)
    if name.startswith(("Capacity retention", "Retention")):
        return "retention" in (said or "")
    return name == "Interfacial resistance" and "area " in (said or "")


def initial_efficiency_text(row: dict[str, Any], decimals: int = 2) -> str:
    """Return the initial efficiency; in parentheses if it needs an explanation."""
    return bracket(
        format_percent(row["initial_coulombic_efficiency"], decimals), row["initial_remark"]
    )


def mean_efficiency_text(row: dict[str, Any]) -> str:
    """Return the mean efficiency; in parentheses if it can't be a cell's own."""
    text = format_percent(row["mean_coulombic_efficiency"], 2)
    return bracket(text, row["mean_efficiency_remark"])


def bracket(text: str, remark: str | None) -> str:
    """Return a number's text, in parentheses if there is something to bear in mind of it."""
    return f"({text})" if remark and text != NOTHING else text


def _initial_efficiency(row: dict[str, Any], words: KindWords) -> KeyNumber:
    name, value = "Initial Coulombic efficiency", initial_efficiency_text(row)
    if not words.efficiency:
        return KeyNumber(name, value, no_efficiency_reason(row))
    if row["initial_cycle"] is None:
        return KeyNumber(name, value, row["no_cycle_reason"] or "there is no cycle")
    return KeyNumber(
        name, value, row["initial_remark"] or f"cycle {row['initial_cycle']}: {words.efficiency}"
    )


def _cycles(row: dict[str, object]) -> KeyNumber:
    complete = row["complete_cycles"]
    if not isinstance(complete, int):
        return KeyNumber("Cycles", NOTHING, "could not be made; see what is to check")
    basis = row["no_cycle_reason"] or pluralize(complete, "complete", "complete")
    return KeyNumber("Cycles", str(row["cycles"]), str(basis))


def no_efficiency_reason(row: dict[str, object]) -> str:
    """Return why a cell has no Coulombic efficiency."""
    if row["no_cycle_reason"] is not None:
        return str(row["no_cycle_reason"])
    if row["configuration"] == "symmetric":
        return "a symmetric cell has none"
    if row["configuration"] == "half":
        return "needs the working electrode"
    return "needs the kind of the cell"


def _first_capacity(row: dict[str, Any], words: KindWords) -> KeyNumber:
    name = f"First {words.discharge}"
    specific = _to_float(row["first_specific_discharging_capacity_mah_per_g"])
    areal = _to_float(row["first_areal_discharging_capacity_mah_per_cm2"])
    charge = _to_float(row["first_discharging_capacity_ah"])
    areal_text = "" if areal is None else f"{format_number(areal)} mAh/cm²"
    if charge is None:
        return KeyNumber(name, NOTHING, row["no_cycle_reason"] or "no discharge")
    value, basis = f"{format_number(1e3 * charge, 4)} mAh", "no active mass, no area known"
    if specific is not None:
        value, basis = f"{format_number(specific, 4)} mAh/g", f"per {row['capacity_basis']}"
        basis += f"; {areal_text} by area" if areal_text else ""
    elif areal_text:
        value, basis = areal_text, "per area"
    remark = row["initial_remark"]
    return KeyNumber(name, bracket(value, remark), f"{basis}; {remark}" if remark else basis)


def _retention(row: dict[str, object]) -> KeyNumber:
    value = _to_float(row["capacity_retention"])
    if value is None:
        return KeyNumber("Capacity retention", NOTHING, no_retention_reason(row))
    basis = (
        f"cycle {row['retention_cycle']} over cycle {row['retention_reference_cycle']}, the initial"
    )
    return KeyNumber("Capacity retention", format_percent(value), basis)


def no_retention_reason(row: dict[str, object]) -> str:
    """Return why a cell has no retention."""
    if row["no_cycle_reason"] is not None:
        return str(row["no_cycle_reason"])
    if row["configuration"] == "symmetric" or row["symmetric"]:
        return "a symmetric cell has none"
    if row["plating_summary"] is not None:
        return "the protocol sets how much is plated"
    if isinstance(row["complete_cycles"], int) and row["complete_cycles"] > 0:
        return "needs a second complete cycle"
    return "needs a complete cycle"


def rate_basis(row: dict[str, Any]) -> str:
    """Return which cycles the retention at the usual rate is of."""
    number, reference = row["retention_at_rate_cycle"], row["retention_at_rate_reference_cycle"]
    return f"cycle {number} over cycle {reference}, the first after formation"


def _retention_at_rate(row: dict[str, object]) -> KeyNumber:
    """Return the retention at the usual rate, and that of the last check cycle."""
    name, value = "Retention at equal rate", _to_float(row["capacity_retention_at_rate"])
    if value is None:
        reason = no_retention_reason(row)
        at_rate = f"{reason} at the usual rate" if reason.startswith("needs a second") else reason
        return KeyNumber(name, NOTHING, at_rate)
    basis = rate_basis(row)
    check = _to_float(row["check_retention"])
    if check is not None:
        basis += (
            f"; check cycle {row['check_cycle']} over cycle {row['check_reference_cycle']}: "
            f"{format_percent(check)}"
        )
    fade = _to_float(row["fade_per_cycle"])
    if fade is not None:
        basis += f"; fade {format_percent(fade, 3)} per cycle"
    return KeyNumber(name, format_percent(value), basis)


def _resistance(row: dict[str, object]) -> KeyNumber:
    name = "Interfacial resistance"
    value, unit = resistance_text(row)
    if not unit:
        return KeyNumber(
            name, NOTHING, str(row["interfacial_resistance_remark"] or "no spectrum gave one")
        )
    basis = "its only spectrum" if row["spectra"] == 1 else "first → last spectrum"
    return KeyNumber(name, f"{value} {unit}", str(row["interfacial_resistance_state"] or basis))


def _conductivity(row: dict[str, object]) -> list[KeyNumber]:
    """Return the conductivity of the electrolyte; none of a cell that can have none."""
    name, value, unit = "Ionic conductivity", *conductivity_text(row)
    if not unit and row["ionic_conductivity_remark"] is None:
        return []
    if not unit:
        return [KeyNumber(name, NOTHING, str(row["ionic_conductivity_remark"]))]
    return [KeyNumber(name, f"{value} {unit}", "bulk and grain boundaries, last spectrum")]


def conductivity_text(row: dict[str, object]) -> tuple[str, str]:
    """Return the conductivity with its standard error as text, and the unit; empty without one."""
    value, error = (
        _to_float(row[f"ionic_conductivity_{name}siemens_per_cm"])
        for name in ("", "standard_error_")
    )
    return (NOTHING, "") if value is None else (format_with_error(value, error), "S/cm")


def resistance_text(row: dict[str, object]) -> tuple[str, str]:
    """Return the first and last interfacial resistance as text, and the unit: per area if known.

    Each has its standard error.
    """
    stems = (("areal_interfacial_resistance", "ohm_cm2", "Ω cm²"),
             ("interfacial_resistance", "ohm", "Ω"))  # fmt: skip
    for stem, suffix, unit in stems:
        first, last = (_resistance_at(row, end, stem, suffix) for end in ("first", "last"))
        if last != NOTHING and (row["spectra"] == 1 or first == NOTHING):
            return last, unit
        if {first, last} != {NOTHING}:
            return f"{first} → {last}", unit
    return NOTHING, ""


def _resistance_at(row: dict[str, object], end: str, stem: str, suffix: str) -> str:
    """Return one resistance with its standard error as text; a dash where there is none."""
    value, error = (
        _to_float(row[f"{end}_{stem}{name}_{suffix}"]) for name in ("", "_standard_error")
    )
    return format_with_error(value, error)


def _to_float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
