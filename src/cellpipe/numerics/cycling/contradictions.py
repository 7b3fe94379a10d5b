"""Which witness of a step's charge is right where they contradict each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.counters import Counter, current_resolution, resolution

NONE, COUNTER, TEST_TIME, CLOCK, CONTRADICTORY = range(5)
ALLOWED = 0.01  # of the charge, beyond the bounds: range and calibration of the current
SHORT, ALLOWED_IN_SHORT = 5, 0.8  # records of a step, in which a current may peak unseen
SMALL = 0.01  # of the largest step's charge: below, counters have few digits and nobody is wrong
ODD = 0.5  # of an interval's charge, beyond its bounds: the counter went back or jumped
FEW, MOST = 3, 0.05  # intervals of a step, and their share, in which it may have
LONG = 3.0  # times the usual interval of a step: it may contain a pause
NEAR = 0.05  # of a charge: another that is alike
SECONDS, PACE = 2.0, 0.01  # s, and of a duration: clocks that differ by less agree
HOUR = 3600.0  # s; by which local clocks are set back
CONTRADICTED = 0.1  # of a duration: two clocks contradict each other
MOSTLY, ALIKE = 0.8, 0.1  # of the charge, of a ratio: a range or unit, and no single step

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


class Witnesses(NamedTuple):
    """What a recording tells of its charge; all of shape (n,), None where it was not recorded.

    Times are in s, the current in A, positive on charge, the voltage in V. ``at_rest`` is True at
    records without a driven current, ``new_step`` at the first record of each step. ``energy`` is
    the instrument's counter of energy, in Wh, and ``offset_ampere`` what its current shows at open
    circuit, which is as much in doubt while a current is driven.
    """

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    new_step: Flags
    at_rest: Flags
    step_time_second: Floats | None = None
    unix_time_second: Floats | None = None
    counters: tuple[Counter, ...] = ()
    energy: Counter | None = None
    offset_ampere: float = 0.0

    def cut(self, span: slice) -> Witnesses:
        """Return some of the records, without the counters of charge."""
        step_time, clock, energy = self.step_time_second, self.unix_time_second, self.energy
        return Witnesses(
            self.time_second[span], self.current_ampere[span], self.voltage_volt[span],
            self.new_step[span], self.at_rest[span],
            None if step_time is None else step_time[span],
            None if clock is None else clock[span], (),
            None if energy is None else energy.cut(span),
        )  # fmt: skip


class Steps(NamedTuple):
    """First and last record of each step, and whether current is driven in it; shape (k,)."""

    begins: Places
    ends: Places
    driven: Flags

    @classmethod
    def of(cls, new_step: Flags, at_rest: Flags) -> Steps:
        """Find the steps from where they begin; shape (n,) each."""
        begins = np.flatnonzero(new_step)
        if not begins.size or begins[0]:
            begins = np.append(0, begins)
        return cls(begins, np.append(begins[1:], new_step.size) - 1, ~at_rest[begins])

    def cut(self, some: slice) -> Steps:
        """Return some steps in a row, counted from the first record of the first one."""
        start = self.begins[some.start]
        return Steps(self.begins[some] - start, self.ends[some] - start, self.driven[some])

    def sum(self, values: Floats) -> Floats:
        """Sum over the records of each step."""
        total: Floats = np.add.reduceat(values, self.begins)
        return total

    def owner(self, size: int) -> Places:
        """Return the step of each record."""
        return np.repeat(np.arange(self.begins.size), np.diff(np.append(self.begins, size)))

    def bound(self, current: Floats, interval: Floats) -> Floats:
        """Return half of the distance of the Darboux sums of each step, and its digits, Ah."""
        swing = np.empty_like(current)
        swing[:1] = 0.0
        np.subtract(current[1:], current[:-1], out=swing[1:])
        np.abs(swing, out=swing)
        swing *= 0.5
        swing += 0.5 * current_resolution(current)
        swing *= interval
        swing[self.begins] = 0.0
        return self.sum(swing) / 3600.0


class View(NamedTuple):
    """What is known of the whole recording: the largest step's charge, and a ratio of most of it.

    ``is_unit`` is true if counter and integral differ by one ratio in most of the charge: that is
    the range or unit of one of them, and no fault of a step.
    """

    largest_ah: float
    is_unit: bool

    @classmethod
    def of(cls, steps: Steps, counted: Floats, integral: Floats) -> View:
        """Compare the counted and the integrated charge of all steps."""
        size = np.where(steps.driven, np.maximum(np.abs(counted), np.abs(integral)), 0.0)
        known = steps.driven & (counted != 0) & (integral != 0)
        off = known & (np.abs(counted - integral) > ALLOWED * size)
        if not off.any():
            return cls(float(size.max(initial=0.0)), is_unit=False)
        ratios = np.where(known, integral / np.where(known, counted, 1.0), np.nan)
        usual = float(np.median(ratios[off]))
        alike = off & (np.abs(ratios - usual) <= ALIKE * abs(usual))
        total = float(size[known].sum())
        return cls(float(size.max()), is_unit=float(size[alike].sum()) > MOSTLY * total)


class Suspects(NamedTuple):
    """The intervals of steps whose counter does not give the integral; shape (m,), steps (k,).

    ``at`` are the places of the intervals' later records and ``step`` their steps.
    """

    witnesses: Witnesses
    steps: Steps
    at: Places
    step: Places
    second: Floats
    low: Floats
    high: Floats
    integral: Floats
    counted: Floats
    digit: float
    allowance: Floats

    @classmethod
    def of(
        cls,
        witnesses: Witnesses,
        counter: Counter,
        steps: Steps,
        unsure: Flags,
        *,
        charges: tuple[Floats, Floats],
        interval: Floats,
    ) -> Suspects:
        """Take the intervals of the unsure steps; ``charges`` are the integral and the count."""
        integral, counted = charges
        owner = steps.owner(integral.size)
        inside = unsure[owner]
        inside[steps.begins] = False
        at = np.flatnonzero(inside)
        step, second, current = owner[at], interval[at], witnesses.current_ampere
        before, after, hours = current[at - 1], current[at], second / 3600.0
        swing = _fluctuation(current, at) * hours
        length = np.bincount(step, second, steps.begins.size)
        size = np.abs(np.bincount(step, integral[at], steps.begins.size))
        allowance = current_resolution(current) * length / 3600.0 + 2 * counter.digit
        coarse = 2 * resolution(witnesses.time_second) / np.where(length > 0, length, np.inf)
        return cls(
            witnesses, steps, at, step, second, np.minimum(before, after) * hours - swing,
            np.maximum(before, after) * hours + swing, integral[at], counted[at], counter.digit,
            allowance + size * coarse,
        )  # fmt: skip

    def sum(self, values: Floats) -> Floats:
        """Sum over the intervals of each step."""
        return np.bincount(self.step, values, self.allowance.size).astype(np.float64)


def _fluctuation(current: Floats, at: Places) -> Floats:
    """Return by how much the current goes to and fro at an interval, as it may within it, too."""
    earlier = current[np.maximum(at - 2, 0)]
    before, after = current[at - 1], current[at]
    first, second = before - earlier, after - before
    return np.where(first * second < 0, np.minimum(np.abs(first), np.abs(second)), 0.0)


def settle(
    suspects: Suspects,
    view: View,
    counted: Floats,
    source: NDArray[np.int8],
    doubt: Floats,
    by_count: Floats,
) -> None:
    """Decide for each step in doubt who is right; changes all but the first two arguments.

    ``by_count`` (n,) gets the integral where the counter is wrong, and ``counted`` (k,) what the
    counter counts without the intervals in which it was set back.
    """
    integral = suspects.sum(suspects.integral)
    excess = _excess(suspects, suspects.counted, suspects.integral)
    wrong = _is_wrong(suspects, view, excess, counted, integral)
    doubt += np.where(wrong, 0.0, np.minimum(excess, np.abs(counted - integral)))
    if not wrong.any():
        return
    odd, pause = _odd_intervals(suspects)
    odd &= wrong[suspects.step]
    pause &= wrong[suspects.step]
    mended = np.where(odd & ~pause, suspects.integral, suspects.counted)
    checked = np.where(odd & pause, suspects.counted, suspects.integral)
    less = _excess(suspects, mended, checked)
    number = suspects.sum(odd.astype(np.float64))
    length = suspects.steps.ends - suspects.steps.begins
    is_mended = wrong & (number > 0) & (number <= np.maximum(FEW, MOST * length))
    is_mended &= ~_is_wrong(suspects, view, less, suspects.sum(mended), suspects.sum(checked))
    taken = odd & ~pause & is_mended[suspects.step]
    by_count[suspects.at[taken]] = suspects.integral[taken]
    width = np.where(taken, (suspects.high - suspects.low) / 2, 0.0)
    doubt += np.where(is_mended, suspects.sum(width) + less, 0.0)
    counted[is_mended] = suspects.sum(mended)[is_mended]
    left = wrong & ~is_mended
    if left.any():
        is_odd = (number > 0) & (number <= 0.5 * length)
        _decide(suspects, left, is_odd | (not view.is_unit), counted, integral, source, doubt)
        replaced = (left & (source != COUNTER))[suspects.step]
        by_count[suspects.at[replaced]] = suspects.integral[replaced]


def _excess(suspects: Suspects, counted: Floats, integral: Floats) -> Floats:
    """Return how far each step's count lies beyond the bounds and the last digits, Ah."""
    same = counted == integral
    low = suspects.sum(np.where(same, integral, suspects.low))
    high = suspects.sum(np.where(same, integral, suspects.high))
    total = suspects.sum(counted)
    beyond = np.maximum(np.maximum(low - total, total - high), 0.0)
    return np.maximum(beyond - suspects.allowance, 0.0)


