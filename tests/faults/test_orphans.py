"""What cellpipe starts ends with it, whenever and however it ends.

``python tests/faults/orphans.py 20`` kills every command twenty times at random moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from orphans import COMMANDS, GONE_SECONDS, MARK, kill_after, marked, write_workspace

from cellpipe.system import child_processes, orphans
from cellpipe.system.child_processes import run_program, start_module

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark whatever is started in a test, and end what is left of it."""
    one = uuid.uuid4().hex
    monkeypatch.setenv(MARK, one)
    yield one
    for pid in marked(one):
        os.kill(pid, signal.SIGKILL)


def left_after(mark: str, seconds: float = GONE_SECONDS) -> dict[int, str]:
    """Return which processes with a mark still run when they should be gone."""
    deadline = time.monotonic() + seconds
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def wait_until_running(mark: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(marked(mark)) < count:
        assert time.monotonic() < deadline, marked(mark)
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_no_process(name: str, tmp_path: Path) -> None:
    command, whole = COMMANDS[name]
    draw = random.Random()
    write_workspace(tmp_path)
    for seconds in (draw.uniform(0, 0.3 * whole), draw.uniform(0.3 * whole, whole)):
        _, left = kill_after(command, tmp_path, seconds)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"killed after {seconds:.2f} s"


@contextmanager
def started(script: str) -> Iterator[subprocess.Popen[str]]:
    """Start a parent that runs a script, and says when it has started its child; kill it."""
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            yield parent
        finally:
            parent.kill()


@pytest.mark.parametrize("means", ["both", "the pipe alone", "the signal alone"])
def test_each_means_is_enough(mark: str, means: str, tmp_path: Path) -> None:
    """A child that never looks at its parent; on macOS the pipe is the only means."""
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "sitecustomize.py").write_text(
        {
            "both": "",
            "the pipe alone": "import ctypes\ndef no(*_): raise OSError\nctypes.CDLL = no",
            "the signal alone": "import os\nos.read = lambda *_: __import__('time').sleep(600)",
        }[means]
    )
    script = f"""
        import os, time
        os.environ["PYTHONPATH"] = {str(tmp_path)!r}
        from cellpipe.system.child_processes import start_module
        start_module("sleeper")
        print("started", flush=True)
        time.sleep(600)
    """
    with started(script) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        wait_until_running(mark, 2)
        time.sleep(1.0)
        assert len(marked(mark)) == 2
    assert not left_after(mark)


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.3])
def test_a_parent_that_is_killed_at_once_leaves_nothing(mark: str, seconds: float) -> None:
    script = """
        import time
        from cellpipe.system.child_processes import start_module
        print("now", flush=True)
        for _ in range(3):
            start_module("http.server", "0", stdout=-3)  # DEVNULL
        time.sleep(600)
    """
    with started(script) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        time.sleep(seconds)
    assert not left_after(mark)


def test_a_child_outlives_the_thread_that_asked_for_it(mark: str) -> None:
    script = """
        import threading, time
        from cellpipe.system.child_processes import start_module
        from cellpipe.system.processes import Workers
        def ask():
            start_module("http.server", "0", stdout=-3)  # DEVNULL
            workers.run_one(abs, -1)
        workers = Workers(2)
        if __name__ == "__main__":
            one = threading.Thread(target=ask)
            one.start()
            one.join()
            print(workers.run_one(abs, -2), flush=True)
            time.sleep(600)
    """
    with started(script) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "2\n"
        time.sleep(0.5)
        assert len(marked(mark)) >= 3, marked(mark)
    assert not left_after(mark)


def test_a_child_that_is_asked_to_end_ends_by_itself(mark: str) -> None:
    script = """
        import threading
        from cellpipe.system.child_processes import call_on_stdin_close, is_child
        over = threading.Event()
        call_on_stdin_close(over.set)
        over.wait(60)
        print("tidied up", is_child())
    """
    given = ("-n1", "-r1", textwrap.dedent(script))
    with start_module("timeit", *given, stdout=subprocess.PIPE) as process:
        wait_until_running(mark, 1)
        time.sleep(1.0)
        assert process.stdin is not None
        process.stdin.close()
        assert process.stdout is not None
        assert b"tidied up True" in process.stdout.read()
        assert process.wait(timeout=20) == 0


def test_a_program_ends_with_its_parent_and_its_time(mark: str) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["sleep", "600"], timeout=0.5)
    assert not left_after(mark)
    with pytest.raises(subprocess.CalledProcessError):
        run_program(["false"], timeout=20)
    run_program(["true"], timeout=20)
    script = """
        from cellpipe.system.child_processes import run_program
        print("now", flush=True)
        run_program(["sleep", "600"], timeout=600)
    """
    with started(script) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        wait_until_running(mark, 2)
    assert not left_after(mark)


def test_elsewhere_a_program_is_killed_when_the_pipe_closes(mark: str) -> None:
    read, write = os.pipe()
    runner = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from cellpipe.system.child_processes import _run_and_watch\n"
         "_run_and_watch(['sh', '-c', 'sleep 600 & sleep 600'])"],
        stdin=read,
    )  # fmt: skip
    os.close(read)
    wait_until_running(mark, 3)
    os.close(write)
    assert not left_after(mark)
    runner.wait(timeout=10)


def test_the_next_start_ends_what_is_left_over_and_nothing_else(mark: str) -> None:
    def sleeper(owner: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sleep", "600"], env={**os.environ, orphans.STARTED_BY: owner}, start_new_session=True
        )

    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    left, mine, others = sleeper(str(gone.pid)), sleeper(str(os.getpid())), sleeper("")
    younger = sleeper(str(mine.pid + 0))  # not its parent, yet alive, and no younger than it
    assert orphans.end_orphans() == [left.pid]
    left.wait(timeout=10)
    assert not psutil.pid_exists(left.pid)
    assert all(psutil.pid_exists(one.pid) and one.poll() is None for one in (mine, others, younger))
    assert orphans.end_orphans() == []
    for one in (mine, others, younger):
        one.kill()
        one.wait()
    assert child_processes.end_orphans is orphans.end_orphans
