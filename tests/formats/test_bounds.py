"""What a small file claims costs little: under a gigabyte, under ten seconds, refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bombs import BOMBS, workbook
from test_add_a_format import forget

import cellpipe
from cellpipe.core.errors import DamagedFileError
from cellpipe.pipeline.bounded_reading import read_recordings
from cellpipe.pipeline.run import process
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.system import file_bounds
from cellpipe.system.worker_process import Bound
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
    ("deed", "said"), [("abort", "SIGABRT"), ("allocate", "GB of memory and was ended")]
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
