"""Locate the modules of an .mpr file, and the records in its data module.

After 52 magic bytes follow modules: a header (galvani's reader distinguishes the old from the new,
EC-Lab 11.50 and later) and as many bytes as it states. The data module begins with the number of
records and the ids of the columns. The name and width of each id are in galvani's table, extended
by :data:`MORE_COLUMNS`; in the new data modules the ids are little-endian 16-bit numbers from
byte 6. The flag columns share one byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from galvani.BioLogic import (
    VMPdata_colID_dtype_map as GALVANI_COLUMNS,
)
from galvani.BioLogic import (
    VMPdata_colID_flag_map as FLAGS,
)
from galvani.BioLogic import (
    read_VMP_modules,
)

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.left_over import Gap, lost_records, rest_finding

Content = np.memmap[Any, Any]
MORE_COLUMNS = {  # missing from galvani's table, or named differently from EC-Lab
    441: ("<Ece>/V", "<f4"),
    878: ("Energy ce/W.h", "<f8"),
    880: ("Energy we/W.h", "<f8"),
    883: ("Energy ce charge/W.h", "<f8"),
    884: ("Energy ce discharge/W.h", "<f8"),
}
COLUMNS: dict[int, tuple[str, str]] = {**GALVANI_COLUMNS, **MORE_COLUMNS}
_MAGIC_BYTES = 52
_MARK = b"MODULEVMP "
_MOST_MOVED = 70_000  # bytes; a module may end so far from where it should
_HEADER_BYTES = {"bytes": 100, "v2": 405, "v3": 406, "new": 1007}
COPY_AGAIN = "copy the file again from the instrument"


@dataclass(frozen=True)
class Module:
    """A module's position, and its bytes: ``length`` as stated, ``available`` in the file.

    ``is_followed``: another module begins behind the available bytes. The findings of the last
    module are of all bytes that belong to none.
    """

    offset: int
    length: int
    available: int
    version: int
    date: bytes
    is_followed: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Records:
    """The position, number and layout of the records, with findings about them.

    ``flags`` maps each flag column to its bit mask within the field ``flags``. ``count`` records
    fit into ``room`` bytes; if these are not the ``declared`` number, bytes came in or are missing.
    """

    start: int
    count: int
    layout: np.dtype[Any]
    flags: dict[str, int]
    findings: tuple[Finding, ...]
    room: int = 0
    declared: int = 0
    is_cut: bool = False

    @property
    def moved(self) -> int:
        """By how many bytes the last records are farther from the first than whole records are."""
        return self.room % self.layout.itemsize


def read_modules(path: Path) -> dict[str, Module]:
    """Return a file's modules by their short names; only the data may be cut off by the file's end.

    Of a module that stands twice, the first counts.

    Raises
    ------
    DamagedFileError
        If another module runs past the end of the file, or settings or data are missing.

    """
    modules: dict[str, Module] = {}
    findings: list[Finding] = []
    size = path.stat().st_size
    place = _MAGIC_BYTES
    with path.open("rb") as stream:
        while place < size:
            header = _read_header(stream, place)
            if header is None:
                following = _find_header(path, place + 1) or size
                findings.append(rest_finding(place, following, "the file", "a module"))
                place = following
                continue
            name = bytes(header["shortname"]).decode("latin1").strip()
            module = _measure_module(stream, path, header, size)
            end = module.offset + module.available
            if name in modules:
                findings.append(rest_finding(place, end, "the file", f"only one module {name}"))
            else:
                if module.available < module.length and name != "VMP data":
                    _check_end(name, module, size, findings)
                modules[name] = module
            place = end
    if not {"VMP Set", "VMP data"} <= modules.keys():
        raise _truncation_error(
            f"the modules {', '.join(modules) or 'none'}", "VMP Set and VMP data"
        )
    last = list(modules)[-1]
    modules[last] = replace(modules[last], findings=tuple(findings))
    return modules


def _check_end(name: str, module: Module, size: int, findings: list[Finding]) -> None:
    if not module.is_followed:
        end = module.offset + module.length
        raise _truncation_error(f"{size} bytes, but its module {name!r} ends at byte {end}")
    sentence = (
        f"The module {name} at byte {module.offset} is {module.length - module.available} bytes "
        "shorter than it states: what it says of the test may be wrong."
    )
    findings.append(Finding("warning", "module_damaged", sentence))


def _read_header(stream: BinaryIO, place: int) -> dict[str, Any] | None:
    """Return the header of the module at a place, None if there is none."""
    stream.seek(place)
    try:
        header: dict[str, Any] | None = next(read_VMP_modules(stream, read_module_data=False), None)
    except ValueError:
        return None
    except OSError as error:
        if error.errno is not None:  # an error of the disk; galvani's own means the end of the file
            raise
        return None
    return header


def _measure_module(stream: BinaryIO, path: Path, header: dict[str, Any], size: int) -> Module:
    """Return a module that ends as its header states, or where the next one begins."""
    offset, length = int(header["offset"]), int(header["length"])
    end, following = offset + length, None
    if end != size:
        stream.seek(end)
        is_next = end < size and stream.read(len(_MARK)) == _MARK
        following = end if is_next else _find_header(path, offset)
    if following is not None and (end > size or abs(following - end) <= _MOST_MOVED):
        end = following
    elif header["shortname"].strip() == b"VMP data" and 0 < size - end <= _MOST_MOVED:
        end, following = size, None
    else:
        end, following = min(end, size), None
    available = max(end - offset, 0)
    version, date = int(header["version"]), bytes(header["date"])
    return Module(offset, length, available, version, date, following is not None)


def _find_header(path: Path, place: int) -> int | None:
    """Return the place of the next module's header."""
    found = path.read_bytes().find(_MARK, place)
    return found if found >= 0 else None


