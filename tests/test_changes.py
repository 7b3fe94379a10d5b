"""Changes between runs that lead astray: ids, folders, settings, reports that fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cellpipe
from cellpipe import analyses
from cellpipe.cli.main import main
from cellpipe.core.model import Finding, Result
from cellpipe.pipeline.executors import LocalExecutor
from cellpipe.pipeline.job import load_lab
from cellpipe.pipeline.run import process, run_lab
from cellpipe.report.excel import lab_workbook
from cellpipe.report.html import cell_page, index
from cellpipe.store.lab import Lab
from cellpipe.system import atomic_files
from cellpipe.system.processes import Workers
from chains import use_analyses
from made_files import neware_csv

HEADS = "Cell ID,Files,Configuration,Cathode active mass / mg\n"


def lab_of(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names, 1):
        neware_csv(folder / f"{name}.csv", f"2026-03-{number:02} 10:00:00", rows=60)
    return folder


def sheet(lab: Path, *rows: str) -> None:
    (lab / "cells.csv").write_text(HEADS + "".join(f"{row}\n" for row in rows))


def cells(out: Path) -> list[str]:
    found: list[str] = cellpipe.open_results(out)["cells"].collect()["cell_id"].sort().to_list()
    return found


def test_an_id_that_changes_in_case_only_leaves_no_second_cell(tmp_path: Path) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1"), tmp_path / "out"
    sheet(lab, "ssb-01,A_*,full,20")
    process(lab, out)
    sheet(lab, "SSB-01,A_*,full,10")
    process(lab, out)
    assert cells(out) == ["SSB-01"]
    assert sorted(p.stem for p in (out / "cells").iterdir()) == ["SSB-01", "SSB-01"]
    assert "ssb-01" not in (out / "index.html").read_text(encoding="utf-8")


def test_a_lab_that_moved_is_known_where_it_is(tmp_path: Path) -> None:
    lab, out = lab_of(tmp_path / "raw", "A_1", "C_1"), tmp_path / "out"
    process(lab, out)
    moved = lab.rename(tmp_path / "raw2")
    process(moved, out)
    neware_csv(moved / "A_2.csv", "2026-03-09 10:00:00", rows=60)
    one = Lab(moved, out)
    summary = run_lab(one, LocalExecutor(Workers(1)), only=[moved / "A_2.csv"])
    used = summary.files.filter(status="used")["path"].to_list()
    assert used == ["A_1.csv", "A_2.csv", "C_1.csv"]
    assert "kept" not in " ".join(summary.findings["sentence"])


def test_a_reason_keeps_its_parts_in_every_later_run(small_lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(small_lab, out)
    neware_csv(small_lab / "B_1.csv", "2026-04-01 10:00:00", rows=60)
    for _ in range(2):
        [failure] = [f for f in process(small_lab, out).failures if "SSB-08" in f.path]
        assert failure.parts["expected"] == "a whole file"
    moved = (small_lab / "SSB-08_02_GCPL_C03.mpr").rename(small_lab / "SSB-08_again.mpr")
    [failure] = [f for f in process(small_lab, out).failures if f.path == moved.name]
    assert failure.parts["file"] is None  # where it lay once is no part of the reason


@pytest.mark.pages
@pytest.mark.parametrize("kind", ["locked", "template"])
def test_a_report_that_can_not_be_written_costs_itself_and_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1"), tmp_path / "out"
    sheet(lab, "A,A_*,full,20")
    process(lab, out)
    sheet(lab, "A,A_*,full,40")
    real: Callable[..., Any] = Path.replace

    def held(self: Path, target: Path) -> Path:
        if Path(target).name == "A.xlsx":
            raise PermissionError(13, "held open")
        return real(self, target)  # type: ignore[no-any-return]

    def fail(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("made to fail")

    with monkeypatch.context() as patched:
        if kind == "locked":
            patched.setattr(atomic_files, "RETRY_SECONDS", 0.0)
            patched.setattr(Path, "replace", held)
        else:
            patched.setattr(cell_page, "load_template", fail)
        for _ in range(2):
            summary = process(lab, out)
            assert [failure.path for failure in summary.failures] == ["A"]
            assert cells(out) == ["A"]
            assert not (out / "damaged").exists()
    summary = process(lab, out)
    assert (summary.failures, summary.computed) == ((), {"A": ()})
    process(lab, tmp_path / "anew")
    for name in ("cells/A.html", "cells/A.xlsx", "tables/cycles/A.parquet"):
        assert (out / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()


@pytest.mark.pages
@pytest.mark.parametrize(
    ("module", "name", "lost", "there"),
    [(index, "index_page", "index.html", "all-cells.xlsx"),
     (lab_workbook, "lab_workbook", "all-cells.xlsx", "index.html")],
)  # fmt: skip
def test_the_labs_page_and_workbook_cost_themselves_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, lost: str, there: str
) -> None:
    lab, out = lab_of(tmp_path / "lab", "A_1"), tmp_path / "out"

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("made to fail")

    with monkeypatch.context() as patched:
        patched.setattr(module, name, fail)
        for _ in range(2):
            [failure] = process(lab, out).failures
            assert failure.path == lost
            assert "made to fail" in failure.reason
    assert (out / there).is_file()
    assert process(lab, out).failures == ()
    assert (out / lost).is_file()


@pytest.mark.parametrize("said", [(Finding("critical", "x", "?"),), ("text",), None,  # type: ignore[arg-type]
                                  (Finding("info", "x", "\udc80"),)])  # fmt: skip
def test_a_finding_that_can_not_be_stored_costs_its_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    from cellpipe.analyses import half_cycles

    def compute(cell: Any, tables: Any) -> tuple[Result, ...]:
        return tuple(replace(one, findings=said) for one in half_cycles._compute(cell, tables))

    broken = replace(half_cycles.ANALYSIS, compute=compute)
    use_analyses(monkeypatch, [broken, *analyses.ANALYSES[1:]])
    lab = lab_of(tmp_path / "lab", "A_1")
    summary = process(lab, tmp_path / "out")
    assert summary.exit_code == 0
    assert "analysis_failed" in summary.findings["code"].to_list()


def test_rebuild_and_settings_beside_a_folder_take_the_zone_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, zone in (("one", "Europe/Berlin"), ("other", "Asia/Tokyo")):
        (tmp_path / name).mkdir()
        lab_of(tmp_path / name / "raw", "A_1")
        text = f"time_zone = '{zone}'\n[[lab]]\nfolder = 'raw'\nresults = 'out'\n"
        (tmp_path / name / "cellpipe.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "one")
    assert main(["process", "../other/raw"]) == 0
    assert load_lab(tmp_path / "other" / "out").time_zone == "Asia/Tokyo"
    assert main(["process"]) == 0
    settings = tmp_path / "one" / "cellpipe.toml"
    settings.write_text(settings.read_text().replace("Berlin", "Helsinki"))
    assert main(["rebuild"]) == 0
    assert load_lab(tmp_path / "one" / "out").time_zone == "Europe/Helsinki"


def test_checking_a_file_of_a_workspace_takes_its_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab_of(tmp_path / "raw", "A_1")
    text = "time_zone = 'Asia/Tokyo'\n[[lab]]\nfolder = 'raw'\nresults = 'out'\n"
    (tmp_path / "cellpipe.toml").write_text(text)
    assert main(["check", str(tmp_path / "raw" / "A_1.csv")]) == 0
    assert "2026-03-01 01:00:00" in capsys.readouterr().out


def test_an_exported_folder_is_not_taken_for_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_of(tmp_path / "raw", "A_1")
    (tmp_path / "cellpipe.toml").write_text("[[lab]]\nfolder = 'raw'\nresults = 'out'\n")
    monkeypatch.chdir(tmp_path)
    assert main(["process"]) == 0
    for _ in range(2):
        assert main(["export", "tables", "A_1", "--to", "."]) == 0
    shutil.rmtree(tmp_path / "A_1")
