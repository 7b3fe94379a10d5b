"""What a run does with its files: once, all of them, and the same every time."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cellpipe
from cellpipe import open_results
from cellpipe.core.contracts import load_schema
from cellpipe.core.errors import CellpipeError, StoreError
from cellpipe.numerics.cycling.record_alignment import Records
from cellpipe.numerics.cycling.shared_records import Shared, find_common
from cellpipe.pipeline import overlaps
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger
from chains import use_analyses
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {".parquet", ".html", ".xlsx"}
    }


def test_a_second_run_on_the_same_folder_does_nothing(small_lab: Path, tmp_path: Path) -> None:
    first = process(small_lab, tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.parquet")}
    second = process(small_lab, tmp_path / "out")
    assert (first.read, first.cells_updated) == (4, 2)
    assert (second.read, second.unchanged, second.cells_updated) == (0, 4, 0)
    assert second.exit_code == first.exit_code == 1
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.parquet")} == before


@pytest.mark.pages
def test_two_runs_into_two_folders_write_the_same_bytes(small_lab: Path, tmp_path: Path) -> None:
    process(small_lab, tmp_path / "one")
    process(small_lab, tmp_path / "two")
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one == two
    assert {"index.html", "cells/SSB-01.html", "cells/SSB-01.xlsx"} <= set(one)


def test_a_new_file_touches_its_own_cell_only(small_lab: Path, tmp_path: Path) -> None:
    process(small_lab, tmp_path / "out")
    extra = Path(__file__).parents[1] / "sample_data/biologic_mpr/SSB-01_01_OCV_C01.mpr"
    shutil.copy2(extra, small_lab)
    again = process(small_lab, tmp_path / "out")
    assert (again.read, again.cells_updated) == (1, 1)


def test_a_changed_row_of_the_cell_sheet_computes_that_cell_anew(
    small_lab: Path, tmp_path: Path
) -> None:
    (small_lab / "cells.xlsx").unlink()
    sheet = small_lab / "cells.csv"
    head = "Cell ID;Files;Configuration;Cathode active mass / mg\n"
    sheet.write_text(head + "SSB-01;SSB-01*;full;15,71\nSSB-05;SSB-05*;full;12\n")
    process(small_lab, tmp_path / "out")
    sheet.write_text(head + "SSB-01;SSB-01*;full;15,71\nSSB-05;SSB-05*;full;24\n")
    again = process(small_lab, tmp_path / "out")
    assert (again.read, again.cells_updated) == (0, 1)
    cells = {row["cell_id"]: row for row in again.cells.iter_rows(named=True)}
    doubled = cells["SSB-05"]["first_specific_discharging_capacity_mah_per_g"]
    assert doubled == pytest.approx(0.002111822e6 / 24, rel=1e-3)


def test_the_same_content_under_two_names_counts_once(small_lab: Path, tmp_path: Path) -> None:
    shutil.copy2(small_lab / "SSB-01_02_GCPL_C01.mpr", small_lab / "SSB-01_02_GCPL_C01_copy.mpr")
    summary = process(small_lab, tmp_path / "out")
    cells = {row["cell_id"]: row["cycles"] for row in summary.cells.iter_rows(named=True)}
    assert cells["SSB-01"] == 2
    assert "same_recording" in summary.findings["code"].to_list()


def test_a_file_that_two_rows_claim_is_used_for_neither_and_says_so(
    small_lab: Path, tmp_path: Path
) -> None:
    (small_lab / "cells.xlsx").unlink()
    (small_lab / "cells.csv").write_text(
        "Cell ID,Files,Configuration\nA,SSB-05*,full\nB,*_zh.csv,full\nC,SSB-01*,full\n"
    )
    summary = process(small_lab, tmp_path / "out")
    assert summary.cells["cell_id"].to_list() == ["C"]
    assert any("A and B" in failure.reason for failure in summary.failures)


@pytest.fixture
def made_lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    neware_csv(folder / "A_1.csv", "2026-03-02 10:00:00")
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n")
    return folder


def capacities(folder: Path, out: Path) -> list[float]:
    process(folder, out)
    cycles = cellpipe.open_results(out)["cycles"].sort("cycle").collect()
    return cycles["charging_capacity_ah"].to_list()


def test_one_recording_exported_twice_in_other_time_zones_counts_once(
    made_lab: Path, tmp_path: Path
) -> None:
    expected = capacities(made_lab, tmp_path / "one")
    neware_csv(made_lab / "A_2.csv", "2026-03-02 11:00:00")
    assert capacities(made_lab, tmp_path / "two") == pytest.approx(expected)
    summary = process(made_lab, tmp_path / "two")
    assert summary.files["status"].to_list() == ["used", "duplicate"]
    assert summary.exit_code == 0


def test_what_a_process_wrote_before_leaves_no_trace_in_its_results(
    made_lab: Path, tmp_path: Path
) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        for name in ("first", "second"):
            fresh.submit(process, made_lab, tmp_path / name).result()
    assert digests(tmp_path / "first") == digests(tmp_path / "second")


@pytest.mark.pages
def test_deleted_results_are_made_again(made_lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(made_lab, out)
    before = digests(out)
    shutil.rmtree(out / "cells")
    for name in ("timeseries", "cells", "cycles"):
        shutil.rmtree(out / "tables" / name)
    process(made_lab, out)
    assert digests(out) == before


def test_a_changed_file_that_can_not_be_opened_is_never_called_used_in_silence(
    made_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe import formats

    process(made_lab, tmp_path / "out")
    neware_csv(made_lab / "A_1.csv", "2026-03-02 10:00:00", rows=120)

    def locked(path: Path) -> cellpipe.RawFile:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(formats, "raw_file", locked)
    summary = process(made_lab, tmp_path / "out")
    assert summary.exit_code == 1
    assert [failure.path for failure in summary.failures] == ["A_1.csv"]
    assert "not_updated" in summary.findings["code"].to_list()
    assert summary.cells.height == 1


def test_a_renamed_cell_leaves_no_double_and_one_without_files_keeps_its_results(
    made_lab: Path, tmp_path: Path
) -> None:
    neware_csv(made_lab / "B_1.csv", "2026-04-02 10:00:00", factor=0.5)
    process(made_lab, tmp_path / "out")
    (made_lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA2,A_*,full\n")
    (made_lab / "B_1.csv").unlink()
    summary = process(made_lab, tmp_path / "out")
    listed = cellpipe.open_results(tmp_path / "out")["cells"].collect()["cell_id"].to_list()
    assert sorted(listed) == ["A2", "B_1"]
    assert "cell_kept" in summary.findings["code"].to_list()
    assert not (tmp_path / "out" / "cells" / "A.html").exists()


def test_a_growing_file_leaves_no_old_tables_behind(made_lab: Path, tmp_path: Path) -> None:
    for rows in (100, 110, 120):
        neware_csv(made_lab / "A_1.csv", "2026-03-02 10:00:00", rows=rows)
        process(made_lab, tmp_path / "out")
    assert len(list((tmp_path / "out/tables/timeseries").glob("*.parquet"))) == 1


def test_cells_of_one_name_on_two_channels_stay_two_cells(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    neware_csv(lab / "Test_Channel_7.csv", "2026-03-02 10:00:00")
    neware_csv(lab / "Test_Channel_8.csv", "2026-03-02 10:00:00", factor=0.5)
    summary = process(lab, tmp_path / "out")
    assert summary.cells["cell_id"].to_list() == ["Test_Channel_7", "Test_Channel_8"]


def test_a_file_that_no_pattern_of_its_cell_matches_is_not_used_and_says_so(
    made_lab: Path, tmp_path: Path
) -> None:
    neware_csv(made_lab / "A.csv", "2026-05-02 10:00:00")
    summary = process(made_lab, tmp_path / "out")
    assert summary.cells["cycles"].to_list() == [2]
    assert any("row A" in f.reason for f in summary.failures if f.path == "A.csv")


def test_a_dangling_link_and_a_folder_out_of_reach_do_not_stop_the_rest(
    made_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made_lab / "more").mkdir()
    neware_csv(made_lab / "more" / "A_3.csv", "2026-03-04 10:00:00")
    process(made_lab, tmp_path / "out")
    (made_lab / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    scan = os.scandir

    def away(path: object) -> object:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", away)
    summary = process(made_lab, tmp_path / "out")
    assert {f.path for f in summary.failures} == {"gone.csv", "more"}
    assert summary.cells["cycles"].to_list() == [4]


def test_one_results_folder_belongs_to_one_folder_of_raw_files(
    made_lab: Path, tmp_path: Path
) -> None:
    process(made_lab, tmp_path / "out")
    (tmp_path / "other").mkdir()
    with pytest.raises(StoreError, match="results of the folder"):
        process(tmp_path / "other", tmp_path / "out")
    with pytest.raises(CellpipeError, match="of its own"):
        process(made_lab, made_lab)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_the_hour_that_comes_twice_in_autumn_changes_no_cycle(
    tmp_path: Path, zone: str | None
) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2024-10-27 00:30:00")
    text = (lab / "A_1.csv").read_text().split("\n")
    for number, line in enumerate(text[1:-1], 1):
        moment = datetime.fromisoformat(line.rpartition(",")[2])
        if moment >= datetime(2024, 10, 27, 3):
            moment -= timedelta(hours=1)
        text[number] = line.rpartition(",")[0] + f",{moment:%Y-%m-%d %H:%M:%S}"
    (lab / "A_1.csv").write_text("\n".join(text))
    process(lab, tmp_path / "out", time_zone=zone)
    results = cellpipe.open_results(tmp_path / "out")
    assert results["cycles"].collect()["charging_capacity_ah"].to_list() == pytest.approx(
        [1, 1], 0.02
    )
    if zone:
        times = results["timeseries"].collect()["unix_time_second"]
        assert times.diff().drop_nulls().to_list() == pytest.approx([36.0] * (len(times) - 1))


def test_ids_that_differ_only_in_case_name_one_cell(small_lab: Path, tmp_path: Path) -> None:
    (small_lab / "cells.xlsx").unlink()
    (small_lab / "SSB-01_02_GCPL_C01.mpr").rename(small_lab / "ssb-01_02_GCPL_C01.mpr")
    summary = process(small_lab, tmp_path / "out")
    assert summary.cells["files"].to_list() == [2, 1]


def test_a_fault_in_one_file_or_one_cell_never_stops_the_others(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe import report

    write = report.write_cell_report

    def fail_for_one(cell: cellpipe.Cell, *given: Any, **named: Any) -> tuple[Path, Path]:
        if cell.cell_id == "SSB-05":
            raise ZeroDivisionError("made to fail")
        return write(cell, *given, **named)

    monkeypatch.setattr(report, "write_cell_report", fail_for_one)
    summary = process(small_lab, tmp_path / "out")
    assert any("made to fail" in f.reason for f in summary.failures if f.path == "SSB-05")
    assert (tmp_path / "out" / "cells" / "SSB-01.html").is_file()


@pytest.mark.pages
def test_a_fault_in_one_analysis_or_figure_costs_that_one_and_the_cells_page_says_so(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    from cellpipe import analyses
    from cellpipe.analyses import cycles
    from cellpipe.report.html import cell_page

    def fail_for_one(cell: cellpipe.Cell, tables: Any) -> tuple[cellpipe.Result, ...]:
        if cell.cell_id == "SSB-05":
            raise ZeroDivisionError("made to fail")
        return cycles._compute(cell, tables)

    def fail(*_: object) -> None:
        raise ArithmeticError("made to fail, too")

    broken = cellpipe.Analysis(
        "cycles", ("half_cycles", "protocol_segments"), ("cycles",), fail_for_one
    )
    chain = tuple(broken if a.name == "cycles" else a for a in analyses.all_analyses())
    use_analyses(monkeypatch, chain)
    monkeypatch.setattr(cell_page, "profile_panel", fail)
    summary = process(small_lab, tmp_path / "out")
    assert summary.cells["cell_id"].to_list() == ["SSB-01", "SSB-05"]
    assert summary.cells["cycles"].null_count() == 1
    codes = summary.findings.group_by("cell_id").agg("code").rows_by_key("cell_id", unique=True)
    assert {"analysis_failed", "report_block_failed"} <= set(codes["SSB-05"][0])
    assert "report_block_failed" in codes["SSB-01"][0]
    assert "analysis_failed" not in codes["SSB-01"][0]
    page = (tmp_path / "out" / "cells" / "SSB-05.html").read_text(encoding="utf-8")
    above = page.split("<h2")[0]
    assert "The analysis cycles failed (ZeroDivisionError: made to fail)" in above
    assert "ArithmeticError: made to fail, too" in above
    assert open_results(tmp_path / "out")["half_cycles"].filter(cell_id="SSB-05").collect().height
    assert caplog.text.count("in fail_for_one") == 1
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert 'href="cells/SSB-05.html"' in index


def test_a_file_that_is_locked_is_set_aside_and_tried_again(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe import formats

    real = formats.raw_file

    def locked(path: Path) -> cellpipe.RawFile:
        if "SSB-05" in path.name:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(formats, "raw_file", locked)
    first = process(small_lab, tmp_path / "out")
    assert any("tries again" in f.reason for f in first.failures)
    monkeypatch.setattr(formats, "raw_file", real)
    second = process(small_lab, tmp_path / "out")
    assert second.read == 1
    assert "SSB-05" in second.cells["cell_id"].to_list()


def test_files_that_are_no_measurements_are_left_alone_and_unfinished_ones_unseen(
    small_lab: Path, tmp_path: Path
) -> None:
    for name in ("notes.docx", "~$cells.xlsx", "half.mpr.part", ".hidden.mpr", "settings.mps"):
        (small_lab / name).write_bytes(b"something")
    summary = process(small_lab, tmp_path / "out")
    assert set(summary.ignored) == {"notes.docx", "settings.mps"}
    assert len(summary.failures) == 1


def test_an_instruments_file_is_read_under_any_suffix(small_lab: Path, tmp_path: Path) -> None:
    (small_lab / "SSB-01_02_GCPL_C01.mpr").rename(small_lab / "SSB-01_02.dat")
    summary = process(small_lab, tmp_path / "out")
    assert "SSB-01_02.dat" in summary.files.filter(status="used")["path"].to_list()


def test_results_inside_the_folder_are_not_taken_for_raw_files(small_lab: Path) -> None:
    first = process(small_lab, small_lab / "results")
    again = process(small_lab, small_lab / "results")
    assert (first.read, again.read, again.unchanged) == (4, 0, 4)


def test_raw_files_are_never_changed(small_lab: Path, tmp_path: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in small_lab.iterdir()}
    process(small_lab, tmp_path / "out")
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in small_lab.iterdir()} == before


def test_nothing_usable_is_exit_code_two(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    assert process(tmp_path / "lab", tmp_path / "out").exit_code == 2


def test_a_refused_run_writes_nothing(small_lab: Path, tmp_path: Path) -> None:
    from cellpipe.cli.main import main

    before = sorted(small_lab.rglob("*"))
    assert main(["process", str(small_lab), "--out", str(small_lab)]) == 2
    assert sorted(small_lab.rglob("*")) == before
    out = tmp_path / "new"
    assert main(["process", str(small_lab), "--out", str(out), "--time-zone", "Berlin"]) == 2
    assert main(["process", str(small_lab / "cells.xlsx"), "--out", str(out), "--prefect"]) == 2
    assert not out.exists()


def test_leaving_the_time_zone_out_reads_again_and_says_so(made_lab: Path, tmp_path: Path) -> None:
    process(made_lab, tmp_path / "out", time_zone="Europe/Berlin")
    again = process(made_lab, tmp_path / "out")
    assert (again.read, again.reread) == (1, 1)


def test_what_makes_a_run_impossible_is_said_before_it_begins(
    small_lab: Path, tmp_path: Path
) -> None:
    with pytest.raises(CellpipeError, match="no such folder"):
        process(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(CellpipeError, match="Europe/Berlin"):
        process(small_lab, tmp_path / "out", time_zone="Berlin time")
    (tmp_path / "a file").write_text("x")
    with pytest.raises(StoreError, match="can't be used"):
        process(small_lab, tmp_path / "a file")


def test_a_first_sheet_that_is_broken_stops_no_run(small_lab: Path, tmp_path: Path) -> None:
    (small_lab / "cells.xlsx").write_bytes(b"no workbook")
    summary = process(small_lab, tmp_path / "out")
    assert summary.exit_code == 1
    assert "cells.xlsx" in [failure.path for failure in summary.failures]
    assert summary.cells["first_specific_discharging_capacity_mah_per_g"].drop_nulls().is_empty()
    assert summary.cells["first_discharging_capacity_ah"].drop_nulls().len() > 0


def test_the_time_zone_moves_local_clocks_to_utc(small_lab: Path, tmp_path: Path) -> None:
    local = process(small_lab, tmp_path / "one")
    berlin = process(small_lab, tmp_path / "two", time_zone="Europe/Berlin")
    starts = [s.files.filter(cell_id="SSB-05")["started_at"][0] for s in (local, berlin)]
    assert (starts[0] - starts[1]).total_seconds() in {3600, 7200}
    assert "time_zone_unknown" in local.findings["code"].to_list()
    assert "time_zone_unknown" not in berlin.findings["code"].to_list()


def test_a_run_that_is_killed_ends_in_the_same_state_as_an_undisturbed_one(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(small_lab, tmp_path / "whole")
    real, count = os.fsync, [0]
    for kill_at in (1, 4, 9, 14):
        out = tmp_path / f"killed at {kill_at}"
        count[0] = 0

        def die(handle: int, at: int = kill_at) -> None:
            count[0] += 1
            if count[0] == at:
                raise KeyboardInterrupt
            real(handle)

        monkeypatch.setattr(os, "fsync", die)
        with pytest.raises(KeyboardInterrupt):
            process(small_lab, out)
        monkeypatch.setattr(os, "fsync", real)
        process(small_lab, out)
        assert digests(out) == digests(tmp_path / "whole")
        assert not list(out.rglob("*.tmp"))


def test_units_travel_in_the_fields_of_the_parquet_files(small_lab: Path, tmp_path: Path) -> None:
    process(small_lab, tmp_path / "out")
    path = next((tmp_path / "out/tables/cycles").glob("*.parquet"))
    fields = base64.b64decode(pl.read_parquet_metadata(path)["ARROW:schema"])
    assert b"mAh/g" in fields
    told = [column.meaning for column in load_schema("cycles").columns.values()]
    assert [meaning for meaning in told if meaning.encode() not in fields] == []


def test_files_with_two_suffixes_are_taken_in(made_lab: Path, tmp_path: Path) -> None:
    table = cellpipe.read(made_lab / "A_1.csv").tables["timeseries"]
    (made_lab / "A_1.csv").unlink()
    table.write_parquet(made_lab / "A_1.bdf.parquet")
    assert process(made_lab, tmp_path / "out").read == 1


ARBIN = ["Data_Point", "Test_Time(s)", "Date_Time", "Step_Time(s)", "Step_Index", "Cycle_Index",
         "Current(A)", "Voltage(V)", "Charge_Capacity(Ah)", "Discharge_Capacity(Ah)"]  # fmt: skip


def arbin_workbook(
    path: Path,
    channels: dict[str, float],
    *,
    start: datetime = datetime(2024, 5, 13, 10),
    test_name: str = "",
) -> None:
    """Write a workbook with a sheet for each channel: an hour's charge at the given current, A."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        if test_name:
            info = book.add_worksheet("Global_Info")
            info.write_row(0, 3, ["TEST REPORT"])
            info.write_row(1, 2, ["Test Name", test_name])
            info.write_row(2, 2, ["Export Time", "2024-05-14"])
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name, current in channels.items():
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ARBIN)
            for i in range(61):
                row = [i + 1, 60.0 * i, None, 60.0 * i, 1, 1, current, 3 + i / 100]
                sheet.write_row(i + 1, 0, [*row, current * i / 60, 0.0])
                sheet.write_datetime(i + 1, 2, start + timedelta(minutes=i), day)


