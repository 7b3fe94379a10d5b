"""Segments of a time series: current in one direction within one file.

Where charge flows, and how much, is told by :mod:`cellpipe.analyses.charge_flow`. A segment lies
between two changes of the current's direction and is summed by
:mod:`cellpipe.numerics.cycling.segment_sums`. Energy is V·dQ in the direction of the segment, so it
is negative where the voltage is; where that agrees with the instrument's count of the energy within
what the voltages of the records allow, it is the count. Values missing from the file are null:
vendor counters, clock, temperature, voltages of rests, and the resistance if no record follows
shortly after the step. Runs once per file content.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.charge_flow import (
    Flow,
    find_flow,
    optional_column,
    take_counter,
    voltage_modes,
)
from cellpipe.core.contracts import empty_table
from cellpipe.core.recordings.energies import ENERGIES
from cellpipe.numerics.cycling.contradictions import COUNTER
from cellpipe.numerics.cycling.counted_energy import count_beyond_records
from cellpipe.numerics.cycling.runs import (
    Segments,
    reduce_segments,
    segment_numbers,
)
from cellpipe.numerics.cycling.segment_sums import (
    CONSTANT_VOLTAGE,
    TAIL,
    step_resistance,
    sum_segments,
)
from cellpipe.numerics.cycling.witnesses import (
    SOURCES,
    name_sources,
)

Floats = NDArray[np.float64]
TINY_AH = 1e-300  # for steps without charge: they have a witness, too
_LEAST = 0.02  # of a segment's constant current; a record with less does not tell its end


def add_charge(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Add charge and segment number to each record.

    Adds ``charge_ah`` (Ah since the previous record, positive on charge, 0 at rest) and ``segment``
    (0 outside segments).
    """
    flow = find_flow(timeseries)
    number = segment_numbers(flow.direction, flow.segments)
    return timeseries.with_columns(
        pl.Series("charge_ah", flow.charges.charge_ah), pl.Series("segment", number)
    )


def half_cycle_segments(timeseries: pl.DataFrame, file_sha256: str) -> pl.DataFrame:
    """Return one row per segment of a file, as defined in schemas/half_cycle_segments.yaml."""
    flow = find_flow(timeseries)
    direction, charge, segments = flow.direction, flow.charges.charge_ah, flow.segments
    first, last = segments
    time, voltage, current = (
        timeseries[name].to_numpy()
        for name in ("test_time_second", "voltage_volt", "current_ampere")
    )
    mode = voltage_modes(timeseries)
    sums = sum_segments(time, voltage, current, charge, direction, segments, mode)
    charging = np.where(sums.net_ah == 0, current[first], sums.net_ah) > 0
    resting = np.flatnonzero(direction == 0)
    rests = np.searchsorted(resting, last) - np.searchsorted(resting, first)
    columns = {
        "segment": np.arange(1, len(first) + 1),
        "records": last - first + 1 - rests,
        "records_after": timeseries.height - 1 - last,
        "capacity_ah": np.abs(sums.net_ah),
        "energy_wh": np.where(charging, 1.0, -1.0)
        * (sums.energy_wh + _energy_beyond_records(timeseries, flow)),
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
        **_rest_columns(timeseries, flow, voltage, current, mode),
        **_charge_columns(flow),
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
        pl.Series("charge_source", _charge_sources(flow), dtype=pl.String),
        _step_changes(timeseries, last),
        *(
            timeseries[name][at].alias(target)
            if name in timeseries.columns
            else pl.lit(None, types[target]).alias(target)
            for target, (name, at) in copied.items()
        ),
        file_sha256=pl.lit(file_sha256),
        last_file_sha256=pl.lit(file_sha256),
    )


