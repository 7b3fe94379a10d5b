"""Write a figure as files for slides and papers: SVG, PNG, and the drawn data as .csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from cellpipe.report.figures.panel import Panel, plot_style
from cellpipe.report.figures.style import COLUMN_RC, RC
from cellpipe.report.long_tables import escape_formula
from cellpipe.report.wording import NOTHING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 300
# A journal's column widths: 89 mm and 183 mm.
_WIDTHS: Mapping[str, Mapping[Any, Any]] = {"one-column": COLUMN_RC, "two-columns": RC}


WIDTHS = tuple(_WIDTHS)


def figure_files(panel: Panel, widths: Sequence[str] = WIDTHS) -> dict[str, bytes]:
    """Draw a figure at a journal's column widths; return the content of its files by name.

    Names are ``<key>-one-column.svg`` and so on; ``<key>.csv`` holds the drawn data in long
    format: number of the axes, series, label of each axis, x, y. The same figure gives the same
    bytes; an absent figure gives no files.
    """
    if panel.draw is None:
        return {}
    files: dict[str, bytes] = {}
    for width in widths:
        with plot_style(_WIDTHS[width]):
            figure = panel.draw()
            files[f"{panel.key}-{width}.svg"] = _svg(figure)
            files[f"{panel.key}-{width}.png"] = _png(figure)
    with plot_style():
        files[f"{panel.key}.csv"] = _csv(panel.draw())
    return files


def _svg(figure: Figure) -> bytes:
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue().encode()


def _png(figure: Figure) -> bytes:
    figure.set_dpi(DPI)
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _csv(figure: Figure) -> bytes:
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(("axes", "series", "x_axis", "y_axis", "x", "y"))
    for number, axes in enumerate(figure.axes, 1):
        names = (_one_line(axes.get_xlabel()), _one_line(axes.get_ylabel()))
        for index, line in enumerate(axes.lines, 1):
            label = str(line.get_label())
            series = f"line {index}" if label.startswith("_child") else label.lstrip("_")
            points: Any = line.get_xydata()
            if _is_reference_line(line.get_transform(), axes):
                continue
            for x, y in np.asarray(points, dtype=float).tolist():
                rows.writerow(
                    (
                        number,
                        escape_formula(series),
                        *map(escape_formula, names),
                        f"{x:.10g}",
                        f"{y:.10g}",
                    )
                )
    return ("\ufeff" + buffer.getvalue()).encode()


def _is_reference_line(transform: Any, axes: Axes) -> bool:
    """Return whether a line is a reference line (zero, a marked value) and not data."""
    return bool(transform != axes.transData)


def _one_line(label: str) -> str:
    return " ".join(label.split()) or NOTHING
