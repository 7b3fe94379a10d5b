"""Write the first sheet: the cell sheet's inputs in blue, the cell's numbers as formulas below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.core.model import Cell
from cellpipe.numerics.cycling.ageing import RETENTION_CYCLES
from cellpipe.report.excel.cycle_sheet import AREA_NAME, MASS_NAME
from cellpipe.report.excel.sheets import (
    FIXED_0,
    FIXED_2,
    FIXED_3,
    FIXED_4,
    HEAD,
    PERCENT,
    SCIENTIFIC,
    TEXT,
    Book,
    SheetLayout,
    formula_or_value,
    write_value,
)
from cellpipe.report.figures.scale import MASS_FIELDS
from cellpipe.report.html.cell_tables import OWN_REMARK, SHEET_FIELDS
from cellpipe.report.key_numbers import (
    MEAN_BASIS,
    no_efficiency_reason,
    no_retention_reason,
    rate_basis,
)
from cellpipe.report.plating_numbers import efficiency_numbers, is_symmetric, symmetric_numbers
from cellpipe.report.wording import NOTHING, KindWords

_ROWS = 64
Line = tuple[str, object, str, str, str]
Row = dict[str, Any]

_SPECIFIC = "specific_discharging_capacity_mah_per_g"
_AREAL = "areal_discharging_capacity_mah_per_cm2"


def write_summary(
    book: Book,
    cell: Cell,
    layout: SheetLayout | None,
    tables: Mapping[str, pl.DataFrame],
    cycles: pl.DataFrame,
    words: KindWords,
) -> None:
    """Write the sheet, and give mass and area the names that formulas use.

    ``layout`` is that of the sheet of cycles; None without one, as of a symmetric cell.
    """
    summary = tables["cells"]
    sheet = book.workbook.add_worksheet("Summary")
    for row in range(_ROWS):  # fixed, so that no program stretches charts with its own heights
        sheet.set_row(row, 15.75)
    for place, width in enumerate((36, 30, 10, 58)):
        sheet.set_column(place, place, width)
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, cell.cell_id, book.style(TEXT, "title"))
    note = "Blue numbers are inputs from the cell sheet; change one and the formulas follow."
    sheet.write_string(1, 0, note, book.style(TEXT, "soft"))
    contradictions = summary["contradictions"].drop_nulls()
    if contradictions.len():
        said = f"Against physics, so not compared and not handed on: {contradictions[0]}"
        sheet.write_string(2, 0, said, book.style(TEXT, "wrong"))
    row = _write_heads(book, sheet, 3, ("Cell sheet", "Value", "Unit", "Remark"))
    row = _write_inputs(book, sheet, row, cell, _names(cycles))
    row = _write_heads(book, sheet, row + 1, ("Numbers", "Value", "Unit", "Basis"))
    lines = _plating_lines(tables)
    if layout is not None:
        lines += _numbers(layout, summary, cycles, words)
    for place, line in enumerate(lines):
        _write_line(book, sheet, row + place, line)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 1)


def _write_heads(book: Book, sheet: Any, row: int, heads: tuple[str, ...]) -> int:
    for place, head in enumerate(heads):
        sheet.write_string(row, place, head, book.style(TEXT, HEAD))
    return row + 1


def _names(cycles: pl.DataFrame) -> dict[str, str]:
    """Return the names of the area, and of the mass that specific capacities are per."""
    bases = cycles["capacity_basis"].drop_nulls().to_list()
    mass = MASS_FIELDS.get(bases[0]) if bases else None
    return {"area_cm2": AREA_NAME} | ({mass: MASS_NAME} if mass else {})


def _write_inputs(
    book: Book, sheet: Any, row: int, cell: Cell, names: Mapping[str, str]
) -> int:  # fmt: skip
    for label, field, unit in SHEET_FIELDS:
        value = getattr(cell, field)
        if value in {None, ()}:
            continue
        if isinstance(value, tuple):
            value = ", ".join(value)
        source = cell.inferred.get(field)
        remarks = [f"inferred: {source}"] if source else []
        if field in names:
            book.workbook.define_name(names[field], f"=Summary!$B${row + 1}")
            remarks.append(f"called {names[field]} in formulas")
        _write_line(book, sheet, row, (label, value, unit, "; ".join(remarks), ""))
        row += 1
    for place, (header, text) in enumerate(cell.own_columns.items()):
        _write_line(book, sheet, row + place, (header, text, "", OWN_REMARK, ""))
    return row + len(cell.own_columns)


def _write_line(book: Book, sheet: Any, row: int, line: Line) -> None:
    name, value, unit, remark, style = line
    if isinstance(value, (int, float)) and not style:
        look = book.style("General", "input", "left")
    else:
        look = book.style(style or TEXT, "left")
    sheet.write_string(row, 0, name, book.style())
    write_value(sheet, row, 1, value, look)
    sheet.write_string(row, 2, unit, book.style())
    sheet.write_string(row, 3, remark, book.style(TEXT, "soft"))


def _plating_lines(tables: Mapping[str, pl.DataFrame]) -> list[Line]:
    """Return the numbers of a cell that strips and plates, as its page says them."""
    efficiency, cells = tables["plating_efficiency"], tables["cells"]
    if efficiency.height:
        return [
            (name, value, "", basis, "") for name, value, basis in efficiency_numbers(efficiency)
        ]
    if not is_symmetric(tables) or cells.is_empty():
        return []
    row = cells.row(0, named=True)
    lines = [(name, value, "", basis, "") for name, value, basis in symmetric_numbers(tables)]
    more = [("Spectra", row["spectra"], "", "", FIXED_0), *_resistances(row)]
    return [*lines, *(line for line in more if line[1] is not None)]


def _numbers(
    layout: SheetLayout, summary: pl.DataFrame, cycles: pl.DataFrame, words: KindWords
) -> list[Line]:
    """Return the cell's numbers; a formula stands where the sheet of cycles has what it needs."""
    if summary.is_empty():
        return []
    row = summary.row(0, named=True)
    lines: list[Line] = [
        *_first_capacities(layout, row, cycles, words),
        (
            "Initial Coulombic efficiency",
            _first_cycle_value(layout, row, cycles, "coulombic_efficiency", "initial_{}"),
            "",
            row["initial_remark"] or words.efficiency or no_efficiency_reason(row),
            PERCENT,
        ),
        _mean_efficiency(layout, row, cycles),
        _retention(layout, row, cycles),
        *_ageing_lines(row),
        (
            "Cycles",
            row["cycles"],
            "",
            row["no_cycle_reason"] or f"{row['complete_cycles']} complete",
            FIXED_0,
        ),
        ("Spectra", row["spectra"], "", "", FIXED_0),
        *_resistances(row),
    ]
    kept = [line for line in lines if line[1] is not None]
    if row["cycles"] is not None and row["capacity_retention"] is None and _was_driven(row):
        kept.append(("Capacity retention", NOTHING, "", no_retention_reason(row), TEXT))
    return kept


