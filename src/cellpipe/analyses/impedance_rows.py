"""Table rows of a fitted spectrum."""

from __future__ import annotations

import math

import numpy as np

from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.circuit_fit import WORST_ERROR
from cellpipe.numerics.impedance.circuit_forms import Form
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.fit import ImpedanceFit
from cellpipe.numerics.impedance.processes import INTERFACE, process_probabilities

Row = dict[str, object]


def circuit_fit_rows(cell: Cell, number: int, fit: ImpedanceFit) -> list[Row]:
    """Return the rows of ``circuit_fits``."""
    circuit = fit.fit.circuit
    columns = zip(
        circuit.keys, circuit.parameters, fit.names, fit.fit.values, fit.fit.errors,
        fit.fit.identifiable, strict=True,
    )  # fmt: skip
    precisions = fit.precisions
    return [
        {
            "cell_id": cell.cell_id, "spectrum": number, "circuit": circuit.text,
            "element": element, "parameter": parameter, "value": float(value),
            "standard_error": float(error), "precision": precisions[name],
            "unit": described.unit, "identifiable": bool(known),
        }
        for (element, parameter), described, name, value, error, known in columns
    ]  # fmt: skip


def arc_rows(cell: Cell, number: int, fit: ImpedanceFit, processes: list[str]) -> list[Row]:
    """Return the rows of ``impedance_arcs``; ``processes`` holds the process of each arc."""
    share = fit.noise_share
    area = cell.area_cm2
    rows: list[Row] = []
    for arc, process in zip(fit.arcs, processes, strict=True):
        error = arc.capacitance_error / math.log(10)
        sides = 2 if cell.configuration == "symmetric" and process in INTERFACE else 1
        rows.append({
            "cell_id": cell.cell_id, "spectrum": number, "arc": arc.name, "process": process,
            "process_probability": process_probabilities(arc.capacitance, area, error)[process],
            "resistance_ohm": arc.resistance,
            "resistance_standard_error_ohm": arc.resistance_error,
            "resistance_precision_ohm": share * arc.resistance_error,
            "areal_resistance_ohm_cm2": None if area is None else arc.resistance * area / sides,
            "time_constant_second": arc.time_constant, "exponent": arc.exponent,
            "capacitance_farad": arc.capacitance,
            "brug_capacitance_farad": arc.brug_capacitance,
            "capacitance_farad_per_cm2": None if area is None else sides * arc.capacitance / area,
            "identifiable": arc.identifiable,
        })  # fmt: skip
    return rows


def areal_resistance(cell: Cell, resistance_ohm: float) -> float | None:
    """Return the areal resistance of one interface, Ω cm²; None if the area is not known."""
    if cell.area_cm2 is None:
        return None
    return resistance_ohm * cell.area_cm2 / (2 if cell.configuration == "symmetric" else 1)


def resistance_row(cell: Cell, fit: ImpedanceFit, processes: list[str]) -> Row:
    """Return the row of ``interfacial_resistance``: sum of the interface arcs, and the rest."""
    places = [arc.first for arc in fit.fit.form.arcs]
    size = np.exp(fit.fit.theta[places])
    inside = np.array([process in INTERFACE for process in processes], bool)
    series = float(size[~inside].sum()) + _series_resistance(fit)
    total = float(size[inside].sum()) if inside.any() else None
    spread = fit.fit.spread[np.ix_(places, places)] * np.outer(size, size)
    variance = float(spread[np.ix_(inside, inside)].sum())
    error = math.sqrt(variance) if total is not None and variance > 0 else None
    test = fit.kramers_kronig
    return {
        "interfacial_resistance_ohm": total,
        "interfacial_resistance_standard_error_ohm": error,
        "interfacial_resistance_precision_ohm": None if error is None else error * fit.noise_share,
        "areal_interfacial_resistance_ohm_cm2": None
        if total is None
        else areal_resistance(cell, total),
        "series_resistance_ohm": series,
        "circuit": fit.circuit,
        "relative_residual": fit.relative_residual,
        "frequencies": int(np.count_nonzero(fit.used)),
        "noise": None if test is None else test.noise,
        "kramers_kronig_violation": None if test is None else test.violation,
        "kramers_kronig_valid": None if test is None else test.valid,
        "identifiable": error is not None and total is not None and error < WORST_ERROR * total,
    }


def single_resistance(cell: Cell, form: Form, theta: Floats) -> float | None:
    """Return the interfacial resistance of a separate fit, ohm, arcs assigned by capacitance."""
    total = 0.0
    for arc in form.arcs:
        r, tau = np.exp(theta[arc.first : arc.first + 2])
        likely = process_probabilities(float(tau / r), cell.area_cm2)
        if max(likely, key=lambda name: likely[name]) in INTERFACE:
            total += float(r)
    return total or None


def _series_resistance(fit: ImpedanceFit) -> float:
    """Return the sum of the resistors in series with everything else, ohm."""
    root = fit.fit.form.fitted.root
    tops = {"element": (root,), "series": root.children}.get(root.kind, ())
    return float(sum(np.exp(fit.fit.theta[node.first]) for node in tops if node.name == "R"))


def nested_resistors(fit: ImpedanceFit) -> list[str]:
    """Return resistors that are neither in series with everything else nor part of an arc."""
    form = fit.fit.form
    root = form.fitted.root
    tops = {"element": (root,), "series": root.children}.get(root.kind, ())
    series = {node.first for node in tops if node.name == "R"}
    own = {arc.user[0] for arc in form.arcs}
    return [
        element
        for place, (element, parameter) in enumerate(form.circuit.keys)
        if parameter == "R" and element[0] == "R" and place not in own
        and int(form.places[place]) not in series
    ]  # fmt: skip
