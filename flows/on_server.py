"""Run the batch flow on a Prefect server, for the command line.

Nothing here imports Prefect before the server's settings are there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cellpipe.core.checkout import flow_module
from cellpipe.service.prefect_server import ensure_server, wait_until_recorded

if TYPE_CHECKING:
    from cellpipe.config.settings import RunnerSettings
    from cellpipe.pipeline.summary import Summary
    from cellpipe.store.lab import Lab

_log = logging.getLogger("cellpipe")


def process_on_server(lab: Lab, runner: RunnerSettings | None = None) -> Summary:
    """Run the flow ``process`` on the server that PREFECT_API_URL names, or on a local one.

    Raises
    ------
    ServerError
        If there is no server and none can be started, or the flow broke down.

    """
    with ensure_server(lab.results) as url:
        process = flow_module("process").process
        if runner is not None:
            task_runner = flow_module("task_runners").make_task_runner(runner)
            process = process.with_options(task_runner=task_runner)
        named = replace(lab, name=lab.name or lab.folder.name or "lab")
        flow_module("labs").give_labs([named])
        state = process(named.name, return_state=True)
        summary = state.result(raise_on_failure=False)
        if isinstance(summary, BaseException):
            raise summary
        run = str(state.state_details.flow_run_id)
        tasks = flow_module("executor").task_runs[run]
        recorded = wait_until_recorded(url, run, tasks)
        if recorded < tasks:
            _log.warning("the server shows %d of %d task runs", recorded, tasks)
    return summary  # type: ignore[no-any-return]
