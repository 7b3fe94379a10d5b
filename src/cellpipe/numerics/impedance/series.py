"""All spectra of a cell, from raw numbers to resistances over time that belong together.

Every spectrum is cleaned, one circuit is chosen for all (or given), and all are fitted jointly
(:mod:`circuit_series`), so that each arc stays the same from the first spectrum to the last. Arcs
are named by their capacitance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.arcs import ImpedanceArc
from cellpipe.numerics.impedance.circuit_choice import choose_circuit
from cellpipe.numerics.impedance.circuit_fit import (
    CircuitFit,
    Spectrum,
    finish_fit,
    standardised_residuals,
    weighted_residuals,
)
from cellpipe.numerics.impedance.circuit_forms import (
    Form,
    build_form,
    form_values,
    parameter_bounds,
)
from cellpipe.numerics.impedance.circuit_series import JointFit
from cellpipe.numerics.impedance.circuits import evaluate_circuit
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.fit import ImpedanceFit, check_area, find_isolated_points
from cellpipe.numerics.impedance.growth import Growth, fit_growth
from cellpipe.numerics.impedance.kramers_kronig import valid_frequencies
from cellpipe.numerics.impedance.processes import process_probabilities
from cellpipe.numerics.impedance.series_labels import (
    exchangeable_arcs,
    fit_individually,
    fit_series,
)
from cellpipe.numerics.impedance.spectra import CleanSpectrum, clean_spectrum, modulus

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

_SAMPLED = 5  # spectra that the circuit is chosen on
_SHORTEST_GAP, _LONGEST_GAP = 0.1, 10.0  # in steps, so that one long rest does not untie a series


@dataclass(frozen=True)
class ImpedanceSeries:
    """A fitted series, one :class:`ImpedanceFit` a spectrum, with the arcs in one order.

    ``single`` are the fitted form's parameters of each spectrum by itself, (n, p), whose arcs may
    change places. ``joint`` holds what ties them: step sizes of the walk, noise, evidence; None for
    a single spectrum. ``time_second`` is None where it was not given.
    """

    fits: tuple[ImpedanceFit, ...]
    single: Floats
    joint: JointFit | None
    time_second: Floats | None
    area_cm2: float | None

    @property
    def circuit(self) -> str:
        """The circuit's string."""
        return self.fits[0].circuit

    @property
    def values(self) -> dict[str, Floats]:
        """Best values by name, each of shape (n,)."""
        return _stack_columns([fit.values for fit in self.fits])

    @property
    def standard_errors(self) -> dict[str, Floats]:
        """Standard errors by name, each of shape (n,)."""
        return _stack_columns([fit.standard_errors for fit in self.fits])

    @property
    def identifiable(self) -> dict[str, NDArray[np.bool_]]:
        """Which parameters the data determines, by name, each of shape (n,)."""
        rows = [fit.identifiable for fit in self.fits]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    @property
    def flags(self) -> tuple[tuple[str, ...], ...]:
        """What has to be said of each spectrum."""
        return tuple(fit.flags for fit in self.fits)

    @property
    def results(self) -> tuple[MinimizerResult, ...]:
        """Lmfit's result of each spectrum, fitted alone from where the series stands."""
        return tuple(fit.result for fit in self.fits)

    @cached_property
    def arcs(self) -> tuple[tuple[ImpedanceArc, ...], ...]:
        """The arcs of each spectrum; the k-th is the same arc in all."""
        return tuple(fit.arcs for fit in self.fits)

    @cached_property
    def processes(self) -> list[str]:
        """What each arc is, by its median capacitance over the series."""
        out = []
        for row in zip(*self.arcs, strict=True):
            capacitance = float(np.median([arc.capacitance for arc in row]))
            likely = process_probabilities(capacitance, self.area_cm2)
            out.append(max(likely, key=lambda name: likely[name]))
        return out

    def growth(self, arc: int) -> Growth | None:
        """Return the law by which an arc's resistance grows; None without times or for few."""
        if self.time_second is None:
            return None
        resistance = np.array([arcs[arc].resistance for arcs in self.arcs])
        error = np.array([arcs[arc].resistance_error for arcs in self.arcs])
        return fit_growth(self.time_second - self.time_second[0], resistance, error)


