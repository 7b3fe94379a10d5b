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


# Names of the package's face, and the modules that hold them.
FACE = {name: f"cellpipe.{home}" for name, home in {**cellpipe._HOMES, **cellpipe._MODULES}.items()}
LOADERS = {"import_module", "__import__", "resolve_name", "run_module", "flow_module"}
# Imports whose module the source doesn't say, by module and text, with the reason.
COMPUTED = {
    ("cellpipe", 'import_module(f"cellpipe.{_MODULES[name]}")'): "the face: its users are charged",
    ("cellpipe", 'import_module(f"cellpipe.{_HOMES[name]}")'): "the face: its users are charged",
    ("cellpipe.store", 'import_module(f"cellpipe.store.{home}")'): "its own room, on first access",
    ("cellpipe.system.child_processes",
        'runpy.run_module(command[1], run_name="__main__", alter_sys=True)'):
        "start_module: whoever calls it names the module",
    ("cellpipe.core.checkout", 'importlib.import_module(f"cellpipe.flows.{name}")'):
        "flow_module: whoever calls it is charged",
    ("cellpipe.system.worker_process", "importlib.import_module"):
        "called in the worker, with the name that the command line gives",
}  # fmt: skip


def module_of(name: str) -> str | None:
    """Return the module that a dotted name is, or is a name in; a name of the face, its home."""
    top = ".".join(name.split(".")[:2])
    if top not in modules() and top.startswith("cellpipe."):
        name = FACE.get(top.removeprefix("cellpipe."), name)
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None


@cache
def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(source_of(path))


def absolute(name: str, level: int, package: str) -> str:
    """Return the full name of what is ``level`` dots and ``name`` within a package."""
    above = package.split(".")
    return ".".join(filter(None, [*above[: len(above) - level + 1], name])) if level else name


def dotted(node: ast.expr, bound: dict[str, str]) -> str:
    """Return ``a.b.c`` by the names that imports bound; what is no name is ``?``."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([bound.get(node.id, node.id) if isinstance(node, ast.Name) else "?", *parts])


def text_in(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def loaded(call: ast.Call, loader: str, package: str) -> str | None:
    """Return the name that a call imports; None if the source doesn't say, or says the face."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    name = text_in(call.args[0] if call.args else keywords.get("name"))
    others = [*call.args[1:], *(value for key, value in keywords.items() if key != "name")]
    if name is None or name == "cellpipe" or (loader == "__import__" and others):
        return None
    if loader == "flow_module":
        return f"cellpipe.flows.{name}"
    if name.startswith("."):
        given = others[0] if others else None
        is_own = isinstance(given, ast.Name) and given.id == "__package__"
        anchor = package if is_own else text_in(given)
        short = name.lstrip(".")
        return absolute(short, len(name) - len(short), anchor) if anchor else None
    return name.replace(":", ".")


