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
    subprocess.run([sys.executable, "-c", "import polars"], cwd=planted, env=environment())
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
