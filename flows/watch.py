"""The watch as a flow: one look at a lab's folders, for a schedule of a lab's Prefect server.

``cellpipe watch`` looks each second and is the better way; where nothing but a Prefect worker may
run, this one looks each time it is run, waits until files have settled, and does the batch itself.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from cellpipe.core.checkout import flow_module
from cellpipe.service.watch.stability import WaitTimes
from cellpipe.service.watch.watcher import find_stable_files
from cellpipe.store.lab import resolve_lab

batches = flow_module("process")


@flow(name="watch", flow_run_name="watch {folder}", persist_result=False,
      task_runner=batches.RUNNER)  # fmt: skip
def watch(
    folder: str, out: str, time_zone: str | None = None, also: list[str] | None = None,
    settle_seconds: float = 10.0,
) -> State[Any]:  # fmt: skip
    """Look for files that are new or changed and settled, and process them."""
    lab = resolve_lab(folder, out, time_zone, also or ())
    lab.check()
    names = find_stable_files(lab, WaitTimes(settle=settle_seconds))
    if not names:
        return Completed(message="nothing new")
    summary = batches.run_as_tasks(lab, only=[lab.raw.path(name) for name in names])
    state: State[Any] = batches.state_from_summary(summary)
    return state
