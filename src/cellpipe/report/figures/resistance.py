"""Draw figure 5: the interfacial resistance against cycle number and square root of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellpipe.numerics.impedance.growth import NO_LAW
from cellpipe.numerics.impedance.growth_laws import Shape
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.style import BLUE, ORANGE, integer_locator, make_figure
from cellpipe.report.growth_sentences import law_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Interfacial resistance"


def resistance_panel(
    growth: pl.DataFrame,
    cycles: pl.DataFrame,
    laws: pl.DataFrame | None = None,
    *,
    age_known: bool = True,
) -> Panel:
    """Draw the interfacial resistance of every spectrum with standard error and growth law.

    ``laws`` are the rows of ``resistance_growth``; without them no law is drawn. If the cell's
    age is not known, time runs from the first spectrum.
    """
    if growth.is_empty():
        return Panel("resistance", _TITLE, absent="There are no impedance spectra of this cell.")
    points = _points(growth, cycles).drop_nulls("resistance")
    if points.is_empty():
        return Panel(
            "resistance", _TITLE, absent="No spectrum gave an interfacial resistance; see the fits."
        )
    if points.height == 1:
        return Panel("resistance", _TITLE, absent="One spectrum so far; its resistance is above.")
    growth_laws = [] if laws is None else _laws(laws)
    unit = "Ω cm²" if growth["areal_interfacial_resistance_ohm_cm2"].drop_nulls().len() else "Ω"

    def draw() -> Figure:
        figure = make_figure(3.1, layout="constrained")
        axes = _make_axes(figure, points)
        for place, (column, label) in axes:
            _draw_points(place, points.drop_nulls(column), column)
            if column == "root_hours":
                _draw_laws(place, points, growth_laws)
            place.set_xlabel(label)
            place.set_ylim(*_limits(points))
        axes[0][0].set_ylabel(f"Interfacial resistance ({unit})")
        return figure

    description = f"Interfacial resistance in {unit} of {points.height} spectra"
    caption = " ".join(
        [_caption(points, age_known=age_known), *_law_sentences(growth_laws, points)]
    )
    return Panel("resistance", _TITLE, caption, description, draw)


def _laws(laws: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how the whole interfacial resistance changes, one row per state of charge."""
    said = pl.col("law").is_not_null() | pl.col("varies").is_not_null()
    return laws.filter((pl.col("arc") == "all") & said).to_dicts()


def _draw_laws(axes: Axes, points: pl.DataFrame, laws: list[dict[str, Any]]) -> None:
    """Draw each law and the 95 % band of its rate, up to the first jump if there is one."""
    for law in laws:
        of_state = points.filter(pl.col("state") == law["state"]).drop_nulls("root_hours")
        if law["first_jump_spectrum"] is not None:
            of_state = of_state.filter(pl.col("spectrum") < law["first_jump_spectrum"])
        if of_state.height < 2 or law["law"] in {None, NO_LAW, "jump"}:
            continue
        root = np.linspace(float(of_state["root_hours"][0]), float(of_state["root_hours"][-1]), 80)
        scale = float((of_state["resistance"] / of_state["ohm"]).mean() or 1.0)  # type: ignore[arg-type]
        rate, error = law["rate_ohm_per_hour_to_the_m"], law["rate_standard_error"] or 0.0
        line, rise = _law_curve(law, root**2)
        axes.plot(root, scale * line, color=ORANGE, lw=1.2, zorder=1)
        if law["law"] not in {"square root", "linear"} or rate is None:
            continue  # rate and parameter are correlated: no band of the rate alone
        half = 1.96 * error * np.abs(rise - float(rise.mean()))
        axes.fill_between(root, scale * (line - half), scale * (line + half), color=ORANGE,
                          alpha=0.25, lw=0, zorder=0)  # fmt: skip


