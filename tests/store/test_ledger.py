"""The ledger: brought up from older layouts, in SQLite or PostgreSQL, never with a password."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGINT

import pytest

from cellpipe.cli.main import main
from cellpipe.core.errors import StoreError
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger, SeenFile, postgres_migration
from cellpipe.store.batch_queue import QueuedFile, enqueue, queued_files
from cellpipe.store.history import read_events
from cellpipe.store.location import set_ledger_url
from cellpipe.store.migrations import ADOPT
from cellpipe.store.postgres_migration import move_ledger
from cellpipe.store.writer_lease import acquire
from made_files import neware_csv
from result_facts import files

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about

LAYOUT_2 = """
CREATE TABLE seen (
    folder TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (folder, path));
CREATE TABLE contents (
    sha256 TEXT PRIMARY KEY, reading TEXT NOT NULL, status TEXT NOT NULL, format TEXT,
    started_at TEXT, records INTEGER, spectra INTEGER, span_second REAL, throughput_ah REAL,
    tables TEXT NOT NULL, metadata TEXT NOT NULL, findings TEXT NOT NULL, reason TEXT);
CREATE TABLE cells (
    cell_id TEXT PRIMARY KEY, inputs TEXT NOT NULL, contents TEXT NOT NULL,
    findings TEXT NOT NULL);
PRAGMA user_version=2;
"""  # as the first release wrote it


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    for number in range(3):
        start = f"2026-03-0{number + 2} 10:00:00"
        neware_csv(folder / f"A_{number}.csv", start, rows=20, factor=1 - 0.1 * number)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n")
    return folder


def as_layout_2(path: Path) -> None:
    """Write a ledger's facts down as the first release did."""
    with closing(sqlite3.connect(path)) as now:
        rows = {
            "seen": now.execute("SELECT folder, path, size, modified_ns, sha256 FROM seen"),
            "contents": now.execute(
                "SELECT sha256, reading, status, format, started_at, records, spectra, span_second,"
                " throughput_ah, tables, metadata, findings, reason FROM contents"
            ),
            "cells": now.execute("SELECT cell_id, inputs, contents, findings FROM cells"),
        }
        held = {name: found.fetchall() for name, found in rows.items()}
    for each in path.parent.glob("ledger.sqlite*"):
        each.unlink()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(LAYOUT_2)
        for name, found in held.items():
            places = ", ".join("?" * len(found[0]))
            old.executemany(f"INSERT INTO {name} VALUES ({places})", found)  # noqa: S608
        old.commit()


