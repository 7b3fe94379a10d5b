"""How a cell ages: cycles of one rate, the fade per cycle, and when a limit is passed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAME_RATE = 0.1  # currents closer than this are one rate
MOST = 1000  # cycles that a slope is taken over; more are thinned evenly
FEWEST = 5  # cycles that a slope needs
RETENTION_CYCLES = (10, 50, 100, 200, 500, 1000)  # at which papers print a retention

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Slope(NamedTuple):
    """A slope and its 95 % interval, per unit of x; NaN where there are too few points."""

    value: float
    low: float
    high: float


def rate_groups(current_ampere: Floats) -> Integers:
    """Assign numbers to the rates of cycles in the order of their first appearance.

    Cycles are of one rate if their charging and their discharging current are each within 10 % of
    those of the rate's first cycle. A half that is missing (NaN) agrees with any.

    Parameters
    ----------
    current_ampere
        Magnitudes of the charging and the discharging current, A; shape (n, 2).

    Returns
    -------
    Number of the rate from 1 for each cycle; shape (n,).

    """
    known = np.log(np.where(current_ampere > 0, current_ampere, np.nan))
    groups = np.zeros(len(known), np.int64)
    number = 0
    while len(left := np.flatnonzero(groups == 0)):
        number += 1
        groups[left[_first_rate_mask(known[left])]] = number
    return groups


def _first_rate_mask(known: Floats) -> NDArray[np.bool_]:
    """Tell which cycles are of the first one's rate.

    A half that it lacks is taken from the first cycle that agrees with it and has that half.
    """
    near = np.zeros(len(known), np.bool_)
    first, start = known[0].copy(), 0
    while start < len(known):
        apart = np.abs(known[start:] - first)
        fits = (~(apart >= np.log1p(SAME_RATE))).all(axis=1)  # NaN: it agrees
        fills = fits & (np.isnan(first) & ~np.isnan(known[start:])).any(axis=1)
        end = int(np.argmax(fills)) + 1 if fills.any() else len(fits)
        near[start : start + end] = fits[:end]
        start += end
        if fills.any():
            first = np.where(np.isnan(first), known[start - 1], first)
    return near


def usual_rate(groups: Integers) -> int:
    """Return the rate of most cycles, the earliest of several; 0 if there is no cycle."""
    return int(np.argmax(np.bincount(groups))) if len(groups) else 0


def count_formation_cycles(groups: Integers, current_ampere: Floats) -> int:
    """Count the cycles at the beginning that are run slower than the usual rate.

    Parameters
    ----------
    groups
        Number of the rate of each cycle; shape (n,).
    current_ampere
        Magnitudes of the charging and the discharging current, A; shape (n, 2).

    """
    if not len(groups):
        return 0
    of_usual = np.flatnonzero(groups == usual_rate(groups))
    slower = current_ampere < current_ampere[of_usual[0]] / (1 + SAME_RATE)
    leading = np.append(slower.any(axis=1)[: of_usual[0]], False)
    return int(np.argmin(leading))


def fade(cycle: Floats, retention: Floats) -> Slope:
    """Slope of the retention over the cycles, by Theil and Sen: the median of all pairs' slopes.

    The interval is Sen's, from Kendall's τ (P. K. Sen, J. Am. Stat. Assoc. 63, 1379 (1968), doi
    10.1080/01621459.1968.10480934). Up to 29 % of the cycles may be outliers.

    Parameters
    ----------
    cycle, retention
        Cycle numbers and capacities over the reference; shape (n,).

    """
    if len(cycle) < FEWEST:
        return Slope(np.nan, np.nan, np.nan)
    from scipy.stats import theilslopes

    at = np.unique(np.linspace(0, len(cycle) - 1, MOST).round().astype(int))
    found = theilslopes(retention[at], cycle[at], alpha=0.95)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope))


def first_cycle_below(cycle: Integers, retention: Floats, limit: float) -> int | None:
    """Return the first cycle that is below a limit with the two after it; None while there is none.

    Parameters
    ----------
    cycle, retention
        Cycle numbers and capacities over the reference; shape (n,).
    limit
        The limit as a fraction.

    """
    below = retention < limit
    found = np.flatnonzero(below[:-2] & below[1:-1] & below[2:])
    return int(cycle[found[0]]) if len(found) else None
