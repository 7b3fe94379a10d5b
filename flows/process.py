"""The flows that process a lab: all of it, or a batch of files that the watch found.

The flow fails if anything was set aside. Files that did not change never become tasks. The record
of outcome is the results' ledger; Prefect shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner
from pydantic import Field

from cellpipe.config.labs import LabName
from cellpipe.config.settings import RunnerSettings
from cellpipe.core.checkout import flow_module
from cellpipe.pipeline.executors import Executor
from cellpipe.pipeline.run import LONG_WAIT_SECONDS, run_batch, run_lab
from cellpipe.pipeline.summary import Summary
from cellpipe.store.history import read_events, utc_now
from cellpipe.store.lab import Lab
from cellpipe.system.processes import Workers, default_worker_count

S = TypeVar("S", Summary, Summary | None)
executor = flow_module("executor")
labs = flow_module("labs")
RUNNER: TaskRunner[Any] = flow_module("task_runners").make_task_runner(RunnerSettings())
Batch = Annotated[str, Field(pattern=r"^[0-9a-z-]{1,40}$")]
_MOST_ROWS = 200  # of an artifact; the results' own page has all
_MOST_EVENTS = 500  # of a run
_EVENTS = {"set aside": "cellpipe.file.set-aside", "rests": "cellpipe.file.set-aside",
           "alarm": "cellpipe.cell.alarm"}  # fmt: skip


@flow(name="process", flow_run_name="process {lab}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process(lab: LabName) -> State[Any]:
    """Do the main job as a flow; its state says whether everything was used."""
    return state_from_summary(run_as_tasks(labs.find_lab(lab)))


@flow(name="process-batch", flow_run_name="batch {batch}", persist_result=False, retries=0,
      task_runner=RUNNER)  # fmt: skip
def process_batch(lab: LabName, batch: Batch) -> State[Any]:
    """Process the files that the watch put into a batch, and the cells that they belong to."""
    found: Lab = labs.find_lab(lab)
    summary = with_executor(found, lambda each: run_batch(found, batch, each))
    if summary is None:
        return Completed(message="the batch has been dealt with")
    return state_from_summary(summary)


def run_as_tasks(lab: Lab, **options: Any) -> Summary:
    """Run a lab as task runs of the flow that calls it; options as of ``run_lab``."""
    return with_executor(
        lab, lambda each: run_lab(lab, each, wait_second=LONG_WAIT_SECONDS, **options)
    )


def with_executor(lab: Lab, run: Callable[[Executor], S]) -> S:
    """Do a run with the tasks of the flow that calls it, and show in Prefect what it did."""
    start = utc_now()
    with Workers(default_worker_count()) as workers:
        summary = run(executor.PrefectExecutor(workers))
    if summary is None:
        return summary
    if summary.read or summary.cells_updated or summary.failures:
        _create_artifacts(summary)
    _emit_events(lab, start)
    return summary


def state_from_summary(summary: Summary) -> State[Any]:
    """Return the state of a run by what it did: it fails if anything was set aside."""
    message = f"{(summary.files['status'] == 'used').sum()} files used"
    if summary.failures:
        message = f"{len(summary.failures)} set aside, {message}"
        return Failed(message=message, data=summary)
    return Completed(message=message, data=summary)


def _create_artifacts(summary: Summary) -> None:
    """Sum the run up as table artifacts."""
    columns = ["cell_id", "configuration", "cycles", "initial_coulombic_efficiency",
               "mean_coulombic_efficiency", "capacity_retention", "retention_cycle"]  # fmt: skip
    create_table_artifact(
        key="cells", table=summary.cells.select(columns).head(_MOST_ROWS).to_dicts(),
        description=f"Cells of {summary.lab.folder}; {_first_of(summary.cells.height)}"
        f"open {summary.page}",
    )  # fmt: skip
    rejected = [
        {"file": failure.path, "reason": str(failure.reason), **_remedy(failure.parts)}
        for failure in summary.failures[:_MOST_ROWS]
    ]
    create_table_artifact(
        key="set-aside", table=rejected or [{"file": "none", "reason": ""}],
        description="What could not be used, and why; "
        f"{_first_of(len(summary.failures))}all are in {summary.page}",
    )  # fmt: skip


def _first_of(count: int) -> str:
    return f"the first {_MOST_ROWS} of {count}; " if count > _MOST_ROWS else ""


def _remedy(parts: dict[str, str | None]) -> dict[str, str]:
    return {"what to do": parts["remedy"] or ""}


def _emit_events(lab: Lab, since: str) -> None:
    """Emit an event for each file that was set aside and each alarm of a cell in this run.

    Of very many those of cells come first, and one event says how many more there are.
    """
    found = [e for e in read_events(lab.ledger.database, since=since) if e.event in _EVENTS]
    found.sort(key=lambda event: event.event != "alarm")
    for event in found[:_MOST_EVENTS]:
        kind = "cell" if event.event == "alarm" else "file"
        emit_event(
            event=_EVENTS[event.event],
            resource={
                "prefect.resource.id": f"cellpipe.{kind}.{event.subject}",
                "prefect.resource.name": event.subject,
            },
            payload={"subject": event.subject, "reason": str(event.reason or ""),
                     "sha256": event.sha256 or "", "results": str(lab.results)},
        )  # fmt: skip
    if len(found) > _MOST_EVENTS:
        more = len(found) - _MOST_EVENTS
        emit_event(
            event="cellpipe.more-events",
            resource={"prefect.resource.id": f"cellpipe.lab.{lab.folder}"},
            payload={"more": more, "results": str(lab.results)},
        )
