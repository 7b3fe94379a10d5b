"""The report flow: write every cell's page and workbook and the lab's index anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import wait
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from cellpipe.cell_inputs import CellInputs, grouped
from cellpipe.intake import Job, planned
from cellpipe.lab import concluded
from cellpipe.pipeline import prepared, update_cell

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)


@task(cache_policy=NO_CACHE, persist_result=False)
def report_cell(job: Job, inputs: CellInputs) -> None:
    """Compute and write one cell's report."""
    update_cell(job, inputs)


@flow(name="report", flow_run_name="report {out}", persist_result=False,
      validate_parameters=False, task_runner=RUNNER)  # fmt: skip
def report(folder: str, out: str, time_zone: str | None = None) -> State[Any]:
    """Write every report from what has been read; no file is read again."""
    job, sheet = prepared(folder, out, time_zone)
    plan = planned(job)
    grouping = grouped(job, plan.files, sheet)
    futures = [
        report_cell.with_options(task_run_name=f"cell {c.cell.cell_id}").submit(job, c)
        for c in grouping.cells
    ]
    wait(futures)
    Path(job.out / "index.html").unlink(missing_ok=True)
    concluded(job, plan, grouping, sheet.findings, [], len(grouping.cells))
    if any(future.state.is_failed() for future in futures):
        return Failed(message="a report could not be written")
    return Completed(message=f"{len(grouping.cells)} cells reported")