def test_the_channels_of_one_workbook_are_cells_of_their_own(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    channels = {"Channel_7_1": 1e-3, "Channel_8_1": 2e-3, "Channel_9_1": 4e-3}
    arbin_workbook(lab / "test.xlsx", channels)
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,test.xlsx#Channel_8,full\n")
    summary = process(lab, out)
    assert summary.exit_code == 0
    cells = summary.cells
    assert cells["cell_id"].to_list() == ["A", "test_Channel_7", "test_Channel_9"]
    assert cells["first_charging_capacity_ah"].to_list() == pytest.approx([2e-3, 1e-3, 4e-3])
    assert summary.files["path"].to_list() == [f"test.xlsx#Channel_{n}" for n in (7, 8, 9)]
    before = digests(out)
    assert process(lab, out).read == 0
    assert digests(out) == before
    next((out / "tables" / "timeseries").iterdir()).unlink()
    assert process(lab, out).read == 1
    assert digests(out) == before


def test_a_row_that_claims_two_channels_of_a_workbook_is_told_to_name_one(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    arbin_workbook(lab / "test.xlsx", {"Channel_7_1": 1e-3, "Channel_8_1": 2e-3})
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,test*,full\n")
    summary = process(lab, out)
    assert summary.cells.height == 0
    reason = summary.files["reason"][0]
    assert "claims 2 channels of this workbook" in reason
    assert "such as test.xlsx#Channel_7" in reason


def test_a_workbook_that_loses_its_other_channels_is_one_cells_again(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    arbin_workbook(lab / "test.xlsx", {"Channel_7_1": 1e-3, "Channel_8_1": 2e-3})
    assert process(lab, out).cells.height == 2
    arbin_workbook(lab / "test.xlsx", {"Channel_7_1": 1e-3})
    summary = process(lab, out)
    assert summary.files["path"].to_list() == ["test.xlsx"]
    assert summary.cells["cell_id"].to_list() == ["test"]
    assert summary.findings["code"].to_list().count("cell_kept") == 2


def test_a_row_without_a_pattern_takes_files_by_folder_by_metadata_and_by_name(
    tmp_path: Path,
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    (lab / "A").mkdir(parents=True)
    arbin_workbook(lab / "A" / "anything.xlsx", {"Channel_7_1": 1e-3})
    arbin_workbook(lab / "B_Wb_1.xlsx", {"Channel_8_1": 2e-3})
    arbin_workbook(lab / "strange.xlsx", {"Channel_9_1": 4e-3}, test_name="C")
    (lab / "cells.csv").write_text(
        "Cell ID,Files,Configuration\nA,,full\nB,,full\nC,,full\n", encoding="utf-8"
    )
    summary = process(lab, out)
    assert summary.cells["cell_id"].to_list() == ["A", "B", "C"]
    assert summary.cells["first_charging_capacity_ah"].to_list() == pytest.approx(
        [1e-3, 2e-3, 4e-3]
    )
    assert summary.cells["in_sheet"].all()


def test_a_cells_files_are_put_in_order_and_a_long_gap_is_said(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for name, days, current in (("X_Wb_2", 3, -1e-3), ("X_Wb_1", 0, 1e-3)):
        start = datetime(2024, 5, 13, 10) + timedelta(days=days)
        arbin_workbook(lab / f"{name}.xlsx", {"Channel_7_1": current}, start=start)
    summary = process(lab, out)
    halves = cellpipe.open_results(out)["half_cycles"].collect()
    assert halves["direction"].to_list() == ["charge", "discharge"]
    (gap,) = summary.findings.filter(code="gap_between_files")["sentence"]
    assert gap.startswith("3.0 days lie between the end of X_Wb_1.xlsx and the beginning of X_Wb_2")


def test_a_file_without_a_clock_is_ordered_by_its_name_and_says_so(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    start = datetime(2024, 5, 13, 10)
    arbin_workbook(lab / "X_Wb_9.xlsx", {"Channel_7_1": 1e-3}, start=start)
    text = "Data_Point,Test_Time(s),Step_Index,Current(A),Voltage(V),Charge_Capacity(Ah),"
    rows = [f"{i},{i * 60},1,-0.0015,{4 - i / 100},0,{i / 4e4}" for i in range(1, 62)]
    lines = [text + "Discharge_Capacity(Ah)", *rows]
    (lab / "X_Wb_10.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    later = start + timedelta(hours=4)
    arbin_workbook(lab / "X_Wb_11.xlsx", {"Channel_7_1": 2e-3}, start=later)
    summary = process(lab, out)
    halves = cellpipe.open_results(out)["half_cycles"].collect()
    assert halves["direction"].to_list() == ["charge", "discharge", "charge"]
    assert "no_clock" in summary.findings["code"].to_list()


def test_a_copy_of_a_running_file_gives_way_to_the_finished_one(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "Y_record.csv", "2024-05-13 10:00:00", records=slice(40))
    first = process(lab, out).cells["first_charging_capacity_ah"][0]
    neware_csv(lab / "Y_record-1.csv", "2024-05-13 10:00:00", rows=100)
    summary = process(lab, out)
    assert summary.files["status"].to_list().count("duplicate") == 1
    assert summary.cells["first_charging_capacity_ah"][0] > 1.5 * first


def test_parts_of_a_test_are_compared_once_and_the_cell_is_computed_when_one_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    compared: list[int] = []

    def compare(first: Records, second: Records) -> Shared | None:
        compared.append(1)
        return find_common(first, second)

    monkeypatch.setattr(overlaps, "find_common", compare)
    begin = "2024-05-13 10:00:00"
    neware_csv(lab / "Y_record-2.csv", begin, records=slice(150))
    process(lab, out)
    neware_csv(lab / "Y_record-1.csv", begin, records=slice(130, 400))
    summary = process(lab, out)
    assert (summary.cells_updated, len(compared)) == (1, 1)
    (said,) = summary.findings.filter(code="records_in_two_files").iter_rows(named=True)
    assert (said["severity"], said["rows"]) == ("check", 20)
    assert "records 131 to 150 of Y_record-2.csv" in said["sentence"]
    neware_csv(lab / "Z_record.csv", begin)
    summary = process(lab, out)
    assert (summary.cells_updated, len(compared)) == (1, 1)
    halves = cellpipe.open_results(out)["half_cycles"].collect()
    parts, whole = (halves.filter(cell_id=name)["capacity_ah"].to_list() for name in "YZ")
    assert parts == whole
    (lab / "Y_record-1.csv").unlink()
    assert process(lab, out).cells_updated == 1
    assert Ledger(out).snapshot().overlaps == {}


def test_time_left_is_told_by_work_and_not_by_how_many(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    for number, rows in enumerate((20_000, 20, 20, 20)):
        neware_csv(lab / f"{number}_1.csv", f"2026-03-0{number + 2} 10:00:00", rows=rows)
    told: dict[str, list[float]] = {}

    def note(stage: str, done: int, total: int, _what: str, share: float) -> None:
        assert done <= total
        told.setdefault(stage, []).append(share)

    process(lab, tmp_path / "out", progress=note)
    assert set(told) == {"files", "cells", "report"}
    for shares in told.values():
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
    assert told["files"][0] > 0.4  # the first is large: a quarter of the files, most of the work


def test_a_broken_sheet_is_named_and_the_last_one_is_not_called_by_its_file(
    small_lab: Path, tmp_path: Path
) -> None:
    head = "Cell ID;Files;Configuration\nSSB-01;SSB-01*;full\n"
    (small_lab / "cells.csv").write_text(head + ";x*;full\n", encoding="utf-8")
    for path in small_lab.glob("cells.xlsx"):
        path.unlink()
    process(small_lab, tmp_path / "out")
    (small_lab / "cells.csv").write_text("nothing\n", encoding="utf-8")
    said = " ".join(process(small_lab, tmp_path / "out").findings["sentence"])
    assert "cells.csv can't be used: found no column" in said
    assert "the sheet as it was on" in said
    assert "sheet.copy" not in said
