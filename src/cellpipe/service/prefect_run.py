"""Running the batch flow on a Prefect server, from the command line."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellpipe.pipeline.finalize import Summary
    from cellpipe.config.settings import RunnerSettings

_log = logging.getLogger("cellpipe")


def flow_module(name: str) -> Any:
    """Import a module of ``flows/``; Prefect is imported only then."""
    return importlib.import_module(f"cellpipe.flows.{name}")


def secret_block(name: str) -> str:
    """Give what a Secret block of Prefect holds; Prefect is imported only then."""
    return str(flow_module("blocks").block(name))


def main() -> None:
    """Run ``flows/NAME.py``'s ``main`` with the rest of the arguments: a child of ``serve``."""
    flow_module(sys.argv[1]).main(*sys.argv[2:])


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
    server = flow_module("server")
    with server.server_for(out) as url:
        batches = flow_module("process")
        process = batches.process
        if runner is not None:
            process = process.with_options(task_runner=flow_module("runners").runner_of(runner))
        more = [os.fspath(path) for path in also]
        state = process(os.fspath(folder), os.fspath(out), time_zone, more, return_state=True)
        summary = state.result(raise_on_failure=False)
        if isinstance(summary, BaseException):
            raise summary
        run = str(state.state_details.flow_run_id)
        tasks = batches.task_runs[run]
        recorded = server.wait_until_recorded(url, run, tasks)
        if recorded < tasks:
            _log.warning("the server shows %d of %d task runs", recorded, tasks)
    return summary  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
