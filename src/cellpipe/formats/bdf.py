"""Read the Battery Data Format (BDF 1.3) as .bdf.csv and .bdf.parquet.

Columns have their preferred labels (``Test Time / s``) or their machine names
(``test_time_second``), which are those of the table ``timeseries``; units are part of the name.
``Unix Time / s`` is UTC. Current is positive on charge. Columns outside the format are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.damaged_records import LINE, find_unreadable
from cellpipe.formats.file_ends import PARQUET, is_complete_parquet, is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    HERTZ,
    OHM,
    SECOND,
    VOLT,
    WATT_HOUR,
    Match,
    Quantity,
    find_targets,
    match_headers,
)
from cellpipe.formats.tabular.records import build_recording, count_steps, require, standard_columns
from cellpipe.formats.tabular.spectra import IS_POINT, POINT, number_spectra

_COUNT = {"1": 1.0}
QUANTITIES = (
    Quantity("record_index", ("Record Index", "record_index"), _COUNT),
    Quantity("test_time_second", ("Test Time", "test_time_second"), SECOND),
    Quantity("step_time_second", ("Step Time", "step_time_second"), SECOND),
    Quantity("unix_time_second", ("Unix Time", "unix_time_second"), SECOND),
    Quantity("voltage_volt", ("Voltage", "voltage_volt"), VOLT),
    Quantity("current_ampere", ("Current", "current_ampere"), AMPERE),
    Quantity("cycle_count", ("Cycle Count", "cycle_count"), _COUNT),
    Quantity("step_count", ("Step Count", "step_count"), _COUNT),
    Quantity("step_id", ("Step Index", "Step ID", "step_id", "step_index"), _COUNT),
    Quantity("step_type", ("Step Type", "step_type")),
    Quantity("vendor_charging_capacity_ah", ("Charging Capacity", "charging_capacity_ah",
             "Cycle Charging Capacity", "vendor_charging_capacity_ah"), AMPERE_HOUR),
    Quantity("vendor_discharging_capacity_ah", ("Discharging Capacity", "discharging_capacity_ah",
             "Cycle Discharging Capacity", "vendor_discharging_capacity_ah"), AMPERE_HOUR),
    Quantity("vendor_charging_energy_wh", ("Charging Energy", "charging_energy_wh",
             "vendor_charging_energy_wh"), WATT_HOUR),
    Quantity("vendor_discharging_energy_wh", ("Discharging Energy", "discharging_energy_wh",
             "vendor_discharging_energy_wh"), WATT_HOUR),
    Quantity("net_capacity_ah", ("Net Capacity", "net_capacity_ah"), AMPERE_HOUR),
    Quantity("internal_resistance_ohm", ("Internal Resistance", "internal_resistance_ohm"), OHM),
    Quantity("ambient_temperature_celsius", ("Ambient Temperature",
             "ambient_temperature_celsius"), CELSIUS),
    Quantity("temperature_t{}_celsius", ("Temperature T#", "Temperature #",
             "temperature_t#_celsius"), CELSIUS, numbered=True),
    Quantity("frequency_hertz", ("Frequency", "frequency_hertz"), HERTZ),
    Quantity("real_impedance_ohm", ("Real Impedance", "real_impedance_ohm"), OHM),
    Quantity("imaginary_impedance_ohm", ("Imaginary Impedance", "imaginary_impedance_ohm"), OHM),
)  # fmt: skip
_NEEDED = {
    "test_time_second": "Test Time / s",
    "voltage_volt": "Voltage / V",
    "current_ampere": "Current / A",
}
_LONGEST_TEXT = 1000  # bytes of a number, a date or a step's name, in parquet
_BARE = frozenset({"Step Type", "Step ID"})  # labels that have no unit
_MACHINE = frozenset(name for q in QUANTITIES for name in q.names if name == name.lower())


def _own_headers(headers: Sequence[str]) -> list[str]:
    """Return the headers written as the format defines: label with unit, or machine name."""
    return [h for h in headers if " / " in h or h in _MACHINE or h in _BARE]


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header line; 0 if it is not this format's."""
    targets = find_targets(_own_headers(fields), QUANTITIES)
    is_header = {*_NEEDED} <= targets.keys() or {*POINT} <= targets.keys()
    return sum(targets.values()) if is_header else 0


