"""Figure 5: the interfacial resistance against the cycle number and the root of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure

from cellpipe.report.panel import Panel, svg
from cellpipe.report.style import BLUE, WIDTH, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Interfacial resistance"


def resistance_panel(growth: pl.DataFrame, cycles: pl.DataFrame) -> Panel:
    """Draw the interfacial resistance of every spectrum with its standard error."""
    if growth.is_empty():
        return Panel("resistance", _TITLE, absent="There are no impedance spectra of this cell.")
    points = _points(growth, cycles).drop_nulls("resistance")
    if points.is_empty():
        return Panel(
            "resistance", _TITLE, absent="No spectrum gave an interfacial resistance; see the fits."
        )
    unit = "Ω cm²" if growth["areal_interfacial_resistance_ohm_cm2"].drop_nulls().len() else "Ω"

    def draw() -> Figure:
        figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
        axes = _axes_with_data(figure, points)
        for place, (column, label) in axes:
            _draw_points(place, points.drop_nulls(column), column)
            place.set_xlabel(label)
            place.set_ylim(*_limits(points))
        axes[0][0].set_ylabel(f"Interfacial resistance ({unit})")
        return figure

    description = f"Interfacial resistance in {unit} of {points.height} spectra"
    return Panel("resistance", _TITLE, _caption(points), svg("resistance", description, draw))


def _points(growth: pl.DataFrame, cycles: pl.DataFrame) -> pl.DataFrame:
    """Resistance and error per area where there is one, cycle, and √(hours since the start)."""
    ohm = pl.col("interfacial_resistance_ohm")
    areal = pl.col("areal_interfacial_resistance_ohm_cm2")
    per_area = growth["areal_interfacial_resistance_ohm_cm2"].drop_nulls().len() > 0
    error = pl.col("interfacial_resistance_standard_error_ohm")
    hours = (pl.col("second") - pl.lit(_start(growth, cycles))) / 3600
    clock = pl.col("unix_time_second") if _has_clock(growth) else pl.col("test_time_second")
    return (
        growth.sort("spectrum")
        .with_columns(second=clock)
        .select(
            "spectrum",
            "identifiable",
            cycle="cycle",
            root_hours=pl.when(hours >= 0).then(hours.clip(0)).sqrt(),
            resistance=areal if per_area else ohm,
            error=pl.when(ohm > 0).then(error * areal / ohm) if per_area else error,
        )
    )


def _has_clock(growth: pl.DataFrame) -> bool:
    return growth["unix_time_second"].null_count() == 0


def _start(growth: pl.DataFrame, cycles: pl.DataFrame) -> float | None:
    if not _has_clock(growth):
        return 0.0
    starts = [growth["unix_time_second"].min(), cycles["start_unix_time_second"].min()]
    return min((float(str(start)) for start in starts if start is not None), default=None)


def _axes_with_data(figure: Figure, points: pl.DataFrame) -> list[tuple[Axes, tuple[str, str]]]:
    columns = [("cycle", "Cycles begun"), ("root_hours", "√(time / h)")]
    filled = [pair for pair in columns if points[pair[0]].drop_nulls().len()]
    filled = filled or [("spectrum", "Spectrum")]
    places = figure.subplots(1, len(filled), sharey=True, squeeze=False)[0]
    return list(zip(places, filled, strict=True))


def _draw_points(axes: Axes, points: pl.DataFrame, column: str) -> None:
    for identifiable, fill in ((True, BLUE), (False, "white")):
        part = points.filter(pl.col("identifiable") == identifiable)
        if part.is_empty():
            continue
        error = part["error"].fill_null(0).to_numpy()
        axes.errorbar(
            part[column].to_numpy(),
            part["resistance"].to_numpy(),
            error,
            fmt="o" if identifiable else "s",
            ms=4.5,
            lw=0.9,
            capsize=2,
            color=BLUE,
            mfc=fill,
        )
    if column == "root_hours":
        axes.set_xlim(left=0)
    else:
        last = max(float(str(points[column].max())), 1.0)
        axes.set_xlim(-0.04 * last, 1.04 * last)
        axes.xaxis.set_major_locator(whole_numbers())


def _limits(points: pl.DataFrame) -> tuple[float, float]:
    """From zero to the highest value and the highest error bar of what is identifiable."""
    sure = points.filter("identifiable")
    tops = (sure["resistance"] + sure["error"].fill_null(0)).to_list()
    top = max([*tops, *points["resistance"].to_list()])
    return 0.0, 1.1 * top if top else 1.0


def _caption(points: pl.DataFrame) -> str:
    parts = ["Bars: one standard error of the fit; where none is seen, the mark is larger."]
    if not points["identifiable"].all():
        parts.append(
            "Hollow squares: the data does not determine every resistance in the sum; their bars"
            " may leave the axis."
        )
    if points["root_hours"].drop_nulls().len():
        parts.append(
            "Time runs from the cell's first record. A straight line against √time points to an"
            " interphase whose growth is limited by diffusion."
        )
    return " ".join(parts)
