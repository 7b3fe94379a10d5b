"""Table rows of a fitted spectrum."""

from __future__ import annotations

import math

import numpy as np

from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.arcs import build_arc, unclosed_arcs
from cellpipe.numerics.impedance.circuit_fit import is_determined
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.fit import MISFIT, ImpedanceFit
from cellpipe.numerics.impedance.kramers_kronig import VIOLATED
from cellpipe.numerics.impedance.processes import (
    DIFFUSION,
    ELECTROLYTE,
    INTERFACE,
    TAIL,
    process_probabilities,
)

MEANINGLESS = 0.1  # root mean square residual over |Z| above which a fit gives no resistance

_STEEP = 2.0  # -Im Z over Re Z at the lowest frequency, before a blocking electrode

Row = dict[str, object]


def circuit_fit_rows(cell: Cell, number: int, fit: ImpedanceFit) -> list[Row]:
    """Return the rows of ``circuit_fits``."""
    circuit = fit.fit.circuit
    columns = zip(
        circuit.keys, circuit.parameters, fit.names, fit.fit.values, fit.fit.errors,
        fit.fit.identifiable, strict=True,
    )  # fmt: skip
    precisions = fit.precisions
    given = {} if fit.constraints is None else fit.constraints
    return [
        {
            "cell_id": cell.cell_id, "spectrum": number, "circuit": circuit.text,
            "element": element, "parameter": parameter, "value": float(value),
            "standard_error": float(error), "precision": precisions[name],
            "unit": described.unit, "identifiable": bool(known),
            "constraint": str(given[name]) if name in given else None,
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
        halved = cell.configuration == "symmetric" and process in INTERFACE
        sides = 2 if halved else 1
        known = arc.resistance_error > 0  # a fixed resistance has no error
        rows.append({
            "cell_id": cell.cell_id, "spectrum": number, "arc": arc.name, "process": process,
            "process_probability": 1.0 if process == TAIL else process_probabilities(
                arc.capacitance, area, error, arc.time_constant
            )[process],
            "resistance_ohm": arc.resistance,
            "resistance_standard_error_ohm": arc.resistance_error if known else None,
            "resistance_precision_ohm": share * arc.resistance_error if known else None,
            "electrode_resistance_ohm": arc.resistance / 2 if halved else None,
            "electrode_capacitance_farad": 2 * arc.capacitance if halved else None,
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
    test = fit.kramers_kronig
    arcs = [arc.first for arc in fit.fit.form.arcs]
    interface = [p for p, process in zip(arcs, processes, strict=True) if process in INTERFACE]
    electrolyte = [p for p, process in zip(arcs, processes, strict=True) if process in ELECTROLYTE]
    series, series_error = _sum(fit, series_places(fit) + electrolyte)
    total, error = _sum(fit, interface)
    still_open = unclosed_arcs(fit.arcs, processes, fit.area_cm2)
    remark = _resistance_remark(fit, processes, still_open, total, error)
    if total is not None and (fit.relative_residual > MEANINGLESS or still_open):
        total, error = None, None
    return {
        "interfacial_resistance_ohm": total,
        "interfacial_resistance_standard_error_ohm": error,
        "interfacial_resistance_precision_ohm": None if error is None else error * fit.noise_share,
        "areal_interfacial_resistance_ohm_cm2": None
        if total is None
        else areal_resistance(cell, total),
        "electrode_interfacial_resistance_ohm": total / 2
        if total is not None and cell.configuration == "symmetric"
        else None,
        "interfacial_resistance_remark": remark,
        "series_resistance_ohm": series or 0.0,
        "series_resistance_standard_error_ohm": series_error,
        **_conductivity_row(cell, fit, processes, series, series_error),
        "circuit": fit.circuit,
        "relative_residual": fit.relative_residual,
        "frequencies": int(np.count_nonzero(fit.used)),
        "noise": None if test is None else test.noise,
        "kramers_kronig_violation": None if test is None else test.violation,
        "kramers_kronig_valid": None if test is None else test.valid,
        "identifiable": total is not None and is_determined(total, error),
    }


def _sum(fit: ImpedanceFit, places: list[int]) -> tuple[float | None, float | None]:
    """Return the sum of these resistances of the fitted form and its standard error, ohm."""
    if not places:
        return None, None
    size = np.exp(fit.fit.theta[places])
    variance = float((fit.fit.spread[np.ix_(places, places)] * np.outer(size, size)).sum())
    return float(size.sum()), math.sqrt(variance) if variance > 0 else None


def _fixed_arcs(fit: ImpedanceFit, processes: list[str]) -> list[str]:
    """Return the arcs of an interface whose resistance was prescribed."""
    limits = fit.fit.limits
    return [
        arc.name
        for arc, process in zip(fit.fit.form.arcs, processes, strict=True)
        if process in INTERFACE and limits is not None and limits.fixed[arc.user[0]]
    ]


def _resistance_remark(
    fit: ImpedanceFit, processes: list[str], still_open: list[str], total: float | None,
    error: float | None,
) -> str | None:  # fmt: skip
    """Return why a spectrum has no interfacial resistance, or none that may stand alone."""
    if total is None:
        slow = [a.name for a, p in zip(fit.arcs, processes, strict=True) if p in (DIFFUSION, TAIL)]
        if slow:
            return f"no arc of an interface: arc {', '.join(slow)} is diffusion or a tail"
        return "no arc of an interface"
    fixed = _fixed_arcs(fit, processes)
    if fixed:
        return f"the resistance of arc {', '.join(fixed)} was fixed and not measured"
    if still_open:
        return f"arc {', '.join(still_open)} does not close within the measured frequencies"
    return headline_remark(fit, total, error)


def headline_remark(fit: ImpedanceFit, value: float, error: float | None) -> str | None:
    """Return why a number of a fit may not stand alone; None if it may.

    The residual, its own error and the Kramers–Kronig test decide, for every number of a spectrum.
    """
    test = fit.kramers_kronig
    reasons = (
        (
            fit.relative_residual > MISFIT,
            f"the circuit misses the spectrum by {fit.relative_residual:.1%} of |Z|",
        ),
        (not is_determined(value, error), "the data does not determine it"),
        (
            test is not None and not test.valid and test.violation > VIOLATED,
            "the spectrum contradicts the Kramers–Kronig relations",
        ),
    )
    return next((sentence for applies, sentence in reasons if applies), None)


def ends_in_capacitance(fit: ImpedanceFit) -> bool:
    """Return whether a spectrum ends in a nearly ideal capacitance, as between blocking metals."""
    last = fit.fit.spectrum.impedance[-1]
    return bool(-last.imag > _STEEP * last.real)


def _conductivity_row(
    cell: Cell,
    fit: ImpedanceFit,
    processes: list[str],
    series_ohm: float | None,
    error_ohm: float | None,
) -> Row:
    """Return the conductivity of a symmetric cell's electrolyte, S/cm, with its error.

    It is thickness over area and the resistance of bulk and grain boundaries; null in other cells,
    without a thickness or an area, and with a remark where the resistance may not stand alone, or
    an arc of a capacitance between that of a grain boundary and an interface's is left out of it
    though no ion crosses an interface there.
    """
    name = "ionic_conductivity"
    none: Row = dict.fromkeys((
        f"{name}_siemens_per_cm", f"{name}_standard_error_siemens_per_cm", f"{name}_remark",
    ))  # fmt: skip
    thickness, area = cell.electrolyte_thickness_um, cell.area_cm2
    if cell.configuration != "symmetric" or thickness is None or area is None:
        return none
    if series_ohm is None:
        return none | {f"{name}_remark": "the circuit has no resistor in series"}
    remark = headline_remark(fit, series_ohm, error_ohm)
    unclear = [a.name for a, p in zip(fit.arcs, processes, strict=True) if p in INTERFACE]
    if remark is None and unclear and ends_in_capacitance(fit):
        remark = (
            f"arc {', '.join(unclear)} before a blocking electrode may be the electrolyte's: its "
            "resistance is not all in series"
        )
    if remark is not None or error_ohm is None:
        return none | {f"{name}_remark": remark}
    conductivity = thickness * 1e-4 / (area * series_ohm)
    return none | {
        f"{name}_siemens_per_cm": conductivity,
        f"{name}_standard_error_siemens_per_cm": conductivity * error_ohm / series_ohm,
    }


def single_resistance(cell: Cell, fit: ImpedanceFit, theta: Floats) -> float | None:
    """Return the interfacial resistance of a separate fit, ohm, arcs assigned by themselves."""
    lowest = float(fit.fit.spectrum.frequency.min())
    arcs = [
        build_arc(fit.fit.form, arc, theta, 0 * fit.fit.spread, cell.area_cm2, True, lowest)
        for arc in fit.fit.form.arcs
    ]
    return sum(arc.resistance for arc in arcs if arc.process in INTERFACE) or None


def series_places(fit: ImpedanceFit) -> list[int]:
    """Return the places of the resistors in series with everything else."""
    root = fit.fit.form.fitted.root
    tops = {"element": (root,), "series": root.children}.get(root.kind, ())
    return [node.first for node in tops if node.name == "R"]


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
