"""Neware's Excel export: BTSDA 8 with a sheet per level, BTS 7 with details or one nested sheet.

BTSDA 8 writes ``unit`` and ``test`` (the instrument and the cell), ``cycle``, ``step`` and
``record``; columns, units, sign and clock are those of :mod:`cellpipe.formats.neware.columns`. Where the
records have no cycle and no step of their own, those of the ``step`` sheet are put beside them,
provided that it lists as many steps as the records show. BTS 7 writes ``Detail_…`` sheets, or one
sheet as in :mod:`cellpipe.formats.neware.layers`. ``log``, ``idle`` and ``curve`` are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl

from cellpipe.core.errors import NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.arbin import columns as arbin
from cellpipe.formats.file_ends import is_complete_workbook
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.neware import columns as neware
from cellpipe.formats.neware import layers as neware_layers
from cellpipe.formats.tabular import workbook
from cellpipe.formats.tabular.dialect import match_headers
from cellpipe.formats.tabular.records import (
    count_steps,
    metadata_from_labels,
    standard_columns,
    vendor_cycles,
)

_OTHERS = {"unit", "test", "cycle", "step", "log", "idle", "curve"}
_LABELS = ("Start time", "End time", "P/N", "Active material", "Nominal capacity", "Volt. upper",
           "Volt. lower", "Start step ID", "Process name", "Remarks", "Barcode", "Creator",
           "NDA file path", "Builder", "Number", "Curr. range", "Volt. range")  # fmt: skip
_STEP_QUANTITIES = neware.QUANTITIES[:4]
Place = tuple[workbook.Sheet, int]


def read(path: Path) -> Recording:
    """Read a Neware workbook.

    Raises
    ------
    DamagedFileError
        If it can't be opened, or a needed column is missing or stands in an unknown unit.
    NoDataError
        If there is no record.

    """
    sheets = workbook.read_sheets(path)
    places = _record_sheets(sheets)
    if not places:
        return _read_nested(path, sheets)
    found = neware.match_columns(workbook.column_names(*places[0]))
    frame = pl.concat([_read_records(path, place) for place in places], how="diagonal_relaxed")
    findings: list[Finding] = []
    if not {"cycle_count", "step_id"} & {match.target for match in found}:
        frame = _add_steps(path, sheets, frame, findings)
        found = neware.match_columns(frame.columns)
    table = standard_columns(frame, found, bare_seconds=False)
    read = neware.to_recording(table, _read_metadata(path, sheets), findings)
    return replace(read, tables={**read.tables, **_read_vendor_cycles(path, sheets)})


def _record_sheets(sheets: Sequence[workbook.Sheet]) -> list[Place]:
    """Return the sheets of records that have the first one's columns, and their header rows."""
    found: list[Place] = []
    for sheet in sheets:
        header = next((i for i, row in enumerate(sheet.rows) if neware.header_score(row)), None)
        if header is None or sheet.name.lower() in _OTHERS or _nested_levels(sheet):
            continue
        if not found or sheet.rows[header] == found[0][0].rows[found[0][1]]:
            found.append((sheet, header))
    return found


def _read_records(path: Path, place: Place) -> pl.DataFrame:
    found = neware.match_columns(workbook.column_names(*place))
    return workbook.read_columns(path, *place, found, bare_seconds=False)


def _nested_levels(sheet: workbook.Sheet) -> tuple[neware_layers.Level, ...]:
    """Return the levels of a nested sheet, none if it is flat."""
    found = neware_layers.find_levels(sheet.rows)
    return found if len(found) > 1 and "record" in {one.kind for one in found} else ()


def _read_nested(path: Path, sheets: Sequence[workbook.Sheet]) -> Recording:
    nested = [sheet for sheet in sheets if _nested_levels(sheet)]
    if not nested:
        raise NoDataError(
            f"no records on the sheets {', '.join(sheet.name for sheet in sheets)}",
            expected="a sheet with DataPoint, Time, Current, Voltage and others",
            remedy="export the workbook again with the records",
        )
    found = _nested_levels(nested[0])
    lines = workbook.read_lines(path, nested[0].name)
    frame = neware_layers.records(lines, found)
    cycles = neware_layers.cycles(lines, found)
    read = neware.to_recording(neware.to_standard_columns(frame), {})
    return replace(read, tables={**read.tables, **cycles})


def _add_steps(
    path: Path, sheets: Sequence[workbook.Sheet], frame: pl.DataFrame, findings: list[Finding]
) -> pl.DataFrame:
    """Put the cycle and the step of the step sheet beside the records, in the order as run."""
    listed = _read_step_sheet(path, sheets)
    if listed is None:
        return frame
    found = [
        m
        for m in neware.match_columns(frame.columns)
        if m.target in {"step_type", "step_time_second"}
    ]
    run = count_steps(standard_columns(frame, found, bare_seconds=False))
    if not run.len() or run[-1] != listed.height:
        sentence = (
            f"The step sheet lists {listed.height} steps where the records show "
            f"{run[-1] if run.len() else 0}; the instrument's cycles are left out."
        )
        findings.append(Finding("warning", "steps_not_matched", sentence))
        return frame
    return pl.concat([frame, listed[(run - 1).to_list()]], how="horizontal")


def _read_step_sheet(path: Path, sheets: Sequence[workbook.Sheet]) -> pl.DataFrame | None:
    """Return cycle, line of the schedule and number of each step from the step sheet."""
    for sheet in sheets:
        one = neware_layers.find_level(sheet.rows[0]) if sheet.rows else None
        if one is not None and one.kind == "step":
            found = match_headers(one.names, _STEP_QUANTITIES)
            return workbook.read_columns(path, sheet, 0, found, bare_seconds=False)
    return None


def _read_metadata(path: Path, sheets: Sequence[workbook.Sheet]) -> dict[str, object]:
    """Return the labelled cells of the sheets unit and test."""
    found: dict[str, object] = {}
    for sheet in sheets:
        if sheet.name.lower() in {"unit", "test"}:
            for row in workbook.read_texts(path, sheet.name):
                found |= _row_metadata([text for text in row if text])
    return found


def _read_vendor_cycles(path: Path, sheets: Sequence[workbook.Sheet]) -> dict[str, pl.DataFrame]:
    """Return the table of cycles on the sheet ``cycle``."""
    name = next((sheet.name for sheet in sheets if sheet.name.lower() == "cycle"), None)
    if name is None:
        return {}
    frame = workbook.read_text_table(path, name)
    return vendor_cycles(frame, neware.CYCLE_QUANTITIES, bare_seconds=False)


def _row_metadata(texts: Sequence[str]) -> dict[str, object]:
    """Return what stands behind known labels in a row; the device's parts are joined."""
    if texts and texts[0] == "device":
        return {"device": "-".join(texts[1:])}
    return metadata_from_labels(
        (label, text)
        for label, text in pairwise(texts)
        if label in _LABELS and text not in _LABELS and text != "-"
    )


def _claims(sample: Sample) -> bool:
    names = workbook.sheet_names(sample)
    if "record" in names and {"unit", "test", "cycle", "step"} & {*names}:
        return True
    if not names or any(name.startswith("Channel") for name in names):
        return False
    sheets = workbook.try_read_sheets(sample.path)
    if any(arbin.header_score(row) for sheet in sheets for row in sheet.rows):
        return False
    return bool(_record_sheets(sheets)) or any(_nested_levels(sheet) for sheet in sheets)


FORMAT = Format(
    "neware_xlsx", "Neware", (".xlsx", ".xls"), _claims, read, is_complete=is_complete_workbook
)
