"""Fit of one impedance spectrum, from raw numbers to values with errors and flags.

Invalid points are dropped and counted; outliers among their neighbours are excluded from the fit
and flagged; the circuit is given, or chosen by its statistical support (:mod:`circuit_choice`). No
start values are needed. Values that the data do not determine are flagged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.arcs import ImpedanceArc, build_arcs
from cellpipe.numerics.impedance.circuit_choice import fit_best_circuit
from cellpipe.numerics.impedance.circuit_fit import CircuitFit, fit_circuit
from cellpipe.numerics.impedance.circuit_forms import build_form
from cellpipe.numerics.impedance.constrained_fit import fit_under_constraints
from cellpipe.numerics.impedance.constraints import (
    Constraints,
    Prescribed,
    parameter_names,
    read_constraints,
)
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.kramers_kronig import (
    VIOLATED,
    KramersKronig,
    find_isolated,
    has_reversed_sign,
    kramers_kronig,
    valid_frequencies,
)
from cellpipe.numerics.impedance.lmfit_result import (
    confidence_intervals,
    minimise_with_lmfit,
    plain_parameters,
)
from cellpipe.numerics.impedance.short_text import constraint_flags, describe_fit
from cellpipe.numerics.impedance.spectra import (
    CleanSpectrum,
    clean_spectrum,
    modulus,
    point_weights,
)

if TYPE_CHECKING:
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

_ROUNDS = 3
_MISSES = 2.0  # residual over noise above which a circuit is incomplete
MISFIT = 0.02  # root mean square residual over |Z| above which a circuit does not fit
SIGN_REVERSED = (
    "The imaginary part is positive where a cell's is negative: its sign is reversed. It was "
    "turned for the fit; check which of Im(Z) and -Im(Z) was exported."
)
NOISY = 0.05  # noise over |Z| above which a spectrum is flagged


@dataclass(frozen=True, eq=False, repr=False)
class ImpedanceFit:
    """A fitted spectrum.

    ``frequency_hertz`` and ``impedance_ohm`` are the usable points, highest frequency first, and
    ``used`` marks those in the fit, all of shape (n,); ``left_out`` counts dropped points by
    reason. ``fit`` is the optimum from :mod:`circuit_fit`; ``drifted`` counts the lowest
    frequencies that were not used because the cell changed while they were measured.
    ``sign_turned``: the sign of the imaginary part was reversed, and was turned for the fit.
    """

    frequency_hertz: Floats
    impedance_ohm: Complexes
    used: NDArray[np.bool_]
    left_out: Mapping[str, int]
    fit: CircuitFit
    drifted: int = 0
    area_cm2: float | None = None
    constraints: Constraints | None = field(default=None, repr=False)
    sign_turned: bool = False

    def __repr__(self) -> str:
        """Return the circuit, its parameters with ± and units, and how well it fits."""
        return describe_fit(self)

    @property
    def circuit(self) -> str:
        """The circuit string."""
        return self.fit.circuit.text

    @property
    def names(self) -> list[str]:
        """Names of the parameters, e.g. ``R0``, ``R1``, ``CPE1_Q``, ``CPE1_n``."""
        return parameter_names(self.fit.circuit)

    @property
    def units(self) -> dict[str, str]:
        """Units of the parameters by name, ``1`` for none."""
        units = [parameter.unit for parameter in self.fit.circuit.parameters]
        return dict(zip(self.names, units, strict=True))

    @property
    def values(self) -> dict[str, float]:
        """Best values by name, in the elements' units."""
        return dict(zip(self.names, map(float, self.fit.values), strict=True))

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard errors by name; NaN where the data yield none, and of fixed parameters."""
        return dict(zip(self.names, map(float, self.fit.errors), strict=True))

    @property
    def precisions(self) -> dict[str, float]:
        """Standard errors by name from the noise alone, as seen in repeated measurements.

        The full standard errors also contain the misfit of the circuit, which is the same in every
        repeat. NaN where the noise is unknown.
        """
        return {name: e * self.noise_share for name, e in self.standard_errors.items()}

    @cached_property
    def noise_share(self) -> float:
        """Share of the noise in the standard errors; the rest is misfit of the circuit."""
        test = self.kramers_kronig
        freedom = max(2 * int(self.used.sum()) - self.fit.free_count, 1)
        spread = float(np.sqrt(self.fit.cost / freedom))
        if test is None or spread <= 0:
            return float("nan")
        return min(test.noise * float(np.median(self._weighted_modulus)) / spread, 1.0)

    @property
    def _weighted_modulus(self) -> Floats:
        """``|Z|`` times the weight, which is one for modulus weighting; shape (n,)."""
        spectrum = self.fit.spectrum
        return np.asarray(np.abs(spectrum.impedance) * spectrum.weight, np.float64)

    @property
    def identifiable(self) -> dict[str, bool]:
        """Whether the data determine each parameter, by name."""
        return dict(zip(self.names, map(bool, self.fit.identifiable), strict=True))

    @cached_property
    def arcs(self) -> tuple[ImpedanceArc, ...]:
        """The arcs, with their capacitance and the process assigned by it."""
        return build_arcs(self.fit, self.area_cm2)

    @cached_property
    def kramers_kronig(self) -> KramersKronig | None:
        """The Kramers–Kronig test of the used points; None if there are too few."""
        return kramers_kronig(self.frequency_hertz[self.used], self.impedance_ohm[self.used])

    @property
    def relative_residual(self) -> float:
        """Root mean square of ``|residual|`` / ``|Z|``."""
        return self.fit.relative_residual

    @cached_property
    def result(self) -> MinimizerResult:
        """The fit as an lmfit result, with ``result.params`` and all of lmfit's methods."""
        return minimise_with_lmfit(self.fit, self.constraints)[1]

    def parameters(self) -> Parameters:
        """Return lmfit parameters at the best values, for a fit with constraints.

        For example ``p = fit.parameters(); p["CPE1_n"].set(value=1, vary=False)`` or
        ``p["R2"].set(expr="2 * R1")``, and then ``fit_impedance(…, parameters=p)``.
        """
        return plain_parameters(self.fit)

    def report(self) -> str:
        """Return lmfit's report."""
        import lmfit

        return str(lmfit.fit_report(self.result))

    def confidence_intervals(
        self, sigmas: tuple[float, ...] = (1, 2)
    ) -> dict[str, list[tuple[float, float]]]:
        """Return profile-likelihood intervals from lmfit: (probability, value) by name."""
        return confidence_intervals(self.fit, sigmas, self.constraints)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Warnings about the numbers, one sentence each."""
        return tuple(_flags(self))


def fit_impedance(
    frequency_hertz: ArrayLike,
    impedance_ohm: ArrayLike,
    circuit: str | None = None,
    *,
    deviation_ohm: ArrayLike | None = None,
    parameters: Prescribed | None = None,
    area_cm2: float | None = None,
    robust: bool = True,
) -> ImpedanceFit:
    """Fit a circuit to an impedance spectrum; no start values are needed.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum, Hz and complex ohm (capacitive: negative imaginary part); shape (f,), in any
        order.
    circuit
        The circuit in impedance.py's syntax, e.g. ``"R0-p(R1,CPE1)-p(R2,CPE2)-W1"``; without it the
        number of arcs and the tail are chosen by the Bayesian information criterion among the
        circuits whose parameters the data determine.
    deviation_ohm
        Standard deviation of each impedance, ohm, shape (f,): from repeats, or ``|Z|`` times the
        noise of :attr:`ImpedanceFit.kramers_kronig`. Default: proportional to ``|Z|``.
    parameters
        What is prescribed of some of the circuit's parameters, ``R0``, ``CPE1_Q``, ``CPE1_n`` …, in
        their units: values, bounds and ties as ``["R0=5", "0.6<CPE1_n<0.95", "CPE2_n=CPE1_n"]``, or
        lmfit parameters, see :meth:`ImpedanceFit.parameters`. A fixed one has no error.
    area_cm2
        Electrode area, cm², for the assignment of arcs by capacitance per area.
    robust
        Exclude points that are outliers among their neighbours; they are flagged.

    Returns
    -------
    Values and errors by parameter, arcs, residuals, Kramers–Kronig test, flags in words, and the
    lmfit result.

    Notes
    -----
    Weighted least squares in the logarithms of the parameters (B. A. Boukamp, Solid State Ionics 20
    (1986) 31, doi 10.1016/0167-2738(86)90031-7, for the weights), chosen by the Bayesian
    information criterion (G. Schwarz, Ann. Statist. 6 (1978) 461, doi 10.1214/aos/1176344136);
    the Kramers–Kronig test is that of Boukamp (1995), doi 10.1149/1.2044210.

    Raises
    ------
    CellpipeError
        If there are too few usable points for the circuit, the circuit string is invalid, or
        ``parameters`` names none of the circuit's or can't be met.

    """
    if circuit is not None:
        read_constraints(parameters, build_form(circuit).circuit)  # refused before the fit
    points, turned = turn_sign(
        clean_spectrum(np.asarray(frequency_hertz), np.asarray(impedance_ohm))
    )
    weight = point_weights(points, deviation_ohm, np.size(frequency_hertz))
    check_area(area_cm2)
    valid = valid_frequencies(points.frequency, points.impedance)
    used = valid.copy() if robust else np.ones_like(valid)
    fit = _fit_points(points, weight, used, circuit)
    for _ in range(_ROUNDS if robust else 0):
        alone = np.zeros(len(used), bool)
        part = fit.spectrum
        alone[used] = find_isolated_points(
            fit.standardised_residuals, part.frequency, part.impedance, fit.model
        )
        if not alone.any() or np.count_nonzero(used) - np.count_nonzero(alone) <= len(fit.theta):
            break
        used &= ~alone
        fit = _fit_points(points, weight, used, circuit)
    constraints = read_constraints(parameters, fit.circuit)
    if constraints:
        fit = fit_under_constraints(fit, constraints)
    drifted = int(np.count_nonzero(~valid)) if robust else 0
    return ImpedanceFit(
        points.frequency,
        points.impedance,
        used,
        points.left_out,
        fit,
        drifted,
        area_cm2,
        constraints or None,
        turned,
    )


def turn_sign(points: CleanSpectrum) -> tuple[CleanSpectrum, bool]:
    """Return a spectrum with the sign of its imaginary part right, and whether it was reversed."""
    if not has_reversed_sign(points.frequency, points.impedance):
        return points, False
    return replace(points, impedance=points.impedance.conj()), True


def check_area(area_cm2: float | None) -> None:
    """Raise a CellpipeError for an area that is not positive and finite."""
    if area_cm2 is not None and not 0 < area_cm2 < np.inf:
        raise CellpipeError(
            f"an area of {area_cm2} cm²",
            expected="a number above zero",
            remedy="give it in cm², or leave it out",
        )


def find_isolated_points(
    standardised: Complexes, frequency: Floats, impedance: Complexes, model: Complexes
) -> NDArray[np.bool_]:
    """Return which points of a fit are outliers among their neighbours; shape (n,).

    Where the misfit of the circuit exceeds the noise, the Kramers–Kronig test must confirm an
    outlier; otherwise a feature that the circuit lacks would be mistaken for bad points.
    """
    isolated = find_isolated(standardised, ends=True)
    if not isolated.any():
        return isolated
    test = kramers_kronig(frequency, impedance)
    relative = np.abs((model - impedance) / modulus(impedance))
    typical = 1.4826 * float(np.median(relative)) / np.sqrt(2)
    if test is not None and typical > _MISSES * test.noise:
        isolated &= test.outlying
    return isolated


def _fit_points(
    points: CleanSpectrum, weight: Floats, used: NDArray[np.bool_], circuit: str | None
) -> CircuitFit:
    frequency, impedance = points.frequency[used], points.impedance[used]
    if circuit is None:
        return fit_best_circuit(frequency, impedance, weight=weight[used])
    size = len(build_form(circuit).circuit.keys)
    if 2 * len(frequency) <= size:
        raise CellpipeError(
            f"{len(frequency)} frequencies for the {size} parameters of {circuit}",
            expected="more real and imaginary parts than parameters",
            remedy="take a simpler circuit",
        )
    return fit_circuit(circuit, frequency, impedance, weight=weight[used])


def _flags(fit: ImpedanceFit) -> list[str]:
    sentences = [f"{number} points left out: {reason}." for reason, number in fit.left_out.items()]
    if fit.sign_turned:
        sentences.append(SIGN_REVERSED)
    if fit.drifted:
        sentences.append(
            f"The {fit.drifted} lowest frequencies were left out: there the spectrum contradicts "
            "the Kramers–Kronig relations, as when a cell changes while it is measured."
        )
    isolated = ~fit.used[: len(fit.used) - fit.drifted]
    if isolated.any():
        where = ", ".join(f"{f:.4g} Hz" for f in fit.frequency_hertz[: len(isolated)][isolated])
        sentences.append(f"Left out, for they stand alone against their neighbours: {where}.")
    negative = np.count_nonzero(fit.impedance_ohm.real < 0)
    if negative:
        shown = f"{negative} of {len(fit.frequency_hertz)} frequencies"
        sentences.append(f"The real part is negative at {shown}, which no passive cell has.")
    sentences += _validity_flags(fit.kramers_kronig)
    if fit.relative_residual > MISFIT:
        sentences.append(
            f"The circuit {fit.circuit} does not describe the spectrum: the root mean square "
            f"residual is {fit.relative_residual:.2%} of |Z|."
        )
    limits = fit.fit.limits
    fixed = [False] * len(fit.names) if limits is None else limits.fixed
    unknown = [
        name
        for (name, known), given in zip(fit.identifiable.items(), fixed, strict=True)
        if not known and not given
    ]
    if unknown:
        sentences.append(f"The data does not determine {', '.join(unknown)}.")
    return [*sentences, *constraint_flags(fit)]


def _validity_flags(test: KramersKronig | None) -> list[str]:
    if test is None:
        return ["There are too few frequencies to test the Kramers–Kronig relations."]
    sentences = []
    if not test.valid and test.violation > VIOLATED:
        sentences.append(
            f"The spectrum contradicts the Kramers–Kronig relations by {test.violation:.2%} of |Z|."
        )
    if test.noise > NOISY:
        sentences.append(f"The noise is {test.noise:.1%} of |Z|.")
    return sentences
