"""Count temporary failures; after three equal ones a file is suspended until it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellpipe.core.errors import Reason
from cellpipe.store.history import Event, add_events, upsert_statement

if TYPE_CHECKING:
    from cellpipe.store.database import Transaction

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class FileFailure:
    """A failure of a file in one state, read in one way, and how often it came in a row."""

    path: str
    size: int | None
    modified_ns: int | None
    reading: str
    reason: Reason
    attempts: int

    def is_suspended(self, size: int | None, modified_ns: int | None, reading: str) -> bool:
        """Return whether to skip the file: the same failure three times, and no change."""
        state = (self.size, self.modified_ns, self.reading)
        return self.attempts >= MAX_ATTEMPTS and state == (size, modified_ns, reading)


def read_failures(rows: Transaction) -> dict[str, FileFailure]:
    """Return the recorded failures, by path."""
    query = "SELECT path, size, modified_ns, reading, fault, times FROM faults"
    return {
        row[0]: FileFailure(row[0], row[1], row[2], row[3], Reason.from_json(row[4]), row[5])
        for row in rows.read(query)
    }


def count_failure(rows: Transaction, failure: FileFailure) -> int:
    """Record a failure; return how often the same one came in a row."""
    query = "SELECT size, modified_ns, reading, fault, times FROM faults WHERE path = ?"
    before = rows.read(query, (failure.path,))
    state = (failure.size, failure.modified_ns, failure.reading, failure.reason.to_json())
    times = before[0][4] + 1 if before and tuple(before[0][:4]) == state else 1
    columns = "path, size, modified_ns, reading, fault, times"
    rows.write(upsert_statement("faults", columns, "path"), (failure.path, *state, times))
    if times <= MAX_ATTEMPTS:
        event = "rests" if times == MAX_ATTEMPTS else "waits"
        add_events(rows, [Event(failure.path, event, reason=failure.reason)])
    return int(times)


def clear_failures(rows: Transaction, paths: list[str]) -> None:
    """Delete the failures of files that were read after all, or are gone."""
    if paths:
        rows.write("DELETE FROM faults WHERE path = ?", *[(path,) for path in paths])
