"""Sums of a segment: charge, energy, time, voltages, current and resistance.

All are reductions over ranges of records, so that millions of records need a few passes over the
arrays and no grouping.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.integrate import differences
from cellpipe.numerics.cycling.runs import Segments, reduce_segments

TAIL = 5  # last records of a segment, whose medians are its last voltage and current
LIMIT_VOLT, MOST_LIMIT_VOLT = 0.003, 0.01  # tolerance within which the voltage is at its limit
TAPERED = 0.98  # of the constant current; below it the current tapers
HELD = 0.01  # of the time off the limit; with less, the whole segment is at the limit
FALLEN = 0.9  # of the constant current; a constant-voltage phase ends below it
BLOCK = 1 << 18  # records summed at once
TOLD = 0.99  # of a segment's charge; with more in steps of known mode, the modes tell its shares
CONSTANT = 0.01  # of a segment's charge; with less, it has no constant current
SHAPE, CONSTANT_VOLTAGE, OTHER = 0, 1, 2  # what a record's mode tells; by its shape if nothing
STILL, SETTLED = 0.05, 0.5  # of the current at its onset, before; of the next one, at its onset
STEP_SECOND = 10.0  # latest time after a step at which the voltage jump counts as resistive

Floats = NDArray[np.float64]


class SegmentSums(NamedTuple):
    """One value per segment; shape (k,) each.

    ``net_ah`` is positive on charge; ``energy_wh`` is ∫V·dQ. ``constant_voltage_share`` is the
    share of the charge that passes while the instrument holds the voltage,
    ``constant_current_ampere`` the mean current of the rest, NaN if there is none. Where the modes
    of the steps are not known, it is the share that passes at the segment's end voltage while the
    current tapers.
    """

    net_ah: Floats
    energy_wh: Floats
    duration_second: Floats
    min_voltage_volt: Floats
    max_voltage_volt: Floats
    constant_current_ampere: Floats
    constant_voltage_share: Floats


def sum_segments(
    time_second: Floats,
    voltage_volt: Floats,
    current_ampere: Floats,
    charge_ah: Floats,
    direction: NDArray[np.int8],
    segments: Segments,
    mode: NDArray[np.int8] | None = None,
) -> SegmentSums:
    """Return the sums of each segment.

    The charge between two records counts at the mean of their voltages. The first charge after a
    rest or in a segment counts at its own voltage and takes the time that its current needs.

    Parameters
    ----------
    time_second, voltage_volt, current_ampere
        Time in the test, s, voltage, V, and current, A; shape (n,).
    charge_ah
        Charge since the previous record, Ah, positive on charge, 0 at rest; shape (n,).
    direction
        +1, −1 or 0 for each record; shape (n,).
    segments
        First and last records.
    mode
        SHAPE, CONSTANT_VOLTAGE or OTHER for each record, by the mode of its step, if any is known;
        shape (n,).

    """
    parts = [
        _sum_block(
            time_second[span], voltage_volt[span], current_ampere[span], charge_ah[span],
            direction[span], Segments(block.first - span.start, block.last - span.start),
            None if mode is None else mode[span],
        )
        for span, block in _iter_blocks(segments)
    ]  # fmt: skip
    if not parts:
        return SegmentSums(*(np.zeros(0) for _ in SegmentSums._fields))
    return SegmentSums(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _iter_blocks(segments: Segments) -> Iterator[tuple[slice, Segments]]:
    """Iterate over slices of records that fit the processor's cache, with their segments.

    Each slice ends with the record after its last segment.
    """
    first, last = segments
    block = first // BLOCK
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    for start, end in pairwise([*starts, len(first)]):
        yield slice(first[start], last[end - 1] + 2), Segments(first[start:end], last[start:end])


def _sum_block(
    time_second: Floats,
    voltage_volt: Floats,
    current_ampere: Floats,
    charge_ah: Floats,
    direction: NDArray[np.int8],
    segments: Segments,
    mode: NDArray[np.int8] | None,
) -> SegmentSums:
    rest = direction == 0
    begins = np.union1d(np.flatnonzero(rest[:-1] & ~rest[1:]) + 1, segments.first)
    energy = np.zeros_like(charge_ah)
    np.add(voltage_volt[1:], voltage_volt[:-1], out=energy[1:])
    energy *= 0.5
    energy[begins] = voltage_volt[begins]
    energy *= charge_ah
    ends = np.union1d(np.flatnonzero(~rest[:-1] & rest[1:]), segments.last)
    interval = _charge_times(time_second, current_ampere, charge_ah, begins, ends)
    low = high = voltage_volt
    if rest.any():
        interval[rest] = energy[rest] = 0.0
        low, high = np.where(rest, np.inf, voltage_volt), np.where(rest, -np.inf, voltage_volt)
    net = reduce_segments(np.add, charge_ah, segments)
    duration = reduce_segments(np.add, interval, segments)
    lowest, highest = (
        reduce_segments(np.minimum, low, segments),
        reduce_segments(np.maximum, high, segments),
    )
    at_limit = _constant_voltage_records(voltage_volt, interval, segments)
    constant, share = _constant_current_and_share(
        current_ampere, charge_ah, interval, segments, at_limit, net, duration
    )
    if mode is not None:
        constant, share = _by_modes(mode, charge_ah, interval, segments, constant, share)
    return SegmentSums(
        net, reduce_segments(np.add, energy, segments), duration, lowest, highest, constant, share
    )


def _charge_times(
    time: Floats,
    current: Floats,
    charge: Floats,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> Floats:
    """Return the time of each record's charge, s; at a segment's end it may exceed its interval."""
    interval = differences(time)
    np.maximum(interval, 0.0, out=interval)
    following = interval[np.minimum(ends + 1, len(interval) - 1)]
    for places, least, most in (
        (begins, 0.0, interval[begins]),
        (ends, interval[ends], interval[ends] + following),
    ):
        needed = np.abs(charge[places] / np.where(current[places] == 0, np.inf, current[places]))
        interval[places] = np.clip(3600.0 * needed, least, most)
    return interval


def _tail_values(values: Floats, segments: Segments) -> Floats:
    """Return the last few values of each segment; shape (k, TAIL)."""
    places = segments.last[:, None] - np.arange(TAIL)
    tail: Floats = values[np.maximum(places, segments.first[:, None])]
    return tail


def _broadcast_to_records(values: Floats, segments: Segments, count: int) -> Floats:
    """Repeat each segment's value until the next segment begins; shape (k,) to (n,)."""
    repeated = np.zeros(count)
    repeated[segments.first] = np.diff(values, prepend=0.0)
    return np.cumsum(repeated, out=repeated)


