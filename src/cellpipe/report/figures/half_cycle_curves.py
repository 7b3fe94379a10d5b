"""Draw curves of half cycles, their legend and the label of the voltage axis."""

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
    x_column: tuple[str, float],
    y_column: tuple[str, float],
) -> None:
    """Draw column ``y_column`` against ``x_column``; each is a name and a factor."""
    halves = [half for cycle in shown for half in cycle.half_cycles]
    drawn = table.filter(pl.col("half_cycle").is_in(halves))
    colours = sequence_colours(len(shown))
    for index, (cycle, colour) in enumerate(zip(shown, colours, strict=True)):
        for half in cycle.half_cycles:
            part = drawn.filter(pl.col("half_cycle") == half)
            x, y = (
                part[x_column[0]].to_numpy() * x_column[1],
                part[y_column[0]].to_numpy() * y_column[1],
            )
            spacing = max(part.height // 6, 1)
            axes.plot(
                x,
                y,
                _LINES[part["direction"][0]],
                color=colour,
                marker=SHAPES[index],
                ms=4,
                mfc="white",
                label=f"{cycle.label}, {part['direction'][0]}",
                markevery=(index * spacing // 6, spacing),
            )


def write_legend(figure: Figure, shown: list[ShownCycle], words: KindWords) -> None:
    """Add a legend of the cycles and directions."""
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
    """Return the label of a voltage axis, with the reference if the cell sheet gives it."""
    offset, counter = cell.reference_offset_volt, cell.counter_electrode
    if offset == 0:
        return "Voltage vs Li⁺/Li (V)"
    if offset is not None:
        return f"Voltage vs {counter or 'the counter electrode'} (V), as measured"
    return "Cell voltage (V)"


def cycle_names(shown: list[ShownCycle]) -> str:
    """Return the labels of the shown cycles as one text."""
    return ", ".join(cycle.label for cycle in shown)
