"""The report flow: write every cell's page and workbook and the lab's index anew."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from cellpipe.config.labs import LabName
from cellpipe.core.checkout import flow_module

batches = flow_module("process")
labs = flow_module("labs")


@flow(name="report", flow_run_name="report {lab}", persist_result=False,
      task_runner=batches.RUNNER)  # fmt: skip
def report(lab: LabName) -> State[Any]:
    """Write every report from what has been read; no file is read again."""
    summary = batches.run_as_tasks(labs.find_lab(lab), redraw=True)
    if any(failure.path in set(summary.cells["cell_id"]) for failure in summary.failures):
        return Failed(message="a report could not be written", data=summary)
    return Completed(message=f"{summary.cells_updated} cells reported", data=summary)
