"""All spectra of a cell fitted together, so that an arc stays the same arc.

Fitted one by one, two arcs that come near each other can't be told apart, and change places. Fitted
together they can: from one spectrum to the next a process changes little. So the parameters of the
series, the logarithms of R and of the capacitance and the exponent of every arc, follow a random
walk whose step sizes are learned from the data by expectation maximisation (A. P. Dempster, N. M.
Laird, D. B. Rubin, J. R. Stat. Soc. B 39, 1 (1977), doi 10.1111/j.2517-6161.1977.tb01600.x), and
the series is the maximum of the posterior: a smoother for a nonlinear state space (B. M. Bell, SIAM
J. Optim. 4, 626 (1994), doi 10.1137/0804035). As only neighbours are tied, the normal equations are
a narrow band, and the work grows with the number of spectra.

An arc whose capacitance drifts steadily while it is hidden behind another would be taken for one
whose resistance does. The data hardly tells, so the walk is allowed a common drift of every
capacitance, and its uncertainty is carried into the errors.
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

_AHEAD = 2.0  # expectation maximisation creeps: each round goes this much further
_STEPS, _STEPS_BETWEEN = 60, 12
_SMALLEST_WALK, _LARGEST_WALK = 2e-4, 1.0
_TAIL = 3.0  # degrees of freedom of Student's t: single large steps are possible
_DRIFT = 0.25  # standard deviation of a capacitance's drift over the whole series, logarithm
_SHARED = 2e-3  # step of capacitances and exponents while labels are sorted out
_WALK_RESISTANCE, _WALK_CAPACITANCE, _WALK_EXPONENT, _WALK_OTHER = 0.05, 0.02, 0.005, 0.03
_LARGEST_STEP = 1.5
_BOUND = 32.0  # of the logarithm of a capacitance


@dataclass(frozen=True)
class JointFit:
    """A series at the maximum of its posterior.

    ``theta`` are the fitted form's parameters, shape (n, p), ``spread`` their covariances,
    (n, p, p); ``walk`` the step sizes (p,) with capacitances in the place of time constants;
    ``noise`` the standard deviation of a weighted residual; ``cost`` the sums of squared residuals
    (n,); ``evidence`` minus twice the logarithm of Laplace's approximation to the evidence.
    """

    theta: Floats
    spread: Floats
    walk: Floats
    noise: float
    cost: Floats
    evidence: float


@dataclass(frozen=True)
class _Posterior:
    """What stays the same while a series is fitted; ``turn`` makes theta of work: M @ work.

    ``drifting`` are the places of the capacitances, ``loose`` the standard deviation of their
    drift in a step.
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

    def evaluate(self, work: Floats) -> tuple[Floats, Floats]:
        """Residuals (n, 2f) and their derivatives by work (n, p, 2f)."""
        residuals, slopes = weighted_residuals(self.form, self.spectra, work @ self.turn.T)
        for place in self.drifting:  # a resistance moves the time constant of its capacitance
            slopes[:, place - 1] += slopes[:, place]
        return residuals, slopes

    def steps(self, state: _State) -> Floats:
        """Return the steps from spectrum to spectrum beyond the drift; shape (n - 1, p)."""
        steps = np.diff(state.work, axis=0)
        steps[:, self.drifting] -= self.gaps[:, None] * state.drift
        return steps


@dataclass(frozen=True)
class _State:
    """Where the series stands, and what the walk allows: ``walk`` has shape (n - 1, p)."""

    work: Floats
    drift: Floats
    walk: Floats
    scale: Floats
    variance: float


def transform_matrix(form: Form) -> Floats:
    """Matrix from (ln R, ln C, n) of every arc to (ln R, ln τ, n): ln τ = ln C + ln R; (p, p)."""
    turn = np.eye(len(form.positive))
    for arc in form.arcs:
        turn[arc.first + 1, arc.first] = 1.0
    return turn


