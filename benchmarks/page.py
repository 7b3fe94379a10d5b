"""docs/benchmarks.md, one section per script; each script replaces its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cellpipe

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = (
    "# Benchmarks\n\nMade by `make bench`. Ratios can be compared between machines, seconds can't."
)


def write_section(title: str, command: str, lines: Sequence[str]) -> None:
    """Put a section in place of the one with the same title, or at the end; print it too."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    where = (
        f"`{command}`: cellpipe {cellpipe.__version__}, Python {sys.version.split()[0]}, "
        f"{os.cpu_count()} processors."
    )
    sections[title] = "\n".join((title, "", where, "", *lines))
    print(sections[title])
    parts = (f"\n## {part.rstrip()}\n" for part in sections.values())
    PAGE.write_text("".join((HEAD, "\n", *parts)), encoding="utf-8")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Give the lines of a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
