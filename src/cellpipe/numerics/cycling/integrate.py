"""Charge from current and time: within steps by trapezoids, and between two steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
RESET = 10.0  # times the charge that the current can carry; a larger jump is a reset of the counter
SINCE = 3.0  # the same for a counter that counts since the step began
ROUNDED_AH, ROUNDED = 1e-9, 1e-5  # rounding of a counter: absolute and relative


def differences(values: Floats) -> Floats:
    """Return each value minus the previous one, 0 for the first; shape (n,)."""
    steps = np.empty_like(values)
    steps[:1] = 0.0
    np.subtract(values[1:], values[:-1], out=steps[1:])
    return steps


def integrate_steps(time_second: Floats, current_ampere: Floats) -> tuple[Floats, Floats]:
    """Return the charge since the previous record by the trapezoid rule, Ah, and the interval, s.

    Negative intervals count as zero.

    Parameters
    ----------
    time_second, current_ampere
        Time in the test, s, and current, A, positive on charge; shape (n,).

    """
    interval = differences(time_second)
    np.maximum(interval, 0.0, out=interval)
    charge = np.empty_like(current_ampere)
    charge[:1] = 0.0
    np.add(current_ampere[1:], current_ampere[:-1], out=charge[1:])
    charge *= interval
    charge *= 0.5 / 3600.0
    return charge, interval


class Crossings(NamedTuple):
    """From the last record of each step to the first of the next one; shape (k,) each.

    ``old`` and ``new`` are the currents before and after, A, 0 at rest; ``second`` is the time
    between them, ``elapsed`` that since the new step began, NaN if unknown; ``previous`` and
    ``following`` are the intervals of records before and after, s. ``before_ah``, ``after_ah`` and
    ``total_ah`` are what the instrument counted for the old step, the new one and both, NaN if
    unknown.
    """

    old: Floats
    new: Floats
    second: Floats
    elapsed: Floats
    previous: Floats
    following: Floats
    before_ah: Floats
    after_ah: Floats
    total_ah: Floats


class Crossed(NamedTuple):
    """Charge between two steps that belongs to the old and to the new one, Ah, and their doubt.

    After the last record of a step its current is not known: what is added for it is in doubt.
    """

    old_ah: Floats
    new_ah: Floats
    old_doubt_ah: Floats
    new_doubt_ah: Floats


def integrate_crossings(
    crossings: Crossings, second_digit: float, ampere_hour: float, *, is_counted: Flags
) -> Crossed:
    """Return the charge between steps, where a trapezoid would be wrong.

    The current jumps there, and the test may have been paused. What was counted is taken. Without
    it, the charge of the new step is its current times the time since it began; without that time,
    it follows from the running charge, or from the whole interval if that is no longer than twice
    the next one. The charge of the old step after its last record is the remainder of the running
    charge, or else its current times the remainder of the interval if that is no longer than twice
    the previous one. No charge passes at rest: if one side rests, the counted charge belongs to the
    other.

    Parameters
    ----------
    crossings
        What is known of them.
    second_digit
        Last digit of the times, s.
    ampere_hour
        Last digit of the counter, Ah.
    is_counted
        Whether the old step's charge is that of the counter, which then holds it to the step's end;
        it is added to only where the step time tells that the end was later; shape (k,).

    """
    old, new, whole = crossings.old, crossings.new, crossings.second
    digits = second_digit, ampere_hour
    total = _possible(crossings, crossings.total_ah, RESET, digits)
    after = _possible(crossings, crossings.after_ah, SINCE, digits)
    before = _possible(crossings, crossings.before_ah, RESET, digits)
    counted = np.isfinite(total)
    new_second = np.where(
        counted, _seconds_by_count(old, new, whole, total), _seconds_by_length(crossings)
    )
    new_second = np.where(np.isfinite(crossings.elapsed), crossings.elapsed, new_second)
    by_count = np.abs(after) * 3600.0 / np.where(new == 0, np.inf, np.abs(new))
    new_second = np.where(np.isfinite(after), np.clip(by_count, 0.0, whole), new_second)
    remainder = _remainder(old, whole - new_second, crossings.previous, second_digit)
    remainder[is_counted & ~np.isfinite(crossings.elapsed)] = 0.0
    added = np.where(counted, total - new * new_second / 3600.0, remainder)
    old_part = np.where(np.isfinite(before), before, np.where(old == 0, 0.0, added))
    new_part = new * new_second / 3600.0 + np.where((old == 0) & counted, added, 0.0)
    new_part = np.where(np.isfinite(after), after, new_part)
    unknown_new = ~(counted | np.isfinite(after))
    unknown_old = ~(counted | np.isfinite(before))
    new_part[new == 0] = 0.0
    return Crossed(
        old_part, new_part,
        np.where(unknown_old, np.abs(old_part) + _doubt(
            crossings, old, crossings.previous, np.where(is_counted, 0.0, second_digit)), 0.0),
        np.where(unknown_new, _doubt(crossings, new, crossings.following, second_digit), 0.0),
    )  # fmt: skip


def _possible(
    crossings: Crossings, counted: Floats, times: float, digits: tuple[float, float]
) -> Floats:
    """Return what was counted, NaN where it is so many times what the current can carry."""
    larger = np.maximum(np.abs(crossings.old), np.abs(crossings.new))
    most = larger * (crossings.second + digits[0]) * (times / 3600.0)
    most += ROUNDED_AH + 2 * digits[1] + ROUNDED * np.abs(counted)
    return np.where(np.abs(counted) <= most, counted, np.nan)


def _seconds_by_count(old: Floats, new: Floats, whole: Floats, total: Floats) -> Floats:
    """Return the part of an interval in the new step, s, by what was counted in both."""
    change = new - old
    by_count = (3600.0 * total - old * whole) / np.where(change == 0, np.inf, change)
    return np.clip(by_count, 0.0, whole)


def _seconds_by_length(crossings: Crossings) -> Floats:
    whole = crossings.second
    return np.where(whole <= 2.0 * crossings.following, whole, 0.0)


def _remainder(old: Floats, second: Floats, previous: Floats, second_digit: float) -> Floats:
    """Return the charge of the old step after its last record, Ah; 0 for a pause."""
    is_some = second > 1.5 * second_digit
    is_short = second <= 2.0 * previous
    return np.where(is_some & is_short, old * second / 3600.0, 0.0)


def _doubt(
    crossings: Crossings, current: Floats, usual: Floats, second_digit: Floats | float
) -> Floats:
    """Return how much charge the unknown moment of a step's start may hide, Ah."""
    unknown = np.where(
        np.isfinite(crossings.elapsed), 2 * second_digit, np.minimum(crossings.second, 2.0 * usual)
    )
    return np.abs(current) * np.minimum(unknown, crossings.second + second_digit) / 3600.0
