"""Write records as files of the Battery Data Format (BDF 1.3), with a sidecar about the cell.

A file holds one recording of one cell; columns have the format's labels and units. Columns without
a name in the format are left out, and the sidecar lists them: an instrument's own counters of
charge are reset in ways that the format's columns don't allow. ``Step Type`` is the instrument's
own word, or the mode of the step where it has none.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from datetime import datetime

import polars as pl

from cellpipe._version import __version__
from cellpipe.core import contracts
from cellpipe.core.clean_text import escape_controls_in_json
from cellpipe.handoff.record import Value

_NEEDED = ("test_time_second", "voltage_volt", "current_ampere")
_OF_SPECTRA = ("real_impedance_ohm", "imaginary_impedance_ohm")
_KNOWN_OTHERWISE = {"file_sha256", "step_mode"}  # Step Type tells the mode
VERSION = "1.3"


def bdf_table(timeseries: pl.DataFrame, impedance: pl.DataFrame) -> pl.DataFrame | None:
    """Return a recording with the format's labels, or None if it lacks what the format needs.

    Parameters
    ----------
    timeseries, impedance
        One raw file's tables; impedance is joined to the records at which it was measured. Either
        may be empty.

    """
    if timeseries.is_empty():
        timeseries, impedance = impedance, impedance[:0]
    spectra = impedance.select("record_index", *_OF_SPECTRA)
    if spectra.height:
        timeseries = timeseries.join(
            spectra, on="record_index", how="left", maintain_order="left", validate="m:1"
        )
    if any(name not in timeseries.columns or timeseries[name].null_count() for name in _NEEDED):
        return None
    if "step_mode" in timeseries.columns:
        words = timeseries.get_column("step_type", default=None)
        if words is None or words.null_count() == words.len():
            timeseries = timeseries.with_columns(step_type="step_mode")
    labels = _labels(timeseries.columns)
    kept = [name for name in labels if timeseries[name].null_count() < timeseries.height]
    return timeseries.select(pl.col(name).alias(labels[name]) for name in kept)


def unmapped_columns(timeseries: pl.DataFrame) -> list[str]:
    """Return the non-empty columns of a table that have no name in the format."""
    labels = _labels(timeseries.columns)
    return [
        name for name in timeseries.columns
        if name not in labels and name not in _KNOWN_OTHERWISE
        and timeseries[name].null_count() < timeseries.height
    ]  # fmt: skip


def _labels(columns: list[str]) -> dict[str, str]:
    """Return the format's label of each column that has one, required ones first."""
    labels: dict[str, str] = {}
    for table in ("timeseries", "impedance"):
        described = contracts.column_metadata(table, [*_NEEDED, *columns])
        labels = {name: meta["bdf"] for name, meta in described.items() if "bdf" in meta} | labels
    ordered = {name: labels[name] for name in (*_NEEDED, *columns) if name in labels}
    sensors = {name: re.fullmatch(r"temperature_t(\d+)_celsius", name) for name in ordered}
    return {
        name: f"Temperature T{match[1]} / degC" if match else ordered[name]
        for name, match in sensors.items()
    }


def bdf_name(organisation: str, cell_id: str, started_at: datetime | None, number: int) -> str:
    """Return a file's name without suffixes, as the format asks: ``Lab__Cell__YYYYMMDD_001``."""
    day = f"{started_at:%Y%m%d}" if started_at else "00000000"
    lab = _safe_name(organisation) or "unknown"
    return f"{lab}__{_safe_name(cell_id) or 'cell'}__{day}_{number:03d}"


def _safe_name(text: str) -> str:
    return re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9.-]+", "_", text)).strip("_.-")


def csv_bytes(table: pl.DataFrame) -> bytes:
    """Return a table as .bdf.csv; every number can be read back exactly."""
    return table.write_csv().encode()


def parquet_bytes(table: pl.DataFrame) -> bytes:
    """Return a table as .bdf.parquet."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def sidecar(
    values: list[Value], source: Mapping[str, object], absent: list[str], organisation: str
) -> bytes:
    """Return the sidecar as JSON: the cell, the raw file, and what was left out."""
    document = {
        "format": f"Battery Data Format {VERSION}",
        "institution": organisation or None,
        "cell": {
            value.identifier.partition(".")[2]: {
                "name": value.name, "value": value.value, "unit": value.unit or None,
                "source": value.meaning or None,
            }
            for value in values
        },
        "source": dict(source),
        "left_out": absent,
        "conventions": {
            "current": "positive charges the cell", "unix_time": "UTC",
            "imaginary_impedance": "negative if capacitive",
        },
        "made_with": f"cellpipe {__version__}",
    }  # fmt: skip
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    return (escape_controls_in_json(text) + "\n").encode()
