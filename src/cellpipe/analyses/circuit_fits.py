"""Circuit fits, arcs and interfacial resistance of a cell's impedance spectra, in order of time.

Protocol: in every spectrum, invalid points, outliers, and low frequencies during which the cell
changed are excluded and counted. All spectra of a cell are fitted with one circuit: R0 with up to
three R‖CPE arcs, a CPE, a Warburg element or no tail, and the inductance of the leads if visible,
whichever has the lowest sum of the Bayesian information criterion over up to five spectra spread
over the cell's life. Spectra of one state of charge and one technique are fitted jointly
(:mod:`cellpipe.numerics.impedance.series`), weighted by the modulus. A spectrum that stands apart
from all beside it in its state (:mod:`cellpipe.numerics.impedance.odd_spectra`) weighs in neither.

The interfacial resistance is the sum of the arcs assigned to an interphase or a charge transfer by
their median capacitance per area (:mod:`cellpipe.numerics.impedance.processes`); smaller
capacitances belong to the electrolyte. It is null for a spectrum with fewer than 12 usable
frequencies. Fitted numbers are rounded to seven significant digits, because the last bits of
complex arithmetic depend on the memory alignment of arrays and equal input must give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from cellpipe.analyses.impedance_rows import (
    arc_rows,
    circuit_fit_rows,
    ends_in_capacitance,
    nested_resistors,
    resistance_row,
    single_resistance,
)
from cellpipe.analyses.interface_changes import interface_change_rows
from cellpipe.analyses.spectrum_drift import drift_findings
from cellpipe.analyses.spectrum_states import find_groups, group_findings
from cellpipe.core.contracts import empty_table
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.impedance.circuit_choice import choose_circuit
from cellpipe.numerics.impedance.circuits import parse_circuit
from cellpipe.numerics.impedance.constraints import Prescribed
from cellpipe.numerics.impedance.fit import MISFIT, NOISY, ImpedanceFit, turn_sign
from cellpipe.numerics.impedance.kramers_kronig import VIOLATED
from cellpipe.numerics.impedance.odd_spectra import find_odd_spectra
from cellpipe.numerics.impedance.processes import INTERFACE, TAIL
from cellpipe.numerics.impedance.series import fit_impedance_series
from cellpipe.numerics.impedance.spectra import CleanSpectrum, clean_spectrum
from cellpipe.numerics.impedance.states import SpectrumGroups

FEWEST = 12  # frequencies needed to choose a circuit
_FEWEST_GIVEN = 5  # and for a given one, if they are more than half of its parameters
_SAMPLED = 5
_DIGITS = 7
_LOOSE = 0.1  # relative standard error above which the resistance is reported as uncertain
_MEASURED = ("unix_time_second", "test_time_second", "voltage_volt", "temperature_celsius")
_MEANS = ("unix_time_second", "voltage_volt")
_TEMPERATURES = ("temperature_t1_celsius", "ambient_temperature_celsius")  # the nearest first


@dataclass(frozen=True)
class _Spectrum:
    number: int
    row: dict[str, object]
    points: CleanSpectrum | None
    left_out: int
    second: float | None
    sign_turned: bool


def _fewest(circuit: str | None) -> int:
    """Return the number of frequencies that a spectrum needs to be fitted."""
    if circuit is None:
        return FEWEST
    return max(_FEWEST_GIVEN, len(parse_circuit(circuit).keys) // 2 + 1)


def _clean_spectra(impedance: pl.DataFrame, fewest: int) -> Iterator[_Spectrum]:
    for (number,), rows in impedance.group_by("spectrum", maintain_order=True):
        row: dict[str, object] = {
            "file_sha256": rows["file_sha256"][0],
            "spectrum_in_file": rows["spectrum_in_file"][0],
            "test_time_second": rows["test_time_second"][0],
            "technique": rows["technique"][0] if "technique" in rows.columns else None,
        }
        for name in _MEANS:
            row[name] = rows[name].mean() if name in rows.columns else None
        celsius = (rows[name].mean() for name in _TEMPERATURES if name in rows.columns)
        row["temperature_celsius"] = next((mean for mean in celsius if mean is not None), None)
        z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
        points, turned = None, False
        with suppress(CellpipeError):
            points, turned = turn_sign(clean_spectrum(rows["frequency_hertz"].to_numpy(), z))
        if points is not None and len(points.frequency) < fewest:
            points = None
        left_out = rows.height - (0 if points is None else len(points.frequency))
        second = row["unix_time_second"]
        yield _Spectrum(
            int(str(number)), row, points, left_out,
            second if isinstance(second, float) else None, turned,
        )  # fmt: skip


def fit_spectra(
    cell: Cell, tables: Tables, circuit: str | None = None, parameters: Prescribed | None = None
) -> tuple[Result, ...]:
    """Fit all spectra of a cell with a given circuit or the best supported one.

    Parameters
    ----------
    cell
        The cell; its area and configuration may be unknown.
    tables
        ``impedance`` with ``file_sha256``, ``spectrum_in_file`` and ``spectrum`` numbered over
        the cell, ``cycles``, and ``half_cycles`` if there are any.
    circuit
        The circuit in impedance.py's syntax; by default it is chosen.
    parameters
        What is prescribed of its parameters, as for :func:`cellpipe.fit_impedance`.

    Raises
    ------
    CellpipeError
        If the circuit string is invalid, a spectrum has too few frequencies for it, or what is
        prescribed can't be met.

    """
    fewest = _fewest(circuit)
    spectra = list(_clean_spectra(tables["impedance"], fewest))
    half_cycles = tables.get("half_cycles", empty_table("half_cycles"))
    groups, charge = find_groups(cell, [spectrum.row for spectrum in spectra], half_cycles)
    odd = _find_odd(spectra, groups)
    fits = _fit_by_series(cell, spectra, groups, odd, circuit, parameters)
    table: list[dict[str, object]] = []
    values: list[dict[str, object]] = []
    arcs: list[dict[str, object]] = []
    for place, spectrum in enumerate(spectra):
        cycles_before = _count_cycles_before(tables["cycles"], spectrum.row["unix_time_second"])
        state = int(groups.state[place])
        row = {
            "cell_id": cell.cell_id, "spectrum": spectrum.number, "cycle": cycles_before,
            "state": state, "series": int(groups.series[place]), "varies": groups.varies.get(state),
            "charge_since_full": None if np.isnan(charge[place]) else float(charge[place]),
            "left_out_of_series": odd.get(spectrum.number), "frequencies": 0,
            "frequencies_left_out": spectrum.left_out, "identifiable": False, **spectrum.row,
        }  # fmt: skip
        if spectrum.number in fits:
            fit, processes, single = fits[spectrum.number]
            values += circuit_fit_rows(cell, spectrum.number, fit)
            arcs += arc_rows(cell, spectrum.number, fit, processes)
            row |= resistance_row(cell, fit, processes)
            if spectrum.sign_turned:
                sentence, other = "the sign of Im(Z) is reversed", "interfacial_resistance_remark"
                row[other] = f"{sentence}; {row[other]}" if row[other] else sentence
            row["single_fit_resistance_ohm"] = single
            row["frequencies_left_out"] = spectrum.left_out + int(np.count_nonzero(~fit.used))
        table.append(row)
    frame = _build_table(table, "interfacial_resistance")
    found = (
        *_findings(spectra, frame, fits, fewest), *_odd_findings(odd),
        *drift_findings(fits),
        *group_findings(groups, [spectrum.row for spectrum in spectra]),
    )  # fmt: skip
    changes = list(interface_change_rows(cell, frame, fits))
    return (
        Result("circuit_fits", _build_table(values, "circuit_fits")),
        Result("impedance_arcs", _build_table(arcs, "impedance_arcs")),
        Result("interface_changes", _build_table(changes, "interface_changes")),
        Result("interfacial_resistance", frame, found),
    )


def _find_odd(spectra: list[_Spectrum], groups: SpectrumGroups) -> dict[int, str]:
    """Return the spectra that stand apart from those of their state, by number, and how."""
    odd: dict[int, str] = {}
    for state in np.unique(groups.state).tolist():
        of_state = [spectra[place] for place in np.flatnonzero(groups.state == state)]
        group = [(s.number, s.points) for s in of_state if s.points is not None]
        found = find_odd_spectra(
            [points.frequency for _, points in group], [points.impedance for _, points in group],
            steady=state not in groups.varies,
        )  # fmt: skip
        odd |= {group[place][0]: reason for place, reason in found.items()}
    return odd


Fits = dict[int, tuple[ImpedanceFit, list[str], float | None]]


def _fit_by_series(
    cell: Cell,
    spectra: list[_Spectrum],
    groups: SpectrumGroups,
    odd: dict[int, str],
    circuit: str | None,
    parameters: Prescribed | None = None,
) -> Fits:
    """Fit all spectra, those of one series jointly; return fits and the process of each arc."""
    usable = [(s, int(of)) for s, of in zip(spectra, groups.series, strict=True) if s.points]
    points = [s.points for s, _ in usable if s.points is not None and s.number not in odd]
    if not points:
        return {}
    sampled = np.unique(np.linspace(0, len(points) - 1, _SAMPLED).round().astype(int))
    text = circuit or choose_circuit(
        [points[i].frequency for i in sampled], [points[i].impedance for i in sampled]
    )
    out: Fits = {}
    for number in sorted({of for _, of in usable}):
        group = [(s, s.points) for s, of in usable if of == number and s.points is not None]
        series = fit_impedance_series(
            [p.frequency for _, p in group], [p.impedance for _, p in group], text,
            _clock_times([s for s, _ in group]), parameters=parameters,
            area_cm2=cell.area_cm2,
            robust={at: odd[s.number] for at, (s, _) in enumerate(group) if s.number in odd},
        )  # fmt: skip
        for (spectrum, _), fit, theta in zip(group, series.fits, series.single, strict=True):
            single = single_resistance(cell, fit, theta)
            processes = series.processes
            if spectrum.number in odd:  # a tail of the others may close in it
                own = zip(processes, fit.arcs, strict=True)
                processes = [arc.process if process == TAIL else process for process, arc in own]
            out[spectrum.number] = (fit, processes, single)
    return out


def _clock_times(spectra: list[_Spectrum]) -> list[float] | None:
    """Return the times of the spectra, s, if all are known and non-decreasing, else None."""
    seconds = [s.second for s in spectra if s.second is not None]
    rising = all(a <= b for a, b in pairwise(seconds))
    return seconds if len(seconds) == len(spectra) and rising else None


def _build_table(rows: list[dict[str, object]], name: str) -> pl.DataFrame:
    fitted_columns = pl.selectors.float() - pl.selectors.by_name(*_MEASURED, require_all=False)
    frame = pl.DataFrame(rows, schema_overrides=empty_table(name).schema)
    rounded = frame.with_columns(fitted_columns.fill_nan(None).round_sig_figs(_DIGITS))
    return pl.concat([empty_table(name), rounded], how="diagonal")


def _count_cycles_before(cycles: pl.DataFrame, time: object) -> int | None:
    """Return the number of cycles started before a time; None if times are unknown."""
    starts = cycles["start_unix_time_second"]
    if not isinstance(time, float) or starts.null_count() or cycles.is_empty():
        return None
    return int((starts < time).sum())


def _findings(
    spectra: list[_Spectrum], table: pl.DataFrame, fits: Fits, fewest: int
) -> tuple[Finding, ...]:
    count = len(spectra)
    drift = [
        number
        for number, (fit, *_) in fits.items()
        if fit.kramers_kronig is not None and fit.kramers_kronig.drift
    ]
    turned = [spectrum.number for spectrum in spectra if spectrum.sign_turned]
    error = pl.col("interfacial_resistance_standard_error_ohm")
    valid = pl.col("kramers_kronig_valid")
    violated = pl.col("kramers_kronig_violation") > VIOLATED
    checks = (
        (
            "circuit_does_not_fit", pl.col("relative_residual") > MISFIT,
            ("are not described by the circuit: the root mean square residual exceeds "
             f"{MISFIT:.0%} of |Z|. Take their resistances with care."),
        ),
        (
            "resistance_uncertain", error > _LOOSE * pl.col("interfacial_resistance_ohm"),
            (f"have an interfacial resistance that is known to no better than {_LOOSE:.0%} (one "
             "standard error)."),
        ),
        (
            "spectrum_too_short", pl.col("circuit").is_null(),
            f"have fewer than {fewest} usable frequencies: no circuit fitted.",
        ),
        (
            "imaginary_sign_reversed", pl.col("spectrum").is_in(turned),
            ("have the sign of the imaginary part reversed, which is negative for a cell. It was "
             "turned for the fit; check which of Im(Z) and -Im(Z) was exported."),
        ),
        (
            "kramers_kronig_violated", ~valid & violated,
            (f"contradict the Kramers–Kronig relations by more than {VIOLATED:.0%} of |Z|: the "
             "cell changed while it was measured, or it was not at rest."),
        ),
        (
            "spectrum_drifts",
            ~valid & ~violated & pl.col("spectrum").is_in(drift),
            ("contradict the Kramers–Kronig relations a little, most at the lowest frequencies: "
             "the cell changed while it was measured, and slow arcs and tails are not certain."),
        ),
        ("spectrum_noisy", pl.col("noise") > NOISY, f"have more than {NOISY:.0%} of noise."),
    )  # fmt: skip
    counts = [(code, table.filter(which).height, sentence) for code, which, sentence in checks]
    findings = [
        Finding("warning", code, f"{number} of {count} spectra {sentence}", number)
        for code, number, sentence in counts
        if number
    ]
    return (*findings, *_interface_findings(fits), *_left_out_findings(spectra, fits))


def _odd_findings(odd: dict[int, str]) -> Iterator[Finding]:
    for number, reason in odd.items():
        sentence = (
            f"Spectrum {number} stands apart from those beside it: {reason}. It is fitted by "
            "itself and weighs nothing in the arcs and the growth of the others."
        )
        yield Finding("warning", "spectrum_odd", sentence, 1)


def _interface_findings(fits: Fits) -> Iterator[Finding]:
    """Iterate over findings: nested resistors in no sum, and spectra without interface arcs."""
    inside = sorted({name for fit, *_ in fits.values() for name in nested_resistors(fit)})
    if inside:
        sentence = (
            f"{', '.join(inside)} of the circuit stands inside a group and is no arc of its own: "
            "it is in no interfacial resistance; the fits have its value."
        )
        yield Finding("warning", "resistor_not_summed", sentence, len(fits))
    without = sum(not any(p in INTERFACE for p in processes) for _, processes, _ in fits.values())
    if without:
        sentence = (
            f"{without} of {len(fits)} fitted spectra have no arc that is an interphase or a "
            "charge transfer and closes within the measured frequencies: no interfacial resistance."
        )
        yield Finding("info", "no_interface_arc", sentence, without)
    blocked = sum(_is_blocked(fit, processes) for fit, processes, _ in fits.values())
    if blocked:
        sentence = (
            f"{blocked} of {len(fits)} fitted spectra end in a capacitance, as between electrodes "
            "that block ions: the series resistance is that of the electrolyte, bulk and grain "
            "boundaries together."
        )
        yield Finding("info", "ion_blocking", sentence, blocked)


def _is_blocked(fit: ImpedanceFit, processes: list[str]) -> bool:
    """Return whether a spectrum has no interface and ends in a nearly ideal capacitance."""
    return ends_in_capacitance(fit) and not any(process in INTERFACE for process in processes)


def _left_out_findings(spectra: list[_Spectrum], fits: Fits) -> Iterator[Finding]:
    """Iterate over findings about excluded points, one per reason."""
    reasons: dict[str, int] = {}
    for spectrum in spectra:
        for reason, number in (spectrum.points.left_out if spectrum.points else {}).items():
            reasons[reason] = reasons.get(reason, 0) + number
    drifted = sum(fit.drifted for fit, *_ in fits.values())
    isolated = sum(int(np.count_nonzero(~fit.used)) - fit.drifted for fit, *_ in fits.values())
    for reason, number in (
        *reasons.items(),
        ("it stands alone against its neighbours", isolated),
        ("the cell changed while it was measured", drifted),
    ):
        if number:
            sentence = f"Impedance points left out of the fits: {number} ({reason})."
            yield Finding("info", "impedance_points_left_out", sentence, number)


ANALYSIS = Analysis(
    "circuit_fits",
    ("impedance", "cycles", "half_cycles"),
    ("circuit_fits", "impedance_arcs", "interface_changes", "interfacial_resistance"),
    fit_spectra,
    version=4,
    fields=(
        "cell_id", "configuration", "area_cm2", "electrolyte_thickness_um", "stack_pressure_mpa",
    ),
    columns={
        "cycles": ("start_unix_time_second",),
        "half_cycles": (
            "direction", "start_unix_time_second", "duration_second", "capacity_ah",
            "end_voltage_volt",
        ),
    },
)  # fmt: skip
