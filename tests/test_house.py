"""The house stands: eight floors, imports only go down, ordinary names, files that stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import cellpipe
from cellpipe.core import errors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cellpipe"
LOOSE = {"__init__", "__main__", "_version"}
FLOORS = (  # from the top: a room imports rooms of lower floors only
    ("__main__",),
    ("cli",),
    ("flows",),
    ("service",),
    ("pipeline", "handoff", "config"),
    ("formats", "analyses", "report", "store", "cell_sheet"),
    ("numerics", "system", "baselines"),
    ("core", "_version"),
)


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name; flows/ is cellpipe.flows, as when it is installed."""
    found = {}
    for root, prefix in ((SOURCE, ("cellpipe",)), (ROOT / "flows", ("cellpipe", "flows"))):
        for path in root.rglob("*.py"):
            parts = [*prefix, *path.relative_to(root).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def module_of(name: str) -> str | None:
    """Return the module that a dotted name is, or is a name in."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None


@cache
def imports(module: str) -> frozenset[str]:
    """Return the modules that one imports: for types, within functions and by string, too."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellpipe"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("cellpipe.")}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called, given = ast.unparse(node.func), str(node.args[0].value)
            if called.endswith("flow_module"):
                found.add(f"cellpipe.flows.{given}")
            elif called.endswith("import_module") and given.startswith("cellpipe"):
                found.add(given)
    return frozenset(filter(None, map(module_of, found))) - {module}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def arrows() -> set[tuple[str, str]]:
    """Return which room imports which; the package's own face imports nothing but for types."""
    return {
        (room(one), room(other))
        for one in modules()
        for other in imports(one)
        if "__init__" not in {room(one), room(other)} and room(one) != room(other)
    }


def longest_chain() -> list[str]:
    """Return the longest chain of rooms in which each imports the next."""
    below: dict[str, set[str]] = {}
    for one, other in arrows():
        below.setdefault(one, set()).add(other)

    def chain(of: str, above: tuple[str, ...] = ()) -> list[str]:
        assert of not in above, f"a circle of rooms: {' → '.join((*above, of))}"
        rest = (chain(each, (*above, of)) for each in sorted(below.get(of, ())))
        return [of, *max(rest, key=len, default=[])]

    return max((chain(of) for of in sorted(below)), key=len)


def test_only_three_modules_are_loose_at_the_top_of_the_package() -> None:
    assert {path.stem for path in SOURCE.glob("*.py")} == LOOSE


def test_the_house_has_eight_floors_as_measured_from_its_imports() -> None:
    chain = longest_chain()
    print(" → ".join(chain))
    assert len(chain) <= len(FLOORS) == 8, chain


def test_every_room_is_on_a_floor_and_imports_only_go_down() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(module) for module in modules()} - {"__init__"} == set(floor)
    uphill = [
        f"{one} imports {other}"
        for one in modules()
        for other in imports(one)
        if "__init__" not in {room(one), room(other)}
        and room(one) != room(other)
        and floor[room(other)] <= floor[room(one)]
    ]
    assert not uphill


def test_no_files_import_each_other_in_a_circle() -> None:
    left = set(modules()) - {"cellpipe"}
    while left:
        free = {m for m in left if not (imports(m) & left)}
        assert free, f"a circle among {sorted(left)}"
        left -= free


def test_the_measure_sees_imports_for_types_within_functions_and_by_string() -> None:
    assert "cellpipe.flows.process" in imports("cellpipe.flows.nightly")  # by string
    assert "cellpipe.store.location" in imports("cellpipe.store.lab")
    assert "cellpipe.pipeline.compute" in imports("cellpipe.pipeline.record")  # for types
    assert "cellpipe.pipeline.run" in imports("cellpipe.cli.process")  # within a function


# Words that end as participles do, and are verbs or nouns where they end a function's name.
WORDS = {
    "read": "a verb", "split": "a verb", "cut": "a verb", "set": "a verb", "put": "a verb",
    "feed": "a verb", "embed": "a verb", "speed": "a noun", "need": "a noun", "seed": "a noun",
    "reading": "a noun: what an instrument shows", "heading": "a noun", "string": "a noun",
    "setting": "a noun", "finding": "a noun of this house", "warning": "a noun",
    "spacing": "a noun", "loading": "a noun: mg/cm²", "ring": "a noun", "encoding": "a noun",
    "token": "a noun", "screen": "a noun", "open": "a verb", "listing": "a noun",
    "listen": "a verb", "recording": "a noun: what an instrument wrote", "smoothing": "a noun",
    "mapping": "a noun", "rounding": "a noun", "cycling": "a noun: what cells do",
}  # fmt: skip
IRREGULAR = {
    "taken", "told", "swept", "kept", "made", "written", "done", "held", "begun", "sent", "shown",
    "known", "drawn", "gone", "seen", "lost", "built", "chosen", "found", "given", "said",
    "brought", "met", "left", "spelt",
}  # fmt: skip
VERBS = {  # that begin names in which a participle is what they act on: mark_changed
    "build", "check", "count", "describe", "draw", "ensure", "find", "format", "mark", "match",
    "quarantine", "read", "register", "remove", "requeue", "start", "wait",
}  # fmt: skip
SMALL_WORDS = {"at", "by", "from", "of", "on", "in", "to", "up", "anew", "whole", "aside", "beside"}
# Names that must be participles, with the reason.
EXCEPTIONS: dict[str, str] = {}


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (
        word not in WORDS and len(word) > 4 and word.endswith(("ed", "en", "ing"))
    )


def is_named_by_participle(name: str) -> bool:
    """Return whether a name's head is a participle: ``computed``, ``rows_fitted``, ``looked_at``.

    Before a noun (``queued_files``) one is an adjective, and the name is that of a thing.
    """
    words = name.strip("_").split("_")
    if words[0] in {"is", "has", "can"} or (len(words) > 1 and words[0] in VERBS):
        return False
    return is_participle(words[-1]) or (
        is_participle(words[0]) and len(words) > 1 and words[1] in SMALL_WORDS
    )


def functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{module}.{node.name}", node)
        for module, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]


def test_no_public_function_is_named_by_a_participle() -> None:
    named = {
        name
        for name, node in functions()
        if not node.name.startswith("_")
        and not any("property" in ast.unparse(each) for each in node.decorator_list)
        and is_named_by_participle(node.name)
    }
    assert named == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [("computed", True), ("rows_fitted", True), ("looked_at", True), ("read", False),
     ("queued_files", False), ("is_finished", False), ("taken", True), ("written_whole", True),
     ("atomic_write", False), ("mark_changed", False), ("sheet_finding", False), ("_noted", True)],
)  # fmt: skip
def test_the_rule_of_names_tells_procedures_from_things(name: str, is_bad: bool) -> None:
    assert is_named_by_participle(name) is is_bad


def test_docstrings_begin_with_an_imperative() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lint = settings["tool"]["ruff"]["lint"]
    assert "D" in lint["select"]
    assert "D401" not in lint["ignore"]
    for patterns in lint["per-file-ignores"].items():
        assert "D401" not in patterns[1]


def test_the_command_line_has_one_registry() -> None:
    for module, path in modules().items():
        text = path.read_text(encoding="utf-8")
        assert room(module) != "cli" or "def commands(" not in text, module
        assert "prefect.server" not in text or module.endswith("prefect_server"), module


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
