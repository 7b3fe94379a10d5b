"""Curves of every half cycle: voltage profiles and dQ/dV.

Both come from the records of the half cycle, whichever files they lie in. A profile is thinned to
400 points, evenly over its records' charge and keeping both ends. dQ/dV is the distribution of the
charge over voltage on a grid of 5 mV, smoothed by a Gaussian of 5 mV; the sum over the grid times
its step is the half cycle's capacity (:mod:`cellpipe.numerics.differentiate`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.half_cycle_segments import records_with_charge
from cellpipe.analyses.half_cycles import numbered
from cellpipe.contracts import empty
from cellpipe.domain import Analysis, Cell, Result, Tables
from cellpipe.numerics.differentiate import differential_capacity

POINTS = 400
GRID_VOLT = 0.005
SMOOTHING_VOLT = 0.005

Floats = NDArray[np.float64]


def _curves(tables: Tables) -> Iterator[tuple[int, str, Floats, Floats]]:
    """Give each half cycle's number, direction, voltages and charges since the record before.

    Charges are positive in the half cycle's direction; those of pulses against it are negative.
    """
    segments = numbered(tables["half_cycle_segments"]).with_row_index("place")
    parts = []
    for (sha256,), records in tables["timeseries"].group_by("file_sha256", maintain_order=True):
        mine = segments.filter(pl.col("file_sha256") == sha256)
        if mine.height:
            charged = records_with_charge(records).filter(pl.col("segment") > 0)
            place = mine.select("segment", "half_cycle", "place")
            joined = charged.join(place, on="segment", maintain_order="left")
            parts.append(joined.select("half_cycle", "place", "voltage_volt", "charge_ah"))
    if not parts:
        return
    whole = pl.concat(parts).sort("place", maintain_order=True)
    for (number,), records in whole.group_by("half_cycle", maintain_order=True):
        charge = records["charge_ah"].to_numpy()
        sign = 1.0 if charge.sum() > 0 else -1.0
        direction = "charge" if sign > 0 else "discharge"
        yield int(str(number)), direction, records["voltage_volt"].to_numpy(), sign * charge


def _frame(cell: Cell, number: int, direction: str, columns: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(
        cell_id=pl.lit(cell.cell_id),
        half_cycle=pl.lit(number, pl.Int64),
        direction=pl.lit(direction),
    )


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    profiles, derivatives = [empty("voltage_profiles")], [empty("differential_capacity")]
    for number, direction, voltage, charge in _curves(tables):
        passed = np.cumsum(charge)
        kept = _evenly(np.maximum.accumulate(passed))
        columns: dict[str, object] = {"capacity_ah": passed[kept], "voltage_volt": voltage[kept]}
        profiles.append(_frame(cell, number, direction, columns))
        middle, density = differential_capacity(
            voltage, charge, step_volt=GRID_VOLT, smoothing_volt=SMOOTHING_VOLT
        )
        columns = {
            "voltage_volt": middle,
            "differential_capacity_ah_per_volt": density,
            "grid_step_volt": np.full(len(middle), GRID_VOLT),
            "smoothing_volt": np.full(len(middle), SMOOTHING_VOLT),
        }
        derivatives.append(_frame(cell, number, direction, columns))
    return (
        Result("voltage_profiles", pl.concat(profiles, how="diagonal")),
        Result("differential_capacity", pl.concat(derivatives, how="diagonal")),
    )


def _evenly(passed: Floats) -> NDArray[np.int64]:
    """Choose at most POINTS records, evenly over the charge, with the first and the last."""
    if len(passed) <= POINTS:
        return np.arange(len(passed))
    wanted = np.linspace(passed[0], passed[-1], POINTS - 1)
    found = np.searchsorted(passed, wanted)
    return np.unique(np.concatenate([[0], np.minimum(found, len(passed) - 1)]))


ANALYSIS = Analysis(
    "curves",
    ("timeseries", "half_cycle_segments"),
    ("voltage_profiles", "differential_capacity"),
    _compute,
)
