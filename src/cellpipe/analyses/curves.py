"""Curves of every half cycle: voltage profile, dQ/dV with its peaks, and dV/dQ.

All use the records of the half cycle from all its files. A profile is thinned to 400 points, evenly
over the charge of its records and with both ends. dQ/dV is the distribution of the charge over
voltage on a grid of 5 mV, smoothed by a Gaussian of 5 mV, or of up to 20 mV if the voltage is noisy
(column ``smoothing_volt``); the sum over the grid times its step is the capacity of the half cycle.
A half cycle with more than two thirds of its charge between two records has none if these are more
than 0.1 V apart: at which voltage it passed is not known. Charge of the opposite direction (pulses)
is subtracted; where dQ/dV is below zero because of it, there are no peaks.
dV/dQ is the slope of the mean voltage over 200 steps of the half cycle's charge, smoothed by a
Gaussian of one step (:mod:`cellpipe.numerics.cycling.differentiate`).

Peaks of dQ/dV (:mod:`cellpipe.numerics.cycling.peaks`) are tracked over the half cycles of one
direction. In a silicon half cell (an anode of a material that is not known counts as one) with a
reference offset in the sheet, a peak near the potential of a known step of silicon is assigned to
it: the two steps of amorphous silicon on lithiation near 0.25 and 0.1 V against Li+/Li and on
delithiation near 0.3 and 0.45 V, and the narrow one of crystalline Li15Si4 near 0.43 V (M. N.
Obrovac and L. Christensen, Electrochem. Solid-State Lett. 7, A93 (2004), doi 10.1149/1.1652421).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.half_cycle_segments import add_charge
from cellpipe.analyses.half_cycles import add_half_cycles, potential
from cellpipe.analyses.missing_pieces import recording
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.differentiate import (
    FEWEST,
    Curves,
    differential_capacity,
    differential_voltage,
    sufficient_smoothing,
)
from cellpipe.numerics.cycling.peaks import locate_peaks, track_peaks

POINTS = 400
GRID_VOLT = 0.005
SMOOTHING_VOLT = 0.005
STEPS = 200
NEAR_VOLT = 0.05
NARROW_VOLT = 0.04  # without smoothing
FULL_WIDTH = 2.3548  # of a Gaussian at half height, in standard deviations
COARSE_VOLT = 0.1
COARSE_SHARE = 2 / 3
BACK_SHARE = 0.01
_NAMED = 6  # half cycles: more are counted
SILICON = {
    "discharge": {0.25: "lithiation near 0.25 V", 0.1: "lithiation near 0.1 V"},
    "charge": {0.3: "delithiation near 0.3 V", 0.45: "delithiation near 0.45 V"},
}
CRYSTALLINE = (0.43, "delithiation of c-Li15Si4 near 0.43 V")

Floats = NDArray[np.float64]


class Records(NamedTuple):
    """Concatenated records of all half cycles, and the first index of each half cycle.

    ``charge`` (Ah) is positive in the half cycle's direction and negative in opposite pulses;
    ``voltage`` in V. Both have shape (n,), the others (k,).
    """

    half_cycle: NDArray[np.int64]
    charging: NDArray[np.bool_]
    begins: NDArray[np.int64]
    voltage: Floats
    charge: Floats


def collect_records(tables: Tables) -> Records:
    """Return the records of all half cycles of a cell."""
    segments = add_half_cycles(tables["half_cycle_segments"]).with_row_index("place")
    parts = []
    timeseries = tables["timeseries"]
    for (name,), records in timeseries.group_by(recording(timeseries), maintain_order=True):
        own = segments.filter(recording(segments) == name)
        if own.height:
            charged = add_charge(records).filter(pl.col("segment") > 0)
            place = own.select("segment", "half_cycle", "place")
            joined = charged.join(place, on="segment", maintain_order="left")
            parts.append(joined.select("half_cycle", "place", "voltage_volt", "charge_ah"))
    if not parts:
        none = np.zeros(0, np.int64)
        return Records(none, none.astype(np.bool_), none, np.zeros(0), np.zeros(0))
    whole = pl.concat(parts)
    if not whole["place"].is_sorted():
        whole = whole.sort("place", maintain_order=True)
    number, charge = whole["half_cycle"].to_numpy(), whole["charge_ah"].to_numpy()
    begins = np.flatnonzero(np.diff(number, prepend=0))
    charging = np.add.reduceat(charge, begins) > 0
    lengths = np.diff(np.append(begins, len(number)))
    signed = charge * np.repeat(np.where(charging, 1.0, -1.0), lengths)
    return Records(number[begins], charging, begins, whole["voltage_volt"].to_numpy(), signed)


def derivatives(records: Records) -> tuple[Curves, Floats]:
    """Return dQ/dV of every half cycle, and the standard deviation of its smoothing, V."""
    smoothing = sufficient_smoothing(records.voltage, records.begins, SMOOTHING_VOLT)
    curves = differential_capacity(
        records.voltage,
        records.charge,
        records.begins,
        step_volt=GRID_VOLT,
        smoothing_volt=smoothing,
    )
    return _select_curves(curves, is_resolved(records)), smoothing


def is_resolved(records: Records) -> NDArray[np.bool_]:
    """Tell of each half cycle whether its records say at which voltages its charge passed.

    They don't where one interval, of more than 0.1 V or with its first record before the half
    cycle, holds more than two thirds of the charge.
    """
    if not len(records.begins):
        return np.zeros(0, np.bool_)
    span = np.abs(np.diff(records.voltage, prepend=records.voltage[0]))
    span[records.begins] = np.inf
    passed = np.abs(records.charge)
    total = np.add.reduceat(passed, records.begins)
    wide = np.where(span > COARSE_VOLT, passed, 0.0)
    largest: Floats = np.maximum.reduceat(wide, records.begins)
    return largest <= COARSE_SHARE * total


def _select_curves(curves: Curves, kept: NDArray[np.bool_]) -> Curves:
    """Return the curves of some half cycles; the others have no points."""
    counts = np.diff(np.append(curves.begins, len(curves.at)))
    points = np.repeat(kept, counts)
    left = np.where(kept, counts, 0)
    begins: NDArray[np.int64] = np.cumsum(left) - left
    return Curves(begins, curves.at[points], curves.density[points])


def _findings(records: Records, curves: Curves) -> tuple[Finding, ...]:
    """Say of which half cycles dQ/dV can't be used, wholly or in part, and why."""
    counts = np.diff(np.append(records.begins, len(records.voltage)))
    coarse = records.half_cycle[(counts >= FEWEST) & ~is_resolved(records)].tolist()
    back = [
        int(number)
        for number, (_, density) in zip(records.half_cycle, curves.parts(), strict=True)
        if -density.clip(max=0.0).sum() > BACK_SHARE * np.abs(density).sum()
    ]
    found = []
    if coarse:
        sentence = (
            f"There is no dQ/dV of {_half_cycle_names(coarse)}, and so no peaks: more than two "
            f"thirds of the charge passed between two records over {COARSE_VOLT:g} V apart, or "
            "before the first one, so at which voltage is not known. Capacities are not touched."
        )
        found.append(Finding("warning", "differential_capacity_left_out", sentence, len(coarse)))
    if back:
        sentence = (
            f"In {_half_cycle_names(back)} current also flowed the other way (pulses): dQ/dV falls "
            "below zero there, and has no peaks at these voltages."
        )
        found.append(Finding("info", "differential_capacity_below_zero", sentence, len(back)))
    return tuple(found)


