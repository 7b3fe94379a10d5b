"""Put the test times of a recording right that go back, by step time and clock.

A test time may be 0 in single records, run ahead in one, restart at each step, or begin anew after
24 hours. A record whose time lies outside those of its neighbours takes the time that the step
time tells, or else the clock; if neither does, it can't be used. Where the time goes back for good,
what passed is told by the step time, by a time of day that wraps, or by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cellpipe.core.recordings.records import Flags, Floats

_DAY, _HOUR = 86_400.0, 3600.0  # s
_AGREE = 2.0  # s; clocks of whole seconds are not compared more closely
_FAR, _LONG = 5.0, 60.0  # times the usual interval, and s: the test time goes on by far more
_FEW = 3  # records in a row that may be off
_RESTARTS = 0.9  # of the records, in which the test time is the step time


class Clocks(NamedTuple):
    """What tells the time of each record, s; shape (n,).

    ``time``, ``step_time`` and ``clock`` are test time, time in the step and absolute time, NaN
    where not recorded; ``new_step`` is True at the first record of each step.
    """

    time: Floats
    step_time: Floats
    clock: Floats
    new_step: Flags


@dataclass
class ElapsedTimes:
    """Test time in s, put right; which records were placed, can't be used, or begin anew; (n,)."""

    time: Floats
    is_placed: Flags
    is_lost: Flags
    begins_anew: Flags


def repair_elapsed_times(clocks: Clocks) -> ElapsedTimes:
    """Put test times right that go back."""
    time, step_time, clock, new_step = clocks
    flags = np.zeros((3, time.size), np.bool_)
    found = ElapsedTimes(time.copy(), *flags)
    falls = np.flatnonzero(np.diff(time) < 0) + 1
    restarts = _restarts_in_steps(time, step_time)
    done, added = 0, np.zeros(time.size)
    for fall in falls.tolist():
        if fall < done:
            continue
        run = None if restarts else _find_run(time, fall)
        if run is None:
            passed = _time_passed(clocks, fall)
            found.begins_anew[fall] = True
            added[fall] = time[fall - 1] - time[fall] + passed
            continue
        done = run[1] + 1
        _place(found, (step_time, clock, np.cumsum(new_step)), *run)
    found.time += np.cumsum(added)
    return found


def _restarts_in_steps(time: Floats, step_time: Floats) -> bool:
    """Return whether the test time is that of the step, in nearly all records of later steps."""
    known = np.isfinite(step_time)
    later = known & (np.cumsum(np.append(False, np.diff(time) < 0)) > 0)
    if not later.any():
        return False
    return bool(np.mean(np.abs(time - step_time)[later] <= 1.0) > _RESTARTS)


def _find_run(time: Floats, fall: int) -> tuple[int, int] | None:
    """Return the few records before or after a fall that lie outside of their neighbours' times.

    From the first of them to the one after the last; None if the time goes back for good.
    """
    before = time[fall - 1]
    for end in range(fall + 1, min(fall + 1 + _FEW, time.size)):
        if time[end] >= before:
            return fall, end
    if fall + _FEW >= time.size and fall > time.size // 2:
        return fall, time.size
    for start in range(fall - 1, max(fall - 1 - _FEW, -1), -1):
        if start == 0 or time[start - 1] <= time[fall]:
            return start, fall
    return None


def _place(
    found: ElapsedTimes, others: tuple[Floats, Floats, Floats], start: int, end: int
) -> None:
    """Give records the times that step time or clock tell, between those of their neighbours."""
    step_time, clock, step = others
    time = found.time
    low = time[start - 1] if start else -np.inf
    high = time[end] if end < time.size else np.inf
    for at in range(start, end):
        told = [
            time[other] + values[at] - values[other]
            for values, is_step in ((step_time, True), (clock, False))
            for other in (end, start - 1)
            if 0 <= other < time.size and (not is_step or step[other] == step[at])
        ]
        good = [t for t in told if low - _AGREE <= t <= high + _AGREE]
        if good:
            time[at] = min(max(good[0], low), high)
            found.is_placed[at] = True
            low = time[at]
        else:
            found.is_lost[at] = True


def _time_passed(clocks: Clocks, at: int) -> float:
    """Return how much time passed before a record at which the test time goes back for good."""
    time, step_time, clock, new_step = clocks
    before, shown = time[at - 1], time[at]
    within = step_time[at] - step_time[at - 1]
    if not new_step[at] and within >= 0:
        return float(within)
    wrapped = shown - before + _DAY
    is_wrap = before > _DAY / 2 > shown and wrapped >= 0
    exact = [*([wrapped] if is_wrap else []), shown, step_time[at]]
    by_clock = clock[at] - clock[at - 1]
    if by_clock >= 0:
        near = [value for value in exact if abs(value - by_clock) <= _AGREE]
        return float(near[0] if near else by_clock)
    if is_wrap:
        return float(wrapped)
    if new_step[at] and step_time[at] >= 0:
        return float(step_time[at])
    usual = max(float(time[at - 1] - time[max(at - 2, 0)]), _AGREE)
    told = shown, shown - before + _HOUR  # a count that begins anew; a clock that is set back
    return float(next((value for value in told if 0 <= value <= 2 * usual), 0.0))


def find_leaps(clocks: Clocks) -> Floats:
    """Return how far the test time leaps ahead before each record, s; 0 where it does not.

    It does where it goes on by far more than the records' usual interval, while step time or clock
    go on by about that: two against one.
    """
    time, step_time, clock, new_step = clocks
    leaps = np.zeros(time.size)
    passed = np.diff(time)
    usual = np.maximum(np.append(0.0, passed[:-1]), np.append(passed[1:], 0.0))
    at = np.flatnonzero(passed > _FAR * usual + _LONG) + 1
    for place in at[usual[at - 1] > 0].tolist():
        within = step_time[place] - step_time[place - 1]
        told = within if not new_step[place] and within >= 0 else clock[place] - clock[place - 1]
        if 0 <= told <= 2 * usual[place - 1] + _AGREE:
            leaps[place] = passed[place - 1] - told
    return leaps