def _end_columns(
    timeseries: pl.DataFrame, flow: Flow, charging: NDArray[np.bool_], constant_ampere: Floats
) -> dict[str, NDArray[np.generic]]:
    """Return what is known of each segment's end: of its last few records with current.

    Records with less than 2 % of the segment's constant current are not among them, and a last one
    with less than a tenth of the current before it belongs to what follows.
    """
    direction, segments = flow.direction, flow.segments
    voltage, current = (timeseries[name].to_numpy() for name in ("voltage_volt", "current_ampere"))
    places = _last_places(current, direction, segments, np.nan_to_num(_LEAST * constant_ampere))
    volts, amperes = voltage[places], np.abs(current[places])
    reached = np.where(charging[:, None], volts, -volts).max(axis=1)
    stray = amperes[:, 0] < 0.1 * amperes[:, 1]
    moves = direction != 0
    turns = np.flatnonzero(moves[1:] != moves[:-1]) + 1
    within = np.searchsorted(turns, segments.last) - np.searchsorted(turns, segments.first, "right")
    step_time = optional_column(timeseries, "step_time_second")
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
    flow: Flow,
    voltage: Floats,
    current: Floats,
    mode: NDArray[np.int8] | None,
) -> dict[str, Floats]:
    """Return voltages of the rests before and after, V, and resistance at current onset, Ω.

    Where the instrument steps the voltage, the current that answers tells no such resistance.
    """
    direction, (first, last) = flow.direction, flow.segments
    blank = np.full((4, len(first)), np.nan)
    before, after, resistance, delay = blank
    rested = np.flatnonzero((first > 0) & (direction[first - 1] == 0))
    onset = first[rested]
    before[rested] = voltage[onset - 1]
    final = np.append(first[1:], len(direction)) - 1
    relaxed = np.flatnonzero(final > last)
    after[relaxed] = voltage[final[relaxed]]
    step_time = optional_column(timeseries, "step_time_second")
    time = timeseries["test_time_second"].to_numpy()
    interval = time[onset] - time[onset - 1]
    elapsed = interval if step_time is None else np.minimum(step_time[onset], interval)
    resistance[rested] = step_resistance(voltage, current, elapsed, onset)
    if mode is not None:
        resistance[rested[mode[onset] == CONSTANT_VOLTAGE]] = np.nan
    delay[rested] = np.where(np.isfinite(resistance[rested]), elapsed, np.nan)
    return {
        "rest_voltage_before_volt": before,
        "rest_voltage_after_volt": after,
        "dc_resistance_ohm": resistance,
        "dc_resistance_delay_second": delay,
    }


def _charge_columns(flow: Flow) -> dict[str, Floats]:
    """Return the uncertainty of each segment's charge, and the instrument's count of it, Ah.

    The count is NaN without a counter. It contains the first record at rest, with the last charge
    of the segment; later charge of a rest or an impedance measurement is not the segment's.
    """
    charges = flow.charges
    return {
        "charge_uncertainty_ah": flow.sum_steps(charges.uncertainty_ah),
        "vendor_capacity_ah": np.abs(flow.sum_steps(charges.counted_ah)),
    }


def _energy_beyond_records(timeseries: pl.DataFrame, flow: Flow) -> Floats | float:
    """Return what the energy counter counts in each segment beyond voltage times charge, Wh."""
    counter = take_counter(timeseries, *ENERGIES)
    if counter is None:
        return 0.0
    charges = flow.charges
    voltage = timeseries["voltage_volt"].to_numpy()
    is_counted = charges.source == COUNTER
    beyond = count_beyond_records(voltage, charges.charge_ah, counter, charges.begins, is_counted)
    return flow.sum_steps(beyond)


def _charge_sources(flow: Flow) -> list[str]:
    """Return for each segment the witness of nearly all of its charge."""
    charges = flow.charges
    passed = np.maximum(np.abs(np.add.reduceat(charges.charge_ah, charges.begins)), TINY_AH)
    shares = [flow.sum_steps(np.where(charges.source == code, passed, 0.0)) for code in SOURCES]
    return name_sources(np.array(shares))


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
