"""Move a ledger from SQLite to PostgreSQL: all rows in one transaction, then the pointer.

If it is killed at any point, the old ledger is used until the pointer exists, and the command can
be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cellpipe.core.errors import StoreError
from cellpipe.store.database import Row, Transaction
from cellpipe.store.ledger import Ledger
from cellpipe.store.location import POINTER, ledger_url, postgres_from_url, set_ledger_url
from cellpipe.store.migrations import IDENTITY, TABLES, migrate
from cellpipe.store.recovery import quarantine_ledger
from cellpipe.store.writer_lease import acquire

_AT_ONCE = 5_000


def move_ledger(folder: Path, url: str, *, wait_second: float = 600.0) -> int:
    """Move the ledger of a results folder into PostgreSQL; return the number of rows.

    The old one is moved to ``damaged/``; tables and pages stay where they are.

    Parameters
    ----------
    folder
        A results folder whose ledger is ``ledger.sqlite``.
    url
        ``postgresql://user@host/database#schema``, without a password.
    wait_second
        How long to wait for a run that is writing.

    Raises
    ------
    StoreError
        If the ledger is in PostgreSQL already, or the schema holds another ledger.

    """
    if (folder / POINTER).is_file():
        raise StoreError(
            f"a ledger in {ledger_url(folder)}",
            expected="one in ledger.sqlite", remedy="it was moved before; there is nothing to do",
            file=folder,
        )  # fmt: skip
    target = postgres_from_url(url)
    migrate(target, url)
    ledger = Ledger(folder)
    with acquire(ledger, wait_second=wait_second):
        identity = ledger.identity()
        data = {name: ledger.database.transact(_select_all(name), writes=False) for name in TABLES}

        def fill(rows: Transaction) -> int:
            _check_target(rows, identity, url)
            for name, table_rows in data.items():
                rows.write(f"DELETE FROM {name}")  # noqa: S608 - names of the layout
                _insert_rows(rows, name, table_rows)
            return sum(map(len, data.values()))

        count = target.transact(fill, writes=True)
        set_ledger_url(folder, url, moved_as=identity)
    ledger.database.close()
    quarantine_ledger(folder)
    return count


def _select_all(name: str) -> Callable[[Transaction], list[Row]]:
    return lambda rows: rows.read(f"SELECT * FROM {name}")  # noqa: S608


def _insert_rows(rows: Transaction, name: str, table_rows: list[Row]) -> None:
    for start in range(0, len(table_rows), _AT_ONCE):
        places = ", ".join("?" * len(table_rows[0]))
        statement = f"INSERT INTO {name} VALUES ({places})"  # noqa: S608
        rows.write(statement, *table_rows[start : start + _AT_ONCE])


def _check_target(rows: Transaction, identity: str, url: str) -> None:
    """Refuse a schema with the ledger of other results; an earlier move of this one is allowed."""
    stored = rows.read("SELECT value FROM marks WHERE name = ?", (IDENTITY,))
    mine = bool(stored) and stored[0][0] == identity
    empty = not any(rows.read(f"SELECT 1 FROM {name} LIMIT 1") for name in TABLES)  # noqa: S608
    if not (mine or empty):
        raise StoreError(
            "another ledger", expected="an empty schema",
            remedy="name a schema of its own after #", file=url,
        )  # fmt: skip
