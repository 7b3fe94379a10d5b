"""Mark the knee of a cell's retention in a figure over the cycle number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cellpipe.report.figures.style import GREY, INK
from cellpipe.report.wording import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KNEE_CAPTION = (
    "The dashed line marks the knee from which on the capacity falls faster, the grey band its 95 "
    "% interval."
)


def has_knee(fade: pl.DataFrame) -> bool:
    """Return whether a cell's row of ``capacity_fade`` has a knee."""
    return fade.height > 0 and fade["shape"][0] == "knee"


def mark_knee(axes: Axes, fade: pl.DataFrame) -> None:
    """Mark the knee, if there is one, with its interval."""
    if not has_knee(fade):
        return
    row = fade.row(0, named=True)
    axes.axvspan(row["knee_cycle_low"], row["knee_cycle_high"], color=GREY, alpha=0.3, lw=0)
    axes.axvline(row["knee_cycle"], color=INK, lw=0.9, ls="--")
    axes.annotate(
        f"knee at cycle {format_number(row['knee_cycle'])}", (row["knee_cycle"], 0.03), (-4, 0),
        xycoords=("data", "axes fraction"), textcoords="offset points", ha="right",
        fontsize="small", color=INK,
    )  # fmt: skip
