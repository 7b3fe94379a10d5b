"""Run Prefect's server, the flows and the watch as child processes, for ``cellpipe serve``.

A child that ends is restarted, after one second at first and one minute at most. Every child
ends when this process does, for whatever reason (:mod:`cellpipe.system.child_processes`).
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cellpipe.config.settings import Settings, read_settings
from cellpipe.core.clean_text import clean_line
from cellpipe.core.errors import ServerError, SettingsError
from cellpipe.service import prefect_server, server_port
from cellpipe.service.prefect_api import EVERY_ADDRESS, LOOPBACK
from cellpipe.service.server_password import (
    VARIABLE,
    Password,
    chosen_password,
    ensure_password,
)
from cellpipe.system.child_processes import start_module
from cellpipe.system.log_files import BoundedLogHandler
from cellpipe.system.orphans import end_orphans
from cellpipe.system.private_folder import make_private

_LOOK_SECONDS = 0.5
_HEALTH_SECONDS = 15.0
_SILENT = 4  # failed health checks in a row after which the server is restarted
_LONG_LIFE = 300.0
_LONGEST_PAUSE = 60.0
_END_SECONDS = 40.0
_PORT_SECONDS = 30.0
_START_SECONDS = 180.0  # time limit for the first answer of a server
_log = logging.getLogger("cellpipe")


@dataclass
class Child:
    """A child process that is kept running: a module, and its arguments."""

    name: str
    arguments: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: list[socket.socket] = field(default_factory=list)  # open, for it to inherit
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    after: float = 0.0
    pause: float = 1.0

    def ensure_running(self) -> None:
        """Start the process if it is not running and its pause is over."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            if now - self.began > _LONG_LIFE:
                self.pause = 1.0
            _log.warning(
                "%s ended (%s); again in %.0f s", self.name, self.process.returncode, self.pause
            )
            if self.process.stdin is not None:
                self.process.stdin.close()
            self.process = None
            self.after, self.pause = now + self.pause, min(_LONGEST_PAUSE, 2 * self.pause)
        if self.process is None and now >= self.after:
            self.start()

    def start(self) -> None:
        """Start the process, and the thread that writes its log."""
        self.began = time.monotonic()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = start_module(
            *self.arguments, stdout=subprocess.PIPE,
            env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            cwd=self.log.parent, pass_fds=server_port.descriptors(self.port),
        )  # fmt: skip
        _log.info("%s started (process %d)", self.name, self.process.pid)
        if self.process.stdout is not None:
            threading.Thread(
                target=_copy_to_log, args=(self.process.stdout, self.log), daemon=True
            ).start()

    def end(self) -> None:
        """Close the process's stdin, which asks it to end; kill it if it does not in 40 seconds."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _log.info("%s ended", self.name)


def _copy_to_log(stream: IO[bytes], log: Path) -> None:
    """Write a child's output to a log of limited size."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handler = BoundedLogHandler(log, size=5_000_000, kept=2)
    with stream:
        for line in stream:
            text = clean_line(line.decode("utf-8", "replace").rstrip())
            handler.emit(logging.LogRecord(log.stem, logging.INFO, "", 0, text, None, None))
    handler.close()


def home_folder(path: Path) -> Path:
    """Return the folder of Prefect's database and all logs, beside the settings."""
    return path.resolve().parent / "prefect"


def serve(path: Path, is_over: threading.Event) -> int:
    """Run all children until ``is_over`` is set; return the exit code.

    Raises
    ------
    SettingsError
        If the settings are wrong, would open the server to other machines without a password, or
        other accounts can write into the folder of Prefect's database.
    ServerError
        If Prefect's server does not start.

    """
    path = path.resolve()  # the children work in a folder of their own
    settings = read_settings(path)
    home = home_folder(path)
    make_private(home)
    environment = {
        **prefect_server.NO_TELEMETRY, **prefect_server.HEARTBEAT,
        **prefect_server.home_variables(home),
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost"))),
    }  # fmt: skip
    named_url = os.environ.get("PREFECT_API_URL")
    url = named_url or f"http://{_local_host(settings)}:{settings.server.port}/api"
    children: list[Child] = []
    port: list[socket.socket] = []
    if not named_url:
        end_orphans()  # one of an earlier start may hold the port
        password = ensure_password(home)
        port = _open_port(settings.server.host, settings.server.port, is_over)
        children.append(_make_server(settings, home, environment, url, password.text, port))
        environment |= prefect_server.client_variables(url, password.text)
        if password.is_new:
            _tell_password(password)
    flows = Child("flows", ["cellpipe.flows.runner", str(path)], home / "flows.log", environment)
    watch = Child(
        "watch",
        ["cellpipe", "watch", "--settings", str(path)],
        home / "watch.log",
        environment,
    )
    children += [flows, watch]
    print(f"Serving. What runs and ran: {url.removesuffix('/api')}  Ctrl+C ends it.", flush=True)  # noqa: T201
    try:
        _keep_alive(children, url, is_over, None if named_url else children[0])
    finally:
        for child in reversed(children):
            child.end()
        server_port.close_port(port)
    return 0


