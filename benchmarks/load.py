"""Thousands of files at once: how soon the first result is there, and what ten thousand junk cost.

``python benchmarks/load.py [--quick]``; writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from night_shift import cpu_seconds, resident_mb, watched
from page import table, write_section

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from cellpipe.pipeline.run import process
from cellpipe.store import Ledger
from cellpipe.store.batch_queue import queued_files
from made_files import neware_csv

QUICK = "--quick" in sys.argv
Rows = list[tuple[str, str, str]]


def make_cells(folder: Path, count: int) -> None:
    """Make cells of one small file each, and a sheet that names them."""
    folder.mkdir()
    neware_csv(folder / "source", "2026-03-02 10:00:00", rows=10)
    text = (folder / "source").read_text()
    (folder / "source").unlink()
    rows = []
    for number in range(count):
        day = f"{2000 + number // 336}-{1 + number % 336 // 28:02}-{1 + number % 28:02}"
        (folder / f"SSB-{number:05}_A.csv").write_text(text.replace("2026-03-02", day))
        rows.append(f"SSB-{number:05},SSB-{number:05}_*,full")
    head = "Cell ID,Files,Configuration\n"
    (folder / "cells.csv").write_text(head + "\n".join(rows) + "\n")


def watch_cells(place: Path, count: int) -> tuple[float, float, float, float]:
    """Drop cells into a watched folder; return seconds to a page, the index and all, and MB."""
    source, lab, out = place / f"source {count}", place / f"lab {count}", place / f"out {count}"
    make_cells(source, count)
    lab.mkdir()
    watch = watched(lab, out, "auto")
    time.sleep(15)
    for path in source.iterdir():
        shutil.copy(path, lab / path.name)
    begun, page, index, peak = time.monotonic(), 0.0, 0.0, 0.0
    while True:
        now = time.monotonic() - begun
        page = page or (now if any(out.glob("cells/*.html")) else 0.0)
        index = index or (now if (out / "index.html").is_file() else 0.0)
        peak = max(peak, resident_mb(watch.pid))
        if index and (out / "all-cells.xlsx").is_file() and now > page:
            ledger = Ledger(out)
            if len(ledger.cells()) == count and not queued_files(ledger.database):
                break
        time.sleep(0.1 if not index else 2.0)
    print(f"{count} cells: {cpu_seconds(watch.pid):.0f} s of the watch itself", flush=True)
    watch.terminate()
    watch.wait()
    return page, index, now, peak


def cells(place: Path) -> Rows:
    """Return how soon first results come of few and many cells, and the rate of either."""
    few, many = (60, 240) if QUICK else (500, 2_000)
    first, second = watch_cells(place, few), watch_cells(place, many)
    ratio = (many / second[2]) / (few / first[2])
    return [
        (f"{many:,} new cells at once in a watched folder: the first cell's page",
         f"{second[0]:.1f} s", "seconds"),
        ("… the lab's page that lists it", f"{second[1]:.1f} s", "seconds"),
        (f"… cells per second, over those of {few}", f"{ratio:.2f}", "≥ 0.95"),
        ("… memory of the watch", f"{second[3]:.0f} MB", ""),
    ]  # fmt: skip


def junk(place: Path) -> Rows:
    """Return what files that are no measurements cost."""
    count = 1_000 if QUICK else 10_000
    lab, out = place / "junk", place / "junk out"
    lab.mkdir()
    for number in range(count):
        (lab / f"junk_{number:05}.csv").write_bytes(b"\x00\x01nothing %d" % number)
    begun = time.perf_counter()
    process(lab, out, workers=2)
    once = time.perf_counter()
    process(lab, out)
    again = time.perf_counter()
    size = (out / "index.html").stat().st_size / 1e6
    return [
        (f"{count:,} junk files", f"{once - begun:.0f} s", ""),
        ("… the second run, over the first", f"{(again - once) / (once - begun):.3f}", "≤ 0.1"),
        ("… size of the lab's page", f"{size:.2f} MB", "< 1 MB"),
    ]


def main() -> None:
    """Measure both parts."""
    with tempfile.TemporaryDirectory(prefix="cellpipe-") as folder:
        found = [*cells(Path(folder)), *junk(Path(folder))]
    lines = table(("What", "Measured", "Target"), found)
    print("\n".join(lines))
    if not QUICK:
        write_section("Load", "python benchmarks/load.py", lines)


if __name__ == "__main__":
    main()
