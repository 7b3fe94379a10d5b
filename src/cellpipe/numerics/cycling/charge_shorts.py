"""Short circuits of a cell that stores charge: charges without an end, and a jumping voltage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_EARLIER = 3  # cycles before, at least
_BEYOND = 1.25  # times the largest charge so far
_LOST = 0.8  # of the charge: no more came back
_KEPT = 0.9  # efficiency of the cycles before, that a sound cell has
_FALL_VOLT, _FALL_NOISES = 0.005, 10.0  # by which the voltage falls while the cell is charged
_SAME = 0.02  # relative change of a current that stays
_FALLS = 5  # in a charge


def runaway_charges(charged: Floats, discharged: Floats) -> NDArray[np.int64]:
    """Return the cycles that were charged far beyond all before them, and gave little of it back.

    Parameters
    ----------
    charged, discharged
        Charges of cycles with both halves in order, Ah; shape (n,).

    """
    found = []
    for place in range(_EARLIER, len(charged)):
        before = slice(place)
        kept = float(np.median(discharged[before] / charged[before]))
        runs_away = charged[place] > _BEYOND * charged[before].max()
        if kept >= _KEPT and runs_away and discharged[place] < _LOST * charged[place]:
            found.append(place)
    return np.array(found, np.int64)


def find_charge_falls(volt: Floats, ampere: Floats) -> NDArray[np.int64]:
    """Return the records at which the voltage falls in a charge while the current stays.

    Parameters
    ----------
    volt, ampere
        Voltage, V, and current, A, of a charge; shape (n,).

    """
    step = np.diff(volt)
    steady = np.abs(np.diff(ampere)) <= _SAME * np.abs(ampere[1:])
    noise = 1.4826 * float(np.median(np.abs(step - np.median(step)))) if len(step) else 0.0
    falls = steady & (step < -max(_FALL_VOLT, _FALL_NOISES * noise))
    return np.flatnonzero(falls).astype(np.int64) + 1


def is_shorted(falls: int, usual: int) -> bool:
    """Tell whether so many falls in a charge are a short; a sound charge has ``usual`` ones."""
    return falls >= _FALLS + 2 * usual
