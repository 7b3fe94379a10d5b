"""Tables to tables: the analyses of a cell, in one tuple.

The contracts are the wiring: an analysis runs once the tables it needs exist, and what it makes is
checked. One that fails costs its own tables only. A new one is one file and one line here
(docs/add-an-analysis.md); a package outside adds one through the entry point group
``cellpipe.analyses``.
"""

from __future__ import annotations

from functools import cache, partial
from importlib.metadata import entry_points
from types import MappingProxyType

import polars as pl

from cellpipe.analyses import (
    cells,
    circuit_fits,
    comparison,
    curves,
    cycles,
    half_cycles,
    resistance_growth,
)
from cellpipe.analyses.failures import failed_results
from cellpipe.analyses.outside import check_needs, load_analysis
from cellpipe.core.contracts import empty_table, load_schema, table_names, validate
from cellpipe.core.errors import CellpipeError, ContractError
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.core.steps import StepFailure, run_step

ANALYSES: tuple[Analysis, ...] = (
    half_cycles.ANALYSIS,
    cycles.ANALYSIS,
    curves.ANALYSIS,
    circuit_fits.ANALYSIS,
    resistance_growth.ANALYSIS,
    cells.ANALYSIS,
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


def results_of(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    """Run every analysis of a cell, each as soon as what it needs is there.

    An analysis that fails gives its tables without rows and a finding ``analysis_failed`` that says
    why; the others go on. A table that is needed and that nothing makes is empty, too.

    Parameters
    ----------
    cell
        The cell as the sheet describes it.
    tables
        ``timeseries``, ``impedance`` (``spectrum`` numbered through the cell), ``files``,
        ``half_cycle_segments`` and ``baselines``, the raw ones with ``file_sha256``; further raw
        ones that analyses need.

    Returns
    -------
    Results, each table checked against its contract.

    """
    chain = all_analyses()
    at_hand = {**_missing_inputs(tables), **tables}
    results: list[Result] = []
    waiting = list(chain)
    while waiting:
        ready = [a for a in waiting if set(a.needs) <= set(at_hand)]
        for analysis in ready or list(waiting):
            made = run_step(partial(_run_analysis, analysis, cell, at_hand))
            if isinstance(made, StepFailure):
                made = failed_results(analysis, made, cell, chain)
            at_hand |= {result.analysis: result.table for result in made}
            results += made
            waiting.remove(analysis)
    return tuple(results)


def _missing_inputs(tables: Tables) -> dict[str, pl.DataFrame]:
    """Return what analyses need, a schema knows, and neither the cell nor an analysis has."""
    made = {name for analysis in all_analyses() for name in analysis.makes}
    needed = {need for analysis in all_analyses() for need in analysis.needs}
    missing = needed & set(table_names()) - made - set(tables)
    return {name: empty_input(name) for name in missing}


def _run_analysis(analysis: Analysis, cell: Cell, at_hand: Tables) -> tuple[Result, ...]:
    """Return what an analysis makes, checked.

    Raises
    ------
    ContractError
        If a table is not what its schema allows, or not what the analysis says that it makes.
    CellpipeError
        If what it needs is not there.

    """
    check_needs(analysis)
    absent = [need for need in analysis.needs if need not in at_hand]
    if absent:
        raise CellpipeError(
            f"{', '.join(absent)} not made", expected="analyses that don't wait for each other",
            remedy="correct its needs",
        )  # fmt: skip
    made = tuple(
        Result(result.analysis, validate(result.analysis, result.table), result.findings)
        for result in analysis.compute(cell, MappingProxyType(at_hand))
    )
    names = [result.analysis for result in made]
    if sorted(names) != sorted(analysis.makes):
        raise ContractError(
            f"the tables {', '.join(names) or 'none'}",
            expected=", ".join(analysis.makes) or "none",
            remedy="let makes name the tables that it gives",
        )  # fmt: skip
    return made
