"""BTSDA's own export is the truth for Neware's binary files."""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastnda
import polars as pl
import pytest

import cellpipe
from cellpipe.core.errors import DamagedFileError
from cellpipe.formats.neware import binary as neware_binary
from cellpipe.formats.neware import ndax as neware_ndax
from made_files import LONG

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_the_vendors_own_cycle_number_is_kept(real_data: Path) -> None:
    for name, cycles in (("nda/fastnda__nda_v26.nda", 8992), ("nda/navani__test.nda", 1)):
        table = cellpipe.read(real_data / name).tables["timeseries"]
        assert table["cycle_count"].max() == cycles, name


def test_an_empty_test_is_whole_and_empty(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "ndax/fastnda__empty.ndax")
    assert measurement.tables["timeseries"].height == 0


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_half_copied_nda_is_never_read_short_in_silence(
    real_data: Path, tmp_path: Path, share: float
) -> None:
    for source in sorted((real_data / "nda").iterdir()):
        content = source.read_bytes()
        path = tmp_path / "half.nda"
        path.write_bytes(content[: int(len(content) * share)])
        try:
            measurement = cellpipe.read(path)
        except DamagedFileError:
            continue
        assert "file_cut_off" in {f.code for f in measurement.findings}, source.name


def test_times_that_the_computer_wrote_are_local_and_unix_times_are_not(real_data: Path) -> None:
    for name, apart in (
        ("nda/navani__test.nda", 7200), ("nda/fastnda__nda_v26.nda", 7200),
        ("ndax/navani__test.ndax", 7200), ("ndax/fastnda__test_2.ndax", 0),
        ("nda/fastnda__TestFile.nda", 0),
    ):  # fmt: skip
        utc = cellpipe.read(real_data / name, time_zone="UTC").started_at
        there = cellpipe.read(real_data / name, time_zone="Etc/GMT-2").started_at
        assert utc is not None
        assert there is not None
        assert (utc - there).total_seconds() == apart, name


def test_an_ndax_has_the_numbers_that_fastnda_gives(real_data: Path) -> None:
    for path in sorted((real_data / "ndax").iterdir()):
        theirs = fastnda.read(path, cycle_mode="raw")
        ours = cellpipe.read(path).tables["timeseries"]
        assert ours.height == theirs.height, path.name
        for ours_name, theirs_name, factor, bound in (
            ("voltage_volt", "voltage_V", 1, 0), ("current_ampere", "current_mA", 1e-3, 1e-10),
            ("test_time_second", "total_time_s", 1, 2e-6),
            ("step_time_second", "step_time_s", 1, 2e-6),
            ("unix_time_second", "unix_time_s", 1, 2e-6), ("cycle_count", "cycle_count", 1, 0),
            ("step_count", "step_count", 1, 0), ("step_id", "step_index", 1, 0),
        ):  # fmt: skip
            apart = (ours[ours_name] - theirs[theirs_name].cast(pl.Float64) * factor).abs().max()
            assert float(apart or 0) <= bound, (path.name, ours_name)
        net = ours["vendor_charging_capacity_ah"] - ours["vendor_discharging_capacity_ah"]
        apart = (net - theirs["capacity_mAh"].cast(pl.Float64) * 1e-3).abs()
        assert float(apart.max() or 0) <= 1e-6 * float(net.abs().max() or 1), path.name


@pytest.mark.slow
def test_an_ndax_is_read_over_and_over_by_threads_without_a_failure() -> None:
    times = 2000 if LONG else 500
    source = next((SAMPLE / "neware_ndax").glob("*.ndax"))
    first = neware_binary.read(source).tables["timeseries"]
    with ThreadPoolExecutor(2) as pool:
        tables = pool.map(lambda _: neware_binary.read(source).tables["timeseries"], range(times))
        assert all(table.equals(first) for table in tables)


def test_a_zipped_nda_is_the_nda_in_it(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "nda" / "navani__test.nda"
    path = tmp_path / "test.nda.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, "test.nda")
    one, other = cellpipe.read(path), cellpipe.read(source)
    assert one.tables["timeseries"].equals(other.tables["timeseries"])


def test_a_damaged_description_costs_what_it_says_and_not_the_records(real_data: Path) -> None:
    whole = cellpipe.read(real_data / "ndax/fastnda__Unit27_Example_Data_File.ndax")
    damaged = cellpipe.read(real_data / "ndax/fastnda__Unit27_Example_Corrupt.ndax")
    assert "auxiliary_unclear" in {f.code for f in damaged.findings}
    columns = damaged.tables["timeseries"].columns
    assert not [c for c in columns if c.startswith(("temperature", "auxiliary"))]
    assert damaged.tables["timeseries"].equals(whole.tables["timeseries"].select(columns))


def test_what_the_archive_says_of_the_test_is_kept(real_data: Path) -> None:
    metadata = cellpipe.read(real_data / "ndax/cellpy__20260302_IFE_BTS85_2_9_8_1.ndax").metadata
    assert metadata["channel"] == "2-0-72"
    assert metadata["software_version"] == "BTS Client 8.0.1.489(2025.11.24)"
    assert metadata["schedule"] == "LNMO-C_Formation_1Ah feb 2026.xml"
    assert metadata["interpolated_records"] == 252951 - 4373


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


@pytest.mark.parametrize("version", [7, 15])
def test_a_test_time_that_an_ndax_stores_is_kept(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pl.DataFrame({"index": [1, 2], "total_time_s": [5.0, 3600.0], "step_count": [1, 1]})
    assert neware_ndax._add_test_time(table)["total_time_s"].to_list() == [5.0, 3600.0]
    assert (version in neware_ndax.LOCAL_VERSIONS) is (version == 7)