def initial_walk(form: Form) -> Floats:
    """Step sizes to begin with, shape (p,)."""
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
) -> JointFit:
    """Fit a series from start values whose arcs are in the same order in every spectrum.

    Parameters
    ----------
    form
        The circuit, with p parameters.
    spectra
        The series: frequencies, impedances and weights of shape (n, f), n at least 2. A point that
        a spectrum does not have has the weight zero.
    start
        Start values of the fitted form; shape (n, p).
    gaps
        Distance from one spectrum to the next, in steps; shape (n - 1,).
    rounds
        Rounds of expectation maximisation.
    walk
        Step sizes to begin with, as of a fit to some of the spectra; shape (p,). Without them,
        capacitances and exponents are held together first.

    """
    posterior = _build_posterior(form, spectra, gaps)
    work = start @ np.linalg.inv(posterior.turn).T
    residuals, _ = posterior.evaluate(work)
    freedom = np.maximum(posterior.points - work.shape[1], 1)
    variance = max(float(np.median(np.sum(residuals**2, axis=1) / freedom)), 1e-16)
    drift = (work[-1] - work[0])[posterior.drifting] / gaps.sum()
    root = np.sqrt(gaps)[:, None]
    usual = initial_walk(form) if walk is None else walk
    state = _State(work, drift, root * usual, usual, variance)
    if walk is None:
        tight = usual.copy()
        for arc in form.arcs:
            tight[arc.first + 1 : arc.first + (3 if arc.exponent else 2)] = _SHARED
        held = _maximise(posterior, replace(state, walk=root * tight), 2 * _STEPS_BETWEEN)
        state = replace(state, work=held.work, drift=held.drift)
    for _ in range(rounds):
        state = _update_walk(posterior, _maximise(posterior, state, _STEPS_BETWEEN))
    return _finish_fit(posterior, _maximise(posterior, state))


def _build_posterior(form: Form, spectra: Spectrum, gaps: Floats) -> _Posterior:
    low, high = parameter_bounds(form, spectra.frequency)
    places = np.array([arc.first + 1 for arc in form.arcs], np.int64)
    low[places], high[places] = -_BOUND, _BOUND
    points = 2 * np.count_nonzero(spectra.weight, axis=1)
    loose = _DRIFT / float(gaps.sum())
    return _Posterior(form, spectra, gaps, transform_matrix(form), low, high, points, places, loose)


def _maximise(posterior: _Posterior, state: _State, steps: int = _STEPS) -> _State:
    """Levenberg–Marquardt to the maximum of the posterior for these step sizes."""
    damping = 1e-3
    residuals, slopes = posterior.evaluate(state.work)
    cost = _cost(posterior, state, residuals)
    for _ in range(steps):
        system = _build_system(posterior, state, residuals, slopes)
        for _ in range(12):
            step, turned = _solve_step(system, damping)
            short = min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-30))
            tried = replace(
                state,
                work=np.clip(state.work + short * step, posterior.low, posterior.high),
                drift=state.drift + short * turned,
            )
            new, new_slopes = posterior.evaluate(tried.work)
            new_cost = _cost(posterior, tried, new)
            if np.isfinite(new_cost) and new_cost <= cost * (1 + 1e-12):
                break
            damping *= 6
        else:
            break
        gained = (cost - new_cost) / max(abs(cost), 1e-30)
        state, residuals, slopes, cost = tried, new, new_slopes, new_cost
        damping = max(damping / 6, 1e-9)
        if gained < 1e-7 or (steps < _STEPS and gained < 1e-5):
            break
    return state


def _cost(posterior: _Posterior, state: _State, residuals: Floats) -> float:
    steps = posterior.steps(state) / state.walk
    drift = np.sum((state.drift / posterior.loose) ** 2)
    return float(np.sum(residuals**2) / state.variance + np.sum(steps**2) + drift)


