"""How fast records become cycles and curves: ``python benchmarks/cycling.py``.

Ten million records are made, and the path from them to cycles is measured in turn with a plain
polars group-by over the same columns (best of N in one process); so is dQ/dV of a thousand half
cycles beside reading their records from parquet. With ``--cellpy PYTHON``, the Python of an
environment with cellpy 2.1.5 in it (which needs Python 3.13), it also measures the way from a real
file to the table of cycles beside cellpy, each in a fresh process. Writes its section of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from page import table, write_section

from cellpipe.analyses import curves, cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.model import Cell

CORPUS = Path(__file__).parents[2] / "shared" / "real_data"
CELL = Cell("made", "full", cathode_active_mass_mg=20.0, nominal_capacity_mah_per_g=200.0)


def records(half_cycle_count: int, each: int) -> pl.DataFrame:
    """Make a test of half cycles of so many records each, a tenth of them at constant voltage."""
    count = half_cycle_count * each
    place = np.arange(count)
    half, within = place // each, (place % each) / each
    sign = np.where(half % 2 == 0, 1.0, -1.0)
    tapered = np.where((within > 0.9) & (sign > 0), np.exp(-30 * (within - 0.9)), 1.0)
    noise = np.random.default_rng(0).standard_normal(count)
    current = 4e-3 * sign * tapered * (1 + 1e-4 * noise)
    voltage = 3.6 + sign * (0.6 * np.minimum(within / 0.9, 1) ** 2 - 0.3) + 2e-4 * noise
    time_second = place * 10.0
    passed = np.cumsum(current) * 10 / 3600
    return pl.DataFrame(
        {
            "record_index": place + 1,
            "test_time_second": time_second,
            "unix_time_second": time_second + 1.7e9,
            "voltage_volt": voltage,
            "current_ampere": current,
            "cycle_count": half // 2 + 1,
            "step_count": half + 1,
            "net_capacity_ah": passed,
        }
    )


def cycle_table(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Go cellpipe's way from records to cycles."""
    segments = {"half_cycle_segments": half_cycle_segments(timeseries, "0" * 64)}
    (halves,) = half_cycles.ANALYSIS.compute(CELL, segments)
    (made,) = cycles.ANALYSIS.compute(CELL, {"half_cycles": halves.table})
    return made.table


