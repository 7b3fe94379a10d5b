"""Faults of the kind that was there: right-looking numbers from a wrong place, made on purpose."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from cellpipe.handoff import record
from cellpipe.report import key_numbers
from cellpipe.report.excel import cycle_sheet, lab_workbook, sheets
from cellpipe.report.figures import cycling
from cellpipe.report.html import cell_page, cell_tables, grid, index, replicates

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
    names, usual = ("initial_coulombic_efficiency", "mean_coulombic_efficiency"), replicates._values
    patch.setattr(
        replicates, "_values",
        lambda group, column, factor=1.0: usual(group, swap(names, column), factor),
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
