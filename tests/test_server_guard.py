"""The guard before Prefect's server, its password, and whom cellpipe tells which password."""

from __future__ import annotations

import base64
import errno
import itertools
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cellpipe.cli.main import main
from cellpipe.config.labs import labs_from_settings
from cellpipe.config.settings import read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import ServerError, SettingsError
from cellpipe.service import server_port, supervisor
from cellpipe.service.doctor import run_checks
from cellpipe.service.prefect_api import call_api
from cellpipe.service.prefect_server import client_variables, is_reachable, server_variables
from cellpipe.service.server_guard import Guard
from cellpipe.service.server_password import (
    VARIABLE,
    ensure_password,
    find_password,
    password_file,
    set_client_password,
)
from cellpipe.system.private_folder import make_private

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "CELLPIPE_S"))]:
        monkeypatch.delenv(name)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# --- the guard ------------------------------------------------------------------------------------


def answer(
    headers: list[tuple[str, str]], kind: str = "http", secret: str = "", **more: Any
) -> list[dict[str, Any]]:
    """Send one request through a guard; return what came back. The application says 'inside'."""
    sent: list[dict[str, Any]] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        if kind == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "method": "POST", "path": "/api/flow_runs/filter", "headers": pairs}
    with suppress(StopIteration):  # nothing in it waits
        Guard(app, ("labpc", "192.168.1.5"), secret)(scope | more, receive, send).send(None)  # type: ignore[attr-defined]
    return sent


def reaches(headers: list[tuple[str, str]], **more: Any) -> bool:
    sent = answer(headers, **more)
    inside = any(message.get("body") == b"inside" for message in sent)
    assert inside == (sent[0].get("status") == 200)
    return inside


HOSTS = {
    "127.0.0.1:4200": True, "localhost:4200": True, "[::1]:4200": True, "LOCALHOST": True,
    "labpc:4200": True, "192.168.1.5:8080": True,
    "evil.example:4200": False, "127.0.0.1.evil.example": False, "localhost.": False, "": False,
    "127.0.0.1@evil.example": False, "evil.example#127.0.0.1": False, "0.0.0.0:4200": False,
    "127.1:4200": False, "2130706433": False, "192.168.1.6": False, "127.0.0.1:4200:1": False,
    "127.0.0.1, evil.example": False, "[::2]:4200": False, "127.0.0.1\n": True,
}  # fmt: skip
ORIGINS = {
    None: True, "http://{}": True, "https://{}": True, "null": False, "": False, "*": False,
    "http://127.0.0.1:4201": False, "http://evil.example": False, "http://localhost": False,
    "http://{}.evil.example": False, "http://{}/": False, "file://": False, "{}": False,
    "ws://{}": False, "http://evil.example/{}": False, "http://user@{}": False,
}  # fmt: skip
SITES = {None: True, "same-origin": True, "none": True, "same-site": False, "cross-site": False,
         "": False, "same-origin, cross-site": False}  # fmt: skip
TYPES = {
    "application/json": True, "application/json; charset=utf-8": True, "Application/JSON": True,
    None: False, "text/plain": False, "application/x-www-form-urlencoded": False,
    "multipart/form-data; boundary=x": False, "text/plain; application/json": False, "": False,
}  # fmt: skip


def test_a_request_passes_only_if_all_of_it_is_right() -> None:
    count = 0
    for host, origin, site, kind in itertools.product(HOSTS, ORIGINS, SITES, TYPES):
        headers = [("host", host), ("content-length", "2")]
        own = host.strip().lower()
        headers += [("origin", origin.format(own))] if origin is not None else []
        headers += [("sec-fetch-site", site)] if site is not None else []
        headers += [("content-type", kind)] if kind is not None else []
        right = HOSTS[host] and ORIGINS[origin] and SITES[site] and TYPES[kind]
        if origin == "http://localhost" and own == "localhost":
            right = HOSTS[host] and SITES[site] and TYPES[kind]  # its own page
        assert reaches(headers) == right, headers
        count += right
    assert count > 100


