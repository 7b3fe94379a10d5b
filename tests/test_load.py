"""Thousands of files at once: first results soon, lists that stay short, records with a bound."""

from __future__ import annotations

import fnmatch
import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from cellpipe.cell_sheet.sheet import find_cells
from cellpipe.cli.console import show_summary
from cellpipe.cli.main import main
from cellpipe.config.settings import LabSettings
from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.pipeline import finalize, interim_page, portions
from cellpipe.pipeline.interim_page import InterimPage
from cellpipe.pipeline.plan import NewFile, Plan
from cellpipe.pipeline.portions import divide_files
from cellpipe.pipeline.run import process
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.report import write_index
from cellpipe.report.html.digest import Digest, digest_page, digest_text
from cellpipe.report.html.long_lists import shorten_findings
from cellpipe.service import prefect_server
from cellpipe.service.doctor import check_lab
from cellpipe.service.watch.watcher import BATCH, _choose_files
from cellpipe.store import Ledger, history
from cellpipe.store.batch_queue import QueuedFile
from cellpipe.store.history import Event, prune_events, read_events
from cellpipe.store.lab import Lab
from cellpipe.store.recovery import quarantine_size
from cellpipe.store.writer_lease import acquire
from cellpipe.system.log_files import BoundedLogHandler, make_room
from made_files import neware_csv

CELLS = 24


def large_lab(folder: Path) -> Path:
    """Return a lab of many cells of two files, with a copy, two channels, and junk among them."""
    folder.mkdir()
    rows = []
    for number in range(CELLS):
        day = f"2026-{number // 28 + 1:02}-{number % 28 + 1:02}"
        neware_csv(folder / f"X{number:02}_a.csv", f"{day} 08:00:00", rows=3)
        neware_csv(folder / f"X{number:02}_b.csv", f"{day} 14:00:00", rows=3, factor=0.9)
        rows += [f"X{number:02},X{number:02}_*,full"] if number % 2 else []
    (folder / "X07_copy.csv").write_bytes((folder / "X07_a.csv").read_bytes())
    neware_csv(folder / "Y_C01.csv", "2026-05-01 08:00:00", rows=3)
    neware_csv(folder / "Y_C02.csv", "2026-05-02 08:00:00", rows=3)
    (folder / "A_junk.csv").write_bytes(b"\x00\x01nothing")
    (folder / "Z_junk.csv").write_bytes(b"")
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\n" + "\n".join(rows) + "\n")
    return folder


