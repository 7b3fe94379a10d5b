"""A cell whose numbers contradict physics is in red wherever people look, and goes nowhere."""

from __future__ import annotations

import re
import shutil
import socket
import zipfile
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from cellpipe import process
from cellpipe.analyses import plausibility
from cellpipe.cli.main import main
from cellpipe.pipeline.summary import Summary, open_contradictions
from cellpipe.store import read_table
from elabftw_stand_in import KEY, StandIn
from made_files import neware_csv

HEAD = (
    "Cell ID,Files,Configuration,Working electrode,Cathode,Cathode active mass / mg,Area / cm²,"
    "Group,1C capacity / mAh/g,Fabrication pressure / MPa,Confirmed"
)
MASSES = {"A": 15.7, "B": 15.2, "C": 1.57}  # of C, a decimal point is one place off
PHRASE = "specific capacity of the cathode 1755 mAh/g"


def write_sheet(folder: Path, confirmed: str = "", area: float = 0.785) -> None:
    rows = [
        f"{name},{name}.csv,full,NCM811,NCM811,{mass},{area if name == 'C' else 0.785},G,200,370,"
        f"{confirmed if name == 'C' else ''}"
        for name, mass in MASSES.items()
    ]
    (folder / "cells.csv").write_text("\n".join([HEAD, *rows]), encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    for number, name in enumerate(MASSES, 1):
        neware_csv(folder / f"{name}.csv", f"2026-03-0{number} 10:00:00", factor=2.9e-3)
    write_sheet(folder)
    return folder


def said_of(out: Path, cell_id: str) -> list[str]:
    findings = read_table(out, "findings", "lab")
    assert findings is not None
    codes = findings.filter(cell_id=cell_id)["code"].to_list()
    return [code for code in codes if code.startswith("contradiction_")]


def comparable(out: Path, cell_id: str) -> int:
    table = read_table(out, "baseline_comparison", cell_id)
    assert table is not None
    return int(table["comparable"].sum())


def test_it_is_red_everywhere_and_in_no_comparison_until_the_sheet_confirms_it(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    assert said_of(out, "C") == ["contradiction_specific_capacity_of_the_cathode"]
    assert not said_of(out, "A") + said_of(out, "B")

    page = (out / "cells" / "C.html").read_text(encoding="utf-8")
    red = page.index('class="cant"')
    assert page.index("<h1>") < red < page.index('<div class="key">')
    for words in ("1755 mAh/g", "275.5 mAh/g", "with 15.7 mg it would be 175.5 mAh/g", "Confirmed"):
        assert words in page[red : page.index('<div class="key">')]
    assert page.count("it would be 175.5 mAh/g") == 1  # said once
    assert "<b>(1755 mAh/g)</b>" in page
    assert 'class="cant"' not in (out / "cells" / "A.html").read_text(encoding="utf-8")

    index = (out / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<tr class="wrong"><td><a href="cells/(\w)\.html">', index) == ["C"]
    assert f"</a>: {PHRASE}</li>" in index
    assert "2 (1 contradict physics)" in index
    assert "(n = 2)" in index
    assert "(n = 3)" not in index
    assert comparable(out, "A") > 0
    assert comparable(out, "C") == 0

    book = fastexcel.read_excel(out / "all-cells.xlsx").load_sheet("Cells").to_polars()
    assert dict(book.select("Cell", "Against physics").iter_rows()) == {
        "A": None, "B": None, "C": PHRASE,
    }  # fmt: skip
    own = fastexcel.read_excel(out / "cells" / "C.xlsx").load_sheet("Summary", header_row=None)
    assert PHRASE in str(own.to_polars().row(2)[0])

    capsys.readouterr()
    main(["status", str(out)])
    assert "Against physics: C: The specific capacity" in " ".join(capsys.readouterr().out.split())
    assert main(["export", "eln", str(out), "C"]) == 1
    assert "contradicts physics" in capsys.readouterr().err

    write_sheet(lab, PHRASE)
    process(lab, out)
    assert not said_of(out, "C")
    assert comparable(out, "C") > 0
    assert 'class="cant"' not in (out / "cells" / "C.html").read_text(encoding="utf-8")
    assert 'class="wrong"' not in (out / "index.html").read_text(encoding="utf-8")

    write_sheet(lab, PHRASE, area=154.0)  # another contradiction, which nobody confirmed
    process(lab, out)
    assert said_of(out, "C") == ["contradiction_area"]
    assert comparable(out, "C") == 0


@pytest.mark.usefixtures("no_pages")
def test_a_night_tells_of_it_and_does_not_hand_it_on(lab: Path, tmp_path: Path) -> None:
    settings = tmp_path / "cellpipe.toml"
    settings.write_text("[[lab]]\nfolder = 'lab'\nresults = 'out'\n[hand_on]\neln = true\n")
    out = tmp_path / "out"
    main(["nightly", "--settings", str(settings)])
    said = (out / "digest.txt").read_text(encoding="utf-8")
    assert said.count("The specific capacity of the cathode is 1755 mAh/g") == 1
    assert "Against physics, so not compared and not handed on (1):\n  C: The specific" in said
    assert handed_on(out) == {"A", "B"}
    page = (out / "digest.html").read_text(encoding="utf-8")
    assert 'check error"><b><a href="cells/C.html">C</a>:</b> The specific capacity' in page

    write_sheet(lab, PHRASE)
    main(["nightly", "--settings", str(settings)])
    assert handed_on(out) == {"A", "B", "C"}
    assert "Against physics" not in (out / "digest.txt").read_text(encoding="utf-8")


def handed_on(out: Path) -> set[str]:
    """Return the cells in the archives of all nights."""
    found = set()
    for archive in (out / "eln").glob("*.eln"):
        with zipfile.ZipFile(archive) as content:
            found |= {
                name.split("/")[-1].removesuffix(".xlsx")
                for name in content.namelist()
                if name.endswith(("/A.xlsx", "/B.xlsx", "/C.xlsx"))
            } | {part for name in content.namelist() for part in name.split("/") if part in MASSES}
    return found


def test_a_lab_s_own_material_moves_the_limit(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (lab / "materials.yaml").write_text(
        "NCM811:\n  capacity: 2000\n  sources: {capacity: convention}\n", encoding="utf-8"
    )
    process(lab, out)
    assert said_of(out, "C") == ["contradiction_1c_capacity"]  # 200 mAh/g are not 1C of such a one
    (lab / "materials.yaml").unlink()
    process(lab, out)
    assert said_of(out, "C") == ["contradiction_specific_capacity_of_the_cathode"]
    sheet = read_table(out, "cell_sheet", "lab")
    assert sheet is not None
    assert sheet["confirmed"].dtype == pl.String


@pytest.mark.slow
def test_the_sample_lab_whose_sheet_is_right_contradicts_nothing(sample_run: Summary) -> None:
    assert sample_run.cells.height >= 8
    assert sample_run.cells["contradictions"].null_count() == sample_run.cells.height
    assert not list(open_contradictions(sample_run.findings))


CORPUS = {  # what the origin of a real file says of its cell: whether what comes back can be
    "arbin-xlsx/navani__bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx":
        "half,graphite,Li,,0,,",
    "res/cellpy__20160805_test001_45_cc_01.res": "half,silicon,Li,,0,,",
    "mpt/plotpot__biologic-fullcell.mpt": "full,FeF3,Li-Si,FeF3,,,",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_real_cells_whose_sheet_says_what_their_origin_says_contradict_nothing(
    real_data: Path, tmp_path: Path
) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    head = "Cell ID,Files,Configuration,Working electrode,Counter electrode,Cathode,"
    rows = [f"{head}Reference offset / V,Cathode active mass / mg,Area / cm²"]
    for number, (name, said) in enumerate(CORPUS.items()):
        shutil.copy2(real_data / name, lab)
        rows.append(f"C{number},{Path(name).name},{said}")
    (lab / "cells.csv").write_text("\n".join(rows), encoding="utf-8")
    summary = process(lab, tmp_path / "out")
    assert summary.cells["complete_cycles"].min() > 0  # type: ignore[operator]
    assert not list(open_contradictions(summary.findings))


def test_the_page_of_limits_has_every_kind_that_is_said() -> None:
    page = (Path(__file__).parents[1] / "docs" / "materials.md").read_text(encoding="utf-8")
    source = Path(plausibility.__file__).parent
    kinds = {
        kind
        for path in source.glob("plausible_*.py")
        for kind in re.findall(r'Contradiction\(\s*f?"([^"{]+)', path.read_text(encoding="utf-8"))
    }
    assert len(kinds) >= 10
    for kind in kinds:
        assert f"| {kind} |" in page, kind


def test_a_night_and_a_push_hand_it_on_only_once_the_sheet_confirms_it(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cellpipe.handoff.attachments.cell_panels", lambda *_: [])
    monkeypatch.setenv("ELAB", KEY)
    settings = tmp_path / "cellpipe.toml"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings.write_text(
        f"[[lab]]\nfolder = 'lab'\nresults = 'out'\n[hand_on]\neln = true\n"
        f"[hand_on.elabftw]\nurl = 'http://127.0.0.1:{port}'\ntoken = 'env:ELAB'\n"
    )
    notebook = StandIn(port)

    def titles() -> list[str]:
        return sorted(entry["title"] for entry in notebook.experiments.values())

    try:
        main(["nightly", "--settings", str(settings)])
        assert titles() == ["A", "B"]
        (archive,) = (tmp_path / "out" / "eln").iterdir()
        assert not [n for n in zipfile.ZipFile(archive).namelist() if "/C" in n]
        capsys.readouterr()
        main(["push", "elabftw", str(tmp_path / "out"), "C", "--settings", str(settings)])
        assert "C: it contradicts physics" in " ".join(capsys.readouterr().err.split())
        assert titles() == ["A", "B"]
        write_sheet(lab, PHRASE)
        main(["nightly", "--settings", str(settings)])
        assert titles() == ["A", "B", "C"]
    finally:
        notebook.close()
