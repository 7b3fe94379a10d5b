"""Database backends of the ledger: SQLite next to the tables, or PostgreSQL for several machines.

The ledger's statements use the subset of SQL that both understand, with ``?`` for a value.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cellpipe.core.errors import DamagedLedgerError, ReadOnlyLedgerError, StoreError
from cellpipe.system.atomic_files import can_write
from cellpipe.system.own_folder import check_regular

T = TypeVar("T")
Row = tuple[Any, ...]
PASSWORD = "CELLPIPE_LEDGER_PASSWORD"  # noqa: S105 - the name of a variable
_BUSY_SECONDS = 120.0
_LOGS = ("", "-journal", "-wal", "-shm")  # suffixes of the files that SQLite opens together
_JOURNAL_BYTES = 16_000_000  # to which a write-ahead log shrinks when its content is in the file
_AWAY_SECONDS = 60.0  # how long to wait for a PostgreSQL that restarts


class Transaction(Protocol):
    """Access to a database within one transaction."""

    def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows that a SELECT finds."""

    def write(self, statement: str, *rows: Sequence[object]) -> int:
        """Execute a statement once per row of values (once if there is none); count the rows."""

    def layout(self) -> int:
        """Return the number of the database's layout; 0 if it is empty."""

    def set_layout(self, number: int) -> None:
        """Set the number of the layout; older versions of cellpipe refuse an unknown one."""


class Database(Protocol):
    """A database; ``transact`` runs work in one transaction: all of it is kept, or none."""

    lock_row: str  # suffix of a SELECT that locks its rows until the transaction ends

    def transact(self, work: Callable[[Transaction], T], *, writes: bool) -> T:
        """Run work in a transaction."""

    def close(self) -> None:
        """Close this thread's connection."""


class _ThreadConnection:
    """A connection of one thread, closed with the thread or with the object it belongs to."""

    def __init__(self, connection: Any, of: object) -> None:
        self.connection = connection
        self.of = of

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.connection.close()


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, *rows: Sequence[object]) -> int:
        if not rows:
            return self._connection.execute(statement).rowcount
        return self._connection.executemany(statement, rows).rowcount

    def layout(self) -> int:
        return int(self.read("PRAGMA user_version")[0][0])

    def set_layout(self, number: int) -> None:
        self.write(f"PRAGMA user_version={number:d}")


class Sqlite:
    """The file ``ledger.sqlite``, with one connection per thread, so that objects may be shared.

    The write-ahead log (WAL) is used if all users of the file are on one machine; on a network
    drive, where that can't work, SQLite's older rollback journal is used. ``copy_of`` is the ledger
    that a copy was made of to be read; nothing may be written into it then.
    """

    lock_row = ""

    def __init__(
        self, path: Path, *, on_network: bool = False, copy_of: Path | None = None
    ) -> None:  # fmt: skip
        self.path = path
        self.on_network = on_network
        self.copy_of = copy_of
        self._local = threading.local()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "on_network": self.on_network, "copy_of": self.copy_of}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def transact(self, work: Callable[[Transaction], T], *, writes: bool) -> T:
        """Run work in a transaction; wait up to two minutes for one of another process."""
        if writes and self.copy_of is not None:
            raise ReadOnlyLedgerError(
                "a results folder that can't be written", expected="the right to write there",
                remedy="ask who keeps it; reading works", file=self.copy_of.parent,
            )  # fmt: skip
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                result = work(_SqliteTransaction(connection))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self.close()
            raise self._store_error(error) from error
        return result

    def close(self) -> None:
        """Close this thread's connection."""
        self._local.held = None

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection; open a new one if the file has been replaced."""
        held = getattr(self._local, "held", None)
        if held is not None and held.of == (self._file_id(), os.getpid()):
            return held.connection  # type: ignore[no-any-return]
        self.close()
        check_sqlite_files(self.path)
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            _set_journal_mode(connection, "DELETE" if self.on_network else "WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if self.on_network else 'NORMAL'}")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        self._local.held = _ThreadConnection(connection, (self._file_id(), os.getpid()))
        return connection

    def _file_id(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _store_error(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind: type[StoreError] = StoreError
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            kind = DamagedLedgerError
        elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN} and self.path.is_file():
            kind = StoreError if can_write(self.path.parent) else ReadOnlyLedgerError
        return kind(
            f"a ledger that can't be used ({error})",
            expected="a results folder that can be read and written",
            remedy="check that you may write there, close other programs that use it, make room "
            "on the disk, or choose another folder with --out",
            file=self.path,
        )


def check_sqlite_files(path: Path) -> None:
    """Check that SQLite may open a file and its logs: it waits for pipes, and writes through links.

    Raises
    ------
    StoreError
        If one of them is a pipe, a socket, a device or a symbolic link.

    """
    for suffix in _LOGS:
        file = path.with_name(f"{path.name}{suffix}")
        check_regular(file)
        if file.is_symlink():
            raise StoreError(
                "a symbolic link in place of the ledger", expected="the file itself, or none",
                remedy="put the file there instead, or delete the link: what it leads to would be "
                "written", file=file,
            )  # fmt: skip


def _set_journal_mode(connection: sqlite3.Connection, mode: str) -> None:
    """Set the journal mode; wait for others that set it, as SQLite itself does not here."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


