"""Joint fit of all spectra of a cell, from raw numbers to consistent resistances over time.

Every spectrum is cleaned, one circuit is chosen for all (or given), and all are fitted jointly
(:mod:`circuit_series`), so that each arc keeps its identity from the first spectrum to the last.
Arcs are assigned to processes by their capacitance. A spectrum that stands apart from all beside it
(:mod:`odd_spectra`) is fitted by itself and weighs in none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.arcs import ImpedanceArc, arc_process
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
from cellpipe.numerics.impedance.constrained_fit import (
    fit_series_under_constraints,
    fit_under_constraints,
    row_under_constraints,
)
from cellpipe.numerics.impedance.constraints import Prescribed, read_constraints
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.fit import (
    ImpedanceFit,
    check_area,
    find_isolated_points,
    turn_sign,
)
from cellpipe.numerics.impedance.free_parameters import FreeParameters
from cellpipe.numerics.impedance.growth import Growth, fit_growth
from cellpipe.numerics.impedance.kramers_kronig import valid_frequencies
from cellpipe.numerics.impedance.odd_spectra import find_odd_spectra
from cellpipe.numerics.impedance.parameter_table import fits_frame
from cellpipe.numerics.impedance.series_input import (
    clean_spectra,
    pad_spectra,
    parse_times,
    step_distances,
)
from cellpipe.numerics.impedance.series_labels import (
    exchangeable_arcs,
    fit_individually,
    fit_series,
    select_rows,
    select_spectra,
    sort_arcs_by_key,
    sort_by_capacitance,
)
from cellpipe.numerics.impedance.short_text import describe_series
from cellpipe.numerics.impedance.spectra import CleanSpectrum

if TYPE_CHECKING:
    import polars as pl
    from lmfit.minimizer import MinimizerResult

_SAMPLED = 5  # spectra used to choose the circuit


@dataclass(frozen=True, eq=False, repr=False)
class ImpedanceSeries(Sequence[ImpedanceFit]):
    """A fitted series, one :class:`ImpedanceFit` per spectrum, with the same order of arcs.

    It is a sequence of its fits: ``len(series)``, ``series[0]``, ``for fit in series``; a slice is
    a series again, of spectra that were fitted together with those left out.
    ``single`` holds the fitted form's parameters from separate fits, (n, p), whose arcs may swap.
    ``joint`` holds the joint fit of all spectra but the odd ones, with step sizes of the walk,
    noise and evidence; None for a single spectrum. ``time_second`` is None if not given. ``odd``
    maps the place of each spectrum that stands apart from those beside it to how it does; it is
    fitted by itself and weighs in nothing that is common to the series.
    """

    fits: tuple[ImpedanceFit, ...]
    single: Floats
    joint: JointFit | None
    time_second: Floats | None
    area_cm2: float | None
    odd: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of spectra."""
        return len(self.fits)

    @overload
    def __getitem__(self, place: int) -> ImpedanceFit: ...

    @overload
    def __getitem__(self, place: slice) -> ImpedanceSeries: ...

    def __getitem__(self, place: int | slice) -> ImpedanceFit | ImpedanceSeries:
        """Return the fit at a place, or the series of a slice; backwards it has no times."""
        if not isinstance(place, slice):
            return self.fits[place]
        time = None if self.time_second is None else self.time_second[place]
        forwards = time is None or (np.diff(time) >= 0).all()
        places = range(len(self.fits))[place]
        kept = [*self.regular]
        rows = np.array([kept.index(old) for old in places if old in kept], np.int64)
        return replace(
            self, fits=self.fits[place], single=self.single[place],
            joint=None if self.joint is None else select_rows(self.joint, rows),
            time_second=time if forwards else None,
            odd={new: self.odd[old] for new, old in enumerate(places) if old in self.odd},
        )  # fmt: skip

    def __repr__(self) -> str:
        """Return the circuit, and each parameter from its first to its last value."""
        return describe_series(self.fits)

    def to_frame(self) -> pl.DataFrame:
        """Return a polars frame with one row a spectrum: values, errors, and flags in words.

        A parameter ``R0`` has the columns ``R0``, ``R0_standard_error``, ``R0_precision`` and
        ``R0_identifiable``, in the units of :attr:`units`; an error that the data does not give is
        null. ``frequencies`` counts those that were fitted; ``time_second`` stands where given.
        """
        return fits_frame(self.fits, self.time_second)

    @property
    def circuit(self) -> str:
        """The circuit string; empty for a series of no spectra."""
        return self.fits[0].circuit if self.fits else ""

    @property
    def units(self) -> dict[str, str]:
        """Units of the parameters by name, ``1`` for none."""
        return self.fits[0].units if self.fits else {}

    @property
    def values(self) -> dict[str, Floats]:
        """Best values by name, each of shape (n,)."""
        return _stack_columns([fit.values for fit in self.fits])

    @property
    def standard_errors(self) -> dict[str, Floats]:
        """Standard errors by name, each of shape (n,)."""
        return _stack_columns([fit.standard_errors for fit in self.fits])

    @property
    def precisions(self) -> dict[str, Floats]:
        """Standard errors from the noise alone, by name, each of shape (n,)."""
        return _stack_columns([fit.precisions for fit in self.fits])

    @property
    def identifiable(self) -> dict[str, NDArray[np.bool_]]:
        """Whether the data determine each parameter, by name, each of shape (n,)."""
        rows = [fit.identifiable for fit in self.fits]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}

    @property
    def flags(self) -> tuple[tuple[str, ...], ...]:
        """Warnings about each spectrum."""
        return tuple(
            (*fit.flags, f"It weighs nothing in the series, for {self.odd[place]}.")
            if place in self.odd
            else fit.flags
            for place, fit in enumerate(self.fits)
        )

    @property
    def results(self) -> tuple[MinimizerResult, ...]:
        """The lmfit result of each spectrum, fitted separately from the optimum of the series."""
        return tuple(fit.result for fit in self.fits)

    @cached_property
    def arcs(self) -> tuple[tuple[ImpedanceArc, ...], ...]:
        """The arcs of each spectrum; the k-th arc is the same in all."""
        return tuple(fit.arcs for fit in self.fits)

    @cached_property
    def processes(self) -> list[str]:
        """The process of each arc, by its medians over the series but for odd spectra."""
        arcs = [self.arcs[place] for place in self.regular]
        return [arc_process(row, self.area_cm2)[0] for row in zip(*arcs, strict=True)]

    @property
    def regular(self) -> list[int]:
        """The places of the spectra that are not odd."""
        places = range(len(self.fits))
        return [place for place in places if place not in self.odd] or [*places]

    def growth(self, arc: int) -> Growth | None:
        """Return how an arc's resistance changes; None without times or with few spectra.

        Scatter is held against the precisions, which is what repeats would show.
        """
        if self.time_second is None:
            return None
        places = self.regular
        resistance = np.array([self.arcs[place][arc].resistance for place in places])
        whole = np.array([self.arcs[place][arc].resistance_error for place in places])
        share = np.array([self.fits[place].noise_share for place in places])
        if not whole.any():  # the resistance was fixed
            return None
        error = np.where(np.isfinite(share), whole * share, whole)
        return fit_growth((self.time_second - self.time_second[0])[places], resistance, error)


