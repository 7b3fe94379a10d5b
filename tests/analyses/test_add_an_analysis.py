"""The page that shows how an analysis is added is followed, in a package outside of cellpipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-an-analysis.md"


def block(kind: str) -> str:
    page = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)
    return str(found)


def installed(site: Path) -> None:
    """Lay the page's package into a folder as an installer would."""
    schemas = site / "my_lab" / "schemas"
    schemas.mkdir(parents=True)
    for package in (schemas.parent, schemas):
        (package / "__init__.py").touch()
    (schemas / "accumulated_loss.yaml").write_text(block("yaml"), encoding="utf-8")
    (schemas.parent / "accumulated_loss.py").write_text(block("python"), encoding="utf-8")
    project = tomllib.loads(block("toml pyproject"))["project"]
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


@pytest.mark.slow
def test_a_packages_analysis_runs_and_its_table_is_under_contract(tmp_path: Path) -> None:
    site, lab, results = tmp_path / "site", tmp_path / "lab", tmp_path / "results"
    installed(site)
    lab.mkdir()
    for name in (
        "cells.xlsx",
        "neware_csv/SSB-05_record_zh.csv",
        "biologic_mpt/SSB-02_01_GCPL_C02.mpt",
    ):
        (lab / Path(name).name).write_bytes((ROOT / "sample_data" / name).read_bytes())
    done = ran(site, "-m", "cellpipe", "process", str(lab), "--out", str(results))
    assert "2 cells computed" in done.stdout, done.stderr
    done = ran(site, "-c", block("python test").replace("RESULTS", results.as_posix()))
    assert done.returncode == 0, done.stderr
    page = (results / "cells" / "SSB-02.html").read_text(encoding="utf-8")
    assert "Only of a full cell is a loss of charge known" in page


def test_a_second_schema_of_one_name_is_an_error(tmp_path: Path) -> None:
    installed(tmp_path)
    schemas = tmp_path / "my_lab" / "schemas"
    (schemas / "cycles.yaml").write_text("table: cycles\n", encoding="utf-8")
    done = ran(tmp_path, "-c", "from cellpipe import contracts; contracts.table_names()")
    assert "a second schema called 'cycles'; expected one for each table" in done.stderr
