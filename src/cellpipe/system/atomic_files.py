"""Name result files, and write them atomically: completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from cellpipe.core.errors import LockedFileError, StoreError
from cellpipe.system.own_folder import (
    FOREIGN,
    check_replaceable,
    foreign_names,
    note_write,
    unfinished_name,
)

_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in range(10)}
)
_LONGEST = 64
RETRY_SECONDS = 2.0 if os.name == "nt" else 0.0


def file_name(cell_id: str) -> str:
    """Return the file name (without a suffix) for a cell's files.

    An id of ``A-Z a-z 0-9 . _ -`` is used as it is; it is safe on Windows, macOS and Linux. Other
    characters become ``_``, and eight hexadecimal digits of the id's sha256 are appended; names
    reserved by Windows, names that are too long, and names that already end in such digits get
    them too. Ids that differ only in case are not two cells
    (:mod:`cellpipe.pipeline.cell_inputs`).
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", cell_id)[:_LONGEST].strip(".-") or "cell"
    if safe == cell_id and not _needs_digits(safe):
        return safe
    digest = hashlib.sha256(cell_id.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    stem = f"cell_{safe}" if is_reserved(safe) else safe
    return f"{stem}-{digest}"


def _needs_digits(name: str) -> bool:
    return re.search(r"-[0-9A-Fa-f]{8}$", name) is not None or is_reserved(name)


def is_reserved(name: str) -> bool:
    """Return whether Windows reserves a name, whatever its suffix and case."""
    return name.partition(".")[0].upper() in _RESERVED


def atomic_write(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file next to ``path``, then move it there in one step.

    A reader of ``path`` gets the old content or the new one, never a part, even after a power
    failure.

    Raises
    ------
    LockedFileError
        If another program holds the file open, as Excel does on Windows.
    ForeignFileError
        If it is a file in the results that somebody else put there.
    StoreError
        If the folder can't be written: the disk is full, read-only or not available; or if a link
        leads out of the results.

    """
    check_replaceable(path)
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / unfinished_name(path.name)
        unfinished.open("xb").close()
        write(unfinished)
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        note_write(unfinished, path)
        _replace(unfinished, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"a results folder that can't be written ({error.strerror or error})",
            expected="room, and the right to write",
            remedy="make room, or get the right to write there; what was finished is kept, and the "
            "next run goes on from there",
            file=path,
        ) from error
    finally:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
    return path


def can_write(folder: Path) -> bool:
    """Return whether a file can be made in a folder; rights alone don't tell on every system."""
    probe = folder / unfinished_name("probe")
    try:
        probe.open("xb").close()
        probe.unlink()
    except OSError:
        return False
    return True


def set_foreign_names(root: Path, names: Collection[str]) -> None:
    """Keep the list of files that others put among the results; without any there is no list."""
    if names == foreign_names(root):
        return
    if not names:
        delete(root / FOREIGN)
        return
    lines = "\n".join(sorted(names))
    write_bytes(root / FOREIGN, f"# not written by cellpipe, and left alone:\n{lines}\n".encode())


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file in one step, as :func:`atomic_write` does and with its errors."""
    return atomic_write(path, lambda file: file.write_bytes(content))


def _replace(unfinished: Path, path: Path) -> None:
    try:
        _retry_while_locked(lambda: unfinished.replace(path))
    except PermissionError as error:
        if not path.is_file():
            raise
        raise _locked_error(path, error) from error


def delete(path: Path) -> None:
    """Delete a result file; do nothing if it does not exist.

    Raises
    ------
    LockedFileError
        If another program holds the file open, as Excel does on Windows.
    ForeignFileError
        If it is a file in the results that somebody else put there.

    """
    check_replaceable(path)
    try:
        _retry_while_locked(lambda: path.unlink(missing_ok=True))
    except PermissionError as error:
        raise _locked_error(path, error) from error


def move(path: Path, to: Path) -> None:
    """Move a result file; errors as of :func:`delete`."""
    check_replaceable(path)
    check_replaceable(to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _retry_while_locked(lambda: _rename_or_copy(path, to))
    except PermissionError as error:
        raise _locked_error(path, error) from error


def _rename_or_copy(path: Path, to: Path) -> None:
    try:
        path.replace(to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(path, to)  # another disk: a copy, and then the deletion


def _locked_error(path: Path, error: OSError) -> LockedFileError:
    return LockedFileError(
        f"a file that can't be replaced ({error.strerror or error})",
        expected="one that no other program holds open",
        remedy="close it (in Excel, say); the next run writes it", file=path,
    )  # fmt: skip


def _retry_while_locked(act: Callable[[], object]) -> None:
    """Call ``act``; on Windows retry for 2 s, as scanners briefly hold a new file open."""
    deadline = time.monotonic() + RETRY_SECONDS
    pause = 0.01
    while True:
        try:
            act()
        except PermissionError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause *= 2
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, where the system supports it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network drives can't
        return
    finally:
        os.close(handle)
