"""Secrets that lie in Prefect, as blocks of the type Secret."""

from __future__ import annotations

from typing import Any

from prefect.blocks.system import Secret

from cellpipe.core.errors import SettingsError


def read_block(name: str) -> str:
    """Return what a Secret block holds.

    Raises
    ------
    SettingsError
        If there is none of this name, or the server can't be asked.

    """
    try:
        found: Any = Secret.load(name)
    except Exception as error:  # of the server's, its client's, or the block's own kind
        raise SettingsError(
            f"no Secret block called {name} ({type(error).__name__})", expected="one in Prefect",
            remedy="make it in Prefect's page under Blocks, and set PREFECT_API_URL",
        ) from None  # fmt: skip
    return str(found.get())
