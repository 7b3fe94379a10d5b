"""The flows on Dask and Ray: real local clusters, the same bytes, a worker that dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cellpipe.pipeline.run import process
from cellpipe.store import Ledger
from cellpipe.store.history import read_events
from made_files import neware_csv
from result_facts import files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("clusters")]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    for number in range(12):
        start = f"2026-03-{number + 1:02} 10:00:00"
        neware_csv(folder / f"C{number % 3}_{number}.csv", start, rows=60)
    (folder / "broken.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE" + bytes(100))
    rows = "".join(f"C{cell},C{cell}_*,full\n" for cell in range(3))
    (folder / "cells.csv").write_text(f"Cell ID,Files,Configuration\n{rows}")
    return folder


@pytest.fixture(scope="module")
def plain(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    process(lab, out)
    return out


def of_run(out: Path) -> dict[str, str]:
    return {n: d for n, d in files(out).items() if not n.startswith(("prefect", "cellpipe.log"))}


def test_a_run_on_a_cluster_of_this_machine_writes_the_same_bytes(
    lab: Path, plain: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "cellpipe", "process", str(lab), "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--runner", "ray"], capture_output=True, text=True, check=False, env=CLEAN,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr  # broken.mpr
    assert of_run(tmp_path) == of_run(plain)


KILLED = """
import os, signal, threading, time
from pathlib import Path
from cellpipe.service import prefect_server as server
from cellpipe.store import Ledger
lab, out, kind = Path({lab!r}), Path({out!r}), {kind!r}
killed = []

def kill(processes):
    while len(list(out.glob("tables/timeseries/*.parquet"))) < 3:
        time.sleep(0.01)
    while not (found := processes()):
        time.sleep(0.01)
    killed.append(found[0])
    os.kill(killed[0], signal.SIGKILL)

def workers_of_ray():
    import psutil
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            if each.cmdline() and each.cmdline()[0].startswith(("ray::ingest", "ray::compute")):
                found.append(each.pid)
        except psutil.NoSuchProcess:  # it ended meanwhile, or is a zombie
            pass
    return found

if __name__ == "__main__":
    with server.ensure_server(out):
        from cellpipe.flows import labs, process as batches, task_runners
        from cellpipe.store.lab import Lab
        from cellpipe.config.settings import RunnerSettings
        if kind == "dask":
            import distributed
            cluster = distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
            )
            client = distributed.Client(cluster)
            given = RunnerSettings(kind="dask", address=cluster.scheduler_address)
            processes = lambda: sorted(client.run(os.getpid).values())
        else:
            given = RunnerSettings(kind="ray", workers=2)
            processes = workers_of_ray
        threading.Thread(target=kill, args=(processes,), daemon=True).start()
        flow = batches.process.with_options(task_runner=task_runners.make_task_runner(given))
        labs.give_labs([Lab(lab, out, name="ours")])
        state = flow("ours", return_state=True)
        print(state.message, len(killed))
"""


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_worker_that_is_killed_costs_its_task_once_more_and_nothing_else(
    kind: str, lab: Path, plain: Path, tmp_path: Path
) -> None:
    script = tmp_path / "run.py"
    out = tmp_path / "out"
    script.write_text(KILLED.format(lab=str(lab), out=str(out), kind=kind))
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=CLEAN,
        timeout=300,
    )  # fmt: skip
    last = done.stdout.strip().rpartition("\n")[2]  # Ray talks of the dead worker before
    assert last == "1 set aside, 12 files used 1", done.stdout + done.stderr
    assert of_run(out) == of_run(plain)
    read = [event.subject for event in read_events(Ledger(out).database) if event.event == "read"]
    assert len(read) == len(set(read)) == 12


def test_a_runner_that_is_not_installed_is_a_clear_error(lab: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nsys.modules['prefect_ray'] = None\n"
        "from cellpipe.flows import task_runners\n"
        "from cellpipe.config.settings import RunnerSettings\n"
        "task_runners.make_task_runner(RunnerSettings(kind='ray'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "pip install 'cellpipe[ray]'" in done.stderr