GOOD = [("host", "127.0.0.1:4200")]


@pytest.mark.parametrize("name", ["host", "origin", "sec-fetch-site", "content-type"])
def test_of_a_header_that_comes_twice_neither_helps(name: str) -> None:
    good = {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200",
            "sec-fetch-site": "same-origin", "content-type": "application/json",
            "content-length": "2"}  # fmt: skip
    bad = {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "cross-site",
           "content-type": "text/plain"}[name]  # fmt: skip
    assert reaches(list(good.items()))
    assert not reaches([*good.items(), (name, bad)])
    assert not reaches([(name, bad), *good.items()])


def test_a_body_without_a_length_is_a_body() -> None:
    assert not reaches([*GOOD, ("transfer-encoding", "chunked")])
    assert not reaches([*GOOD, ("content-length", "0"), ("content-length", "9")])
    assert reaches([*GOOD, ("content-length", "0")])
    assert not reaches([])


@pytest.mark.parametrize(
    ("path", "mode", "dest", "method", "passes"),
    [
        ("/runs", "navigate", "document", "GET", True),  # a link to the page
        ("/runs", "navigate", "iframe", "GET", False),
        ("/runs", "navigate", "document", "POST", False),
        ("/runs", "no-cors", "image", "GET", False),
        ("/runs", "no-cors", "document", "GET", False),
        ("/api", "navigate", "document", "GET", False),
        ("/api/flow_runs/1", "navigate", "document", "GET", False),
    ],
)
def test_another_site_may_link_to_a_page_and_nothing_else(
    path: str, mode: str, dest: str, method: str, passes: bool
) -> None:
    headers = [*GOOD, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode),
               ("sec-fetch-dest", dest)]  # fmt: skip
    assert reaches(headers, path=path, method=method) == passes


def test_a_websocket_of_another_page_is_not_accepted() -> None:
    own = ("origin", "http://127.0.0.1:4200")
    for headers in (GOOD, [*GOOD, own]):
        assert answer(headers, "websocket") == [{"type": "websocket.accept"}]
    for headers in ([*GOOD, ("origin", "http://127.0.0.1:4201")], [*GOOD, ("origin", "null")],
                    [("host", "evil.example:4200")]):  # fmt: skip
        (closed,) = answer(headers, "websocket")
        assert closed["type"] == "websocket.close"


def test_every_answer_forbids_frames_and_other_origins() -> None:
    for headers in (GOOD, [("host", "evil.example")]):
        sent = dict(answer(headers)[0]["headers"])
        assert b"frame-ancestors 'none'" in sent[b"content-security-policy"]
        assert sent[b"x-frame-options"] == b"DENY"
        assert sent[b"cross-origin-resource-policy"] == b"same-origin"
        assert b"access-control-allow-origin" not in sent


