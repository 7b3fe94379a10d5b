"""One run, in one sequence: lease, sheet, plan, ingest, group, compute, finalize.

The steps are functions of their own, each in its module. Who does their work is an
:class:`~cellpipe.pipeline.executors.Executor`: processes here, Prefect's tasks in ``flows/``; every
way writes the same bytes. What the ledger knows is read once, at the beginning.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cellpipe.core.errors import DamagedLedgerError, DamagedTableError, StoreError
from cellpipe.core.finding_rows import run_day
from cellpipe.pipeline.cell_inputs import CellTask, group_files
from cellpipe.pipeline.cleanup import hides_files
from cellpipe.pipeline.compute import stale_cells
from cellpipe.pipeline.executors import COMPUTE, INGEST, Executor, LocalExecutor
from cellpipe.pipeline.finalize import Run, finalize, last_summary
from cellpipe.pipeline.interim_page import InterimPage
from cellpipe.pipeline.job import save_job
from cellpipe.pipeline.lab_alarms import TOLD, find_lab_alarms, known_alarms
from cellpipe.pipeline.news import is_look_due
from cellpipe.pipeline.overlaps import Overlaps
from cellpipe.pipeline.plan import NewFile, Plan, plan_all, plan_entries, plan_files
from cellpipe.pipeline.portions import divide_files
from cellpipe.pipeline.record import record_cell, record_file
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot, read_current_sheet
from cellpipe.pipeline.summary import Summary
from cellpipe.store.batch_queue import finish_batch, queued_files
from cellpipe.store.history import utc_now
from cellpipe.store.lab import Lab, resolve_lab
from cellpipe.store.ledger import PAGES_DUE
from cellpipe.store.manifest import (
    delete_partial_files,
    quarantine_damaged,
    register_existing,
)
from cellpipe.store.migrations import ADOPT, IDENTITY
from cellpipe.store.ownership import (
    confirm_mark,
    find_foreign_files,
    remove_leftovers,
)
from cellpipe.store.records import CellEntry
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.store.writer_lease import acquire
from cellpipe.system.own_folder import has_notes
from cellpipe.system.processes import Workers
from cellpipe.system.progress import CELL_COST, FILE_COST, Progress, StageProgress
from cellpipe.system.scan import Failure

_log = logging.getLogger("cellpipe")
LONG_WAIT_SECONDS = 6 * 3600.0  # of an unattended run, for another one that writes there


def process(
    folder: str | Path,
    out: str | Path,
    *,
    time_zone: str | None = None,
    also: Sequence[str | Path] = (),
    workers: int = 1,
    wait_second: float = 0.0,
    progress: Progress | None = None,
) -> Summary:
    """Do the main job: find the files, read, check, analyse, fit and report.

    Parameters
    ----------
    folder
        Folder with raw files and, at its top, cells.xlsx or cells.csv.
    out
        Folder for the results; a second run does only what is new.
    time_zone
        IANA name of the zone of the instruments' clocks.
    also
        More folders with raw files of the same cells.
    workers
        How many processes read files and compute cells. They never import the script that calls.
    wait_second
        How long to wait for another run that is writing into ``out``.
    progress
        Called as ``progress(stage, done, total, what, share)``; ``share`` of the stage's work is
        done, by the size of files and the records of cells: time left can be told by it.

    Returns
    -------
    What the run did: files read and unchanged, failures with their reasons, and the lab's tables of
    files, findings and cells. What could not be used is in there, and raises nothing.

    Raises
    ------
    CellpipeError
        If nothing can be done at all: no such folder, no usable cell sheet, no results folder,
        another run that does not end.

    """
    lab = resolve_lab(folder, out, time_zone, also)
    with Workers(workers) as pool:
        return run_lab(lab, LocalExecutor(pool), wait_second=wait_second, progress=progress)


def run_lab(
    lab: Lab,
    executor: Executor,
    *,
    only: Sequence[Path] | None = None,
    redraw: bool = False,
    wait_second: float = 0.0,
    progress: Progress | None = None,
) -> Summary:
    """Run everything that is new for a lab.

    Parameters
    ----------
    lab, executor
        For whom, and who does the work.
    only
        The files to look at; without it, all that are in the folders.
    redraw
        Read no file; make the page and workbook of every cell, and of the lab, anew.
    wait_second
        How long to wait for another run that writes into the same results.
    progress
        As of :func:`process`.

    """
    lab.check()

    def run() -> Summary:
        with exclusive_run(lab, wait_second) as state:
            sheet = read_current_sheet(lab)
            if redraw:
                plan: Plan | Summary = _plan_redraw(lab, state)
            elif only is not None:
                plan = plan_files(lab, state, only)
            else:
                plan = _plan_or_skip(lab, state, sheet)
            if isinstance(plan, Summary):
                return plan
            return _run(lab, state, sheet, plan, executor, progress, redraw=redraw)

    return with_repair(lab, run)


def run_batch(
    lab: Lab, batch: str, executor: Executor, *, wait_second: float = LONG_WAIT_SECONDS
) -> Summary | None:
    """Run the files that the watch put into a batch, and their cells; None if none is left."""
    waiting = queued_files(lab.ledger.database, batch)
    if not waiting:
        return None
    paths = [lab.raw.path(file.path) for file in waiting]
    summary = run_lab(lab, executor, only=paths, wait_second=wait_second)
    if not summary.unreachable:  # else the watch asks again, and what is known costs nothing
        finish_batch(lab.ledger.database, batch)
    return summary


def _plan_or_skip(lab: Lab, state: LedgerSnapshot, sheet: SheetSnapshot) -> Summary | Plan:
    """Walk the folders; return the last run's summary if nothing is new since, else the plan.

    Nothing is new if the walk, the cell sheet, the versions and the names of the results are as
    they were; then nothing more than that is looked at.
    """
    entries, unreachable = lab.raw.walk()
    walk = lab.raw.digest(entries)
    if not hides_files(lab, unreachable) and not is_look_due(state.values, utc_now()):
        last = last_summary(lab, state, sheet, walk, len(entries))
        if last is not None:
            return last
    return plan_entries(lab, state, entries, unreachable, walk)


def _plan_redraw(lab: Lab, state: LedgerSnapshot) -> Plan:
    """Return a plan that reads nothing: every file counts as it is known."""
    plan = plan_all(lab, state)
    return Plan((), plan.files, plan.ignored, unreachable=plan.unreachable)


def _run(
    lab: Lab,
    state: LedgerSnapshot,
    sheet: SheetSnapshot,
    plan: Plan,
    executor: Executor,
    progress: Progress | None,
    *,
    redraw: bool,
) -> Summary:
    lab.ledger.record_change_times(lab.folder, plan.untimed)
    portions = divide_files(lab, plan, sheet)
    reading = StageProgress("files", {f.path: FILE_COST + f.size for f in plan.new}, progress)
    expected = len(portions[-1].cells)
    computing = StageProgress("cells", {}, progress, expected=expected)
    done = _Done(InterimPage(lab, plan, sheet) if len(portions) > 1 else None)
    told, started_at = known_alarms(state.values.get(TOLD)), utc_now()
    day = run_day(started_at)
    for portion in portions:
        state = _ingest(lab, state, portion.files, executor, reading, done)
        overlaps = Overlaps(state, lab)
        grouping = group_files(state, portion.names, sheet, overlaps, told)
        state = overlaps.save()
        due = [inputs for inputs in grouping.cells if portion.is_due(inputs)]
        computing.expected = 0 if portion.is_last else expected
        tasks = stale_cells(lab, state, due, redraw=redraw, day=day)
        state = _compute(lab, state, tasks, executor, computing, done)
    arrivals = lab.ledger.arrivals(lab.folder)
    alarms = find_lab_alarms(lab, grouping, arrivals.files, datetime.fromisoformat(started_at))
    if alarms.by_cell != told:  # on the pages of these cells, and of no other
        grouping = group_files(
            state, portions[-1].names, sheet, Overlaps(state, lab), alarms.by_cell
        )
        tasks = stale_cells(lab, state, grouping.cells, day=day)
        tasks = [t for t in tasks if t.inputs.cell.cell_id in {*told, *alarms.by_cell}]
        state = _compute(lab, state, tasks, executor, computing, done)
        lab.ledger.set_key_value(TOLD, alarms.to_json())
    run = Run(
        plan,
        grouping,
        sheet,
        done.failures,
        done.computed,
        redraw,
        alarms.look_again,
        started_at,
        alarms.of_groups,
        arrivals,
    )
    summary = finalize(lab, state, run)
    StageProgress("report", {None: 1}, progress).advance(None, summary.page.name)
    return summary


@dataclass
class _Done:
    """What a run has done so far: files read, what failed, and which analyses ran, by cell."""

    page: InterimPage | None
    files: list[NewFile] = field(default_factory=list)
    failed_files: list[Failure] = field(default_factory=list)
    failed_cells: dict[str, Failure] = field(default_factory=dict)
    computed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What failed: files, then cells."""
        return (*self.failed_files, *self.failed_cells.values())


