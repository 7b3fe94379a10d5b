"""Tests of one ``xdist_group`` run on one worker: what they share is made once.

pytest 9.2 names tests in a way that pytest-xdist 3.8's own ``--dist loadgroup`` takes no notice of
(its issue 1386): groups were dealt out like any tests, and every worker started a server and
processed the sample lab anew. Here the process that deals them out reads the marks where they
stand, in the files, and needs nothing of either's insides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest


def _groups_in(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = call.args[0] if call.func.attr == "xdist_group" and call.args else None
            if isinstance(name, ast.Constant):
                yield str(name.value)


@cache
def groups_of(path: Path) -> dict[str, str]:
    """Return the group of each function of a file, and under an empty name that of the file."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "pytestmark":
            found |= dict.fromkeys([""], next(_groups_in(node), ""))
        elif isinstance(node, ast.FunctionDef):
            marks = (name for each in node.decorator_list for name in _groups_in(each))
            found |= dict.fromkeys([node.name], next(marks, ""))
    return {name: group for name, group in found.items() if group}


def group_of(root: Path, nodeid: str) -> str:
    """Return what a worker is given whole: a test's group, or else the test."""
    path, _, rest = nodeid.partition("::")
    groups = groups_of(root / path)
    return groups.get(rest.partition("[")[0].partition("@")[0]) or groups.get("") or nodeid


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal tests out by their groups where ``--dist loadgroup`` asks for it."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(config.rootpath, nodeid)

    return ByGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with what takes long, so that none is left alone with it at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
