"""How a cell's capacity falls at the usual rate: slopes, knee, and the cycle of 80 %."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ageing import Slope, first_cycle_below, usual_rate
from cellpipe.numerics.cycling.knee import FEWEST, Knee, find_knee
from cellpipe.numerics.cycling.life import END, Life, predict_life

_REVERSIBLE = 0.5  # of a cycle's larger charge; of a cell of which less comes back, nothing fades


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    blank = empty_table("capacity_fade")
    cycles = _usual_cycles(tables["cycles"])
    cycle, retention = (cycles[name].to_numpy() for name in ("cycle", "capacity_retention_at_rate"))
    back = _share_that_comes_back(cycles)
    if len(cycle) >= FEWEST and back < _REVERSIBLE:
        sentence = (
            f"Of the larger charge of a cycle only {back:.0%} passes the other way (median): a "
            "cell that can't be charged, or that loses most of its charge. Its capacity has no "
            "fade per cycle and no knee."
        )
        return (Result("capacity_fade", blank, (Finding("info", "not_reversible", sentence),)),)
    found = find_knee(cycle.astype(np.float64), retention)
    if found is None:
        return (Result("capacity_fade", blank),)
    reached = first_cycle_below(cycle, retention, END)
    life = predict_life(cycle.astype(np.float64), retention, found, reached)
    row = {"cell_id": cell.cell_id, **_fade_columns(found), **_life_columns(life)}
    return (Result("capacity_fade", pl.DataFrame([row], schema=blank.schema)),)


def _share_that_comes_back(cycles: pl.DataFrame) -> float:
    """Return the smaller charge of a cycle over the larger one, the median of cycles."""
    charges = ("charging_capacity_ah", "discharging_capacity_ah")
    share = pl.min_horizontal(charges) / pl.max_horizontal(charges)
    median = cycles.select(share.median()).item()
    return 1.0 if median is None else float(median)


def _usual_cycles(cycles: pl.DataFrame) -> pl.DataFrame:
    """Return the complete cycles at the usual rate after formation, with their retentions."""
    complete = cycles.filter("complete").drop_nulls("capacity_retention").sort("cycle")
    usual = usual_rate(complete["rate_group"].to_numpy())
    return complete.filter(
        pl.col("rate_group") == usual, ~pl.col("formation_cycle"),
        pl.col("capacity_retention_at_rate").is_not_null(),
    )  # fmt: skip


def _fade_columns(found: Knee) -> dict[str, object]:
    return {
        "shape": found.shape, "first_cycle": found.first, "last_cycle": found.last,
        **_ends("fade_per_cycle", _loss(found.before)),
        **_ends("fade_after_per_cycle", _loss(found.after)),
        **_ends("knee_cycle", found.knee),
        "noise_correlation": found.correlation, "effective_cycles": found.effective,
    }  # fmt: skip


def _loss(slope: Slope) -> Slope:
    return Slope(-slope.value, -slope.high, -slope.low)


def _ends(name: str, slope: Slope) -> dict[str, float | None]:
    ends = {name: slope.value, f"{name}_low": slope.low, f"{name}_high": slope.high}
    return {key: value if math.isfinite(value) else None for key, value in ends.items()}


def _life_columns(life: Life) -> dict[str, object]:
    cycles = {
        "end_of_life_cycle": life.cycle,
        "end_of_life_cycle_low": life.low,
        "end_of_life_cycle_high": life.high,
        "horizon_cycle": life.horizon,
    }
    return {"outlook": life.outlook} | {
        name: int(value) if math.isfinite(value) else None for name, value in cycles.items()
    }


ANALYSIS = Analysis(
    "capacity_fade", ("cycles",), ("capacity_fade",), _compute, version=2, fields=("cell_id",),
    columns={
        "cycles": (
            "cycle", "complete", "formation_cycle", "rate_group", "capacity_retention",
            "capacity_retention_at_rate", "charging_capacity_ah", "discharging_capacity_ah",
        ),
    },
)  # fmt: skip
