"""Findings about fields that the cell sheet leaves empty, and what they would add."""

from __future__ import annotations

from cellpipe.core.model import Cell, Finding, Tables

_SAME = {  # columns that a field can be had from
    "Active mass": ("Active mass", "Cathode active mass", "Anode active mass", "Electrode mass",
                    "Active fraction"),
    "Area": ("Area", "Diameter"),
}  # fmt: skip


def find_missing_fields(cell: Cell, tables: Tables, *, holds: bool) -> tuple[Finding, ...]:
    """Return one finding for each result that a missing field of the cell sheet would add.

    A cell that does not hold a capacity of its own needs no mass.
    """
    if not cell.in_sheet:
        return (_no_row_finding(holds=holds),)
    findings = []
    cycled, spectra = tables["cycles"].height, tables["interfacial_resistance"].height
    no_mass = cell.cathode_active_mass_mg is None and cell.anode_active_mass_mg is None
    if cycled and cell.configuration != "symmetric" and no_mass and holds:
        findings.append(_field_finding(cell, "Active mass / mg", "mAh/g"))
    if (cycled or spectra) and cell.area_cm2 is None:
        findings.append(_field_finding(cell, "Area / cm²", "mAh/cm² and Ω cm²"))
    if cycled and cell.nominal_capacity_mah_per_g is None and holds:
        findings.append(_field_finding(cell, "1C capacity / mAh/g", "the C-rate"))
    if cell.configuration == "half" and cell.reference_offset_volt is None:
        findings.append(_field_finding(cell, "Reference offset / V", "potentials against Li+/Li"))
    if cell.configuration == "half" and "working_electrode_role" in cell.inferred:
        sentence = (
            "The cell sheet names no working electrode; the half cell is taken for a silicon "
            "anode's: its efficiency is delithiation over the lithiation before it."
        )
        findings.append(Finding("warning", "working_electrode_inferred", sentence))
    if cell.configuration == "half" and cell.working_electrode_role is None:
        findings.append(_field_finding(cell, "Working electrode", "Coulombic efficiency and mAh/g"))
    if cell.stack_pressure_mpa is None:
        findings.append(
            _field_finding(cell, "Stack pressure / MPa", "a condition that results depend on")
        )
    if cell.temperature_celsius is None:
        findings.append(
            _field_finding(cell, "Temperature / °C", "a condition that results depend on")
        )
    return tuple(findings)


def _no_row_finding(*, holds: bool) -> Finding:
    gains = (
        ": capacities are in mAh only. A row with Configuration, active mass and area adds "
        "Coulombic efficiency, mAh/g, mAh/cm², Ω cm² and the comparison with published cells."
        if holds
        else ". A row with Configuration and area adds mA/cm², mAh/cm² and Ω cm²."
    )
    sentence = f"The cell has no row in the cell sheet (cells.xlsx or cells.csv){gains}"
    return Finding("warning", "not_in_sheet", sentence)


def _field_finding(cell: Cell, field: str, gain: str) -> Finding:
    header = field.partition(" / ")[0]
    written = [(name, cell.refused[name]) for name in _SAME.get(header, (header,))
               if name in cell.refused]  # fmt: skip
    if written:
        name, text = written[0]
        sentence = f"'{text}' in the cell sheet's column {name} is refused; it would add {gain}."
    else:
        sentence = f"The cell sheet leaves '{field}' empty; it would add {gain}."
    return Finding("info", "sheet_field_missing", sentence)
