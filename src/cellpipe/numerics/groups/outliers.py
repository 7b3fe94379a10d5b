"""Values of a group that stand apart from the others, and the middle of those that don't."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST_FOR_Z = 4  # values from which the modified z is used; three have no scatter of their own
LIMIT = 3.5  # modified z beyond which Iglewicz and Hoaglin call a value an outlier
LEVEL = 0.05  # chance that a value lies outside the interval of the two others though all are alike
RESOLUTION = 1e-3  # of the median: replicates closer than cyclers measure are alike
_NORMAL, _MEAN_NORMAL = 0.6745, 0.7979  # median and mean of |x| over the standard deviation

Floats = NDArray[np.float64]


class Outliers(NamedTuple):
    """Which values stand apart, each value's score, and the score's limit and name."""

    is_outlier: NDArray[np.bool_]
    score: Floats
    limit: float
    rule: str


class Interval(NamedTuple):
    """A middle value, its interval, and the chance that the interval holds the true one."""

    value: float
    low: float
    high: float
    level: float


def find_outliers(values: Floats) -> Outliers:
    """Find values that stand apart from the rest of their group.

    From four values on by the modified z of B. Iglewicz and D. C. Hoaglin (How to Detect and
    Handle Outliers, ASQC 1993), 0.6745 (x - median) / MAD; if half of the values are equal, the
    mean absolute deviation stands for the MAD. Of three, by the 95 % prediction interval (Student)
    of each value from the two others. Fewer have none. A scatter smaller than a thousandth
    of the median counts as that.

    Parameters
    ----------
    values
        Finite values; shape (n,).

    """
    count = len(values)
    none = np.zeros(count, np.bool_)
    if count < FEWEST_FOR_Z - 1:
        return Outliers(none, np.full(count, np.nan), math.nan, "none")
    least = RESOLUTION * abs(float(np.median(values)))
    if count < FEWEST_FOR_Z:
        return _student_outliers(values, least)
    off = values - np.median(values)
    scatter = float(np.median(np.abs(off))) / _NORMAL
    if scatter == 0:
        scatter = float(np.mean(np.abs(off))) / _MEAN_NORMAL
    score = off / max(scatter, least) if max(scatter, least) > 0 else np.zeros(count)
    return Outliers(np.abs(score) > LIMIT, score, LIMIT, "modified z")


def _student_outliers(values: Floats, least: float) -> Outliers:
    from scipy.stats import t

    count = len(values)
    score = np.zeros(count)
    for place, value in enumerate(values):
        others = np.delete(values, place)
        scatter = max(float(others.std(ddof=1)), least)
        if scatter > 0:
            score[place] = (value - others.mean()) / (scatter * math.sqrt(1 + 1 / (count - 1)))
    limit = float(t.isf(LEVEL / 2, count - 2))
    return Outliers(np.abs(score) > limit, score, limit, "Student's t")


def median_interval(values: Floats, level: float = 0.95) -> Interval:
    """Return the median with the narrowest interval of ordered values that holds it.

    The chance is the binomial one, without any assumption on the distribution. Below six values
    not even the smallest and the largest hold it with 95 %: then they are the interval, with the
    chance that they have.

    Parameters
    ----------
    values
        Finite values; shape (n,), at least one.
    level
        Chance that is asked for.

    """
    from scipy.stats import binom

    ordered, count = np.sort(values), len(values)
    below = [k for k in range(count // 2) if 1 - 2 * binom.cdf(k, count, 0.5) >= level]
    rank = below[-1] if below else 0
    chance = float(1 - 2 * binom.cdf(rank, count, 0.5)) if count > 1 else 0.0
    return Interval(
        float(np.median(values)), float(ordered[rank]), float(ordered[-1 - rank]), chance
    )
