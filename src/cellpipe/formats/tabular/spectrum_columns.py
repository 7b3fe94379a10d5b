"""Choose the columns of a plain table from which its spectra are read, with their units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cellpipe.core.errors import DamagedFileError
from cellpipe.formats.tabular.impedance_headers import (
    ImpedanceHeader,
    Role,
    name_role,
    parse_impedance_header,
    with_unit,
)

CARTESIAN: frozenset[Role] = frozenset({"frequency", "real", "imaginary"})
POLAR: frozenset[Role] = frozenset({"frequency", "modulus", "phase"})
_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eEdD][+-]?\d+)?")


@dataclass(frozen=True)
class Row:
    """A line of a table: its number from 1, and the texts of its fields."""

    number: int
    fields: tuple[str, ...]


@dataclass
class Block:
    """Rows below one line of column names."""

    names: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)


def to_number(text: str, *, comma: bool) -> float | None:
    """Return a field as a number, None if it is none; ``comma``: the decimal sign is a comma."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain) or ("," in plain and not comma):
        return None
    return float(plain.replace(",", ".").replace("D", "e").replace("d", "e"))


def names_spectrum(fields: Sequence[str]) -> bool:
    """Return whether a line's fields name a frequency and an impedance, whatever their units."""
    roles = {name_role(each) for each in fields}
    return roles >= CARTESIAN or roles >= POLAR


Columns = dict[int, ImpedanceHeader]


def split_groups(names: Sequence[str]) -> list[Columns]:
    """Return the columns of each spectrum; several stand side by side, each with a frequency."""
    starts = [place for place, name in enumerate(names) if name_role(name) == "frequency"]
    if len(starts) > 1:
        bounds = zip([0, *starts[1:]], [*starts[1:], len(names)], strict=True)
        groups = [tuple(range(begin, end)) for begin, end in bounds]
        if all(names_spectrum([names[place] for place in group]) for group in groups):
            return [_choose_columns(names, group) for group in groups]
    return [_choose_columns(names, range(len(names)))]


def _choose_columns(names: Sequence[str], places: Sequence[int]) -> Columns:
    """Return the columns to be read by their places: one for each quantity, in Ω before Ω cm²."""
    chosen: dict[Role, int] = {}
    parsed: Columns = {}
    roles = {name_role(names[place]) for place in places}
    unused = POLAR - CARTESIAN if roles >= CARTESIAN else frozenset()
    for place in places:
        role = name_role(names[place])
        if role is None or (role in unused and role in chosen):
            continue
        header = _parse_unless(names[place], is_needed=role not in unused)
        if header is None:
            continue
        before = parsed.get(chosen.get(role, -1))
        if before is not None and before.is_areal == header.is_areal:
            if role not in CARTESIAN:
                continue
            raise DamagedFileError(
                f"two columns of one quantity, {before.header!r} and {header.header!r}",
                expected="one of each, or for every spectrum its own column of frequencies",
                remedy="export one spectrum after the other, or delete the column that is too many",
            )
        if before is None or before.is_areal:
            parsed.pop(chosen.get(role, -1), None)
            chosen[role], parsed[place] = place, header
    return parsed


def _parse_unless(name: str, *, is_needed: bool) -> ImpedanceHeader | None:
    try:
        return parse_impedance_header(name)
    except DamagedFileError:
        if is_needed:
            raise
        return None


def take_units(columns: Columns, rows: list[Row]) -> tuple[Columns, list[Row]]:
    """Return columns with the units that a first row below their names gives, and the other rows.

    Raises
    ------
    DamagedFileError
        If there is such a row, and a unit in it is not known.

    """
    if not rows or any(to_number(text, comma=True) is not None for text in rows[0].fields):
        return columns, rows
    below = {place: rows[0].fields[place] for place in columns if place < len(rows[0].fields)}
    found = {
        place: with_unit(columns[place].header, columns[place].role, columns[place].sign, unit)
        for place, unit in below.items()
        if columns[place].unit is None and unit.strip()
    }
    if not any(found.values()):
        return columns, rows
    for place, unit in found.items():
        if unit is None and columns[place].role != "spectrum":
            parse_impedance_header(f"{columns[place].header} ({below[place]})")
    return columns | {place: unit for place, unit in found.items() if unit}, rows[1:]
