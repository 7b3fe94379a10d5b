"""A lab's own materials: ``materials.yaml`` beside the cell sheet, under the list's own contract.

An entry that violates it is left out with a finding that names entry, field and what is expected;
the others are used.
"""

from __future__ import annotations

from pathlib import Path

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
        given = _parse(read_regular(path).decode("utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return known_materials(), (_finding(f"{said}; none of its materials is used", "error"),)
    materials, faults = merge_entries(given)
    findings = [
        _finding(f"entry {name}, {fault}; the entry is not used") for name, fault in faults.items()
    ]
    return materials, tuple(findings)


def _parse(text: str) -> dict[str, dict[str, object]]:
    """Return the entries of a text of YAML; raise ValueError or YAMLError if it has none."""
    _check_structure(text)
    given = load_yaml(text)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ValueError("found no entries, expected 'name:' and its fields below")
    return {str(name): entry for name, entry in given.items()}


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
