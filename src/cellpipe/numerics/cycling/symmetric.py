"""Stripping and plating in symmetric cells: which cells do it, and their constant currents.

A symmetric cell has two equal electrodes, so that its voltage is the overpotential of the current
that flows, follows its sign, and is the same in both directions. It stores nothing: it has no
capacity, Coulombic efficiency or retention.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Evidence = Literal["follows", "contradicts", "unclear"]
Configuration = Literal["full", "half", "symmetric"]
FOLLOWS: Evidence = "follows"
CONTRADICTS: Evidence = "contradicts"

SAME_CURRENT = 0.05  # relative difference of currents that are one
_STORED_VOLT = 0.1  # of one sign in both directions, as of a cell that stores charge
_LITTLE = 0.1  # of the usual charge; half cycles with less are not looked at
_SHARE = 0.9  # of the half cycles in which the voltage has the current's sign
_MIRRORED = 2.5  # largest ratio of the voltages of the two directions
_ENDS = 0.4  # of the mean voltage; less at the end is that of a ramp back to zero
_BALANCED = 0.1  # relative difference of the charges of the two directions
_LARGEST_VOLT = 4.0  # mean overpotential; a cell that stores charge may be above
_LEAST = 2  # half cycles in each direction, to tell a symmetric cell without a sheet
_CHANGES = 0.08  # of a current from one record to the next, so that another begins
_SPREAD = 0.15  # of a constant current, from its lowest to its highest tenth
_LEAPS, _LEAP_SECOND = 20.0, 600.0  # usual intervals, and s, without records


class HalfCycleVoltages(NamedTuple):
    """Voltages of half cycles, V, and their charges, Ah; each of shape (k,).

    ``direction`` is 1 on charge and -1 on discharge.
    """

    direction: NDArray[np.int8]
    mean: Floats
    end: Floats
    lowest: Floats
    highest: Floats
    charge: Floats


def voltage_evidence(halves: HalfCycleVoltages) -> Evidence:
    """Tell whether voltages are those of a symmetric cell.

    They follow if their sign is the current's in both directions, their sizes mirror each other, as
    do the charges, and none runs away at the end as that of a stripped-off electrode does, or goes
    back to zero as that of a voltammogram does; they contradict if they have one sign whatever the
    current. Else it is unclear, as in a cell that is short-circuited.
    """
    size = np.abs(halves.charge)
    kept = np.isfinite(halves.mean) & (size > _LITTLE * np.median(size) if len(size) else size > 0)
    chosen = HalfCycleVoltages(
        halves.direction[kept], halves.mean[kept], halves.end[kept], halves.lowest[kept],
        halves.highest[kept], halves.charge[kept],
    )  # fmt: skip
    up, down = chosen.direction > 0, chosen.direction < 0
    if not up.any() or not down.any():
        return "unclear"
    positive, negative = float(np.median(chosen.mean[up])), float(np.median(chosen.mean[down]))
    if positive * negative > 0 and min(abs(positive), abs(negative)) > _STORED_VOLT:
        return "contradicts"
    signed = (np.sign(chosen.mean) == chosen.direction).mean() >= _SHARE
    enough = min(up.sum(), down.sum()) >= _LEAST
    return "follows" if enough and signed and _is_mirrored(chosen, up, down) else "unclear"


def _is_mirrored(halves: HalfCycleVoltages, up: NDArray[np.bool_], down: NDArray[np.bool_]) -> bool:
    """Tell whether voltages and charges of both directions are alike, and end as they were."""

    def medians(values: Floats) -> Floats:
        return np.array([np.median(values[up]), np.median(values[down])])

    sizes = medians(np.abs(halves.mean))
    peaks = medians(np.maximum(halves.highest, 0) * up + np.maximum(-halves.lowest, 0) * down)
    ends, charges = medians(halves.end * halves.direction), medians(np.abs(halves.charge))
    return bool(
        sizes.max() <= min(_MIRRORED * sizes.min(), _LARGEST_VOLT)
        and peaks.max() <= _MIRRORED * peaks.min()
        and (ends >= _ENDS * sizes).all()
        and charges.max() - charges.min() <= _BALANCED * charges.max()
    )


def is_stripping_and_plating(configuration: Configuration | None, evidence: Evidence) -> bool:
    """Tell whether a cell is symmetric, so that no capacity, efficiency or retention has a meaning.

    The sheet says so and the voltage does not contradict it, or the sheet says nothing and the
    voltage, its mirror image and the charges of both directions do.
    """
    if configuration == "symmetric":
        return evidence != CONTRADICTS
    return configuration is None and evidence == FOLLOWS


class Stretches(NamedTuple):
    """Stretches of constant current; each of shape (m,).

    ``first`` and ``last`` are the records they begin and end with, ``direction`` is 1 or -1,
    ``ampere`` the size of the current.
    """

    first: Ints
    last: Ints
    direction: NDArray[np.int8]
    ampere: Floats


def find_stretches(
    second: Floats, ampere: Floats, direction: NDArray[np.int8], step: Ints | None = None
) -> Stretches:
    """Return the stretches of constant current of records; ramps and decays are none.

    Parameters
    ----------
    second
        Time, s, never falling; shape (n,).
    ampere
        Current, A, shape (n,).
    direction
        1 on charge, -1 on discharge, 0 at rest; shape (n,).
    step
        The instrument's number of each record's step, if it is known; shape (n,).

    """
    size = np.abs(ampere)
    with np.errstate(divide="ignore", invalid="ignore"):
        turns = np.abs(np.diff(np.log(size))) > _CHANGES
    interval = np.diff(second)
    flows = direction != 0
    usual = float(np.median(interval[flows[1:]])) if flows[1:].any() else 0.0
    begins = turns | (np.diff(direction) != 0) | (interval > max(_LEAPS * usual, _LEAP_SECOND))
    if step is not None:
        begins |= np.diff(step) != 0
    first = np.flatnonzero(np.concatenate([[True], begins])) if len(size) else np.zeros(0, np.int64)
    last = np.append(first[1:], len(size)) - 1
    kept = flows[first] & (last > first) if len(first) else np.zeros(0, np.bool_)
    first, last = first[kept].astype(np.int64), last[kept].astype(np.int64)
    sizes = [
        np.quantile(size[a : b + 1], (0.1, 0.5, 0.9)) for a, b in zip(first, last, strict=True)
    ]
    low, level, high = np.array(sizes, np.float64).reshape(-1, 3).T
    steady = high - low <= _SPREAD * level
    return Stretches(first[steady], last[steady], direction[first[steady]], level[steady])
