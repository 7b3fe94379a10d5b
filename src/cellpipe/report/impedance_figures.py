"""Figures 4 and 5: spectra with their fits, and the interfacial resistance over the cell's life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellpipe.report.choice import spread
from cellpipe.report.panel import Panel, svg
from cellpipe.report.style import GREY, SHAPES, WIDTH, sequence_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Impedance spectra"


@dataclass(frozen=True)
class _Spectrum:
    label: str
    frequency: np.ndarray
    measured: np.ndarray
    fitted: np.ndarray | None
    fine: np.ndarray | None


def impedance_panel(impedance: pl.DataFrame, fits: pl.DataFrame, growth: pl.DataFrame) -> Panel:
    """Draw at most six spectra with their fits on equal axes, and the residuals below."""
    numbers = sorted(impedance["spectrum"].unique().to_list())
    if not numbers:
        return Panel("nyquist", _TITLE, absent="There are no impedance spectra of this cell.")
    cycles = dict(growth.select("spectrum", "cycle").iter_rows())
    shown = [_spectrum(n, cycles.get(n), impedance, fits) for n in spread(numbers, head=1)]

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(1.9, 1))
        _draw_nyquist(above, shown)
        if any(spectrum.fitted is not None for spectrum in shown):
            _draw_residuals(below, shown)
        else:
            _draw_bode(below, shown)
        below.set_xlabel("Frequency (Hz)")
        _legend(figure, shown)
        return figure

    description = "Nyquist plot of " + ", ".join(spectrum.label for spectrum in shown)
    caption = _caption(len(numbers), shown, fits)
    return Panel("nyquist", _TITLE, caption, svg("nyquist", description, draw))


def _spectrum(
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
        label, frequency, measured, fitted_impedance(fit, frequency), fitted_impedance(fit, fine)
    )


def fitted_impedance(fit: pl.DataFrame, frequency_hertz: np.ndarray) -> np.ndarray:
    """Evaluate one spectrum's rows of ``circuit_fits``; complex, in ohm."""
    from cellpipe.numerics.circuits import impedance

    values = {(e, p): v for e, p, v in fit.select("element", "parameter", "value").iter_rows()}
    return np.asarray(impedance(fit["circuit"][0], values, frequency_hertz))


def _draw_nyquist(axes: Axes, shown: list[_Spectrum]) -> None:
    for spectrum, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
        axes.plot(
            spectrum.measured.real, -spectrum.measured.imag, shape, ms=4, mfc="none", color=colour
        )
        if spectrum.fine is not None:
            axes.plot(spectrum.fine.real, -spectrum.fine.imag, "-", lw=1, color=colour)
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("Z′ (Ω)")
    axes.set_ylabel("−Z″ (Ω)")


def _draw_residuals(axes: Axes, shown: list[_Spectrum]) -> None:
    sizes = []
    for spectrum, colour in zip(shown, sequence_colours(len(shown)), strict=True):
        if spectrum.fitted is None:
            continue
        residual = 100 * (spectrum.measured - spectrum.fitted) / np.abs(spectrum.measured)
        axes.semilogx(spectrum.frequency, residual.real, "-", lw=0.9, color=colour)
        axes.semilogx(spectrum.frequency, residual.imag, ":", lw=1.1, color=colour)
        sizes += [np.abs(residual.real), np.abs(residual.imag)]
    limit = max(1.25 * float(np.quantile(np.concatenate(sizes), 0.99)), 0.5)
    axes.set_ylim(-limit, limit)
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    axes.set_ylabel("Residual / |Z| (%)")


def _draw_bode(axes: Axes, shown: list[_Spectrum]) -> None:
    for spectrum, colour, shape in zip(shown, sequence_colours(len(shown)), SHAPES, strict=False):
        axes.loglog(
            spectrum.frequency, np.abs(spectrum.measured), shape, ms=4, mfc="none", color=colour
        )
    axes.set_ylabel("|Z| (Ω)")


def _legend(figure: Figure, shown: list[_Spectrum]) -> None:
    colours = sequence_colours(len(shown))
    handles = [
        Line2D([], [], ls="", marker=shape, mfc="none", color=colour, label=spectrum.label)
        for spectrum, colour, shape in zip(shown, colours, SHAPES, strict=False)
    ]
    if any(spectrum.fine is not None for spectrum in shown):
        handles += [
            Line2D([], [], color=GREY, label="fit; residual, real"),
            Line2D([], [], color=GREY, ls=":", label="residual, imaginary"),
        ]
    figure.legend(handles=handles, loc="outside right upper")


def _caption(spectra: int, shown: list[_Spectrum], fits: pl.DataFrame) -> str:
    some = f"{len(shown)} of {spectra} spectra. " if spectra > len(shown) else ""
    circuits = fits["circuit"].unique().sort().to_list()
    if not circuits:
        return f"{some}Equal axes. No circuit was fitted; below, the magnitude."
    named = ", ".join(circuits)
    return (
        f"{some}Points: measured, lines: fit of {named}, equal axes. Below: measured minus fitted"
        " relative to |Z|; the axis holds 99 % of the residuals."
    )