def _stack_columns(rows: Sequence[dict[str, float]]) -> dict[str, Floats]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}


def fit_impedance_series(
    frequency_hertz: ArrayLike | Sequence[ArrayLike],
    impedance_ohm: ArrayLike | Sequence[ArrayLike],
    circuit: str | None = None,
    time_second: ArrayLike | None = None,
    *,
    parameters: Prescribed | None = None,
    area_cm2: float | None = None,
    robust: bool | Mapping[int, str] = True,
) -> ImpedanceSeries:
    """Fit the spectra of one cell jointly; no start values are needed.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectra in the order of time, Hz and complex ohm: arrays of shape (f,) and (n, f), or n
        arrays each if the spectra have different frequencies.
    circuit
        The circuit for all spectra, in impedance.py's syntax; by default it is chosen.
    time_second
        Time of each spectrum, s, shape (n,): for the growth law, and for the size of changes
        allowed between successive spectra.
    parameters
        What is prescribed of some parameters in every spectrum, as for :func:`fit_impedance`.
    area_cm2
        Electrode area, cm², for the assignment of arcs by capacitance per area.
    robust
        Exclude points that are outliers among their neighbours, and fit spectra that stand apart
        from all beside them by themselves. A mapping says which spectra do, by place, and why, if
        that is known.

    Returns
    -------
    Values and errors of each parameter, arrays of shape (n,); arcs with their processes; the growth
    law of each; flags in words.

    Notes
    -----
    Maximum a posteriori estimate: ln R, ln C and n of an arc follow a random walk from one spectrum
    to the next, whose step sizes are estimated by expectation maximisation (R. H. Shumway, D. S.
    Stoffer, J. Time Ser. Anal. 3 (1982) 253, doi 10.1111/j.1467-9892.1982.tb00349.x).

    Raises
    ------
    CellpipeError
        If a spectrum has too few usable points (the message names it), shapes or times don't
        match, the circuit string is invalid, or ``parameters`` can't be met.

    """
    check_area(area_cm2)
    turned = [turn_sign(points) for points in clean_spectra(frequency_hertz, impedance_ohm)]
    points = [spectrum for spectrum, _ in turned]
    time = parse_times(time_second, len(points))
    odd = robust if isinstance(robust, Mapping) else _find_odd(points) if robust else {}
    robust = robust is not False
    kept = [place for place in range(len(points)) if place not in odd] or [*range(len(points))]
    text = circuit or _choose_circuit([points[place] for place in kept])
    constraints = read_constraints(parameters, build_form(text).circuit)
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
    free = FreeParameters(form, constraints) if constraints else None
    joint = None
    if len(kept) > 1:
        regular = select_spectra(spectra, np.array(kept))
        times = None if time is None else time[kept]
        joint = _fit_joint(form, regular, theta[kept], times)
        if free is not None:
            theta = theta.copy()
            joint, theta[kept] = _constrain(free, regular, joint, theta[kept], times)
    # an odd spectrum's arcs are in the order of the others': that of capacitance
    by_capacitance = sort_arcs_by_key(form, exchangeable_arcs(form), theta, 1)
    fits = tuple(
        replace(
            _build_fit(points[row], spectra.weight[row], form, by_capacitance[row], None, 0, free)
            if row in odd
            else _build_fit(
                points[row], spectra.weight[row], form, theta[row], joint, kept.index(row), free
            ),
            drifted=drifted[row],
            area_cm2=area_cm2,
            constraints=constraints or None,
            sign_turned=turned[row][1],
        )
        for row in range(len(points))
    )
    return ImpedanceSeries(fits, theta, joint, time, area_cm2, odd)


