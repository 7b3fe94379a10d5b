"""Figure 6: the cell beside the published cells of Table 1 that it can be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from cellpipe.report.choice import thinned
from cellpipe.report.labels import Box, placed_labels
from cellpipe.report.panel import Panel, svg
from cellpipe.report.style import BLUE, FAINT, GREY, INK, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def retention_panel(cycles: pl.DataFrame, comparison: pl.DataFrame, baselines: pl.DataFrame) -> Panel:
    """Draw retention against the cycle number with the published cells' start and end."""
    title = "Retention beside Table 1"
    published = published_retention(comparison, baselines)
    own = own_retention(cycles)
    if published.is_empty():
        return Panel("retention", title, absent=_no_row(comparison, "retention"))
    if own.is_empty():
        return Panel("retention", title, absent="The cell has no first discharge to compare with.")

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 4.0))
        axes = figure.add_axes((0.085, 0.125, 0.895, 0.85))
        _set_limits(axes, own, published)
        _draw_published(axes, published)
        _draw_own(axes, own)
        _write_names(figure, axes, own, published)
        return figure

    description = f"Retention by cycle, beside {published.height} published cells"
    caption = (
        "Discharge capacity over the first discharge. Published cells start at 100 % in cycle 1;"
        " filled diamonds are retentions as printed, hollow ones what the printed capacities give,"
        " and a bar spans the range where the paper gives more than one value."
        " Rows that can't be compared are named in the table below."
    )
    return Panel("retention", title, caption, svg("retention", description, draw))


