"""Choice of an equivalent circuit: the number of arcs and the tail that a spectrum supports.

Candidates are R0 with up to three arcs, and no tail or one of a Warburg element, a CPE (a blocking
electrode if its exponent is near one), a finite Warburg element with a blocked or an open end, a
transmission line that blocks (a porous electrode) or one that reacts; and the inductance of the
leads if the spectrum shows any. Each candidate is fitted from the optimum of the one with one arc
less, too, so that more arcs never fit worse. The circuit is chosen by the Bayesian information
criterion (G. Schwarz, Ann. Stat. 6, 461 (1978), doi 10.1214/aos/1176344136) among those whose
parameters the data determine; if there are none, among all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.numerics.impedance.circuit_fit import (
    CircuitFit,
    Spectrum,
    fit_circuit,
    fit_from_starts,
)
from cellpipe.numerics.impedance.circuit_forms import build_form, series_elements
from cellpipe.numerics.impedance.circuit_starts import added_starts, start_values
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig, valid_frequencies
from cellpipe.numerics.impedance.spectra import modulus

MOST_ARCS = 3
_STARTS, _ADDED = 4, 3  # enough to compare circuits; the chosen one is fitted from all starts
_ENOUGH = 5e-5  # relative change of the sum of squares, to compare circuits
_TAILS = {
    "": "", "W": "W1", "CPE": "CPE{}", "Wo": "Wo1", "Ws": "Ws1", "TLMQ": "TLMQ1", "TLM": "TLM1",
}  # fmt: skip
_ABOVE_NOISE = 4.0
_DIFFUSION_SECOND = 0.1
_FAR_WORSE = 4.0  # in the sum of squares
_AT_NOISE = 1.06  # residual over noise below which no more arcs are tried
STRONG_EVIDENCE = 6.0  # in the criterion: Kass, Raftery, doi 10.1080/01621459.1995.10476572


def circuit_text(arcs: int, tail: str, *, inductive: bool = False) -> str:
    """Return a circuit string, e.g. ``L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3``."""
    parts = [f"p(R{i},CPE{i})" for i in range(1, arcs + 1)]
    last = [_TAILS[tail].format(arcs + 1)] if tail else []
    return "-".join([*(["L0"] if inductive else []), "R0", *parts, *last])


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
    weight = 1 / np.abs(impedance_ohm) if weight is None else weight
    spectrum = Spectrum(frequency_hertz, impedance_ohm, weight)
    candidates = _fit_candidates([spectrum], inductive=leads)
    chosen = candidates[_best_index(candidates)][0]
    best = _refine(chosen)
    text = f"L0-{best.circuit.text}"  # inductance hidden by the arcs but detected by the fit
    if leads or not _affordable_circuits([text], len(frequency_hertz)):
        return best
    more = _fit_candidate(text, spectrum, best, added="L")
    return _refine(more) if select_best_fit([best, more]) is more else best


def _refine(fit: CircuitFit) -> CircuitFit:
    """Return the optimum of a circuit from all its starts, and from the fit that is known."""
    part = fit.spectrum
    return fit_circuit(
        fit.circuit.text, part.frequency, part.impedance, weight=part.weight, known=fit.theta
    )


def select_best_fit(fits: Sequence[CircuitFit]) -> CircuitFit:
    """Return the fit of lowest criterion, or one about as good whose parameters are determined."""
    place = _best_index([[fit] for fit in fits])
    return fits[place]


def choose_circuit(frequencies: Sequence[Floats], impedances: Sequence[Complexes]) -> str:
    """Return the circuit with the lowest summed criterion over several spectra.

    Spectra are ordered by falling frequency, Hz and ohm. Points rejected by the Kramers–Kronig test
    are ignored.
    """
    pairs = [valid_points(f, z) for f, z in zip(frequencies, impedances, strict=True)]
    leads = any(is_inductive(z) for _, z in pairs)
    spectra = [Spectrum(f, z, 1 / modulus(z)) for f, z in pairs]
    candidates = _fit_candidates(spectra, inductive=leads)
    return candidates[_best_index(candidates)][0].circuit.text


def _fit_candidates(spectra: Sequence[Spectrum], *, inductive: bool) -> list[list[CircuitFit]]:
    """Fit every affordable candidate to every spectrum, simplest first."""
    shortest = min(len(spectrum.frequency) for spectrum in spectra)
    noises = [noise_level(spectrum.frequency, spectrum.impedance) for spectrum in spectra]
    out: list[list[CircuitFit]] = []
    smaller: dict[str, list[CircuitFit]] = {}
    for arcs in range(MOST_ARCS + 1):
        level: dict[str, list[CircuitFit]] = {}
        for tail in _TAILS:
            alone = arcs - (tail == "TLM")  # a transmission line has an arc in it
            if alone < 0:
                continue
            text = circuit_text(alone, tail, inductive=inductive)
            if _affordable_circuits([text], shortest):
                parts = smaller.get(tail)
                level[tail] = [
                    _fit_candidate(text, spectrum, parts[number] if parts else None)
                    for number, spectrum in enumerate(spectra)
                ]
        out += level.values()
        smaller = level
        best = [min(fits, key=lambda fit: fit.cost) for fits in zip(*level.values(), strict=True)]
        if arcs < MOST_ARCS and all(map(_is_at_noise, best, noises)):
            break
    return out


def _is_at_noise(fit: CircuitFit, noise: float) -> bool:
    """Return whether a fit leaves no more than the noise of each part over |Z|."""
    freedom = max(2 * len(fit.spectrum.frequency) - len(fit.theta), 1)
    square = fit.relative_residual**2 * len(fit.spectrum.frequency) / freedom
    return square < (_AT_NOISE * noise) ** 2


def noise_level(frequency: Floats, impedance: Complexes) -> float:
    """Return the noise of each part over |Z|; 0 if it is not known."""
    test = kramers_kronig(frequency, impedance)
    return test.noise if test is not None and test.valid else 0.0


def _fit_candidate(
    text: str, spectrum: Spectrum, smaller: CircuitFit | None, added: str = "ZARC"
) -> CircuitFit:
    """Fit a candidate from its own starts and from the fit without its last arc or inductor."""
    form = build_form(text)
    points = (spectrum.frequency, spectrum.impedance, spectrum.weight)
    starts = start_values(form, *points, _STARTS)
    if smaller is not None:
        names = [name for name, _ in series_elements(form) or []]
        place = max(i for i, name in enumerate(names) if name == added)
        more = added_starts(form, smaller.theta, place, *points, _ADDED)
        starts = np.concatenate([more, starts])
    return fit_from_starts(form, spectrum, starts, tolerance=_ENOUGH)


def _affordable_circuits(texts: Sequence[str], frequencies: int) -> list[str]:
    """Return circuits with at most one parameter per frequency; the other data give the errors."""
    return [text for text in texts if len(build_form(text).circuit.keys) <= frequencies]


def valid_points(frequency: Floats, impedance: Complexes) -> tuple[Floats, Complexes]:
    """Return a spectrum without the points that the Kramers–Kronig test rejects."""
    kept = valid_frequencies(frequency, impedance)
    test = kramers_kronig(frequency[kept], impedance[kept])
    if test is not None:
        kept[np.flatnonzero(kept)[test.outlying]] = False
    return frequency[kept], impedance[kept]


def _best_index(candidates: Sequence[Sequence[CircuitFit]]) -> int:
    """Return the index of the best circuit, each fitted to the same spectra.

    The number of independent observations is that of the fit with the lowest residual.
    """
    spectra = range(len(candidates[0]))
    counts = [
        effective_count(min((fits[i] for fits in candidates), key=lambda f: f.cost))
        for i in spectra
    ]
    scores = [
        sum(fit.criterion(count) for fit, count in zip(fits, counts, strict=True))
        for fits in candidates
    ]
    best = int(np.argmin(scores))
    costs = [sum(fit.cost for fit in fits) for fits in candidates]
    plausible = [
        place
        for place, fits in enumerate(candidates)
        if place == best or not _is_line(fits[0])
        if not all(_is_idle(fit) for fit in fits)
    ]
    if min((costs[place] for place in plausible), default=np.inf) > _FAR_WORSE * min(costs):
        plausible = list(range(len(candidates)))  # rather too many elements than a misfit
    least = min(scores[place] for place in plausible)
    close = [
        place
        for place in plausible
        if scores[place] < least + STRONG_EVIDENCE
        and all(fit.is_determined.all() for fit in candidates[place])
    ]
    return min(close or plausible, key=lambda place: scores[place])


def _is_line(fit: CircuitFit) -> bool:
    """Return whether a circuit has a transmission line, which must beat all chains of arcs."""
    return "TLM" in fit.circuit.text


def _is_idle(fit: CircuitFit) -> bool:
    """Return whether a circuit has an element of which the data does not show that it is there.

    That is a parameter that is not known to a factor of e, or at its bound; but R0 and the
    inductance of the leads may be smaller than the noise. Nor is diffusion through a finite length
    in less than 0.1 s shown, which is that of 10 nm in a solid: it is an arc of another shape.
    """
    deviation = np.sqrt(np.maximum(np.diag(fit.spread), 0))
    loose = fit.form.positive & ((deviation > 1) | fit.bounded)
    least = 3 * fit.relative_residual * float(np.min(np.abs(fit.spectrum.impedance)))
    for place, (element, name) in enumerate(fit.form.fitted.keys):
        kind = element.rstrip("0123456789")
        if kind in {"Wo", "Ws"} and name == "tau" and fit.theta[place] < np.log(_DIFFUSION_SECOND):
            return True
        if kind == "L" or (kind == "R" and np.exp(fit.theta[place]) < least):
            loose[place] = False
    return bool(loose.any())


def effective_count(fit: CircuitFit) -> float:
    """Return the number of independent observations; misfit of a circuit correlates residuals.

    n (1 - r) / (1 + r), where r is the correlation of neighbouring residuals.
    """
    correlation = min(max(fit.residual_correlation, 0.0), 0.95)
    return max(2 * len(fit.spectrum.frequency) * (1 - correlation) / (1 + correlation), 4.0)
