"""Charge of each step by all that tells it: the instrument's counter, and current times time.

An instrument integrates its current thousands of times a second and writes some of its records, so
its counter is the measurement and the integral of the records is the check. Between two records the
current lies between their values unless it peaked: the sums of the smaller and of the larger value
times the interval (Darboux sums) enclose the charge. A counter that lies within them, or no further
off than a hundredth of the charge, is taken; where single intervals of it do not fit (it was set
back, or jumped) they are integrated. One that still contradicts is held against what else there is:
the durations of the step by test time, step time and clock, and the energy that was counted
(:mod:`cellpipe.numerics.cycling.contradictions`). Where nothing decides, the step is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.contradictions import (
    CLOCK,
    CONTRADICTORY,
    COUNTER,
    NONE,
    TEST_TIME,
    Steps,
    Suspects,
    View,
    Witnesses,
    check_durations,
    settle,
)
from cellpipe.numerics.cycling.counters import Counter, resolution
from cellpipe.numerics.cycling.integrate import (
    Crossings,
    integrate_crossings,
    integrate_steps,
)

FINE = 2e-4  # of the charge: integral and counter agree, and bounds are not asked for
BLOCK = 1 << 18  # records held against each other at once: they fit the processor's cache
TURNED = 0.1  # of the distance between counter and integral, which is left if one is turned
LEAST = 1e-4  # of the charge that flows; a counter that counts less does not count
EXACT, EXACT_AH = 1e-7, 1e-13  # of the charge, and Ah: no number of a file is more exact
COARSE = 0.02  # of the usual increment; above, a counter's last digit shows in each

NEARLY, SOME = 0.99, 0.01  # of the charge: it is from one witness; it contradicts
SOURCES = {
    COUNTER: "counter", TEST_TIME: "current × test time", CLOCK: "current × clock",
    CONTRADICTORY: "contradictory",
}  # fmt: skip
COUNTED, CONTRADICTING = SOURCES[COUNTER], SOURCES[CONTRADICTORY]
SEVERAL = "several"

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


class Charges(NamedTuple):
    """The charge of each record, and of each step where it is from and how sure it is.

    ``charge_ah`` (n,) is that since the previous record, positive on charge, 0 at rest. Of each
    step, shape (k,): ``begins`` is its first record, ``source`` the witness that was taken,
    ``uncertainty_ah`` how far the charge may be off, and ``counted_ah`` the instrument's count,
    signed, NaN without one.
    """

    charge_ah: Floats
    begins: Places
    source: NDArray[np.int8]
    uncertainty_ah: Floats
    counted_ah: Floats


class _Sums(NamedTuple):
    """Charge and interval of each record, shape (n,), and what is known of each step, (k,)."""

    steps: Steps
    charge: Floats
    interval: Floats
    integral: Floats
    counted: Floats
    source: NDArray[np.int8]
    doubt: Floats


def weigh_charges(witnesses: Witnesses) -> Charges:
    """Return the charge of each record by the witness that most others agree with.

    Parameters
    ----------
    witnesses
        What was recorded: one record or more.

    """
    steps = Steps.of(witnesses.new_step, witnesses.at_rest)
    charge, interval = integrate_steps(witnesses.time_second, witnesses.current_ampere)
    charge[steps.begins] = 0.0
    integral = np.where(steps.driven, steps.sum(charge), 0.0)
    counter = _choose_counter(witnesses.counters, steps, integral)
    unknown = np.full(steps.begins.size, np.nan)
    counted = unknown if counter is None else counter.difference(steps.begins, steps.ends)
    source = np.where(steps.driven, TEST_TIME, NONE).astype(np.int8)
    sums = _Sums(
        steps, charge, interval, integral, np.where(steps.driven, counted, 0.0), source,
        np.zeros(steps.begins.size),
    )  # fmt: skip
    if counter is not None:
        sums = sums._replace(charge=_take_counter(witnesses, counter, sums))
    else:
        sums.doubt[:] = steps.bound(witnesses.current_ampere, interval)
        sums.doubt[:] += check_durations(witnesses, steps, charge, integral, source)
    _add_crossings(witnesses, counter, sums)
    sums.charge[witnesses.at_rest] = 0.0
    lasted = witnesses.time_second[steps.ends] - witnesses.time_second[steps.begins]
    sums.doubt[:] += abs(witnesses.offset_ampere) * np.maximum(lasted, 0.0) / 3600.0
    sums.doubt[:] += EXACT * np.abs(steps.sum(sums.charge)) + EXACT_AH
    doubt = np.where(steps.driven, sums.doubt, 0.0)
    return Charges(sums.charge, steps.begins, source, doubt, sums.counted)


def name_sources(shares: Floats) -> list[str]:
    """Name the witness that each charge is from.

    Parameters
    ----------
    shares
        How much charge is from each of :data:`SOURCES`, in their order; shape (4, k).

    Returns
    -------
    One of the words of :data:`SOURCES`, or :data:`SEVERAL` where two of them have a hundredth or
    more; contradictory where that much of the charge is.

    """
    words = [*SOURCES.values()]
    total = shares.sum(axis=0)
    largest = shares.argmax(axis=0)
    named = [
        words[most] if share >= NEARLY * whole else SEVERAL
        for most, share, whole in zip(largest, shares.max(axis=0), total, strict=True)
    ]
    doubtful = shares[-1] > SOME * total
    return [words[-1] if doubt else word for doubt, word in zip(doubtful, named, strict=True)]


def _choose_counter(
    counters: tuple[Counter, ...], steps: Steps, integral: Floats
) -> Counter | None:
    """Return the counter that is nearest to the integral; None without one that counts.

    One that counts the other way throughout is turned: its amounts are as good.
    """
    chosen, least = None, np.inf
    total = float(np.abs(integral).sum())
    for counter in counters:
        counted = counter.difference(steps.begins, steps.ends)
        if float(np.abs(counted[steps.driven]).sum()) < LEAST * total:
            continue
        agree, turned = (np.abs(sign * counted - integral)[steps.driven].sum() for sign in (1, -1))
        if turned < TURNED * agree:
            counter, counted = counter.turn(), -counted  # noqa: PLW2901 - the same, turned
        apart = np.minimum(np.abs(counted - integral), np.abs(integral))
        nearest = float(apart[steps.driven].sum()) + counter.digit * steps.begins.size
        if nearest < 0.9 * least:
            chosen, least = counter, nearest
    return chosen


def _take_counter(witnesses: Witnesses, counter: Counter, sums: _Sums) -> Floats:
    """Return the charge of each record by the counter where it is right; change the sums."""
    steps, charge, counted, integral = sums.steps, sums.charge, sums.counted, sums.integral
    by_count = counter.increments()
    by_count[steps.begins] = 0.0
    sums.doubt[:] = 2 * counter.digit
    size = np.maximum(np.abs(counted), np.abs(integral))
    unsure = steps.driven & (np.abs(counted - integral) > FINE * size + 2 * counter.digit)
    sums.source[steps.driven] = COUNTER
    if unsure.any():
        view = View.of(steps, counted, integral)
        for some in _blocks(steps.begins, unsure):
            span = slice(steps.begins[some.start], steps.ends[some.stop - 1] + 1)
            suspects = Suspects.of(
                witnesses.cut(span),
                counter,
                steps.cut(some),
                unsure[some],
                charges=(charge[span], by_count[span]),
                interval=sums.interval[span],
            )
            settle(
                suspects, view, counted[some], sums.source[some], sums.doubt[some], by_count[span]
            )
    if _is_coarse(counter, by_count):
        _smooth(counter, steps, by_count, charge, sums.source == COUNTER)
    return by_count


def _blocks(begins: Places, unsure: Flags) -> Iterator[slice]:
    """Iterate over successive steps that begin within a block and of which some are in doubt."""
    block = begins // BLOCK
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    for start, stop in pairwise([*starts, begins.size]):
        if unsure[start:stop].any():
            yield slice(start, stop)


def _is_coarse(counter: Counter, by_count: Floats) -> bool:
    """Return whether the last digit of a counter shows in the usual increment."""
    sample = np.abs(by_count[:: max(by_count.size // 5000, 1)])
    usual = sample[sample > 0]
    return bool(counter.digit and usual.size and counter.digit > COARSE * np.median(usual))


def _smooth(
    counter: Counter, steps: Steps, by_count: Floats, integral: Floats, of_steps: Flags
) -> None:
    """Spread the count of each step as the current tells, as far as the counter's digits allow."""
    near = np.clip(integral, by_count - counter.digit, by_count + counter.digit)
    near[steps.begins] = 0.0
    total, wanted = steps.sum(near), steps.sum(by_count)
    scale = np.where(total == 0, 1.0, wanted / np.where(total == 0, 1.0, total))
    good = of_steps & (np.abs(scale - 1) < 0.5)
    owner = steps.owner(by_count.size)
    np.copyto(by_count, near * scale[owner], where=good[owner])


