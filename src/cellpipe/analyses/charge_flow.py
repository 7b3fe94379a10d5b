"""Where charge flows in a recording: the direction of each record, its charge, and its segments.

A record is charge, discharge or rest by the mode of its step, if that is known, and by the sign of
its current (:mod:`cellpipe.numerics.cycling.runs`): records of an impedance spectrum and of rests
are rest whatever their current, those of a step that the instrument drives count even if their
current is below the noise, and others count above it. The witnesses of its charge are weighed by
:mod:`cellpipe.numerics.cycling.witnesses`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.contracts.schema import load_schema
from cellpipe.core.recordings.energies import CHARGES, ENERGIES
from cellpipe.core.recordings.records import to_array
from cellpipe.numerics.cycling.contradictions import COUNTER, Witnesses
from cellpipe.numerics.cycling.counters import Counter, direct_counted_currents
from cellpipe.numerics.cycling.open_circuit import find_offset
from cellpipe.numerics.cycling.runs import (
    Segments,
    current_directions,
    direct_weak_currents,
    find_faint_steps,
    find_flowing_rests,
    find_segments,
    split_segments,
)
from cellpipe.numerics.cycling.segment_sums import CONSTANT_VOLTAGE, OTHER, SHAPE
from cellpipe.numerics.cycling.witnesses import Charges, weigh_charges

Floats = NDArray[np.float64]
MODES = load_schema("timeseries").columns["step_mode"].isin or ()
RESTING = ("rest", "impedance")
CONTROLLED = ("CC", "CP", "CR", "ramp", "pulse", "profile")  # not a constant voltage
TAPERING = ("CV", "CCCV", "driven")  # their current may fall as low as it likes
HELD = (*TAPERING, "CC", "CP", "CR")  # modes of steps that pass charge one way
HOLE, LEAST_HOLE_SECOND = 10.0, 600.0  # times the usual interval, and s: records are missing
LONG, REGULAR = 3.0, 2.0  # times the usual interval: it may be a pause; times others beside it
BACK = 0.02  # of the voltage's range, by which it goes back
LEAST_VOLT, LAGGING = 0.02, 0.25  # V, and of the change that the records beside it make expect
_BESIDE = 5  # records on either side
SPARSE = 0.05  # of the records; a counter that is missing in more was written in some only


class Flow(NamedTuple):
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


def find_flow(timeseries: pl.DataFrame) -> Flow:
    """Return where charge flows in a recording."""
    time = timeseries["test_time_second"].to_numpy()
    current = timeseries["current_ampere"].to_numpy()
    voltage = timeseries["voltage_volt"].to_numpy()
    direction, offset = find_directions(timeseries, time, current, voltage)
    counters = _counters(timeseries)
    if counters and "frequency_hertz" not in timeseries.columns:
        begins = _step_starts(timeseries, direction, turns=False)
        direction = direct_counted_currents(direction, time, current, begins, counters[-1])
    far = np.flatnonzero(np.diff(time) > LEAST_HOLE_SECOND) + 1
    charges = weigh_charges(
        Witnesses(
            time,
            current,
            voltage,
            _step_starts(timeseries, direction),
            direction == 0,
            optional_column(timeseries, "step_time_second"),
            _clock(timeseries),
            counters,
            take_counter(timeseries, *ENERGIES),
            offset,
            _find_leaps(timeseries, far, direction, time),
        )
    )
    segments = find_segments(direction, charges.charge_ah, time, voltage)
    holes = _find_holes(timeseries, far, direction, segments, time, voltage)
    holes = holes[~_are_counted_pauses(timeseries, counters, holes, direction, charges)]
    if len(holes):
        usual = float(np.median(np.diff(time)[direction[1:] != 0]))
        charges = charges.cut(holes, current[holes] * usual / 3600.0)
        segments = split_segments(segments, holes)
    return Flow(direction, charges, segments)


def _find_holes(
    timeseries: pl.DataFrame,
    far: NDArray[np.int64],
    direction: NDArray[np.int8],
    segments: Segments,
    time: Floats,
    voltage: Floats,
) -> NDArray[np.int64]:
    """Return the records within segments before which others are missing, of those far behind.

    The time leaps, and the instrument's cycle or step number leaps with it, or the voltage does not
    go on as the current would have driven it.
    """
    far = far[(direction[far] != 0) & (direction[far - 1] == direction[far])]
    if not len(far):
        return far
    interval = np.diff(time)
    driven = (direction[1:] != 0) & (direction[:-1] == direction[1:])
    usual = float(np.median(interval[driven]))
    far = far[interval[far - 1] > LONG * usual]
    owner = np.searchsorted(segments.first, far, side="right") - 1
    inside = (owner >= 0) & (far > segments.first[owner]) & (far <= segments.last[owner])
    far = far[inside]
    back = BACK * float(np.ptp(voltage))
    on = direction[far] * (voltage[far] - voltage[far - 1])
    expected = _expected_change(far, direction, segments, time, voltage)
    lags = (expected > max(back, LEAST_VOLT)) & (on < LAGGING * expected)
    leaps = ((on < -back) | _counts_leap(timeseries, far)) & (interval[far - 1] > HOLE * usual)
    found: NDArray[np.int64] = far[leaps | lags]
    return found


def _are_counted_pauses(
    timeseries: pl.DataFrame,
    counters: tuple[Counter, ...],
    holes: NDArray[np.int64],
    direction: NDArray[np.int8],
    charges: Charges,
) -> NDArray[np.bool_]:
    """Return which holes are pauses: the counter was taken, and that of the other way stood.

    The instrument's numbers must not have gone on, and a net counter does not tell the way.
    """
    pair = next((counter for counter in counters if counter.down is not None), None)
    if pair is None or pair.down is None or not len(holes):
        return np.zeros(len(holes), np.bool_)
    step = np.searchsorted(charges.begins, holes, side="right") - 1
    other = np.where(direction[holes] > 0, pair.down[holes], pair.up[holes])
    before = np.where(direction[holes] > 0, pair.down[holes - 1], pair.up[holes - 1])
    stood = np.abs(other - before) <= 2 * pair.digit
    paused: NDArray[np.bool_] = (charges.source[step] == COUNTER) & stood
    return paused & ~_counts_leap(timeseries, holes)


def _find_leaps(
    timeseries: pl.DataFrame, far: NDArray[np.int64], direction: NDArray[np.int8], time: Floats
) -> NDArray[np.int64] | None:
    """Return the records before which the time and a number leap, and charge flows before or after.

    Of those far behind the record before; None if there are none.
    """
    far = far[(direction[far] != 0) | (direction[far - 1] != 0)]
    if not len(far):
        return None
    interval = np.diff(time)
    far = far[interval[far - 1] > HOLE * float(np.median(interval))]
    return far[_counts_leap(timeseries, far)] if len(far) else None


def _counts_leap(timeseries: pl.DataFrame, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the instrument's cycle number, or its step number by two, leaps at records."""
    leaps = np.zeros(len(at), np.bool_)
    for name, least in (("step_count", 2), ("cycle_count", 1)):
        if name in timeseries.columns and not timeseries[name].null_count():
            number = timeseries[name].to_numpy()
            leaps |= number[at] - number[at - 1] >= least
    return leaps


