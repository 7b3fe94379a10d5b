"""Draw cells among the published ones: areal capacity against cycles, with retention as colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import polars as pl
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cellpipe.baselines.published_points import published_points, published_pressures
from cellpipe.core.clean_text import escape_controls
from cellpipe.report.figures.labels import Box, place_labels
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, GREY, INK, is_wide, make_figure, sequence_colours
from cellpipe.report.wording import pluralize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHAPES = {"sulfide": "o", "halide": "s", "oxide": "^", "polymer": "D", "hydride": "v",
           "liquid": "P"}  # fmt: skip
_OTHER = "X"
_KINDS = ("full", "half")
_NAMED = 12  # as many of the lab's cells have their names beside them
_RETENTION = Normalize(40, 100)  # %
_COLUMNS = ("name", "kind", "cycle", "areal_capacity_mah_per_cm2", "electrolyte", "retention")


def field_panel(
    cells: pl.DataFrame, comparison: pl.DataFrame, baselines: pl.DataFrame,
    pressures: Mapping[str, float], *, of_lab: bool,
) -> Panel:  # fmt: skip
    """Draw the cells that can be compared with published ones, and all published cells.

    ``cells`` and ``comparison`` are of one cell, or of a whole lab; ``pressures`` are the stack
    pressures (MPa) that the cell sheet gives, by cell ID.
    """
    title = (
        "This lab among the published cells" if of_lab else "This cell among the published cells"
    )
    published = published_points(baselines).with_columns(
        retention=(pl.col("retention_low") + pl.col("retention_high")) / 2
    )
    own = _own_points(cells, comparison)
    if own.is_empty():
        return Panel("field", title, absent=_absent_reason(cells, comparison, of_lab=of_lab))
    stated = [pressures[name] for name in own["name"] if name in pressures]
    caption = _caption(own, published, stated, of_lab=of_lab)
    missing = comparison.filter("comparable")["cell_id"].n_unique() - own.height
    if missing:
        caption += f" Not drawn, as no area is known: {pluralize(missing, 'cell')}."
    if not of_lab:
        own = own.with_columns(name=pl.lit("this cell"))
    kinds = [kind for kind in _KINDS if kind in own["kind"]]

    drawn = published.filter(pl.col("kind").is_in(kinds)).drop_nulls("areal_capacity_mah_per_cm2")

    def draw() -> Figure:
        wide = is_wide()
        figure = make_figure(4.0 if wide else 4.6 * len(kinds), layout="constrained")
        rows, columns = (1, len(kinds)) if wide else (len(kinds), 1)
        places = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axes, kind in zip(places, kinds, strict=True):
            _draw_kind(axes, own.filter(kind=kind), published.filter(kind=kind))
            axes.set_title(f"{kind.capitalize()} cells")
        places[0].set_ylabel("Areal capacity of the first discharge (mAh/cm²)")
        if wide:
            for axes in places[1:]:
                axes.set_ylabel("")
        bar = figure.colorbar(ScalarMappable(_RETENTION, _colours()), ax=list(places), pad=0.01,
                              extend="min", aspect=30)  # fmt: skip
        bar.set_label("Retention at that cycle (%)")
        _add_shapes(figure, [*own["electrolyte"], *drawn["electrolyte"]], of_lab=of_lab)
        figure.draw_without_rendering()
        for axes, kind in zip(places, kinds, strict=True):
            _write_names(axes, own.filter(kind=kind), published.filter(kind=kind))
        return figure

    description = f"Areal capacity against cycles, {title[0].lower()}{title[1:]}"
    return Panel("field", title, caption, description, draw)


def _own_points(cells: pl.DataFrame, comparison: pl.DataFrame) -> pl.DataFrame:
    """Return what is drawn of the cells that can be compared with a published one."""
    comparable = comparison.filter("comparable").select("cell_id").unique()
    return (
        cells.join(comparable, on="cell_id", how="semi")
        .select(
            pl.col("cell_id").alias("name"), pl.col("configuration").alias("kind"),
            pl.coalesce("retention_cycle", "initial_cycle").alias("cycle"),
            pl.col("first_areal_discharging_capacity_mah_per_cm2")
            .alias("areal_capacity_mah_per_cm2"),
            pl.col("electrolyte_family").alias("electrolyte"),
            pl.when(pl.col("retention_cycle") > pl.col("retention_reference_cycle"))
            .then("capacity_retention").alias("retention"),
        )
        .drop_nulls(("cycle", "areal_capacity_mah_per_cm2"))
        .filter(pl.col("areal_capacity_mah_per_cm2") > 0, pl.col("cycle") > 0)
        .sort("name")
    )  # fmt: skip


def _absent_reason(cells: pl.DataFrame, comparison: pl.DataFrame, *, of_lab: bool) -> str:
    if not comparison["comparable"].any():
        which = "No cell" if of_lab else "This cell"
        can = "can" if of_lab else "can't"
        return f"{which} {can} be compared with published cells; see the table."
    if not cells["first_areal_discharging_capacity_mah_per_cm2"].is_not_null().any():
        return "It needs an area: the capacity per cm² is not known without it."
    return "There is no complete cycle to draw."


def _colours() -> Colormap:
    return LinearSegmentedColormap.from_list("retention", sequence_colours(24)[::-1], 24)


def _draw_kind(axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    for points, size, edge, width in ((published, 5.5, GREY, 0.8), (own, 7.5, BLUE, 1.8)):
        for name, cycle, areal, family, retention in _rows(points):
            shape = _SHAPES.get(family or "", _OTHER)
            axes.plot(cycle, areal, shape, ms=size, mec=edge, mew=width, mfc=_fill(retention),
                      label=f"_{name}", rasterized=points.height > 500)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    points = pl.concat([own.select(_COLUMNS), published.select(_COLUMNS)])
    last, amounts = points["cycle"].max(), points["areal_capacity_mah_per_cm2"].drop_nulls()
    axes.set_xlim(0.7, 4 * max(10, int(str(last))))
    axes.set_ylim(*_limits(axes, amounts))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("Last complete cycle")


def _limits(axes: Axes, amounts: pl.Series) -> tuple[float, float]:
    """Return limits of the capacity that hold those of axes that share them, too."""
    low, high = 0.6 * float(str(amounts.min())), 1.7 * float(str(amounts.max()))
    shared = [each for each in axes.get_shared_y_axes().get_siblings(axes) if each.lines]
    ends = [each.get_ylim() for each in shared if each is not axes]
    return min([low, *(end[0] for end in ends)]), max([high, *(end[1] for end in ends)])


def _rows(points: pl.DataFrame) -> list[tuple[str, int, float, str | None, float | None]]:
    known = points.drop_nulls("areal_capacity_mah_per_cm2")
    return list(known.select("name", "cycle", "areal_capacity_mah_per_cm2", "electrolyte",
                             "retention").iter_rows())  # fmt: skip


def _fill(retention: float | None) -> object:
    return "white" if retention is None else _colours()(_RETENTION(100 * retention))


def _add_shapes(figure: Figure, families: list[str | None], *, of_lab: bool) -> None:
    def mark(label: str, shape: str, colour: str, width: float) -> Line2D:
        return Line2D([], [], ls="", marker=shape, mec=colour, mfc="white", mew=width, label=label)

    handles = [mark(name, shape, GREY, 0.8) for name, shape in _SHAPES.items() if name in families]
    if set(families) - set(_SHAPES):
        handles.append(mark("other or not known", _OTHER, GREY, 0.8))
    handles.append(mark("this lab" if of_lab else "this cell", "o", BLUE, 1.8))
    figure.legend(handles=handles, loc="outside lower center", ncols=8 if is_wide() else 3,
                  handletextpad=0.2, columnspacing=1.2)  # fmt: skip


def _write_names(axes: Axes, own: pl.DataFrame, published: pl.DataFrame) -> None:
    """Write the names of published cells, and of the lab's if they are few."""
    size, scale = mpl.rcParams["font.size"] - 1.5, 72 / axes.figure.dpi
    near = [(name, cycle, areal) for name, cycle, areal, *_ in _rows(own)]
    far = [(name, cycle, areal) for name, cycle, areal, *_ in _rows(published)]
    named = [*(near if len(near) <= _NAMED else []), *far]
    texts = [escape_controls(name) for name, *_ in named]
    place = axes.transData.transform
    anchors = [(scale * place(point)).tolist() for _, *point in named]
    marks = [(scale * place(point)).tolist() for _, *point in [*near[:200], *far]]
    corners = (scale * axes.bbox.get_points()).ravel().tolist()
    boxes = place_labels(
        anchors, [(0.6 * size * len(text), 1.3 * size) for text in texts],
        [Box(x - 4, y - 4, x + 4, y + 4) for x, y in marks], Box(*corners),
    )  # fmt: skip
    back = axes.transData.inverted().transform
    for number, (text, box, anchor) in enumerate(zip(texts, boxes, anchors, strict=True)):
        middle = (box.bottom + box.top) / 2
        x, y = back((box.left / scale, middle / scale))
        colour = BLUE if number < len(named) - len(far) else INK
        axes.text(x, y, text, fontsize=size, color=colour, va="center_baseline")
        if abs(middle - anchor[1]) > size:
            edge = box.left if box.left > anchor[0] else box.right
            ends = back([(anchor[0] / scale, anchor[1] / scale), (edge / scale, middle / scale)])
            axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "-", "color": GREY,
                          "lw": 0.5, "shrinkA": 0, "shrinkB": 0}, zorder=1)  # fmt: skip


