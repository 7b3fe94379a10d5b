"""The watch as a flow: one look at a lab's folders, for a schedule of a lab's Prefect server.

``cellpipe watch`` looks each second and is the better way; where nothing but a Prefect worker may
run, this one looks each time it is run, waits until files have settled, and does the batch itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from cellpipe.config.labs import LabName
from cellpipe.core.checkout import flow_module
from cellpipe.service.watch.stability import WaitTimes
from cellpipe.service.watch.watcher import find_stable_files

batches = flow_module("process")
labs = flow_module("labs")
Seconds = Annotated[float, Field(gt=0, le=3600)]


@flow(name="watch", flow_run_name="watch {lab}", persist_result=False,
      task_runner=batches.RUNNER)  # fmt: skip
def watch(lab: LabName, settle_seconds: Seconds = 10.0) -> State[Any]:
    """Look for files that are new or changed and settled, and process them."""
    found = labs.find_lab(lab)
    found.check()
    names = find_stable_files(found, WaitTimes(settle=settle_seconds))
    if not names:
        return Completed(message="nothing new")
    summary = batches.run_as_tasks(found, only=[found.raw.path(name) for name in names])
    state: State[Any] = batches.state_from_summary(summary)
    return state
