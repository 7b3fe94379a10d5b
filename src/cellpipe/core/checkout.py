"""Find ``flows/`` and ``schemas/``: at the top of a checkout, or inside an installed package.

In an editable checkout both are next to ``src/``; a wheel carries them inside the package. No other
module needs to know which of the two it is.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]


def find_folder(name: str) -> Path:
    """Return the folder ``flows/`` or ``schemas/``."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


def package_path() -> list[str]:
    """Return the search path of the package, with which ``cellpipe.flows`` is found."""
    return list(dict.fromkeys(map(str, (_PACKAGE, find_folder("flows").parent))))


def flow_module(name: str) -> Any:
    """Import a module of ``flows/``; Prefect is imported only then."""
    return importlib.import_module(f"cellpipe.flows.{name}")
