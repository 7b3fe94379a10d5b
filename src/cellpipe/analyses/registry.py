"""The list of analyses: the built-in ones and those of installed packages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from cellpipe.analyses import (
    cells,
    circuit_fits,
    comparison,
    curves,
    cycles,
    half_cycles,
    resistance_growth,
)
from cellpipe.core.model import Analysis

ANALYSES: tuple[Analysis, ...] = (
    half_cycles.ANALYSIS,
    cycles.ANALYSIS,
    curves.ANALYSIS,
    circuit_fits.ANALYSIS,
    resistance_growth.ANALYSIS,
    cells.ANALYSIS,
    comparison.ANALYSIS,
)


@cache
def all_analyses() -> tuple[Analysis, ...]:
    """Return the built-in analyses and those of installed packages."""
    return (*ANALYSES, *(point.load() for point in entry_points(group="cellpipe.analyses")))


def analysis_versions() -> dict[str, int]:
    """Return the version of each analysis: part of what a result depends on."""
    return {analysis.name: analysis.version for analysis in all_analyses()}
