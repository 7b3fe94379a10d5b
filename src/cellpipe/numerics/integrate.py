"""Charge from current and time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def charge_increments(
    time_second: Floats,
    current_ampere: Floats,
    new_step: NDArray[np.bool_],
    *,
    step_time_second: Floats | None = None,
    net_capacity_ah: Floats | None = None,
) -> Floats:
    """Charge that passed between each record and the one before it.

    Within a step by the trapezoid rule over the real time steps; time that runs backwards counts
    as zero. Over the interval that crosses into a new step a trapezoid would be wrong, for the
    current jumps there, and the test may have stood still. That interval is settled by, in this
    order: the instrument's running count of the charge; the time since the step began with the
    new step's current; the new step's current where the interval is no longer than twice the next.

    Parameters
    ----------
    time_second, current_ampere
        Time in the test, s, and current, A, positive on charge; shape (n,).
    new_step
        True at the first record of each step; shape (n,).
    step_time_second, net_capacity_ah
        Time since the step began, s, and the instrument's running charge, Ah, if recorded.

    Returns
    -------
    Charge in Ah, positive on charge, 0 at the first record; shape (n,).

    """
    interval = np.empty_like(time_second)
    interval[:1] = 0.0
    np.subtract(time_second[1:], time_second[:-1], out=interval[1:])
    np.maximum(interval, 0.0, out=interval)
    charge = np.empty_like(current_ampere)
    charge[:1] = 0.0
    np.add(current_ampere[1:], current_ampere[:-1], out=charge[1:])
    charge *= interval
    charge *= 0.5 / 3600.0
    at = np.flatnonzero(new_step[1:]) + 1
    if net_capacity_ah is not None:
        crossing = net_capacity_ah[at] - net_capacity_ah[at - 1]
    elif step_time_second is not None:
        crossing = current_ampere[at] * np.minimum(step_time_second[at], interval[at]) / 3600.0
    else:
        following = interval[np.minimum(at + 1, len(interval) - 1)]
        usual = interval[at] <= 2.0 * following
        crossing = np.where(usual, current_ampere[at] * interval[at] / 3600.0, 0.0)
    charge[at] = np.where(np.isfinite(crossing), crossing, 0.0)
    return charge


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
    added = np.empty_like(counter)
    added[:1] = 0.0
    np.subtract(counter[1:], counter[:-1], out=added[1:])
    reset = np.flatnonzero(added < 0)
    added[reset] = np.maximum(counter[reset], 0.0)
    return added
