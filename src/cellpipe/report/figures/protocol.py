"""Draw the strip of time above a cell's page: what was done with it in its whole life."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.lines import Line2D

from cellpipe.numerics.cycling.protocol import KINDS
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import FAINT, GREY, INK, is_wide, make_figure
from cellpipe.report.wording import pluralize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Protocol of the cell's life"
COLOURS = dict(zip(KINDS, (
    "#E69F00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#8F4A7A", "#D55E00", "#5B3A8C",
    "#8A96A3", "#A50F5E", "#117733", "#B22222", "#C9D0D8", "#1c2430", "#B5A642",
), strict=True))  # fmt: skip
_DAYS, _HOURS = 96.0, 120.0  # hours, and minutes; a longer life is shown in days, or in hours
_STRIP, _FILES, _SPECTRA = 2.0, 1.0, 0.0


def protocol_panel(stretches: pl.DataFrame, files: pl.DataFrame, impedance: pl.DataFrame) -> Panel:
    """Draw the stretches of a cell's life on one axis of time, with its files and spectra.

    Parameters
    ----------
    stretches
        The cell's rows of ``protocol_segments``.
    files, impedance
        Its files and the points of its spectra.

    """
    if stretches.is_empty():
        return Panel("protocol", TITLE, absent="No records of time are in this cell's files.")
    begin, end = stretch_times(stretches)
    unit, per_second = time_unit(float(end.max()))
    by_clock = not stretches["start_unix_time_second"].null_count()
    marks = _file_starts(stretches, files), _spectrum_times(stretches, impedance)

    def draw() -> Figure:
        figure = make_figure(1.5, layout="constrained")
        axes = figure.add_subplot()
        kinds = stretches["kind"].to_list()
        axes.axhline(_STRIP, color=FAINT, lw=1.0, zorder=0)
        for kind, start, stop in zip(kinds, begin, end, strict=True):
            axes.plot(
                [start * per_second, stop * per_second], [_STRIP, _STRIP], lw=11, marker="|", ms=11,
                mew=0.7, solid_capstyle="butt", color=COLOURS[kind], label=f"_{kind}",
                zorder=1 if kind == "EIS" else 2,
            )  # fmt: skip
        for times, place, shape, label in (
            (marks[0], _FILES, "|", "_file"), (marks[1], _SPECTRA, "d", "_spectrum"),
        ):  # fmt: skip
            if len(times):
                axes.plot(times * per_second, np.full(len(times), place), ls="none", marker=shape,
                          ms=8 if shape == "|" else 3.5, color=INK, label=label)  # fmt: skip
        _format(axes, unit, by_clock=by_clock, has_spectra=bool(len(marks[1])))
        handles = [
            Line2D([], [], lw=6, solid_capstyle="butt", color=COLOURS[kind], label=kind)
            for kind in KINDS if kind in set(kinds)
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower left", ncols=6 if is_wide() else 3)
        return figure

    caption = _caption(stretches, by_clock=by_clock)
    description = (
        f"What was done with the cell, in {pluralize(stretches.height, 'stretch', 'stretches')}"
    )
    return Panel("protocol", TITLE, caption, description, draw)


def stretch_times(stretches: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of each stretch, s since the first; in a row where there is no clock."""
    duration = stretches["duration_second"].to_numpy()
    if stretches["start_unix_time_second"].null_count():
        end = np.cumsum(duration)
        return end - duration, end
    start, end = (
        stretches[f"{name}_unix_time_second"].cast(pl.Float64).to_numpy()
        for name in ("start", "end")
    )
    return start - start.min(), np.fmax(end, start) - start.min()


def time_unit(last_second: float) -> tuple[str, float]:
    """Return the unit of the axis, and what a second is in it."""
    if last_second > 3600 * _DAYS:
        return "days", 1 / 86400
    return ("h", 1 / 3600) if last_second > 60 * _HOURS else ("min", 1 / 60)


def _format(axes: Axes, unit: str, *, by_clock: bool, has_spectra: bool) -> None:
    places = {_STRIP: "Protocol", _FILES: "Files"} | ({_SPECTRA: "Spectra"} if has_spectra else {})
    axes.set_yticks(list(places), list(places.values()))
    axes.set_ylim(min(places) - 0.6, _STRIP + 0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"Time since the first record ({unit})" if by_clock else f"Test time ({unit})")
    axes.margins(x=0.01)
    axes.spines["bottom"].set_color(GREY)


def _caption(stretches: pl.DataFrame, *, by_clock: bool) -> str:
    parts = ["Where nothing is drawn, nothing was recorded. Files stand where they begin."]
    if not by_clock:
        parts = ["Not all files have a clock: they stand one after the other, without gaps."]
    if (stretches["kind"] == "not told").any():
        parts.append("Not told: neither technique nor steps nor current say what was done.")
    return " ".join(parts)


def _file_starts(stretches: pl.DataFrame, files: pl.DataFrame) -> np.ndarray:
    """Return when each file begins, s since the first record."""
    begin, _ = stretch_times(stretches)
    if stretches["start_unix_time_second"].null_count():
        first = dict.fromkeys(stretches["file_sha256"])
        names = stretches["file_sha256"].to_list()
        return np.array([begin[names.index(name)] for name in first])
    zero = float(str(stretches["start_unix_time_second"].min()))
    starts: dict[str, float] = {}
    for name, at in zip(stretches["file_sha256"], begin, strict=True):
        starts[name] = min(at, starts.get(name, at))
    for name, started in files.select("file_sha256", "started_at").iter_rows():
        if name not in starts and isinstance(started, datetime):
            starts[name] = started.replace(tzinfo=UTC).timestamp() - zero
    return np.array(sorted(starts.values()))


def _spectrum_times(stretches: pl.DataFrame, impedance: pl.DataFrame) -> np.ndarray:
    """Return when each spectrum was begun, s since the first record; none without a clock."""
    has_clock = "unix_time_second" in impedance.columns
    if impedance.is_empty() or not has_clock or stretches["start_unix_time_second"].null_count():
        return np.zeros(0)
    zero = float(str(stretches["start_unix_time_second"].min()))
    first = impedance.group_by("spectrum", maintain_order=True).agg(
        pl.col("unix_time_second").first()
    )
    return first["unix_time_second"].drop_nulls().to_numpy() - zero
