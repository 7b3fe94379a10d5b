"""What other systems do differently, as far as this one can stand in for them."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest

import cellpipe
from cellpipe.cell_sheet.row import to_nfc
from cellpipe.config.settings import read_settings
from cellpipe.pipeline.executors import LocalExecutor
from cellpipe.pipeline.run import process, run_lab
from cellpipe.service.watch.watcher import find_stable_files
from cellpipe.store import Ledger, writer_lease
from cellpipe.store.lab import Lab
from cellpipe.store.object_download import _is_safe_name
from cellpipe.system import atomic_files
from cellpipe.system.atomic_files import delete, move, write_bytes
from cellpipe.system.child_processes import call_on_stdin_close
from cellpipe.system.mounts import file_system_type
from cellpipe.system.processes import Workers
from cellpipe.system.scan import RawFolders
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


def lab_with(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        neware_csv(path, f"2026-03-{number + 2:02} 10:00:00", rows=8, factor=1 - number / 50)
    return folder


class Held:
    """A call of Path's that a program which holds the file open refuses, so many times."""

    def __init__(self, patched: pytest.MonkeyPatch, name: str, times: float, of: str = "") -> None:
        self.left, self.of, self.real = times, of, getattr(Path, name)

        def asked(path: Path, *given: object, **named: object) -> object:
            return self.done(path, *given, **named)

        patched.setattr(Path, name, asked)

    def done(self, path: Path, *given: object, **named: object) -> object:
        if self.left > 0 and self.of in str(path):
            self.left -= 1
            raise PermissionError(13, "The process cannot access the file", str(path))
        return self.real(path, *given, **named)


def test_a_file_that_a_scanner_holds_for_a_moment_is_written_moved_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_files, "RETRY_SECONDS", 5.0)
    path = write_bytes(tmp_path / "one", b"old")
    Held(monkeypatch, "replace", 3)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    move(path, tmp_path / "aside" / "one")
    Held(monkeypatch, "unlink", 3)
    delete(tmp_path / "aside" / "one")
    assert [each.name for each in tmp_path.iterdir()] == ["aside"]


def test_results_that_a_program_holds_open_cost_themselves_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, out = lab_with(tmp_path / "lab", "A_1.csv", "B_1.csv"), tmp_path / "out"
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\nB,B_*,full\n")
    process(lab, out)
    (out / "cells" / "A.xlsx").write_bytes(b"saved in Excel, and still open")
    neware_csv(lab / "B_2.csv", "2026-04-02 10:00:00", rows=8, factor=0.5)
    with monkeypatch.context() as patched:
        Held(patched, "replace", 99, of="A.xlsx")
        Held(patched, "unlink", 99, of="A.xlsx")
        summary = process(lab, out)
    assert (summary.read, summary.failures) == (1, ())
    assert cellpipe.open_results(out)["cycles"].filter(cell_id="B").collect().height == 4
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nC,*_1.csv,full\n")
    with monkeypatch.context() as patched:
        Held(patched, "unlink", 99, of="A.xlsx")
        Held(patched, "replace", 99, of="A.xlsx")
        process(lab, out)  # A is no cell any more
    process(lab, out)
    assert "A" not in Ledger(out).cells()
    assert not (out / "cells" / "A.xlsx").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii"])
