"""Nothing is imported from the folder in which a command is run: it may hold what anybody made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellpipe.store.location import claim_folder

SAMPLE = Path(__file__).parents[1] / "sample_data"
SCRIPT = Path(sys.executable).with_name("cellpipe")
NAMES = (
    "cellpipe", "ctypes", "json", "logging", "matplotlib", "multiprocessing", "numpy", "pandera",
    "pickle", "polars", "prefect", "psutil", "runpy", "scipy", "signal", "sitecustomize", "socket",
    "sqlite3", "struct", "subprocess", "threading", "usercustomize", "uvicorn",
)  # fmt: skip
posix = pytest.mark.skipif(os.name != "posix", reason="the script has another name")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Give a folder with raw files, and modules that leave a trace when they are imported."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in (*SAMPLE.glob("biologic_mpr/SSB-01_03*"), *SAMPLE.glob("neware_csv/SSB-05*")):
        shutil.copy2(path, folder)
    shutil.copy2(SAMPLE / "cells.xlsx", folder)
    for name in NAMES:
        trace = f"open({str(tmp_path / 'traces')!r}, 'a').write({name!r} + ' ')\n"
        (folder / f"{name}.py").write_text(trace)
    return folder


def traces(folder: Path) -> str:
    path = folder.parent / "traces"
    return path.read_text() if path.exists() else ""


def environment() -> dict[str, str]:
    given = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    given.pop("PYTHONSAFEPATH", None)
    return given


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *arguments], cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, timeout=400,
    )  # fmt: skip


@posix
def test_what_is_planted_would_be_imported(planted: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", "import polars"], cwd=planted, env=environment(),
        check=False,
    )  # fmt: skip
    assert "polars" in traces(planted)


@posix
@pytest.mark.slow
def test_no_command_imports_from_it(planted: Path) -> None:
    for workers in ("1", "2"):
        done = run(planted, "process", ".", "--out", f"../res{workers}", "--workers", workers)
        assert "files" in done.stdout, done.stderr
        assert (planted.parent / f"res{workers}" / "cells" / "SSB-05.html").is_file(), done.stderr
        assert not traces(planted)
    done = run(planted, "check", "SSB-05_record_zh.csv")
    assert done.returncode == 0, done.stderr
    assert not traces(planted)


@posix
@pytest.mark.slow
def test_the_watch_imports_nothing_from_it(planted: Path) -> None:
    page = planted.parent / "res" / "cells" / "SSB-05.html"
    with subprocess.Popen(
        [str(SCRIPT), "watch", ".", "--out", "../res"], cwd=planted, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as watch:  # fmt: skip
        deadline = time.monotonic() + 120
        while not page.is_file() and time.monotonic() < deadline:
            assert watch.poll() is None
            time.sleep(0.2)
        watch.send_signal(signal.SIGINT)
        watch.wait(timeout=60)
    assert page.is_file()
    assert not traces(planted)


@posix
@pytest.mark.slow
def test_prefect_imports_nothing_from_it(planted: Path) -> None:
    done = run(planted, "process", ".", "--out", "../res", "--prefect")
    assert (planted.parent / "res" / "cells" / "SSB-05.html").is_file(), done.stderr
    assert not traces(planted)


LOGGING = """
version: 1
disable_existing_loggers: false
handlers:
  trace: {{class: logging.FileHandler, filename: {trace}}}
root: {{handlers: [trace], level: DEBUG}}
loggers:
  prefect: {{handlers: [trace], level: DEBUG, propagate: true}}
"""


@posix
@pytest.mark.slow
def test_prefect_takes_no_code_and_no_settings_from_it_or_from_the_results(planted: Path) -> None:
    folder, trace = planted.parent, planted.parent / "traces"
    records = folder / "res" / "prefect"
    assert run(planted, "process", ".", "--out", "../res").returncode == 0
    records.mkdir()
    evil = folder / "evil.yml"
    for path in (evil, records / "logging.yml"):
        path.write_text(LOGGING.format(trace=trace))
    named = f"[logging]\nconfig_path = '{evil}'\n"
    (planted / "prefect.toml").write_text(named)
    (planted / "pyproject.toml").write_text(named.replace("[", "[tool.prefect.", 1))
    (planted / ".env").write_text(f"PREFECT_LOGGING_CONFIG_PATH={evil}\n")
    (records / "profiles.toml").write_text(
        f"active = 'x'\n[profiles.x]\nPREFECT_LOGGING_CONFIG_PATH = '{evil}'\n"
    )
    (planted / "SSB-05_record_zh.csv").touch()
    done = run(planted, "process", ".", "--out", "../res", "--prefect")
    assert done.returncode == 0, done.stderr
    assert (records / "prefect.db").stat().st_size > 0
    assert not traces(planted)
    left = {"logging.yml", "profiles.toml", "prefect.db", "prefect.db-wal", "prefect.db-shm"}
    assert {path.name for path in records.iterdir()} <= left | {"server.log"}


@posix
@pytest.mark.parametrize("name", ["", "prefect.db", "server.log", "prefect.db-wal"])
def test_a_link_in_the_place_of_prefects_records_is_refused(planted: Path, name: str) -> None:
    folder = planted.parent
    claim_folder(folder / "res")
    place = folder / "res" / "prefect" / name if name else folder / "res" / "prefect"
    place.parent.mkdir(exist_ok=True)
    (folder / "elsewhere").mkdir()
    kept = folder / "elsewhere" / "kept"
    kept.write_text("mine")
    place.symlink_to(kept if name else folder / "elsewhere")
    done = run(planted, "process", ".", "--out", "../res", "--prefect")
    assert done.returncode == 2
    assert "a link" in done.stderr
    assert str(place) in done.stderr
    assert kept.read_text() == "mine"
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
