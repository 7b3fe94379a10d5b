"""How long the main job takes, as ratios within one run: ``python benchmarks/pipeline.py``.

Writes its section of docs/benchmarks.md. Each figure is the median of several runs in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from page import table, write_section

from cellpipe.formats import read
from cellpipe.pipeline.run import process

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(action: Callable[[], object], runs: int = 5) -> float:
    """Median wall-clock seconds of several runs."""
    return statistics.median(seconds(action) for _ in range(runs))


def started(*arguments: str) -> Callable[[], object]:
    """Start Python with these arguments and wait for it."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def main() -> None:
    """Measure, print and write the page."""
    interpreter = median(started("-c", "pass"), 9)
    help_ = median(started("-m", "cellpipe", "--help"), 9)
    files = [p for p in SAMPLE.glob("*/SSB-0[1-7]*") if p.is_file()]
    for path in files:
        read(path)  # imports and caches are warm
    reading = median(lambda: [read(path) for path in files], 3)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        first = seconds(lambda: process(SAMPLE, out))
        again = median(lambda: process(SAMPLE, out), 3)
    records = sum(t.height for p in files for t in read(p).tables.values())
    rows = [
        ("`cellpipe --help` over the interpreter's own start", f"{help_ - interpreter:.2f} s"),
        (f"reading and checking the sample's {len(files)} files ({records} rows)",
         f"{reading:.2f} s"),
        ("whole main job on the sample lab, over reading it", f"{first / reading:.0f} ×"),
        ("second run, over the first", f"{again / first:.3f}"),
    ]  # fmt: skip
    write_section("The main job", "python benchmarks/pipeline.py", table(("What", ""), rows))


if __name__ == "__main__":
    main()