def _open_port(host: str, port: int, is_over: threading.Event) -> list[socket.socket]:
    """Open the port when it is free: a program that had it would be told the password.

    Where the server can't inherit it, it is only looked at.

    Raises
    ------
    ServerError
        If it stays taken, or can't be opened.

    """
    deadline = time.monotonic() + _PORT_SECONDS  # an earlier server takes some time to end
    while True:
        try:
            found = server_port.open_port(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise _port_error(port, error) from error
        else:
            if server_port.HANDS_ON:
                return found
            server_port.close_port(found)
            return []
        if is_over.wait(_LOOK_SECONDS):
            return []


def _port_error(port: int, error: OSError) -> ServerError:
    is_taken = error.errno == errno.EADDRINUSE
    return ServerError(
        f"another program at port {port}" if is_taken
        else f"a port that can't be opened, {port} ({error.strerror or error})",
        expected="a free port for Prefect's server",
        remedy="end it, if it is an earlier cellpipe serve; or set another port under [server]",
    )  # fmt: skip


def _tell_password(password: Password) -> None:
    """Say once where a new password is, never the password itself."""
    _log.info("a password was made: %s", password.file)
    print(  # noqa: T201
        f"Prefect's page and API have a password of this machine's own: {password.file}\n"
        "The page asks for it once in each browser: copy the whole line.", flush=True,
    )  # fmt: skip


def _local_host(settings: Settings) -> str:
    """Return the host name at which this machine reaches its own server.

    For a server that other machines can reach, somebody must have chosen a password: it is told
    to others, and travels.

    Raises
    ------
    SettingsError
        If nobody has.

    """
    host = settings.server.host
    if host in LOOPBACK:
        return f"[{host}]" if ":" in host else host
    if chosen_password() is None:
        raise SettingsError(
            f"the host {host}, which other machines can reach, and no password that you chose",
            expected="127.0.0.1, or a password for Prefect's API",
            remedy=f"set {VARIABLE} to user:secret",
        )  # fmt: skip
    if host in EVERY_ADDRESS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _make_server(
    settings: Settings, home: Path, shared: dict[str, str], url: str, password: str,
    port: list[socket.socket],
) -> Child:  # fmt: skip
    given = settings.server
    environment = {
        **shared, **prefect_server.server_variables(url, password),
        server_port.SECRET: server_port.make_secret(),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(86_400 * given.keep_days),
    }  # fmt: skip
    if given.database:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = given.database
    arguments = prefect_server.server_arguments(given.host, given.port, port, given.hosts)
    return Child("server", arguments, home / "server.log", environment, port)


def _keep_alive(
    children: list[Child], url: str, is_over: threading.Event, server: Child | None
) -> None:
    failed_checks, next_health, has_answered = 0, 0.0, False
    deadline = time.monotonic() + _START_SECONDS
    while not is_over.wait(_LOOK_SECONDS):
        for child in children:
            if child is server or has_answered:
                child.ensure_running()
        now = time.monotonic()
        if now < next_health and has_answered:
            continue
        is_running = server is None or (
            server.process is not None and server.process.poll() is None
        )  # another program may have taken its port
        if is_running and _answers(url, server):
            failed_checks, has_answered, next_health = 0, True, now + _HEALTH_SECONDS
        elif has_answered:
            failed_checks, next_health = failed_checks + 1, now + _HEALTH_SECONDS
        elif server is not None and now > deadline:
            raise ServerError(
                f"no answer from {url} in {_START_SECONDS:.0f} seconds",
                expected="Prefect's server, started here", file=server.log,
                remedy="the log says why; cellpipe doctor says whether the port is taken",
            )  # fmt: skip
        if failed_checks >= _SILENT and server is not None and server.process is not None:
            _log.warning("the server does not answer; it is started again")
            server.process.kill()
            failed_checks = 0


def _answers(url: str, server: Child | None) -> bool:
    """Return whether the server answers; one that was started here proves that it is the one."""
    if server is None:
        return prefect_server.is_reachable(url)
    return server_port.is_own_server(url, server.environment.get(server_port.SECRET, ""))
