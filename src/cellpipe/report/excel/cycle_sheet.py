"""Build the sheet of cycles: charges as numbers, derived values as live formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.excel.sheets import (
    FIXED_0,
    FIXED_1,
    FIXED_2,
    FIXED_3,
    FIXED_4,
    PERCENT,
    TEXT,
    SheetColumn,
    formula_or_value,
)
from cellpipe.report.figures.scale import active_mass_mg
from cellpipe.report.wording import KindWords, format_time

MASS_NAME, AREA_NAME = "active_mass_mg", "electrode_area_cm2"
# Letters of the columns that formulas and charts refer to.
CYCLE, COMPLETE, CHARGE, DISCHARGE = "A", "B", "C", "D"
SPECIFIC_DISCHARGE, AREAL_DISCHARGE, EFFICIENCY, RETENTION = "F", "H", "I", "J"

Row = dict[str, Any]


def cycle_columns(
    cell: Cell, tables: Mapping[str, pl.DataFrame], files: pl.DataFrame, words: KindWords
) -> list[SheetColumn]:
    """Return the sheet's columns, in the order of the column letters above."""
    rows = tables["cycles"].sort("cycle").to_dicts()
    charge, discharge = words.charge, words.discharge
    return [
        SheetColumn("Cycle", _values(rows, "cycle"), FIXED_0, 8),
        SheetColumn("Complete", _values(rows, "complete"), TEXT, 10),
        SheetColumn(f"{charge} (mAh)", _milli_values(rows, "charging_capacity_ah"), FIXED_4),
        SheetColumn(f"{discharge} (mAh)", _milli_values(rows, "discharging_capacity_ah"), FIXED_4),
        *_capacity_columns(cell, rows, words),
        SheetColumn("Coulombic efficiency", _efficiency(rows), PERCENT),
        SheetColumn("Capacity retention", _retention(rows), PERCENT),
        SheetColumn(
            "Reference cycle of retention", _values(rows, "retention_reference_cycle"), FIXED_0
        ),
        SheetColumn("Energy efficiency", _values(rows, "energy_efficiency"), PERCENT),
        SheetColumn(
            f"Mean voltage, {charge} (V)", _values(rows, "mean_charging_voltage_volt"), FIXED_4
        ),
        SheetColumn(
            f"Mean voltage, {discharge} (V)",
            _values(rows, "mean_discharging_voltage_volt"),
            FIXED_4,
        ),
        SheetColumn("Voltage hysteresis (V)", _values(rows, "voltage_hysteresis_volt"), FIXED_4),
        SheetColumn("C-rate (1/h)", _values(rows, "discharging_c_rate"), FIXED_3),
        SheetColumn("Start (UTC)", _start_times(rows), TEXT, 17),
        SheetColumn("Duration (h)", [row["duration_second"] / 3600 for row in rows], FIXED_2),
        SheetColumn("Mean temperature (°C)", _values(rows, "mean_temperature_celsius"), FIXED_1),
        SheetColumn("Highest temperature (°C)", _values(rows, "max_temperature_celsius"), FIXED_1),
        SheetColumn("Instrument's cycle", _values(rows, "vendor_cycle_count"), FIXED_0),
        SheetColumn("Rate", _values(rows, "rate_group"), FIXED_0),
        SheetColumn("Formation", _values(rows, "formation_cycle"), TEXT, 10),
        SheetColumn("Retention at its rate", _values(rows, "capacity_retention_at_rate"), PERCENT),
        *_half_cycle_columns(rows, words),
        *_sources(rows, tables["half_cycles"], files, words),
    ]


def _half_cycle_columns(rows: list[Row], words: KindWords) -> list[SheetColumn]:
    """Return each half cycle's end and rest voltage, constant-voltage share and resistance."""
    return [
        SheetColumn(f"{title}, {half} ({unit})" if unit else f"{title}, {half}",
                    _values(rows, name.format(word)), style)
        for half, word in ((words.charge, "charging"), (words.discharge, "discharging"))
        for title, unit, name, style in (
            ("End voltage", "V", "end_{}_voltage_volt", FIXED_4),
            ("Rest voltage after", "V", "rest_voltage_after_{}_volt", FIXED_4),
            ("Share at constant voltage", "", "{}_constant_voltage_share", PERCENT),
            ("DC resistance", "Ω", "{}_dc_resistance_ohm", FIXED_2),
        )
    ]  # fmt: skip


def _values(rows: list[Row], name: str) -> list[Any]:
    return [row[name] for row in rows]


def _milli_values(rows: list[Row], name: str) -> list[float | None]:
    return [None if row[name] is None else 1e3 * row[name] for row in rows]


