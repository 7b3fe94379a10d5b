"""A figure, a table, a sheet or a chart that fails costs itself only, and says why in its place."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import fastexcel
import polars as pl
import pytest
from made_cells import FULL, Made, made

from cellpipe import analyses
from cellpipe.analyses import analysis_facts, registry
from cellpipe.analyses.failures import failed_results
from cellpipe.core.finding_rows import finding_rows
from cellpipe.core.model import Analysis, Finding
from cellpipe.core.steps import run_step
from cellpipe.report import BlockFailure, write_cell_report
from cellpipe.report.excel import cell_workbook as workbook_module
from cellpipe.report.excel import charts
from cellpipe.report.excel.cell_workbook import cell_workbook
from cellpipe.report.html import cell_page as page_module
from cellpipe.report.html import cell_tables
from cellpipe.report.html.cell_page import cell_page, cell_panels
from chains import use_analyses

FIGURES = {
    "cycling_panel": "Capacity and Coulombic efficiency", "profile_panel": "Voltage profiles",
    "differential_panel": "Differential capacity dQ/dV", "peak_panel": "Peaks of dQ/dV",
    "rate_panel": "Rate capability", "impedance_panel": "Impedance spectra",
    "arcs_panel": "Arcs and relaxation times", "resistance_panel": "Interfacial resistance",
    "retention_panel": "Retention beside published cells",
    "capacity_panel": "First discharge capacity beside published cells",
    "field_panel": "This cell among the published cells",
    "initial_efficiency_panel": "Initial Coulombic efficiency beside published cells",
}  # fmt: skip
GRIDS = {
    "cycle_grid": "The table of cycles", "arc_grid": "The table of arcs",
    "peak_grid": "The table of relaxation times&#39; peaks",
    "fit_grid": "The table of fits", "sheet_grid": "The cell sheet&#39;s row",
    "file_grid": "The table of files",
}  # fmt: skip
SHEETS = {
    "cycle_columns": "Cycles", "profile_columns": "Profiles", "curve_columns": "dQdV",
    "spectrum_columns": "EIS", "resistance_columns": "Resistance", "growth_columns": "Growth",
    "arc_columns": "Arcs", "fit_columns": "Fits", "baseline_columns": "Baselines",
    "parameter_columns": "Parameters", "peak_columns": "Relaxation peaks",
    "relaxation_columns": "Relaxation times",
    "finding_columns": "Findings", "file_columns": "Provenance", "write_summary": "Summary",
}  # fmt: skip
CHARTS = {
    "_cycling_chart": "Capacity and Coulombic efficiency", "_nyquist_chart": "Nyquist plot",
    "_resistance_chart": "Interfacial resistance",
}  # fmt: skip
REASON = "ZeroDivisionError: made to fail"

pytestmark = pytest.mark.xdist_group("reports")


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("made to fail")


def panic(*_: object, **__: object) -> None:
    raise pl.exceptions.PanicException("made to panic")


@pytest.fixture(scope="module")
def one() -> Made:
    return made(FULL, 6, 3)


def page_and_failures(one: Made) -> tuple[str, list[BlockFailure]]:
    told: list[BlockFailure] = []
    page = cell_page(
        one.cell, one.tables, one.files, name="x", version="1", tell=told.append,
        analyses=analysis_facts(one.tables["findings"]),
    )  # fmt: skip
    return page, told


@pytest.fixture(scope="module")
def whole_page(one: Made) -> str:
    page, told = page_and_failures(one)
    assert not told
    return page


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of a page's time."""
    monkeypatch.setattr(page_module, "_panel_blocks", lambda *_: [])


def sections(page: str) -> list[str]:
    return re.split(r"<h2", page)


