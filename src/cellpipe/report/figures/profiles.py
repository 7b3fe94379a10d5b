"""Draw figure 2: voltage profiles of selected cycles."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import select_cycles
from cellpipe.report.figures.half_cycle_curves import (
    cycle_names,
    draw_curves,
    voltage_label,
    write_legend,
)
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.scale import CapacityScale
from cellpipe.report.figures.style import make_figure, shift_functions
from cellpipe.report.wording import KindWords, format_number


def profile_panel(
    cell: Cell,
    cycles: pl.DataFrame,
    profiles: pl.DataFrame,
    scale: CapacityScale,
    words: KindWords,
) -> Panel:
    """Draw voltage against capacity, with a second axis vs Li⁺/Li if the offset is known."""
    title = "Voltage profiles"
    shown = select_cycles(cycles, profiles)
    if not shown:
        return Panel("profiles", title, absent="No half cycle of this cell has a voltage profile.")

    def draw() -> Figure:
        figure = make_figure(3.8, layout="constrained")
        axes = figure.add_subplot()
        draw_curves(axes, profiles, shown, ("capacity_ah", scale.per_ah), ("voltage_volt", 1.0))
        axes.set_xlabel(scale.label)
        axes.set_xlim(left=0)
        axes.set_ylabel(voltage_label(cell))
        offset = cell.reference_offset_volt
        if offset:
            right = axes.secondary_yaxis("right", functions=shift_functions(offset))
            right.set_ylabel("Voltage vs Li⁺/Li (V)")
        write_legend(figure, shown, words)
        return figure

    description = f"Voltage against capacity for {cycle_names(shown)}"
    return Panel("profiles", title, _caption(cell), description, draw)


def _caption(cell: Cell) -> str:
    offset = cell.reference_offset_volt
    if not offset:
        return "Markers only tell the curves apart; they are not the recorded points."
    source = cell.inferred.get("reference_offset_volt")
    origin = f"inferred: {source}" if source else "from the cell sheet"
    return (
        f"Left: as measured. Right: plus {format_number(offset)} V ({origin})."
        " Markers only tell the curves apart; they are not the recorded points."
    )
