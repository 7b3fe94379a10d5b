"""Whether the drift that a Kramers–Kronig test sees changes an arc, however small it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from cellpipe.core.model import Finding
from cellpipe.numerics.impedance.arcs import ImpedanceArc, build_arcs
from cellpipe.numerics.impedance.circuit_fit import fit_circuit
from cellpipe.numerics.impedance.fit import ImpedanceFit
from cellpipe.numerics.impedance.processes import TAIL, closes

_LOWEST = 0.25  # of the frequencies, where a drift is largest
_ERRORS, _LEAST = 2.0, 0.02
_MOST_NAMED = 8

Fitted = tuple[ImpedanceFit, list[str], float | None]


def drift_findings(fits: Mapping[int, Fitted]) -> Iterator[Finding]:
    """Iterate over one finding at most: the spectra whose arcs depend on drifting frequencies.

    A spectrum that the Kramers–Kronig test calls drifting, whatever the size of the violation, is
    fitted again without the lowest quarter of its frequencies. An arc that closes above them must
    not change by more than two standard errors and 2 %.
    """
    changed = {
        number: worst for number, (fit, *_) in fits.items() if (worst := _changed_arc(fit))
    }  # fmt: skip
    if not changed:
        return
    number = max(changed, key=lambda place: abs(np.log(changed[place][2] / changed[place][1])))
    name, whole, part = changed[number]
    numbers = ", ".join(str(place) for place in list(changed)[:_MOST_NAMED])
    more = " …" if len(changed) > _MOST_NAMED else ""
    sentence = (
        f"The cell changed while spectra were measured (Kramers–Kronig), and that changes arcs of "
        f"{len(changed)} of {len(fits)} (spectrum {numbers}{more}); most in spectrum {number}: arc "
        f"{name} has {whole:.4g} Ω, and {part:.4g} Ω without the lowest quarter of the frequencies."
    )
    yield Finding("warning", "drift_changes_arc", sentence, len(changed))


def _changed_arc(fit: ImpedanceFit) -> tuple[str, float, float] | None:
    """Return name and resistance of the arc that the drift changes most, and that without it."""
    test = fit.kramers_kronig
    if test is None or test.valid or not test.drift:
        return None
    spectrum = fit.fit.spectrum
    count = len(spectrum.frequency) - int(np.ceil(_LOWEST * len(spectrum.frequency)))
    if 2 * count <= len(fit.fit.theta):
        return None
    again = fit_circuit(
        fit.circuit, spectrum.frequency[:count], spectrum.impedance[:count],
        weight=spectrum.weight[:count],
    )  # fmt: skip
    cut = float(spectrum.frequency[count - 1])
    pairs = [
        (arc, other)
        for arc, other in zip(
            _by_capacitance(fit.arcs), _by_capacitance(build_arcs(again, fit.area_cm2)), strict=True
        )
        if arc.identifiable and other.identifiable and arc.process != TAIL
        and closes(arc.time_constant, cut)
    ]  # fmt: skip
    found = [(a.name, a.resistance, b.resistance) for a, b in pairs if _differ(a, b)]
    return max(found, key=lambda one: abs(np.log(one[2] / one[1])), default=None)


def _by_capacitance(arcs: tuple[ImpedanceArc, ...]) -> list[ImpedanceArc]:
    return sorted(arcs, key=lambda arc: arc.capacitance)


def _differ(one: ImpedanceArc, other: ImpedanceArc) -> bool:
    off = abs(one.resistance - other.resistance)
    return off > _LEAST * one.resistance and off > _ERRORS * max(
        one.resistance_error, other.resistance_error
    )
