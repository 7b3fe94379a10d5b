"""The history of files, cells and runs in the ledger: events are added, and very old ones go.

The latest :data:`KEPT_EVENTS` are kept, and of older ones the last of each kind of each subject.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cellpipe._version import __version__
from cellpipe.core.errors import Reason

if TYPE_CHECKING:
    from cellpipe.store.database import Database, Row, Transaction

KEPT_EVENTS = 100_000
_SLACK = 1.1  # it is tidied up when there are so many times as many as it left last time
_PRUNED = "events that tidying up left"
_DAYS_OF_A_NIGHT = 31  # so long events wait for the digest of the next night


@dataclass(frozen=True)
class Event:
    """Something that happened to a file (its path), a cell (its id) or the run (``run``).

    ``event`` is ``read``, ``duplicate``, ``set aside``, ``waits``, ``rests``, ``computed``,
    ``forgotten``, ``alarm``, ``night`` …; ``numbers`` are the cell's numbers at that time.
    """

    subject: str
    event: str
    sha256: str | None = None
    reason: str | None = None
    numbers: Mapping[str, object] = field(default_factory=dict)
    seconds: float | None = None
    at: str = ""
    version: str = ""


def utc_now() -> str:
    """Return the time in UTC as the ledger stores it, in µs, so that no two events share one."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def upsert_statement(table: str, columns: str, key: str, *, keep: str = "") -> str:
    """Return the statement that inserts a row, or replaces the one with its key but ``keep``."""
    names = columns.split(", ")
    new = [f"{n} = excluded.{n}" for n in names if n not in key.split(", ") and n != keep]
    places = ", ".join("?" * len(names))
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({places}) "  # noqa: S608 - names of the ledger
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(new)}"
    )


def add_events(rows: Transaction, events: Iterable[Event]) -> None:
    """Add events, all with the present time."""
    now = utc_now()
    values = [
        (uuid.uuid4().hex, now, e.subject, e.event, e.sha256, _kept_reason(e.reason),
         json.dumps(e.numbers, sort_keys=True) if e.numbers else None, __version__,
         e.seconds)
        for e in events
    ]  # fmt: skip
    if values:
        columns = "id, at, subject, event, sha256, reason, numbers, version, seconds"
        rows.write(upsert_statement("history", columns, "id"), *values)


def prune_events(rows: Transaction, keep: int = KEPT_EVENTS) -> int:
    """Delete the oldest events where there are too many; return how many.

    Not deleted are the latest ``keep``, the last of each kind of each subject, and what happened
    since the last night, which the next digest tells.
    """
    count = int(rows.read("SELECT count(*) FROM history")[0][0])
    left = rows.read("SELECT value FROM marks WHERE name = ?", (_PRUNED,))
    if count <= _SLACK * max(keep, int(left[0][0]) if left else 0):
        return 0
    before = "SELECT at FROM history ORDER BY at DESC LIMIT 1 OFFSET ?"
    oldest = str(rows.read(before, (keep,))[0][0])
    night = rows.read("SELECT max(at) FROM history WHERE subject = 'night'")[0][0]
    if night:
        waited = datetime.now(UTC) - timedelta(days=_DAYS_OF_A_NIGHT)
        oldest = min(oldest, max(str(night), waited.isoformat(timespec="microseconds")))
    deleted = rows.write(
        "DELETE FROM history WHERE at < ? AND EXISTS (SELECT 1 FROM history AS later WHERE "
        "later.subject = history.subject AND later.event = history.event "
        "AND later.at > history.at)",
        (oldest,),
    )
    statement = upsert_statement("marks", "name, value", "name")
    rows.write(statement, (_PRUNED, str(count - deleted)))
    return deleted


def read_events(database: Database, subject: str | None = None, since: str = "") -> list[Event]:
    """Return the events since a time, of one subject or all, in order of time."""
    condition = "subject = ? AND " if subject else ""
    query = f"{_EVENT} WHERE {condition}at >= ? ORDER BY at, id"
    values = (subject, since) if subject else (since,)
    return list(
        map(_event_from_row, database.transact(lambda rows: rows.read(query, values), writes=False))
    )


def last_event(database: Database, subject: str = "", event: str = "") -> Event | None:
    """Return the latest event, of one subject and kind or of all."""
    wanted = {"subject": subject, "event": event}
    conditions = " AND ".join(f"{name} = ?" for name, value in wanted.items() if value) or "1 = 1"
    query = f"{_EVENT} WHERE {conditions} ORDER BY at DESC, id DESC LIMIT 1"
    values = tuple(filter(None, wanted.values()))
    latest = database.transact(lambda rows: rows.read(query, values), writes=False)
    return _event_from_row(latest[0]) if latest else None


_EVENT = "SELECT subject, event, sha256, reason, numbers, seconds, at, version FROM history"


def _event_from_row(row: Row) -> Event:
    subject, event, sha256, reason, numbers, *others = row
    why = None if reason is None else Reason.from_json(reason)
    return Event(subject, event, sha256, why, json.loads(numbers) if numbers else {}, *others)


def _kept_reason(reason: str | None) -> str | None:
    return reason.to_json() if isinstance(reason, Reason) else reason
