"""The batch flows: each file's outcome, and each cell's, is a task run.

A file that was set aside is a failed task with its reason; what may pass (a locked file, a share
that is away) is tried again, what can't (a broken file) is not. The flow fails if anything was set
aside. Above some hundred files a task run stands for several. Files that did not change never
become tasks. The record of outcome is the results' ledger; Prefect shows it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.events import emit_event
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner
from pydantic import Field

from cellpipe.config.settings import RunnerSettings
from cellpipe.core.checkout import flow_module
from cellpipe.pipeline.cell_inputs import CellInputs, group_files
from cellpipe.pipeline.finalize import Summary, finalize, plan_or_skip
from cellpipe.pipeline.ingest import IngestResult, Job, Plan, ingest_file, plan_files
from cellpipe.pipeline.run import (
    CellResult,
    compute_cell,
    exclusive_run,
    prepare_lab,
    record_cell,
    record_file,
    stale_cells,
    with_repair,
)
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot, read_current_sheet
from cellpipe.store.batch_queue import finish_batch, queued_files
from cellpipe.store.history import read_events, utc_now
from cellpipe.system.processes import SERIAL_BELOW, Workers, default_worker_count
from cellpipe.system.scan import Failure

T = TypeVar("T")
R = TypeVar("R")
SINGLE_ITEM_LIMIT = 300  # up to so many files or cells, each is a task run of its own
CHUNK_SIZE = 25  # above, a task run stands for so many
MIN_REMOTE_RUNS = 32  # so many task runs at least, if there are as many items, keep a cluster busy
WAIT_SECONDS = 6 * 3600.0  # for another run that writes into the same results
runners = flow_module("task_runners")
RUNNER: TaskRunner[Any] = runners.make_task_runner(RunnerSettings())
_log = logging.getLogger("cellpipe")
_EVENTS = {"set aside": "cellpipe.file.set-aside", "rests": "cellpipe.file.set-aside",
           "alarm": "cellpipe.cell.alarm"}  # fmt: skip

task_runs: Counter[str] = Counter()  # of each flow run, as asked for: on_server waits for them

Text = Annotated[str, Field(min_length=1)]


Outcome = tuple[T, R | Exception]  # an item, and what was made of it


class RejectedError(Exception):
    """A file or a cell that can't be used: the reason, and what the task was to give."""

    def __init__(self, reason: str, outcomes: Sequence[Outcome[Any, Any]] = ()) -> None:
        super().__init__(reason, outcomes)
        self.outcomes = outcomes

    def __str__(self) -> str:
        return str(self.args[0])


class RunContext:
    """What the tasks of one run share: the job and its processes. Prefect does not look into it.

    Where tasks run on other machines, each does its work in the process that it finds itself in.
    """

    def __init__(self, job: Job, workers: Workers, *, is_remote: bool = False) -> None:
        self.job = job
        self.workers = workers
        self.is_remote = is_remote

    def __getstate__(self) -> dict[str, object]:
        return {"job": self.job, "is_remote": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["job"], Workers(1), is_remote=True)  # type: ignore[misc]


class Chunk(Generic[T]):
    """The items of one task run: a single one as a rule."""

    def __init__(self, items: Sequence[T], name: str, *, single: bool) -> None:
        self.items = items
        self.name = name.replace("{", "(").replace("}", ")")
        self.single = single


