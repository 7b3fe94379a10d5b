"""Runs of current in one direction, joined to the segments and half cycles of a test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOISE = 1e-3  # of the test's typical current; less is noise
FLOOR_AMPERE = 5e-9  # below the noise of every cycler
FEW_RECORDS = 2  # of a step in which nothing is driven
FAINT, NEGLIGIBLE = 0.1, 1e-5  # of the current, and of the charge, of the steps around it
FLOWING = 0.2  # of the other steps' usual current, above which a step is no rest
SURE = 3.0  # standard errors by which a mean current differs from zero
MINOR = 1e-3  # of the largest charge; a smaller run belongs to its neighbour
FEW, WEAK = 0.01, 0.05  # of the largest charge, and of the median current of large runs
PULSE = 0.05  # of the largest charge, for runs shorter than PULSE_SECOND
PULSE_SECOND = 120.0
PROFILE_RUNS = 8  # this many successive short runs may be a drive cycle
PROFILE_NET = 1 / 3  # of the throughput: a drive cycle has more net charge, fast cycling less
PROFILE_SPREAD = 3.0  # upper over lower quartile of run charges; above it they are no cycles
NOISE_SPREAD = 2.0  # the same ratio, exceeded by noise about zero
SERIES_RUNS = 40  # this many successive short runs of similar charge are fast cycling
REACHED = 0.02  # of the voltage window: tolerance for reaching the end voltage of the others
_SAMPLES = 1 << 17  # currents sampled to find the typical one

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Segments(NamedTuple):
    """Index of each segment's first and last record with current; shape (k,) each."""

    first: Indices
    last: Indices


