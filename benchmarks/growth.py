"""How time and memory grow: ``python benchmarks/growth.py [PART …]``.

Each part writes its section of docs/benchmarks.md. A growth is linear where ten times as much costs
at most ten times as much.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from page import table, write_section

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "real_data"
COMMAND = "python benchmarks/growth.py"


def in_a_process(part: str, *arguments: object) -> tuple[float, float]:
    """Run one measurement in a fresh process: its seconds, and its peak memory in MB."""
    done = subprocess.run(
        [sys.executable, __file__, f"--{part}", *map(str, arguments)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def said(seconds: float) -> None:
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def ledger_of(count: int) -> None:
    """Return a night with nothing new over so many files, of which the ledger knows all."""
    from cellpipe.core.errors import Reason
    from cellpipe.pipeline.plan import plan_all, reading_key
    from cellpipe.store import Content, SeenFile
    from cellpipe.store.lab import Lab
    from cellpipe.store.writer_lease import acquire

    with tempfile.TemporaryDirectory() as folder:
        lab, out = Path(folder) / "lab", Path(folder) / "out"
        job = Lab(lab, out)
        files, contents = [], []
        key = reading_key(job, None)
        for number in range(count):
            place = lab / f"{number // 500:04}"
            place.mkdir(parents=True, exist_ok=True)
            path = place / f"C{number:07}.mpr"
            path.write_bytes(b"x")
            status = path.stat()
            sha256 = f"{number:064x}"
            name = f"{number // 500:04}/{path.name}"
            files.append(SeenFile(name, status.st_size, status.st_mtime_ns, sha256))
            contents.append(Content(sha256, key, "set aside", reason=Reason("made")))
        with acquire(job.ledger):
            for start in range(0, count, 5000):
                part = slice(start, start + 5000)
                job.ledger.record_files(lab, files[part], contents[part])
        del files, contents
        start = time.perf_counter()
        plan = plan_all(job, job.ledger.snapshot(lab))
        seconds = time.perf_counter() - start
        assert len(plan.known) == count, len(plan.known)
        said(seconds)


def parsed(count: int) -> None:
    """So many real parse jobs: a file is read, checked, its tables are written, noted."""
    from cellpipe.pipeline.ingest import ingest_file
    from cellpipe.pipeline.plan import NewFile
    from cellpipe.pipeline.record import record_ingest
    from cellpipe.store.lab import Lab
    from cellpipe.store.writer_lease import acquire

    source = (ROOT / "sample_data/neware_csv/SSB-05_record_zh.csv").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder) / "lab"
        lab.mkdir()
        job = Lab(lab, Path(folder) / "out")
        begun, seconds = 0.0, 0.0
        with acquire(job.ledger):
            for number in range(count):
                path = lab / f"SSB-05_{number}.csv"
                path.write_bytes(source + b"\n" * number)
                begun = time.perf_counter()
                record_ingest(job, ingest_file(job, NewFile(path)))
                seconds += time.perf_counter() - begun
                path.unlink()
                if number % 500 == 499:
                    shutil.rmtree(job.results / "tables")
        said(seconds)


def rows_of(count: int) -> None:
    """Return a file of so many rows, from its bytes to its cycles."""
    import cellpipe
    from cellpipe.analyses import cycles, half_cycles
    from cellpipe.analyses.half_cycle_segments import half_cycle_segments
    from cellpipe.core.model import Cell

    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = arbin_csv(Path(folder) / "made.csv", count)
        start = time.perf_counter()
        series = cellpipe.read(path).tables["timeseries"]
        segments = {"half_cycle_segments": half_cycle_segments(series, "0" * 64)}
        cell = Cell("made", "full")
        (halves,) = half_cycles.ANALYSIS.compute(cell, segments)
        (made,) = cycles.ANALYSIS.compute(cell, {"half_cycles": halves.table})
        seconds = time.perf_counter() - start
        assert made.table.height
        said(seconds)


def arbin_csv(path: Path, count: int) -> Path:
    """Write an Arbin export of so many records, in pieces."""
    piece = 200_000
    for start in range(0, count, piece):
        place = np.arange(start, min(start + piece, count))
        half = place // 500
        sign = np.where(half % 2 == 0, 1.0, -1.0)
        frame = pl.DataFrame({
            "Data_Point": place + 1, "Test_Time(s)": place * 10.0,
            "Step_Index": half + 1, "Cycle_Index": half // 2 + 1,
            "Current(A)": 4e-3 * sign, "Voltage(V)": 3.6 + sign * (place % 500) / 1000,
        })  # fmt: skip
        with path.open("ab") as stream:
            frame.write_csv(stream, include_header=start == 0)
    return path


def cells_of(count: int) -> None:
    """Return the lab's page, workbook and gathered tables of so many cells."""
    from cellpipe.store import write_table
    from cellpipe.store.consolidated import consolidate_tables
    from cellpipe.store.results import open_results

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        made = a_cell()
        for number in range(count):
            for name, frame in made.items():
                named = frame.with_columns(cell_id=pl.lit(f"SSB-{number:06}"))
                write_table(out, name, f"SSB-{number:06}", named)
        start = time.perf_counter()
        consolidate_tables(out, all_of_it=True)
        for name in made:
            assert open_results(out)[name].collect()["cell_id"].n_unique() == count
        said(time.perf_counter() - start)


