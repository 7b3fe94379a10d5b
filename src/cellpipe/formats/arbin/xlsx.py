"""Arbin's Excel export: records on ``Channel_…`` sheets, the test on ``Info`` or ``Global_Info``.

The columns are those of :mod:`cellpipe.formats.arbin.columns`. A channel with more records than a sheet has
rows goes on in ``Channel_11_2``, ``_3`` and so on; a workbook with several channels holds several
cells, each a part of its own. ``Date_Time`` is an Excel date or text, of the computer's local
clock. Current is positive on charge. ``Statistics_…`` (one row per cycle) becomes
``vendor_cycles``; sheets that people have added are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Recording
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
    """A sheet with records: its header's place, its channel and its place among the parts."""

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
    found = arbin.match_columns(workbook.column_names(parts[0].sheet, parts[0].header))
    frame = pl.concat([_read_records(path, part) for part in parts], how="diagonal_relaxed")
    table = standard_columns(frame, found, bare_seconds=True)
    read = arbin.to_recording(table, _read_metadata(path, sheets, channel))
    return replace(read, tables={**read.tables, **_read_vendor_cycles(path, sheets, channel)})


def _channels(parts: Sequence[_Part]) -> list[str]:
    return sorted({part.channel for part in parts}, key=lambda name: (len(name), name))


def channels(path: Path) -> tuple[str, ...]:
    """Name the channels of a workbook that holds the records of several, as parts of it."""
    found = _channels(_parts(workbook.read_sheets(path)))
    return tuple(f"{_PART}{channel}" for channel in found) if len(found) > 1 else ()


def read_channel(path: Path, part: str) -> Recording:
    """Read one of the channels that :func:`channels` names; raises what :func:`read` raises."""
    sheets = workbook.read_sheets(path)
    mine = [one for one in _parts(sheets) if f"{_PART}{one.channel}" == part]
    return _read_recording(path, sheets, mine)


def _parts(sheets: Sequence[workbook.Sheet]) -> list[_Part]:
    found = []
    for sheet in sheets:
        name = _CHANNEL.match(sheet.name)
        header = next((i for i, row in enumerate(sheet.rows) if arbin.header_score(row)), None)
        if header is not None:
            channel, rest = (name["channel"], name["part"] or "") if name else ("", "")
            order = tuple(int(digits) for digits in re.findall(r"\d+", rest))
            found.append(_Part(sheet, header, channel, order))
    named = [part for part in found if part.channel]
    return sorted(named or found, key=lambda part: part.order)


def _read_records(path: Path, part: _Part) -> pl.DataFrame:
    found = arbin.match_columns(workbook.column_names(part.sheet, part.header))
    return workbook.read_columns(path, part.sheet, part.header, found, bare_seconds=True)


def _read_metadata(path: Path, sheets: Sequence[workbook.Sheet], channel: str) -> dict[str, object]:
    """Return what the test's sheet says: labelled cells above, and the channel's row below."""
    name = next((sheet.name for sheet in sheets if sheet.name in _INFO), None)
    if name is None:
        return {"channel": channel} if channel else {}
    rows = workbook.read_texts(path, name)
    found: dict[str, object] = _title_metadata(rows)
    top = next((i for i, row in enumerate(rows) if "Channel" in row[:2]), None)
    if top is not None and len(rows) > top + 1:
        below = [row for row in rows[top + 1 :] if channel in row[:2]] or rows[top + 1 :]
        named = metadata_from_labels(
            (label, text) for label, text in zip(rows[top], below[0], strict=False) if text
        )
        found |= {label: text for label, text in named.items() if label}
    return found


def _title_metadata(rows: Sequence[tuple[str, ...]]) -> dict[str, object]:
    """Return the test's name (labelled or not, in the second row) and the instrument's number."""
    found: dict[str, object] = {}
    if len(rows) < 3:
        return found
    second = [text for text in rows[1] if text]
    if "Test Name" in second[:-1]:
        found["test_name"] = second[second.index("Test Name") + 1]
    elif second:
        found["test_name"] = second[0]
    if "Serial Number" in rows[1]:
        place = rows[1].index("Serial Number")
        if place < len(rows[2]) and rows[2][place]:
            found["instrument_serial_number"] = rows[2][place]
    return found


def _read_vendor_cycles(
    path: Path, sheets: Sequence[workbook.Sheet], channel: str
) -> dict[str, pl.DataFrame]:
    """Return the table of cycles on the sheets ``Statistics_…`` of a channel."""
    parts = []
    for sheet in sheets:
        named = _STATISTICS.match(sheet.name)
        mine = named is not None and (not channel or named["channel"] in {channel, None})
        if not mine or not sheet.rows:
            continue
        names = workbook.column_names(sheet, 0)
        known = find_targets(names, arbin.CYCLE_QUANTITIES)
        if known and all(known.values()):
            found = match_headers(names, arbin.CYCLE_QUANTITIES)
            parts.append(workbook.read_columns(path, sheet, 0, found, bare_seconds=True))
    if not parts:
        return {}
    whole = pl.concat(parts, how="diagonal_relaxed")
    return vendor_cycles(whole, arbin.CYCLE_QUANTITIES, bare_seconds=True)


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
)
