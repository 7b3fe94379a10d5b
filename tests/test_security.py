"""Names and contents come from anybody: no path leads out of the results, nothing is run."""

from __future__ import annotations

import ast
import os
import zipfile
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.pipeline.run import process
from cellpipe.store import table_path
from cellpipe.system.scan import RawFolders
from made_files import neware_csv

ROOT = Path(__file__).parents[1]
SOURCES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "flows").glob("*.py")]
HOSTILE = [
    "../../outside", "..", ".", "/etc/passwd", "C:\\Windows\\x", "a/../../b", "CON", "x\x00y",
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{{ 7*7 }}", "{% raw %}", "$(touch x)",
    "`id`", "a'; DROP TABLE seen; --", "x" * 300, "\u202egnp.exe", "\ud800",
]  # fmt: skip


@given(st.text(max_size=300) | st.sampled_from(HOSTILE), st.sampled_from(["cycles", "timeseries"]))
def test_no_key_leads_out_of_its_table(key: str, table: str) -> None:
    folder = Path("/results")
    path = table_path(folder, table, key)
    assert path.parent == folder / "tables" / table
    assert len(os.fsencode(path.name)) < 255


def test_no_call_runs_what_is_written_in_a_file() -> None:
    forbidden = {"eval", "exec", "compile", "__import__"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden, path
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.split(".")[0] for alias in node.names}
                module = getattr(node, "module", None) or ""
                assert not ({"pickle", "marshal", "shelve"} & (names | {module})), path
            if isinstance(node, ast.keyword) and node.arg == "shell":
                raise AssertionError(f"{path} runs a shell")
            if isinstance(node, ast.Attribute) and node.attr in {"system", "popen"}:
                raise AssertionError(f"{path} runs a shell")


def test_hostile_names_of_cells_and_files_stay_text_in_the_results(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    names = [name for name in HOSTILE if "\x00" not in name and "\ud800" not in name]
    rows = [["Cell ID", "Files", "Configuration", "Comment"]]
    for number, name in enumerate(names):
        neware_csv(
            lab / f"F{number:02}_1.csv", "2026-03-02 10:00:00", rows=5, factor=1 - number / 99
        )
        rows.append([name, f"F{number:02}_*", "full", name])
    neware_csv(lab / "<img src=x onerror=alert(1)>.csv", "2026-03-09 10:00:00", rows=5)
    (lab / "cells.csv").write_text(
        "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows),
        encoding="utf-8",
    )
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)}
    summary = process(lab, out)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)} == before
    assert summary.cells.height >= len(names) - 1
    for page in [out / "index.html", *(out / "cells").glob("*.html")]:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in text
        assert "<img src=x" not in text
    for workbook in (out / "cells").glob("*.xlsx"):
        with zipfile.ZipFile(workbook) as book:
            for member in book.namelist():
                text = book.read(member).decode("utf-8", "replace")
                assert "<f>cmd" not in text
                assert not ("<f>" in text and "calc" in text)
    held = pl.read_parquet(out / "tables" / "files" / "lab.parquet")
    assert "<img src=x onerror=alert(1)>.csv" in held["path"].to_list()


@given(st.text(alphabet=st.characters(blacklist_characters="/\x00"), min_size=1, max_size=60))
def test_a_files_name_and_its_place_belong_to_each_other(name: str) -> None:
    folder = Path("/lab")
    raw = RawFolders(folder, (Path("/other"),), ())
    if name in {".", ".."}:
        return
    shown = raw.relative_name(folder / name)
    shown.encode("utf-8")
    if "\\udc" not in shown and not any(0xD800 <= ord(c) < 0xE000 for c in name):
        assert raw.path(shown) == folder / name
    assert raw.relative_name(Path("/other") / name).startswith("other/")