def contents(out: Path) -> dict[str, bytes]:
    """Return the results: tables, pages and workbooks."""
    kept = [*out.glob("tables/*/*"), *out.glob("cells/*"), out / "index.html"]
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in kept if path.is_file()
    } | {"all": (out / "all-cells.xlsx").read_bytes()}


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the page after every cell."""
    for name in ("_FIRST_SECONDS", "_PAUSE_SECONDS", "_SHARE"):
        monkeypatch.setattr(interim_page, name, 0.0)


def plan_of(count: int) -> Plan:
    files = tuple(NewFile(Path(f"/lab/C{n // 3:04}_{n % 3}.csv")) for n in range(count))
    return Plan(files, (), ())


@given(count=st.integers(1, 400))
def test_each_new_file_is_in_one_portion_and_each_cell_in_one(count: int) -> None:
    cells = tuple(Cell(f"C{n:04}", patterns=(f"C{n:04}_*",)) for n in range(count // 3 + 1))
    sheet = SheetSnapshot(cells=cells)
    found = divide_files(Lab(Path("/lab"), Path("/out")), plan_of(count), sheet)
    files = [file for portion in found for file in portion.files]
    assert sorted(files, key=str) == sorted(plan_of(count).new, key=str)
    parts = [{file.path.name[:5] for file in portion.files} for portion in found]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert [portion.is_last for portion in found] == [False] * (len(found) - 1) + [True]
    sizes = [len(portion.files) for portion in found]
    assert sizes == [count] if count <= 40 else sizes[0] < 20
    assert all(later >= 2 * size - 4 for size, later in pairwise(sizes[:-1]))


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages", "eager")
def test_a_run_in_portions_writes_what_one_without_does_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = large_lab(tmp_path / "lab")
    written: list[str] = []
    usual = InterimPage._write
    monkeypatch.setattr(
        InterimPage, "_write", lambda *given: (written.append("page"), usual(*given))[1]
    )
    summary = process(lab, tmp_path / "portions")
    assert len(written) > CELLS
    monkeypatch.setattr(portions, "_AT_ONCE", 10**6)
    written.clear()
    whole = process(lab, tmp_path / "whole")
    assert not written
    assert contents(tmp_path / "portions") == contents(tmp_path / "whole")
    assert summary.files.equals(whole.files)
    assert summary.findings.equals(whole.findings)
    assert sorted(map(str, summary.failures)) == sorted(map(str, whole.failures))
    assert summary.computed == whole.computed
    computed = [e for e in read_events(Ledger(tmp_path / "portions").database) if e.numbers]
    assert len(computed) == len(summary.computed)  # no cell is computed twice


@pytest.mark.usefixtures("eager")
@pytest.mark.slow
def test_the_page_is_there_soon_names_what_is_there_and_says_that_the_run_goes_on(
    tmp_path: Path,
) -> None:
    lab, out = large_lab(tmp_path / "lab"), tmp_path / "out"
    seen: list[tuple[int, str]] = []

    def look(stage: str, done: int, *_: object) -> None:
        if stage == "cells" and done in {2, 20} and (out / "index.html").is_file():
            seen.append((done, (out / "index.html").read_text(encoding="utf-8")))

    process(lab, out, progress=look)
    assert [done for done, _ in seen] == [2, 20]
    for done, page in seen:
        document = html.document_fromstring(page)
        links = {link.get("href") for link in document.iter("a") if "cells/" in link.get("href")}
        assert len({link.partition("#")[0] for link in links}) == 2 * (done - 1)
        assert all((out / link.partition("#")[0]).is_file() for link in links)
        assert "The run still goes on" in page
        assert "It was not read yet" not in page
        assert "all-cells.xlsx" not in page
    last = (out / "index.html").read_text(encoding="utf-8")
    assert "The run still goes on" not in last
    assert "all-cells.xlsx" in last


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages", "eager")
def test_a_run_that_dies_before_its_end_leaves_no_page_of_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = large_lab(tmp_path / "lab"), tmp_path / "out"

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("cellpipe.pipeline.run.finalize", die)
        with pytest.raises(RuntimeError, match="killed"):
            process(lab, out)
    interim = (out / "index.html").read_bytes()
    summary = process(lab, out)
    assert summary.cells_updated == 0
    assert (out / "index.html").read_bytes() != interim
    assert process(lab, tmp_path / "other").cells_updated > CELLS
    assert contents(out) == contents(tmp_path / "other")


def test_of_a_large_queue_the_oldest_and_the_newest_come_first() -> None:
    old = [QueuedFile(f"b{n:04}", 1, 1, since=f"2026-01-01T{n:06}") for n in range(3 * BATCH)]
    new = QueuedFile("zz", 1, 1, since="2026-02-01")
    chosen = _choose_files([*old, new])
    assert len(chosen) == BATCH
    assert new in chosen
    assert old[0] in chosen
    assert chosen == sorted(chosen, key=lambda file: file.path)
    assert _choose_files([*old[:5], new]) == [*old[:5], new]


WORDS = st.text("ab*?[]/", max_size=6)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=2), max_size=8), st.text("abAB/", max_size=6))
def test_the_index_of_patterns_finds_what_trying_each_pattern_does(
    patterns: list[list[str]], path: str
) -> None:
    cells = [Cell(str(n), patterns=tuple(each)) for n, each in enumerate(patterns)]
    name = path.rpartition("/")[2]
    wanted = [
        cell for cell in cells
        if any(
            fnmatch.fnmatchcase(text.lower(), p) for p in cell.patterns for text in (name, path)
        )
    ]  # fmt: skip
    assert find_cells(name, path, cells) == wanted


def rejected(count: int, name: str = "junk_{:05}.csv") -> pl.DataFrame:
    """Return the table of files of a lab of junk."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    reason = "found content that no format knows, beginning 'a{0}'; expected one; remedy: none."
    rows = pl.DataFrame({
        "path": [name.format(n) for n in range(count)], "status": ["set aside"] * count,
        "reason": [reason.format(n) for n in range(count)],
        "modified_at": [begun + timedelta(minutes=n) for n in range(count)],
    })  # fmt: skip
    empty = contracts.empty_table("files")
    times = pl.col("modified_at").cast(empty.schema["modified_at"])
    return pl.concat([empty, rows.with_columns(times)], how="diagonal")


