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
FOLLOWS, CONTRADICTS, UNCLEAR = "follows", "contradicts", "unclear"

SAME_CURRENT = 0.05  # relative difference of currents that are one
_SHARE = 0.9  # of the half cycles in which the voltage has the current's sign
_MIRRORED = 2.5  # largest ratio of the voltages of the two directions
_BALANCED = 0.1  # relative difference of the charges of the two directions
_LARGEST_VOLT = 4.0  # mean overpotential; a cell that stores charge may be above
_LEAST = 2  # half cycles in each direction, to tell a symmetric cell without a sheet
_CHANGES = 0.08  # of a current from one record to the next, so that another begins
_LEAPS, _LEAP_SECOND = 20.0, 600.0  # usual intervals, and s, without records


class HalfCycleVoltages(NamedTuple):
    """Voltages of half cycles, V, and their charges, Ah; each of shape (k,).

    ``direction`` is 1 on charge and -1 on discharge.
    """

    direction: NDArray[np.int8]
    mean: Floats
    lowest: Floats
    highest: Floats
    charge: Floats


def voltage_evidence(halves: HalfCycleVoltages) -> Evidence:
    """Tell whether voltages are those of a symmetric cell.

    They follow if their sign is the current's in both directions, their sizes mirror each other, as
    do the charges, and none runs away at the end as that of a stripped-off electrode does; they
    contradict if they have one sign whatever the current. Else it is unclear, as in a cell that is
    short-circuited.
    """
    size = np.abs(halves.charge)
    kept = np.isfinite(halves.mean) & (size > 0.1 * np.median(size) if len(size) else size > 0)
    direction, mean = halves.direction[kept], halves.mean[kept]
    up, down = direction > 0, direction < 0
    if not up.any() or not down.any():
        return "unclear"
    positive, negative = float(np.median(mean[up])), float(np.median(-mean[down]))
    same_sign = min(-negative, positive) > 0.1 or max(-negative, positive) < -0.1
    if same_sign and min(abs(positive), abs(negative)) > abs(positive + negative) / 2:
        return "contradicts"
    if min(up.sum(), down.sum()) < _LEAST or (np.sign(mean) == direction).mean() < _SHARE:
        return "unclear"
    if max(positive, negative) > min(_MIRRORED * min(positive, negative), _LARGEST_VOLT):
        return "unclear"
    highest, lowest = np.median(halves.highest[kept][up]), np.median(-halves.lowest[kept][down])
    if max(highest, lowest) > _MIRRORED * max(min(highest, lowest), 0.0):
        return "unclear"
    passed = [float(size[kept][side].sum()) for side in (up, down)]
    usual = [float(np.median(size[kept][side])) for side in (up, down)]
    if abs(usual[0] - usual[1]) > _BALANCED * max(usual) or min(passed) <= 0:
        return "unclear"
    return "follows"


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
    """Return the stretches of constant current of records.

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
    level = np.array(
        [np.median(size[a : b + 1]) for a, b in zip(first, last, strict=True)], np.float64
    )
    return Stretches(first, last, direction[first] if len(first) else direction[:0], level)
