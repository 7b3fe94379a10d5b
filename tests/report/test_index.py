from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import polars as pl
import pytest
from made_cells import FULL, made, odd_cells

from cellpipe.baselines import table1
from cellpipe.core import contracts
from cellpipe.report import file_name, write_index
from cellpipe.report.html.replicates import replicate_grid


def lab_tables() -> dict[str, pl.DataFrame]:
    names = ("cells", "baseline_comparison", "cycles", "findings")
    files = pl.concat([one.files for one in odd_cells().values()])
    return {name: gathered(name) for name in names} | {
        "files": files, "baselines": table1(), "cell_sheet": contracts.empty_table("cell_sheet"),
    }  # fmt: skip


def gathered(name: str) -> pl.DataFrame:
    return pl.concat([one.tables[name] for one in odd_cells().values()])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_index(lab_tables(), tmp_path_factory.mktemp("lab"), version="0.0.1")
    return path.read_text(encoding="utf-8")


def test_every_cell_is_linked_to_its_page_and_workbook(index: str) -> None:
    for one in odd_cells().values():
        name = file_name(one.cell.cell_id)
        assert f'href="cells/{name}.html"' in index
        assert f'href="cells/{name}.xlsx"' in index


def test_the_only_script_is_the_one_the_page_allows(index: str) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", index, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in index
    assert "default-src 'none'" in index
    assert not re.search(r'(src|href)="(?!cells/|all-cells\.xlsx"|#|https://doi\.org/)', index)


def test_hostile_ids_are_escaped(index: str) -> None:
    assert "<script>alert" not in index
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in index


def test_files_that_could_not_be_used_say_why(index: str) -> None:
    below = index.partition('<h2 id="could-not-be-used">Could not be used</h2>')[2]
    assert below.count("found 12 bytes; expected a header.") == len(odd_cells())


def test_a_cell_without_a_row_is_told_what_a_row_would_add(index: str) -> None:
    below = index.partition("<h2>What the cell sheet would add</h2>")[2]
    row = below[below.index("stray file 7") :].partition("</tr>")[0]
    assert "no row" in row
    assert "full or half: Coulombic efficiency" in row
    assert "active mass: mAh/g" in row
    assert "area: mAh/cm² and Ω cm²" in row


def test_every_sparkline_says_what_it_is(index: str) -> None:
    pictures = re.findall(r"<svg[^>]*>", index.partition("</table>")[0])
    assert pictures
    assert all('aria-label="Discharge capacity, cycles ' in picture for picture in pictures)


def test_an_empty_lab_has_an_index_too(tmp_path: Path) -> None:
    names = ("cells", "baseline_comparison", "baselines", "cycles", "files", "findings",
             "cell_sheet")  # fmt: skip
    page = write_index({name: contracts.empty_table(name) for name in names}, tmp_path, version="1")
    assert "There are no cells yet." in page.read_text(encoding="utf-8")


def test_replicates_are_averaged_at_a_cycle_that_all_have_completed() -> None:
    cells, cycles = [], []
    for name, number in (("A-1", 11), ("A-2", 21)):
        one = made(FULL, number, 0)
        cells.append(one.tables["cells"].with_columns(cell_id=pl.lit(name)))
        cycles.append(one.tables["cycles"].with_columns(cell_id=pl.lit(name)))
    (row,) = replicate_grid(pl.concat(cells), pl.concat(cycles)).body
    assert row[:2] == ("A", "2")
    assert row[2] == "172.2 ± 0.0 (n = 2) mAh/g, per cathode active mass"
    assert row[5].endswith("(n = 2), cycle 10 over 1")


def test_capacities_on_different_bases_are_not_averaged() -> None:
    cells = pl.concat([odd_cells()[what].tables["cells"] for what in ("full with spectra", "half")])
    grouped = cells.with_columns(group=pl.lit("mixed"))
    (row,) = replicate_grid(grouped, gathered("cycles")).body
    assert row[2] == "different bases"
