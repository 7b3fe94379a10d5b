"""The list of analyses: the built-in ones and those of installed packages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

import polars as pl

from cellpipe.analyses import (
    activation_energies,
    capacity_fade,
    cells,
    circuit_fits,
    comparison,
    curves,
    cycles,
    half_cycles,
    plating_efficiency,
    protocol,
    relaxation_times,
    resistance_growth,
    stripping_plating,
)
from cellpipe.analyses.outside import load_analysis
from cellpipe.core.contracts import empty_table, load_schema, table_names
from cellpipe.core.model import Analysis

ANALYSES: tuple[Analysis, ...] = (
    half_cycles.ANALYSIS,
    protocol.ANALYSIS,
    cycles.ANALYSIS,
    curves.ANALYSIS,
    circuit_fits.ANALYSIS,
    resistance_growth.ANALYSIS,
    activation_energies.ANALYSIS,
    relaxation_times.ANALYSIS,
    stripping_plating.ANALYSIS,
    plating_efficiency.ANALYSIS,
    cells.ANALYSIS,
    capacity_fade.ANALYSIS,
    comparison.ANALYSIS,
)
RAW_TABLES = ("timeseries", "impedance", "half_cycle_segments")  # of every cell
_GIVEN = frozenset({"baselines", "files"})


@cache
def all_analyses() -> tuple[Analysis, ...]:
    """Return the built-in analyses and those of installed packages.

    For one of a package that can't be used stands one that makes nothing and says why.
    """
    found = list(ANALYSES)
    for point in entry_points(group="cellpipe.analyses"):
        found.append(load_analysis(point, found))
    return tuple(found)


def analysis_versions() -> dict[str, int]:
    """Return the version of each analysis: part of what a result depends on."""
    return {analysis.name: analysis.version for analysis in all_analyses()}


def further_tables() -> tuple[str, ...]:
    """Name the tables that the analyses of packages make: reports show them in a general block."""
    own = {name for analysis in ANALYSES for name in analysis.makes}
    made = (name for analysis in all_analyses() for name in analysis.makes)
    return tuple(name for name in made if name not in own)


def input_tables() -> tuple[str, ...]:
    """Name the tables of contents that a cell's analyses are given: those they need, three anyway.

    A table of contents is one that a format makes, or that is made of a file by itself: its rows
    name no cell.
    """
    made = {name for analysis in all_analyses() for name in analysis.makes}
    needed = {need for analysis in all_analyses() for need in analysis.needs}
    others = needed & set(table_names()) - made - _GIVEN - set(RAW_TABLES)
    return (*RAW_TABLES, *sorted(name for name in others if _is_of_contents(name)))


def empty_input(name: str) -> pl.DataFrame:
    """Return a table that analyses are given, without rows; one of contents names their files."""
    blank = empty_table(name)
    if name in _GIVEN or not _is_of_contents(name):
        return blank
    return blank.with_columns(file_sha256=pl.lit("", pl.String))


def _is_of_contents(name: str) -> bool:
    return "cell_id" not in load_schema(name).columns