def names_bound(tree: ast.Module, package: str) -> tuple[set[str], dict[str, str]]:
    """Return what import statements name, and which names they bind to it."""
    names: set[str] = set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = absolute(node.module or "", node.level, package)
            for alias in node.names:
                names.add(f"{base}.{alias.name}")
                bound[alias.asname or alias.name] = f"{base}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names.add(alias.name)
                top = alias.name.split(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
    if "cellpipe.*" in names:
        names |= {f"cellpipe.{name}" for name in FACE}
    return names, bound


def asked_for(
    node: ast.AST, bound: dict[str, str], package: str
) -> tuple[ast.expr, str | None] | None:
    """Return the loader, face or ``sys.modules`` that a node asks, and the name it asks for.

    None if the node asks none of them; the name is None where the source doesn't say it.
    """
    if isinstance(node, ast.Subscript) and dotted(node.value, bound) == "sys.modules":
        name = text_in(node.slice)
        return node.value, None if name == "cellpipe" else name
    if not isinstance(node, ast.Call):
        return None
    called = dotted(node.func, bound).rpartition(".")[2]
    if called in LOADERS:
        return node.func, loaded(node, called, package)
    if called == "getattr" and node.args[1:] and dotted(node.args[0], bound) == "cellpipe":
        name = text_in(node.args[1])
        return node.args[0], name and f"cellpipe.{name}"
    return None


def imports_in(
    source: str, module: str, is_package: bool = False, tree: ast.Module | None = None
) -> tuple[set[str], set[str]]:
    """Return the names that a source imports, and the expressions that don't say what they import.

    Of the latter kind is the face, a loader or ``sys.modules`` that is handed on.
    """
    tree = tree or ast.parse(source)
    package = module if is_package else module.rpartition(".")[0]
    names, bound = names_bound(tree, package)
    unsaid: list[ast.expr] = []
    done: set[ast.AST] = set()  # parents are walked before what they hold
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and (asked := asked_for(node, bound, package)):
            done.add(asked[0])
            names |= {asked[1]} if asked[1] else set()
            unsaid += [] if asked[1] else [node]
        elif isinstance(node, ast.Attribute | ast.Name) and node not in done:
            full = dotted(node, bound)
            if full.startswith("cellpipe."):
                names.add(full)
            if isinstance(node, ast.Attribute) and dotted(node.value, bound) == "cellpipe":
                done.add(node.value)
            if full in {"cellpipe", "sys.modules"} or full.rpartition(".")[2] in LOADERS:
                unsaid.append(node)
    return names, {ast.get_source_segment(source, node) or "" for node in unsaid}


@cache
def measured(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the modules that one imports, and its imports that don't say of what."""
    path = modules()[module]
    names, unsaid = imports_in(source_of(path), module, path.name == "__init__.py", tree_of(path))
    return frozenset(filter(None, map(module_of, names))) - {module}, frozenset(unsaid)


def imports(module: str) -> frozenset[str]:
    """Return the modules that one imports: for types, within functions and by string, too."""
    return measured(module)[0]


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


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("from .. import pipeline", "cellpipe.pipeline"),
        ("from ..pipeline import run", "cellpipe.pipeline.run"),
        ("from .contracts import load_schema", "cellpipe.core.contracts"),
        ("from . import contracts", "cellpipe.core.contracts"),
        ("from cellpipe import process", "cellpipe.pipeline.run"),
        ("from cellpipe import process as p", "cellpipe.pipeline.run"),
        ("from .. import process", "cellpipe.pipeline.run"),
        ("from cellpipe import *", "cellpipe.pipeline.run"),
        ("from cellpipe import contracts", "cellpipe.core.contracts"),
        ("from cellpipe import analyses", "cellpipe.analyses"),
        ("from cellpipe import formats", "cellpipe.formats"),
        ("from cellpipe import report", "cellpipe.report"),
        ("from cellpipe import report\nreport.html.index.x()", "cellpipe.report.html.index"),
        ("import cellpipe\ncellpipe.process()", "cellpipe.pipeline.run"),
        ("import cellpipe as c\ndef f():\n    return c.process()", "cellpipe.pipeline.run"),
        ("import cellpipe.core.model\ncellpipe.open_results", "cellpipe.store"),
        ("import cellpipe\ngetattr(cellpipe, 'process')", "cellpipe.pipeline.run"),
        ("import importlib\nimportlib.import_module(name='cellpipe.store.lab')",
         "cellpipe.store.lab"),
        ("from importlib import import_module\nimport_module('.store', 'cellpipe')",
         "cellpipe.store"),
        ("import importlib as i\ni.import_module('.model', package=__package__)",
         "cellpipe.core.model"),
        ("from importlib import import_module as load\nload('cellpipe.store.lab')",
         "cellpipe.store.lab"),
        ("__import__('cellpipe.store.lab')", "cellpipe.store.lab"),
        ("import pkgutil\npkgutil.resolve_name('cellpipe.store:open_results')", "cellpipe.store"),
        ("from pkgutil import resolve_name as r\nr('cellpipe.store.lab')", "cellpipe.store.lab"),
        ("import sys\nsys.modules['cellpipe.store.lab']", "cellpipe.store.lab"),
        ("from cellpipe.core.checkout import flow_module as f\nf(name='process')",
         "cellpipe.flows.process"),
    ],
)  # fmt: skip
def test_the_measure_sees_an_import_however_it_is_written(source: str, seen: str) -> None:
    names, unsaid = imports_in(source, "cellpipe.core.made_up")
    assert seen in set(map(module_of, names))
    assert not unsaid


