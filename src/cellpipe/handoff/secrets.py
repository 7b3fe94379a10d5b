"""Resolve secrets by reference: settings name where a token is, never the token itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cellpipe.core.errors import SettingsError
from cellpipe.system.regular_files import read_regular

Blocks = Callable[[str], str]


def resolve_secret(reference: str, base_dir: Path, blocks: Blocks | None = None) -> str:
    """Return the secret that a reference names.

    Parameters
    ----------
    reference
        ``env:NAME`` (environment variable), ``file:PATH`` (its only line; readable by its owner
        alone) or ``prefect:BLOCK`` (a Secret block of the Prefect server).
    base_dir
        The folder that relative paths start from.
    blocks
        Returns the content of a Prefect block.

    Raises
    ------
    SettingsError
        If there is no such secret, it is empty, or its file can be read by others.

    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(name, "")
    elif kind == "file":
        secret = _read_secret_file(base_dir / name)
    elif kind == "prefect" and blocks is not None:
        secret = blocks(name)
    else:
        raise SettingsError(
            "a secret that is written down, or whose kind is not known",
            expected="where it is: env:NAME, file:PATH or prefect:BLOCK",
            remedy="put it into a file that only you can read, and name that",
        )  # fmt: skip
    secret = secret.strip()
    if not secret or "\n" in secret or not secret.isprintable():
        raise SettingsError(
            f"nothing, or more than one line, in {kind}:{name}", expected="a token",
            remedy=_REMEDIES[kind].format(name=name),
        )  # fmt: skip
    return secret


_REMEDIES = {
    "env": "set the variable {name} for the account that runs cellpipe",
    "file": "write the token into {name}, and nothing else",
    "prefect": "save a Secret block called {name} in Prefect",
}


def _read_secret_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        content = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        raise SettingsError(
            f"a file that can't be read ({reason})", expected="a token in it",
            remedy="write it there, and let only its owner read it", file=path,
        ) from None  # fmt: skip
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"a token that others can read (mode {stat.S_IMODE(mode):o})", expected="mode 600",
            remedy="chmod 600, and make a new token, for this one may be known", file=path,
        )  # fmt: skip
    return content
