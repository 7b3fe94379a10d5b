from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from made_cells import FULL, HALF, Made, Reports, made, odd_cells

from cellpipe.core.finding_rows import finding_rows
from cellpipe.core.model import AnalysisFacts, Cell, Finding
from cellpipe.report import write_cell_report
from cellpipe.report.html.cell_page import cell_page

WHAT = sorted(odd_cells())
LOADING = {"src", "href", "xlink:href", "srcset", "poster", "data", "action", "background"}

pytestmark = pytest.mark.xdist_group("reports")  # they share what is written once


class Outline(HTMLParser):
    """Tags with their attributes, and the texts between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    return parsed


def page_of(one: Made) -> str:
    return cell_page(
        one.cell, one.tables, one.files, name="x", version="0.0.1", analyses=AnalysisFacts()
    )


@pytest.mark.parametrize(
    ("code", "is_shown"),
    [("leads_reversed", False), ("current_sign_contradicts", False), ("time_zone_unknown", True)],
)
def test_no_headline_is_made_of_a_current_whose_sign_is_in_doubt(
    code: str, *, is_shown: bool
) -> None:
    one = made(FULL, cycles=3, spectra=0)
    findings = finding_rows([Finding("warning", code, "It is said.", 1)], one.cell.cell_id)
    doubted = page_of(replace(one, tables={**one.tables, "findings": findings}))
    assert ("Initial Coulombic efficiency</span>" in doubted) == is_shown
    assert ("the sign of the current is in doubt" in doubted) != is_shown


@pytest.mark.parametrize("what", WHAT)
def test_a_page_needs_nothing_but_itself(reports: Reports, what: str) -> None:
    page = reports[what][1].read_text(encoding="utf-8")
    parsed = outline(page)
    assert not [tag for tag, _ in parsed.tags if tag in {"script", "link", "iframe", "img"}]
    for _, attributes in parsed.tags:
        for name in LOADING & set(attributes):
            to = attributes[name]
            assert to.startswith(("#", "https://doi.org/", "../index.html")) or to.endswith(".xlsx")
            assert ":" not in to or to.startswith("https://doi.org/")
    assert "default-src 'none'" in page
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


@pytest.mark.parametrize("what", WHAT)
def test_a_page_stays_under_two_megabytes(reports: Reports, what: str) -> None:
    assert reports[what][1].stat().st_size < 2_000_000


@pytest.mark.parametrize("what", WHAT)
def test_every_figure_says_what_it_shows(reports: Reports, what: str) -> None:
    parsed = outline(reports[what][1].read_text(encoding="utf-8"))
    for tag, attributes in parsed.tags:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert len(attributes["aria-label"]) > 10


@pytest.mark.parametrize("what", WHAT)
def test_every_section_has_a_figure_a_table_or_the_reason_why_not(
    reports: Reports, what: str
) -> None:
    page = reports[what][1].read_text(encoding="utf-8")
    sections = re.split(r"<h2[^>]*>", page)[1:]
    without_data = re.findall(r"<dt>([^<]+)</dt><dd>[^<]+</dd>", page)
    assert len(sections) - bool(without_data) + len(without_data) == 20
    for section in sections:
        assert "<svg" in section or "<table" in section or 'class="absent"' in section


@pytest.mark.parametrize("what", WHAT)
def test_ids_are_unique_within_a_page(reports: Reports, what: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', reports[what][1].read_text(encoding="utf-8"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("what", WHAT)
def test_nothing_that_is_not_a_number_reaches_a_reader(reports: Reports, what: str) -> None:
    texts = " ".join(outline(reports[what][1].read_text(encoding="utf-8")).texts)
    assert not re.search(r"\b(nan|NaN|inf|None|null)\b", texts)


def test_a_hostile_id_is_shown_and_never_run(reports: Reports) -> None:
    page = reports["hostile id"][1].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<script>alert(1)</script>" in outline(page).texts
    assert "<b>bold</b>" not in page


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one = made(HALF, 5, 2)
    first = [
        path.read_bytes()
        for path in write_cell_report(
            one.cell, one.tables, one.files, tmp_path, version="1", analyses=AnalysisFacts()
        )
    ]
    again = made(HALF, 5, 2)
    second = [
        path.read_bytes()
        for path in write_cell_report(
            again.cell, again.tables, again.files, tmp_path, version="1", analyses=AnalysisFacts()
        )
    ]
    assert first == second
    assert sorted(path.suffix for path in (tmp_path / "cells").iterdir()) == [".html", ".xlsx"]


def test_input_tables_are_left_as_they_were() -> None:
    one = made(FULL, 4, 2)
    before = {name: table.clone() for name, table in one.tables.items()}
    page_of(one)
    assert all(table.equals(before[name]) for name, table in one.tables.items())


def test_words_follow_the_kind_of_the_cell(reports: Reports) -> None:
    half = reports["half"][1].read_text(encoding="utf-8")
    full = reports["full with spectra"][1].read_text(encoding="utf-8")
    assert "lithiation (discharge)" in half
    assert "delithiation (charge) over the lithiation (discharge) before it" in half
    assert "lithiation" not in full
    assert "discharge over the charge before it" in full


def test_a_cell_of_unknown_kind_gets_no_efficiency_and_is_told_why(reports: Reports) -> None:
    page = reports["kind unknown"][1].read_text(encoding="utf-8")
    assert "needs to know whether the cell is full or half" in page
    assert "Kind of cell not known · not in the cell sheet" in page


def test_a_specific_capacity_names_its_basis(reports: Reports) -> None:
    page = reports["full with spectra"][1].read_text(encoding="utf-8")
    assert "172.2 mAh/g" in page
    assert "per cathode active mass" in page


def test_info_is_folded_and_warnings_are_not(reports: Reports) -> None:
    page = reports["half"][1].read_text(encoding="utf-8")
    shown, _, rest = page.partition('<details class="note">')
    assert "<b>Check:</b> The instrument counts 61 cycles" in shown
    assert "Two rests &lt;i&gt;." in rest
    assert "Two rests" not in shown


def test_inferred_fields_are_marked(reports: Reports) -> None:
    page = reports["half"][1].read_text(encoding="utf-8")
    assert "inferred: counter electrode In/InLi" in page


def test_both_voltage_scales_are_drawn_where_the_offset_is_known(reports: Reports) -> None:
    assert "Voltage vs Li⁺/Li (V)" in reports["half"][1].read_text(encoding="utf-8")
    assert "vs Li⁺/Li (V)" not in reports["full with spectra"][1].read_text(encoding="utf-8")


def test_all_rows_of_table_1_are_there_and_say_why_they_cannot_be_compared(
    reports: Reports,
) -> None:
    one, path, _ = reports["half"]
    page = path.read_text(encoding="utf-8")
    table = page.partition('<h2 id="published">')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + one.tables["baselines"].height
    reasons = one.tables["baseline_comparison"].filter(~pl.col("comparable"))["reason"]
    assert all(reason for reason in reasons)
    assert table.count(">Not comparable: ") == reasons.len()


def test_the_files_stand_with_their_sha256(reports: Reports) -> None:
    one, path, _ = reports["long id"]
    page = path.read_text(encoding="utf-8")
    assert all(sha256 in page for sha256 in one.files["file_sha256"])


def test_half_cycles_without_cycles_are_still_drawn() -> None:
    one = made(FULL, 3, 0)
    tables = {**one.tables, "cycles": one.tables["cycles"].clear()}
    assert "half cycle 6" in page_of(replace(one, tables=tables))


def test_a_cell_whose_fits_failed_shows_magnitude_and_phase() -> None:
    one = made(FULL, 2, 2)
    names = ("circuit_fits", "impedance_arcs", "interfacial_resistance", "resistance_growth")
    empty = {name: one.tables[name].clear() for name in names}
    page = page_of(replace(one, tables={**one.tables, **empty}))
    assert "−Phase (°)" in page
    assert "No circuit was fitted." in page


def test_a_symmetric_cell_gets_a_page() -> None:
    page = page_of(made(Cell("SYM", "symmetric", area_cm2=0.785), 5, 3))
    assert "Symmetric cell" in page


def test_zero_capacities_do_not_stop_a_page() -> None:
    one = made(FULL, 3, 0)
    zeros = one.tables["cycles"].with_columns(
        pl.lit(0.0).alias(name) for name in ("charging_capacity_ah", "discharging_capacity_ah")
    )
    assert "<svg" in page_of(replace(one, tables={**one.tables, "cycles": zeros}))
