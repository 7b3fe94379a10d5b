"""Difference of two groups: effect size, tests, correction for several, number of cells needed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_ARRANGEMENTS = 20_000  # of a permutation test that are all tried; beyond, as many at random
MOST_NEEDED = 1000  # cells of a group; more are never made
POWER, LEVEL = 0.8, 0.05

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """The difference of two groups' means, first minus second, and what it is worth.

    ``low`` and ``high`` are the 95 % interval of the difference (Welch); ``effect`` is Hedges' g
    with its own; ``welch`` and ``permutation`` are chances of such a difference without any true
    one; ``smallest`` is the least that the permutation test can give with so few values.
    """

    difference: float
    low: float
    high: float
    effect: float
    effect_low: float
    effect_high: float
    welch: float
    permutation: float
    smallest: float


def compare_groups(first: Floats, second: Floats) -> Difference | None:
    """Compare two groups of at least two values each; None if one has fewer, or none scatters.

    Parameters
    ----------
    first, second
        Finite values; shapes (n,) and (m,).

    """
    if min(len(first), len(second)) < 2:
        return None
    difference = float(first.mean() - second.mean())
    square, freedom = _welch_error(first, second)
    if square <= 1e-24 * max(difference**2, float(np.abs(first).max()) ** 2):
        return None
    from scipy.stats import t

    error = math.sqrt(square)
    half = float(t.isf(0.025, freedom)) * error
    chance, smallest = permutation_chance(first, second)
    return Difference(
        difference, difference - half, difference + half, *hedges_g(first, second),
        2 * float(t.sf(abs(difference) / error, freedom)), chance, smallest,
    )  # fmt: skip


def _welch_error(first: Floats, second: Floats) -> tuple[float, float]:
    """Return the squared error of the difference of means, and its degrees of freedom."""
    parts = [float(each.var(ddof=1)) / len(each) for each in (first, second)]
    total = sum(parts)
    below = sum(p**2 / (len(e) - 1) for p, e in zip(parts, (first, second), strict=True))
    return total, total**2 / below if below > 0 else math.nan


def pooled_deviation(groups: Sequence[Floats]) -> float:
    """Return the standard deviation within groups; NaN if none has two values."""
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in several)
    return math.sqrt(squares / freedom) if freedom else math.nan


def hedges_g(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Return Hedges' g and its 95 % interval, by the noncentral t distribution.

    The difference of means over the pooled standard deviation, corrected for small groups
    (L. V. Hedges, J. Educ. Stat. 6, 107 (1981), doi 10.3102/10769986006002107).
    """
    freedom = len(first) + len(second) - 2
    root = math.sqrt(1 / len(first) + 1 / len(second))
    shift = float(first.mean() - second.mean()) / pooled_deviation((first, second)) / root
    small = math.exp(
        math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2) - math.log(freedom / 2) / 2
    ) if freedom > 1 else math.nan  # fmt: skip
    low, high = (_noncentrality(shift, freedom, chance) for chance in (0.975, 0.025))
    return shift * root * small, low * root * small, high * root * small


def _noncentrality(shift: float, freedom: int, chance: float) -> float:
    """Return the noncentrality of which t lies below ``shift`` with a chance."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    def off(centre: float) -> float:
        return float(nct.cdf(shift, freedom, centre)) - chance

    reach = 6 + 4 * abs(shift) / math.sqrt(freedom)
    ends = shift - reach, shift + reach
    try:
        return float(brentq(off, *ends))
    except ValueError:  # beyond what the distribution's series resolves: its normal form
        spread = math.sqrt(1 + shift**2 / (2 * freedom))
        return shift - math.copysign(1.96 * spread, chance - 0.5)


def permutation_chance(first: Floats, second: Floats) -> tuple[float, float]:
    """Return the chance of a difference as large if labels were dealt anew, and the least chance.

    By the means over Welch's error, which holds its level for unequal scatter, too (A. Janssen,
    Stat. Probab. Lett. 36, 9 (1997), doi 10.1016/S0167-7152(97)00043-6). All arrangements are
    tried, or twenty thousand at random.
    """
    together, count = np.concatenate([first, second]), len(first)
    ways = math.comb(len(together), count)
    if ways <= MOST_ARRANGEMENTS:
        chosen = np.array(list(itertools.combinations(range(len(together)), count)))
    else:
        order = np.random.default_rng(0).random((MOST_ARRANGEMENTS, len(together))).argsort(axis=1)
        chosen = np.vstack([np.arange(count), order[:, :count]])
    mask = np.zeros((len(chosen), len(together)), np.bool_)
    np.put_along_axis(mask, chosen, True, axis=1)
    rows = np.broadcast_to(together, mask.shape)
    scores = _scores(*(rows[part].reshape(len(mask), -1) for part in (mask, ~mask)))
    own = float(_scores(first[None], second[None])[0])
    extreme = float(np.mean(scores >= own * (1 - 1e-9)))
    halves = 2 if len(first) == len(second) else 1
    return extreme, max(halves / ways, 1 / len(mask))


def _scores(first: Floats, second: Floats) -> Floats:
    error = (
        first.var(axis=1, ddof=1) / first.shape[1] + second.var(axis=1, ddof=1) / (second.shape[1])
    )
    difference = np.abs(first.mean(axis=1) - second.mean(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference > 0, difference / np.sqrt(error), 0.0)


def adjust_holm(chances: Sequence[float]) -> list[float]:
    """Return chances corrected for their number (S. Holm, Scand. J. Stat. 6, 65 (1979))."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = least
    return adjusted


def needed_count(difference: float, deviation: float, power: float = POWER) -> int | None:
    """Return the cells that each of two groups needs to show a difference, at 5 % two-sided.

    By the noncentral t distribution; None if a thousand are not enough.

    Parameters
    ----------
    difference, deviation
        The true difference of means and the standard deviation within groups, in one unit.
    power
        Chance that a difference as large is found.

    """
    from scipy.stats import nct, t

    if not (difference and math.isfinite(difference) and deviation >= 0):
        return None
    for count in range(2, MOST_NEEDED + 1):
        freedom = 2 * count - 2
        if deviation == 0:
            return count
        centre = abs(difference) / deviation * math.sqrt(count / 2)
        if centre > 30 or float(nct.sf(t.isf(LEVEL / 2, freedom), freedom, centre)) >= power:
            return count
    return None
