"""Figures 2 and 3: voltage profiles and dQ/dV of selected cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellpipe.domain import Cell
from cellpipe.report.choice import ShownCycle, shown_cycles
from cellpipe.report.panel import Panel, svg
from cellpipe.report.scale import CapacityScale
from cellpipe.report.style import GREY, SHAPES, WIDTH, sequence_colours, shifted
from cellpipe.report.wording import KindWords, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = {"charge": "-", "discharge": "--"}


def profile_panel(
    cell: Cell,
    cycles: pl.DataFrame,
    profiles: pl.DataFrame,
    scale: CapacityScale,
    words: KindWords,
) -> Panel:
    """Draw voltage against capacity: on both scales where the reference's offset is known."""
    title = "Voltage profiles"
    shown = shown_cycles(cycles, profiles)
    if not shown:
        return Panel("profiles", title, absent="No half cycle of this cell has a voltage profile.")

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
        axes = figure.add_subplot()
        _draw_curves(axes, profiles, shown, ("capacity_ah", scale.per_ah), ("voltage_volt", 1.0))
        axes.set_xlabel(scale.label)
        axes.set_xlim(left=0)
        axes.set_ylabel(_measured_label(cell))
        offset = cell.reference_offset_volt
        if offset:
            right = axes.secondary_yaxis("right", functions=shifted(offset))
            right.set_ylabel("Voltage vs Li⁺/Li (V)")
        _legend(figure, shown, words)
        return figure

    description = f"Voltage against capacity for {_names(shown)}"
    return Panel("profiles", title, _offset_words(cell), svg("profiles", description, draw))


def differential_panel(
    cell: Cell,
    cycles: pl.DataFrame,
    differential: pl.DataFrame,
    scale: CapacityScale,
    words: KindWords,
) -> Panel:
    """Draw dQ/dV against voltage: charge upwards, discharge downwards."""
    title = "Differential capacity dQ/dV"
    shown = shown_cycles(cycles, differential)
    if not shown:
        return Panel("dqdv", title, absent="No half cycle of this cell has a dQ/dV curve.")
    upwards = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    column = "differential_capacity_ah_per_volt"
    signed = differential.with_columns((pl.col(column) * upwards).alias(column))

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=GREY, lw=0.8, zorder=0)
        _draw_curves(axes, signed, shown, ("voltage_volt", 1.0), (column, scale.per_ah))
        axes.set_xlabel(_measured_label(cell))
        basis = f"\nper {scale.basis}" if scale.basis else ""
        axes.set_ylabel(f"dQ/dV ({scale.unit}/V){basis}")
        offset = cell.reference_offset_volt
        if offset:
            top = axes.secondary_xaxis("top", functions=shifted(offset))
            top.set_xlabel("Voltage vs Li⁺/Li (V)")
        _legend(figure, shown, words)
        return figure

    description = f"Differential capacity against voltage for {_names(shown)}"
    caption = f"{words.charge} upwards, {words.discharge} downwards. {_grid_words(differential)}"
    return Panel("dqdv", title, _capital(caption), svg("dqdv", description, draw))


def _draw_curves(
    axes: Axes,
    table: pl.DataFrame,
    shown: list[ShownCycle],
    across: tuple[str, float],
    up: tuple[str, float],
) -> None:
    colours = sequence_colours(len(shown))
    for place, (cycle, colour) in enumerate(zip(shown, colours, strict=True)):
        for half in cycle.half_cycles:
            part = table.filter(pl.col("half_cycle") == half)
            x, y = part[across[0]].to_numpy() * across[1], part[up[0]].to_numpy() * up[1]
            every = max(part.height // 6, 1)
            axes.plot(
                x,
                y,
                _LINES[part["direction"][0]],
                color=colour,
                marker=SHAPES[place],
                ms=4,
                mfc="white",
                markevery=(place * every // 6, every),
            )


def _legend(figure: Figure, shown: list[ShownCycle], words: KindWords) -> None:
    colours = sequence_colours(len(shown))
    handles = [
        Line2D([], [], color=colour, marker=shape, ms=4.5, mfc="white", label=cycle.label)
        for cycle, colour, shape in zip(shown, colours, SHAPES, strict=False)
    ]
    handles += [
        Line2D([], [], color=GREY, ls=_LINES["charge"], label=words.charge),
        Line2D([], [], color=GREY, ls=_LINES["discharge"], label=words.discharge),
    ]
    figure.legend(handles=handles, loc="outside right upper")


def _measured_label(cell: Cell) -> str:
    offset, counter = cell.reference_offset_volt, cell.counter_electrode
    if offset == 0:
        return "Voltage vs Li⁺/Li (V)"
    if offset is not None:
        return f"Voltage vs {counter or 'the counter electrode'} (V), as measured"
    return "Cell voltage (V)"


def _offset_words(cell: Cell) -> str:
    offset = cell.reference_offset_volt
    if not offset:
        return "Markers only tell the curves apart; they are not the recorded points."
    source = cell.inferred.get("reference_offset_volt")
    given = f"inferred: {source}" if source else "from the cell sheet"
    return (
        f"Left: as measured. Right: plus {number(offset)} V ({given})."
        " Markers only tell the curves apart; they are not the recorded points."
    )


def _grid_words(differential: pl.DataFrame) -> str:
    steps = differential["grid_step_volt"].unique().sort().to_list()
    widths = differential["smoothing_volt"].unique().sort().to_list()
    smoothing = (
        "no smoothing"
        if widths == [0.0]
        else (f"smoothed with a Gaussian of {_millivolts(widths)} standard deviation")
    )
    return f"Grid of {_millivolts(steps)}, {smoothing}."


def _millivolts(values: list[float]) -> str:
    ends = [f"{1e3 * value:.3g}" for value in (values[0], values[-1])]
    return f"{ends[0]} mV" if len(values) == 1 else f"{ends[0]} to {ends[1]} mV"


def _names(shown: list[ShownCycle]) -> str:
    return ", ".join(cycle.label for cycle in shown)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
