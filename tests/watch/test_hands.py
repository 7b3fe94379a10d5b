"""A Prefect server that is away, forgets or never comes, and what becomes of runs then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cellpipe.config.settings import read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import ServerError
from cellpipe.service import supervisor
from cellpipe.service.supervisor import Child
from cellpipe.service.watch.batch_runner import PrefectRunner


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if "forgotten" in self.path else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}/api"
        one.shutdown()


def test_only_a_server_that_says_so_has_forgotten_a_run(server: str) -> None:
    assert PrefectRunner(server).state("forgotten") == ("died", "the server forgot it")
    assert PrefectRunner(server).state("a404") == ("running", "")
    assert PrefectRunner("http://127.0.0.1:4040/api").state("one") == ("running", "")


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert PrefectRunner(server).state("forgotten")[0] == "died"


def test_the_runner_outlives_a_server_that_goes_between_two_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = flow_module("runner")
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    runner = module.Runner("http://127.0.0.1:9/api", {})
    begun: list[Any] = []

    def run(one: Any) -> None:
        begun.append(one)
        if one == 2:
            raise ConnectionError("gone")

    monkeypatch.setattr(runner, "_due_runs", lambda: [1, 2, 3])
    monkeypatch.setattr(runner, "_run", run)
    runner.run_due()
    assert begun == [1, 2]


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "127.0.0.1"), ("fd00::7", "[fd00::7]")],
)
def test_addresses_of_both_kinds_make_a_url(
    host: str, reached: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "lab:secret")
    path = tmp_path / "cellpipe.toml"
    path.write_text(f"[[lab]]\nfolder = 'a'\nresults = 'b'\n[server]\nhost = '{host}'\n")
    assert supervisor._local_host(read_settings(path)) == reached


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_START_SECONDS", 0.5)
    monkeypatch.setattr(supervisor, "_LOOK_SECONDS", 0.1)
    child = Child("server", ["json.tool", "no-such-file"], tmp_path / "x.log")
    with pytest.raises(ServerError, match=r"no answer from .* remedy: the log says why"):
        supervisor._keep_alive([child], "http://127.0.0.1:9/api", threading.Event(), child)
