"""Files damaged as disks, shares and copies damage them, and what a reader may make of one.

:func:`damage` makes a damaged version of a file from a seed; :func:`judge` compares what was read
from it with what was read from the good file. ``tests/formats/mutation_run.py`` runs thousands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import cellpipe
from cellpipe.core.errors import FileError
from cellpipe.core.model import Measurement

Damage = Callable[[bytes, bytes, random.Random], bytes]
_SECTORS = (512, 4096)
_NOT_OF_LOSS = frozenset({  # warnings that say nothing of records that are missing
    "time_goes_backwards", "no_current", "charge_disagrees", "time_zone_unknown", "no_clock",
    "dates_unreadable", "unknown_column", "start_known_to_the_day", "steps_not_matched",
    "auxiliary_unclear", "several_tests", "values_unreadable",
    "clock_never_set", "clock_pace_differs", "clock_runs_backwards", "clock_stands_still",
    "counter_negative", "counters_swapped", "current_sign_contradicts", "current_spike",
    "current_sign_turned", "current_zero", "leads_reversed", "rests_carry_current",
    "energy_counters_swapped", "energy_disagrees", "frequency_in_kilohertz",
    "imaginary_sign_turned", "impedance_absurd", "impedance_columns_swapped", "impedance_spike",
    "real_part_negative", "step_time_exceeds_test_time", "temperature_in_kelvin",
    "time_stands_still", "voltage_and_current_swapped", "voltage_constant",
    "voltage_sign_turned", "voltage_spike", "voltage_tiny", "voltage_zero",
    "net_capacity_disagrees",
})  # fmt: skip


def flip_bytes(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def flip_bits(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def flip_digits(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Flip a bit in bytes that are digits of a text, where there are any."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 10))):
        start = chance.randrange(len(changed))
        at = next((n for n in range(start, min(start + 400, len(changed)))
                   if 0x30 <= changed[n] <= 0x39), start)  # fmt: skip
        changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut_tail(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def cut_near_end(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return content[: -chance.randrange(1, min(len(content), 600))]


def cut_head(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    span = chance.choice((64, 4096, len(content)))
    return content[chance.randrange(1, min(span, len(content))) :]


def zero_block(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    size = chance.randrange(1024, 65537)
    return _overwrite(content, chance.randrange(len(content)), bytes(size))


def zero_bytes(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    return _overwrite(content, chance.randrange(len(content)), bytes(chance.randrange(1, 200)))


def zero_sectors(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    sector = chance.choice(_SECTORS)
    number = chance.choice((1, 1, 2, 8))
    at = chance.randrange(-(-len(content) // sector)) * sector
    return _overwrite(content, at, bytes(sector * number))


def zero_tail(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    if chance.random() < 0.5:
        at -= at % chance.choice(_SECTORS)
    return content[:at] + bytes(len(content) - at)


def fill_with_ones(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    size = chance.choice((4, 100, 512, 4096, 16384))
    return _overwrite(content, chance.randrange(len(content)), b"\xff" * size)


def splice_other(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Replace a block by one of another file's."""
    size = chance.choice((64, 512, 4096, 32768))
    start = chance.randrange(len(other))
    return _overwrite(content, chance.randrange(len(content)), other[start : start + size])


def repeat_block(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(content)), chance.choice((1, 64, 512, 4096))
    return content[: at + size] + content[at : at + size] + content[at + size :]


def remove_block(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(content)), chance.choice((64, 512, 4096, 16384))
    return content[:at] + content[at + size :]


