"""Draw figure 4: impedance spectra with their fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from cellpipe.report.figures.choice import sample_evenly
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import GREY, SHAPES, add_legend, make_figure, sequence_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Impedance spectra"
_LOWER = 2.0  # inches
_STEPS = (1, 2, 5, 10)
_OVER_ARCS = 2.0  # how far a plot goes along a tail: times the real part where the arcs end
_LONG_TAIL = 3.0  # times that, from which on a tail would hide the arcs


@dataclass(frozen=True)
class _Spectrum:
    label: str
    frequency: np.ndarray
    measured: np.ndarray
    fitted: np.ndarray | None
    fine: np.ndarray | None
    arcs_end_ohm: float | None = None


def impedance_panel(impedance: pl.DataFrame, fits: pl.DataFrame, growth: pl.DataFrame) -> Panel:
    """Draw at most six spectra with their fits on equal axes.

    The residuals are drawn below; magnitude and phase if no circuit was fitted.
    """
    numbers = sorted(impedance["spectrum"].unique().to_list())
    if not numbers:
        return Panel("nyquist", _TITLE, absent="There are no impedance spectra of this cell.")
    cycles = dict(growth.select("spectrum", "cycle").iter_rows())
    shown = [
        _build_spectrum(n, cycles.get(n), impedance, fits) for n in sample_evenly(numbers, head=1)
    ]

    def draw() -> Figure:
        upper = _nyquist_height(shown)
        figure = make_figure(upper + _LOWER, layout="constrained")
        rows = figure.add_gridspec(2, 2, height_ratios=(upper, _LOWER))
        _draw_nyquist(figure.add_subplot(rows[0, :]), shown)
        if any(spectrum.fitted is not None for spectrum in shown):
            left = figure.add_subplot(rows[1, 0])
            _draw_residuals(left, figure.add_subplot(rows[1, 1], sharey=left), shown)
        else:
            _draw_magnitude(figure.add_subplot(rows[1, 0]), shown)
            _draw_phase(figure.add_subplot(rows[1, 1]), shown)
        _draw_legend(figure, shown)
        return figure

    description = "Nyquist plot of " + ", ".join(spectrum.label for spectrum in shown)
    caption = _caption(len(numbers), shown, fits)
    return Panel("nyquist", _TITLE, caption, description, draw)


def _build_spectrum(
    number: int, cycle: int | None, impedance: pl.DataFrame, fits: pl.DataFrame
) -> _Spectrum:
    points = impedance.filter(pl.col("spectrum") == number).sort("frequency_hertz")
    frequency = points["frequency_hertz"].to_numpy()
    real, imaginary = points["real_impedance_ohm"], points["imaginary_impedance_ohm"]
    label = f"spectrum {number}" if cycle is None else f"spectrum {number}, cycle {cycle}"
    fit = fits.filter(pl.col("spectrum") == number)
    measured = real.to_numpy() + 1j * imaginary.to_numpy()
    if fit.is_empty():
        return _Spectrum(label, frequency, measured, None, None)
    fine = np.geomspace(frequency[0], frequency[-1], 200)
    return _Spectrum(
        label,
        frequency,
        measured,
        fitted_impedance(fit, frequency),
        fitted_impedance(fit, fine),
        _resistances_ohm(fit),
    )


def _resistances_ohm(fit: pl.DataFrame) -> float:
    """Return the sum of the resistances of one spectrum's rows of ``circuit_fits``, in ohm."""
    return float(fit.filter(pl.col("parameter") == "R")["value"].sum())


def fitted_impedance(fit: pl.DataFrame, frequency_hertz: np.ndarray) -> np.ndarray:
    """Return the impedance of one spectrum's rows of ``circuit_fits``: complex, in ohm."""
    from cellpipe.numerics.impedance.circuits import circuit_impedance

    values = {(e, p): v for e, p, v in fit.select("element", "parameter", "value").iter_rows()}
    return np.asarray(circuit_impedance(fit["circuit"][0], values, frequency_hertz))


