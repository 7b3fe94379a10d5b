"""Levenberg–Marquardt for many fits of one circuit at once, within bounds.

K. Levenberg, Quart. Appl. Math. 2, 164 (1944), doi 10.1090/qam/10666; D. W. Marquardt, J. SIAM 11,
431 (1963), doi 10.1137/0111030. The damping follows H. B. Nielsen, IMM-REP-1999-05 (1999).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Model = Callable[[Floats, Ints], tuple[Floats, Floats]]
_LARGEST_STEP = 2.0  # of a logarithm: a factor of e² at a time
# a start that is this many times worse than the best of its fit is given up at this step
_SCREENED = {3: 100.0, 6: 20.0, 10: 5.0, 14: 2.0, 18: 1.2, 24: 1.05}
_SAME = 0.02  # starts of one fit that have come this near go the same way


@dataclass
class _State:
    """Where the fits stand; one row each."""

    theta: Floats
    cost: Floats
    normal: Floats
    gradient: Floats
    damping: Floats
    growth: Floats


def minimise(
    model: Model,
    starts: Floats,
    low: Floats,
    high: Floats,
    *,
    groups: Ints | None = None,
    iterations: int = 80,
    tolerance: float = 1e-9,
) -> tuple[Floats, Floats]:
    """Minimise sums of squares from many starts at once.

    Parameters
    ----------
    model
        Takes parameters (b, p) and the numbers of their starts (b,), gives residuals (b, n) and
        their derivatives (b, p, n).
    starts
        Start values; shape (b, p).
    low, high
        Bounds of each parameter; shape (p,).
    groups
        Which fit a start belongs to, from 0; shape (b,). Starts of one fit that fall far behind
        its best, or come together with it, are given up. Without it each start is its own fit.
    iterations
        The most steps.
    tolerance
        Share of its sum of squares that a fit at rest gains by a step no more.

    Returns
    -------
    Best parameters, shape (b, p), and their sums of squares, shape (b,).

    """
    theta = np.clip(starts, low, high)
    residuals, slopes = model(theta, np.arange(len(theta)))
    state = _State(
        theta,
        np.einsum("bn,bn->b", residuals, residuals),
        slopes @ slopes.transpose(0, 2, 1),
        (slopes @ residuals[:, :, None])[:, :, 0],
        np.full(len(theta), 1e-2),
        np.full(len(theta), 2.0),
    )
    active = np.isfinite(state.cost)
    state.cost[~active] = np.inf
    for step in range(iterations):
        rows = np.flatnonzero(active)
        if not len(rows):
            break
        active[rows[_advance(model, state, rows, low, high, tolerance)]] = False
        if groups is not None and step in _SCREENED:
            _screen(state, groups, active, _SCREENED[step])
    return state.theta, state.cost


def _screen(state: _State, groups: Ints, active: NDArray[np.bool_], behind: float) -> None:
    """Return up starts that are far behind the best of their fit or beside a better one."""
    best = np.full(groups.max() + 1, np.inf)
    np.minimum.at(best, groups, state.cost)
    active &= state.cost <= behind * best[groups]
    rows = np.flatnonzero(active)
    order = rows[np.lexsort((state.cost[rows], groups[rows]))]
    for place, row in enumerate(order):
        for other in order[max(0, place - 3) : place]:
            near = groups[other] == groups[row]
            if near and np.abs(state.theta[other] - state.theta[row]).max() < _SAME:
                active[row] = False


def _advance(
    model: Model, state: _State, rows: Ints, low: Floats, high: Floats, tolerance: float
) -> NDArray[np.bool_]:
    """Take one step for these fits; tell which have come to rest."""
    step = _steps(state, rows, low, high)
    tried = np.clip(state.theta[rows] + step, low, high)
    residuals, slopes = model(tried, rows)
    cost = np.einsum("bn,bn->b", residuals, residuals)
    cost = np.where(np.isfinite(cost), cost, np.inf)
    better = cost < state.cost[rows]
    moved = np.abs(tried - state.theta[rows]).max(axis=1)
    gained = (state.cost[rows] - cost) / np.maximum(state.cost[rows], 1e-300)
    rest: NDArray[np.bool_] = (better & (gained < tolerance) & (moved < 1e-3)) | (moved < 1e-7)
    rest |= ~better & (state.damping[rows] > 1e10)
    good, bad = rows[better], rows[~better]
    state.theta[good], state.cost[good] = tried[better], cost[better]
    if not better.all():
        slopes, residuals = slopes[better], residuals[better]
    state.normal[good] = slopes @ slopes.transpose(0, 2, 1)
    state.gradient[good] = (slopes @ residuals[:, :, None])[:, :, 0]
    state.damping[good] = np.maximum(state.damping[good] / 5, 1e-12)
    state.growth[good] = 2.0
    state.damping[bad] *= state.growth[bad]
    state.growth[bad] *= 2
    return rest


def _steps(state: _State, rows: Ints, low: Floats, high: Floats) -> Floats:
    """Solve the damped normal equations; a parameter that pushes against its bound stays."""
    normal, gradient, theta = state.normal[rows], state.gradient[rows], state.theta[rows]
    held = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
    diagonal = np.arange(theta.shape[1])
    spread = np.maximum(normal[:, diagonal, diagonal], 1e-14)
    normal[:, diagonal, diagonal] += state.damping[rows, None] * spread
    if held.any():
        normal[held[:, :, None] | held[:, None, :]] = 0
        normal[:, diagonal, diagonal] = np.where(held, 1.0, normal[:, diagonal, diagonal])
    right = np.where(held, 0.0, gradient)
    try:
        step = -np.linalg.solve(normal, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        step = -np.einsum("bpq,bq->bp", np.linalg.pinv(normal), right)
    largest = np.abs(step).max(axis=1, keepdims=True)
    shortened: Floats = step * np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-30))
    return shortened
