"""Draw position and height of the dQ/dV peaks that are tracked from cycle to cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.half_cycle_curves import voltage_label
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.scale import CapacityScale
from cellpipe.report.figures.style import (
    add_legend,
    cell_styles,
    integer_locator,
    is_wide,
    make_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLE = "Peaks of dQ/dV"
_MOST, _LEAST_CYCLES = 6, 3


def peak_panel(
    cell: Cell, cycles: pl.DataFrame, peaks: pl.DataFrame, scale: CapacityScale
) -> Panel:
    """Draw position and height of the most prominent peaks against the cycle number."""
    followed = _select_peaks(cycles, peaks)
    if not followed:
        absent = f"No peak could be followed through {_LEAST_CYCLES} cycles."
        return Panel("peaks", _TITLE, absent=absent)

    def draw() -> Figure:
        figure = make_figure(2.9 if is_wide() else 6.0, layout="constrained")
        left, right = figure.subplots(*((1, 2) if is_wide() else (2, 1)))
        styles = cell_styles(len(followed))
        for (name, rows), (colour, shape) in zip(followed, styles, strict=True):
            fill = "none" if rows["direction"][0] == "discharge" else colour
            kept = downsample_indices(rows["voltage_volt"].to_numpy(), 300)
            x = rows["cycle"].to_numpy()[kept]
            for axes, column, factor in ((left, "voltage_volt", 1.0),
                                         (right, "height_ah_per_volt", scale.per_ah)):  # fmt: skip
                axes.plot(x, factor * rows[column].to_numpy()[kept], shape, ms=3.5, color=colour,
                          mfc=fill, label=name)  # fmt: skip
        for axes in (left, right):
            axes.xaxis.set_major_locator(integer_locator())
            axes.set_xlabel("Cycle")
        right.set_ylim(bottom=0)
        left.set_ylabel(voltage_label(cell))
        right.set_ylabel(f"Height ({scale.unit}/V)")
        add_legend(figure, left.get_legend_handles_labels()[0])
        return figure

    subset = " the most prominent" if len(followed) == _MOST else ""
    caption = (
        f"First position, then height of{subset} peaks that are followed through at least "
        f"{_LEAST_CYCLES} cycles. Filled: charge, hollow: discharge. Silicon's steps are named "
        "where the cell is a silicon half cell with a known reference offset."
    )
    return Panel("peaks", _TITLE, caption, f"{len(followed)} peaks of dQ/dV by cycle", draw)


def _select_peaks(cycles: pl.DataFrame, peaks: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return name and rows, with their cycle, of each of the most prominent peaks."""
    halves = pl.concat([
        cycles.select("cycle", half_cycle=f"{word}_half_cycle")
        for word in ("charging", "discharging")
    ])  # fmt: skip
    rows = peaks.join(halves.drop_nulls(), on="half_cycle").sort("cycle")
    keys = ("direction", "peak")
    tracks = rows.group_by(keys).agg(
        size=pl.col("prominence_ah_per_volt").median(), cycles=pl.len(),
        place=pl.col("voltage_volt").median(), step=pl.col("assignment").drop_nulls().first(),
    )  # fmt: skip
    chosen = tracks.filter(pl.col("cycles") >= _LEAST_CYCLES).sort(
        "size", *keys, descending=[True, False, False]
    )[:_MOST]
    return [
        (_peak_name(row), rows.filter(direction=row["direction"], peak=row["peak"]))
        for row in chosen.sort("direction", "place").to_dicts()
    ]


def _peak_name(row: dict[str, object]) -> str:
    place = f"near {row['place']:.2f} V"
    return f"{row['direction']}, {row['step'] or place}"
