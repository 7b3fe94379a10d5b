"""Whether a resistance changed at all, and which way: its scatter held against its errors.

No law is needed. A change is scatter about one value that errors explain once in two thousand
times, even if neighbours are correlated. Whether it rises or falls is told from the best rising and
the best falling curves of any shape (isotonic regression).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from cellpipe.numerics.impedance.elements import Floats

Trend = Literal["unchanged", "rising", "falling", "not monotone"]
_LEVEL = 5e-4  # of false changes, and of a true law called none
_CORRELATION = 0.6  # of neighbours, at which that level holds
_SCATTER = 4.0  # squared errors, up to which scatter without order is no misfit
_FEWEST_IN_DISORDER = 5  # degrees of freedom from which disorder can be told
_ONE_WAY = 0.3  # of the misfit of the other way, that a way has at most
_LIKELY = 1e-3  # chance of the scatter of resistances that are said to be one
_ODD, _OFF = 4.0, 1.5  # times its error and the distance of its neighbours, of one that is odd


def is_within(residuals: Floats, freedom: int) -> bool:
    """Return whether errors, or scatter of up to twice them without any order, explain a misfit.

    Parameters
    ----------
    residuals
        In standard errors, in the order of time; shape (n,).
    freedom
        Degrees of freedom that are left.

    """
    left = float(residuals @ residuals)
    if left <= _limit(len(residuals), freedom):
        return True
    turns = float(np.sum(np.diff(residuals) ** 2)) / left  # 2 without order (von Neumann 1941)
    is_random = abs(turns / 2 - 1) < 2 / math.sqrt(len(residuals))
    return freedom >= _FEWEST_IN_DISORDER and is_random and left <= _SCATTER * freedom


def _limit(count: int, freedom: int) -> float:
    """Return the χ² that independent or correlated neighbours exceed once in two thousand times.

    For those that are correlated, Satterthwaite's approximation (Biometrics Bull. 2, 110 (1946),
    doi 10.2307/3002019) to a sum of squares about the mean, scaled to the degrees of freedom.
    """
    from scipy.stats import chi2

    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    centre = np.eye(count) - 1 / count
    spread = np.linalg.eigvalsh(centre @ (_CORRELATION**apart) @ centre)
    total, squares = float(spread.sum()), float((spread**2).sum())
    limit = float(chi2.isf(_LEVEL, total**2 / squares)) * squares / total
    return max(limit, float(chi2.isf(_LEVEL, count - 1))) * freedom / (count - 1)


def find_trend(resistance: Floats, error: Floats) -> tuple[float, Trend]:
    """Return the chance of such a scatter about one value, and how the resistance goes.

    Both are in ohm, in the order of time; shape (n,).
    """
    from scipy.optimize import isotonic_regression
    from scipy.stats import chi2

    weight, count = error**-2.0, len(resistance)
    about = (resistance - np.average(resistance, weights=weight)) / error
    chance = float(chi2.sf(float(about @ about), count - 1))
    if is_within(about, count - 1):
        return chance, "unchanged"
    names: tuple[tuple[bool, Trend], ...] = ((True, "rising"), (False, "falling"))
    misfits: dict[Trend, Floats] = {}
    for rises, name in names:
        best = isotonic_regression(resistance, weights=weight, increasing=rises).x
        misfits[name] = (resistance - best) / error
    left = {name: float(off @ off) for name, off in misfits.items()}
    trend = min(left, key=lambda name: left[name])
    is_told = left[trend] <= _ONE_WAY * max(left.values())
    is_likely = float(chi2.sf(left[trend], count - 1)) > _LIKELY
    if (is_told or is_likely) and is_within(misfits[trend], count - 1):
        return chance, trend
    return chance, "not monotone"


def find_lone(resistance: Floats, error: Floats) -> int | None:
    """Return the one resistance without which nothing changes; None if there is none."""
    from scipy.stats import chi2

    left: dict[int, float] = {}
    for place in range(len(resistance)):
        others = np.arange(len(resistance)) != place
        weight = error[others] ** -2.0
        mean = float(np.average(resistance[others], weights=weight))
        about = (resistance[others] - mean) / error[others]
        alone = math.sqrt(float(error[place]) ** 2 + 1 / float(weight.sum()))
        is_far = abs(float(resistance[place]) - mean) > _ODD * alone
        if is_far and float(chi2.sf(float(about @ about), len(about) - 1)) > _LIKELY:
            left[place] = float(about @ about)
    return min(left, key=lambda place: left[place]) if left else None


def find_odd(time: Floats, resistance: Floats, error: Floats) -> int | None:
    """Return the one resistance that is far from the line between its neighbours; None if none."""
    off = np.zeros(len(time))
    share = np.diff(time)[1:] / np.maximum(time[2:] - time[:-2], 1e-300)
    line = share * resistance[:-2] + (1 - share) * resistance[2:]
    off[1:-1] = np.abs(resistance[1:-1] - line)
    odd = int(np.argmax(off))
    if not off[odd]:
        return None
    apart = abs(float(resistance[odd - 1] - resistance[odd + 1]))
    return odd if off[odd] > max(_OFF * apart, _ODD * float(error[odd])) else None


def neighbour_scatter(time: Floats, resistance: Floats) -> float:
    """Return how far each resistance is from the line between its neighbours, as a deviation."""
    before, after = np.diff(time)[:-1], np.diff(time)[1:]
    share = after / np.maximum(before + after, 1e-300)
    off = resistance[1:-1] - share * resistance[:-2] - (1 - share) * resistance[2:]
    return float(np.median(np.abs(off / np.sqrt(1 + share**2 + (1 - share) ** 2)))) / 0.6745
