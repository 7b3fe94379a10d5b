"""Curves of half cycles: drawing, legend, and what the voltage axis is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from matplotlib.lines import Line2D

from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import ShownCycle
from cellpipe.report.figures.style import GREY, SHAPES, add_legend, sequence_colours
from cellpipe.report.wording import KindWords

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = {"charge": "-", "discharge": "--"}


def draw_curves(
    axes: Axes,
    table: pl.DataFrame,
    shown: list[ShownCycle],
    across: tuple[str, float],
    up: tuple[str, float],
) -> None:
    """Draw column ``up`` against column ``across``, each times its factor."""
    halves = [half for cycle in shown for half in cycle.half_cycles]
    drawn = table.filter(pl.col("half_cycle").is_in(halves))
    colours = sequence_colours(len(shown))
    for place, (cycle, colour) in enumerate(zip(shown, colours, strict=True)):
        for half in cycle.half_cycles:
            part = drawn.filter(pl.col("half_cycle") == half)
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
                label=f"{cycle.label}, {part['direction'][0]}",
                markevery=(place * every // 6, every),
            )


def write_legend(figure: Figure, shown: list[ShownCycle], words: KindWords) -> None:
    """Name cycles and directions beside the axes."""
    colours = sequence_colours(len(shown))
    handles = [
        Line2D([], [], color=colour, marker=shape, ms=4.5, mfc="white", label=cycle.label)
        for cycle, colour, shape in zip(shown, colours, SHAPES, strict=False)
    ]
    handles += [
        Line2D([], [], color=GREY, ls=_LINES["charge"], label=words.charge),
        Line2D([], [], color=GREY, ls=_LINES["discharge"], label=words.discharge),
    ]
    add_legend(figure, handles)


def voltage_label(cell: Cell) -> str:
    """Say what the voltage was measured against, as far as the cell sheet says."""
    offset, counter = cell.reference_offset_volt, cell.counter_electrode
    if offset == 0:
        return "Voltage vs Li⁺/Li (V)"
    if offset is not None:
        return f"Voltage vs {counter or 'the counter electrode'} (V), as measured"
    return "Cell voltage (V)"


def cycle_names(shown: list[ShownCycle]) -> str:
    """Name the shown cycles in a sentence."""
    return ", ".join(cycle.label for cycle in shown)
