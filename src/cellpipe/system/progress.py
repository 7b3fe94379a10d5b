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
    """The steps of a stage with their costs; each step done is reported with the share so far.

    Of ``expected`` steps in all some may be added later; those cost what the others do.
    """

    def __init__(
        self,
        stage: Stage,
        costs: Mapping[Any, float],
        progress: Progress | None,
        *,
        expected: int = 0,
    ) -> None:
        self.stage, self.costs, self.progress = stage, dict(costs), progress
        self.done, self.spent, self.all = 0, 0.0, sum(costs.values())
        self.known, self.expected, self._share = len(costs), expected, 0.0

    def add(self, costs: Mapping[Any, float]) -> None:
        """Add steps, when those before are done; one that was there before is one more."""
        self.known = self.done + len(costs)
        self.costs.update(costs)
        self.all = self.spent + sum(costs.values())

    def advance(self, step: object, what: str) -> None:
        """Record that a step is done; log and report it."""
        self.done += 1
        self.spent += self.costs[step]
        total = max(self.expected, self.known)
        _log.info("%s %d/%d %s", self.stage, self.done, total, what)
        if self.progress is not None:
            self._share = max(self._share, self.spent / self.all * self.known / total)
            self.progress(self.stage, self.done, total, what, self._share)