def a_cell() -> dict[str, pl.DataFrame]:
    """Give the tables of one cell of the sample lab."""
    from cellpipe.pipeline.run import process
    from cellpipe.store.results import open_results

    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder) / "lab"
        (lab / "neware_csv").mkdir(parents=True)
        for path in (ROOT / "sample_data").glob("neware_csv/SSB-05*"):
            shutil.copy(path, lab / "neware_csv")
        shutil.copy(ROOT / "sample_data/cells.xlsx", lab)
        process(lab, Path(folder) / "out")
        results = open_results(Path(folder) / "out")
        return {
            name: results[name].filter(cell_id="SSB-05").collect() for name in ("cells", "cycles")
        }


def spectra_of(count: int) -> None:
    """Return the joint fit of a cell's series of so many spectra."""
    from cellpipe import fit_impedance_series

    frequency = np.logspace(6, -1, 50)
    omega = 2j * np.pi * frequency
    noise = np.random.default_rng(0)
    every = []
    for number in range(count):
        middle, slow = 12.0 + 10.0 * number / count, 30.0 + 40.0 * number / count
        z = 5.0 + middle / (1 + (omega * 1e-4) ** 0.9) + slow / (1 + (omega * 1e-1) ** 0.85)
        spread = 1e-3 * abs(z) * (
            noise.standard_normal(50) + 1j * noise.standard_normal(50)
        )  # fmt: skip
        every.append(z + spread)
    start = time.perf_counter()
    found = fit_impedance_series([frequency] * count, every)
    seconds = time.perf_counter() - start
    assert found is not None
    said(seconds)


PARTS: dict[str, tuple[str, tuple[int, ...], Callable[[int], None]]] = {
    "ledger": ("files in the ledger, a look with nothing new",
               (100, 1_000, 10_000, 100_000), ledger_of),
    "parse": ("real parse jobs, one after the other", (100, 1_000, 10_000), parsed),
    "rows": ("rows in a file, from bytes to cycles",
             (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000), rows_of),
    "cells": ("cells, their tables gathered and read", (100, 1_000, 10_000), cells_of),
    "spectra": ("spectra of a cell, fitted together", (5, 50, 500), spectra_of),
}  # fmt: skip


def grown(part: str) -> None:
    """Measure one part at each size, and write its section."""
    from cellpipe.system.processes import free_memory

    what, sizes, _ = PARTS[part]
    rows, before, peak, last = [], 0.0, 0.0, 1
    for size in sizes:
        if peak * size / last > free_memory() / 1e6:
            rows.append((f"{size:,}", "more than fits into memory here", "", "", ""))
            break
        seconds, peak = in_a_process(part, size)
        times = f"{seconds / before:.1f} ×" if before else ""
        each = 1e6 * seconds / size
        rows.append((f"{size:,}", f"{seconds:.3g}", f"{each:.3g}", f"{peak:.0f}", times))
        before, last = seconds, size
    heads = ("Count", "Seconds", "µs each", "Peak / MB", "Over the row above")
    write_section(f"Growth: {what}", f"{COMMAND} {part}", table(heads, rows))


def backfill(processors: int) -> None:
    """Time a backfill of real files by a process that may use so many processors."""
    from cellpipe.pipeline.run import process

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        lab = Path(folder) / "lab"
        for copy in range(2):
            for name in ("mpr", "mpt", "nda", "ndax", "res", "arbin-csv", "neware-csv"):
                target = lab / f"{copy}" / name
                shutil.copytree(CORPUS / name, target)
                if copy:
                    _made_different(target)
        start = time.perf_counter()
        process(lab, Path(folder) / "out", workers=processors)
        said(time.perf_counter() - start)


