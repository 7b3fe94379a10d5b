"""Which cells are symmetric, and records of their whole life: time, voltage, current, charge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.charge_flow import find_flow
from cellpipe.analyses.missing_pieces import recording
from cellpipe.core.model import Cell
from cellpipe.core.recordings.records import to_array
from cellpipe.numerics.cycling.symmetric import (
    Evidence,
    HalfCycleVoltages,
    is_stripping_and_plating,
    voltage_evidence,
)

Floats = NDArray[np.float64]


class Life(NamedTuple):
    """Records of all files of a cell in the order of time; each of shape (n,).

    ``second`` is counted from the first record, ``unix`` and ``celsius`` are NaN where not known,
    ``charge_ah`` passed since the record before, ``step`` is the instrument's number of the step,
    or the file's where there is none.
    """

    second: Floats
    unix: Floats
    volt: Floats
    ampere: Floats
    direction: NDArray[np.int8]
    charge_ah: Floats
    celsius: Floats
    step: NDArray[np.int64]


def symmetric_evidence(half_cycles: pl.DataFrame) -> Evidence:
    """Tell whether the voltages of a cell's ``half_cycles`` are those of a symmetric cell."""
    return voltage_evidence(
        HalfCycleVoltages(
            np.where(half_cycles["direction"] == "charge", 1, -1).astype(np.int8),
            half_cycles["mean_voltage_volt"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            half_cycles["end_voltage_volt"].to_numpy(),
            half_cycles["min_voltage_volt"].to_numpy(),
            half_cycles["max_voltage_volt"].to_numpy(),
            half_cycles["capacity_ah"].to_numpy(),
        )
    )


def is_symmetric(cell: Cell, half_cycles: pl.DataFrame) -> bool:
    """Tell whether a cell is symmetric, so that capacity, efficiency and retention mean nothing."""
    return is_stripping_and_plating(cell.configuration, symmetric_evidence(half_cycles))


def collect_life(timeseries: pl.DataFrame) -> Life:
    """Return the records of all files of a cell, those of impedance spectra as rests."""
    parts = [
        _part(records, number)
        for number, (_, records) in enumerate(
            timeseries.group_by(recording(timeseries), maintain_order=True)
        )
    ]
    if not all(np.isfinite(part.unix).all() for part in parts):
        ends = np.cumsum([0.0, *(part.second[-1] - part.second[0] for part in parts)])
        parts = [
            part._replace(second=part.second - part.second[0] + end)
            for part, end in zip(parts, ends, strict=False)
        ]
    else:
        parts.sort(key=lambda part: part.unix[0])
        first = min(part.unix[0] for part in parts)
        parts = [
            part._replace(second=part.second - part.second[0] + part.unix[0] - first)
            for part in parts
        ]
    columns = (np.concatenate(each) for each in zip(*parts, strict=True))
    life = Life(*columns)
    return life._replace(second=np.maximum.accumulate(life.second))


def _part(records: pl.DataFrame, number: int) -> Life:
    flow = find_flow(records)
    height = records.height
    blank = np.full(height, np.nan)

    def optional(name: str) -> Floats:
        return to_array(records[name]) if name in records.columns else blank

    sensors = [
        name
        for name in ("ambient_temperature_celsius", *sorted(records.columns))
        if name in records.columns and name.endswith("_celsius")
    ]
    step = optional("step_count")
    steps = np.where(np.isfinite(step), step, 0).astype(np.int64)
    return Life(
        records["test_time_second"].to_numpy(), optional("unix_time_second"),
        records["voltage_volt"].to_numpy(), records["current_ampere"].to_numpy(), flow.direction,
        flow.charges.charge_ah, optional(sensors[0]) if sensors else blank,
        steps + number * (1 << 32),
    )  # fmt: skip
