"""Files that the watch found ready, until a run has dealt with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellpipe.store.history import upsert_statement, utc_now

if TYPE_CHECKING:
    from cellpipe.store.database import Database, Transaction


@dataclass(frozen=True)
class QueuedFile:
    """A file that is ready: its path within the folder, its state then, and its batch if any."""

    path: str
    size: int
    modified_ns: int
    batch: str | None = None


def enqueue(database: Database, files: Iterable[QueuedFile]) -> None:
    """Note files as ready; one that was noted before is noted anew, for no batch yet."""
    now = utc_now()
    values = [(f.path, f.size, f.modified_ns, f.batch, now) for f in files]
    if values:
        statement = upsert_statement(
            "queue", "path, size, modified_ns, batch, since", "path", keep="since"
        )
        database.transact(lambda rows: rows.write(statement, *values), writes=True)


def queued_files(database: Database, batch: str | None = None) -> list[QueuedFile]:
    """Return the files that wait, of one batch or all, in the order of paths."""
    where = " WHERE batch = ?" if batch is not None else ""
    query = f"SELECT path, size, modified_ns, batch FROM queue{where} ORDER BY path"  # noqa: S608
    values = () if batch is None else (batch,)
    return [
        QueuedFile(*row) for row in database.transact(lambda r: r.read(query, values), writes=False)
    ]


def assign_batch(database: Database, batch: str, paths: Sequence[str]) -> None:
    """Put waiting files into a batch."""
    values = [(batch, path) for path in paths]
    statement = "UPDATE queue SET batch = ? WHERE path = ?"
    database.transact(lambda rows: rows.write(statement, *values), writes=True)


def finish_batch(database: Database, batch: str) -> None:
    """Strike a batch's files out; one that changed since has been put in the queue anew."""

    def work(rows: Transaction) -> None:
        rows.write("DELETE FROM queue WHERE batch = ?", (batch,))

    database.transact(work, writes=True)