def _stack_columns(rows: Sequence[dict[str, float]]) -> dict[str, Floats]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def fit_impedance_series(
    frequency_hertz: ArrayLike | Sequence[ArrayLike],
    impedance_ohm: ArrayLike | Sequence[ArrayLike],
    circuit: str | None = None,
    time_second: ArrayLike | None = None,
    *,
    area_cm2: float | None = None,
    robust: bool = True,
) -> ImpedanceSeries:
    """Fit the spectra of one cell together; no start values are needed.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectra in the order of time, Hz and complex ohm: arrays of shape (f,) and (n, f), or n
        arrays each if the spectra have frequencies of their own.
    circuit
        The circuit for all of them, in impedance.py's syntax; without it, it is chosen.
    time_second
        When each spectrum was measured, s, shape (n,): for the law of growth, and for how much may
        change from one spectrum to the next.
    area_cm2
        Electrode area, cm², by which arcs are named after their capacitance.
    robust
        Leave out points that stand alone against their neighbours.

    Returns
    -------
    Each parameter's course and errors, arrays of shape (n,); arcs with their names; the law of
    growth of the interface; flags in words.

    Notes
    -----
    Maximum a posteriori: ln R, the logarithm of the capacitance and n of an arc walk at random from
    one spectrum to the next, by steps whose size is learned by expectation–maximisation (R. H.
    Shumway, D. S. Stoffer, J. Time Ser. Anal. 3 (1982) 253, doi
    10.1111/j.1467-9892.1982.tb00349.x).

    Raises
    ------
    CellpipeError
        If a spectrum has too few usable points, shapes or times don't match, or the circuit can't
        be read. The message says which spectrum.

    """
    check_area(area_cm2)
    points = _clean_spectra(frequency_hertz, impedance_ohm)
    time = _parse_times(time_second, len(points))
    text = circuit or _choose_circuit(points)
    size = len(build_form(text).circuit.keys)
    for number, spectrum in enumerate(points, start=1):
        if 2 * len(spectrum.frequency) <= size:
            raise CellpipeError(
                f"{len(spectrum.frequency)} frequencies in spectrum {number} for the {size} "
                f"parameters of {text}",
                expected="more real and imaginary parts than parameters",
                remedy="name a circuit with fewer elements, or measure more frequencies",
            )
    spectra = pad_spectra([(p.frequency, p.impedance) for p in points])
    drifted = _count_drifted(points) if robust else [0] * len(points)
    for row, number in enumerate(drifted):
        count = len(points[row].frequency)
        spectra.weight[row, count - number : count] = 0.0
    form = build_form(text)
    theta, _ = fit_individually(form, spectra)
    weight = _exclude_isolated_points(form, spectra, theta) if robust else spectra.weight
    if (weight != spectra.weight).any():
        spectra = Spectrum(spectra.frequency, spectra.impedance, weight)
        theta, _ = fit_individually(form, spectra)
    joint = _fit_joint(form, spectra, theta, time) if len(points) > 1 else None
    fits = tuple(
        replace(
            _build_fit(points[row], spectra.weight[row], form, theta[row], joint, row),
            drifted=drifted[row],
            area_cm2=area_cm2,
        )
        for row in range(len(points))
    )
    return ImpedanceSeries(fits, theta, joint, time, area_cm2)


def _count_drifted(points: list[CleanSpectrum]) -> list[int]:
    """Count the lowest frequencies of every spectrum at which its cell changed meanwhile."""
    return [int(np.count_nonzero(~valid_frequencies(p.frequency, p.impedance))) for p in points]


def _fit_joint(form: Form, spectra: Spectrum, theta: Floats, time: Floats | None) -> JointFit:
    gaps = np.ones(len(theta) - 1)
    if time is not None and time[-1] > time[0]:
        apart = np.diff(time)
        usual = float(np.median(apart[apart > 0]))
        gaps = np.clip(apart / usual, _SHORTEST_GAP, _LONGEST_GAP)
    found = fit_series(form, spectra, gaps, theta)
    return sort_by_capacitance(form, found)


