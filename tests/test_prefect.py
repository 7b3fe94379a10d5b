"""The flows on a real Prefect server: the same bytes, and each outcome a record."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from cellpipe.pipeline.run import process
from elabftw_stand_in import KEY, StandIn

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
        "from cellpipe.core.checkout import flow_module\n"
        "flow = flow_module('executor')\n"
        "from prefect.states import Failed\n"
        "tell = lambda error: flow.is_retryable(None, None, Failed(data=error))\n"
        "print(tell(PermissionError(13, 'locked')), tell(flow.RejectedError('broken')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_the_other_flows_run_on_a_server(small_lab: Path, tmp_path: Path) -> None:
    notebook = StandIn()
    settings = tmp_path / "cellpipe.toml"
    settings.write_text(
        f"[[lab]]\nname = 'ours'\nfolder = '{small_lab}'\nresults = 'out'\n"
        f"[hand_on.elabftw]\nurl = '{notebook.url}'\ntoken = 'prefect:elab-key'\n"
    )
    script = f"""
import os
from pathlib import Path
from cellpipe.core.checkout import flow_module
from cellpipe.service import prefect_server
from cellpipe.store import Ledger
from cellpipe.store.batch_queue import QueuedFile, enqueue, queued_files
folder, out = {str(small_lab)!r}, {str(tmp_path / "out")!r}
os.environ["CELLPIPE_SETTINGS"] = {str(settings)!r}
with prefect_server.ensure_server(Path(out)):
    from prefect.blocks.system import Secret
    Secret(value={KEY!r}).save("elab-key")
    nightly = flow_module("nightly").nightly
    night = nightly(["ours"], return_state=True)
    again = nightly(["ours"], return_state=True)
    page = Path(out) / "index.html"
    page.unlink()
    report = flow_module("report").report("ours", return_state=True)
    files = [QueuedFile("SSB-05_record_zh.csv", 1, 1, "b1")]
    enqueue(Ledger(Path(out)).database, files)
    batch = flow_module("process").process_batch
    first = batch("ours", "b1", return_state=True)
    second = batch("ours", "b1", return_state=True)
    left = len(queued_files(Ledger(Path(out)).database))
    (Path(folder) / "SSB-01_03_PEIS_C01.mpr").unlink()
    watch = flow_module("watch").watch("ours", settle_seconds=0.2, return_state=True)
    try:
        batch("ours", "")
    except Exception as error:
        wrong = type(error).__name__
    for state in (night, again, report, first, second, watch):
        print(state.type.value, "|", state.message)
    print(page.is_file(), left, wrong, (Path(out) / "digest.txt").is_file())
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=clean,
        timeout=400,
    )  # fmt: skip
    notebook.close()
    lines = done.stdout.strip().split("\n")
    assert len(lines) == 7, done.stderr
    titles = sorted(each["title"] for each in notebook.experiments.values())
    assert titles == ["SSB-01", "SSB-05"]  # with the key of Prefect's block, each once
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert lines[0].startswith("FAILED | "), done.stderr
    assert "1 set aside, 3 files used" in lines[0]
    assert lines[1] == lines[0]
    assert lines[2] == "COMPLETED | 2 cells reported"
    assert lines[3] == "FAILED | 1 set aside, 3 files used"
    assert lines[4] == "COMPLETED | the batch has been dealt with"
    assert lines[5] == "FAILED | 1 set aside, 2 files used"
    assert lines[6] == "True 0 ParameterTypeError True"

    with closing(sqlite3.connect(tmp_path / "out" / "prefect" / "prefect.db")) as database:
        events = database.execute(
            "SELECT event, payload FROM events WHERE event LIKE 'cellpipe.%'"
        ).fetchall()
        keys = {key for (key,) in database.execute("SELECT key FROM artifact")}
    assert {event for event, _ in events} == {"cellpipe.file.set-aside"}
    assert "SSB-08_02_GCPL_C03.mpr" in events[0][1]
    assert {"cells", "set-aside", "digest"} <= keys


