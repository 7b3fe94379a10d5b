"""``cellpipe serve`` with its server, flows and watch, on a machine whose network is cut off."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from cellpipe.pipeline.run import process
from cellpipe.store import Ledger
from made_files import neware_csv
from result_facts import files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("serve")]
CUT_OFF = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


class Served:
    """A lab that is served, in a network of its own that holds nothing but loopback."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.lab, self.out = folder / "lab", folder / "out"
        self.lab.mkdir()
        rows = [f"C{number},C{number}_*,full" for number in range(4)]
        sheet = ["Cell ID,Files,Configuration", *rows]
        (self.lab / "cells.csv").write_text("\n".join(sheet) + "\n")
        (folder / "cellpipe.toml").write_text(
            "[[lab]]\nfolder = 'lab'\nresults = 'out'\n[server]\nport = 4263\n"
        )
        cut = CUT_OFF if not subprocess.run([*CUT_OFF, "true"], check=False).returncode else []
        self.cut = bool(cut)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self.process = subprocess.Popen(
            [*cut, sys.executable, "-m", "cellpipe", "serve"], cwd=folder, env=clean,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def said(self, name: str) -> str:
        path = self.home / "prefect" / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > seconds:
                logs = {n: self.said(n)[-2000:] for n in ("serve", "server", "flows", "watch")}
                pytest.fail(f"{what}: not in {seconds} s; {logs}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def runs(self) -> list[tuple[str, str]]:
        database = self.home / "prefect" / "prefect.db"
        with closing(sqlite3.connect(database, timeout=30)) as rows:
            found = rows.execute("SELECT name, state_type FROM flow_run ORDER BY created")
            return [(str(name), str(state)) for name, state in found]

    def child(self, name: str) -> int:
        lines = [x for x in self.said("serve").splitlines() if f"{name} started (process" in x]
        return int(lines[-1].rpartition("process ")[2].rstrip(")"))

    def used(self) -> int:
        return len(Ledger(self.out).seen_files(self.lab)) if self.out.is_dir() else 0

    def is_still(self) -> bool:
        with closing(sqlite3.connect(self.out / "ledger.sqlite", timeout=30)) as ledger:
            waits = ledger.execute("SELECT count(*) FROM queue").fetchone()[0]
            writes = ledger.execute("SELECT count(*) FROM writer").fetchone()[0]
        return not (waits or writes)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("served"))
    one.until(lambda: "ready" in one.said("flows"), 240, "the start")
    yield one
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(timeout=90)
    for name in ("server", "flows", "watch"):
        with pytest.raises(ProcessLookupError):
            os.kill(one.child(name), 0)


def dropped(served: Served, numbers: range) -> None:
    for number in numbers:
        cell, start = number % 4, f"2026-{1 + number // 28:02}-{1 + number % 28:02} 10:00:00"
        name = f"C{cell}_{number:03}.csv"
        neware_csv(served.home / name, start, rows=12, factor=1 - 0.001 * number)
        (served.home / name).rename(served.lab / name)


def settled(served: Served, count: int, seconds: float) -> None:
    served.until(lambda: served.used() == count, seconds, f"{count} files")
    served.until(served.is_still, 120, "an empty queue")


def assert_undisturbed(served: Served, tmp_path: Path) -> None:
    copy = tmp_path / "plain"
    process(served.lab, copy)
    assert files(served.out) == files(copy)
    shutil.rmtree(copy)


def test_a_file_that_is_dropped_is_a_result_in_seconds(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, earlier = served.used(), {name for name, _ in served.runs()}
    dropped(served, range(before, before + 1))
    page = served.out / "cells" / f"C{before % 4}.html"
    told = page.stat().st_mtime_ns if page.is_file() else 0
    took = served.until(lambda: page.is_file() and page.stat().st_mtime_ns > told, 60, "a page")
    settled(served, before + 1, 60)
    with capsys.disabled():
        print(f"\na dropped file was a page after {took:.1f} s")
    runs = [(name, state) for name, state in served.runs() if name not in earlier]
    batches = [state for name, state in runs if name.startswith("batch")]
    assert batches
    assert set(batches) <= {"COMPLETED", "RUNNING"}
    assert any(state == "SCHEDULED" for _, state in served.runs())  # the nights to come


def test_flows_that_are_killed_are_said_to_have_crashed_and_done_again(
    served: Served, tmp_path: Path
) -> None:
    before = served.used()
    dropped(served, range(before, before + 24))
    served.until(lambda: served.used() > before + 2, 60, "the first of many")
    os.kill(served.child("flows"), signal.SIGKILL)
    settled(served, before + 24, 240)
    assert_undisturbed(served, tmp_path)
    served.until(
        lambda: "CRASHED" in [state for name, state in served.runs() if name.startswith("batch")],
        30, "the mark of the crash",
    )  # fmt: skip
    served.until(lambda: "RUNNING" not in [s for _, s in served.runs()], 60, "no zombie")


def test_a_server_that_is_killed_in_the_middle_costs_nothing(
    served: Served, tmp_path: Path
) -> None:
    before = served.used()
    dropped(served, range(before, before + 20))
    served.until(lambda: served.used() > before + 2, 90, "the first of many")
    os.kill(served.child("server"), signal.SIGKILL)
    settled(served, before + 20, 300)
    assert_undisturbed(served, tmp_path)
    served.until(lambda: "RUNNING" not in [s for _, s in served.runs()], 180, "no zombie")


CANCEL = """
import base64, json, sys, urllib.request
password = base64.b64encode(sys.stdin.read().strip().encode()).decode()
def ask(path, body):
    wanted = urllib.request.Request(
        f"http://127.0.0.1:4263/api/{path}", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Basic {password}"})
    return json.load(urllib.request.urlopen(wanted))
state = {"type": "CANCELLING", "name": "Cancelling"}
for run in ask("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}):
    print(ask(f"flow_runs/{run['id']}/set_state", {"state": state, "force": True})["status"])
"""


def test_a_run_that_is_cancelled_ends_and_its_files_are_asked_for_again(
    served: Served, tmp_path: Path
) -> None:
    before = served.used()
    dropped(served, range(before, before + 60))
    served.until(lambda: served.used() > before + 2, 90, "the first of many")
    inside = ["nsenter", "-t", str(served.process.pid), "-n"] if served.cut else []
    done = subprocess.run(
        [*inside, sys.executable, "-c", CANCEL], check=True, capture_output=True,
        input=(served.home / "prefect" / "password.txt").read_bytes(),
    )  # fmt: skip
    assert b"ACCEPT" in done.stdout
    settled(served, before + 60, 240)
    assert_undisturbed(served, tmp_path)
    assert "CANCELLED" in [state for _, state in served.runs()]


def test_a_watch_that_is_killed_is_started_again(served: Served) -> None:
    os.kill(served.child("watch"), signal.SIGKILL)
    before = served.used()
    dropped(served, range(before, before + 1))
    settled(served, before + 1, 120)


def test_children_end_when_the_one_that_looks_after_them_is_killed(tmp_path: Path) -> None:
    script = (
        "import threading, sys\nfrom pathlib import Path\n"
        "from cellpipe.service.supervisor import Child\n"
        "child = Child('watch', ['cellpipe', 'watch', sys.argv[1], '--out', sys.argv[2]],"
        " Path(sys.argv[3]))\nchild.start()\nprint(child.process.pid, flush=True)\n"
        "threading.Event().wait()"
    )
    (tmp_path / "lab").mkdir()
    places = [str(tmp_path / name) for name in ("lab", "out", "log")]
    with subprocess.Popen([sys.executable, "-c", script, *places], stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        watch = int(one.stdout.readline())
        while not (tmp_path / "log").is_file() or "Watching" not in (tmp_path / "log").read_text():
            assert Path(f"/proc/{watch}").exists()
            time.sleep(0.1)
        one.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(ChildProcessError, ProcessLookupError):
            state = (
                Path(f"/proc/{watch}/stat").read_text() if Path(f"/proc/{watch}").exists() else ""
            )
            if not state or " Z " in state:
                return
        time.sleep(0.2)
    pytest.fail("the watch goes on without its parent")


def test_a_server_for_others_without_a_password_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "cellpipe.toml").write_text(
        "[[lab]]\nfolder = 'lab'\nresults = 'out'\n[server]\nhost = '0.0.0.0'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "cellpipe", "serve"], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "PREFECT_SERVER_API_AUTH_STRING" in done.stderr
