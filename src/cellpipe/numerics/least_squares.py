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
Model = Callable[[Floats], tuple[Floats, Floats]]
_LARGEST_STEP = 2.0  # of a logarithm: a factor of e² at a time


@dataclass
class _State:
    """Where the fits stand; one row each."""

    theta: Floats
    cost: Floats
    normal: Floats
    gradient: Floats
    damping: Floats
    growth: Floats


def minimised(
    model: Model, starts: Floats, low: Floats, high: Floats, *, iterations: int = 80
) -> tuple[Floats, Floats]:
    """Minimise sums of squares from many starts at once.

    Parameters
    ----------
    model
        Takes parameters (b, p), gives residuals (b, n) and their derivatives (b, p, n).
    starts
        Start values; shape (b, p).
    low, high
        Bounds of each parameter; shape (p,).
    iterations
        The most steps.

    Returns
    -------
    Best parameters, shape (b, p), and their sums of squares, shape (b,).

    """
    theta = np.clip(starts, low, high)
    residuals, slopes = model(theta)
    state = _State(
        theta,
        np.einsum("bn,bn->b", residuals, residuals),
        np.einsum("bpn,bqn->bpq", slopes, slopes),
        np.einsum("bpn,bn->bp", slopes, residuals),
        np.full(len(theta), 1e-2),
        np.full(len(theta), 2.0),
    )
    active = np.ones(len(theta), bool)
    for _ in range(iterations):
        rows = np.flatnonzero(active)
        if not len(rows):
            break
        active[rows[_advanced(model, state, rows, low, high)]] = False
    return state.theta, state.cost


def _advanced(
    model: Model, state: _State, rows: NDArray[np.int64], low: Floats, high: Floats
) -> NDArray[np.bool_]:
    """Take one step for these fits; tell which have come to rest."""
    step = _steps(state, rows, low, high)
    tried = np.clip(state.theta[rows] + step, low, high)
    residuals, slopes = model(tried)
    cost = np.einsum("bn,bn->b", residuals, residuals)
    cost = np.where(np.isfinite(cost), cost, np.inf)
    better = cost < state.cost[rows]
    moved = np.abs(tried - state.theta[rows]).max(axis=1)
    gained = (state.cost[rows] - cost) / np.maximum(state.cost[rows], 1e-300)
    rest: NDArray[np.bool_] = (better & (gained < 1e-9) & (moved < 1e-3)) | (moved < 1e-7)
    rest |= ~better & (state.damping[rows] > 1e10)
    good, bad = rows[better], rows[~better]
    state.theta[good], state.cost[good] = tried[better], cost[better]
    state.normal[good] = np.einsum("bpn,bqn->bpq", slopes[better], slopes[better])
    state.gradient[good] = np.einsum("bpn,bn->bp", slopes[better], residuals[better])
    state.damping[good] = np.maximum(state.damping[good] / 5, 1e-12)
    state.growth[good] = 2.0
    state.damping[bad] *= state.growth[bad]
    state.growth[bad] *= 2
    return rest


def _steps(state: _State, rows: NDArray[np.int64], low: Floats, high: Floats) -> Floats:
    """Solve the damped normal equations; a parameter that pushes against its bound stays."""
    normal, gradient, theta = state.normal[rows], state.gradient[rows], state.theta[rows]
    held = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
    size = theta.shape[1]
    diagonal = np.arange(size)
    spread = np.maximum(normal[:, diagonal, diagonal], 1e-14)
    matrix = normal.copy()
    matrix[:, diagonal, diagonal] += state.damping[rows, None] * spread
    matrix[held[:, :, None] | held[:, None, :]] = 0
    matrix[:, diagonal, diagonal] = np.where(held, 1.0, matrix[:, diagonal, diagonal])
    right = np.where(held, 0.0, gradient)
    try:
        step = -np.linalg.solve(matrix, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        step = -np.einsum("bpq,bq->bp", np.linalg.pinv(matrix), right)
    largest = np.abs(step).max(axis=1, keepdims=True)
    shortened: Floats = step * np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-30))
    return shortened
