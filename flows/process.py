"""The batch flow: each file's outcome, and each cell's, is a task run.

A file that was set aside is a failed task with its reason; what may pass (a locked file, a share
that is away) is tried again, what can't (a broken file) is not. The flow fails if anything was set
aside. The record of outcome is the results' ledger; Prefect shows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from cellpipe.cell_inputs import CellInputs, grouped
from cellpipe.intake import SEVERAL, Failure, Job, cannot_be_opened, planned, take_in
from cellpipe.lab import Summary, concluded
from cellpipe.pipeline import prepared, stale_cells, update_cell

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)


class SetAsideError(Exception):
    """A file or a cell that can't be used; the message is the reason."""


def may_pass(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether trying again can help: a file that can't be opened now, not a broken one."""
    return isinstance(state.data, OSError) or isinstance(
        state.result(raise_on_failure=False), OSError
    )


@task(retries=2, retry_delay_seconds=[2, 10], retry_condition_fn=may_pass, cache_policy=NO_CACHE,
      persist_result=False)  # fmt: skip
def take_in_file(job: Job, path: Path) -> str:
    """Read one file and write its tables."""
    content = take_in(job, path)
    if content.status == "set aside":
        raise SetAsideError(content.reason)
    if content.status == SEVERAL:
        return "the recordings of several cells"
    return f"{content.format}: {content.records} records, {content.spectra} spectra"


@task(retries=2, retry_delay_seconds=[2, 10], retry_condition_fn=may_pass, cache_policy=NO_CACHE,
      persist_result=False)  # fmt: skip
def compute_cell(job: Job, inputs: CellInputs) -> None:
    """Compute one cell's tables and its report."""
    update_cell(job, inputs)


@flow(name="process", flow_run_name="process {folder}", persist_result=False, retries=0,
      validate_parameters=False, task_runner=RUNNER)  # fmt: skip
def process(folder: str, out: str, time_zone: str | None = None) -> State[Any]:
    """Do the main job as a flow; its state says whether everything was used."""
    summary = run(folder, out, time_zone)
    message = f"{(summary.files['status'] == 'used').sum()} files used"
    if summary.failures:
        message = f"{len(summary.failures)} set aside, {message}"
        return Failed(message=message, data=summary)
    return Completed(message=message, data=summary)


def run(folder: str, out: str, time_zone: str | None = None) -> Summary:
    """Run the steps as task runs of the flow that calls it."""
    job, sheet = prepared(folder, out, time_zone)
    plan = planned(job)
    taken = {
        job.relative(path): take_in_file.with_options(
            task_run_name=job.relative(path).replace("{", "(").replace("}", ")")
        ).submit(job, path)
        for path in plan.new
    }
    failures = _failures(taken)
    grouping = grouped(job, plan.files, sheet)
    stale = stale_cells(job, grouping.cells)
    computed = {
        inputs.cell.cell_id: compute_cell.with_options(
            task_run_name=f"cell {inputs.cell.cell_id}".replace("{", "(").replace("}", ")")
        ).submit(job, inputs)
        for inputs in stale
    }
    failures += _failures(computed)
    summary = concluded(job, plan, grouping, sheet.findings, failures, len(stale))
    _show(summary)
    return summary


def _failures(futures: dict[str, PrefectFuture[Any]]) -> list[Failure]:
    """Wait for the tasks; give those that failed, with the reason."""
    wait(list(futures.values()))
    found = []
    for name, future in futures.items():
        error = future.state.result(raise_on_failure=False)
        if isinstance(error, SetAsideError):
            found.append(Failure(name, str(error)))
        elif isinstance(error, OSError):
            found.append(Failure(name, cannot_be_opened("It", error)))
        elif isinstance(error, BaseException):
            found.append(Failure(name, f"{type(error).__name__}: {error}"))
    return found


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
