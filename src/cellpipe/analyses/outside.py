"""Analyses of other packages: one that can't be used costs itself only, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import EntryPoint
from typing import Any

from cellpipe.core.contracts import load_schema, table_names
from cellpipe.core.errors import CellpipeError, SchemaError
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.core.steps import StepFailure, run_step

LAB_TABLES = (
    "findings",
    "cell_sheet",
    "own_columns",
    "review_text",
)  # of the lab, or made at the end


def load_analysis(point: EntryPoint, others: Sequence[Analysis]) -> Analysis:
    """Return the analysis that a package names, or one that only says why it can't be used.

    ``others`` are those before it: no two make the same table.
    """

    def load() -> Analysis:
        found = point.load()
        check_analysis(found, others)
        return found  # type: ignore[no-any-return]

    loaded = run_step(load)
    return _unusable(point.name, loaded) if isinstance(loaded, StepFailure) else loaded


def check_analysis(analysis: Any, others: Sequence[Analysis]) -> None:
    """Hold an analysis to what the chain of analyses builds on.

    Raises
    ------
    SchemaError
        If a table that it makes has no schema, or one without a column ``cell_id``.
    CellpipeError
        If it is none, or another one is called like it or makes one of its tables.

    """
    if not isinstance(analysis, Analysis):
        raise CellpipeError(
            f"a {type(analysis).__name__}", expected="an Analysis",
            remedy="correct the entry point; docs/add-an-analysis.md has an example",
        )  # fmt: skip
    unknown = set(analysis.fields or ()) - {field.name for field in fields(Cell)}
    unknown |= set(analysis.columns) - set(analysis.needs)
    if unknown:
        raise CellpipeError(
            f"fields or columns of {', '.join(sorted(unknown))}",
            expected="fields of a Cell, and columns of tables that it needs",
            remedy="correct its fields and columns",
        )  # fmt: skip
    taken = {other.name for other in others} & {analysis.name}
    taken |= {name for other in others for name in other.makes} & {*analysis.makes}
    if taken:
        raise CellpipeError(
            f"a second analysis for {', '.join(sorted(taken))}",
            expected="names of analyses and of their tables that no other has",
            remedy="give it another name, in the analysis and in its schema",
        )  # fmt: skip
    for name in analysis.makes:
        if "cell_id" not in load_schema(name).columns:
            raise SchemaError(
                f"no column cell_id in the schema of {name}",
                expected="one: the tables of analyses name their cell",
                remedy="add it to the schema and to the table",
            )  # fmt: skip


def check_needs(analysis: Analysis) -> None:
    """Refuse an analysis that needs what no schema knows.

    Raises
    ------
    SchemaError
        If there is no table of that name.

    """
    for name in analysis.needs:
        if name in LAB_TABLES:
            raise SchemaError(
                f"the need of {name}, a table that is made after the analyses",
                expected="tables of recordings or of other analyses", remedy="correct its needs",
            )  # fmt: skip
        if name not in table_names():
            raise SchemaError(
                f"no table called {name!r}", expected="needs that name tables of docs/tables.md",
                remedy="correct its needs, or add the schema",
            )  # fmt: skip


def _unusable(name: str, failure: StepFailure) -> Analysis:
    """Return what stands for an analysis that can't be used: it makes nothing and says why.

    Its version is 0, so that cells are computed anew once it can be used.
    """

    def fail(_: Cell, __: Tables) -> tuple[Result, ...]:
        raise failure.error

    return Analysis(name, (), (), fail, version=0)
