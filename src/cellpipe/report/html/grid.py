"""Build a table as a page shows it: all texts, and which columns hold numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class GridColumn:
    """One column of a page's table: its head, its source column, and how values are written."""

    head: str
    column: str
    write: Callable[[Any], str]
    text: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of texts; ``texts`` are the indices of the columns that are not numbers.

    ``body`` is in order; ``folded`` are the rows (start, stop) that are shown on demand only.
    ``absent`` is the sentence for an empty table; ``failed``: it could not be made.
    """

    heads: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    texts: frozenset[int] = frozenset()
    folded: tuple[int, int] = (0, 0)
    absent: str = ""
    failed: bool = False

    @property
    def parts(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """The rows before the fold, in it and after it."""
        start, stop = self.folded
        return self.body[:start], self.body[start:stop], self.body[stop:]


def build_grid(
    table: pl.DataFrame, columns: Sequence[GridColumn], absent: str, *, keep_empty: bool = False
) -> Grid:
    """Return a table's columns as texts; columns without any value are left out unless kept."""
    if table.is_empty():
        return Grid((), (), absent=absent)
    used = [c for c in columns if keep_empty or table[c.column].null_count() < table.height]
    written = [[c.write(value) for value in table[c.column].to_list()] for c in used]
    return Grid(
        tuple(c.head for c in used),
        tuple(zip(*written, strict=True)),
        frozenset(place for place, c in enumerate(used) if c.text),
    )


def fold_rows(whole: Grid, head: int, tail: int) -> Grid:
    """Return the table with the rows between head and tail folded, if that hides over five."""
    rows = len(whole.body)
    fold = (head, rows - tail) if rows > head + tail + 5 else (rows, rows)
    return Grid(whole.heads, whole.body, whole.texts, fold, whole.absent)