def test_no_server_starts_without_a_password(tmp_path: Path) -> None:
    for value in (None, "", " "):
        given = os.environ | ({VARIABLE: value} if value is not None else {})
        done = subprocess.run(
            [sys.executable, "-m", "cellpipe.service.prefect_server", "127.0.0.1", "4999"],
            env=given | {"PREFECT_HOME": str(tmp_path)}, check=False, capture_output=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode
        assert b"a server without a password" in done.stderr


# --- the password ---------------------------------------------------------------------------------


def test_a_password_is_made_once_and_kept(tmp_path: Path) -> None:
    first = ensure_password(tmp_path)
    again = ensure_password(tmp_path)
    assert first.is_new
    assert not again.is_new
    assert first.text == again.text == find_password(tmp_path)
    assert len(first.text) > 40
    assert first.text.startswith("cellpipe:")
    assert first.text not in repr(first)
    assert names_in(tmp_path) == ["password.txt"]
    assert ensure_password(tmp_path.parent).text != first.text
    password_file(tmp_path.parent).unlink()


@posix
def test_no_one_else_can_read_it_from_its_very_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    opened = os.fdopen

    def look(descriptor: int, *rest: Any, **more: Any) -> Any:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        return opened(descriptor, *rest, **more)

    monkeypatch.setattr(os, "fdopen", look)
    before = os.umask(0)
    try:
        ensure_password(tmp_path)
    finally:
        os.umask(before)
    assert modes[0] == 0o600
    assert set(modes) == {0o600}
    assert password_file(tmp_path).stat().st_mode & 0o777 == 0o600


@posix
def test_doctor_says_where_it_is_and_who_may_look(tmp_path: Path) -> None:
    settings = tmp_path / "cellpipe.toml"
    settings.write_text("[[lab]]\nfolder = 'lab'\nresults = 'out'\n")

    def state() -> tuple[str, str]:
        (found,) = (check for check in run_checks(settings) if check.what == "password")
        return found.state, found.found

    assert state() == ("good", "none yet: the first start of cellpipe serve makes it")
    home = tmp_path / "prefect"
    home.mkdir(mode=0o700)
    text = ensure_password(home).text
    assert state()[0] == "good"
    assert str(password_file(home)) in state()[1]
    assert text not in state()[1]
    home.chmod(0o755)
    assert state()[0] == "note"


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_one_that_others_can_read_is_refused(
    tmp_path: Path, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "cellpipe.toml"
    settings.write_text("[[lab]]\nfolder = 'lab'\nresults = 'out'\n")
    home = tmp_path / "prefect"
    home.mkdir(mode=0o700)
    text = ensure_password(home).text
    password_file(home).chmod(mode)
    with pytest.raises(SettingsError, match=r"others can read .*delete the file") as refused:
        ensure_password(home)
    assert text not in str(refused.value)
    (found,) = (check for check in run_checks(settings) if check.what == "password")
    assert found.state == "bad"
    assert text not in found.found + found.remedy
    assert main(["serve", "--settings", str(settings)]) == 2
    said = capsys.readouterr()
    assert "password" in said.err
    assert text not in said.out + said.err


@pytest.mark.parametrize("content", ["", "\n", "no colon", "a:b\nc:d", "lab:schlüssel"])
def test_what_is_no_password_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = password_file(tmp_path)
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"expected .*remedy: delete the file"):
        ensure_password(tmp_path)
    assert path.read_text(encoding="utf-8") == content


@posix
def test_what_is_no_file_of_this_account_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("cellpipe:x")
    kept.chmod(0o600)
    path = password_file(tmp_path)
    path.symlink_to(kept)
    with pytest.raises(SettingsError, match="another account"):
        ensure_password(tmp_path)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(SettingsError, match="another account"):
        ensure_password(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="another account"):
        ensure_password(tmp_path)
    path.rmdir()
    ensure_password(tmp_path)
    if os.geteuid() == 0:
        os.chown(path, 1234, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SettingsError, match="another account"):
        ensure_password(tmp_path)


def test_of_two_that_are_made_at_once_one_stays(tmp_path: Path) -> None:
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(ensure_password(tmp_path).text))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 16
    assert set(made) == {find_password(tmp_path)}


@posix
def test_a_disk_without_permissions_keeps_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.fdopen

    def widen(descriptor: int, *rest: Any, **more: Any) -> Any:
        os.fchmod(descriptor, 0o777)
        return opened(descriptor, *rest, **more)

    monkeypatch.setattr(os, "fdopen", widen)
    with pytest.raises(SettingsError, match=f"set {VARIABLE}"):
        ensure_password(tmp_path)
    assert names_in(tmp_path) == []


def test_on_windows_its_access_list_names_the_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[list[str]] = []
    empty: list[bool] = []

    def run(command: list[str], **_: Any) -> Any:
        asked.append(command)
        empty.append(not Path(command[1]).read_text())
        return subprocess.CompletedProcess(command, len(asked) - 1)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "run", run)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ensure_password(tmp_path / name)
    assert asked[0][0].endswith("icacls.exe")
    assert asked[0][2:] == ["/inheritance:r", "/grant:r", "*S-1-3-4:F"]
    assert empty == [True, True]  # before the password is in it
    assert "no other account" in caplog.text  # of the second, which failed