def _was_driven(row: Row) -> bool:
    """Return whether current flowed, so that a retention would be looked for."""
    return bool(row["cycles"] or row["no_cycle_reason"])


def _first_cycle_value(
    layout: SheetLayout,
    row: Row,
    cycles: pl.DataFrame,
    column: str,
    name: str,
    factor: float = 1.0,
) -> object:
    """Return a reference to the initial cycle if it holds the table's value, else the value."""
    numbers = cycles.sort("cycle")["cycle"].to_list()
    place = numbers.index(row["initial_cycle"]) if row["initial_cycle"] in numbers else 0
    found = cycles.sort("cycle")[column][place : place + 1].to_list()
    value = row[name.format(column)]
    shown = None if value is None else factor * value
    if not found or found[0] is None:
        return shown
    return formula_or_value(
        f"={layout.name}!{layout.letter(column)}{place + 2}", factor * found[0], shown
    )


def _first_capacities(
    layout: SheetLayout, row: Row, cycles: pl.DataFrame, words: KindWords
) -> list[Line]:
    name = f"First {words.discharge}"
    basis = f"per {row['capacity_basis']}" if row["capacity_basis"] else ""
    described = (
        ("discharging_capacity_ah", 1e3, "mAh", "", FIXED_4),
        (_SPECIFIC, 1.0, "mAh/g", basis, FIXED_2),
        (_AREAL, 1.0, "mAh/cm²", "per area", FIXED_4),
    )
    return [
        (
            name,
            _first_cycle_value(layout, row, cycles, column, "first_{}", factor),
            unit,
            "; ".join(filter(None, (per, row["initial_remark"]))),
            style,
        )
        for column, factor, unit, per, style in described
    ]


