"""Cycles to a limit in a group of which some cells are not there yet: Kaplan and Meier."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Survival(NamedTuple):
    """Steps of the share of cells above the limit, and the cycle at which half are below.

    ``cycle``, ``share``, ``low`` and ``high`` have one value for each cycle at which a cell passes
    the limit, with the 95 % interval; the median and its ends are None where the share, or its
    bound, has not come down to a half.
    """

    cycle: Floats
    share: Floats
    low: Floats
    high: Floats
    median: float | None
    median_low: float | None
    median_high: float | None


def estimate_survival(cycle: Floats, has_passed: NDArray[np.bool_]) -> Survival:
    """Estimate the share of cells above a limit by cycle, also from cells that still run.

    The product of E. L. Kaplan and P. Meier (J. Am. Stat. Assoc. 53, 457 (1958), doi
    10.1080/01621459.1958.10501452), Greenwood's variance, and the interval on the scale log(-log).

    Parameters
    ----------
    cycle
        Cycle at which each cell passed the limit, or its last one; shape (n,).
    has_passed
        Whether it passed; shape (n,).

    """
    times = np.unique(cycle[has_passed])
    share, greenwood = 1.0, 0.0
    rows = []
    for time in times:
        running = int(np.sum(cycle >= time))
        passing = int(np.sum((cycle == time) & has_passed))
        share *= 1 - passing / running
        left = running - passing
        greenwood = greenwood + passing / (running * left) if left else math.nan
        rows.append((share, *_bounds(share, greenwood)))
    columns = np.array(rows).reshape(-1, 3).T
    ends = [_first_at_half(times, column) for column in columns]
    return Survival(times.astype(np.float64), *columns, *ends)


def _bounds(share: float, greenwood: float) -> tuple[float, float]:
    if not 0 < share < 1:
        return share, share
    inner = math.log(-math.log(share))
    half = 1.96 * math.sqrt(greenwood) / abs(math.log(share))
    return math.exp(-math.exp(inner + half)), math.exp(-math.exp(inner - half))


def _first_at_half(times: Floats, share: Floats) -> float | None:
    at = np.flatnonzero(share <= 0.5)
    return float(times[at[0]]) if len(at) else None
