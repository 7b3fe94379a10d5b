"""The spectra of one file, fitted: what ``cellpipe eis`` shows and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe.analyses import (
    activation_energies,
    circuit_fits,
    relaxation_times,
    resistance_growth,
)
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError, NoDataError
from cellpipe.core.model import Cell, Finding, Measurement
from cellpipe.numerics.impedance.circuit_comparison import CircuitComparison, compare_circuits
from cellpipe.numerics.impedance.parameter_table import wide_headers, widen_parameters
from cellpipe.numerics.impedance.spectra import clean_spectrum
from cellpipe.pipeline.bounded_reading import read_file
from cellpipe.system.exports import export_file

_WRITTEN = (
    "circuit_fits", "impedance_arcs", "interfacial_resistance", "resistance_growth",
    "interface_changes", "activation_energies",
    "relaxation_times", "relaxation_peaks",
)  # fmt: skip

_OF_THE_AGE = (
    "law_probability", "exponent", "exponent_standard_error", "initial_resistance_ohm",
    "rate_ohm_per_hour_to_the_m", "rate_standard_error", "growth_per_root_hour_ohm",
    "law_exponent", "law_start_hour", "time_constant_hour", "amplitude_ohm",
    "amplitude_standard_error_ohm", "knee_hour", "rate_after_knee_ohm_per_hour",
)  # fmt: skip
_AGE_UNKNOWN = (
    "No law of growth is named: it depends on how old the cell was at the file's first spectrum, "
    "which one file does not say. --age HOURS says it; cellpipe process knows it from all files "
    "of the cell."
)


@dataclass(frozen=True)
class FittedFile:
    """A file's spectra and what was made of them; ``tables`` by contract name."""

    path: Path
    tables: Mapping[str, pl.DataFrame]
    findings: tuple[Finding, ...]
    age_hour: float | None = None
    symmetric: bool = False


def fit_file(
    path: Path,
    *,
    circuit: str | None = None,
    parameters: Sequence[str] = (),
    area_cm2: float | None = None,
    age_hour: float | None = None,
    columns: str | None = None,
    symmetric: bool = False,
) -> FittedFile:
    """Fit the spectra of a file together.

    Parameters
    ----------
    path
        A raw file with impedance spectra.
    circuit
        The circuit, in any notation of :mod:`cellpipe.numerics.impedance.circuit_notations`;
        without it, it is chosen.
    parameters
        What is prescribed of its parameters, as ``R0=5``, ``0.6<CPE1_n<0.95``, ``CPE2_n=CPE1_n``.
    area_cm2
        Electrode area, cm².
    age_hour
        How old the cell was at the first spectrum, h. Without it no law of growth is named, for
        that depends on it.
    columns
        What the columns of a plain table are, where it does not name them.
    symmetric
        Whether the cell has two equal electrodes, so that each has half of an interface.

    Raises
    ------
    NoDataError
        If the file holds no impedance spectrum.
    FileError
        If it can't be read.

    """
    return _fit(
        path,
        _read_spectra(path, columns, area_cm2),
        circuit,
        parameters,
        area_cm2,
        age_hour,
        symmetric,
    )


@dataclass(frozen=True)
class ComparedFile:
    """A file's spectra fitted with several circuits, in the order given, and their comparison."""

    fitted: tuple[FittedFile, ...]
    comparison: CircuitComparison


def compare_file(
    path: Path,
    circuits: Sequence[str],
    *,
    parameters: Sequence[str] = (),
    area_cm2: float | None = None,
    age_hour: float | None = None,
    columns: str | None = None,
    symmetric: bool = False,
) -> ComparedFile:
    """Fit the spectra of a file with each of several circuits, and compare these.

    Parameters and errors are those of :func:`fit_file`; ``parameters`` are of all circuits.
    """
    measurement = _read_spectra(path, columns, area_cm2)
    frequencies, impedances = [], []
    for _, rows in measurement.tables["impedance"].group_by("spectrum", maintain_order=True):
        z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
        with suppress(CellpipeError):  # what is no spectrum is said by the fit
            clean_spectrum(rows["frequency_hertz"].to_numpy(), z)
            frequencies.append(rows["frequency_hertz"].to_numpy())
            impedances.append(z)
    comparison = compare_circuits(frequencies, impedances, circuits, parameters=parameters or None)
    fitted = tuple(
        _fit(path, measurement, circuit, parameters, area_cm2, age_hour, symmetric)
        for circuit in circuits
    )
    return ComparedFile(fitted, comparison)


