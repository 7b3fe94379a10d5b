"""Read Neware's Excel export: BTSDA 8 with a sheet per level, BTS 7 with details or nested.

BTSDA 8 writes ``unit`` and ``test`` (the instrument and the cell), ``cycle``, ``step`` and
``record``; columns, units, sign and clock are those of :mod:`cellpipe.formats.neware.columns`.
Records without cycle and step numbers get those of the ``step`` sheet, provided that it lists as
many steps as the records show. BTS 7 writes ``Detail_…`` sheets, or one nested sheet as in
:mod:`cellpipe.formats.neware.layers`. ``log``, ``idle`` and ``curve`` are not read.
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
from cellpipe.formats.tabular.sheet_account import check_sheet, leave_out_empty_rows

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
        If it can't be opened, or a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    sheets = workbook.read_sheets(path)
    places = _record_sheets(sheets)
    if not places:
        return _read_nested(path, sheets)
    matches = neware.match_columns(workbook.column_names(*places[0]))
    findings = _left_out_findings(sheets, places)
    frames = [_read_records(path, place, findings) for place in places]
    frame = pl.concat(frames, how="diagonal_relaxed")
    if not {"cycle_count", "step_id"} & {match.target for match in matches}:
        frame = _add_steps(path, sheets, frame, findings)
        matches = neware.match_columns(frame.columns)
    table = standard_columns(frame, matches, bare_seconds=False)
    recording = neware.to_recording(table, _read_metadata(path, sheets), findings)
    return replace(recording, tables={**recording.tables, **_read_vendor_cycles(path, sheets)})


def _record_sheets(sheets: Sequence[workbook.Sheet]) -> list[Place]:
    """Return the record sheets with the same columns as the first, and their header rows."""
    places: list[Place] = []
    for sheet in sheets:
        header = next(
            (index for index, row in enumerate(sheet.rows) if neware.header_score(row)), None
        )
        if header is None or sheet.name.lower() in _OTHERS or _nested_levels(sheet):
            continue
        if not places or sheet.rows[header] == places[0][0].rows[places[0][1]]:
            places.append((sheet, header))
    return places


def _left_out_findings(sheets: Sequence[workbook.Sheet], places: Sequence[Place]) -> list[Finding]:
    """Report sheets that are called like those of the records, and have not their columns."""
    names = {sheet.name for sheet, _ in places}
    stems = {name.rstrip("0123456789_- ") for name in names}
    findings = []
    for sheet in sheets:
        is_alike = sheet.name.rstrip("0123456789_- ") in stems
        if is_alike and sheet.rows and sheet.name not in names:
            sentence = (
                f"The sheet {sheet.name!r} has not the columns of {places[0][0].name!r}; it was "
                "left out."
            )
            findings.append(Finding("warning", "sheet_left_out", sentence))
    return findings


def _read_records(path: Path, place: Place, findings: list[Finding]) -> pl.DataFrame:
    matches = neware.match_columns(workbook.column_names(*place))
    return workbook.read_columns(path, *place, matches, bare_seconds=False, findings=findings)


def _nested_levels(sheet: workbook.Sheet) -> tuple[neware_layers.Level, ...]:
    """Return the levels of a nested sheet, none for a flat one."""
    levels = neware_layers.find_levels(sheet.rows)
    return levels if len(levels) > 1 and "record" in {level.kind for level in levels} else ()


def _read_nested(path: Path, sheets: Sequence[workbook.Sheet]) -> Recording:
    nested = [sheet for sheet in sheets if _nested_levels(sheet)]
    if not nested:
        raise NoDataError(
            f"no records on the sheets {', '.join(sheet.name for sheet in sheets)}",
            expected="a sheet with DataPoint, Time, Current, Voltage and others",
            remedy="export the workbook again with the records",
        )
    levels = _nested_levels(nested[0])
    findings = check_sheet(path, nested[0].member, nested[0].name)
    lines, empty = leave_out_empty_rows(
        workbook.read_lines(path, nested[0].name), 1, nested[0].name
    )
    frame = neware_layers.records(lines, levels)
    cycles = neware_layers.cycles(lines, levels)
    recording = neware.to_recording(neware.to_standard_columns(frame), {}, findings + empty)
    return replace(recording, tables={**recording.tables, **cycles})


def _add_steps(
    path: Path, sheets: Sequence[workbook.Sheet], frame: pl.DataFrame, findings: list[Finding]
) -> pl.DataFrame:
    """Add cycle and step from the step sheet to the records, in the order as run."""
    step_rows = _read_step_sheet(path, sheets)
    if step_rows is None:
        return frame
    matches = [
        match
        for match in neware.match_columns(frame.columns)
        if match.target in {"step_type", "step_time_second"}
    ]
    steps = count_steps(standard_columns(frame, matches, bare_seconds=False))
    if not steps.len() or steps[-1] != step_rows.height:
        sentence = (
            f"The step sheet lists {step_rows.height} steps where the records show "
            f"{steps[-1] if steps.len() else 0}; the instrument's cycles are left out."
        )
        findings.append(Finding("warning", "steps_not_matched", sentence))
        return frame
    return pl.concat([frame, step_rows[(steps - 1).to_list()]], how="horizontal")


def _read_step_sheet(path: Path, sheets: Sequence[workbook.Sheet]) -> pl.DataFrame | None:
    """Read cycle, line of the schedule and number of each step from the step sheet."""
    for sheet in sheets:
        level = neware_layers.find_level(sheet.rows[0]) if sheet.rows else None
        if level is not None and level.kind == "step":
            matches = match_headers(level.names, _STEP_QUANTITIES)
            return workbook.read_columns(path, sheet, 0, matches, bare_seconds=False)
    return None


def _read_metadata(path: Path, sheets: Sequence[workbook.Sheet]) -> dict[str, object]:
    """Read the labelled cells of the sheets ``unit`` and ``test``."""
    metadata: dict[str, object] = {}
    for sheet in sheets:
        if sheet.name.lower() in {"unit", "test"}:
            for row in workbook.read_texts(path, sheet.name):
                metadata |= _row_metadata([text for text in row if text])
    return metadata


def _read_vendor_cycles(path: Path, sheets: Sequence[workbook.Sheet]) -> dict[str, pl.DataFrame]:
    """Read the table of cycles on the sheet ``cycle``."""
    name = next((sheet.name for sheet in sheets if sheet.name.lower() == "cycle"), None)
    if name is None:
        return {}
    frame = workbook.read_text_table(path, name)
    return vendor_cycles(frame, neware.CYCLE_QUANTITIES, bare_seconds=False)


def _row_metadata(texts: Sequence[str]) -> dict[str, object]:
    """Return the values after known labels in a row; the parts of the device are joined."""
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
    "neware_xlsx", "Neware", (".xlsx", ".xls"), _claims, read,
    is_complete=is_complete_workbook, version=3,
)  # fmt: skip
