"""Draw several cells together: cycling, one cycle's profiles, spectra, growth, replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cellpipe.core.clean_text import escape_controls
from cellpipe.core.model import Cell
from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.group_bands import group_panel
from cellpipe.report.figures.impedance import fitted_impedance
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.scale import CapacityScale, capacity_scale
from cellpipe.report.figures.style import (
    GREY,
    add_legend,
    cell_styles,
    integer_locator,
    make_figure,
)
from cellpipe.report.groups import Groups
from cellpipe.report.plating_numbers import holds_capacity, is_symmetric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = 40  # of a curve
Tables = Mapping[str, pl.DataFrame]
Cells = Sequence[tuple[Cell, Tables]]


def common_scales(cells: Cells) -> tuple[list[CapacityScale], str]:
    """Return each cell's scale on a shared basis (mass, else area, else none), and a note.

    The note says why the basis is no mass; it is empty if it is one.
    """
    scales = [capacity_scale(cell, t["cycles"], t["cells"]) for cell, t in cells]
    bases = {scale.basis for scale in scales}
    if len(bases) == 1 and None not in bases:
        return scales, ""
    why = "The cells share no active mass as a basis"
    areal = [scale.areal_per_ah for scale in scales]
    if all(areal):
        shared = [CapacityScale(a, "mAh/cm²", "Areal capacity", None, a) for a in areal if a]
        return shared, f"{why}: capacities are per area."
    plain = [CapacityScale(1e3, "mAh", "Capacity", None, None) for _ in cells]
    return plain, f"{why} and not all have an area: capacities are in mAh."


@dataclass(frozen=True)
class _CellSeries:
    """A cell with its scale, colour and marker, the same in all figures."""

    cell: Cell
    tables: Tables
    scale: CapacityScale
    colour: str
    shape: str

    @property
    def name(self) -> str:
        return escape_controls(self.cell.cell_id)


@dataclass(frozen=True)
class _Measure:
    """A column of ``cycles`` that is drawn by cycle, and how it is shown."""

    key: str
    title: str
    column: str
    label: str
    note: str
    first: int = 1


def several_panels(cells: Cells, groups: Groups | None = None) -> list[Panel]:
    """Return all figures of a comparison of several cells.

    ``groups`` are cell IDs by the name of their group; without, cells that are all of one group of
    the cell sheet are it.
    """
    groups = _shared_group(cells) if groups is None else groups
    scales, note = common_scales(cells)
    styles = cell_styles(len(cells))
    series = [
        _CellSeries(*cell, scale, *style)
        for cell, scale, style in zip(cells, scales, styles, strict=True)
    ]
    efficiency = "Each by the kind of its cell. The axis leaves out the first cycle."
    measures = (
        _Measure("capacities", "Discharge capacity", "discharging_capacity_ah",
                 scales[0].stacked_label, note),
        _Measure("retentions", "Capacity retention", "capacity_retention", "Retention (%)",
                 _reference_note(cells)),
        _Measure("efficiencies", "Coulombic efficiency", "coulombic_efficiency",
                 "Coulombic efficiency (%)", efficiency, first=2),
    )  # fmt: skip
    holding = [each for each in series if holds_capacity(each.tables)]
    of_capacity = [
        *(_cycle_panel(measure, holding) for measure in measures),
        _profile_panel(holding, scales[0].label),
    ]
    symmetric = [each for each in series if is_symmetric(each.tables)]
    return [
        *([_polarisation_panel(symmetric)] if symmetric else ()),
        *(of_capacity if holding else ()),
        _nyquist_panel(series),
        _resistance_panel(series),
        *([group_panel(cells, groups)] if holding else ()),
    ]


def _shared_group(cells: Cells) -> dict[str, list[str]]:
    """Return the one group of the cell sheet that all cells are of; none if they are not."""
    names = {cell.group for cell, _ in cells}
    group = next(iter(names)) if len(names) == 1 else None
    return {} if group is None else {group: [cell.cell_id for cell, _ in cells]}


def _reference_note(cells: Cells) -> str:
    references = {
        number
        for _, t in cells
        for number in t["cycles"]["retention_reference_cycle"].drop_nulls().unique().to_list()
    }
    if len(references) > 1:
        return "The reference cycle is not the same for all; see the table."
    return f"Over cycle {next(iter(references))}." if references else ""


def _cycle_panel(measure: _Measure, series: Sequence[_CellSeries]) -> Panel:
    curves = []
    for each in series:
        factor = each.scale.per_ah if measure.column.endswith("_ah") else 100.0
        complete = each.tables["cycles"].filter(
            pl.col("complete") & (pl.col("cycle") >= measure.first)
        )
        rows = complete.drop_nulls(measure.column).sort("cycle")
        curves.append((each, rows["cycle"].to_numpy(), factor * rows[measure.column].to_numpy()))
    if not any(x.size for _, x, _ in curves):
        return Panel(measure.key, measure.title, absent="None of the cells has it.")

    def draw() -> Figure:
        figure = make_figure(3.2, layout="constrained")
        axes = figure.subplots()
        for each, x, y in curves:
            kept = downsample_indices(y, 400)
            axes.plot(x[kept], y[kept], each.shape, ms=3.2, color=each.colour, mfc="none",
                      label=each.name)  # fmt: skip
        if measure.first > 1:
            _clip_axis(axes, np.concatenate([y for _, _, y in curves]))
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(integer_locator())
        axes.set_xlabel("Cycle")
        axes.set_ylabel(measure.label)
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return figure

    description = f"{measure.title} of {len(series)} cells by cycle"
    caption = f"Complete cycles. {measure.note}".strip()
    return Panel(measure.key, measure.title, caption, description, draw)


def _polarisation_panel(series: Sequence[_CellSeries]) -> Panel:
    """Draw the polarisation of symmetric cells over time, per area if all have one."""
    title, halves = "Polarisation", [each.tables["stripping_plating"] for each in series]
    areal = all(table["polarisation_ohm_cm2"].null_count() == 0 for table in halves)
    column, unit = ("polarisation_ohm_cm2", "Ω cm²") if areal else ("polarisation_ohm", "Ω")

    def draw() -> Figure:
        figure = make_figure(3.2, layout="constrained")
        axes = figure.subplots()
        for each, table in zip(series, halves, strict=True):
            axes.plot(
                table["start_hour"].to_numpy(), table[column].to_numpy(), each.shape + "-",
                color=each.colour, ms=3.5, mfc="white", lw=0.8, label=each.name,
                markevery=max(table.height // _MARKERS, 1),
            )  # fmt: skip
        axes.set_xlabel("Time (h)")
        axes.set_ylabel(f"Polarisation ({unit})")
        axes.set_ylim(bottom=0)
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return figure

    caption = (
        "Mean overpotential over current of each half cycle. Where it falls, a cell is shorted."
    )
    return Panel("polarisations", title, caption, f"Polarisation of {len(series)} cells", draw)


def _clip_axis(axes: Axes, values: np.ndarray) -> None:
    """Limit the axis so that the scatter is visible; points outside are not shown."""
    low, high = (float(q) for q in np.quantile(values, [0.03, 0.97]))
    margin = max(0.5 * (high - low), 0.3)
    axes.set_ylim(low - margin, high + margin)


def _profile_panel(series: Sequence[_CellSeries], label: str) -> Panel:
    """Draw the voltage profiles of the last cycle that all cells have completed."""
    title = "Voltage profiles of one cycle"
    shown = [each for each in series if each.tables["cycles"].filter("complete").height]
    if not shown:
        return Panel("profiles", title, absent="None of the cells has a complete cycle.")
    ends = [each.tables["cycles"].filter("complete")["cycle"].to_list() for each in shown]
    common = min(max(numbers) for numbers in ends)

    def draw() -> Figure:
        figure = make_figure(3.6, layout="constrained")
        axes = figure.subplots()
        for each in shown:
            row = each.tables["cycles"].filter(pl.col("cycle") == common)
            halves = (*row["charging_half_cycle"], *row["discharging_half_cycle"])
            for half, line in zip(halves, ("-", "--"), strict=False):
                part = each.tables["voltage_profiles"].filter(pl.col("half_cycle") == half)
                axes.plot(
                    part["capacity_ah"].to_numpy() * each.scale.per_ah,
                    part["voltage_volt"].to_numpy(), line, color=each.colour, marker=each.shape,
                    ms=3.5, mfc="white", markevery=max(part.height // 5, 1),
                    label=each.name if line == "-" else f"_{each.name}, discharge",
                )  # fmt: skip
        axes.set_xlim(left=0)
        axes.set_xlabel(label)
        axes.set_ylabel("Voltage (V), as measured")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return figure

    caption = (
        f"Cycle {common}, the last that all have completed. Solid: charge, dashed: discharge. "
        "Half cells are drawn against their own counter electrode."
    )
    return Panel("profiles", title, caption, f"Voltage profiles of cycle {common}", draw)


def _nyquist_panel(series: Sequence[_CellSeries]) -> Panel:
    """Draw the last spectrum of each cell, per area where all cells have one."""
    title = "Last impedance spectra"
    shown = [each for each in series if each.tables["impedance"].height]
    if not shown:
        return Panel("nyquist", title, absent="None of the cells has an impedance spectrum.")
    areas = [each.cell.area_cm2 for each in shown]
    factors = [area or 1.0 for area in areas] if all(areas) else [1.0] * len(shown)
    unit = "Ω cm²" if all(areas) else "Ω"

    def draw() -> Figure:
        figure = make_figure(3.6, layout="constrained")
        axes = figure.subplots()
        for each, factor in zip(shown, factors, strict=True):
            spectra = each.tables["impedance"]
            last = spectra["spectrum"].max()
            points = spectra.filter(pl.col("spectrum") == last).sort("frequency_hertz")
            fit = each.tables["circuit_fits"].filter(pl.col("spectrum") == last)
            axes.plot(
                factor * points["real_impedance_ohm"].to_numpy(),
                -factor * points["imaginary_impedance_ohm"].to_numpy(),
                each.shape, ms=3.5, mfc="none", color=each.colour, label=each.name,
            )  # fmt: skip
            if fit.height:
                model = factor * fitted_impedance(fit, points["frequency_hertz"].to_numpy())
                axes.plot(model.real, -model.imag, "-", lw=1, color=each.colour,
                          label=f"_{each.name}, fit")  # fmt: skip
        axes.axhline(0, color=GREY, lw=0.8, zorder=0)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(f"Z′ ({unit})")
        axes.set_ylabel(f"−Z″ ({unit})")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return figure

    per = "Per area" if all(areas) else "Not all cells have an area"
    caption = f"{per}; equal axes. Points: measured, lines: fit."
    return Panel("nyquist", title, caption, f"Last spectra of {len(shown)} cells", draw)


def _resistance_panel(series: Sequence[_CellSeries]) -> Panel:
    title, areal = "Interfacial resistance", "areal_interfacial_resistance_ohm_cm2"
    known = [
        (each, rows)
        for each in series
        if (rows := each.tables["interfacial_resistance"].drop_nulls(
            ("interfacial_resistance_ohm", "cycle"))).height
    ]  # fmt: skip
    if not known:
        return Panel("resistance", title, absent="None of the cells has one for a known cycle.")
    per_area = all(not rows[areal].null_count() for _, rows in known)
    column, unit = (areal, "Ω cm²") if per_area else ("interfacial_resistance_ohm", "Ω")

    def draw() -> Figure:
        figure = make_figure(3.0, layout="constrained")
        axes = figure.subplots()
        for each, rows in known:
            axes.plot(rows["cycle"].to_numpy(), rows[column].to_numpy(), f"{each.shape}-", lw=0.8,
                      ms=4, mfc="none", color=each.colour, label=each.name)  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(integer_locator())
        axes.set_xlabel("Cycles begun")
        axes.set_ylabel(f"Interfacial resistance ({unit})")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return figure

    description = f"Interfacial resistance of {len(known)} cells by cycle"
    caption = "" if per_area else "Not all cells have an area: in Ω, which depends on it."
    return Panel("resistance", title, caption, description, draw)
