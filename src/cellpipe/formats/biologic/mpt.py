"""Read BioLogic's text export, .mpt or .txt (EC-Lab and BT-Lab).

The first line is "EC-Lab ASCII FILE" or "BT-Lab ASCII FILE", the second states the number of header
lines, the last of which names the columns; without a header the first line names them. Fields are
separated by tabs. Decimal commas, cp1252 or UTF-8, a trailing tab, unnamed columns, repeated
columns and ``time/s`` as absolute date-times all occur and are read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.biologic.columns import source_columns, to_recording
from cellpipe.formats.biologic.companion import find_acquisition_start, parse_local_time
from cellpipe.formats.damaged_records import LINE
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.gaps import find_time_gaps
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.erased import has_erasures
from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.text_blocks import decode_western

_MAGIC = re.compile(rb"\s*(EC|BT)-Lab ASCII FILE", re.IGNORECASE)
_COUNT = re.compile(rb"Nb header lines : *(\d+)")
_LONGEST_HEADER = 1 << 24
_COUNTERS = ("cycle number", "half cycle", "Ns")
_LARGEST_COUNT = 1 << 53  # a number beyond is none
_ROWS = 20  # by which the number of values in a row is known
_FIELDS = {
    "serial_number": r"Device : .*\(SN ([^)]*)\)",
    "instrument": r"Device : ([^\r\n(]*)",
    "channel": r"Run on channel : ([^\r\n(]*)",
    "channel_serial_number": r"Run on channel : [^\r\n(]*\(SN ([^)]*)\)",
    "control_range": r"Ewe ctrl range : ([^\r\n]*)",
    "reference_electrode": r"Reference electrode : ([^\r\n]*)",
    "file": r"Saved on :[^\r\n]*[\r\n]+\s*File : ([^\r\n]*)",
    "software_version": r"(?:EC-LAB|BT-LAB) for windows v([\d.]+)",
    "electrode_material": r"Electrode material : ([^\r\n]*)",
    "electrolyte": r"Electrolyte : ([^\r\n]*)",
    "comments": r"Comments : ([^\r\n]*)",
    "mass_of_active_material": r"Mass of active material : ([^\r\n]*)",
    "electrode_surface_area": r"Electrode surface area : ([^\r\n]*)",
    "cycle_definition": r"Cycle Definition : ([^\r\n]*)",
}
_LOOP = re.compile(r"Loop \d+ from point number \d+ to (\d+)")
_FIRST_COLUMNS = (b"mode\t", b"freq/Hz\t", b"time/s\t")
_RENAMED = {"Cs/uF": "Cs/µF", "Cp/uF": "Cp/µF", "Pwe/W": "P/W"}


@dataclass(frozen=True)
class _Header:
    lines: int
    text: str
    names: list[str]
    first_row: bytes | None
    encoding: str
    findings: tuple[Finding, ...]


def read(path: Path) -> Recording:
    """Read an .mpt or .txt file.

    Raises
    ------
    DamagedFileError
        If the header is longer than the file, or names no known column.

    """
    header = _read_header(path)
    if header.first_row is None:
        return Recording(
            {"timeseries": empty_table("timeseries")},
            _metadata(header.text),
            header.findings,
            find_acquisition_start(header.text),
        )
    columns, findings = _read_body(path, header)
    started = find_acquisition_start(header.text)
    columns, started = _to_elapsed_times(columns, started)
    loops = _LOOP.findall(header.text)
    if loops:
        findings = (*findings, *_loop_findings(int(loops[-1]) + 1, columns.height))
    elif "time/s" in columns.columns:
        findings = (*findings, *find_time_gaps(columns["time/s"]))
    return to_recording(columns, _metadata(header.text), started, findings)


def _loop_findings(stated: int, found: int) -> tuple[Finding, ...]:
    """Compare the number of records with the last one that the header's list of loops names."""
    if found >= stated:
        return ()
    sentence = f"The header's loops have {stated:,} records, of which {found:,} can be read."
    return (Finding("warning", "fewer_than_stated", sentence, stated - found),)


def _header_findings(path: Path, content: bytes, *, is_whole: bool) -> tuple[Finding, ...]:
    """Return what is wrong with a header that no record follows."""
    account = LineAccount(path, titles=content.count(b"\n") + 1)
    if has_erasures(content):
        account.blank_erasures(content, 0, 0)
    elif not is_whole:
        sentence = "The file ends within the line of the column names: it was cut off."
        account.notes.append(Finding("warning", "file_cut_off", sentence))
    return account.findings()


def _read_header(path: Path) -> _Header:
    with path.open("rb") as stream:
        content = stream.read(1 << 16)
        match = _COUNT.search(content[:512])
        lines = int(match[1]) if match else 1
        if content.count(b"\n") <= lines:
            content += stream.read(_LONGEST_HEADER)
    split = content.split(b"\n", lines)
    if len(split) < lines:
        raise DamagedFileError(
            f"{len(split)} lines, though the header alone has {lines}",
            expected="the header and the records below it",
            remedy="it was cut off while it was copied: copy or export it again",
        )
    text, encoding = decode_western(b"\n".join(split[:lines]))
    first_row = _usual_row(split[lines].split(b"\n") if len(split) > lines else [])
    is_whole = len(split) > lines or content.endswith((b"\t", b"\r"))  # EC-Lab's last line
    findings = () if first_row else _header_findings(path, content, is_whole=is_whole)
    names = _column_names(text.rsplit("\n", 1)[-1])
    return _Header(lines, text, names, first_row, encoding, findings)


