"""Draw the retention of groups of replicates: mean, band, and the cells that stand apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cellpipe.core.clean_text import escape_controls
from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import add_legend, cell_styles, integer_locator, make_figure
from cellpipe.report.groups import Groups, collect_measures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE = "Replicates"


@dataclass(frozen=True)
class _Band:
    """A group's mean retention and its scatter by cycle, and the curves of cells that are apart."""

    name: str
    count: int
    rows: pl.DataFrame
    apart: Mapping[str, pl.DataFrame]


def group_panel(cells: Sequence[tuple[Cell, Mapping[str, pl.DataFrame]]], groups: Groups) -> Panel:
    """Draw the mean retention of each group with the band of one standard deviation.

    The band is of the cells that do not stand apart, as long as half of them still run; those that
    do have a curve of their own. ``groups`` are cell IDs by the name of their group.
    """
    sound = {
        c.cell_id for c, each in cells if not each["cells"]["contradictions"].drop_nulls().len()
    }
    groups = {name: [c for c in members if c in sound] for name, members in groups.items()}
    several = {name: members for name, members in groups.items() if len(members) > 1}
    if not several:
        absent = "The cells are not replicates of one group."
        return Panel("replicates", _TITLE, absent=absent)
    tables = {cell.cell_id: each for cell, each in cells}
    bands = [_band(name, members, tables) for name, members in several.items()]
    if not any(band.rows.height for band in bands):
        return Panel("replicates", _TITLE, absent="The replicates share no complete cycle.")

    def draw() -> Figure:
        figure = make_figure(3.2, layout="constrained")
        axes = figure.subplots()
        for band, (colour, _) in zip(bands, cell_styles(len(bands)), strict=True):
            _draw_band(axes, band, colour)
        axes.xaxis.set_major_locator(integer_locator())
        axes.set_xlabel("Cycle")
        axes.set_ylabel("Retention (%)")
        handles = axes.get_legend_handles_labels()[0]
        if len(bands) > 1 or any(band.apart for band in bands):
            add_legend(figure, handles)
        return figure

    parts = [f"{band.count} cells of the group {band.name}" for band in bands]
    names = [name for band in bands for name in band.apart]
    caption = (
        f"Mean of {' and of '.join(parts)} ± one standard deviation (n − 1), as long as half of "
        "them still run; complete cycles, over the initial one."
    )
    if names:
        caption += (
            f" {', '.join(names)} {'stands' if len(names) == 1 else 'stand'} apart: drawn alone "
            "(dashed), and not in the band."
        )
    return Panel("replicates", _TITLE, caption, f"Mean retention of {'; '.join(parts)}", draw)


def _band(
    name: str, members: Sequence[str], tables: Mapping[str, Mapping[str, pl.DataFrame]]
) -> _Band:
    summaries = pl.concat([tables[cell_id]["cells"] for cell_id in members])
    cycles = pl.concat([tables[cell_id]["cycles"] for cell_id in members])
    retention = collect_measures(summaries, cycles, {name: members})[0]
    apart = retention.groups[0].left_out if retention.groups else ()
    curves = {cell_id: _retention(tables[cell_id]["cycles"]) for cell_id in members}
    inside = [curve for cell_id, curve in curves.items() if cell_id not in apart]
    rows = (
        pl.concat(inside)
        .group_by("cycle")
        .agg(mean=pl.col("retention").mean(), deviation=pl.col("retention").std(), n=pl.len())
        .filter(2 * pl.col("n") >= len(inside))
        .sort("cycle")
    )
    return _Band(name, len(members), rows, {cell_id: curves[cell_id] for cell_id in apart})


def _retention(cycles: pl.DataFrame) -> pl.DataFrame:
    known = cycles.filter("complete").drop_nulls("capacity_retention").sort("cycle")
    return known.select("cycle", retention=100 * pl.col("capacity_retention"))


def _draw_band(axes: Axes, band: _Band, colour: str) -> None:
    name = escape_controls(band.name)
    x, mean = band.rows["cycle"].to_numpy(), band.rows["mean"].to_numpy()
    half = band.rows["deviation"].fill_null(0).to_numpy()
    axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.25, lw=0)
    axes.plot(x, mean, color=colour, label=name)
    for bound, sign in ((mean - half, "minus"), (mean + half, "plus")):
        axes.plot(x, bound, color=colour, lw=0.5, label=f"_{name} {sign} one s.d.")
    for cell_id, curve in band.apart.items():
        own = curve["retention"].to_numpy()
        kept = downsample_indices(own, 400)
        axes.plot(curve["cycle"].to_numpy()[kept], own[kept], "--", color=colour,
                  label=f"{escape_controls(cell_id)}, apart")  # fmt: skip
