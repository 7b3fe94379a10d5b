"""The spectra of one file, fitted: what ``cellpipe eis`` shows and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe import contracts
from cellpipe.analyses import circuit_fits, resistance_growth
from cellpipe.domain import Cell, Finding
from cellpipe.errors import NoDataError
from cellpipe.formats import read
from cellpipe.result_files import written_whole

_WRITTEN = ("circuit_fits", "impedance_arcs", "interfacial_resistance", "resistance_growth")


@dataclass(frozen=True)
class FittedFile:
    """A file's spectra and what was made of them; ``tables`` by contract name."""

    path: Path
    tables: Mapping[str, pl.DataFrame]
    findings: tuple[Finding, ...]


def fitted_file(
    path: Path, *, circuit: str | None = None, area_cm2: float | None = None
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

    Raises
    ------
    NoDataError
        If the file holds no impedance spectrum.
    FileError
        If it can't be read.

    """
    measurement = read(path)
    impedance = measurement.tables.get("impedance", contracts.empty("impedance"))
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
        "impedance": gathered, "cycles": contracts.empty("cycles"),
    }  # fmt: skip
    found = list(measurement.findings)
    results = circuit_fits.fitted_tables(cell, tables, circuit)
    tables |= {
        result.analysis: contracts.checked(result.analysis, result.table) for result in results
    }
    growth = resistance_growth.ANALYSIS.compute(cell, tables)
    tables |= {result.analysis: result.table for result in growth}
    found += [finding for result in (*results, *growth) for finding in result.findings]
    return FittedFile(path, tables, tuple(found))


def write_eis(fitted: FittedFile, out: Path) -> Path:
    """Write a page with all figures and the tables as .csv into a folder; give the page's path."""
    from cellpipe.report.eis_page import eis_page

    out.mkdir(parents=True, exist_ok=True)
    name = fitted.path.name
    for table in _WRITTEN:
        text = fitted.tables[table].drop("cell_id").write_csv()
        _written(out / f"{name}.{table}.csv", text.encode("utf-8-sig"))
    page = eis_page(name, fitted.tables, fitted.findings)
    return _written(out / f"{name}.eis.html", page.encode("utf-8"))


def _written(path: Path, content: bytes) -> Path:
    return written_whole(path, lambda file: file.write_bytes(content))
