"""The page that shows how an analysis is added is followed, in a package outside of cellpipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from cellpipe import open_results

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-an-analysis.md"
FILES = (
    "cells.xlsx", "neware_csv/SSB-05_record_zh.csv", "biologic_mpt/SSB-02_01_GCPL_C02.mpt",
    "neware_xlsx/SSB-06_half_60C.xlsx",
)  # fmt: skip
BROKEN = {
    "raises": "def _compute(cell, tables):\n    raise ZeroDivisionError('made to fail')\n",
    "not_allowed": (
        "def _compute(cell, tables):\n"
        "    row = {'cell_id': [cell.cell_id], 'cycle': [0], 'accumulated_loss_ah': [0.0]}\n"
        "    return (Result('raised', pl.DataFrame(row)),)\n"
    ),
}
AROUND = (
    "import polars as pl\nfrom cellpipe import Analysis, Result\n\n{}\n"
    "ANALYSIS = Analysis('raised', needs=('cycles',), makes=('raised',), compute=_compute)\n"
)


def block(kind: str) -> str:
    page = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)
    return str(found)


def installed(site: Path, **further: str) -> None:
    """Lay the page's package into a folder as an installer would, with further entry points."""
    schemas = site / "my_lab" / "schemas"
    schemas.mkdir(parents=True)
    for package in (schemas.parent, schemas):
        (package / "__init__.py").touch()
    for name, schema, code in (
        ("accumulated_loss", "yaml", "python"),
        ("vendor_throughput", "yaml schema", "python analysis"),
    ):
        (schemas / f"{name}.yaml").write_text(block(schema), encoding="utf-8")
        (schemas.parent / f"{name}.py").write_text(block(code), encoding="utf-8")
    project = tomllib.loads(block("toml pyproject"))["project"]
    project["entry-points"]["cellpipe.analyses"] |= further
    info = site / f"my_lab-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))


def ran(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])},
    )  # fmt: skip


def lab_of(tmp_path: Path, files: tuple[str, ...] = FILES) -> Path:
    lab = tmp_path / "lab"
    lab.mkdir()
    for name in files:
        (lab / Path(name).name).write_bytes((ROOT / "sample_data" / name).read_bytes())
    return lab


def processed(site: Path, lab: Path, results: Path) -> str:
    """Process a lab; its tables are gathered from two cells on, not only from a hundred."""
    code = (
        "import sys; from cellpipe.store import consolidated; consolidated.ENOUGH = 2\n"
        "from cellpipe.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = ran(site, "-c", code, "process", str(lab), "--out", str(results))
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def told(results: Path, code: str) -> list[str]:
    findings = pl.read_parquet(results / "tables" / "findings" / "lab.parquet")
    return findings.filter(code=code)["sentence"].to_list()


@pytest.mark.slow
def test_the_pages_analyses_run_and_their_tables_are_wherever_tables_are(tmp_path: Path) -> None:
    site, lab, results = tmp_path / "site", lab_of(tmp_path), tmp_path / "results"
    installed(site)
    assert "3 cells computed" in processed(site, lab, results)
    assert not told(results, "analysis_failed")
    done = ran(site, "-c", block("python test").replace("RESULTS", results.as_posix()))
    assert done.returncode == 0, done.stderr
    look = (
        f"import cellpipe; r = cellpipe.open_results({results.as_posix()!r})\n"
        "v = r['vendor_throughput'].collect()\n"
        "print(sorted(v['cell_id'].unique()), (v['throughput_ah'] > 0).sum() > 0)"
    )
    assert ran(site, "-c", look).stdout.strip() == "['SSB-06'] True"
    for name in ("accumulated_loss", "vendor_throughput"):
        assert pl.read_parquet(results / "gathered" / f"{name}.parquet").height
    page = (results / "cells" / "SSB-02.html").read_text(encoding="utf-8")
    assert "Only of a full cell is a loss of charge known" in page
    page = (results / "cells" / "SSB-06.html").read_text(encoding="utf-8")
    assert "Further tables" in page
    assert "Sum of the charging and the discharging counter at the end of the cycle, in Ah;" in page
    assert "throughput_ah (Ah)" in page
    book = fastexcel.read_excel(results / "cells" / "SSB-06.xlsx")
    stored = pl.read_parquet(results / "tables" / "vendor_throughput" / "SSB-06.parquet")
    shown = book.load_sheet("vendor_throughput").to_polars()
    assert shown["throughput_ah (Ah)"].to_list() == pytest.approx(
        stored["throughput_ah"].to_list(), rel=1e-14
    )
    assert "accumulated_loss" in book.sheet_names


@pytest.mark.slow
@pytest.mark.parametrize("how", [*BROKEN, "not importable", "no schema"])
def test_a_packages_analysis_that_fails_costs_itself_only(tmp_path: Path, how: str) -> None:
    site, lab, results = tmp_path / "site", lab_of(tmp_path, FILES[:3]), tmp_path / "results"
    installed(site, broken="my_lab.broken:ANALYSIS")
    if how in BROKEN:
        (site / "my_lab" / "broken.py").write_text(AROUND.format(BROKEN[how]))
    if how == "no schema":
        (site / "my_lab" / "broken.py").write_text(AROUND.format(BROKEN["raises"]))
    else:
        schema = block("yaml").replace("table: accumulated_loss", "table: raised")
        (site / "my_lab" / "schemas" / "raised.yaml").write_text(schema, encoding="utf-8")
    said = processed(site, lab, results)
    assert "2 cells computed" in said
    assert "a part of 2 cells failed" in " ".join(said.split())
    name = "raised" if how in BROKEN else "broken"
    sentences = told(results, "analysis_failed")
    assert len(sentences) == 2
    assert all(sentence.startswith(f"The analysis {name} failed (") for sentence in sentences)
    expected = {
        "raises": "ZeroDivisionError: made to fail", "not_allowed": "cycle is below 1",
        "not importable": "No module named 'my_lab.broken'",
        "no schema": "no schema called 'raised'",
    }[how]  # fmt: skip
    assert expected in sentences[0]
    for cell in ("SSB-02", "SSB-05"):
        page = (results / "cells" / f"{cell}.html").read_text(encoding="utf-8")
        assert f"The analysis {name} failed (" in page.split("<h2")[0]
        assert "<svg" in page
    assert open_results(results)["cycles"].collect()["cell_id"].n_unique() == 2
    assert "Traceback (most recent call last)" in (results / "cellpipe.log").read_text()
    again = processed(site, lab, results)
    assert "Nothing new" in again


def test_a_second_schema_of_one_name_is_an_error(tmp_path: Path) -> None:
    installed(tmp_path)
    schemas = tmp_path / "my_lab" / "schemas"
    (schemas / "cycles.yaml").write_text("table: cycles\n", encoding="utf-8")
    done = ran(tmp_path, "-c", "from cellpipe import contracts; contracts.table_names()")
    assert "a second schema called 'cycles'; expected one for each table" in done.stderr