def current_directions(current_ampere: Floats) -> NDArray[np.int8]:
    """Return the direction of each record: charge (+1), discharge (−1) or rest (0); shape (n,).

    A current counts above 0.1 % of the test's typical current and above 5 nA. The typical current
    is the one above which half of the charge passes (of evenly sampled records if there are many),
    so that the noise of long rests has no influence.

    Parameters
    ----------
    current_ampere
        Current, A, positive on charge; shape (n,).

    """
    sample = np.abs(current_ampere[:: max(1, len(current_ampere) // _SAMPLES)])
    flowing = np.sort(sample[sample > FLOOR_AMPERE])
    passed = np.cumsum(flowing)
    typical = flowing[np.searchsorted(passed, passed[-1] / 2)] if len(flowing) else 0.0
    threshold = max(NOISE * float(typical), FLOOR_AMPERE)
    charging = (current_ampere > threshold).view(np.int8)
    return charging - (current_ampere < -threshold).view(np.int8)


def find_faint_steps(
    time_second: Floats, current_ampere: Floats, begins: Indices
) -> NDArray[np.bool_]:
    """Return which steps have one or two records and carry nothing beside the steps around them.

    Such a step is what an instrument records between two others, when nothing is driven: its
    current is a tenth of theirs or less, its charge a hundred-thousandth, its voltage relaxes.

    Parameters
    ----------
    time_second, current_ampere
        Time in the test, s, and current, A; shape (n,).
    begins
        First record of each step; shape (m,).

    Returns
    -------
    True for each such step; shape (m,).

    """
    largest = np.maximum(
        np.maximum.reduceat(current_ampere, begins), -np.minimum.reduceat(current_ampere, begins)
    )
    charge = largest * np.abs(np.diff(time_second[begins], append=time_second[-1]))
    faint: NDArray[np.bool_] = np.diff(begins, append=len(current_ampere)) <= FEW_RECORDS
    for size, part in ((largest, FAINT), (charge, NEGLIGIBLE)):
        around = np.maximum(np.append(0.0, size[:-1]), np.append(size[1:], 0.0))
        faint &= size <= part * around
    return faint


def find_flowing_rests(
    current_ampere: Floats, begins: Indices, at_rest: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which of the steps that are called rests are none, by the current of the others.

    Half of their records, and at least three, hold a fifth or more of the other steps' usual one.

    Parameters
    ----------
    current_ampere
        Current, A; shape (n,).
    begins, at_rest
        First record of each step, and whether it is called a rest; shape (m,).

    """
    lengths = np.diff(begins, append=len(current_ampere))
    mean = np.abs(np.add.reduceat(current_ampere, begins)) / lengths
    others = mean[~at_rest & (mean > FLOOR_AMPERE)]
    if not at_rest.any() or not len(others):
        return np.zeros(len(begins), np.bool_)
    flowing = np.abs(current_ampere) > FLOWING * float(np.median(others))
    number = np.add.reduceat(flowing, begins, dtype=np.int64)
    told: NDArray[np.bool_] = at_rest & (number > FEW_RECORDS) & (2 * number >= lengths)
    return told


def direct_weak_currents(
    direction: NDArray[np.int8],
    current_ampere: Floats,
    begins: Indices,
    *,
    driven: NDArray[np.bool_],
    tapers: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """Return the directions with those of currents below the threshold that a step drives.

    They are those of a step whose current is below it at most records; of others, those between its
    first and last one above and, where the current may taper, behind the last. The records of a
    step share the direction of their mean current, so that noise about zero cancels; a mean that
    can't be told from zero has none.

    Parameters
    ----------
    direction
        +1, −1 or 0 for each record, by :func:`current_directions`; shape (n,).
    current_ampere
        Current, A, positive on charge; shape (n,).
    begins
        First record of each step; shape (m,).
    driven, tapers
        True for steps that the instrument drives, and for those whose current may taper; shape
        (m,).

    """
    ends = np.append(begins[1:], len(direction))
    strong = np.flatnonzero(direction)
    first, behind = np.searchsorted(strong, begins), np.searchsorted(strong, ends)
    has_weak = np.flatnonzero(driven & (behind - first < ends - begins))
    told = direction.copy() if len(has_weak) else direction
    for step in has_weak:
        start, end = begins[step], ends[step]
        if 2 * (behind[step] - first[step]) >= end - start:
            start, last = strong[first[step]], strong[behind[step] - 1]
            end = end if tapers[step] else last + 1
        weak = start + np.flatnonzero(direction[start:end] == 0)
        current = current_ampere[weak]
        if len(weak) and abs(current.sum()) > SURE * np.sqrt(len(weak)) * current.std():
            told[weak] = np.sign(current.sum())
    return told


def reduce_segments(ufunc: np.ufunc, values: Floats, segments: Segments) -> Floats:
    """Reduce values over each segment, including its rests; shape (n,) to (k,)."""
    if not len(segments.first):
        return np.zeros(0)
    edges = np.column_stack([segments.first, segments.last + 1]).ravel()
    if edges[-1] == len(values):
        edges = edges[:-1]
    reduced: Floats = ufunc.reduceat(values, edges)[::2]
    return reduced


def split_segments(segments: Segments, at: Indices) -> Segments:
    """Return the segments with others that begin at some of their records."""
    first = np.union1d(segments.first, at)
    last = np.union1d(segments.last, at - 1)
    return Segments(first.astype(np.int64), last.astype(np.int64))


def find_segments(
    direction: NDArray[np.int8], charge_ah: Floats, time_second: Floats, voltage_volt: Floats
) -> Segments:
    """Find the segments of current in one direction.

    Rests do not end a segment. A drive cycle (eight or more successive runs under two minutes with
    net charge or widely differing charges) is one segment in the direction of its net charge. Small
    runs are assigned by :func:`number_half_cycles`.

    Parameters
    ----------
    direction
        +1, −1 or 0 for each record; shape (n,).
    charge_ah
        Charge since the previous record, Ah, 0 at rest; shape (n,).
    time_second, voltage_volt
        Time in the test, s, and voltage, V; shape (n,).

    """
    runs, sign = _find_runs(direction)
    charge = reduce_segments(np.add, charge_ah, runs)
    if not len(sign) or _is_noise(charge, int(np.count_nonzero(direction))):
        none = np.zeros(0, np.int64)
        return Segments(none, none)
    duration = time_second[runs.last] - time_second[runs.first]
    starts = _profile_starts(
        charge, duration, _is_at_limit(sign, np.abs(charge), duration, voltage_volt[runs.last])
    )
    charge = np.add.reduceat(charge, starts)
    ends = np.append(starts[1:], len(sign)) - 1
    first, last = runs.first[starts], runs.last[ends]
    sign = np.where(ends > starts, np.sign(charge), sign[starts]).astype(np.int8)
    number = number_half_cycles(
        sign, np.abs(charge), time_second[last] - time_second[first], voltage_volt[last]
    )
    begins = _split_loose_ends(np.flatnonzero(np.diff(number, prepend=0)), sign, charge)
    return Segments(first[begins], last[np.append(begins[1:], len(number)) - 1])


def _is_noise(charge: Floats, active: int) -> bool:
    """Return whether the sign changes at about every other record, randomly and about zero."""
    if len(charge) <= 8 or len(charge) <= 0.5 * active:
        return False
    return not _has_net_charge(charge) and _quartile_ratio(charge) > NOISE_SPREAD


def _split_loose_ends(begins: Indices, sign: NDArray[np.int8], charge: Floats) -> Indices:
    """Return segment starts with a small run at either end apart: another file may continue it."""
    if len(sign) < 2:
        return begins
    net = np.add.reduceat(charge, begins)
    loose = [1] if sign[0] * net[0] < 0 else []
    if sign[-1] * net[-1] < 0:
        loose.append(len(sign) - 1)
    return np.union1d(begins, loose).astype(np.int64)


def _find_runs(direction: NDArray[np.int8]) -> tuple[Segments, NDArray[np.int8]]:
    """Return the runs between changes of sign, including rests within, and their signs."""
    if not direction.any():
        return Segments(np.zeros(0, np.int64), np.zeros(0, np.int64)), direction[:0]
    starts = np.concatenate([[0], np.flatnonzero(direction[1:] != direction[:-1]) + 1])
    ends = np.append(starts[1:], len(direction)) - 1
    flows = direction[starts] != 0
    starts, ends, sign = starts[flows], ends[flows], direction[starts[flows]]
    turns = np.flatnonzero(np.diff(sign, prepend=0))
    return Segments(starts[turns], ends[np.append(turns[1:], len(sign)) - 1]), sign[turns]


def _find_series(duration: Floats, fewest: int) -> list[slice]:
    """Return the series of at least ``fewest`` successive runs under two minutes."""
    edges = np.flatnonzero(np.diff(duration < PULSE_SECOND, prepend=False, append=False))
    ends = zip(edges[::2], edges[1::2], strict=True)
    return [slice(start, end) for start, end in ends if end - start >= fewest]


def _profile_starts(charge: Floats, duration: Floats, at_limit: NDArray[np.bool_]) -> Indices:
    """Return the first indices of runs after joining each drive cycle into one."""
    keep = np.ones(len(charge), np.bool_)
    largest = float(np.abs(charge).max())
    for series in _find_series(duration, PROFILE_RUNS):
        irregular = (
            _has_net_charge(charge[series]) or _quartile_ratio(charge[series]) > PROFILE_SPREAD
        )
        large = abs(float(charge[series].sum())) >= PULSE * largest
        if irregular and large and at_limit[series].mean() < 0.5:
            keep[series.start + 1 : series.stop] = False
    return np.flatnonzero(keep)


def _has_net_charge(charge: Floats) -> bool:
    return abs(float(charge.sum())) > PROFILE_NET * float(np.abs(charge).sum())


def _quartile_ratio(charge: Floats) -> float:
    """Return the larger ratio of upper to lower quartile of the charges of either direction."""
    size = np.abs(charge)
    carried = [size[charge * sign > 0] for sign in (1, -1)]
    if not all(len(runs) for runs in carried):
        return np.inf
    quartiles = [np.percentile(runs, (25, 75)) for runs in carried]
    return max(float(upper / lower) for lower, upper in quartiles)


def segment_numbers(direction: NDArray[np.int8], segments: Segments) -> Indices:
    """Return the segment number, from 1, of each record with current, 0 elsewhere; shape (n,)."""
    begins, inside = (np.zeros(len(direction) + 1, np.int64) for _ in range(2))
    begins[segments.first] = 1
    inside[segments.first] += 1
    inside[segments.last + 1] -= 1
    number: Indices = np.cumsum(begins[:-1])
    number[(direction == 0) | (np.cumsum(inside[:-1]) == 0)] = 0
    return number


def _join_minor_runs(sign: NDArray[np.int8], major: NDArray[np.bool_]) -> Indices:
    """Return run numbers; minor runs and major ones of the same sign join the previous run."""
    kept = np.flatnonzero(major)
    turned = np.concatenate([[True], sign[kept][1:] != sign[kept][:-1]])
    number = np.zeros(len(sign), np.int64)
    number[kept[turned]] = 1
    number = np.cumsum(number)
    return np.maximum(number, 1)


def number_half_cycles(
    direction: NDArray[np.int8], charge_ah: Floats, lasted_second: Floats, end_volt: Floats
) -> Indices:
    """Return the half cycle number of runs, or of segments of several files.

    Small ones are joined to a neighbour: those with less than 0.1 % of the largest charge, with
    less than 5 % of it in under two minutes (a pulse), or with less than 1 % at less than 5 % of
    the current (leakage, or noise of a float). A run under two minutes is no pulse if it reaches
    the end voltage of the long runs of its direction, or belongs to a series of forty or more of
    similar charge: such a test is cycled that fast.

    Parameters
    ----------
    direction, charge_ah, lasted_second, end_volt
        +1 or −1, charge (Ah, positive), duration (s) and last voltage (V) of each in the order of
        time; shape (n,).

    Returns
    -------
    Number of each one's half cycle from 1; shape (n,).

    """
    if not len(direction):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(direction, prepend=0))
    if len(starts) < len(direction):  # join neighbours of the same direction
        counts = np.diff(np.append(starts, len(direction)))
        joined = number_half_cycles(
            direction[starts],
            np.add.reduceat(charge_ah, starts),
            np.add.reduceat(lasted_second, starts),
            end_volt[starts + counts - 1],
        )
        return np.repeat(joined, counts)
    largest = charge_ah.max()
    small = charge_ah < PULSE * largest
    short = lasted_second < PULSE_SECOND
    pulse = small & short & ~_is_at_limit(direction, charge_ah, lasted_second, end_volt)
    for series in _find_series(lasted_second, SERIES_RUNS):
        carried = charge_ah[series] * direction[series]
        if not _has_net_charge(carried) and _quartile_ratio(carried) < PROFILE_SPREAD:
            pulse[series] = False
    rate = charge_ah / np.where(lasted_second > 0, lasted_second, np.nan)
    weak = (charge_ah < FEW * largest) & (rate < WEAK * _finite_median(rate[~small]))
    major = (charge_ah >= MINOR * largest) & ~pulse & ~weak
    if not major.any():
        major = charge_ah == largest
    return _join_minor_runs(direction, major)


def _finite_median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _is_at_limit(
    direction: NDArray[np.int8], charge_ah: Floats, lasted_second: Floats, end_volt: Floats
) -> NDArray[np.bool_]:
    """Return which runs reach the end voltage of the long runs of their direction."""
    long = (charge_ah >= PULSE * charge_ah.max()) & (lasted_second >= PULSE_SECOND)
    high, low = (end_volt[long & (direction == sign)] for sign in (1, -1))
    if not (len(high) and len(low)):
        return np.zeros(len(direction), np.bool_)
    upper, lower = float(np.median(high)), float(np.median(low))
    tolerance = REACHED * (upper - lower)
    reached: NDArray[np.bool_] = np.where(
        direction > 0, end_volt >= upper - tolerance, end_volt <= lower + tolerance
    )
    return reached
