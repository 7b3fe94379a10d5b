"""Report the progress of a run: steps done, and their share of the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

Stage = Literal["files", "cells", "report"]
# Stage, steps done, steps in all, description, share of the stage's work done (0 to 1).
Progress = Callable[[Stage, int, int, str, float], None]
FILE_COST = 4_000_000  # bytes read in the time of opening, checking and recording a file
CELL_COST = 1_500_000  # records computed in the time of drawing a cell's figures
_log = logging.getLogger("cellpipe")


class StageProgress:
    """The steps of a stage with their costs; each step done is reported with the share so far."""

    def __init__(self, stage: Stage, costs: Mapping[Any, float], progress: Progress | None) -> None:
        self.stage, self.costs, self.progress = stage, costs, progress
        self.done, self.spent, self.all = 0, 0.0, sum(costs.values())

    def advance(self, step: object, what: str) -> None:
        """Record that a step is done; log and report it."""
        self.done += 1
        self.spent += self.costs[step]
        _log.info("%s %d/%d %s", self.stage, self.done, len(self.costs), what)
        if self.progress is not None:
            share = self.spent / self.all
            self.progress(self.stage, self.done, len(self.costs), what, share)
