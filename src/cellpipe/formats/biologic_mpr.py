"""BioLogic's binary .mpr (EC-Lab and BT-Lab).

A 52-byte magic, then modules: a header (galvani's reader tells the old from the new, EC-Lab 11.50
and later) and as many bytes as it says. ``VMP Set`` holds the technique, ``VMP data`` the records,
``VMP LOG`` the start; a file that is copied while the test runs has no LOG. The data module begins
with the number of records and the ids of the columns; which id is which column, and how wide it
is, stands in galvani's table, extended by :data:`MORE_COLUMNS`. In the new data modules the ids
are little-endian 16-bit numbers from byte 6, read as such here.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from galvani.BioLogic import (
    VMPdata_colID_dtype_map as GALVANI_COLUMNS,
)
from galvani.BioLogic import (
    VMPdata_colID_flag_map as FLAGS,
)
from galvani.BioLogic import (
    read_VMP_modules,
)

from cellpipe.contracts import empty
from cellpipe.domain import Finding, Recording
from cellpipe.errors import DamagedFileError
from cellpipe.formats.biologic import recording
from cellpipe.formats.biologic_companion import acquisition_start
from cellpipe.formats.format import Format, Sample

MAGIC = b"BIO-LOGIC MODULAR FILE\x1a"
MORE_COLUMNS = {  # what galvani's table leaves out or calls otherwise than EC-Lab
    112: ("|Y|/Ohm-1", "<f4"),
    115: ("-Im(Y)/Ohm-1", "<f4"),
    441: ("<Ece>/V", "<f4"),
    880: ("Energy we/W.h", "<f8"),
    883: ("Energy ce charge/W.h", "<f8"),
    884: ("Energy ce discharge/W.h", "<f8"),
}
TECHNIQUES = {
    0x04: "GCPL", 0x06: "CV", 0x0B: "OCV", 0x18: "CA", 0x19: "CP", 0x1C: "WAIT", 0x1D: "PEIS",
    0x1E: "GEIS", 0x32: "ZIR", 0x6C: "LSV", 0x76: "CstC", 0x77: "GCPL2", 0x7F: "MB",
}  # fmt: skip
_OLE_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - the instrument's local clock
_OLE_OFFSETS = (585, 465, 469, 473)
_BLOCK = 8192  # rows; a block of records stays in the processor's cache while it is transposed


def read(path: Path) -> Recording:
    """Read an .mpr file.

    Raises
    ------
    DamagedFileError
        If a module runs past the end of the file, or the records don't fill their module.

    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    modules = _modules(path)
    settings, data = modules.get("VMP Set"), modules.get("VMP data")
    if settings is None or data is None:
        raise DamagedFileError(
            f"the modules {', '.join(modules) or 'none'}",
            expected="VMP Set and VMP data",
            remedy="copy the file again from the instrument",
        )
    technique = TECHNIQUES.get(int(content[settings["offset"]]), "unknown")
    metadata = _metadata(content, modules.get("VMP LOG"), technique)
    columns, findings = _records(content, data)
    started, said = _start(path, content, settings, modules.get("VMP LOG"))
    if not columns.height:
        return Recording({"timeseries": empty("timeseries")}, metadata, tuple(said), started)
    return recording(columns, metadata, started, [*findings, *said])


def _modules(path: Path) -> dict[str, dict[str, Any]]:
    size = path.stat().st_size
    found: dict[str, dict[str, Any]] = {}
    with path.open("rb") as stream:
        stream.seek(52)
        for module in read_VMP_modules(stream, read_module_data=False):
            name = bytes(module["shortname"]).decode("latin1").strip()
            end = int(module["offset"]) + int(module["length"])
            if end > size:
                raise DamagedFileError(
                    f"{size} bytes, but its module {name!r} ends at byte {end}",
                    expected="a whole file",
                    remedy="it was cut off while it was copied: copy it again from the instrument",
                )
            found[name] = {
                "offset": int(module["offset"]),
                "length": int(module["length"]),
                "version": int(module["version"]),
                "date": bytes(module["date"]),
            }
    return found


