"""Name the versions of cellpipe, its analyses and its libraries that computed the numbers."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

_LIBRARIES = ("galvani", "fastnda", "polars", "numpy", "scipy", "lmfit", "matplotlib")


@cache
def software_versions(version: str) -> str:
    """Return all versions that a number depends on besides files and cell sheet, as a sentence."""
    from cellpipe.analyses import analysis_versions

    parts = [f"cellpipe {version}"]
    parts += [f"{name} {number}" for name in _LIBRARIES if (number := _library_version(name))]
    analyses = ", ".join(f"{name} {number}" for name, number in sorted(analysis_versions().items()))
    return f"{', '.join(parts)}. Versions of the analyses: {analyses}."


def _library_version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
