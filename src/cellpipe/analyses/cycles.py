"""Cycles from half cycles, paired according to the configuration of the cell.

A cycle of a full cell or of a cathode half cell is a charge and the following discharge; that of a
silicon half cell is a discharge (lithiation) and the following charge (delithiation). A recording
that begins with the other half has an incomplete first cycle. If the configuration is not known,
cycles begin with the first half cycle, and Coulombic efficiency is null.

A half cell is taken for one of a silicon anode unless the sheet names another working electrode; if
that electrode is not known, the cell is treated as of unknown configuration.

Coulombic efficiency: full cell Q_discharge/Q_charge, silicon half cell Q_charge/Q_discharge of the
same cycle, with the uncertainties of both charges. There is none where a charge is contradictory:
where counter and current disagree and nothing tells which is right. One that may be off by more
than 0.01 is in no mean, and a finding says so. Capacity retention: reversible
capacity (full cell discharge, silicon half cell delithiation) relative to the first complete cycle,
and relative to the first complete cycle at the same rate (:mod:`cellpipe.numerics.cycling.ageing`);
none for a symmetric cell, and for lithium plated on a foil, of which the protocol sets the amount.
Cycles with a reservoir (:mod:`cellpipe.numerics.cycling.plating`), which strip a part of what was
plated, have no efficiency of their own. Energy efficiency is defined for full cells and cathode
half cells only, not for silicon against lithium.

A cycle is complete if both halves came to their end (:mod:`cellpipe.numerics.cycling.ends`), both
began within the data, and the half cycle before them did not break off. A stub before the first
cycle, of less than a tenth of the usual capacity, is no cycle. Why one is not complete is said in
words.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.complete_cycles import end_findings, find_reasons
from cellpipe.analyses.plating_efficiency import drop_shared_efficiencies
from cellpipe.analyses.symmetric_cells import is_symmetric
from cellpipe.baselines.materials import plates_on_foil
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ageing import (
    count_formation_cycles,
    rate_groups,
    usual_rate,
)
from cellpipe.numerics.cycling.cycle_kinds import name_cycles
from cellpipe.numerics.cycling.protocol import NO_CYCLES, SYMMETRIC
from cellpipe.numerics.cycling.witnesses import CONTRADICTING

Direction = Literal["charge", "discharge"]
KNOWN = 0.01  # of a Coulombic efficiency; one that may be off by more is in no mean
POSSIBLE = (0.2, 1.01)  # Coulombic efficiencies; outside, they need an explanation
_REGULAR = 0.8  # of an instrument's cycle numbers that rise by one, so that a jump means lost ones
_LASTED = 0.5  # of the usual duration of the lost cycles; a gap must be that long to hold them
_WORDS: dict[Direction, str] = {"charge": "charging", "discharge": "discharging"}
_HALVES = (
    "capacity_ah", "energy_wh", "mean_voltage_volt", "constant_current_ampere", "duration_second",
    "mean_temperature_celsius", "max_temperature_celsius", "start_unix_time_second",
    "vendor_cycle_count", "half_cycle", "end_voltage_volt", "constant_voltage_share",
    "rest_voltage_after_volt", "dc_resistance_ohm", "vendor_capacity_ah", "ended_by",
    "begins_within", "file_sha256", "last_file_sha256", "charge_source", "charge_uncertainty_ah",
    "protocol",
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
    half_cycles = add_protocol(tables["half_cycles"], tables["protocol_segments"])
    paired, lost = pair_cycles(cell, half_cycles)
    table = paired.select(_columns(cell)).with_columns(_efficiencies(cell))
    table = drop_shared_efficiencies(cell, table, half_cycles)
    symmetric = cell.configuration == "symmetric" or is_symmetric(cell, half_cycles)
    holds = not (symmetric or plates_on_foil(cell))
    table = _add_retention(cell, table, holds=holds)
    of_cycles = half_cycles.filter(~pl.col("protocol").is_in(NO_CYCLES))
    findings = (*_findings(cell, table, half_cycles), *end_findings(table, of_cycles, lost))
    return (Result("cycles", table, findings),)


def add_protocol(half_cycles: pl.DataFrame, stretches: pl.DataFrame) -> pl.DataFrame:
    """Add the kind of the stretch that each half cycle begins in."""
    kinds = np.full(half_cycles.height, "cycling", dtype=object)
    numbers = half_cycles["half_cycle"].to_numpy()
    known = stretches.drop_nulls("first_half_cycle")
    for kind, first, last in known.select(
        "kind", "first_half_cycle", "last_half_cycle"
    ).iter_rows():
        kinds[(numbers >= first) & (numbers <= last)] = kind
    return half_cycles.with_columns(pl.Series("protocol", kinds.tolist(), dtype=pl.String))


def pair_cycles(cell: Cell, half_cycles: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Pair half cycles to cycles, and return how many were lost before each.

    Parameters
    ----------
    cell
        Its ``configuration`` and ``working_electrode_role`` say with which half a cycle begins.
    half_cycles
        With ``protocol``, the kind of the stretch of each.

    Returns
    -------
    Cycles with the columns of both halves, ``charge_…`` and ``discharge_…``, and with ``complete``,
    ``incomplete_because``, ``rate_group``, ``formation_cycle`` and ``protocol``.

    """
    lead = leading_direction(cell, half_cycles)
    paired = _pair_half_cycles(half_cycles, lead).with_columns(protocol=_kind_of_both())
    lost = _lost_cycles(paired)
    paired = paired.with_columns(pl.col("cycle") + pl.Series(np.cumsum(lost), dtype=pl.Int64))
    reasons = find_reasons(paired, half_cycles, lead)
    paired = paired.with_columns(
        pl.Series("incomplete_because", reasons, dtype=pl.String),
        complete=pl.Series([reason is None for reason in reasons], dtype=pl.Boolean),
    )
    return _add_rates(paired), lost