def swap_blocks(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    size = min(chance.choice((64, 512, 4096)), len(content) // 2)
    one = chance.randrange(len(content) - 2 * size + 1)
    two = chance.randrange(one + size, len(content) - size + 1)
    middle = content[one + size : two]
    return content[:one] + content[two : two + size] + middle + content[one : one + size] + (
        content[two + size :]
    )  # fmt: skip


def insert_bytes(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.randrange(1, 6)) + content[at:]


def delete_bytes(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + content[at + chance.randrange(1, 6) :]


def insert_quote(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Insert a quotation mark, mostly where a field begins."""
    at = chance.randrange(len(content))
    places = (content.find(mark, at) + 1 for mark in (b"\n", b",", b"\t"))
    at = chance.choice([place for place in places if place] or [at])
    return content[:at] + b'"' + content[at:]


def change_line_ends(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Change the line ends of a part, or of all of a file."""
    old, new = chance.choice(
        ((b"\r\n", b"\n"), (b"\n", b"\r\n"), (b"\r\n", b"\r"), (b"\n", b"\r"), (b"\n", b"\n\n"))
    )
    if chance.random() < 0.5:
        return content.replace(old, new)
    start = chance.randrange(len(content))
    end = start + chance.choice((100, 2000, 20000))
    return content[:start] + content[start:end].replace(old, new) + content[end:]


def remove_lines(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Remove whole lines: of a text, what leaves a well-formed one."""
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join(lines[:at] + lines[at + chance.choice((1, 3, 20)) :])


def reencode(content: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Store a text as UTF-16, as an editor may; what is no text is cut."""
    try:
        return content.decode("utf-8-sig").encode("utf-16")
    except UnicodeDecodeError:
        return cut_tail(content, b"", chance)


def _overwrite(content: bytes, at: int, block: bytes) -> bytes:
    block = block[: len(content) - at]
    return content[:at] + block + content[at + len(block) :]


DAMAGES: tuple[Damage, ...] = (
    flip_bytes, flip_bits, flip_digits, cut_tail, cut_near_end, cut_head, zero_block, zero_bytes,
    zero_sectors, zero_tail, fill_with_ones, splice_other, repeat_block, remove_block, swap_blocks,
    insert_bytes, delete_bytes, insert_quote, change_line_ends, remove_lines, reencode,
)  # fmt: skip


def damage(content: bytes, other: bytes, seed: str) -> tuple[str, bytes]:
    """Return the kind of damage that a seed stands for, and the damaged file."""
    chance = random.Random(seed)
    how = chance.choice(DAMAGES)
    return how.__name__, how(content, other, chance)


@dataclass(frozen=True)
class Verdict:
    """What became of a damaged file: ``outcome``, whether that is a fault, and the particulars."""

    outcome: str
    is_fault: bool = False
    detail: str = ""


def read_and_judge(path: Path, good: Measurement, content: bytes) -> Verdict:
    """Read a damaged file; ``content`` is that of the good one."""
    try:
        measurement = cellpipe.read(path)
    except FileError as error:
        if error.found.startswith("content that can't be read as"):  # any exception of a reader
            return Verdict("refused by an exception", detail=error.found[:200])
        return Verdict("refused", detail=error.found[:200])
    except Exception as error:
        return Verdict("traceback", is_fault=True, detail=f"{type(error).__name__}: {error}"[:300])
    return judge(measurement, good, content, path.read_bytes())


def judge(found: Measurement, good: Measurement, before: bytes, after: bytes) -> Verdict:
    """Compare a damaged file's tables with the good file's.

    A table is silently shorter if its rows and those rejected are fewer than before and no new
    warning speaks of records. It counts separately if nothing in the file can tell: whole lines of
    a text are gone, the rest is as it was, and neither the record numbers nor an even time step of
    what is left has a gap.
    """
    sizes = {name: _rows(found.tables, name) - _rows(good.tables, name) for name in good.tables
             if name != "rejected_rows"}  # fmt: skip
    new = {(f.code, f.sentence) for f in found.findings if f.level != "info"} - {
        (f.code, f.sentence) for f in good.findings
    }
    codes = sorted({code for code, _ in new} - _NOT_OF_LOSS)
    if all(change >= 0 for change in sizes.values()):
        if any(sizes.values()):
            return Verdict("longer", detail=" ".join(codes))
        return _compare_values(found, good, codes)
    lost = {name: -change for name, change in sizes.items() if change < 0}
    rejected = {name: _rejected(found.tables, name) - _rejected(good.tables, name) for name in lost}
    if {*codes} - {"rows_rejected"}:
        return Verdict("shorter, said", detail=" ".join(codes))
    if all(rejected[name] >= number for name, number in lost.items()):
        return Verdict("shorter, rows rejected")
    detail = ", ".join(f"{name} {_rows(good.tables, name)} → {_rows(found.tables, name)}"
                       for name in lost)  # fmt: skip
    if is_without_witness(before, after, good, found):
        return Verdict("shorter, without a witness", detail=detail)
    return Verdict("silently shorter", is_fault=True, detail=detail)


def _rows(tables: Mapping[str, pl.DataFrame], name: str) -> int:
    return tables[name].height if name in tables else 0


def _rejected(tables: Mapping[str, pl.DataFrame], name: str) -> int:
    """Count the rejected records of a table; a line without a number is one."""
    if "rejected_rows" not in tables:
        return 0
    rows = tables["rejected_rows"].filter(pl.col("table") == name)
    numbers = rows["record_index"]
    return numbers.drop_nulls().n_unique() + numbers.null_count()


def _compare_values(found: Measurement, good: Measurement, codes: list[str]) -> Verdict:
    names = [name for name in good.tables if name != "rejected_rows"]
    if all(found.tables[name].equals(good.tables[name]) for name in names if name in found.tables):
        return Verdict("same", detail=" ".join(codes))
    said = bool(codes) or {f.code for f in found.findings} > {f.code for f in good.findings}
    return Verdict("values changed, said" if said else "values silently changed")


def is_without_witness(before: bytes, after: bytes, good: Measurement, found: Measurement) -> bool:
    """Return whether whole lines of a text are gone and nothing that is left can tell.

    Witnesses are a gap in the record numbers that the good file has not, and a gap in times that
    are evenly spaced in the good file, or five times its longest step. Records at the end of a file
    leave none. The same holds for one block that is gone from the middle of a line to the middle of
    another, if what is left of both makes a line with the usual number of fields.
    """
    if not _is_text(before):
        return False
    if not _are_lines_of(after, before) and not _has_one_joint(after, before):
        return False
    return not any(
        _has_new_gap(good.tables[name], found.tables[name])
        for name in ("timeseries", "impedance")
        if name in good.tables and name in found.tables
    )


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content[:4096] and not content.startswith(b"PK")


def _are_lines_of(after: bytes, before: bytes) -> bool:
    """Return whether the lines of one text are some of another's, in their order."""
    rest = iter(before.splitlines())
    return all(line in rest for line in after.splitlines())


def _has_one_joint(after: bytes, before: bytes) -> bool:
    """Return whether one block was removed, and left one line of what looks like a record."""
    same = next(
        (at for at, (a, b) in enumerate(zip(after, before, strict=False)) if a != b), len(after)
    )
    rest = len(after) - same
    if rest and not before.endswith(after[same:]):
        return False
    start = after.rfind(b"\n", 0, same) + 1
    joint = after[start:].partition(b"\n")[0]
    above = after[:start].rstrip(b"\r\n").rpartition(b"\n")[2]
    return any(joint.count(mark) == above.count(mark) > 1 for mark in (b"\t", b",", b";"))


def _has_new_gap(good: pl.DataFrame, found: pl.DataFrame) -> bool:
    if found.height < 2:
        return False
    numbers = found["record_index"].to_numpy()
    gaps = np.diff(numbers) > 1
    if gaps.any() and not (np.diff(good["record_index"].to_numpy()) > 1).any():
        return True
    times = np.diff(good["test_time_second"].to_numpy().astype(float))
    if not times.size or not np.isfinite(times).all() or (times <= 0).any():
        return False
    left = np.diff(found["test_time_second"].to_numpy().astype(float))
    is_even = np.ptp(times) <= 0.01 * times.max()
    return bool((left > (1.5 if is_even else 5) * times.max()).any())
