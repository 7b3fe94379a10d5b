"""Native charts of the workbook: they read the sheets, so they follow what is changed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from cellpipe.report.excel.data_sheets import FITTED_REAL, FITTED_UPWARDS, REAL, UPWARDS
from cellpipe.report.excel.sheets import TEXT, Book, SheetLayout
from cellpipe.report.figures.choice import sample_evenly
from cellpipe.report.figures.style import BLUE, GREY, ORANGE, RED, sequence_colours
from cellpipe.report.wording import KindWords

_WIDTH, _HEIGHT = 620, 380
_SHAPES = ("circle", "square", "triangle", "diamond", "x", "plus")
_AXIS = {
    "num_font": {"size": 9},
    "name_font": {"size": 10, "bold": False},
    "major_gridlines": {"visible": True, "line": {"color": "#E5E5E5"}},
}
Chart = tuple[Any, str] | str | None  # with its description; or why there is none


def _just_make(_: str, make: Callable[[], Chart], __: Callable[[str], Chart]) -> Chart:
    return make()


def insert_charts(
    book: Book,
    layouts: Mapping[str, SheetLayout],
    tables: Mapping[str, pl.DataFrame],
    words: KindWords,
    attempt: Callable[[str, Callable[[], Chart], Callable[[str], Chart]], Chart] = _just_make,
) -> None:
    """Insert the charts for which there is data beside the summary; ``layouts`` are by sheet.

    ``attempt(name, make, instead)`` makes a chart, or gives the sentence that stands in its place.
    """
    sheet = book.workbook.get_worksheet_by_name("Summary")
    makers: dict[str, Callable[[], Chart]] = {
        "Capacity and Coulombic efficiency": lambda: (
            _cycling_chart(book, layouts["Cycles"], tables["cycles"], words)
            if "Cycles" in layouts
            else None
        ),
        "Nyquist plot": lambda: _nyquist_chart(book, layouts["EIS"], tables["impedance"]),
        "Interfacial resistance": lambda: _resistance_chart(
            book, layouts["Resistance"], tables["interfacial_resistance"]
        ),
    }
    row = 0
    for name, make in makers.items():
        made = attempt(f"The chart '{name}'", make, str)
        if isinstance(made, str):
            sheet.write_string(row, 5, made, book.style(TEXT, "soft"))
            row += 2
        elif made is not None:
            chart, description = made
            chart.set_size({"width": _WIDTH, "height": _HEIGHT})
            sheet.insert_chart(row, 5, chart, {"description": description, "object_position": 3})
            row += 19


def _marker_format(shape: str, colour: str, size: int = 5) -> dict[str, Any]:
    return {
        "marker": {
            "type": shape, "size": size, "border": {"color": colour}, "fill": {"color": colour},
        },
        "line": {"none": True},
    }  # fmt: skip


def _cycling_chart(
    book: Book, layout: SheetLayout, cycles: pl.DataFrame, words: KindWords
) -> tuple[Any, str] | None:
    if cycles.is_empty():
        return None
    specific = cycles["specific_discharging_capacity_mah_per_g"].drop_nulls().len() > 0
    name, unit = (
        ("specific_{}_capacity_mah_per_g", "mAh/g") if specific else ("{}_capacity_ah", "mAh")
    )
    rows = (1, cycles.height)
    chart = book.workbook.add_chart({"type": "scatter"})
    halves = (
        ("charging", words.charge, ("x", ORANGE, 6)),
        ("discharging", words.discharge, ("circle", BLUE, 4)),
    )
    for word, shown, marker in halves:
        points = layout.chart_series("cycle", name.format(word), rows)
        look = {**_marker_format(*marker), **_open_points(cycles)}
        chart.add_series({**points, "name": shown, **look})
    chart.set_title({"name": "Capacity and Coulombic efficiency", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "Cycle", "min": 0, **_AXIS})
    chart.set_y_axis({"name": f"Capacity ({unit})", "min": 0, **_AXIS})
    efficiency = cycles["coulombic_efficiency"].drop_nulls().to_numpy()
    if efficiency.size:
        points = layout.chart_series("cycle", "coulombic_efficiency", rows)
        look = _marker_format("diamond", RED)
        chart.add_series({**points, "name": "Coulombic efficiency", "y2_axis": True, **look})
        low = np.floor(20 * min(float(np.quantile(efficiency, 0.05)), 0.95)) / 20
        right = {"name": "Coulombic efficiency", "min": float(low), "max": 1.05, "num_format": "0%"}
        chart.set_y2_axis({**right, "num_font": {"size": 9}, "name_font": {"bold": False}})
    chart.set_legend({"position": "bottom"})
    return chart, "Capacity and Coulombic efficiency against the cycle number"


def _open_points(cycles: pl.DataFrame) -> dict[str, Any]:
    """Return the format of points by which cycles that are not complete are open and grey."""
    complete = cycles.sort("cycle")["complete"].to_list()
    if all(complete):
        return {}
    look = {"border": {"color": GREY}, "fill": {"none": True}}
    return {"points": [None if whole else look for whole in complete]}


def _nyquist_chart(
    book: Book, layout: SheetLayout, impedance: pl.DataFrame
) -> tuple[Any, str] | None:
    """Draw at most six spectra; plot area and axes are set so that an ohm is as long on both."""
    numbers = sorted(impedance["spectrum"].unique().to_list())
    if not numbers:
        return None
    shown = sample_evenly(numbers, head=1)
    heights = dict(impedance.group_by("spectrum").len().iter_rows())
    starts = dict(
        zip(numbers, np.cumsum([1, *(heights[n] for n in numbers)]).tolist(), strict=False)
    )
    chart = book.workbook.add_chart({"type": "scatter"})
    for number, shape, colour in zip(shown, _SHAPES, sequence_colours(len(shown)), strict=False):
        rows = (starts[number], starts[number] + heights[number] - 1)
        points = layout.chart_series(REAL, UPWARDS, rows)
        chart.add_series({**points, "name": f"spectrum {number}", **_marker_format(shape, colour)})
    for number, colour in zip(shown, sequence_colours(len(shown)), strict=True):
        rows = (starts[number], starts[number] + heights[number] - 1)
        line = {"line": {"color": colour, "width": 1.25}, "marker": {"type": "none"}}
        points = layout.chart_series(FITTED_REAL, FITTED_UPWARDS, rows)
        chart.add_series({**points, "name": "fit", **line})
    chart.set_title({"name": "Nyquist plot; lines: fit", "name_font": {"size": 12}})
    _set_equal_axes(chart, impedance.filter(pl.col("spectrum").is_in(shown)))
    fits = list(range(len(shown), 2 * len(shown)))
    chart.set_legend({"position": "bottom", "delete_series": fits})
    return chart, "Nyquist plot of the impedance spectra"


def _set_equal_axes(chart: Any, points: pl.DataFrame) -> None:
    real, upwards = points["real_impedance_ohm"], -points["imaginary_impedance_ohm"]
    width, height = 0.84 * _WIDTH, 0.66 * _HEIGHT
    lowest = min(float(str(upwards.min())), 0.0)
    need_x = float(str(real.max())) - min(float(str(real.min())), 0.0)
    need_y = float(str(upwards.max())) - lowest
    step = _round_step(max(need_x / 8, need_y / 5))
    left = step * np.floor(min(float(str(real.min())), 0.0) / step)
    bottom = step * np.floor(lowest / step)
    across, up = np.ceil(need_x / step) + 1, np.ceil((need_y + lowest - bottom) / step) + 0.0
    per_ohm = min(width / (across * step), height / (up * step))
    axis = {**_AXIS, "major_unit": step, "crossing": "min"}
    chart.set_x_axis({"name": "Z′ (Ω)", "min": left, "max": left + across * step, **axis})
    chart.set_y_axis({"name": "−Z″ (Ω)", "min": bottom, "max": bottom + up * step, **axis})
    layout = {
        "x": 0.11, "y": 0.13,
        "width": per_ohm * across * step / _WIDTH, "height": per_ohm * up * step / _HEIGHT,
    }  # fmt: skip
    chart.set_plotarea({"layout": layout})


def _round_step(size: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = float(10.0 ** np.floor(np.log10(max(size, 1e-9))))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= size)


def _resistance_chart(
    book: Book, layout: SheetLayout, growth: pl.DataFrame
) -> tuple[Any, str] | None:
    column, areal = "interfacial_resistance_ohm", "areal_interfacial_resistance_ohm_cm2"
    if growth[column].drop_nulls().is_empty():
        return None
    unit = "Ω"
    if growth[areal].drop_nulls().len() > 0:
        column, unit = areal, "Ω cm²"
    by_cycle = growth["cycle"].null_count() == 0
    chart = book.workbook.add_chart({"type": "scatter"})
    x = "cycle" if by_cycle else "spectrum"
    points = layout.chart_series(x, column, (1, growth.height))
    chart.add_series({**points, "name": f"R ({unit})", **_marker_format("circle", BLUE)})
    chart.set_title({"name": "Interfacial resistance", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "Cycles begun" if by_cycle else "Spectrum", "min": 0, **_AXIS})
    chart.set_y_axis({"name": f"Interfacial resistance ({unit})", "min": 0, **_AXIS})
    chart.set_legend({"none": True})
    return chart, "Interfacial resistance of every spectrum"