def _caption(
    own: pl.DataFrame, published: pl.DataFrame, pressures: list[float], *, of_lab: bool
) -> str:
    """Say what is drawn and what is not, with the stack pressures in words."""
    kinds = own["kind"].unique().to_list()
    here = "this lab" if of_lab else "this cell"
    half = ""
    if "half" in kinds:
        half = f", in half cells of the delithiation for {here}'s and as printed for published ones"
    legend = (
        f"Colour: retention at the last complete cycle{half}; white: none. Shape: the electrolyte."
        f" Blue edge: {here}. Numbers in brackets: first cycles in the review's text. mAh/g became"
        " mAh/cm² by the printed loading."
    )
    parts = [legend]
    unknown = published.filter(
        pl.col("kind").is_in(kinds), pl.col("areal_capacity_mah_per_cm2").is_null()
    )["name"].to_list()
    if unknown:
        parts.append(f"Not drawn, as no loading is printed: {', '.join(unknown)}.")
    unsaid = published.filter(pl.col("kind").is_null())
    if unsaid.height:
        listed = ", ".join(
            f"{name} {areal:g}"
            for name, areal in unsaid.select("name", "areal_capacity_mah_per_cm2").iter_rows()
        )
        parts.append(f"Not drawn, as the text does not say full or half: {listed} mAh/cm².")
    return " ".join([*parts, _pressure_sentence(pressures, own.height)])


def _pressure_sentence(stated: list[float], count: int) -> str:
    printed = ", ".join(f"{value:g} MPa in {name}" for name, value in published_pressures().items())
    own = "The cell sheet gives no stack pressure"
    if stated:
        ends = f"{min(stated):g}", f"{max(stated):g}"
        span = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
        some = "" if len(stated) == count else f" ({len(stated)} of {count} cells)"
        own = f"Stack pressure here: {span} MPa{some}"
    return f"{own}; Table 1 prints none, the review's text {printed}."
