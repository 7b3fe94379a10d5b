"""Draw symmetric cells: voltage over time, polarisation, and the test with rising currents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, GREY, ORANGE, RED, make_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DIRECTIONS = (("positive", BLUE, "o"), ("negative", ORANGE, "s"))
_WITHIN = 1.3  # of the largest sound overpotential, which the polarisation's axis shows
_MARKED = "Red: the first record that shows a short; shaded: while the cell is shorted."


def trace_panel(
    trace: pl.DataFrame, halves: pl.DataFrame, shorts: pl.DataFrame, area_cm2: float | None
) -> Panel:
    """Draw voltage and current of a symmetric cell's whole life, with its short circuits."""
    key, title = "trace", "Stripping and plating: voltage"
    if trace.is_empty():
        return Panel(key, title, absent="There are no half cycles of constant current.")
    factor, unit = (1e3, "Current (mA)") if area_cm2 is None else (
        1e3 / area_cm2, "Current density\n(mA/cm²)"
    )  # fmt: skip

    def draw() -> Figure:
        figure = make_figure(3.6, layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        hour = trace["hour"].to_numpy()
        above.plot(hour, 1e3 * trace["voltage_volt"].to_numpy(), "-", lw=0.6, color=BLUE)
        below.step(hour, factor * trace["current_ampere"].to_numpy(), "-", lw=0.8, color=GREY)
        for axes in (above, below):
            _mark_shorts(axes, shorts, float(hour[-1]))
        above.set_ylabel("Voltage (mV)")
        below.set_ylabel(unit)
        below.set_xlabel("Time (h)")
        return figure

    caption = (
        "Lowest and highest voltage of each short time, as measured." if trace.height > 2000
        else "Every record."
    )  # fmt: skip
    if shorts.height:
        caption += f" {_MARKED}"
    return Panel(key, title, caption, f"Voltage of {halves.height} half cycles over time", draw)


def _mark_shorts(axes: Axes, shorts: pl.DataFrame, last: float) -> None:
    for begin, end in shorts.select("start_hour", "end_hour").iter_rows():
        axes.axvline(begin, color=RED, lw=1.0, zorder=3)
        axes.axvspan(begin, last if end is None else end, color=RED, alpha=0.08, lw=0, zorder=0)


def polarisation_panel(halves: pl.DataFrame, shorts: pl.DataFrame) -> Panel:
    """Draw the polarisation per area of each half cycle over time and cumulative charge."""
    key, title = "polarisation", "Polarisation of each half cycle"
    if halves.is_empty():
        return Panel(key, title, absent="There are no half cycles of constant current.")
    areal = halves["polarisation_ohm_cm2"].null_count() == 0
    value, unit = ("polarisation_ohm_cm2", "Ω cm²") if areal else ("polarisation_ohm", "Ω")
    charge = "cumulative_areal_charge_mah_per_cm2" if areal else "cumulative_charge_ah"
    across = (
        ("start_hour", 1.0, "Time (h)"),
        (charge, 1.0 if areal else 1e3, f"Cumulative charge ({'mAh/cm²' if areal else 'mAh'})"),
    )

    def draw() -> Figure:
        figure = make_figure(2.9, layout="constrained")
        for axes, (column, factor, label) in zip(
            figure.subplots(1, 2, sharey=True), across, strict=True
        ):
            for direction, colour, shape in _DIRECTIONS:
                for state, fill in (("sound", colour), ("", "white")):
                    is_sound = pl.col("state") == "sound"
                    rows = halves.filter(
                        pl.col("direction") == direction, is_sound if state else ~is_sound
                    )
                    axes.plot(factor * rows[column].to_numpy(), rows[value].to_numpy(), shape,
                              ms=3.5, color=colour, mfc=fill,
                              label=f"{direction} current" if state else "_shorted")  # fmt: skip
            if column == "start_hour":
                _mark_shorts(axes, shorts, float(halves[column].max()))  # type: ignore[arg-type]
            axes.set_xlabel(label)
            axes.set_ylim(min(0.0, *_limits(halves, value)), _limits(halves, value)[1])
        figure.axes[0].set_ylabel(f"Polarisation ({unit})")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2)
        return figure

    why = "" if areal else " The cell sheet gives no area, so it is not per area."
    caption = (
        "Mean overpotential over current, of both electrodes and the electrolyte together; both "
        f"directions of the charge added up.{why}"
    )
    if shorts.height:
        caption += " Open symbols: the cell is shorted."
    return Panel(key, title, caption, f"Polarisation of {halves.height} half cycles", draw)


def _limits(halves: pl.DataFrame, value: str) -> tuple[float, float]:
    """Return lowest and highest polarisation, with room above."""
    values = halves[value].to_numpy()
    low, high = float(values.min()), float(values.max())
    return min(low, 0.0), high + 0.08 * max(high - min(low, 0.0), 1e-12)


def critical_panel(halves: pl.DataFrame, critical: pl.DataFrame, shorts: pl.DataFrame) -> Panel:
    """Draw the test with rising currents: current over time, and overpotential over current."""
    key, title = "critical", "Critical current density"
    row = critical.row(0, named=True) if critical.height else {"levels": 0}
    if not row["levels"]:
        return Panel(key, title, absent="There was no test with a current that rises step by step.")
    inside = pl.col("start_hour").is_between(row["start_hour"] - 1e-9, row["end_hour"])
    rows = halves.filter(inside)
    areal = rows["current_density_ma_per_cm2"].null_count() == 0
    current = (
        rows["current_density_ma_per_cm2"] if areal else 1e3 * rows["current_ampere"]
    ).to_numpy()  # fmt: skip
    label = "Current density (mA/cm²)" if areal else "Current (mA)"
    ends = ("critical_current_density_ma_per_cm2", "shorted_current_density_ma_per_cm2") if (
        areal
    ) else ("held_ampere", "shorted_ampere")  # fmt: skip
    held, shorted = (None if row[e] is None else row[e] * (1 if areal else 1e3) for e in ends)

    def draw() -> Figure:
        figure = make_figure(2.9, layout="constrained")
        left, right = figure.subplots(1, 2)
        hour = rows["start_hour"].to_numpy()
        stop = hour + rows["duration_second"].to_numpy() / 3600
        left.hlines(current, hour, stop, color=BLUE, lw=2)
        _mark_shorts(left, shorts, float(stop[-1]))
        left.set_xlabel("Time (h)")
        left.set_ylabel(label)
        left.set_ylim(bottom=0)
        size = rows["mean_overpotential_mv"].to_numpy()
        for direction, colour, shape in _DIRECTIONS:
            for is_sound in (True, False):
                chosen = ((rows["direction"] == direction) & (
                    (rows["state"] == "sound") == is_sound
                )).to_numpy()  # fmt: skip
                right.plot(current[chosen], size[chosen], shape, ms=4, color=colour,
                           mfc=colour if is_sound else "white",
                           label=f"{direction} current" if is_sound else "_shorted")  # fmt: skip
        if held is not None:
            right.axvline(held, color=GREY, lw=1, ls="--", label="largest that was held")
        if shorted is not None:
            right.axvline(shorted, color=RED, lw=1, label="shorted")
        right.set_xlabel(label)
        right.set_ylabel("Mean overpotential (mV)")
        right.set_xlim(left=0)
        right.set_ylim(bottom=min(0.0, float(np.min(size))))
        figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", ncols=4)
        return figure

    caption = (
        f"{row['levels']} rising currents. A healthy cell's overpotential rises with the current; "
        "where it falls, the cell is shorted (open symbols)."
    )
    return Panel(key, title, caption, "Current over time, and overpotential over current", draw)
