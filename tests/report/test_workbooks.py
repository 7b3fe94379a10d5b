from __future__ import annotations

import math
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import fastexcel
import polars as pl
import pytest
from made_cells import Reports, odd_cells

SHEETS = [
    "Summary", "Cycles", "Protocol", "Profiles", "dQdV", "EIS", "Resistance", "Growth", "Fade",
    "Arcs",
    "Fits", "Parameters", "Relaxation peaks", "Relaxation times",
    "Baselines", "Findings", "Provenance",
]  # fmt: skip
WHAT = sorted(odd_cells())

pytestmark = pytest.mark.xdist_group("reports")  # they share what is written once


def sheet(path: Path, name: str) -> pl.DataFrame:
    return fastexcel.read_excel(path).load_sheet(name).to_polars()


def cells_of(path: Path, name: str) -> dict[str, tuple[str, str]]:
    """Formula (or nothing) and value of every number on a sheet, by its address."""
    number = SHEETS.index(name) + 1
    with zipfile.ZipFile(path) as archive:
        text = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
    found = re.findall(r'<c r="([A-Z]+\d+)"[^>]*>(?:<f>([^<]*)</f>)?<v>([^<]*)</v>', text)
    return {address: (formula, value) for address, formula, value in found}


def names_of(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read("xl/workbook.xml").decode()
    return dict(re.findall(r'<definedName name="(\w+)">Summary!\$B\$(\d+)</definedName>', text))


@pytest.mark.parametrize("what", WHAT)
def test_a_workbook_has_every_sheet_and_no_errors(reports: Reports, what: str) -> None:
    path = reports[what][2]
    assert fastexcel.read_excel(path).sheet_names == SHEETS
    with zipfile.ZipFile(path) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if "/sheet" in name]
    assert not any(re.search(r"#NUM!|#DIV/0!|>nan<|>inf<", text) for text in texts)


@pytest.mark.parametrize("what", ["full with spectra", "half", "kind unknown", "long id"])
def test_cached_values_equal_the_tables(reports: Reports, what: str) -> None:
    one, _, path = reports[what]
    cycles = one.tables["cycles"]
    values = cells_of(path, "Cycles")
    columns = {
        "E": "specific_charging_capacity_mah_per_g",
        "F": "specific_discharging_capacity_mah_per_g",
        "G": "areal_charging_capacity_mah_per_cm2",
        "H": "areal_discharging_capacity_mah_per_cm2",
        "I": "coulombic_efficiency",
        "J": "capacity_retention",
    }
    for letter, column in columns.items():
        for row, value in enumerate(cycles[column].to_list(), start=2):
            if value is None:
                assert f"{letter}{row}" not in values
            else:
                formula, cached = values[f"{letter}{row}"]
                assert formula
                assert float(cached) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("what", ["full with spectra", "half"])
def test_formulas_give_their_cached_values(reports: Reports, what: str) -> None:
    path = reports[what][2]
    values, summary = cells_of(path, "Cycles"), cells_of(path, "Summary")
    named = {name: float(summary[f"B{row}"][1]) for name, row in names_of(path).items()}
    assert set(named) == {"active_mass_mg", "electrode_area_cm2"}

    def number(term: str) -> float:
        address = term.replace("$", "")
        return named[term] if term in named else float(values[address][1])

    checked = 0
    for formula, cached in values.values():
        if formula:
            over, by, factor = re.fullmatch(r"([\w$]+)/([\w$]+)(\*1000)?", formula).groups()  # type: ignore[union-attr]
            result = number(over) / number(by) * (1000 if factor else 1)
            assert math.isclose(result, float(cached), rel_tol=1e-12)
            checked += 1
    assert checked > 100


def test_the_efficiency_is_the_right_way_round(reports: Reports) -> None:
    assert cells_of(reports["full with spectra"][2], "Cycles")["I2"][0] == "D2/C2"
    assert cells_of(reports["half"][2], "Cycles")["I2"][0] == "C2/D2"


def test_hostile_text_stays_text(reports: Reports) -> None:
    path = reports["hostile id"][2]
    summary = sheet(path, "Summary")
    assert summary.columns[0] == "<script>alert(1)</script>"
    assert any("=HYPERLINK" in str(value) for value in summary.to_series(1).to_list())
    assert not [f for f, _ in cells_of(path, "Summary").values() if "HYPERLINK" in f]


@pytest.mark.parametrize("what", WHAT)
def test_data_sheets_have_a_frozen_head_and_filters(reports: Reports, what: str) -> None:
    with zipfile.ZipFile(reports[what][2]) as archive:
        for number in range(2, len(SHEETS) + 1):
            text = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
            assert 'topLeftCell="B2"' in text
            assert (
                "<autoFilter" in text or "There " in _strings(archive) or "No " in _strings(archive)
            )


def _strings(archive: zipfile.ZipFile) -> str:
    return archive.read("xl/sharedStrings.xml").decode()


def test_there_is_a_chart_for_each_kind_of_data(reports: Reports) -> None:
    def charts(what: str) -> int:
        with zipfile.ZipFile(reports[what][2]) as archive:
            return sum("charts/chart" in name for name in archive.namelist())

    assert charts("full with spectra") == 3
    assert charts("no spectra") == 1
    assert charts("only spectra") == 2
    assert charts("nothing at all") == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_it_and_reads_the_same_numbers(reports: Reports, tmp_path: Path) -> None:
    path = reports["half"][2]
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    to = ["--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path)]
    subprocess.run(["soffice", profile, *to, str(path)], check=True, capture_output=True)
    before, after = sheet(path, "Cycles"), sheet(tmp_path / path.name, "Cycles")
    assert after.columns == before.columns
    for column in before.columns:
        if before[column].dtype.is_float():
            assert (before[column] - after[column]).abs().max() < 1e-9
