"""The report flow: write every cell's page and workbook and the lab's index anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from cellpipe.core.checkout import flow_module
from cellpipe.pipeline.cell_inputs import group_files
from cellpipe.pipeline.finalize import Summary, finalize
from cellpipe.pipeline.ingest import Job, plan_all
from cellpipe.pipeline.run import exclusive_run, prepare_lab, with_repair
from cellpipe.pipeline.sheet_snapshot import read_current_sheet
from cellpipe.system.processes import Workers, default_worker_count

batches = flow_module("process")


@flow(name="report", flow_run_name="report {out}", persist_result=False,
      task_runner=batches.RUNNER)  # fmt: skip
def report(
    folder: str, out: str, time_zone: str | None = None, also: list[str] | None = None
) -> State[Any]:
    """Write every report from what has been read; no file is read again."""
    job = prepare_lab(folder, out, time_zone, also or ())
    summary = with_repair(job, lambda: _write_reports(job))
    if any(failure.path in set(summary.cells["cell_id"]) for failure in summary.failures):
        return Failed(message="a report could not be written", data=summary)
    return Completed(message=f"{summary.cells_updated} cells reported", data=summary)


def _write_reports(job: Job) -> Summary:
    with exclusive_run(job, batches.WAIT_SECONDS), Workers(default_worker_count()) as workers:
        sheet = read_current_sheet(job)
        plan = replace(plan_all(job), walk="")
        grouping = group_files(job, plan.files, sheet)
        batch = batches.make_context(job, workers)
        cells = batches.make_chunks(
            grouping.cells, batches.cell_run_name, is_remote=batch.is_remote
        )
        failures = batches.run_step(batches.CELLS, batch, cells)
        (job.out / "index.html").unlink(missing_ok=True)
        summary: Summary = finalize(job, plan, grouping, sheet, failures, len(grouping.cells))
        return summary
