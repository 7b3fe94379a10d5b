"""Define one style for all figures: colours that all readers can tell apart, and markers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

AxisFunction = Callable[[ArrayLike], np.ndarray]

BLUE, ORANGE, RED = "#0072B2", "#E69F00", "#D55E00"
INK, GREY, FAINT = "#1c2430", "#6b7480", "#d3d7dc"
SHAPES = ("o", "s", "^", "D", "v", "P")
# Okabe and Ito's palette, which all readers can tell apart, without its yellow: invisible on white.
_CELLS = (BLUE, RED, "#009E73", "#CC79A7", ORANGE, "#56B4E9", "#000000")
WIDTH = 7.2  # inches: two columns of a journal, 183 mm
COLUMN = 3.5  # one column, 89 mm

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cellpipe",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.2,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "figure.figsize": (WIDTH, 4.0),
}
COLUMN_RC: dict[Any, Any] = RC | {
    "figure.figsize": (COLUMN, 2.6),
    "font.size": 7,
    "axes.titlesize": 6.5,
    "legend.fontsize": 6.5,
    "legend.columnspacing": 1.0,
    "lines.linewidth": 0.9,
    "lines.markersize": 3,
}


def is_wide() -> bool:
    """Return whether figures are two columns wide under the current settings."""
    return bool(mpl.rcParams["figure.figsize"][0] > COLUMN)


def make_figure(height: float, **layout: Any) -> Figure:
    """Return a new figure, two columns wide and ``height`` inches high.

    Under the settings of ``COLUMN_RC`` it is one column wide and 0.68 times as high.
    """
    return Figure(figsize=(WIDTH, height) if is_wide() else (COLUMN, 0.68 * height), **layout)


def add_legend(figure: Figure, handles: Any) -> None:
    """Put the legend beside the axes, or below them if the figure is one column wide."""
    beside, below = {"loc": "outside right upper"}, {"loc": "outside lower left", "ncols": 2}
    place: dict[str, Any] = beside if is_wide() else below
    figure.legend(handles=handles, **place)


def integer_locator() -> MaxNLocator:
    """Return a tick locator for an axis of whole numbers."""
    return MaxNLocator(integer=True, min_n_ticks=1, steps=(1, 2, 5, 10))


def sequence_colours(steps: int) -> list[str]:
    """Return viridis from dark to light, without its palest end: all are visible on white."""
    viridis = mpl.colormaps["viridis"]
    return [to_hex(viridis(place)) for place in np.linspace(0.0, 0.86, max(steps, 1))]


def cell_styles(count: int) -> list[tuple[str, str]]:
    """Return colour and marker of each cell; up to 42 cells, no two share both."""
    return [(_CELLS[n % len(_CELLS)], SHAPES[n % len(SHAPES)]) for n in range(count)]


def shift_functions(by: float) -> tuple[AxisFunction, AxisFunction]:
    """Return function and inverse for a second axis that adds ``by``."""
    return (lambda x: np.asarray(x) + by, lambda x: np.asarray(x) - by)


def scale_functions(by: float) -> tuple[AxisFunction, AxisFunction]:
    """Return function and inverse for a second axis that multiplies by ``by``."""
    return (lambda x: np.asarray(x) * by, lambda x: np.asarray(x) / by)
