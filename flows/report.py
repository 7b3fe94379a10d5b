"""The report flow: write every cell's page and workbook and the lab's index anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from cellpipe.core.checkout import flow_module
from cellpipe.pipeline.cell_inputs import grouped
from cellpipe.pipeline.finalize import Summary, concluded
from cellpipe.pipeline.ingest import Job, planned
from cellpipe.pipeline.run import mended, one_run, prepared
from cellpipe.pipeline.sheet_snapshot import current_sheet
from cellpipe.system.processes import Workers, usual_count

batches = flow_module("process")


@flow(name="report", flow_run_name="report {out}", persist_result=False,
      task_runner=batches.RUNNER)  # fmt: skip
def report(
    folder: str, out: str, time_zone: str | None = None, also: list[str] | None = None
) -> State[Any]:
    """Write every report from what has been read; no file is read again."""
    job = prepared(folder, out, time_zone, also or ())
    summary = mended(job, lambda: _reported(job))
    if any(failure.path in set(summary.cells["cell_id"]) for failure in summary.failures):
        return Failed(message="a report could not be written", data=summary)
    return Completed(message=f"{summary.cells_updated} cells reported", data=summary)


def _reported(job: Job) -> Summary:
    with one_run(job, batches.WAIT_SECONDS), Workers(usual_count()) as workers:
        sheet = current_sheet(job)
        plan = replace(planned(job), walk="")
        grouping = grouped(job, plan.files, sheet)
        batch = batches.batch_of(job, workers)
        cells = batches.shared_out(grouping.cells, batches.cell_name, is_far=batch.is_far)
        failures = batches.done(batches.CELLS, batch, cells)
        (job.out / "index.html").unlink(missing_ok=True)
        summary: Summary = concluded(job, plan, grouping, sheet, failures, len(grouping.cells))
        return summary
