"""Comparison of circuits on the same spectra: which one describes them, none, or several alike.

Every circuit is fitted to every spectrum by itself, at the same points: those that no outlier, and
no change of the cell, spoils. Circuits are compared by the Bayesian information criterion, where
residuals that repeat from frequency to frequency count as fewer observations; a difference above 6
is strong evidence (R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90, 773 (1995), doi
10.1080/01621459.1995.10476572). Two circuits of other forms can have the same impedance at every
frequency (S. Fletcher, J. Electrochem. Soc. 141, 1823 (1994), doi 10.1149/1.2055011): no data tells
those apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_choice import (
    STRONG_EVIDENCE,
    effective_count,
    noise_level,
    valid_points,
)
from cellpipe.numerics.impedance.circuit_fit import CircuitFit, fit_circuit
from cellpipe.numerics.impedance.circuits import parse_circuit
from cellpipe.numerics.impedance.constrained_fit import fit_under_constraints
from cellpipe.numerics.impedance.constraints import (
    Prescribed,
    parameter_names,
    read_constraints,
)
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.fit import MISFIT, turn_sign
from cellpipe.numerics.impedance.spectra import clean_spectrum, modulus

_MOST_SPECTRA = 20
_SAME, _SAME_AT_LEAST = 0.05, 1e-5  # of the residual, of |Z|: below it two impedances are one
_LEAVES = 2.0  # residual over noise from which a circuit leaves something of the spectrum


@dataclass(frozen=True)
class CircuitScore:
    """How a circuit describes the spectra.

    ``chi_square`` is the sum of ``|residual|²/|Z|²`` over all points, ``criterion`` the Bayesian
    information criterion, ``relative_residual`` the root mean square of ``|residual| / |Z|``.
    ``parameters`` counts those that were fitted, and ``undetermined`` names those that the data
    determine in less than half of the spectra. ``fits`` are the fits, one a spectrum.
    """

    circuit: str
    parameters: int
    chi_square: float
    criterion: float
    relative_residual: float
    undetermined: tuple[str, ...]
    fits: tuple[CircuitFit, ...]

    @property
    def describes(self) -> bool:
        """Whether the circuit misses the spectra by no more than 2 % of ``|Z|``."""
        return self.relative_residual <= MISFIT


@dataclass(frozen=True)
class CircuitComparison:
    """Circuits held against each other, best criterion first.

    ``noise`` is that of the real and of the imaginary part over ``|Z|``, NaN where it is not known.
    ``alike`` counts the circuits at the head of ``scores`` that the data does not tell apart, and
    ``equivalent`` those of them with the impedance of the first at every frequency.
    """

    scores: tuple[CircuitScore, ...]
    spectra: int
    points: int
    noise: float
    alike: int
    equivalent: int

    @property
    def verdict(self) -> str:
        """What the comparison says, in one or a few sentences."""
        return " ".join(_sentences(self))


def compare_circuits(
    frequency_hertz: ArrayLike | Sequence[ArrayLike],
    impedance_ohm: ArrayLike | Sequence[ArrayLike],
    circuits: Sequence[str],
    *,
    parameters: Prescribed | None = None,
) -> CircuitComparison:
    """Compare circuits on one spectrum or several, at the same points.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        A spectrum, Hz and complex ohm, shape (f,); or lists of several. Of more than 20 spectra, 20
        spread over them are taken.
    circuits
        Two circuits or more.
    parameters
        What is prescribed of parameters that all circuits have, as for :func:`fit_impedance`.

    Returns
    -------
    χ², criterion, residual and fits of each, and a verdict in words.

    Raises
    ------
    CellpipeError
        If there are fewer than two circuits, one is invalid, or a spectrum has too few usable
        points for one.

    """
    texts = list(dict.fromkeys(parse_circuit(text).text for text in circuits))
    if len(texts) < 2:
        raise CellpipeError(
            f"the circuit {', '.join(texts) or 'none'} alone", expected="two circuits or more",
            remedy="name another circuit",
        )  # fmt: skip
    for text in texts:
        read_constraints(parameters, parse_circuit(text))
    spectra = _usable_points(frequency_hertz, impedance_ohm)
    fitted = [[_fit(text, f, z, parameters) for f, z in spectra] for text in texts]
    counts = [
        effective_count(min((fits[i] for fits in fitted), key=lambda fit: fit.cost))
        for i in range(len(spectra))
    ]
    scores = sorted((_score(fits, counts) for fits in fitted), key=lambda each: each.criterion)
    noises = [noise_level(f, z) for f, z in spectra]
    known = [noise for noise in noises if noise > 0]
    return CircuitComparison(
        tuple(scores), len(spectra), sum(len(f) for f, _ in spectra),
        float(np.median(known)) if known else math.nan, _count_alike(scores),
        1 + sum(_are_equivalent(scores[0], other) for other in scores[1:]),
    )  # fmt: skip


def _usable_points(frequency: object, impedance: object) -> list[tuple[Floats, Complexes]]:
    rows: list[ArrayLike] = list(impedance)  # type: ignore[call-overload]
    several = bool(rows) and np.ndim(rows[0]) > 0
    rows = rows if several else [impedance]  # type: ignore[list-item]
    columns: list[ArrayLike] = list(frequency)  # type: ignore[call-overload]
    each = columns if columns and np.ndim(columns[0]) > 0 else [columns] * len(rows)
    places = np.unique(np.linspace(0, len(rows) - 1, _MOST_SPECTRA).round().astype(int))
    out = []
    for place in places:
        points, _ = turn_sign(
            clean_spectrum(np.asarray(each[place]), np.asarray(rows[place], np.complex128))
        )
        out.append(valid_points(points.frequency, points.impedance))
    return out


def _fit(
    text: str, frequency: Floats, impedance: Complexes, parameters: Prescribed | None
) -> CircuitFit:
    size = len(parse_circuit(text).keys)
    if 2 * len(frequency) <= size:
        raise CellpipeError(
            f"{len(frequency)} frequencies for the {size} parameters of {text}",
            expected="more real and imaginary parts than parameters",
            remedy="take a simpler circuit",
        )
    fit = fit_circuit(text, frequency, impedance, weight=1 / modulus(impedance))
    constraints = read_constraints(parameters, fit.circuit)
    return fit_under_constraints(fit, constraints) if constraints else fit


def _score(fits: Sequence[CircuitFit], counts: Sequence[float]) -> CircuitScore:
    names = parameter_names(fits[0].circuit)
    known = np.mean([fit.identifiable for fit in fits], axis=0)
    limits = fits[0].limits
    fixed = np.zeros(len(names), bool) if limits is None else limits.fixed
    squares = [fit.relative_residual**2 * len(fit.spectrum.frequency) for fit in fits]
    points = sum(len(fit.spectrum.frequency) for fit in fits)
    return CircuitScore(
        fits[0].circuit.text, fits[0].free_count, float(sum(squares)),
        sum(fit.criterion(count) for fit, count in zip(fits, counts, strict=True)),
        math.sqrt(sum(squares) / points),
        tuple(name for name, share, given in zip(names, known, fixed, strict=True)
              if share < 0.5 and not given),
        tuple(fits),
    )  # fmt: skip


def _count_alike(scores: Sequence[CircuitScore]) -> int:
    """Return how many circuits, the first among them, are within strong evidence of the first."""
    return sum(each.criterion - scores[0].criterion < STRONG_EVIDENCE for each in scores)


def _are_equivalent(one: CircuitScore, other: CircuitScore) -> bool:
    """Return whether two circuits have the same impedance at every frequency that was measured."""
    apart = [
        float(np.sqrt(np.mean(np.abs((a.model - b.model) / a.spectrum.impedance) ** 2)))
        for a, b in zip(one.fits, other.fits, strict=True)
    ]
    return max(apart) < max(_SAME * one.relative_residual, _SAME_AT_LEAST)


def _sentences(found: CircuitComparison) -> list[str]:
    best = found.scores[0]
    if not any(score.describes for score in found.scores):
        none = "Neither circuit" if len(found.scores) == 2 else "None of the circuits"
        misses = _join([f"{s.relative_residual:.1%} ({s.circuit})" for s in found.scores])
        told = f"{none} describes the data: they miss it by {misses} of |Z|."
        return [told, "A resistance from any of them means nothing."]
    told = _better(found) if found.alike == 1 else _alike(found)
    if found.alike == 1 and best.undetermined:
        told = f"{told} The data does not determine {_join(best.undetermined)} of it."
    return [told, *_leave(found, best)]


def _better(found: CircuitComparison) -> str:
    """Return by how much the first circuit is better, and which do not describe the data."""
    best, others = found.scores[0], found.scores[1:]
    margin = others[0].criterion - best.criterion
    told = (
        f"{best.circuit} describes the data better than "
        f"{_join([each.circuit for each in others], 'or')}: its BIC is lower by {margin:.0f} "
        f"({STRONG_EVIDENCE:.0f} is strong evidence), its residual is "
        f"{best.relative_residual:.2%} of |Z| with {best.parameters} parameters, against "
        f"{others[0].relative_residual:.2%} with {others[0].parameters}."
    )
    poor = [each.circuit for each in others if not each.describes]
    if not poor:
        return told
    return f"{told} {_join(poor)} {'does' if len(poor) == 1 else 'do'} not describe the data."


def _alike(found: CircuitComparison) -> str:
    """Return which circuits the data does not tell apart, and why."""
    alike, worse = found.scores[: found.alike], found.scores[found.alike :]
    names = _join([score.circuit for score in alike])
    margin = alike[-1].criterion - alike[0].criterion
    if found.equivalent >= found.alike:
        told = (
            f"No fit of these spectra can tell {names} apart: they have the same impedance, to a "
            "twentieth of the residual, at every frequency that was measured. Only what is known "
            "of the cell decides."
        )
    else:
        told = (
            f"The data does not tell {names} apart: their BIC differs by {margin:.1f} "
            f"({STRONG_EVIDENCE:.0f} would be strong evidence)."
        )
        counts = [score.parameters for score in alike]
        if counts.count(min(counts)) == 1:
            told += f" The simplest of them is {alike[int(np.argmin(counts))].circuit}."
    if worse:
        told += f" {_join([each.circuit for each in worse])} {'is' if len(worse) == 1 else 'are'} "
        told += f"worse by {worse[0].criterion - alike[0].criterion:.0f} or more."
    return told


def _leave(found: CircuitComparison, best: CircuitScore) -> list[str]:
    """Return that the best circuit, too, leaves more of the data than noise."""
    share = best.relative_residual / (math.sqrt(2) * found.noise) if found.noise > 0 else 0.0
    if not share > _LEAVES:
        return []
    which = "It leaves" if found.alike == 1 else "They leave"
    told = f"{which} {share:.0f} times the noise ({found.noise:.2%} of |Z|), though"
    return [f"{told}: something of the spectrum is in none of the circuits."]


def _join(names: Sequence[str], word: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
