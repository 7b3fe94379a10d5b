"""Times of the spectra of a series, and the distances between them in the random walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.elements import Floats

_SHORTEST_GAP, _LONGEST_GAP = 0.1, 10.0  # in steps, so that a long rest does not decouple a series


def parse_times(time_second: ArrayLike | None, count: int) -> Floats | None:
    """Return the times, s, shape (n,); None if none are given.

    Raises
    ------
    CellpipeError
        If there is not one for each spectrum, or they fall.

    """
    if time_second is None:
        return None
    time = np.asarray(time_second, np.float64)
    if time.shape != (count,) or not np.isfinite(time).all() or (np.diff(time) < 0).any():
        raise CellpipeError(
            f"times of shape {time.shape}",
            expected=f"{count} times in s that don't fall",
            remedy="put the spectra in the order of their times",
        )
    return time


def step_distances(count: int, time: Floats | None) -> Floats:
    """Return the distances between successive spectra, in steps; shape (n - 1,)."""
    if time is None or not time[-1] > time[0]:
        return np.ones(count - 1)
    intervals = np.diff(time)
    typical = float(np.median(intervals[intervals > 0]))
    return np.clip(intervals / typical, _SHORTEST_GAP, _LONGEST_GAP)