def _find_odd(points: list[CleanSpectrum]) -> dict[int, str]:
    return find_odd_spectra([p.frequency for p in points], [p.impedance for p in points])


def _count_drifted(points: list[CleanSpectrum]) -> list[int]:
    """Return the number of lowest frequencies per spectrum during which the cell changed."""
    return [int(np.count_nonzero(~valid_frequencies(p.frequency, p.impedance))) for p in points]


def _fit_joint(form: Form, spectra: Spectrum, theta: Floats, time: Floats | None) -> JointFit:
    joint = fit_series(form, spectra, step_distances(len(theta), time), theta)
    return sort_by_capacitance(form, joint)


def _constrain(
    free: FreeParameters, spectra: Spectrum, joint: JointFit, theta: Floats, time: Floats | None
) -> tuple[JointFit | None, Floats]:
    """Return the joint and the separate fits under constraints; None if nothing is left to fit."""
    if not len(free.places):
        return None, np.repeat(free.theta(np.empty((1, 0))), len(theta), axis=0)
    return fit_series_under_constraints(
        free, spectra, joint.theta, step_distances(len(theta), time)
    )


def _build_fit(
    points: CleanSpectrum,
    weight: Floats,
    form: Form,
    theta: Floats,
    joint: JointFit | None,
    row: int,
    free: FreeParameters | None = None,
) -> ImpedanceFit:
    weight = weight[: len(points.frequency)]
    used = weight > 0
    part = Spectrum(points.frequency[used], points.impedance[used], weight[used])
    low, high = parameter_bounds(form, part.frequency)
    if joint is None:
        fit = finish_fit(form, part, theta, (low, high))
        if free is not None:
            fit = fit_under_constraints(fit, free.constraints)
    elif free is not None:
        fit = row_under_constraints(free, joint, row, part)
    else:
        theta, spread = joint.theta[row], joint.spread[row]
        bounded = (theta - low < 1e-6) | (high - theta < 1e-6)
        fit = CircuitFit(form, part, theta, spread, bounded, float(joint.cost[row]))
    return ImpedanceFit(points.frequency, points.impedance, used, points.left_out, fit)


def _choose_circuit(points: list[CleanSpectrum]) -> str:
    places = np.unique(np.linspace(0, len(points) - 1, _SAMPLED).round().astype(int))
    return choose_circuit(
        [points[i].frequency for i in places], [points[i].impedance for i in places]
    )


def _exclude_isolated_points(form: Form, spectra: Spectrum, theta: Floats) -> Floats:
    """Return the weights, zero for outliers of each spectrum's separate fit."""
    weight = spectra.weight.copy()
    residuals, slopes = weighted_residuals(form, spectra, theta)
    standard = standardised_residuals(residuals, slopes)
    model, _ = evaluate_circuit(form.fitted, spectra.frequency, form_values(form, theta))
    for row, present in enumerate(weight > 0):
        isolated = find_isolated_points(
            standard[row, present], spectra.frequency[row, present],
            spectra.impedance[row, present], model[row, present],
        )  # fmt: skip
        if np.count_nonzero(present) - np.count_nonzero(isolated) > theta.shape[1]:
            weight[row, np.flatnonzero(present)[isolated]] = 0.0
    return weight
