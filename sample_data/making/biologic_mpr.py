"""BioLogic `.mpr`: a file of modules, each with a 57-byte header, as EC-Lab 11.4x writes them.

`VMP Set` holds the settings, `VMP data` (version 3) the column ids and the packed records,
`VMP LOG` the moment the test began (OLE date), `VMP loop` the first record of each loop.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

MAGIC = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + b"\x00\x00\x00\x00"
GCPL, OCV, PEIS = 0x04, 0x0B, 0x1D

# Column ids in the order in which a record stores them; ids of one bit each share a byte.
GCPL_COLUMNS = (1, 2, 3, 21, 31, 65, 131, 4, 7, 13, 5, 6, 39, 467, 468)
OCV_COLUMNS = (1, 3, 4, 6)
PEIS_COLUMNS = (32, 37, 38, 36, 35, 4, 77, 76, 169, 172, 24, 39, 33, 34, 131, 13)
GCPL_RECORD = np.dtype(
    [
        ("flags", "u1"), ("sequence", "<u2"), ("time", "<f8"), ("dq", "<f8"), ("q", "<f8"),
        ("control", "<f4"), ("volt", "<f4"), ("range", "<u2"), ("q_half", "<f8"), ("half", "<u4"),
    ]
)  # fmt: skip
OCV_RECORD = np.dtype([("flags", "u1"), ("time", "<f8"), ("volt", "<f4")])
PEIS_RECORD = np.dtype(
    [
        ("hertz", "<f4"), ("real", "<f4"), ("minus_imaginary", "<f4"), ("modulus", "<f4"),
        ("phase", "<f4"), ("time", "<f8"), ("volt", "<f4"), ("current", "<f4"), ("cs", "<f4"),
        ("cp", "<f4"), ("cycle", "<f8"), ("range", "<u2"), ("volt_sine", "<f4"),
        ("current_sine", "<f4"), ("sequence", "<u2"), ("q", "<f8"),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Heading:
    """What a file says about its test beside the records."""

    technique: int
    file_name: str
    begun: datetime
    comment: str
    electrode: str
    electrolyte: str
    area_cm2: float
    active_mass_mg: float
    capacity_mah: float
    parameters: bytes = b""


def mpr_file(
    heading: Heading,
    columns: Sequence[int],
    records: NDArray[np.void],
    ended: datetime,
    loops: Sequence[int] = (),
) -> bytes:
    """Return the bytes of a whole file. `loops` are the first records of the loops and the end."""
    count = struct.pack("<IB", len(records), len(columns))
    ids = struct.pack(f"<{len(columns)}H", *columns)
    data = (count + ids).ljust(405, b"\x00") + b"\x01" + records.tobytes()
    begun_day, end_day = _day(heading.begun), _day(ended)
    parts = [
        MAGIC,
        _module("VMP Set", "VMP settings", 0, begun_day, _settings(heading)),
        _module("VMP data", "VMP data", 3, begun_day, data),
        _module("VMP LOG", "VMP LOG", 0, end_day, _log(heading)),
    ]
    if loops:
        body = struct.pack(f"<I{len(loops)}I", len(loops), *loops).ljust(268, b"\x00")
        parts.append(_module("VMP loop", "VMP expt. loop indexes", 0, end_day, body))
    return b"".join(parts)


def ole_days(moment: datetime) -> float:
    """Days since 30 December 1899, as Windows counts them, to the millisecond."""
    milliseconds = (moment - datetime.fromisoformat("1899-12-30")) // timedelta(milliseconds=1)
    return milliseconds / 86_400_000.0


def _day(moment: datetime) -> bytes:
    """Return the date as module headers write it: month, day, year."""
    return moment.strftime("%m/%d/%y").encode()


def _module(short: str, long: str, version: int, day: bytes, body: bytes) -> bytes:
    """Return a module: its header and its body."""
    names = short.ljust(10).encode() + long.ljust(25).encode()
    return b"MODULE" + names + struct.pack("<II", len(body), version) + day + body


def _put(page: bytearray, offset: int, content: bytes) -> None:
    """Write bytes into a page at an offset."""
    page[offset : offset + len(content)] = content


def _text(words: str) -> bytes:
    """Return a text as EC-Lab stores it: its length in one byte, then cp1252."""
    encoded = words.encode("cp1252")
    return bytes([len(encoded)]) + encoded


def _settings(heading: Heading) -> bytes:
    """Return the body of `VMP Set`: technique, comment, masses, area, and parameters."""
    page = bytearray(0x1846 + 4 + len(heading.parameters) + 0x150)
    _put(page, 0x0, bytes([heading.technique, 0, 8, 0x4B, 3, 0, 0]))
    _put(page, 0x7, _text(heading.comment))
    _put(page, 0x107, struct.pack("<f", heading.active_mass_mg))
    _put(page, 0x10F, struct.pack("<ff", 0.001, 0.001))
    _put(page, 0x11B, b"\x01")
    _put(page, 0x11E, _text(heading.electrode))
    _put(page, 0x1C0, _text(heading.electrolyte))
    _put(page, 0x211, struct.pack("<f", heading.area_cm2))
    _put(page, 0x215, _text("(unspecified)"))
    _put(page, 0x24C, struct.pack("<f", heading.active_mass_mg) + b"\x02\x02")
    _put(page, 0x25C, struct.pack("<fB", heading.capacity_mah, 1))
    _put(page, 0x352, b"\x07\x10\x01")
    _put(page, 0x467, b"\x07\xd5\x13")
    _put(page, 0x1846, heading.parameters)
    return bytes(page)


def _log(heading: Heading) -> bytes:
    """Return the body of `VMP LOG`: channel, potential range, start, file name, versions."""
    page = bytearray(8393)
    _put(page, 0x2, bytes([heading.technique, 0, 3, 0xA1, 1, 0, 0, 0]))
    _put(page, 0xAB, struct.pack("<H", 15265))
    _put(page, 0x1F8, struct.pack("<ff", -2.5, 5.0) + b"\x00\x03")
    _put(page, 0x249, struct.pack("<d", ole_days(heading.begun)))
    _put(page, 0x251, _text("C:\\Users\\lab\\Documents\\EC-Lab\\Data\\" + heading.file_name))
    _put(page, 0x351, _text("192.168.0.12"))
    _put(page, 0x384, _text("192.168.0.20"))
    for offset in (0x3B7, 0x3BE, 0x3C5):
        _put(page, offset, _text("11.46"))
    _put(page, 0x3CF, _text("1854"))
    return bytes(page)
