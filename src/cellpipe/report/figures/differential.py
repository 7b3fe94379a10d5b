"""Draw figure 3: dQ/dV of selected cycles."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import ShownCycle, select_cycles
from cellpipe.report.figures.half_cycle_curves import (
    cycle_names,
    draw_curves,
    voltage_label,
    write_legend,
)
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.scale import CapacityScale
from cellpipe.report.figures.style import GREY, make_figure, shift_functions
from cellpipe.report.wording import KindWords, format_number

_COLUMN = "differential_capacity_ah_per_volt"


def differential_panel(
    cell: Cell,
    cycles: pl.DataFrame,
    differential: pl.DataFrame,
    scale: CapacityScale,
    words: KindWords,
) -> Panel:
    """Draw dQ/dV against voltage: charge upwards, discharge downwards."""
    title = "Differential capacity dQ/dV"
    shown = select_cycles(cycles, differential)
    if not shown:
        return Panel("dqdv", title, absent="No half cycle of this cell has a dQ/dV curve.")
    signed = _signed_curves(differential, shown)
    low, high = (scale.per_ah * end for end in axis_limits(signed))

    def draw() -> Figure:
        figure = make_figure(3.8, layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=GREY, lw=0.8, zorder=0)
        draw_curves(axes, signed, shown, ("voltage_volt", 1.0), (_COLUMN, scale.per_ah))
        axes.set_ylim(low, high)
        axes.set_xlabel(voltage_label(cell))
        basis = f"\nper {scale.basis}" if scale.basis else ""
        axes.set_ylabel(f"dQ/dV ({scale.unit}/V){basis}")
        offset = cell.reference_offset_volt
        if offset:
            top = axes.secondary_xaxis("top", functions=shift_functions(offset))
            top.set_xlabel("Voltage vs Li⁺/Li (V)")
        write_legend(figure, shown, words)
        return figure

    description = f"Differential capacity against voltage for {cycle_names(shown)}"
    directions = _capitalize(f"{words.charge} upwards, {words.discharge} downwards.")
    cut_off = _outlier_text(signed, shown, scale, low, high)
    caption = f"{directions} {_grid_text(differential)}{cut_off}"
    return Panel("dqdv", title, caption, description, draw)


def _signed_curves(differential: pl.DataFrame, shown: list[ShownCycle]) -> pl.DataFrame:
    """Return the shown curves, those of discharge with a negative sign."""
    halves = [half for cycle in shown for half in cycle.half_cycles]
    upwards = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    drawn = differential.filter(pl.col("half_cycle").is_in(halves))
    return drawn.with_columns((pl.col(_COLUMN) * upwards).alias(_COLUMN))


def axis_limits(signed: pl.DataFrame) -> tuple[float, float]:
    """Return axis limits, low and high, at which one spike does not flatten all other curves.

    A curve's height is its highest point or, if that exceeds three times its 98th percentile
    (a constant-voltage step falls on one point of the grid), 1.3 times the percentile. Of three
    or more curves in a direction the highest is cut off if it is over 2.5 times the next, as the
    first lithiation of crystalline silicon is.
    """
    down, up = (
        _height(signed.filter(pl.col("direction") == direction))
        for direction in ("discharge", "charge")
    )
    margin = 0.06 * (up + down) or 1.0
    return -(down + margin), up + margin


def _height(part: pl.DataFrame) -> float:
    size = pl.col(_COLUMN).abs()
    typical = 1.3 * size.quantile(0.98)
    curves = part.group_by("half_cycle").agg(
        pl.when(size.max() > 3 / 1.3 * typical).then(typical).otherwise(size.max()).alias("height")
    )
    heights = curves["height"].sort(descending=True).to_list()
    if len(heights) >= 3 and heights[0] > 2.5 * heights[1]:
        return 1.3 * float(heights[1])
    return float(heights[0]) if heights else 0.0


def _outlier_text(
    signed: pl.DataFrame, shown: list[ShownCycle], scale: CapacityScale, low: float, high: float
) -> str:
    parts = []
    for cycle in shown:
        part = signed.filter(pl.col("half_cycle").is_in(cycle.half_cycles))[_COLUMN] * scale.per_ah
        beyond = part.filter((part < low) | (part > high)).to_list()
        if beyond:
            parts.append(
                f"{cycle.label} reaches {format_number(max(beyond, key=abs), 2)} {scale.unit}/V"
            )
    return f" The axis is cut: {'; '.join(parts)}." if parts else ""


def _grid_text(differential: pl.DataFrame) -> str:
    steps = differential["grid_step_volt"].unique().sort().to_list()
    widths = differential["smoothing_volt"].unique().sort().to_list()
    smoothing = (
        "no smoothing"
        if widths == [0.0]
        else (f"smoothed with a Gaussian of {_format_millivolts(widths)} standard deviation")
    )
    return f"Grid of {_format_millivolts(steps)}, {smoothing}."


def _format_millivolts(values: list[float]) -> str:
    ends = [f"{1e3 * value:.3g}" for value in (values[0], values[-1])]
    return f"{ends[0]} mV" if len(values) == 1 else f"{ends[0]} to {ends[1]} mV"


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]