def read(path: Path) -> Recording:
    """Read a .bdf.csv or .bdf.parquet file.

    Raises
    ------
    DamagedFileError
        If it can't be read, or a needed column is missing or in a unit that is not the format's.
    NoDataError
        If there is no record.

    """
    with path.open("rb") as stream:
        is_parquet = stream.read(4) == PARQUET
    table, findings = _read_parquet(path) if is_parquet else _read_csv(path)
    if "unix_time_second" in table.columns:
        texts = table["unix_time_second"]
        seconds = texts.cast(pl.Float64, strict=False)
        unread = find_unreadable(texts, seconds, table, "date", "dates_unreadable")
        table, findings = table.with_columns(seconds), (*findings, *unread)
    table = _add_record_index(table)
    if {*POINT} <= {*table.columns} and "current_ampere" not in table.columns:
        table = table.drop(LINE, strict=False)
        is_told = pl.any_horizontal(pl.col(POINT).is_not_null())
        spectra = _spectra(table.filter(is_told))
        return Recording({"impedance": spectra}, {"maker": "BDF"}, findings, None, "utc")
    spectra = table.drop(LINE, strict=False)
    if {*POINT} <= {*table.columns}:
        measured = pl.any_horizontal(pl.col(POINT[1:]).fill_null(0.0) != 0)
        spectra = _spectra(spectra.filter(IS_POINT | measured))
    else:
        spectra = spectra[:0]
    table = table.drop(POINT[1:], strict=False)
    if "step_count" not in table.columns:
        table = table.with_columns(count_steps(table))
    recording = build_recording(table, {"maker": "BDF"}, findings)
    return (
        replace(recording, tables={**recording.tables, "impedance": spectra})
        if spectra.height
        else recording
    )


def _add_record_index(table: pl.DataFrame) -> pl.DataFrame:
    if "record_index" in table.columns:
        return table
    return table.with_columns(record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


def _spectra(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the numbers of their spectra; what is no point counts to that before."""
    columns = [c for c in (*POINT, "record_index", "test_time_second", "unix_time_second",
                        "voltage_volt", "cycle_count") if c in table.columns]  # fmt: skip
    frame = table.select(columns)
    if "test_time_second" not in columns:
        frame = frame.with_columns(test_time_second=pl.lit(None, pl.Float64))
    return number_spectra(frame)


def _read_csv(path: Path) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    header = delimited.read_header(path, header_score)
    if header is None:
        raise delimited.no_header_error("the Battery Data Format", ", ".join(_NEEDED.values()))
    return delimited.read_flat_table(path, header, _match_columns, bare_seconds=True)


def _read_parquet(path: Path) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    scan = pl.scan_parquet(path, glob=False)
    schema = scan.collect_schema()
    matches = _match_columns(schema.names())
    try:
        _check_kinds(scan, {match.header: schema[match.header] for match in matches})
        frame = pl.read_parquet(path, columns=[match.header for match in matches], glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DamagedFileError(
            "a parquet file whose columns can't be unpacked",
            expected="a whole .bdf.parquet file",
            remedy="copy it again, or export it again",
        ) from error
    return standard_columns(frame, matches, bare_seconds=True), ()


def _check_kinds(scan: pl.LazyFrame, kinds: dict[str, pl.DataType]) -> None:
    """Refuse columns of lists, and of texts too long for a name: a few bytes may stand for many."""
    nested = [name for name, kind in kinds.items() if kind.is_nested() or kind == pl.Binary]
    texts = [name for name, kind in kinds.items() if kind == pl.String]
    length = pl.col(texts).str.len_bytes().max()
    longest = scan.select(length).collect(engine="streaming").row(0) if texts else ()
    long = [
        f"a column {name!r} with a text of {size:,} bytes"
        for name, size in zip(texts, longest, strict=True)
        if size is not None and size > _LONGEST_TEXT
    ]
    found = [f"a column {name!r} with several values in a row" for name in nested] + long
    if found:
        raise DamagedFileError(
            " and ".join(found), expected="one number or short text in each row of a column",
            remedy="export it again with the program that wrote it, one value in each row",
        )  # fmt: skip


def _match_columns(headers: Sequence[str]) -> list[Match]:
    matches = match_headers(_own_headers(headers), QUANTITIES)
    if not {*POINT} <= {match.target for match in matches}:
        require(matches, headers, _NEEDED)
    return matches


def _claims(sample: Sample) -> bool:
    if sample.head.startswith(PARQUET):
        names = pl.scan_parquet(sample.path, glob=False).collect_schema().names()
        return header_score(names) > 0
    return delimited.find_header(sample.head, header_score) is not None


def is_complete(stream: BinaryIO, size: int) -> bool:
    """Return whether the file ends: packed with parquet's mark, else with its last line."""
    is_parquet = stream.read(len(PARQUET)) == PARQUET
    return (is_complete_parquet if is_parquet else is_complete_text)(stream, size)


FORMAT = Format(
    "bdf", "Battery Data Format", (".bdf.csv", ".bdf.parquet"), _claims, read,
    is_complete=is_complete, version=7,
)  # fmt: skip
