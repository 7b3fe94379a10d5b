"""Read Arbin's .res files: Access (Jet 4) databases, without any external program.

``Channel_Normal_Table`` holds the records in s, A, V, Ah and Wh, in no order: they are sorted by
``Data_Point``. ``DateTime`` is an OLE day in the computer's local time. ``Channel_Statistic_Table``
names the last record of each cycle: it becomes ``vendor_cycles``. ``Auxiliary_Table`` holds
temperatures and voltages by channel and Data_Point; of two rows for the same channel and
Data_Point the last is used. ``Global_Table`` describes the test.
"""

from __future__ import annotations

import mmap
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.arbin import columns as arbin
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.jet4.database import JetError, read_counted_table, table_names
from cellpipe.formats.jet4.pages import PAGE_BYTES
from cellpipe.formats.tabular.records import vendor_cycles

_MAGIC = b"\x00\x01\x00\x00Standard Jet DB\x00"
_OLE_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - the instrument's local clock
_OLE_UNIX_DAYS = 25_569.0  # OLE day of 1970-01-01
_RECORDS, _CYCLES = "Channel_Normal_Table", "Channel_Statistic_Table"
_COLUMNS = (
    ("Test_Time", "test_time_second", pl.Float64()),
    ("Step_Time", "step_time_second", pl.Float64()),
    ("Voltage", "voltage_volt", pl.Float64()),
    ("Current", "current_ampere", pl.Float64()),
    ("Cycle_Index", "cycle_count", pl.Int64()),
    ("Step_Index", "step_id", pl.Int64()),
    ("Internal_Resistance", "internal_resistance_ohm", pl.Float64()),
    ("Charge_Capacity", "vendor_charging_capacity_ah", pl.Float64()),
    ("Discharge_Capacity", "vendor_discharging_capacity_ah", pl.Float64()),
    ("Charge_Energy", "vendor_charging_energy_wh", pl.Float64()),
    ("Discharge_Energy", "vendor_discharging_energy_wh", pl.Float64()),
)
_PLACE = ("Test_ID", "Data_Point")
_AUXILIARY_NAMES = ("temperature_t", "auxiliary_voltage_v")
_AUXILIARY = {1: "temperature_t{}_celsius", 0: "auxiliary_voltage_v{}_volt"}
_GLOBAL = ("Test_Name", "Channel_Index", "Creator", "Comments", "Schedule_File_Name", "Item_ID",
           "Software_Version", "Serial_Number", "Mass", "Specific_Capacity")  # fmt: skip


def read(path: Path) -> Recording:
    """Read an Arbin .res file.

    Raises
    ------
    DamagedFileError
        If it is not a complete Jet database, or not Arbin's.

    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _read_recording(data)
        except JetError as error:
            raise DamagedFileError(
                str(error),
                expected="a whole Arbin .res file",
                remedy="copy it again from the instrument, or export it as .csv from Data Watcher",
            ) from error


def _read_recording(data: mmap.mmap) -> Recording:
    names = table_names(data)
    if _RECORDS not in names:
        raise DamagedFileError(
            f"an Access database with the tables {', '.join(names[:6])}",
            expected=f"Arbin's {_RECORDS}",
            remedy="leave it out of the folder, or export it as .csv from Data Watcher",
        )
    raw, declared = read_counted_table(data, _RECORDS)
    findings = _row_findings(raw, declared)
    raw = _leave_out_empty(raw, findings)
    if not raw.height:
        none = {"timeseries": empty_table("timeseries")}
        metadata = _read_metadata(data, names, findings)
        return Recording(none, metadata, tuple(findings))
    keys = [name for name in _PLACE if name in raw.columns]
    records = raw.sort(keys)
    for channel in _read_auxiliary_channels(data, names, keys, findings):
        records = records.join(channel, on=keys, how="left", maintain_order="left")
    cycles = _read_vendor_cycles(data, names, raw, findings)
    tables = {"timeseries": _timeseries(records)} | cycles
    metadata = _read_metadata(data, names, findings)
    return Recording(tables, metadata, tuple(findings), _start_time(records))


def _read_vendor_cycles(
    data: mmap.mmap, names: list[str], raw: pl.DataFrame, findings: list[Finding]
) -> dict[str, pl.DataFrame]:
    """Return Arbin's table of cycles with the counters of the last record, which each row names."""
    cycles = _read_counted(data, _CYCLES, findings) if _CYCLES in names else pl.DataFrame()
    keys = [name for name in _PLACE if name in cycles.columns and name in raw.columns]
    if not cycles.height or "Data_Point" not in keys:
        return {}
    joined = cycles.join(raw, on=keys, how="left", maintain_order="left")
    return vendor_cycles(joined, arbin.CYCLE_QUANTITIES, bare_seconds=True)


