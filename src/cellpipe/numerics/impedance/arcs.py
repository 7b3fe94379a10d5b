"""Arcs of a fit: resistance, time constant, capacitance and the process assigned to each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellpipe.numerics.impedance.circuit_fit import CircuitFit
from cellpipe.numerics.impedance.circuit_forms import Arc, Form
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.processes import (
    INTERFACE,
    TAIL,
    ArcShape,
    brug_capacitance,
    closes,
    effective_capacitance,
    likely_process,
    process_by_capacitance,
)


@dataclass(frozen=True)
class ImpedanceArc:
    """One arc, in ohm, s and F.

    ``capacitance`` is that of Hsu and Mansfeld, ``brug_capacitance`` that of Brug, with all faster
    elements in series. ``capacitance_error`` is the standard error of ln(``capacitance``).
    ``process`` is the most probable origin by capacitance per area, with its ``probability``; an
    arc that does not close above ``lowest_hertz`` is a tail. ``faster_ohm`` is all resistance in
    series with it: resistors and faster arcs.
    """

    name: str
    resistance: float
    resistance_error: float
    time_constant: float
    exponent: float
    capacitance: float
    capacitance_error: float
    brug_capacitance: float
    process: str
    probability: float
    identifiable: bool
    lowest_hertz: float
    faster_ohm: float

    @property
    def closed(self) -> bool:
        """Whether the arc closes within the measured window."""
        return closes(self.time_constant, self.lowest_hertz)


def unclosed_arcs(
    arcs: Sequence[ImpedanceArc], processes: Sequence[str], area_cm2: float | None
) -> list[str]:
    """Return the arcs with the capacitance of an interface that don't close in the window."""
    names = []
    for arc, named in zip(arcs, processes, strict=True):
        process = named
        if named == TAIL:
            process, _ = process_by_capacitance(arc.capacitance, area_cm2, 0.0, arc.time_constant)
        if not arc.closed and process in INTERFACE:
            names.append(arc.name)
    return names


def build_arcs(fit: CircuitFit, area_cm2: float | None) -> tuple[ImpedanceArc, ...]:
    """Return the arcs of a fit, fastest first."""
    lowest = float(fit.spectrum.frequency.min())
    return tuple(
        build_arc(fit.form, arc, fit.theta, fit.spread, area_cm2, bool(identifiable), lowest)
        for arc, identifiable in zip(fit.form.arcs, arc_identifiability(fit), strict=True)
    )


def arc_identifiability(fit: CircuitFit) -> list[bool]:
    """Return for each arc whether the data determine its resistance."""
    return [bool(fit.identifiable[arc.user[0]]) for arc in fit.form.arcs]


def build_arc(
    form: Form,
    arc: Arc,
    theta: Floats,
    spread: Floats,
    area_cm2: float | None,
    known: bool,
    lowest_hertz: float,
) -> ImpedanceArc:
    """Return an arc from the fitted form's parameters (p,) and their covariance (p, p)."""
    r, tau = float(np.exp(theta[arc.first])), float(np.exp(theta[arc.first + 1]))
    n = float(theta[arc.first + 2]) if arc.exponent else 1.0
    pair = spread[arc.first : arc.first + 2, arc.first : arc.first + 2]
    variance = float(pair[0, 0] + pair[1, 1] - 2 * pair[0, 1])
    error = math.sqrt(max(variance, 0.0))
    q = tau**n / r
    capacitance = effective_capacitance(r, q, n)
    before = _series_resistance(form, arc, theta)
    shape = ArcShape(capacitance, r, tau, before, error / math.log(10))
    process, probability = likely_process(shape, area_cm2, lowest_hertz)
    return ImpedanceArc(
        arc.name, r, r * math.sqrt(max(float(pair[0, 0]), 0.0)), tau, n, capacitance, error,
        brug_capacitance(r, q, n, before), process,
        probability, known, lowest_hertz, before,
    )  # fmt: skip


def _series_resistance(form: Form, arc: Arc, theta: Floats) -> float:
    """Return the resistance in series with an arc: series resistors and faster arcs, ohm."""
    if form.fitted.root.kind != "series":
        return 0.0
    tops = {c.first: c.name for c in form.fitted.root.children if c.kind == "element"}
    plain = sum(math.exp(theta[place]) for place, name in tops.items() if name == "R")
    faster = sum(
        math.exp(theta[other.first])
        for other in form.arcs
        if other.first in tops and theta[other.first + 1] < theta[arc.first + 1]
    )
    return plain + faster


def arc_process(rows: Sequence[ImpedanceArc], area_cm2: float | None) -> tuple[str, float]:
    """Return the process of one arc of several spectra, by its medians, and the probability.

    If it closes in some, these say what it is: in the others it only left the measured window.
    """
    rows = [arc for arc in rows if arc.closed] or rows

    def median(name: str) -> float:
        return float(np.median([getattr(arc, name) for arc in rows]))

    shape = ArcShape(
        median("capacitance"), median("resistance"), median("time_constant"), median("faster_ohm")
    )
    return likely_process(shape, area_cm2, median("lowest_hertz"))
