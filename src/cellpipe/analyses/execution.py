"""Run analyses: each as soon as what it needs is there, given only what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import polars as pl

from cellpipe.analyses import registry
from cellpipe.core.contracts import table_names, validate
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Analysis, Cell, Result, Tables

_FIELDS = frozenset(field.name for field in fields(Cell))


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
        If no schema knows a table that an analysis needs.

    """
    at_hand = dict(tables)
    results: list[Result] = []
    for analysis in execution_order():
        for result in run_analysis(analysis, cell, at_hand):
            at_hand[result.analysis] = result.table
            results.append(result)
    return tuple(results)


def execution_order() -> tuple[Analysis, ...]:
    """Return the analyses in an order in which each finds what it needs.

    Raises
    ------
    CellpipeError
        If a table that one needs is made by no analysis and known to no schema, or two wait for
        each other.

    """
    waiting = list(registry.all_analyses())
    made = {name for analysis in waiting for name in analysis.makes}
    at_hand = set(table_names()) - made
    order: list[Analysis] = []
    while waiting:
        ready = [analysis for analysis in waiting if set(analysis.needs) <= at_hand]
        if not ready:
            needed = {need for analysis in waiting for need in analysis.needs} - at_hand
            raise CellpipeError(
                f"no analysis that makes {', '.join(sorted(needed))}",
                expected="each needed table to be made by an analysis or a format",
                remedy="correct its needs",
            )
        for analysis in ready:
            at_hand.update(analysis.makes)
            waiting.remove(analysis)
        order += ready
    return tuple(order)


def run_analysis(analysis: Analysis, cell: Cell, tables: Tables) -> tuple[Result, ...]:
    """Run one analysis with what it names of the cell and the tables.

    Raises
    ------
    ContractError
        If it makes a table that its schema does not allow.

    """
    given = {name: _select_columns(analysis, name, tables[name]) for name in analysis.needs}
    results = analysis.compute(restrict_cell(cell, analysis.fields), given)
    return tuple(
        Result(result.analysis, validate(result.analysis, result.table), result.findings)
        for result in results
    )


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
