"""Locate the modules of an .mpr file, and the records in its data module.

After 52 magic bytes follow modules: a header (galvani's reader distinguishes the old from the new,
EC-Lab 11.50 and later) and as many bytes as it states. The data module begins with the number of
records and the ids of the columns. The name and width of each id are in galvani's table, extended
by :data:`MORE_COLUMNS`; in the new data modules the ids are little-endian 16-bit numbers from
byte 6. The flag columns share one byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_HEADER_BYTES = {"bytes": 100, "v2": 405, "v3": 406, "new": 1007}
_COPY_AGAIN = "copy the file again from the instrument"


@dataclass(frozen=True)
class Module:
    """A module's position, and its bytes: ``length`` as stated, ``available`` in the file."""

    offset: int
    length: int
    available: int
    version: int
    date: bytes


@dataclass(frozen=True)
class Records:
    """The position, number and layout of the records, with findings about them.

    ``flags`` maps each flag column to its bit mask within the field ``flags``.
    """

    start: int
    count: int
    layout: np.dtype[Any]
    flags: dict[str, int]
    findings: tuple[Finding, ...]


def read_modules(path: Path) -> dict[str, Module]:
    """Return a file's modules by their short names; only the data may be cut off by the file's end.

    Raises
    ------
    DamagedFileError
        If another module runs past the end of the file, or settings or data are missing.

    """
    size = path.stat().st_size
    modules: dict[str, Module] = {}
    with path.open("rb") as stream:
        stream.seek(_MAGIC_BYTES)
        for module in _read_headers(stream):
            name = bytes(module["shortname"]).decode("latin1").strip()
            offset, length = int(module["offset"]), int(module["length"])
            if offset + length > size and name != "VMP data":
                raise _truncation_error(
                    f"{size} bytes, but its module {name!r} ends at byte {offset + length}"
                )
            available = max(min(length, size - offset), 0)
            modules[name] = Module(
                offset, length, available, int(module["version"]), bytes(module["date"])
            )
            if available < length:
                break
    if not {"VMP Set", "VMP data"} <= modules.keys():
        raise _truncation_error(
            f"the modules {', '.join(modules) or 'none'}", "VMP Set and VMP data"
        )
    return modules


def _read_headers(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Return the module headers up to the first invalid one (a file may be padded)."""
    try:
        yield from read_VMP_modules(stream, read_module_data=False)
    except ValueError:
        return
    except OSError as error:
        if error.errno is not None:  # an error of the disk; galvani's own means the end of the file
            raise


def _truncation_error(found: str, expected: str = "a whole file") -> DamagedFileError:
    remedy = f"it was cut off while it was copied: {_COPY_AGAIN}"
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
    width, findings = _record_width(ids, module.length - header, declared)
    layout, flags = _layout(ids, width)
    count = min(declared, (module.available - header) // width)
    if count < declared:
        sentence = (
            f"The file holds {count} of the {declared} records that it announces: it was copied "
            "while it grew, or cut off. They are read up to the last whole one."
        )
        findings.append(Finding("warning", "file_cut_off", sentence, declared - count))
    return Records(start + header, count, layout, flags, tuple(findings))


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


def _record_width(ids: Sequence[int], room: int, count: int) -> tuple[int, list[Finding]]:
    """Return a record's bytes: the sum of its columns or, with unknown ids, room / count."""
    known = _known_width(ids)
    if all(number in COLUMNS or number in FLAGS for number in ids):
        if not known or (count and room != count * known and room // count != known):
            raise _width_error(room // count if count else 0, known, ids)
        return known, []
    names = ", ".join(str(i) for i in ids if i not in COLUMNS and i not in FLAGS)
    if not count:
        return max(known, 1), []
    if room < 0 or room % count:
        raise _width_error(room // count, known, ids)
    sentence = f"EC-Lab's column ids {names} are not known; these columns were left out."
    return room // count, [Finding("warning", "unknown_column", sentence)]


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