def _truncation_error(found: str, expected: str = "a whole file") -> DamagedFileError:
    remedy = f"it was cut off while it was copied: {COPY_AGAIN}"
    return DamagedFileError(found, expected=expected, remedy=remedy)


def locate_records(content: Content, module: Module) -> Records:
    """Locate the records by the head of the data module.

    Raises
    ------
    DamagedFileError
        If its version is unknown, or its records don't have the width of their columns.

    """
    if module.available < 8:
        raise _truncation_error(f"a data module of {module.available} bytes")
    start, declared = module.offset, int.from_bytes(bytes(content[module.offset :][:4]), "little")
    ids, header = _column_ids(content, module)
    if module.available < header:
        raise _truncation_error(f"a data module of {module.available} bytes", f"at least {header}")
    room = module.available - header
    stated = module.length - header
    width, findings = _record_width(ids, stated if stated >= 0 else room, room, declared)
    layout, flags = _layout(ids, width)
    count, rest = divmod(room, width)
    first = start + header
    if room == declared * width:
        if room != stated:
            findings.append(_miscounted("length", stated, room))
        return Records(first, count, layout, flags, tuple(findings))
    if room == stated:
        findings.append(_miscounted("number of records", declared, count))
        if rest:
            findings.append(rest_finding(first + room - rest, first + room, "the file", "a record"))
        return Records(first, count, layout, flags, tuple(findings))
    is_cut = not module.is_followed
    if count < declared and is_cut:
        sentence = (
            f"The file holds {count} of the {declared} records that it announces: it was copied "
            "while it grew, or cut off. They are read up to the last whole one."
        )
        findings.append(Finding("warning", "file_cut_off", sentence, declared - count))
    elif stated != declared * width:
        findings.append(_miscounted("number of records", declared, count))
        return Records(first, count, layout, flags, tuple(findings))
    elif count < declared and not rest:
        gap = Gap(first, first + room, declared - count)
        findings += lost_records([gap], "the file", f"{declared} records of {width} bytes")
    return Records(first, count, layout, flags, tuple(findings), room, declared, is_cut)


def _miscounted(what: str, stated: int, found: int) -> Finding:
    sentence = (
        f"The data module states a {what} of {stated} where its place in the file gives {found}; "
        "the latter counts."
    )
    return Finding("warning", "records_miscounted", sentence)


