"""The lab's page while a large run goes on: the cells that are there so far, and that it goes on.

It is written at once when the first cells are there and then ever more rarely, so that it takes at
most a twentieth of the run. The page at the end of the run is the one of any other run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from cellpipe import report
from cellpipe._version import __version__
from cellpipe.core.finding_rows import run_day
from cellpipe.core.steps import StepFailure, run_step
from cellpipe.pipeline.cell_inputs import group_files
from cellpipe.pipeline.finalize import read_lab_tables
from cellpipe.pipeline.lab_tables import files_table, findings_table
from cellpipe.pipeline.plan import NewFile, Plan
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.store.lab import Lab
from cellpipe.store.ledger import LAST_COMPLETE_STATE
from cellpipe.store.manifest import describe_file
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.scan import Failure

_FIRST_SECONDS = 2.0  # after the beginning; cells that come together are shown together
_PAUSE_SECONDS = 5.0
_SHARE = 20.0  # a page comes after so many times what the last one took
_log = logging.getLogger("cellpipe")


class InterimPage:
    """The page ``index.html`` of a run that goes on."""

    def __init__(
        self,
        lab: Lab,
        plan: Plan,
        sheet: SheetSnapshot,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lab, self._plan, self._sheet, self._clock = lab, plan, sheet, clock
        self._next = clock() + _FIRST_SECONDS
        self._is_announced = False

    def is_due(self) -> bool:
        """Return whether it is time to write the page."""
        return self._clock() >= self._next

    def write(
        self, state: LedgerSnapshot, files: Sequence[NewFile], failures: Sequence[Failure]
    ) -> None:
        """Write the page of what is there: new files that were read, and cells computed.

        What goes wrong costs this page only; that at the end of the run says what it was.

        Raises
        ------
        LeaseError
            If this run is no longer the writer.

        """
        begun = self._clock()
        if not self._is_announced:  # if this run dies, the next one writes the page anew
            self._lab.ledger.set_key_value(LAST_COMPLETE_STATE, None)
            self._is_announced = True
        made = run_step(partial(self._write, state, files, failures))
        if isinstance(made, StepFailure):
            _log.info("the page of what is there so far was not written (%s)", made.reason)
        else:
            self._lab.ledger.record_result_files([describe_file(self._lab.results, made)])
        ended = self._clock()
        self._next = ended + max(_PAUSE_SECONDS, _SHARE * (ended - begun))

    def _write(
        self, state: LedgerSnapshot, new: Sequence[NewFile], failures: Sequence[Failure]
    ) -> Path:
        lab, plan = self._lab, replace(self._plan, new=tuple(new))
        names = [lab.relative_name(path) for path in plan.files]
        grouping = group_files(state, names, self._sheet)
        failed = [*plan.unreachable, *(failure for _, failure in plan.suspended), *failures]
        files = files_table(
            lab, state, plan, grouping, failed, lab.ledger.arrivals(lab.folder).files
        )
        told = self._sheet.findings
        findings = findings_table(state, grouping, told, failed, (), None, run_day())
        is_there = pl.col("cell_id").is_null() | pl.col("cell_id").is_in(list(state.cells))
        tables = {"files": files.filter(is_there), "findings": findings}
        return report.write_index(
            read_lab_tables(lab) | tables, lab.results, version=__version__,
            interim=f"{len(new)} of {len(self._plan.new)} new files are read so far",
        )  # fmt: skip
