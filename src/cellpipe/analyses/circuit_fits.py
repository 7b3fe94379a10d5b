"""Impedance spectra to circuit fits, and to the interfacial resistance in the order of time.

Protocol: frequencies that are not positive were dropped by the format; points with a positive
imaginary part (the leads' inductance) are left out and counted. The circuit is R0 with one or two
R‖CPE arcs and a CPE, a Warburg or no tail; one circuit serves all spectra of a cell: the one with
the lowest sum of BIC over up to five spectra spread over the cell's life. Fits are weighted by the
modulus (:mod:`cellpipe.numerics.circuit_fit`).

The interfacial resistance is the sum of the arcs whose effective capacitance is 30 nF or more (per
cm² where the area is known): between the grain boundaries of an electrolyte, up to 10 nF, and a
surface layer, from 100 nF on; smaller ones belong to the electrolyte (J. T. S. Irvine,
D. C. Sinclair, A. R. West, Adv. Mater. 2, 132 (1990), doi 10.1002/adma.19900020304). It is null
where a spectrum has fewer than 12 usable frequencies. Fitted numbers are kept to seven significant
digits: the last bits of complex arithmetic depend on where arrays lie in memory, and the same input
is to give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.contracts import empty
from cellpipe.domain import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.circuit_fit import (
    CANDIDATES,
    FEWEST,
    CircuitFit,
    effective_capacitance,
    fitted,
)

INTERFACE_FARAD = 3e-8
_SAMPLED = 5
_DIGITS = 7
_MISFIT = 0.02  # root mean square residual over |Z|
_LOOSE = 0.1  # standard error over the interfacial resistance
_MEASURED = ("unix_time_second", "test_time_second", "voltage_volt")


@dataclass(frozen=True)
class _Spectrum:
    number: int
    row: dict[str, object]
    frequency: NDArray[np.float64]
    impedance: NDArray[np.complex128]
    left_out: int


def _spectra(impedance: pl.DataFrame) -> Iterator[_Spectrum]:
    optional = ("unix_time_second", "voltage_volt")
    for (number,), rows in impedance.group_by("spectrum", maintain_order=True):
        ordered = rows.sort("frequency_hertz", descending=True)
        kept = ordered.filter(pl.col("imaginary_impedance_ohm") < 0)
        z = kept["real_impedance_ohm"].to_numpy() + 1j * kept["imaginary_impedance_ohm"].to_numpy()
        row: dict[str, object] = {
            "file_sha256": rows["file_sha256"][0],
            "spectrum_in_file": rows["spectrum_in_file"][0],
            "test_time_second": rows["test_time_second"][0],
        }
        for name in optional:
            row[name] = rows[name].mean() if name in rows.columns else None
        yield _Spectrum(
            int(str(number)), row, kept["frequency_hertz"].to_numpy(), z, rows.height - kept.height
        )


def _chosen_circuit(spectra: list[_Spectrum]) -> tuple[int, str]:
    """Choose the circuit with the lowest sum of BIC over spectra spread over the cell's life."""
    places = np.unique(np.linspace(0, len(spectra) - 1, _SAMPLED).round().astype(int))
    sums = {
        candidate: sum(
            fitted(spectra[i].frequency, spectra[i].impedance, *candidate).bic for i in places
        )
        for candidate in CANDIDATES
    }
    return min(sums, key=lambda candidate: sums[candidate])


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    spectra = list(_spectra(tables["impedance"]))
    usable = [s for s in spectra if len(s.frequency) >= FEWEST]
    candidate = _chosen_circuit(usable) if usable else None
    fit_rows: list[dict[str, object]] = []
    resistance_rows: list[dict[str, object]] = []
    for spectrum in spectra:
        begun = _cycles_begun(tables["cycles"], spectrum.row["unix_time_second"])
        row = {"cell_id": cell.cell_id, "spectrum": spectrum.number, "cycle": begun, **spectrum.row}
        if candidate is not None and len(spectrum.frequency) >= FEWEST:
            fit = fitted(spectrum.frequency, spectrum.impedance, *candidate)
            fit_rows += _fit_rows(cell, spectrum.number, fit)
            row |= _resistances(cell, fit, candidate[0])
        row["frequencies"] = len(spectrum.frequency)
        resistance_rows.append({"identifiable": False, **row})
    resistances = _frame(resistance_rows, "interfacial_resistance")
    return (
        Result("circuit_fits", _frame(fit_rows, "circuit_fits")),
        Result("interfacial_resistance", resistances, _findings(spectra, usable, resistances)),
    )