def is_retryable(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again can help: a file that can't be opened now, not a broken one."""
    return isinstance(state.data, OSError) or isinstance(
        state.result(raise_on_failure=False), OSError
    )


@task(retries=2, retry_delay_seconds=[2, 10], retry_condition_fn=is_retryable, cache_policy=NO_CACHE,
      persist_result=False)  # fmt: skip
def ingest_files(batch: RunContext, share: Chunk[Path]) -> list[Outcome[Path, IngestResult]]:
    """Read files and write their tables."""
    outcomes: list[Outcome[Path, IngestResult]] = []
    for path, result in batch.workers.map(ingest_file, batch.job, share.items):
        if isinstance(result, OSError) and share.single and (task_run.run_count or 0) < 3:
            raise result
        outcomes.append((path, result))
    if share.single and (reason := rejection_reason(outcomes[0][1])):
        raise RejectedError(reason, outcomes)
    return outcomes


@task(cache_policy=NO_CACHE, persist_result=False)
def compute_cells(
    batch: RunContext, share: Chunk[CellInputs]
) -> list[Outcome[CellInputs, CellResult]]:  # fmt: skip
    """Compute cells' tables and reports."""
    outcomes = list(batch.workers.map(compute_cell, batch.job, share.items))
    if share.single and isinstance(outcomes[0][1], Exception):
        raise RejectedError(str(outcomes[0][1]), outcomes)
    return outcomes


def rejection_reason(result: IngestResult | Exception) -> str | None:
    """Return the reason why a file can't be used, if it can't."""
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"
    return result.file_content.reason if result.file_content.status == "set aside" else None


@dataclass(frozen=True)
class Step(Generic[T, R]):
    """A step of a run: its task, the work on an item itself, and how its outcome is noted."""

    what: str
    task: Any
    work: Callable[[Job, T], R]
    record: Callable[[Job, T, R | Exception], list[Failure]]


FILES: Step[Path, IngestResult] = Step("files", ingest_files, ingest_file, record_file)
CELLS: Step[CellInputs, CellResult] = Step("cells", compute_cells, compute_cell, record_cell)


@flow(name="process", flow_run_name="process {folder}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process(
    folder: Text, out: Text, time_zone: str | None = None, also: list[str] | None = None
) -> State[Any]:
    """Do the main job as a flow; its state says whether everything was used."""
    job = prepare_lab(folder, out, time_zone, also or ())
    return state_from_summary(run_lab(job, None))


@flow(name="process-batch", flow_run_name="batch {batch}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process_batch(
    folder: Text, out: Text, batch: Text, time_zone: str | None = None,
    also: list[str] | None = None,
) -> State[Any]:  # fmt: skip
    """Process the files that the watch put into a batch, and the cells that they belong to."""
    job = prepare_lab(folder, out, time_zone, also or ())
    waiting = queued_files(job.ledger.database, batch)
    if not waiting:
        return Completed(message="the batch has been dealt with")
    summary = run_lab(job, [job.raw.path(file.path) for file in waiting])
    if not summary.unreachable:  # else the watch asks again, and what is known costs nothing
        finish_batch(job.ledger.database, batch)
    return state_from_summary(summary)


def state_from_summary(summary: Summary) -> State[Any]:
    """Return the state of a run by what it did: it fails if anything was set aside."""
    message = f"{(summary.files['status'] == 'used').sum()} files used"
    if summary.failures:
        message = f"{len(summary.failures)} set aside, {message}"
        return Failed(message=message, data=summary)
    return Completed(message=message, data=summary)


def run_lab(job: Job, only: Sequence[Path] | None) -> Summary:
    """Run the steps as task runs of the flow that calls it."""
    begun = utc_now()

    def once() -> Summary:
        with exclusive_run(job, WAIT_SECONDS), Workers(default_worker_count()) as workers:
            sheet = read_current_sheet(job)
            found = plan_or_skip(job, sheet) if only is None else plan_files(job, only)
            if isinstance(found, Summary):
                return found
            return _run(make_context(job, workers), sheet, found)

    summary = with_repair(job, once)
    if summary.read or summary.cells_updated or summary.failures:
        _create_artifacts(summary)
    _emit_events(job, begun)
    return summary


def make_context(job: Job, workers: Workers) -> RunContext:
    """Return what the tasks of the flow that runs now share."""
    return RunContext(job, workers, is_remote=runners.is_remote())


def _run(batch: RunContext, sheet: SheetSnapshot, plan: Plan) -> Summary:
    job = batch.job
    if len(plan.new) > SERIAL_BELOW and not batch.is_remote:
        batch.workers.get_pool()
    files = make_chunks(plan.new, job.relative_name, is_remote=batch.is_remote)
    failures = run_step(FILES, batch, files)
    grouping = group_files(job, plan.files, sheet)
    stale = stale_cells(job, grouping.cells)
    if len(stale) > SERIAL_BELOW and not batch.is_remote:
        batch.workers.get_pool()
    cells = make_chunks(stale, cell_run_name, is_remote=batch.is_remote)
    failures += run_step(CELLS, batch, cells)
    return finalize(job, plan, grouping, sheet, failures, len(stale))


def cell_run_name(inputs: CellInputs) -> str:
    """Name the task run of a cell."""
    return f"cell {inputs.cell.cell_id}"


def make_chunks(
    items: Sequence[T], name: Callable[[T], str], *, is_remote: bool = False
) -> list[Chunk[T]]:
    """Share items out to task runs, each with a name that tells what it is about.

    On a cluster a task run costs some tenths of a second, so it stands for several items sooner.
    """
    together = min(CHUNK_SIZE, len(items) // MIN_REMOTE_RUNS) if is_remote else CHUNK_SIZE
    if together <= 1 or (len(items) <= SINGLE_ITEM_LIMIT and not is_remote):
        return [Chunk([item], name(item), single=True) for item in items]
    return [
        Chunk(items[start : start + together], f"{name(items[start])} and those after it",
              single=False)
        for start in range(0, len(items), together)
    ]  # fmt: skip


def run_step(step: Step[T, R], batch: RunContext, shares: Sequence[Chunk[T]]) -> list[Failure]:
    """Run a task for each share and note what came of it; give the failures, with their reasons.

    Raises
    ------
    StoreError
        If the results can't be written.

    """
    if not shares:
        return []
    futures: dict[PrefectFuture[Any], Chunk[T]] = {
        step.task.with_options(task_run_name=share.name).submit(batch, share): share
        for share in shares
    }
    task_runs[str(flow_run.id)] += len(futures)
    made = create_progress_artifact(progress=0.0, description=f"{step.what} of this run")
    progress = cast("UUID", made)  # of a synchronous flow
    found: list[Failure] = []
    every = max(1, len(futures) // 20)
    for number, future in enumerate(as_completed(list(futures)), 1):
        for item, result in _collect_outcomes(step, batch, future, futures[future]):
            found += step.record(batch.job, item, result)
        if number % every == 0 or number == len(futures):
            update_progress_artifact(progress, progress=100.0 * number / len(futures))
    return found


def _collect_outcomes(
    step: Step[T, R], batch: RunContext, future: PrefectFuture[Any], share: Chunk[T]
) -> Sequence[Outcome[T, R]]:
    """Return what became of a share's items; a share that was lost is done here, one by one."""
    state = _wait_for_state(future)
    if state is not None and state.is_final() and not state.is_crashed():
        result = state.result(raise_on_failure=False)
        if isinstance(result, RejectedError):
            return result.outcomes
        if not isinstance(result, BaseException):
            return cast("Sequence[Outcome[T, R]]", result)
        if not batch.is_remote:
            return [(item, _to_exception(result)) for item in share.items]
    _log.warning("%s was lost on its way; it is done here", share.name)
    return list(batch.workers.map(step.work, batch.job, share.items))


def _wait_for_state(future: PrefectFuture[Any]) -> State[Any] | None:
    """Return the state that a task run ended in; None where its worker took it along."""
    try:
        future.wait()
        return future.state
    except Exception as error:  # whatever a cluster says of a worker that is gone
        _log.warning("%s", error)
        return None


def _to_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _create_artifacts(summary: Summary) -> None:
    """Sum the batch up as table artifacts."""
    columns = ["cell_id", "configuration", "cycles", "initial_coulombic_efficiency",
               "mean_coulombic_efficiency", "capacity_retention", "retention_cycle"]  # fmt: skip
    create_table_artifact(
        key="cells", table=summary.cells.select(columns).to_dicts(),
        description=f"Cells of {summary.job.folder}; open {summary.page}",
    )  # fmt: skip
    aside = [{"file": failure.path, "reason": failure.reason} for failure in summary.failures]
    create_table_artifact(
        key="set-aside", table=aside or [{"file": "none", "reason": ""}],
        description="What could not be used, and why",
    )  # fmt: skip


def _emit_events(job: Job, since: str) -> None:
    """Emit an event for each file that was set aside and each alarm of a cell in this run."""
    for event in read_events(job.ledger.database, since=since):
        if event.event in _EVENTS:
            kind = "cell" if event.event == "alarm" else "file"
            emit_event(
                event=_EVENTS[event.event],
                resource={
                    "prefect.resource.id": f"cellpipe.{kind}.{event.subject}",
                    "prefect.resource.name": event.subject,
                },
                payload={"subject": event.subject, "reason": event.reason or "",
                         "sha256": event.sha256 or "", "results": str(job.out)},
            )  # fmt: skip
