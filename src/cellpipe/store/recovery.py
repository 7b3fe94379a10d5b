"""Recover from a damaged ledger with its last good copy, or with a clean start.

Every nightly run leaves a copy of the ledger, ``ledger.copy.sqlite``. A damaged ledger is
quarantined (in ``damaged/…``, nothing is deleted) and replaced by the copy: later changes are found
again from the raw files, and results that the copy does not know are kept. Without a good copy the
results are quarantined too, and all of them are made again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cellpipe.store.layout import LAB_PAGES, RESULT_FOLDERS, is_result_name
from cellpipe.store.migrations import ADOPT
from cellpipe.store.own_results import looks_own
from cellpipe.system.atomic_files import atomic_write, move
from cellpipe.system.own_folder import foreign_names

DAMAGED = "damaged"  # quarantine within the results: what can't be used is not deleted
_COPY = "ledger.copy.sqlite"
_FILES = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")
_log = logging.getLogger("cellpipe")


def recover_ledger(folder: Path) -> None:
    """Quarantine a damaged ledger, and replace it by its last good copy if there is one."""
    path = folder / "ledger.sqlite"
    if _is_intact(path):  # another process was faster
        return
    quarantine = quarantine_folder(folder)
    quarantine.mkdir(parents=True)
    intact = _is_intact(folder / _COPY)
    _move_files(quarantine, folder, _FILES)
    if not intact:
        _move_results(quarantine, folder)
    if intact:
        content = (folder / _COPY).read_bytes()
        atomic_write(path, lambda file: file.write_bytes(content))
    what = "its last good copy is used" if intact else "everything is made again from the raw files"
    _log.warning("the ledger %s was damaged; it was put into %s, and %s", path, quarantine, what)


def is_ledger_lost(folder: Path) -> bool:
    """Return whether there are tables, but no ledger that describes them."""
    path = folder / "ledger.sqlite"
    exists = path.is_file() and path.stat().st_size > 0
    return not exists and has_tables(folder)


def has_tables(folder: Path) -> bool:
    """Return whether a results folder contains tables."""
    return any((folder / "tables").glob("*/*.parquet"))


def holds_results(folder: Path) -> bool:
    """Return whether a folder without a mark holds results of an earlier version."""
    return _is_intact(folder / "ledger.sqlite") or _is_intact(folder / _COPY)


def has_signs(folder: Path) -> bool:
    """Return whether a marked folder holds what only cellpipe makes there: a ledger, or tables."""
    names = ("ledger.sqlite", _COPY, DAMAGED)
    return any((folder / name).exists() for name in names) or has_tables(folder)


def quarantine_folder(folder: Path) -> Path:
    """Return the folder within the results for what is quarantined now."""
    return folder / DAMAGED / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def quarantine_size(folder: Path) -> tuple[int, int]:
    """Return how many files are quarantined in a results folder, and their bytes."""
    sizes = []
    for path in (folder / DAMAGED).rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes)


def quarantine_results(folder: Path) -> None:
    """Quarantine results that no ledger knows; all of them are made again."""
    quarantine = quarantine_folder(folder)
    _move_results(quarantine, folder)
    _log.warning("no ledger knows the results in %s; they were put into %s", folder, quarantine)


def quarantine_ledger(folder: Path) -> Path:
    """Quarantine a ledger that has been moved to another place; return its folder."""
    quarantine = quarantine_folder(folder)
    _move_files(quarantine, folder, _FILES)
    return quarantine


def _move_results(target: Path, folder: Path) -> None:
    """Move what has the name of a result, and is not known to be somebody else's."""
    files = (path for name in RESULT_FOLDERS for path in (folder / name).rglob("*"))
    names = [path.relative_to(folder).as_posix() for path in files if path.is_file()]
    names = [name for name in (*names, *LAB_PAGES) if is_result_name(name)]
    own = (name for name in {*names} - foreign_names(folder) if looks_own(folder, name))
    _move_files(target, folder, sorted(own))


def _move_files(target: Path, folder: Path, names: Sequence[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            move(folder / name, target / name)


def _is_intact(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    connection = sqlite3.connect(path)
    try:
        check = [row[0] for row in connection.execute("PRAGMA quick_check(1)").fetchall()]
        tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('seen', 'contents', 'cells')"
        return check == ["ok"] and bool(connection.execute(tables).fetchone()[0] == 3)
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def back_up_ledger(folder: Path) -> None:
    """Write a complete copy of the ledger, for recovery."""
    path = folder / "ledger.sqlite"
    if not _is_intact(path):
        return

    def copy(target: Path) -> None:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=60)) as source,
            contextlib.closing(sqlite3.connect(target)) as backup,
        ):
            backup.execute("PRAGMA journal_mode=DELETE")
            source.backup(backup)
            backup.execute("DELETE FROM writer")
            backup.execute("INSERT OR REPLACE INTO marks VALUES (?, 'copy')", (ADOPT,))
            backup.commit()

    atomic_write(folder / _COPY, copy)