def index_of(files: pl.DataFrame, folder: Path) -> str:
    names = ("cells", "baseline_comparison", "cycles", "findings")
    names = (*names, "baselines", "cell_sheet")
    tables = {name: contracts.empty_table(name) for name in names} | {"files": files}
    return write_index(tables, folder, version="1").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("junk_{:05}.csv", 10_000), ("old/2024/week 7/channel 3/junk_{:05}.csv", 10_000),
     ("x" * 195 + "{:05}", None)],
)  # fmt: skip
def test_an_index_of_ten_thousand_junk_files_is_below_a_megabyte_with_a_line_for_each(
    name: str, shown: int | None, tmp_path: Path
) -> None:
    page = index_of(rejected(10_000, name), tmp_path)
    assert len(page.encode()) < 1_000_000
    document = html.document_fromstring(page)
    (folded,) = document.iter("details")
    summary = folded.find("summary").text_content()
    assert summary.startswith("10000 files: found content that no format knows")
    assert summary.count("remedy") == 1
    paths = [row[0].text_content().strip() for row in folded.iter("tr") if row[0].tag == "td"]
    assert len(paths) == shown if shown else len(paths) > 3_000
    assert paths == [name.format(n) for n in range(len(paths))]
    more = folded.xpath("string(p)")
    assert not more if shown else more.startswith(f"{10_000 - len(paths)} more; the workbook")


def test_a_line_for_a_file_says_what_was_found_in_it_while_there_is_room(tmp_path: Path) -> None:
    files = rejected(300)
    document = html.document_fromstring(index_of(files, tmp_path))
    (table,) = document.xpath("//table[@class='files']")
    rows = [[cell.text_content().strip() for cell in row] for row in table.iter("tr")][1:]
    assert rows == [
        [row["path"], row["reason"].partition(";")[0].removeprefix("found "),
         f"{row['modified_at']:%Y-%m-%d %H:%M}"]
        for row in files.to_dicts()
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_the_terminal_shows_twenty_files_and_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for number in range(130):
        (lab / f"junk_{number:03}.csv").write_bytes(b"\x00\x01nothing %d" % number)
    monkeypatch.setenv("COLUMNS", "150")
    show_summary(process(lab, out))
    said = capsys.readouterr().out
    assert said.count("│ junk_") == 20
    assert f"… and 110 more; all are in {out / 'index.html'}" in said
    main(["status", str(out)])
    said = capsys.readouterr().out
    assert said.count("│ junk_") == 20
    assert "130 could not be used" in said
    assert "… and 110 more" in said
    table = pl.read_parquet(next(out.glob("tables/files/*.parquet")))
    assert table.height == 130  # nothing is lost by it


def test_a_digest_of_thousands_of_files_and_cells_is_short(tmp_path: Path) -> None:
    names = [f"junk_{number}" for number in range(10_000)]
    found = Digest(
        "2026-01-01T00:00:00", "", tmp_path / "index.html", 10_000, names,
        alarms=[(name, "It fell.") for name in names],
        rejected=[(name, "found nothing.") for name in names], done=names, failed=names,
    )  # fmt: skip
    page = digest_page(found, version="1")
    assert len(page) < 60_000
    assert len(digest_text(found)) < 20_000
    assert page.count("… and 9950 more") == 5
    assert "10000 set aside" in page


def test_findings_of_one_kind_are_shown_until_there_are_many_and_then_counted() -> None:
    def of(code: str, count: int) -> list[dict[str, Any]]:
        return [{"code": code, "severity": "check", "sentence": f"{code} {n}"}
                for n in range(count)]  # fmt: skip

    few, many = of("rare_thing", 20), of("bad_row", 5_000)
    shown = shorten_findings([*few, *many])
    assert shown[:40] == [*few, *many[:20]]
    (rest,) = shown[40:]
    assert rest["sentence"].startswith("4980 more of this kind (bad row); the workbook has")
    assert shorten_findings(few) == few


@pytest.mark.usefixtures("no_pages")
def test_what_was_put_aside_as_damaged_is_told_with_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=3)
    process(lab, out)
    assert quarantine_size(out) == (0, 0)
    (out / "damaged" / "20260101").mkdir(parents=True)
    (out / "damaged" / "20260101" / "old.parquet").write_bytes(b"x" * 2_500_000)
    main(["status", str(out)])
    assert "Put aside as damaged: 1 file, 2.5 MB in" in capsys.readouterr().out
    (check,) = [
        check for check in check_lab(LabSettings(folder=lab, results=out))
        if check.what == "damaged results"
    ]  # fmt: skip
    assert check.state == "note"
    assert "1 files, 2.5 MB" in check.found


