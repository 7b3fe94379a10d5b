"""What reports cost: a cell's page and workbook over matplotlib alone, and an index of a big lab.

``python benchmarks/report.py [--quick]``; writes its section of docs/benchmarks.md. The second
part wants a Chromium on the machine.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from page import table, write_section

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "report")]

from made_cells import FULL, Made, made

from cellpipe.core import contracts
from cellpipe.core.model import AnalysisFacts
from cellpipe.report import write_cell_report, write_index, write_lab_workbook
from cellpipe.report.figures.panel import plot_style
from cellpipe.report.html.cell_page import cell_panels

QUICK = "--quick" in sys.argv
TURNS = 2 if QUICK else 5
Rows = list[tuple[str, str, str]]


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def drawn_alone(one: Made) -> None:
    """Draw every figure of the cell's page once, with matplotlib and nothing else."""
    for panel in cell_panels(one.cell, one.tables):
        if panel.draw is None:
            continue
        with plot_style():
            canvas: Any = FigureCanvasSVG(panel.draw())
            canvas.print_svg(io.StringIO())


def of_a_cell() -> Rows:
    """Page and workbook of 500 cycles and 50 spectra, over drawing its figures once."""
    one = made(FULL, 500, 50)
    alone, reports = [], []
    with tempfile.TemporaryDirectory(prefix="cellpipe-") as folder:
        out = Path(folder)
        for _ in range(TURNS + 1):
            alone.append(seconds(lambda: drawn_alone(one)))
            reports.append(
                seconds(
                    lambda: write_cell_report(
                        one.cell, one.tables, one.files, out, version="1", analyses=AnalysisFacts()
                    )
                )
            )
        size = next((out / "cells").glob("*.html")).stat().st_size / 1e6
    ratio = min(reports[1:]) / min(alone[1:])
    what = (
        "page and workbook of 500 cycles and 50 spectra, over matplotlib drawing the figures once"
    )
    shown = f"{ratio:.2f} × ({min(reports[1:]):.2f} s)"
    return [(what, shown, "< 1.5 ×"), ("… size of the page", f"{size:.2f} MB", "< 2 MB")]


def lab_of(count: int) -> dict[str, pl.DataFrame]:
    """Make the tables of a lab of so many cells, all like one."""
    one = made(replace(FULL, group=None), 100, 3)
    tables = {}
    for name in ("cells", "baseline_comparison", "cycles", "findings"):
        parts = [
            one.tables[name].with_columns(cell_id=pl.lit(f"SSB-{number:04}"))
            for number in range(count)
        ]
        tables[name] = pl.concat(parts)
    return tables | {name: contracts.empty_table(name) for name in ("files", "own_columns")}


def of_a_lab() -> Rows:
    """Index and workbook of 1,000 cells, and what a browser needs for them."""
    count = 200 if QUICK else 1_000
    tables = lab_of(count)
    with tempfile.TemporaryDirectory(prefix="cellpipe-") as folder:
        path = Path(folder)
        index = min(seconds(lambda: write_index(tables, path, version="1")) for _ in range(3))
        book = min(seconds(lambda: write_lab_workbook(tables, path, version="1")) for _ in range(2))
        size = (path / "index.html").stat().st_size / 1e6
        rows = [
            (f"index of {count:,} cells", f"{index:.2f} s, {size:.2f} MB", ""),
            ("… its workbook", f"{book:.2f} s", ""),
        ]
        return rows + in_a_browser(path / "index.html", count)


def in_a_browser(path: Path, count: int) -> Rows:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return []
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    timed = """() => {
      const box = document.getElementById("filter");
      const timed = (text) => {
        const begun = performance.now();
        box.value = text; box.dispatchEvent(new Event("input")); document.body.offsetHeight;
        return performance.now() - begun;
      };
      const times = ["SSB-00", "", "nothing", ""].map(timed);
      const head = document.querySelector("#cells thead th button");
      const begun = performance.now();
      head.click(); document.body.offsetHeight;
      return [Math.max(...times), performance.now() - begun];
    }"""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=arguments)
        page = browser.new_page()
        opened = seconds(lambda: page.goto(path.as_uri(), wait_until="load"))
        filtering, sorting = page.evaluate(timed)
        browser.close()
    return [
        (f"… opened by Chromium ({count:,} rows)", f"{opened:.2f} s", ""),
        ("… one letter into the filter, the slowest", f"{filtering:.0f} ms", "no pause (100 ms)"),
        ("… sorted anew", f"{sorting:.0f} ms", "no pause (100 ms)"),
    ]


def main() -> None:
    """Measure both parts."""
    found = [*of_a_cell(), *of_a_lab()]
    lines = table(("What", "Measured", "Target"), found)
    print("\n".join(lines))
    if not QUICK:
        write_section("Reports", "python benchmarks/report.py", lines)


if __name__ == "__main__":
    main()
