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
    SCIENTIFIC,
    TEXT,
    SheetColumn,
    SheetLayout,
    formula_or_value,
)
from cellpipe.report.figures.scale import active_mass_mg
from cellpipe.report.wording import KindWords, format_time

MASS_NAME, AREA_NAME = "active_mass_mg", "electrode_area_cm2"

Row = dict[str, Any]


def cycle_columns(
    cell: Cell, tables: Mapping[str, pl.DataFrame], files: pl.DataFrame, words: KindWords
) -> list[SheetColumn]:
    """Return the sheet's columns: first those that formulas refer to, then what else is known."""
    rows = tables["cycles"].sort("cycle").to_dicts()
    layout = SheetLayout("Cycles", charges := _charge_columns(rows, words))
    charge, discharge = words.charge, words.discharge
    return [
        *charges,
        *_capacity_columns(cell, rows, words, layout),
        SheetColumn(
            "Coulombic efficiency", _efficiency(rows, layout), PERCENT, key="coulombic_efficiency"
        ),
        SheetColumn(
            "Capacity retention", _retention(rows, layout), PERCENT, key="capacity_retention"
        ),
        SheetColumn(
            "Reference cycle of retention", _values(rows, "retention_reference_cycle"), FIXED_0
        ),
        SheetColumn("Retention at its rate", _values(rows, "capacity_retention_at_rate"), PERCENT),
        SheetColumn("Reference cycle at its rate", _values(rows, "rate_reference_cycle"), FIXED_0),
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
        SheetColumn("Formation", _values(rows, "formation_cycle"), TEXT, 10, "formation_cycle"),
        SheetColumn("Kind", _values(rows, "protocol"), TEXT, 12),
        *_doubt_columns(rows, words),
        *_half_cycle_columns(rows, words),
        *_end_columns(rows, tables["half_cycles"], words),
        *_sources(rows, tables["half_cycles"], files, words),
    ]


def _charge_columns(rows: list[Row], words: KindWords) -> list[SheetColumn]:
    """Return what the formulas of the sheet are made from."""
    halves = (
        (words.charge, "charging_capacity_ah"),
        (words.discharge, "discharging_capacity_ah"),
    )
    return [
        SheetColumn("Cycle", _values(rows, "cycle"), FIXED_0, 8, "cycle"),
        SheetColumn("Complete", _values(rows, "complete"), TEXT, 10, "complete"),
        *(
            SheetColumn(f"{shown} (mAh)", _milli_values(rows, name), FIXED_4, key=name)
            for shown, name in halves
        ),
    ]


def _doubt_columns(rows: list[Row], words: KindWords) -> list[SheetColumn]:
    """Return by how much charges and efficiency may be off, and where the charges are from."""
    halves = ((words.charge, "charging"), (words.discharge, "discharging"))
    return [
        SheetColumn(
            "Coulombic efficiency ±", _values(rows, "coulombic_efficiency_uncertainty"), PERCENT
        ),
        *(
            SheetColumn(
                f"{half} ± (mAh)", _milli_values(rows, f"{word}_charge_uncertainty_ah"), SCIENTIFIC
            )
            for half, word in halves
        ),
        *(
            SheetColumn(f"{half} from", _values(rows, f"{word}_charge_source"), TEXT, 14)
            for half, word in halves
        ),
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


def _end_columns(rows: list[Row], half_cycles: pl.DataFrame, words: KindWords) -> list[SheetColumn]:
    """Return what each half cycle ended by, and why a cycle is not complete."""
    ended = dict(half_cycles.select("half_cycle", "ended_by").iter_rows())
    return [
        SheetColumn("Not complete because", _values(rows, "incomplete_because"), TEXT, 24),
        *(
            SheetColumn(
                f"Ended by, {half}",
                [ended.get(row[f"{word}_half_cycle"]) for row in rows],
                TEXT,
                14,
            )
            for half, word in ((words.charge, "charging"), (words.discharge, "discharging"))
        ),
    ]


def _values(rows: list[Row], name: str) -> list[Any]:
    return [row[name] for row in rows]


def _milli_values(rows: list[Row], name: str) -> list[float | None]:
    return [None if row[name] is None else 1e3 * row[name] for row in rows]


def _start_times(rows: list[Row]) -> list[str | None]:
    starts = [row["start_unix_time_second"] for row in rows]
    return [None if start is None else format_time(start) for start in starts]


def _capacity_columns(
    cell: Cell, rows: list[Row], words: KindWords, layout: SheetLayout
) -> list[SheetColumn]:
    """Charge in mAh over the named mass or area."""
    bases = [row["capacity_basis"] for row in rows if row["capacity_basis"]]
    basis = bases[0] if bases else None
    mass, area = active_mass_mg(cell, basis), cell.area_cm2
    halves = (("charging", words.charge), ("discharging", words.discharge))
    per_mass, per_area = [], []
    for word, shown in halves:
        milli = _milli_values(rows, f"{word}_capacity_ah")
        letter = layout.letter(f"{word}_capacity_ah")
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
        per_mass.append(
            SheetColumn(f"{shown} (mAh/g{per})", specific, FIXED_2, 16, _specific_column(word))
        )
        per_area.append(SheetColumn(f"{shown} (mAh/cm²)", areal, FIXED_4, key=_areal_column(word)))
    return per_mass + per_area


def _specific_column(word: str) -> str:
    return f"specific_{word}_capacity_mah_per_g"


def _areal_column(word: str) -> str:
    return f"areal_{word}_capacity_mah_per_cm2"


def _ratio(charge: float | None, by: float | None, factor: float) -> float | None:
    return charge / by * factor if charge is not None and by else None


def _efficiency(rows: list[Row], layout: SheetLayout) -> list[object]:
    """Write the ratio as a formula, whichever way round the kind of the cell has it."""
    written: list[object] = []
    over, under = layout.letter("discharging_capacity_ah"), layout.letter("charging_capacity_ah")
    for n, row in enumerate(rows, start=2):
        value = row["coulombic_efficiency"]
        charge, discharge = row["charging_capacity_ah"], row["discharging_capacity_ah"]
        forward = formula_or_value(f"={over}{n}/{under}{n}", _ratio(discharge, charge, 1.0), value)
        backward = formula_or_value(f"={under}{n}/{over}{n}", _ratio(charge, discharge, 1.0), value)
        written.append(backward if isinstance(forward, float) else forward)
    return written


def _retention(rows: list[Row], layout: SheetLayout) -> list[object]:
    """Write the capacity over that of the reference cycle as a formula."""
    places = {row["cycle"]: n for n, row in enumerate(rows)}
    written: list[object] = []
    for n, row in enumerate(rows, start=2):
        value: object = row["capacity_retention"]
        place = places.get(row["retention_reference_cycle"])
        halves = ("discharging_capacity_ah", "charging_capacity_ah")
        for name in halves if place is not None else ():
            letter = layout.letter(name)
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
