"""Whether a number goes with a factor: rank correlation, and the slope between them."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST = 5  # cells; of fewer, chance alone orders too many
_ALL_ORDERS = 8  # cells of which all orders are tried

Floats = NDArray[np.float64]


class Trend(NamedTuple):
    """Spearman's ρ with its chance, and the Theil–Sen slope with its 95 % interval."""

    correlation: float
    chance: float
    slope: float
    low: float
    high: float


def estimate_trend(factor: Floats, number: Floats) -> Trend | None:
    """Estimate how a number goes with a factor; None for fewer than five cells, or one value.

    The chance is that of a correlation as strong if the numbers were dealt anew: of all orders up
    to eight cells, else by Student's t.

    Parameters
    ----------
    factor, number
        Of each cell; shape (n,).

    """
    if len(factor) < FEWEST or np.ptp(factor) == 0 or np.ptp(number) == 0:
        return None
    from scipy.stats import rankdata, t, theilslopes

    ranks = [_standardize(rankdata(each)) for each in (factor, number)]
    correlation = float(ranks[0] @ ranks[1])
    if len(factor) <= _ALL_ORDERS:
        orders = np.array(list(itertools.permutations(range(len(factor)))))
        others = np.abs(ranks[1][orders] @ ranks[0])
        chance = float(np.mean(others >= abs(correlation) - 1e-9))
    else:
        freedom = len(factor) - 2
        left = max(1 - correlation**2, 1e-15)
        chance = 2 * float(t.sf(abs(correlation) * math.sqrt(freedom / left), freedom))
    line = theilslopes(number, factor, alpha=0.95)
    return Trend(
        correlation, chance, float(line.slope), float(line.low_slope), float(line.high_slope)
    )


def _standardize(ranks: Floats) -> Floats:
    centred = ranks - ranks.mean()
    return np.asarray(centred / math.sqrt(float(centred @ centred)))
