"""Draw the upper part of figure 6: retention beside published cells of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.comparison import no_comparison_reason
from cellpipe.report.figures.knee import KNEE_CAPTION, has_knee, mark_knee
from cellpipe.report.figures.labels import Box, place_labels
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, FAINT, GREY, INK, make_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THIS = "this cell"
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def retention_panel(
    cycles: pl.DataFrame, comparison: pl.DataFrame, baselines: pl.DataFrame, fade: pl.DataFrame
) -> Panel:
    """Draw retention against the cycle number, with start and end point of published cells.

    ``fade`` is the cell's row of ``capacity_fade``, of which a knee is marked.
    """
    title = "Retention beside published cells"
    published = published_retention(comparison, baselines)
    own = own_retention(cycles)
    if published.is_empty():
        return Panel("retention", title, absent=no_comparison_reason(comparison, "retention"))
    if own.is_empty():
        return Panel("retention", title, absent="The cell has no first discharge to compare with.")

    def draw() -> Figure:
        figure = make_figure(4.0)
        axes = figure.add_axes((0.085, 0.125, 0.895, 0.85))
        _set_limits(axes, own, published)
        _draw_published(axes, published)
        _draw_own(axes, own)
        mark_knee(axes, fade)
        _write_names(figure, axes, own, published)
        return figure

    description = f"Retention by cycle, beside {published.height} published cells"
    caption = (
        "Discharge capacity over the first discharge. Published cells start at 100 % in cycle 1;"
        " filled diamonds are retentions as printed, hollow ones what the printed capacities give,"
        " and a bar spans the range where the paper gives more than one value. The lines only"
        " join a cell's two points, straight in cycles and so bent here: most cells lose more at"
        " first."
        " Rows that can't be compared are named in the table below."
    )
    caption += f" {KNEE_CAPTION}" if has_knee(fade) else ""
    return Panel("retention", title, caption, description, draw)


def published_retention(comparison: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """Return cycle, printed, low and high of each comparable published cell with an end point."""
    rows = comparison.filter("comparable").select("source", "row", "rank")
    ends = baselines.join(rows, on=("source", "row")).drop_nulls("later_cycle").sort("rank")
    computed = (pl.col("later_unit") == pl.col("initial_unit")) & (pl.col("initial_value") > 0)
    return ends.select(
        "first_author_year",
        cycle="later_cycle",
        printed=pl.col("retention_percent") / 100,
        low=pl.when(computed).then(pl.col("later_value_low") / pl.col("initial_value")),
        high=pl.when(computed).then(pl.col("later_value_high") / pl.col("initial_value")),
    ).filter(pl.any_horizontal(pl.col("printed", "low").is_not_null()))


def own_retention(cycles: pl.DataFrame) -> pl.DataFrame:
    """Return discharge capacity over the first one, for all complete cycles."""
    chosen = cycles.filter("complete").sort("cycle")
    discharged = chosen.drop_nulls("discharging_capacity_ah")
    first = discharged["discharging_capacity_ah"][0] if discharged.height else 0.0
    if not first:
        return pl.DataFrame(schema={"cycle": pl.Int64, "retention": pl.Float64})
    return discharged.select("cycle", retention=pl.col("discharging_capacity_ah") / first)


def _set_limits(axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    last = max(_max_cycle(own["cycle"]), _max_cycle(published["cycle"]), 10)
    ends = [published[column] for column in ("printed", "low", "high")]
    values = np.array([v for end in ends for v in end.drop_nulls().to_list()])
    low = min(float(values.min()), float(np.quantile(own["retention"].to_numpy(), 0.02)))
    high = max(float(values.max()), float(own["retention"].to_numpy().max()), 1.0)
    axes.set_xscale("log")
    axes.set_xlim(0.8, last * 3.2)
    axes.set_ylim(100 * max(low - 0.12, 0.0), 100 * (high + 0.06))
    axes.xaxis.set_major_locator(FixedLocator([t for t in _TICKS if t <= 1.5 * last]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("Cycle (logarithmic)")
    axes.set_ylabel("Retention (%)")


def _draw_published(axes: Axes, published: pl.DataFrame) -> None:
    for name, cycle, printed, low, high in published.iter_rows():
        values = [100 * value for value in (printed, low, high) if value is not None]
        x = np.geomspace(1, cycle, 40)  # linear in cycles, so curved on this logarithmic axis
        y = 100 - (100 - float(np.mean(values))) * (x - 1) / max(cycle - 1, 1)
        axes.plot(x, y, color=FAINT, lw=0.8, zorder=1, label=f"_{name}")
        axes.plot([cycle, cycle], [min(values), max(values)], color=GREY, lw=2.2, zorder=2,
                  label=f"_{name}, range")  # fmt: skip
        ends = (("computed", low, "white"), ("computed", high, "white"), ("printed", printed, GREY))
        for what, value, fill in ends:
            if value is not None:
                axes.plot(cycle, 100 * value, "D", ms=5, color=GREY, mfc=fill, zorder=3,
                          label=f"_{name}, {what}")  # fmt: skip


def _draw_own(axes: Axes, own: pl.DataFrame) -> None:
    points = _downsample(own)
    axes.plot(points["cycle"], 100 * points["retention"], "o", ms=3.5, color=BLUE, zorder=4,
              label=f"_{_THIS}")  # fmt: skip


def _downsample(own: pl.DataFrame) -> pl.DataFrame:
    """Return the first hundred cycles and a thinned rest, because the axis is logarithmic."""
    rest = own[100:]
    return pl.concat([own[:100], rest[downsample_indices(rest["retention"].to_numpy(), 300)]])


def _write_names(figure: Figure, axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    """Write each published cell's name at its end point, and this cell's at its last point."""
    size = mpl.rcParams["font.size"] - 0.5
    names = [_THIS, *published["first_author_year"].to_list()]
    curve = list(_downsample(own).select("cycle", 100 * pl.col("retention")).iter_rows())
    to_points = axes.transData.transform
    scale = 72 / figure.dpi
    anchors = scale * to_points([curve[-1], *_end_points(published)])
    marks = scale * to_points([*curve, *_marker_points(published)])
    corners = scale * axes.bbox.get_points()
    boxes = place_labels(
        [(float(x), float(y)) for x, y in anchors],
        [(0.62 * size * len(name), 1.35 * size) for name in names],
        [Box(x - 4, y - 4, x + 4, y + 4) for x, y in marks.tolist()],
        Box(*corners[0].tolist(), *corners[1].tolist()),
    )
    for name, box, anchor in zip(names, boxes, anchors, strict=True):
        _write_name(axes, name, box, anchor, scale)


def _write_name(axes: Axes, name: str, box: Box, anchor: np.ndarray, scale: float) -> None:
    """Write one name in its box, with a line to its point if that is not beside it."""
    middle, size = (box.bottom + box.top) / 2, mpl.rcParams["font.size"] - 0.5
    to_data = axes.transData.inverted().transform
    x, y = to_data((box.left / scale, middle / scale))
    colour = BLUE if name == _THIS else INK
    axes.text(float(x), float(y), name, fontsize=size, color=colour, va="center_baseline")
    if abs(middle - anchor[1]) > size:
        edge = box.left if box.left > anchor[0] else box.right
        line = to_data(np.array([anchor, (edge, middle)]) / scale)
        axes.plot(line[:, 0], line[:, 1], color=GREY, lw=0.6, zorder=1)


def _end_points(published: pl.DataFrame) -> list[tuple[float, float]]:
    best = pl.coalesce("printed", (pl.col("low") + pl.col("high")) / 2)
    return [(c, v) for c, v in published.select("cycle", 100 * best).iter_rows()]


def _marker_points(published: pl.DataFrame) -> list[tuple[float, float]]:
    marks = []
    for _, cycle, printed, low, high in published.iter_rows():
        values = [100 * value for value in (printed, low, high) if value is not None]
        marks += [(cycle, value) for value in np.linspace(min(values), max(values), 6).tolist()]
    return marks


def _max_cycle(numbers: pl.Series) -> int:
    return max(numbers.to_list(), default=1)