def _frame(rows: list[dict[str, object]], name: str) -> pl.DataFrame:
    fitted_columns = pl.selectors.float() - pl.selectors.by_name(*_MEASURED, require_all=False)
    frame = pl.DataFrame(rows, schema_overrides=empty(name).schema)
    rounded = frame.with_columns(fitted_columns.round_sig_figs(_DIGITS))
    return pl.concat([empty(name), rounded], how="diagonal")


def _fit_rows(cell: Cell, number: int, fit: CircuitFit) -> list[dict[str, object]]:
    rows = zip(
        fit.circuit.keys, fit.circuit.parameters, fit.values, fit.errors, fit.identifiable,
        strict=True,
    )  # fmt: skip
    return [
        {
            "cell_id": cell.cell_id, "spectrum": number, "circuit": fit.circuit.text,
            "element": element, "parameter": name, "value": float(value),
            "standard_error": float(error), "unit": parameter.unit, "identifiable": bool(known),
        }
        for (element, name), parameter, value, error, known in rows
    ]  # fmt: skip


def _resistances(cell: Cell, fit: CircuitFit, arcs: int) -> dict[str, object]:
    """Sum the arcs of the interface; the rest is in series with it."""
    area = cell.area_cm2 or 1.0
    index = {key: place for place, key in enumerate(fit.circuit.keys)}
    interface: list[int] = []
    series = float(fit.values[index["R0", "R"]])
    for arc in range(1, arcs + 1):
        place = index[f"R{arc}", "R"]
        r, q, n = (float(fit.values[place + offset]) for offset in range(3))
        if effective_capacitance(r, q, n) / area >= INTERFACE_FARAD:
            interface.append(place)
        else:
            series += r
    total = float(fit.values[interface].sum()) if interface else None
    variance = float(fit.covariance[np.ix_(interface, interface)].sum()) if interface else math.nan
    per_area = None
    if total is not None and cell.area_cm2 is not None:
        per_area = total * cell.area_cm2 / (2 if cell.configuration == "symmetric" else 1)
    return {
        "interfacial_resistance_ohm": total,
        "interfacial_resistance_standard_error_ohm": math.sqrt(variance) if variance > 0 else None,
        "areal_interfacial_resistance_ohm_cm2": per_area,
        "series_resistance_ohm": series,
        "circuit": fit.circuit.text,
        "relative_residual": fit.relative_residual,
        "identifiable": bool(interface) and bool(fit.identifiable[interface].all()),
    }


def _cycles_begun(cycles: pl.DataFrame, moment: object) -> int | None:
    """Count the cycles that were begun before a moment; None where the clock does not say."""
    starts = cycles["start_unix_time_second"]
    if not isinstance(moment, float) or starts.null_count():
        return None
    return int((starts < moment).sum())


def _findings(
    spectra: list[_Spectrum], usable: list[_Spectrum], resistances: pl.DataFrame
) -> tuple[Finding, ...]:
    found = []
    inductive = sum(s.left_out for s in spectra)
    if inductive:
        sentence = (
            f"{inductive} impedance points with a positive imaginary part (inductance of the "
            "leads) were left out of the fits."
        )
        found.append(Finding("info", "inductive_points_left_out", sentence, inductive))
    misfit = resistances.filter(pl.col("relative_residual") > _MISFIT).height
    if misfit:
        sentence = (
            f"{misfit} of {len(spectra)} spectra are not described by the circuit: the root mean "
            f"square residual exceeds {_MISFIT:.0%} of |Z|. Take their resistances with care."
        )
        found.append(Finding("warning", "circuit_does_not_fit", sentence, misfit))
    error = pl.col("interfacial_resistance_standard_error_ohm")
    loose = resistances.filter(error > _LOOSE * pl.col("interfacial_resistance_ohm")).height
    if loose:
        sentence = (
            f"The interfacial resistance of {loose} of {len(spectra)} spectra is known to no "
            f"better than {_LOOSE:.0%} (one standard error)."
        )
        found.append(Finding("warning", "resistance_uncertain", sentence, loose))
    short = len(spectra) - len(usable)
    if short:
        sentence = (
            f"{short} spectra have fewer than {FEWEST} usable frequencies: no circuit fitted."
        )
        found.append(Finding("warning", "spectrum_too_short", sentence, short))
    return tuple(found)


ANALYSIS = Analysis(
    "circuit_fits",
    ("impedance", "cycles"),
    ("circuit_fits", "interfacial_resistance"),
    _compute,
)
