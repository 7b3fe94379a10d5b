"""Faults of the kind that was there: right-looking numbers from a wrong place, made on purpose."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from cellpipe.handoff import kadi, record
from cellpipe.report import groups, key_numbers
from cellpipe.report.excel import cell_workbook, cycle_sheet, data_sheets, lab_workbook, sheets
from cellpipe.report.figures import arcs, cycling, profiles, several_cells
from cellpipe.report.html import cell_page, cell_tables, grid, index

Patch = pytest.MonkeyPatch


def swap(names: tuple[str, str], text: Any) -> Any:
    """Return the other one of two names, or what was given if it is neither."""
    return names[1 - names.index(text)] if text in names else text


def initial_efficiency_as_retention(patch: Patch) -> None:
    usual = index.cell_row
    patch.setattr(index, "cell_row", lambda *a: {**usual(*a), "retention": usual(*a)["initial"]})


def energy_efficiency_as_hysteresis(patch: Patch) -> None:
    wrong = {"voltage_hysteresis_volt": "energy_efficiency"}
    usual = grid.GridColumn
    patch.setattr(
        cell_tables, "GridColumn",
        lambda head, column, *a, **k: usual(head, wrong.get(column, column), *a, **k),
    )  # fmt: skip


def last_resistance_before_the_first(patch: Patch) -> None:
    usual = key_numbers.resistance_text
    other = {"first": "last", "last": "first"}

    def swapped(row: dict[str, Any]) -> tuple[str, str]:
        ends = {
            name: row[f"{other[end]}_{rest}"]
            for name in row
            for end, _, rest in [name.partition("_")]
            if end in other and "resistance" in rest
        }
        return usual({**row, **ends})

    patch.setattr(key_numbers, "resistance_text", swapped)


def standard_error_in_a_chart(patch: Patch) -> None:
    names = ("areal_interfacial_resistance_ohm_cm2", "interfacial_resistance_precision_ohm")
    usual = sheets.SheetLayout.chart_series
    patch.setattr(
        sheets.SheetLayout, "chart_series",
        lambda self, x, y, rows: usual(self, x, swap(names, y), rows),
    )  # fmt: skip


def a_chart_that_stops_a_row_early(patch: Patch) -> None:
    usual = sheets.SheetLayout.chart_series
    patch.setattr(
        sheets.SheetLayout, "chart_series",
        lambda self, x, y, rows: usual(self, x, y, (rows[0], rows[1] - 1)),
    )  # fmt: skip


def a_fit_of_another_spectrum(patch: Patch) -> None:
    usual, seen = sheets.SheetLayout.chart_series, []  # type: ignore[var-annotated]

    def changed(self: Any, x: str, y: str, rows: tuple[int, int]) -> Any:
        if x == data_sheets.FITTED_REAL:
            seen.append(rows)
            return usual(self, x, y, seen[0])
        return usual(self, x, y, rows)

    patch.setattr(sheets.SheetLayout, "chart_series", changed)


def points_of_a_chart_left_out(patch: Patch) -> None:
    usual = sheets.SheetLayout.chart_series
    names = (data_sheets.REAL, data_sheets.FITTED_REAL)
    patch.setattr(
        sheets.SheetLayout, "chart_series",
        lambda self, x, y, rows: usual(self, x, y, (rows[0], rows[1] - 9 * (x in names))),
    )  # fmt: skip


def _write_heads_in(patch: Patch, word: str, style: str) -> None:
    """Give the columns of a cell's workbook whose head has a word another number format."""
    usual = cell_workbook.write_sheet

    def changed(book: Any, name: str, columns: Any, absent: str) -> None:
        other = [replace(c, style=style) if word in c.head else c for c in columns]
        usual(book, name, other, absent)

    patch.setattr(cell_workbook, "write_sheet", changed)


def voltages_in_per_cent(patch: Patch) -> None:
    _write_heads_in(patch, "(V)", "0.00%")


def capacities_in_thousands(patch: Patch) -> None:
    _write_heads_in(patch, "(mAh)", "#,##0.0,")