def plain_group_by(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Sum the same columns up by the instrument's cycle and step, with nothing else."""
    i, v = pl.col("current_ampere"), pl.col("voltage_volt")
    charge = (i + i.shift(1).fill_null(0)) / 2 * pl.col("_dt") / 3600
    return (
        timeseries.lazy()
        .with_columns(_dt=pl.col("test_time_second").diff().fill_null(0).clip(0, None))
        .with_columns(_dq=charge)
        .group_by("cycle_count", "step_count", maintain_order=True)
        .agg(
            pl.len(), charge=pl.col("_dq").sum(), energy=(v * pl.col("_dq")).sum(),
            counted=pl.col("net_capacity_ah").last() - pl.col("net_capacity_ah").first(),
            duration=pl.col("_dt").sum(), first=pl.col("record_index").first(),
            last=pl.col("record_index").last(), begins=pl.col("unix_time_second").first(),
            ends=pl.col("unix_time_second").last(), at=pl.col("test_time_second").first(),
            first_volt=v.first(), last_volt=v.last(), low=v.min(), high=v.max(),
            first_ampere=i.first(), last_ampere=i.last(), mean=i.abs().mean(),
            tapered=pl.col("_dq").filter((v - v.max()).abs() < 0.003).sum(),
        )
        .collect()
    )  # fmt: skip


def plain_cycles(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Sum up eight numbers by the instrument's cycle: the least that makes a table of cycles."""
    charge, volt = pl.col("_dq"), pl.col("voltage_volt")
    current = pl.col("current_ampere")
    middle = (current + current.shift(1).fill_null(0)) / 2
    into, out = charge.filter(charge > 0), charge.filter(charge < 0)
    return (
        timeseries.lazy()
        .with_columns(_dt=pl.col("test_time_second").diff().fill_null(0).clip(0, None))
        .with_columns(_dq=middle * pl.col("_dt") / 3600)
        .group_by("cycle_count", maintain_order=True)
        .agg(
            charged=into.sum(), discharged=-out.sum(),
            charging=(volt * charge).filter(charge > 0).sum() / into.sum(),
            discharging=(volt * charge).filter(charge < 0).sum() / out.sum(),
            records=pl.len(), begins=pl.col("test_time_second").first(),
            low=volt.min(), high=volt.max(),
        )
        .collect()
    )  # fmt: skip


def best(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Best wall-clock seconds of each call; they take turns."""
    found: dict[str, float] = {}
    for _ in range(runs):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name] = min(found.get(name, 1e9), time.perf_counter() - start)
    return found


def differential(folder: Path) -> tuple[float, float]:
    """Seconds to read the records of a thousand half cycles from parquet, and for their dQ/dV."""
    made = records(1000, 1000).with_columns(file_sha256=pl.lit("0" * 64))
    made.write_parquet(folder / "records.parquet")
    tables = {
        "timeseries": made,
        "half_cycle_segments": half_cycle_segments(made, "0" * 64),
    }
    gathered = curves.collect_records(tables)
    found = best(
        {
            "read": lambda: pl.read_parquet(folder / "records.parquet"),
            "curves": lambda: curves.derivatives(gathered),
        },
        5,
    )
    return found["read"], found["curves"]


def from_file(path: Path) -> None:
    """Print the best seconds from a file to its cycles, their number, and the peak memory in kB."""
    import cellpipe

    def run() -> int:
        return cycle_table(cellpipe.read(path).tables["timeseries"]).height

    seconds = best({"file": run}, 5)["file"]
    print(seconds, run(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def beside_cellpy(python: str, path: Path) -> tuple[str, ...]:
    """Measure the way from a file to the table of cycles, each in a fresh process."""
    ours, theirs = (
        [float(word) for word in done.stdout.split()[-3:]]
        for done in (
            subprocess.run(command, check=True, capture_output=True)
            for command in (
                [sys.executable, __file__, "--one", str(path)],
                [python, str(Path(__file__).with_name("cellpy_cycles.py")), str(path)],
            )
        )
    )
    return (path.name, f"{theirs[0] / ours[0]:.1f}", "≥ 10", f"{ours[0] * 1e3:.0f}",
            f"{ours[2] / 1e3:.0f}", f"{theirs[2] / 1e3:.0f}")  # fmt: skip


def _beside(python: str) -> list[str]:
    """Measure beside cellpy; first of all, for a process inherits the peak of the one before."""
    files = ("cellpy__20260302_IFE_BTS85_2_9_8_1.ndax", "fastnda__test_2.ndax")
    rows = [beside_cellpy(python, CORPUS / "ndax" / name) for name in files]
    heads = (
        "File to table of cycles",
        "cellpy's time over cellpipe's",
        "Target",
        "cellpipe / ms",
        "cellpipe's peak / MB",
        "cellpy's peak / MB",
    )
    title = "\nReal files of 252,951 and 108,563 records, beside cellpy 2.1.5:\n"
    return [title, *table(heads, rows)]


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description="Measure the way from records to cycles.")
    parser.add_argument("--cellpy", metavar="PYTHON", help="of an environment with cellpy")
    parser.add_argument("--one", type=Path, help="measure one file and print what it took")
    options = parser.parse_args()
    if options.one:
        from_file(options.one)
        return
    beside = _beside(options.cellpy) if options.cellpy and CORPUS.is_dir() else []
    made = records(2000, 5000)
    calls = {
        "cellpipe": lambda: cycle_table(made),
        "plain": lambda: plain_group_by(made),
        "least": lambda: plain_cycles(made),
    }
    found = best(calls, 5)
    height = cycle_table(made).height
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    with tempfile.TemporaryDirectory() as folder:
        read, derived = differential(Path(folder))
    rows = [
        (f"{made.height / 1e6:.0f} million records to {height} cycles, over a plain group-by",
         f"{found['cellpipe'] / found['plain']:.2f}", "≤ 1.5", f"{found['cellpipe'] * 1e3:.0f}"),
        ("the same, over the least group-by: eight sums by the instrument's cycle",
         f"{found['cellpipe'] / found['least']:.2f}", "≤ 1.5", f"{found['cellpipe'] * 1e3:.0f}"),
        ("dQ/dV of 1,000 half cycles of 1,000 records, over 5 % of the time to read them from "
         "parquet plus 0.5 s", f"{derived / (0.05 * read + 0.5):.2f}", "≤ 1",
         f"{derived * 1e3:.0f}"),
    ]  # fmt: skip
    notes = [
        "The group-by sums the same columns up by the instrument's cycle and step; cellpipe finds "
        f"the half cycles itself. Records as a table: {made.estimated_size() / 1e6:.0f} MB, peak "
        f"memory of the process {peak:.0f} MB.\n",
        *table(("What", "Ratio", "Target", "cellpipe / ms"), rows),
    ]
    notes += beside
    write_section("From records to cycles", "python benchmarks/cycling.py", notes)


if __name__ == "__main__":
    sys.exit(main())