@dataclass(frozen=True)
class _System:
    """Normal equations: a band of blocks (n, p, p) tied by (n - 1, p), bordered by the drifts.

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
    each = np.arange(len(places))
    border[:-1, places, each] += gaps * ties[:, places]
    border[1:, places, each] -= gaps * ties[:, places]
    corner = np.sum(gaps**2 * ties[:, places], axis=0) + 1 / posterior.loose**2
    turned = state.drift / posterior.loose**2 - np.sum(gaps * pull[:, places], axis=0)
    return _System(blocks, ties, gradient, border, np.diag(corner), turned)


def _solve_step(system: _System, damping: float) -> tuple[Floats, Floats]:
    """Solve the bordered equations for a step of the series (n, p) and of the drifts (q,)."""
    count, size = system.gradient.shape
    sides = np.concatenate([system.gradient[:, :, None], system.border], axis=2)
    solved = _solve(system, sides.reshape(count * size, -1), damping).reshape(sides.shape)
    plain, share = solved[:, :, 0], solved[:, :, 1:]
    corner = system.corner - np.einsum("npq,npr->qr", system.border, share)
    right = system.pull - np.einsum("npq,np->q", system.border, plain)
    turned = -np.linalg.solve(corner + damping * np.diag(np.diag(system.corner)), right)
    return -plain - share @ turned, turned


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
    """Lower band of the normal equations, as LAPACK keeps it; shape (p + 1, n p)."""
    count, size, _ = blocks.shape
    band = np.zeros((size + 1, count, size))
    for below in range(size):
        places = np.arange(size - below)
        band[below, :, : size - below] = blocks[:, places + below, places]
    band[0] += damping * np.maximum(band[0], 1e-12)
    band[size, :-1] = -ties
    return band.reshape(size + 1, count * size)


def _inverse(system: _System) -> tuple[Floats, Floats, float]:
    """Diagonal blocks of the inverse (n, p, p), those beside them, and the log determinant."""
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
    beside = np.empty((count - 1, size, size))
    inverse[-1] = schur[-1]
    for i in range(count - 2, -1, -1):
        share = schur[i] * ties[i]
        beside[i] = share @ inverse[i + 1]
        inverse[i] = schur[i] + beside[i] @ share.T
    return _add_drift(system, inverse, beside, logarithm)


def _add_drift(
    system: _System, inverse: Floats, beside: Floats, logarithm: float
) -> tuple[Floats, Floats, float]:
    """Add what the uncertain drifts add."""
    count, size = system.gradient.shape
    share = _solve(system, system.border.reshape(count * size, -1), 0.0).reshape(
        system.border.shape
    )
    corner = system.corner - np.einsum("npq,npr->qr", system.border, share)
    wide = np.linalg.inv(corner)
    inverse = inverse + np.einsum("npq,qr,nsr->nps", share, wide, share)
    beside = beside + np.einsum("npq,qr,nsr->nps", share[:-1], wide, share[1:])
    return inverse, beside, logarithm + float(np.linalg.slogdet(corner)[1])


def _update_walk(posterior: _Posterior, state: _State) -> _State:
    """One round of expectation maximisation: step sizes, large single steps, noise."""
    residuals, slopes = posterior.evaluate(state.work)
    system = _build_system(posterior, state, residuals, slopes)
    inverse, beside, _ = _inverse(system)
    own = np.einsum("npp->np", inverse)
    across = np.einsum("npp->np", beside)
    square = posterior.steps(state) ** 2 + own[:-1] + own[1:] - 2 * across
    square = np.maximum(square, 0) / posterior.gaps[:, None]
    share = (_TAIL + 1) / (_TAIL + square / state.scale**2)
    new = np.sqrt(np.mean(share * square, axis=0))
    scale = np.clip(state.scale * (new / state.scale) ** _AHEAD, _SMALLEST_WALK, _LARGEST_WALK)
    walk = np.sqrt(posterior.gaps[:, None] / share) * scale
    freedom = float(posterior.points.sum()) - _effective_parameters(system, inverse)
    variance = max(float(np.sum(residuals**2)) / max(freedom, 1.0), 1e-16)
    return replace(state, walk=walk, scale=scale, variance=variance)


def _effective_parameters(system: _System, inverse: Floats) -> float:
    """Degrees of freedom that the fit takes from the data: trace of the data's share."""
    data = system.blocks.copy()
    diagonal = np.arange(data.shape[1])
    data[:-1, diagonal, diagonal] -= system.ties
    data[1:, diagonal, diagonal] -= system.ties
    return float(np.einsum("npq,nqp->", data, inverse))


def _finish_fit(posterior: _Posterior, state: _State) -> JointFit:
    residuals, slopes = posterior.evaluate(state.work)
    inverse, _, logarithm = _inverse(_build_system(posterior, state, residuals, slopes))
    spread = np.einsum("ap,npq,bq->nab", posterior.turn, inverse, posterior.turn)
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
    theta = state.work @ posterior.turn.T
    return JointFit(theta, spread, state.scale, math.sqrt(state.variance), cost, evidence)
