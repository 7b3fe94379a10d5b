"""dQ/dV by the distribution of the charge over voltage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def charge_by_voltage(voltage_volt: Floats, charge_ah: Floats, edges_volt: Floats) -> Floats:
    """Charge that passed below each voltage.

    The charge between two records is spread evenly over the voltages between them, however often
    the curve turns back: so nothing is interpolated over noise, and the total is kept exactly.

    Parameters
    ----------
    voltage_volt
        Voltage at each record, V; shape (n,).
    charge_ah
        Charge since the record before, Ah, positive; shape (n,). The first is ignored.
    edges_volt
        Voltages, V, rising, that enclose all records; shape (m,).

    Returns
    -------
    Charge below each edge, Ah; shape (m,).

    """
    low = np.minimum(voltage_volt[1:], voltage_volt[:-1])
    high = np.maximum(voltage_volt[1:], voltage_volt[:-1])
    share = charge_ah[1:]
    flat = high - low < 1e-9
    slope = np.where(flat, 0.0, share / np.where(flat, 1.0, high - low))
    at = np.concatenate([low[~flat], high[~flat]])
    change = np.concatenate([slope[~flat], -slope[~flat]])
    order = np.argsort(at, kind="stable")
    at, change = at[order], change[order]
    rising = np.concatenate([[0.0], np.cumsum(np.cumsum(change)[:-1] * np.diff(at))])
    sloped = np.interp(edges_volt, at, rising) if len(at) else np.zeros(len(edges_volt))
    flat_at = np.sort(low[flat])
    flat_charge = np.cumsum(share[flat][np.argsort(low[flat], kind="stable")])
    steps = np.searchsorted(flat_at, edges_volt, side="left")
    below: Floats = sloped + np.concatenate([[0.0], flat_charge])[steps]
    return below


def differential_capacity(
    voltage_volt: Floats, charge_ah: Floats, *, step_volt: float, smoothing_volt: float
) -> tuple[Floats, Floats]:
    """dQ/dV on a grid of voltage; its sum times the step is the charge that passed.

    Parameters
    ----------
    voltage_volt, charge_ah
        Voltage at each record, V, and charge since the record before, Ah; shape (n,).
    step_volt
        Step of the grid, V.
    smoothing_volt
        Standard deviation of the Gaussian that smooths it, V; mirrored at the ends, so that the
        total is kept.

    Returns
    -------
    Middle of each step, V, and dQ/dV, Ah/V; shape (m,) each, empty for fewer than three records.

    """
    if len(voltage_volt) < 3 or np.ptp(voltage_volt) < 2 * step_volt:
        return np.zeros(0), np.zeros(0)
    first = np.floor(voltage_volt.min() / step_volt)
    last = np.floor(voltage_volt.max() / step_volt) + 1
    edges = np.arange(first, last + 1) * step_volt
    density = np.diff(charge_by_voltage(voltage_volt, charge_ah, edges)) / step_volt
    middle = (edges[1:] + edges[:-1]) / 2
    if smoothing_volt < 0.1 * step_volt:  # narrower than the grid can show
        return middle, density
    from scipy.ndimage import gaussian_filter1d

    return middle, gaussian_filter1d(density, smoothing_volt / step_volt, mode="reflect")
