"""Conditions of a cell and of published cells, with their similarities and differences.

A condition that the sheet, the data or the paper does not give is None and reported as not known;
room temperature (RT) counts as 20 to 25 °C. Rates are compared on a common basis: C-rate, current
per area, or current per mass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from cellpipe.baselines.materials import cathode_family, electrolyte_family
from cellpipe.core.model import Cell
from cellpipe.numerics.cycling.ageing import usual_rate

Range = tuple[float, float]

_UNITS = ("1/h", "mA/cm2", "mA/g")
_NUMBER = r"(\d+(?:\.\d+)?)"
_PER = r"\s*(?:[·*]\s*)?/?\s*"
_CURRENTS = (
    ("1/h", rf"(?<![\w/]){_NUMBER}\s*C\b(?!\s*/)", 1.0),
    ("1/h", rf"\bC\s*/\s*{_NUMBER}", 1.0),
    ("mA/cm2", rf"{_NUMBER}\s*mA{_PER}cm", 1.0),
    ("mA/g", rf"{_NUMBER}\s*mA{_PER}g", 1.0),
    ("mA/g", rf"{_NUMBER}\s*A{_PER}g", 1e3),
)
_RANGE = {
    "1/h": r"\d\s*C?\s*(?:[-–—]|to)\s*\d+(?:\.\d+)?\s*C\b",
    "mA/cm2": r"\d\s*(?:[-–—]|to)\s*\d+(?:\.\d+)?\s*mA\s*/?\s*cm",
    "mA/g": r"\d\s*(?:[-–—]|to)\s*\d+(?:\.\d+)?\s*m?A\s*/?\s*g",
}
_ROOM = (20.0, 25.0)
_SAME_TEMPERATURE = 5.0  # K
_SAME_RATE = 1.5  # as a ratio
_SAME_VOLTAGE = 0.05  # V


@dataclass(frozen=True)
class Conditions:
    """Materials and cycling conditions of a cell; ``rates`` by unit: 1/h, mA/cm2, mA/g.

    ``temperature`` (°C) and ``window`` (V) are (lowest, highest), the window of a half cell against
    Li+/Li; ``pressure`` is the stack pressure, MPa.
    """

    kind: str | None
    electrolyte: str | None
    cathode: str | None
    temperature: Range | None
    rates: Mapping[str, float]
    window: Range | None
    pressure: float | None


def published_conditions(row: Mapping[str, Any]) -> Conditions:
    """Return the conditions of a row of ``baselines``; of several currents, the last counts."""
    celsius, text = row["temperature_c"], (row["temperature_text"] or "").strip()
    temperature = (celsius, celsius) if celsius is not None else _ROOM if text == "RT" else None
    low, high = row["voltage_min_v"], row["voltage_max_v"]
    return Conditions(
        row["cell_kind_inferred"],
        electrolyte_family(row["solid_electrolyte"]),
        cathode_family(row["cathode_composition"]),
        temperature,
        _parse_rates(row["current_text"] or ""),
        None if low is None or high is None else (low, high),
        None,
    )


def _parse_rates(text: str) -> dict[str, float]:
    """Return the cycling rate per unit from a printed text: the last current of each unit.

    Definitions of 1C are ignored, and a range of currents counts as not known.
    """
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    text = re.sub(r"\b1\s*C\s*=[^;,)]*", "", text)
    rates: dict[str, float] = {}
    for unit, values in parse_currents(text).items():
        if not re.search(_RANGE[unit], text):
            rates[unit] = values[-1]
    return rates


def parse_currents(text: str) -> dict[str, list[float]]:
    """Return every current in a text, in order, by unit: 1/h, mA/cm2, mA/g."""
    currents: dict[str, list[tuple[int, float]]] = {}
    for unit, pattern, factor in _CURRENTS:
        for match in re.finditer(pattern, text):
            number = float(match[1])
            if number > 0:
                value = 1 / number if "/" in match[0][:3] else factor * number
                currents.setdefault(unit, []).append((match.start(), value))
    return {unit: [value for _, value in sorted(values)] for unit, values in currents.items()}


def cell_conditions(cell: Cell, cycles: pl.DataFrame, half_cycles: pl.DataFrame) -> Conditions:
    """Return a cell's conditions from the sheet, missing temperature and window from the data."""
    usual = cycles.filter(pl.col("complete"))
    usual = usual.filter(pl.col("rate_group") == usual_rate(usual["rate_group"].to_numpy()))
    recorded = usual["mean_temperature_celsius"].median()
    celsius = cell.temperature_celsius if cell.temperature_celsius is not None else recorded
    ends = (
        _first_known(cell.lower_voltage_volt, usual["end_discharging_voltage_volt"].median()),
        _first_known(cell.upper_voltage_volt, usual["end_charging_voltage_volt"].median()),
    )
    return Conditions(
        cell.configuration,
        known_electrolyte(cell),
        _family(cell, "cathode")
        or cathode_family(cell.cathode)
        or cathode_family(cell.working_electrode),
        None if celsius is None else (_to_float(celsius), _to_float(celsius)),
        _cell_rates(cell, usual, half_cycles),
        _lithium_window(cell, ends),
        cell.stack_pressure_mpa,
    )