def test_a_password_that_the_user_chose_is_used_and_no_other_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "lab:chosen")
    assert ensure_password(tmp_path).text == find_password(tmp_path) == "lab:chosen"
    assert names_in(tmp_path) == []
    monkeypatch.setenv(VARIABLE, "lab:schlüssel")
    with pytest.raises(SettingsError, match="without accents") as refused:
        ensure_password(tmp_path)
    assert "schlüssel" not in str(refused.value)
    monkeypatch.setenv(VARIABLE, " ")
    assert ensure_password(tmp_path).is_new  # an empty variable is no password


# --- whom it is told ------------------------------------------------------------------------------


class Told(ThreadingHTTPServer):
    """A server that keeps what it is told, and may send on to another one."""

    def __init__(self, onward: str = "") -> None:
        self.told: list[str | None] = []
        self.onward = onward
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Told)
        server.told.append(self.headers["Authorization"])
        self.send_response(302 if server.onward else 200)
        if server.onward:
            self.send_header("Location", f"{server.onward}/health")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as one:
        yield one
        one.shutdown()


def test_a_password_for_one_server_is_told_to_no_other(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "them:their-password")
    assert is_reachable(told.url)
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example.org/api")
    assert is_reachable(told.url)
    monkeypatch.setenv("PREFECT_API_KEY", "their-key")
    assert is_reachable(told.url)
    assert told.told == [None, None, None]
    monkeypatch.setenv("PREFECT_API_URL", f"{told.url}/")
    monkeypatch.setenv("PREFECT_API_KEY", "")
    assert is_reachable(told.url)
    assert told.told[-1] == f"Basic {base64.b64encode(b'them:their-password').decode()}"
    with Told(onward=told.url) as sends_on:
        monkeypatch.setenv("PREFECT_API_URL", sends_on.url)
        assert call_api(sends_on.url, "health") is True
        sends_on.shutdown()
    assert sends_on.told[0] is not None
    assert told.told[-1] is None  # not the one that it was sent on to