def _is_wrong(
    suspects: Suspects, view: View, excess: Floats, counted: Floats, integral: Floats
) -> Flags:
    steps, size = suspects.steps, np.maximum(np.abs(counted), np.abs(integral))
    length = steps.ends - steps.begins + 1
    allowed = np.where(length < SHORT, ALLOWED_IN_SHORT, ALLOWED) * size
    return steps.driven & (excess > allowed) & (size > SMALL * view.largest_ah)


def _odd_intervals(suspects: Suspects) -> tuple[Flags, Flags]:
    """Return where a counter counts what the current can't carry, and where a pause explains it.

    In a pause the time goes on and nothing passes: there the counter is right.
    """
    margin = ODD * np.abs(suspects.integral) + 2 * suspects.digit
    odd = (suspects.counted < suspects.low - margin) | (suspects.counted > suspects.high + margin)
    length = suspects.steps.ends - suspects.steps.begins
    mean = suspects.sum(suspects.second) / np.maximum(length, 1)
    less = np.abs(suspects.counted) < np.abs(suspects.integral)
    onward = suspects.counted * suspects.integral >= 0
    return odd, less & onward & (suspects.second > LONG * mean[suspects.step])


def _decide(
    suspects: Suspects,
    left: Flags,
    is_local: Flags,
    counted: Floats,
    integral: Floats,
    source: NDArray[np.int8],
    doubt: Floats,
) -> None:
    """Ask the clocks and the counted energy who is right; mark the steps where they don't tell.

    A fault that is not local to some steps (``is_local``) is one of a range or unit: a clock can't
    tell whether the current or the counter has it.
    """
    apart = np.abs(counted - integral)
    test, others = _durations(suspects.witnesses, suspects.steps)
    confirmed, by_clock = np.zeros((2, left.size), np.bool_)
    for duration in others:
        agrees = _agree(test, duration)
        ratio = np.where(test > 0, duration, 0.0) / np.where(test > 0, test, 1.0)
        confirmed |= agrees
        by_clock |= ~agrees & (np.abs(integral * ratio - counted) <= NEAR * np.abs(counted))
    by_energy = _charge_by_energy(suspects)
    for_counter = np.abs(by_energy - np.abs(counted)) <= NEAR * np.abs(counted)
    for_integral = np.abs(by_energy - np.abs(integral)) <= NEAR * np.abs(integral)
    counter_wins = left & ((by_clock & ~confirmed) | (for_counter & ~for_integral))
    integral_wins = left & ~counter_wins & for_integral & ~for_counter
    integral_wins |= left & ~counter_wins & ~for_counter & confirmed & is_local
    source[integral_wins] = TEST_TIME
    source[left & ~counter_wins & ~integral_wins] = CONTRADICTORY
    doubt[left & ~integral_wins] += apart[left & ~integral_wins]
    width = suspects.sum((suspects.high - suspects.low) / 2) + suspects.allowance
    doubt[integral_wins] += width[integral_wins]


