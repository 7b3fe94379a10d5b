"""A ledger that is no longer a database: its last good copy, or a clean start.

Every night leaves a copy of the ledger, ``ledger.copy.sqlite``. If the ledger is damaged, it is put
aside (``damaged/…``, nothing is deleted) and the copy takes its place: what came after is found
anew from the raw files, and results that the copy does not know are kept. Without a good copy the
results are put aside too, and all of them are made again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cellpipe.store.migrations import ADOPT
from cellpipe.system.atomic_files import atomic_write, move

DAMAGED = "damaged"  # folder within the results for what can't be used, and is not deleted
_COPY = "ledger.copy.sqlite"
_FILES = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")
_RESULTS = ("tables", "cells", "gathered", "index.html", "all-cells.xlsx")
_log = logging.getLogger("cellpipe")


def recover_ledger(folder: Path) -> None:
    """Put a damaged ledger aside, and its last good copy into its place if there is one."""
    path = folder / "ledger.sqlite"
    if _is_intact(path):  # another process was faster
        return
    aside = quarantine_folder(folder)
    aside.mkdir(parents=True)
    good = _is_intact(folder / _COPY)
    _move_files(aside, folder, _FILES)
    if not good:
        _move_files(aside, folder, _RESULTS)
    if good:
        content = (folder / _COPY).read_bytes()
        atomic_write(path, lambda file: file.write_bytes(content))
    what = "its last good copy is used" if good else "everything is made again from the raw files"
    _log.warning("the ledger %s was damaged; it was put into %s, and %s", path, aside, what)


def is_ledger_lost(folder: Path) -> bool:
    """Return whether there are tables, and no ledger that tells what they are."""
    path = folder / "ledger.sqlite"
    there = path.is_file() and path.stat().st_size > 0
    return not there and has_tables(folder)


def has_tables(folder: Path) -> bool:
    """Return whether there are tables in a results folder."""
    return any((folder / "tables").glob("*/*.parquet"))


def quarantine_folder(folder: Path) -> Path:
    """Return the place within the results for what is put aside now."""
    return folder / DAMAGED / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def quarantine_results(folder: Path) -> None:
    """Put results aside that no ledger knows; all of them are made again."""
    aside = quarantine_folder(folder)
    _move_files(aside, folder, _RESULTS)
    _log.warning("no ledger knows the results in %s; they were put into %s", folder, aside)


def quarantine_ledger(folder: Path) -> Path:
    """Put a ledger aside that is in another place now; give where it lies."""
    aside = quarantine_folder(folder)
    _move_files(aside, folder, _FILES)
    return aside


def _move_files(aside: Path, folder: Path, names: Sequence[str]) -> None:
    aside.mkdir(parents=True, exist_ok=True)
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            move(folder / name, aside / name)


def _is_intact(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    connection = sqlite3.connect(path)
    try:
        found = [row[0] for row in connection.execute("PRAGMA quick_check(1)").fetchall()]
        tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('seen', 'contents', 'cells')"
        return found == ["ok"] and bool(connection.execute(tables).fetchone()[0] == 3)
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def back_up_ledger(folder: Path) -> None:
    """Leave a copy of the ledger, whole, for the day when it is needed."""
    path = folder / "ledger.sqlite"
    if not _is_intact(path):
        return

    def copy(target: Path) -> None:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=60)) as source,
            contextlib.closing(sqlite3.connect(target)) as copied,
        ):
            copied.execute("PRAGMA journal_mode=DELETE")
            source.backup(copied)
            copied.execute("DELETE FROM writer")
            copied.execute("INSERT OR REPLACE INTO marks VALUES (?, 'copy')", (ADOPT,))
            copied.commit()

    atomic_write(folder / _COPY, copy)
