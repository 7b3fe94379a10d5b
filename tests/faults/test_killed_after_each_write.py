"""Runs that are killed after each single write, in turn: the next run ends as an undisturbed one.

A write is a note, a file that is put into place, moved or deleted, or a transaction of the ledger.
``CELLPIPE_FAULT_ROUNDS=100`` kills the second kind of run after each of them, too.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faulty_lab import made_lab
from zygote import Zygote

from cellpipe.cell_sheet.lab_baselines import write_baselines_template
from cellpipe.pipeline.run import process
from made_files import LONG, neware_csv
from no_pages import nothing_drawn
from result_facts import assert_equal, files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed")]

_SERVED = f"""
import gc, os, sys
sys.path[:0] = [{str(Path(__file__).parents[1])!r}]
import cellpipe.pipeline.run as run
from cellpipe.store import database
from cellpipe.store.lab import resolve_lab
from cellpipe.system import atomic_files, own_folder
from no_pages import nothing_drawn

class InThisProcess:
    def map(self, step, lab, items):
        for item in items:
            try:
                yield item, step.work(lab, item)
            except Exception as error:
                yield item, error

writes, limit = 0, 0

def counted(function, wanted=lambda **_: True):
    def call(*arguments, **named):
        global writes
        result = function(*arguments, **named)
        writes += wanted(**named)
        if writes == limit:
            os._exit(9)
        return result
    return call

database.Sqlite.transact = counted(database.Sqlite.transact, lambda **named: named["writes"])
atomic_files._retry_while_locked = counted(atomic_files._retry_while_locked)
own_folder.note_write = atomic_files.note_write = counted(own_folder.note_write)
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    folder, out, given = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        limit, code = int(given), 3
        with nothing_drawn():
            try:
                code = run.run_lab(resolve_lab(folder, out), InThisProcess()).exit_code
            finally:
                os._exit(code)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(scope="module")
def counting() -> Iterator[Zygote]:
    one = Zygote(_SERVED)
    yield one
    one.close()


def killed_in_turn(
    zygote: Zygote, folder: Path, before: Path | None, work: Path, step: int = 1
) -> int:
    """Kill a run after its first write, its second … and let the next one end; count the writes."""
    expected = work / "expected"
    for out in (expected, work / "out"):
        if before:
            shutil.copytree(before, out)
    with nothing_drawn():
        assert process(folder, expected).exit_code == 1
    for count in itertools.count(1, step):
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        if before:
            shutil.copytree(before, out)
        if zygote.run(folder, out, count) != 9:
            break
        with nothing_drawn():
            assert process(folder, out).exit_code == 1
            left = files(out)
            assert_equal(out, expected)
            assert not list(out.glob("damaged/**/*")), f"put aside after write {count}"
            assert not list(out.glob(".unrecorded/*"))
            if count % 5 == 0:
                assert process(folder, out).read == 0
                assert files(out) == left
    return count - step


def test_a_first_run_that_is_killed_after_any_write_is_ended_by_the_next(
    counting: Zygote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_lab(tmp_path / "lab", files=2, cells=1)
    count = killed_in_turn(counting, folder, None, tmp_path)
    with capsys.disabled():
        print(f"\na first run: killed after each of {count} writes")
    assert count > 30


def test_a_run_with_news_that_is_killed_after_any_write_is_ended_by_the_next(
    counting: Zygote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, before = made_lab(tmp_path / "lab", files=2, cells=2), tmp_path / "before"
    with nothing_drawn():
        process(folder, before)
    with closing(sqlite3.connect(before / "ledger.sqlite")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    neware_csv(folder / "C1_001.csv", "2026-03-02 10:00:00", rows=15)
    (folder / "cells.csv").write_text(
        "Cell ID,Files,Configuration\nC1,C1_*,half\nC7,C0_000*,full\n"
    )
    written = write_baselines_template(folder)
    written.write_text(written.read_text("utf-8-sig").replace("# ", ""), "utf-8-sig")
    step = 1 if LONG else 3
    count = killed_in_turn(counting, folder, before, tmp_path, step)
    with capsys.disabled():
        print(f"\na run with news: killed after writes 1 to {count}, in steps of {step}")
    assert count > 40