def _read_spectra(path: Path, columns: str | None, area_cm2: float | None) -> Measurement:
    measurement = read_file(path, columns, area_cm2)
    impedance = measurement.tables.get("impedance", contracts.empty_table("impedance"))
    if impedance.is_empty():
        raise NoDataError(
            "no impedance spectrum", expected="PEIS, GEIS or another spectrum",
            remedy="cellpipe check FILE shows what is in the file", file=path,
        )  # fmt: skip
    return measurement


def _fit(
    path: Path,
    measurement: Measurement,
    circuit: str | None,
    parameters: Sequence[str],
    area_cm2: float | None,
    age_hour: float | None,
    symmetric: bool,
) -> FittedFile:
    cell = Cell(path.stem, "symmetric" if symmetric else None, area_cm2=area_cm2, in_sheet=False)
    gathered = measurement.tables["impedance"].with_columns(
        file_sha256=pl.lit(measurement.raw_file.sha256), spectrum_in_file="spectrum"
    )
    tables: dict[str, pl.DataFrame] = {
        "impedance": gathered, "cycles": contracts.empty_table("cycles"),
    }  # fmt: skip
    found = list(measurement.findings)
    results = circuit_fits.fit_spectra(cell, tables, circuit, parameters or None)
    for result in (*results, *relaxation_times.ANALYSIS.compute(cell, tables)):
        tables[result.analysis], unusual = contracts.judge(result.analysis, result.table)
        found += unusual
    if age_hour is not None:
        tables["cycles"] = _start_from_age(tables, age_hour)
    (energies,) = activation_energies.ANALYSIS.compute(cell, tables)
    tables[energies.analysis] = energies.table
    growth = resistance_growth.ANALYSIS.compute(cell, tables)
    found += [finding for result in (*results, *growth) for finding in result.findings]
    grown = growth[0].table
    if age_hour is None and grown["law"].drop_nulls().len():
        grown = grown.with_columns(pl.lit(None, pl.Float64).alias(name) for name in _OF_THE_AGE)
        grown = grown.with_columns(law=pl.lit(None, pl.String))
        found.append(Finding("info", "age_unknown", _AGE_UNKNOWN))
    tables |= {"resistance_growth": grown}
    return FittedFile(path, tables, tuple(found), age_hour, symmetric)


def _start_from_age(tables: Mapping[str, pl.DataFrame], age_hour: float) -> pl.DataFrame:
    """Return the beginning of the cell's life as the table of cycles says it."""
    times = tables["interfacial_resistance"].select(
        start_unix_time_second=pl.col("unix_time_second").min() - 3600.0 * age_hour
    )
    return pl.concat([contracts.empty_table("cycles"), times], how="diagonal")


def write_comparison(compared: ComparedFile, out: Path) -> list[Path]:
    """Write page and tables of each circuit into a folder of its own, and the comparison beside."""
    name = compared.fitted[0].path.name
    pages = [
        write_eis(fitted, out / f"circuit_{number}")
        for number, fitted in enumerate(compared.fitted, start=1)
    ]
    rows = [
        {"circuit": score.circuit, "parameters": score.parameters, "chi_square": score.chi_square,
         "bayesian_information_criterion": score.criterion,
         "relative_residual": score.relative_residual,
         "describes_the_data": score.describes, "not_determined": ", ".join(score.undetermined)}
        for score in compared.comparison.scores
    ]  # fmt: skip
    text = pl.DataFrame(rows).write_csv()
    export_file(out / f"{name}.circuit_comparison.csv", text.encode("utf-8-sig"))
    return pages


def write_eis(fitted: FittedFile, out: Path) -> Path:
    """Write a page with all figures and the tables as .csv into a folder; give the page's path."""
    from cellpipe.report.html.eis_page import eis_page

    out.mkdir(parents=True, exist_ok=True)
    name = fitted.path.name
    for table in _WRITTEN:
        text = fitted.tables[table].drop("cell_id").write_csv()
        export_file(out / f"{name}.{table}.csv", text.encode("utf-8-sig"))
    fits = fitted.tables["circuit_fits"].drop("cell_id")
    wide = widen_parameters(fits).rename(wide_headers(fits)).write_csv()
    export_file(out / f"{name}.circuit_fits_wide.csv", wide.encode("utf-8-sig"))
    page = eis_page(name, fitted.tables, fitted.findings, age_known=fitted.age_hour is not None)
    return export_file(out / f"{name}.eis.html", page.encode("utf-8"))
