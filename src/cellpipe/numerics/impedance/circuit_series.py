"""Joint fit of all spectra of a cell, which keeps the identity of each arc.

In separate fits, arcs with similar time constants can't be distinguished and may swap. A joint fit
can distinguish them, because a process changes little from one spectrum to the next. The parameters
(ln R, ln C and exponent of each arc) follow a random walk whose step sizes are estimated by
expectation maximisation (A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977),
doi 10.1111/j.2517-6161.1977.tb01600.x). The result is the maximum of the posterior, a smoother for
a nonlinear state space (B. M. Bell, SIAM J. Optim. 4, 626 (1994), doi 10.1137/0804035). Only
neighbours are coupled, so the normal equations are banded and the cost is linear in the number of
spectra.

A steady drift of the capacitance of an arc that is hidden by another could be mistaken for a drift
of its resistance, and the data hardly distinguish the two. Each capacitance may therefore drift at
a constant rate, whose uncertainty is propagated into the errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

from cellpipe.numerics.impedance.circuit_fit import Spectrum, weighted_residuals
from cellpipe.numerics.impedance.circuit_forms import Form, parameter_bounds
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.free_parameters import FreeParameters

_AHEAD = 2.0  # over-relaxation exponent: expectation maximisation converges slowly
_STEPS, _STEPS_BETWEEN = 60, 12
_SMALLEST_WALK, _LARGEST_WALK = 2e-4, 1.0
_TAIL = 3.0  # degrees of freedom of Student's t, which allows single large steps
_DRIFT = 0.25  # standard deviation of the drift of ln C over the whole series
_SHARED = 2e-3  # step of capacitances and exponents in the first, tight fit
_WALK_RESISTANCE, _WALK_CAPACITANCE, _WALK_EXPONENT, _WALK_OTHER = 0.05, 0.02, 0.005, 0.03
_LARGEST_STEP = 1.5
_BOUND = 32.0  # of |ln C|


@dataclass(frozen=True)
class JointFit:
    """A series at the maximum of its posterior.

    ``theta``: parameters of the fitted form, shape (n, p). ``spread``: their covariances,
    (n, p, p). ``walk``: step sizes (p,), of ln C instead of ln τ. ``noise``: standard deviation of
    a weighted residual. ``cost``: sums of squared residuals (n,). ``evidence``: minus twice the
    logarithm of the evidence in Laplace's approximation. ``free``: under constraints, the free
    parameters (n, q) and their covariances (n, q, q).
    """

    theta: Floats
    spread: Floats
    walk: Floats
    noise: float
    cost: Floats
    evidence: float
    free: tuple[Floats, Floats] | None = None


@dataclass(frozen=True)
class _Posterior:
    """Constants of a series fit; ``turn`` is the matrix M with theta = M @ work.

    ``drifting`` holds the indices of the capacitances, ``loose`` the standard deviation of their
    drift per step.
    """

    form: Form
    spectra: Spectrum
    gaps: Floats
    turn: Floats
    low: Floats
    high: Floats
    points: NDArray[np.int64]
    drifting: NDArray[np.int64]
    loose: float
    free: FreeParameters | None = None

    def evaluate(self, work: Floats) -> tuple[Floats, Floats]:
        """Return residuals (n, 2f) and their derivatives by work (n, p, 2f)."""
        if self.free is not None:
            theta, turns = self.free.theta(work), self.free.slopes(work)
            residuals, slopes = weighted_residuals(self.form, self.spectra, theta)
            return residuals, turns @ slopes
        residuals, slopes = weighted_residuals(self.form, self.spectra, work @ self.turn.T)
        for place in self.drifting:  # at constant C, a resistance changes the time constant
            slopes[:, place - 1] += slopes[:, place]
        return residuals, slopes

    def steps(self, state: _State) -> Floats:
        """Return the steps between spectra minus the drift; shape (n - 1, p)."""
        steps = np.diff(state.work, axis=0)
        steps[:, self.drifting] -= self.gaps[:, None] * state.drift
        return steps


@dataclass(frozen=True)
class _State:
    """Current parameters of the series, and step sizes ``walk`` of shape (n - 1, p)."""

    work: Floats
    drift: Floats
    walk: Floats
    scale: Floats
    variance: float


def transform_matrix(form: Form) -> Floats:
    """Return the matrix (p, p) from (ln R, ln C, n) to (ln R, ln τ, n): ln τ = ln C + ln R."""
    turn = np.eye(len(form.positive))
    for arc in form.arcs:
        turn[arc.first + 1, arc.first] = 1.0
    return turn


def initial_walk(form: Form) -> Floats:
    """Return the initial step sizes; shape (p,)."""
    walk = np.full(len(form.positive), _WALK_OTHER)
    for arc in form.arcs:
        walk[arc.first], walk[arc.first + 1] = _WALK_RESISTANCE, _WALK_CAPACITANCE
        if arc.exponent:
            walk[arc.first + 2] = _WALK_EXPONENT
    return walk


def fit_joint(
    form: Form,
    spectra: Spectrum,
    start: Floats,
    gaps: Floats,
    *,
    rounds: int,
    walk: Floats | None = None,
    free: FreeParameters | None = None,
) -> JointFit:
    """Fit a series from start values with the arcs in the same order in every spectrum.

    Parameters
    ----------
    form
        The circuit, with p parameters.
    spectra
        The series: frequencies (Hz), impedances (ohm) and weights of shape (n, f), n at least 2.
        Missing points have zero weight.
    start
        Start values of the fitted form; shape (n, p).
    gaps
        Distances between successive spectra, in steps; shape (n - 1,).
    rounds
        Number of iterations of expectation maximisation.
    walk
        Initial step sizes, e.g. from a fit to some of the spectra; shape (p,). Without them,
        capacitances and exponents are first held nearly constant.
    free
        The free parameters under constraints; ``start`` and ``walk`` are of these.

    """
    posterior = _build_posterior(form, spectra, gaps, free)
    work = start if free is not None else start @ np.linalg.inv(posterior.turn).T
    residuals, _ = posterior.evaluate(work)
    freedom = np.maximum(posterior.points - work.shape[1], 1)
    variance = max(float(np.median(np.sum(residuals**2, axis=1) / freedom)), 1e-16)
    drift = (work[-1] - work[0])[posterior.drifting] / gaps.sum()
    root_gaps = np.sqrt(gaps)[:, None]
    scale = initial_walk(form) if walk is None else walk
    state = _State(work, drift, root_gaps * scale, scale, variance)
    if walk is None:
        tight = scale.copy()
        for arc in form.arcs:
            tight[arc.first + 1 : arc.first + (3 if arc.exponent else 2)] = _SHARED
        held = _maximise(posterior, replace(state, walk=root_gaps * tight), 2 * _STEPS_BETWEEN)
        state = replace(state, work=held.work, drift=held.drift)
    for _ in range(rounds):
        state = _update_walk(posterior, _maximise(posterior, state, _STEPS_BETWEEN))
    return _finish_fit(posterior, _maximise(posterior, state))


def _build_posterior(
    form: Form, spectra: Spectrum, gaps: Floats, free: FreeParameters | None
) -> _Posterior:
    low, high = parameter_bounds(form, spectra.frequency)
    places = np.array([arc.first + 1 for arc in form.arcs], np.int64)
    low[places], high[places] = -_BOUND, _BOUND
    if free is not None:
        (low, high), places = free.bounds, free.capacitances
    points = 2 * np.count_nonzero(spectra.weight, axis=1)
    return _Posterior(
        form, spectra, gaps, transform_matrix(form), low, high, points, places,
        _DRIFT / float(gaps.sum()), free,
    )  # fmt: skip


def _maximise(posterior: _Posterior, state: _State, steps: int = _STEPS) -> _State:
    """Return the maximum of the posterior for given step sizes, by Levenberg–Marquardt."""
    damping = 1e-3
    residuals, slopes = posterior.evaluate(state.work)
    cost = _cost(posterior, state, residuals)
    for _ in range(steps):
        system = _build_system(posterior, state, residuals, slopes)
        for _ in range(12):
            step, drift_step = _solve_step(system, damping)
            shortening = min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-30))
            trial = replace(
                state,
                work=np.clip(state.work + shortening * step, posterior.low, posterior.high),
                drift=state.drift + shortening * drift_step,
            )
            new, new_slopes = posterior.evaluate(trial.work)
            new_cost = _cost(posterior, trial, new)
            if np.isfinite(new_cost) and new_cost <= cost * (1 + 1e-12):
                break
            damping *= 6
        else:
            break
        gain = (cost - new_cost) / max(abs(cost), 1e-30)
        state, residuals, slopes, cost = trial, new, new_slopes, new_cost
        damping = max(damping / 6, 1e-9)
        if gain < 1e-7 or (steps < _STEPS and gain < 1e-5):
            break
    return state


def _cost(posterior: _Posterior, state: _State, residuals: Floats) -> float:
    steps = posterior.steps(state) / state.walk
    drift = np.sum((state.drift / posterior.loose) ** 2)
    return float(np.sum(residuals**2) / state.variance + np.sum(steps**2) + drift)


@dataclass(frozen=True)
class _System:
    """Normal equations: blocks (n, p, p) coupled by ``ties`` (n - 1, p), bordered by the drifts.

    ``border`` has shape (n, p, q), ``corner`` (q, q); ``gradient`` (n, p) and ``pull`` (q,).
    """

    blocks: Floats
    ties: Floats
    gradient: Floats
    border: Floats
    corner: Floats
    pull: Floats


def _build_system(
    posterior: _Posterior, state: _State, residuals: Floats, slopes: Floats
) -> _System:
    blocks = slopes @ slopes.transpose(0, 2, 1) / state.variance
    gradient = (slopes @ residuals[:, :, None])[:, :, 0] / state.variance
    ties = 1 / state.walk**2
    pull = posterior.steps(state) * ties
    gradient[:-1] -= pull
    gradient[1:] += pull
    diagonal = np.arange(ties.shape[1])
    blocks[:-1, diagonal, diagonal] += ties
    blocks[1:, diagonal, diagonal] += ties
    places, gaps = posterior.drifting, posterior.gaps[:, None]
    border = np.zeros((*gradient.shape, len(places)))
    columns = np.arange(len(places))
    border[:-1, places, columns] += gaps * ties[:, places]
    border[1:, places, columns] -= gaps * ties[:, places]
    corner = np.sum(gaps**2 * ties[:, places], axis=0) + 1 / posterior.loose**2
    drift_gradient = state.drift / posterior.loose**2 - np.sum(gaps * pull[:, places], axis=0)
    return _System(blocks, ties, gradient, border, np.diag(corner), drift_gradient)


def _solve_step(system: _System, damping: float) -> tuple[Floats, Floats]:
    """Solve the bordered equations for a step of the series (n, p) and of the drifts (q,)."""
    count, size = system.gradient.shape
    sides = np.concatenate([system.gradient[:, :, None], system.border], axis=2)
    solution = _solve(system, sides.reshape(count * size, -1), damping).reshape(sides.shape)
    plain, share = solution[:, :, 0], solution[:, :, 1:]
    corner = system.corner - np.einsum("npq,npr->qr", system.border, share)
    right = system.pull - np.einsum("npq,np->q", system.border, plain)
    drift_step = -np.linalg.solve(corner + damping * np.diag(np.diag(system.corner)), right)
    return -plain - share @ drift_step, drift_step


def _solve(system: _System, sides: Floats, damping: float) -> Floats:
    for _ in range(12):
        try:
            factor = cholesky_banded(
                _band(system.blocks, system.ties, damping),
                lower=True, overwrite_ab=True, check_finite=False,
            )  # fmt: skip
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-9)
            continue
        return np.asarray(cho_solve_banded((factor, True), sides, check_finite=False))
    return np.zeros_like(sides)


def _band(blocks: Floats, ties: Floats, damping: float) -> Floats:
    """Return the lower band of the normal equations in LAPACK storage; shape (p + 1, n p)."""
    count, size, _ = blocks.shape
    band = np.zeros((size + 1, count, size))
    for below in range(size):
        places = np.arange(size - below)
        band[below, :, : size - below] = blocks[:, places + below, places]
    band[0] += damping * np.maximum(band[0], 1e-12)
    band[size, :-1] = -ties
    return band.reshape(size + 1, count * size)


def _inverse(system: _System) -> tuple[Floats, Floats, float]:
    """Return diagonal (n, p, p) and neighbouring blocks of the inverse, and the log determinant."""
    blocks, ties = system.blocks, system.ties
    count, size, _ = blocks.shape
    schur = np.empty_like(blocks)
    logarithm = 0.0
    for i in range(count):
        left = blocks[i] + np.diag(1e-10 * blocks[i].diagonal())
        if i:
            left = left - ties[i - 1][:, None] * schur[i - 1] * ties[i - 1]
        logarithm += float(np.linalg.slogdet(left)[1])
        schur[i] = np.linalg.inv(left)
    inverse = np.empty_like(blocks)
    neighbours = np.empty((count - 1, size, size))
    inverse[-1] = schur[-1]
    for i in range(count - 2, -1, -1):
        share = schur[i] * ties[i]
        neighbours[i] = share @ inverse[i + 1]
        inverse[i] = schur[i] + neighbours[i] @ share.T
    return _add_drift(system, inverse, neighbours, logarithm)


def _add_drift(
    system: _System, inverse: Floats, neighbours: Floats, logarithm: float
) -> tuple[Floats, Floats, float]:
    """Add the contribution of the uncertain drifts."""
    count, size = system.gradient.shape
    share = _solve(system, system.border.reshape(count * size, -1), 0.0).reshape(
        system.border.shape
    )
    corner = system.corner - np.einsum("npq,npr->qr", system.border, share)
    drift_covariance = np.linalg.inv(corner)
    inverse = inverse + np.einsum("npq,qr,nsr->nps", share, drift_covariance, share)
    neighbours = neighbours + np.einsum("npq,qr,nsr->nps", share[:-1], drift_covariance, share[1:])
    return inverse, neighbours, logarithm + float(np.linalg.slogdet(corner)[1])


def _update_walk(posterior: _Posterior, state: _State) -> _State:
    """Update step sizes, weights of large steps and noise by expectation maximisation."""
    residuals, slopes = posterior.evaluate(state.work)
    system = _build_system(posterior, state, residuals, slopes)
    inverse, neighbours, _ = _inverse(system)
    variances = np.einsum("npp->np", inverse)
    covariances = np.einsum("npp->np", neighbours)
    square = posterior.steps(state) ** 2 + variances[:-1] + variances[1:] - 2 * covariances
    square = np.maximum(square, 0) / posterior.gaps[:, None]
    share = (_TAIL + 1) / (_TAIL + square / state.scale**2)
    new = np.sqrt(np.mean(share * square, axis=0))
    scale = np.clip(state.scale * (new / state.scale) ** _AHEAD, _SMALLEST_WALK, _LARGEST_WALK)
    walk = np.sqrt(posterior.gaps[:, None] / share) * scale
    freedom = float(posterior.points.sum()) - _effective_parameters(system, inverse)
    variance = max(float(np.sum(residuals**2)) / max(freedom, 1.0), 1e-16)
    return replace(state, walk=walk, scale=scale, variance=variance)


def _effective_parameters(system: _System, inverse: Floats) -> float:
    """Return the effective number of parameters, the trace of the data's share of the posterior."""
    data = system.blocks.copy()
    diagonal = np.arange(data.shape[1])
    data[:-1, diagonal, diagonal] -= system.ties
    data[1:, diagonal, diagonal] -= system.ties
    return float(np.einsum("npq,nqp->", data, inverse))


def _finish_fit(posterior: _Posterior, state: _State) -> JointFit:
    residuals, slopes = posterior.evaluate(state.work)
    inverse, _, logarithm = _inverse(_build_system(posterior, state, residuals, slopes))
    turns = posterior.turn.T[None]
    if posterior.free is not None:
        turns = posterior.free.slopes(state.work)
    spread = turns.transpose(0, 2, 1) @ inverse @ turns
    cost = np.sum(residuals**2, axis=1)
    steps = posterior.steps(state) / np.sqrt(posterior.gaps)[:, None] / state.scale
    evidence = (
        float(cost.sum()) / state.variance
        + (_TAIL + 1) * float(np.log1p(steps**2 / _TAIL).sum())
        + 2 * len(steps) * float(np.log(state.scale).sum())
        + float(np.sum((state.drift / posterior.loose) ** 2))
        + logarithm
        + float(posterior.points.sum()) * math.log(state.variance)
    )
    noise = math.sqrt(state.variance)
    if posterior.free is None:
        return JointFit(state.work @ posterior.turn.T, spread, state.scale, noise, cost, evidence)
    theta, free = posterior.free.theta(state.work), (state.work, inverse)
    return JointFit(theta, spread, state.scale, noise, cost, evidence, free)
