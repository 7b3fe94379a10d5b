"""Folders that no other account can write into: for programs that run what stands in their files.

Prefect takes settings from its home folder and from the working directory, and these may name code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cellpipe.core.errors import SettingsError, StoreError

_NO_OTHERS = 0o077  # what group and others may
_READ_AND_WRITE = 0o600


@contextlib.contextmanager
def work_in_private_folder() -> Iterator[Path]:
    """Yield a new empty folder for this account alone, which is the working directory meanwhile.

    It is deleted afterwards.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cellpipe-", ignore_cleanup_errors=True) as name,
        contextlib.chdir(name),
    ):
        yield Path(name).resolve()


def make_private(folder: Path) -> None:
    """Make a folder for this account alone, or close one to other accounts.

    Raises
    ------
    SettingsError
        If it, or what lies in it, belongs to another account, or stays open to others.

    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(PermissionError):  # of another account, as is said below
            folder.chmod(0o700)
        found = _find_strangers_rights(folder) if os.name == "posix" else None
    except OSError as error:
        found = f"a folder that can't be used ({error.strerror or error})"
    if found:
        raise SettingsError(
            found, expected="a folder of the account that runs cellpipe, closed to all others",
            remedy="delete it, or put the settings on a disk with permissions, in a folder of "
            "your own", file=folder,
        )  # fmt: skip


def _find_strangers_rights(folder: Path) -> str | None:
    """Return what other accounts have or may in a folder, or None."""
    status = folder.stat()
    if not (_is_own(status) and _is_own(folder.lstat())):
        return "a folder of another account"
    if status.st_mode & _NO_OTHERS:
        return "a folder that stays open to other accounts"
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _is_own(entry.stat(follow_symlinks=False)):
                return f"a file of another account ({entry.name})"
    return None


def _is_own(status: os.stat_result) -> bool:
    """Return whether a file or folder is this account's, or root's."""
    return sys.platform == "win32" or status.st_uid in {0, os.geteuid()}


def make_plain_folder(folder: Path, names: tuple[str, ...]) -> None:
    """Make a folder in the results; check that neither it nor its files of these names are links.

    Raises
    ------
    StoreError
        If one is.

    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.realpath(folder) != os.path.join(os.path.realpath(folder.parent), folder.name):  # noqa: PTH118
        _refuse_link(folder)
    for path in (folder / name for name in names):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if path.is_symlink() or not path.is_file() or status.st_nlink > 1:
                _refuse_link(path)


def _refuse_link(path: Path) -> None:
    raise StoreError(
        "a link, or something else than a file, where Prefect's records go",
        expected="a folder and files of cellpipe's own", remedy="delete it, or move it away",
        file=path,
    )  # fmt: skip


def append_to(path: Path) -> int:
    """Open a file, and never what a link leads to; return its descriptor."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags | getattr(os, "O_BINARY", 0), _READ_AND_WRITE)
