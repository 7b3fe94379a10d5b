"""Tables to tables: the analyses of a cell, in one tuple.

The contracts are the wiring: an analysis runs once the tables it needs exist, and what it makes is
checked. A new one is one file and one line here (docs/add-an-analysis.md); a package outside adds
one through the entry point group ``cellpipe.analyses``.
"""

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
from cellpipe.core.contracts import validate
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Analysis, Cell, Result, Tables

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


def results_of(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    """Run every analysis of a cell, each as soon as what it needs is there.

    Parameters
    ----------
    cell
        The cell as the sheet describes it.
    tables
        ``timeseries``, ``impedance`` (``spectrum`` numbered through the cell), ``files``,
        ``half_cycle_segments`` and ``baselines``, the raw ones with ``file_sha256``.

    Returns
    -------
    Results, each table checked against its contract.

    Raises
    ------
    ContractError
        If an analysis makes a table that its schema does not allow.
    CellpipeError
        If a table that an analysis needs is made by none.

    """
    at_hand = dict(tables)
    results: list[Result] = []
    waiting = list(all_analyses())
    while waiting:
        ready = [a for a in waiting if set(a.needs) <= set(at_hand)]
        if not ready:
            needed = {need for a in waiting for need in a.needs} - set(at_hand)
            raise CellpipeError(
                f"no analysis that makes {', '.join(sorted(needed))}",
                expected="each needed table to be made by an analysis or a format",
                remedy="correct its needs",
            )
        for analysis in ready:
            for result in analysis.compute(cell, at_hand):
                table = validate(result.analysis, result.table)
                at_hand[result.analysis] = table
                results.append(Result(result.analysis, table, result.findings))
            waiting.remove(analysis)
    return tuple(results)