def _column_ids(content: Content, module: Module) -> tuple[list[int], int]:
    """Return the ids of the columns and the number of bytes before the records."""
    head = bytes(content[module.offset : module.offset + min(module.available, 1007)])
    is_new = module.version == 0 and head[5] == 0
    if module.version in {2, 3}:
        code, offset, number = "H", 5, head[4]
        size = _HEADER_BYTES[f"v{module.version}"]
    elif is_new:
        code, offset, number = "H", 6, int.from_bytes(head[4:6], "little")
        size = _HEADER_BYTES["new"]
    elif module.version == 0:
        code, offset, number, size = "B", 5, head[4], _HEADER_BYTES["bytes"]
    else:
        raise DamagedFileError(
            f"a data module of version {module.version}",
            expected="version 0, 2 or 3",
            remedy="export the file as text (.mpt) from EC-Lab, and tell us of it",
        )
    if offset + number * struct.calcsize(f"<{code}") > min(size, len(head)):
        raise _truncation_error(
            f"{number} columns", "as many as the data module's head has room for"
        )
    return list(struct.unpack_from(f"<{number}{code}", head, offset)), size


def _record_width(
    ids: Sequence[int], stated: int, room: int, count: int
) -> tuple[int, list[Finding]]:
    """Return a record's bytes: the sum of its columns or, with unknown ids, what is stated / count.

    What the columns give must agree with the stated bytes, with the available ones (``room``) or
    with a number of records that is not the stated one.
    """
    known = _known_width(ids)
    if all(number in COLUMNS or number in FLAGS for number in ids):
        agrees = known and (stated % known == 0 or count * known == room)
        if not known or (not agrees and count and stated // count != known):
            raise _width_error(stated // count if count else 0, known, ids)
        return known, []
    names = ", ".join(str(i) for i in ids if i not in COLUMNS and i not in FLAGS)
    if not count:
        return max(known, 1), []
    if stated < 0 or stated % count:
        raise _width_error(stated // count, known, ids)
    sentence = f"EC-Lab's column ids {names} are not known; these columns were left out."
    return stated // count, [Finding("warning", "unknown_column", sentence)]


def _known_width(ids: Sequence[int]) -> int:
    widths = [np.dtype(COLUMNS[i][1]).itemsize for i in ids if i in COLUMNS]
    return sum(widths) + int(any(i in FLAGS for i in ids))


def _width_error(width: int, known: int, ids: Sequence[int]) -> DamagedFileError:
    return DamagedFileError(
        f"records of {width} bytes, of which its known columns take {known} (ids {list(ids)[:40]})",
        expected="records as wide as their columns",
        remedy="export the file as text (.mpt) from EC-Lab, and tell us of it",
    )


def _layout(ids: Sequence[int], record_bytes: int) -> tuple[np.dtype[Any], dict[str, int]]:
    """Return a record's layout; adjacent unknown columns become one field, which is not read."""
    runs = [list(group) for unknown, group in groupby(ids, _is_unknown) if unknown]
    widths = _unknown_widths(runs, record_bytes - _known_width(ids))
    if widths is None:
        raise _width_error(record_bytes, _known_width(ids), ids)
    fields: list[tuple[str, str]] = []
    flags: dict[str, int] = {}
    seen: dict[str, int] = {}
    for unknown, group in groupby(ids, _is_unknown):
        if unknown:
            fields.append((f"unknown_{len(fields)}", f"V{widths.pop(0)}"))
            continue
        for number in group:
            if number in FLAGS:
                if not flags:
                    fields.append(("flags", "u1"))
                flags[FLAGS[number][0]] = int(FLAGS[number][1])
                continue
            name, kind = COLUMNS[number]
            seen[name] = seen.get(name, 0) + 1
            fields.append((name if seen[name] == 1 else f"{name} {seen[name]}", kind))
    return np.dtype(fields), flags


def _is_unknown(number: int) -> bool:
    return number not in COLUMNS and number not in FLAGS


def _unknown_widths(runs: Sequence[Sequence[int]], rest: int) -> list[int] | None:
    """Divide the remaining bytes among the runs of unknown columns; None if that is ambiguous."""
    unknown = sum(map(len, runs))
    if len(runs) <= 1:
        fits = rest == 0 if not runs else unknown <= rest <= 8 * unknown
        return [rest] * len(runs) if fits else None
    return [len(run) * (rest // unknown) for run in runs] if rest in {
        4 * unknown, 8 * unknown} else None  # fmt: skip