def _agree(first: Floats, second: Floats) -> Flags:
    longer = np.maximum(np.abs(first), np.abs(second))
    agree: Flags = np.abs(first - second) <= SECONDS + PACE * longer
    return agree


def _durations(witnesses: Witnesses, steps: Steps) -> tuple[Floats, list[Floats]]:
    """Return how long each step lasts by the test time, and by step time and clock, s."""
    columns = (
        witnesses.time_second, witnesses.step_time_second, witnesses.unix_time_second
    )  # fmt: skip
    test, *others = (
        column[steps.ends] - column[steps.begins] for column in columns if column is not None
    )
    return test, others


def _charge_by_energy(suspects: Suspects) -> Floats:
    """Return the counted energy over the mean voltage of each step, Ah; NaN without it."""
    witnesses, steps, at = suspects.witnesses, suspects.steps, suspects.at
    if witnesses.energy is None:
        return np.full(steps.begins.size, np.nan)
    volt = (witnesses.voltage_volt[at] + witnesses.voltage_volt[at - 1]) / 2
    passed = np.abs(suspects.integral)
    total = suspects.sum(passed)
    mean = suspects.sum(volt * passed) / np.where(total > 0, total, 1.0)
    energy = np.abs(witnesses.energy.difference(steps.begins, steps.ends))
    known = (total > 0) & (mean != 0) & (energy > 0)
    return np.where(known, energy / np.where(known, np.abs(mean), 1.0), np.nan)