def known_electrolyte(cell: Cell) -> str | None:
    """Return the family of a cell's electrolyte by the cell sheet; None if it is not known."""
    return _family(cell, "electrolyte") or electrolyte_family(cell.electrolyte)


def _family(cell: Cell, place: str) -> str | None:
    known = cell.materials.get(place)
    return known.family if known else None


def _cell_rates(cell: Cell, usual: pl.DataFrame, half_cycles: pl.DataFrame) -> dict[str, float]:
    halves = half_cycles.filter(
        pl.col("half_cycle").is_in(usual["discharging_half_cycle"].to_list())
    )
    current = halves["constant_current_ampere"].median()
    bases = usual["capacity_basis"].drop_nulls().to_list()
    masses = {"cathode active mass": cell.cathode_active_mass_mg,
              "anode active mass": cell.anode_active_mass_mg}  # fmt: skip
    mass = masses.get(bases[0]) if bases else None
    rates: dict[str, object] = {"1/h": usual["discharging_c_rate"].median()}
    if current is not None:
        rates["mA/cm2"] = 1e3 * _to_float(current) / cell.area_cm2 if cell.area_cm2 else None
        rates["mA/g"] = 1e6 * _to_float(current) / mass if mass else None
    return {unit: _to_float(value) for unit, value in rates.items() if value is not None}


def _lithium_window(cell: Cell, ends: tuple[float | None, float | None]) -> Range | None:
    low, high = ends
    offset = cell.reference_offset_volt if cell.configuration == "half" else 0.0
    return None if low is None or high is None or offset is None else (low + offset, high + offset)


def similarities(own: Conditions, published: Conditions) -> list[str]:
    """Return what two cells have in common, most important first."""
    shared = [f"both {own.kind} cells"]
    if own.electrolyte and own.electrolyte == published.electrolyte:
        shared.append(f"{own.electrolyte} electrolyte")
    if own.cathode and own.cathode == published.cathode:
        shared.append(f"{own.cathode} cathode")
    if _range_gap(own.temperature, published.temperature) <= _SAME_TEMPERATURE:
        shared.append(f"about {_format_temperature(published.temperature)}")
    unit = _common_unit(own, published)
    if unit and _rate_ratio(own, published) <= _SAME_RATE:
        shared.append(f"about {_format_rate(published.rates[unit], unit)}")
    return shared


