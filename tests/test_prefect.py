"""The flows on a real Prefect server: the same bytes, and each outcome a record."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cellpipe.pipeline import process

pytestmark = pytest.mark.slow


def tables(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "tables").rglob("*.parquet"))
    }


def command(small_lab: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-m", "cellpipe", "process", str(small_lab), "--out", str(out),
         "--prefect"],
        capture_output=True, text=True, check=False, env=clean | environment, timeout=400,
    )  # fmt: skip


def test_the_flow_on_a_local_server_writes_the_same_bytes_and_keeps_every_record(
    small_lab: Path, tmp_path: Path
) -> None:
    plain = process(small_lab, tmp_path / "plain")
    done = command(small_lab, tmp_path / "flow")
    assert done.returncode == plain.exit_code == 1, done.stderr
    assert tables(tmp_path / "flow") == tables(tmp_path / "plain")
    assert "SSB-08_02_GCPL_C03.mpr" in done.stdout

    with sqlite3.connect(tmp_path / "flow" / "prefect" / "prefect.db") as database:
        runs = dict(database.execute("SELECT name, state_type FROM task_run").fetchall())
        messages = dict(
            database.execute(
                "SELECT t.name, s.message FROM task_run t "
                "JOIN task_run_state s ON s.id = t.state_id"
            ).fetchall()
        )
        (flow_state,) = database.execute("SELECT state_type FROM flow_run").fetchall()
        artifacts = dict(database.execute("SELECT key, data FROM artifact").fetchall())
    assert runs == {
        "SSB-01_02_GCPL_C01.mpr": "COMPLETED",
        "SSB-01_03_PEIS_C01.mpr": "COMPLETED",
        "SSB-05_record_zh.csv": "COMPLETED",
        "SSB-08_02_GCPL_C03.mpr": "FAILED",
        "cell SSB-01": "COMPLETED",
        "cell SSB-05": "COMPLETED",
    }
    assert "cut off" in messages["SSB-08_02_GCPL_C03.mpr"]
    assert flow_state == ("FAILED",)
    assert "SSB-05" in json.dumps(artifacts["cells"])
    assert "SSB-08" in json.dumps(artifacts["set-aside"])


def test_a_named_server_that_does_not_answer_is_a_clear_error(
    small_lab: Path, tmp_path: Path
) -> None:
    done = command(small_lab, tmp_path / "out", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 2
    assert "no answer from http://127.0.0.1:9/api" in done.stderr
    assert "remedy" in done.stderr


def test_what_may_pass_is_tried_again_and_what_can_not_is_not() -> None:
    script = (
        "from cellpipe.prefect_run import flow_module\n"
        "flow = flow_module('process')\n"
        "from prefect.states import Failed\n"
        "tell = lambda error: flow.may_pass(None, None, Failed(data=error))\n"
        "print(tell(PermissionError(13, 'locked')), tell(flow.SetAsideError('broken')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_the_nightly_and_the_report_flow_run_on_a_server(small_lab: Path, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from cellpipe.prefect_run import flow_module
folder, out = {str(small_lab)!r}, {str(tmp_path / "out")!r}
with flow_module("server").server_for(Path(out)):
    night = flow_module("nightly").nightly({{folder: out}}, None, return_state=True)
    again = flow_module("nightly").nightly({{folder: out}}, None, return_state=True)
    page = Path(out) / "index.html"
    page.unlink()
    report = flow_module("report").report(folder, out, None, return_state=True)
    print(night.type.value, "|", night.message)
    print(again.type.value, "|", again.message)
    print(report.type.value, "|", report.message, "|", page.is_file())
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=clean,
        timeout=400,
    )  # fmt: skip
    lines = done.stdout.strip().split("\n")
    assert lines[0].startswith("FAILED | "), done.stderr
    assert "1 set aside, 3 files used" in lines[0]
    assert lines[1] == lines[0]
    assert lines[2] == "COMPLETED | 2 cells reported | True"


def test_the_nightly_flow_can_be_served_from_a_checkout() -> None:
    path = Path(__file__).parents[1] / "flows" / "nightly.py"
    done = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--cron" in done.stdout
