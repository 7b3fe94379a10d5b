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
    SHORT,
    TEST_TIME,
    Steps,
    Suspects,
    View,
    Witnesses,
    settle,
)
from cellpipe.numerics.cycling.counters import (
    Counter,
    clock_resolution,
    resolution,
    time_resolution,
)
from cellpipe.numerics.cycling.durations import check_durations
from cellpipe.numerics.cycling.integrate import (
    Crossings,
    integrate_crossings,
    integrate_steps,
)

FINE = 2e-4  # of the charge: integral and counter agree, and bounds are not asked for
BLOCK = 1 << 18  # records held against each other at once: they fit the processor's cache
TURNED = 0.1  # of the distance between counter and integral, which is left if one is turned
LEAST = 1e-4  # of the charge that flows; a counter that counts less does not count
PAUSING = 1.5  # times the usual interval, where those before and after it are usual
STANDING = 3  # records in a row at one time: more than one event that was recorded twice
LEAP = 3.0  # intervals; where steps are missing, more was counted in those
EXACT, EXACT_AH = 1e-7, 1e-13  # of the charge, and Ah: no number of a file is more exact
COARSE = 0.02  # of the usual increment; above, a counter's last digit shows in each
FEW_DIGITS = 5e-4  # of a step's charge: where a counter's last digits are more, it has few

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

    def cut(self, holes: Places, lost_ah: Floats) -> Charges:
        """Return the charges without what passed before some records, as steps of their own.

        What may have passed there beside the records, ``lost_ah`` (k,), is a doubt of the new step.
        """
        charge = self.charge_ah.copy()
        charge[holes] = 0.0
        begins = np.union1d(self.begins, holes)
        owner = np.searchsorted(self.begins, begins, side="right") - 1
        held = np.abs(np.add.reduceat(charge, begins))
        whole = np.bincount(owner, held, self.begins.size)[owner]
        share = np.divide(held, whole, out=np.zeros_like(held), where=whole > 0)
        doubt = self.uncertainty_ah[owner] * share
        doubt[np.searchsorted(begins, holes)] += np.abs(lost_ah)
        counted = np.where(
            np.isin(owner, np.searchsorted(self.begins, holes, side="right") - 1),
            np.where(np.isnan(self.counted_ah[owner]), np.nan, np.add.reduceat(charge, begins)),
            self.counted_ah[owner],
        )
        return Charges(charge, begins, self.source[owner], doubt, counted)


class _Sums(NamedTuple):
    """Charge and interval of each record, shape (n,), and what is known of each step, (k,)."""

    steps: Steps
    charge: Floats
    interval: Floats
    integral: Floats
    counted: Floats
    source: NDArray[np.int8]
    doubt: Floats
    has_few_digits: Flags


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
        np.zeros(steps.begins.size), np.zeros(steps.begins.size, np.bool_),
    )  # fmt: skip
    if counter is not None:
        sums = sums._replace(charge=_take_counter(witnesses, counter, sums))
    else:
        sums.doubt[:] = _integral_bound(witnesses, steps, interval)
        sums.doubt[:] += _standing_doubt(witnesses.current_ampere, interval, steps)
        sums.doubt[:] += _pausing_doubt(witnesses.current_ampere, interval, steps)
        sums.doubt[:] += check_durations(witnesses, steps, charge, integral, source)
    _add_crossings(witnesses, counter, sums)
    sums.charge[witnesses.at_rest] = 0.0
    lasted = witnesses.time_second[steps.ends] - witnesses.time_second[steps.begins]
    sums.doubt[:] += abs(witnesses.offset_ampere) * np.maximum(lasted, 0.0) / 3600.0
    sums.doubt[:] += EXACT * np.abs(steps.sum(sums.charge)) + EXACT_AH
    doubt = np.where(steps.driven, sums.doubt, 0.0)
    return Charges(sums.charge, steps.begins, source, doubt, sums.counted)


def _standing_doubt(current: Floats, interval: Floats, steps: Steps) -> Floats | float:
    """Return what may have passed while the test time stood still for some records, Ah.

    They are taken to be as far apart as others of their step usually are.
    """
    stands = interval == 0
    stands[steps.begins] = False
    runs = np.convolve(stands, np.ones(STANDING), "valid") == STANDING if stands.any() else stands
    if not runs.any():
        return 0.0
    length = steps.ends - steps.begins
    lasted = steps.sum(interval)
    usual = lasted / np.maximum(length - steps.sum(stands.astype(np.float64)), 1)
    return usual * steps.sum(np.where(stands, np.abs(current), 0.0)) / 3600.0


