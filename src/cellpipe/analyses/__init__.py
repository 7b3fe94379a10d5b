"""Tables to tables: the analyses of a cell.

The contracts are the wiring: an analysis runs once the tables it needs exist, and what it makes is
checked. One that fails costs its own tables only. A new one is one file and one line in
:mod:`cellpipe.analyses.registry` (docs/add-an-analysis.md); a package outside adds one through the
entry point group ``cellpipe.analyses``.
"""

from __future__ import annotations

from cellpipe.analyses.execution import (
    analysis_facts,
    attempt_analysis,
    execution_order,
    results_of,
)
from cellpipe.analyses.registry import (
    ANALYSES,
    all_analyses,
    analysis_versions,
    empty_input,
    further_tables,
    input_tables,
)

__all__ = [
    "ANALYSES",
    "all_analyses",
    "analysis_facts",
    "analysis_versions",
    "attempt_analysis",
    "empty_input",
    "execution_order",
    "further_tables",
    "input_tables",
    "results_of",
]
