"""BTSDA's own export is the truth for Neware's binary files."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.errors import DamagedFileError

SAMPLE = Path(__file__).parents[2] / "sample_data"
VOLT, MILLIAMPERE, MILLIAMPERE_HOUR = 6e-5, 0.05, 6e-4  # the vendor's rounding


def test_every_binary_agrees_with_btsdas_own_export(real_data: Path) -> None:
    with (real_data / "ORACLE_PAIRS.tsv").open(encoding="utf-8") as stream:
        rows = [
            r for r in csv.DictReader(stream, delimiter="\t") if r["oracle"].endswith("parquet")
        ]
    compared = 0
    for row in rows:
        oracle = pl.read_parquet(real_data / row["oracle"])
        table = cellpipe.read(real_data / row["file"]).tables["timeseries"]
        assert table.height == oracle.height, row["file"]
        if not oracle.height:
            continue
        volt = oracle["Voltage(mV)"].cast(pl.Float64) / 1e3
        milliampere = oracle["Current(uA)"].cast(pl.Float64) / 1e3
        milliampere_hour = oracle["Capacity(mAs)"].cast(pl.Float64) / 3600
        counted = table["vendor_charging_capacity_ah"] + table["vendor_discharging_capacity_ah"]
        for ours, theirs, bound in (
            (table["voltage_volt"], volt, VOLT),
            (table["current_ampere"] * 1e3, milliampere, MILLIAMPERE),
            (counted * 1e3, milliampere_hour.abs(), MILLIAMPERE_HOUR),
        ):
            apart = (ours - theirs).abs() - 1e-6 * theirs.abs()
            assert float(apart.max() or 0) <= bound, row["file"]
        compared += 1
    assert compared >= 13


def test_the_vendors_own_cycle_number_is_kept(real_data: Path) -> None:
    for name, cycles in (("nda/fastnda__nda_v26.nda", 8992), ("nda/navani__test.nda", 1)):
        table = cellpipe.read(real_data / name).tables["timeseries"]
        assert table["cycle_count"].max() == cycles, name


def test_an_empty_test_is_whole_and_empty(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "ndax/fastnda__empty.ndax")
    assert measurement.tables["timeseries"].height == 0


def test_a_half_copied_nda_is_never_read_short_in_silence(real_data: Path, tmp_path: Path) -> None:
    content = (real_data / "nda/fastnda__nda_v26.nda").read_bytes()
    path = tmp_path / "half.nda"
    path.write_bytes(content[: len(content) * 6 // 10])
    try:
        measurement = cellpipe.read(path)
    except DamagedFileError:
        return
    assert "file_cut_off" in {f.code for f in measurement.findings}


def test_a_half_copied_ndax_is_refused(tmp_path: Path) -> None:
    source = next((SAMPLE / "neware_ndax").glob("*.ndax"))
    path = tmp_path / "half.ndax"
    path.write_bytes(source.read_bytes()[:200_000])
    with pytest.raises(cellpipe.CellpipeError, match="remedy"):
        cellpipe.read(path)


def test_a_binary_is_read_under_a_wrong_suffix(tmp_path: Path) -> None:
    source = next((SAMPLE / "neware_ndax").glob("*.ndax"))
    path = tmp_path / "export.bin"
    path.write_bytes(source.read_bytes())
    assert cellpipe.read(path).format == "neware_ndax"
