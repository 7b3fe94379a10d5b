"""Disks, clocks, ledgers and sheets that fail: the next run ends as if nothing had been."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path

import pytest

from cellpipe.cli.main import main
from cellpipe.core.errors import StoreError
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger
from cellpipe.store.history import read_events
from cellpipe.store.recovery import back_up_ledger
from cellpipe.system import regular_files
from made_files import LONG
from result_facts import assert_equal, files

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of half a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_full_disk_is_said_and_costs_nothing(
    few_files: Path, few_undisturbed: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small_disk / "out"
    assert main(["process", str(few_files), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "No space left" in said or "disk is full" in said
    assert "make room" in said
    remount(small_disk, "size=100m")
    process(few_files, out)
    assert_equal(out, few_undisturbed)


def test_results_that_become_read_only_in_the_middle_are_said_and_cost_nothing(
    few_files: Path, few_undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    tables = str(out / "tables")

    def lose_the_right(stage: str, done: int, _total: int, _what: str, _share: float) -> None:
        if (stage, done) == ("files", 3):
            mounted = subprocess.run(["mount", "--bind", tables, tables], check=False)
            if mounted.returncode:
                pytest.skip("no right to mount here")
            remount(Path(tables), "bind,ro")

    with pytest.raises(StoreError, match=r"can't be written \(Read-only file system\)"):
        process(few_files, out, progress=lose_the_right)
    subprocess.run(["umount", tables], check=True)
    process(few_files, out)
    assert_equal(out, few_undisturbed)


def test_read_only_results_are_refused_in_words(
    few_files: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remount(small_disk, "ro")
    assert main(["process", str(few_files), "--out", str(small_disk / "out")]) == 2
    assert "can't be used" in capsys.readouterr().err
    remount(small_disk, "rw")


def test_a_share_that_vanishes_and_returns_costs_nothing(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    process(few_files, out)
    shutil.move(few_files, tmp_path / "away")
    assert main(["process", str(few_files), "--out", str(out)]) == 2
    few_files.mkdir()  # where a share was mounted, an empty folder is left
    process(few_files, out)
    few_files.rmdir()
    shutil.move(tmp_path / "away", few_files)
    process(few_files, out)
    assert_equal(out, few_undisturbed)


def test_a_share_that_vanishes_in_the_middle_of_a_run_costs_nothing(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe import formats

    real, count = formats.raw_file, [0]

    def vanish(path: Path) -> object:
        count[0] += 1
        if count[0] == 4:
            shutil.move(few_files, tmp_path / "away")
        return real(path)

    monkeypatch.setattr(formats, "raw_file", vanish)
    summary = process(few_files, tmp_path / "out")
    assert any("can't be opened now" in failure.reason for failure in summary.failures)
    shutil.move(tmp_path / "away", few_files)
    process(few_files, tmp_path / "out")
    assert_equal(tmp_path / "out", few_undisturbed)


def test_a_clock_that_jumps_back_an_hour_changes_no_result(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe.store import history, ledger

    out = tmp_path / "out"
    (few_files / "C1_002.csv").rename(tmp_path / "later.csv")
    process(few_files, out)
    earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
    for module in (history, ledger):
        monkeypatch.setattr(module, "utc_now", lambda: earlier)
    (tmp_path / "later.csv").rename(few_files / "C1_002.csv")
    process(few_files, out)
    assert_equal(out, few_undisturbed)


def overwritten(path: Path, *, at: int, by: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(by)


LEDGER_FAULTS: dict[str, Callable[[Path], object]] = {
    "no header": lambda path: overwritten(path, at=0, by=bytes(100)),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "other": lambda path: path.write_text("no database at all\n" * 1000),
    "middle": lambda path: overwritten(path, at=4096, by=os.urandom(path.stat().st_size - 8192)),
}


@pytest.mark.parametrize("copied", [True, False], ids=["with a copy", "without"])
@pytest.mark.parametrize("fault", LEDGER_FAULTS if LONG else ["middle", "empty"])
def test_a_damaged_ledger_is_replaced_and_nothing_is_lost(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, fault: str, copied: bool
) -> None:
    out = tmp_path / "out"
    shutil.move(few_files / "C1_002.csv", tmp_path / "later.csv")
    process(few_files, out)
    if copied:
        back_up_ledger(out)
    shutil.move(tmp_path / "later.csv", few_files / "C1_002.csv")
    process(few_files, out)
    _settled(out / "ledger.sqlite")
    LEDGER_FAULTS[fault](out / "ledger.sqlite")
    process(few_files, out)
    assert_equal(out, few_undisturbed)
    if fault != "empty":
        aside = list((out / "damaged").glob("*/ledger.sqlite"))
        assert len(aside) == 1


def _settled(path: Path) -> None:
    """Let everything be in the ledger's own file, and nothing in the log beside it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


