"""Cycles from half cycles, paired according to the configuration of the cell.

A cycle of a full cell or of a cathode half cell is a charge and the following discharge; that of a
silicon half cell is a discharge (lithiation) and the following charge (delithiation). A recording
that begins with the other half has an incomplete first cycle. If the configuration is not known,
cycles begin with the first half cycle, and Coulombic efficiency is null.

A half cell is taken for one of a silicon anode unless the sheet names another working electrode; if
that electrode is not known, the cell is treated as of unknown configuration.

Coulombic efficiency: full cell Q_discharge/Q_charge, silicon half cell Q_charge/Q_discharge of the
same cycle, with the uncertainties of both charges. There is none where a charge is contradictory:
where counter and current disagree and nothing tells which is right. Capacity retention: reversible
capacity (full cell discharge, silicon half cell delithiation) relative to the first complete cycle,
and relative to the first complete cycle at the same rate (:mod:`cellpipe.numerics.cycling.ageing`),
separately for formation. Energy efficiency is defined for full cells and cathode half cells only,
not for silicon against lithium. A cycle is complete if it has both halves and, for the last of the
data, if it reached its end: the end voltage of earlier half cycles, the voltage limit of the sheet
or the start voltage of the first half cycle, or if other records follow it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ageing import count_formation_cycles, rate_groups
from cellpipe.numerics.cycling.witnesses import CONTRADICTING

Direction = Literal["charge", "discharge"]
_IMPOSSIBLE = 1.01  # Coulombic efficiency above 1 by more than noise
_CUT = 0.9  # of the next one's capacity; a smaller first half cycle may have begun before the data
_REACHED = 0.02  # of the voltage window: tolerance for reaching the usual end voltage

_WORDS: dict[Direction, str] = {"charge": "charging", "discharge": "discharging"}
_HALVES = (
    "capacity_ah", "energy_wh", "mean_voltage_volt", "constant_current_ampere", "duration_second",
    "mean_temperature_celsius", "max_temperature_celsius", "start_unix_time_second",
    "vendor_cycle_count", "half_cycle", "end_voltage_volt", "constant_voltage_share",
    "rest_voltage_after_volt", "dc_resistance_ohm", "vendor_capacity_ah", "charge_source",
    "charge_uncertainty_ah",
)  # fmt: skip


def leading_direction(cell: Cell, half_cycles: pl.DataFrame) -> Direction:
    """Return the direction with which cycles of this cell begin."""
    if cell.configuration == "full":
        return "charge"
    if cell.configuration == "half" and cell.working_electrode_role is not None:
        return "charge" if cell.working_electrode_role == "cathode" else "discharge"
    first = half_cycles["direction"][0] if half_cycles.height else "charge"
    return "discharge" if first == "discharge" else "charge"


def reversible_direction(cell: Cell) -> Direction:
    """Return the direction of the reversible capacity: discharge, or delithiation of silicon."""
    anode_half_cell = cell.configuration == "half" and cell.working_electrode_role == "anode"
    return "charge" if anode_half_cell else "discharge"


def active_mass(cell: Cell) -> tuple[float | None, str | None]:
    """Return the mass for specific capacities, mg, and its name; None if unknown."""
    masses = {
        "cathode active mass": cell.cathode_active_mass_mg,
        "anode active mass": cell.anode_active_mass_mg,
    }
    order = ["cathode active mass", "anode active mass"]
    if cell.configuration == "half":
        order = [f"{cell.working_electrode_role} active mass"]
    for name in order:
        if masses.get(name) is not None:
            return masses[name], name
    return None, None


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    half_cycles = tables["half_cycles"]
    paired = _pair_half_cycles(half_cycles, leading_direction(cell, half_cycles))
    paired = paired.with_columns(complete=_is_complete(cell, paired, half_cycles))
    table = paired.select(_columns(cell)).with_columns(_efficiencies(cell))
    table = _add_rates(table, paired)
    table = _add_retention(table, reversible_direction(cell))
    return (Result("cycles", table, _findings(cell, table, half_cycles)),)


def _pair_half_cycles(half_cycles: pl.DataFrame, lead: Direction) -> pl.DataFrame:
    """Return cycles with the columns of both halves, ``charge_…`` and ``discharge_…``."""
    leads = pl.col("direction") == lead
    number = leads.cast(pl.Int64).cum_sum()
    starts_otherwise = half_cycles.height > 0 and half_cycles["direction"][0] != lead
    numbered = half_cycles.with_columns(cycle=number + int(starts_otherwise))
    sides = []
    for direction in ("charge", "discharge"):
        side = numbered.filter(numbered["direction"] == direction)["cycle", *_HALVES]
        side.columns = ["cycle", *(f"{direction}_{name}" for name in _HALVES)]
        sides.append(side)
    return sides[0].join(sides[1], on="cycle", how="full", coalesce=True).sort("cycle")


def _is_complete(cell: Cell, paired: pl.DataFrame, half_cycles: pl.DataFrame) -> pl.Expr:
    both = pl.col("charge_half_cycle").is_not_null() & pl.col("discharge_half_cycle").is_not_null()
    if _is_first_cut(half_cycles):
        both &= pl.col("cycle") > 1
    if _is_last_finished(cell, half_cycles):
        return both
    return both & (pl.col("cycle") < paired["cycle"].max())


def _is_first_cut(half_cycles: pl.DataFrame) -> bool:
    """Return whether the data begin within a half cycle.

    They do if no rest precedes it and its capacity is less than 90 % of the next one of its
    direction, while that one differs by less than 10 % from the half cycle between them.
    """
    if half_cycles.height < 3 or half_cycles["rest_voltage_before_volt"][0] is not None:
        return False
    first, between, following = half_cycles["capacity_ah"][:3]
    return bool(first < _CUT * following and abs(following - between) < (1 - _CUT) * between)


def _is_last_finished(cell: Cell, half_cycles: pl.DataFrame) -> bool:
    """Return whether the last half cycle reached a known end voltage or is followed by records."""
    if half_cycles.height < 2:
        return True
    last = half_cycles.row(-1, named=True)
    lowest, highest = half_cycles["min_voltage_volt"].min(), half_cycles["max_voltage_volt"].max()
    window = float(highest) - float(lowest)  # type: ignore[arg-type]
    earlier = half_cycles[:-1].filter(pl.col("direction") == last["direction"])
    ends = [earlier["end_voltage_volt"].median()]
    if not earlier.height:
        limit = (
            cell.upper_voltage_volt if last["direction"] == "charge" else cell.lower_voltage_volt
        )
        ends = [limit, half_cycles["start_voltage_volt"][0]]
        if last["records_after"] > 0:
            return True
    sign = 1 if last["direction"] == "charge" else -1
    return any(
        end is not None and sign * (float(end) - last["end_voltage_volt"]) <= _REACHED * window  # type: ignore[arg-type]
        for end in ends
    )


def _columns(cell: Cell) -> list[pl.Expr]:
    mass, basis = active_mass(cell)
    area = cell.area_cm2
    columns = [
        pl.lit(cell.cell_id).alias("cell_id"), pl.col("cycle", "complete"),
        pl.lit(basis, pl.String).alias("capacity_basis"),
        _first_value("vendor_cycle_count"), _earlier_value("start_unix_time_second"),
        (pl.col("charge_mean_voltage_volt") - pl.col("discharge_mean_voltage_volt"))
        .alias("voltage_hysteresis_volt"),
        pl.sum_horizontal("charge_duration_second", "discharge_duration_second")
        .alias("duration_second"),
        pl.mean_horizontal("charge_mean_temperature_celsius", "discharge_mean_temperature_celsius")
        .alias("mean_temperature_celsius"),
        pl.max_horizontal("charge_max_temperature_celsius", "discharge_max_temperature_celsius")
        .alias("max_temperature_celsius"),
    ]  # fmt: skip
    for direction, word in _WORDS.items():
        capacity = pl.col(f"{direction}_capacity_ah")
        per_mass = capacity * 1e6 / mass if mass else pl.lit(None, pl.Float64)
        per_area = capacity * 1e3 / area if area else pl.lit(None, pl.Float64)
        columns += [
            pl.col(f"{direction}_half_cycle").alias(f"{word}_half_cycle"),
            capacity.alias(f"{word}_capacity_ah"),
            pl.col(f"{direction}_vendor_capacity_ah").alias(f"vendor_{word}_capacity_ah"),
            pl.col(f"{direction}_charge_source").alias(f"{word}_charge_source"),
            pl.col(f"{direction}_charge_uncertainty_ah").alias(f"{word}_charge_uncertainty_ah"),
            pl.col(f"{direction}_energy_wh").alias(f"{word}_energy_wh"),
            pl.col(f"{direction}_mean_voltage_volt").alias(f"mean_{word}_voltage_volt"),
            pl.col(f"{direction}_end_voltage_volt").alias(f"end_{word}_voltage_volt"),
            pl.col(f"{direction}_rest_voltage_after_volt").alias(f"rest_voltage_after_{word}_volt"),
            pl.col(f"{direction}_constant_voltage_share").alias(f"{word}_constant_voltage_share"),
            pl.col(f"{direction}_dc_resistance_ohm").alias(f"{word}_dc_resistance_ohm"),
            _c_rate(cell, mass, direction).alias(f"{word}_c_rate"),
            per_mass.alias(f"specific_{word}_capacity_mah_per_g"),
            per_area.alias(f"areal_{word}_capacity_mah_per_cm2"),
        ]
    return columns


def _first_value(name: str) -> pl.Expr:
    """Return the value of the earlier half cycle."""
    charge_first = (
        pl.col("discharge_half_cycle").is_null()
        | (pl.col("charge_half_cycle") < pl.col("discharge_half_cycle")).fill_null(value=False)
    )  # fmt: skip
    return (
        pl.when(charge_first).then(pl.col(f"charge_{name}")).otherwise(pl.col(f"discharge_{name}"))
    ).alias(name)


def _earlier_value(name: str) -> pl.Expr:
    return pl.min_horizontal(f"charge_{name}", f"discharge_{name}").alias(name)


def _c_rate(cell: Cell, mass: float | None, direction: Direction) -> pl.Expr:
    if mass is None or cell.nominal_capacity_mah_per_g is None:
        return pl.lit(None, pl.Float64)
    one_c_ampere = cell.nominal_capacity_mah_per_g * mass * 1e-6
    return pl.col(f"{direction}_constant_current_ampere") / one_c_ampere


def _efficiencies(cell: Cell) -> list[pl.Expr]:
    none = pl.lit(None, pl.Float64)
    coulombic, uncertainty, energy = none, none, none
    known_half = cell.configuration == "half" and cell.working_electrode_role is not None
    if cell.configuration == "full" or known_half:
        coulombic, uncertainty = _coulombic_efficiency(_WORDS[reversible_direction(cell)])
    if cell.configuration == "full" or (known_half and cell.working_electrode_role == "cathode"):
        into, out = pl.col("charging_energy_wh"), pl.col("discharging_energy_wh")
        energy = pl.when((into > 0) & (out > 0)).then(out / into)
    told = pl.col("complete") & ~pl.any_horizontal(
        pl.col(f"{word}_charge_source") == CONTRADICTING for word in _WORDS.values()
    )
    return [
        pl.when(told).then(coulombic).alias("coulombic_efficiency"),
        pl.when(told).then(uncertainty).alias("coulombic_efficiency_uncertainty"),
        pl.when("complete").then(energy).alias("energy_efficiency"),
    ]


def _coulombic_efficiency(reversible: str) -> tuple[pl.Expr, pl.Expr]:
    """Return the reversible charge over the other one, and how far the ratio may be off."""
    other = "discharging" if reversible == "charging" else "charging"
    over, under = pl.col(f"{reversible}_capacity_ah"), pl.col(f"{other}_capacity_ah")
    efficiency = pl.when(under > 0).then(over / under)
    off = pl.col(f"{reversible}_charge_uncertainty_ah") + (
        efficiency * pl.col(f"{other}_charge_uncertainty_ah")
    )
    return efficiency, pl.when(under > 0).then(off / under)


def _add_rates(table: pl.DataFrame, paired: pl.DataFrame) -> pl.DataFrame:
    """Add the number of each cycle's rate, and whether it is a formation cycle."""
    sides = (paired[f"{side}_constant_current_ampere"] for side in ("charge", "discharge"))
    currents = np.column_stack([side.cast(pl.Float64).to_numpy() for side in sides])
    groups = rate_groups(currents)
    formation = np.arange(table.height) < count_formation_cycles(groups, currents)
    return table.with_columns(
        pl.Series("rate_group", groups, dtype=pl.Int64),
        pl.Series("formation_cycle", formation, dtype=pl.Boolean),
    )