def too_few_digits(patch: Patch) -> None:
    _write_heads_in(patch, "(mAh/cm²)", "0")


def shares_as_plain_numbers(patch: Patch) -> None:
    _write_heads_in(patch, "efficiency", "0.00")


def published_cells_left_out_of_a_workbook(patch: Patch) -> None:
    usual = cell_workbook.baseline_columns
    patch.setattr(cell_workbook, "baseline_columns", lambda rows, own: usual(rows, own.head(0)))


def cycles_of_low_efficiency_left_out(patch: Patch) -> None:
    usual, low = cell_tables.cycle_grid, pl.col("coulombic_efficiency") < 0.9
    patch.setattr(cell_tables, "cycle_grid", lambda rows, *a: usual(rows.filter(low.not_()), *a))


def the_first_check_left_out(patch: Patch) -> None:
    usual = cell_page._checks
    patch.setattr(cell_page, "_checks", lambda found: usual(found)[1:])


def checks_of_another_level(patch: Patch) -> None:
    usual = cell_page._checks
    patch.setattr(
        cell_page, "_checks", lambda found: [row | {"severity": "alarm"} for row in usual(found)]
    )


def a_cell_left_out_of_the_index(patch: Patch) -> None:
    usual = index._listed_cells
    patch.setattr(index, "_listed_cells", lambda *a: usual(*a).slice(1))


def charge_drawn_in_the_index(patch: Patch) -> None:
    usual, charge = index._curves, pl.col("charging_capacity_ah")
    patch.setattr(
        index, "_curves",
        lambda rows: usual(rows.with_columns(charge.alias("discharging_capacity_ah"))),
    )  # fmt: skip


def signs_the_other_way_round(patch: Patch) -> None:
    usual, other = index._matrix_entry, {"▲": "▼", "▼": "▲"}
    patch.setattr(
        index, "_matrix_entry",
        lambda row: "".join(other.get(sign, sign) for sign in usual(row)),
    )  # fmt: skip


def no_sign(patch: Patch) -> None:
    usual = index._matrix_entry
    patch.setattr(index, "_matrix_entry", lambda row: usual(row).lstrip("▲▼● "))


def standings_the_other_way_round(patch: Patch) -> None:
    usual, other = index.describe_standing, {"above": "below", "below": "above"}
    patch.setattr(
        index, "describe_standing",
        lambda rows: re.sub(r"(?<=: )(above|below)", lambda m: other[m[0]], usual(rows)),
    )  # fmt: skip


def no_standing_shown(patch: Patch) -> None:
    usual = index._standing_fields
    patch.setattr(
        index, "_standing_fields",
        lambda rows: usual(rows) | {"standing": ("–", usual(rows)["standing"][1])},
    )  # fmt: skip


def electrodes_the_other_way_round(patch: Patch) -> None:
    usual = cell_page.describe_cell
    patch.setattr(
        cell_page, "describe_cell",
        lambda cell, words: usual(
            replace(cell, working_electrode=cell.counter_electrode,
                    counter_electrode=cell.working_electrode), words,
        ),
    )  # fmt: skip


def efficiency_the_other_way_round(patch: Patch) -> None:
    usual = cell_page.headline
    other = "charge over the discharge before it"
    patch.setattr(
        cell_page, "headline",
        lambda tables, words: usual(tables, replace(words, efficiency=other)),
    )  # fmt: skip


def _with_tables(patch: Patch, change: Any) -> None:
    """Give the figures of several cells other tables than their own."""
    usual = several_cells._CellSeries
    patch.setattr(
        several_cells, "_CellSeries",
        lambda cell, tables, *a: usual(cell, change(tables), *a),
    )  # fmt: skip


def charge_of_several_cells_as_discharge(patch: Patch) -> None:
    charge = pl.col("charging_capacity_ah").alias("discharging_capacity_ah")
    _with_tables(patch, lambda tables: {**tables, "cycles": tables["cycles"].with_columns(charge)})


