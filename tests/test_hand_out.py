"""What leaves the results folder: comparisons, figures with their data, long tables, PDF."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import fastexcel
import polars as pl
import pytest

import cellpipe
from cellpipe.cli.main import main
from cellpipe.pipeline.stored_cells import read_stored_cells
from cellpipe.pipeline.summary import Summary
from cellpipe.report.figures.files import figure_files
from cellpipe.report.html.cell_page import cell_panels
from cellpipe.report.html.pdf import find_browser
from cellpipe.report.long_tables import long_csv

pytestmark = pytest.mark.xdist_group("sample")  # they share one run of the sample lab


@pytest.fixture(scope="module")
def out(sample_run: Summary) -> Path:
    return sample_run.lab.results


@pytest.fixture(scope="module")
def figures(out: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("figures")
    assert main(["export", "figures", str(out), "SSB-01", "--to", str(folder)]) == 0
    return {name.removeprefix("SSB-01/figures/"): made for name, made in files(folder).items()}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("[!.]*.*")}


def test_figures_come_at_both_widths_of_a_journal_with_the_data_that_was_drawn(
    figures: dict[str, bytes],
) -> None:
    keys = {name.partition("-")[0].removesuffix(".csv") for name in figures}
    assert {"cycling", "profiles", "dqdv", "peaks", "nyquist", "arcs", "resistance", "retention",
            "capacities", "field", "initial", "protocol"} == keys  # fmt: skip
    assert len(figures) == 5 * len(keys)
    assert 'width="252pt"' in figures["cycling-one-column.svg"].decode()  # 89 mm
    assert 'width="518.4pt"' in figures["cycling-two-columns.svg"].decode()  # 183 mm


def test_the_same_figure_gives_the_same_bytes(out: Path) -> None:
    (one,) = read_stored_cells(out, ["SSB-05"])
    panels = [cell_panels(one.cell, one.tables)[0] for _ in range(2)]
    assert figure_files(panels[0]) == figure_files(panels[1])


def drawn(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_data_behind_a_figure_is_the_tables(out: Path, figures: dict[str, bytes]) -> None:
    cycles = cellpipe.open_results(out)["cycles"].collect().filter(cell_id="SSB-01").sort("cycle")
    rows = [r for r in drawn(figures["cycling.csv"]) if r["series"] == "discharge"]
    assert [float(r["x"]) for r in rows] == cycles["cycle"].to_list()
    specific = cycles["specific_discharging_capacity_mah_per_g"].to_list()
    assert [float(r["y"]) for r in rows] == pytest.approx(specific, rel=1e-6)
    assert "mAh/g" in rows[0]["y_axis"]
    retention = {r["series"] for r in drawn(figures["retention.csv"])}
    assert {"this cell", "Cangaz 2020", "Cangaz 2020, range"} <= retention
    nyquist = {r["series"] for r in drawn(figures["nyquist.csv"])}
    assert any(name.endswith(", fit") for name in nyquist)
    assert not any(name.startswith(("_", "line")) for name in nyquist)


def test_long_tables_hold_every_row_and_no_text_is_taken_for_a_formula(
    out: Path, tmp_path: Path
) -> None:
    assert main(["export", "tables", str(out), "SSB-01", "--to", str(tmp_path)]) == 0
    made = files(tmp_path)
    cycles = cellpipe.open_results(out)["cycles"].collect().filter(cell_id="SSB-01")
    read = pl.read_csv(made["SSB-01/tables/cycles.csv"])
    assert read.height == cycles.height
    assert read["discharging_capacity_ah"].to_list() == pytest.approx(
        cycles["discharging_capacity_ah"].to_list()
    )
    assert "SSB-01/tables/timeseries.csv" in made
    hostile = pl.DataFrame({"text": ["=1+1", "@x", "-3 V", "plain", None], "number": [-1.0] * 5})
    written = long_csv(hostile).decode("utf-8-sig").splitlines()
    assert written[1:] == ["'=1+1,-1.0", "'@x,-1.0", "'-3 V,-1.0", "plain,-1.0", ",-1.0"]


@pytest.mark.skipif(find_browser() is None, reason="no browser on this machine")
def test_a_page_becomes_the_same_pdf_every_time(out: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = ["export", "pdf", str(out), "SSB-02", "--to", str(tmp_path / name)]
        assert main(command) == 0
    pdf = (tmp_path / "a" / "SSB-02" / "SSB-02.pdf").read_bytes()
    assert pdf == (tmp_path / "b" / "SSB-02" / "SSB-02.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"file:///" not in pdf
    if not shutil.which("pdftotext"):
        pytest.skip("the PDFs are equal; no pdftotext on this machine reads what they say")
    path = str(tmp_path / "a" / "SSB-02" / "SSB-02.pdf")
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True).stdout
    assert "rows between" in text.decode()  # what the page folds is on paper, too
    assert text.decode().count("Coulombic") > 3


def test_without_a_browser_the_pdf_says_so_and_the_rest_is_written(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELLPIPE_BROWSER", "no-such-browser")
    assert main(["export", "pdf", str(out), "SSB-07", "--to", str(tmp_path)]) == 1
    for what in ("figures", "tables"):
        assert main(["export", what, str(out), "SSB-07", "--to", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "SSB-07, pdf: found no browser that prints pages" in said.err
    assert "figures" in said.out
    assert "tables" in said.out


def test_cells_are_compared_on_a_basis_that_they_share(out: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for cells, unit in ((["SSB-03a", "SSB-03b"], "Specific capacity (mAh/g"),
                        (["SSB-01", "SSB-02"], "Areal capacity (mAh/cm²)"),
                        (["SSB-01", "SSB-07"], "Capacity (mAh)")):  # fmt: skip
        assert main(["compare", str(out), *cells, "--to", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        assert unit in text
        assert ("Configuration is not the same" in text) is (cells[1] in {"SSB-02", "SSB-07"})


def test_a_group_is_compared_with_its_mean_and_spread(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(out), "--group", "replicates"]) == 0
    page = out / "comparisons" / "replicates.html"
    assert str(page) in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Mean of 2 cells of the group replicates ± one standard deviation" in text
    assert 'href="../index.html"' in text
    before = page.read_bytes()
    assert main(["compare", str(out), "--group", "replicates"]) == 0
    assert page.read_bytes() == before


def test_what_is_not_there_is_said_with_what_may_be_meant(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(out), "SSB-1", "SSB-02"]) == 2
    assert "SSB-01" in capsys.readouterr().err
    assert main(["compare", str(out), "SSB-01"]) == 2
    assert "at least 2" in capsys.readouterr().err
    assert main(["export", "tables", str(out), "--group", "nobody"]) == 2
    assert "replicates" in capsys.readouterr().err
    assert main(["export", "tables", str(tmp_path), "SSB-01"]) == 2
    assert "cellpipe process" in capsys.readouterr().err


def test_the_labs_workbook_has_a_line_for_every_cell(sample_run: Summary) -> None:
    book = fastexcel.read_excel(sample_run.lab.results / "all-cells.xlsx")
    assert book.sheet_names == ["Cells", "Replicates", "Baselines", "Findings", "Provenance",
                                "Chart"]  # fmt: skip
    cells = book.load_sheet("Cells").to_polars()
    assert cells["Cell"].to_list() == sample_run.cells["cell_id"].to_list()
    found = cells["Initial Coulombic efficiency"].to_list()
    for value, expected in zip(
        found, sample_run.cells["initial_coulombic_efficiency"], strict=True
    ):
        assert value == expected if expected is None else value == pytest.approx(expected)
    beside = book.load_sheet("Baselines").to_polars()
    assert set(beside["Retention is"].drop_nulls()) <= {"above", "within", "below"}
    table = cellpipe.open_results(sample_run.lab.results)["baseline_comparison"].collect()
    assert beside.height == table.filter("comparable").height