def test_what_is_set_for_another_server_does_not_reach_the_one_that_is_started() -> None:
    given = server_variables("http://127.0.0.1:4200/api", "cellpipe:ours")
    assert given[VARIABLE] == given["PREFECT_API_AUTH_STRING"] == "cellpipe:ours"
    assert given["PREFECT_API_KEY"] == ""
    assert given["PREFECT_CLIENT_CUSTOM_HEADERS"] == "{}"
    for name in ("PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS", "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"):
        assert given[name] == "http://127.0.0.1:4200"
    assert VARIABLE not in client_variables("http://127.0.0.1:4200/api", "cellpipe:ours")


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("http://127.0.0.1:4200/api", True),
        ("http://localhost:4200/api", True),
        ("http://127.0.0.1:4201/api", False),
        ("http://127.0.0.1.evil.example:4200/api", False),
        ("http://127.0.0.1:4200@evil.example/api", False),
        ("https://prefect.example.org/api", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_a_command_finds_the_password_for_its_own_server_only(
    url: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cellpipe.toml"
    path.write_text("[[lab]]\nfolder = 'a'\nresults = 'b'\n")
    server = read_settings(path).server
    text = ensure_password(tmp_path).text
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "")  # put back afterwards
    set_client_password(server, tmp_path)
    assert (os.environ["PREFECT_API_AUTH_STRING"] == text) == is_told
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:mine")
    set_client_password(server, tmp_path)
    assert os.environ["PREFECT_API_AUTH_STRING"] == "me:mine"


def test_a_program_at_the_port_is_told_nothing(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cellpipe.toml"
    path.write_text(f"[[lab]]\nfolder = 'a'\nresults = 'b'\n[server]\nport = {told.server_port}\n")
    monkeypatch.setattr(supervisor, "_PORT_SECONDS", 0.0)
    with pytest.raises(ServerError, match="another program at port"):
        supervisor.serve(path, threading.Event())
    assert told.told == []
    ended = supervisor.Child("server", [], tmp_path / "x.log", after=math.inf)  # it can't start
    flows = supervisor.Child("flows", [], tmp_path / "y.log")
    monkeypatch.setattr(supervisor, "_START_SECONDS", 0.2)
    with pytest.raises(ServerError, match="no answer"):
        supervisor._keep_alive([ended, flows], told.url, threading.Event(), ended)
    assert flows.process is None  # not started: it would have said the password


# --- names of labs --------------------------------------------------------------------------------


def written(folder: Path, *labs: str) -> Path:
    path = folder / "cellpipe.toml"
    rows = [f"[[lab]]\nresults = 'results-{n}'\n{lab}\n" for n, lab in enumerate(labs)]
    path.write_text("".join(rows))
    return path


def test_a_lab_has_a_name_of_its_own(tmp_path: Path) -> None:
    def names(*labs: str) -> list[str]:
        return [lab.name for lab in labs_from_settings(read_settings(written(tmp_path, *labs)))]

    assert names("folder = 'exports'", "folder = 'b'\nname = 'B 2'") == ["exports", "B 2"]
    assert names("folder = 'a/raw'", "folder = 'b/raw'", "folder = 'c'") == ["a/raw", "b/raw", "c"]
    assert names("folder = 'x'\nname = 'raw'", "folder = 'b/raw'") == ["raw", "b/raw"]
    for wrong in ("folder = 'a'\nname = 'X'", "folder = 'b'"):
        with pytest.raises(SettingsError, match=r"two labs called .*name for each"):
            names(wrong, wrong.replace("X", "x"))


def test_a_name_that_no_lab_has_is_an_error_that_tells_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "folder = 'exports'", "folder = 'b'\nname = 'B'")
    monkeypatch.setenv("CELLPIPE_SETTINGS", str(path))
    labs = flow_module("labs")
    labs.give_labs([])
    assert labs.find_lab("B").folder == (tmp_path / "b").resolve()
    for name in ("b", str(tmp_path / "b"), "../b", "exports/", ""):
        with pytest.raises(SettingsError, match="expected one of 'exports', 'B'"):
            labs.find_lab(name)
    assert names_in(tmp_path) == ["cellpipe.toml"]  # no folder was made


def test_no_flow_takes_a_folder() -> None:
    flows = [("process", "process"), ("process", "process_batch"), ("nightly", "nightly"),
             ("watch", "watch"), ("report", "report")]  # fmt: skip
    taken = {
        f"{name}.{parameter}"
        for module, name in flows
        for parameter in getattr(flow_module(module), name).parameters.properties
    }
    assert taken == {"process.lab", "process_batch.lab", "process_batch.batch", "nightly.labs",
                     "watch.lab", "watch.settle_seconds", "report.lab"}  # fmt: skip


def test_a_watch_of_a_folder_without_a_name_asks_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    for name in ("known", "other"):
        (tmp_path / name).mkdir()
    path = written(tmp_path, "folder = 'known'")
    monkeypatch.setenv("PREFECT_API_URL", told.url)
    monkeypatch.chdir(tmp_path)
    for more in (["other", "--out", "out"], ["known", "--out", "elsewhere"]):
        assert main(["watch", *more, "--settings", str(path)]) == 2
        assert "no lab of" in capsys.readouterr().err
    assert not told.told


def test_a_server_that_needs_a_password_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked(Handler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        with pytest.raises(ServerError, match="set PREFECT_API_AUTH_STRING") as refused:
            call_api(f"http://127.0.0.1:{one.server_port}/api", "deployments/1")
        one.shutdown()
    assert refused.value.status == 401


# --- the port, and the folder ---------------------------------------------------------------------


def gets(thief: socket.socket, address: Any) -> bool:
    try:
        thief.bind(address)
        thief.listen()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


@posix
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104
def test_a_port_that_is_held_is_got_by_nobody_else(host: str) -> None:
    held = server_port.open_port(host, 0)
    port = held[0].getsockname()[1]
    own = [(one.family, one.getsockname()) for one in held]
    try:
        for family, address in [*own, (held[0].family, ("127.0.0.1", port))]:
            for option in (0, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                with socket.socket(family) as thief:
                    if option:
                        thief.setsockopt(socket.SOL_SOCKET, option, 1)
                    assert not gets(thief, address), address
    finally:
        server_port.close_port(held)


@posix
@pytest.mark.slow
def test_the_port_is_held_before_the_server_starts_and_between_two_of_them(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "lab").mkdir()
    path = tmp_path / "cellpipe.toml"
    path.write_text(f"[[lab]]\nfolder = 'lab'\nresults = 'out'\n[server]\nport = {port}\n")
    tried: list[bool] = []

    def said() -> str:
        log = tmp_path / "prefect" / "serve.log"
        return log.read_text() if log.is_file() else ""

    def steal() -> None:
        """Try to get the port, from the server's first appearance in the list of processes on."""
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.append(gets(thief, ("127.0.0.1", port)))

    with subprocess.Popen(
        [sys.executable, "-m", "cellpipe", "serve"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as served:  # fmt: skip
        try:
            for starts in (1, 2):
                deadline = time.monotonic() + 200
                while "watch started" not in said() or said().count("server started") < starts:
                    assert time.monotonic() < deadline, said()
                    if "server started" in said():
                        steal()
                    time.sleep(0.2)
                steal()
                if starts == 1:
                    line = next(x for x in said().splitlines() if "server started" in x)
                    os.kill(int(line.rpartition("process ")[2].rstrip(")")), signal.SIGKILL)
        finally:
            served.terminate()
            served.wait(timeout=90)
    assert len(tried) > 5
    assert not any(tried)


def test_only_who_knows_the_secret_is_taken_for_the_server(told: Told) -> None:
    secret = server_port.make_secret()
    assert not server_port.is_own_server(told.url, secret)
    assert told.told == [None]
    nonce = (server_port.NONCE_HEADER.lower(), "abc")
    proof = server_port.PROOF_HEADER.lower().encode()

    def proofs(given: str, *headers: tuple[str, str]) -> list[bytes]:
        sent = answer([*GOOD, *headers], secret=given)
        return [value for name, value in sent[0]["headers"] if name == proof]

    assert proofs(secret, nonce) == [server_port.make_proof(secret, "abc").encode()]
    assert proofs("other", nonce) != proofs(secret, nonce)
    assert proofs("", nonce) == proofs(secret) == proofs(secret, nonce, nonce) == []


@posix
def test_a_folder_of_others_is_no_home_of_prefect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab").mkdir()
    path = written(tmp_path, "folder = 'lab'")
    home = tmp_path / "prefect"
    home.mkdir()
    home.chmod(0o777)
    make_private(home)
    assert home.stat().st_mode & 0o777 == 0o700
    with monkeypatch.context() as patched:  # a disk without permissions
        patched.setattr(Path, "chmod", lambda *_: None)
        home.chmod(0o700)
        os.chmod(home, 0o770)  # noqa: PTH101, S103 - the other one does nothing
        with pytest.raises(SettingsError, match="stays open to other accounts"):
            make_private(home)
    if os.geteuid() != 0:
        return
    (home / "logging.yml").write_text("version: 1")
    os.chown(home / "logging.yml", 1234, -1)
    with pytest.raises(SettingsError, match=r"a file of another account \(logging.yml\)"):
        make_private(home)
    (home / "logging.yml").unlink()
    os.chown(home, 1234, -1)
    assert main(["serve", "--settings", str(path)]) == 2
    assert "a folder of another account" in capsys.readouterr().err
