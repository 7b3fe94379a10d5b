"""Choice of an equivalent circuit: the number of arcs and the tail that a spectrum supports.

Candidates are R0 with up to three arcs, no tail or a CPE or a Warburg element, and the inductance
of the leads if the spectrum shows any. The circuit is chosen by the Bayesian information criterion
(G. Schwarz, Ann. Stat. 6, 461 (1978), doi 10.1214/aos/1176344136) among those whose parameters the
data determine; if there are none, among all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.numerics.impedance.circuit_fit import CircuitFit, fit_circuit
from cellpipe.numerics.impedance.circuit_forms import build_form
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig, valid_frequencies
from cellpipe.numerics.impedance.spectra import modulus

MOST_ARCS = 3
_STARTS = 8  # enough to compare circuits; the chosen one is fitted from all starts
_TAILS = ("", "W", "CPE")
_ABOVE_NOISE = 4.0
_STRONG_EVIDENCE = 6.0  # in the criterion: Kass, Raftery, doi 10.1080/01621459.1995.10476572


def circuit_text(arcs: int, tail: str, *, inductive: bool = False) -> str:
    """Return a circuit string, e.g. ``L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3``."""
    parts = [f"p(R{i},CPE{i})" for i in range(1, arcs + 1)]
    last = {"CPE": [f"CPE{arcs + 1}"], "W": ["W1"], "": []}[tail]
    return "-".join([*(["L0"] if inductive else []), "R0", *parts, *last])


def candidate_circuits(*, inductive: bool) -> list[str]:
    """Return the candidate circuits, simplest first."""
    return [
        circuit_text(arcs, tail, inductive=inductive)
        for arcs in range(MOST_ARCS + 1)
        for tail in _TAILS
    ]


def is_inductive(impedance_ohm: Complexes) -> bool:
    """Return whether the imaginary part at high frequency is positive by more than the noise.

    The spectrum is in ohm, shape (n,), highest frequency first. The noise is estimated from third
    differences of the imaginary part over |Z|, in which smooth contributions cancel.
    """
    relative = impedance_ohm.imag / np.abs(impedance_ohm)
    top = relative[: max(3, len(relative) // 5)]
    noise = float(np.sqrt(np.mean(np.diff(relative, 3) ** 2) / 20)) if len(relative) > 3 else 0.0
    return bool(top.max() > max(_ABOVE_NOISE * noise, 1e-4))


def fit_best_circuit(
    frequency_hertz: Floats, impedance_ohm: Complexes, *, weight: Floats | None = None
) -> CircuitFit:
    """Fit every candidate that has enough data points and return the best supported fit.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum, highest frequency first, Hz and ohm; shape (n,).
    weight
        Weights of the residuals, 1/ohm; shape (n,). Default: 1/|Z|.

    """
    leads = is_inductive(impedance_ohm)
    texts = _affordable_circuits(candidate_circuits(inductive=leads), len(frequency_hertz))
    fits = [
        fit_circuit(text, frequency_hertz, impedance_ohm, weight=weight, starts=_STARTS)
        for text in texts
    ]
    text = select_best_fit(fits).circuit.text
    best = fit_circuit(text, frequency_hertz, impedance_ohm, weight=weight)
    if leads or not _affordable_circuits([f"L0-{text}"], len(frequency_hertz)):
        return best
    text = f"L0-{text}"  # an inductance may be hidden by the arcs but detected by the fit
    return select_best_fit([best, fit_circuit(text, frequency_hertz, impedance_ohm, weight=weight)])


def select_best_fit(fits: Sequence[CircuitFit]) -> CircuitFit:
    """Return the fit of lowest criterion, or one about as good whose parameters are determined."""
    place = _best_index([[fit] for fit in fits])
    return fits[place]


def choose_circuit(frequencies: Sequence[Floats], impedances: Sequence[Complexes]) -> str:
    """Return the circuit with the lowest summed criterion over several spectra.

    Spectra are ordered by falling frequency, Hz and ohm. Points rejected by the Kramers–Kronig test
    are ignored.
    """
    pairs = [_valid_points(f, z) for f, z in zip(frequencies, impedances, strict=True)]
    leads = any(is_inductive(z) for _, z in pairs)
    shortest = min(len(f) for f, _ in pairs)
    texts = _affordable_circuits(candidate_circuits(inductive=leads), shortest)
    return texts[_best_index([[_fit_quickly(text, f, z) for f, z in pairs] for text in texts])]


def _affordable_circuits(texts: Sequence[str], frequencies: int) -> list[str]:
    """Return circuits with at most one parameter per frequency; the other data give the errors."""
    return [text for text in texts if len(build_form(text).circuit.keys) <= frequencies]


def _valid_points(frequency: Floats, impedance: Complexes) -> tuple[Floats, Complexes]:
    kept = valid_frequencies(frequency, impedance)
    test = kramers_kronig(frequency[kept], impedance[kept])
    if test is not None:
        kept[np.flatnonzero(kept)[test.outlying]] = False
    return frequency[kept], impedance[kept]


def _fit_quickly(text: str, frequency: Floats, impedance: Complexes) -> CircuitFit:
    return fit_circuit(text, frequency, impedance, weight=1 / modulus(impedance), starts=_STARTS)


def _best_index(candidates: Sequence[Sequence[CircuitFit]]) -> int:
    """Return the index of the best circuit, each fitted to the same spectra.

    The number of independent observations is that of the fit with the lowest residual.
    """
    spectra = range(len(candidates[0]))
    counts = [
        _effective_count(min((fits[i] for fits in candidates), key=lambda f: f.cost))
        for i in spectra
    ]
    scores = [
        sum(fit.criterion(count) for fit, count in zip(fits, counts, strict=True))
        for fits in candidates
    ]
    close = [
        place
        for place, fits in enumerate(candidates)
        if scores[place] < min(scores) + _STRONG_EVIDENCE
        and all(fit.is_determined.all() for fit in fits)
    ]
    return min(close or range(len(scores)), key=lambda place: scores[place])


def _effective_count(fit: CircuitFit) -> float:
    """Return the number of independent observations; misfit of a circuit correlates residuals.

    n (1 - r) / (1 + r), where r is the correlation of neighbouring residuals.
    """
    residuals = (fit.model - fit.spectrum.impedance) * fit.spectrum.weight
    total = float(np.sum(np.abs(residuals) ** 2))
    correlation = float(np.sum((residuals[1:] * residuals[:-1].conj()).real)) / max(total, 1e-300)
    correlation = min(max(correlation, 0.0), 0.95)
    return max(2 * len(residuals) * (1 - correlation) / (1 + correlation), 4.0)