def sort_by_capacitance(form: Form, found: JointFit) -> JointFit:
    """Assign numbers to the arcs of a series by their median capacitance, which is what stays."""
    order = np.arange(found.theta.shape[1])
    for group in exchangeable_arcs(form):
        size = 3 if group[0].exponent else 2
        medians = [np.median(found.theta[:, a.first + 1] - found.theta[:, a.first]) for a in group]
        for arc, rank in zip(group, np.argsort(medians), strict=True):
            source = group[int(rank)].first
            order[arc.first : arc.first + size] = range(source, source + size)
    return replace(
        found,
        theta=found.theta[:, order],
        spread=found.spread[:, order[:, None], order],
        walk=found.walk[order],
    )


def _build_fit(
    points: CleanSpectrum,
    weight: Floats,
    form: Form,
    theta: Floats,
    joint: JointFit | None,
    row: int,
) -> ImpedanceFit:
    weight = weight[: len(points.frequency)]
    used = weight > 0
    part = Spectrum(points.frequency[used], points.impedance[used], weight[used])
    low, high = parameter_bounds(form, part.frequency)
    if joint is None:
        fit = finish_fit(form, part, theta, (low, high))
    else:
        theta, spread = joint.theta[row], joint.spread[row]
        bounded = (theta - low < 1e-6) | (high - theta < 1e-6)
        fit = CircuitFit(form, part, theta, spread, bounded, float(joint.cost[row]))
    return ImpedanceFit(points.frequency, points.impedance, used, points.left_out, fit)


def _clean_spectra(
    frequency: ArrayLike | Sequence[ArrayLike], impedance: object
) -> list[CleanSpectrum]:
    rows = [np.asarray(row, np.complex128) for row in impedance]  # type: ignore[attr-defined]
    if not rows or any(row.ndim != 1 for row in rows):
        raise CellpipeError(
            "impedances that are not spectra",
            expected="an array of shape (n, f), or n arrays",
            remedy="give a list of spectra, or fit_impedance one",
        )
    shared = not len(frequency) or np.ndim(frequency[0]) == 0  # type: ignore[arg-type,index]
    own = [frequency] * len(rows) if shared else list(frequency)  # type: ignore[arg-type]
    if len(own) != len(rows):
        raise CellpipeError(
            f"{len(own)} arrays of frequencies for {len(rows)} spectra",
            expected="one for all, or one for each",
            remedy="give a list of both that is as long",
        )
    out = []
    for number, (f, z) in enumerate(zip(own, rows, strict=True), start=1):
        try:
            out.append(clean_spectrum(np.asarray(f, np.float64), z))
        except CellpipeError as error:
            raise CellpipeError(
                f"in spectrum {number}, {error.found}",
                expected=error.expected, remedy=error.remedy,
            ) from error  # fmt: skip
    return out


def _parse_times(time_second: ArrayLike | None, count: int) -> Floats | None:
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


def _choose_circuit(points: list[CleanSpectrum]) -> str:
    places = np.unique(np.linspace(0, len(points) - 1, _SAMPLED).round().astype(int))
    return choose_circuit(
        [points[i].frequency for i in places], [points[i].impedance for i in places]
    )


def pad_spectra(spectra: Sequence[tuple[Floats, Complexes]]) -> Spectrum:
    """Return spectra of different lengths one shape (n, f); what is added has the weight zero."""
    longest = max(len(frequency) for frequency, _ in spectra)
    frequency = np.stack([np.pad(f, (0, longest - len(f)), mode="edge") for f, _ in spectra])
    impedance = np.stack([np.pad(z, (0, longest - len(z)), mode="edge") for _, z in spectra])
    weight = np.stack([np.pad(1 / modulus(z), (0, longest - len(z))) for _, z in spectra])
    return Spectrum(frequency, impedance, weight)


def _exclude_isolated_points(form: Form, spectra: Spectrum, theta: Floats) -> Floats:
    """Return the weights without the points that stand alone against their spectrum's own fit."""
    weight = spectra.weight.copy()
    residuals, slopes = weighted_residuals(form, spectra, theta)
    standard = standardised_residuals(residuals, slopes)
    model, _ = evaluate_circuit(form.fitted, spectra.frequency, form_values(form, theta))
    for row, there in enumerate(weight > 0):
        found = find_isolated_points(
            standard[row, there], spectra.frequency[row, there],
            spectra.impedance[row, there], model[row, there],
        )  # fmt: skip
        if np.count_nonzero(there) - np.count_nonzero(found) > theta.shape[1]:
            weight[row, np.flatnonzero(there)[found]] = 0.0
    return weight
