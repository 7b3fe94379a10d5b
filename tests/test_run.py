"""One run: what it reads of the ledger, what it does again after a change, and its pure steps."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cellpipe import analyses
from cellpipe.analyses.execution import restrict_cell
from cellpipe.core.errors import DamagedFileError, Reason
from cellpipe.core.model import Cell
from cellpipe.pipeline.cell_inputs import CellInputs, group_files
from cellpipe.pipeline.fingerprints import fingerprint, input_digests, unchanged_analyses
from cellpipe.pipeline.plan import plan_entries, plan_files, reading_key
from cellpipe.pipeline.run import process
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.store.database import Sqlite
from cellpipe.store.failures import FileFailure
from cellpipe.store.lab import Lab
from cellpipe.store.records import AnalysisRecord, CellEntry, Content, SeenFile
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.scan import Entry, Failure
from made_files import neware_csv

SAMPLE = Path(__file__).parents[1] / "sample_data"
NOWHERE = Lab(Path("/nowhere/lab"), Path("/nowhere/results"), "Europe/Berlin")


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counted: Counter[str] = Counter()
    real = Sqlite.transact

    def transact(self: Sqlite, work: Callable[..., Any], *, writes: bool) -> Any:
        counted["writes" if writes else "reads"] += 1
        return real(self, work, writes=writes)

    monkeypatch.setattr(Sqlite, "transact", transact)
    return counted


def test_a_run_that_adds_one_file_reads_the_ledger_six_times_at_most(
    tmp_path: Path, count_reads: Counter[str]
) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for number in range(3):
        neware_csv(lab / f"A_{number}.csv", f"2026-03-0{number + 1} 10:00:00", rows=40)
    process(lab, out)
    neware_csv(lab / "A_9.csv", "2026-03-09 10:00:00", rows=40)
    count_reads.clear()
    summary = process(lab, out)
    assert (summary.read, summary.cells_updated) == (1, 1)
    print(f"ledger: {count_reads['reads']} reads, {count_reads['writes']} writes")
    assert count_reads["reads"] <= 6
    count_reads.clear()
    process(lab, out)
    assert count_reads["reads"] <= 6


def lab_with_sheet(folder: Path, mass: str = "20.5", comment: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for path in SAMPLE.glob("biologic_mpr/SSB-01_0[236]*"):
        if not (folder / path.name).exists():
            shutil.copy2(path, folder)
    heads = "Cell ID,Files,Configuration,Cathode active mass / mg,Area / cm2,Comment"
    (folder / "cells.csv").write_text(f"{heads}\nSSB-01,SSB-01*,full,{mass},0.785,{comment}\n")
    return folder


def test_a_changed_comment_computes_nothing_and_shows_on_the_page(tmp_path: Path) -> None:
    lab, out = lab_with_sheet(tmp_path / "lab"), tmp_path / "out"
    first = process(lab, out)
    assert set(first.computed["SSB-01"]) == set(analyses.analysis_versions())
    lab_with_sheet(lab, comment="dropped on the floor")
    again = process(lab, out)
    assert (again.read, again.computed) == (0, {"SSB-01": ()})
    assert "dropped on the floor" in (out / "cells" / "SSB-01.html").read_text(encoding="utf-8")
    assert process(lab, out).computed == {}


def test_a_changed_mass_runs_only_what_names_a_mass(tmp_path: Path) -> None:
    lab, out = lab_with_sheet(tmp_path / "lab"), tmp_path / "out"
    before = process(lab, out).cells
    lab_with_sheet(lab, mass="41")
    again = process(lab, out)
    assert set(again.computed["SSB-01"]) == {
        "protocol", "cycles", "cells", "baseline_comparison",
    }  # fmt: skip
    column = "first_specific_discharging_capacity_mah_per_g"
    assert again.cells[column][0] == pytest.approx(before[column][0] * 20.5 / 41)
    whole = process(lab_with_sheet(tmp_path / "lab", mass="41"), tmp_path / "anew")
    assert whole.cells.equals(again.cells)


def test_what_was_computed_in_parts_is_what_is_computed_at_once(tmp_path: Path) -> None:
    lab, out = lab_with_sheet(tmp_path / "lab"), tmp_path / "out"
    process(lab, out)
    for mass, comment in (("41", "a"), ("41", "b"), ("10.25", "b")):
        lab_with_sheet(lab, mass=mass, comment=comment)
        process(lab, out)
    process(lab, tmp_path / "anew")
    names = [p.relative_to(out).as_posix() for p in sorted(out.rglob("*/SSB-01.*"))]
    assert len(names) > 10
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "anew" / name).read_bytes(), name


def test_a_new_version_of_the_program_reads_nothing_and_computes_nothing(tmp_path: Path) -> None:
    lab, out = lab_with_sheet(tmp_path / "lab"), tmp_path / "out"
    process(lab, out)
    script = (
        "import sys, cellpipe._version\n"
        "cellpipe._version.__version__ = '2099.1.0'\n"
        "import cellpipe\n"
        "from cellpipe.store import history\n"
        "assert history.__version__ == '2099.1.0'\n"
        "done = cellpipe.process(sys.argv[1], sys.argv[2])\n"
        "print(done.read, done.reread, done.cells_updated)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, lab, out], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "0", "0"]


def test_a_new_version_of_one_format_reads_the_files_of_this_format_only(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from cellpipe import formats
    from cellpipe.pipeline import plan

    process(small_lab, tmp_path / "out")
    newer = tuple(
        replace(form, version=form.version + 1) if form.name == "biologic_mpr" else form
        for form in formats.all_formats()
    )
    monkeypatch.setattr(formats, "all_formats", lambda: newer)
    for cached in (plan._format_versions, plan._all_formats_key):
        cached.cache_clear()
    again = process(small_lab, tmp_path / "out")
    assert again.reread == 3  # two of SSB-01, and the broken one, which a new version may read
    for cached in (plan._format_versions, plan._all_formats_key):
        cached.cache_clear()


def entry(name: str, size: int = 10) -> Entry:
    return Entry(name, f"/nowhere/lab/{name}", size, 7)


def known(name: str, *, reading: str | None = None) -> LedgerSnapshot:
    key = reading_key(NOWHERE, None) if reading is None else reading
    content = Content("ab" * 32, key, "set aside", reason=Reason("cut off"))
    return LedgerSnapshot({name: SeenFile(name, 10, 7, content.sha256)}, {content.sha256: content})


def test_planning_needs_no_disk() -> None:
    state = known("A_1.mpr")
    plan = plan_entries(NOWHERE, state, [entry("A_1.mpr"), entry("B.mpr", 10)], [], "walk")
    assert plan.known == (Path("/nowhere/lab/A_1.mpr"),)
    assert [file.path.name for file in plan.new] == ["B.mpr"]
    assert [content.sha256 for content in plan.new[0].known] == ["ab" * 32]  # it may be a copy
    assert plan_entries(NOWHERE, state, [entry("A_1.mpr", 11)], []).known == ()
    older = known("A_1.mpr", reading="an older reading")
    assert plan_entries(NOWHERE, older, [entry("A_1.mpr")], []).reread == 1


def test_a_file_that_failed_three_times_is_suspended_without_a_look_at_it() -> None:
    failure = FileFailure("A.mpr", 10, 7, reading_key(NOWHERE, None), Reason("crash"), 3)
    plan = plan_entries(NOWHERE, LedgerSnapshot(failures={"A.mpr": failure}), [entry("A.mpr")], [])
    [(path, shown)] = plan.suspended
    assert path.name == "A.mpr"
    assert "3 times in a row" in shown.reason
    assert (
        shown.parts["remedy"] == "it rests until it changes; cellpipe retry lets it be tried again"
    )


def test_what_is_out_of_reach_stays_known() -> None:
    plan = plan_entries(NOWHERE, known("sub/A.mpr"), [], [Failure("sub", "away")], "walk")
    assert plan.known == (Path("/nowhere/lab/sub/A.mpr"),)
    assert plan_files(NOWHERE, known("A.mpr"), []).known == (Path("/nowhere/lab/A.mpr"),)


def test_grouping_needs_no_disk() -> None:
    contents = {
        f"{n}": Content(f"{n}" * 64, "r", "used", "f", records=5 + n, tables=("timeseries",))
        for n in range(3)
    }
    seen = {f"C1_{n}.csv": SeenFile(f"C1_{n}.csv", 1, 1, f"{n}" * 64) for n in range(3)}
    state = LedgerSnapshot(seen, {c.sha256: c for c in contents.values()})
    sheet = SheetSnapshot(None, (Cell("C1", "full", ("C1_*",)),))
    grouping = group_files(state, sorted(seen), sheet)
    [inputs] = grouping.cells
    assert [file.path for file in inputs.files] == sorted(seen)


def test_an_analysis_depends_on_what_it_names_and_on_nothing_else() -> None:
    inputs = CellInputs(Cell("C1", "full"), ())
    changed = CellInputs(Cell("C1", "full", cathode_active_mass_mg=3.0, comment="x"), ())
    digests = {name: {"*": name} for a in analyses.all_analyses() for name in a.makes}
    digests |= input_digests(inputs)  # type: ignore[arg-type]
    moved = {
        analysis.name
        for analysis in analyses.all_analyses()
        if fingerprint(analysis, inputs, digests) != fingerprint(analysis, changed, digests)  # type: ignore[arg-type]
    }
    assert moved == {"protocol", "cycles", "cells", "baseline_comparison"}


def test_an_analysis_downstream_of_one_that_changed_is_not_taken_for_unchanged() -> None:
    inputs = CellInputs(Cell("C1", "full"), ())
    first = analyses.execution_order()[0]
    record = AnalysisRecord(
        fingerprint(first, inputs, input_digests(inputs)),
        {name: {"*": name} for name in first.makes},
    )
    entry = CellEntry("C1", "x", analyses={first.name: record})
    assert set(unchanged_analyses(inputs, entry)) == {first.name}
    assert unchanged_analyses(inputs, CellEntry("C1", "", analyses={first.name: record})) == {}
    assert unchanged_analyses(inputs, None) == {}


def test_a_field_that_an_analysis_does_not_name_can_not_be_read_by_it() -> None:
    view = restrict_cell(Cell("C1", "full", area_cm2=1.0), ("cell_id",))
    assert view.cell_id == "C1"
    with pytest.raises(AttributeError, match="does not name the field 'area_cm2'"):
        _ = view.area_cm2


def test_a_reason_keeps_its_four_parts_from_where_it_is_raised_to_where_it_is_shown(
    small_lab: Path, tmp_path: Path
) -> None:
    error = DamagedFileError("half a file", expected="a whole one", remedy="copy it", file="a.mpr")
    kept = Reason.from_json(error.reason.to_json())
    assert kept == "found half a file; expected a whole one; remedy: copy it."
    assert kept.parts == {
        "file": "a.mpr", "found": "half a file", "expected": "a whole one", "remedy": "copy it",
    }  # fmt: skip
    assert Reason.from_json("a sentence").parts["found"] == "a sentence"
    out = tmp_path / "out"
    for _ in range(2):  # as it is found, and as the ledger has it
        [failure] = [f for f in process(small_lab, out).failures if "SSB-08" in f.path]
        assert failure.parts["expected"] == "a whole file"
        assert str(failure.parts["remedy"]).startswith("it was cut off while it was copied")
    table = pl.read_parquet(out / "tables" / "files" / "lab.parquet")
    assert failure.reason in table["reason"].to_list()


def test_status_and_history_give_the_parts_in_json(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cellpipe.cli.main import main

    out = tmp_path / "out"
    process(small_lab, out)
    assert main(["status", str(out), "--json"]) == 1
    [failure] = json.loads(capsys.readouterr().out)["failures"]
    assert failure["expected"] == "a whole file"
    assert main(["history", str(out), "SSB-08_02_GCPL_C03.mpr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[-1]["expected"] == "a whole file"


def test_process_gives_the_four_parts_in_json_as_check_does(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cellpipe.cli.main import main

    assert main(["process", str(small_lab), "--out", str(tmp_path / "out"), "--json"]) == 1
    [failure] = json.loads(capsys.readouterr().out)["failures"]
    main(["check", str(small_lab / "SSB-08_02_GCPL_C03.mpr"), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    for part in ("found", "expected", "remedy"):
        assert failure[part] == error[part]
    assert failure["path"] == "SSB-08_02_GCPL_C03.mpr"