def _kind_of_both() -> pl.Expr:
    """Return the kind of a cycle: of its halves, what makes no cycle counts first."""
    halves = [pl.col(f"{side}_protocol") for side in ("charge", "discharge")]
    chosen = pl.lit(None, pl.String)
    for kinds in (NO_CYCLES, SYMMETRIC, ("not told",)):
        for half in halves:
            chosen = pl.coalesce(chosen, pl.when(half.is_in(kinds)).then(half))
    return chosen.fill_null("cycling")


def _pair_half_cycles(half_cycles: pl.DataFrame, lead: Direction) -> pl.DataFrame:
    """Return cycles with the columns of both halves, ``charge_…`` and ``discharge_…``.

    A cycle begins with a half cycle in the leading direction, and with one that follows another of
    its own direction, as one between them was lost.
    """
    direction = half_cycles["direction"]
    begins = (direction == lead) | (direction == direction.shift(1)).fill_null(value=True)
    numbered = half_cycles.with_columns(cycle=begins.cast(pl.Int64).cum_sum())
    sides = []
    for word in ("charge", "discharge"):
        side = numbered.filter(numbered["direction"] == word)["cycle", *_HALVES]
        side.columns = ["cycle", *(f"{word}_{name}" for name in _HALVES)]
        sides.append(side)
    return sides[0].join(sides[1], on="cycle", how="full", coalesce=True).sort("cycle")


def _lost_cycles(paired: pl.DataFrame) -> NDArray[np.int64]:
    """Return how many cycles before each one were lost, between two files or in one; shape (n,).

    The instrument's cycle number says how many, if it rises by one from cycle to cycle elsewhere
    and the time is long enough for them: within a file that which the current did not run.
    """
    lost = np.zeros(paired.height, np.int64)
    facts = paired.select(
        _first_value("vendor_cycle_count"), _first_value("file_sha256"),
        _earlier_value("start_unix_time_second"), last=_last_value("last_file_sha256"),
        ran=pl.sum_horizontal("charge_duration_second", "discharge_duration_second"),
    )  # fmt: skip
    count, start = facts["vendor_cycle_count"], facts["start_unix_time_second"]
    if paired.height < 4 or count.null_count() or start.null_count():
        return lost
    rise, span = np.diff(count.to_numpy()), np.diff(start.to_numpy())
    joint = (facts["file_sha256"][1:] != facts["last"][:-1]).to_numpy()
    usual = float(np.median(span[~joint])) if not joint.all() else np.inf
    idle = span - facts["ran"].to_numpy()[:-1]
    stands = joint | ((rise > 1) & (idle >= _LASTED * usual * (rise - 1)))
    within = rise[~stands]
    if not len(within) or (within == 1).mean() < _REGULAR:
        return lost
    jumps = stands & (rise > 1) & (span >= _LASTED * usual * rise)
    lost[1:] = np.where(jumps, rise - 1, 0)
    return lost


def _last_value(name: str) -> pl.Expr:
    """Return the value of the later half cycle."""
    first = _first_value(name)
    charge, discharge = pl.col(f"charge_{name}"), pl.col(f"discharge_{name}")
    other = pl.when(first == charge).then(discharge).otherwise(charge)
    return pl.coalesce(other, first)


