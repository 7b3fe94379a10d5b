"""Provide a Prefect server for a run: the one that PREFECT_API_URL names, or a local one.

A local server is started on loopback with its database in ``RESULTS/prefect`` and a password that
nothing but the run knows. Whoever can write into the results, or into the working directory, could
have Prefect run code by settings that lie there: its home and the working directory are a new
folder of this account alone while it is used. The run waits for its first answer, and stops it once
its records are written. Prefect's ephemeral mode is never used, because it loses task runs. This
module must not import Prefect, which reads these settings when it is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cellpipe.core.errors import ServerError
from cellpipe.service.prefect_api import EVERY_ADDRESS, call_api
from cellpipe.service.server_guard import Guard
from cellpipe.service.server_password import VARIABLE, chosen_password, make_password
from cellpipe.service.server_port import (
    HANDS_ON,
    SECRET,
    close_port,
    descriptors,
    is_own_server,
    make_secret,
    open_port,
    take_port,
)
from cellpipe.store.location import claim_folder
from cellpipe.system.child_processes import call_on_stdin_close, start_module
from cellpipe.system.log_files import make_room
from cellpipe.system.private_folder import (
    append_to,
    make_plain_folder,
    work_in_private_folder,
)

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
_FILES = ("prefect.db", "prefect.db-wal", "prefect.db-shm", "prefect.db.1", "server.log",
          "server.log.1")  # fmt: skip
_DATABASE = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
_RECORD_SECONDS = 120.0
_RECORD_BYTES = 500_000_000  # of Prefect's database in the results


@contextmanager
def ensure_server(out: Path) -> Iterator[str]:
    """Yield the API address of a server that answers; stop it afterwards if it was started here.

    Meanwhile the working directory is an empty folder.

    Raises
    ------
    ServerError
        If the named server does not answer, or a local one does not start.
    StoreError
        If a local one is needed, and the results folder holds what cellpipe did not write, or
        links in the place of Prefect's records.

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
        with work_in_private_folder():
            yield named_url
        return
    password = chosen_password() or make_password()
    out = out.resolve()
    with (
        work_in_private_folder() as home,
        _variables(_home_variables(home)),
        _local_server(out, home, password) as url,
        _variables(client_variables(url, password)),
    ):
        yield url


def _home_variables(home: Path) -> dict[str, str]:
    """Return the variables by which Prefect has all its files in a folder."""
    no_proxy = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1")))
    return {"NO_PROXY": no_proxy, **home_variables(home)}


def home_variables(home: Path) -> dict[str, str]:
    """Return the variables by which Prefect looks for its settings in a folder and nowhere else."""
    return {
        "PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_LOGGING_SETTINGS_PATH": str(home / "logging.yml"),
    }  # fmt: skip


def client_variables(url: str, password: str) -> dict[str, str]:
    """Return the variables with which Prefect's clients reach a server that cellpipe started.

    What a user has set for another server is left out.
    """
    return {
        "PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": password,
        "PREFECT_API_KEY": "", "PREFECT_CLIENT_CUSTOM_HEADERS": "{}",
    }  # fmt: skip


def server_variables(url: str, password: str) -> dict[str, str]:
    """Return the variables of a server that cellpipe starts: a password, and its own pages only."""
    own_page = url.removesuffix("/api")
    return {
        **client_variables(url, password), **RETENTION, VARIABLE: password,
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": own_page,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": own_page,
        "PREFECT_SERVER_UI_API_URL": "/api", "PREFECT_UI_API_URL": "/api",  # whatever its name is
    }  # fmt: skip


@contextmanager
def _variables(given: dict[str, str]) -> Iterator[None]:
    """Set environment variables, and put back what was there."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _local_server(out: Path, home: Path, password: str) -> Iterator[str]:
    claim_folder(out)
    records = out / "prefect"
    make_plain_folder(records, _FILES)
    make_room(records / "server.log")
    _make_room_for_records(records / "prefect.db")
    port = open_port("127.0.0.1", 0)
    number = port[0].getsockname()[1]
    if not HANDS_ON:
        close_port(port)
        port = []
    url = f"http://127.0.0.1:{number}/api"
    secret = make_secret()
    settings = {**os.environ, **server_variables(url, password), SECRET: secret}
    if not any(os.environ.get(name) for name in _DATABASE):
        settings[_DATABASE[0]] = f"sqlite+aiosqlite:///{(records / 'prefect.db').as_posix()}"
    try:
        with os.fdopen(append_to(records / "server.log"), "ab") as log:
            process = start_module(
                *server_arguments("127.0.0.1", number, port), env=settings, cwd=home, stdout=log,
                pass_fds=descriptors(port),
            )  # fmt: skip
        try:
            _wait_until_up(process, url, secret, records / "server.log")
            yield url
        finally:
            _stop(process)
    finally:
        close_port(port)


def server_arguments(
    host: str, number: int, port: list[socket.socket], hosts: Iterable[str] = ()
) -> list[str]:
    """Return the module and the arguments of a server that inherits an open port."""
    return [MODULE, host, str(number), ",".join(map(str, descriptors(port))), *hosts]


def _make_room_for_records(path: Path) -> None:
    """Put Prefect's database aside if it is large: the ledger is the record, and one old is kept.

    A server that lives for one run tidies up nothing itself.
    """
    if not path.is_file() or path.stat().st_size < _RECORD_BYTES:
        return
    with contextlib.suppress(OSError):  # another run's server holds it open
        path.replace(path.with_name("prefect.db.1"))
        for beside in ("prefect.db-wal", "prefect.db-shm"):
            path.with_name(beside).unlink(missing_ok=True)


def _wait_until_up(process: subprocess.Popen[bytes], url: str, secret: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if is_own_server(url, secret):
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


def is_port_used(host: str, port: int) -> bool:
    """Return whether some program takes connections at a port."""
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=5):
            return True
    except OSError:
        return False


def main(host: str, port: str, handed_on: str = "", *hosts: str) -> None:
    """Run the server in this process until it is stopped or its parent process ends.

    Parameters
    ----------
    host, port
        The address and the port that it answers at.
    handed_on
        The numbers of the sockets that listen there already, if it inherits them.
    hosts
        More names by which it is called.

    Raises
    ------
    ServerError
        If there is no password: it never starts without one.

    """
    if chosen_password() is None:
        raise ServerError(
            "a server without a password", expected=f"one in {VARIABLE}",
            remedy="start it with cellpipe serve",
        )  # fmt: skip
    import uvicorn
    from uvicorn.importer import import_from_string

    os.environ["PREFECT__SERVER_FINAL"] = "1"
    call_on_stdin_close(_end)
    names = {host, *hosts} - set(EVERY_ADDRESS)  # which are addresses to listen at, not to call
    create_app = import_from_string("prefect.server.api.server:create_app")
    sockets = take_port(handed_on, host, int(port))
    guard = Guard(create_app(), names, os.environ.pop(SECRET, ""))
    server = uvicorn.Server(uvicorn.Config(guard, log_level="warning", timeout_keep_alive=30))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=sockets)
    if not server.started:
        sys.exit(1)


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