class _PostgresTransaction:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        self._cursor.execute(statement.replace("?", "%s"), values)
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def write(self, statement: str, *rows: Sequence[object]) -> int:
        if rows:
            self._cursor.executemany(statement.replace("?", "%s"), rows)
        else:
            self._cursor.execute(statement)
        return int(self._cursor.rowcount)

    def layout(self) -> int:
        """Return the number of the layout; others that ask wait until this transaction ends.

        The catalog is queried because a query sees what was committed while this one waited;
        ``to_regclass`` may answer from before that.
        """
        self._cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext(current_setting('search_path')))"
        )
        if not self.read(
            "SELECT 1 FROM pg_catalog.pg_tables"
            " WHERE schemaname = current_schema() AND tablename = 'layout'"
        ):
            return 0
        return int(self.read("SELECT version FROM layout")[0][0])

    def set_layout(self, number: int) -> None:
        self.write("CREATE TABLE IF NOT EXISTS layout (version BIGINT NOT NULL)")
        self.write("DELETE FROM layout")
        self.write("INSERT INTO layout VALUES (?)", (number,))


class Postgres:
    """A schema in a PostgreSQL database; needs ``psycopg`` and waits for a server that restarts.

    The address never holds a password: libpq takes it from ``PGPASSFILE`` or ``~/.pgpass``, or it
    is in the variable ``CELLPIPE_LEDGER_PASSWORD``.
    """

    lock_row = " FOR UPDATE"

    def __init__(self, address: str, schema: str) -> None:
        self.address = address
        self.schema = schema
        self._local = threading.local()

    def __getstate__(self) -> dict[str, object]:
        return {"address": self.address, "schema": self.schema}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def transact(self, work: Callable[[Transaction], T], *, writes: bool) -> T:  # noqa: ARG002 - as SQLite's
        """Run work in a transaction; retry for a minute if the server went away during it."""
        psycopg = _import_psycopg(self.address)
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            try:
                connection = self._connection(psycopg)
                with connection.transaction(), connection.cursor() as cursor:
                    return work(_PostgresTransaction(cursor))
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.close()
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"no answer from the ledger's PostgreSQL ({str(error).strip()})",
                        expected="the server that ledger.url names",
                        remedy="start it, and see that this machine may reach it",
                        file=self.address,
                    ) from error
                time.sleep(0.5)
            except psycopg.Error as error:
                raise StoreError(
                    f"a ledger that can't be used ({str(error).strip()})",
                    expected="a schema that may be written",
                    remedy="ask who keeps the database", file=self.address,
                ) from error  # fmt: skip

    def close(self) -> None:
        """Close this thread's connection."""
        self._local.held = None

    def _connection(self, psycopg: Any) -> Any:
        held = getattr(self._local, "held", None)
        if held is not None and not held.connection.closed and held.of == os.getpid():
            return held.connection
        connection = psycopg.connect(
            self.address, password=os.environ.get(PASSWORD), autocommit=True, connect_timeout=10
        )
        with contextlib.suppress(psycopg.errors.UniqueViolation):  # another process just created it
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')
        connection.execute(f'SET search_path TO "{self.schema}"')
        self._local.held = _ThreadConnection(connection, os.getpid())
        return connection


def _import_psycopg(address: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise StoreError(
            "a ledger in PostgreSQL, and no psycopg to reach it",
            expected="the package psycopg", remedy="pip install 'cellpipe[postgresql]'",
            file=address,
        ) from error  # fmt: skip
    return psycopg
