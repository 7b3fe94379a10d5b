"""Segments of a time series: current in one direction within one file.

Protocol: a record is charge, discharge or rest by the sign of its current above the noise
(:mod:`cellpipe.numerics.cycling.runs`). Records of an impedance spectrum and of steps that the
instrument names as rest are rest. Charge is integrated by
:mod:`cellpipe.numerics.cycling.integrate`. A segment lies between two changes of the current's
direction and is summed by :mod:`cellpipe.numerics.cycling.segment_sums`. Energy is V·dQ in the
direction of the segment, so it is negative where the voltage is. Values missing from the file are
null: vendor counters, clock, temperature, voltages of rests, and the resistance if no record
follows shortly after the step. Runs once per file content.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.contracts import empty_table
from cellpipe.numerics.cycling.integrate import (
    charge_increments,
    counter_increments,
    net_increments,
)
from cellpipe.numerics.cycling.runs import (
    Segments,
    current_directions,
    find_segments,
    reduce_segments,
    segment_numbers,
)
from cellpipe.numerics.cycling.segment_sums import TAIL, step_resistance, sum_segments

Floats = NDArray[np.float64]
_LEAST = 0.02  # of a segment's constant current; a record with less does not tell its end
RESTS = ("rest", "r", "ocv", "pause", "idle", "搁置", "静置")  # vendors' names of rest steps


class _Flow(NamedTuple):
    """Direction, start of a step, and charge of each record, shape (n,); and the segments.

    The charge is in Ah since the previous record, 0 at rest.
    """

    direction: NDArray[np.int8]
    new_step: NDArray[np.bool_]
    charge_ah: Floats
    segments: Segments


def _flow(timeseries: pl.DataFrame) -> _Flow:
    time = timeseries["test_time_second"].to_numpy()
    current = timeseries["current_ampere"].to_numpy()
    direction = current_directions(current)
    if "frequency_hertz" in timeseries.columns:  # mean current of an impedance record is noise
        direction[timeseries["frequency_hertz"].is_not_null().to_numpy()] = 0
    if "step_type" in timeseries.columns:
        rests = timeseries["step_type"].str.to_lowercase().is_in(RESTS).fill_null(value=False)
        direction[rests.to_numpy()] = 0
    new_step = _step_starts(timeseries, direction)
    charge = charge_increments(
        time,
        current,
        new_step,
        at_rest=direction == 0,
        step_time_second=_optional_column(timeseries, "step_time_second"),
        net_capacity_ah=_optional_column(timeseries, "net_capacity_ah"),
    )
    charge[direction == 0] = 0.0
    voltage = timeseries["voltage_volt"].to_numpy()
    return _Flow(direction, new_step, charge, find_segments(direction, charge, time, voltage))


def add_charge(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Add charge and segment number to each record.

    Adds ``charge_ah`` (Ah since the previous record, positive on charge, 0 at rest) and ``segment``
    (0 outside segments).
    """
    direction, _, charge, segments = _flow(timeseries)
    number = segment_numbers(direction, segments)
    return timeseries.with_columns(pl.Series("charge_ah", charge), pl.Series("segment", number))


def half_cycle_segments(timeseries: pl.DataFrame, file_sha256: str) -> pl.DataFrame:
    """Return one row per segment of a file, as defined in schemas/half_cycle_segments.yaml."""
    flow = _flow(timeseries)
    direction, charge, segments = flow.direction, flow.charge_ah, flow.segments
    first, last = segments
    time, voltage, current = (
        timeseries[name].to_numpy()
        for name in ("test_time_second", "voltage_volt", "current_ampere")
    )
    sums = sum_segments(time, voltage, current, charge, direction, segments)
    charging = np.where(sums.net_ah == 0, current[first], sums.net_ah) > 0
    resting = np.flatnonzero(direction == 0)
    rests = np.searchsorted(resting, last) - np.searchsorted(resting, first)
    columns = {
        "segment": np.arange(1, len(first) + 1),
        "records": last - first + 1 - rests,
        "records_after": timeseries.height - 1 - last,
        "capacity_ah": np.abs(sums.net_ah),
        "energy_wh": np.where(charging, sums.energy_wh, -sums.energy_wh),
        "start_test_time_second": time[first],
        "duration_second": sums.duration_second,
        "start_voltage_volt": voltage[first],
        "end_voltage_volt": voltage[last],
        "min_voltage_volt": sums.min_voltage_volt,
        "max_voltage_volt": sums.max_voltage_volt,
        "start_current_ampere": current[first],
        "end_current_ampere": current[last],
        "constant_current_ampere": sums.constant_current_ampere,
        "constant_voltage_share": sums.constant_voltage_share,
        **_end_columns(timeseries, flow, charging, sums.constant_current_ampere),
        **_rest_columns(timeseries, direction, voltage, current, segments),
        **_counter_columns(timeseries, flow),
        **_temperature_columns(timeseries, direction, segments),
    }
    copied = {
        "first_record_index": ("record_index", first),
        "last_record_index": ("record_index", last),
        "start_unix_time_second": ("unix_time_second", first),
        "end_unix_time_second": ("unix_time_second", last),
        "vendor_cycle_count": ("cycle_count", first),
    }
    types = empty_table("half_cycle_segments").schema
    return pl.DataFrame(columns, nan_to_null=True).with_columns(
        pl.Series("direction", np.where(charging, "charge", "discharge"), dtype=pl.String),
        _step_changes(timeseries, last),
        *(
            timeseries[name][at].alias(target)
            if name in timeseries.columns
            else pl.lit(None, types[target]).alias(target)
            for target, (name, at) in copied.items()
        ),
        file_sha256=pl.lit(file_sha256),
    )


