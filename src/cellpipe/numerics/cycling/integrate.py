"""Charge from current and time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESET = 10.0  # times the charge that the current can carry: a count that jumps more was set back
ROUNDED_AH, ROUNDED = 1e-9, 1e-5  # what a count's last digits may hide


def differences(values: Floats) -> Floats:
    """Each value less the one before it, 0 for the first; shape (n,)."""
    found = np.empty_like(values)
    found[:1] = 0.0
    np.subtract(values[1:], values[:-1], out=found[1:])
    return found


def charge_increments(
    time_second: Floats,
    current_ampere: Floats,
    new_step: NDArray[np.bool_],
    *,
    at_rest: NDArray[np.bool_] | None = None,
    step_time_second: Floats | None = None,
    net_capacity_ah: Floats | None = None,
) -> Floats:
    """Charge that passed between each record and the one before it.

    Within a step by the trapezoid rule over the real time steps; time that runs backwards counts
    as zero. Over the interval that crosses into a new step a trapezoid would be wrong, for the
    current jumps there, and the test may have stood still. What passed in the new step is its
    current times the time since it began; without that time, the instrument's running count says
    how much it was, or the whole interval counts if it is no longer than twice the next. What
    passed in the old step after its last record is the rest of the running count, or else its
    current times the rest of the interval if that is no longer than twice the one before; it is
    added to the old step's last record. Nothing passes at rest: what was counted is the other's.

    Parameters
    ----------
    time_second, current_ampere
        Time in the test, s, and current, A, positive on charge; shape (n,).
    new_step
        True at the first record of each step; shape (n,).
    at_rest
        True at records at rest, by default those without current; shape (n,).
    step_time_second, net_capacity_ah
        Time since the step began, s, and the instrument's running charge, Ah, if recorded.

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
    whole = interval[at]
    counted = np.full(len(at), np.nan)
    if net_capacity_ah is not None:
        counted = net_increments(net_capacity_ah, current_ampere, time_second, at)[at]
    elapsed = np.full(len(at), np.nan) if step_time_second is None else step_time_second[at]
    elapsed = np.where(np.isfinite(elapsed), np.clip(elapsed, 0.0, whole), np.nan)
    following = interval[np.minimum(at + 1, len(interval) - 1)]
    into = _time_in_new_step(old, new, whole, counted, following)
    into = np.where(np.isfinite(elapsed), elapsed, into)
    left = whole - into
    usual = left <= 2.0 * interval[at - 1]
    added = np.where(usual, old * left / 3600.0, 0.0)
    added = np.where(np.isfinite(counted), counted - new * into / 3600.0, added)
    charge[at] = new * into / 3600.0 + np.where(old == 0, added, 0.0)
    charge[at - 1] += np.where(old == 0, 0.0, added)
    return charge


def _time_in_new_step(
    old: Floats, new: Floats, whole: Floats, counted: Floats, following: Floats
) -> Floats:
    """Return how much of an interval lies in the new step, s, by the count or by its length."""
    usual = np.where(whole <= 2.0 * following, whole, 0.0)
    apart = new - old
    solved = (3600.0 * counted - old * whole) / np.where(apart == 0, np.inf, apart)
    return np.where(np.isfinite(counted), np.clip(solved, 0.0, whole), usual)


def net_increments(
    net_capacity_ah: Floats, current_ampere: Floats, time_second: Floats, at: NDArray[np.int64]
) -> Floats:
    """Charge added between records by a running count that may be set back with a new step.

    A change that is more than ten times what the larger of the two currents can carry in the
    interval is a reset: then what the count shows was added, if that can be, else nothing.

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
    size = np.maximum(np.abs(current_ampere[at]), np.abs(current_ampere[at - 1]))
    possible = size * np.abs(time_second[at] - time_second[at - 1]) * (RESET / 3600.0)
    shown = net_capacity_ah[at]
    possible += ROUNDED_AH + ROUNDED * np.abs(shown)
    kept = np.where(np.abs(shown) <= possible, shown, 0.0)
    added[at] = np.where(np.abs(added[at]) > possible, kept, added[at])
    return added


def counter_increments(counter: Floats) -> Floats:
    """Charge added between records by a counter that may go back to zero at any record.

    Where the counter falls it was reset, and what it shows is what was added since.

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
