"""Every recording of which the vendor's own export is there, held against it, column by column.

The table that comes out stands in docs/formats.md: ``CELLPIPE_WRITE_TRUTH=1`` writes it anew, and
without it the test holds what is measured against what stands there.
"""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.core import contracts

PAGE = Path(__file__).parents[2] / "docs" / "truth.tsv"
PRINTED = 2e-6  # of the largest value: what a text prints of a float32
EDITED = "mpt/yadg__extract_cp.mpt"  # part of its <Ewe> is 0.0: see the corpus's notes
MORE = (
    ("arbin-xlsx/diffcap__CS2_33_12_23_10.xlsx", "arbin-csv/diffcap__CS2_33_12_23_10.csv"),
    ("ndax/fastnda__interp-test.ndax", "neware-csv/fastnda__interp-test.csv"),
)
BTSDA = {  # its columns: ours, factor, and by how much they may differ (the vendor's rounding)
    "Voltage(mV)": ("voltage_volt", 1e-3, 6e-5),
    "Current(uA)": ("current_ampere", 1e-6, 5e-5),
    "Capacity(mAs)": ("vendor_capacity_ah", 1 / 3.6e6, 6e-7),
    "Energy(mWs)": ("vendor_energy_wh", 1 / 3.6e6, 6e-7),
    "Time": ("step_time_second", 1.0, 0.01),
    "Step Count": ("step_count", 1.0, 0.0),
    "Step Index": ("step_id", 1.0, 0.0),
}
SIX_DIGITS = 5e-6  # BTSDA prints no more of a large charge or energy
Differences = dict[str, tuple[float, float]]


def pairs(real: Path) -> list[tuple[str, str]]:
    with (real / "ORACLE_PAIRS.tsv").open(encoding="utf-8") as stream:
        rows = [(r["file"], r["oracle"]) for r in csv.DictReader(stream, delimiter="\t")]
    return [(file, oracle) for file, oracle in [*rows, *MORE] if oracle != EDITED]


def against_export(one: pl.DataFrame, other: pl.DataFrame) -> Differences:
    """Of each shared column the largest difference, and what the printing explains."""
    found = {}
    for column in one.columns:
        if column in other.columns and one[column].dtype.is_numeric() and column != "record_index":
            a, b = one[column].cast(pl.Float64), other[column].cast(pl.Float64)
            largest, apart = float(b.abs().max() or 0), float((a - b).abs().max() or 0)
            if column == "unix_time_second" and apart >= 3600:
                continue  # a local clock against one in UTC
            apart = apart if apart > 1e-9 * largest else 0.0  # the arithmetic's last digits
            found[column] = (apart, PRINTED * largest)
    return found


def against_btsda(one: pl.DataFrame, vendor: pl.DataFrame) -> Differences:
    counted = [
        (pl.col(f"vendor_charging_{kind}") + pl.col(f"vendor_discharging_{kind}")).alias(
            f"vendor_{kind}"
        )
        for kind in ("capacity_ah", "energy_wh")
    ]
    one = one.with_columns(counted)
    found = {}
    for theirs, (ours, factor, allowed) in BTSDA.items():
        b = vendor[theirs].cast(pl.Float64) * factor
        b = b.abs() if ours.startswith("vendor") else b
        rest = (one[ours] - b).abs() - SIX_DIGITS * b.abs()
        found[ours] = (float((one[ours] - b).abs().max() or 0), allowed)
        assert float(rest.max() or 0) <= allowed, ours
    total = vendor["Total Time"]
    allowed_time = (total * 1e-5).clip(lower_bound=0.01)  # BTSDA prints fewer digits as it grows
    apart = (one["test_time_second"] - total).abs()
    assert bool((apart <= allowed_time).all())
    found["test_time_second"] = (float(apart.max() or 0), math.inf)
    return found


def compared(real: Path, file: str, oracle: str) -> tuple[str, int, Differences]:
    measurement = cellpipe.read(real / file)
    found: Differences = {}
    if oracle.endswith(".parquet"):
        vendor = pl.read_parquet(real / oracle)
        table = measurement.tables["timeseries"]
        assert table.height == vendor.height, file
        return measurement.format, table.height, against_btsda(table, vendor) if len(vendor) else {}
    other = cellpipe.read(real / oracle)
    if oracle.startswith("mpt/") and measurement.started_at and other.started_at:
        assert abs((measurement.started_at - other.started_at).total_seconds()) < 0.01, file
    for name in ("timeseries", "impedance"):
        if name in measurement.tables and name in other.tables:
            one, two = measurement.tables[name], other.tables[name]
            assert one.height == two.height, file
            for column, differences in against_export(one, two).items():
                found[column] = max(found.get(column, (0.0, 0.0)), differences)
    rows = max(measurement.tables[n].height for n in ("timeseries", "impedance")
               if n in measurement.tables)  # fmt: skip
    return measurement.format, rows, found


def shown(value: float) -> str:
    """Round up to one digit, so that another machine's last bit changes nothing."""
    if value == 0:
        return "0"
    power = 10.0 ** math.floor(math.log10(value))
    return f"{math.ceil(value / power * 0.999) * power:.0e}".replace("e-0", "e-").replace(
        "e+0", "e+"
    )


def test_every_recording_is_what_the_vendors_own_export_says(real_data: Path) -> None:
    lines = []
    found = pairs(real_data)
    assert len(found) >= 53
    for file, oracle in found:
        form, rows, differences = compared(real_data, file, oracle)
        for column, (apart, allowed) in differences.items():
            vendors_own = oracle.startswith("mpt/") or oracle.endswith("CS2_33_12_23_10.csv")
            assert apart <= allowed or not vendors_own, (file, column, apart)
        said = ", ".join(f"{column} {shown(apart)}" for column, (apart, _) in differences.items())
        lines.append("\t".join((file.split("/")[1], oracle.split("/")[1], form, str(rows), said)))
    text = "\n".join(lines) + "\n"
    if os.environ.get("CELLPIPE_WRITE_TRUTH"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("line", PAGE.read_text(encoding="utf-8").splitlines())
def test_the_page_shows_columns_that_a_contract_has(line: str) -> None:
    known = {*contracts.load_schema("timeseries").columns,
             *contracts.load_schema("impedance").columns,
             "vendor_capacity_ah", "vendor_energy_wh"}  # fmt: skip
    columns = [part.split(" ")[0] for part in line.split("\t")[4].split(", ") if part]
    assert all(c in known or c.startswith(("temperature_t", "auxiliary_")) for c in columns)