def check_durations(
    witnesses: Witnesses,
    steps: Steps,
    charge: Floats,
    integral: Floats,
    source: NDArray[np.int8],
) -> Floats:
    """Hold the durations of steps by all clocks against each other, where no counter tells.

    A test time that both step time and clock contradict is replaced by the clock. Where only one of
    them says that a step was shorter, the difference is the doubt, in Ah, that is returned for each
    step; by more than a tenth it is a contradiction that nothing settles. A clock that runs longer
    saw a pause, and one may be set back by an hour.
    """
    test, others = _durations(witnesses, steps)
    doubt = np.zeros(integral.size)
    if not others:
        return doubt
    known = (test > 0) & steps.driven
    off = np.array([known & (other > 0) & ~_agree(test, other) for other in others])
    ratios = np.array([np.where(known, o, 0.0) / np.where(known, test, 1.0) for o in others])
    if len(others) > 1:
        both = off.all(axis=0) & _agree(others[0], others[1])
        if both.any():
            scale = np.where(both, ratios[1], 1.0)
            charge *= scale[steps.owner(charge.size)]
            source[both] = CLOCK
            doubt += np.where(both, np.abs(integral) * PACE, 0.0)
        off[:, both | ~off.all(axis=0)] = False
    off &= np.array([o < test - SECONDS for o in others])
    off &= np.array([np.abs(test - o - HOUR) > SECONDS for o in others])
    change = np.where(off, 1 - ratios, 0.0).max(axis=0)
    source[change > CONTRADICTED] = CONTRADICTORY
    doubt += change * np.abs(integral)
    return doubt
