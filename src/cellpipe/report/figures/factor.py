"""Draw the numbers of cells against a factor of the cell sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellpipe.core.clean_text import escape_controls
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, GREY, make_figure
from cellpipe.report.groups import Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 4  # numbers that are drawn


def factor_panel(name: str, numbers: Mapping[str, float], measures: Sequence[Measure]) -> Panel:
    """Draw up to four numbers against a factor, a point a cell.

    ``numbers`` are the factor's values by cell ID.
    """
    title = "Results against the factor"
    shown = [measure for measure in measures if len(measure.groups[0].values)][:_MOST]
    if not shown:
        return Panel("factor", title, absent="The cells have no number yet.")

    def draw() -> Figure:
        rows = (len(shown) + 1) // 2
        figure = make_figure(2.4 * rows, layout="constrained")
        grid = figure.subplots(rows, min(len(shown), 2), squeeze=False).ravel()
        for axes, measure in zip(grid, shown, strict=False):
            group = measure.groups[0]
            x = [numbers[cell_id] for cell_id in group.cells]
            axes.plot(x, group.values, "o", ms=4.5, color=BLUE, mfc="none",
                      label=f"_{measure.name}")  # fmt: skip
            if len(x) <= 12:
                for cell_id, at, value in zip(group.cells, x, group.values, strict=True):
                    axes.annotate(
                        escape_controls(cell_id), (at, value), (4, 3), fontsize="x-small",
                        textcoords="offset points", color=GREY,
                    )  # fmt: skip
            axes.margins(x=0.12, y=0.12)
            low, high = axes.get_ylim()
            least = 10.0 ** -(2 if measure.decimals is None else measure.decimals)
            if high - low < 4 * least:  # no closer than the numbers are written
                axes.set_ylim((low + high) / 2 - 2 * least, (low + high) / 2 + 2 * least)
            axes.ticklabel_format(useOffset=False)
            axes.set_xlabel(escape_controls(name))
            axes.set_ylabel(f"{measure.name} ({measure.unit})")
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        return figure

    caption = "A point a cell. The axes do not begin at zero."
    return Panel("factor", title, caption, f"{len(shown)} numbers against {name}", draw)
