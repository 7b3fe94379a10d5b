"""Read Arbin's Excel export, with the records on sheets ``Channel_…``.

``Info`` or ``Global_Info`` describes the test. The columns are those of
:mod:`cellpipe.formats.arbin.columns`. A channel with more records than a sheet has rows continues
in ``Channel_11_2``, ``_3`` and so on; a workbook with several channels holds several cells, each a
separate part. ``Date_Time`` is an Excel date or text in the computer's local time. Current is
positive on charge. ``Statistics_…`` (one row per cycle) becomes ``vendor_cycles``; sheets added by
users are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.arbin import columns as arbin
from cellpipe.formats.file_ends import is_complete_workbook
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import workbook
from cellpipe.formats.tabular.dialect import find_targets, match_headers
from cellpipe.formats.tabular.records import metadata_from_labels, standard_columns, vendor_cycles

_CHANNEL = re.compile(r"^Channel[_\- ]?(?P<channel>\d+(?:-\d+)?)(?:_(?P<part>.*))?$")
_STATISTICS = re.compile(r"^Statistics[_\- ]?(?P<channel>\d+(?:-\d+)?)?(?:_.*)?$")
_INFO = ("Global_Info", "Info")
_PART = "Channel_"


@dataclass(frozen=True)
class _Part:
    """A sheet with records: its header row, its channel and its order in the channel."""

    sheet: workbook.Sheet
    header: int
    channel: str
    order: tuple[int, ...]


def read(path: Path) -> Recording:
    """Read an Arbin workbook that holds one channel.

    Raises
    ------
    DamagedFileError
        If it can't be opened, holds several channels, or a column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    sheets = workbook.read_sheets(path)
    parts = _parts(sheets)
    channels = _channels(parts)
    if not parts:
        raise NoDataError(
            f"no records on the sheets {', '.join(sheet.name for sheet in sheets)}",
            expected="a sheet Channel_… with Test_Time, Current, Voltage and others",
            remedy="export the workbook again with the channel's data",
        )
    if len(channels) > 1:
        raise DamagedFileError(
            f"records of {len(channels)} channels ({', '.join(channels)})",
            expected="the name of one",
            remedy=f"name the part to be read, such as {_PART}{channels[0]}",
        )
    return _read_recording(path, sheets, parts)


def _read_recording(
    path: Path, sheets: Sequence[workbook.Sheet], parts: Sequence[_Part]
) -> Recording:
    """Return the recording on a channel's sheets."""
    channel = parts[0].channel
    matches = arbin.match_columns(workbook.column_names(parts[0].sheet, parts[0].header))
    findings = _left_out_findings(sheets, channel)
    frames = [_read_records(path, part, findings) for part in parts]
    table = standard_columns(pl.concat(frames, how="diagonal_relaxed"), matches, bare_seconds=True)
    recording = arbin.to_recording(table, _read_metadata(path, sheets, channel))
    cycles = _read_vendor_cycles(path, sheets, channel, findings)
    return replace(
        recording,
        tables={**recording.tables, **cycles},
        findings=(*recording.findings, *findings),
    )


def _left_out_findings(sheets: Sequence[workbook.Sheet], channel: str) -> list[Finding]:
    """Report a channel's sheets of records whose header can't be recognised."""
    findings = []
    for sheet in sheets:
        name = _CHANNEL.match(sheet.name)
        if name and name["channel"] == channel and sheet.rows and not any(
            map(arbin.header_score, sheet.rows)
        ):  # fmt: skip
            sentence = f"The sheet {sheet.name!r} has no header of records; it was left out."
            findings.append(Finding("warning", "sheet_left_out", sentence))
    return findings


def _channels(parts: Sequence[_Part]) -> list[str]:
    return sorted({part.channel for part in parts}, key=lambda name: (len(name), name))


def channels(path: Path) -> tuple[str, ...]:
    """Return the channels of a workbook as names of its parts, none if it holds only one."""
    names = _channels(_parts(workbook.read_sheets(path)))
    return tuple(f"{_PART}{channel}" for channel in names) if len(names) > 1 else ()


