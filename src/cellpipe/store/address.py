"""Finding the ledger of a results folder: beside the tables, or where ``ledger.url`` says.

``ledger.url`` holds one line, ``postgresql://user@host/database#schema``. It is written once
(``cellpipe process … --ledger URL``) and never holds a password.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from cellpipe.errors import DamagedLedgerError, StoreError
from cellpipe.result_files import written_whole
from cellpipe.store.database import PASSWORD, Database, Postgres, Sqlite
from cellpipe.store.layout import brought_up
from cellpipe.store.places import is_on_network
from cellpipe.store.recovery import has_tables, is_lost, recovered, results_put_aside

POINTER = "ledger.url"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def database_of(folder: Path) -> Database:
    """Open the ledger of a results folder, made or brought up to this layout if need be.

    A file that is no longer a database is replaced by its last good copy, or by an empty one; see
    :mod:`cellpipe.store.recovery`.
    """
    pointer = folder / POINTER
    if pointer.is_file():
        database: Database = postgres_of(pointer.read_text(encoding="utf-8").strip())
        is_new = database.do(lambda rows: rows.layout(), writes=False) == 0
        if is_new and has_tables(folder):
            results_put_aside(folder)
        brought_up(database, folder)
        return database
    path = folder / "ledger.sqlite"
    if is_lost(folder):
        recovered(folder)
    database = Sqlite(path, on_network=is_on_network(folder))
    try:
        brought_up(database, path)
    except DamagedLedgerError:
        database.close()
        recovered(folder)
        brought_up(database, path)
    return database


def keep_ledger_at(folder: Path, url: str, *, moved: bool = False) -> None:
    """Let the ledger of results be in PostgreSQL: from its beginning, or once it was moved.

    Raises
    ------
    StoreError
        If the address is not one of PostgreSQL, holds a password, or the folder has another ledger.

    """
    postgres_of(url)
    pointer = folder / POINTER
    held = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None
    if held == url:
        return
    if held is not None or (not moved and (folder / "ledger.sqlite").exists()):
        raise StoreError(
            f"a ledger in {held or 'ledger.sqlite'}", expected=f"none, or one in {url}",
            remedy="cellpipe move-ledger moves one; or choose a new results folder", file=folder,
        )  # fmt: skip
    written_whole(pointer, lambda path: path.write_text(f"{url}\n", encoding="utf-8"))


def postgres_of(url: str) -> Postgres:
    """Give the database that an address names.

    Raises
    ------
    StoreError
        If it is no address of PostgreSQL, or holds a password.

    """
    address, _, schema = url.partition("#")
    parts = urlsplit(address)
    if parts.scheme not in {"postgresql", "postgres"} or not _SCHEMA.fullmatch(
        schema or "cellpipe"
    ):
        raise StoreError(
            f"the ledger's address {_without_password(url)}",
            expected="postgresql://user@host/database#schema, the schema in small letters",
            remedy="correct it",
        )
    if parts.password is not None or "password=" in parts.query:
        raise StoreError(
            "a password in the ledger's address", expected="an address without one",
            remedy=f"put it into ~/.pgpass, or into the variable {PASSWORD}",
        )  # fmt: skip
    return Postgres(address, schema or "cellpipe")


def _without_password(url: str) -> str:
    return re.sub(r":[^:@/]*@", ":…@", url)
