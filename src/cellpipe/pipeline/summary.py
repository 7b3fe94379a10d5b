"""What a run did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from cellpipe.core.model import CONTRADICTION
from cellpipe.store import Results
from cellpipe.store.lab import Lab
from cellpipe.system.scan import Failure


def open_contradictions(findings: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield each cell, with a sentence, that contradicts physics by the table ``findings``."""
    found = findings.filter(pl.col("code").str.starts_with(CONTRADICTION))
    yield from found.select("cell_id", "sentence").iter_rows()


@dataclass(frozen=True)
class Summary:
    """What a run did. ``files`` and ``findings`` are the lab's tables as they now stand.

    ``reread`` counts the files that were read again because the version of their format or the
    time zone changed; ``computed`` names the analyses that ran, by cell.
    """

    lab: Lab
    read: int
    reread: int
    unchanged: int
    ignored: tuple[str, ...]
    cells_updated: int
    failures: tuple[Failure, ...]
    files: pl.DataFrame
    findings: pl.DataFrame
    unreachable: tuple[Failure, ...] = ()
    computed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def cells(self) -> pl.DataFrame:
        """The table of the lab's cells."""
        ids = self.files["cell_id"].drop_nulls().unique()
        return Results(self.lab.results)["cells"].filter(
            pl.col("cell_id").is_in(ids.to_list())
        ).sort("cell_id").collect()  # fmt: skip

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.lab.results / "index.html"

    @property
    def exit_code(self) -> int:
        """0 if everything was used, 1 if something was set aside, 2 if nothing could be done."""
        if not (self.files["status"] == "used").any():
            return 2
        return 1 if self.failures else 0
