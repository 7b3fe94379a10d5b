"""The docs are true: commands and examples in them are run, and the site is built from them."""

from __future__ import annotations

import configparser
import contextlib
import io
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defusedxml import ElementTree

import cellpipe
from cellpipe.cli.main import command_names, main
from cellpipe.config.settings import read_settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- (?P<doing>\w+): (?P<what>[^>]*) -->\s*)?"
    r"^(?P<indent> *)```(?P<kind>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
ELSEWHERE = {
    "materials.md": "tests/test_materials.py",
    "add-a-format.md": "tests/formats/test_add_a_format.py",
    "read-the-results.md": "tests/handoff/test_other_programs.py",
    "add-an-analysis.md": "tests/analyses/test_add_an_analysis.py",
}  # pages whose Python has a test of its own
SHOWN = {"", "text", "{toctree}", "{eval-rst}"}  # nothing to run


def blocks(page: Path, kind: str | None = None) -> Iterator[tuple[str, dict[str, str]]]:
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        parts = {name: text or "" for name, text in found.groupdict().items()}
        lines = parts["text"].splitlines()
        text = "\n".join(line.removeprefix(parts["indent"]) for line in lines) + "\n"
        if kind is None or parts["kind"] == kind:
            yield text, parts


def with_kind(kind: str) -> list[Path]:
    return [page for page in PAGES if any(blocks(page, kind))]


def named(page: Path) -> str:
    return page.name


def test_every_example_is_of_a_kind_that_is_run() -> None:
    run = {"console", "python", "toml", "ini", "xml", "powershell"}
    for page in PAGES:
        kinds = {parts["kind"].split(" ")[0] for _, parts in blocks(page)}
        if page.name in ELSEWHERE:
            assert (ROOT / ELSEWHERE[page.name]).is_file()
            kinds -= {"python", "yaml"}
        assert kinds <= run | SHOWN, (page.name, kinds)


def said_by(command: str) -> str:
    """Run a line as a terminal would; give what it prints."""
    program, *words = shlex.split(command)
    assert program == "cellpipe", command
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    assert code in {0, 1, 2}, shown.getvalue()
    return shown.getvalue()


def is_shown(expected: str, said: str) -> bool:
    """Whether what a page shows was said; … stands for anything."""
    parts = [re.escape(part) for part in re.split(r"\s*…\s*", expected.strip())]
    return re.fullmatch(r"[\s\S]*?".join(parts), said.strip()) is not None


@pytest.mark.slow
@pytest.mark.parametrize("page", with_kind("console"), ids=named)
def test_commands_say_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "128")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for text, parts in blocks(page):
        if parts["doing"] == "here":
            shutil.copytree(ROOT / parts["what"], tmp_path / parts["what"], dirs_exist_ok=True)
        if parts["doing"] == "copy":
            there, here = parts["what"].split()
            shutil.copytree(there, here, dirs_exist_ok=True)
        if parts["kind"] == "python":
            exec(compile(text, page.name, "exec"), {})  # noqa: S102 - the page's own example
        if parts["kind"] == "console":
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, expected = step.partition("\n")
                if command.startswith("cd "):
                    monkeypatch.chdir(command.removeprefix("cd "))
                    continue
                said = said_by(command)
                assert is_shown(expected, said), f"{command}\n{said}"


@pytest.mark.xdist_group("sample")
def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, sample_run: Any) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = (text for text, _ in blocks(ROOT / "README.md", "python"))
    code = example.replace("RESULTS", sample_run.lab.results.as_posix())
    frequency = np.geomspace(1e6, 1e-2, 60)
    impedance = 10 + 50 / (1 + 2j * np.pi * frequency * 1e-3)
    names = {"frequency_hertz": frequency, "impedance_ohm": impedance}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    assert names["fit"].values["R0"] == pytest.approx(10, rel=0.01)