def _usual_row(lines: list[bytes]) -> bytes | None:
    """Return the first row that has as many values as most; None if there is no row."""
    rows = [line for line in lines if line.strip()]
    counts = Counter(row.count(b"\t") for row in rows[:_ROWS])
    usual = max(counts, key=counts.__getitem__, default=0)
    return next((row for row in rows if row.count(b"\t") == usual), None)


def _column_names(line: str) -> list[str]:
    names: list[str] = []
    for index, name in enumerate(line.rstrip("\r\n\t ").split("\t")):
        clean = _RENAMED.get(name.strip(), name.strip()) or f"unnamed_{index}"
        clean = re.sub(r"^Temperature/.{1,3}C$", "Temperature/°C", clean)
        repeats = names.count(clean)
        names.append(f"{clean} {repeats + 1}" if repeats else clean)
    return names


def _read_body(
    path: Path, header: _Header, *, everything: bool = False
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read the columns that standard columns are made from, or all of them."""
    fields = (header.first_row or b"").rstrip(b"\r\n").split(b"\t")
    names = _align_names(header.names, fields)
    wanted = [place for place, name in enumerate(names) if everything or source_columns([name])]
    date_columns = [names.index("time/s")] if _is_dated(names, fields) else []
    column_header = delimited.Header(header.encoding, "\t", tuple(header.names), header.lines - 1)
    frame, findings = delimited.read_columns(path, column_header, wanted or [0], date_columns)
    frame = frame.drop(LINE)
    text_columns = [
        name
        for name in frame.columns
        if frame.schema[name] == pl.String and not (date_columns and name == "time/s")
    ]
    numbers = pl.col(text_columns).str.strip_chars().cast(pl.Float64, strict=False)
    frame = frame.with_columns(numbers).fill_nan(None)
    counters = pl.col([name for name in _COUNTERS if name in frame.columns])
    frame = frame.with_columns(pl.when(counters.abs() < _LARGEST_COUNT).then(counters))
    lost = frame["freq/Hz"].null_count() if "freq/Hz" in frame.columns else 0
    if lost and lost < frame.height:
        sentence = f"{lost:,} records have no frequency that can be read; no spectrum has them."
        findings = (*findings, Finding("warning", "lines_left_out", sentence, lost))
    return frame, findings


def _align_names(names: list[str], fields: list[bytes]) -> list[str]:
    """Return a name for each field; raise DamagedFileError for values without a column name."""
    beyond = fields[len(names) :]
    if any(field.strip() for field in beyond):
        raise DamagedFileError(
            f"{len(fields)} values in a row under {len(names)} column names",
            expected="a name for each value",
            remedy="export the file again from EC-Lab; a column name was deleted by hand",
        )
    return names[: len(fields)]


def _is_dated(names: list[str], fields: list[bytes]) -> bool:
    index = names.index("time/s") if "time/s" in names else -1
    return 0 <= index < len(fields) and b":" in fields[index]


def _to_elapsed_times(
    columns: pl.DataFrame, started: datetime | None
) -> tuple[pl.DataFrame, datetime | None]:
    """Convert absolute date-times in ``time/s`` to seconds since the acquisition's start."""
    if columns.schema.get("time/s") != pl.String:
        return columns, started
    first = parse_local_time(str(columns["time/s"][0]))
    if first is None:
        raise DamagedFileError(
            f"time/s = {columns['time/s'][0]!r}",
            expected="seconds, or month/day/year and h:m:s",
            remedy="export the file again with relative times",
        )
    text = pl.col("time/s").str.replace(",", ".", literal=True)
    moment = pl.coalesce(
        text.str.strptime(pl.Datetime("us"), pattern, strict=False)
        for pattern in ("%m/%d/%Y %H:%M:%S%.f", "%m-%d-%Y %H:%M:%S%.f", "%m.%d.%Y %H:%M:%S%.f")
    )
    zero = started or first
    seconds = (moment - pl.lit(zero)).dt.total_microseconds() / 1e6
    return columns.with_columns(seconds.alias("time/s")), zero


def _metadata(text: str) -> dict[str, object]:
    metadata: dict[str, object] = {"maker": "BioLogic"}
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > 3 and lines[3] and "\t" not in lines[3] and ":" not in lines[3]:
        metadata["technique"] = lines[3]
    for name, pattern in _FIELDS.items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match and match[1].strip():
            metadata[name] = match[1].strip()
    return metadata


def _claims(sample: Sample) -> bool:
    head = sample.head.removeprefix(b"\xef\xbb\xbf")
    if _MAGIC.match(head):
        return True
    first = head.split(b"\n", 1)[0]
    known = b"Ewe/V" in first or b"Ecell/V" in first or b"Im(Z)/" in first
    return first.startswith(_FIRST_COLUMNS) and known


FORMAT = Format(
    "biologic_mpt",
    "BioLogic",
    (".mpt", ".txt"),
    _claims,
    read,
    is_complete=is_complete_text,
    version=6,
)
