"""The password of the Prefect server that cellpipe starts: made once, read by its owner alone.

It is a line ``user:secret``, as Prefect's own basic authentication takes it. A user who sets
``PREFECT_SERVER_API_AUTH_STRING`` has chosen one, and no file is made.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from cellpipe.config.settings import ServerSettings
from cellpipe.core.errors import SettingsError
from cellpipe.handoff.secrets import resolve_secret
from cellpipe.service.prefect_api import LOOPBACK

VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
_CLIENT_VARIABLES = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
_NAME = "password.txt"
_log = logging.getLogger("cellpipe")
_NEW_ONE = "delete the file, and start cellpipe serve again: it makes a new password"


@dataclass(frozen=True)
class Password:
    """A password, the file that keeps it, if one does, and whether it was made just now."""

    text: str
    file: Path | None = None
    is_new: bool = False

    def __repr__(self) -> str:
        """Leave the password out: what is shown may be logged."""
        return f"Password(file={self.file}, is_new={self.is_new})"


def make_password() -> str:
    """Return a new password, 256 bits by chance."""
    return f"cellpipe:{secrets.token_urlsafe(32)}"


def chosen_password() -> str | None:
    """Return the password that the user chose by ``PREFECT_SERVER_API_AUTH_STRING``, or None.

    Raises
    ------
    SettingsError
        If it holds what no browser and no client could send.

    """
    text = os.environ.get(VARIABLE, "").strip()
    if text and not (text.isascii() and text.isprintable() and ":" in text):
        raise SettingsError(
            f"a value of {VARIABLE} that can't be sent",
            expected="user:secret, of letters without accents, digits and signs",
            remedy="set another, or none: cellpipe serve makes a password of its own",
        )  # fmt: skip
    return text or None


def password_file(home: Path) -> Path:
    """Return the file in which ``cellpipe serve`` keeps the password, in Prefect's folder."""
    return home / _NAME


def ensure_password(home: Path) -> Password:
    """Return the password of the server with this folder; make it at the first start.

    Raises
    ------
    SettingsError
        If it can't be made, or can't be read, or others can read it.

    """
    chosen = chosen_password()
    if chosen is not None:
        return Password(chosen)
    path = password_file(home)
    if os.path.lexists(path):
        return Password(read_password(path), path)
    _write_password(path)
    try:
        return Password(read_password(path), path, is_new=True)
    except SettingsError:  # as on a disk without permissions: what others can read is not kept
        path.unlink(missing_ok=True)
        raise


def find_password(home: Path) -> str | None:
    """Return the password of the server with this folder, or None if there is none yet.

    Raises
    ------
    SettingsError
        If it can't be read, or others can read it.

    """
    path = password_file(home)
    return chosen_password() or (read_password(path) if os.path.lexists(path) else None)


def set_client_password(server: ServerSettings, home: Path) -> None:
    """Let this process's clients know the password, if ``PREFECT_API_URL`` names this server.

    What the user has set for them is left as it is.

    Raises
    ------
    SettingsError
        If the password can't be read, or others can read it.

    """
    try:
        named = urllib.parse.urlsplit(os.environ.get("PREFECT_API_URL", ""))
        is_this = named.hostname in {*LOOPBACK, server.host} and named.port == server.port
    except ValueError:  # no address
        return
    if not is_this or any(os.environ.get(name) for name in _CLIENT_VARIABLES):
        return
    password = find_password(home)
    if password is not None:
        os.environ["PREFECT_API_AUTH_STRING"] = password


def read_password(path: Path) -> str:
    """Return the password in a file.

    Raises
    ------
    SettingsError
        If there is none, it can't be read, or others than its owner can read or replace it.

    """
    try:
        is_own = _is_own_file(path)
        text = resolve_secret(f"file:{path.name}", path.parent) if is_own else ""
    except (OSError, SettingsError) as error:
        found = error.found if isinstance(error, SettingsError) else f"no file ({error.strerror})"
        raise SettingsError(
            found.replace("a token", "a password").replace(f"file:{path.name}", "it"),
            expected="the password of Prefect's server, for its owner alone",
            remedy=f"{_NEW_ONE}; on a disk without permissions, set {VARIABLE} instead", file=path,
        ) from None  # fmt: skip
    if not text.isascii() or ":" not in text:
        raise SettingsError(
            "something else than a password, or one of another account",
            expected="one line, user:secret, in a file of the account that runs cellpipe",
            remedy=_NEW_ONE, file=path,
        )  # fmt: skip
    return text


def _is_own_file(path: Path) -> bool:
    """Return whether a path is a file, no link, that belongs to this account (or to root)."""
    status = path.lstat()
    is_own = sys.platform == "win32" or status.st_uid in {0, os.geteuid()}
    return stat.S_ISREG(status.st_mode) and is_own


def _write_password(path: Path) -> None:
    """Write a new password to a file that no one else can read from its very beginning.

    It gets its name when it is whole; of two that are made at once, the first stays.
    """
    new = path.with_name(f"{_NAME}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                _set_access_list(new)
                file.write(make_password() + "\n")
                file.flush()
                os.fsync(descriptor)
            _name_file(new, path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(
            f"a folder in which no password can be kept ({error.strerror})",
            expected="one that can be written", file=path,
            remedy=f"check your rights there, or set {VARIABLE}",
        ) from error  # fmt: skip


def _name_file(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        return
    except OSError:  # a disk without hard links
        new.rename(path)


def _set_access_list(path: Path) -> None:
    """Let only its owner read a file on Windows, where the mode of a file says nothing."""
    if sys.platform == "win32":
        tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "icacls.exe")
        owner = "*S-1-3-4:F"  # OWNER RIGHTS: whoever owns it, in every language of Windows
        done = subprocess.run(  # noqa: S603 - a program of Windows, by its full path
            [str(tool), str(path), "/inheritance:r", "/grant:r", owner],
            check=False, capture_output=True, timeout=30,
        )  # fmt: skip
        if done.returncode:
            _log.warning("%s: see to it that no other account can read it", path.parent)
