"""The spectra of one file, fitted: what ``cellpipe eis`` shows and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe.analyses import activation_energies, circuit_fits, resistance_growth
from cellpipe.core import contracts
from cellpipe.core.errors import NoDataError
from cellpipe.core.model import Cell, Finding
from cellpipe.pipeline.bounded_reading import read_file
from cellpipe.system.exports import export_file

_WRITTEN = (
    "circuit_fits", "impedance_arcs", "interfacial_resistance", "resistance_growth",
    "interface_changes", "activation_energies",
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


def fit_file(
    path: Path,
    *,
    circuit: str | None = None,
    area_cm2: float | None = None,
    age_hour: float | None = None,
    columns: str | None = None,
) -> FittedFile:
    """Fit the spectra of a file together.

    Parameters
    ----------
    path
        A raw file with impedance spectra.
    circuit
        The circuit in impedance.py's syntax; without it, it is chosen.
    area_cm2
        Electrode area, cm².
    age_hour
        How old the cell was at the first spectrum, h. Without it no law of growth is named, for
        that depends on it.
    columns
        What the columns of a plain table are, where it does not name them.

    Raises
    ------
    NoDataError
        If the file holds no impedance spectrum.
    FileError
        If it can't be read.

    """
    measurement = read_file(path, columns, area_cm2)
    impedance = measurement.tables.get("impedance", contracts.empty_table("impedance"))
    if impedance.is_empty():
        raise NoDataError(
            "no impedance spectrum", expected="PEIS, GEIS or another spectrum",
            remedy="cellpipe check FILE shows what is in the file", file=path,
        )  # fmt: skip
    cell = Cell(path.stem, area_cm2=area_cm2, in_sheet=False)
    gathered = impedance.with_columns(
        file_sha256=pl.lit(measurement.raw_file.sha256), spectrum_in_file="spectrum"
    )
    tables: dict[str, pl.DataFrame] = {
        "impedance": gathered, "cycles": contracts.empty_table("cycles"),
    }  # fmt: skip
    found = list(measurement.findings)
    results = circuit_fits.fit_spectra(cell, tables, circuit)
    for result in results:
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
    return FittedFile(path, tables | {"resistance_growth": grown}, tuple(found), age_hour)


def _start_from_age(tables: Mapping[str, pl.DataFrame], age_hour: float) -> pl.DataFrame:
    """Return the beginning of the cell's life as the table of cycles says it."""
    times = tables["interfacial_resistance"].select(
        start_unix_time_second=pl.col("unix_time_second").min() - 3600.0 * age_hour
    )
    return pl.concat([contracts.empty_table("cycles"), times], how="diagonal")


def write_eis(fitted: FittedFile, out: Path) -> Path:
    """Write a page with all figures and the tables as .csv into a folder; give the page's path."""
    from cellpipe.report.html.eis_page import eis_page

    out.mkdir(parents=True, exist_ok=True)
    name = fitted.path.name
    for table in _WRITTEN:
        text = fitted.tables[table].drop("cell_id").write_csv()
        export_file(out / f"{name}.{table}.csv", text.encode("utf-8-sig"))
    page = eis_page(name, fitted.tables, fitted.findings, age_known=fitted.age_hour is not None)
    return export_file(out / f"{name}.eis.html", page.encode("utf-8"))
