"""Segments of a time series: current in one direction within one file.

Protocol: a record is charge, discharge or rest by the mode of its step, if that is known, and by
the sign of its current (:mod:`cellpipe.numerics.cycling.runs`): records of an impedance spectrum
and of rests are rest whatever their current, those of a step that the instrument drives count even
if their current is below the noise, and others count above it. The witnesses of its charge are
weighed by :mod:`cellpipe.numerics.cycling.witnesses`. A segment lies between two changes of the
current's direction and is summed by :mod:`cellpipe.numerics.cycling.segment_sums`. Energy is V·dQ
in the direction of the segment, so it is negative where the voltage is; where that agrees with the
instrument's count of the energy within what the voltages of the records allow, it is the count.
Values missing from the file are null: vendor counters, clock, temperature, voltages of rests, and
the resistance if no record follows shortly after the step. Runs once per file content.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.contracts import empty_table
from cellpipe.core.contracts.schema import load_schema
from cellpipe.core.recordings.energies import CHARGES, ENERGIES
from cellpipe.core.recordings.records import to_array
from cellpipe.numerics.cycling.contradictions import COUNTER, Witnesses
from cellpipe.numerics.cycling.counted_energy import count_beyond_records
from cellpipe.numerics.cycling.counters import Counter
from cellpipe.numerics.cycling.open_circuit import find_offset
from cellpipe.numerics.cycling.runs import (
    Segments,
    current_directions,
    direct_weak_currents,
    find_faint_steps,
    find_flowing_rests,
    find_segments,
    reduce_segments,
    segment_numbers,
)
from cellpipe.numerics.cycling.segment_sums import (
    CONSTANT_VOLTAGE,
    OTHER,
    SHAPE,
    TAIL,
    step_resistance,
    sum_segments,
)
from cellpipe.numerics.cycling.witnesses import (
    SOURCES,
    Charges,
    name_sources,
    weigh_charges,
)

Floats = NDArray[np.float64]
MODES = load_schema("timeseries").columns["step_mode"].isin or ()
RESTING = ("rest", "impedance")
CONTROLLED = ("CC", "CP", "CR", "ramp", "pulse", "profile")  # not a constant voltage
TAPERING = ("CV", "CCCV", "driven")  # their current may fall as low as it likes
HELD = (*TAPERING, "CC", "CP", "CR")  # modes of steps that pass charge one way
TINY_AH = 1e-300  # for steps without charge: they have a witness, too
SPARSE = 0.05  # of the records; a counter that is missing in more was written in some only
_LEAST = 0.02  # of a segment's constant current; a record with less does not tell its end


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
    direction, offset = _directions(timeseries, time, current, voltage)
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


def _directions(
    timeseries: pl.DataFrame, time: Floats, current: Floats, voltage: Floats
) -> tuple[NDArray[np.int8], float]:
    """Return the direction of each record, (n,), and the offset of the current at rest, A.

    The direction is told by the mode of the step and by the current. Where no mode is known, an
    offset is told by the voltage.
    """
    direction = current_directions(current)
    if "frequency_hertz" in timeseries.columns:  # mean current of an impedance record is noise
        direction[timeseries["frequency_hertz"].is_not_null().to_numpy()] = 0
    if not len(direction):
        return direction, 0.0
    starts = _step_starts(timeseries, np.zeros_like(direction))
    starts[0] = True
    modes = _modes(timeseries)
    starts[1:] |= modes[1:] != modes[:-1]
    begins = np.flatnonzero(starts)
    mode = modes[begins]
    at_rest = _is_one_of(RESTING)[mode]
    at_rest &= ~find_flowing_rests(current, begins, mode == MODES.index("rest"))
    at_rest |= (mode == len(MODES)) & find_faint_steps(time, current, begins)
    direction *= np.repeat(~at_rest, np.diff(begins, append=len(direction)))
    driven, tapers = (_is_one_of(names)[mode] for names in (HELD, TAPERING))
    direction = direct_weak_currents(direction, current, begins, driven=driven, tapers=tapers)
    if (mode < len(MODES)).all():
        return direction, 0.0
    open_circuit, offset = find_offset(current, voltage, direction)
    direction[open_circuit & (modes == len(MODES))] = 0
    return direction, offset


def _modes(timeseries: pl.DataFrame) -> NDArray[np.uint8]:
    """Return the place of each record's mode in MODES, behind it if it is not known; shape (n,)."""
    if "step_mode" not in timeseries.columns:
        return np.full(timeseries.height, len(MODES), np.uint8)
    place = timeseries["step_mode"].cast(pl.Enum(MODES)).to_physical()
    return place.cast(pl.UInt8).fill_null(len(MODES)).to_numpy()


def _is_one_of(names: Collection[str]) -> NDArray[np.bool_]:
    """Return for each place that :func:`_modes` gives whether its mode is one of some."""
    return np.array([*(mode in names for mode in MODES), False])


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
    mode = _voltage_modes(timeseries)
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


def _voltage_modes(timeseries: pl.DataFrame) -> NDArray[np.int8] | None:
    """Return what the mode of each record's step tells of the voltage; None if none is known."""
    if "step_mode" not in timeseries.columns:
        return None
    told = {**dict.fromkeys(CONTROLLED, OTHER), "CV": CONSTANT_VOLTAGE}
    of_modes = np.array([*(told.get(mode, SHAPE) for mode in MODES), SHAPE], np.int8)
    return of_modes[_modes(timeseries)]


def _end_columns(
    timeseries: pl.DataFrame, flow: _Flow, charging: NDArray[np.bool_], constant_ampere: Floats
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
    flow: _Flow,
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
    step_time = _optional_column(timeseries, "step_time_second")
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
