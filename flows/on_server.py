"""Run the batch flow on a Prefect server, for the command line.

Nothing here imports Prefect before the server's settings are there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.core.checkout import flow_module
from cellpipe.service.prefect_server import ensure_server, wait_until_recorded

if TYPE_CHECKING:
    from cellpipe.config.settings import RunnerSettings
    from cellpipe.pipeline.finalize import Summary

_log = logging.getLogger("cellpipe")


def process_on_server(
    folder: Path,
    out: Path,
    time_zone: str | None,
    also: Sequence[Path] = (),
    runner: RunnerSettings | None = None,
) -> Summary:
    """Run the flow ``process`` on the server that PREFECT_API_URL names, or on a local one.

    Raises
    ------
    ServerError
        If there is no server and none can be started, or the flow broke down.

    """
    with ensure_server(out) as url:
        batches = flow_module("process")
        process = batches.process
        if runner is not None:
            process = process.with_options(
                task_runner=flow_module("task_runners").make_task_runner(runner)
            )
        more = [os.fspath(path) for path in also]
        state = process(os.fspath(folder), os.fspath(out), time_zone, more, return_state=True)
        summary = state.result(raise_on_failure=False)
        if isinstance(summary, BaseException):
            raise summary
        run = str(state.state_details.flow_run_id)
        tasks = batches.task_runs[run]
        recorded = wait_until_recorded(url, run, tasks)
        if recorded < tasks:
            _log.warning("the server shows %d of %d task runs", recorded, tasks)
    return summary  # type: ignore[no-any-return]
