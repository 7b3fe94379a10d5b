"""A file of the same size and time with other bytes is read; one that is the same is not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from cellpipe.pipeline import ingest
from cellpipe.pipeline.run import process
from cellpipe.service.watch.tracker import Tracker
from cellpipe.service.watch.watcher import _ledger_states
from cellpipe.store.lab import resolve_lab
from cellpipe.store.ledger import LAST_COMPLETE_STATE
from cellpipe.system import change_time
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")
CELLS = "Cell ID,Files,Configuration\nA,A_*,full\nB,B_*,full\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "cells.csv").write_text(CELLS)
    for month, name in enumerate(("A_1", "A_2", "B_1"), 1):
        start = f"2026-0{month}-01 10:00:00"
        neware_csv(folder / f"{name}.csv", start, rows=12, factor=1 - 0.1 * month)
    return folder


def rewrite(path: Path) -> None:
    """Write other numbers into a file, with its size and its time as before."""
    before = path.stat()
    content = path.read_bytes()
    numbers = content.replace(b"3.", b"2.")
    assert numbers != content
    path.write_bytes(numbers)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def voltages(out: Path) -> list[float]:
    tables = sorted((out / "tables" / "timeseries").iterdir())
    return sorted(pl.concat([pl.read_parquet(t) for t in tables])["voltage_volt"].to_list())


def test_other_bytes_of_the_same_size_and_time_are_read(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(lab, out)
    assert process(lab, out).unchanged == 3
    rewrite(lab / "A_2.csv")
    assert process(lab, out).computed.keys() == {"A"}
    process(lab, tmp_path / "anew")
    assert voltages(out) == voltages(tmp_path / "anew")
    assert process(lab, out).unchanged == 3


def test_a_replaced_file_is_read_too(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(lab, out)
    other = tmp_path / "other.csv"
    shutil.copy2(lab / "A_2.csv", other)
    rewrite(other)
    other.replace(lab / "A_2.csv")
    assert process(lab, out).computed.keys() == {"A"}


def test_the_watch_sees_it(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(lab, out)
    this = resolve_lab(lab, out)
    assert not Tracker(this.raw, _ledger_states(this)).find_changes().files[1:]  # the sheet alone
    rewrite(lab / "B_1.csv")
    found = Tracker(this.raw, _ledger_states(this)).find_changes().files
    assert {entry.name for entry in found} == {"B_1.csv", "cells.csv"}


@pytest.mark.parametrize("how", ["rights", "link", "touch", "copy"])
def test_what_is_the_same_is_neither_read_nor_computed(
    lab: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    if how == "copy":  # as a restored share has it: other inodes and times of change
        shutil.copytree(lab, tmp_path / "copy")
        lab.rename(tmp_path / "away")
        (tmp_path / "copy").rename(lab)
    for path in lab.glob("*.csv"):
        if how == "rights":
            path.chmod(0o640)
        elif how == "link":
            os.link(path, tmp_path / path.name)
        elif how == "touch":
            path.touch()
    monkeypatch.setattr(ingest.formats, "read_raw", None)  # nothing reads
    assert process(lab, out).computed == {}
    monkeypatch.setattr(ingest.formats, "raw_file", None)  # nor looks into what is known
    assert process(lab, out).unchanged == 3


def test_an_older_ledger_takes_the_times_over_and_reads_nothing(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    with closing(sqlite3.connect(out / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("ALTER TABLE seen DROP COLUMN changed_ns")
        ledger.execute("ALTER TABLE contents DROP COLUMN extent")
        ledger.execute("DROP TABLE shared_records")
        ledger.execute("DELETE FROM marks WHERE name = ?", (LAST_COMPLETE_STATE,))
        ledger.execute("PRAGMA user_version=4")
    with monkeypatch.context() as patched:
        patched.setattr(ingest.formats, "raw_file", None)
        assert process(lab, out).computed == {}
    with closing(sqlite3.connect(out / "ledger.sqlite")) as ledger:
        untimed = ledger.execute("SELECT path FROM seen WHERE changed_ns IS NULL").fetchall()
    assert untimed == []
    rewrite(lab / "A_1.csv")
    assert process(lab, out).computed.keys() == {"A"}


def test_a_disk_that_keeps_no_such_time_is_looked_at_as_before(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_time, "change_time_ns", lambda *_: None)
    monkeypatch.setattr("cellpipe.system.scan.change_time_ns", lambda *_: None)
    monkeypatch.setattr("cellpipe.pipeline.ingest.change_time_ns", lambda *_: None)
    out = tmp_path / "out"
    process(lab, out)
    monkeypatch.setattr(ingest.formats, "raw_file", None)
    assert process(lab, out).unchanged == 3
    assert all(state[2] is None for state in _ledger_states(resolve_lab(lab, out)).values())
