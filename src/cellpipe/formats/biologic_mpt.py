"""BioLogic's text export, .mpt or .txt (EC-Lab and BT-Lab).

First line "EC-Lab ASCII FILE" or "BT-Lab ASCII FILE", second line how many header lines there are,
the last of which names the columns; without any header the first line names them. Fields are parted
by tabs. Decimal commas, cp1252 or UTF-8, a trailing tab, columns without a name, columns that come
twice and ``time/s`` as absolute date-times occur, and are read as they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe.contracts import empty
from cellpipe.domain import Finding, Recording
from cellpipe.errors import DamagedFileError
from cellpipe.formats.biologic import recording
from cellpipe.formats.biologic_companion import local_time, started_on
from cellpipe.formats.format import Format, Sample

_MAGIC = re.compile(rb"\s*(EC|BT)-Lab ASCII FILE", re.IGNORECASE)
_COUNT = re.compile(rb"Nb header lines : *(\d+)")
_TAIL_BYTES = 1 << 16
_NULLS = ["", "XXX", "nan", "-nan", "inf", "-inf", "NaN"]
_FIELDS = {
    "serial_number": r"Device : .*\(SN ([^)]*)\)",
    "instrument": r"Device : ([^\r\n(]*)",
    "channel": r"Run on channel : ([^\r\n(]*)",
    "channel_serial_number": r"Run on channel : [^\r\n(]*\(SN ([^)]*)\)",
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
_FIRST_COLUMNS = (b"mode\t", b"freq/Hz\t", b"time/s\t")
_RENAMED = {"Cs/uF": "Cs/µF", "Cp/uF": "Cp/µF", "Pwe/W": "P/W"}


@dataclass(frozen=True)
class _Header:
    lines: int
    text: str
    names: list[str]
    first_row: bytes


def read(path: Path) -> Recording:
    """Read an .mpt or .txt file.

    Raises
    ------
    DamagedFileError
        If the header is longer than the file, or names no column that is known.

    """
    header = _header(path)
    if not header.first_row.strip():
        return Recording(
            {"timeseries": empty("timeseries")}, _metadata(header.text), (), started_on(header.text)
        )
    columns, findings = _body(path, header)
    started = started_on(header.text)
    columns, started = _times(columns, started)
    return recording(columns, _metadata(header.text), started, findings)


def _header(path: Path) -> _Header:
    with path.open("rb") as stream:
        content = stream.read(1 << 16)
        found = _COUNT.search(content[:512])
        lines = int(found[1]) if found else 1
        while content.count(b"\n") < lines + 1 and (more := stream.read(1 << 18)):
            content += more
    split = content.split(b"\n", lines + 1)
    if len(split) < lines:
        raise DamagedFileError(
            f"{len(split)} lines, though the header alone has {lines}",
            expected="the header and the records below it",
            remedy="it was cut off while it was copied: copy or export it again",
        )
    text = _decoded(b"\n".join(split[:lines]))
    first_row = split[lines] if len(split) > lines else b""
    return _Header(lines, text, _names(split[lines - 1]), first_row)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _names(raw: bytes) -> list[str]:
    names: list[str] = []
    for place, name in enumerate(_decoded(raw).rstrip("\r\n\t ").split("\t")):
        clean = _RENAMED.get(name.strip(), name.strip()) or f"unnamed_{place}"
        clean = re.sub(r"^Temperature/.{1,3}C$", "Temperature/°C", clean)
        repeats = names.count(clean)
        names.append(f"{clean} {repeats + 1}" if repeats else clean)
    return names


def _body(path: Path, header: _Header) -> tuple[pl.DataFrame, list[Finding]]:
    fields = header.first_row.rstrip(b"\r\n").split(b"\t")
    names = _aligned(header.names, fields)
    dated = {"time/s"} if _is_dated(header.names, fields) else set()
    schema = {
        name: pl.String() if name in dated or name.startswith("_beyond") else pl.Float64()
        for name in names
    }
    frame = pl.read_csv(
        path, separator="\t", has_header=False, skip_lines=header.lines, schema=schema,
        null_values=_NULLS, quote_char=None, truncate_ragged_lines=True, encoding="utf8-lossy",
        decimal_comma=b"," in header.first_row, ignore_errors=True,
    )  # fmt: skip
    frame = frame.select(pl.exclude("^_beyond_.*$"))
    if frame.height < 2 or not _ends_within_a_line(path):
        return frame, []
    sentence = "The file ends within a line: it was cut off, and the records after it are missing."
    return frame[:-1], [Finding("warning", "file_cut_off", sentence, 1)]


def _aligned(names: list[str], fields: list[bytes]) -> list[str]:
    """Give a name for each field; refuse values that stand under no name."""
    beyond = fields[len(names) :]
    if any(field.strip() for field in beyond):
        raise DamagedFileError(
            f"{len(fields)} values in a row under {len(names)} column names",
            expected="a name for each value",
            remedy="export the file again from EC-Lab; a column name was deleted by hand",
        )
    return names[: len(fields)] + [f"_beyond_{i}" for i in range(len(beyond))]


def _ends_within_a_line(path: Path) -> bool:
    """Whether the last line is shorter than the one before it: in fields, or in its last field.

    EC-Lab writes a column with as many digits in each line; a sign makes it one longer.
    """
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        lines = stream.read().split(b"\n")
    if len(lines) < 3 or not lines[-1]:
        return False
    before, last = (line.rstrip(b"\r\t ").split(b"\t") for line in lines[-2:])
    return len(last) < len(before) or len(last[-1]) < len(before[-1]) - 1


def _is_dated(names: list[str], fields: list[bytes]) -> bool:
    place = names.index("time/s") if "time/s" in names else -1
    return 0 <= place < len(fields) and b":" in fields[place]


def _times(columns: pl.DataFrame, started: datetime | None) -> tuple[pl.DataFrame, datetime | None]:
    """Turn absolute date-times in ``time/s`` into seconds since the acquisition's start."""
    if columns.schema.get("time/s") != pl.String:
        return columns, started
    first = local_time(str(columns["time/s"][0]))
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
    found: dict[str, object] = {"maker": "BioLogic"}
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > 3 and lines[3] and "\t" not in lines[3] and ":" not in lines[3]:
        found["technique"] = lines[3]
    for name, pattern in _FIELDS.items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match and match[1].strip():
            found[name] = match[1].strip()
    return found


def _claims(sample: Sample) -> bool:
    head = sample.head.removeprefix(b"\xef\xbb\xbf")
    if _MAGIC.match(head):
        return True
    first = head.split(b"\n", 1)[0]
    known = b"Ewe/V" in first or b"Ecell/V" in first or b"-Im(Z)/Ohm" in first
    return first.startswith(_FIRST_COLUMNS) and known


FORMAT = Format("biologic_mpt", "BioLogic", (".mpt", ".txt"), _claims, read)
