"""What a small file claims costs little: under a gigabyte, under ten seconds, refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import xlsxwriter
from bombs import BOMBS, SAMPLE, workbook
from test_add_a_format import forget

import cellpipe
from cellpipe.cell_sheet.sheet import read_sheet_file
from cellpipe.core.errors import CellSheetError, DamagedFileError, FileError
from cellpipe.pipeline.bounded_reading import death_error, read_recordings
from cellpipe.pipeline.run import process
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.system import file_bounds
from cellpipe.system.worker_process import Bound, WorkerDiedError, WorkerProcess
from made_files import neware_csv

BYTES, SECONDS = 1 << 30, 10.0
_READ = """
import sys, time, cellpipe
from cellpipe.core.errors import FileError
try:
    measurement = cellpipe.read(sys.argv[1])
    print("read, and said:", *(f.sentence for f in measurement.findings if f.level != "info"))
except FileError as error:
    print(error)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
print(time.process_time())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is told there")
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_claims_too_much_is_refused_by_name_or_told_and_takes_little(
    name: str, tmp_path: Path
) -> None:
    file, make, said = BOMBS[name]
    make(tmp_path / file)
    reader = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path / file)], capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert reader.returncode == 0, reader.stderr
    found, peak, seconds = reader.stdout.splitlines()
    size = (tmp_path / file).stat().st_size
    print(f"{name:40} {size / 1e6:8.2f} MB {int(peak) / 1e3:6.0f} MB {seconds[:4]} s  {found}")
    assert found.startswith((str(tmp_path), "read, and said:")), "it is refused, or told"
    assert said in found
    assert int(peak) << 10 < BYTES
    assert float(seconds) < SECONDS


