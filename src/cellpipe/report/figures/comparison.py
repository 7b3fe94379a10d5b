"""Draw the lower part of figure 6: first discharge beside published cells, same basis only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, FAINT, GREY, is_wide, make_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def capacity_panel(comparison: pl.DataFrame) -> Panel:
    """Draw first discharge capacities as horizontal dot plots, one per basis and unit."""
    title = "First discharge capacity beside published cells"
    both = ("cell_initial_capacity", "baseline_initial_capacity", "basis", "unit")
    rows = comparison.filter("comparable").drop_nulls(both)
    if rows.is_empty():
        return Panel("capacities", title, absent=no_comparison_reason(comparison, "capacity"))
    groups = [
        group
        for _, group in rows.sort("unit", "basis").group_by("unit", "basis", maintain_order=True)
    ]

    def draw() -> Figure:
        height = sum(0.75 + 0.24 * (group.height + 1) for group in groups)
        figure = make_figure(height, layout="constrained")
        ratios = [0.75 + 0.24 * (group.height + 1) for group in groups]
        places = figure.subplots(len(groups), 1, height_ratios=ratios, squeeze=False)[:, 0]
        for axes, group in zip(places, groups, strict=True):
            _draw_dots(axes, group)
        return figure

    description = f"First discharge capacity beside {rows.height} published cells"
    caption = (
        "Only cells of the same kind, on the same basis. Filled: as printed; hollow: converted"
        " with the printed loading. The bases of the published capacities are read off the rows,"
        " not printed in them."
    )
    return Panel("capacities", title, caption, description, draw)


def _draw_dots(axes: Axes, group: pl.DataFrame) -> None:
    own = group["cell_initial_capacity"][0]
    published = group.sort("baseline_initial_capacity", "first_author_year", "source", "row")
    names = published["first_author_year"].to_list()
    values = published["baseline_initial_capacity"].to_numpy()
    derived = published["baseline_initial_derived"].to_numpy()
    places = np.arange(len(names))
    axes.hlines(places, 0, values, color=FAINT, lw=1, zorder=1)
    for name, value, place, is_derived in zip(names, values, places, derived, strict=True):
        how = ", converted" if is_derived else ""
        axes.plot(value, place, "D", ms=5.5, color=GREY, mfc="white" if is_derived else GREY,
                  label=f"_{name}{how}")  # fmt: skip
    axes.plot([0, own], [len(names)] * 2, color=BLUE, lw=1, zorder=1)
    axes.plot(own, len(names), "o", ms=6.5, color=BLUE, label="_this cell")
    axes.axvline(own, color=BLUE, lw=0.8, ls=":", zorder=0)
    axes.set_yticks(range(len(names) + 1), [*names, "this cell"])
    axes.get_yticklabels()[-1].set_color(BLUE)
    axes.set_ylim(-0.6, len(names) + 0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    unit = group["unit"][0].replace("cm2", "cm²")
    basis = group["basis"][0]
    per = "" if basis == "area" else f", per {basis}"
    axes.set_xlabel(f"First discharge capacity{' ' if is_wide() else chr(10)}({unit}{per})")


def no_comparison_reason(comparison: pl.DataFrame, what: str) -> str:
    """Return why there is nothing to compare with, as a sentence."""
    if comparison.is_empty():
        return "This cell was not compared with published cells."
    return f"No published cell has a {what} that this cell can be compared with; see the table."
