"""Record the result files as they were written; find and quarantine those changed since."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cellpipe.core.errors import LockedFileError
from cellpipe.store.layout import RESULT_FOLDERS, TOP_FILES, is_result_name
from cellpipe.store.ledger import Ledger
from cellpipe.store.migrations import ADOPT
from cellpipe.store.own_results import looks_own
from cellpipe.store.records import ResultFile
from cellpipe.store.recovery import quarantine_folder
from cellpipe.system.atomic_files import move
from cellpipe.system.own_folder import foreign_names, is_unfinished
from cellpipe.system.regular_files import open_regular

_WRITTEN_BY_COMMANDS = ("exports", "comparisons", "eln")
_AT_ONCE = 5_000  # files that one run checks; the next run continues from there
_PLACE = "results looked at up to"


def describe_file(folder: Path, path: Path) -> ResultFile:
    """Return the record of a result file that was just written."""
    status = path.stat()
    name = path.relative_to(folder).as_posix()
    return ResultFile(name, status.st_size, status.st_mtime_ns, _sha256(path))


def _sha256(path: Path) -> str:
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def result_file_names(folder: Path) -> list[str]:
    """Return the names of all files in the folders of tables and pages, in no order."""
    names = []
    pending = list(RESULT_FOLDERS)
    while pending:
        parent = pending.pop()
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / parent) as entries:
            for entry in entries:
                name = f"{parent}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                else:
                    names.append(name)
    return names


def result_names(folder: Path) -> set[str]:
    """Return the names of the files under a recorded result's name, whosever they are."""
    top = {name for name in TOP_FILES if (folder / name).is_file()}
    return top.union(filter(is_result_name, result_file_names(folder)))


def names_digest(folder: Path) -> str:
    """Return a digest of the names of the result files."""
    return hashlib.sha256("\n".join(sorted(result_file_names(folder))).encode()).hexdigest()


def delete_partial_files(folder: Path) -> int:
    """Delete the unfinished files of a killed run; count them. Only the writer may call it."""
    count = 0
    for path in _unfinished_files(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # held open by a scanner: the next run deletes it
                path.unlink(missing_ok=True)
        count += 1
    return count


def _unfinished_files(folder: Path) -> Iterator[Path]:
    """Yield what was being written in the results' own folders; no link is followed."""
    place = os.path.realpath(folder)
    yield from [path for path in folder.iterdir() if is_unfinished(path.name)]
    for top in (folder / name for name in (*RESULT_FOLDERS, *_WRITTEN_BY_COMMANDS)):
        if not Path(os.path.realpath(top)).is_relative_to(place) or os.path.ismount(top):
            continue
        for parent, folders, files in os.walk(top):
            yield from (
                Path(parent) / found for found in (*folders, *files) if is_unfinished(found)
            )


def is_as_recorded(folder: Path, written: ResultFile, status: os.stat_result) -> bool:
    """Return whether a file holds what was recorded, also if it was written once more since.

    As by a worker of a cluster that was taken for dead, and whose work another one has done.
    """
    if status.st_size != written.size:
        return False
    return status.st_mtime_ns == written.modified_ns or (
        _sha256(folder / written.path) == written.sha256
    )


def register_existing(ledger: Ledger) -> None:
    """Record every result file that the ledger does not know, or knows in another state, as it is.

    This follows the migration of an older layout, which did not record files, and the replacement
    of a damaged ledger by last night's copy.
    """
    if ledger.key_value(ADOPT) is not None:
        foreign = foreign_names(ledger.folder)
        existing = result_names(ledger.folder)
        known = ledger.recorded_files(sorted(existing))
        names = sorted(n for n in existing - foreign if n in known or looks_own(ledger.folder, n))
        ledger.record_result_files(describe_file(ledger.folder, ledger.folder / n) for n in names)
        ledger.set_key_value(ADOPT, None)


def quarantine_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Quarantine result files, which may still be wanted; return the names of those moved."""
    quarantine = quarantine_folder(folder)
    moved = []
    for name in names:
        with contextlib.suppress(FileNotFoundError, LockedFileError):
            move(folder / name, quarantine / name)
            moved.append(name)
    return moved


def quarantine_damaged(
    ledger: Ledger, *, thoroughly: bool = False, values: Mapping[str, str] | None = None
) -> list[str]:
    """Quarantine result files that are not as they were written; return their names.

    A changed size or time decides whether to look, the sha256 decides. One run checks 5,000 files
    and the next continues from there; ``thoroughly`` checks the content of all files. ``values``
    are what the ledger keeps by name, if they were read.
    """
    place = ledger.key_value(_PLACE) if values is None else values.get(_PLACE)
    start = "" if thoroughly else place or ""
    files = ledger.result_files(start, 2**31 if thoroughly else _AT_ONCE)
    damaged = [f.path for f in files if _is_damaged(ledger, f, thoroughly=thoroughly)]
    moved = quarantine_files(ledger.folder, damaged)
    ledger.forget_result_files(moved)
    if not thoroughly:
        next_start = files[-1].path if len(files) == _AT_ONCE else None
        if next_start or start:
            ledger.set_key_value(_PLACE, next_start)
    return moved


def _is_damaged(ledger: Ledger, written: ResultFile, *, thoroughly: bool) -> bool:
    path = ledger.folder / written.path
    try:
        status = path.stat()
        unchanged = (status.st_size, status.st_mtime_ns) == (written.size, written.modified_ns)
        if unchanged and not thoroughly:
            return False
        if status.st_size == written.size and _sha256(path) == written.sha256:
            if not unchanged:
                ledger.record_result_files([describe_file(ledger.folder, path)])
            return False
    except OSError:
        return False  # an absent file is made again anyway; a locked one is checked next time
    return True