def _law_curve(
    law: dict[str, Any], hour: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a law's resistance at each time, Ω, and what its rate or amplitude multiplies."""
    parameters = (law["time_constant_hour"], law["knee_hour"], law["law_exponent"])
    known = next((value for value in parameters if value is not None), math.nan)
    shape = Shape(law["law"], known, law["law_start_hour"] or 0.0)
    columns = shape.columns(hour)
    amounts = [law["initial_resistance_ohm"]]
    if columns.shape[1] > 1:
        first = law["amplitude_ohm"]
        amounts.append(law["rate_ohm_per_hour_to_the_m"] if first is None else first)
    if columns.shape[1] > 2:
        amounts.append(law["rate_after_knee_ohm_per_hour"] - amounts[1])
    return columns @ np.array(amounts), columns[:, -1]


def _law_sentences(laws: list[dict[str, Any]], points: pl.DataFrame) -> list[str]:
    """Return sentences that give each law, its probability, rate and first jump."""
    sentences = []
    several_states = points["state"].n_unique() > 1
    for law in laws:
        prefix = f"State {law['state']}: " if several_states else ""
        sentences.append(f"{prefix}{law_sentence(law)}")
    return sentences


def _points(growth: pl.DataFrame, cycles: pl.DataFrame) -> pl.DataFrame:
    """Return resistance and error (per area if known), cycle, and √(hours since the start)."""
    ohm = pl.col("interfacial_resistance_ohm")
    areal = pl.col("areal_interfacial_resistance_ohm_cm2")
    per_area = growth["areal_interfacial_resistance_ohm_cm2"].drop_nulls().len() > 0
    error = pl.col("interfacial_resistance_standard_error_ohm")
    hours = (pl.col("second") - pl.lit(_start_time(growth, cycles))) / 3600
    clock = pl.col("unix_time_second") if _has_clock(growth) else pl.col("test_time_second")
    return (
        growth.sort("spectrum")
        .with_columns(second=clock)
        .select(
            "spectrum",
            "identifiable",
            "state",
            ohm="interfacial_resistance_ohm",
            cycle="cycle",
            root_hours=pl.when(hours >= 0).then(hours.clip(0)).sqrt(),
            resistance=areal if per_area else ohm,
            error=pl.when(ohm > 0).then(error * areal / ohm) if per_area else error,
        )
    )


def _has_clock(growth: pl.DataFrame) -> bool:
    return growth["unix_time_second"].null_count() == 0


def _start_time(growth: pl.DataFrame, cycles: pl.DataFrame) -> float | None:
    if not _has_clock(growth):
        return 0.0
    starts = [growth["unix_time_second"].min(), cycles["start_unix_time_second"].min()]
    return min((float(str(start)) for start in starts if start is not None), default=None)


def _make_axes(figure: Figure, points: pl.DataFrame) -> list[tuple[Axes, tuple[str, str]]]:
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
        points_of, ends, _ = axes.errorbar(
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
        points_of.set_label("_interfacial resistance")
        for end in ends:
            end.set_label("_one standard error from it")
    if column == "root_hours":
        axes.set_xlim(left=0)
    else:
        last = max(float(str(points[column].max())), 1.0)
        axes.set_xlim(-0.04 * last, 1.04 * last)
        axes.xaxis.set_major_locator(integer_locator())


def _limits(points: pl.DataFrame) -> tuple[float, float]:
    """Return zero, and 1.1 times the highest value or error bar (of identifiable points only)."""
    identifiable = points.filter("identifiable")
    tops = (identifiable["resistance"] + identifiable["error"].fill_null(0)).to_list()
    top = max([*tops, *points["resistance"].to_list()])
    return 0.0, 1.1 * top if top else 1.0


def _caption(points: pl.DataFrame, *, age_known: bool) -> str:
    parts = ["Bars: one standard error of the fit; where none is seen, the mark is larger."]
    if not points["identifiable"].all():
        parts.append(
            "Hollow squares: the data does not determine every resistance in the sum; their bars"
            " may leave the axis."
        )
    if points["root_hours"].drop_nulls().len() and not age_known:
        parts.append(
            "Time runs from the file's first spectrum, however old the cell was then, so no law of"
            " growth is drawn."
        )
    elif points["root_hours"].drop_nulls().len():
        parts.append(
            "Time runs from the cell's first record. A straight line against √time points to an"
            " interphase whose growth is limited by diffusion. Orange: the law, where one describes"
            " it, with the band of 95 % of its rate if it is a square root or a straight line."
        )
    return " ".join(parts)
