"""A folder that is cellpipe's own: its mark, and which files in it are cellpipe's to replace.

Results go only into a folder that is new, empty, or carries the mark, a small text file with the
id that the ledger knows. Whatever is written, moved or deleted below a marked folder is checked
here: it must lie in that folder itself, not where a link leads to, and must not be a file that
somebody else put there (``foreign-files.txt`` names those; each run brings it up to date).

A file that was put into place is noted in ``.unrecorded/`` before that happens, and the ledger
records it afterwards: what a killed run left unrecorded is known to be cellpipe's.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from cellpipe.core.errors import ForeignFileError, StoreError
from cellpipe.system.regular_files import is_special, read_regular

MARK = "cellpipe-results.txt"
FOREIGN = "foreign-files.txt"
_NOTES = ".unrecorded"
_SENTENCE = (
    "cellpipe writes its results into this folder, and replaces and deletes what it wrote here.\n"
    "Keep files of your own elsewhere. Leave this one: it tells cellpipe that the folder is its.\n"
)
_SYSTEMS_OWN = frozenset({"desktop.ini", "thumbs.db", ".ds_store", ".directory"})
_SHOWN = 3
_ATTEMPTS = 5
_process_notes = (0, "")  # this process, and the name of its notes

State = tuple[int, int]  # size in bytes, time of change in ns


def read_mark(folder: Path) -> str | None:
    """Return the id in a folder's mark; None without a mark, empty if it holds no id."""
    try:
        text = read_regular(folder / MARK).decode("utf-8", errors="replace")
    except OSError:
        return None
    ids = (line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: "))
    return next(ids, "").strip()


def mark_folder(folder: Path, identity: str | None = None) -> str:
    """Write a folder's mark, with a new id or the one given; return the id."""
    identity = identity or uuid.uuid4().hex
    unfinished = folder / unfinished_name(MARK)
    unfinished.write_text(f"{_SENTENCE}id: {identity}\n", encoding="utf-8", newline="\n")
    unfinished.replace(folder / MARK)
    return identity


def check_regular(path: Path) -> None:
    """Check that what has the name of a file of cellpipe's own is a file, or is not there.

    Raises
    ------
    StoreError
        If it is a pipe, a socket or a device: who reads it would wait.

    """
    if is_special(path):
        raise StoreError(
            "a pipe, a socket or a device under the name of a file of the results",
            expected="a file of cellpipe's own, or none", remedy="delete it, or move it away",
            file=path,
        )  # fmt: skip


def check_free(folder: Path, allowed: Collection[str] = ()) -> None:
    """Check that a folder may become cellpipe's: it is not there, or empty but for some names.

    Raises
    ------
    StoreError
        If it holds files, or is none.

    """
    try:
        with os.scandir(folder) as entries:
            found = {entry.name for entry in entries if not _is_nobodys(entry.name)}
            names = sorted(found.difference(allowed))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable_error(folder, error, "a folder that can be read and written") from error
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise StoreError(
            f"files that cellpipe did not write ({', '.join(names[:_SHOWN])}{more})",
            expected="a results folder that is new, empty, or has cellpipe's mark",
            remedy="choose another folder with --out; nothing was changed in this one",
            file=folder,
        )  # fmt: skip


def unusable_error(folder: Path, error: OSError, expected: str) -> StoreError:
    """Say that the system refuses the use of a results folder."""
    return StoreError(
        f"a results folder that can't be used ({error.strerror or error})", expected=expected,
        remedy="choose another with --out", file=folder,
    )  # fmt: skip


def _is_nobodys(name: str) -> bool:
    return name.lower() in _SYSTEMS_OWN or is_unfinished(name) or name in {_NOTES, MARK}


def is_same_folder(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one folder that exists, however they are spelt."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a path is that of a folder or below it, whatever links and spellings."""
    place = Path(os.path.realpath(path))
    if place.is_relative_to(os.path.realpath(folder)):
        return True
    return any(is_same_folder(parent, folder) for parent in (place, *place.parents))


def check_replaceable(path: Path) -> None:
    """Check that a file may be written, moved or deleted; outside marked folders all may be.

    Raises
    ------
    StoreError
        If a link leads out of the results.
    ForeignFileError
        If somebody else put the file there.

    """
    root = find_root(path)
    if root is None:
        return
    place = os.path.realpath(path.parent)
    if not Path(place).is_relative_to(os.path.realpath(root)):
        raise _link_error(path.parent)
    if path.relative_to(root).as_posix() in foreign_names(root):
        raise ForeignFileError(
            "a file that cellpipe did not write, under the name of a result",
            expected="no file, or cellpipe's own",
            remedy="move it out of the results; the next run writes the result", file=path,
        )  # fmt: skip


def check_no_link(path: Path) -> None:
    """Check that a file which is appended to is no link to another one.

    Raises
    ------
    StoreError
        If it is, or is the same file under two names.

    """
    if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
        raise _link_error(path)


def _link_error(path: Path) -> StoreError:
    return StoreError(
        f"a link in the results that leads to {os.path.realpath(path)}",
        expected="files and folders of cellpipe's own in the results, and no links",
        remedy="delete the link; to have results on another disk, name a folder there with --out",
        file=path,
    )  # fmt: skip


def find_root(path: Path) -> Path | None:
    """Return the marked folder that a path is below, or None."""
    return next((parent for parent in path.parents if (parent / MARK).is_file()), None)


def foreign_names(root: Path) -> frozenset[str]:
    """Return the names of the files in the results that others put there, as last found.

    Raises
    ------
    StoreError
        If their list is no file: which they are can't be known then.

    """
    try:
        text = read_regular(root / FOREIGN).decode("utf-8")
    except OSError:
        check_regular(root / FOREIGN)
        return frozenset()
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def note_write(unfinished: Path, path: Path) -> None:
    """Note that a finished file is about to be put into place, so that it is known as cellpipe's.

    Outside marked folders nothing is noted.
    """
    root = find_root(path)
    if root is None:
        return
    status = unfinished.stat()
    name = path.relative_to(root).as_posix()
    line = f"{status.st_size}\t{status.st_mtime_ns}\t{name}\n".encode()
    if (root / _NOTES).is_symlink():
        raise _link_error(root / _NOTES)
    handle = _open_notes(root / _NOTES / _notes_name())
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_notes(notes: Path) -> int:
    """Open this process's notes for one more line; another process may delete their folder."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            return os.open(notes, flags)
        notes.parent.mkdir(exist_ok=True)
    return os.open(notes, flags)


def _notes_name() -> str:
    """Return the name of this process's notes; a forked process gets its own."""
    global _process_notes  # noqa: PLW0603 - one name per process
    if _process_notes[0] != os.getpid():
        _process_notes = (os.getpid(), f"{uuid.uuid4().hex}.txt")
    return _process_notes[1]


def read_notes(root: Path) -> dict[str, set[State]]:
    """Return the files that were put into place since notes were last deleted, by name."""
    found: dict[str, set[State]] = {}
    for path in _note_files(root):
        with contextlib.suppress(OSError):
            for line in read_regular(path).decode("utf-8", errors="replace").splitlines():
                size, _, rest = line.partition("\t")
                modified, _, name = rest.partition("\t")
                if size.isdecimal() and modified.isdecimal() and name:
                    found.setdefault(name, set()).add((int(size), int(modified)))
    return found


def has_notes(root: Path) -> bool:
    """Return whether anything was put into place since notes were last deleted."""
    return next(_note_files(root), None) is not None


def delete_notes(root: Path) -> None:
    """Delete all notes: the ledger knows every file by now."""
    for path in _note_files(root):
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError):
        (root / _NOTES).rmdir()


def _note_files(root: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        if not (root / _NOTES).is_symlink():
            yield from sorted(filter(_is_note, (root / _NOTES).iterdir()))


def _is_note(path: Path) -> bool:
    return re.fullmatch(r"[0-9a-f]{32}\.txt", path.name) is not None


def unfinished_name(name: str) -> str:
    """Return the name of a file that is being written, and gets its own name when it is whole."""
    return f".{name[:40]}.{uuid.uuid4().hex[:12]}.tmp"


def is_unfinished(name: str) -> bool:
    """Return whether a name in the results is that of a file whose writing was interrupted."""
    return re.fullmatch(r"\..*\.[0-9a-f]{12}\.tmp", name) is not None
