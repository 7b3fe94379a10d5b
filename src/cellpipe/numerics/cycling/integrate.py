"""Charge from current and time, and from the counters of instruments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESET = 10.0  # times the charge that the current can carry; a larger jump is a reset of the counter
ROUNDED_AH, ROUNDED = 1e-9, 1e-5  # rounding of a counter: absolute and relative


def differences(values: Floats) -> Floats:
    """Return each value minus the previous one, 0 for the first; shape (n,)."""
    steps = np.empty_like(values)
    steps[:1] = 0.0
    np.subtract(values[1:], values[:-1], out=steps[1:])
    return steps


def charge_increments(
    time_second: Floats,
    current_ampere: Floats,
    new_step: NDArray[np.bool_],
    *,
    at_rest: NDArray[np.bool_] | None = None,
    step_time_second: Floats | None = None,
    net_capacity_ah: Floats | None = None,
) -> Floats:
    """Return the charge passed between each record and the previous one.

    Within a step: trapezoid rule over the recorded times; negative intervals count as zero. Across
    the boundary of two steps a trapezoid would be wrong, because the current jumps and the test may
    have been paused. There, the charge of the new step is its current times the time since it
    began; without that time it follows from the instrument's running charge, or from the whole
    interval if that is no longer than twice the next one. The charge of the old step after its last
    record is the remainder of the running charge, or else its current times the remainder of the
    interval if that is no longer than twice the previous one; it is added to the old step's last
    record. No charge passes at rest: if one side rests, the counted charge belongs to the other.

    Parameters
    ----------
    time_second, current_ampere
        Time in the test, s, and current, A, positive on charge; shape (n,).
    new_step
        True at the first record of each step; shape (n,).
    at_rest
        True at records at rest; by default those without current; shape (n,).
    step_time_second, net_capacity_ah
        Time since the start of the step, s, and the instrument's running charge, Ah, if recorded;
        shape (n,).

    Returns
    -------
    Charge in Ah, positive on charge, 0 at the first record; shape (n,).

    """
    interval = differences(time_second)
    np.maximum(interval, 0.0, out=interval)
    charge = np.empty_like(current_ampere)
    charge[:1] = 0.0
    np.add(current_ampere[1:], current_ampere[:-1], out=charge[1:])
    charge *= interval
    charge *= 0.5 / 3600.0
    at = np.flatnonzero(new_step[1:]) + 1
    rests = current_ampere == 0 if at_rest is None else at_rest
    old, new = (np.where(rests[n], 0.0, current_ampere[n]) for n in (at - 1, at))
    crossing = interval[at]
    counted = np.full(len(at), np.nan)
    if net_capacity_ah is not None:
        counted = net_increments(net_capacity_ah, current_ampere, time_second, at)[at]
    elapsed = np.full(len(at), np.nan) if step_time_second is None else step_time_second[at]
    elapsed = np.where(np.isfinite(elapsed), np.clip(elapsed, 0.0, crossing), np.nan)
    following = interval[np.minimum(at + 1, len(interval) - 1)]
    new_second = _time_in_new_step(old, new, crossing, counted, following)
    new_second = np.where(np.isfinite(elapsed), elapsed, new_second)
    old_second = crossing - new_second
    is_short = old_second <= 2.0 * interval[at - 1]
    added = np.where(is_short, old * old_second / 3600.0, 0.0)
    added = np.where(np.isfinite(counted), counted - new * new_second / 3600.0, added)
    charge[at] = new * new_second / 3600.0 + np.where(old == 0, added, 0.0)
    charge[at - 1] += np.where(old == 0, 0.0, added)
    return charge


def _time_in_new_step(
    old: Floats, new: Floats, whole: Floats, counted: Floats, following: Floats
) -> Floats:
    """Return the part of an interval in the new step, s, by the counter or by its length."""
    by_length = np.where(whole <= 2.0 * following, whole, 0.0)
    current_change = new - old
    by_count = (3600.0 * counted - old * whole) / np.where(
        current_change == 0, np.inf, current_change
    )
    return np.where(np.isfinite(counted), np.clip(by_count, 0.0, whole), by_length)


def net_increments(
    net_capacity_ah: Floats, current_ampere: Floats, time_second: Floats, at: NDArray[np.int64]
) -> Floats:
    """Return the increments of a running charge that may be reset at the start of a step.

    A change of more than ten times the charge that the larger of the two currents can carry in the
    interval is a reset: the increment is then the value shown, if that is possible, else zero.

    Parameters
    ----------
    net_capacity_ah, current_ampere, time_second
        The instrument's running charge, Ah, current, A, and time in the test, s; shape (n,).
    at
        First records of steps.

    Returns
    -------
    Increments in Ah, 0 at the first record; shape (n,).

    """
    added = differences(net_capacity_ah)
    larger = np.maximum(np.abs(current_ampere[at]), np.abs(current_ampere[at - 1]))
    possible = larger * np.abs(time_second[at] - time_second[at - 1]) * (RESET / 3600.0)
    shown = net_capacity_ah[at]
    possible += ROUNDED_AH + ROUNDED * np.abs(shown)
    since_reset = np.where(np.abs(shown) <= possible, shown, 0.0)
    added[at] = np.where(np.abs(added[at]) > possible, since_reset, added[at])
    return added


def counter_increments(counter: Floats) -> Floats:
    """Return the increments of a charge counter that may be reset to zero at any record.

    Where the counter falls it was reset, and its value is the charge since then.

    Parameters
    ----------
    counter
        The instrument's counter, Ah, never negative; shape (n,).

    Returns
    -------
    Increments in Ah, 0 at the first record; shape (n,).

    """
    added = differences(counter)
    reset = np.flatnonzero(added < 0)
    added[reset] = np.maximum(counter[reset], 0.0)
    return added
