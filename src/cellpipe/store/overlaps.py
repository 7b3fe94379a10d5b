"""Which records two contents share, as it was found when both were compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cellpipe.store.history import upsert_statement

if TYPE_CHECKING:
    from cellpipe.store.database import Row, Transaction

_COLUMNS = "content, other, reading, found"


@dataclass(frozen=True)
class Overlap:
    """What a content holds that another one holds, too.

    ``rows`` are ranges of places in its time series, from 0, each with its first and last one;
    ``numbers`` are the records' own numbers there. ``spectra`` are numbers of spectra. ``is_whole``
    says that the other one holds all of it. ``test_second`` and ``clock_second`` are added to its
    test time and absolute time, s, to make them those of the other one. ``is_doubtful``: its
    records look like the other's, but nothing tells whether they are the same; then none is shared.
    ``reading`` names how the two were read and compared.
    """

    content: str
    other: str
    reading: str
    rows: tuple[tuple[int, int], ...] = ()
    numbers: tuple[tuple[int, int], ...] = ()
    spectra: tuple[int, ...] = ()
    is_whole: bool = False
    test_second: float = 0.0
    clock_second: float = 0.0
    is_doubtful: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is shared."""
        return not (self.rows or self.spectra or self.is_whole)


def read_overlaps(rows: Transaction) -> dict[tuple[str, str], Overlap]:
    """Return what is known of pairs of contents, by both."""
    found = map(_from_row, rows.read(f"SELECT {_COLUMNS} FROM shared_records"))  # noqa: S608
    return {(overlap.content, overlap.other): overlap for overlap in found}


def write_overlaps(rows: Transaction, overlaps: Sequence[Overlap]) -> None:
    """Record what was found of pairs of contents."""
    statement = upsert_statement("shared_records", _COLUMNS, "content, other")
    if overlaps:
        rows.write(statement, *map(_to_row, overlaps))


def forget_overlaps(rows: Transaction, sha256: str) -> None:
    """Delete what is known of a content and others."""
    rows.write("DELETE FROM shared_records WHERE content = ? OR other = ?", (sha256, sha256))


def _to_row(overlap: Overlap) -> Row:
    described = asdict(overlap)
    key = tuple(described.pop(name) for name in ("content", "other", "reading"))
    return (*key, json.dumps(described))


def _from_row(row: Row) -> Overlap:
    known = json.loads(row[3])
    for name in ("rows", "numbers"):
        known[name] = tuple((first, last) for first, last in known[name])
    known["spectra"] = tuple(known["spectra"])
    return Overlap(row[0], row[1], row[2], **known)
