"""The files of the results as they were written, and what became of them since."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from cellpipe.core.errors import LockedFileError
from cellpipe.store.ledger import Ledger
from cellpipe.store.migrations import ADOPT
from cellpipe.store.records import ResultFile
from cellpipe.store.recovery import quarantine_folder
from cellpipe.system.atomic_files import is_unfinished, move

_KEPT = ("tables", "cells", "gathered")  # folders of the results in which every file is noted
_AT_ONCE = 5_000  # files that one run looks at; the next ones go on from there
_PLACE = "results looked at up to"


def describe_file(folder: Path, path: Path) -> ResultFile:
    """Return a file of the results as it was written just now."""
    status = path.stat()
    name = path.relative_to(folder).as_posix()
    return ResultFile(name, status.st_size, status.st_mtime_ns, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def result_file_names(folder: Path) -> list[str]:
    """Name every file of the results' folders of tables and pages, in no order."""
    found = []
    waiting = list(_KEPT)
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / place) as entries:
            for entry in entries:
                name = f"{place}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                else:
                    found.append(name)
    return found


def names_digest(folder: Path) -> str:
    """Return a digest of the names of the results' files."""
    return hashlib.sha256("\n".join(sorted(result_file_names(folder))).encode()).hexdigest()


def delete_partial_files(folder: Path) -> int:
    """Remove what a run that was killed left unfinished; count it. Only the writer may call it."""
    count = 0
    for path in _unfinished_files(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # held by a scanner: the next run removes it
                path.unlink(missing_ok=True)
        count += 1
    return count


def _unfinished_files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.iterdir() if is_unfinished(path.name))
    yield from (
        folder / name
        for name in result_file_names(folder)
        if is_unfinished(name.rpartition("/")[2])
    )


def quarantine_orphans(ledger: Ledger) -> int:
    """Put away files of the results that the ledger does not know; strike out those gone.

    A run that is killed between the last byte of a table and its row in the ledger leaves such.
    """
    folder = ledger.folder
    there = set(result_file_names(folder))
    known = {written.path for written in ledger.result_files()}
    alike = {name.casefold() for name in known}  # a disk may keep a name's old spelling
    unknown = [name for name in there if name.casefold() not in alike]
    for name in unknown:
        _quarantine_orphan(folder, name)
    spelt = {name.casefold() for name in there}
    ledger.forget_result_files(name for name in known if name.casefold() not in spelt)
    return len(unknown)


def _quarantine_orphan(folder: Path, name: str) -> None:
    """Delete what is unfinished; put aside what is whole and unknown: it may be somebody's.

    What has a name that cellpipe gives to no file is left alone.
    """
    path = folder / name
    suffixes = {".html", ".xlsx"} if name.startswith("cells/") else {".parquet"}
    with contextlib.suppress(OSError):
        if is_unfinished(path.name):
            path.unlink()
        elif path.suffix in suffixes and re.fullmatch(r"[A-Za-z0-9._-]+", path.stem):
            _quarantine_files(folder, [name])


def register_existing(ledger: Ledger) -> None:
    """Note every file of results that the ledger does not know, or knows otherwise, as it is.

    After a ledger of an older layout, which did not note what it wrote, and after last night's
    copy took the place of a damaged one.
    """
    if ledger.key_value(ADOPT) is not None:
        names = sorted(name for name in result_file_names(ledger.folder) if not is_unfinished(name))
        ledger.record_result_files(describe_file(ledger.folder, ledger.folder / n) for n in names)
        ledger.set_key_value(ADOPT, None)


def _quarantine_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Put files of the results aside: somebody may want them. Give those that nothing holds."""
    place = quarantine_folder(folder)
    done = []
    for name in names:
        with contextlib.suppress(FileNotFoundError, LockedFileError):
            move(folder / name, place / name)
            done.append(name)
    return done


def quarantine_damaged(ledger: Ledger, *, thoroughly: bool = False) -> list[str]:
    """Put files of the results aside that are not what was written; name them.

    Size and time decide whether to look, sha256 decides. A run looks at some thousand, and the
    next one goes on from there; ``thoroughly`` looks at the content of all of them.
    """
    place = "" if thoroughly else ledger.key_value(_PLACE) or ""
    files = ledger.result_files(place, 2**31 if thoroughly else _AT_ONCE)
    found = [f.path for f in files if _is_damaged(ledger, f, thoroughly=thoroughly)]
    put = _quarantine_files(ledger.folder, found)
    ledger.forget_result_files(put)
    if not thoroughly:
        ahead = files[-1].path if len(files) == _AT_ONCE else None
        if ahead or place:
            ledger.set_key_value(_PLACE, ahead)
    return put


def _is_damaged(ledger: Ledger, written: ResultFile, *, thoroughly: bool) -> bool:
    path = ledger.folder / written.path
    try:
        status = path.stat()
        same = (status.st_size, status.st_mtime_ns) == (written.size, written.modified_ns)
        if same and not thoroughly:
            return False
        if status.st_size == written.size and _sha256(path) == written.sha256:
            if not same:
                ledger.record_result_files([describe_file(ledger.folder, path)])
            return False
    except OSError:
        return False  # what is absent is made again anyway; what is locked is looked at next time
    return True