@pytest.mark.slow
@pytest.mark.processes
def test_all_of_them_in_one_folder_cost_the_good_file_nothing(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    small = [name for name in BOMBS if "GB" not in name and "200 MB" not in name]
    for name in small:
        BOMBS[name][1](lab / BOMBS[name][0])
    summary = process(lab, tmp_path / "out", workers=2)
    assert {failure.path for failure in summary.failures} == {BOMBS[name][0] for name in small}
    assert summary.cells["cell_id"].to_list() == ["A_1"]
    again = process(lab, tmp_path / "out")
    assert again.read == 0
    assert len(again.failures) == len(small)


def test_no_real_file_is_beyond_a_bound(real_data: Path) -> None:
    refused = []
    for path in sorted(path for path in real_data.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            head = stream.read(1 << 16)
        try:
            file_bounds.check_sizes(path, head)
            file_bounds.check_lines(path, head)
        except DamagedFileError as error:
            refused.append(str(error))
    assert [line for line in refused if ".pssession" not in line] == []  # which no format reads


def test_a_table_that_is_wide_or_long_is_no_stray_cell(tmp_path: Path) -> None:
    assert cellpipe.read(workbook(tmp_path / "a.xlsx")).tables["timeseries"].height == 19
    assert cellpipe.read(workbook(tmp_path / "b.xlsx", "AD30")).tables["timeseries"].height == 19


@pytest.mark.processes
@pytest.mark.parametrize("place", ["file", "sheet"])
def test_the_stray_cell_is_named_and_the_run_goes_on(place: str, tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n")
    process(lab, out)
    name = "B_1.xlsx" if place == "file" else "cells.xlsx"
    workbook(lab / name, "XFD1048576")
    summary = process(lab, out)
    assert [failure.path for failure in summary.failures] == [name]
    assert "XFD1048576" in summary.failures[0].reason
    assert summary.cells["cell_id"].to_list() == ["A"]
    if place == "sheet":
        assert "is used until then" in summary.failures[0].reason


def _damaged_directories(source: Path, path: Path) -> Iterator[Path]:
    """Write a file again and again, one byte of its archive's directory changed each time."""
    content = source.read_bytes()
    for at in range(content.find(b"PK\x01\x02"), len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        yield path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["workbook", "ndax", "sheet"])
def test_no_byte_of_an_archives_directory_raises_what_is_no_error_of_the_file(
    kind: str, tmp_path: Path
) -> None:
    if kind == "ndax":
        source = min((SAMPLE / "neware_ndax").glob("*.ndax"), key=lambda path: path.stat().st_size)
    else:
        source = workbook(tmp_path / "whole.xlsx")
    path = tmp_path / ("cells.xlsx" if kind == "sheet" else f"A_1{source.suffix}")
    refused = 0
    for damaged in _damaged_directories(source, path):
        try:
            read_sheet_file(damaged) if kind == "sheet" else cellpipe.read(damaged)
        except (FileError, CellSheetError):
            refused += 1
    assert refused > 100


_DAMAGE = {
    "a name that is no UTF-8": {9: 8, 46: 0xC3},
    "a name that is another one": {46: 0x41},
    "an unknown way of packing": {10: 99},
    "an offset behind the end": {42: 255, 43: 255},
}


def _damage_directory(path: Path, damage: dict[int, int]) -> None:
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        for place, value in damage.items():
            content[at + place] = value
        at = content.find(b"PK\x01\x02", at + 4)
    path.write_bytes(content)


@pytest.mark.processes
@pytest.mark.parametrize("name", _DAMAGE)
def test_a_damaged_directory_is_the_cause_that_is_named_and_costs_only_its_file(
    name: str, tmp_path: Path
) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    _damage_directory(workbook(lab / "B_1.xlsx"), _DAMAGE[name])
    summary = process(lab, tmp_path / "out")
    assert [failure.path for failure in summary.failures] == ["B_1.xlsx"]
    assert "damaged directory" in summary.failures[0].reason
    assert summary.cells["cell_id"].to_list() == ["A_1"]
    with pytest.raises(FileError, match="damaged directory"):
        cellpipe.read(lab / "B_1.xlsx")


@pytest.mark.processes
@pytest.mark.parametrize("name", _DAMAGE)
def test_a_cell_sheet_with_a_damaged_directory_is_an_error_of_the_sheet(
    name: str, tmp_path: Path
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    with xlsxwriter.Workbook(lab / "cells.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Cell ID", "Files", "Configuration"])
        sheet.write_row(1, 0, ["A", "A_*", "full"])
    whole = (lab / "cells.xlsx").read_bytes()
    _damage_directory(lab / "cells.xlsx", _DAMAGE[name])
    alone = process(lab, out)  # there is no other sheet to go by: what can be had is in mAh
    assert "No sheet is used until then" in alone.failures[0].reason
    assert alone.cells["cell_id"].to_list() == ["A_1"]
    (lab / "cells.xlsx").write_bytes(whole)
    process(lab, out)
    _damage_directory(lab / "cells.xlsx", _DAMAGE[name])
    summary = process(lab, out)
    assert [failure.path for failure in summary.failures] == ["cells.xlsx"]
    assert "workbook" in summary.failures[0].reason
    assert "is used until then" in summary.failures[0].reason
    assert summary.cells["cell_id"].to_list() == ["A"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Cell ID,Files,Configuration\n" + "A,A_*,full\n" * 300_000, "a table of 300,001 rows"),
        ("Cell ID,Files,Configuration" + ",x" * 16_000, "a table of 16,003 columns"),
    ],
)
def test_a_cell_sheet_beyond_its_bounds_is_refused_by_their_count(
    content: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "cells.csv").write_text(content)
    with pytest.raises(CellSheetError, match=said):
        read_sheet_file(tmp_path / "cells.csv")


@pytest.mark.parametrize(
    ("separator", "said"), [(0, "300,001 rows"), (1, "1,203 columns")], ids=["rows", "columns"]
)
def test_a_workbook_as_cell_sheet_is_refused_by_its_count_too(
    separator: int, said: str, tmp_path: Path
) -> None:
    with xlsxwriter.Workbook(tmp_path / "cells.xlsx", {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Cell ID", "Files", "Configuration"])
        if separator:
            sheet.write_row(0, 3, ["x"] * 1_200)
        else:
            for row in range(1, 300_001):
                sheet.write_string(row, 0, "A")
    with pytest.raises(CellSheetError, match=said):
        read_sheet_file(tmp_path / "cells.xlsx")


def test_what_a_picture_weighs_buys_a_workbook_no_gigabyte() -> None:
    bound = file_bounds.reading_bound(6_000_000, ".XLSX").memory
    assert bound is not None
    assert bound < 1_000_000_000


_OUT_OF_MEMORY = """memory allocation of 549755813888 bytes failed
stack backtrace:
   0: std::alloc::rust_oom
             at /rustc/library/alloc.rs:1:1
  10: _start
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
_FAULT = """Fatal Python error: Segmentation fault

Current thread 0x00007f3c (most recent call first):
  File "reader.py", line 3 in read

Extension modules: numpy (total: 1)
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (_OUT_OF_MEMORY, "(memory allocation of 549,755,813,888 bytes failed)"),
        (_FAULT, "(Fatal Python error: Segmentation fault)"),
        ("note: run with `RUST_BACKTRACE=1`", "reading ended the process that did it ("),
    ],
)
def test_of_what_a_process_wrote_at_its_end_the_cause_is_told(words: str, said: str) -> None:
    worker = WorkerProcess()
    try:
        worker.call(exec, ("import os; os.write(2, b'an Error: of an earlier file')",), Bound())
        with pytest.raises(WorkerDiedError) as raised:
            worker.call(exec, (f"import os; os.write(2, {words.encode()!r}); os.abort()",), Bound())
    finally:
        worker.close()
    sentence = str(death_error(raised.value))
    assert said in sentence
    assert "note:" not in sentence
    assert "earlier" not in sentence
    assert "stray cells" in sentence


_FORMAT = """
import os, time
from cellpipe import Format
def read(path):
    deed = path.read_text().split()[1]
    if deed == "abort":
        os.abort()
    if deed == "allocate":
        kept = []
        while True:
            kept.append(b'x' * (1 << 24))
    raise ValueError("it lives")
FORM = Format("deadly", "Nobody", (".deadly",), lambda s: s.head.startswith(b"deadly"), read)
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package with a format whose files end the process that reads them."""
    site = tmp_path / "site"
    info = site / "deadly_format-1.dist-info"
    info.mkdir(parents=True)
    (site / "deadly_format.py").write_text(_FORMAT)
    (info / "METADATA").write_text("Name: deadly-format\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cellpipe.formats]\ndeadly = deadly_format:FORM\n")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(site)
        forget()
        yield
    sys.modules.pop("deadly_format", None)
    forget()


@pytest.mark.processes
@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("abort", "(the library that reads such files gave up, SIGABRT)"),
        ("allocate", "GB of memory and was ended"),
    ],
)
def test_a_file_of_which_the_reading_process_dies_is_counted_and_rests(
    deed: str, said: str, workers: int, tmp_path: Path
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    (lab / "B_1.deadly").write_text(f"deadly {deed}")
    for attempt in range(MAX_ATTEMPTS):
        summary = process(lab, out, workers=workers)
        assert [failure.path for failure in summary.failures] == ["B_1.deadly"], attempt
        assert "content whose reading" in summary.failures[0].reason
        if os.name == "posix":
            assert said in summary.failures[0].reason
        assert summary.cells["cell_id"].to_list() == ["A_1"]
    assert "it rests until it changes" in summary.failures[0].reason
    assert process(lab, out, workers=workers).read == 0
    (lab / "B_1.deadly").write_text("deadly no longer")
    assert "it lives" in process(lab, out, workers=workers).failures[0].reason


@pytest.mark.processes
def test_a_reader_that_hangs_is_ended_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellpipe.pipeline import bounded_reading

    path = tmp_path / "A_1.csv"
    neware_csv(path, "2026-03-02 10:00:00", rows=2000)
    monkeypatch.setattr(bounded_reading, "reading_bound", lambda *_: Bound(None, 1e-4))
    with pytest.raises(DamagedFileError, match="took longer than"):
        read_recordings(path, None)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_script_needs_no_guard_for_processes_to_work(workers: int, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    neware_csv(tmp_path / "lab" / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    script = tmp_path / "script.py"
    script.write_text(
        "import cellpipe\nprint('begin')\n"
        f"print(cellpipe.process('lab', 'out', workers={workers}).read)\n"
    )
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["begin", "1"]
