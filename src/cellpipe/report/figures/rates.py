"""Draw the rate capability: the capacity at each rate at which a cell was discharged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.ticker import NullFormatter, ScalarFormatter

from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.scale import CapacityScale
from cellpipe.report.figures.style import BLUE, GREY, make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLE = "Rate capability"
_LEAST_RATES = 3


def rate_panel(cycles: pl.DataFrame, half_cycles: pl.DataFrame, scale: CapacityScale) -> Panel:
    """Draw mean and range of the discharge capacity at each rate against the rate."""
    rates, unit = _rates(cycles, half_cycles)
    if rates.height < _LEAST_RATES:
        absent = f"The cell was not discharged at {_LEAST_RATES} rates or more."
        return Panel("rates", _TITLE, absent=absent)

    def draw() -> Figure:
        figure = make_figure(3.0, layout="constrained")
        axes = figure.subplots()
        x = rates["rate"].to_numpy()
        low, mean, high = (
            scale.per_ah * rates[name].to_numpy() for name in ("low", "mean", "high")
        )
        axes.vlines(x, low, high, color=GREY, lw=2)
        axes.plot(x, mean, "o", ms=5, color=BLUE, label="_mean of a rate")
        axes.set_xscale("log")
        axes.set_xticks(np.unique(np.round(x, 3)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"Discharge rate ({unit})")
        axes.set_ylabel(f"Discharge, {scale.label[0].lower()}{scale.label[1:]}")
        return figure

    caption = (
        "Mean of the complete cycles of each rate; the bar spans their lowest and highest, and so "
        "contains the ageing meanwhile. Cycles whose currents are within 10 % share a rate."
    )
    return Panel("rates", _TITLE, caption, f"Capacity at {rates.height} rates", draw)


def _rates(cycles: pl.DataFrame, half_cycles: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Return rate, lowest, mean and highest capacity (Ah) of each rate, and the rate's unit."""
    current = half_cycles.select(
        "constant_current_ampere", discharging_half_cycle="half_cycle"
    ).unique("discharging_half_cycle")
    known = cycles.filter("complete").drop_nulls("discharging_capacity_ah")
    known = known.join(current, on="discharging_half_cycle", how="left")
    in_c_rates = known["discharging_c_rate"].null_count() == 0
    rate = pl.col("discharging_c_rate") if in_c_rates else 1e3 * pl.col("constant_current_ampere")
    capacity = pl.col("discharging_capacity_ah")
    rates = known.group_by("rate_group").agg(
        rate=rate.median(), low=capacity.min(), mean=capacity.mean(), high=capacity.max()
    )
    positive = rates.drop_nulls("rate").filter(pl.col("rate") > 0)
    return positive.sort("rate"), "C" if in_c_rates else "mA"
