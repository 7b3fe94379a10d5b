"""The queue of files that the watch found ready, until a run has processed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellpipe.store.history import upsert_statement, utc_now

if TYPE_CHECKING:
    from cellpipe.store.database import Database, Transaction


@dataclass(frozen=True)
class QueuedFile:
    """A ready file: its path within the folder, its state then, and its batch if any.

    ``since`` is when it was queued first (UTC), as the queue tells it.
    """

    path: str
    size: int
    modified_ns: int
    batch: str | None = None
    since: str = ""


def enqueue(database: Database, files: Iterable[QueuedFile]) -> None:
    """Queue files; one already queued gets its new state, and no batch unless it names one."""
    now = utc_now()
    values = [(f.path, f.size, f.modified_ns, f.batch, now) for f in files]
    if values:
        statement = upsert_statement(
            "queue", "path, size, modified_ns, batch, since", "path", keep="since"
        )
        database.transact(lambda rows: rows.write(statement, *values), writes=True)


def queued_files(database: Database, batch: str | None = None) -> list[QueuedFile]:
    """Return the queued files, of one batch or all, in order of paths."""
    where = " WHERE batch = ?" if batch is not None else ""
    query = f"SELECT path, size, modified_ns, batch, since FROM queue{where} ORDER BY path"  # noqa: S608
    values = () if batch is None else (batch,)
    return [
        QueuedFile(*row) for row in database.transact(lambda r: r.read(query, values), writes=False)
    ]


def assign_batch(database: Database, batch: str, paths: Sequence[str]) -> None:
    """Assign queued files to a batch."""
    values = [(batch, path) for path in paths]
    statement = "UPDATE queue SET batch = ? WHERE path = ?"
    database.transact(lambda rows: rows.write(statement, *values), writes=True)


def finish_batch(database: Database, batch: str) -> None:
    """Remove a batch's files from the queue; one that changed since has been queued again."""

    def work(rows: Transaction) -> None:
        rows.write("DELETE FROM queue WHERE batch = ?", (batch,))

    database.transact(work, writes=True)