def _start_times(rows: list[Row]) -> list[str | None]:
    starts = [row["start_unix_time_second"] for row in rows]
    return [None if start is None else format_time(start) for start in starts]


def _capacity_columns(cell: Cell, rows: list[Row], words: KindWords) -> list[SheetColumn]:
    """Return capacity per named mass and per area, as formulas of the charge in mAh."""
    bases = [row["capacity_basis"] for row in rows if row["capacity_basis"]]
    basis = bases[0] if bases else None
    mass, area = active_mass_mg(cell, basis), cell.area_cm2
    halves = (("charging", CHARGE, words.charge), ("discharging", DISCHARGE, words.discharge))
    per_mass, per_area = [], []
    for word, letter, shown in halves:
        milli = _milli_values(rows, f"{word}_capacity_ah")
        specific = [
            formula_or_value(
                f"={letter}{n}/{MASS_NAME}*1000", _ratio(q, mass, 1e3), row[_specific_column(word)]
            )
            for n, (q, row) in enumerate(zip(milli, rows, strict=True), start=2)
        ]
        areal = [
            formula_or_value(
                f"={letter}{n}/{AREA_NAME}", _ratio(q, area, 1.0), row[_areal_column(word)]
            )
            for n, (q, row) in enumerate(zip(milli, rows, strict=True), start=2)
        ]
        per = f", per {basis}" if basis else ""
        per_mass.append(SheetColumn(f"{shown} (mAh/g{per})", specific, FIXED_2, 16))
        per_area.append(SheetColumn(f"{shown} (mAh/cm²)", areal, FIXED_4))
    return per_mass + per_area


def _specific_column(word: str) -> str:
    return f"specific_{word}_capacity_mah_per_g"


def _areal_column(word: str) -> str:
    return f"areal_{word}_capacity_mah_per_cm2"


def _ratio(charge: float | None, by: float | None, factor: float) -> float | None:
    return charge / by * factor if charge is not None and by else None


def _efficiency(rows: list[Row]) -> list[object]:
    """Return the ratio as a formula, in the direction that the kind of cell has."""
    written: list[object] = []
    for n, row in enumerate(rows, start=2):
        value = row["coulombic_efficiency"]
        charge, discharge = row["charging_capacity_ah"], row["discharging_capacity_ah"]
        forward = formula_or_value(
            f"={DISCHARGE}{n}/{CHARGE}{n}", _ratio(discharge, charge, 1.0), value
        )
        backward = formula_or_value(
            f"={CHARGE}{n}/{DISCHARGE}{n}", _ratio(charge, discharge, 1.0), value
        )
        written.append(backward if isinstance(forward, float) else forward)
    return written


def _retention(rows: list[Row]) -> list[object]:
    """Return the capacity over that of the reference cycle, as a formula."""
    places = {row["cycle"]: n for n, row in enumerate(rows)}
    written: list[object] = []
    for n, row in enumerate(rows, start=2):
        value: object = row["capacity_retention"]
        place = places.get(row["retention_reference_cycle"])
        halves = ((DISCHARGE, "discharging_capacity_ah"), (CHARGE, "charging_capacity_ah"))
        for letter, name in halves if place is not None else ():
            ratio = _ratio(row[name], rows[place or 0][name], 1.0)
            if isinstance(value, float):
                value = formula_or_value(f"={letter}{n}/{letter}${(place or 0) + 2}", ratio, value)
        written.append(value)
    return written


def _sources(
    rows: list[Row], half_cycles: pl.DataFrame, files: pl.DataFrame, words: KindWords
) -> list[SheetColumn]:
    """Return the file and the records that each half cycle was read from."""
    paths = dict(files.select("file_sha256", "path").iter_rows())
    by_number = {half["half_cycle"]: half for half in half_cycles.to_dicts()}
    columns = []
    for word, shown in (("charging", words.charge), ("discharging", words.discharge)):
        halves = [by_number.get(row[f"{word}_half_cycle"], {}) for row in rows]
        first = [_path(paths, half.get("file_sha256")) for half in halves]
        last = [_path(paths, half.get("last_file_sha256")) for half in halves]
        columns += [
            SheetColumn(f"{shown}: first file", first, TEXT, 24),
            SheetColumn(
                f"{shown}: first record", [h.get("first_record_index") for h in halves], "0"
            ),
            SheetColumn(f"{shown}: last file", last, TEXT, 24),
            SheetColumn(f"{shown}: last record", [h.get("last_record_index") for h in halves], "0"),
        ]
    return columns


def _path(paths: Mapping[str, str], sha256: str | None) -> str | None:
    return None if sha256 is None else paths.get(sha256, sha256)
