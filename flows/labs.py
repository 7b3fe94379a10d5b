"""The labs that flows work on, found by name: no folder comes from outside.

A flow is asked for by whoever reaches the Prefect server; its parameters name labs, and where these
lie is known to the process that runs it: from the command line, or from the settings of
``CELLPIPE_SETTINGS`` (without it, ``cellpipe.toml`` in the working directory).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cellpipe.config import labs as known_labs
from cellpipe.config.settings import NAME, read_settings
from cellpipe.store.lab import Lab

SETTINGS_VARIABLE = "CELLPIPE_SETTINGS"
_given: dict[str, Lab] = {}  # the labs of this process, if it was told them


def give_labs(labs: Iterable[Lab]) -> None:
    """Let the flows of this process work on these labs, and on no other."""
    _given.clear()
    _given.update({lab.name: lab for lab in labs})


def settings_file() -> Path:
    """Return the settings of this process."""
    return Path(os.environ.get(SETTINGS_VARIABLE) or NAME).resolve()


def find_lab(name: str) -> Lab:
    """Return the lab of a name.

    Raises
    ------
    SettingsError
        If none is called so, or the settings can't be read. No folder is looked at.

    """
    if _given:
        return known_labs.find_lab(name, list(_given.values()))
    path = settings_file()
    return known_labs.find_lab(name, known_labs.labs_from_settings(read_settings(path)), path)