def _pausing_doubt(current: Floats, interval: Floats, steps: Steps) -> Floats | float:
    """Return what did not pass if a step paused where an interval stands out of equal ones, Ah."""
    within = np.ones(interval.size, np.bool_)
    within[steps.begins] = False
    usual = float(np.median(interval[within])) if within.any() else 0.0
    is_long = within & (interval > PAUSING * usual)
    if not usual or not is_long.any():
        return 0.0
    is_usual = (interval <= PAUSING * usual) & (interval >= usual / PAUSING)
    before, after = (~within | is_usual), np.append((~within | is_usual)[1:], True)
    beside = np.append(True, before[:-1]) & after
    beside &= np.append(False, is_usual[:-1]) | np.append(is_usual[1:], False)
    more = np.where(is_long & beside, np.abs(current) * (interval - usual), 0.0)
    return steps.sum(more) / 3600.0


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
        _prefer_integral(witnesses, counter, sums, by_count)
        _smooth(counter, steps, by_count, charge, sums.source == COUNTER)
    return by_count


def _integral_bound(
    witnesses: Witnesses, steps: Steps, interval: Floats, time_digit: float | None = None
) -> Floats:
    """Return how far the integral of each step may be off, Ah, by its records and their digits."""
    current = witnesses.current_ampere
    width = steps.bound(current, interval)
    if time_digit is None:
        time_digit = time_resolution(witnesses.time_second, witnesses.new_step)
    if time_digit:
        largest = np.maximum(np.abs(current[steps.begins]), np.abs(current[steps.ends]))
        width += largest * (time_digit / 3600.0)
    return width


def _prefer_integral(witnesses: Witnesses, counter: Counter, sums: _Sums, by_count: Floats) -> None:
    """Take the integral where it tells a step better than a counter of few digits; change the sums.

    The counter is the check: they agree within its digits and the integral's bounds.
    """
    steps, digits = sums.steps, 2 * counter.digit
    asked = (sums.source == COUNTER) & (digits > FEW_DIGITS * np.abs(sums.counted))
    if not asked.any():
        return
    current, interval = witnesses.current_ampere, sums.interval
    charge, source = sums.charge.copy(), np.full(asked.size, TEST_TIME, np.int8)
    width = _integral_bound(witnesses, steps, interval, clock_resolution(witnesses.time_second))
    width += check_durations(witnesses, steps, charge, sums.integral, source)
    digit = resolution(witnesses.time_second)
    at_start = np.abs(current[steps.begins]) * (interval[steps.begins] + digit)
    following = np.append(interval[steps.begins[1:]], 0.0)
    at_end = np.abs(current[steps.ends]) * (following + digit)
    if witnesses.step_time_second is not None:
        at_start, at_end = (np.abs(current[at]) * digit for at in (steps.begins, steps.ends))
    sides = (at_start + at_end) / 3600.0
    agree = np.abs(sums.counted - sums.integral) <= digits + width
    agree &= steps.ends - steps.begins + 1 >= SHORT
    taken = asked & agree & (source == TEST_TIME) & (2 * (width + sides) < digits)
    if not taken.any():
        return
    sums.source[taken] = TEST_TIME
    sums.has_few_digits[taken] = True
    sums.doubt[taken] = width[taken]
    owner = steps.owner(by_count.size)
    np.copyto(by_count, sums.charge, where=taken[owner])


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


def _without_lost_steps(passed: Floats, usual: Floats, lost: Flags) -> Floats:
    """Return what passed into and out of steps, Ah, without that of steps between that are lost.

    ``usual`` is what passes from record to record, A s.
    """
    return np.where(lost & (np.abs(passed) > LEAP * np.abs(usual) / 3600.0), 0.0, passed)


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
        few = sums.has_few_digits[:-1] | sums.has_few_digits[1:]
        before, after, total = (
            np.where(few, np.nan, told) for told in counter.across(at, old, new, expected)
        )
    previous, following = interval[at - 1], interval[np.minimum(at + 1, interval.size - 1)]
    result = integrate_crossings(
        Crossings(old, new, whole, elapsed, previous, following, before, after, total),
        resolution(witnesses.time_second),
        0.0 if counter is None else counter.digit,
        is_counted=sums.source[:-1] == COUNTER,
    )
    if witnesses.leaps is not None:
        lost = np.isin(at, witnesses.leaps)
        result = result._replace(
            old_ah=_without_lost_steps(result.old_ah, old * previous, lost),
            new_ah=_without_lost_steps(result.new_ah, new * following, lost),
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