def _constant_voltage_records(
    voltage: Floats, interval: Floats, segments: Segments
) -> NDArray[np.int64]:
    """Return the records with current at the end voltage of their segment.

    The end voltage is the median of the last few voltages, and its noise their median absolute
    deviation, so that neither an overshoot nor noise shifts it.
    """
    tail = _tail_values(voltage, segments)
    limit = np.median(tail, axis=1)
    noise = 1.4826 * np.median(np.abs(tail - limit[:, None]), axis=1)
    tolerance = np.clip(4.0 * noise, LIMIT_VOLT, MOST_LIMIT_VOLT)
    distance = _broadcast_to_records(limit, segments, len(voltage))
    np.subtract(voltage, distance, out=distance)
    np.abs(distance, out=distance)
    if tolerance.max() > LIMIT_VOLT:
        distance -= _broadcast_to_records(tolerance - LIMIT_VOLT, segments, len(voltage))
    return np.flatnonzero((distance < LIMIT_VOLT) & (interval > 0))


def _constant_current_and_share(
    current: Floats,
    charge: Floats,
    interval: Floats,
    segments: Segments,
    at_limit: NDArray[np.int64],
    net: Floats,
    duration: Floats,
) -> tuple[Floats, Floats]:
    """Return each segment's constant current, and the share of its charge at constant voltage."""
    owner = np.searchsorted(segments.first, at_limit, side="right") - 1
    passed = np.abs(net)
    share = charge[at_limit] * np.sign(net)[owner]

    def total(values: Floats, of: NDArray[np.int64]) -> Floats:
        return np.bincount(of, values, len(passed)).astype(np.float64)

    free_ah = np.maximum(passed - total(share, owner), 0.0)
    free_second = np.maximum(duration - total(interval[at_limit], owner), 0.0)
    first, last = (
        np.abs(current[segments.first]),
        np.median(np.abs(_tail_values(current, segments)), 1),
    )
    mean = 3600.0 * passed / np.where(duration > 0, duration, np.inf)
    whole = np.where(last < FALLEN * first, first, np.where(duration > 0, mean, first))
    off_limit = free_second > HELD * duration
    usual = np.where(off_limit, 3600.0 * free_ah / np.where(off_limit, free_second, np.inf), whole)
    fallen = last < FALLEN * usual
    tapers = (np.abs(current[at_limit]) < TAPERED * usual[owner]) & fallen[owner]
    tapered_ah = np.minimum(total(share[tapers], owner[tapers]).clip(0.0), passed)
    rest_second = duration - total(interval[at_limit[tapers]], owner[tapers])
    some = rest_second > HELD * duration
    constant = 3600.0 * (passed - tapered_ah) / np.where(some, rest_second, np.inf)
    return np.where(some, constant, usual), tapered_ah / np.where(passed > 0, passed, np.inf)


