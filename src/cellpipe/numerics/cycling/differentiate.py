"""dQ/dV by the distribution of the charge over voltage, dV/dQ by that of the voltage over charge.

Both are taken of many half cycles at once: their records lie one behind the other in one array, and
``begins`` says where each begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
FEWEST = 3  # records that a curve needs
FEWEST_FOR_NOISE = 20  # records that the noise is told from
RIPPLE = 0.015  # of dQ/dV: what noise may leave of itself
MOST_SMOOTHING = 4.0  # times the least
NARROWEST = 0.1  # steps: a narrower Gaussian is less than the grid can show
_OF_FOURTH = 0.6745 * 70**0.5  # median size of a fourth difference of white noise of 1
MOST_STEPS = 4000  # of the grid, of one half cycle: beyond, the voltage is no cell's


class Curves(NamedTuple):
    """Curves one behind the other: where each begins, and its points; shape (k,), (m,), (m,).

    ``at`` is the middle of each step of the grid, ``density`` the derivative there. A half cycle
    without a curve has no points: it begins where the next one does.
    """

    begins: Indices
    at: Floats
    density: Floats

    def parts(self) -> Iterator[tuple[Floats, Floats]]:
        """Return the points of each half cycle."""
        ends = np.append(self.begins, len(self.at))[1:]
        for begin, end in zip(self.begins, ends, strict=True):
            yield self.at[begin:end], self.density[begin:end]


def differential_capacity(
    voltage_volt: Floats,
    charge_ah: Floats,
    begins: Indices,
    *,
    step_volt: float,
    smoothing_volt: Floats,
) -> Curves:
    """dQ/dV on a grid of voltage; its sum times the step is the charge that passed.

    The charge between two records is spread evenly over the voltages between them, however often
    the curve turns back: so nothing is interpolated over noise, and the total is kept exactly.

    Parameters
    ----------
    voltage_volt, charge_ah
        Voltage at each record, V, and charge since the record before, Ah, positive in the half
        cycle's direction; shape (n,). A half cycle's first charge passes at its first voltage.
    begins
        First record of each half cycle; shape (k,).
    step_volt
        Step of the grid, V.
    smoothing_volt
        Standard deviation of the Gaussian that smooths each half cycle's curve, V; mirrored at the
        ends, so that the total is kept; shape (k,).

    Returns
    -------
    Curves over the middles of the steps, V, in Ah/V; none of half cycles with fewer than three
    records or less than two steps of voltage.

    """
    low, high = _spans(voltage_volt, begins)
    counts = np.diff(np.append(begins, len(voltage_volt)))
    first = _grid_index(_reduce_half_cycles(np.minimum, low, begins), step_volt)
    last = _grid_index(_reduce_half_cycles(np.maximum, high, begins), step_volt)
    steps = np.where((counts >= FEWEST) & (last - first >= 2), last - first + 1, 0)
    steps[steps > MOST_STEPS] = 0
    starts = np.cumsum(steps) - steps
    total = int(steps.sum())
    has_curve = np.repeat(steps > 0, counts)
    shift = np.repeat(starts - first, counts)[has_curve]
    charge = _bin_charge(
        low[has_curve], high[has_curve], charge_ah[has_curve], shift, step_volt, total
    )
    owner = np.repeat(np.arange(len(begins)), steps)
    at = (np.arange(total) - starts[owner] + first[owner] + 0.5) * step_volt
    curves = Curves(starts, at, charge / step_volt)
    _smooth(curves, smoothing_volt / step_volt)
    return curves


def sufficient_smoothing(voltage_volt: Floats, begins: Indices, least_volt: float) -> Floats:
    """Return the smoothing that each half cycle's noise calls for.

    A voltage with white noise of standard deviation s, recorded at n places of a window w, gives a
    dQ/dV that is smoothed by a Gaussian of σ a relative ripple of s √(w/n) / (2 π^¼ σ^1.5): σ is
    chosen so that it is 1.5 %, but from ``least_volt`` to four times that. The noise is told from
    the fourth differences of the voltage, for which the curve itself is straight.

    Parameters
    ----------
    voltage_volt, begins
        As of :func:`differential_capacity`.
    least_volt
        The smoothing of a voltage without noise, V.

    Returns
    -------
    Standard deviation of the Gaussian, V; shape (k,).

    """
    ends = np.append(begins, len(voltage_volt))[1:]
    found = np.full(len(begins), least_volt)
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        voltage = voltage_volt[begin:end]
        if len(voltage) < FEWEST_FOR_NOISE:
            continue
        noise = float(np.median(np.abs(np.diff(voltage, 4)))) / _OF_FOURTH
        apart = float(np.ptp(voltage)) / len(voltage)
        found[place] = (noise * np.sqrt(apart) / (2 * np.pi**0.25 * RIPPLE)) ** (2 / 3)
    clipped: Floats = np.clip(found, least_volt, MOST_SMOOTHING * least_volt)
    return clipped


def _spans(voltage: Floats, begins: Indices) -> tuple[Floats, Floats]:
    """Return the lower and the higher voltage of each record and the one before it."""
    before = np.concatenate([voltage[:1], voltage[:-1]])
    before[begins] = voltage[begins]
    return np.minimum(voltage, before), np.maximum(voltage, before)


def _reduce_half_cycles(ufunc: np.ufunc, values: Floats, begins: Indices) -> Floats:
    found: Floats = ufunc.reduceat(values, begins) if len(begins) else np.zeros(0)
    return found


def _grid_index(values: Floats, step: float) -> Indices:
    found: Indices = np.floor(values / step).astype(np.int64)
    return found


def _bin_charge(
    low: Floats, high: Floats, charge: Floats, shift: Indices, step: float, total: int
) -> Floats:
    """Spread charges over the steps between two voltages; shape (total,)."""
    lower = _grid_index(low, step)
    spans = _grid_index(high, step) - lower
    wide = np.flatnonzero(spans)
    narrow = spans == 0
    sums: Floats = np.bincount((lower + shift)[narrow], charge[narrow], total).astype(np.float64)
    count = spans[wide] + 1
    which = np.repeat(wide, count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + lower[which]
    covered = np.minimum(high[which], (place + 1) * step) - np.maximum(low[which], place * step)
    part = charge[which] * np.clip(covered, 0.0, None) / (high[which] - low[which])
    sums += np.bincount(place + shift[which], part, total)
    return sums


def _smooth(curves: Curves, steps: Floats) -> None:
    from scipy.ndimage import gaussian_filter1d

    for (_, density), sigma in zip(curves.parts(), steps, strict=True):
        if len(density) and sigma >= NARROWEST:
            gaussian_filter1d(density, float(sigma), mode="reflect", output=density)


def differential_voltage(
    voltage_volt: Floats, charge_ah: Floats, begins: Indices, *, steps: int, smoothing_steps: float
) -> Curves:
    """dV/dQ on a grid of charge, in V/Ah; its sum times the step is the change of the voltage.

    The mean voltage over each step of the charge is smoothed by a Gaussian and differentiated.
    Charge that flows back (a pulse) is passed over until it has come again.

    Parameters
    ----------
    voltage_volt, charge_ah, begins
        As of :func:`differential_capacity`.
    steps
        Steps of the grid over the charge of each half cycle.
    smoothing_steps
        Standard deviation of the Gaussian, in steps.

    Returns
    -------
    Curves over the charge between the middles of two steps, Ah; none of half cycles with fewer
    records than a quarter of the steps.

    """
    from scipy.ndimage import gaussian_filter1d

    starts, at, slopes = [], [], []
    place = 0
    ends = np.append(begins, len(voltage_volt))[1:]
    for begin, end in zip(begins, ends, strict=True):
        starts.append(place)
        passed = np.maximum.accumulate(np.cumsum(charge_ah[begin:end]))
        if end - begin < steps // 4 or passed[-1] <= passed[0]:
            continue
        work = np.concatenate(
            [[0.0], np.cumsum(_midpoints(voltage_volt[begin:end]) * np.diff(passed))]
        )
        grid = np.linspace(passed[0], passed[-1], steps + 1)
        width = grid[1] - grid[0]
        mean = np.diff(np.interp(grid, passed, work)) / width
        smooth = gaussian_filter1d(mean, smoothing_steps, mode="nearest")
        slopes.append(np.diff(smooth) / width)
        at.append(grid[1:-1])
        place += steps - 1
    none = [np.zeros(0)]
    return Curves(np.array(starts, np.int64), np.concatenate(at or none),
                  np.concatenate(slopes or none))  # fmt: skip


def _midpoints(values: Floats) -> Floats:
    middle: Floats = (values[1:] + values[:-1]) / 2
    return middle
