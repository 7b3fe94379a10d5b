"""Ageing of a cell: cycles of equal rate, fade per cycle, and the cycle that passes a limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAME_RATE = 0.1  # relative difference of currents up to which rates are equal
MOST = 1000  # cycles used for a slope; longer series are thinned evenly
FEWEST = 5  # cycles needed for a slope
MOST_FORMATION, MOST_RATES = 5, 2  # cycles and rates of a formation
SIMILAR = 2  # times as many cycles at one rate of a rate test as at its first
RETENTION_CYCLES = (10, 50, 100, 200, 500, 1000)  # at which papers print a retention

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Slope(NamedTuple):
    """A slope and its 95 % interval, per unit of x; NaN where there are too few points."""

    value: float
    low: float
    high: float


def rate_groups(current_ampere: Floats) -> Integers:
    """Return the number of each cycle's rate, in the order of first appearance.

    Cycles have the same rate if their charging and discharging currents are each within 10 % of
    those of the first cycle at that rate. A missing half cycle (NaN) agrees with any current.

    Parameters
    ----------
    current_ampere
        Magnitudes of the charging and the discharging current, A; shape (n, 2).

    Returns
    -------
    Number of the rate from 1 for each cycle; shape (n,).

    """
    log_current = np.log(np.where(current_ampere > 0, current_ampere, np.nan))
    groups = np.zeros(len(log_current), np.int64)
    number = 0
    while len(remaining := np.flatnonzero(groups == 0)):
        number += 1
        groups[remaining[_first_rate_mask(log_current[remaining])]] = number
    return groups


def _first_rate_mask(log_current: Floats) -> NDArray[np.bool_]:
    """Return which cycles have the same rate as the first one.

    A current that the first cycle lacks is taken from the first cycle that agrees and has it.
    """
    same_rate = np.zeros(len(log_current), np.bool_)
    first, start = log_current[0].copy(), 0
    while start < len(log_current):
        difference = np.abs(log_current[start:] - first)
        agrees = (~(difference >= np.log1p(SAME_RATE))).all(axis=1)  # NaN agrees
        fills = agrees & (np.isnan(first) & ~np.isnan(log_current[start:])).any(axis=1)
        end = int(np.argmax(fills)) + 1 if fills.any() else len(agrees)
        same_rate[start : start + end] = agrees[:end]
        start += end
        if fills.any():
            first = np.where(np.isnan(first), log_current[start - 1], first)
    return same_rate


def usual_rate(groups: Integers) -> int:
    """Return the most frequent rate, the earliest if there is a tie; 0 if there are no cycles."""
    return int(np.argmax(np.bincount(groups))) if len(groups) else 0


def count_formation_cycles(
    groups: Integers, current_ampere: Floats, complete: NDArray[np.bool_] | None = None
) -> int:
    """Return the number of leading cycles that are slower than the most frequent rate.

    A rate test is not formation: three or more rates that rise one after the other, each for a
    similar number of cycles; nor are slower cycles of three rates, or more than five that outnumber
    half of the cycles at the usual rate.

    Parameters
    ----------
    groups
        Number of the rate of each cycle; shape (n,).
    current_ampere
        Magnitudes of the charging and the discharging current, A; shape (n, 2).
    complete
        Whether each cycle is complete: only these tell the most frequent rate; shape (n,).

    """
    if not len(groups):
        return 0
    counted = groups if complete is None or not complete.any() else groups[complete]
    usual = usual_rate(counted)
    first = int(np.flatnonzero(groups == usual)[0])
    slower = current_ampere < current_ampere[first] / (1 + SAME_RATE)
    leading = int(np.argmin(np.append(slower.any(axis=1)[:first], False)))
    rates = len(np.unique(groups[:leading]))
    most = np.count_nonzero(groups == usual)
    if rates > MOST_RATES or (leading > MOST_FORMATION and 2 * leading > most):
        return 0
    return 0 if _is_rate_test(groups, current_ampere) else leading


def _is_rate_test(groups: Integers, current_ampere: Floats) -> bool:
    """Return whether three or more rates rise at the beginning, each for as many cycles or so."""
    begins = np.flatnonzero(np.diff(groups, prepend=0))
    lengths = np.diff(np.append(begins, len(groups)))
    current = np.nanmax(np.where(np.isnan(current_ampere), 0.0, current_ampere), axis=1)[begins]
    falls = np.append(current[1:] <= current[:-1], True)
    similar = lengths <= SIMILAR * lengths[0]
    similar &= lengths * SIMILAR >= lengths[0]
    ends = np.append(np.flatnonzero(~similar), len(similar))[0]
    rising = min(int(np.argmax(falls)) + 1, int(ends))
    return rising >= 3 and bool(lengths[:rising].min() >= 2)


def fade(cycle: Floats, retention: Floats) -> Slope:
    """Return the Theil–Sen slope of retention over cycle number, the median of all pairwise slopes.

    The 95 % interval is Sen's, from Kendall's τ (P. K. Sen, J. Am. Stat. Assoc. 63, 1379 (1968),
    doi 10.1080/01621459.1968.10480934). Up to 29 % of the cycles may be outliers.

    Parameters
    ----------
    cycle, retention
        Cycle numbers, and capacities relative to the reference; shape (n,).

    """
    if len(cycle) < FEWEST:
        return Slope(np.nan, np.nan, np.nan)
    from scipy.stats import theilslopes

    places = np.unique(np.linspace(0, len(cycle) - 1, MOST).round().astype(int))
    estimate = theilslopes(retention[places], cycle[places], alpha=0.95)
    return Slope(float(estimate.slope), float(estimate.low_slope), float(estimate.high_slope))


def first_cycle_below(cycle: Integers, retention: Floats, limit: float) -> int | None:
    """Return the first of three successive cycles below a limit; None if there is none.

    Parameters
    ----------
    cycle, retention
        Cycle numbers, and capacities relative to the reference; shape (n,).
    limit
        The limit as a fraction.

    """
    below = retention < limit
    places = np.flatnonzero(below[:-2] & below[1:-1] & below[2:])
    return int(cycle[places[0]]) if len(places) else None
