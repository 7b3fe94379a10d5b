"""Levenberg–Marquardt minimisation of many fits of one circuit at once, within bounds.

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
_LARGEST_STEP = 2.0  # of a logarithm, a factor of e²
# step: factor by which a start may exceed the best cost of its fit, else it is dropped
_SCREENED = {3: 100.0, 6: 20.0, 10: 5.0, 14: 2.0, 18: 1.2, 24: 1.05}
_SAME = 0.02  # distance below which starts of one fit have converged to the same path


@dataclass
class _State:
    """Current state of the fits, one row each."""

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
        Takes parameters (b, p) and the indices of their starts (b,), returns residuals (b, n) and
        their derivatives (b, p, n).
    starts
        Start values; shape (b, p).
    low, high
        Bounds of each parameter; shape (p,).
    groups
        Number of the fit that each start belongs to, from 0; shape (b,). Starts of one fit that
        are far worse than its best, or converge to it, are dropped. Default: one fit per start.
    iterations
        Largest number of steps.
    tolerance
        Relative decrease of the sum of squares below which a fit has converged.

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


def _screen(state: _State, groups: Ints, active: NDArray[np.bool_], factor: float) -> None:
    """Drop starts that are far worse than the best of their fit or close to a better one."""
    best = np.full(groups.max() + 1, np.inf)
    np.minimum.at(best, groups, state.cost)
    active &= state.cost <= factor * best[groups]
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
    """Take one step for these fits and return which have converged."""
    step = _steps(state, rows, low, high)
    trial = np.clip(state.theta[rows] + step, low, high)
    residuals, slopes = model(trial, rows)
    cost = np.einsum("bn,bn->b", residuals, residuals)
    cost = np.where(np.isfinite(cost), cost, np.inf)
    better = cost < state.cost[rows]
    moved = np.abs(trial - state.theta[rows]).max(axis=1)
    gain = (state.cost[rows] - cost) / np.maximum(state.cost[rows], 1e-300)
    converged: NDArray[np.bool_] = (
        better & (gain < tolerance) & (moved < max(1e-3, 1e3 * tolerance))
    ) | (moved < 1e-7)
    converged |= ~better & (state.damping[rows] > 1e10)
    good, bad = rows[better], rows[~better]
    state.theta[good], state.cost[good] = trial[better], cost[better]
    if not better.all():
        slopes, residuals = slopes[better], residuals[better]
    state.normal[good] = slopes @ slopes.transpose(0, 2, 1)
    state.gradient[good] = (slopes @ residuals[:, :, None])[:, :, 0]
    state.damping[good] = np.maximum(state.damping[good] / 5, 1e-12)
    state.growth[good] = 2.0
    state.damping[bad] *= state.growth[bad]
    state.growth[bad] *= 2
    return converged


def _steps(state: _State, rows: Ints, low: Floats, high: Floats) -> Floats:
    """Return damped steps; a parameter whose gradient points beyond its bound stays."""
    normal, gradient, theta = state.normal[rows], state.gradient[rows], state.theta[rows]
    fixed = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
    diagonal = np.arange(theta.shape[1])
    scale = np.maximum(normal[:, diagonal, diagonal], 1e-14)
    normal[:, diagonal, diagonal] += state.damping[rows, None] * scale
    if fixed.any():
        normal[fixed[:, :, None] | fixed[:, None, :]] = 0
        normal[:, diagonal, diagonal] = np.where(fixed, 1.0, normal[:, diagonal, diagonal])
    right = np.where(fixed, 0.0, gradient)
    try:
        step = -np.linalg.solve(normal, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        step = -np.einsum("bpq,bq->bp", np.linalg.pinv(normal), right)
    largest = np.abs(step).max(axis=1, keepdims=True)
    shortened: Floats = step * np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-30))
    return shortened
