"""Segments of a time series: current in one direction within one file.

Protocol: a record is charge, discharge or rest by the sign of its current above the noise
(:mod:`cellpipe.numerics.cycling.runs`). Records of an impedance spectrum and of steps that the
instrument names as rest are rest. The witnesses of its charge are weighed by
:mod:`cellpipe.numerics.cycling.witnesses`. A segment lies between two changes of the current's
direction and is summed by :mod:`cellpipe.numerics.cycling.segment_sums`. Energy is V·dQ in the
direction of the segment, so it is negative where the voltage is; where that agrees with the
instrument's count of the energy within what the voltages of the records allow, it is the count.
Values missing from the file are null: vendor counters, clock, temperature, voltages of rests, and
the resistance if no record follows shortly after the step. Runs once per file content.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.contracts import empty_table
from cellpipe.core.recordings.energies import CHARGES, ENERGIES
from cellpipe.core.recordings.records import to_array
from cellpipe.numerics.cycling.contradictions import COUNTER, Witnesses
from cellpipe.numerics.cycling.counted_energy import count_beyond_records
from cellpipe.numerics.cycling.counters import Counter
from cellpipe.numerics.cycling.open_circuit import extend_driven_steps, find_offset
from cellpipe.numerics.cycling.runs import (
    Segments,
    current_directions,
    find_segments,
    reduce_segments,
    segment_numbers,
)
from cellpipe.numerics.cycling.segment_sums import step_resistance, sum_segments
from cellpipe.numerics.cycling.witnesses import (
    SOURCES,
    Charges,
    name_sources,
    weigh_charges,
)

Floats = NDArray[np.float64]
TINY_AH = 1e-300  # for steps without charge: they have a witness, too
SPARSE = 0.05  # of the records; a counter that is missing in more was written in some only
STEP_WORDS = "step_type", "step_mode"  # columns of names of steps
DRIVEN = re.compile(
    r"cc|cv|cp|pulse|chg|charge|float|恒|充|放|^[cd]$"
)  # vendors' names of driven steps
RESTS = ("rest", "r", "ocv", "pause", "idle", "搁置", "静置")  # vendors' names of rest steps


class _Flow(NamedTuple):
    """Direction of each record, shape (n,); their charge, and the segments."""

    direction: NDArray[np.int8]
    charges: Charges
    segments: Segments

    def sum_steps(self, values: Floats) -> Floats:
        """Sum what is known of each step over the segments; shape (k,)."""
        first, last = self.segments
        at = self.charges.begins
        owner = np.searchsorted(first, at, side="right") - 1
        inside = owner >= 0
        inside[inside] = at[inside] <= last[owner[inside]]
        return np.bincount(owner[inside], values[inside], len(first)).astype(np.float64)


def _flow(timeseries: pl.DataFrame) -> _Flow:
    time = timeseries["test_time_second"].to_numpy()
    current = timeseries["current_ampere"].to_numpy()
    voltage = timeseries["voltage_volt"].to_numpy()
    direction, offset = _directions(timeseries, current, voltage)
    charges = weigh_charges(
        Witnesses(
            time,
            current,
            voltage,
            _step_starts(timeseries, direction),
            direction == 0,
            _optional_column(timeseries, "step_time_second"),
            _optional_column(timeseries, "unix_time_second"),
            _counters(timeseries),
            _counter(timeseries, *ENERGIES),
            offset,
        )
    )
    segments = find_segments(direction, charges.charge_ah, time, voltage)
    return _Flow(direction, charges, segments)


def _directions(
    timeseries: pl.DataFrame, current: Floats, voltage: Floats
) -> tuple[NDArray[np.int8], float]:
    """Return the direction of each record, (n,), and the offset of the current at rest, A.

    What the instrument names as rest is rest, and in a step that it drives the smallest current
    counts. Where it names no steps, an offset is told by the voltage.
    """
    direction = current_directions(current)
    named = [name for name in STEP_WORDS if name in timeseries.columns]
    if named:
        driven, rests = (
            np.any([_is_named(timeseries, name, is_word) for name in named], axis=0)
            for is_word in (DRIVEN.search, RESTS.__contains__)
        )
        starts = _step_starts(timeseries, direction, turns=False)
        extend_driven_steps(current, direction, driven & ~rests, starts)
        direction[rests] = 0
    offset = 0.0
    if not named or all(timeseries[name].null_count() for name in named):
        open_circuit, offset = find_offset(current, voltage, direction)
        direction[open_circuit] = 0
    if "frequency_hertz" in timeseries.columns:  # mean current of an impedance record is noise
        direction[timeseries["frequency_hertz"].is_not_null().to_numpy()] = 0
    return direction, offset


def _is_named(
    timeseries: pl.DataFrame, name: str, is_word: Callable[[str], object]
) -> NDArray[np.bool_]:
    """Return which records belong to a step of which the name is such a word; shape (n,)."""
    words = [word for word in timeseries[name].unique().drop_nulls() if is_word(word.lower())]
    if not words:
        return np.zeros(timeseries.height, np.bool_)
    return timeseries[name].is_in(words).fill_null(value=False).to_numpy()


def _counters(timeseries: pl.DataFrame) -> tuple[Counter, ...]:
    """Return the counters of charge that were recorded: the net one, and the pair."""
    found = _counter(timeseries, "net_capacity_ah"), _counter(timeseries, *CHARGES)
    return tuple(counter for counter in found if counter is not None)


def _counter(timeseries: pl.DataFrame, *names: str) -> Counter | None:
    """Return a counter; None if it was not recorded, or in some of the records only."""
    if not {*names} <= {*timeseries.columns}:
        return None
    columns = [timeseries[name] for name in names]
    if any(column.null_count() > SPARSE * timeseries.height for column in columns):
        return None
    return Counter.of(*(to_array(column) for column in columns))


def add_charge(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Add charge and segment number to each record.

    Adds ``charge_ah`` (Ah since the previous record, positive on charge, 0 at rest) and ``segment``
    (0 outside segments).
    """
    flow = _flow(timeseries)
    number = segment_numbers(flow.direction, flow.segments)
    return timeseries.with_columns(
        pl.Series("charge_ah", flow.charges.charge_ah), pl.Series("segment", number)
    )