def read_channel(path: Path, part: str) -> Recording:
    """Read a part that :func:`channels` returns; raise the same errors as :func:`read`."""
    sheets = workbook.read_sheets(path)
    parts = [sheet_part for sheet_part in _parts(sheets) if f"{_PART}{sheet_part.channel}" == part]
    return _read_recording(path, sheets, parts)


def _parts(sheets: Sequence[workbook.Sheet]) -> list[_Part]:
    parts = []
    for sheet in sheets:
        name = _CHANNEL.match(sheet.name)
        header = next(
            (index for index, row in enumerate(sheet.rows) if arbin.header_score(row)), None
        )
        if header is not None:
            channel, rest = (name["channel"], name["part"] or "") if name else ("", "")
            order = tuple(int(digits) for digits in re.findall(r"\d+", rest))
            parts.append(_Part(sheet, header, channel, order))
    named = [part for part in parts if part.channel]
    return sorted(named or parts, key=lambda part: part.order)


def _read_records(path: Path, part: _Part, findings: list[Finding]) -> pl.DataFrame:
    matches = arbin.match_columns(workbook.column_names(part.sheet, part.header))
    return workbook.read_columns(
        path, part.sheet, part.header, matches, bare_seconds=True, findings=findings
    )


def _read_metadata(path: Path, sheets: Sequence[workbook.Sheet], channel: str) -> dict[str, object]:
    """Return the metadata on the test's sheet: labelled cells, and the channel's row below."""
    name = next((sheet.name for sheet in sheets if sheet.name in _INFO), None)
    if name is None:
        return {"channel": channel} if channel else {}
    rows = workbook.read_texts(path, name)
    metadata: dict[str, object] = _title_metadata(rows)
    top = next((index for index, row in enumerate(rows) if "Channel" in row[:2]), None)
    if top is not None and len(rows) > top + 1:
        below = [row for row in rows[top + 1 :] if channel in row[:2]] or rows[top + 1 :]
        labelled = metadata_from_labels(
            (label, text) for label, text in zip(rows[top], below[0], strict=False) if text
        )
        metadata |= {label: text for label, text in labelled.items() if label}
    return metadata


def _title_metadata(rows: Sequence[tuple[str, ...]]) -> dict[str, object]:
    """Return the test's name (second row, labelled or not) and the instrument's serial number."""
    metadata: dict[str, object] = {}
    if len(rows) < 3:
        return metadata
    second = [text for text in rows[1] if text]
    if "Test Name" in second[:-1]:
        metadata["test_name"] = second[second.index("Test Name") + 1]
    elif second:
        metadata["test_name"] = second[0]
    if "Serial Number" in rows[1]:
        column = rows[1].index("Serial Number")
        if column < len(rows[2]) and rows[2][column]:
            metadata["instrument_serial_number"] = rows[2][column]
    return metadata


def _read_vendor_cycles(
    path: Path, sheets: Sequence[workbook.Sheet], channel: str, findings: list[Finding]
) -> dict[str, pl.DataFrame]:
    """Return the table of cycles on the sheets ``Statistics_…`` of a channel."""
    parts = []
    for sheet in sheets:
        match = _STATISTICS.match(sheet.name)
        is_wanted = match is not None and (not channel or match["channel"] in {channel, None})
        if not is_wanted or not sheet.rows:
            continue
        names = workbook.column_names(sheet, 0)
        targets = find_targets(names, arbin.CYCLE_QUANTITIES)
        if targets and all(targets.values()):
            matches = match_headers(names, arbin.CYCLE_QUANTITIES)
            part = workbook.read_columns(
                path, sheet, 0, matches, bare_seconds=True, findings=findings
            )
            parts.append(part)
    if not parts:
        return {}
    combined = pl.concat(parts, how="diagonal_relaxed")
    return vendor_cycles(combined, arbin.CYCLE_QUANTITIES, bare_seconds=True)


def _claims(sample: Sample) -> bool:
    names = workbook.sheet_names(sample)
    if any(_CHANNEL.match(name) for name in names):
        return True
    return bool(names) and any(
        arbin.header_score(row)
        for sheet in workbook.try_read_sheets(sample.path)
        for row in sheet.rows
    )


FORMAT = Format(
    "arbin_xlsx",
    "Arbin",
    (".xlsx", ".xls"),
    _claims,
    read,
    channels,
    read_channel,
    is_complete_workbook,
    version=3,
)
