"""Template of a cell sheet: cells.xlsx with drop-downs, help and examples.

Row 1 holds the headers with units, row 2 help, and rows 3 and 4 examples; rows whose cell ID begins
with # are comments and never read as cells. A selected cell shows the help of its column. Below
them is one row for each cell inferred from file names in the folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from cellpipe.cell_sheet.fields import FIELDS, REQUIRED, Field
from cellpipe.cell_sheet.sheet import cell_id_from_name
from cellpipe.core.errors import CellpipeError
from cellpipe.system.scan import SHEET_NAMES

_ROWS = 1000  # rows with drop-downs and bounds
_SHORT = 240  # characters of a help text shown by Excel
_CHOICES = {
    "configuration": ("full", "half", "symmetric"),
    "working_electrode": ("anode: Si", "cathode: NCM811"),
    "counter_electrode": ("Li-In", "Li", "Si", "LTO"),
    "electrolyte": ("Li6PS5Cl", "Li3PS4", "Li3InCl6", "Li7La3Zr2O12"),
}
_EXAMPLES: tuple[dict[str, str | float], ...] = (
    {
        "cell_id": "# example: SSB-2026-014", "patterns": "SSB-2026-014_*",
        "configuration": "half", "working_electrode": "anode: Si", "electrode_mass": 1.5,
        "active_fraction": 60, "diameter": 10, "counter_electrode": "Li-In",
        "reference_offset": 0.62, "nominal_capacity": 3579, "stack_pressure": 50,
        "fabrication_pressure": 370, "temperature": 25, "electrolyte": "Li6PS5Cl",
        "electrode_composition": "60 Si, 35 Li6PS5Cl, 5 C", "group": "batch 7",
    },
    {
        "cell_id": "# example: SSB-2026-021", "patterns": "SSB-2026-021*; retest_21.mpr",
        "configuration": "full", "working_electrode": "cathode: NCM811",
        "cathode_active_mass": 15.7, "anode_active_mass": 1.2, "area": 0.785,
        "counter_electrode": "Si", "nominal_capacity": 200, "stack_pressure": 75,
        "temperature": 30, "lower_voltage": 2.5, "upper_voltage": 4.2,
        "electrolyte": "Li6PS5Cl", "cathode": "NCM811", "np_ratio": 1.2,
    },
)  # fmt: skip


def patterns_by_cell(names: Iterable[str]) -> dict[str, str]:
    """Return the cells inferred from file names, with the text for the column Files of each."""
    cells: dict[str, list[str]] = {}
    for name in names:
        cells.setdefault(cell_id_from_name(Path(name).stem)[0], []).append(name)
    return {
        cell_id: f"{cell_id}_*"
        if all(name.startswith(f"{cell_id}_") for name in own)
        else f"{cell_id}.*"
        if all(Path(name).stem == cell_id for name in own)
        else "; ".join(sorted(set(own)))
        for cell_id, own in sorted(cells.items())
    }


def write_template(folder: Path, cells: Mapping[str, str]) -> Path:
    """Write cells.xlsx into a folder, with a row for each cell.

    Raises
    ------
    CellpipeError
        If there is a cell sheet already, or the folder can't be written.

    """
    existing = [path.name for path in folder.iterdir() if path.name.lower() in SHEET_NAMES]
    if existing:
        raise CellpipeError(
            f"a cell sheet ({existing[0]})", expected="a folder without one",
            remedy="add rows to it, or rename it and start again", file=folder,
        )  # fmt: skip
    path = folder / SHEET_NAMES[0]
    try:
        with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
            sheet = book.add_worksheet("cells")
            _fill_sheet(book, sheet, cells)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        raise CellpipeError(
            f"a folder that can't be written ({error})", expected="one where cells.xlsx can stand",
            remedy="check your rights there, or copy the folder", file=folder,
        ) from error  # fmt: skip
    return path


def _fill_sheet(book: xlsxwriter.Workbook, sheet: Worksheet, cells: Mapping[str, str]) -> None:
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    required = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1, "bg_color": "#FFF2CC"}
    )
    help_format = book.add_format({"italic": True, "font_color": "#666666", "text_wrap": True,
                             "valign": "top"})  # fmt: skip
    example_format = book.add_format({"italic": True, "font_color": "#666666"})
    for column, field in enumerate(FIELDS):
        sheet.write_string(0, column, field.label, required if field.name in REQUIRED else head)
        prefix = "# help: " if column == 0 else ""
        sheet.write_string(1, column, f"{prefix}{field.hint}", help_format)
        for row, example in enumerate(_EXAMPLES, 2):
            if field.name in example:
                sheet.write(row, column, example[field.name], example_format)
        sheet.data_validation(1, column, _ROWS, column, _validation(field))
    for row, (cell_id, pattern) in enumerate(cells.items(), 2 + len(_EXAMPLES)):
        sheet.write_string(row, 0, cell_id)
        sheet.write_string(row, 1, pattern)
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, len(FIELDS) - 1, 16)
    sheet.set_column(0, 1, 26)
    sheet.set_row(0, 32)
    sheet.set_row(1, 62)


def _validation(field: Field) -> dict[str, object]:
    """Return a column's drop-down list or bounds, and the help shown in a selected cell.

    Values outside a list are accepted, except for the configuration.
    """
    units = f" In {field.unit}." if field.unit else ""
    rule: dict[str, object] = {
        "input_title": field.header[:32],
        "input_message": f"{field.hint[0].upper()}{field.hint[1:]}.{units}"[:_SHORT],
        "ignore_blank": True,
    }
    if field.name in _CHOICES:
        strict = field.name == "configuration"
        return rule | {"validate": "list", "source": list(_CHOICES[field.name]),
                       "error_type": "stop" if strict else "information",
                       "show_error": strict}  # fmt: skip
    if field.is_number:
        message = f"{field.header} is usually {field.low:g} to {field.high:g} {field.unit}".rstrip()
        return rule | {"validate": "decimal", "criteria": "between", "minimum": field.low,
                       "maximum": field.high, "error_type": "warning",
                       "error_title": "Is the unit right?", "error_message": message}  # fmt: skip
    return rule | {"validate": "any"}
