"""Name the versions of cellpipe, its analyses and its libraries that computed the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

_LIBRARIES = ("galvani", "fastnda", "polars", "numpy", "scipy", "lmfit", "matplotlib")


def software_versions(version: str, analyses: Mapping[str, int]) -> str:
    """Name everything that a number depends on besides files and cell sheet.

    ``analyses`` are the versions of the analyses by name.
    """
    parts = [f"cellpipe {version}"]
    parts += [f"{name} {number}" for name in _LIBRARIES if (number := _library_version(name))]
    numbered = ", ".join(f"{name} {number}" for name, number in sorted(analyses.items()))
    return f"{', '.join(parts)}. Versions of the analyses: {numbered}."


@cache
def _library_version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
