"""Hold exported tables against the stored ones: their heads are the columns' own names."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

import polars as pl
from shown_lab import Lab

from cellpipe.core.contracts import load_schema


def csv_faults(lab: Lab, name: str, content: bytes, cell_id: str) -> list[str]:
    """Return the columns of an exported table that are not those of the cell's table."""
    stored = lab.table(name).filter(pl.col("cell_id") == cell_id)
    return _faults(content, {column: stored[column].to_list() for column in stored.columns})


def bdf_faults(lab: Lab, content: bytes, sha256: str) -> list[str]:
    """Return the columns of a .bdf.csv that are not those of the raw file's tables.

    The schemas say what the format calls a column. A step without a word has its mode in its place.
    """
    stored: dict[str, list[Any]] = {}
    for table in ("impedance", "timeseries"):
        path = lab.out / "tables" / table / f"{sha256}.parquet"
        frame = pl.read_parquet(path) if path.is_file() else pl.DataFrame()
        names = {n: c.bdf for n, c in load_schema(table).columns.items() if c.bdf}
        stored |= {names[n]: frame[n].to_list() for n in frame.columns if n in names}
        if "step_mode" in frame.columns and not any(stored.get("Step Type", [])):
            stored["Step Type"] = frame["step_mode"].to_list()
    return _faults(content, stored)


def _faults(content: bytes, stored: dict[str, list[Any]]) -> list[str]:
    heads, *lines = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    faults = [f"{head} is no column" for head in heads if head not in stored]
    for place, head in enumerate(heads):
        values = stored.get(head, [])
        shown = [line[place] for line in lines]
        if len(shown) != len(values):
            faults.append(f"{head} has {len(shown)} rows, {len(values)} are stored")
        wrong = [(a, b) for a, b in zip(shown, values, strict=False) if not _is_same(a, b)]
        if wrong:
            faults.append(f"{head}: shown is {wrong[0][0]}, stored is {wrong[0][1]}")
    return faults


def _is_same(shown: str, value: Any) -> bool:
    if value is None:
        return shown == ""
    if isinstance(value, bool):
        return shown == str(value).lower()
    if isinstance(value, (int, float)):
        return float(shown) == float(value)
    if isinstance(value, datetime):
        return shown == f"{value:%Y-%m-%d %H:%M:%S}"
    return shown.removeprefix("'") == value.removeprefix("'")