def _extent(shown: list[_Spectrum]) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of the Nyquist plot in ohm, with a margin."""
    real = np.concatenate([spectrum.measured.real for spectrum in shown])
    upwards = -np.concatenate([spectrum.measured.imag for spectrum in shown])
    left, right = min(float(real.min()), 0.0), float(real.max())
    bottom, top = min(float(upwards.min()), 0.0), max(float(upwards.max()), 0.0)
    if _hides_arcs(shown):
        end = _OVER_ARCS * max(spectrum.arcs_end_ohm or 0.0 for spectrum in shown)
        right, top = min(right, end), min(top, end)
    margin = 0.04 * max(right - left, top - bottom, 1e-12)
    return left - margin, right + margin, bottom - margin, top + margin


def _hides_arcs(shown: list[_Spectrum]) -> bool:
    """Return whether the tails are so long that nothing of the arcs could be seen."""
    ends = [spectrum.arcs_end_ohm for spectrum in shown]
    if not all(ends):
        return False
    longest = max(float(np.abs(spectrum.measured).max()) for spectrum in shown)
    return longest > _LONG_TAIL * max(end for end in ends if end)


def _nyquist_height(shown: list[_Spectrum]) -> float:
    """Return the height at which equal axes fill the figure's width, 1.6 to 4.4 inches."""
    left, right, bottom, top = _extent(shown)
    return float(np.clip(4.6 * (top - bottom) / (right - left) + 0.6, 1.6, 4.4))


def _draw_nyquist(axes: Axes, shown: list[_Spectrum]) -> None:
    for spectrum, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
        axes.plot(
            spectrum.measured.real, -spectrum.measured.imag, shape, ms=4, mfc="none", color=colour,
            label=f"_{spectrum.label}",
        )  # fmt: skip
        if spectrum.fine is not None:
            axes.plot(spectrum.fine.real, -spectrum.fine.imag, "-", lw=1, color=colour,
                      label=f"_{spectrum.label}, fit")  # fmt: skip
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    left, right, bottom, top = _extent(shown)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal", adjustable="box", anchor="W")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.set_xlabel("Z′ (Ω)")
    axes.set_ylabel("−Z″ (Ω)")


def _draw_residuals(left: Axes, right: Axes, shown: list[_Spectrum]) -> None:
    sizes = []
    for spectrum, colour in zip(shown, sequence_colours(len(shown)), strict=True):
        if spectrum.fitted is None:
            continue
        residual = 100 * (spectrum.measured - spectrum.fitted) / np.abs(spectrum.measured)
        for axes, part in ((left, residual.real), (right, residual.imag)):
            axes.plot(spectrum.frequency, part, "-", lw=0.9, color=colour,
                      label=f"_{spectrum.label}")  # fmt: skip
        sizes += [np.abs(residual.real), np.abs(residual.imag)]
    limit = max(1.25 * float(np.quantile(np.concatenate(sizes), 0.99)), 0.5)
    left.set_ylim(-limit, limit)
    left.set_ylabel("Residual / |Z| (%)")
    right.tick_params(labelleft=False)
    for axes, part in ((left, "real part"), (right, "imaginary part")):
        axes.set_title(part)
        axes.axhline(0, color=GREY, lw=0.8, zorder=0)
        set_frequency_axis(axes)


def _draw_magnitude(axes: Axes, shown: list[_Spectrum]) -> None:
    for spectrum, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
        magnitude = np.abs(spectrum.measured)
        axes.plot(spectrum.frequency, magnitude, shape, ms=3, mfc="none", color=colour)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("|Z| (Ω)")
    set_frequency_axis(axes)


def _draw_phase(axes: Axes, shown: list[_Spectrum]) -> None:
    for spectrum, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
        phase = -np.degrees(np.angle(spectrum.measured))
        axes.plot(spectrum.frequency, phase, shape, ms=3, mfc="none", color=colour)
    axes.set_ylabel("−Phase (°)")
    set_frequency_axis(axes)


def set_frequency_axis(axes: Axes) -> None:
    """Set scale, ticks and label of a frequency axis."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.set_xlabel("Frequency (Hz)")


def _draw_legend(figure: Figure, shown: list[_Spectrum]) -> None:
    colours = sequence_colours(len(shown))
    with_fit = any(spectrum.fine is not None for spectrum in shown)
    handles = [
        Line2D(
            [], [], ls="-" if with_fit else "", lw=1, marker=shape, mfc="none", color=colour,
            label=spectrum.label,
        )
        for spectrum, colour, shape in zip(shown, colours, SHAPES, strict=False)
    ]  # fmt: skip
    add_legend(figure, handles)


def _caption(spectra: int, shown: list[_Spectrum], fits: pl.DataFrame) -> str:
    subset = f"{len(shown)} of {spectra} spectra. " if spectra > len(shown) else ""
    circuits = fits["circuit"].unique().sort().to_list()
    if not circuits:
        return f"{subset}Equal axes. No circuit was fitted; below, magnitude and phase."
    names = ", ".join(circuits)
    longest = max(float(np.abs(spectrum.measured).max()) for spectrum in shown)
    cut = f" Above, the tail is cut: it goes on to {longest:.3g} Ω." if _hides_arcs(shown) else ""
    return (
        f"{subset}Points: measured, lines: fit of {names}, equal axes.{cut} Below: measured minus "
        "fitted relative to |Z|; the axis holds 99 % of the residuals."
    )
