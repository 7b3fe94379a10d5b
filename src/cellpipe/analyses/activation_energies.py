"""Activation energies of a cell's resistances, from spectra at three temperatures or more.

Of every arc and of the series resistance, over the spectra of one state of charge and technique:
:mod:`cellpipe.numerics.impedance.arrhenius` has the formulae. Spectra that weigh nothing in their
series, and resistances that the data does not determine, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.impedance.arrhenius import KJ_PER_MOL, ActivationEnergy, fit_arrhenius
from cellpipe.numerics.impedance.processes import DIFFUSION, ELECTROLYTE, TAIL

_TABLE = "activation_energies"
_SERIES = "series"
_DIGITS = 7


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    spectra = tables["interfacial_resistance"].filter(
        pl.col("ambient_temperature_celsius").is_not_null() & pl.col("left_out_of_series").is_null()
    )
    rows = [
        {"cell_id": cell.cell_id, **row}
        for (number,), of_series in spectra.sort("spectrum").group_by("series", maintain_order=True)
        for row in _rows(of_series.with_columns(series=pl.lit(number)), tables["impedance_arcs"])
    ]
    frame = pl.DataFrame(rows, schema_overrides=empty_table(_TABLE).schema)
    rounded = frame.with_columns(pl.selectors.float().round_sig_figs(_DIGITS))
    return (Result(_TABLE, pl.concat([empty_table(_TABLE), rounded], how="diagonal")),)


def _rows(spectra: pl.DataFrame, arcs: pl.DataFrame) -> Iterator[dict[str, object]]:
    """Iterate over one series' rows: its series resistance, then its arcs."""
    whole = spectra.select(
        "spectrum", celsius="ambient_temperature_celsius", resistance="series_resistance_ohm",
        error="series_resistance_standard_error_ohm", process=pl.lit(_SERIES),
    ).filter((pl.col("resistance") > 0) & (pl.col("error") < pl.col("resistance")))  # fmt: skip
    known = arcs.filter(pl.col("identifiable") & ~pl.col("process").is_in([DIFFUSION, TAIL]))
    joined = known.join(spectra.select("spectrum", "ambient_temperature_celsius"), on="spectrum")
    of_arcs = joined.sort("spectrum").select(
        "arc", "spectrum", "process", celsius="ambient_temperature_celsius",
        resistance="resistance_ohm",
        error=pl.coalesce("resistance_precision_ohm", "resistance_standard_error_ohm"),
    )  # fmt: skip
    parts = [(_SERIES, whole)]
    parts += [(str(arc), rows) for (arc,), rows in of_arcs.group_by("arc", maintain_order=True)]
    for name, points in parts:
        found = _fit(points)
        if found is not None:
            process = points["process"][0]
            yield {"series": spectra["series"][0], "arc": name, "process": process,
                   "spectra": points.height, **_columns(found, process)}  # fmt: skip


def _fit(points: pl.DataFrame) -> ActivationEnergy | None:
    if points.is_empty():
        return None
    conductor = points["process"][0] in {_SERIES, *ELECTROLYTE}
    columns = (
        points[name].fill_null(0.0).to_numpy() for name in ("celsius", "resistance", "error")
    )
    celsius, resistance, error = columns
    return fit_arrhenius(celsius, resistance, np.abs(error), conductor=conductor)


def _columns(found: ActivationEnergy, process: str) -> dict[str, object]:
    energies = {
        "activation_energy_ev": found.energy, "activation_energy_standard_error_ev": found.error,
        "activation_energy_low_ev": found.low, "activation_energy_high_ev": found.high,
        "activation_energy_kj_per_mol": KJ_PER_MOL * found.energy,
    }  # fmt: skip
    return {
        "straight_line_of": "ln(T/R)" if process in {_SERIES, *ELECTROLYTE} else "ln(1/R)",
        "temperatures": found.temperatures, "lowest_temperature_celsius": found.lowest_celsius,
        "highest_temperature_celsius": found.highest_celsius, "straight": found.straight,
        "straight_line_chance": found.chance, "coldest_slope_ev": found.cold,
        "hottest_slope_ev": found.hot,
        **(energies if found.straight else dict.fromkeys(energies)),
    }  # fmt: skip


ANALYSIS = Analysis(
    _TABLE, ("interfacial_resistance", "impedance_arcs"), (_TABLE,), _compute, fields=("cell_id",)
)
