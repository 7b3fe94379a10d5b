"""Hold the number formats of a workbook's cells against what the cells hold.

A format makes the number that is read: one for per cent on a voltage, or one that counts in
thousands, shows another number than is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shown_lab import NotMapped
from shown_parts import Table
from shown_places import PLACES, Place
from shown_templates import meaning_of, unit_of_label

from cellpipe.core.contracts import load_schema

_KNOWN = r"General|@|0(?:\.(0+))?(%|E\+00)?"  # no thousands, no sections, no words
# Numbers without a unit that are no shares.
_NO_PER_CENT = r"exponent|ratio|c_rate$|knee_cycle|effective_cycles"
_FEW_DIGITS = r"error|noise"  # two digits are enough of these


def format_faults(table: Table) -> Iterator[str]:
    """Return the numbers of a sheet that their formats show as others, or with too few digits."""
    place = PLACES.get(table.caption)
    columns: dict[tuple[str, str], list[float]] = {}
    for (row, head), look in table.formats.items():
        value = table.rows[row][head]
        if isinstance(value, (int, float)):
            said = _label(table, row, head, place)
            columns.setdefault((said, look), []).append(abs(value))
    for (said, look), values in columns.items():
        if fault := _fault(said, look, values, _is_share(said, place)):
            yield f"{table.caption}: {said!r} has the format {look!r}: {fault}"


def _label(table: Table, row: int, head: str, place: Place | None) -> str:
    is_record = place is not None and place.form == "records" and head == "Value"
    return str(table.rows[row][table.heads[0]]) if is_record else head


def _fault(said: str, look: str, values: list[float], is_share: bool) -> str | None:
    found = re.fullmatch(_KNOWN, look)
    if found is None:
        return "it is none that is known to show a number as it is"
    decimals, kind = len(found[1] or ""), found[2] or ""
    if (kind == "%") != is_share:
        return "a share in per cent" if is_share else "no share, and shown in per cent"
    if look in {"General", "@"}:
        return None
    if kind:
        return None if decimals >= (2 if kind == "%" else 3) else "too few digits"
    if all(value == int(value) for value in values):
        return None
    steps = max(values) * 10**decimals
    return None if steps >= (10 if re.search(_FEW_DIGITS, said) else 50) else "too few digits"


def _is_share(said: str, place: Place | None) -> bool:
    """Return whether a label means a number that is stored as a share of one."""
    if place is None or unit_of_label(said):
        return False
    try:
        meaning: Any = meaning_of(place.words, said, place.table)[1]
    except NotMapped:
        return False
    meanings = meaning if isinstance(meaning, tuple) else (meaning,)
    return any(isinstance(each, str) and _is_share_column(each, place.table) for each in meanings)


def _is_share_column(name: str, main: str) -> bool:
    if not re.fullmatch(r"[\w.]+", name):
        return False
    table, _, column = name.rpartition(".")
    found = load_schema(table or main).columns.get(column)
    return (
        found is not None
        and (found.unit, found.type) == ("1", "float64")
        and not re.search(_NO_PER_CENT, column)
    )
