"""Peaks of dQ/dV, and the same peak from one half cycle to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PROMINENT = 0.05  # of the highest peak: what stands out less is no peak
TOP = 1 / 3  # of the prominence: the points that the position is taken from
MARGIN = 3.0  # standard deviations of the smoothing from an end: nearer is the end itself
TRACKING_VOLT = 0.04  # between two half cycles of one direction: further is another peak
MAX_ABSENCE = 3  # half cycles of one direction without the peak: then it is gone

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Peaks(NamedTuple):
    """Peaks of one curve, by rising voltage; shape (p,) each.

    ``width_volt`` is the full width at half the prominence, ``capacity_ah`` the charge between the
    valleys on both sides.
    """

    voltage_volt: Floats
    height_ah_per_volt: Floats
    prominence_ah_per_volt: Floats
    width_volt: Floats
    capacity_ah: Floats


def locate_peaks(voltage_volt: Floats, density: Floats, smoothing_volt: float) -> Peaks:
    """Find the peaks of a dQ/dV curve.

    A peak stands out by a twentieth of the highest one, and above zero: what lies below is charge
    that flowed against the half cycle (a pulse). Its position is the top of a parabola
    through the logarithms of the points of its upper third. What lies within three standard
    deviations of the smoothing from an end is the end of the half cycle (a voltage held there, the
    jump of a new current) and left out.

    Parameters
    ----------
    voltage_volt, density
        Middles of the steps of an even grid, V, and dQ/dV, Ah/V; shape (m,).
    smoothing_volt
        Standard deviation of the Gaussian that smoothed it, V.

    """
    from scipy.signal import find_peaks, peak_prominences, peak_widths

    step = float(voltage_volt[1] - voltage_volt[0]) if len(voltage_volt) > 1 else 1.0
    margin = int(np.ceil(MARGIN * smoothing_volt / step))
    inner = density[margin : len(density) - margin]
    if len(inner) < 3:
        return Peaks(*(np.zeros(0) for _ in range(5)))
    found, _ = find_peaks(inner)
    measured = peak_prominences(inner, found)
    standing = measured[0] >= PROMINENT * inner[found].max(initial=0.0)
    standing &= inner[found] >= 0.0
    found, measured = found[standing], tuple(values[standing] for values in measured)
    width = peak_widths(inner, found, 0.5, measured)[0] * step
    bounds = _valleys(inner, found, measured[1], measured[2])
    running = np.concatenate([[0.0], np.cumsum(inner)]) * step
    top = [_top_offset(inner, *peak) for peak in zip(found, measured[0], *bounds, strict=True)]
    return Peaks(
        voltage_volt[margin] + (found + top) * step, inner[found], measured[0], width,
        running[bounds[1] + 1] - running[bounds[0]],
    )  # fmt: skip


def _valleys(
    density: Floats, found: Indices, left: Indices, right: Indices
) -> tuple[Indices, Indices]:
    """Return the lowest points beside each peak, towards its neighbours or its bases."""
    low, high = left.copy(), right.copy()
    for place in range(len(found) - 1):
        between = slice(found[place], found[place + 1] + 1)
        valley = found[place] + int(np.argmin(density[between]))
        high[place], low[place + 1] = min(high[place], valley), max(low[place + 1], valley)
    return low, high


def _top_offset(density: Floats, peak: int, prominence: float, low: int, high: int) -> float:
    """Return how far the top of a parabola lies from the highest point, in steps.

    It is fitted to the logarithm of the points around that stand within a third of the prominence
    below the top.
    """
    within = density >= density[peak] - TOP * prominence
    left, right = peak, peak
    while left > low and within[left - 1]:
        left -= 1
    while right < high and within[right + 1]:
        right += 1
    left, right = min(left, peak - 1), max(right, peak + 1)
    at = np.arange(left, right + 1) - peak
    curvature, slope, _ = np.polyfit(at, np.log(np.maximum(density[left : right + 1], 1e-300)), 2)
    shift = -slope / (2 * curvature) if curvature < 0 else 0.0
    return float(np.clip(shift, at[0], at[-1]))


def track_peaks(curve: Indices, voltage_volt: Floats) -> Indices:
    """Assign numbers to peaks so that one that is followed from curve to curve keeps its number.

    A peak goes on where the next curve has one within 40 mV; of several the nearest pairs are
    taken. One that is absent from three curves in a row is gone; a later one there is another.

    Parameters
    ----------
    curve
        Number of the curve, from 0, that each peak is of, not falling; shape (p,).
    voltage_volt
        Position of each peak, V; shape (p,).

    Returns
    -------
    Number of each peak from 1, in the order of their first appearance; shape (p,).

    """
    numbers = np.zeros(len(curve), np.int64)
    tracks: dict[int, tuple[float, int]] = {}  # number: last position, last curve
    count = 0
    begins = [*np.flatnonzero(np.diff(curve, prepend=-1)), len(curve)]
    for begin, end in pairwise(begins):
        here = int(curve[begin])
        tracks = {k: v for k, v in tracks.items() if here - v[1] <= MAX_ABSENCE}
        pairs = sorted(
            (abs(voltage_volt[peak] - last), peak, track)
            for peak in range(begin, end)
            for track, (last, _) in tracks.items()
        )
        taken: set[int] = set()
        for apart, peak, track in pairs:
            if apart <= TRACKING_VOLT and not numbers[peak] and track not in taken:
                numbers[peak] = track
                taken.add(track)
        for peak in range(begin, end):
            if not numbers[peak]:
                numbers[peak] = count = count + 1
            tracks[int(numbers[peak])] = (float(voltage_volt[peak]), here)
    return numbers