def test_dots_count_from_the_package_itself_in_its_own_file() -> None:
    assert imports_in("from .run import f", "cellpipe.pipeline", is_package=True)[0] == {
        "cellpipe.pipeline.run.f"
    }


@pytest.mark.parametrize(
    "expression",
    [
        "import_module(f'cellpipe.{x}')", "import_module('cellpipe.' + x)", "import_module(x)",
        "import_module(name=x)", "import_module('.x', x)", "import_module(*x)",
        "import_module('cellpipe')", "__import__('cellpipe', fromlist=['store'])",
        "pkgutil.resolve_name(x)", "flow_module(x)", "sys.modules[x]", "sys.modules['cellpipe']",
        "sys.modules.get('cellpipe.store')", "load = importlib.import_module",
        "map(import_module, x)", "face = cellpipe", "vars(cellpipe)", "getattr(cellpipe, x)",
    ],
)  # fmt: skip
def test_the_measure_sees_an_import_that_does_not_say_of_what(expression: str) -> None:
    assert imports_in(expression, "cellpipe.core.made_up")[1]


def test_only_listed_places_import_what_their_source_does_not_say() -> None:
    unsaid = {(module, text) for module in modules() for text in measured(module)[1]}
    assert unsaid == set(COMPUTED)


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
    "begun", "bent", "bled", "blown", "born", "borne", "bought", "bred", "brought", "built",
    "burnt", "caught", "chosen", "clung", "come", "crept", "dealt", "done", "drawn", "dreamt",
    "drunk", "dug", "fed", "felt", "fled", "flown", "flung", "fought", "found", "given", "gone",
    "got", "gotten", "grown", "had", "heard", "held", "hewn", "hid", "hung", "kept", "knelt",
    "known", "laid", "lain", "leapt", "learnt", "led", "left", "lent", "lit", "lost", "made",
    "meant", "met", "mown", "paid", "rung", "said", "sat", "sawn", "seen", "sent", "sewn",
    "shone", "shorn", "shot", "shown", "shrunk", "slain", "slept", "slid", "slung", "sold",
    "sought", "sown", "sped", "spelt", "spent", "spilt", "spoilt", "sprung", "spun", "stood",
    "struck", "strung", "stuck", "stung", "sung", "sunk", "swept", "swore", "sworn", "swum",
    "swung", "taken", "taught", "thrown", "told", "torn", "understood", "wept", "won", "worn",
    "wound", "written", "wrung",
}  # fmt: skip
AGAIN = re.compile("^(re|un|over|under|out|mis|with|up)")  # rebuilt, unsent, withheld
SMALL_WORDS = {
    "about", "after", "again", "against", "alone", "along", "already", "among", "anew", "apart",
    "around", "as", "aside", "at", "away", "back", "before", "below", "beside", "between",
    "beyond", "by", "down", "during", "elsewhere", "first", "for", "forward", "from", "here",
    "how", "if", "in", "into", "last", "later", "left", "off", "on", "once", "only", "onto",
    "out", "over", "past", "per", "since", "so", "still", "than", "then", "there", "through",
    "to", "together", "too", "twice", "under", "until", "up", "upon", "well", "when", "whole",
    "with", "within", "without", "yet",
}  # fmt: skip
# Names that end in a participle, with the reason.
EXCEPTIONS = {
    "cellpipe.report.wording.format_fixed": "fixed, not scientific: how the number is written",
    "cellpipe.pipeline.cleanup.remove_outdated": "removes the files that are out of date",
    "cellpipe.baselines.verdict.describe_standing": "a noun: where a cell stands",
    "cellpipe.formats.tabular.records.match_required": "matches the columns that are required",
    "cellpipe.numerics.impedance.kramers_kronig.find_isolated": "finds the points that are alone",
    "cellpipe.service.prefect_server.wait_until_recorded": "until is a clause: what it waits for",
    "cellpipe.service.supervisor.ensure_running": "the state that it brings about",
    "cellpipe.service.watch.stability.mark_changed": "the state that it marks",
    "cellpipe.service.watch.stability.mark_gone": "the state that it marks",
    "cellpipe.store.manifest.register_existing": "registers the files that are there",
    "cellpipe.store.manifest.quarantine_damaged": "moves the files that are damaged",
}


