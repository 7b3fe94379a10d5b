"""Faults that may pass, counted: after the same one three times a file rests until it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellpipe.store.history import Event, add_events, upsert

if TYPE_CHECKING:
    from cellpipe.store.database import Rows
    from cellpipe.store.ledger import Ledger

TRIES = 3


@dataclass(frozen=True)
class Fault:
    """What failed, of which state of a file, under which reading, and how often in a row."""

    path: str
    size: int | None
    modified_ns: int | None
    reading: str
    fault: str
    times: int

    def rests(self, size: int | None, modified_ns: int | None, reading: str) -> bool:
        """Whether the file is to be left alone: three times the same, and nothing has changed."""
        state = (self.size, self.modified_ns, self.reading)
        return self.times >= TRIES and state == (size, modified_ns, reading)


def faults(ledger: Ledger) -> dict[str, Fault]:
    """Give the faults that are known, by path."""
    query = "SELECT path, size, modified_ns, reading, fault, times FROM faults"
    found = ledger.database.do(lambda rows: rows.read(query), writes=False)
    return {row[0]: Fault(*row) for row in found}


def note_fault(ledger: Ledger, fault: Fault) -> int:
    """Count a fault; give how often the same one came in a row."""

    def work(rows: Rows) -> int:
        query = "SELECT size, modified_ns, reading, fault, times FROM faults WHERE path = ?"
        before = rows.read(query, (fault.path,))
        state = (fault.size, fault.modified_ns, fault.reading, fault.fault)
        times = before[0][4] + 1 if before and tuple(before[0][:4]) == state else 1
        columns = "path, size, modified_ns, reading, fault, times"
        rows.write(upsert("faults", columns, "path"), (fault.path, *state, times))
        if times <= TRIES:
            event = "rests" if times == TRIES else "waits"
            add_events(rows, [Event(fault.path, event, reason=fault.fault)])
        return int(times)

    return ledger.changed(work)


def clear_faults(rows: Rows, paths: list[str]) -> None:
    """Strike out the faults of files that were read after all."""
    if paths:
        rows.write("DELETE FROM faults WHERE path = ?", *[(path,) for path in paths])