def test_what_is_printed_into_a_file_or_a_pipe_is_utf_8(tmp_path: Path, encoding: str) -> None:
    spectra = Path(__file__).parents[1] / "sample_data" / "biologic_mpr"
    command = ["-m", "cellpipe", "eis", str(spectra / "SSB-01_03_PEIS_C01.mpr"), "--area", "0.785"]
    done = subprocess.run(
        [sys.executable, *command, "--out", str(tmp_path)], capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Ω" in done.stdout.decode("utf-8")


def test_bins_and_systems_own_folders_hold_no_raw_files(tmp_path: Path) -> None:
    bins = ("$RECYCLE.BIN/S-1", "#recycle", "@Recycle", "System Volume Information", "lost+found")
    lab = lab_with(tmp_path / "lab", "A_1.csv", *(f"{name}/A_9.csv" for name in bins))
    entries, failures = RawFolders(lab, (), ()).walk()
    assert ([entry.name for entry in entries], failures) == (["A_1.csv"], [])


def test_a_hash_in_a_name_is_part_of_it(tmp_path: Path) -> None:
    lab, out = lab_with(tmp_path / "lab", "Cell #3.csv"), tmp_path / "out"
    process(lab, out)
    one = Lab(lab, out, None, ())
    assert find_stable_files(one, _patience()) == []
    neware_csv(lab / "B_1.csv", "2026-04-02 10:00:00", rows=8)
    assert find_stable_files(one, _patience()) == ["B_1.csv"]
    with Workers(1) as workers:
        summary = run_lab(one, LocalExecutor(workers), only=[lab / "B_1.csv"])
    assert not summary.failures
    assert set(Ledger(out).seen_files(lab)) == {"B_1.csv", "Cell #3.csv"}


def _patience() -> object:
    from cellpipe.service.watch.stability import WaitTimes

    return WaitTimes(0.1, 0.2, 60.0)


def test_signs_that_are_patterns_elsewhere_are_signs_in_a_path(tmp_path: Path) -> None:
    lab, out = lab_with(tmp_path / "[lab] 1*" / "raw?", "A_1.csv"), tmp_path / "[lab]" / "out{1}"
    assert not process(lab, out).failures
    assert not process(lab, out).read
    results = cellpipe.open_results(out)
    assert results["cycles"].collect().height == 2
    assert not results["timeseries"].filter(cell_id="A_1").collect().is_empty()
    frame = results["timeseries"].collect().select(
        "test_time_second", "voltage_volt", "current_ampere"
    )  # fmt: skip
    bdf = tmp_path / "[lab]" / "A.bdf.parquet"
    headers = ["Test Time / s", "Voltage / V", "Current / A"]
    frame.rename(dict(zip(frame.columns, headers, strict=True))).write_parquet(bdf)
    assert cellpipe.read(bdf).tables["timeseries"].height == frame.height


def test_names_from_a_mac_are_those_that_people_type(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Zelle_ü")
    assert decomposed != "Zelle_ü" == to_nfc(decomposed)
    lab = lab_with(tmp_path / "lab", f"{decomposed}_1.csv", f"{decomposed}2.csv")
    (lab / "cells.csv").write_text(
        "Cell ID,Files,Configuration\nA,Zelle_ü_*,full\nZelle_ü2,,full\n", encoding="utf-8"
    )
    summary = process(lab, tmp_path / "out")
    assert summary.cells["cell_id"].to_list() == ["A", "Zelle_ü2"]
    assert summary.cells["configuration"].to_list() == ["full", "full"]


def test_objects_whose_names_no_disk_holds_are_not_fetched() -> None:
    names = ("a.csv", "sub/b.csv", "NUL.csv", "com1", "a./b.csv", "b ", "a:b", "..", "x\\y")
    assert [name for name in names if _is_safe_name(name)] == ["a.csv", "sub/b.csv"]


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount() -> None:
    mounts = [
        ("/", "apfs"), ("/Users/anna/nas", "smbfs"), ("/Volumes/USB", "exfat"),
        ("/Volumes/lab", "autofs"), ("/Volumes/lab", "nfs"),
    ]  # fmt: skip
    for place, kind in {
        "/Users/anna/data": "apfs", "/users/anna/NAS/raw": "smbfs", "/Users/anna/nas2": "apfs",
        "/Volumes/USB/x": "exfat", "/Volumes/lab/x": "nfs",
    }.items():  # fmt: skip
        assert file_system_type(Path(place), mounts) == kind


def test_a_writer_that_is_gone_is_known_to_be_without_proc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_lease, "_HAS_PROC", False)
    assert not writer_lease.is_gone(writer_lease.this_process())
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mine = writer_lease.this_process()
    holder = {**mine, "process": str(other.pid), "began": writer_lease._start_time(other.pid)}
    assert not writer_lease.is_gone(holder)
    other.communicate(b"\n")
    assert writer_lease.is_gone(holder)
    assert writer_lease.is_gone({**mine, "began": "1.0"})  # its number was given to another one


def test_a_child_gets_no_input_at_which_its_parent_waits() -> None:
    script = (
        "import os, subprocess, sys, threading\n"
        "from cellpipe.system.child_processes import call_on_stdin_close\n"
        "over = threading.Event()\n"
        "call_on_stdin_close(over.set)\n"
        "child = [sys.executable, '-c', 'import sys; print(repr(sys.stdin.read()))']\n"
        "print(subprocess.run(child, timeout=30, capture_output=True, text=True).stdout.strip())\n"
        "sys.stdout.flush()\n"
        "print(over.wait(30))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "''\n"
        process.stdin.close()
        assert process.stdout.read() == "True\n"
    assert callable(call_on_stdin_close)


def test_windows_waits_for_no_more_than_61_processes() -> None:
    assert Workers(100).count == 61


@pytest.mark.parametrize("place", [r"\\nas\exports", r"D:\exports", r"\\?\D:\exports"])
def test_windows_paths_are_paths_in_the_settings(tmp_path: Path, place: str) -> None:
    path = tmp_path / "cellpipe.toml"
    path.write_text(f"[[lab]]\nfolder = '{place}'\nresults = 'r'\n", encoding="utf-8")
    assert str(read_settings(path).lab[0].folder).endswith(place)
    assert PureWindowsPath(place).is_absolute()
