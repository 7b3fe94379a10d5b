"""Fit of a circuit to an impedance spectrum without start values from the user.

Start values come from the spectrum itself (:mod:`circuit_starts`) and are refined together
(:mod:`least_squares`) in logarithms (:mod:`circuit_forms`). Residuals are weighted by the modulus,
1/|Z|, unless standard deviations are known. Standard errors are those of linearised least squares
at the optimum, with the noise estimated from the residuals; at the noise of real spectra they equal
the Cramér–Rao bound (M. E. Orazem, B. Tribollet, doi 10.1002/9781119363682, ch. 19).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuit_forms import (
    Form,
    build_form,
    form_values,
    parameter_bounds,
    parameter_jacobian,
    series_elements,
    values_from_theta,
)
from cellpipe.numerics.impedance.circuit_starts import added_starts, start_values
from cellpipe.numerics.impedance.circuits import Circuit, evaluate_circuit
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.free_parameters import Limits
from cellpipe.numerics.impedance.least_squares import Ints, minimise
from cellpipe.numerics.impedance.spectra import describe_spectrum

Booleans = NDArray[np.bool_]

STARTS = 16
_ADDED = ("ZARC", "Zarc", "K", "TLMt")
_CORRELATED = 0.3  # correlation of neighbouring residuals above which a circuit misses something
_WITHOUT_SHAPE, _MOST_SHAPED = ("R", "L", "C", "W"), 2
_PART_STARTS, _PART_ADDED, _PART_TOLERANCE = 3, 3, 5e-5
_ROUGHLY, _EXACTLY = 1e-6, 1e-11  # tolerances of the search and of the final fit
_SCATTERED_STARTS = 96
WORST_ERROR = 0.35  # standard error of a logarithm above which a parameter is not determined
_WORST_EXPONENT = 0.1  # the same for an exponent
_WORST_CORRELATION = 0.995
_UNSEEN, _BOUNDLESS = 1e-13, 1e6  # share of the largest eigenvalue; variance of a logarithm
_NO_ERROR = 100.0  # standard error of a logarithm above which it is reported as NaN


def is_determined(value: float, error: float | None) -> bool:
    """Return whether data determines a positive value, by its standard error (None: unknown)."""
    return error is not None and error < WORST_ERROR * value


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """A spectrum to fit: frequency (Hz), impedance (ohm), weights (1/ohm); shape (n,)."""

    frequency: Floats
    impedance: Complexes
    weight: Floats

    def __repr__(self) -> str:
        """Return the numbers of frequencies and the ranges of frequency and modulus."""
        return describe_spectrum(self.frequency, self.impedance)


@dataclass(frozen=True, eq=False, repr=False)
class CircuitFit:
    """A fitted circuit.

    ``theta`` are the parameters of the fitted form and ``spread`` their covariance matrix, see
    :mod:`circuit_forms`; ``values`` and ``errors`` are in the user's units, in the order of
    ``circuit.keys``. ``cost`` is the sum of squared weighted residuals. ``limits`` is what a user's
    constraints leave of it.
    """

    form: Form
    spectrum: Spectrum
    theta: Floats
    spread: Floats
    bounded: Booleans
    cost: float
    limits: Limits | None = None

    def __repr__(self) -> str:
        """Return the circuit and how well it fits."""
        return f"CircuitFit {self.circuit.text}, residual {self.relative_residual:.2%} of |Z|"

    @property
    def free_count(self) -> int:
        """Number of parameters that were fitted."""
        return len(self.theta) if self.limits is None else self.limits.count

    @property
    def circuit(self) -> Circuit:
        """The circuit as written by the user."""
        return self.form.circuit

    @cached_property
    def values(self) -> Floats:
        """Parameter values in their units; shape (p,)."""
        return values_from_theta(self.form, self.theta)

    @cached_property
    def logarithmic_covariance(self) -> Floats:
        """Covariance of logarithms (of exponents themselves), in the user's order; shape (p, p)."""
        slopes = parameter_jacobian(self.form, self.theta)
        return np.asarray(slopes @ self.spread @ slopes.T)

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the values; shape (p, p)."""
        positive = np.array([p.positive for p in self.circuit.parameters])
        scale = np.where(positive, self.values, 1.0)
        return np.asarray(self.logarithmic_covariance * np.outer(scale, scale))

    @property
    def errors(self) -> Floats:
        """Standard errors; NaN where the data yield none, e.g. at a bound."""
        variance = np.diag(self.covariance)
        if self.limits is None:
            known = (variance >= 0) & ~self.bounded[self.form.places]
        else:
            known = ~self.limits.bounded & ~self.limits.fixed
        known &= np.diag(self.logarithmic_covariance) < _NO_ERROR**2
        return np.sqrt(np.where(known, variance, np.nan))

    @property
    def relative_residual(self) -> float:
        """Root mean square of |residual| / |Z|."""
        relative = np.abs((self.model - self.spectrum.impedance) / self.spectrum.impedance)
        return float(np.sqrt(np.mean(relative**2)))

    @property
    def model(self) -> Complexes:
        """Impedance of the fitted circuit at the spectrum's frequencies, ohm."""
        fitted_form = form_values(self.form, self.theta)
        return evaluate_circuit(self.form.fitted, self.spectrum.frequency, fitted_form)[0]

    @cached_property
    def residual_correlation(self) -> float:
        """Correlation of neighbouring residuals: 0 for noise, near 1 where a circuit misses."""
        residuals = (self.model - self.spectrum.impedance) * self.spectrum.weight
        total = float(np.sum(np.abs(residuals) ** 2))
        return float(np.sum((residuals[1:] * residuals[:-1].conj()).real)) / max(total, 1e-300)

    @cached_property
    def standardised_residuals(self) -> Complexes:
        """Weighted residuals corrected for the leverage of each point; shape (n,).

        (I - H)^(-1/2) r with the two rows of the hat matrix H of each point: at the ends of a
        spectrum, high leverage makes the residual of an outlier small. R. D. Cook, S. Weisberg,
        Residuals and Influence in Regression (1982), section 2.2.
        """
        residuals, slopes = weighted_residuals(self.form, self.spectrum, self.theta[None])
        return np.asarray(standardised_residuals(residuals, slopes)[0])

    def criterion(self, count: float) -> float:
        """Return the Bayesian information criterion without terms common to all circuits.

        ``count`` is the number of independent observations, at most twice the frequencies.
        """
        all_points = 2 * len(self.spectrum.frequency)
        misfit = math.log(max(self.cost, 1e-300) / all_points)
        return count * misfit + (self.free_count + 1) * math.log(count)

    @cached_property
    def is_determined(self) -> Booleans:
        """Which of the fitted form's parameters the data determine; shape (p,).

        Not determined: at a bound, a standard error of the logarithm above 0.35 (of an exponent
        above 0.1), or a correlation with another parameter above 0.995. An exponent of one is a
        capacitor and valid.
        """
        return determined_mask(self.theta, self.spread, self.form.positive, self.bounded)

    @cached_property
    def identifiable(self) -> Booleans:
        """Which of the user's parameters the data determine, also by their errors; shape (p,)."""
        positive = np.array([p.positive for p in self.circuit.parameters])
        variance = np.diag(self.logarithmic_covariance)
        loose = positive & ~(variance < WORST_ERROR**2)
        if self.limits is not None:
            return np.asarray(self.limits.determined & ~loose)
        return np.asarray(self.is_determined[self.form.places] & ~loose)