def test_settings_on_the_pages_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "cellpipe.toml"
    seen = 0
    for page in with_kind("toml"):
        for text, _ in blocks(page, "toml"):
            lab = "" if "[[lab]]" in text else "[[lab]]\nfolder = 'a'\nresults = 'b'\n"
            path.write_text(text + lab, encoding="utf-8")
            assert read_settings(path).lab
            seen += 1
    assert seen >= 4


def test_what_starts_it_by_itself_is_what_each_system_reads() -> None:
    page = ROOT / "docs" / "every-night.md"
    service, timer = (configured(text) for text, _ in blocks(page, "ini"))
    assert service["Install"]["WantedBy"] == "multi-user.target"
    assert timer["Timer"]["Persistent"] == "true"
    task, agent = (text for text, _ in blocks(page, "xml"))
    name = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    run = ElementTree.fromstring(task.partition("?>")[2]).find(f"{name}Actions/{name}Exec")
    words = [
        service["Service"]["ExecStart"].split()[1:],
        run.findtext(f"{name}Arguments").split(),
        plistlib.loads(agent.encode())["ProgramArguments"][1:],
    ]
    for command, option, path in words:
        assert command in command_names()
        assert option in help_of(command)
        assert path.endswith("cellpipe.toml")


def configured(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    return unit


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not on this machine"
)
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    page = ROOT / "docs" / "every-night.md"
    for (text, _), name in zip(blocks(page, "ini"), ("a.service", "a.timer"), strict=True):
        own = text.replace("/opt/cellpipe/.venv/bin/cellpipe", sys.executable)
        (tmp_path / name).write_text(own.replace("User=cellpipe\n", ""), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "a.service"), str(tmp_path / "a.timer")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def help_of(command: str) -> str:
    return said_by(f"cellpipe {command} --help")


def test_every_command_on_a_page_is_one_that_there_is() -> None:
    for page in PAGES:
        for line in re.findall(r"`cellpipe ([^`]+)`", page.read_text(encoding="utf-8")):
            word, *rest = re.split(r"\s+", line)
            if word.startswith("-") or word in {"…", "COMMAND"}:
                continue
            assert word in command_names(), (page.name, line)
            options = {w.rstrip(".,;") for w in rest if re.match(r"--[a-z]", w)}
            options = {each.partition("=")[0] for each in options}
            shown = help_of(word)
            assert all(option in shown for option in options), (page.name, line)


def test_the_page_on_python_lists_every_exported_name() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(cellpipe.__all__)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"),
         str(tmp_path / "site"), "-d", str(tmp_path / "trees")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in pages} >= {page.stem for page in PAGES} - {
        "README",
        "CONTRIBUTING",
    }
    outside = re.compile(r'(?:src|rel="stylesheet" href)="(https?:)?//')
    assert not [page.name for page in pages if outside.search(page.read_text(encoding="utf-8"))]


def test_every_link_on_a_page_leads_somewhere() -> None:
    for page in PAGES:
        text = re.sub(
            r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), (page.name, target)


def test_exported_functions_say_what_they_take_give_and_raise() -> None:
    for name in cellpipe.__all__:
        told = getattr(cellpipe, name)
        assert told.__doc__, name
        if not isinstance(told, type):
            for part in ("Parameters", "Returns", "Raises"):
                assert f"{part}\n    ---" in told.__doc__, (name, part)


def test_each_promise_on_the_page_on_security_names_a_test_that_there_is() -> None:
    promises = (
        (ROOT / "docs" / "security.md")
        .read_text(encoding="utf-8")
        .partition("## What is promised")[2]
    )
    rows = [row for row in promises.partition("## What is not")[0].splitlines() if "tests/" in row]
    assert len(rows) >= 15
    for row in rows:
        for file, _, name in re.findall(r"`(tests/[a-z_/]+\.py)(::(\w+))?`", row):
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {name}(" in text if name else "def test_" in text, (file, name)