def cores() -> None:
    """Measure a backfill of real files on one and on two processors, in turn, the better of two."""
    found = {1: 1e9, 2: 1e9}
    for _ in range(2):
        for processors, best in found.items():
            seconds, _peak = in_a_process("backfill", processors)
            found[processors] = min(best, seconds)
    row = ("One processor's time over two's", f"{found[1] / found[2]:.2f} × ({found[1]:.0f} s, "
           f"{found[2]:.0f} s)", "≥ 1.8")  # fmt: skip
    write_section("Cores", f"{COMMAND} cores", table(("What", "Measured", "Target"), [row]))


def _made_different(folder: Path) -> None:
    """Rename a copy's files, so that they are other cells'."""
    for path in folder.iterdir():
        path.rename(path.with_name(f"copy-{path.name}"))


def query() -> None:
    """Ask 10,000 cells' tables which cycles of LPSCl cells are of 2025."""
    import duckdb

    from cellpipe import open_results
    from cellpipe.core import contracts
    from cellpipe.store import LAB, write_table
    from cellpipe.store.consolidated import consolidate_tables

    count, made = 10_000, a_cell()["cycles"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        out = Path(folder)
        names = [f"SSB-{number:06}" for number in range(count)]
        for name in names:
            write_table(out, "cycles", name, made.with_columns(cell_id=pl.lit(name)))
        kinds = ["LPSCl" if number % 3 == 0 else "Li3InCl6" for number in range(count)]
        sheet = pl.DataFrame({"cell_id": names, "electrolyte": kinds, "in_sheet": [True] * count})
        empty = contracts.empty_table("cell_sheet")
        write_table(out, "cell_sheet", LAB, pl.concat([empty, sheet], how="diagonal"))
        year = int(pl.from_epoch(made["start_unix_time_second"].cast(pl.Int64))[0].year)

        def through_polars() -> int:
            results = open_results(out)
            wanted = results["cell_sheet"].filter(electrolyte="LPSCl").select("cell_id")
            day = pl.from_epoch(pl.col("start_unix_time_second").cast(pl.Int64))
            cycles = results["cycles"].filter(day.dt.year() == year)
            return cycles.join(wanted, on="cell_id", how="semi").collect().height

        asked = f"""
            SELECT c.* FROM '{out}/gathered/cycles.parquet' c
            SEMI JOIN '{out}/tables/cell_sheet/lab.parquet' s
            ON c.cell_id = s.cell_id AND s.electrolyte = 'LPSCl'
            WHERE year(to_timestamp(start_unix_time_second)) = {year}
        """

        def through_duckdb() -> int:
            return len(duckdb.sql(asked).pl())

        rows = []
        start = time.perf_counter()
        expected = through_polars()
        rows.append(("cellpipe, polars: one by one", f"{time.perf_counter() - start:.2f} s", ""))
        start = time.perf_counter()
        consolidate_tables(out)
        rows.append(("gathering them, once", f"{time.perf_counter() - start:.1f} s", ""))
        for what, ask in (("cellpipe, polars", through_polars), ("DuckDB", through_duckdb)):
            best = 1e9
            for _ in range(3):
                start = time.perf_counter()
                assert ask() == expected
                best = min(best, time.perf_counter() - start)
            rows.append((f"{what}: gathered", f"{best:.2f} s", "< 2 s"))
    lines = [
        f"All cycles of a year of cells with LPSCl: {expected} of {count * made.height} rows in "
        f"{count} files.\n",
        *table(("What", "Measured", "Target"), rows),
    ]
    write_section("A question about the whole lab", f"{COMMAND} query", lines)


def main() -> None:
    """Run the parts that are named, or all."""
    if len(sys.argv) == 3 and sys.argv[1].startswith("--"):
        name, size = sys.argv[1][2:], int(sys.argv[2])
        (backfill if name == "backfill" else PARTS[name][2])(size)
        return
    for part in sys.argv[1:] or (*PARTS, "query", "cores"):
        if part == "cores" and CORPUS.is_dir():
            cores()
        elif part == "query":
            query()
        elif part in PARTS:
            grown(part)


if __name__ == "__main__":
    main()
