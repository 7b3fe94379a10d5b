"""How long each step lasts by each clock of a recording, and which of them is right.

A pause, a clock that is set and summer time show in single intervals. A test time that runs at
another pace, or stands still, differs from the clock in many: that is no pause. Clocks of computers
drift by up to two thousandths; what differs by less than a two hundredth is that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.contradictions import (
    CLOCK,
    CONTRADICTORY,
    SECONDS,
    Steps,
    Witnesses,
    agree,
    step_durations,
)
from cellpipe.numerics.cycling.counters import time_resolution

PACE = 0.005  # of a duration: clocks whose paces differ by less agree
PAUSES = 3  # intervals of a step, in which there may be pauses
FEWEST, SURE = 5, 3.0  # steps that are compared together; standard deviations of their rounding
HOUR = 3600.0  # s; by which local clocks are set back
CONTRADICTED = 0.1  # of a duration: two clocks contradict each other in a single interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class _Other(NamedTuple):
    """Another clock than the test time: its times, (n,), its durations, (k,), and both digits, s.

    ``excess`` tells by how much it differs from the test time in many intervals of each step, s, 0
    for what digits explain; ``is_off`` in which steps that is no drift; (k,).
    """

    time: Floats
    lasted: Floats
    digit: float
    excess: Floats
    is_off: Flags


def check_durations(
    witnesses: Witnesses,
    steps: Steps,
    charge: Floats,
    integral: Floats,
    source: NDArray[np.int8],
) -> Floats:
    """Hold the durations of steps by all clocks against each other, where no counter tells.

    A test time that both step time and clock contradict is replaced by them, in ``charge`` and
    ``source``. Where there is one of them only and it runs at another pace, that is a contradiction
    which nothing settles. Where it says in a single interval that a step was shorter, the
    difference is a doubt, and by more than a tenth a contradiction; one that runs longer saw a
    pause, and one may be set back by an hour. What a drift makes is a doubt, too.

    Returns
    -------
    The doubt of each step, Ah; shape (k,).

    """
    test, _ = step_durations(witnesses, steps)
    doubt = np.zeros(integral.size)
    others = [
        _compare(witnesses, column, steps, test)
        for column in (witnesses.step_time_second, witnesses.unix_time_second)
        if column is not None
    ]
    if not others:
        return doubt
    known = (test > 0) & steps.driven
    off = np.array([known & (o.lasted > 0) & ~agree(test, o.lasted) for o in others])
    paced = np.array([known & other.is_off for other in others])
    if len(others) > 1:
        first, second = others
        digits = SECONDS + first.digit + second.digit
        same = np.abs(first.lasted - second.lasted) <= digits + PACE * np.abs(first.lasted)
        both = (off | paced).all(axis=0) & same
        if both.any():
            _integrate_again(witnesses.current_ampere, first.time, steps, both, charge)
            source[both] = CLOCK
            passed = np.abs(steps.sum(charge))
            doubt[both] += (PACE * passed)[both]
        off[:, both | ~off.all(axis=0)] = False
        paced[:, both | ~paced.all(axis=0)] = False
    off &= np.array([o.lasted < test - SECONDS for o in others])
    off &= np.array([np.abs(test - o.lasted - HOUR) > SECONDS for o in others])
    apart = np.array([np.abs(o.lasted - test) + 2 * o.digit for o in others])
    drift = np.array([np.where(o.excess > 0, o.excess + 2 * o.digit, 0.0) for o in others])
    drift[:, (drift == 0).any(axis=0)] = 0.0  # another clock agrees with the test time
    drift[:, source == CLOCK] = 0.0
    apart = np.where(off | paced, apart, drift) / np.where(known, test, 1.0)
    change = np.where(known, apart, 0.0).max(axis=0)
    source[((off & (apart > CONTRADICTED)) | paced).any(axis=0)] = CONTRADICTORY
    doubt += change * np.abs(integral)
    return doubt


def _integrate_again(
    current: Floats, time: Floats, steps: Steps, chosen: Flags, charge: Floats
) -> None:
    """Integrate the current of some steps over another time."""
    at = np.flatnonzero(chosen[steps.owner(charge.size)])
    at = at[~np.isin(at, steps.begins)]
    second = np.maximum(np.nan_to_num(time[at] - time[at - 1]), 0.0)
    charge[at] = (current[at] + current[at - 1]) * second / 7200.0


def _compare(witnesses: Witnesses, column: Floats, steps: Steps, test: Floats) -> _Other:
    """Find the steps in which a clock differs from the test time in many intervals."""
    time = witnesses.time_second
    lasted = column[steps.ends] - column[steps.begins]
    excess = np.zeros(test.size)
    apart = np.abs(lasted - test)
    known = steps.driven & (test > 0) & (lasted >= 0)
    short = known & (PACE * test < SECONDS)
    unsure = known & (apart > SECONDS)
    pooled = short & ~unsure & (apart > 0)
    if not unsure.any() and not pooled.any():
        return _Other(column, lasted, 0.0, excess, excess > 0)
    digit = sum(time_resolution(times, witnesses.new_step) for times in (time, column))
    for step in np.flatnonzero(unsure).tolist():
        span = slice(steps.begins[step], steps.ends[step] + 1)
        excess[step] = _spread(np.diff(column[span]) - np.diff(time[span]))
    excess[excess <= SECONDS + 2 * digit] = 0.0
    is_off = excess > SECONDS + 2 * digit + PACE * np.maximum(test, lasted)
    number = int(pooled.sum())
    if number >= FEWEST:
        total = _spread((lasted - test)[pooled])
        noise = 2 * digit * max(SURE * np.sqrt(number), number / 2)
        if total > SECONDS + noise + PACE * float(test[short].sum()):
            is_off |= pooled
    return _Other(column, lasted, digit, excess, is_off)


def _spread(excess: Floats) -> float:
    """Return how much of a clock's excess over the test time is left without some pauses, s."""
    excess = excess[np.isfinite(excess)]
    if excess.size <= PAUSES:
        return 0.0
    largest = np.argpartition(np.abs(excess), -PAUSES)[-PAUSES:]
    left = abs(float(excess.sum() - excess[largest].sum()))
    return left * excess.size / (excess.size - PAUSES)
