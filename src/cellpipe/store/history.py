"""What happened when: the ledger's history of files, cells and runs, which is only added to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cellpipe

if TYPE_CHECKING:
    from cellpipe.store.database import Database, Rows


@dataclass(frozen=True)
class Event:
    """Something that happened to a file (its path), a cell (its id) or the run (``run``).

    ``event`` is ``read``, ``duplicate``, ``set aside``, ``waits``, ``rests``, ``computed``,
    ``forgotten``, ``alarm``, ``night`` …; ``numbers`` are those that a cell had then.
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
    """Give the time now, as the ledger writes it: UTC, so fine that no two events share one."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def upsert(table: str, columns: str, key: str, *, keep: str = "") -> str:
    """Give the statement that puts a row in, or in the place of the one with its key."""
    names = columns.split(", ")
    new = [f"{n} = excluded.{n}" for n in names if n not in key.split(", ") and n != keep]
    places = ", ".join("?" * len(names))
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({places}) "  # noqa: S608 - names of the ledger
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(new)}"
    )


def add_events(rows: Rows, events: Iterable[Event]) -> None:
    """Add events, all with the time now."""
    now = utc_now()
    values = [
        (uuid.uuid4().hex, now, e.subject, e.event, e.sha256, e.reason,
         json.dumps(e.numbers, sort_keys=True) if e.numbers else None, cellpipe.__version__,
         e.seconds)
        for e in events
    ]  # fmt: skip
    if values:
        columns = "id, at, subject, event, sha256, reason, numbers, version, seconds"
        rows.write(upsert("history", columns, "id"), *values)


def happened(database: Database, subject: str | None = None, since: str = "") -> list[Event]:
    """Give what happened, of one subject or all, since a time, in order."""
    query = (
        "SELECT subject, event, sha256, reason, numbers, seconds, at, version FROM history "
        "WHERE at >= ? AND (subject = ? OR ? = '') ORDER BY at, id"
    )
    values = (since, subject or "", subject or "")
    found = database.do(lambda rows: rows.read(query, values), writes=False)
    return [
        Event(r[0], r[1], r[2], r[3], json.loads(r[4]) if r[4] else {}, r[5], r[6], r[7])
        for r in found
    ]


def last_numbers(database: Database, cell_id: str) -> Mapping[str, object]:
    """Give the numbers that a cell had when it was last computed."""
    computed = [e for e in happened(database, cell_id) if e.event == "computed"]
    return computed[-1].numbers if computed else {}