def _ingest(
    lab: Lab,
    state: LedgerSnapshot,
    files: Sequence[NewFile],
    executor: Executor,
    steps: StageProgress,
    done: _Done,
) -> LedgerSnapshot:
    """Ingest files and record each; return the state after it."""
    outcomes = []
    for file, result in executor.map(INGEST, lab, files):
        outcome = record_file(lab, file, result)
        outcomes.append(outcome)
        if outcome.failure is not None:
            done.failed_files.append(outcome.failure)
        steps.advance(file.path, lab.relative_name(file.path))
    done.files += files
    ingested = [outcome.ingested for outcome in outcomes if outcome.ingested]
    return state.with_files(
        (file for result in ingested for file in result.files),
        (content for result in ingested for content in result.contents),
        (outcome.counted for outcome in outcomes if outcome.counted),
    )


def _compute(
    lab: Lab,
    state: LedgerSnapshot,
    tasks: Sequence[CellTask],
    executor: Executor,
    steps: StageProgress,
    done: _Done,
) -> LedgerSnapshot:
    """Compute cells and record each; return the state after it."""
    steps.add({task.inputs.cell.cell_id: CELL_COST + task.records for task in tasks})
    entries: list[CellEntry] = []
    if tasks:
        threading.Thread(target=_import_reports).start()
    for task, result in executor.map(COMPUTE, lab, tasks):
        cell_id = task.inputs.cell.cell_id
        failure = record_cell(lab, task, result)
        done.computed[cell_id] = ()
        done.failed_cells.pop(cell_id, None)
        if failure is not None:
            done.failed_cells[cell_id] = failure
        elif not isinstance(result, Exception):
            entries.append(result.entry)
            done.computed[cell_id] = result.computed
        steps.advance(cell_id, cell_id)
        if done.page is not None and done.page.is_due():
            done.page.write(state.with_cells(entries), done.files, done.failures)
    return state.with_cells(entries)