def _row_findings(raw: pl.DataFrame, declared: int) -> list[Finding]:
    findings = []
    if declared > raw.height:
        sentence = (
            f"{raw.height} of {declared} records are in the file: it was cut off or is damaged."
        )
        findings.append(Finding("warning", "file_cut_off", sentence, declared - raw.height))
    elif declared < raw.height:
        sentence = f"The file states {declared} records and holds {raw.height}; all were read."
        finding = Finding("warning", "records_miscounted", sentence, raw.height - declared)
        findings.append(finding)
    tests = raw["Test_ID"].n_unique() if "Test_ID" in raw.columns else 1
    if tests > 1:
        sentence = f"The file holds {tests} tests; they are taken as one after the other."
        findings.append(Finding("warning", "several_tests", sentence, tests))
    return findings


def _read_counted(data: mmap.mmap, name: str, findings: list[Finding]) -> pl.DataFrame:
    """Read a table; report if it has not as many rows as it states."""
    try:
        table, declared = read_counted_table(data, name)
    except JetError as error:
        sentence = f"{name} can't be read ({error}); what it holds is missing."
        findings.append(Finding("warning", "table_damaged", sentence))
        return pl.DataFrame()
    if table.height != declared:
        sentence = f"{table.height} of {declared} rows of {name} are in the file; it is damaged."
        findings.append(Finding("warning", "rows_missing", sentence, abs(declared - table.height)))
    return table


def _leave_out_empty(raw: pl.DataFrame, findings: list[Finding]) -> pl.DataFrame:
    """Leave out records without a number or a time; report numbers that are missing or repeated."""
    keys = [name for name in _PLACE if name in raw.columns]
    needed = [*keys, *(name for name in ("Test_Time", "Voltage") if name in raw.columns)]
    if not any(raw[name].null_count() for name in needed) and _are_consecutive(raw, keys):
        return raw
    is_empty = pl.any_horizontal(pl.col(needed).is_null(), pl.col("Data_Point") <= 0)
    whole = raw.filter(~is_empty)
    empty = raw.height - whole.height
    if empty:
        sentence = f"{empty} records have no number, time or voltage: they are damaged."
        findings.append(Finding("warning", "records_lost", sentence, empty))
    kept = whole.unique(keys, keep="first", maintain_order=True)
    if kept.height < whole.height:
        number = whole.height - kept.height
        sentence = f"{number} records have the number of another one; the first of each counts."
        findings.append(Finding("warning", "records_repeated", sentence, number))
    group = kept.group_by("Test_ID") if "Test_ID" in keys else kept.group_by(pl.lit(1))
    spans = group.agg(pl.col("Data_Point").max() - pl.col("Data_Point").min() + 1 - pl.len())
    missing = int(spans["Data_Point"].cast(pl.Int64).sum())
    if missing > 0:
        sentence = f"By the numbers of the records, {missing} are missing between the others."
        findings.append(Finding("warning", "records_missing", sentence, missing))
    return kept


