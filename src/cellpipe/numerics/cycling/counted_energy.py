"""Energy of each step by the instrument's counter, where voltage and charge bear it out.

Between two records the voltage lies between their values unless it peaked: the smaller and the
larger value times the charge enclose the energy. What was counted within them is the measurement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.counters import Counter

ALLOWED = 1e-3  # of the energy, beyond the bounds
OFFSET_VOLT = 1e-3  # of the voltage, as an instrument has

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


def count_beyond_records(
    voltage_volt: Floats, charge_ah: Floats, counter: Counter, begins: Places, is_counted: Flags
) -> Floats:
    """Return how much more energy was counted in each step than voltage times charge give, Wh.

    Parameters
    ----------
    voltage_volt, charge_ah
        Voltage, V, and charge since the previous record, Ah, positive on charge; shape (n,).
    counter
        The instrument's counter of energy, Wh.
    begins, is_counted
        First record of each step, and whether its charge is that of the instrument's counter;
        shape (k,).

    Returns
    -------
    Shape (k,), positive where more was put in or less taken out; 0 where the count lies outside of
    the bounds, or the voltage is not above zero throughout.

    """
    ends = np.append(begins[1:], voltage_volt.size) - 1
    counted = counter.difference(begins, ends)
    middle, half = np.empty_like(charge_ah), np.empty_like(charge_ah)
    np.add(voltage_volt[1:], voltage_volt[:-1], out=middle[1:])
    np.subtract(voltage_volt[1:], voltage_volt[:-1], out=half[1:])
    np.abs(half, out=half)
    middle[begins] = half[begins] = 0.0
    middle *= charge_ah
    half *= np.abs(charge_ah)
    energy, width = (np.add.reduceat(values, begins) / 2 for values in (middle, half))
    passed = np.abs(np.add.reduceat(charge_ah, begins))
    allowed = width + ALLOWED * np.abs(energy) + OFFSET_VOLT * passed + 2 * counter.digit
    beyond = counted - energy
    is_good = is_counted & (np.abs(beyond) <= allowed)
    is_good &= np.minimum.reduceat(voltage_volt, begins) > 0
    return np.where(is_good, beyond, 0.0)
