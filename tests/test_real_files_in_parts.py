"""Real exports of each maker, cut where people and instruments cut them, give the whole numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe.core.recordings.energies import CHARGES
from cellpipe.core.recordings.records import last_digit
from cellpipe.formats import read
from made_parts import MadeCell

TEXT = (  # one line a record
    "arbin-csv/diffcap__CS2_33_12_23_10.csv",
    "arbin-csv/rovi__arbin_example.csv",
    "neware-csv/cellpy__neware_uio.csv",
    "neware-csv/fivestar__raw_data_output_from_cycler.csv",
    "mpt/plotpot__biologic-fullcell.mpt",
    "maccor/beep__PreDiag_000229_000229_truncated.034",
    "novonix/pyprobe__sample_data_novonix.csv",
    "basytec/pyprobe__sample_data_basytec.txt",
    "oracle/fivestar__structured_battery_data.bdf.csv",
)
BINARY = (
    "res/cellpy__20160805_test001_45_cc_01.res",
    "nda/fastnda__nda_v22.nda",
    "ndax/navani__test.ndax",
    "mpr/aurora__250116_kigr_gen6_01_02_GCPL_CD8.mpr",
    "landt/navani__NJK_CC_156_C30_C_x30.xlsx",
)
PLACES = ("step", "charge", "hold", "rest")
FIRST = re.compile(rb'\s*"?[+-]?\d[\d.:E+ -]*"?\s*[\t,;]')  # a line of records
LONGEST = 4000  # records that are looked at


def find_places(frame: pl.DataFrame) -> dict[str, int]:
    """Return where to cut: at a step's end, amid a current, amid a hold, in a rest."""
    ampere, volt = (frame[name].to_numpy() for name in ("current_ampere", "voltage_volt"))
    flows = np.abs(ampere) > 1e-3 * np.abs(ampere).max()
    holds = np.append(False, (np.abs(np.diff(volt)) < 2e-4) & (np.diff(ampere) != 0)) & flows
    found = {"charge": np.flatnonzero(flows), "rest": np.flatnonzero(~flows)}
    found["hold"] = np.flatnonzero(holds)
    if "step_count" in frame.columns:
        steps = frame["step_count"].fill_null(strategy="forward").fill_null(0).to_numpy()
        found["step"] = np.flatnonzero(np.diff(steps)) + 1
    margin = min(60, frame.height // 4)
    inside = {name: at[(at > margin) & (at < frame.height - margin)] for name, at in found.items()}
    return {name: int(at[len(at) // 2]) for name, at in inside.items() if len(at)}


def assert_as_whole(frames: dict[str, pl.DataFrame], whole: pl.DataFrame) -> MadeCell:
    expected = MadeCell({"A.csv": whole}).half_cycles()
    cell = MadeCell(frames)
    found = cell.half_cycles()
    assert found["direction"].to_list() == expected["direction"].to_list()
    largest = expected["capacity_ah"].max()
    assert isinstance(largest, float)
    known = [whole[counter].to_numpy() for counter in CHARGES if counter in whole.columns]
    digit = max((last_digit(values[np.isfinite(values)]) for values in known), default=0.0)
    volt = float(whole["voltage_volt"].abs().max() or 0.0)  # type: ignore[arg-type]
    for name, finest in (("capacity_ah", 0.0), ("energy_wh", digit * volt)):  # as it is counted
        assert found[name].to_list() == pytest.approx(
            expected[name].to_list(), rel=1e-6, abs=max(1e-6 * largest, finest)
        )
    return cell


@pytest.mark.parametrize("name", TEXT)
@pytest.mark.parametrize("overlap", [0, 15])
def test_a_text_export_cut_in_two(real_data: Path, tmp_path: Path, name: str, overlap: int) -> None:
    raw = (real_data / name).read_bytes().splitlines(keepends=True)
    head = next(n for n, line in enumerate(raw) if FIRST.match(line))
    raw = raw[: head + LONGEST]
    path = tmp_path / f"whole{Path(name).suffix}"
    path.write_bytes(b"".join(raw))
    whole = read(path).tables["timeseries"]
    places = find_places(whole)
    assert places
    for place, cut in places.items():
        parts = {"Wb_2": raw[: head + cut], "Wb_1": raw[:head] + raw[head + cut - overlap :]}
        frames = {}
        for part, lines in parts.items():
            path = tmp_path / f"{place}_{part}{Path(name).suffix}"
            path.write_bytes(b"".join(lines))
            frames[path.name] = read(path).tables["timeseries"]
        cell = assert_as_whole(frames, whole)
        assert ("records_in_two_files" in cell.codes()) is bool(overlap), place


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("overlap", [0, 15])
def test_records_that_an_instrument_wrote_into_two_files(
    real_data: Path, name: str, overlap: int
) -> None:
    whole = read(real_data / name).tables["timeseries"].head(LONGEST)
    places = find_places(whole)
    assert places
    for place, cut in places.items():
        frames = {"A_2": whole[:cut], "A_1": whole[cut - overlap :]}
        cell = assert_as_whole(frames, whole)
        assert ("records_in_two_files" in cell.codes()) is bool(overlap), place