def _expected_change(
    far: NDArray[np.int64],
    direction: NDArray[np.int8],
    segments: Segments,
    time: Floats,
    voltage: Floats,
) -> Floats:
    """Return by how much the voltage goes on over long intervals at the lesser slope beside, V.

    Where the interval is the first or last one of its segment, one side tells it. Where intervals
    beside it differ, records were made when the voltage changed: then nothing is expected.
    """
    owner = np.searchsorted(segments.first, far, side="right") - 1
    first, last = segments.first[owner], segments.last[owner]
    beside = np.arange(_BESIDE)
    places = np.hstack([far[:, None] - 1 - beside, far[:, None] + 1 + beside])
    inside = (places > first[:, None]) & (places <= last[:, None])
    places = places.clip(1, len(time) - 1)
    lasts = np.where(inside, time[places] - time[places - 1], np.nan)
    changes = direction[far, None] * (voltage[places] - voltage[places - 1])
    changes = np.where(inside, changes, 0.0)
    slopes = []
    for side in (slice(None, _BESIDE), slice(_BESIDE, None)):
        passed = np.nansum(lasts[:, side], axis=1)
        change = changes[:, side].sum(axis=1)
        slopes.append(np.where(passed > 0, change / np.where(passed > 0, passed, 1), np.nan))
    known = np.where(inside, lasts, np.inf)
    middle = np.sort(known, axis=1)[np.arange(len(far)), (inside.sum(axis=1) - 1).clip(0) // 2]
    is_regular = np.nan_to_num(lasts).max(axis=1, initial=0.0) <= REGULAR * middle
    expected = np.nan_to_num(np.fmin(*slopes)) * (time[far] - time[far - 1])
    return np.where(is_regular, expected, 0.0)


def _counters(timeseries: pl.DataFrame) -> tuple[Counter, ...]:
    """Return the counters of charge that were recorded: the net one, and the pair."""
    found = take_counter(timeseries, "net_capacity_ah"), take_counter(timeseries, *CHARGES)
    return tuple(counter for counter in found if counter is not None)


def take_counter(timeseries: pl.DataFrame, *names: str) -> Counter | None:
    """Return a counter; None if it was not recorded, or in some of the records only."""
    if not {*names} <= {*timeseries.columns}:
        return None
    columns = [timeseries[name] for name in names]
    if any(column.null_count() > SPARSE * timeseries.height for column in columns):
        return None
    return Counter.of(*(to_array(column) for column in columns))


def find_directions(
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
    told, offset = find_offset(time, current, voltage, direction)
    np.copyto(direction, told, where=modes == len(MODES))
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


def _clock(timeseries: pl.DataFrame) -> Floats | None:
    """Return the absolute times, (n,), NaN where there is none; None if few are known."""
    if "unix_time_second" not in timeseries.columns:
        return None
    clock = timeseries["unix_time_second"]
    if clock.null_count() > SPARSE * timeseries.height:
        return None
    return clock.cast(pl.Float64).to_numpy() if clock.null_count() else clock.to_numpy()


def optional_column(timeseries: pl.DataFrame, column: str) -> Floats | None:
    """Return a column, (n,); None if it was not recorded, or not in all records."""
    if column not in timeseries.columns or timeseries[column].null_count():
        return None
    return timeseries[column].to_numpy()


def voltage_modes(timeseries: pl.DataFrame) -> NDArray[np.int8] | None:
    """Return what the mode of each record's step tells of the voltage; None if none is known."""
    if "step_mode" not in timeseries.columns:
        return None
    told = {**dict.fromkeys(CONTROLLED, OTHER), "CV": CONSTANT_VOLTAGE}
    of_modes = np.array([*(told.get(mode, SHAPE) for mode in MODES), SHAPE], np.int8)
    return of_modes[_modes(timeseries)]
