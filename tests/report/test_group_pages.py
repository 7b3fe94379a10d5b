"""Claims about pages of groups and factors, on the made replicates whose truth is known."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from cellpipe.cli.main import main
from cellpipe.core.model import Cell
from cellpipe.handoff.record import sheet_values
from cellpipe.pipeline.stored_cells import read_stored_cells
from cellpipe.report.html.factors import Factor, read_factor

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replicates")]
OWN = ("Binder / %", "Operator", "N/P ratio, weighed")


@pytest.fixture(scope="module")
def out(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The replicates, with columns of the lab's own in their sheet."""
    folder = tmp_path_factory.mktemp("replicates")
    raw = folder / "raw"
    shutil.copytree(cases / "meaning" / "replicates", raw)
    rows = list(csv.reader((raw / "cells.csv").read_text(encoding="utf-8").splitlines()))
    ratio = rows[0].index("N/P ratio")
    rows[0] += OWN
    for number, row in enumerate(rows[1:]):
        row[ratio] = "0.3"  # that of the masses: one row says 9, which contradicts them
        # As in Excel with a decimal comma; one value is not filled in.
        percent = "" if number == 1 else f"{1 + number / 2}".replace(".", ",")
        row += [percent, "Anna" if number % 2 else "Ben", "1.1"]
    with (raw / "cells.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert main(["process", str(raw), "--out", str(folder / "out")]) == 0
    return folder / "out"


def compared(out: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """Return what ``compare`` prints, and its page."""
    page = out.parent / "page.html"
    assert main(["compare", str(out), *arguments, "--to", str(page)]) == 0
    return capsys.readouterr().out, page.read_text(encoding="utf-8")


def test_the_bad_cell_of_a_group_is_named_on_the_index_and_in_the_workbook(out: Path) -> None:
    index = (out / "index.html").read_text(encoding="utf-8")
    row = index[index.index('cells/A5.html"') :].partition("</tr>")[0]
    assert "stands apart" in row
    assert index.count("<small>stands apart</small>") == 1
    book = fastexcel.read_excel(out / "all-cells.xlsx").load_sheet("Replicates").to_polars()
    found = dict(book.select("Group", "Stands apart").iter_rows())
    assert found["A"].startswith("A5 (Retention 62.0 %, modified z")
    assert found["B"] == "–"
    a = book.filter(Group="A")["Retention (%)"][0]
    assert a == "84.8 ± 12.8 (n = 5), cycle 120 over 1; median 90.4 (62.0 to 90.8, 94 %)"


def test_all_groups_that_are_given_are_compared_and_the_bad_cell_hides_nothing(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, page = compared(out, capsys, "--group", "A", "--group", "B", "--group", "C")
    assert (
        "A against B: without A5, retention 90.5 ± 0.2 (n = 4) against 87.0 ± 0.1 (n = 5)" in said
    )
    assert "3.6 percentage points more" in said
    assert "with all cells, retention 84.8 ± 12.8 (n = 5)" in said
    assert "no difference is shown" in said
    assert "Find out what happened to A5" in said
    assert "C: 1 cell" in said
    assert "can't be said" in said
    assert "A against C" in said
    for heading in ("Differences of groups", "Cells that a difference needs", "Cycles to 80 %"):
        assert heading in page
    assert "A5, apart" in page
    assert "Groups A, B, C" in page


def test_a_group_given_twice_is_one_group(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, page = compared(out, capsys, "--group", "A", "--group", "A")
    assert "<h1>Group A</h1>" in page
    assert "Differences of groups" not in page
    assert "A5 stands apart: drawn alone" in page


def test_own_columns_reach_tables_workbooks_pages_and_notebooks(out: Path) -> None:
    table = pl.read_parquet(out / "tables" / "own_columns" / "lab.parquet")
    own = {(c, k): v for c, k, v in table.select("cell_id", "column", "value").iter_rows()}
    assert own["A3", "Binder / %"] == "2,0"
    assert ("A2", "Binder / %") not in own
    book = fastexcel.read_excel(out / "all-cells.xlsx").load_sheet("Own columns").to_polars()
    assert book.columns == ["Cell", *OWN]
    assert dict(book.select("Cell", "Operator").iter_rows())["A2"] == "Anna"
    assert "Binder / %" in (out / "cells" / "A3.html").read_text(encoding="utf-8")
    (stored,) = read_stored_cells(out, ["A3"])
    values = {value.name: value for value in sheet_values(stored.cell)}
    assert values["Binder / %"].value == "2,0"
    assert values["Operator"].identifier.startswith("cell.own_operator_")
    assert len({value.identifier for value in values.values()}) == len(values)


def test_a_factor_of_numbers_is_set_against_the_results(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, page = compared(out, capsys, "--factor", "binder / %")
    assert "No number goes with it beyond chance." in said
    assert "Spearman" in page
    assert ">A2<" not in page.partition("Cells and factor")[2].partition("<h2>")[0]
    assert "Results against Binder / %" in page


def test_a_factor_of_words_makes_groups_and_two_kinds_in_one_are_no_outliers(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, page = compared(out, capsys, "--factor", "Operator")
    assert "Anna against Ben" in said
    assert "too many to be outliers" in said
    assert "without A2" not in said
    assert "Differences of groups" in page


def test_a_column_or_group_that_is_not_there_is_said(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(out), "--factor", "Binders"]) == 2
    assert "Binder / %" in capsys.readouterr().err
    assert main(["compare", str(out), "--group", "A", "--group", "Z"]) == 2
    assert "known groups: A, B, C" in capsys.readouterr().err


def test_the_knee_stands_on_the_page_in_the_figures_and_in_the_workbook(out: Path) -> None:
    page = (out / "cells" / "C1.html").read_text(encoding="utf-8")
    assert "a knee at cycle 71.1 (95 %: 70.7 to 71.6)" in page
    assert "0.0501 % (95 %: 0.0478 % to 0.0525 %) lost per cycle before" in page
    assert "0.349 % (95 %: 0.345 % to 0.353 %) lost after it. 80 % was passed at cycle 118." in page
    assert page.count("knee at cycle 71.1</text>") == 2  # capacity, and beside published cells
    fade = fastexcel.read_excel(out / "cells" / "C1.xlsx").load_sheet("Fade").to_polars()
    assert fade["Fade per cycle"][0] == pytest.approx(5.0e-4, abs=3e-5)
    assert fade["Fade after it"][0] == pytest.approx(3.49e-3, abs=3e-5)
    table = pl.read_parquet(out / "tables" / "capacity_fade" / "*.parquet")
    assert table.filter(shape="knee")["cell_id"].to_list() == ["C1"]
    b = table.filter(pl.col("cell_id").str.starts_with("B"))
    assert set(b["outlook"]) == {"within"}
    assert b["end_of_life_cycle"].is_between(178, 188).all()  # made to lose 0.11 % per cycle


def factor_of(*values: str) -> Factor:
    cells = [Cell(f"C{n}", own_columns={"x": value}) for n, value in enumerate(values)]
    return read_factor(cells, "x")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("1,5", "2", "3,25"), [1.5, 2, 3.25]),
        (("0,125", "1,250", "2"), [0.125, 1.25, 2]),
        (("1.200", "1.4", "2"), [1.2, 1.4, 2]),
        (("1,200.5", "800", "2,000.0"), [1200.5, 800, 2000]),
        (("1'200", "800", "2 000"), [1200, 800, 2000]),
        (("5 %", "6.5%", "n/a", "7 %"), [5, 6.5, 7]),
        (("−20", "25", "60", "-", "?"), [-20, 25, 60]),
    ],
)
def test_numbers_of_a_factor_are_read_as_they_are_meant(
    written: tuple[str, ...], meant: list[float]
) -> None:
    factor = factor_of(*written)
    assert factor.numbers is not None
    assert list(factor.numbers.values()) == meant
    assert factor.remark == ""


def test_a_comma_that_may_be_thousands_is_not_guessed() -> None:
    factor = factor_of("800", "950", "1,200", "1,400", "2,000")
    assert factor.numbers is None
    assert "may be thousands or a decimal comma" in factor.remark


def test_a_word_among_numbers_is_said() -> None:
    factor = factor_of("1", "2", "3", "thick", "4")
    assert factor.numbers is None
    assert factor.remark == "'thick' is no number: the values are taken as words."
    assert factor_of("red", "blue", "3").remark == ""


def test_two_values_that_are_one_number_are_one_group() -> None:
    assert factor_of("3", "3.0", "3,0", "5", "5.00").groups == {"3": ["C0", "C1", "C2"],
                                                               "5": ["C3", "C4"]}  # fmt: skip
