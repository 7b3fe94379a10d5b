"""Results on a drive that can only be read: everything that only reads works on them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cellpipe.core.errors import ReadOnlyLedgerError, StoreError
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger, ledger_copy
from cellpipe.store.ledger_copy import open_copy
from made_files import neware_csv

MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && ! touch "$1/x" 2>/dev/null'
_LEAVES_A_LOG = """
import os, sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("PRAGMA journal_mode=WAL")
ledger.execute("PRAGMA wal_autocheckpoint=0")
ledger.execute("INSERT INTO marks VALUES ('written last', 'yes')")
os._exit(0)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "lab").mkdir()
    (folder / "lab" / "cells.csv").write_text(
        "Cell ID,Files,Configuration\nA,A_1*,full\nB,A_2*,full\n"
    )
    for month in (1, 2):
        start = f"2026-0{month}-01 10:00:00"
        neware_csv(folder / "lab" / f"A_{month}.csv", start, rows=12, factor=1 - 0.1 * month)
    process(folder / "lab", folder / "out")
    return folder / "out"


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def run_read_only(
    results: Path, *command: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a Python command while the results are mounted so that nobody can write."""
    able = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(results)]
    if shutil.which("unshare") is None or subprocess.run(able, check=False).returncode:
        pytest.skip("no right to mount")
    script = f'{MOUNT} && shift && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(results), sys.executable, *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE if not check else None, text=True,
        check=check, timeout=120,
    )  # fmt: skip


def leave_log(results: Path) -> None:
    subprocess.run([sys.executable, "-c", _LEAVES_A_LOG, results / "ledger.sqlite"], check=True)
    assert (results / "ledger.sqlite-wal").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["status", "{0}"],
        ["history", "{0}", "A"],
        ["compare", "{0}", "A", "B", "--to", "{1}/page.html"],
        ["export", "tables", "{0}", "A", "--to", "{1}/exported"],
        ["export", "eln", "{0}", "A", "--to", "{1}/exported"],
    ],
)
def test_commands_that_read_work(results: Path, tmp_path: Path, command: list[str]) -> None:
    leave_log(results)
    twin = shutil.copytree(results, tmp_path / "w" / "out")
    place, told = [results, twin], []
    for folder in place:
        arguments = [part.format(folder, tmp_path) for part in command]
        given = ["-m", "cellpipe", *arguments]
        if folder == results:
            done = run_read_only(results, *given, check=False)
        else:
            done = subprocess.run(
                [sys.executable, *given], capture_output=True, text=True, check=False
            )
        told.append((done.returncode, done.stdout.replace(str(folder), ""), done.stderr))
    assert told[0] == told[1]
    assert told[0][0] == 0, told


def test_what_was_recorded_last_is_read(results: Path) -> None:
    leave_log(results)
    before = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    script = """
        import sys, cellpipe
        from pathlib import Path
        from cellpipe.core.errors import ReadOnlyLedgerError
        from cellpipe.store import Ledger
        from cellpipe.store.writer_lease import acquire
        results = Path(sys.argv[1])
        ledger = Ledger(results)
        print(ledger.key_value("written last"), sorted(ledger.cells()))
        print(cellpipe.open_results(results)["cycles"].collect().height > 0)
        try:
            with acquire(ledger):
                pass
        except ReadOnlyLedgerError as error:
            print("read-only")
    """
    done = run_read_only(results, "-c", textwrap.dedent(script), str(results))
    told = ["yes ['A', 'B']", "True", "read-only"]
    assert done.stdout.splitlines() == told
    assert before == {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["forget", "{}", "A"], ["process", "{}/../lab", "--out", "{}"]]
)
def test_commands_that_write_say_so(results: Path, made: Path, command: list[str]) -> None:
    shutil.copytree(made.parent / "lab", results.parent / "lab", dirs_exist_ok=True)
    arguments = [part.format(results) for part in command]
    done = run_read_only(results, "-m", "cellpipe", *arguments, check=False)
    assert done.returncode == 2, done.stdout
    assert "can't be" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_copy_is_of_one_moment(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = results / "ledger.sqlite"
    states = iter([{"ledger.sqlite": (1, n)} for n in range(100)])
    with monkeypatch.context() as patched:
        patched.setattr(ledger_copy, "_states", lambda _: next(states))
        patched.setattr(ledger_copy.time, "sleep", lambda _: None)
        with pytest.raises(StoreError, match="being written"):
            open_copy(path)
    copy = open_copy(path)
    cells = copy.transact(lambda rows: rows.read("SELECT cell_id FROM cells"), writes=False)
    assert cells == [("A",), ("B",)]
    with pytest.raises(ReadOnlyLedgerError):
        copy.transact(lambda rows: rows.write("DELETE FROM cells"), writes=True)
    assert Ledger(results).cells().keys() == {"A", "B"}
    place = copy.path.parent
    del copy
    assert not place.exists()