def resistance_of_a_neighbour(patch: Patch) -> None:
    seen: list[pl.DataFrame] = []
    name = "interfacial_resistance"

    def of_the_last(tables: Any) -> Any:
        seen.append(tables[name])
        return {**tables, name: seen[-2] if len(seen) > 1 else seen[0].head(0)}

    _with_tables(patch, of_the_last)


def every_second_cycle_left_out(patch: Patch) -> None:
    usual = cycling._draw_direction
    patch.setattr(
        cycling, "_draw_direction",
        lambda axes, cycles, *a: usual(axes, cycles.gather_every(2), *a),
    )  # fmt: skip


def discharges_left_out(patch: Patch) -> None:
    usual = profiles.select_cycles
    patch.setattr(
        profiles, "select_cycles",
        lambda *a: [replace(each, half_cycles=each.half_cycles[:1]) for each in usual(*a)],
    )  # fmt: skip


def arcs_of_half_their_resistance(patch: Patch) -> None:
    usual = arcs._draw_arcs
    patch.setattr(
        arcs, "_draw_arcs",
        lambda axes, points, fit, shown: usual(
            axes, points, fit, [a | {"resistance_ohm": 0.5 * a["resistance_ohm"]} for a in shown]
        ),
    )  # fmt: skip


def values_times_a_thousand(patch: Patch) -> None:
    usual = kadi._extra
    patch.setattr(
        kadi, "_extra",
        lambda value: usual(
            replace(value, value=1000 * value.value) if isinstance(value.value, float) else value
        ),
    )  # fmt: skip


def a_formula_on_another_column(patch: Patch) -> None:
    names, usual = ("capacity_retention", "coulombic_efficiency"), sheets.SheetLayout.letter
    patch.setattr(sheets.SheetLayout, "letter", lambda self, key: usual(self, swap(names, key)))


def discharge_voltage_as_charge_voltage(patch: Patch) -> None:
    names, usual = (
        ("mean_charging_voltage_volt", "mean_discharging_voltage_volt"),
        cycle_sheet._values,
    )
    patch.setattr(cycle_sheet, "_values", lambda rows, name: usual(rows, swap(names, name)))


def mean_efficiency_as_the_first_in_an_archive(patch: Patch) -> None:
    usual = record.result_values
    column = pl.col("mean_coulombic_efficiency").alias("initial_coulombic_efficiency")
    patch.setattr(record, "result_values", lambda cells: usual(cells.with_columns(column)))


def ends_of_an_interval_the_other_way_round(patch: Patch) -> None:
    names = ("fade_per_cycle_low", "fade_per_cycle_high")
    described = tuple((h, swap(names, c), *rest) for h, c, *rest in lab_workbook._CELLS)
    patch.setattr(lab_workbook, "_CELLS", described)


def mean_efficiency_of_replicates_as_their_first(patch: Patch) -> None:
    names, usual = ("initial_coulombic_efficiency", "mean_coulombic_efficiency"), groups._of_column
    patch.setattr(
        groups, "_of_column",
        lambda measure, cells, column, *rest: usual(measure, cells, swap(names, column), *rest),
    )  # fmt: skip


def charge_drawn_as_discharge(patch: Patch) -> None:
    names, usual = ("charging", "discharging"), cycling._draw_direction
    patch.setattr(
        cycling, "_draw_direction",
        lambda axes, cycles, direction, *a: usual(axes, cycles, swap(names, direction), *a),
    )  # fmt: skip


def a_new_sentence_with_a_number(patch: Patch) -> None:
    usual = cell_page.describe_standing
    patch.setattr(
        cell_page, "describe_standing", lambda rows: f"{usual(rows)} That is 12.3 % of all."
    )


def a_new_column(patch: Patch) -> None:
    usual = cell_tables.build_grid

    def with_more(table: pl.DataFrame, columns: list[Any], absent: str, **keys: Any) -> grid.Grid:
        last = columns[-2]
        return usual(table, [*columns, grid.GridColumn("Goodness", last.column, last.write)],
                     absent, **keys)  # fmt: skip

    patch.setattr(cell_tables, "build_grid", with_more)
