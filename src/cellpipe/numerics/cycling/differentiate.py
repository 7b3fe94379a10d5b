"""Differential capacity (dQ/dV) and differential voltage (dV/dQ) of half cycles.

dQ/dV is the distribution of the charge over voltage, dV/dQ the derivative of the mean voltage over
steps of charge. Many half cycles are processed at once: their records are concatenated in one
array, and ``begins`` holds the index of the first record of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
FEWEST = 3  # records needed for a curve
FEWEST_FOR_NOISE = 20  # records needed to estimate the noise
RIPPLE = 0.015  # relative ripple of dQ/dV that noise may leave
MOST_SMOOTHING = 4.0  # times the smallest smoothing
NARROWEST = 0.1  # steps; a narrower Gaussian is below the resolution of the grid
_OF_FOURTH = 0.6745 * 70**0.5  # median |fourth difference| of white noise of standard deviation 1
DIGITS = 7  # decimals of a voltage, V; what is finer is rounding of the arithmetic
DIGIT_SAMPLES = 4096  # records of a half cycle that are looked at
DIGIT_QUANTILE = 0.1  # of the distances between neighbouring voltages
REACH = 4.0  # standard deviations after which a Gaussian ends
MOST_STEPS = 4000  # grid steps of one half cycle; more is no voltage of a cell


class Curves(NamedTuple):
    """Concatenated curves: first index of each, and points; shape (k,), (m,), (m,).

    ``at`` is the middle of each grid step, ``density`` the derivative there. A half cycle without a
    curve has no points: it begins at the same index as the next one.
    """

    begins: Indices
    at: Floats
    density: Floats

    def parts(self) -> Iterator[tuple[Floats, Floats]]:
        """Iterate over the points of each half cycle."""
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
    """Return dQ/dV on a voltage grid; its sum times the step is the charge passed.

    The charge between two records is distributed evenly over the voltages between them, also where
    the voltage reverses. Noise is therefore not interpolated, and the total is conserved exactly.
    A rounded voltage stands for all that are rounded to it: no charge is put into less than one
    digit, so that coarse digits leave no ripple on the grid.

    Parameters
    ----------
    voltage_volt, charge_ah
        Voltage at each record, V, and charge since the previous record, Ah, positive in the half
        cycle's direction; shape (n,). The first charge of a half cycle counts at its first voltage.
    begins
        First record of each half cycle; shape (k,).
    step_volt
        Step of the grid, V.
    smoothing_volt
        Standard deviation of the Gaussian that smooths each half cycle's curve, V; reflected at
        the ends, so that the total is conserved; shape (k,).

    Returns
    -------
    Curves in Ah/V over the middles of the steps, V; none for half cycles with fewer than three
    records or a span of less than two voltage steps.

    """
    low, high = _spans(voltage_volt, begins)
    counts = np.diff(np.append(begins, len(voltage_volt)))
    digit = _resolutions(voltage_volt, begins)
    lacking = np.repeat(np.where(digit <= step_volt, digit, 0.0), counts) - (high - low)
    np.clip(lacking, 0.0, None, out=lacking)
    low -= lacking / 2
    high += lacking / 2
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
    """Return the smoothing that the noise of each half cycle requires.

    White noise of standard deviation s on a voltage recorded at n points of a window w leaves a
    relative ripple of s √(w/n) / (2 π^¼ σ^1.5) on a dQ/dV smoothed by a Gaussian of σ. σ is chosen
    for a ripple of 1.5 %, within ``least_volt`` and four times that. The noise is estimated from
    the fourth differences of the voltage, to which the curve itself contributes little.

    Parameters
    ----------
    voltage_volt, begins
        As of :func:`differential_capacity`.
    least_volt
        Smoothing of a voltage without noise, V.

    Returns
    -------
    Standard deviation of the Gaussian, V; shape (k,).

    """
    ends = np.append(begins, len(voltage_volt))[1:]
    smoothing = np.full(len(begins), least_volt)
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        voltage = voltage_volt[begin:end]
        if len(voltage) < FEWEST_FOR_NOISE:
            continue
        noise = float(np.median(np.abs(np.diff(voltage, 4)))) / _OF_FOURTH
        spacing = float(np.ptp(voltage)) / len(voltage)
        smoothing[place] = (noise * np.sqrt(spacing) / (2 * np.pi**0.25 * RIPPLE)) ** (2 / 3)
    clipped: Floats = np.clip(smoothing, least_volt, MOST_SMOOTHING * least_volt)
    return clipped


def _spans(voltage: Floats, begins: Indices) -> tuple[Floats, Floats]:
    """Return the lower and the higher voltage of each record and its predecessor."""
    previous = np.concatenate([voltage[:1], voltage[:-1]])
    previous[begins] = voltage[begins]
    return np.minimum(voltage, previous), np.maximum(voltage, previous)


def _resolutions(voltage: Floats, begins: Indices) -> Floats:
    """Return the distance between neighbouring voltages of each half cycle, V; shape (k,).

    It is the last digit where a half cycle passes all of them; where voltages are not rounded, or
    there are few, it is less than the usual distance between two records.
    """
    found = np.zeros(len(begins))
    ends = np.append(begins, len(voltage))[1:]
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        some = voltage[begin : end : max(1, (end - begin) // DIGIT_SAMPLES)]
        digits = np.diff(np.unique(np.round(some, DIGITS)))
        if len(digits):
            found[place] = np.quantile(digits, DIGIT_QUANTILE)
    return found


def _reduce_half_cycles(ufunc: np.ufunc, values: Floats, begins: Indices) -> Floats:
    reduced: Floats = ufunc.reduceat(values, begins) if len(begins) else np.zeros(0)
    return reduced


def _grid_index(values: Floats, step: float) -> Indices:
    index: Indices = np.floor(values / step).astype(np.int64)
    return index


def _bin_charge(
    low: Floats, high: Floats, charge: Floats, shift: Indices, step: float, total: int
) -> Floats:
    """Return charges distributed over the grid steps between two voltages; shape (total,)."""
    lower = _grid_index(low, step)
    spans = _grid_index(high, step) - lower
    wide = np.flatnonzero(spans)
    narrow = spans == 0
    sums: Floats = np.bincount((lower + shift)[narrow], charge[narrow], total).astype(np.float64)
    count = spans[wide] + 1
    source = np.repeat(wide, count)
    place = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count) + lower[source]
    covered = np.minimum(high[source], (place + 1) * step) - np.maximum(low[source], place * step)
    part = charge[source] * np.clip(covered, 0.0, None) / (high[source] - low[source])
    sums += np.bincount(place + shift[source], part, total)
    return sums


def _smooth(curves: Curves, steps: Floats) -> None:
    from scipy.ndimage import gaussian_filter1d

    for (_, density), sigma in zip(curves.parts(), steps, strict=True):
        if len(density) and sigma >= NARROWEST:
            gaussian_filter1d(density, float(sigma), mode="reflect", output=density)


def differential_voltage(
    voltage_volt: Floats, charge_ah: Floats, begins: Indices, *, steps: int, smoothing_steps: float
) -> Curves:
    """Return dV/dQ on a charge grid; its sum times the step is the change of the voltage.

    The mean voltage over each step of charge is smoothed by a Gaussian and differentiated; beyond
    the ends it goes on with its slope, so that a straight line keeps it to the last step. Where the
    charge runs backwards (a pulse), records are skipped until it is passed again.

    Parameters
    ----------
    voltage_volt, charge_ah, begins
        As of :func:`differential_capacity`.
    steps
        Number of grid steps over the charge of each half cycle.
    smoothing_steps
        Standard deviation of the Gaussian, in steps.

    Returns
    -------
    Curves in V/Ah over the charge at the boundaries between steps, Ah; none for half cycles with
    fewer records than a quarter of the steps.

    """
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
        slopes.append(np.diff(_smooth_to_the_ends(mean, smoothing_steps)) / width)
        at.append(grid[1:-1])
        place += steps - 1
    none = [np.zeros(0)]
    return Curves(np.array(starts, np.int64), np.concatenate(at or none),
                  np.concatenate(slopes or none))  # fmt: skip


def _smooth_to_the_ends(values: Floats, sigma: float) -> Floats:
    """Smooth by a Gaussian; what lies beyond an end is the curve turned about its last point."""
    from scipy.ndimage import gaussian_filter1d

    size = min(int(np.ceil(REACH * sigma)), len(values) - 1)
    before = 2 * values[0] - values[size:0:-1]
    behind = 2 * values[-1] - values[-2 : -size - 2 : -1]
    whole = gaussian_filter1d(np.concatenate([before, values, behind]), sigma, mode="nearest")
    smooth: Floats = whole[size : size + len(values)]
    return smooth


def _midpoints(values: Floats) -> Floats:
    middle: Floats = (values[1:] + values[:-1]) / 2
    return middle
