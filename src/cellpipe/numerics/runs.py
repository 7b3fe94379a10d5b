"""Stretches of current in one direction: what makes half cycles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOISE = 1e-3  # of the test's usual current; what is below is no current
FLOOR_AMPERE = 5e-9  # below the noise of every cycler
MINOR = 1e-3  # of the largest stretch's charge; what is below belongs to its neighbour
PULSE = 0.05  # of the largest stretch's charge, if it is also shorter than PULSE_SECOND
PULSE_SECOND = 120.0


def directions(current_ampere: NDArray[np.float64]) -> NDArray[np.int8]:
    """Tell charge (+1) and discharge (−1) from rest (0).

    Current is what exceeds 0.1 % of the test's usual current (95th percentile of what is not
    zero) and 5 nA.

    Parameters
    ----------
    current_ampere
        Current, A, positive on charge; shape (n,).

    """
    size = np.abs(current_ampere)
    flowing = size[size > FLOOR_AMPERE]
    if not len(flowing):
        return np.zeros(len(size), np.int8)
    threshold = max(NOISE * float(np.percentile(flowing, 95)), FLOOR_AMPERE)
    return np.where(size > threshold, np.sign(current_ampere), 0).astype(np.int8)


def segment_numbers(
    direction: NDArray[np.int8], charge_ah: NDArray[np.float64], time_second: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Number the stretches of current in one direction.

    Rests don't end a stretch. A stretch with less than 0.1 % of the largest one's charge, or less
    than 5 % of it within two minutes (a pulse), doesn't count as one: it belongs to the stretch
    around it.

    Parameters
    ----------
    direction
        +1, −1 or 0 for each record; shape (n,).
    charge_ah
        Charge since the record before, Ah; shape (n,).
    time_second
        Time in the test, s; shape (n,).

    Returns
    -------
    Number of the stretch from 1 for each record with current, 0 at rest; shape (n,).

    """
    numbers = np.zeros(len(direction), np.int64)
    active = np.flatnonzero(direction)
    if not len(active):
        return numbers
    sign = direction[active]
    starts = np.flatnonzero(np.concatenate([[True], sign[1:] != sign[:-1]]))
    if len(starts) > 8 and len(starts) > 0.5 * len(active):
        return numbers  # the sign changes at every other record: noise
    ends = np.append(starts[1:], len(active)) - 1
    charge = np.abs(np.add.reduceat(charge_ah[active], starts))
    lasted = time_second[active[ends]] - time_second[active[starts]]
    number = merged_numbers(sign[starts], charge, lasted)
    numbers[active] = np.repeat(number, np.diff(np.append(starts, len(active))))
    return numbers


def _merged(sign: NDArray[np.int8], major: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number runs so that minor ones and major ones of the same sign join the one before."""
    kept = np.flatnonzero(major)
    turned = np.concatenate([[True], sign[kept][1:] != sign[kept][:-1]])
    number = np.zeros(len(sign), np.int64)
    number[kept[turned]] = 1
    number = np.cumsum(number)
    return np.maximum(number, 1)


def merged_numbers(
    direction: NDArray[np.int8],
    charge_ah: NDArray[np.float64],
    lasted_second: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Number runs, or segments of several files, so that minor ones belong to a neighbour.

    Parameters
    ----------
    direction, charge_ah, lasted_second
        +1 or −1, charge (Ah, positive) and length (s) of each in the order of time; shape (n,).

    Returns
    -------
    Number of the stretch, or half cycle, from 1 for each; shape (n,).

    """
    if not len(direction):
        return np.zeros(0, np.int64)
    largest = charge_ah.max()
    pulse = (charge_ah < PULSE * largest) & (lasted_second < PULSE_SECOND)
    major = (charge_ah >= MINOR * largest) & ~pulse
    if not major.any():
        major = charge_ah == largest
    return _merged(direction, major)