def _half_cycle_names(numbers: list[int]) -> str:
    if len(numbers) > _NAMED:
        return f"{len(numbers)} half cycles"
    return f"half cycle{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    records = collect_records(tables)
    points = records.voltage, records.charge, records.begins
    capacity, smoothing = derivatives(records)
    counts = np.diff(np.append(capacity.begins, len(capacity.at)))
    voltage = differential_voltage(*points, steps=STEPS, smoothing_steps=1.0)
    profiles = _thin_profiles(records)
    return (
        Result("voltage_profiles", _build_table(cell, records, profiles.begins, {
            "capacity_ah": profiles.at, "voltage_volt": profiles.density})),
        Result("differential_capacity", _build_table(cell, records, capacity.begins, {
            "voltage_volt": capacity.at,
            "differential_capacity_ah_per_volt": capacity.density,
            "grid_step_volt": np.full(len(capacity.at), GRID_VOLT),
            "smoothing_volt": np.repeat(smoothing, counts)}), _findings(records, capacity)),
        Result("differential_capacity_peaks", _peak_table(cell, records, capacity, smoothing)),
        Result("differential_voltage", _build_table(cell, records, voltage.begins, {
            "capacity_ah": voltage.at,
            "differential_voltage_volt_per_ah": voltage.density})),
    )  # fmt: skip


def _build_table(
    cell: Cell, records: Records, begins: NDArray[np.int64], columns: dict[str, Floats]
) -> pl.DataFrame:
    """Return a table of points with the number and direction of their half cycles."""
    size = len(next(iter(columns.values())))
    lengths = np.diff(np.append(begins, size))
    charging = pl.Series(np.repeat(records.charging, lengths), dtype=pl.Boolean)
    return pl.DataFrame(columns).with_columns(
        pl.Series("half_cycle", np.repeat(records.half_cycle, lengths), dtype=pl.Int64),
        charging.replace_strict({True: "charge", False: "discharge"}, return_dtype=pl.String).alias(
            "direction"
        ),
        cell_id=pl.lit(cell.cell_id),
    )


