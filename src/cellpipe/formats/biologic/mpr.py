"""Read BioLogic's binary .mpr files (EC-Lab 10 to 11.6x, BT-Lab).

The file is a sequence of modules (:mod:`cellpipe.formats.biologic.modules`): ``VMP Set`` holds the
technique and the user's entries, ``VMP data`` the records, ``VMP LOG`` the instrument and the
start. A file copied while the test runs has no LOG, and may end within its data: it is read up to
the last complete record, and a finding reports it. The mass of active material is returned as
stored; its unit is not in the file.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.biologic.columns import source_columns, to_recording
from cellpipe.formats.biologic.companion import read_acquisition_start
from cellpipe.formats.biologic.modules import Content, Module, locate_records, read_modules
from cellpipe.formats.biologic.whole_records import read_whole_records
from cellpipe.formats.format import Format, Sample

MAGIC = b"BIO-LOGIC MODULAR FILE\x1a"
TECHNIQUES = {
    0x04: "GCPL", 0x06: "CV", 0x0B: "OCV", 0x16: "MP", 0x18: "CA", 0x19: "CP", 0x1C: "WAIT",
    0x1D: "PEIS", 0x1E: "GEIS", 0x30: "CV", 0x32: "ZIR", 0x33: "CVA", 0x6C: "LSV", 0x75: "CstV",
    0x76: "CstC", 0x77: "GCPL", 0x7F: "MB", 0x88: "BCD",
}  # fmt: skip
_SETTINGS = {  # offset of a text, which follows its length in one byte
    "comments": 0x007, "electrode_material": 0x11E, "electrolyte": 0x1C0,
    "reference_electrode": 0x215,
}  # fmt: skip
_SETTINGS_NUMBERS = {"mass_of_active_material": 0x107, "electrode_surface_area_cm2": 0x211}
_LOG = {"host_file": 0x251, "address": 0x384, "software_version": 0x3B7, "serial_number": 0x3CF}
_LOG_CHANNEL, _LOG_CHANNEL_SERIAL = 0x009, 0x0AB
_OLE_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - the instrument's local clock
_OLE_OFFSETS = (585, 465, 469, 473)
_LOG_SUFFIX = ".mpl"  # of the log that EC-Lab writes beside a file, with its start
_FIRST_MODULE = 52  # byte behind the magic
_LONG_HEADER = 0xFFFFFFFF  # in place of a length: it follows, behind a longer header


def read(path: Path) -> Recording:
    """Read an .mpr file.

    Raises
    ------
    DamagedFileError
        If a module runs past the end of the file, or the records don't fill their module.

    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    modules = read_modules(path)
    log = modules.get("VMP LOG")
    metadata = _read_metadata(content, modules["VMP Set"], log)
    table = locate_records(content, modules["VMP data"])
    started, start_findings = _find_start_time(path, content, modules["VMP Set"], log)
    findings = [finding for module in modules.values() for finding in module.findings]
    findings += [*table.findings, *start_findings]
    if not table.count:
        none = {"timeseries": empty_table("timeseries")}
        return Recording(none, metadata, tuple(findings), started)
    wanted = source_columns([*(table.layout.names or ()), *table.flags])
    columns, damage_findings = read_whole_records(content, table, wanted)
    return to_recording(columns, metadata, started, findings + damage_findings)


def _read_metadata(content: Content, settings: Module, log: Module | None) -> dict[str, object]:
    """Return the fields of settings and log whose positions are known."""
    body = _module_bytes(content, settings)
    metadata: dict[str, object] = {
        "maker": "BioLogic",
        "technique": TECHNIQUES.get(body[0] if body else -1, "unknown"),
    }
    metadata |= {name: _read_text(body, offset) for name, offset in _SETTINGS.items()}
    for name, offset in _SETTINGS_NUMBERS.items():
        if len(body) >= offset + 4:
            metadata[name] = round(float(struct.unpack_from("<f", body, offset)[0]), 6)
    if log is not None:
        body = _module_bytes(content, log)
        metadata |= {name: _read_text(body, offset) for name, offset in _LOG.items()}
        if len(body) > _LOG_CHANNEL_SERIAL + 2:
            metadata["channel"] = body[_LOG_CHANNEL] + 1
            serial = struct.unpack_from("<H", body, _LOG_CHANNEL_SERIAL)[0]
            metadata["channel_serial_number"] = serial
    return {name: value for name, value in metadata.items() if value != ""}


def _module_bytes(content: Content, module: Module) -> bytes:
    return bytes(content[module.offset : module.offset + min(module.available, 4096)])


def _read_text(body: bytes, offset: int) -> str:
    """Return the text that follows its length in one byte; an empty one if it isn't printable."""
    length = body[offset] if offset < len(body) else 0
    text = body[offset + 1 : offset + 1 + length].decode("cp1252", "replace").strip("\x00 \r\n")
    return text if text.replace("\r\n", " ").isprintable() else ""


def _find_start_time(
    path: Path, content: Content, settings: Module, log: Module | None
) -> tuple[datetime | None, list[Finding]]:
    """Return the local start time of the acquisition from log, .mpl file or settings."""
    if log is not None:
        body = _module_bytes(content, log)
        for offset in _OLE_OFFSETS:
            if len(body) >= offset + 8:
                (days,) = struct.unpack_from("<d", body, offset)
                if 36_000 < days < 60_000:
                    return _OLE_ZERO + timedelta(milliseconds=round(days * 86_400_000)), []
    companion = read_acquisition_start(path.with_suffix(_LOG_SUFFIX))
    if companion is not None:
        return companion, []
    day = _parse_day(settings.date)
    if day is None:
        return None, []
    sentence = (
        "The file has no log (it was copied while the test ran): "
        "its start is known to the day only."
    )
    return datetime(day.year, day.month, day.day), [  # noqa: DTZ001 - the instrument's local clock
        Finding("warning", "start_known_to_the_day", sentence)
    ]


def _parse_day(text: bytes) -> date | None:
    for pattern in ("%m/%d/%y", "%m-%d-%y", "%m.%d.%y"):
        try:
            return datetime.strptime(text.decode("latin1"), pattern).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _claims(sample: Sample) -> bool:
    return sample.head.startswith(MAGIC)


def is_complete(stream: BinaryIO, size: int) -> bool:
    """Return whether the last module ends with the file; what comes behind them is padding."""
    place = _FIRST_MODULE
    while place < size:
        stream.seek(place)
        header = stream.read(65)
        if header[:6] != b"MODULE":
            return place > _FIRST_MODULE
        if len(header) < 65:
            return False
        first, second = struct.unpack_from("<2I", header, 41)
        is_long = first == _LONG_HEADER
        place += (65 if is_long else 57) + (second if is_long else first)
    return place == size


FORMAT = Format(
    "biologic_mpr", "BioLogic", (".mpr",), _claims, read,
    is_complete=is_complete, companions=(_LOG_SUFFIX,), version=6,
)  # fmt: skip
