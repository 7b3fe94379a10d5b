"""Moving a ledger from SQLite to PostgreSQL: all rows in one transaction, then the pointer.

Killed at any point, the old ledger is used until the pointer is there, and the command may be given
again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cellpipe.core.errors import StoreError
from cellpipe.store.database import Row, Rows
from cellpipe.store.ledger import Ledger
from cellpipe.store.location import POINTER, keep_ledger_at, postgres_of
from cellpipe.store.migrations import IDENTITY, TABLES, brought_up
from cellpipe.store.recovery import ledger_put_aside
from cellpipe.store.writer_lease import writing

_AT_ONCE = 5_000


def moved(folder: Path, url: str, *, wait_second: float = 600.0) -> int:
    """Move the ledger of a results folder into PostgreSQL; count the rows.

    The old one is put into ``damaged/``; tables and pages stay where they are.

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
            f"a ledger in {(folder / POINTER).read_text(encoding='utf-8').split()[0]}",
            expected="one in ledger.sqlite", remedy="it was moved before; there is nothing to do",
            file=folder,
        )  # fmt: skip
    target = postgres_of(url)
    brought_up(target, url)
    ledger = Ledger(folder)
    with writing(ledger, wait_second=wait_second):
        identity = ledger.identity()
        held = {name: ledger.database.do(_all_of(name), writes=False) for name in TABLES}

        def fill(rows: Rows) -> int:
            _refuse_another(rows, identity, url)
            for name, found in held.items():
                rows.write(f"DELETE FROM {name}")  # noqa: S608 - names of the layout
                _filled(rows, name, found)
            return sum(map(len, held.values()))

        count = target.do(fill, writes=True)
        keep_ledger_at(folder, url, moved_as=identity)
    ledger.database.close()
    ledger_put_aside(folder)
    return count


def _all_of(name: str) -> Callable[[Rows], list[Row]]:
    return lambda rows: rows.read(f"SELECT * FROM {name}")  # noqa: S608


def _filled(rows: Rows, name: str, found: list[Row]) -> None:
    for start in range(0, len(found), _AT_ONCE):
        places = ", ".join("?" * len(found[0]))
        statement = f"INSERT INTO {name} VALUES ({places})"  # noqa: S608
        rows.write(statement, *found[start : start + _AT_ONCE])


def _refuse_another(rows: Rows, identity: str, url: str) -> None:
    """Refuse a schema that holds the ledger of other results; a move of these may be there."""
    told = rows.read("SELECT value FROM marks WHERE name = ?", (IDENTITY,))
    mine = bool(told) and told[0][0] == identity
    empty = not any(rows.read(f"SELECT 1 FROM {name} LIMIT 1") for name in TABLES)  # noqa: S608
    if not (mine or empty):
        raise StoreError(
            "another ledger", expected="an empty schema",
            remedy="name a schema of its own after #", file=url,
        )  # fmt: skip