def determined_mask(
    theta: Floats, spread: Floats, positive: Booleans, bounded: Booleans
) -> Booleans:
    """Return which parameters the data determine; see :attr:`CircuitFit.is_determined`."""
    deviation = np.sqrt(np.maximum(np.diag(spread), 0))
    size = np.maximum(np.outer(deviation, deviation), 1e-300)
    correlation = np.abs(spread) / size
    np.fill_diagonal(correlation, 0.0)
    tied = correlation.max(axis=1, initial=0.0) > _WORST_CORRELATION
    ideal = ~positive & (theta > 1 - 1e-6)
    worst = np.where(positive, WORST_ERROR, _WORST_EXPONENT)
    return np.asarray((deviation < worst) & ~tied & (~bounded | ideal))


def fit_circuit(
    text: str,
    frequency_hertz: Floats,
    impedance_ohm: Complexes,
    *,
    weight: Floats | None = None,
    starts: int | None = None,
    known: Floats | None = None,
    bounds: tuple[Floats, Floats] | None = None,
) -> CircuitFit:
    """Fit a circuit to a spectrum, with start values from the spectrum itself.

    Parameters
    ----------
    text
        The circuit, in the syntax of :mod:`cellpipe.numerics.impedance.circuits`.
    frequency_hertz, impedance_ohm
        The spectrum, Hz and ohm; shape (n,).
    weight
        Weights of the residuals, 1/ohm; shape (n,). Default: 1/|Z|.
    starts
        Number of start values to refine.
    known
        A further start, parameters of the fitted form; shape (p,).
    bounds
        Lower and upper bounds of the fitted form; default: those of the elements.

    """
    form = build_form(text)
    weight = 1 / np.abs(impedance_ohm) if weight is None else weight
    spectrum = Spectrum(frequency_hertz, impedance_ohm, weight)
    in_part = starts is None and known is None and _is_searched_in_part(form)
    number = starts or (_SCATTERED_STARTS if series_elements(form) is None else STARTS)
    theta = start_values(form, frequency_hertz, impedance_ohm, weight, number)
    if known is not None:
        theta = np.concatenate([theta, known[None]])
    if in_part:
        theta = np.concatenate([_starts_from_part(form, spectrum), theta])
    fit = fit_from_starts(form, spectrum, theta, bounds)
    searched = starts is None and known is None and bounds is None
    if not searched or fit.residual_correlation < _CORRELATED:
        return fit
    return _compare_with_parts(fit)


