"""Find the ledger of a results folder: next to the tables, or where ``ledger.url`` points.

``ledger.url`` holds ``postgresql://user@host/database#schema``, and on the next line the id that
ties that ledger to these results, so that no other results are ever recorded in it. It is written
once (``cellpipe process … --ledger URL``) and never holds a password.
"""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from pathlib import Path

from cellpipe.core.clean_text import is_postgres_address
from cellpipe.core.errors import DamagedLedgerError, ReadOnlyLedgerError, StoreError
from cellpipe.store.database import PASSWORD, Database, Postgres, Sqlite, Transaction
from cellpipe.store.ledger_copy import open_copy
from cellpipe.store.migrations import IDENTITY, migrate
from cellpipe.store.recovery import (
    check_ledgers,
    has_signs,
    has_tables,
    holds_results,
    is_ledger_lost,
    quarantine_results,
    recover_ledger,
)
from cellpipe.system.mounts import is_network_path
from cellpipe.system.own_folder import (
    FOREIGN,
    MARK,
    check_free,
    check_regular,
    mark_folder,
    read_mark,
    unusable_error,
)
from cellpipe.system.regular_files import read_regular

POINTER = "ledger.url"
_BEFORE_THE_LEDGER = ("cellpipe.log", "watch.log", "prefect")  # what may be made before it is
_SQLITE = "ledger.sqlite"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def open_database(folder: Path) -> Database:
    """Open the ledger of a results folder; create it or migrate it to this layout if needed.

    A file that is no longer a database is replaced by its last good copy, or by an empty one; see
    :mod:`cellpipe.store.recovery`. Of one that can't be written, a copy is opened to be read.

    Raises
    ------
    StoreError
        If the folder holds files and is not marked as cellpipe's: nothing is changed in it.

    """
    claim_folder(folder)
    pointer = folder / POINTER
    if pointer.is_file():
        url, identity = _read_pointer(pointer)
        database: Database = postgres_from_url(url)
        is_new = database.transact(lambda rows: rows.layout(), writes=False) == 0
        if is_new and has_tables(folder):
            quarantine_results(folder)
        migrate(database, folder)
        _claim_ledger(database, identity, pointer)
        return database
    path = folder / _SQLITE
    if is_ledger_lost(folder):
        recover_ledger(folder)
    database = Sqlite(path, on_network=is_network_path(folder))
    try:
        migrate(database, path)
    except DamagedLedgerError:
        database.close()
        recover_ledger(folder)
        migrate(database, path)
    except ReadOnlyLedgerError:
        database.close()
        return open_copy(path)
    return database


def claim_folder(folder: Path) -> None:
    """Mark a new or empty folder as cellpipe's; leave one that is, also without a mark, as it is.

    Raises
    ------
    StoreError
        If it holds files that cellpipe did not write, or can't be made.

    """
    if is_own(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark_folder(folder)
    except OSError as error:
        raise unusable_error(folder, error, "a folder that can be written") from error


def is_own(folder: Path) -> bool:
    """Return whether a folder holds cellpipe's results; it is new or empty if not.

    Raises
    ------
    StoreError
        If it holds files that cellpipe did not write, or what is no file in place of its own.

    """
    _check_files(folder)
    is_marked = read_mark(folder) is not None
    if is_marked and has_signs(folder):  # at every opening, so it comes before the ledger's check
        return True
    if (folder / POINTER).is_file() or holds_results(folder):
        return True
    try:
        check_free(folder, _BEFORE_THE_LEDGER if is_marked else ())
    except StoreError:
        if read_mark(folder) is not None and has_signs(folder):  # another process just claimed it
            return True
        raise
    return is_marked


def _check_files(folder: Path) -> None:
    for name in (MARK, FOREIGN, POINTER):
        check_regular(folder / name)
    check_ledgers(folder)


def has_ledger(folder: Path) -> bool:
    """Return whether a folder has a ledger, or points to one; errors as of :func:`is_own`."""
    _check_files(folder)
    return any((folder / name).is_file() for name in (_SQLITE, POINTER))


def ledger_url(folder: Path) -> str | None:
    """Return the PostgreSQL address of a results folder's ledger, or None."""
    pointer = folder / POINTER
    return _read_pointer(pointer)[0] if pointer.is_file() else None


def _read_pointer(pointer: Path) -> tuple[str, str]:
    try:
        text = read_regular(pointer).decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise StoreError(
            f"a file that can't be read ({getattr(error, 'strerror', None) or 'it is no text'})",
            expected="the address of the ledger, as text", remedy="bring back the file",
            file=pointer,
        ) from error  # fmt: skip
    url, _, identity = text.strip().partition("\n")
    postgres_from_url(url.strip())  # an address that is not one is not repeated
    return url.strip(), identity.strip()


def _claim_ledger(database: Database, identity: str, pointer: Path) -> None:
    """Tie a new ledger to the results that point to it; refuse one that is tied to others."""

    def claim(rows: Transaction) -> None:
        statement = "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
        rows.write(statement, (IDENTITY, identity))

    def holder(rows: Transaction) -> str:
        stored = rows.read("SELECT value FROM marks WHERE name = ?", (IDENTITY,))
        return str(stored[0][0]) if stored else ""

    if identity and not database.transact(holder, writes=False):
        database.transact(claim, writes=True)
    if identity and database.transact(holder, writes=False) != identity:
        raise StoreError(
            "the ledger of other results", expected="one of these results alone",
            remedy=f"delete {POINTER} and name a schema of its own after # in the address",
            file=pointer,
        )  # fmt: skip


def set_ledger_url(folder: Path, url: str, *, moved_as: str = "") -> None:
    """Point a results folder to a ledger in PostgreSQL: a new one, or one that was moved there.

    ``moved_as`` is the identity of a ledger that was moved there.

    Raises
    ------
    StoreError
        If the address is not one of PostgreSQL, holds a password, or the folder has another ledger.

    """
    postgres_from_url(url)
    pointer = folder / POINTER
    current = ledger_url(folder)
    if current == url:
        return
    if current is not None or (not moved_as and (folder / "ledger.sqlite").exists()):
        raise StoreError(
            f"a ledger in {current or 'ledger.sqlite'}", expected=f"none, or one in {url}",
            remedy="cellpipe move-ledger moves one; or choose a new results folder", file=folder,
        )  # fmt: skip
    claim_folder(folder)
    identity = moved_as or read_mark(folder) or uuid.uuid4().hex
    with suppress(FileExistsError), pointer.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(f"{url}\n{identity}\n")


def postgres_from_url(url: str) -> Postgres:
    """Return the PostgreSQL database that an address names.

    Raises
    ------
    StoreError
        If it is not an address of PostgreSQL, or holds a password.

    """
    address, _, schema = url.partition("#")
    if not is_postgres_address(url):
        raise StoreError(
            "an address of the ledger that is not postgresql://user@host/database#schema",
            expected="that, without a password or a key; it is not repeated here",
            remedy=f"correct it; a password goes into ~/.pgpass, or into the variable {PASSWORD}",
        )
    if not _SCHEMA.fullmatch(schema or "cellpipe"):
        raise StoreError(
            "a schema in the ledger's address that is no name of one",
            expected="lower-case letters, digits and _ after the #", remedy="correct it",
        )  # fmt: skip
    return Postgres(address, schema or "cellpipe")
