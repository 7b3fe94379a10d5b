"""The batch flows: each file's outcome, and each cell's, is a task run.

A file that was set aside is a failed task with its reason; what may pass (a locked file, a share
that is away) is tried again, what can't (a broken file) is not. The flow fails if anything was set
aside. Above some hundred files a task run stands for several. Files that did not change never
become tasks. The record of outcome is the results' ledger; Prefect shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from cellpipe.cell_inputs import CellInputs, grouped
from cellpipe.intake import Job, Plan, planned_of, taken
from cellpipe.lab import Summary, concluded, unchanged_or_planned
from cellpipe.pipeline import (
    cell_noted,
    computed,
    file_noted,
    mended,
    one_run,
    prepared,
    stale_cells,
)
from cellpipe.raw_folders import Failure
from cellpipe.sheet_copy import Sheet, current_sheet
from cellpipe.store.history import happened, utc_now
from cellpipe.store.queue import batch_is_done, queue
from cellpipe.workers import FEW, Workers, usual_count

T = TypeVar("T")
SINGLY = 300  # up to so many files or cells, each is a task run of its own
TOGETHER = 25  # above, a task run stands for so many
WAIT_SECONDS = 6 * 3600.0  # for another run that writes into the same results
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=usual_count())
_EVENTS = {"set aside": "cellpipe.file.set-aside", "rests": "cellpipe.file.set-aside",
           "alarm": "cellpipe.cell.alarm"}  # fmt: skip

Text = Annotated[str, Field(min_length=1)]


class SetAsideError(Exception):
    """A file or a cell that can't be used; the message is the reason."""


class Batch:
    """What the tasks of one run share: the job and its processes. Prefect looks not into it."""

    def __init__(self, job: Job, workers: Workers) -> None:
        self.job = job
        self.workers = workers


class Share(Generic[T]):
    """The items of one task run: a single one as a rule."""

    def __init__(self, items: Sequence[T], name: str, *, single: bool) -> None:
        self.items = items
        self.name = name.replace("{", "(").replace("}", ")")
        self.single = single


