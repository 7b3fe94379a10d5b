"""What nobody can make again is never deleted, and what waits is never forgotten."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import pytest

import cellpipe
from cellpipe import formats
from cellpipe.cli.main import main
from cellpipe.core.errors import StoreError
from cellpipe.pipeline.run import process
from cellpipe.service.watch import watcher as watch_room
from cellpipe.service.watch.batch_runner import BatchTask, State, process_batch
from cellpipe.service.watch.stability import WaitTimes
from cellpipe.service.watch.watcher import Watcher
from cellpipe.store import Ledger
from cellpipe.store.batch_queue import queued_files
from cellpipe.store.lab import Lab
from cellpipe.store.recovery import back_up_ledger
from cellpipe.system.scan import folder_label
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


def lab_of(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        start = f"2026-03-0{number + 2} 10:00:00"
        neware_csv(folder / name, start, rows=10, factor=1 - 0.1 * number)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A*,full\nB,B*,full\n")
    return folder


def pages(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "cells").glob("*.html"))


def test_results_newer_than_the_ledgers_copy_outlive_its_damage(tmp_path: Path) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    process(lab, out)
    back_up_ledger(out)
    neware_csv(lab / "B_1.csv", "2026-05-01 10:00:00")
    process(lab, out)
    (lab / "B_1.csv").unlink()  # archived: it can't be made again
    process(lab, out)
    (out / "ledger.sqlite").write_bytes(b"no database" * 1000)
    process(lab, out)
    assert pages(out) == ["A.html", "B.html"]
    assert list((out / "tables" / "cells").glob("B*"))


def test_what_people_keep_among_the_results_is_left_alone_not_read_and_named(
    tmp_path: Path,
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    process(lab, out)
    cells = cellpipe.open_results(out)["cells"].collect()
    mine = [out / "cells/A - Kopie.xlsx", out / "cells/Z.html", out / "tables/cells/mine.parquet"]
    for path in mine:
        path.write_bytes(b"mine")
    findings = process(lab, out).findings.filter(code="foreign_file")["sentence"].to_list()
    assert [path.read_bytes() for path in mine] == [b"mine"] * 3
    assert cellpipe.open_results(out)["cells"].collect().equals(cells)
    assert all(any(path.name in said for said in findings) for path in mine)
    assert process(lab, out).read == 0
    for path in mine:
        path.unlink()
    assert process(lab, out).findings.filter(code="foreign_file").is_empty()
    assert not (out / "foreign-files.txt").exists()


@pytest.mark.parametrize("fault", [PermissionError(13, "locked"), ValueError("made to fail")])
def test_a_known_file_that_changed_and_failed_once_is_read_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    process(lab, out)
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=15)

    def fail(path: Path) -> cellpipe.RawFile:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(formats, "raw_file", fail)
        assert process(lab, out).failures
    assert process(lab, out).read == 1
    assert process(lab, out).read == 0


@pytest.mark.pages
def test_after_the_same_fault_three_times_a_file_rests_until_it_changes_or_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv", "B_1.csv"), tmp_path / "out"
    real, tried = formats.raw_file, [0]

    def fail(path: Path) -> cellpipe.RawFile:
        tried[0] += path.name == "A_1.csv"
        if path.name == "A_1.csv":
            raise ValueError("made to fail")
        return real(path)

    monkeypatch.setattr(formats, "raw_file", fail)
    for _ in range(6):
        summary = process(lab, out)
    assert tried[0] == 3
    assert "rests until it changes" in summary.failures[0].reason
    assert "rests until it changes" in (out / "index.html").read_text(encoding="utf-8")
    assert main(["status", str(out)]) == 1
    assert "rests" in capsys.readouterr().out
    os.utime(lab / "A_1.csv", (1.7e9, 1.7e9))
    process(lab, out)
    assert tried[0] == 4
    for _ in range(4):
        process(lab, out)
    assert tried[0] == 6
    assert main(["retry", str(out), "A_1.csv"]) == 0
    monkeypatch.setattr(formats, "raw_file", real)
    assert process(lab, out).read == 1


class Here:
    def start(self, task: BatchTask) -> str:
        process_batch(task)
        return task.batch

    def state(self, name: str) -> tuple[State, str]:
        return "done", name

    def close(self) -> None:
        pass


def watched(lab: Path, out: Path, *also: Path) -> Watcher:
    patience = WaitTimes(settle=0.0, incomplete=0.0, gone=0.0)
    return Watcher(Lab(lab, out, None, also), Here(), patience, poll_seconds=0.0)


def ticked(watcher: Watcher, times: int = 4) -> None:
    for _ in range(times):
        watcher.tracker.schedule_walk()
        watcher._hand_retry.after = 0.0
        watcher.tick()


@pytest.mark.parametrize("how", ["removed", "damaged"])
def test_a_batch_reads_a_file_anew_whose_table_is_gone(tmp_path: Path, how: str) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    watcher = watched(lab, out)
    ticked(watcher)
    table = next((out / "tables" / "timeseries").iterdir())
    if how == "removed":
        table.unlink()
    else:
        table.write_bytes(bytes(100))
    neware_csv(lab / "A_2.csv", "2026-04-02 10:00:00", factor=0.5)
    ticked(watcher)
    assert queued_files(Ledger(out).database) == []
    assert cellpipe.open_results(out)["cycles"].collect().height == 4


def test_files_that_settle_while_the_ledger_is_away_are_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    watcher = watched(lab, out)
    with monkeypatch.context() as patched:

        def away(*_: object) -> None:
            raise StoreError("made to be away")

        patched.setattr(watch_room, "enqueue", away)
        with pytest.raises(StoreError):
            watcher.tick()
    ticked(watcher)
    assert pages(out) == ["A.html"]


def test_a_share_that_is_emptied_between_settling_and_reading_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = lab_of(tmp_path / "lab", "B_1.csv"), tmp_path / "out"
    share = tmp_path / "nas"
    share.mkdir()
    neware_csv(share / "A_1.csv", "2026-03-02 10:00:00")
    watcher = watched(lab, out, share)
    ticked(watcher)
    assert set(Ledger(out).seen_files(lab)) == {"B_1.csv", "nas/A_1.csv"}
    neware_csv(share / "A_2.csv", "2026-04-02 10:00:00", factor=0.5)
    real = Here.start

    def emptied(hand: Here, task: BatchTask) -> str:
        share.rename(tmp_path / "away")
        share.mkdir()
        return real(hand, task)

    with monkeypatch.context() as patched:
        patched.setattr(Here, "start", emptied)
        watcher.tracker.schedule_walk()
        watcher.tick()
    assert set(Ledger(out).seen_files(lab)) == {"B_1.csv", "nas/A_1.csv"}
    assert process(lab, out, also=[share]).failures  # a whole walk does not take it for deleted
    assert set(Ledger(out).seen_files(lab)) == {"B_1.csv", "nas/A_1.csv"}
    share.rmdir()
    (tmp_path / "away").rename(share)
    ticked(watcher)
    assert set(Ledger(out).seen_files(lab)) == {"B_1.csv", "nas/A_1.csv", "nas/A_2.csv"}
    assert queued_files(Ledger(out).database) == []


def test_a_main_folder_that_is_emptied_keeps_its_files_its_sheet_and_its_baselines(
    tmp_path: Path,
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    share = tmp_path / "nas"
    share.mkdir()
    neware_csv(share / "A_2.csv", "2026-04-02 10:00:00", factor=0.5)
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n", encoding="utf-8")
    process(lab, out, also=[share])
    before = cellpipe.open_results(out)["cells"].collect()
    assert before["configuration"].to_list() == ["full"]
    lab.rename(tmp_path / "away")
    lab.mkdir()
    neware_csv(share / "A_3.csv", "2026-05-02 10:00:00", factor=0.5)
    summary = process(lab, out, also=[share])
    assert "." in {failure.path for failure in summary.failures}
    assert summary.unchanged == 2
    after = cellpipe.open_results(out)["cells"].collect()
    assert after["configuration"].to_list() == ["full"]
    assert after["cycles"][0] > before["cycles"][0]
    lab.rmdir()
    (tmp_path / "away").rename(lab)
    summary = process(lab, out, also=[share])
    assert (summary.read, summary.failures) == (0, ())


def test_a_link_that_leads_nowhere_does_not_keep_a_renamed_file_twice(tmp_path: Path) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    (lab / "old.csv").symlink_to(tmp_path / "nowhere.csv")
    process(lab, out)
    (lab / "A_1.csv").rename(lab / "B_1.csv")
    process(lab, out)
    assert pages(out) == ["B.html"]
    again = process(lab, out)
    assert (again.read, again.cells_updated) == (0, 0)
    assert [failure.path for failure in again.failures] == ["old.csv"]


def test_one_lab_that_is_away_does_not_stop_the_nights_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab_of(tmp_path / "lab", "A_1.csv")
    (tmp_path / "cellpipe.toml").write_text(
        "[[lab]]\nfolder = 'away'\nresults = 'r1'\n[[lab]]\nfolder = 'lab'\nresults = 'r2'\n"
    )
    assert main(["nightly", "--settings", str(tmp_path / "cellpipe.toml")]) == 2
    assert "no such folder" in capsys.readouterr().err
    digest = (tmp_path / "r2" / "digest.txt").read_text(encoding="utf-8")
    assert "Since the beginning: 1 file read, 1 cell computed." in digest
    assert (tmp_path / "r2" / "ledger.copy.sqlite").is_file()


def test_shares_and_drives_have_names() -> None:
    assert folder_label(PureWindowsPath(r"\\nas\neware")) == "neware"
    assert folder_label(PureWindowsPath("E:\\")) == "E"
    assert folder_label(PureWindowsPath(r"\\nas\data\cycler")) == "cycler"
    assert folder_label(Path("/srv/neware")) == "neware"


@pytest.mark.pages
def test_a_page_that_excel_holds_open_costs_its_cell_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv", "B_1.csv"), tmp_path / "out"
    process(lab, out)
    real = Path.replace

    def held(path: Path, target: Path) -> Path:
        if target.name == "A.xlsx":
            raise PermissionError(13, "The process cannot access the file")
        return real(path, target)

    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A*,half\nB,B*,half\n")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", held)
        summary = process(lab, out)
    assert [failure.path for failure in summary.failures] == ["A"]
    assert "close it" in summary.failures[0].reason
    assert process(lab, out).cells_updated == 1
    assert not process(lab, out).failures


def test_a_file_that_ends_the_process_that_reads_it_costs_nobody_else(tmp_path: Path) -> None:
    from cellpipe.system.processes import WorkerDiedError, Workers

    items = list(range(30))
    with Workers(2) as workers:
        found = dict(workers.map(ends_at_seventeen, "shared", items))
    assert {item for item, result in found.items() if isinstance(result, int)} == {*items} - {17}
    assert isinstance(found[17], WorkerDiedError)


def ends_at_seventeen(_shared: str, item: int) -> int:
    if item == 17:
        os._exit(9)
    return item


def test_a_file_that_is_written_while_it_is_read_is_read_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1.csv"), tmp_path / "out"
    real = formats.raw_file

    def growing(path: Path) -> cellpipe.RawFile:
        raw = real(path)
        if path.parent == lab:
            with path.open("a") as stream:
                stream.write(" ")
        return raw

    monkeypatch.setattr(formats, "raw_file", growing)
    assert process(lab, out).cells.height == 1
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert Lab(lab, out).ledger.seen_files(lab)["A_1.csv"].size <= (lab / "A_1.csv").stat().st_size