def test_many_files_share_task_runs_and_unchanged_ones_have_none(
    small_lab: Path, tmp_path: Path
) -> None:
    for path in small_lab.glob("SSB-0*.mpr"):
        path.unlink()
    content = (small_lab / "SSB-05_record_zh.csv").read_bytes()
    for number in range(6):
        (small_lab / f"SSB-05_{number}.csv").write_bytes(content + b"\n" * number)
    script = f"""
from pathlib import Path
from cellpipe.core.checkout import flow_module
out = Path({str(tmp_path / "out")!r})
from cellpipe.service import prefect_server as server
from cellpipe.store.lab import Lab
with server.ensure_server(out) as url:  # before Prefect is imported, which reads its address
    batches = flow_module("process")
    parts = flow_module("executor")
    parts.SINGLE_ITEM_LIMIT, parts.CHUNK_SIZE = 5, 3
    flow_module("labs").give_labs([Lab(Path({str(small_lab)!r}), out, name="ours")])
    state = batches.process("ours", return_state=True)
    batches.process("ours", return_state=True)
    server.wait_until_recorded(url, str(state.state_details.flow_run_id), 4)
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    subprocess.run([sys.executable, "-c", script], check=True, env=clean, timeout=400)
    with closing(sqlite3.connect(tmp_path / "out" / "prefect" / "prefect.db")) as database:
        names = sorted(name for (name,) in database.execute("SELECT name FROM task_run"))
    assert names == [
        "SSB-05_0.csv and those after it", "SSB-05_3.csv and those after it",
        "SSB-05_record_zh.csv and those after it", "cell SSB-05",
    ]  # fmt: skip


def test_the_deployments_of_prefect_yaml_name_flows_that_there_are() -> None:
    root = Path(__file__).parents[1]
    described = yaml.safe_load((root / "prefect.yaml").read_text(encoding="utf-8"))
    for deployment in described["deployments"]:
        path, _, function = deployment["entrypoint"].partition(":")
        source = (root / path).read_text(encoding="utf-8")
        assert f"def {function}(" in source
        for name in deployment.get("parameters", {}):
            assert f"{name}:" in source
    batch = next(d for d in described["deployments"] if d["name"] == "watched")
    assert batch["entrypoint"].endswith(":process_batch")


def test_a_local_server_is_closed_to_all_but_its_run(tmp_path: Path) -> None:
    script = f"""
import os, urllib.error, urllib.request
from pathlib import Path
from cellpipe.service import prefect_server
from cellpipe.service.prefect_api import call_api
out = Path({str(tmp_path / "out")!r})
def status(url, **headers):
    wanted = urllib.request.Request(
        f"{{url}}/flow_runs/filter", b"{{}}", {{"Content-Type": "application/json"}} | headers)
    try:
        return urllib.request.urlopen(wanted).status
    except urllib.error.HTTPError as error:
        return error.code
with prefect_server.ensure_server(out) as url:
    print(status(url), status(url, Host="evil.example"), status(url, Origin="http://127.0.0.1:9"))
    print(call_api(url, "flow_runs/filter", {{}}))
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        print(client.read_flow_runs())
    password = os.environ["PREFECT_API_AUTH_STRING"]
    found = [p.name for p in out.rglob("*") if p.is_file() and password.encode() in p.read_bytes()]
print(found, os.environ["PREFECT_API_AUTH_STRING"], os.environ.get("PREFECT_API_URL"))
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    theirs = {
        "PREFECT_API_AUTH_STRING": "them:theirs", "PREFECT_API_KEY": "their-key",
        "PREFECT_CLIENT_CUSTOM_HEADERS": '{"Authorization": "Bearer theirs"}',
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "*",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env=clean | theirs, timeout=400,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["401 403 403", "[]", "[]", "[] them:theirs None"], (
        done.stderr
    )
