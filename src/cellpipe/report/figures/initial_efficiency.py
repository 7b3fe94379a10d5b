"""Draw initial Coulombic efficiencies beside those that the review's text gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cellpipe.baselines import review_text
from cellpipe.core.clean_text import escape_controls
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, FAINT, GREY, make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_GROUPS = 12
_LABEL = 48  # characters; longer names of systems are cut


def initial_efficiency_panel(cells: pl.DataFrame, *, of_lab: bool) -> Panel:
    """Draw the initial Coulombic efficiency of a cell, or of a lab's by group, beside the text's.

    Left out are cells whose first cycle is not a whole first cycle, that contradict physics, or
    that are neither full nor half cells; lithium plated on a foil is no first cycle of an anode.
    """
    title = "Initial Coulombic efficiency beside published cells"
    own = cells.filter(
        pl.col("initial_coulombic_efficiency").is_not_null(),
        pl.col("initial_remark").is_null(), pl.col("contradictions").is_null(),
        pl.col("configuration").is_in(["full", "half"]), pl.col("plating_summary").is_null(),
    )  # fmt: skip
    if own.is_empty():
        absent = "No cell has" if of_lab else "The cell does not have"
        return Panel("initial", title, absent=f"{absent} a whole first cycle of a known kind.")
    published = review_text().filter(measure_inferred="initial_coulombic_efficiency")
    rows = [*_published_rows(published), *_own_rows(own, of_lab=of_lab)]

    def draw() -> Figure:
        figure = make_figure(0.8 + 0.26 * len(rows), layout="constrained")
        axes = figure.subplots()
        for place, (name, values, is_own) in enumerate(rows):
            percent = 100 * values
            axes.axhline(place, color=FAINT, lw=0.8, zorder=0)
            axes.plot(percent, [place] * len(values), "o" if is_own else "D",
                      ms=5.5, color=BLUE if is_own else GREY, mfc="none" if is_own else GREY,
                      alpha=0.8, label=f"_{name}", rasterized=len(values) > 500)  # fmt: skip
            if len(values) > 1:
                axes.plot(np.median(percent), place, "|", ms=15, mew=2, color=BLUE,
                          label=f"_{name}, median")  # fmt: skip
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        for label, (_, _, is_own) in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_color(BLUE if is_own else GREY)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Initial Coulombic efficiency (%)")
        return figure

    caption = (
        "Diamonds: as the review's text gives them; it does not say of full or half cells, nor at"
        " which rate. Circles: the first complete cycle."
    )
    if "half" in own["configuration"]:
        caption += " Of a half cell with a silicon electrode it is delithiation over lithiation."
    missing = cells.height - own.height
    if of_lab:
        caption += " A bar is the median."
        caption += (
            (
                f" {missing} of {cells.height} cells are not drawn: their first cycle is not whole,"
                " their kind is not known, or they contradict physics."
            )
            if missing
            else ""
        )
    return Panel("initial", title, caption, title, draw)


def _published_rows(published: pl.DataFrame) -> list[tuple[str, np.ndarray, bool]]:
    found = published.sort("value_low").select("ref", "system", "value_low", "value_high")
    return [
        (f"{_shorten(system)} [{ref}]", np.unique([low, high]) / 100, False)
        for ref, system, low, high in found.iter_rows()
    ]


def _own_rows(own: pl.DataFrame, *, of_lab: bool) -> list[tuple[str, np.ndarray, bool]]:
    if not of_lab:
        return [("this cell", own["initial_coulombic_efficiency"].to_numpy(), True)]
    kinds = own.with_columns(
        named=pl.concat_str(
            pl.col("group").fill_null("without group"), pl.col("configuration") + " cells",
            separator=", ",
        )
    )  # fmt: skip
    if kinds["named"].n_unique() > _MOST_GROUPS:
        kinds = kinds.with_columns(named="this lab's " + pl.col("configuration") + " cells")
    groups = kinds.group_by("named").agg("initial_coulombic_efficiency").sort("named")
    return [
        (_shorten(escape_controls(name)), np.array(values), True)
        for name, values in groups.iter_rows()
    ]


def _shorten(name: str) -> str:
    return name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"
