"""The sample lab's files are real enough for the peers' own readers, and small."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import fastnda
import numpy as np
import polars as pl
import pytest
from galvani.BioLogic import MPRfile

import cellpipe

SAMPLE = Path(__file__).parents[1] / "sample_data"
GOOD = sorted((SAMPLE / "biologic_mpr").glob("SSB-01*.mpr"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_galvani_reads_every_good_mpr_and_our_values_equal_its_values_bit_for_bit(
    path: Path,
) -> None:
    with path.open("rb") as stream:
        theirs = MPRfile(stream)
    measurement = cellpipe.read(path)
    ours = measurement.tables.get("timeseries")
    assert ours is not None
    assert ours.height == len(theirs.data)
    assert np.array_equal(ours["test_time_second"].to_numpy(), theirs.data["time/s"])
    name = "Ewe/V" if "Ewe/V" in theirs.data.dtype.names else "<Ewe>/V"
    assert np.array_equal(ours["voltage_volt"].to_numpy(), theirs.data[name].astype(float))
    assert measurement.started_at is not None
    first = theirs.timestamp + timedelta(seconds=float(theirs.data["time/s"][0]))
    apart = measurement.started_at.replace(tzinfo=None) - first
    assert abs(apart.total_seconds()) < 0.01


def test_galvani_refuses_the_file_that_is_cut_off() -> None:
    path = SAMPLE / "biologic_mpr/SSB-08_02_GCPL_C03.mpr"
    with path.open("rb") as stream, pytest.raises((OSError, ValueError, AssertionError)):
        MPRfile(stream)


def test_fastnda_reads_the_ndax_and_our_values_equal_its_values() -> None:
    (path,) = (SAMPLE / "neware_ndax").glob("*.ndax")
    theirs = fastnda.read(path, cycle_mode="raw")
    ours = cellpipe.read(path).tables["timeseries"]
    assert ours["voltage_volt"].to_list() == theirs["voltage_V"].cast(pl.Float64).to_list()
    milliampere = theirs["current_mA"].cast(pl.Float64)
    assert ours["current_ampere"].to_list() == (milliampere * 1e-3).to_list()


def test_the_sample_lab_is_under_15_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 15e6


def test_each_vendors_folder_holds_its_own_format() -> None:
    for path in SAMPLE.glob("*/SSB-0[1-7]*"):
        if path.suffix != ".py":
            assert cellpipe.read(path).format == path.parent.name, path.name
