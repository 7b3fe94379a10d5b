"""Kill commands at random moments, and count the processes that are left of them afterwards.

``python tests/faults/orphans.py 20`` kills each command twenty times, and says what was left.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does

from faulty_lab import made_lab

MARK = "CELLPIPE_TEST_MARK"
COMMANDS: Mapping[str, tuple[Sequence[str], float]] = {  # with the seconds that it takes to be up
    "process with workers": (("process", "lab", "--out", "out", "--workers", "2"), 8.0),
    "process --prefect": (("process", "lab", "--out", "out", "--prefect"), 25.0),
    "nightly": (("nightly",), 8.0),
    "watch": (("watch",), 10.0),
    "serve": (("serve",), 30.0),
}
GONE_SECONDS = 8.0  # that what a command started has to end after it


def write_workspace(folder: Path) -> None:
    """Make a lab of small files, and its settings with a port that is free."""
    made_lab(folder / "lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = f"[[lab]]\nfolder = 'lab'\nresults = 'out'\n[server]\nport = {port}\n"
    (folder / "cellpipe.toml").write_text(settings, encoding="utf-8")


def start(command: Sequence[str], folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """Start a command whose processes all carry a mark in their environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CELLPIPE_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "cellpipe", *command], cwd=folder, env=clean | {MARK: mark},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def marked(mark: str) -> dict[int, str]:
    """Return the command lines of the processes with a mark that run now, by their ids."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and f"{MARK}={mark}".encode() in (
                entry / "environ"
            ).read_bytes().split(b"\0"):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = line.decode(errors="replace")
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return found


def kill_after(command: Sequence[str], folder: Path, seconds: float) -> tuple[int, dict[int, str]]:
    """Kill a command so many seconds after its start.

    Returns
    -------
    How many other processes it had then, and those that still run some seconds later.

    """
    mark = uuid.uuid4().hex
    process = start(command, folder, mark)
    time.sleep(seconds)
    others = len(marked(mark).keys() - {process.pid})
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + GONE_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return others, left


def main(times: int, *names: str) -> int:
    """Kill the commands (all, or those that are named) so many times; return what was left."""
    total = 0
    for name in names or COMMANDS:
        command, whole = COMMANDS[name]
        draw = random.Random(name)
        with_children = all_left = 0
        for _ in range(times):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                write_workspace(Path(folder))
                others, left = kill_after(command, Path(folder), draw.uniform(0, whole))
            with_children += others > 0
            all_left += len(left)
            for pid, line in left.items():
                print(f"  left: {pid} {line}")
                os.kill(pid, signal.SIGKILL)
        print(f"{name}: {times} kills, {with_children} with children, {all_left} left", flush=True)
        total += all_left
    return total


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]), *sys.argv[2:]), 1))