def _import_reports() -> None:
    """Import what the end of a run needs, while others compute."""
    import cellpipe.report.excel.lab_workbook
    import cellpipe.report.html.index  # noqa: F401


def with_repair(lab: Lab, run: Callable[[], Summary]) -> Summary:
    """Do a run; where it meets results that are damaged, put them aside and do it again."""
    for _ in range(3):
        try:
            return run()
        except DamagedTableError as error:
            _log.warning("%s", error)
            with acquire(lab.ledger, wait_second=60):
                if not quarantine_damaged(lab.ledger, thoroughly=True):
                    raise
        except DamagedLedgerError:
            lab.ledger.repair()
    return run()


@contextmanager
def exclusive_run(lab: Lab, wait_second: float = 0.0) -> Iterator[LedgerSnapshot]:
    """Be the writer of a lab's results; tidy up after earlier runs, and read what is known.

    Raises
    ------
    StoreError
        If the results are those of another folder.

    """

    def tell(sentence: str) -> None:
        _log.warning("%s, at most %.0f s", sentence, wait_second, extra={"aloud": True})

    with acquire(lab.ledger, wait_second=wait_second, tell=tell):
        state = lab.ledger.snapshot(lab.folder)
        _check_owner(lab, state)
        save_job(lab, state)
        yield _tidy_up(lab, state)
        if has_notes(lab.results):  # something was written, perhaps by a worker that died of it
            delete_partial_files(lab.results)
        remove_leftovers(lab.ledger)


def _tidy_up(lab: Lab, state: LedgerSnapshot) -> LedgerSnapshot:
    """Remove what killed runs left, put aside what was changed; return the state after it.

    Files that others put among the results are left alone, and listed.
    """
    ledger = lab.ledger
    is_known = confirm_mark(ledger, state.values.get(IDENTITY))
    leftovers = remove_leftovers(ledger)
    count = delete_partial_files(lab.results) + leftovers
    if ADOPT in state.values:
        register_existing(ledger)
    broken = quarantine_damaged(ledger, values=state.values)
    if count or broken:
        _log.warning("%d unfinished files removed, %d changed ones put aside", count, len(broken))
    find_foreign_files(ledger, is_known=is_known)
    return replace(state, values={**state.values, PAGES_DUE: "yes"}) if leftovers else state


def _check_owner(lab: Lab, state: LedgerSnapshot) -> None:
    others = [folder for folder in map(Path, state.folders) if folder != lab.folder]
    if any(folder.is_dir() for folder in others):
        raise StoreError(
            f"results of the folder {others[0]}", expected=f"those of {lab.folder}",
            remedy="choose a results folder for each folder with --out", file=lab.results,
        )  # fmt: skip