def half_cycle_segments(timeseries: pl.DataFrame, file_sha256: str) -> pl.DataFrame:
    """Return one row per segment of a file, as defined in schemas/half_cycle_segments.yaml."""
    flow = _flow(timeseries)
    direction, charge, segments = flow.direction, flow.charges.charge_ah, flow.segments
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
        **_rest_columns(timeseries, direction, voltage, current, segments),
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
        *(
            timeseries[name][at].alias(target)
            if name in timeseries.columns
            else pl.lit(None, types[target]).alias(target)
            for target, (name, at) in copied.items()
        ),
        file_sha256=pl.lit(file_sha256),
    )


def _step_starts(
    timeseries: pl.DataFrame, direction: NDArray[np.int8], *, turns: bool = True
) -> NDArray[np.bool_]:
    """Return where a step begins: at a new step count, or a change of direction; shape (n,)."""
    changed = np.zeros(len(direction), np.bool_)
    if turns:
        np.not_equal(direction[1:], direction[:-1], out=changed[1:])
    if "step_count" in timeseries.columns:
        count = timeseries["step_count"].fill_null(strategy="forward").fill_null(0).to_numpy()
        changed[1:] |= count[1:] != count[:-1]
    return changed


def _optional_column(timeseries: pl.DataFrame, column: str) -> Floats | None:
    if column not in timeseries.columns or timeseries[column].null_count():
        return None
    return timeseries[column].to_numpy()


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


def _charge_columns(flow: _Flow) -> dict[str, Floats]:
    """Return the uncertainty of each segment's charge, and the instrument's count of it, Ah.

    The count is NaN without a counter. It contains the first record at rest, with the last charge
    of the segment; later charge of a rest or an impedance measurement is not the segment's.
    """
    charges = flow.charges
    return {
        "charge_uncertainty_ah": flow.sum_steps(charges.uncertainty_ah),
        "vendor_capacity_ah": np.abs(flow.sum_steps(charges.counted_ah)),
    }


def _energy_beyond_records(timeseries: pl.DataFrame, flow: _Flow) -> Floats | float:
    """Return what the energy counter counts in each segment beyond voltage times charge, Wh."""
    counter = _counter(timeseries, *ENERGIES)
    if counter is None:
        return 0.0
    charges = flow.charges
    voltage = timeseries["voltage_volt"].to_numpy()
    is_counted = charges.source == COUNTER
    beyond = count_beyond_records(voltage, charges.charge_ah, counter, charges.begins, is_counted)
    return flow.sum_steps(beyond)


def _charge_sources(flow: _Flow) -> list[str]:
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
