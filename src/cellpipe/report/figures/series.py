"""Draw the series of a cell's spectra: a Bode plot with fits, and a waterfall plot."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from cellpipe.report.figures.choice import sample_evenly
from cellpipe.report.figures.impedance import fitted_impedance, set_frequency_axis
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import SHAPES, make_figure, sequence_colours

_MOST = 40
_LIFT = 0.35  # fraction of the highest −Z″ between two spectra


def bode_panel(impedance: pl.DataFrame, fits: pl.DataFrame) -> Panel:
    """Draw magnitude and phase of at most six spectra with their fits."""
    title = "Bode plot"
    numbers = impedance["spectrum"].unique().sort().to_list()
    if not numbers:
        return Panel("bode", title, absent="There are no impedance spectra.")
    shown = sample_evenly(numbers, head=1)

    def draw() -> Figure:
        figure = make_figure(2.9, layout="constrained")
        left, right = figure.subplots(1, 2)
        for number, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
            frequency, z, model = _spectrum(impedance, fits, number)
            for axes, view in ((left, np.abs), (right, _phase)):
                axes.plot(frequency, view(z), shape, ms=3, mfc="none", color=colour,
                          label=f"spectrum {number}")  # fmt: skip
                if model is not None:
                    axes.plot(frequency, view(model), "-", lw=1, color=colour)
        left.set_yscale("log")
        left.yaxis.set_major_formatter(EngFormatter())
        left.yaxis.set_minor_formatter(NullFormatter())
        left.set_ylabel("|Z| (Ω)")
        right.set_ylabel("−Phase (°)")
        for axes in (left, right):
            set_frequency_axis(axes)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper")
        return figure

    subset = f"{len(shown)} of {len(numbers)} spectra. " if len(numbers) > len(shown) else ""
    caption = f"{subset}Points: measured, lines: fit."
    return Panel("bode", title, caption, "Bode plot of the spectra", draw)


def waterfall_panel(impedance: pl.DataFrame, fits: pl.DataFrame) -> Panel:
    """Draw −Z″ of at most 40 spectra against frequency, each above the one before."""
    title = "Waterfall"
    numbers = impedance["spectrum"].unique().sort().to_list()
    if len(numbers) < 2:
        return Panel("waterfall", title, absent="There is only one spectrum.")
    shown = sample_evenly(numbers, most=_MOST, head=1)
    lift = _LIFT * _height(impedance)

    def draw() -> Figure:
        figure = make_figure(4.2, layout="constrained")
        axes = figure.subplots()
        for index, (number, colour) in enumerate(
            zip(shown, sequence_colours(len(shown)), strict=True)
        ):
            frequency, z, model = _spectrum(impedance, fits, number)
            axes.plot(frequency, index * lift - z.imag, ".", ms=2.5, color=colour)
            line = z if model is None else model
            axes.plot(frequency, index * lift - line.imag, "-", lw=0.9, color=colour)
        set_frequency_axis(axes)
        axes.set_ylabel("−Z″ (Ω), each spectrum lifted")
        axes.annotate(f"spectrum {shown[0]}", (1.01, 0.02), xycoords="axes fraction", fontsize=8)
        axes.annotate(f"spectrum {shown[-1]}", (1.01, 0.95), xycoords="axes fraction", fontsize=8)
        return figure

    caption = (
        f"Each of {len(shown)} spectra is lifted by {lift:.3g} Ω. Points: measured, lines: fit."
    )
    return Panel("waterfall", title, caption, "Waterfall of the spectra", draw)


def _height(impedance: pl.DataFrame) -> float:
    """Return the largest −Z″ above 1 Hz, where arcs are; of all frequencies if none is above."""
    fast = impedance.filter(pl.col("frequency_hertz") > 1)
    part = fast if fast.height else impedance
    return max(float(str((-part["imaginary_impedance_ohm"]).max())), 1e-9)


def _spectrum(
    impedance: pl.DataFrame, fits: pl.DataFrame, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    points = impedance.filter(pl.col("spectrum") == number).sort("frequency_hertz")
    z = points["real_impedance_ohm"].to_numpy() + 1j * points["imaginary_impedance_ohm"].to_numpy()
    fit = fits.filter(pl.col("spectrum") == number)
    frequency = points["frequency_hertz"].to_numpy()
    return frequency, z, None if fit.is_empty() else fitted_impedance(fit, frequency)


def _phase(z: np.ndarray) -> np.ndarray:
    return np.asarray(-np.degrees(np.angle(z)))
