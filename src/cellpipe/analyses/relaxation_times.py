"""Distribution of relaxation times of every impedance spectrum, and its peaks.

Protocol: points that are no impedance, that stand alone against their neighbours, or that were
measured while the cell changed are left out, and a reversed sign is turned, as for the circuit fits
(:mod:`cellpipe.analyses.circuit_fits`). No circuit is assumed
(:mod:`cellpipe.numerics.impedance.relaxation_times`). A spectrum with fewer than ten usable
frequencies has no distribution. Numbers are rounded to seven significant digits, for the last bits
depend on the memory alignment of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.impedance.circuit_choice import valid_points
from cellpipe.numerics.impedance.fit import turn_sign
from cellpipe.numerics.impedance.relaxation_times import RelaxationTimes, relaxation_times
from cellpipe.numerics.impedance.spectra import clean_spectrum

_DIGITS = 7
_FLOOR = 1e-6  # of the largest value: what is below is zero


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    found = dict(_distributions(tables["impedance"]))
    return (
        Result("relaxation_times", _times_table(cell, found)),
        Result("relaxation_peaks", _peaks_table(cell, found)),
    )


def _distributions(impedance: pl.DataFrame) -> Iterator[tuple[int, RelaxationTimes]]:
    """Iterate over the spectra that have a distribution."""
    for (number,), rows in impedance.group_by("spectrum", maintain_order=True):
        z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
        with suppress(CellpipeError):  # too few points: the circuit fits say so
            points, _ = turn_sign(clean_spectrum(rows["frequency_hertz"].to_numpy(), z))
            times = relaxation_times(*valid_points(points.frequency, points.impedance))
            if times is not None:
                yield int(str(number)), times


def _times_table(cell: Cell, found: dict[int, RelaxationTimes]) -> pl.DataFrame:
    frames = [
        pl.DataFrame({
            "cell_id": cell.cell_id, "spectrum": number,
            "point": np.arange(1, len(times.distribution) + 1),
            "time_constant_second": times.time_constant_second,
            "frequency_hertz": 1 / (2 * np.pi * times.time_constant_second),
            "distribution_ohm": _without_traces(times.distribution),
        })
        for number, times in found.items()
    ]  # fmt: skip
    return _rounded(frames, "relaxation_times")


def _without_traces(values: np.ndarray) -> np.ndarray:
    largest = max(float(values.max(initial=0.0)), 1e-300)
    return np.asarray(np.round(values / largest / _FLOOR) * _FLOOR * largest)


def _peaks_table(cell: Cell, found: dict[int, RelaxationTimes]) -> pl.DataFrame:
    rows = [
        {
            "cell_id": cell.cell_id, "spectrum": number, "peak": place,
            "time_constant_second": peak.time_constant, "frequency_hertz": peak.frequency,
            "resistance_ohm": peak.resistance,
            "resistance_standard_error_ohm": peak.resistance_error,
            "capacitance_farad": peak.capacitance, "stands_alone": peak.stands_alone,
            "relative_residual": times.residual,
        }
        for number, times in found.items()
        for place, peak in enumerate(times.peaks, start=1)
    ]  # fmt: skip
    schema = empty_table("relaxation_peaks").schema
    return _rounded([pl.DataFrame(rows, schema_overrides=schema)], "relaxation_peaks")


def _rounded(frames: list[pl.DataFrame], name: str) -> pl.DataFrame:
    whole = pl.concat([empty_table(name), *frames], how="diagonal_relaxed")
    return whole.with_columns(pl.selectors.float().round_sig_figs(_DIGITS))


ANALYSIS = Analysis(
    "relaxation_times",
    ("impedance",),
    ("relaxation_times", "relaxation_peaks"),
    _compute,
    version=1,
    fields=("cell_id",),
)
