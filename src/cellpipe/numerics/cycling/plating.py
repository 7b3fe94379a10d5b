"""Efficiency of plating lithium on a foil that holds none, from cycles or with a reservoir.

With a reservoir (B. D. Adams, J. Zheng, X. Ren, W. Xu and J.-G. Zhang, Adv. Energy Mater. 8,
1702097 (2018), doi 10.1002/aenm.201702097), a charge Q_T is plated first, then Q_C is stripped and
plated n times, and in the end all that is left is stripped, Q_S:
CE = (n Q_C + Q_S) / (n Q_C + Q_T).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]
_SAME = 0.02  # relative difference of charges that are one
_PART = 0.95  # of the reservoir; what is cycled is less
_FEWEST = 3  # cycles of the reservoir


class Reservoir(NamedTuple):
    """Half cycles of a reservoir: that which plates it, and the last one of its cycles.

    ``last`` is the final stripping, None if it is not in the data. ``cycles`` counts the pairs of
    stripping and plating between them. Numbers are from 0.
    """

    first: int
    last: int | None
    cycles: int
    end: int


class Efficiency(NamedTuple):
    """An efficiency, and the ends of its interval."""

    value: float
    low: float
    high: float


def find_reservoir(plates: NDArray[np.bool_], charge: Floats) -> Reservoir | None:
    """Return the last reservoir among half cycles, None if there is none.

    Parameters
    ----------
    plates
        Whether a half cycle plates; shape (k,). They must take turns within a reservoir.
    charge
        Charge of each half cycle, Ah; shape (k,).

    """
    found = None
    place = 0
    while place < len(charge):
        pairs = _count_pairs(plates, charge, place) if plates[place] else 0
        if pairs < _FEWEST:
            place += 1
            continue
        end = place + 2 * pairs
        last = end + 1 if end + 1 < len(charge) and not plates[end + 1] else None
        found = Reservoir(place, last, pairs, end)
        place = end + 1
    return found


def _count_pairs(plates: NDArray[np.bool_], charge: Floats, first: int) -> int:
    """Count the pairs of stripping and plating of one charge behind a half cycle that plates."""
    if first + 2 >= len(charge):
        return 0
    cycled = charge[first + 1]
    if cycled > _PART * charge[first] or cycled <= 0:
        return 0
    pairs = 0
    for strip in range(first + 1, len(charge) - 1, 2):
        turns = not plates[strip] and bool(plates[strip + 1])
        same = np.abs(charge[strip : strip + 2] / cycled - 1) <= _SAME
        if not turns or not same.all():
            break
        pairs += 1
    return pairs


def reservoir_efficiency(
    reservoir: Reservoir, charge: Floats, uncertainty: Floats
) -> Efficiency | None:
    """Return the mean efficiency with a reservoir, None if its final stripping is not known.

    Its interval is what the charges' uncertainties allow. All charges in Ah, of shape (k,).
    """
    first, last, pairs, end = reservoir
    if last is None:
        return None
    cycled = float(np.mean(charge[first + 1 : end + 1]))
    stripped, plated = pairs * cycled + charge[last], pairs * cycled + charge[first]
    value = float(stripped / plated)
    off = float(
        (uncertainty[last] + value * uncertainty[first]
         + abs(1 - value) * pairs * np.mean(uncertainty[first + 1 : end + 1])) / plated
    )  # fmt: skip
    return Efficiency(value, value - off, value + off)


def mean_efficiency(efficiency: Floats) -> Efficiency | None:
    """Return the mean of efficiencies with its 95 % interval by Student's t; None of fewer than 2.

    Shape of ``efficiency``: (n,).
    """
    count = len(efficiency)
    if count < 2:
        return None
    value = float(np.mean(efficiency))
    error = float(np.std(efficiency, ddof=1) / np.sqrt(count))
    half = float(student.ppf(0.975, count - 1)) * error
    return Efficiency(value, value - half, value + half)
