"""Run analyses: each as soon as what it needs is there, given only what it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import partial
from types import MappingProxyType
from typing import get_args

import polars as pl

from cellpipe.analyses import registry
from cellpipe.analyses.failures import failed_results, failed_tables
from cellpipe.analyses.outside import check_needs
from cellpipe.core.contracts import judge, table_names, validate_set
from cellpipe.core.errors import CellpipeError, ContractError
from cellpipe.core.model import (
    Analysis,
    AnalysisFacts,
    Cell,
    Finding,
    Level,
    Result,
    Tables,
)
from cellpipe.core.steps import StepFailure, run_step

_FIELDS = frozenset(field.name for field in fields(Cell))


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

    Raises
    ------
    MemoryError
        If there is no room; every other fault costs its analysis only.

    """
    at_hand = {**_missing_inputs(tables), **tables}
    results: list[Result] = []
    for analysis in execution_order():
        made = attempt_analysis(analysis, cell, at_hand)
        at_hand |= {result.analysis: result.table for result in made}
        results += made
    return tuple(results)


def analysis_facts(findings: pl.DataFrame) -> AnalysisFacts:
    """Return what a report needs to know of the analyses; ``findings`` are the cell's."""
    chain = registry.all_analyses()
    return AnalysisFacts(
        registry.analysis_versions(), failed_tables(findings, chain), registry.further_tables()
    )


def _missing_inputs(tables: Tables) -> dict[str, pl.DataFrame]:
    """Return what analyses need, a schema knows, and neither the cell nor an analysis has."""
    made = {name for analysis in registry.all_analyses() for name in analysis.makes}
    needed = {need for analysis in registry.all_analyses() for need in analysis.needs}
    missing = needed & set(table_names()) - made - set(tables)
    return {name: registry.empty_input(name) for name in missing}


def execution_order() -> tuple[Analysis, ...]:
    """Return the analyses in an order in which each finds what it needs.

    Those that need what nothing makes, or wait for each other, come last: running them says so.
    """
    waiting = list(registry.all_analyses())
    made = {name for analysis in waiting for name in analysis.makes}
    at_hand = set(table_names()) - made
    order: list[Analysis] = []
    while waiting:
        ready = [a for a in waiting if set(a.needs) <= at_hand] or list(waiting)
        for analysis in ready:
            at_hand.update(analysis.makes)
            waiting.remove(analysis)
        order += ready
    return tuple(order)


def attempt_analysis(analysis: Analysis, cell: Cell, tables: Tables) -> tuple[Result, ...]:
    """Return what an analysis makes; where it fails, empty tables and the finding that says why."""
    made = run_step(partial(_run_analysis, analysis, cell, tables))
    if isinstance(made, StepFailure):
        return failed_results(analysis, made, cell, registry.all_analyses())
    return made


def _run_analysis(analysis: Analysis, cell: Cell, tables: Tables) -> tuple[Result, ...]:
    """Run one analysis with what it names of the cell and the tables; return what it makes.

    Raises
    ------
    ContractError
        If a table is not what its schema allows, or not what the analysis says that it makes.
    CellpipeError
        If what it needs is not there.

    """
    check_needs(analysis)
    absent = [need for need in analysis.needs if need not in tables]
    if absent:
        raise CellpipeError(
            f"{', '.join(absent)} not made", expected="analyses that don't wait for each other",
            remedy="correct its needs",
        )  # fmt: skip
    given = {name: _select_columns(analysis, name, tables[name]) for name in analysis.needs}
    computed = analysis.compute(restrict_cell(cell, analysis.fields), MappingProxyType(given))
    made = tuple(_validate_result(result, cell) for result in computed)
    names = [result.analysis for result in made]
    if sorted(names) != sorted(analysis.makes):
        raise ContractError(
            f"the tables {', '.join(names) or 'none'}",
            expected=", ".join(analysis.makes) or "none",
            remedy="let makes name the tables that it gives",
        )  # fmt: skip
    there = {name: table for name, table in tables.items() if table.height}  # others are not made
    strange = validate_set({**there, **{result.analysis: result.table for result in made}}, names)
    if not strange:
        return made
    return (replace(made[0], findings=(*made[0].findings, *strange)), *made[1:])


def _validate_result(result: Result, cell: Cell) -> Result:
    """Return a result as its contract has it, with rows of this cell only.

    What is unusual in its table is added to its findings.
    """
    table, unusual = judge(result.analysis, result.table)
    others = set(table["cell_id"].unique()) - {cell.cell_id} if "cell_id" in table.columns else None
    if others:
        raise ContractError(
            f"rows of {', '.join(map(str, sorted(others, key=str)))} in the table "
            f"{result.analysis}",
            expected=f"those of {cell.cell_id}", remedy="let cell_id be that of the cell",
        )  # fmt: skip
    return Result(result.analysis, table, (*_check_findings(result.findings), *unusual))


def _check_findings(findings: object) -> tuple[Finding, ...]:
    """Return an analysis' findings if they are such as can be stored and shown."""
    checked = tuple(findings) if isinstance(findings, Iterable) else (findings,)
    for finding in checked:
        if not isinstance(finding, Finding) or finding.level not in get_args(Level):
            raise ContractError(
                f"a finding {finding!r}", expected=f"Finding with {' or '.join(get_args(Level))}",
                remedy="correct what the analysis says",
            )  # fmt: skip
        f"{finding.code}{finding.sentence}".encode()  # a sign that can't be written raises here
    return checked


def _select_columns(analysis: Analysis, name: str, table: pl.DataFrame) -> pl.DataFrame:
    columns = analysis.columns.get(name)
    return table if columns is None else table.select(columns)


class _RestrictedCell(Cell):
    """A cell of which only some fields may be asked for."""

    def __getattribute__(self, name: str) -> object:
        """Return a field; raise AttributeError for one that the analysis does not name."""
        if name in _FIELDS and name not in object.__getattribute__(self, "_allowed"):
            raise AttributeError(
                f"the analysis does not name the field {name!r}: add it to its fields"
            )
        return object.__getattribute__(self, name)


def restrict_cell(cell: Cell, allowed: tuple[str, ...] | None) -> Cell:
    """Return a cell that shows only these fields; None: the cell itself.

    A field that an analysis reads without naming it would not make it run again when it changes.
    """
    if allowed is None:
        return cell
    view = object.__new__(_RestrictedCell)
    values: Mapping[str, object] = vars(cell)
    view.__dict__.update(values, _allowed=frozenset(allowed))
    return view