def _add_crossings(witnesses: Witnesses, counter: Counter | None, sums: _Sums) -> None:
    """Add what passed between the last record of each step and the first of the next one."""
    at = sums.steps.begins[1:]
    if not at.size:
        return
    current, driven, interval = witnesses.current_ampere, sums.steps.driven, sums.interval
    old = np.where(driven[:-1], current[at - 1], 0.0)
    new = np.where(driven[1:], current[at], 0.0)
    whole, unknown = interval[at], np.full(at.size, np.nan)
    elapsed = before = after = total = unknown
    if witnesses.step_time_second is not None:
        shown = witnesses.step_time_second[at]
        elapsed = np.where(np.isfinite(shown), np.clip(shown, 0.0, whole), np.nan)
    if counter is not None:
        expected = np.abs(new) * np.where(np.isfinite(elapsed), elapsed, whole) / 3600.0
        before, after, total = counter.across(at, old, new, expected)
    previous, following = interval[at - 1], interval[np.minimum(at + 1, interval.size - 1)]
    result = integrate_crossings(
        Crossings(old, new, whole, elapsed, previous, following, before, after, total),
        resolution(witnesses.time_second),
        0.0 if counter is None else counter.digit,
        is_counted=sums.source[:-1] == COUNTER,
    )
    by_time = np.append(np.where(result.old_doubt_ah > 0, np.abs(result.old_ah), 0.0), 0.0)
    by_time = by_time > np.abs(sums.steps.sum(sums.charge))
    sums.source[by_time & (sums.source == COUNTER)] = TEST_TIME
    sums.charge[at] = result.new_ah
    np.add.at(sums.charge, at - 1, result.old_ah)
    sums.doubt[:-1] += result.old_doubt_ah
    sums.doubt[1:] += result.new_doubt_ah
    sums.counted[:-1] += np.where(driven[:-1] & (result.old_doubt_ah == 0), result.old_ah, 0.0)
    sums.counted[1:] += np.where(driven[1:] & (result.new_doubt_ah == 0), result.new_ah, 0.0)
