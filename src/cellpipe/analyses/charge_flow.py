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
from cellpipe.numerics.cycling.contradictions import Witnesses
from cellpipe.numerics.cycling.counters import Counter
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
BACK = 0.02  # of the voltage's range, by which it goes back
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
    direction, offset = _directions(timeseries, time, current, voltage)
    charges = weigh_charges(
        Witnesses(
            time,
            current,
            voltage,
            _step_starts(timeseries, direction),
            direction == 0,
            optional_column(timeseries, "step_time_second"),
            optional_column(timeseries, "unix_time_second"),
            _counters(timeseries),
            take_counter(timeseries, *ENERGIES),
            offset,
        )
    )
    segments = find_segments(direction, charges.charge_ah, time, voltage)
    holes = _find_holes(timeseries, direction, segments, time, voltage)
    if len(holes):
        charges.charge_ah[holes] = 0.0  # what passed there is not known, nor in which direction
        segments = split_segments(segments, holes)
    return Flow(direction, charges, segments)


def _find_holes(
    timeseries: pl.DataFrame,
    direction: NDArray[np.int8],
    segments: Segments,
    time: Floats,
    voltage: Floats,
) -> NDArray[np.int64]:
    """Return the records within segments before which others are missing.

    The time leaps, and the instrument's cycle or step number leaps with it, or the voltage goes
    back while the current goes on.
    """
    interval = np.diff(time)
    far = np.flatnonzero(interval > LEAST_HOLE_SECOND) + 1
    far = far[(direction[far] != 0) & (direction[far - 1] == direction[far])]
    if not len(far):
        return np.zeros(0, np.int64)
    driven = (direction[1:] != 0) & (direction[:-1] == direction[1:])
    far = far[interval[far - 1] > HOLE * float(np.median(interval[driven]))]
    owner = np.searchsorted(segments.first, far, side="right") - 1
    inside = (owner >= 0) & (far > segments.first[owner]) & (far <= segments.last[owner])
    far = far[inside]
    window = float(np.ptp(voltage))
    leaps = direction[far] * (voltage[far] - voltage[far - 1]) < -BACK * window
    for name, least in (("step_count", 2), ("cycle_count", 1)):
        if name in timeseries.columns and not timeseries[name].null_count():
            number = timeseries[name].to_numpy()
            leaps |= number[far] - number[far - 1] >= least
    found: NDArray[np.int64] = far[leaps]
    return found


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
