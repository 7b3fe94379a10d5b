"""The cycle at which a cell passes a limit: predicted as far as its own past bears, no further."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.knee import FEWEST, FEWEST_EFFECTIVE, Knee, find_knee, find_spikes

END = 0.8  # of the reference: the end of life
REACH = 2 / 3  # of the cycles behind, that are looked ahead
PASTS = (0.5, 0.6, 0.7, 0.8)  # of the cycles, from which the rest is predicted to try a line
FEWEST_AHEAD = 30  # cycles of the line that is drawn on; of fewer, half say nothing
BLOCKS = 4  # of a line's cycles, whose slopes show how it drifts
SETTLED = 0.1  # of the tried cycles: as many at the end are held against the prediction

Floats = NDArray[np.float64]
Outlook = Literal["reached", "within", "beyond", "not borne", "not falling", "too few"]


class Life(NamedTuple):
    """When a cell passes the limit.

    ``outlook`` is reached; within what the data bear (``cycle`` with its 95 % interval, ``high``
    is NaN where it ends beyond); beyond that (``horizon``; ``low`` if that is within); not borne,
    as the past did not predict itself; not falling; or too few cycles.
    """

    outlook: Outlook
    cycle: float
    low: float
    high: float
    horizon: float


class Line(NamedTuple):
    """A straight line to predict by: its value at the middle, its slope, and their errors.

    ``drift`` is the standard deviation of the slope from one stretch to the next.
    """

    middle: float
    level: float
    slope: float
    level_error: float
    slope_error: float
    drift: float
    error: float

    def predict(self, cycle: Floats | float) -> tuple[Floats, Floats]:
        """Return the predicted retention and its standard deviation at cycles."""
        ahead = np.asarray(cycle, np.float64) - self.middle
        grows = (self.slope_error**2 + self.drift**2) * ahead**2
        error = np.sqrt(self.level_error**2 + self.error**2 + grows)
        return self.level + self.slope * ahead, error


def fit_line(cycle: Floats, retention: Floats, found: Knee) -> Line:
    """Fit the line to predict by, with the correlation and the scatter of a shape that was found.

    Parameters
    ----------
    cycle, retention
        Of the last straight stretch; shape (n,).
    found
        The shape of which it is the last stretch.

    """
    count, middle = len(cycle), float(cycle.mean())
    effective = max(count * found.effective / max(found.last - found.first + 1, 1), 3.0)
    slope, level = (float(each) for each in np.polyfit(cycle - middle, retention, 1))
    off = retention - level - slope * (cycle - middle)
    error = max(float(np.sqrt(off @ off / max(count - 2, 1))), 1e-6)
    spread = float(cycle.std())
    parts = np.array_split(np.arange(count), BLOCKS)
    slopes = [float(np.polyfit(cycle[part], retention[part], 1)[0]) for part in parts]
    chance = error / (spread / BLOCKS) / math.sqrt(max(effective / BLOCKS, 1.0))
    drift = math.sqrt(max(float(np.var(slopes, ddof=1)) - chance**2, 0.0))
    root = math.sqrt(min(effective, count))
    return Line(middle, level, slope, error / root, error / (spread * root), drift, error)


def predict_life(
    cycle: Floats, retention: Floats, found: Knee | None, reached: int | None, limit: float = END
) -> Life:
    """Predict the cycle at which a cell passes a limit.

    Parameters
    ----------
    cycle, retention
        Rising cycle numbers, and fractions of the reference; shape (n,).
    found
        How retention falls.
    reached
        The cycle at which it passed the limit, if it did.
    limit
        The limit as a fraction.

    """
    nan = math.nan
    if reached is not None:
        return Life("reached", float(reached), nan, nan, nan)
    if found is None:
        return Life("too few", nan, nan, nan, nan)
    start = found.knee.value if found.shape in {"knee", "slower"} else float(found.first)
    inside = (cycle >= start) & ~find_spikes(cycle.astype(np.float64), retention)
    if inside.sum() < FEWEST:
        return Life("too few", nan, nan, nan, nan)
    return _look_ahead(cycle[inside].astype(np.float64), retention[inside], found, limit)


def _look_ahead(cycle: Floats, retention: Floats, found: Knee, limit: float) -> Life:
    """Draw the last line on, if the cell's past bears it."""
    nan = math.nan
    horizon = float(cycle[-1] + REACH * (cycle[-1] - cycle[0]))
    wanders = found.effective < FEWEST_EFFECTIVE
    if wanders or found.shape == "curved" or not predicts_itself(cycle, retention):
        return Life("not borne", nan, nan, nan, horizon)
    line = fit_line(cycle, retention, found)
    if line.slope + 2 * math.hypot(line.slope_error, line.drift) >= 0:
        return Life("not falling", nan, nan, nan, horizon)
    ahead = np.arange(cycle[-1], math.floor(horizon) + 1)
    middle, error = line.predict(ahead)
    half = quantile(len(cycle) - 2) * error
    at, low, high = (
        _first_below(ahead, curve, limit) for curve in (middle, middle - half, middle + half)
    )
    if math.isnan(at):
        return Life("beyond", nan, low, nan, horizon)
    return Life("within", at, low, high, horizon)


def predicts_itself(cycle: Floats, retention: Floats) -> bool:
    """Return whether lines through the first half, 60, 70 and 80 % of the cycles meet the last."""
    return len(cycle) >= FEWEST_AHEAD and all(
        _is_met(cycle, retention, round(part * len(cycle))) for part in PASTS
    )


def _is_met(cycle: Floats, retention: Floats, cut: int) -> bool:
    found = find_knee(cycle[:cut], retention[:cut])
    if found is None or found.shape != "straight" or found.effective < FEWEST_EFFECTIVE:
        return False
    line = fit_line(cycle[:cut], retention[:cut], found)
    last = max(round(SETTLED * len(cycle)), 1)
    predicted, half = line.predict(cycle[-last:])
    off = abs(float(np.median(retention[-last:]) - np.median(predicted)))
    return off <= quantile(cut - 2) * float(np.median(half))


def quantile(freedom: int) -> float:
    """Return the half width of a 95 % interval in standard deviations, by the line's stretches."""
    from scipy.stats import t

    return float(t.isf(0.025, min(freedom, BLOCKS + 6)))


def _first_below(cycle: Floats, retention: Floats, limit: float) -> float:
    below = np.flatnonzero(retention < limit)
    return float(cycle[below[0]]) if len(below) else math.nan
