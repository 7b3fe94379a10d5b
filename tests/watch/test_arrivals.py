"""Files that arrive as instruments and people write them, each a result, none twice, none lost."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cellpipe
from cellpipe.service.watch.batch_runner import BatchTask, State, process_batch
from cellpipe.service.watch.file_events import FileEvents
from cellpipe.service.watch.stability import WaitTimes
from cellpipe.service.watch.watcher import Watcher, watch_labs
from cellpipe.store import Ledger
from cellpipe.store.history import read_events
from cellpipe.store.lab import Lab
from made_files import LONG, neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about

QUICK = WaitTimes(settle=0.3, incomplete=2.0, growing=3600.0, gone=0.6)


class Here:
    """Deals with a batch at once, in the process that watches."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails = 0

    def start(self, task: BatchTask) -> str:
        if self.fails:
            self.fails -= 1
            self.done.append("failed")
            return "failed"
        self.done.append(process_batch(task))
        return "done"

    def state(self, name: str) -> tuple[State, str]:
        return ("died", "made to fail") if name == "failed" else ("done", self.done[-1])

    def close(self) -> None:
        pass


class Watched:
    """A lab that is watched in a thread."""

    def __init__(self, folder: Path, out: Path, patience: WaitTimes, events: str) -> None:
        self.folder, self.out = folder, out
        self.hand = Here()
        self.watcher = Watcher(Lab(folder, out), self.hand, patience, poll_seconds=0.1)
        self.hints = FileEvents([folder], events)  # type: ignore[arg-type]
        self.over = threading.Event()
        self.thread = threading.Thread(
            target=watch_labs,
            args=([self.watcher], self.over.is_set),
            kwargs={"wait": self.wait, "hints": self.hints.drain},
        )
        self.thread.start()

    def wait(self, seconds: float) -> bool:
        return self.hints.awake.wait(min(seconds, 0.1))

    def used(self) -> set[str]:
        ledger = Ledger(self.out)
        contents = ledger.contents()
        return {
            name
            for name, file in ledger.seen_files(self.folder).items()
            if file.sha256 in contents and contents[file.sha256].status == "used"
        }

    def until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, (self.used(), self.hand.done)
            assert self.thread.is_alive()
            time.sleep(0.05)

    def still(self, seconds: float = 1.5) -> None:
        """Wait until the watch has had nothing to do for a while."""
        since = time.monotonic()
        deadline = since + 60
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline
            if not self.watcher.is_idle():
                since = time.monotonic()
            time.sleep(0.05)

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.hints.close()


@pytest.fixture(params=[0, 1] if LONG else [0])
def events(request: pytest.FixtureRequest) -> str:
    """Poll in one half of the tests, be told by the system in the other; on request both."""
    return ("on", "off")[(len(request.node.originalname) + request.param) % 2]


@pytest.fixture
def watched(tmp_path: Path, events: str) -> Iterator[Watched]:
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n")
    one = Watched(folder, tmp_path / "out", QUICK, events)
    yield one
    one.close()


def times_read(watched: Watched, name: str) -> int:
    events = read_events(Ledger(watched.out).database, name)
    return sum(event.event == "read" for event in events)


def records(watched: Watched) -> int:
    try:
        return int(cellpipe.open_results(watched.out)["timeseries"].collect().height)
    except FileNotFoundError:  # a longer recording took its place in that moment
        return -1


def codes(watched: Watched) -> list[str]:
    found = cellpipe.open_results(watched.out)["findings"].collect()
    return [str(code) for code in found["code"]]


