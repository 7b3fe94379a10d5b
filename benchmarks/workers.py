"""What it costs that files are read in a process that may die of them.

``python benchmarks/workers.py``; writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from page import table, write_section

import cellpipe
from cellpipe.pipeline import run
from cellpipe.pipeline.executors import Step
from cellpipe.store.lab import Lab, resolve_lab
from cellpipe.system.processes import Workers, prestart

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "sample_data" / "biologic_mpr" / "SSB-01_03_PEIS_C01.mpr"
TIMES = 15


class InThisProcess:
    """An executor that does everything here, where a bad file would end it."""

    def map(self, step: Step, lab: Lab, items: list) -> list:  # type: ignore[type-arg]
        """Return each item with what the step's work on it gave."""
        return [(item, step.work(lab, item)) for item in items]


def best(call: Callable[[], object], times: int = TIMES) -> float:
    """Return the shortest time of a call, s."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return min(found)


def of_a_read() -> list[tuple[str, str, str]]:
    """Compare the reading of a small file here and in a warm worker, and count a cold start."""
    with Workers(1) as workers:
        workers.run_one(cellpipe.read, SMALL)
        there = best(lambda: workers.run_one(cellpipe.read, SMALL))
    here = best(lambda: cellpipe.read(SMALL))
    return [
        ("a small .mpr read in this process", f"{1e3 * here:.1f} ms", ""),
        ("… in a warm worker, its tables sent back", f"{1e3 * there:.1f} ms", ""),
        ("… the worker's time over this process's", f"{there / here:.2f}", ""),
    ]


def of_a_run(place: Path) -> list[tuple[str, str, str]]:
    """Compare a run that adds one small file, here and with a warm worker."""
    seconds = {}
    for name in ("here", "worker", "here", "worker"):
        lab, out = place / "lab", place / "out"
        for folder in (lab, out):
            shutil.rmtree(folder, ignore_errors=True)
        lab.mkdir()
        shutil.copy(SMALL, lab / "SSB-01_01_PEIS_C01.mpr")
        run.process(lab, out)
        content = bytearray(SMALL.read_bytes())
        (lab / "SSB-02_01_PEIS_C01.mpr").write_bytes(bytes(content))
        begun = time.perf_counter()
        if name == "here":
            run.run_lab(resolve_lab(lab, out), InThisProcess())  # type: ignore[arg-type]
        else:
            run.process(lab, out)
        seconds[name] = min(seconds.get(name, 1e9), time.perf_counter() - begun)
    ratio = seconds["worker"] / seconds["here"]
    return [("a run that adds one small file: warm worker over this process", f"{ratio:.2f}", "")]


def of_a_command() -> list[tuple[str, str, str]]:
    """Return how long ``cellpipe check`` takes in all, beside its imports alone."""

    def command(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)

    check = best(command("-m", "cellpipe", "check", str(SMALL)), 5)
    code = f"import cellpipe.cli.console, cellpipe; cellpipe.read({str(SMALL)!r})"
    alone = best(command("-c", code), 5)
    return [
        ("cellpipe check of a small file, process start included", f"{check:.2f} s", ""),
        ("… over a Python that reads it without a worker", f"{check / alone:.2f}", ""),
    ]


def main() -> None:
    """Measure and write the section."""
    prestart("cellpipe.pipeline.executors")
    with tempfile.TemporaryDirectory() as folder:
        rows = [*of_a_read(), *of_a_run(Path(folder)), *of_a_command()]
    lines = [
        "Every file is read in a process that may die of it; best of several in turn.", "",
        *table(("What", "Measured", "Target"), rows),
    ]  # fmt: skip
    write_section("Workers", "python benchmarks/workers.py", lines)


if __name__ == "__main__":
    main()