def _mean_efficiency(layout: SheetLayout, row: Row, cycles: pl.DataFrame) -> Line:
    first = row["retention_reference_cycle"]
    chosen = cycles.filter(
        pl.col("complete"), ~pl.col("formation_cycle"), pl.col("cycle") > pl.lit(first, pl.Int64)
    )
    values = chosen["coulombic_efficiency"].drop_nulls().to_list()
    stored: float | None = row["mean_coulombic_efficiency"]
    value: object = stored
    if values:
        efficiency, number, complete, formation = (
            layout.column_range(column, cycles.height)
            for column in ("coulombic_efficiency", "cycle", "complete", "formation_cycle")
        )
        formula = f'=AVERAGEIFS({efficiency},{number},">{first}",{complete},"yes",{formation},"no")'
        value = formula_or_value(formula, sum(values) / len(values), stored)
    basis = row["mean_efficiency_remark"] or MEAN_BASIS
    return ("Mean Coulombic efficiency", value, "", basis, PERCENT)


def _retention(layout: SheetLayout, row: Row, cycles: pl.DataFrame) -> Line:
    number, reference = row["retention_cycle"], row["retention_reference_cycle"]
    numbers = cycles.sort("cycle")["cycle"].to_list()
    value: object = row["capacity_retention"]
    if value is not None and number in numbers:
        place = numbers.index(number)
        computed = cycles.sort("cycle")["capacity_retention"][place]
        formula = f"={layout.name}!{layout.letter('capacity_retention')}{place + 2}"
        value = formula_or_value(formula, computed, row["capacity_retention"])
    return ("Capacity retention", value, "", f"cycle {number} over cycle {reference}", PERCENT)


def _ageing_lines(row: Row) -> list[Line]:
    """Return the retention at cycles usual in papers, and what is compared at equal rate."""
    reference = f"over cycle {row['retention_reference_cycle']}"
    usual = f"of the usual rate ({row['usual_rate_cycles']} cycles)"
    bounds = [row[f"fade_per_cycle_{end}"] for end in ("low", "high")]
    interval = f", 95 % interval {bounds[0]:.3%} to {bounds[1]:.3%}" if None not in bounds else ""
    return [
        *(
            (f"Retention at cycle {n}", row[f"capacity_retention_cycle_{n}"], "", reference,
             PERCENT)
            for n in RETENTION_CYCLES
        ),
        (
            "Retention at equal rate", row["capacity_retention_at_rate"], "",
            rate_basis(row), PERCENT,
        ),
        (
            "Retention of the check cycle", row["check_retention"], "",
            f"cycle {row['check_cycle']} over cycle {row['check_reference_cycle']}", PERCENT,
        ),
        ("Fade per cycle", row["fade_per_cycle"], "", f"{usual}{interval}", "0.000%"),
        ("Below 90 % from cycle", row["cycles_to_90_percent"], "", usual, FIXED_0),
        ("Below 80 % from cycle", row["cycles_to_80_percent"], "", usual, FIXED_0),
        ("Formation cycles", row["formation_cycles"], "", "slower than most", FIXED_0),
        (
            "Cumulative Coulombic efficiency", row["cumulative_coulombic_efficiency"], "",
            "product over all complete cycles", PERCENT,
        ),
        (
            "Scatter of the efficiency", row["coulombic_efficiency_standard_deviation"], "",
            f"standard deviation, {MEAN_BASIS}", "0.000%",
        ),
    ]  # fmt: skip


def _resistances(row: Row) -> list[Line]:
    """Return the resistances that may stand for the cell with their errors, or why there is none.

    So is the conductivity of a pellet.
    """
    stems = (("interfacial_resistance", "ohm", "Ω"),
             ("areal_interfacial_resistance", "ohm_cm2", "Ω cm²"))  # fmt: skip
    lines: list[Line] = [
        (head, row[f"{end}_{stem}{name}_{suffix}"], unit, f"{end} spectrum", FIXED_3)
        for stem, suffix, unit in stems
        for end in ("first", "last")
        for head, name in (
            ("Interfacial resistance", ""),
            ("Standard error of the interfacial resistance", "_standard_error"),
        )
    ]
    lines += [
        (head, row[f"ionic_conductivity_{name}siemens_per_cm"], "S/cm", "last spectrum", SCIENTIFIC)
        for head, name in (
            ("Ionic conductivity", ""),
            ("Standard error of the ionic conductivity", "standard_error_"),
        )
    ]
    lines += [
        (head, NOTHING, "", row[f"{name}_remark"], TEXT)
        for head, name in (
            ("Interfacial resistance", "interfacial_resistance"),
            ("Ionic conductivity", "ionic_conductivity"),
        )
        if row[f"{name}_remark"] is not None
    ]
    return lines
