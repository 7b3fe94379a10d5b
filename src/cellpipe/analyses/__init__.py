"""Tables to tables: the analyses of a cell.

The contracts are the wiring: an analysis runs once the tables it needs exist, and what it makes is
checked. A new one is one file and one line in :mod:`cellpipe.analyses.registry`
(docs/add-an-analysis.md); a package outside adds one through the entry point group
``cellpipe.analyses``.
"""

from __future__ import annotations

from cellpipe.analyses.execution import execution_order, results_of, run_analysis
from cellpipe.analyses.registry import ANALYSES, all_analyses, analysis_versions

__all__ = [
    "ANALYSES",
    "all_analyses",
    "analysis_versions",
    "execution_order",
    "results_of",
    "run_analysis",
]
