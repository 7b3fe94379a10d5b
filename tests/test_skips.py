"""A skip is counted, and in CI it is a failure that says what is missing and what brings it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skips

LACKING = """
import pytest
pytest_plugins = []

@pytest.fixture
def browser():
    pytest.skip("no Chromium on this machine")

@pytest.mark.skipif(True, reason="LibreOffice is not installed")
def test_mark(): pass

def test_call(): pytest.skip("the corpus of real instrument files is not beside the checkout")

def test_setup(browser): pass

def test_again(browser): pass

def test_import(): pytest.importorskip("no_such_package")

@pytest.mark.parametrize("file", [])
def test_nothing_found(file): pass

@pytest.mark.skipif(True, reason="Windows has no such modes")
def test_allowed(): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False

def test_passes(): pass
"""


def run(folder: Path, source: str, *more: str, ci: str) -> tuple[int, str]:
    """Run a file of tests in a process of its own; give its exit code and what it prints."""
    (folder / "test_lacking.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    clean = {k: v for k, v in os.environ.items() if k not in {"CI", "PYTEST_ADDOPTS"}}
    path = os.pathsep.join([str(Path(skips.__file__).parent), clean.get("PYTHONPATH", "")])
    more = (*more, "-p", "xdist") if "-n" in more else more  # and no other plugin: they take long
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "skips", "-p", "no:cacheprovider", *more],
        cwd=folder, capture_output=True, text=True, check=False,
        env=clean | {"CI": ci, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["here", "workers"])
def test_on_a_desk_skips_are_counted_by_reason_in_the_closing_line(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    code, said = run(tmp_path, LACKING, *more, ci="")
    assert code == 0
    last = said.strip().splitlines()[-1]
    assert last.startswith("skipped: 7 (2 × no Chromium on this machine, 1 × ")
    for reason in ("LibreOffice is not installed", "Windows has no such modes", "no_such_package"):
        assert reason in last


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["here", "workers"])
def test_in_ci_each_is_a_failure_that_names_what_is_missing_and_what_brings_it(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    code, said = run(tmp_path, LACKING, *more, ci="true")
    assert code == 1
    assert "1 passed, 1 skipped, 1 xfailed" in said.splitlines()[-2].replace("4 failed, ", "")
    for reason, remedy in (
        ("no Chromium on this machine", "make system"),
        ("LibreOffice is not installed", "make system"),
        ("the corpus of real instrument files is not beside the checkout", "shared/"),
        ("no_such_package", "make setup"),
        ("got empty parameter set", "shared/"),
    ):
        after = said.partition(f"nothing is: {reason}")[2] or said.partition(reason)[2]
        assert remedy in after.partition("remedy: ")[2].splitlines()[0], reason
    assert said.strip().splitlines()[-1] == "skipped: 1 (1 × Windows has no such modes)"


def test_in_ci_a_whole_file_that_would_be_skipped_fails(tmp_path: Path) -> None:
    source = "import pytest\npytest.importorskip('no_such_package')\ndef test_one(): pass\n"
    code, said = run(tmp_path, source, ci="")
    assert code == 5  # nothing was run
    assert said.strip().splitlines()[-1].startswith("skipped: 1 (1 × could not import")
    code, said = run(tmp_path, source, ci="true")
    assert code == 2
    assert "remedy: make setup" in said


def test_a_run_without_skips_says_so(tmp_path: Path) -> None:
    code, said = run(tmp_path, "def test_one(): pass\n", ci="true")
    assert code == 0
    assert said.strip().splitlines()[-1] == "skipped: 0"


@pytest.mark.parametrize(
    ("said", "holds"),
    [("true", True), ("1", True), ("yes", True), ("", False), ("false", False), ("0", False)],
)
def test_ci_is_what_every_forge_sets(
    monkeypatch: pytest.MonkeyPatch, said: str, holds: bool
) -> None:
    monkeypatch.setenv("CI", said)
    assert skips.is_ci() is holds


def test_every_exception_is_a_reason_that_some_test_gives() -> None:
    here = Path(__file__)
    sources = [p.read_text("utf-8") for p in here.parent.rglob("test_*.py") if p != here]
    for words, because in skips.ALLOWED.items():
        assert any(words.removeprefix("^") in source for source in sources), words
        assert because


def test_lists_of_tests_in_the_makefile_name_what_there_is() -> None:
    root = Path(__file__).parents[1]
    named = re.findall(r"\btests/[\w/]+(?:\.py|(?=\s))", (root / "Makefile").read_text("utf-8"))
    assert len(named) > 20
    assert not [path for path in named if not (root / path).exists()]