def without_entry(page: str, title: str) -> str:
    """Take a title out of the list of what is not on a page for lack of data."""
    return re.sub(rf"<dt>{re.escape(title)}</dt><dd>[^<]*</dd>\n", "", page)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_that_fails_is_a_sentence_and_all_else_of_the_page_is_as_it_was(
    one: Made, whole_page: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(page_module, name, fail)
    page, told = page_and_failures(one)
    before = without_entry(whole_page, FIGURES[name])
    changed = [part for part in sections(page) if part not in sections(before)]
    gone = [part for part in sections(before) if part not in sections(page)]
    assert [part.partition("</h2>")[0] for part in changed] == [f">{FIGURES[name]}"]
    assert all(part.startswith(f">{FIGURES[name]}</h2>") for part in gone)
    assert f"could not be shown here ({REASON})" in changed[0]
    assert [failed.finding.code for failed in told] == ["report_block_failed"]


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("name", sorted(GRIDS))
def test_a_table_that_fails_is_a_sentence_and_all_else_of_the_page_is_as_it_was(
    one: Made, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole, _ = page_and_failures(one)
    monkeypatch.setattr(cell_tables, name, panic)
    page, told = page_and_failures(one)
    changed = [
        part for old, part in zip(sections(whole), sections(page), strict=True) if old != part
    ]
    assert len(changed) == 1
    assert f"{GRIDS[name]} could not be shown here (PanicException: made to panic)" in changed[0]
    assert len(told) == 1


@pytest.mark.parametrize(
    "name", ["describe_cell", "headline", "describe_standing", "software_versions", "text_grid",
             "verdict_grid", "number_grid", "_conditions"],
)  # fmt: skip
@pytest.mark.usefixtures("without_figures")
def test_whatever_else_of_a_page_fails_the_page_stands(
    one: Made, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(page_module, name, fail)
    page, told = page_and_failures(one)
    assert REASON in page
    assert len(told) == 1
    assert "<table" in page
    assert page.rstrip().endswith("</html>")


def test_a_figure_fails_where_it_is_drawn_not_only_where_it_is_described(
    one: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellpipe.report.figures.cycling._draw_efficiency", fail)
    page, told = page_and_failures(one)
    assert "The figure &#39;Capacity and Coulombic efficiency&#39; could not be shown here" in page
    assert len(told) == 1


def test_keys_and_titles_of_absent_figures_are_those_of_the_figures(one: Made) -> None:
    drawn = [(panel.key, panel.title) for panel in cell_panels(one.cell, one.tables)]
    blocks = page_module._panel_blocks(one.cell, one.tables)
    assert [(p.key, p.title) for p in (block.instead("x") for block in blocks)] == drawn


def book_and_failures(one: Made) -> tuple[bytes, list[BlockFailure]]:
    told: list[BlockFailure] = []
    book = cell_workbook(
        one.cell, one.tables, one.files, version="1", tell=told.append,
        analyses=analysis_facts(one.tables["findings"]),
    )  # fmt: skip
    return book, told


def texts(book: bytes) -> dict[str, list[str]]:
    """Return the rows of every sheet as texts."""
    read = fastexcel.read_excel(book)
    frames = {name: read.load_sheet(name, header_row=None).to_polars() for name in read.sheet_names}
    return {
        name: [" | ".join(str(value or "") for value in row) for row in frame.rows()]
        for name, frame in frames.items()
    }


@pytest.mark.parametrize("name", sorted(SHEETS))
def test_a_sheet_that_fails_is_a_sentence_and_the_others_hold_what_they_held(
    one: Made, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = texts(book_and_failures(one)[0])
    monkeypatch.setattr(workbook_module, name, fail)
    book, told = book_and_failures(one)
    found = texts(book)
    assert list(found) == list(whole)
    for summary in (whole["Summary"], found["Summary"]):  # no formula uses the names then
        summary[:] = [re.sub(r"(; )?called \w+ in formulas", "", row) for row in summary]
    assert [sheet for sheet in whole if found[sheet] != whole[sheet]] == [SHEETS[name]]
    said = f"The sheet '{SHEETS[name]}' could not be shown here ({REASON})."
    assert said in found[SHEETS[name]]
    assert len(told) == 1


def test_no_formula_refers_to_a_sheet_that_failed(
    one: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_module, "cycle_columns", fail)
    with zipfile.ZipFile(io.BytesIO(book_and_failures(one)[0])) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert "Cycles!" not in parts["xl/worksheets/sheet1.xml"]
    assert not [n for n, text in parts.items() if "/chart" in n and "Cycles!" in text]


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_a_chart_that_fails_costs_itself_only(
    one: Made, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(charts, name, fail)
    book, told = book_and_failures(one)
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        drawn = [part for part in archive.namelist() if part.startswith("xl/charts/chart")]
    assert len(drawn) == 2
    said = f"The chart '{CHARTS[name]}' could not be shown here ({REASON})."
    assert any(said in row for row in texts(book)["Summary"])
    assert len(told) == 1


def test_memory_that_runs_out_is_no_fault_of_a_block(
    one: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(page_module, "cycling_panel", no_memory)
    with pytest.raises(MemoryError):
        page_and_failures(one)


def test_what_failed_in_either_stands_above_the_page_and_among_the_workbooks_findings(
    one: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page_module, "cycling_panel", fail)
    monkeypatch.setattr(workbook_module, "arc_columns", fail)
    told: list[BlockFailure] = []
    page, book = write_cell_report(
        one.cell, one.tables, one.files, tmp_path, version="1", tell=told.append,
        analyses=analysis_facts(one.tables["findings"]),
    )  # fmt: skip
    assert len(told) == 2
    above = page.read_text(encoding="utf-8").split("<h2")[0]
    rows = fastexcel.read_excel(book).load_sheet("Findings").to_polars()["Sentence"].to_list()
    for failed in told:
        assert above.count(failed.sentence.split(" could")[0].replace("'", "&#39;")) == 1
        assert rows.count(failed.finding.sentence) == 1


def test_what_an_analysis_left_out_is_not_said_to_be_absent_from_the_cell(one: Made) -> None:
    """The page of a cell whose cycles could not be made never says that it has none."""
    cycles = next(a for a in analyses.all_analyses() if a.name == "cycles")
    (result,) = failed_results(
        cycles,
        run_step(fail),
        one.cell,
        analyses.all_analyses(),  # type: ignore[arg-type]
    )
    findings = with_finding(one.tables["findings"], result.findings[0])
    empty = {**one.tables, "cycles": result.table, "findings": findings}
    facts = analysis_facts(findings)
    page = cell_page(one.cell, empty, one.files, name="x", version="1", analyses=facts)
    assert "There are no cycles" not in page
    assert "Not known: the analysis cycles failed; see what is to check." in page
    book = texts(cell_workbook(one.cell, empty, one.files, version="1", analyses=facts))
    assert any("Not known: the analysis cycles failed" in row for row in book["Cycles"])


def with_finding(findings: pl.DataFrame, finding: Finding) -> pl.DataFrame:
    return pl.concat([findings, finding_rows([finding], findings["cell_id"][0])])


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("count", [0, 5, 21, 12_000])
def test_a_packages_table_is_on_page_and_workbook_with_units_and_meanings(
    one: Made, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Any table will do that no block of the page draws: dV/dQ stands for a package's."""
    name = "differential_voltage"
    extra = Analysis("extra", (), (name,), lambda *_: ())
    built_in = tuple(a for a in analyses.ANALYSES if name not in a.makes)
    monkeypatch.setattr(registry, "ANALYSES", built_in)
    use_analyses(monkeypatch, (*built_in, extra))
    table = pl.DataFrame({
        "cell_id": [one.cell.cell_id] * count, "half_cycle": [1] * count,
        "direction": ["charge"] * count, "capacity_ah": [n * 1e-4 for n in range(count)],
        "differential_voltage_volt_per_ah": [0.5] * count,
    }, schema_overrides={"half_cycle": pl.Int64, "capacity_ah": pl.Float64})  # fmt: skip
    whole = Made(one.cell, {**one.tables, name: table}, one.files)
    page, told = page_and_failures(whole)
    (block,) = (part for part in sections(page) if part.startswith(' id="further">'))
    assert '<td class="t">V/Ah</td>' in block
    assert block.split("<details")[0].count("<tr>") == (1 + min(count, 20) if count else 0)
    sheets = texts(book_and_failures(whole)[0])
    assert len(sheets[name]) == 1 + min(count, 10_000) if count else 2
    assert any("V/Ah" in row for row in sheets["Further tables"])
    if count:
        assert f"../tables/{name}/{one.cell.cell_id}.parquet" in block
    if count > 20:
        assert f"The first 20 of {count} rows" in block
    assert not told
