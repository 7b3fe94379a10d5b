"""Retention against cycles as one straight line or two, by evidence that correlated noise is not.

Neighbouring cycles scatter together: a chamber drifts, a counter is set anew. One line, two lines
that meet at a knee, and a parabola are each fitted with noise whose neighbours are correlated, by
the likelihood of whichever correlation suits it best. One line with strongly correlated noise
wanders as two lines do, so two must be likelier by far: -2 ln of the ratio has to pass a
limit that straight cells pass in less than one of a hundred series, whatever the correlation of
their noise (found by simulation: no table holds for the best of all places).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.ageing import MOST, Slope

FEWEST = 15  # cycles of a fit
FEWEST_EFFECTIVE = 6.0  # independent cycles; noise of fewer wanders as no line does
EDGE = 5  # cycles at least on either side of a knee
LIMIT = 24.0  # of -2 ln of the ratio of the likelihoods of one line and two
BETTER = 3.0  # of the same, by which a knee must beat a parabola
BREAK_IN = 0.2  # of the cycles: a bend before is the first cycles' own and is left out
MOST_KNOTS = 200  # places that are tried for a knee
_CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_BORNE = 2.71  # of -2 ln of a likelihood's ratio: one-sided 95 %
_SPIKE = 8.0  # times the scatter of neighbours, of a cycle that is left out
_NEIGHBOURS = 6  # through which the lines go that a cycle is held against
_MOST_SPIKES = 0.05  # of the cycles; more are no spikes

Floats = NDArray[np.float64]
Shape = Literal["straight", "knee", "slower", "curved", "irregular"]


class Knee(NamedTuple):
    """How retention falls: the shape, the slopes with their intervals, and where they change.

    ``first`` and ``last`` are the cycles between which it was fitted; ``correlation`` is that of
    neighbours, ``effective`` the number of independent cycles. ``knee`` is its cycle with the 95 %
    interval, and ``after`` the slope from there on; both are NaN for one line. ``curved`` bends
    smoothly, ``irregular`` wanders: their slope is that of one line.
    """

    shape: Shape
    first: int
    last: int
    before: Slope
    knee: Slope
    after: Slope
    correlation: float
    effective: float
    error: float


class _Fit(NamedTuple):
    """Least squares of whitened retention: coefficients, their covariance, the squares left."""

    values: Floats
    covariance: Floats
    left: float


class _Best(NamedTuple):
    """The likeliest of a kind of curve: -2 ln of its likelihood, correlation, and knot if any.

    ``upper`` is the strongest correlation that the data bear (95 %): intervals are made with it.
    """

    doubt: float
    correlation: float
    knot: float
    upper: float = 0.0


def find_knee(cycle: Floats, retention: Floats) -> Knee | None:
    """Find how retention falls with the cycle; None for fewer than fifteen cycles.

    Parameters
    ----------
    cycle, retention
        Rising cycle numbers, and fractions of the reference; shape (n,).

    """
    if len(cycle) < FEWEST:
        return None
    places = np.unique(np.linspace(0, len(cycle) - 1, MOST).round().astype(int))
    kept = places[~find_spikes(cycle[places], retention[places])]
    x, y = cycle[kept].astype(np.float64), retention[kept].astype(np.float64)
    if len(x) < FEWEST or np.ptp(y) == 0:
        return None
    found = _fit_without_one(x, y)
    bend = found.knee.value
    early = found.shape in {"slower", "knee"} and bend < x[0] + BREAK_IN * (x[-1] - x[0])
    later = x >= found.knee.high if early and math.isfinite(found.knee.high) else x >= bend
    if early and later.sum() >= max(FEWEST, len(x) // 2):
        return _fit_without_one(x[later], y[later])
    return found


def _fit_without_one(x: Floats, y: Floats) -> Knee:
    """Fit the shape; one that hangs on a single cycle is that of the others.

    The cycles that are left out in turn are the first, the last, and the farthest from one line.
    """
    found = _fit_shape(x, y)
    if found.shape not in {"knee", "slower"} or len(x) <= FEWEST:
        return found
    slope, level = np.polyfit(x - x.mean(), y, 1)
    farthest = int(np.argmax(np.abs(y - level - slope * (x - x.mean()))))
    for place in dict.fromkeys((len(x) - 1, 0, farthest)):
        others = _fit_shape(np.delete(x, place), np.delete(y, place))
        if others.shape not in {"knee", "slower", "curved"}:
            return others
    return found


def find_spikes(cycle: Floats, values: Floats) -> NDArray[np.bool_]:
    """Return which values lie far from the lines through their neighbours; shape (n,).

    The lines are those through the six nearest neighbours, the six before and the six after, each
    without the value itself: at a step or a knee one of them holds, at a spike none. If more than
    a twentieth of the values lie so, they are no spikes.
    """
    count = len(values)
    nothing = np.zeros(count, np.bool_)
    if count <= _NEIGHBOURS:
        return nothing
    places = np.arange(count)
    middle = _distances(cycle, values, places - _NEIGHBOURS // 2)
    before = _distances(cycle, values, places - _NEIGHBOURS)
    after = _distances(cycle, values, places)
    scatter = 1.4826 * float(np.median(middle))
    far = np.minimum.reduce([middle, before, after]) > max(_SPIKE * scatter, 1e-4)
    return far if far.mean() <= _MOST_SPIKES else nothing


def _distances(x: Floats, y: Floats, first: NDArray[np.int64]) -> Floats:
    """Return how far each value is from the line (Theil and Sen's) through six others.

    ``first`` is where the seven values begin that each is one of; distances are over the error of
    the prediction, which grows where the value lies outside of its neighbours.
    """
    count = len(y)
    windows = np.clip(first, 0, count - _NEIGHBOURS - 1)[:, None] + np.arange(_NEIGHBOURS + 1)
    others = windows[windows != np.arange(count)[:, None]].reshape(count, _NEIGHBOURS)
    near_x, near_y = x[others], y[others]
    one, two = np.triu_indices(_NEIGHBOURS, 1)
    slope = np.median((near_y[:, two] - near_y[:, one]) / (near_x[:, two] - near_x[:, one]), axis=1)
    level = np.median(near_y - slope[:, None] * near_x, axis=1)
    mean = near_x.mean(axis=1)
    spread = ((near_x - mean[:, None]) ** 2).sum(axis=1)
    error = np.sqrt(1 + 1 / _NEIGHBOURS + (x - mean) ** 2 / spread)
    return np.asarray(np.abs(y - level - slope * x) / error)


def _fit_shape(x: Floats, y: Floats) -> Knee:
    one, two, bent = _compare_shapes(x, y)
    ends = int(x[0]), int(x[-1])
    nothing = Slope(math.nan, math.nan, math.nan)
    if one.doubt - two.doubt < LIMIT or bent.doubt - two.doubt < BETTER:
        effective = _effective(x, one.correlation)
        straight: Shape = "straight" if effective >= FEWEST_EFFECTIVE else "irregular"
        shape = straight if one.doubt - two.doubt < LIMIT else "curved"
        line = _fit(np.column_stack([np.ones_like(x), x]), y, one.upper)
        freedom = len(x) - 2
        return Knee(shape, *ends, _slope(line, 1, freedom), nothing, nothing, one.correlation,
                    _effective(x, one.correlation), _error(line, freedom, one.upper))  # fmt: skip
    knot, freedom = _refine(x, y, two.knot, two.correlation), len(x) - 4
    lines = _fit(_model(x, knot), y, two.correlation)
    turn = lines.values[2] * (x > knot)  # how the lines move with the knee
    wide = _fit(np.column_stack([_model(x, knot), turn]), y, two.upper)
    before = _interval(float(lines.values[1]), float(wide.covariance[1, 1]), freedom)
    square = float(wide.covariance[1:3, 1:3].sum())
    after = _interval(float(lines.values[1] + lines.values[2]), square, freedom)
    interval = _knee_interval(x, y, knot, two.upper)
    kind: Shape = "knee" if after.value < before.value else "slower"
    return Knee(kind, *ends, before, interval, after, two.correlation,
                _effective(x, two.correlation), _error(wide, freedom, two.upper))  # fmt: skip


def _effective(x: Floats, correlation: float) -> float:
    return len(x) * (1 - correlation) / (1 + correlation)


def _error(fit: _Fit, freedom: int, correlation: float) -> float:
    """Return the standard deviation of a cycle about the line, not only of its new part."""
    return math.sqrt(max(fit.left, 1e-30) / freedom / (1 - correlation**2))


def _compare_shapes(x: Floats, y: Floats) -> tuple[_Best, _Best, _Best]:
    """Return the likeliest one line, two lines, and parabola."""
    places = x[EDGE:-EDGE]
    knots = places[np.unique(np.linspace(0, len(places) - 1, MOST_KNOTS).round().astype(int))]
    centred = (x - x.mean()) / np.ptp(x)
    base = np.column_stack([np.ones_like(x), centred])
    hinges = np.column_stack([np.maximum(x[:, None] - knots, 0.0), centred**2])
    found: tuple[list[_Best], list[_Best], list[_Best]] = ([], [], [])
    for correlation in _CORRELATIONS:
        basis, _ = np.linalg.qr(_whiten(base, correlation))
        off = _whiten(y[:, None], correlation)[:, 0]
        off = off - basis @ (basis.T @ off)
        free = _whiten(hinges, correlation)
        free = free - basis @ (basis.T @ free)
        left = float(off @ off)
        gains = (free.T @ off) ** 2 / np.maximum((free**2).sum(axis=0), 1e-300)
        place = int(np.argmax(gains[:-1]))
        for kind, gain in zip(found, (0.0, float(gains[place]), float(gains[-1])), strict=True):
            doubt = len(x) * math.log(max(left - gain, 1e-30)) - math.log(1 - correlation**2)
            kind.append(_Best(doubt, correlation, float(knots[place])))
    one, two, bent = (_likeliest(kind) for kind in found)
    return one, two, bent


def _likeliest(kind: Sequence[_Best]) -> _Best:
    best = min(kind, key=lambda each: each.doubt)
    borne = [each.correlation for each in kind if each.doubt <= best.doubt + _BORNE]
    return best._replace(upper=max(borne))


def _model(x: Floats, knot: float) -> Floats:
    return np.column_stack([np.ones_like(x), x, np.maximum(x - knot, 0.0)])


def _whiten(columns: Floats, correlation: float) -> Floats:
    whole = math.sqrt(1 - correlation**2)
    return np.vstack([whole * columns[:1], columns[1:] - correlation * columns[:-1]])


def _fit(design: Floats, y: Floats, correlation: float) -> _Fit:
    left, right = _whiten(design, correlation), _whiten(y[:, None], correlation)[:, 0]
    scale = np.sqrt(np.sum(left**2, axis=0))
    values, _, _, _ = np.linalg.lstsq(left / scale, right, rcond=None)
    off = right - left / scale @ values
    inner = np.linalg.pinv((left / scale).T @ (left / scale))
    squares = float(off @ off)
    freedom = max(len(y) - design.shape[1], 1)
    covariance = inner / np.outer(scale, scale) * squares / freedom
    return _Fit(values / scale, covariance, squares)


def _refine(x: Floats, y: Floats, knot: float, correlation: float) -> float:
    from scipy.optimize import minimize_scalar

    step = 2 * max(float(np.diff(x).max()), (x[-1] - x[0]) / 200)
    low, high = max(knot - step, x[EDGE]), min(knot + step, x[-EDGE - 1])
    fine = np.linspace(low, high, 41)
    best = min(fine.tolist(), key=lambda at: _fit(_model(x, at), y, correlation).left)
    width = (high - low) / 40
    found = minimize_scalar(
        lambda at: _fit(_model(x, at), y, correlation).left,
        bounds=(max(best - width, low), min(best + width, high)), method="bounded",
        options={"xatol": 1e-3},
    )  # fmt: skip
    return float(found.x)


def _knee_interval(x: Floats, y: Floats, knot: float, correlation: float) -> Slope:
    """Return the knee with the places that fit nearly as well, by their likelihood."""
    from scipy.stats import f

    freedom = len(x) - 4
    best = _refine(x, y, knot, correlation)
    left = _fit(_model(x, best), y, correlation).left
    most = max(left, 1e-30) * (1 + float(f.isf(0.05, 1, freedom)) / freedom)

    def is_near(at: float) -> bool:
        return _fit(_model(x, at), y, correlation).left <= most

    ends = []
    for end in (x[EDGE], x[-EDGE - 1]):
        near, far = best, float(end)
        if is_near(far):
            ends.append(far)
            continue
        for _ in range(24):
            middle = (near + far) / 2
            near, far = (middle, far) if is_near(middle) else (near, middle)
        ends.append(near)
    return Slope(knot, min(ends[0], knot), max(ends[1], knot))


def _slope(fit: _Fit, place: int, freedom: int) -> Slope:
    return _interval(float(fit.values[place]), float(fit.covariance[place, place]), freedom)


def _interval(value: float, square: float, freedom: int) -> Slope:
    from scipy.stats import t

    half = float(t.isf(0.025, freedom)) * math.sqrt(max(square, 0.0))
    return Slope(value, value - half, value + half)
