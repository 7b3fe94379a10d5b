"""Which small currents are an offset at open circuit, and which are driven.

An instrument's offset of some thousandths of its range looks like a current. Where its step types
are known they say what is driven. Where they are not, a small current that sets in abruptly after a
driven one, and stays the same while the voltage leaves the value at which the driven one ended, is
no charge: at a constant voltage the voltage stays and the current falls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALL = 0.01  # of the usual current: an offset is below
ABRUPT = 5.0  # times: the current before was larger by that
STEADY = 0.2  # of an offset, by which it changes
LEFT_VOLT = 0.01  # the voltage has left the one at which the current ended
FEWEST = 3  # records of a stretch

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Directions = NDArray[np.int8]


def find_offset(
    current_ampere: Floats, voltage_volt: Floats, direction: Directions
) -> tuple[Flags, float]:
    """Return which records are at open circuit though a current is shown, and its median, A.

    Parameters
    ----------
    current_ampere, voltage_volt
        Current, A, and voltage, V; shape (n,).
    direction
        +1, −1 or 0 for each record, by its current; shape (n,).

    """
    open_circuit = np.zeros(current_ampere.size, np.bool_)
    size = np.abs(current_ampere)
    flowing = size[:: max(size.size // 100_000, 1)]
    flowing = np.sort(flowing[flowing > 0])
    if not flowing.size:
        return open_circuit, 0.0
    passed = np.cumsum(flowing)
    usual = float(flowing[np.searchsorted(passed, passed[-1] / 2)])
    small = (size < SMALL * usual) & (direction != 0)
    if not small.any():
        return open_circuit, 0.0
    edges = np.flatnonzero(np.diff(small, prepend=False, append=False))
    offsets = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        offset = _offset(current_ampere[start:end])
        if offset and _leaves(current_ampere, voltage_volt, start, end, offset):
            open_circuit[start:end] = True
            offsets.append(offset)
    return open_circuit, float(np.median(offsets)) if offsets else 0.0


def _offset(current: Floats) -> float:
    """Return the median of a current that stays the same; 0 of one that does not."""
    if current.size < FEWEST:
        return 0.0
    offset = float(np.median(current))
    spread = float(np.median(np.abs(current - offset)))
    drift = abs(float(np.median(current[: FEWEST + 2]) - np.median(current[-FEWEST - 2 :])))
    return offset if max(spread, drift) <= STEADY * abs(offset) else 0.0


def _leaves(current: Floats, voltage: Floats, start: int, end: int, offset: float) -> bool:
    """Return whether a large current ends before, and the voltage then relaxes from its value."""
    if start == 0:
        return False
    before = float(current[start - 1])
    if abs(before) < ABRUPT * abs(offset):
        return False
    moved = float(np.median(voltage[start:end]) - voltage[start - 1])
    return bool(moved * np.sign(before) < -LEFT_VOLT)
