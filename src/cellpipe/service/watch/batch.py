"""Dealing with a batch without Prefect, in a process beside the watch; this one is not light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellpipe.pipeline.run import prepare_lab, run_lab
from cellpipe.store.batch_queue import finish_batch, queued_files
from cellpipe.system.processes import Workers, default_worker_count

if TYPE_CHECKING:
    from cellpipe.service.watch.batch_runner import BatchTask

_WAIT_SECONDS = 6 * 3600.0


def process_batch(task: BatchTask) -> str:
    """Process a batch's files and the cells that they belong to; say what came of it."""
    job = prepare_lab(task.folder, task.out, task.time_zone, task.also)
    waiting = queued_files(job.ledger.database, task.batch)
    paths = [job.raw.path(file.path) for file in waiting]
    with Workers(default_worker_count()) as workers:
        if "-" in task.batch:  # it died before: a file that ends its process must not end this one
            workers.get_pool()
        summary = run_lab(job, workers, only=paths, wait_second=_WAIT_SECONDS)
    if not summary.unreachable:  # else the watch asks again, and what is known costs nothing
        finish_batch(job.ledger.database, task.batch)
    return (
        f"files read: {summary.read}, cells computed: {summary.cells_updated}, "
        f"set aside in all: {len(summary.failures)}"
    )


def preload_modules() -> None:
    """Import what a batch will need."""
    import lmfit  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import cellpipe.analyses
    import cellpipe.report.excel.cell_workbook
    import cellpipe.report.html.cell_page

    cellpipe.analyses.all_analyses()
