"""Provide a Prefect server for a run: the one that PREFECT_API_URL names, or a local one.

A local server is started on loopback with its database in ``RESULTS/prefect``. The run waits for
its first answer, and stops it once its records are written. Prefect's ephemeral mode is never
used, because it loses task runs. This module must not import Prefect, which reads these settings
when it is imported.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellpipe.core.errors import ServerError
from cellpipe.service.prefect_api import call_api
from cellpipe.system.child_processes import call_on_stdin_close, start_module

NO_TELEMETRY = {  # neither client nor server sends anything from this machine
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}
RETENTION = {  # with the defaults a busy server drops task runs
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "2",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "500",
}
HEARTBEAT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}  # seconds; the shortest that Prefect allows
MODULE = "cellpipe.service.prefect_server"  # what a child process runs
_START_SECONDS = 180.0
_RECORD_SECONDS = 120.0


@contextmanager
def ensure_server(out: Path) -> Iterator[str]:
    """Yield the API address of a server that answers; stop it afterwards if it was started here.

    Raises
    ------
    ServerError
        If the named server does not answer, or a local one does not start.

    """
    os.environ.update(NO_TELEMETRY)
    named_url = os.environ.get("PREFECT_API_URL")
    if named_url:
        if not is_reachable(named_url):
            raise ServerError(
                f"no answer from {named_url}",
                expected="the Prefect server that PREFECT_API_URL names",
                remedy="start it with prefect server start, or unset PREFECT_API_URL",
            )  # fmt: skip
        yield named_url
        return
    with _local_server(out) as url:
        os.environ["PREFECT_API_URL"] = url
        try:
            yield url
        finally:
            del os.environ["PREFECT_API_URL"]


@contextmanager
def _local_server(out: Path) -> Iterator[str]:
    home = out.resolve() / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(home)
    os.environ["NO_PROXY"] = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    settings = {**os.environ, **RETENTION, "PREFECT_SERVER_UI_API_URL": url}
    with (home / "server.log").open("ab") as log:
        process = start_module(MODULE, "127.0.0.1", str(port), env=settings, stdout=log)
        try:
            _wait_until_up(process, url, home / "server.log")
            yield url
        finally:
            _stop(process)


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if is_reachable(url):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise ServerError(
        "a Prefect server that does not start", expected=f"an answer from {url}",
        remedy="see the log for the reason", file=log,
    )  # fmt: skip


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_reachable(url: str) -> bool:
    """Return whether a Prefect server answers at an API address."""
    try:
        call_api(url, "health", timeout=5)
    except ServerError:
        return False
    return True


def main(host: str, port: str) -> None:
    """Run the server in this process until it is stopped or its parent process ends."""
    import uvicorn

    os.environ["PREFECT__SERVER_FINAL"] = "1"
    call_on_stdin_close(_end)
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, host=host, port=int(port),
        log_level="warning", timeout_keep_alive=30,
    )  # fmt: skip


def _end() -> None:
    signal.raise_signal(signal.SIGINT)
    time.sleep(20)
    os._exit(1)


def wait_until_recorded(url: str, flow_run_id: str, tasks: int) -> int:
    """Wait until the server has recorded ``tasks`` finished task runs of a flow run.

    Returns
    -------
    How many it has recorded; fewer than ``tasks`` only after waiting for two minutes.

    """
    filters = {
        "flow_runs": {"id": {"any_": [flow_run_id]}},
        "task_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
    }
    deadline = time.monotonic() + _RECORD_SECONDS
    recorded = _count_task_runs(url, filters)
    while recorded < tasks and time.monotonic() < deadline:
        time.sleep(0.3)
        recorded = _count_task_runs(url, filters)
    return recorded


def _count_task_runs(url: str, filters: dict[str, object]) -> int:
    try:
        return int(call_api(url, "task_runs/count", filters))
    except ServerError:
        return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
