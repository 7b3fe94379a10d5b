"""Small files of cyclers, written as their programs write them."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from cellpipe.core.contracts import empty_table

ROUNDS = int(
    os.environ.get("CELLPIPE_FAULT_ROUNDS", "4")
)  # of runs that are killed; on request 300
LONG = ROUNDS >= 100  # all waits as long as they are meant, all ways of watching


def neware_csv(
    path: Path,
    start: str,
    *,
    rows: int = 100,
    factor: float = 1.0,
    records: slice = slice(None),
) -> None:
    """Write a small Neware export: two cycles of one hour each way, or some of its records."""
    begun = datetime.fromisoformat(start)
    lines = [
        "DataPoint,Cycle Index,Step Index,Step Type,Time,Total Time,Current(A),Voltage(V),Date"
    ]
    for n in range(4 * rows)[records]:
        step, at = divmod(n, rows)
        charging = step % 2 == 0
        volt = 3 + at / rows if charging else 4 - at / rows
        seconds = 36 * at
        moment = begun + timedelta(seconds=36 * n)
        ampere = (1 if charging else -0.95) * factor
        kind = "CC Chg" if charging else "CC DChg"
        lines.append(
            f"{n + 1},{step // 2 + 1},{step + 1},{kind},{timedelta(seconds=seconds)},"
            f"{36 * n}.0,{ampere},{volt:.4f},{moment:%Y-%m-%d %H:%M:%S}"
        )
    lines[1:] = [line.replace(" day, ", "d ").replace(" days, ", "d ") for line in lines[1:]]
    path.write_text("\n".join(lines).replace("Total Time,", "Total Time(s),") + "\n")


def sha256_of(name: str) -> str:
    """Return the sha256 of a made-up file's content, its name."""
    return hashlib.sha256(name.encode()).hexdigest()


def used_files(cell_id: str, *names: str) -> pl.DataFrame:
    """Return the table ``files`` of a cell with these made-up files."""
    rows = [
        {"path": name, "file_sha256": sha256_of(name), "cell_id": cell_id, "status": "used",
         "format": "bdf", "size_byte": 1}
        for name in names
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=empty_table("files").schema)