def _by_modes(
    mode: NDArray[np.int8],
    charge: Floats,
    interval: Floats,
    segments: Segments,
    constant: Floats,
    share: Floats,
) -> tuple[Floats, Floats]:
    """Return constant current and share by the modes of the steps, where they tell."""

    def total(values: Floats, *, of: NDArray[np.bool_]) -> Floats:
        return reduce_segments(np.add, np.where(of, values, 0.0), segments)

    size = np.abs(charge)
    every = np.ones(len(mode), np.bool_)
    known = total(size, of=mode != SHAPE) >= TOLD * total(size, of=every)
    held = mode == CONSTANT_VOLTAGE
    net, held_ah = np.abs(total(charge, of=every)), total(charge, of=held)
    sign = np.sign(total(charge, of=every))
    by_modes = np.clip(held_ah * sign / np.where(net > 0, net, np.inf), 0.0, 1.0) + 0.0  # no -0
    free_ah, free_second = np.abs(total(charge, of=~held)), total(interval, of=~held)
    flows = known & (by_modes < 1 - CONSTANT) & (free_second > 0)
    mean = 3600.0 * free_ah / np.where(flows, free_second, np.inf)
    none = known & (by_modes >= 1 - CONSTANT)
    constant = np.where(flows, mean, np.where(none, np.nan, constant))
    return constant, np.where(known, by_modes, share)


def step_resistance(
    voltage_volt: Floats, current_ampere: Floats, delay_second: Floats, first: NDArray[np.int64]
) -> Floats:
    """Return the resistance from the voltage jump at the onset of current, ΔV/ΔI.

    Parameters
    ----------
    voltage_volt, current_ampere
        Voltage, V, and current, A; shape (n,).
    delay_second
        Time between the step and the first record after it, s; shape (k,).
    first
        First records with current, each after a record at rest; shape (k,).

    Returns
    -------
    Resistance in Ω, shape (k,); NaN where the first record is later than ten seconds, the jump has
    the wrong sign, or the current before still flows or that behind has not settled.

    """
    jump = voltage_volt[first] - voltage_volt[first - 1]
    step = current_ampere[first] - current_ampere[first - 1]
    resistance = jump / np.where(step == 0, np.nan, step)
    good = (delay_second >= 0) & (delay_second <= STEP_SECOND) & (resistance > 0)
    before, begun, following = (
        np.abs(current_ampere[np.minimum(first + n, len(current_ampere) - 1)]) for n in (-1, 0, 1)
    )
    good &= (before <= STILL * begun) & (begun >= SETTLED * following)
    return np.where(good, resistance, np.nan)
