"""Pages, workbooks and the index of cells that strip and plate: what they show, and what not."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lxml import etree

from cellpipe import open_results
from cellpipe.pipeline.run import process

pytestmark = pytest.mark.pages
SHEET = """Cell ID,Files,Configuration,Working electrode,Counter electrode,Area / cm²
SHORTED,SHORTED*,symmetric,Li,Li,0.5
SOUND,SOUND*,symmetric,Li,Li,0.5
FOIL,FOIL*,half,Cu,Li,0.5
"""
RATIOS = re.compile(r"(?i)retention|coulombic|\bCE\b|\bfade\b")


def write_file(path: Path, halves: list[tuple[float, float, float, float]]) -> None:
    """Write half cycles of current (mA), time (h), first and last voltage (mV)."""
    rows, now = [], 0.0
    for step, (milliampere, hours, first, last) in enumerate(halves, start=1):
        second = now + np.linspace(0, 3600 * hours, 61)
        volt = 1e-3 * np.linspace(first, last, 61)
        rows += [
            f"{1.75e9 + t:.3f},{t:.3f},{v:.6f},{1e-3 * milliampere:.6g},{step}"
            for t, v in zip(second, volt, strict=True)
        ]
        now = float(second[-1]) + 1.0
    head = "Unix Time / s,Test Time / s,Voltage / V,Current / A,Step Count / 1"
    numbered = [f"{n},{row}" for n, row in enumerate(rows, start=1)]
    path.write_text("\n".join([f"Record Index / 1,{head}", *numbered]) + "\n")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw")
    (raw / "cells.csv").write_text(SHEET, encoding="utf-8")
    signs = [sign for _ in range(11) for sign in (1.0, -1.0)]
    levels = [0.05 * (1 + n // 2) for n in range(22)]
    volts = [100 * level * (1.0 if n < 15 else 0.06) for n, level in enumerate(levels)]
    rising = [(s * i, 0.5, s * v, s * v * 1.01) for s, i, v in zip(signs, levels, volts,
                                                                  strict=True)]  # fmt: skip
    write_file(raw / "SHORTED.bdf.csv", rising)
    write_file(raw / "SOUND.bdf.csv", [(s * 0.1, 1.0, s * 10, s * 11) for s in signs])
    write_file(raw / "FOIL.bdf.csv", [
        half for _ in range(6) for half in ((-0.5, 2.0, -20.0, -20.0), (0.5, 1.94, 20.0, 900.0))
    ])  # fmt: skip
    out = tmp_path_factory.mktemp("results")
    process(raw, out)
    return out


def page_of(results: Path, cell: str) -> etree._Element:
    return etree.HTML((results / "cells" / f"{cell}.html").read_bytes())


def texts(element: etree._Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def key_numbers(page: etree._Element) -> dict[str, tuple[str, str]]:
    boxes = page.xpath("//div[@class='key']/div")
    return {texts(box[0]): (texts(box[1]), texts(box[2])) for box in boxes}


def grid(page: etree._Element, title: str) -> list[dict[str, str]]:
    (head,) = page.xpath(f"//h2[text()='{title}']")
    tables: list[etree._Element] = []
    for after in head.itersiblings():
        if after.tag == "h2":
            break
        tables += after.iter("table")
    names = [texts(cell) for cell in tables[0].xpath(".//th")]
    bodies = [row for table in tables for row in table.xpath(".//tbody/tr")]
    return [dict(zip(names, map(texts, row), strict=True)) for row in bodies]


def book_texts(results: Path, cell: str) -> Iterator[str]:
    content = (results / "cells" / f"{cell}.xlsx").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        for name in book.namelist():
            if name.endswith("sharedStrings.xml") or "chart" in name or "workbook" in name:
                yield book.read(name).decode()


def stored(results: Path, table: str, cell: str) -> pl.DataFrame:
    return open_results(results)[table].filter(cell_id=cell).collect()


@pytest.mark.parametrize("cell", ["SHORTED", "SOUND"])
def test_a_symmetric_cell_has_no_retention_efficiency_or_fade_on_page_and_in_workbook(
    results: Path, cell: str
) -> None:
    page = page_of(results, cell)
    assert not RATIOS.findall(texts(page.xpath("//main")[0]))
    assert not [text for text in book_texts(results, cell) if RATIOS.search(text)]
    row = open_results(results)["cells"].filter(cell_id=cell).collect().row(0, named=True)
    assert row["capacity_retention"] is None


def test_the_key_numbers_are_the_stored_ones(results: Path) -> None:
    keys = key_numbers(page_of(results, "SHORTED"))
    critical = stored(results, "critical_current", "SHORTED").row(0, named=True)
    (short,) = stored(results, "short_circuits", "SHORTED").to_dicts()
    halves = stored(results, "stripping_plating", "SHORTED")
    held = critical["critical_current_density_ma_per_cm2"]
    assert held == pytest.approx(0.7)
    assert keys["Critical current density"][0] == f"{held:.3f} mA/cm²"
    assert f"{critical['shorted_current_density_ma_per_cm2']:.3f} mA/cm²" in keys[
        "Critical current density"
    ][1]  # fmt: skip
    assert keys["Short circuit"][0] == f"{short['start_hour']:.2f} h"
    sound = halves.filter(state="sound")["polarisation_ohm_cm2"]
    assert keys["Polarisation"][0] == f"{sound[0]:.1f} → {sound[-1]:.1f} Ω cm²"
    total = halves["cumulative_areal_charge_mah_per_cm2"][-1]
    assert keys["Cumulative charge"][0] == f"{total:.2f} mAh/cm²"
    none = key_numbers(page_of(results, "SOUND"))
    assert none["Short circuit"] == ("none found", "22 of 22 half cycles could tell")
    assert none["Critical current density"][0] == "–"


def test_the_table_of_half_cycles_is_the_stored_one(results: Path) -> None:
    shown = grid(page_of(results, "SHORTED"), "Stripping and plating")
    halves = stored(results, "stripping_plating", "SHORTED").to_dicts()
    assert len(shown) == len(halves) == 22
    columns = {
        "Overpotential, mean (mV)": "mean_overpotential_mv", "end (mV)": "end_overpotential_mv",
        "peak (mV)": "peak_overpotential_mv", "Polarisation (Ω cm²)": "polarisation_ohm_cm2",
        "Current density (mA/cm²)": "current_density_ma_per_cm2", "From (h)": "start_hour",
        "Cumulative (mAh/cm²)": "cumulative_areal_charge_mah_per_cm2",
    }  # fmt: skip
    for row, half in zip(shown, halves, strict=True):
        for head, column in columns.items():
            assert float(row[head].replace("−", "-")) == pytest.approx(half[column], rel=5e-3)
        assert row["Cell is"] == half["state"]


def test_the_short_is_among_the_checks_and_marked_in_the_figures(results: Path) -> None:
    page = page_of(results, "SHORTED")
    checks = [texts(each) for each in page.xpath("//*[contains(@class, 'check')]")] or [texts(page)]
    assert any("Short circuit at" in text for text in checks)
    titles = page.xpath("//h2/text()")
    assert {"Stripping and plating: voltage", "Polarisation of each half cycle",
            "Critical current density", "Short circuits"} <= set(titles)  # fmt: skip
    assert "Short circuits" not in page_of(results, "SOUND").xpath("//h2/text()")


def test_the_index_says_it_at_the_cell_and_compares_nothing(results: Path) -> None:
    index = etree.HTML((results / "index.html").read_bytes())
    rows = {texts(row[0]).split()[0]: row for row in index.xpath("//table[@id='cells']/tbody/tr")}
    assert "critical current density 0.7 mA/cm² (shorted at 0.8 mA/cm²)" in texts(rows["SHORTED"])
    assert "no short" in texts(rows["SOUND"])
    assert "plating efficiency 97.0" in texts(rows["FOIL"])
    assert "%" not in texts(rows["SHORTED"])
    assert "No cell can be compared with a published one yet." in texts(index)


def test_a_foil_shows_its_plating_efficiency_by_name_and_interval(results: Path) -> None:
    row = stored(results, "plating_efficiency", "FOIL").row(0, named=True)
    value, basis = key_numbers(page_of(results, "FOIL"))["Plating efficiency"]
    assert value == f"{100 * row['efficiency']:.2f} %"
    assert f"{100 * row['efficiency_low']:.2f} %" in basis
    text = texts(page_of(results, "FOIL").xpath("//main")[0])
    assert "plating (discharge)" in text
    assert not re.search(r"(?i)retention|\bfade\b", text)
