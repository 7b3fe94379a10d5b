"""Draw the arcs of a spectrum in the Nyquist plot, and its relaxation times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from cellpipe.report.figures.impedance import fitted_impedance
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    is_wide,
    make_figure,
    sequence_colours,
)
from cellpipe.report.wording import format_with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Arcs and relaxation times"
_PROCESS_COLOURS = {
    "bulk": GREY, "grain boundary": BLUE, "interphase": RED, "charge transfer": ORANGE,
    "diffusion": INK, "tail": INK,
}  # fmt: skip
_STEPS = (1, 2, 5, 10)
_BEYOND_ARCS = 5.0  # times the slowest arc's time constant: up to there the axis holds the curve
_BURIED = 100.0  # times the arcs' peaks: a tail so high leaves nothing of them to be told
Arc = dict[str, Any]


def arcs_panel(
    impedance: pl.DataFrame, fits: pl.DataFrame, arcs: pl.DataFrame, times: pl.DataFrame
) -> Panel:
    """Draw the last fitted spectrum with its arcs, and relaxation times of the first and last."""
    if arcs.is_empty():
        return Panel("arcs", _TITLE, absent="No arc was fitted to a spectrum of this cell.")
    numbers = arcs["spectrum"].unique().sort().to_list()
    last, ends = numbers[-1], sorted({numbers[0], numbers[-1]})
    shown = arcs.filter(pl.col("spectrum") == last).sort("time_constant_second").to_dicts()

    def draw() -> Figure:
        figure = make_figure(3.4 if is_wide() else 6.4, layout="constrained")
        if is_wide():
            left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        else:
            left, right = figure.subplots(2, 1)
        _draw_arcs(left, _points(impedance, last), fits.filter(pl.col("spectrum") == last), shown)
        _draw_times(right, times, ends, shown)
        return figure

    names = ", ".join(
        f"{arc['process']} {_with_error(arc)} Ω ({arc['process_probability']:.0%})" for arc in shown
    )
    caption = (
        f"Left: spectrum {last} with its arcs ({names}), each where the faster ones end; equal "
        "axes. Right: distribution of relaxation times, for comparison only; dotted lines are the "
        "fitted arcs' time constants; what rises beyond the slowest arc is the tail. Names and "
        "their probabilities follow from the capacitance per area."
    )
    description = f"Arcs of spectrum {last}: {names}"
    return Panel("arcs", _TITLE, caption, description, draw)


def _with_error(arc: Arc) -> str:
    """Return an arc's resistance with its error; with ? if the data does not determine it."""
    return format_with_error(arc["resistance_ohm"], arc["resistance_standard_error_ohm"])


def _points(impedance: pl.DataFrame, number: int) -> pl.DataFrame:
    real, imaginary = pl.col("real_impedance_ohm"), pl.col("imaginary_impedance_ohm")
    usable = real.is_finite() & imaginary.is_finite() & ((real != 0) | (imaginary != 0))
    return impedance.filter((pl.col("spectrum") == number) & usable).sort("frequency_hertz")


def _complex_impedance(points: pl.DataFrame) -> np.ndarray:
    return np.asarray(
        points["real_impedance_ohm"].to_numpy() + 1j * points["imaginary_impedance_ohm"].to_numpy()
    )


def _draw_arcs(axes: Axes, points: pl.DataFrame, fit: pl.DataFrame, arcs: list[Arc]) -> None:
    frequency, z = points["frequency_hertz"].to_numpy(), _complex_impedance(points)
    fine_frequency = np.geomspace(frequency[0], frequency[-1], 240)
    resistor = fit.filter((pl.col("element") == "R0") & (pl.col("parameter") == "R"))["value"]
    start = float(resistor.sum())
    wide_frequency = np.geomspace(1e-4 * frequency[0], 1e4 * frequency[-1], 600)
    for arc in arcs:
        power = (2j * np.pi * wide_frequency * arc["time_constant_second"]) ** arc["exponent"]
        arc_impedance = arc["resistance_ohm"] / (1 + power)
        colour = _PROCESS_COLOURS[arc["process"]]
        axes.fill(start + arc_impedance.real, -arc_impedance.imag, color=colour, alpha=0.22, lw=0)
        axes.plot(
            start + arc_impedance.real,
            -arc_impedance.imag,
            color=colour,
            lw=1,
            label=arc["process"],
        )
        start += arc["resistance_ohm"]
    model = fitted_impedance(fit, fine_frequency)
    axes.plot(model.real, -model.imag, color=INK, lw=1)
    axes.plot(z.real, -z.imag, "o", ms=3.5, mfc="none", color=INK)
    _set_limits(axes, z, start)
    axes.set_aspect("equal", adjustable="box", anchor="SW")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.set_xlabel("Z′ (Ω)")
    axes.set_ylabel("−Z″ (Ω)")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)


def _set_limits(axes: Axes, z: np.ndarray, end: float) -> None:
    """Set the axes to show the arcs, and the tail up to twice the end of the arcs."""
    right = min(float(z.real.max()), 2 * end)
    right = max(right, 1.02 * end)
    inside = z[(z.real <= right) & (z.real >= 0)]
    top = float((-inside.imag).max()) if inside.size else right / 2
    bottom = min(float((-inside.imag).min()) if inside.size else 0.0, 0.0)
    axes.set_xlim(min(0.0, float(z.real.min())), 1.03 * right)
    axes.set_ylim(1.05 * bottom, 1.1 * max(top, 0.25 * right))


def _draw_times(axes: Axes, times: pl.DataFrame, ends: list[int], arcs: list[Arc]) -> None:
    slowest = max(arc["time_constant_second"] for arc in arcs)
    curves: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for number in ends:
        of = times.filter(pl.col("spectrum") == number).sort("point")
        if of.height:
            curves[number] = (
                of["time_constant_second"].to_numpy(), of["distribution_ohm"].to_numpy()
            )  # fmt: skip
    highest = max(
        [0.0, *(float(y[x <= _BEYOND_ARCS * slowest].max(initial=0)) for x, y in curves.values())]
    )
    if any(float(y.max()) > _BURIED * highest for _, y in curves.values()):
        axes.text(0.5, 0.5, "hidden by the tail", ha="center", color=GREY, transform=axes.transAxes)
    elif curves:
        for (number, (x, y)), colour in zip(
            curves.items(), sequence_colours(len(curves)), strict=True
        ):
            axes.plot(x, y, color=colour, label=f"spectrum {number}")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
        axes.set_ylim(0, 1.15 * highest if highest > 0 else None)
    for arc in arcs:
        axes.axvline(
            arc["time_constant_second"], color=_PROCESS_COLOURS[arc["process"]], ls=":", lw=1.2
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.set_xlabel("Time constant τ")
    axes.set_ylabel("γ (Ω)")