def is_participle(word: str) -> bool:
    return bool({word, AGAIN.sub("", word)} & IRREGULAR) or (
        word not in WORDS and len(word) > 4 and word.endswith(("ed", "en", "ing"))
    )


def is_named_by_participle(name: str) -> bool:
    """Return whether a name's head is a participle: ``computed``, ``rows_fitted``, ``looked_at``.

    Before a noun (``queued_files``) one is an adjective, and the name is that of a thing.
    """
    words = name.strip("_").split("_")
    if words[0] in {"is", "has", "can"}:
        return False
    following = [*words[1:], "up"]
    return any(
        is_participle(word) and after in SMALL_WORDS
        for word, after in zip(words, following, strict=True)
    )


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    kinds = {"property", "cached_property", f"{node.name}.setter"}
    return any(ast.unparse(each) in kinds for each in node.decorator_list)


def function_names(tree: ast.Module) -> set[str]:
    """Return the public functions of a source, lambdas that are given a name too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names |= set() if is_property(node) else {node.name}
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(node.value, ast.Lambda):
                names |= {ast.unparse(each).rpartition(".")[2] for each in targets}
    return {name for name in names if not name.startswith("_")}


def test_no_public_function_is_named_by_a_participle() -> None:
    named = {
        f"{module}.{name}"
        for module, path in modules().items()
        for name in function_names(tree_of(path))
        if is_named_by_participle(name)
    }
    assert named == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("source", "is_seen"),
    [
        ("def rows_computed(): ...", True),
        ("async def rows_computed(): ...", True),
        ("class A:\n    async def rows_computed(self): ...", True),
        ("rows_computed = lambda rows: rows", True),
        ("rows_computed: F = lambda rows: rows", True),
        ("@property_of(x)\ndef rows_computed(): ...", True),
        ("@not_a_property\ndef rows_computed(): ...", True),
        ("@other.setter\ndef rows_computed(): ...", True),
        ("@property\ndef rows_computed(self): ...", False),
        ("@cached_property\ndef rows_computed(self): ...", False),
        ("@rows_computed.setter\ndef rows_computed(self, rows): ...", False),
        ("rows_computed = 3", False),
    ],
)
def test_the_rule_of_names_sees_functions_however_they_are_made(source: str, is_seen: bool) -> None:
    assert ("rows_computed" in function_names(ast.parse(source))) is is_seen


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [("computed", True), ("rows_fitted", True), ("looked_at", True), ("read", False),
     ("queued_files", False), ("is_finished", False), ("taken", True), ("written_whole", True),
     ("atomic_write", False), ("sheet_finding", False), ("_noted", True), ("torn", True),
     ("files_bought", True), ("rows_rebuilt", True), ("message_unsent", True),
     ("check_computed", True), ("read_stored", True), ("mark_changed", True),
     ("computed_for", True), ("computed_with", True), ("rows_kept_whole", True),
     ("read_stored_cells", False), ("lost_reason", False), ("on_broken_pipe", False)],
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