def _are_consecutive(raw: pl.DataFrame, keys: list[str]) -> bool:
    """Return whether the records of one test are numbered without a gap."""
    if not raw.height or ("Test_ID" in keys and raw["Test_ID"].min() != raw["Test_ID"].max()):
        return False
    numbers = raw["Data_Point"].sort().to_numpy()
    return bool(numbers[0] > 0 and (numbers[1:] - numbers[:-1] == 1).all())


def _timeseries(records: pl.DataFrame) -> pl.DataFrame:
    columns = [pl.col("Data_Point").cast(pl.Int64).alias("record_index")]
    columns += [
        pl.col(name).cast(dtype).alias(target)
        for name, target, dtype in _COLUMNS
        if name in records.columns
    ]
    columns += [pl.col(name) for name in records.columns if name.startswith(_AUXILIARY_NAMES)]
    if "DateTime" in records.columns:
        seconds = ((pl.col("DateTime") - _OLE_UNIX_DAYS) * 86_400).round(3)
        columns.append(seconds.alias("unix_time_second"))
    table = records.select(columns)
    changed = (pl.col("step_id").diff() != 0) | (pl.col("cycle_count").diff() != 0)
    restarted = pl.col("step_time_second").diff() < 0
    steps = (changed | restarted).fill_null(value=False).cast(pl.Int64).cum_sum() + 1
    return table.with_columns(step_count=steps)


def _read_auxiliary_channels(
    data: mmap.mmap, names: list[str], record_keys: list[str], findings: list[Finding]
) -> list[pl.DataFrame]:
    """Return a table per auxiliary channel: record keys and its temperature (°C) or voltage (V)."""
    name = "Auxiliary_Table"
    raw = _read_counted(data, name, findings) if name in names else pl.DataFrame()
    if not raw.height:
        return []
    keys = [name for name in record_keys if name in raw.columns]
    unique = raw.unique([*keys, "Auxiliary_Index", "Data_Type"], keep="last", maintain_order=True)
    if unique.height < raw.height:
        number = raw.height - unique.height
        sentence = f"{number} auxiliary values stand twice for one record; the last one counts."
        findings.append(Finding("info", "auxiliary_duplicates", sentence, number))
    channels = []
    for (index, kind), group in sorted(unique.group_by("Auxiliary_Index", "Data_Type")):
        target = _AUXILIARY.get(int(str(kind)))
        if target is not None:
            name = target.format(int(str(index)) + 1)
            channels.append(group.select(*keys, pl.col("X").cast(pl.Float64).alias(name)))
    return channels


def _start_time(records: pl.DataFrame) -> datetime | None:
    if "DateTime" not in records.columns or records["DateTime"][0] is None:
        return None
    first = _OLE_ZERO + timedelta(milliseconds=round(float(records["DateTime"][0]) * 86_400_000))
    return first - timedelta(seconds=float(records["Test_Time"][0] or 0.0))


def _read_metadata(data: mmap.mmap, names: list[str], findings: list[Finding]) -> dict[str, object]:
    metadata: dict[str, object] = {"maker": "Arbin"}
    if "Version_Table" in names:
        version = _read_counted(data, "Version_Table", findings)
        for name in version.columns:
            if version.height and "Version" in name:
                metadata[name.lower()] = version[name][0]
    if "Global_Table" in names:
        table = _read_counted(data, "Global_Table", findings)
        for name in _GLOBAL:
            if table.height and name in table.columns and table[name][0] not in {None, ""}:
                metadata[name.lower()] = table[name][0]
    return metadata


def _claims(sample: Sample) -> bool:
    return sample.head.startswith(_MAGIC)


def is_complete(_stream: BinaryIO, size: int) -> bool:
    """Return whether the database is made of whole pages."""
    return size % PAGE_BYTES == 0


FORMAT = Format("arbin_res", "Arbin", (".res",), _claims, read, is_complete=is_complete, version=3)
