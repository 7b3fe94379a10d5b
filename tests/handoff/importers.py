"""Programs that take what is handed on, each in an environment of its own (``make importers``)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Importer:
    """A program in an environment of its own."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs

    def run(self, script: str, *arguments: str) -> str:
        command = [str(self.programs / "python"), "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


def importer(name: str) -> Importer:
    programs = ROOT / ".importers" / name / "bin"
    if not (programs.parent / "ready").is_file():
        pytest.skip("the importers are not installed: make importers")
    return Importer(programs)