def _columns(cell: Cell) -> list[pl.Expr]:
    mass, basis = active_mass(cell)
    area = cell.area_cm2
    columns = [
        pl.lit(cell.cell_id).alias("cell_id"),
        pl.col("cycle", "complete", "incomplete_because", "protocol", "rate_group"),
        pl.col("formation_cycle"),
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


def _add_rates(paired: pl.DataFrame) -> pl.DataFrame:
    """Add each cycle's rate, its kind by the rates around it, and whether it is formation."""
    sides = (paired[f"{side}_constant_current_ampere"] for side in ("charge", "discharge"))
    currents = np.column_stack([side.cast(pl.Float64).to_numpy() for side in sides])
    groups = rate_groups(currents)
    complete = paired["complete"].to_numpy()
    kinds = paired["protocol"].to_numpy().copy()
    plain = kinds == "cycling"
    formation = count_formation_cycles(groups[plain], currents[plain], complete[plain])
    counted = groups[plain & complete]
    usual = usual_rate(counted[formation:] if len(counted) > formation else groups[plain])
    kinds[plain] = name_cycles(groups[plain], currents[plain], formation, usual)
    return paired.with_columns(
        pl.Series("rate_group", groups, dtype=pl.Int64),
        pl.Series("protocol", kinds.tolist(), dtype=pl.String),
        formation_cycle=pl.Series((kinds == "formation").tolist(), dtype=pl.Boolean),
    )


def _add_retention(cell: Cell, table: pl.DataFrame, *, holds: bool) -> pl.DataFrame:
    """Add capacities relative to the first complete cycle, overall and at the same rate.

    They are null unless the cell ``holds`` a capacity of its own.
    """
    capacity = pl.col(f"{_WORDS[reversible_direction(cell)]}_capacity_ah")
    has_one = pl.lit(holds) & ~pl.col("protocol").is_in(SYMMETRIC)
    kept = pl.col("complete") & (capacity > 0) & has_one
    complete, number = capacity.filter(kept), pl.col("cycle").filter(kept)
    own_rate, own_number = (first.first().over("rate_group") for first in (complete, number))
    told = pl.col("complete") & has_one
    return table.with_columns(
        pl.when(told).then(capacity / complete.first())
        .alias("capacity_retention"),
        number.first().alias("retention_reference_cycle"),
        pl.when(told).then(capacity / own_rate)
        .alias("capacity_retention_at_rate"),
        own_number.alias("rate_reference_cycle"),
    )  # fmt: skip


def _findings(cell: Cell, table: pl.DataFrame, half_cycles: pl.DataFrame) -> tuple[Finding, ...]:
    findings = []
    own = table.filter(~pl.col("protocol").is_in(NO_CYCLES))
    if own.height and table["cycle"][0] == own["cycle"][0] and not table["complete"][0]:
        sentence = f"The first cycle is not complete: {table['incomplete_because'][0]}."
        if table.height > 1 or cell.configuration is None:
            findings.append(Finding("info", "first_cycle_incomplete", sentence))
    above = int((table["coulombic_efficiency"] > POSSIBLE[1]).sum())
    if above > 1:
        sentence = (
            f"The Coulombic efficiency of {above} of {table.height} cycles is above 100 %: look at "
            "the kind of the cell in the sheet, and at the calibration of the current."
        )
        findings.append(Finding("warning", "efficiency_above_one", sentence, above))
    unsure = int((table["coulombic_efficiency_uncertainty"] > KNOWN).sum())
    if unsure:
        worst = 100 * float(table["coulombic_efficiency_uncertainty"].max())  # type: ignore[arg-type]
        sentence = (
            f"The Coulombic efficiency of {unsure} of {table.height} cycles is known to worse than "
            f"1 %, of one to ± {worst:.2g} % only, and is in no mean. Usually the records are too "
            "far apart where a step ends: export the file with all records, or with the columns of "
            "capacity. An offset at rest, times without seconds or a long pause do the same."
        )
        findings.append(Finding("warning", "efficiency_uncertain", sentence, unsure))
    counts = zip(half_cycles["file_sha256"], half_cycles["vendor_cycle_count"], strict=True)
    vendor_cycles = {(file, count) for file, count in counts if count is not None}
    if own.height and vendor_cycles and len(vendor_cycles) != table.height:
        sentence = (
            f"{table.height} cycles were found from the current's direction; "
            f"the instrument's own counter names {len(vendor_cycles)}."
        )
        findings.append(Finding("info", "cycle_count_differs", sentence))
    return tuple(findings)


ANALYSIS = Analysis(
    "cycles", ("half_cycles", "protocol_segments"), ("cycles",), _compute, version=6,
    fields=(
        "cell_id", "configuration", "working_electrode_role", "cathode_active_mass_mg",
        "anode_active_mass_mg", "area_cm2", "nominal_capacity_mah_per_g", "materials",
    ),
)  # fmt: skip