TABLE_FAULTS: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "zeros": lambda path: overwritten(path, at=4, by=bytes(path.stat().st_size - 4)),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS if LONG else ["zeros"])
@pytest.mark.parametrize(
    "pattern", ["tables/timeseries/*", "tables/cycles/*", "tables/cells/*", "tables/files/lab*",
                "tables/half_cycle_segments/*", "cells/*.html"],
)  # fmt: skip
def test_a_damaged_table_is_put_aside_and_made_again(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, fault: str, pattern: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(few_undisturbed, out)
    _adopted(few_files, few_undisturbed, out)
    path = min(out.glob(pattern))
    TABLE_FAULTS[fault](path)
    process(few_files, out)
    assert files(out) == files(few_undisturbed)
    assert [p.name for p in (out / "damaged").rglob(path.name)] == [path.name]


def test_a_flipped_bit_that_left_no_trace_is_found_where_it_matters(
    few_files: Path, few_undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process(few_files, out)
    path = min(out.glob("tables/timeseries/*"))
    status = path.stat()
    overwritten(path, at=4, by=bytes(status.st_size - 4))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    sheet = few_files / "cells.csv"
    sheet.write_text(sheet.read_text().replace("full", "half"))
    summary = process(few_files, out)
    assert not [f for f in summary.failures if f.path != "C0_broken.mpr"]
    sheet.write_text(sheet.read_text().replace("half", "full"))
    process(few_files, out)
    assert files(out) == files(few_undisturbed)


def _adopted(lab: Path, other: Path, out: Path) -> None:
    """Let copied results be those of this lab: the folders' names differ."""
    with sqlite3.connect(out / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE seen SET folder = ?", (str(lab),))
        seen = ledger.execute("SELECT path FROM seen").fetchall()
        for (name,) in seen:
            ledger.execute(
                "UPDATE seen SET modified_ns = ? WHERE path = ?",
                ((lab / name).stat().st_mtime_ns, name),
            )
    ledger.close()


def test_a_sheet_that_is_locked_by_excel_is_taken_as_it_last_was(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.move(few_files / "C1_002.csv", tmp_path / "later.csv")
    process(few_files, out)
    shutil.move(tmp_path / "later.csv", few_files / "C1_002.csv")
    real = regular_files.open_regular

    def locked(path: Path) -> BufferedReader:
        if path.name == "cells.csv":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(regular_files, "open_regular", locked)
    summary = process(few_files, out)
    assert summary.read == 1
    assert any("Close it in Excel" in f.reason for f in summary.failures)
    assert "sheet_not_used" in summary.findings["code"].to_list()
    assert summary.cells["configuration"].to_list() == ["full", "full"]
    monkeypatch.setattr(regular_files, "open_regular", real)
    process(few_files, out)
    assert_equal(out, few_undisturbed)


HOLD = """
import sqlite3, sys, time
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
ledger.execute("COMMIT")
"""


def test_a_ledger_that_is_locked_for_a_while_is_waited_for(
    few_files: Path, few_undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Ledger(out)
    seconds = 35.0 if LONG else 6.0
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out / "ledger.sqlite"), str(seconds)],
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = time.monotonic()
        process(few_files, out)
        assert time.monotonic() - begun > 0.8 * seconds
    assert_equal(out, few_undisturbed)


def test_a_ledger_that_is_locked_in_the_middle_costs_nobody_his_turn(
    few_files: Path, few_undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes can't beat while the ledger is locked, and is not taken for dead."""
    from cellpipe.store import writer_lease

    monkeypatch.setattr(writer_lease, "BEAT_SECONDS", 0.3)
    monkeypatch.setattr(writer_lease, "STILL_SECONDS", 1.5)
    monkeypatch.setattr(writer_lease, "is_gone", lambda _: False)
    out = tmp_path / "out"
    process(few_files, out)
    (few_files / "C0_000.csv").touch()
    problems: list[BaseException] = []

    def other() -> None:
        try:
            with writer_lease.acquire(Ledger(out), wait_second=60):
                pass
        except BaseException as error:
            problems.append(error)

    mine = Ledger(out)
    with writer_lease.acquire(mine):
        rival = threading.Thread(target=other)
        rival.start()
        hold = [sys.executable, "-c", HOLD, str(out / "ledger.sqlite"), "4"]
        subprocess.run(hold, check=True, capture_output=True)
        mine.set_key_value("still mine", "yes")
    rival.join()
    assert not problems
    process(few_files, out)
    assert read_events(Ledger(out).database)
