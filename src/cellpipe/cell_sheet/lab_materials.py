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

LARGEST = 1 << 20  # bytes: a list of a thousand materials has a third of it


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
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        raise ValueError("found an alias (*), expected each entry written out")
    given = load_yaml(text)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ValueError("found no entries, expected 'name:' and its fields below")
    return {str(name): entry for name, entry in given.items()}


def _finding(sentence: str, level: Level = "warning") -> Finding:
    return Finding(level, "materials", f"{MATERIALS_NAME}: {sentence}.")
