"""Findings about an analysis that failed, and the tables that lack its results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Finding, Result
from cellpipe.core.steps import StepFailure

CODE = "analysis_failed"


def failed_results(
    analysis: Analysis, failure: StepFailure, cell: Cell, chain: Sequence[Analysis]
) -> tuple[Result, ...]:
    """Return the tables of an analysis that failed, without rows, and the finding that says so."""
    finding = Finding("error", CODE, _sentence(analysis, failure, cell, chain))
    tables = [(name, empty_table(name)) for name in analysis.makes]
    tables = tables or [(analysis.name, pl.DataFrame())]
    (name, table), *rest = tables
    first = Result(name, table, (finding,), trace=f"{finding.sentence}\n{failure.trace}")
    return (first, *(Result(name, table) for name, table in rest))


def failed_tables(findings: pl.DataFrame, chain: Sequence[Analysis]) -> dict[str, str]:
    """Return the tables that lack what an analysis of the cell would have made, with its name.

    Parameters
    ----------
    findings
        The cell's rows of ``findings``.
    chain
        All analyses.

    """
    said = findings.filter(pl.col("code") == CODE)["sentence"].to_list()
    found: dict[str, str] = {}
    for analysis in chain:
        if any(sentence.startswith(_opening(analysis)) for sentence in said):
            for name in (*analysis.makes, *_tables_made_from(analysis.makes, chain)):
                found.setdefault(name, analysis.name)
    return found


def _opening(analysis: Analysis) -> str:
    return f"The analysis {analysis.name} failed ("


def _sentence(
    analysis: Analysis, failure: StepFailure, cell: Cell, chain: Sequence[Analysis]
) -> str:
    """Name the analysis, what is missing for it and why, and what to do."""
    made = f"table{'s' if len(analysis.makes) > 1 else ''} {', '.join(analysis.makes)}"
    lost = f"the {made} of this cell could not be made" if analysis.makes else "it made nothing"
    further = ", ".join(_tables_made_from(analysis.makes, chain))
    lacking = f", and what is made from that ({further}) lacks it" if further else ""
    return (
        f"{_opening(analysis)}{failure.reason}): {lost}{lacking}. All else of the cell stands. "
        "cellpipe.log has the details for whoever looks after the analysis; once it is mended, "
        f'cellpipe retry RESULTS "{cell.cell_id}" lets the next run compute the cell anew.'
    )


def _tables_made_from(names: Iterable[str], chain: Sequence[Analysis]) -> list[str]:
    """Name the tables that are made from these, or from what is made from these."""
    reached = set(names)
    found: list[str] = []
    grows = bool(reached)
    while grows:
        grows = False
        for analysis in chain:
            new = [name for name in analysis.makes if name not in reached]
            if new and reached & set(analysis.needs):
                found += new
                reached |= set(new)
                grows = True
    return found
