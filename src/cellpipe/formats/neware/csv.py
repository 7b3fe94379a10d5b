"""Read Neware's records as text: flat or nested, comma or tab, UTF-8, GB18030 or Windows-1252.

The flat export (such as BTSDA's ``…_record.csv``) has one header line and one line per record;
columns, units, sign and clock are those of :mod:`cellpipe.formats.neware.columns`. The nested
export is that of :mod:`cellpipe.formats.neware.layers`. BTSDA's ``…_cycle.csv`` and
``…_step.csv``, which hold no record, are recognised and refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cellpipe.core.errors import NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.damaged_records import LINE
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.neware import columns as neware
from cellpipe.formats.neware import layers as neware_layers
from cellpipe.formats.tabular import delimited


def read(path: Path) -> Recording:
    """Read a Neware text file.

    Raises
    ------
    DamagedFileError
        If a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    top = delimited.read_header(path, neware_layers.header_score)
    header = delimited.read_header(path, neware.header_score)
    if header is None or not header.fields[0] or (top is not None and top.line < header.line):
        return _read_nested(path, top or header)
    table, findings = delimited.read_flat_table(
        path, header, neware.match_columns, bare_seconds=False
    )
    return neware.to_recording(table, {}, findings)


def _read_nested(path: Path, top: delimited.Header | None) -> Recording:
    if top is None:
        raise _no_records_error("no header line of Neware's")
    with path.open("rb") as stream:
        head = stream.read(1 << 16).decode(top.encoding, errors="replace").splitlines()
    lines = [delimited.split_line(line, top.separator)[1] for line in head]
    levels = neware_layers.find_levels(lines)
    if "record" not in {level.kind for level in levels}:
        raise _no_records_error(f"a table of {levels[0].kind}s")
    names = tuple(
        f"c{index}" for index in range(sum(level.indent + len(level.names) for level in levels))
    )
    all_columns = replace(top, line=-1, fields=names)  # the headers are among the lines
    places = range(len(names))
    text, findings = delimited.read_columns(path, all_columns, places, places, levels=levels)
    text = text.drop(LINE)
    misplaced = neware_layers.count_lines_of_no_level(text, levels)
    if misplaced:
        sentence = f"{misplaced:,} lines belong to no line of column names and are left out."
        findings = (*findings, Finding("warning", "lines_left_out", sentence, misplaced))
    frame = neware_layers.records(text, levels)
    cycles = neware_layers.cycles(text, levels)
    recording = neware.to_recording(neware.to_standard_columns(frame), {}, findings)
    return replace(recording, tables={**recording.tables, **cycles})


def _no_records_error(found: str) -> NoDataError:
    return NoDataError(
        found,
        expected="the records (DataPoint, Time, Current, Voltage …)",
        remedy="read the file …_record.csv, or export again with the records",
    )


def _claims(sample: Sample) -> bool:
    return any(
        delimited.find_header(sample.head, score) is not None
        for score in (neware.header_score, neware_layers.header_score)
    )


FORMAT = Format(
    "neware_csv", "Neware", (".csv", ".txt"), _claims, read, is_complete=is_complete_text, version=3
)
