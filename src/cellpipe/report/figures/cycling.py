"""Draw figure 1: capacity and Coulombic efficiency against the cycle number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellpipe.numerics.cycling.protocol import NO_CYCLES
from cellpipe.report.figures.choice import MAX_POINTS, downsample_indices
from cellpipe.report.figures.knee import KNEE_CAPTION, has_knee, mark_knee
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.protocol import COLOURS
from cellpipe.report.figures.scale import CapacityScale
from cellpipe.report.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    integer_locator,
    make_figure,
    scale_functions,
)
from cellpipe.report.wording import KindWords, format_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Capacity and Coulombic efficiency"
_MAX_NAMED_OUTLIERS = 4
_MAX_RATES = 14


def cycling_panel(
    cycles: pl.DataFrame, scale: CapacityScale, words: KindWords, fade: pl.DataFrame
) -> Panel:
    """Draw capacity above and Coulombic efficiency below, each on its own axis.

    ``fade`` is the cell's row of ``capacity_fade``, of which a knee is marked.
    """
    all_rows = cycles
    cycles = cycles.filter(~pl.col("protocol").is_in(NO_CYCLES)).sort("cycle")
    if cycles.is_empty():
        return Panel("cycling", _TITLE, absent=no_cycles_sentence(all_rows))
    efficiency = cycles.drop_nulls("coulombic_efficiency")

    def draw() -> Figure:
        height = 4.8 if efficiency.height else 3.2
        figure = make_figure(height, layout="constrained")
        if not efficiency.height:
            axes = figure.add_subplot()
            _draw_capacity(axes, cycles, scale, words)
            mark_knee(axes, fade)
            axes.set_xlabel("Cycle")
            return figure
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
        _draw_capacity(above, cycles, scale, words)
        mark_knee(above, fade)
        _draw_efficiency(below, efficiency)
        return figure

    description = f"{scale.name} and Coulombic efficiency of {cycles.height} cycles"
    caption = _caption(cycles, scale, words, has_efficiency=bool(efficiency.height))
    caption += f" {KNEE_CAPTION}" if has_knee(fade) else ""
    return Panel("cycling", _TITLE, caption, description, draw)


def _caption(
    cycles: pl.DataFrame, scale: CapacityScale, words: KindWords, *, has_efficiency: bool
) -> str:
    parts = []
    if scale.basis:
        parts.append(f"Specific capacity is per {scale.basis}.")
    elif scale.unit == "mAh":
        parts.append("Capacity in mAh, because the cell sheet has no active mass for this cell.")
    if has_efficiency:
        parts.append(
            f"Coulombic efficiency is {words.efficiency}; its axis is cut so that the scatter is"
            " seen, and what lies outside is written above it."
        )
    elif not words.efficiency:
        parts.append("A Coulombic efficiency needs to know whether the cell is full or half.")
    else:
        parts.append("No cycle has a Coulombic efficiency yet.")
    if (cycles["protocol"] != "cycling").any():
        parts.append("Shaded: what is no usual cycling. Rates stand where they begin, if there is ")
        parts[-1] += "room."
    if cycles.height > MAX_POINTS:
        parts.append("Thinned; the lowest and highest point of each stretch are kept.")
    return " ".join(parts)


def _draw_capacity(
    axes: Axes, cycles: pl.DataFrame, scale: CapacityScale, words: KindWords
) -> None:
    _draw_direction(axes, cycles, "charging", scale, words.charge)
    _draw_direction(axes, cycles, "discharging", scale, words.discharge)
    top = _max_capacity(cycles) * scale.per_ah
    axes.set_ylim(0, 1.08 * top if top else 1)
    axes.set_ylabel(scale.stacked_label)
    axes.xaxis.set_major_locator(integer_locator())
    axes.set_xlim(*_cycle_limits(cycles))
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    _shade_kinds(axes, cycles)
    _write_rates(axes, cycles)
    if scale.areal_per_ah and scale.unit != "mAh/cm²":
        _draw_areal(axes, scale, scale.areal_per_ah)


def no_cycles_sentence(cycles: pl.DataFrame) -> str:
    """Say why there are no cycles to draw."""
    kinds = cycles["protocol"].unique(maintain_order=True).to_list()
    if not kinds:
        return "There are no cycles in this cell's files."
    return f"There are no cycles: all current is that of {' and '.join(kinds)}."


def _shade_kinds(axes: Axes, cycles: pl.DataFrame) -> None:
    """Shade and name what is no usual cycling: formation, checks, rate tests."""
    spans = (
        cycles.with_columns(run=pl.col("protocol").rle_id())
        .group_by("run", maintain_order=True)
        .agg(pl.col("protocol").first(), first=pl.col("cycle").min(), last=pl.col("cycle").max())
        .filter(pl.col("protocol") != "cycling")
    )
    width, named = max(_cycle_span(cycles), 1), -np.inf
    for kind, first, last in spans.select("protocol", "first", "last").iter_rows():
        colour = COLOURS[kind]
        axes.axvspan(first - 0.5, last + 0.5, color=colour, alpha=0.16, lw=0, zorder=0)
        if first >= named + 0.03 * width:
            axes.text(
                (first + last) / 2, 0.5, kind, transform=axes.get_xaxis_transform(), rotation=90,
                ha="center", va="center", fontsize="x-small", color=GREY,
            )  # fmt: skip
            named = (first + last) / 2


def _write_rates(axes: Axes, cycles: pl.DataFrame) -> None:
    """Write the C-rate where it changes, if there is room for all changes."""
    known = cycles.drop_nulls(("rate_group", "discharging_c_rate"))
    changes = known.filter(pl.col("rate_group") != pl.col("rate_group").shift(1).fill_null(-1))
    numbers = changes["cycle"].to_list()
    span = max(_cycle_span(cycles), 1)
    room = all(b - a >= 0.07 * span for a, b in zip(numbers, numbers[2:], strict=False))
    if not 1 < len(numbers) <= _MAX_RATES or not room:
        return
    rows = changes.select("cycle", "discharging_c_rate").iter_rows()
    for place, (number, rate) in enumerate(rows):  # alternately on two lines
        axes.annotate(
            f"{rate:.2g}C", (number, 0), (0, 3 + 9 * (place % 2)), textcoords="offset points",
            fontsize="small", color=GREY,
        )  # fmt: skip


def _cycle_span(cycles: pl.DataFrame) -> int:
    numbers = cycles["cycle"].to_list()
    return int(numbers[-1] - numbers[0])


def _draw_areal(axes: Axes, scale: CapacityScale, areal_per_ah: float) -> None:
    functions = scale_functions(areal_per_ah / scale.per_ah)
    right = axes.secondary_yaxis("right", functions=functions)
    right.set_ylabel("Areal capacity\n(mAh/cm²)")


def _draw_direction(
    axes: Axes, cycles: pl.DataFrame, direction: str, scale: CapacityScale, word: str
) -> None:
    column = f"{direction}_capacity_ah"
    charging = direction == "charging"
    colour, shape, fill = (ORANGE, "s", "white") if charging else (BLUE, "o", BLUE)
    size = _marker_size(cycles.height) + (0.6 if charging else 0.0)
    for complete, label in ((True, word), (False, f"{word}, cycle not complete")):
        part = cycles.filter(pl.col("complete") == complete).drop_nulls(column)
        x, y = part["cycle"].to_numpy(), part[column].to_numpy() * scale.per_ah
        kept = downsample_indices(y)
        marker = shape if complete else "+" if charging else "x"
        if kept.size:
            axes.plot(x[kept], y[kept], marker, ms=size, color=colour, mfc=fill, label=label)


def _draw_efficiency(axes: Axes, cycles: pl.DataFrame) -> None:
    x, y = cycles["cycle"].to_numpy(), cycles["coulombic_efficiency"].to_numpy()
    low, high = efficiency_limits(x, y)
    inside = (y >= low) & (y <= high)
    kept = (
        np.flatnonzero(inside)[downsample_indices(y[inside])] if inside.any() else np.array([], int)
    )
    axes.plot(x[kept], 100 * y[kept], "D", ms=_marker_size(y.size), color=RED, mfc=RED,
              label="_Coulombic efficiency")  # fmt: skip
    for outside, shape, place in ((y < low, "v", 0.02), (y > high, "^", 0.98)):
        at = np.flatnonzero(outside)
        at = at[downsample_indices(y[at])] if at.size else at
        # The marks lie at the edge and are no data; the data behind the figure has the values.
        axes.plot(x[at], np.full(at.size, place), shape, ms=5, mfc="white", color=RED,
                  transform=axes.get_xaxis_transform())  # fmt: skip
        axes.plot(x[at], 100 * y[at], ls="none", label="_Coulombic efficiency, outside of the axis")
    axes.axhline(100, color=GREY, lw=0.8, zorder=0)
    axes.set_ylim(100 * low, 100 * high)
    axes.set_ylabel("Coulombic\nefficiency (%)")
    axes.set_xlabel("Cycle")
    axes.set_title(_outlier_text(x, y, low, high), color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def efficiency_limits(cycle: np.ndarray, efficiency: np.ndarray) -> tuple[float, float]:
    """Return axis limits, as fractions, with 90 % of the cycles after the first in the middle.

    They span at least one percentage point, and include 100 % if the cycles come near it.
    """
    later = efficiency[cycle >= 2] if (cycle >= 2).any() else efficiency
    low, high = (float(q) for q in np.quantile(later, [0.05, 0.95]))
    margin = max(0.75 * (high - low), 0.002)
    low, high = low - margin, high + margin
    if high < 1.0 < high + 2 * (high - low):
        high = 1.0 + 0.1 * (1.0 - low)
    if high - low < 0.01:
        middle = (low + high) / 2
        low, high = middle - 0.005, middle + 0.005
    return max(low, 0.0), high


def _outlier_text(x: np.ndarray, y: np.ndarray, low: float, high: float) -> str:
    parts = []
    for outside, words in ((y < low, "▽ below the axis: "), (y > high, "△ above the axis: ")):
        labels = [
            f"cycle {n}: {format_percent(v)}" for n, v in zip(x[outside], y[outside], strict=True)
        ]
        if labels:
            rest = len(labels) - _MAX_NAMED_OUTLIERS
            more = f"; and {rest} more" if rest > 0 else ""
            parts.append(words + "; ".join(labels[:_MAX_NAMED_OUTLIERS]) + more)
    return "\n".join(parts)


def _marker_size(points: int) -> float:
    return 4.2 if points <= 120 else 3.0 if points <= 400 else 2.0


def _max_capacity(cycles: pl.DataFrame) -> float:
    both = (cycles["charging_capacity_ah"].max(), cycles["discharging_capacity_ah"].max())
    return max((float(str(value)) for value in both if value is not None), default=0.0)


def _cycle_limits(cycles: pl.DataFrame) -> tuple[float, float]:
    numbers = cycles["cycle"].to_list()
    margin = max(0.02 * (numbers[-1] - numbers[0]), 0.5)
    return numbers[0] - margin, numbers[-1] + margin
