"""A pipe, a socket or a device where a file should be: it is said, and never waited for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cellpipe.system.own_folder import mark_folder
from made_files import neware_csv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here"),
]
SECONDS = 60  # a command that waits for a pipe never ends


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path may have a hundred characters
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


PUT: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": put_socket,
    "device": put_device,
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CELLPIPE_"))}
    return subprocess.run(
        [sys.executable, "-m", "cellpipe", *arguments], cwd=folder, env=clean, timeout=SECONDS,
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir()
    neware_csv(tmp_path / "lab" / "A_1.csv", "2026-01-01 10:00:00", rows=12)
    return tmp_path


@pytest.mark.parametrize("kind", PUT)
@pytest.mark.parametrize("name", ["baselines.csv", "cells.csv", "cells.xlsx"])
def test_what_a_lab_writes_itself(lab: Path, name: str, kind: str) -> None:
    PUT[kind](lab / "lab" / name)
    done = run(lab, "process", "lab", "--out", "out")
    assert "a pipe, a socket or a device" in done.stdout + done.stderr
    assert name in done.stdout + done.stderr
    assert done.returncode == 1, done.stderr  # the rest of the run goes on


@pytest.mark.parametrize("kind", PUT)
def test_a_raw_file_and_its_companion_are_left_out(lab: Path, kind: str) -> None:
    (lab / "more").mkdir()
    for name in ("lab/A_2.csv", "lab/A_3.mpr", "lab/A_1.mpl", "more/A_4.csv"):
        PUT[kind](lab / name)
    done = run(lab, "process", "lab", "--out", "out", "--also", "more")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 file read" in done.stdout


@pytest.mark.parametrize("kind", PUT)
@pytest.mark.parametrize("command", [["check"], ["eis"]])
def test_a_file_that_is_named(lab: Path, command: list[str], kind: str) -> None:
    PUT[kind](lab / "A.mpr")
    done = run(lab, *command, "A.mpr")
    assert done.returncode == 2, done.stdout
    assert "a pipe, a socket or a device" in done.stderr


@pytest.mark.parametrize("kind", PUT)
def test_settings_and_logs(lab: Path, kind: str) -> None:
    (lab / "out").mkdir()
    mark_folder(lab / "out")
    PUT[kind](lab / "out" / "cellpipe.log")
    logged = run(lab, "process", "lab", "--out", "out")
    PUT[kind](lab / "mine.toml")
    named = run(lab, "process", "--settings", "mine.toml")
    for done in (logged, named):
        assert done.returncode == 2, done.stdout
        assert "a pipe, a socket or a device" in done.stderr


def test_a_table_of_the_results_is_made_again(lab: Path) -> None:
    assert run(lab, "process", "lab", "--out", "out").returncode == 0
    table = next((lab / "out" / "tables" / "timeseries").iterdir())
    content = table.read_bytes()
    table.unlink()
    os.mkfifo(table)
    for _ in range(2):
        done = run(lab, "process", "lab", "--out", "out")
        assert done.returncode == 0, done.stdout + done.stderr
    assert run(lab, "status", "out").returncode == 0
    assert table.is_file(), done.stdout
    assert table.read_bytes() == content


OWN = (
    "cellpipe-results.txt", "foreign-files.txt", "ledger.url", "ledger.sqlite",
    "ledger.sqlite-journal", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.copy.sqlite",
    "ledger.copy.sqlite-journal", "ledger.copy.sqlite-wal",
)  # fmt: skip


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    (folder / "lab").mkdir()
    neware_csv(folder / "lab" / "A_1.csv", "2026-01-01 10:00:00", rows=12)
    assert run(folder, "process", "lab", "--out", "out").returncode == 0
    return folder


@pytest.mark.parametrize("kind", PUT)
@pytest.mark.parametrize("name", OWN)
def test_one_under_the_name_of_a_file_of_the_results(
    done_once: Path, tmp_path: Path, name: str, kind: str
) -> None:
    lab = shutil.copytree(done_once, tmp_path / "lab")
    (lab / "out" / name).unlink(missing_ok=True)
    PUT[kind](lab / "out" / name)
    before = sorted(path for path in (lab / "out").rglob("*") if path.suffix != ".log")
    for command in (["process", "lab", "--out", "out"], ["status", "out"]):
        done = run(lab, *command)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "a pipe, a socket or a device" in done.stderr
        assert name in done.stderr
    after = sorted(path for path in (lab / "out").rglob("*") if path.suffix != ".log")
    assert after == before


def test_a_pipe_among_the_notes_of_what_was_written(lab: Path) -> None:
    assert run(lab, "process", "lab", "--out", "out").returncode == 0
    (lab / "out" / ".unrecorded").mkdir(exist_ok=True)
    os.mkfifo(lab / "out" / ".unrecorded" / f"{0:032x}.txt")
    done = run(lab, "process", "lab", "--out", "out")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["ledger.sqlite", "ledger.sqlite-wal", "ledger.copy.sqlite"])
def test_a_ledger_is_not_written_through_a_link(done_once: Path, tmp_path: Path, name: str) -> None:
    lab = shutil.copytree(done_once, tmp_path / "lab")
    theirs = tmp_path / "theirs.sqlite"
    theirs.write_bytes(b"")
    (lab / "out" / name).unlink(missing_ok=True)
    (lab / "out" / name).symlink_to(theirs)
    done = run(lab, "process", "lab", "--out", "out")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "symbolic link" in done.stderr
    assert name in done.stderr
    assert theirs.read_bytes() == b""