def test_a_file_that_grows_in_random_chunks_ends_as_one_that_came_whole(
    watched: Watched, tmp_path: Path
) -> None:
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00", rows=200)
    content = (tmp_path / "source.csv").read_bytes()
    draw = random.Random(5)
    place = 0
    read_between = 0  # pauses in which the file seems to be ready: behind a line, or very long
    with (watched.folder / "A_1.csv").open("wb") as stream:
        while place < len(content):
            size = draw.randint(1, len(content) // 6)
            stream.write(content[place : place + size])
            stream.flush()
            place += size
            began = time.monotonic()
            time.sleep(draw.uniform(0.0, 0.9))
            seems_whole = content[:place].endswith(b"\n")
            patience = QUICK.settle if seems_whole else QUICK.incomplete
            read_between += time.monotonic() - began >= patience and place < len(content)
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    assert times_read(watched, "A_1.csv") <= 1 + read_between
    assert records(watched) == 800
    assert "file_cut_off" not in codes(watched)


def test_half_a_copy_that_pauses_is_not_taken_for_the_whole(
    watched: Watched, tmp_path: Path
) -> None:
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00", rows=100)
    content = (tmp_path / "source.csv").read_bytes()
    path = watched.folder / "A_1.csv"
    path.write_bytes(content[: len(content) * 6 // 10])
    time.sleep(1.2)
    assert not watched.used()
    with path.open("ab") as stream:
        stream.write(content[len(content) * 6 // 10 :])
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    assert times_read(watched, "A_1.csv") == 1
    assert records(watched) == 400


def test_half_a_copy_that_never_goes_on_is_read_as_far_as_it_goes_and_said(
    watched: Watched, tmp_path: Path
) -> None:
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00", rows=100)
    content = (tmp_path / "source.csv").read_bytes()
    (watched.folder / "A_1.csv").write_bytes(content[: len(content) * 6 // 10 + 3])
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    assert "file_cut_off" in codes(watched)


def test_a_file_that_is_replaced_by_renaming_and_one_that_is_exported_longer(
    watched: Watched, tmp_path: Path
) -> None:
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00", rows=100)
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    neware_csv(tmp_path / "longer.csv", "2026-03-02 10:00:00", rows=150)
    shutil.copy(tmp_path / "longer.csv", watched.folder / "A_1.csv.part")
    (watched.folder / "A_1.csv.part").rename(watched.folder / "A_1.csv")
    watched.until(lambda: records(watched) == 600)
    watched.still()
    assert watched.used() == {"A_1.csv"}
    numbers = [
        event.numbers["first_discharging_capacity_ah"]
        for event in read_events(Ledger(watched.out).database, "A")
        if event.event == "computed"
    ]
    assert len(numbers) == 2
    assert numbers[0] != numbers[1]  # the old ones stay in the history


def test_a_longer_export_under_another_name_takes_the_place_of_the_shorter(
    watched: Watched,
) -> None:
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00", rows=150, records=slice(400))
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    neware_csv(watched.folder / "A_2.csv", "2026-03-02 10:00:00", rows=150)
    watched.until(lambda: len(watched.used()) == 2)
    watched.still()
    files = cellpipe.open_results(watched.out)["files"].collect()
    assert dict(files.select("path", "status").iter_rows()) == {
        "A_1.csv": "duplicate", "A_2.csv": "used",
    }  # fmt: skip
    assert records(watched) == 600


def test_a_renamed_file_and_a_copy_are_known_by_their_content(watched: Watched) -> None:
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    (watched.folder / "deeper").mkdir()
    (watched.folder / "A_1.csv").rename(watched.folder / "deeper" / "A_7.csv")
    watched.until(lambda: watched.used() == {"deeper/A_7.csv"})
    shutil.copy(watched.folder / "deeper" / "A_7.csv", watched.folder / "A_8.csv")
    watched.until(lambda: len(watched.used()) == 2)
    watched.still()
    assert times_read(watched, "deeper/A_7.csv") == times_read(watched, "A_8.csv") == 0
    assert records(watched) == 400


def test_a_folder_that_is_renamed_while_it_is_watched(watched: Watched) -> None:
    (watched.folder / "week 1").mkdir()
    for number in range(3):
        path = watched.folder / "week 1" / f"A_{number}.csv"
        neware_csv(path, f"2026-03-0{number + 2} 10:00:00", factor=1 - 0.1 * number)
    watched.until(lambda: len(watched.used()) == 3)
    watched.still()
    (watched.folder / "week 1").rename(watched.folder / "März – 周")
    watched.until(lambda: watched.used() == {f"März – 周/A_{n}.csv" for n in range(3)})
    watched.still()
    assert all(times_read(watched, name) == 0 for name in watched.used())
    assert records(watched) == 1200


def test_a_whole_folder_that_is_moved_in_is_found_at_once(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "stick" / "deep" / "er").mkdir(parents=True)
    neware_csv(tmp_path / "stick" / "deep" / "er" / "A_1.csv", "2026-03-02 10:00:00")
    neware_csv(tmp_path / "stick" / "A_2.csv", "2026-03-03 10:00:00")
    watched.still()
    (tmp_path / "stick").rename(watched.folder / "stick")
    watched.until(lambda: watched.used() == {"stick/A_2.csv", "stick/deep/er/A_1.csv"}, 10)


def test_a_changed_sheet_computes_its_cells_anew(watched: Watched) -> None:
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    sheet = watched.folder / "cells.csv"
    sheet.write_text("Cell ID,Files,Configuration\nA,A_*,half\n")
    watched.until(lambda: _configuration(watched) == ["half"])


def _configuration(watched: Watched) -> list[str]:
    cells = cellpipe.open_results(watched.out)["cells"].collect()
    return [str(each) for each in cells["configuration"]]


def test_a_file_that_vanishes_while_it_is_waited_for_or_read_leaves_nothing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe import formats

    real = formats.raw_file

    def vanish(path: Path) -> cellpipe.RawFile:
        if path.name == "A_gone.csv":
            path.unlink()
        return real(path)

    monkeypatch.setattr(formats, "raw_file", vanish)
    neware_csv(watched.folder / "A_gone.csv", "2026-03-02 10:00:00")
    neware_csv(watched.folder / "A_soon.csv", "2026-03-03 10:00:00")
    time.sleep(0.1)
    (watched.folder / "A_soon.csv").unlink()
    neware_csv(watched.folder / "A_1.csv", "2026-03-04 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    assert watched.used() == {"A_1.csv"}


def test_names_that_are_left_alone(watched: Watched, tmp_path: Path) -> None:
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00")
    content = (tmp_path / "source.csv").read_bytes()
    (watched.folder / ".hidden").mkdir()
    for name in ("~$A_1.csv", ".A_1.csv", "A_1.csv.part", "A_1.csv.crdownload", "A_1.csv.tmp",
                 "A_1.filepart", ".hidden/A_1.csv", "Thumbs.db"):  # fmt: skip
        (watched.folder / name).write_bytes(content)
    (tmp_path / "outside.csv").write_bytes(content.replace(b"Total", b"total"))
    (watched.folder / "A_link.csv").symlink_to(tmp_path / "outside.csv")
    (watched.folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    (watched.folder / "A_1.csv").write_bytes(content)
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    assert watched.used() == {"A_1.csv"}


def test_names_of_all_kinds_are_taken(watched: Watched) -> None:
    names = ["A_电池 µ Ω.csv", "A_" + "x" * 244 + ".csv", "A_ two  spaces.csv", "A_'\"<b>&%.csv"]
    for number, name in enumerate(names):
        neware_csv(watched.folder / name, f"2026-03-0{number + 2} 10:00:00")
    neware_csv(watched.folder / "plain.csv", "2026-03-09 10:00:00")
    os.rename(  # noqa: PTH104 - a name that is no text
        os.fsencode(watched.folder / "plain.csv"), os.fsencode(watched.folder) + b"/A_\xff\xfe.csv"
    )
    watched.until(lambda: len(watched.used()) == 5)
    assert watched.used() == {*names, "A_\\udcff\\udcfe.csv"}


def test_thousands_of_files_at_once(watched: Watched, tmp_path: Path) -> None:
    count = 2000 if LONG else 500
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00", rows=3)
    content = (tmp_path / "source.csv").read_text()
    for number in range(count):
        changed = content.replace("2026-03-02", f"2026-03-{number % 28 + 1:02}")
        (watched.folder / f"A_{number:04}.csv").write_text(f"{changed}\n" * (1 + number // 1000))
    watched.until(lambda: len(watched.used()) == count, 400)
    watched.still()
    assert sum("files read" in done for done in watched.hand.done) <= 12


def test_a_hand_that_dies_is_asked_again_and_a_watch_that_ends_is_taken_up(
    watched: Watched,
) -> None:
    watched.hand.fails = 1
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.close()
    neware_csv(watched.folder / "A_2.csv", "2026-03-03 10:00:00")
    again = Watched(watched.folder, watched.out, QUICK, "off")
    again.until(lambda: again.used() == {"A_1.csv", "A_2.csv"})
    assert times_read(again, "A_1.csv") == 1
    again.close()


def test_two_watches_on_one_folder_do_each_file_once(watched: Watched) -> None:
    other = Watched(watched.folder, watched.out, QUICK, "off")
    for number in range(4):
        neware_csv(watched.folder / f"A_{number}.csv", f"2026-03-0{number + 2} 10:00:00")
    watched.until(lambda: len(watched.used()) == 4)
    watched.still()
    other.still()
    other.close()
    assert [times_read(watched, f"A_{number}.csv") for number in range(4)] == [1, 1, 1, 1]


def test_the_file_of_a_running_test_is_read_again_on_its_schedule(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()
    patience = WaitTimes(settle=5.0, incomplete=20.0, growing=1.5, gone=1.0)
    one = Watched(folder, tmp_path / "out", patience, "off")
    neware_csv(tmp_path / "source.csv", "2026-03-02 10:00:00", rows=60)
    lines = (tmp_path / "source.csv").read_text().splitlines(keepends=True)
    with (folder / "A_1.csv").open("w") as stream:
        begun = time.monotonic()
        for line in lines:  # it grows until it was read twice, however busy the machine is
            stream.write(line)
            if times_read(one, "A_1.csv") < 2:
                stream.flush()
                time.sleep(0.25)
    most = (time.monotonic() - begun) / patience.growing + 2
    assert 2 <= times_read(one, "A_1.csv") <= most
    one.until(lambda: records(one) == 240)
    one.close()


def test_an_empty_mount_point_is_no_folder_whose_files_were_deleted(
    watched: Watched, tmp_path: Path
) -> None:
    neware_csv(watched.folder / "A_1.csv", "2026-03-02 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv"})
    watched.still()
    watched.folder.rename(tmp_path / "away")
    watched.watcher.tracker.schedule_walk()
    time.sleep(1.5)
    assert watched.used() == {"A_1.csv"}
    watched.folder.mkdir()
    watched.watcher.tracker.schedule_walk()
    time.sleep(1.5)
    assert watched.used() == {"A_1.csv"}
    watched.folder.rmdir()
    (tmp_path / "away").rename(watched.folder)
    watched.watcher.tracker.schedule_walk()
    neware_csv(watched.folder / "A_2.csv", "2026-03-03 10:00:00")
    watched.until(lambda: watched.used() == {"A_1.csv", "A_2.csv"})