def test_a_ledger_of_an_older_layout_is_brought_up_and_keeps_what_it_holds(
    lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    before = files(out)
    as_layout_2(out / "ledger.sqlite")
    (lab / "A_2.csv").rename(tmp_path / "archived.csv")
    neware_csv(lab / "B_1.csv", "2026-05-02 10:00:00")
    process(lab, out)
    (lab / "B_1.csv").unlink()
    (tmp_path / "archived.csv").rename(lab / "A_2.csv")
    again = process(lab, out)
    assert again.read == 1  # the one that had been away
    kept = {name: digest for name, digest in files(out).items() if "B_1" not in name}
    same = {name for name, digest in before.items() if kept.get(name) == digest}
    about_all = {"index.html", "all-cells.xlsx"}
    assert {name for name in before if "/lab" not in name} - about_all <= same
    assert not {name for name in before if name not in kept}


def test_an_older_program_refuses_the_new_layout(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA user_version").fetchone() == (6,)


def test_the_ledger_is_written_ahead(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_history_status_retry_and_forget_say_what_they_do(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (lab / "broken.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE" + bytes(100))
    process(lab, out)
    assert main(["status", str(out)]) == 1
    said = capsys.readouterr().out
    assert "broken.mpr" in said
    assert "3 recordings used, 1 cell, 1 could not be used" in said
    assert main(["history", str(out), "A"]) == 0
    assert "first_discharging_capacity_ah" in capsys.readouterr().out.replace("\n", "")
    assert main(["history", str(out), "A_1.csv"]) == 0
    assert "read" in capsys.readouterr().out
    assert main(["history", str(out), "nothing"]) == 2
    assert process(lab, out).read == 0
    assert main(["retry", str(out)]) == 0
    assert "broken.mpr will be tried again" in capsys.readouterr().out
    assert process(lab, out).read == 1
    assert main(["retry", str(out), "A_1.csv", "A"]) == 0
    again = process(lab, out)
    assert (again.read, again.cells_updated) == (1, 1)
    assert main(["forget", str(out), "A"]) == 0
    assert not (out / "cells" / "A.html").exists()
    assert main(["forget", str(out), "A"]) == 2
    assert "no cell 'A'" in capsys.readouterr().err
    assert process(lab, out).cells_updated == 1


@pytest.mark.pages
def test_rebuild_makes_the_same_bytes_from_raw_files_and_sheet(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    process(lab, out, time_zone="Europe/Berlin")
    before = files(out)
    for path in (out / "tables").rglob("*.parquet"):
        path.write_bytes(b"overwritten by hand")
    assert main(["rebuild", str(out)]) == 0
    assert files(out) == before
    assert "3 files read" in capsys.readouterr().out
    assert {e.event for e in read_events(Ledger(out).database, "run")} == {"rebuild"}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path("/usr/local/bin")]
    if not (found[-1] / "initdb").exists():
        pytest.skip("no PostgreSQL on this machine")
    server = Server(found[-1])
    yield server
    server.stop()
    shutil.rmtree(server.data)


class Server:
    """A PostgreSQL of the test's own, on loopback."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.data = Path("/var/tmp") / f"cellpipe-pg-{os.getpid()}"  # noqa: S108 - others read it
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir()
        self.user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if os.getuid() != 0:
            self.user = []
        else:
            shutil.chown(self.data, 65534, 65534)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.do("initdb", "-D", str(self.data), "-U", "lab", "-A", "trust")
        self.start()

    def do(self, program: str, *arguments: str) -> None:
        command = [*self.user, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.data} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.do("pg_ctl", "-D", str(self.data), "-w", "-l", f"{self.data}/log", "-o", options,
                "start")  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        self.do("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def url(self, schema: str) -> str:
        return f"postgresql://lab@127.0.0.1:{self.port}/postgres#{schema}"


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_a_ledger_in_postgresql_gives_the_same_results(
    lab: Path, tmp_path: Path, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    process(lab, tmp_path / "plain")
    out = tmp_path / "out"
    arguments = ["process", str(lab), "--out", str(out), "--ledger", postgres.url("one")]
    assert main(arguments) == 0
    assert not (out / "ledger.sqlite").exists()
    plain, other = files(tmp_path / "plain"), files(out)
    assert {name: d for name, d in other.items() if name != "ledger.url"} == plain
    again = process(lab, out)
    assert (again.read, again.cells_updated) == (0, 0)
    assert main(["status", str(out)]) == 0
    assert "3 recordings used" in capsys.readouterr().out
    with acquire(Ledger(out)), pytest.raises(StoreError), acquire(Ledger(out), wait_second=1):
        pass
    other_pc = ["process", str(lab), "--out", str(tmp_path / "other"), *arguments[4:]]
    assert main(other_pc) == 2
    assert "the ledger of other results" in capsys.readouterr().err
    (tmp_path / "shared").mkdir()  # the same results, from another machine
    shutil.copy(out / "ledger.url", tmp_path / "shared")
    assert len(Ledger(tmp_path / "shared").seen_files(lab)) == 3


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_processes_that_open_a_new_ledger_at_once_make_it_once(
    tmp_path: Path, postgres: Server
) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom cellpipe.store import Ledger\n"
        "print(Ledger(Path(sys.argv[1])).key_value(sys.argv[2]))\n"
    )
    set_ledger_url(tmp_path / "far", postgres.url("three"))
    for out in (tmp_path / "near", tmp_path / "far"):
        command = [sys.executable, "-c", script, str(out), ADOPT]
        at_once = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
        assert [each.communicate()[0] for each in at_once] == ["None\n"] * 8


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_a_postgresql_that_is_restarted_in_the_middle_is_waited_for(
    lab: Path, tmp_path: Path, postgres: Server
) -> None:
    process(lab, tmp_path / "plain")
    out = tmp_path / "out"
    set_ledger_url(out, postgres.url("two"))

    def restart(stage: str, done: int, _total: int, _what: str, _share: float) -> None:
        if (stage, done) == ("files", 2):
            postgres.stop()
            time.sleep(1)
            postgres.start()

    process(lab, out, progress=restart)
    assert {n: d for n, d in files(out).items() if n != "ledger.url"} == files(tmp_path / "plain")
    assert len(Ledger(out).seen_files(lab)) == 3


def test_a_password_in_the_ledgers_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for url in ("postgresql://lab:geheim@host/db", "postgresql://lab@host/db?password=geheim"):
        with pytest.raises(StoreError, match="password") as caught:
            set_ledger_url(tmp_path / "out", url)
        assert "geheim" not in str(caught.value)
    with pytest.raises(StoreError, match="address") as caught:
        set_ledger_url(tmp_path / "out", "mysql://lab:geheim@host/db")
    assert "geheim" not in str(caught.value)


def test_results_that_have_a_ledger_keep_it(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "out")
    with pytest.raises(StoreError, match=r"ledger\.sqlite"):
        set_ledger_url(tmp_path / "out", "postgresql://lab@host/db")


def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "out")
    seen = [SeenFile("A", 1, 2, "x"), SeenFile("B", 1, None, "x")]  # type: ignore[arg-type]
    with acquire(ledger), pytest.raises(StoreError):
        ledger.record_files(tmp_path, seen)
    assert ledger.seen_files(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_a_ledger_is_moved_to_postgresql_by_one_command_and_nothing_is_done_again(
    lab: Path,
    tmp_path: Path,
    postgres: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, url = tmp_path / "out", postgres.url("moved")
    process(lab, out)
    enqueue(Ledger(out).database, [QueuedFile("B_1.csv", 1, 2)])
    before = process(lab, out), read_events(Ledger(out).database), Ledger(out).result_files()
    pages = files(out)
    with monkeypatch.context() as killed:
        killed.setattr(
            postgres_migration, "set_ledger_url", lambda *_, **__: os.kill(os.getpid(), SIGINT)
        )
        with pytest.raises(KeyboardInterrupt):  # all rows are there, and nothing points to them
            move_ledger(out, url)
    assert process(lab, out).read == 0
    assert main(["move-ledger", str(out), url]) == 0
    assert "rows moved" in capsys.readouterr().out
    assert not (out / "ledger.sqlite").exists()
    again = process(lab, out), read_events(Ledger(out).database), Ledger(out).result_files()
    assert (again[0].read, again[0].cells_updated, again[0].unchanged) == (0, 0, 3)
    assert again[0].files.equals(before[0].files)
    assert again[1:] == before[1:]
    assert [file.path for file in queued_files(Ledger(out).database)] == ["B_1.csv"]
    assert {n: d for n, d in files(out).items() if n != "ledger.url"} == pages
    assert main(["move-ledger", str(out), url]) == 2
    assert "there is nothing to do" in capsys.readouterr().err
    process(lab, tmp_path / "other")
    with pytest.raises(StoreError, match="another ledger"):
        move_ledger(tmp_path / "other", url)
    assert process(lab, tmp_path / "other").read == 0


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_eight_writers_take_turns_while_the_server_is_restarted(
    tmp_path: Path, postgres: Server
) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom cellpipe.store import Ledger, SeenFile\n"
        "from cellpipe.store.history import Event\n"
        "from cellpipe.store.writer_lease import acquire\n"
        "ledger, me = Ledger(Path(sys.argv[1])), sys.argv[2]\n"
        "for number in range(10):\n"
        "    name = f'{me}_{number}'\n"
        "    with acquire(ledger, wait_second=300):\n"
        "        before = int(ledger.key_value('count') or 0)\n"
        "        file = SeenFile(name, 1, 2, name)\n"
        "        ledger.record_files(Path('lab'), [file], events=[Event(name, 'read')])\n"
        "        ledger.set_key_value('count', str(before + 1))\n"
    )
    out = tmp_path / "out"
    set_ledger_url(out, postgres.url("eight"))
    Ledger(out)
    command = [sys.executable, "-c", script, str(out)]
    writers = [subprocess.Popen([*command, f"W{number}"]) for number in range(8)]
    time.sleep(4)
    postgres.stop()
    time.sleep(1)
    postgres.start()
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 8
    expected = {f"W{writer}_{number}" for writer in range(8) for number in range(10)}
    ledger = Ledger(out)
    assert set(ledger.seen_files(Path("lab"))) == expected
    assert sorted(event.subject for event in read_events(ledger.database)) == sorted(expected)
    assert ledger.key_value("count") == "80"  # no turn was taken by two