def _records(
    content: np.memmap[Any, Any], data: dict[str, Any]
) -> tuple[pl.DataFrame, list[Finding]]:
    start, length, version = data["offset"], data["length"], data["version"]
    count = int.from_bytes(bytes(content[start : start + 4]), "little")
    ids, header = _column_ids(content, start, version)
    room = length - header
    if count == 0:
        return pl.DataFrame(), []
    if room < 0 or room % count:
        raise DamagedFileError(
            f"{count} records in {max(room, 0)} bytes",
            expected="records of equal length",
            remedy="copy the file again from the instrument",
        )
    layout, flags, findings = _layout(ids, room // count)
    records = np.frombuffer(content, layout, count, start + header)
    return _columns(records, flags), findings


def _column_ids(content: np.memmap[Any, Any], start: int, version: int) -> tuple[list[int], int]:
    """Give the ids of the columns and how many bytes stand before the records."""
    head = bytes(content[start : start + 1007])
    if version in {2, 3}:
        return list(struct.unpack_from(f"<{head[4]}H", head, 5)), {2: 405, 3: 406}[version]
    if version == 0 and head[5] == 0:
        (number,) = struct.unpack_from("<H", head, 4)
        return list(struct.unpack_from(f"<{number}H", head, 6)), 1007
    if version == 0:
        return list(head[5 : 5 + head[4]]), 100
    raise DamagedFileError(
        f"a data module of version {version}",
        expected="version 0, 2 or 3",
        remedy="export the file as text (.mpt) from EC-Lab, and tell us of it",
    )


def _layout(
    ids: list[int], record_bytes: int
) -> tuple[np.dtype[Any], dict[str, tuple[int, int]], list[Finding]]:
    """Give the record's layout; an id that is not known costs its column, not the file."""
    known = {**GALVANI_COLUMNS, **MORE_COLUMNS}
    unknown = [i for i in ids if i not in known and i not in FLAGS]
    width = _unknown_width(ids, known, unknown, record_bytes)
    fields: list[tuple[str, str]] = []
    flags: dict[str, tuple[int, int]] = {}
    seen: dict[str, int] = {}
    for number in ids:
        if number in FLAGS:
            if not flags:
                fields.append(("flags", "u1"))
            name, mask, _ = FLAGS[number]
            flags[name] = (int(mask), (int(mask) & -int(mask)).bit_length() - 1)
            continue
        name, kind = known.get(number, (f"unknown_{number}", f"V{width}"))
        seen[name] = seen.get(name, 0) + 1
        fields.append((name if seen[name] == 1 else f"{name} {seen[name]}", kind))
    findings = []
    if unknown:
        names = ", ".join(map(str, unknown))
        sentence = f"EC-Lab's column ids {names} are not known; these columns were left out."
        findings.append(Finding("warning", "unknown_column", sentence))
    return np.dtype(fields), flags, findings


def _unknown_width(
    ids: list[int], known: dict[int, tuple[str, str]], unknown: list[int], record_bytes: int
) -> int:
    widths = [np.dtype(known[i][1]).itemsize for i in ids if i in known]
    rest = record_bytes - sum(widths) - int(any(i in FLAGS for i in ids))
    if not unknown and rest == 0:
        return 0
    if len(unknown) == 1 and rest in {1, 2, 4, 8}:
        return rest
    if unknown and rest in {4 * len(unknown), 8 * len(unknown)}:
        return rest // len(unknown)
    raise DamagedFileError(
        f"records of {record_bytes} bytes with {rest} bytes for the column ids {unknown}",
        expected="records as wide as their columns",
        remedy="export the file as text (.mpt) from EC-Lab, and tell us of it",
    )


def _columns(records: np.ndarray[Any, Any], flags: dict[str, tuple[int, int]]) -> pl.DataFrame:
    """Turn records into columns in one pass over the bytes."""
    names = [name for name in records.dtype.names or () if not name.startswith("unknown_")]
    columns = {name: np.empty(len(records), records.dtype[name]) for name in names}
    for first in range(0, len(records), _BLOCK):
        block = records[first : first + _BLOCK]
        for name, column in columns.items():
            column[first : first + _BLOCK] = block[name]
    packed = columns.pop("flags", None)
    if packed is not None:
        for name, (mask, shift) in flags.items():
            columns[name] = (packed & mask) >> shift
    return pl.DataFrame(columns)


def _metadata(
    content: np.memmap[Any, Any], log: dict[str, Any] | None, technique: str
) -> dict[str, object]:
    """Read the fields of the log whose place is known."""
    found: dict[str, object] = {"maker": "BioLogic", "technique": technique}
    if log is None:
        return found
    body = bytes(content[log["offset"] : log["offset"] + min(log["length"], 4096)])
    for name, offset, length in (
        ("host_file", 0x251, 255), ("software_version", 0x3B7, 7), ("serial_number", 0x3CF, 2),
    ):  # fmt: skip
        text = body[offset : offset + length]
        if name == "serial_number":
            found[name] = int.from_bytes(text, "little")
        elif text and 0 < text[0] < len(text):
            found[name] = text[1 : 1 + text[0]].decode("cp1252", "replace").strip("\x00 ")
    return found


def _start(
    path: Path,
    content: np.memmap[Any, Any],
    settings: dict[str, Any],
    log: dict[str, Any] | None,
) -> tuple[datetime | None, list[Finding]]:
    """Give the local time at which the acquisition was started."""
    if log is not None:
        body = bytes(content[log["offset"] : log["offset"] + min(log["length"], 1024)])
        for offset in _OLE_OFFSETS:
            if len(body) >= offset + 8:
                (days,) = struct.unpack_from("<d", body, offset)
                if 36_000 < days < 60_000:
                    return _OLE_ZERO + timedelta(milliseconds=round(days * 86_400_000)), []
    companion = acquisition_start(path.with_suffix(".mpl"))
    if companion is not None:
        return companion, []
    day = _day(settings["date"])
    if day is None:
        return None, []
    sentence = (
        "The file has no log (it was copied while the test ran): "
        "its start is known to the day only."
    )
    return datetime(day.year, day.month, day.day), [  # noqa: DTZ001 - the instrument's local clock
        Finding("warning", "start_known_to_the_day", sentence)
    ]


def _day(text: bytes) -> date | None:
    for pattern in ("%m/%d/%y", "%m-%d-%y", "%m.%d.%y"):
        try:
            return datetime.strptime(text.decode("latin1"), pattern).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _claims(sample: Sample) -> bool:
    return sample.head.startswith(MAGIC)


FORMAT = Format("biologic_mpr", "BioLogic", (".mpr",), _claims, read)