def _thin_profiles(records: Records) -> Curves:
    """Return voltage over charge of each half cycle, thinned evenly and with both ends."""
    begins, places, charges = [], [], []
    count = 0
    ends = np.append(records.begins, len(records.charge))[1:]
    for begin, end in zip(records.begins, ends, strict=True):
        passed = np.cumsum(records.charge[begin:end])
        kept = _select_evenly(np.maximum.accumulate(passed))
        begins.append(count)
        count += len(kept)
        places.append(begin + kept)
        charges.append(passed[kept])
    at = np.concatenate([np.zeros(0, np.int64), *places])
    passed = np.concatenate([np.zeros(0), *charges])
    return Curves(np.array(begins, np.int64), passed, records.voltage[at])


def _select_evenly(passed: Floats) -> NDArray[np.int64]:
    """Return indices of at most POINTS records, evenly over charge, with the first and the last."""
    if len(passed) <= POINTS:
        return np.arange(len(passed))
    targets = np.linspace(passed[0], passed[-1], POINTS - 1)
    places = np.searchsorted(passed, targets)
    return np.unique(np.concatenate([[0], np.minimum(places, len(passed) - 1)]))


def _peak_table(cell: Cell, records: Records, curves: Curves, smoothing: Floats) -> pl.DataFrame:
    peaks = [
        locate_peaks(at, density, float(sigma))
        for (at, density), sigma in zip(curves.parts(), smoothing, strict=True)
    ]
    counts = [len(curve_peaks.voltage_volt) for curve_peaks in peaks]
    begins = np.cumsum([0, *counts[:-1]]) if counts else np.zeros(0, np.int64)
    columns = {
        name: np.concatenate([np.zeros(0), *(getattr(curve_peaks, name) for curve_peaks in peaks)])
        for name in ("voltage_volt", "height_ah_per_volt", "prominence_ah_per_volt", "width_volt",
                     "capacity_ah")
    }  # fmt: skip
    table = _build_table(cell, records, begins, columns)
    numbers = np.zeros(table.height, np.int64)
    for direction in ("charge", "discharge"):
        is_direction = (table["direction"] == direction).to_numpy()
        own = records.half_cycle[records.charging == (direction == "charge")]
        place = np.searchsorted(own, table["half_cycle"].to_numpy()[is_direction])
        numbers[is_direction] = track_peaks(place, table["voltage_volt"].to_numpy()[is_direction])
    table = table.with_columns(
        pl.Series("peak", numbers, dtype=pl.Int64), potential_volt=potential(cell, "voltage_volt")
    )
    own_width = _width_without_smoothing(
        table, dict(zip(records.half_cycle, smoothing, strict=True))
    )
    table = table.with_columns(assignment=_silicon_step(cell, own_width))
    return pl.concat([empty_table("differential_capacity_peaks"), table], how="diagonal")


def _width_without_smoothing(table: pl.DataFrame, smoothing: dict[int, float]) -> pl.Series:
    """Return how wide peaks would be without the Gaussian that smoothed their curve, V."""
    sigma = table["half_cycle"].replace_strict(smoothing, return_dtype=pl.Float64)
    return ((table["width_volt"] ** 2 - (FULL_WIDTH * sigma) ** 2).clip(0.0)).sqrt()


def _silicon_step(cell: Cell, own_width: pl.Series) -> pl.Expr:
    """Return the name of the silicon step near each peak; null without one."""
    assignment = pl.lit(None, pl.String)
    material = cell.materials.get("working")
    is_silicon = material is None or material.family == "silicon"
    if cell.configuration != "half" or cell.working_electrode_role != "anode" or not is_silicon:
        return assignment
    for direction, steps in SILICON.items():
        for place, name in steps.items():
            near = (pl.col("potential_volt") - place).abs() <= NEAR_VOLT
            assignment = pl.when(near & (pl.col("direction") == direction)).then(
                pl.lit(name)).otherwise(assignment)  # fmt: skip
    place, name = CRYSTALLINE
    narrow = own_width < NARROW_VOLT
    near = (pl.col("potential_volt") - place).abs() <= NEAR_VOLT / 2
    return pl.when(near & narrow & (pl.col("direction") == "charge")).then(
        pl.lit(name)).otherwise(assignment)  # fmt: skip


ANALYSIS = Analysis(
    "curves",
    ("timeseries", "half_cycle_segments"),
    (
        "voltage_profiles",
        "differential_capacity",
        "differential_capacity_peaks",
        "differential_voltage",
    ),
    _compute,
    version=5,
    fields=(
        "cell_id",
        "configuration",
        "working_electrode_role",
        "reference_offset_volt",
        "materials",
    ),
)
