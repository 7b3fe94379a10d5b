"""The house stands: imports only go down, the face is what it says, and files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cellpipe
from cellpipe.core import errors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cellpipe"
FLOORS = {
    "errors": 1, "numerics": 1,
    "contracts": 2, "domain": 2, "cell_fields": 2, "result_files": 2, "raw_folders": 2,
    "formats": 3, "analyses": 3, "baselines": 3, "store": 3, "report": 3,
    "cell_history": 4, "cell_row": 3, "cell_sheet": 3, "cell_sheet_template": 3,
    "intake": 4, "cell_inputs": 4, "eis": 4, "pipeline": 4, "lab": 4, "sheet_copy": 4, "workers": 1,
    "finished": 4, "progress": 1, "time_zones": 1, "workspace": 4, "doctor": 4, "hand_out": 5,
    "handoff": 3, "limits": 3, "hand_on": 4,
    "settings": 2, "watch": 4, "night": 4, "upkeep": 4,
    "first_steps": 5, "night_shift": 5, "command_options": 5, "upkeep_commands": 5,
    "supervisor": 5, "ledger_view": 5, "eis_view": 5,
    "cli": 5, "terminal": 5, "prefect_run": 5, "__main__": 5,
}  # fmt: skip


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "cellpipe":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("cellpipe."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("cellpipe.")}
    return found & set(FLOORS)


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(path) for path in SOURCE.rglob("*.py")} - {"__init__"}
    assert rooms == set(FLOORS)


def test_imports_only_go_down() -> None:
    uphill = [
        f"{path.relative_to(SOURCE)} imports {other}"
        for path in SOURCE.rglob("*.py")
        for other in imports(path)
        if room(path) != "__init__" and FLOORS[other] > FLOORS[room(path)]
    ]
    assert not uphill


def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle() -> None:
    edges = {
        (room(path), other)
        for path in SOURCE.rglob("*.py")
        for other in imports(path)
        if room(path) not in {"__init__", other}
    }
    left = set(FLOORS)
    while left:
        free = {r for r in left if not any(a == r and b in left for a, b in edges)}
        assert free, f"a circle among {left}"
        left -= free


def test_only_flows_knows_prefect() -> None:
    for path in SOURCE.rglob("*.py"):
        assert not re.search(
            r"^\s*(from|import) prefect\b", path.read_text(encoding="utf-8"), re.MULTILINE
        )


def test_flows_does_no_arithmetic_with_frames() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        assert "import polars" not in path.read_text(encoding="utf-8")


def test_the_face_holds_what_it_names_and_nothing_else() -> None:
    for name in cellpipe.__all__:
        assert getattr(cellpipe, name) is not None
    with pytest.raises(AttributeError):
        cellpipe.no_such_name  # noqa: B018


def test_help_imports_nothing_heavy() -> None:
    heavy = ("polars", "numpy", "prefect", "matplotlib", "lmfit", "pandera", "rich", "pydantic")
    script = (
        "import sys; from cellpipe.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "process" in done.stdout


def test_checking_a_good_file_imports_only_what_reads_it() -> None:
    heavy = ("pandera", "pandas", "pyarrow", "scipy", "lmfit", "matplotlib", "prefect")
    file = ROOT / "sample_data/neware_csv/SSB-05_record_zh.csv"
    script = (
        "import sys; from cellpipe.cli.main import main\n"
        f"main(['check', {str(file)!r}])\n"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "timeseries" in done.stdout


def test_plain_processing_needs_no_prefect() -> None:
    script = "import sys, cellpipe.pipeline.run, cellpipe.report; print('prefect' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_files_and_functions_can_be_seen_whole() -> None:
    paths = [*SOURCE.rglob("*.py"), *(ROOT / "flows").glob("*.py")]
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in paths}
    assert max(lengths.values()) <= 400, lengths
    bodies = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                bodies.append(lines)
    bodies.sort()
    assert bodies[int(0.9 * len(bodies))] <= 25


def test_no_page_or_source_names_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    text = {".py", ".md", ".yaml", ".toml", ".j2", ".cfg", ""}
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in text and path.is_file() and path.stat().st_size < 500_000:
            assert not re.search(r"/(home|root|tmp)/\w", path.read_text(encoding="utf-8")), name


def test_every_error_says_what_was_expected_and_what_to_do() -> None:
    kinds = {kind.__name__ for kind in _kinds(errors.CellpipeError)}
    silent = []
    for path in [*SOURCE.rglob("*.py"), *(ROOT / "flows").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in kinds:
                said = {keyword.arg for keyword in node.keywords}
                if not {"expected", "remedy"} <= said:
                    silent.append(f"{path.name}:{node.lineno}")
    assert not silent


def _kinds(kind: type) -> list[type]:
    return [kind, *(below for each in kind.__subclasses__() for below in _kinds(each))]
