"""Detection of dQ/dV peaks, and tracking of a peak from one half cycle to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PROMINENT = 0.05  # of the highest peak: smallest prominence of a peak
TOP = 1 / 3  # of the prominence: upper part whose points give the position
MARGIN = 3.0  # standard deviations of the smoothing; nearer to an end is an artefact of the end
FOOT = 1.5  # full widths at half height from the top to the foot of a peak
ROUNDS = 6  # in which width and base line of a peak are found
TRACKING_VOLT = 0.04  # largest shift between two half cycles of one direction
MAX_ABSENCE = 3  # half cycles of one direction without the peak before its track ends

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Peaks(NamedTuple):
    """Peaks of one curve in the order of voltage; shape (p,) each.

    ``width_volt`` is the full width at half prominence, ``capacity_ah`` the charge between the
    valleys on both sides above the local base line.
    """

    voltage_volt: Floats
    height_ah_per_volt: Floats
    prominence_ah_per_volt: Floats
    width_volt: Floats
    capacity_ah: Floats


def locate_peaks(voltage_volt: Floats, density: Floats, smoothing_volt: float) -> Peaks:
    """Find the peaks of a dQ/dV curve.

    A peak has a prominence of at least 5 % of the highest one and is not below zero: what lies
    below is charge of the opposite direction (a pulse). Its position is the vertex of a
    parabola through the logarithms of the points of its upper third. Points within three standard
    deviations of the smoothing from an end are excluded: they belong to the end of the half cycle
    (constant voltage, or the voltage jump at a new current).

    Parameters
    ----------
    voltage_volt, density
        Middles of the steps of a uniform grid, V, and dQ/dV, Ah/V; shape (m,).
    smoothing_volt
        Standard deviation of the Gaussian that smoothed it, V.

    """
    from scipy.signal import find_peaks, peak_prominences, peak_widths

    step = float(voltage_volt[1] - voltage_volt[0]) if len(voltage_volt) > 1 else 1.0
    margin = int(np.ceil(MARGIN * smoothing_volt / step))
    inner = density[margin : len(density) - margin]
    if len(inner) < 3:
        return Peaks(*(np.zeros(0) for _ in range(5)))
    peaks, _ = find_peaks(inner)
    prominences = peak_prominences(inner, peaks)
    prominent = prominences[0] >= PROMINENT * inner[peaks].max(initial=0.0)
    prominent &= inner[peaks] >= 0.0
    peaks, prominences = peaks[prominent], tuple(values[prominent] for values in prominences)
    width = peak_widths(inner, peaks, 0.5, prominences)[0] * step
    bounds = _valleys(inner, peaks, prominences[1], prominences[2])
    top = [_top_offset(inner, *peak) for peak in zip(peaks, prominences[0], *bounds, strict=True)]
    charge = [
        _charge_above_base_line(inner, *peak) * step for peak in zip(peaks, *bounds, strict=True)
    ]
    return Peaks(
        voltage_volt[margin] + (peaks + top) * step, inner[peaks], prominences[0], width,
        np.array(charge, np.float64),
    )  # fmt: skip


def _valleys(
    density: Floats, peaks: Indices, left: Indices, right: Indices
) -> tuple[Indices, Indices]:
    """Return the lowest point on each side of every peak, up to its neighbours or bases."""
    low, high = left.copy(), right.copy()
    for place in range(len(peaks) - 1):
        between = slice(peaks[place], peaks[place + 1] + 1)
        valley = peaks[place] + int(np.argmin(density[between]))
        high[place], low[place + 1] = min(high[place], valley), max(low[place + 1], valley)
    return low, high


def _charge_above_base_line(density: Floats, peak: int, low: int, high: int) -> float:
    """Return the sum of a peak above its local base line, a straight line below its feet.

    The feet are 1.5 times the full width at half height from the top, where a Gaussian is down to
    0.2 %, or at the valleys if these are nearer. Width and base line follow from each other.
    """
    left, right = low, high
    for _ in range(ROUNDS):
        line = np.linspace(density[left], density[right], right - left + 1)
        above = density[left : right + 1] - line
        top = peak - left
        is_lower = above < above[top] / 2
        below, beyond = np.flatnonzero(is_lower[:top]), np.flatnonzero(is_lower[top:])
        width = (beyond[0] if len(beyond) else right - peak) + (
            top - below[-1] if len(below) else top
        )
        feet = max(low, peak - round(FOOT * width)), min(high, peak + round(FOOT * width))
        if feet == (left, right):
            break
        left, right = feet
    return float(np.clip(above, 0.0, None).sum())


def _top_offset(density: Floats, peak: int, prominence: float, low: int, high: int) -> float:
    """Return the distance of a parabola's vertex from the highest point, in steps.

    The parabola is fitted to the logarithms of the surrounding points that lie within a third of
    the prominence below the maximum.
    """
    is_upper = density >= density[peak] - TOP * prominence
    left, right = peak, peak
    while left > low and is_upper[left - 1]:
        left -= 1
    while right < high and is_upper[right + 1]:
        right += 1
    left, right = min(left, peak - 1), max(right, peak + 1)
    offset = np.arange(left, right + 1) - peak
    curvature, slope, _ = np.polyfit(
        offset, np.log(np.maximum(density[left : right + 1], 1e-300)), 2
    )
    shift = -slope / (2 * curvature) if curvature < 0 else 0.0
    return float(np.clip(shift, offset[0], offset[-1]))


def track_peaks(curve: Indices, voltage_volt: Floats) -> Indices:
    """Return track numbers, so that a peak keeps its number from curve to curve.

    A track continues with a peak of the next curve within 40 mV; with several, the nearest pairs
    are matched first. A track ends after three successive curves without the peak; a later peak at
    that voltage gets a new number.

    Parameters
    ----------
    curve
        Number of each peak's curve from 0, in non-decreasing order; shape (p,).
    voltage_volt
        Position of each peak, V; shape (p,).

    Returns
    -------
    Track number of each peak from 1, in the order of first appearance; shape (p,).

    """
    numbers = np.zeros(len(curve), np.int64)
    tracks: dict[int, tuple[float, int]] = {}  # track number: last position, last curve
    count = 0
    begins = [*np.flatnonzero(np.diff(curve, prepend=-1)), len(curve)]
    for begin, end in pairwise(begins):
        current = int(curve[begin])
        tracks = {k: v for k, v in tracks.items() if current - v[1] <= MAX_ABSENCE}
        pairs = sorted(
            (abs(voltage_volt[peak] - last), peak, track)
            for peak in range(begin, end)
            for track, (last, _) in tracks.items()
        )
        matched: set[int] = set()
        for distance, peak, track in pairs:
            if distance <= TRACKING_VOLT and not numbers[peak] and track not in matched:
                numbers[peak] = track
                matched.add(track)
        for peak in range(begin, end):
            if not numbers[peak]:
                numbers[peak] = count = count + 1
            tracks[int(numbers[peak])] = (float(voltage_volt[peak]), current)
    return numbers