def published_retention(comparison: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """One row per comparable published cell with an end point: cycle, printed, low, high."""
    rows = comparison.filter("comparable").select("row")
    ends = baselines.join(rows, on="row", how="semi").drop_nulls("later_cycle").sort("row")
    computed = pl.col("later_unit") == pl.col("initial_unit")
    return ends.select(
        "first_author_year",
        cycle="later_cycle",
        printed=pl.col("retention_percent") / 100,
        low=pl.when(computed).then(pl.col("later_value_low") / pl.col("initial_value")),
        high=pl.when(computed).then(pl.col("later_value_high") / pl.col("initial_value")),
    ).filter(pl.any_horizontal(pl.col("printed", "low").is_not_null()))


def own_retention(cycles: pl.DataFrame) -> pl.DataFrame:
    """Give the cell's discharge capacity over its first, of its complete cycles."""
    discharged = cycles.sort("cycle").filter("complete").drop_nulls("discharging_capacity_ah")
    first = discharged["discharging_capacity_ah"][0] if discharged.height else 0.0
    if not first:
        return pl.DataFrame(schema={"cycle": pl.Int64, "retention": pl.Float64})
    return discharged.select("cycle", retention=pl.col("discharging_capacity_ah") / first)


def _no_row(comparison: pl.DataFrame, what: str) -> str:
    if comparison.is_empty():
        return "This cell was not compared with Table 1."
    return f"No row of Table 1 has a {what} that this cell can be compared with; see the table."


def _set_limits(axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    last = max(_largest(own["cycle"]), _largest(published["cycle"]), 10)
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
    for _, cycle, printed, low, high in published.iter_rows():
        values = [100 * value for value in (printed, low, high) if value is not None]
        axes.plot([1, cycle], [100, float(np.mean(values))], color=FAINT, lw=0.8, zorder=1)
        axes.plot([cycle, cycle], [min(values), max(values)], color=GREY, lw=2.2, zorder=2)
        for value, fill in ((low, "white"), (high, "white"), (printed, GREY)):
            if value is not None:
                axes.plot(cycle, 100 * value, "D", ms=5, color=GREY, mfc=fill, zorder=3)


def _draw_own(axes: Axes, own: pl.DataFrame) -> None:
    x, y = own["cycle"].to_numpy(), 100 * own["retention"].to_numpy()
    kept = thinned(y, 400)
    axes.plot(x[kept], y[kept], "o", ms=3.5, color=BLUE, zorder=4)


def _write_names(figure: Figure, axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    """Write each published cell's name beside its end point, and the cell's at its last one."""
    size = 8.5
    to_points = 72 / figure.dpi
    names = ["this cell", *published["first_author_year"].to_list()]
    ends = [(own["cycle"][-1], 100 * own["retention"][-1]), *_end_points(published)]
    anchors = [tuple(to_points * axes.transData.transform(end)) for end in ends]
    sizes = [(0.62 * size * len(name), 1.35 * size) for name in names]
    curve = list(zip(own["cycle"].to_list(), (100 * own["retention"]).to_list(), strict=True))
    marks = [
        tuple(to_points * axes.transData.transform(place))
        for place in [*curve, *_all_marks(published)]
    ]
    obstacles = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in marks]
    corners = to_points * axes.bbox.get_points()
    frame = Box(corners[0][0], corners[0][1], corners[1][0], corners[1][1])
    boxes = placed_labels(anchors, sizes, obstacles, frame)
    back = axes.transData.inverted()
    for name, box, (x, y) in zip(names, boxes, anchors, strict=True):
        middle = (box.bottom + box.top) / 2
        near = box.left if box.left > x else box.right
        place = back.transform((box.left / to_points, middle / to_points))
        colour = BLUE if name == "this cell" else INK
        axes.text(*place, name, fontsize=size, color=colour, va="center_baseline")
        if abs(middle - y) > size:
            line = back.transform([(x / to_points, y / to_points), (near / to_points, middle / to_points)])
            axes.plot(line[:, 0], line[:, 1], color=GREY, lw=0.6, zorder=1)


def _end_points(published: pl.DataFrame) -> list[tuple[float, float]]:
    best = pl.coalesce("printed", (pl.col("low") + pl.col("high")) / 2)
    return [(c, v) for c, v in published.select("cycle", 100 * best).iter_rows()]


def _all_marks(published: pl.DataFrame) -> list[tuple[float, float]]:
    marks = []
    for _, cycle, printed, low, high in published.iter_rows():
        values = [100 * value for value in (printed, low, high) if value is not None]
        marks += [(cycle, value) for value in np.linspace(min(values), max(values), 6).tolist()]
    return marks


def capacity_panel(comparison: pl.DataFrame) -> Panel:
    """Draw first discharge capacities as horizontal dots: one picture per basis and unit."""
    title = "First discharge capacity beside Table 1"
    both = ("cell_initial_capacity", "baseline_initial_capacity", "basis", "unit")
    rows = comparison.filter("comparable").drop_nulls(both)
    if rows.is_empty():
        return Panel("capacities", title, absent=_no_row(comparison, "capacity"))
    groups = [group for _, group in rows.sort("unit", "basis").group_by("unit", "basis", maintain_order=True)]

    def draw() -> Figure:
        height = sum(0.75 + 0.24 * (group.height + 1) for group in groups)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        ratios = [0.75 + 0.24 * (group.height + 1) for group in groups]
        places = figure.subplots(len(groups), 1, height_ratios=ratios, squeeze=False)[:, 0]
        for axes, group in zip(places, groups, strict=True):
            _draw_dots(axes, group)
        return figure

    description = f"First discharge capacity beside {rows.height} published cells"
    caption = (
        "Only cells of the same kind, on the same basis. Filled: as printed; hollow: converted"
        " with the printed loading. The bases of the published capacities are read off Table 1,"
        " not printed in it."
    )
    return Panel("capacities", title, caption, svg("capacities", description, draw))


def _draw_dots(axes: Axes, group: pl.DataFrame) -> None:
    own = group["cell_initial_capacity"][0]
    published = group.select(
        "first_author_year", "baseline_initial_capacity", "baseline_initial_derived"
    ).sort("baseline_initial_capacity", "first_author_year")
    names = published["first_author_year"].to_list()
    values = published["baseline_initial_capacity"].to_numpy()
    derived = published["baseline_initial_derived"].to_numpy()
    places = np.arange(len(names))
    axes.hlines(places, 0, values, color=FAINT, lw=1, zorder=1)
    for chosen, fill in ((~derived, GREY), (derived, "white")):
        axes.plot(values[chosen], places[chosen], "D", ms=5.5, color=GREY, mfc=fill)
    axes.plot([0, own], [len(names)] * 2, color=BLUE, lw=1, zorder=1)
    axes.plot(own, len(names), "o", ms=6.5, color=BLUE)
    axes.axvline(own, color=BLUE, lw=0.8, ls=":", zorder=0)
    axes.set_yticks(range(len(names) + 1), [*names, "this cell"])
    axes.get_yticklabels()[-1].set_color(BLUE)
    axes.set_ylim(-0.6, len(names) + 0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    unit = group["unit"][0].replace("cm2", "cm²")
    basis = group["basis"][0]
    per = "" if basis == "area" else f", per {basis}"
    axes.set_xlabel(f"First discharge capacity ({unit}{per})")


def _largest(numbers: pl.Series) -> int:
    return max(numbers.to_list(), default=1)