def _step_starts(timeseries: pl.DataFrame, direction: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return where a step begins: at a new step count, or a change of direction; shape (n,)."""
    changed = np.zeros(len(direction), np.bool_)
    np.not_equal(direction[1:], direction[:-1], out=changed[1:])
    if "step_count" in timeseries.columns:
        count = timeseries["step_count"].fill_null(strategy="forward").fill_null(0).to_numpy()
        changed[1:] |= count[1:] != count[:-1]
    return changed


def _optional_column(timeseries: pl.DataFrame, column: str) -> Floats | None:
    if column not in timeseries.columns or timeseries[column].null_count():
        return None
    return timeseries[column].to_numpy()


def _end_columns(
    timeseries: pl.DataFrame, flow: _Flow, charging: NDArray[np.bool_], constant_ampere: Floats
) -> dict[str, NDArray[np.generic]]:
    """Return what is known of each segment's end: of its last few records with current.

    Records with less than 2 % of the segment's constant current are not among them, and a last one
    with less than a tenth of the current before it belongs to what follows.
    """
    direction, segments = flow.direction, flow.segments
    voltage, current = (timeseries[name].to_numpy() for name in ("voltage_volt", "current_ampere"))
    places = _last_places(current, direction, segments, _LEAST * constant_ampere)
    volts, amperes = voltage[places], np.abs(current[places])
    reached = np.where(charging[:, None], volts, -volts).max(axis=1)
    stray = amperes[:, 0] < 0.1 * amperes[:, 1]
    moves = direction != 0
    turns = np.flatnonzero(moves[1:] != moves[:-1]) + 1
    within = np.searchsorted(turns, segments.last) - np.searchsorted(turns, segments.first, "right")
    step_time = _optional_column(timeseries, "step_time_second")
    unknown = np.full(len(charging), np.nan)
    return {
        "reached_voltage_volt": np.where(charging, reached, -reached),
        "voltage_step_volt": np.median(np.abs(np.diff(volts, axis=1)), axis=1),
        "reached_current_ampere": np.where(stray, amperes[:, 1], amperes[:, 0]),
        "stretches": within // 2 + 1,
        "start_step_time_second": unknown if step_time is None else step_time[segments.first],
    }


def _last_places(
    current: Floats, direction: NDArray[np.int8], segments: Segments, least_ampere: Floats
) -> NDArray[np.int64]:
    """Return each segment's last few records with at least so much current, the last one first.

    Of a segment that has fewer, the earliest one is repeated; shape (k, TAIL).
    """
    places = segments.last[:, None] - np.arange(4 * TAIL)
    inside = places >= segments.first[:, None]
    places = np.maximum(places, segments.first[:, None])
    chosen = inside & (direction[places] != 0) & (np.abs(current[places]) >= least_ampere[:, None])
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :TAIL]
    count = chosen.sum(axis=1)
    kept = np.minimum(np.arange(TAIL), np.maximum(count[:, None] - 1, 0))
    tail: NDArray[np.int64] = np.take_along_axis(
        places, np.take_along_axis(order, kept, axis=1), axis=1
    )
    for segment in np.flatnonzero((count < TAIL) & inside[:, -1]):  # a long trickle at the end
        first, last = segments.first[segment], segments.last[segment] + 1
        enough = np.abs(current[first:last]) >= least_ampere[segment]
        found = first + np.flatnonzero(enough & (direction[first:last] != 0))[::-1]
        if len(found):
            tail[segment] = found[np.minimum(np.arange(TAIL), len(found) - 1)]
    return tail


def _step_changes(timeseries: pl.DataFrame, last: NDArray[np.int64]) -> pl.Series:
    """Return whether the record after each segment belongs to another step; null if not known."""
    changed: list[bool | None] = [None] * len(last)
    if "step_count" in timeseries.columns:
        counts = timeseries["step_count"]
        inside = np.minimum(last + 1, timeseries.height - 1)
        differs = zip((counts[last] != counts[inside]).to_list(), last, strict=True)
        changed = [d if at + 1 < timeseries.height else None for d, at in differs]
    return pl.Series("step_changes", changed, dtype=pl.Boolean)


def _rest_columns(
    timeseries: pl.DataFrame,
    direction: NDArray[np.int8],
    voltage: Floats,
    current: Floats,
    segments: Segments,
) -> dict[str, Floats]:
    """Return voltages of the rests before and after, V, and resistance at current onset, Ω."""
    first, last = segments
    blank = np.full((4, len(first)), np.nan)
    before, after, resistance, delay = blank
    rested = np.flatnonzero((first > 0) & (direction[first - 1] == 0))
    onset = first[rested]
    before[rested] = voltage[onset - 1]
    final = np.append(first[1:], len(direction)) - 1
    relaxed = np.flatnonzero(final > last)
    after[relaxed] = voltage[final[relaxed]]
    step_time = _optional_column(timeseries, "step_time_second")
    time = timeseries["test_time_second"].to_numpy()
    interval = time[onset] - time[onset - 1]
    elapsed = interval if step_time is None else np.minimum(step_time[onset], interval)
    resistance[rested] = step_resistance(voltage, current, elapsed, onset)
    delay[rested] = np.where(np.isfinite(resistance[rested]), elapsed, np.nan)
    return {
        "rest_voltage_before_volt": before,
        "rest_voltage_after_volt": after,
        "dc_resistance_ohm": resistance,
        "dc_resistance_delay_second": delay,
    }


def _counter_columns(timeseries: pl.DataFrame, flow: _Flow) -> dict[str, Floats]:
    """Return each segment's charge from the instrument's counters, Ah; NaN without them.

    The first record at rest is included, because it contains the last charge of the segment; later
    charge of a rest or an impedance measurement is not.
    """
    direction, segments = flow.direction, flow.segments
    charge = _vendor_charge(timeseries, flow.new_step)
    if charge is None:
        return {"vendor_capacity_ah": np.full(len(segments.first), np.nan)}
    counts = direction != 0
    counts[1:] |= direction[:-1] != 0
    last = np.minimum(segments.last + 1, np.append(segments.first[1:], timeseries.height) - 1)
    total = reduce_segments(np.add, charge * counts, Segments(segments.first, last))
    return {"vendor_capacity_ah": np.abs(total)}


def _vendor_charge(timeseries: pl.DataFrame, new_step: NDArray[np.bool_]) -> Floats | None:
    """Return the charge between records from the instrument's counters, Ah; None without them."""
    net = _optional_column(timeseries, "net_capacity_ah")
    if net is not None:
        current, time = (
            timeseries[name].to_numpy() for name in ("current_ampere", "test_time_second")
        )
        at = np.flatnonzero(new_step[1:]) + 1
        return net_increments(net, current, time, at)
    up = _optional_column(timeseries, "vendor_charging_capacity_ah")
    down = _optional_column(timeseries, "vendor_discharging_capacity_ah")
    if up is None or down is None:
        return None
    return counter_increments(up) - counter_increments(down)


def _temperature_columns(
    timeseries: pl.DataFrame, direction: NDArray[np.int8], segments: Segments
) -> dict[str, Floats]:
    """Return each segment's mean and highest temperature, °C; NaN if not recorded."""
    names = ["ambient_temperature_celsius"]
    names += sorted(c for c in timeseries.columns if c.startswith("temperature_t"))
    present = [name for name in names if name in timeseries.columns]
    mean = highest = np.full(len(segments.first), np.nan)
    if present:
        celsius = timeseries[present[0]].cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = np.isfinite(celsius) & (direction != 0)
        count = reduce_segments(np.add, known.astype(np.float64), segments)
        total = reduce_segments(np.add, np.where(known, celsius, 0.0), segments)
        most = reduce_segments(np.maximum, np.where(known, celsius, -np.inf), segments)
        recorded = count > 0
        mean = np.where(recorded, total / np.where(recorded, count, 1.0), np.nan)
        highest = np.where(recorded, most, np.nan)
    return {"mean_temperature_celsius": mean, "max_temperature_celsius": highest}