def _compare_with_parts(fit: CircuitFit) -> CircuitFit:
    """Return a fit that is no worse than that of the circuit without any one of its elements."""
    spectrum, form = fit.spectrum, fit.form
    points = (spectrum.frequency, spectrum.impedance, spectrum.weight)
    elements = series_elements(form) or []
    for place in range(len(elements) if len(elements) > 1 else 0):
        part = _without(elements, place)
        smaller = fit_from_starts(
            part, spectrum, start_values(part, *points, STARTS // 2), tolerance=_PART_TOLERANCE
        )
        if smaller.cost < fit.cost:
            starts = added_starts(form, smaller.theta, place, *points, _PART_ADDED)
            fit = min(fit, fit_from_starts(form, spectrum, starts), key=lambda found: found.cost)
    return fit


def _without(elements: list[tuple[str, int]], place: int) -> Form:
    """Return the circuit of these elements of a fitted form without the one at a place."""
    kept = [f"{name}{first}" for number, (name, first) in enumerate(elements) if number != place]
    return build_form("-".join(kept))


def _starts_from_part(form: Form, spectrum: Spectrum) -> Floats:
    """Return starts from the fit of the circuit without its last arc; none for other circuits."""
    elements = series_elements(form) or []
    place = max((i for i, (name, _) in enumerate(elements) if name in _ADDED), default=-1)
    if place < 0 or not _is_searched_in_part(form):
        return np.empty((0, len(form.positive)))
    part = _without(elements, place)
    points = (spectrum.frequency, spectrum.impedance, spectrum.weight)
    theta = start_values(part, *points, _PART_STARTS)
    theta = np.concatenate([_starts_from_part(part, spectrum), theta])
    smaller = fit_from_starts(part, spectrum, theta, tolerance=_PART_TOLERANCE)
    return added_starts(form, smaller.theta, place, *points, _PART_ADDED)


def _is_searched_in_part(form: Form) -> bool:
    """Return whether the shapes of a circuit's elements are too many to be searched at once."""
    elements = series_elements(form) or []
    return sum(name not in _WITHOUT_SHAPE for name, _ in elements) > _MOST_SHAPED


def fit_from_starts(
    form: Form,
    spectrum: Spectrum,
    starts: Floats,
    bounds: tuple[Floats, Floats] | None = None,
    tolerance: float = _EXACTLY,
) -> CircuitFit:
    """Fit from given starts of the fitted form, shape (b, p), and return the best fit."""
    low, high = parameter_bounds(form, spectrum.frequency) if bounds is None else bounds

    def model(theta: Floats, _: Ints) -> tuple[Floats, Floats]:
        return weighted_residuals(form, spectrum, theta)

    groups = np.zeros(len(starts), np.int64)
    theta, cost = minimise(
        model, starts, low, high, groups=groups, tolerance=max(tolerance, _ROUGHLY)
    )
    best = int(np.argmin(cost))
    theta = theta[best : best + 1]
    if tolerance < _ROUGHLY:
        theta, _ = minimise(model, theta, low, high, tolerance=tolerance)
    return finish_fit(form, spectrum, sort_arcs(form, theta[0]), (low, high))


def weighted_residuals(form: Form, spectrum: Spectrum, theta: Floats) -> tuple[Floats, Floats]:
    """Return residuals (b, 2n) and derivatives (b, p, 2n), real and imaginary parts alternating."""
    model, slopes = evaluate_circuit(form.fitted, spectrum.frequency, form_values(form, theta))
    model -= spectrum.impedance
    model *= spectrum.weight
    slopes *= spectrum.weight[..., None, :] if spectrum.weight.ndim > 1 else spectrum.weight
    return model.view(np.float64), slopes.view(np.float64)


def standardised_residuals(residuals: Floats, slopes: Floats) -> Complexes:
    """Return weighted residuals (b, 2n) corrected for leverage; shape (b, n)."""
    count, size, _ = slopes.shape
    rows = slopes.transpose(0, 2, 1).reshape(count, -1, 2, size)
    normal = slopes @ slopes.transpose(0, 2, 1)
    scale = np.sqrt(np.maximum(np.einsum("bpp->bp", normal), 1e-300))
    inverse = np.linalg.pinv(normal / (scale[:, :, None] * scale[:, None, :]), rcond=1e-13)
    rows = rows / scale[:, None, None, :]
    hat = (rows @ inverse[:, None]) @ rows.transpose(0, 1, 3, 2)
    value, vector = np.linalg.eigh(np.eye(2) - hat)
    root = (vector / np.sqrt(np.maximum(value, 1e-6))[..., None, :]) @ vector.transpose(0, 1, 3, 2)
    pairs = residuals.reshape(count, -1, 2, 1)
    return np.ascontiguousarray((root @ pairs)[..., 0]).view(np.complex128)[..., 0]


def sort_arcs(form: Form, theta: Floats) -> Floats:
    """Return theta with series arcs of the same kind in the order of their time constants."""
    ordered = theta.copy()
    for exponent in (True, False):
        arcs = [arc for arc in form.arcs if arc.exponent == exponent]
        if len(arcs) < 2 or form.fitted.root.kind != "series":
            continue
        tops = {child.first for child in form.fitted.root.children if child.kind == "element"}
        arcs = [arc for arc in arcs if arc.first in tops]
        size = 3 if exponent else 2
        blocks = np.array([theta[arc.first : arc.first + size] for arc in arcs])
        for arc, block in zip(arcs, blocks[np.argsort(blocks[:, 1])], strict=True):
            ordered[arc.first : arc.first + size] = block
    return ordered


def finish_fit(
    form: Form, spectrum: Spectrum, theta: Floats, bounds: tuple[Floats, Floats]
) -> CircuitFit:
    """Return the fit at an optimum, with its covariance."""
    residuals, slopes = weighted_residuals(form, spectrum, theta[None])
    cost = float(residuals[0] @ residuals[0])
    freedom = max(residuals.shape[1] - len(theta), 1)
    low, high = bounds
    bounded = (theta - low < 1e-6) | (high - theta < 1e-6)
    spread = invert_normal_matrix(slopes[0] @ slopes[0].T / max(cost / freedom, 1e-300), bounded)
    return CircuitFit(form, spectrum, theta, spread, bounded, cost)


def invert_normal_matrix(normal: Floats, bounded: Booleans) -> Floats:
    """Return the covariance from scaled normal equations, zero for parameters at a bound.

    A direction that the data do not constrain gets a very large variance instead of none.
    """
    free = np.flatnonzero(~bounded)
    matrix = normal[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    value, vector = np.linalg.eigh(matrix / np.outer(scale, scale))
    known = value > _UNSEEN * max(float(value.max(initial=0.0)), 1e-300)
    inverse = (vector[:, known] / value[known]) @ vector[:, known].T
    inverse += _BOUNDLESS * vector[:, ~known] @ vector[:, ~known].T * np.outer(scale, scale)
    spread = np.zeros_like(normal)
    spread[np.ix_(free, free)] = inverse / np.outer(scale, scale)
    return spread