def may_pass(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether trying again can help: a file that can't be opened now, not a broken one."""
    return isinstance(state.data, OSError) or isinstance(
        state.result(raise_on_failure=False), OSError
    )


@task(retries=2, retry_delay_seconds=[2, 10], retry_condition_fn=may_pass, cache_policy=NO_CACHE,
      persist_result=False)  # fmt: skip
def take_in_files(batch: Batch, share: Share[Path]) -> list[Failure]:
    """Read files and write their tables."""
    from prefect.runtime import task_run

    failures: list[Failure] = []
    for path, result in batch.workers.each(taken, batch.job, share.items):
        if isinstance(result, OSError) and share.single and (task_run.run_count or 0) < 3:
            raise result
        failures += file_noted(batch.job, path, result)
    return _told(share, failures)


@task(cache_policy=NO_CACHE, persist_result=False)
def compute_cells(batch: Batch, share: Share[CellInputs]) -> list[Failure]:
    """Compute cells' tables and reports."""
    failures: list[Failure] = []
    for inputs, made in batch.workers.each(computed, batch.job, share.items):
        failures += cell_noted(batch.job, inputs, made)
    return _told(share, failures)


def _told(share: Share[Any], failures: list[Failure]) -> list[Failure]:
    if failures and share.single:
        raise SetAsideError(failures[0].reason)
    return failures


@flow(name="process", flow_run_name="process {folder}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process(
    folder: Text, out: Text, time_zone: str | None = None, also: list[str] | None = None
) -> State[Any]:
    """Do the main job as a flow; its state says whether everything was used."""
    job = prepared(folder, out, time_zone, also or ())
    return state_of(processed(job, None))


@flow(name="process-batch", flow_run_name="batch {batch}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process_batch(
    folder: Text, out: Text, batch: Text, time_zone: str | None = None,
    also: list[str] | None = None,
) -> State[Any]:  # fmt: skip
    """Process the files that the watch put into a batch, and the cells that they belong to."""
    job = prepared(folder, out, time_zone, also or ())
    waiting = queue(job.ledger.database, batch)
    if not waiting:
        return Completed(message="the batch has been dealt with")
    summary = processed(job, [job.raw.path(file.path) for file in waiting])
    if not summary.out_of_reach:  # else the watch asks again, and what is known costs nothing
        batch_is_done(job.ledger.database, batch)
    return state_of(summary)


def state_of(summary: Summary) -> State[Any]:
    """Give the state of a run by what it did: it fails if anything was set aside."""
    message = f"{(summary.files['status'] == 'used').sum()} files used"
    if summary.failures:
        message = f"{len(summary.failures)} set aside, {message}"
        return Failed(message=message, data=summary)
    return Completed(message=message, data=summary)


def processed(job: Job, only: Sequence[Path] | None) -> Summary:
    """Run the steps as task runs of the flow that calls it."""
    begun = utc_now()

    def once() -> Summary:
        with one_run(job, WAIT_SECONDS), Workers(usual_count()) as workers:
            sheet = current_sheet(job)
            found = unchanged_or_planned(job, sheet) if only is None else planned_of(job, only)
            if isinstance(found, Summary):
                return found
            return _run(Batch(job, workers), sheet, found)

    summary = mended(job, once)
    if summary.read or summary.cells_updated or summary.failures:
        _show(summary)
    _tell(job, begun)
    return summary


def _run(batch: Batch, sheet: Sheet, plan: Plan) -> Summary:
    job = batch.job
    if len(plan.new) > FEW:
        batch.workers.pool()
    files = shared_out(plan.new, job.relative)
    failures = done(take_in_files, batch, files, "files")
    grouping = grouped(job, plan.files, sheet)
    stale = stale_cells(job, grouping.cells)
    if len(stale) > FEW:
        batch.workers.pool()
    cells = shared_out(stale, lambda inputs: f"cell {inputs.cell.cell_id}")
    failures += done(compute_cells, batch, cells, "cells")
    return concluded(job, plan, grouping, sheet, failures, len(stale))


def shared_out(items: Sequence[T], name: Callable[[T], str]) -> list[Share[T]]:
    """Share items out to task runs, each with a name that tells what it is about."""
    if len(items) <= SINGLY:
        return [Share([item], name(item), single=True) for item in items]
    return [
        Share(items[start : start + TOGETHER], f"{name(items[start])} and those after it",
              single=False)
        for start in range(0, len(items), TOGETHER)
    ]  # fmt: skip


def done(work: Any, batch: Batch, shares: Sequence[Share[Any]], what: str) -> list[Failure]:
    """Run a task for each share; give the failures, with their reasons."""
    if not shares:
        return []
    futures: dict[PrefectFuture[Any], Share[Any]] = {
        work.with_options(task_run_name=share.name).submit(batch, share): share for share in shares
    }
    made = create_progress_artifact(progress=0.0, description=f"{what} of this run")
    progress = cast("UUID", made)  # of a synchronous flow
    found: list[Failure] = []
    step = max(1, len(futures) // 20)
    for number, future in enumerate(as_completed(list(futures)), 1):
        future.wait()
        found += _failures(future, futures[future])
        if number % step == 0 or number == len(futures):
            update_progress_artifact(progress, progress=100.0 * number / len(futures))
    return found


def _failures(future: PrefectFuture[Any], share: Share[Any]) -> list[Failure]:
    from cellpipe.errors import StoreError

    result = future.state.result(raise_on_failure=False)
    if isinstance(result, StoreError):
        raise result
    if isinstance(result, SetAsideError):
        return [Failure(share.name.removeprefix("cell "), str(result))]
    if isinstance(result, BaseException):
        return [Failure(share.name, f"{type(result).__name__}: {result}")]
    return list(result)


def _show(summary: Summary) -> None:
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


def _tell(job: Job, since: str) -> None:
    """Emit an event for each file that was set aside and each alarm of a cell in this run."""
    for event in happened(job.ledger.database, since=since):
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