def test_the_history_levels_off_and_keeps_the_last_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    sizes, counts = [], []
    with acquire(ledger):
        once = [Event(f"early {n}", "read") for n in range(50)]
        ledger.record_files(tmp_path, (), events=once)
        for round_ in range(60):
            events = [Event(f"C{n}", "computed", numbers={"n": round_}) for n in range(100)]
            ledger.record_files(tmp_path, (), events=events)
            ledger.update(lambda rows: prune_events(rows, 1_000))
            counts.append(len(read_events(ledger.database)))
            with sqlite3.connect(tmp_path / "ledger.sqlite") as file:
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append((tmp_path / "ledger.sqlite").stat().st_size)
    assert max(counts) <= 1.1 * 1_050 + 100
    assert fmean(sizes[40:]) <= 1.02 * fmean(sizes[20:40])  # of single ones pages differ
    assert max(sizes[20:]) <= 1.1 * max(sizes[:20])
    kept = read_events(ledger.database)
    assert {event.subject for event in kept} >= {f"early {n}" for n in range(50)}
    assert [e.numbers["n"] for e in kept if e.subject == "C7"][-3:] == [57, 58, 59]


def test_what_the_next_digest_tells_is_not_tidied_away(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with acquire(ledger):
        ledger.record_files(tmp_path, (), events=[Event("night", "ended", reason="x")])
        for _ in range(30):
            ledger.record_files(tmp_path, (), events=[Event("C", "computed")] * 100)
        assert ledger.update(lambda rows: prune_events(rows, 1_000)) == 0
        assert len(read_events(ledger.database, "C")) == 3_000


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_a_run_tidies_the_history_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finalize, "prune_events", lambda rows: history.prune_events(rows, 20))
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for round_ in range(30):
        neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=3 + round_)
        process(lab, out)
    assert len(read_events(Ledger(out).database)) <= 24


def test_a_log_has_a_bound_even_where_it_can_not_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log_much(path: Path) -> int:
        handler = BoundedLogHandler(path, size=10_000, kept=2)
        logger = logging.getLogger(f"load {path.name}")
        logger.propagate = False
        logger.addHandler(handler)
        for number in range(5_000):
            logger.warning("line %d", number)
        handler.close()
        assert f"line {4_999}" in path.read_text()
        return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))

    assert log_much(tmp_path / "usual.log") <= 30_000

    def refuse(*_: Any) -> None:
        raise PermissionError("another process has opened it")

    monkeypatch.setattr("os.rename", refuse)
    assert log_much(tmp_path / "held.log") <= 30_000


def test_a_log_that_others_append_to_is_put_aside_when_it_is_full(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    for _ in range(50):
        make_room(log, 1_000)
        with log.open("ab") as stream:
            stream.write(b"x" * 300)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2_600
    assert {path.name for path in tmp_path.iterdir()} == {"server.log", "server.log.1"}


def test_prefects_records_of_runs_have_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_server, "_RECORD_BYTES", 1_000)
    path = tmp_path / "prefect.db"
    path.write_bytes(b"x" * 999)
    prefect_server._make_room_for_records(path)
    assert path.is_file()
    path.write_bytes(b"x" * 1_000)
    prefect_server._make_room_for_records(path)
    assert [each.name for each in tmp_path.iterdir()] == ["prefect.db.1"]