def differences(own: Conditions, published: Conditions) -> list[str]:
    """Return what differs or is not known, as ``condition: this cell's; published``."""
    pairs = [("electrolyte", own.electrolyte, published.electrolyte)]
    if published.kind == "full":
        pairs.append(("cathode", own.cathode, published.cathode))
    differing = [
        f"{what}: {mine or 'not known'}; published {theirs or 'not known'}"
        for what, mine, theirs in pairs
        if mine != theirs or mine is None
    ]
    if _range_gap(own.temperature, published.temperature) > _SAME_TEMPERATURE:
        mine, theirs = (
            _format_temperature(own.temperature),
            _format_temperature(published.temperature),
        )
        differing.append(f"temperature: {mine}; published {theirs}")
    if _rate_ratio(own, published) > _SAME_RATE:
        unit = _common_unit(own, published)
        mine, theirs = (_format_rates(each, unit) for each in (own, published))
        differing.append(f"rate: {mine}; published {theirs}")
    if _has_other_window(own.window, published.window):
        mine, theirs = _format_window(own.window), _format_window(published.window)
        against = " vs Li⁺/Li" if published.kind == "half" else ""
        differing.append(f"voltage window{against}: {mine}; published {theirs}")
    pressure = "not known" if own.pressure is None else f"{own.pressure:g} MPa"
    return [*differing, f"stack pressure: {pressure}; published: not printed"]


def distance(own: Conditions, published: Conditions) -> tuple[float, ...]:
    """Return the dissimilarity of two cells as a tuple to sort by.

    In this order: electrolyte family, cathode, temperature (difference above 5 K), rate (logarithm
    of the ratio). A condition that is not known counts as different.
    """
    kelvin = _range_gap(own.temperature, published.temperature)
    return (
        float(own.electrolyte is None or own.electrolyte != published.electrolyte),
        float(published.kind == "full" and (not own.cathode or own.cathode != published.cathode)),
        0.0 if kelvin <= _SAME_TEMPERATURE else kelvin,
        math.log(_rate_ratio(own, published)),
    )


def _range_gap(one: Range | None, other: Range | None) -> float:
    """Return the gap between two ranges; infinite if one is not known."""
    if one is None or other is None:
        return math.inf
    return max(one[0] - other[1], other[0] - one[1], 0.0)


def _common_unit(own: Conditions, published: Conditions) -> str | None:
    units = (unit for unit in _UNITS if unit in own.rates and unit in published.rates)
    return next(units, None)


def _rate_ratio(own: Conditions, published: Conditions) -> float:
    """Return the ratio of the larger to the smaller rate; infinite without a common unit."""
    unit = _common_unit(own, published)
    if unit is None:
        return math.inf
    ends = sorted((own.rates[unit], published.rates[unit]))
    return ends[1] / ends[0] if ends[0] > 0 else math.inf


def _has_other_window(own: Range | None, published: Range | None) -> bool:
    if own is None or published is None:
        return True
    return any(abs(a - b) > _SAME_VOLTAGE for a, b in zip(own, published, strict=True))


def describe_conditions(conditions: Conditions) -> str:
    """Return a cell's conditions in one line."""
    parts = [
        f"{conditions.electrolyte or 'unknown'} electrolyte",
        *([f"{conditions.cathode or 'unknown'} cathode"] if conditions.kind == "full" else []),
        f"temperature {_format_temperature(conditions.temperature)}",
        f"rate {_format_rates(conditions)}",
        f"window {_format_window(conditions.window)}"
        + (" vs Li⁺/Li" if conditions.kind == "half" else ""),
        "stack pressure "
        + ("not known" if conditions.pressure is None else f"{conditions.pressure:g} MPa"),
    ]
    return ", ".join(parts)


def _format_temperature(temperature: Range | None) -> str:
    if temperature is None:
        return "not known"
    return "RT" if temperature == _ROOM else f"{temperature[0]:.3g} °C"


def _format_rates(conditions: Conditions, unit: str | None = None) -> str:
    shown = {unit: conditions.rates[unit]} if unit else conditions.rates
    return " = ".join(_format_rate(value, name) for name, value in shown.items()) or "not known"


def _format_rate(value: float, unit: str) -> str:
    if unit == "1/h":
        return f"{value:.2g}C"
    number = f"{value:.3g}" if value < 999 else f"{value:.0f}"
    return f"{number} {unit.replace('cm2', 'cm²')}"


def _format_window(window: Range | None) -> str:
    return "not known" if window is None else f"{window[0]:.3g} to {window[1]:.3g} V"


def _first_known(stated: float | None, measured: object) -> float | None:
    return stated if stated is not None else None if measured is None else _to_float(measured)


def _to_float(value: object) -> float:
    return float(str(value))
