"""Draw the plating efficiency of a foil against lithium, cycle by cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, ORANGE, integer_locator, make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plating_panel(cycles: pl.DataFrame, efficiency: pl.DataFrame) -> Panel:
    """Draw stripped over plated charge of each complete cycle, and the mean of each method."""
    key, title = "plating", "Plating efficiency"
    known = efficiency.drop_nulls("efficiency")
    points = cycles.filter("complete").drop_nulls("coulombic_efficiency").sort("cycle")
    if known.is_empty():
        said = efficiency["remark"].drop_nulls()
        return Panel(
            key, title, absent=f"{said[-1][0].upper()}{said[-1][1:]}." if len(said) else ""
        )

    def draw() -> Figure:
        figure = make_figure(2.9, layout="constrained")
        axes = figure.subplots()
        axes.plot(points["cycle"].to_numpy(), 100 * points["coulombic_efficiency"].to_numpy(), "o",
                  ms=4, color=BLUE, label="stripped over plated of a cycle")  # fmt: skip
        for row in known.to_dicts():
            colour = ORANGE if row["method"] == "reservoir" else BLUE
            name = "mean of the cycles" if row["method"] == "cycles" else "reservoir"
            axes.axhline(100 * row["efficiency"], color=colour, lw=1, ls="--", label=name)
            if row["efficiency_low"] is not None:
                axes.axhspan(100 * row["efficiency_low"], 100 * row["efficiency_high"],
                             color=colour, alpha=0.15, lw=0)  # fmt: skip
        axes.xaxis.set_major_locator(integer_locator())
        axes.set_xlim(0, max(cycles["cycle"].to_list()) + 1)
        axes.set_xlabel("Cycle")
        axes.set_ylabel("Efficiency (%)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3)
        return figure

    caption = (
        "Cycles that share a reservoir strip a part of what was plated and have no efficiency of "
        "their own. Bands: 95 % of the mean, or what the charges' uncertainties allow."
    )
    return Panel(key, title, caption, f"Plating efficiency of {points.height} cycles", draw)
