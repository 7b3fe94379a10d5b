"""How far a run is: steps done, and which share of the work they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

Stage = Literal["files", "cells", "report"]
# Stage, done, of how many, what, and which share (0 to 1) of the stage's work that is.
Progress = Callable[[Stage, int, int, str, float], None]
FILE_COST = 4_000_000  # bytes that are read while a file is opened, checked and noted
CELL_COST = 1_500_000  # records that are computed while a cell's figures are drawn
_log = logging.getLogger("cellpipe")


class StageProgress:
    """The steps of a stage, each with its cost; telling of one says how far the stage is."""

    def __init__(self, stage: Stage, costs: Mapping[Any, float], progress: Progress | None) -> None:
        self.stage, self.costs, self.progress = stage, costs, progress
        self.done, self.spent, self.all = 0, 0.0, sum(costs.values())

    def advance(self, step: object, what: str) -> None:
        """Say that a step is done."""
        self.done += 1
        self.spent += self.costs[step]
        _log.info("%s %d/%d %s", self.stage, self.done, len(self.costs), what)
        if self.progress is not None:
            share = self.spent / self.all
            self.progress(self.stage, self.done, len(self.costs), what, share)
