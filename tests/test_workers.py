"""How many processes work, and that the results don't tell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellpipe.pipeline.run import process
from cellpipe.system import processes
from cellpipe.system.processes import MAX_WORKERS, WORKER_BYTES, default_worker_count, free_memory
from made_files import neware_csv
from result_facts import files


def test_there_are_no_more_processes_than_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for room, count in (
        (0, 1),
        (WORKER_BYTES, 1),
        (3 * WORKER_BYTES, 3),
        (99 * WORKER_BYTES, MAX_WORKERS),
    ):
        monkeypatch.setattr(processes, "free_memory", lambda room=room: room)
        assert default_worker_count() == count


def test_free_memory_is_less_than_all_of_it() -> None:
    assert 0 < free_memory() < psutil.virtual_memory().total


@pytest.mark.slow
@pytest.mark.processes
def test_the_number_of_processes_does_not_change_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SERIAL_BELOW", 4)  # so few are worth starting processes for
    lab = tmp_path / "lab"
    lab.mkdir()
    for number in range(processes.SERIAL_BELOW + 3):
        start = f"2026-03-{number + 1:02} 10:00:00"
        neware_csv(lab / f"C{number}_1.csv", start, rows=20 + number)
    rows = "".join(f"C{number},C{number}_*,full\n" for number in range(processes.SERIAL_BELOW + 3))
    (lab / "cells.csv").write_text(f"Cell ID,Files,Configuration\n{rows}")
    made = []
    for count in (1, 2, 3):
        process(lab, tmp_path / "out", workers=count)
        made.append(files(tmp_path / "out"))
        shutil.rmtree(tmp_path / "out")
    assert made[0] == made[1] == made[2]


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C can't be pressed from outside there")
def test_ctrl_c_ends_a_run_at_once_says_so_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for number in range(processes.SERIAL_BELOW + 2):
        start = f"2026-03-{number + 1:02} 10:00:00"
        neware_csv(lab / f"C{number}_1.csv", start, rows=60, factor=1 - number / 99)
    command = [sys.executable, "-m", "cellpipe", "process", str(lab), "--out", str(out)]
    with subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as run:  # fmt: skip
        log = out / "cellpipe.log"
        while not (log.is_file() and "cells 3/" in log.read_text(encoding="utf-8")):
            assert run.poll() is None
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of it
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert said.strip() == (
        "cellpipe: stopped. What was finished is kept; the next run goes on from there."
    )
    again = process(lab, out)
    assert 0 < again.cells_updated < processes.SERIAL_BELOW
    process(lab, tmp_path / "plain")
    assert files(out) == files(tmp_path / "plain")