def _add_retention(table: pl.DataFrame, direction: Direction) -> pl.DataFrame:
    """Add capacities relative to the first complete cycle, overall and at the same rate."""
    capacity = pl.col(f"{_WORDS[direction]}_capacity_ah")
    complete = capacity.filter(pl.col("complete") & (capacity > 0))
    number = pl.col("cycle").filter(pl.col("complete") & (capacity > 0))
    own_rate = complete.first().over(["rate_group", "formation_cycle"])
    return table.with_columns(
        pl.when("complete").then(capacity / complete.first()).alias("capacity_retention"),
        number.first().alias("retention_reference_cycle"),
        pl.when("complete").then(capacity / own_rate).alias("capacity_retention_at_rate"),
    )


def _findings(cell: Cell, table: pl.DataFrame, half_cycles: pl.DataFrame) -> tuple[Finding, ...]:
    findings = []
    if table.height and not table["complete"][0]:
        sentence = "The first cycle is incomplete: the data does not begin where it does."
        if table.height > 1 or cell.configuration is None:
            findings.append(Finding("info", "first_cycle_incomplete", sentence))
    above = int((table["coulombic_efficiency"] > _IMPOSSIBLE).sum())
    if above > 1:
        sentence = (
            f"The Coulombic efficiency of {above} of {table.height} cycles is above 100 %: look at "
            "the kind of the cell in the sheet, and at the calibration of the current."
        )
        findings.append(Finding("warning", "efficiency_above_one", sentence, above))
    counts = zip(half_cycles["file_sha256"], half_cycles["vendor_cycle_count"], strict=True)
    vendor_cycles = {(file, count) for file, count in counts if count is not None}
    if vendor_cycles and len(vendor_cycles) != table.height:
        sentence = (
            f"{table.height} cycles were found from the current's direction; "
            f"the instrument's own counter names {len(vendor_cycles)}."
        )
        findings.append(Finding("info", "cycle_count_differs", sentence))
    return tuple(findings)


ANALYSIS = Analysis(
    "cycles", ("half_cycles",), ("cycles",), _compute, version=3,
    fields=(
        "cell_id", "configuration", "working_electrode_role", "cathode_active_mass_mg",
        "anode_active_mass_mg", "area_cm2", "nominal_capacity_mah_per_g", "lower_voltage_volt",
        "upper_voltage_volt",
    ),
)  # fmt: skip
