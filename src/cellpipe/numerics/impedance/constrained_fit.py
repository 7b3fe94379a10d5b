"""Fit of a spectrum, or of a series jointly, with some parameters fixed, bounded or tied."""

from __future__ import annotations

from typing import cast

import numpy as np

from cellpipe.numerics.impedance.circuit_fit import (
    STARTS,
    CircuitFit,
    Spectrum,
    determined_mask,
    invert_normal_matrix,
    sort_arcs,
    weighted_residuals,
)
from cellpipe.numerics.impedance.circuit_series import JointFit, fit_joint
from cellpipe.numerics.impedance.circuit_starts import start_values
from cellpipe.numerics.impedance.constraints import Constraints
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.free_parameters import FreeParameters, at_bound, find_limits
from cellpipe.numerics.impedance.least_squares import Ints, minimise
from cellpipe.numerics.impedance.series_labels import select_spectra

_ROUNDS = 6
_EXACTLY = 1e-11


def fit_under_constraints(fit: CircuitFit, constraints: Constraints) -> CircuitFit:
    """Return the fit of a spectrum under constraints, from the free one and from new starts.

    A constraint on an arc is one on the first, second … by time constant, as in the free fit: a
    better fit with the arcs in another order is none of these.

    Raises
    ------
    CellpipeError
        If a tie leads to a value that the element can't have.

    """
    free, part = FreeParameters(fit.form, constraints), fit.spectrum
    more = start_values(fit.form, part.frequency, part.impedance, part.weight, STARTS)
    more = np.array([sort_arcs(fit.form, theta) for theta in more])
    work = _minimise(free, part, free.start(np.concatenate([fit.theta[None], more])))
    free.check(free.values(work[None]))
    return _finish(free, part, work)


def _minimise(free: FreeParameters, spectrum: Spectrum, starts: Floats) -> Floats:
    """Return the best free parameters, (q,), with the arcs in order, from these starts, (b, q)."""
    if not starts.shape[1]:
        return np.asarray(starts[0])

    def model(work: Floats, _: Ints) -> tuple[Floats, Floats]:
        residuals, slopes = weighted_residuals(free.form, spectrum, free.theta(work))
        return residuals, free.slopes(work) @ slopes

    work, cost = minimise(model, starts, *free.bounds)
    theta = free.theta(work)
    in_order = np.array([np.allclose(row, sort_arcs(free.form, row)) for row in theta])
    in_order[0] |= not in_order.any()
    best = int(np.argmin(np.where(in_order, cost, np.inf)))
    exact, _ = minimise(model, work[best : best + 1], *free.bounds, tolerance=_EXACTLY)
    return np.asarray(exact[0])


def _finish(free: FreeParameters, spectrum: Spectrum, work: Floats) -> CircuitFit:
    """Return the fit at an optimum of the free parameters, with its covariance."""
    theta, turn = free.theta(work[None])[0], free.slopes(work[None])[0]
    residuals, slopes = weighted_residuals(free.form, spectrum, theta[None])
    projected = turn @ slopes[0]
    cost = float(residuals[0] @ residuals[0])
    freedom = max(residuals.shape[1] - len(work), 1)
    bounded = at_bound(free, work)
    normal = projected @ projected.T / max(cost / freedom, 1e-300)
    spread = invert_normal_matrix(normal, bounded)
    return fit_at(free, spectrum, work, spread, cost)


def fit_at(
    free: FreeParameters, spectrum: Spectrum, work: Floats, spread: Floats, cost: float
) -> CircuitFit:
    """Return the fit of a spectrum at free parameters (q,) with their covariance (q, q)."""
    theta, turn = free.theta(work[None])[0], free.slopes(work[None])[0]
    bounded = at_bound(free, work)
    known = determined_mask(work, spread, free.positive, bounded)
    limits = find_limits(free, theta, turn, bounded, known)
    at = np.zeros(len(theta), bool)
    at[free.form.places] = limits.bounded
    return CircuitFit(free.form, spectrum, theta, turn.T @ spread @ turn, at, cost, limits)


def fit_series_under_constraints(
    free: FreeParameters, spectra: Spectrum, theta: Floats, gaps: Floats
) -> tuple[JointFit, Floats]:
    """Fit a series jointly under constraints; give it, and the separate fits' parameters (n, p).

    Parameters
    ----------
    free
        The free parameters; one at least.
    spectra, gaps
        As for :func:`cellpipe.numerics.impedance.circuit_series.fit_joint`.
    theta
        The joint fit without constraints, whose order of the arcs is kept; shape (n, p).

    Raises
    ------
    CellpipeError
        If a tie leads to a value that the element can't have.

    """

    def model(work: Floats, which: Ints) -> tuple[Floats, Floats]:
        part = select_spectra(spectra, which)
        residuals, slopes = weighted_residuals(free.form, part, free.theta(work))
        return residuals, free.slopes(work) @ slopes

    work, _ = minimise(model, free.start(theta), *free.bounds)
    found = fit_joint(free.form, spectra, work, gaps, rounds=_ROUNDS, walk=free.walk, free=free)
    free.check(free.values(_work_of(found)))
    return found, free.theta(work)


def _work_of(joint: JointFit) -> Floats:
    return cast("tuple[Floats, Floats]", joint.free)[0]


def row_under_constraints(
    free: FreeParameters, joint: JointFit, row: int, spectrum: Spectrum
) -> CircuitFit:
    """Return the fit of one spectrum of a series that was fitted under constraints."""
    work, spread = cast("tuple[Floats, Floats]", joint.free)
    return fit_at(free, spectrum, work[row], spread[row], float(joint.cost[row]))
