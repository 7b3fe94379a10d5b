"""One writer per results folder: it waits or steps aside, and a dead one is taken over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from cellpipe.cli.main import main
from cellpipe.core.errors import LeaseError
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger, location, writer_lease
from cellpipe.store.writer_lease import acquire, current_writer
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about

HOLD = """
import sys, time
from pathlib import Path
from cellpipe.store import Ledger
from cellpipe.store.writer_lease import acquire
with acquire(Ledger(Path(sys.argv[1]))):
    print("writing", flush=True)
    time.sleep(60)
"""


def holder(out: Path, *before: str) -> subprocess.Popen[bytes]:
    command = [*before, sys.executable, "-c", HOLD, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if not process.stdout.readline():
        pytest.skip("no right to be another machine here")
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = holder(tmp_path / "out")
    with pytest.raises(LeaseError, match=f"process {first.pid} on"), acquire(
        Ledger(tmp_path / "out"), wait_second=1
    ):  # fmt: skip
        pass
    assert f"process {first.pid}" in str(current_writer(Ledger(tmp_path / "out")))
    ended(first)


def test_a_run_that_overlaps_another_waits_or_steps_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00")
    first = holder(out)
    assert main(["process", str(lab), "--out", str(out), "--wait", "1"]) == 2
    assert "one writer at a time" in capsys.readouterr().err
    threading.Timer(1.5, lambda: ended(first)).start()
    begun = time.monotonic()
    process(lab, out, wait_second=60)
    assert 1.0 < time.monotonic() - begun < 25


def test_a_writer_that_was_killed_on_this_machine_is_followed_at_once(tmp_path: Path) -> None:
    ended(holder(tmp_path / "out"))
    begun = time.monotonic()
    with acquire(Ledger(tmp_path / "out"), wait_second=5):
        assert time.monotonic() - begun < 3
    assert current_writer(Ledger(tmp_path / "out")) is None


def test_a_dead_writer_of_another_machine_is_followed_when_its_beat_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lease, "STILL_SECONDS", 3.0)
    monkeypatch.setattr(writer_lease, "BEAT_SECONDS", 0.5)
    script = ["unshare", "--uts", "sh", "-c", 'hostname other-pc; exec "$@"', "sh"]
    first = holder(tmp_path / "out", *script)
    ledger = Ledger(tmp_path / "out")
    assert "on other-pc" in str(current_writer(ledger))
    ended(first)
    begun = time.monotonic()
    with acquire(ledger, wait_second=60):
        assert time.monotonic() - begun > 2.5


def test_a_living_writer_of_another_machine_is_never_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lease, "STILL_SECONDS", 1.5)
    monkeypatch.setattr(writer_lease, "BEAT_SECONDS", 0.3)
    monkeypatch.setattr(writer_lease, "is_gone", lambda _: False)
    first, second = Ledger(tmp_path / "out"), Ledger(tmp_path / "out")
    with acquire(first):
        with pytest.raises(LeaseError), acquire(second, wait_second=5):
            pass
        first.set_key_value("still", "mine")


def test_a_writer_that_was_taken_for_dead_changes_nothing_when_it_wakes_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lease, "STILL_SECONDS", 1.0)
    monkeypatch.setattr(writer_lease, "BEAT_SECONDS", 600.0)
    monkeypatch.setattr(writer_lease, "is_gone", lambda _: False)
    sleeper, other = Ledger(tmp_path / "out"), Ledger(tmp_path / "out")
    with acquire(sleeper):
        with acquire(other, wait_second=30):
            with pytest.raises(LeaseError, match="took these results over"):
                sleeper.set_key_value("name", "from the past")
            other.set_key_value("name", "of today")
        with pytest.raises(LeaseError):
            sleeper.set_key_value("name", "from the past")
    assert other.key_value("name") == "of today"


def test_who_is_no_writer_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LeaseError):
        Ledger(tmp_path / "out").set_key_value("name", "value")


def test_a_process_number_that_was_given_again_is_not_the_writer(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "out")
    mine = writer_lease.this_process()
    assert not writer_lease.is_gone(mine)
    assert writer_lease.is_gone({**mine, "began": "1"})
    assert not writer_lease.is_gone({**mine, "machine": "other-pc"})
    assert not writer_lease.is_gone({**mine, "boot": "another boot"})
    assert json.loads(json.dumps(mine))["process"] == str(os.getpid())
    assert current_writer(ledger) is None


def test_a_folder_that_another_process_claims_in_the_same_moment_is_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    check_free = location.check_free

    def claim_first(folder: Path, allowed: Collection[str] = ()) -> None:
        monkeypatch.undo()
        Ledger(out).database.close()  # between the look at the mark and the look at the files
        check_free(folder, allowed)

    monkeypatch.setattr(location, "check_free", claim_first)
    assert location.is_own(out)


def test_twenty_processes_that_want_to_write_take_turns(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom cellpipe.store import Ledger\n"
        "from cellpipe.store.writer_lease import acquire\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "with acquire(ledger, wait_second=120):\n"
        "    count = int(ledger.key_value('count') or 0)\n"
        "    import time; time.sleep(0.02)\n"
        "    ledger.set_key_value('count', str(count + 1))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out")]) for _ in range(20)
    ]
    assert [each.wait() for each in running] == [0] * 20
    assert Ledger(tmp_path / "out").key_value("count") == "20"
