"""A lab's own materials: ``materials.yaml`` beside the cell sheet, under the list's own contract.

An entry that violates it, or stands twice, is left out with a finding that names entry, field and
what is expected; the others are used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cellpipe.baselines.known_materials import Materials, known_materials, merge_entries
from cellpipe.core.contracts.columns import load_yaml
from cellpipe.core.model import Finding, Level
from cellpipe.system.regular_files import read_regular
from cellpipe.system.scan import MATERIALS_NAME

LARGEST = 1 << 18  # bytes: a list of hundreds of materials
_DEEPEST = 4  # an entry of a list has a field of a list or of sources


def read_lab_materials(path: Path) -> tuple[Materials, tuple[Finding, ...]]:
    """Return the known materials with those of a lab's file, and what could not be used of it.

    A file that is not there adds nothing.
    """
    try:
        if not path.exists():
            return known_materials(), ()
        if path.stat().st_size > LARGEST:
            raise ValueError(f"found a file of more than {LARGEST:,} bytes, expected a short list")
        given, broken = _parse(read_regular(path).decode("utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        said = _describe(error) or type(error).__name__
        return known_materials(), (_finding(f"{said}; none of its materials is used", "error"),)
    materials, faults = merge_entries(given)
    findings = [
        _finding(f"entry {name}, {fault}; the entry is not used")
        for name, fault in (broken | faults).items()
    ]
    return materials, tuple(findings)


def _parse(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the entries of a text of YAML by their names as written, and why some are none.

    Raise ValueError or YAMLError if it has no entries at all.
    """
    _check_structure(text)
    root = yaml.compose(text, yaml.SafeLoader)
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("found no entries, expected 'name:' and its fields below")
    lines: dict[str, list[int]] = {}
    given: dict[str, Any] = {}
    broken: dict[str, str] = {}
    for key, node in root.value:
        name = str(key.value)
        lines.setdefault(name, []).append(key.start_mark.line + 1)
        try:
            given[name] = load_yaml(yaml.serialize(node))
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or str(error)
            broken[name] = f"in the lines from {lines[name][-1]}: {problem}"
    for name, places in lines.items():
        if len(places) > 1:
            broken[name] = f"it stands twice, in lines {' and '.join(map(str, places))}"
    return {name: entry for name, entry in given.items() if name not in broken}, broken


def _describe(error: Exception) -> str:
    """Return what is wrong, with the line where it is known."""
    if isinstance(error, UnicodeDecodeError):
        return "found no text in UTF-8, expected a file that was saved in it"
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
    said = error.problem or "it can't be read"
    if "\\t" in said:
        said = "found a tab, expected spaces before a field"
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}"


def _check_structure(text: str) -> None:
    """Raise ValueError for what unfolds to more than stands there, or is nested too deeply."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("found an alias (*), expected each entry written out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError("found lists within lists, expected entries and their fields")


def _finding(sentence: str, level: Level = "warning") -> Finding:
    return Finding(level, "materials", f"{MATERIALS_NAME}: {sentence}.")
