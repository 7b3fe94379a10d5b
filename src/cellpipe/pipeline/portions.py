"""Divide the new files of a large run into portions of whole cells, so that results come soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cellpipe.cell_sheet.sheet import CellSheet
from cellpipe.pipeline.cell_inputs import CellInputs, expected_cells
from cellpipe.pipeline.plan import NewFile, Plan
from cellpipe.store.lab import Lab

_FIRST = 16  # files of the first portion; each has twice as many as the one before
_AT_ONCE = 40  # so few files are one portion


@dataclass(frozen=True)
class Portion:
    """New files to read, and what to compute after them.

    ``names`` are the files, new and known, of which its cells probably consist, and ``cells`` how
    these are called, in lower case. Of the last portion they are all that there are: it computes
    whatever has to be computed then.
    """

    files: tuple[NewFile, ...]
    names: tuple[str, ...]
    cells: frozenset[str]
    is_last: bool

    def is_due(self, inputs: CellInputs) -> bool:
        """Return whether to compute a cell now: later portions hold no file of it, as it seems.

        A row without patterns may be named by what is in files that are not read yet.
        """
        cell = inputs.cell
        is_open = cell.in_sheet and not cell.patterns
        return self.is_last or not is_open or cell.cell_id.casefold() in self.cells


def divide_files(lab: Lab, plan: Plan, sheet: CellSheet) -> list[Portion]:
    """Return the portions of a run, each of whole cells, in the order of their first files.

    Their number grows with the logarithm of that of the files, and so does what they cost. The
    results do not depend on them: what a later portion changes is computed once more.
    """
    everything = [lab.relative_name(path) for path in plan.files]
    if len(plan.new) <= _AT_ONCE:
        return [Portion(plan.new, tuple(everything), frozenset(), is_last=True)]
    expected = expected_cells(everything, sheet)
    new: dict[str, list[NewFile]] = {}
    for file in plan.new:
        new.setdefault(expected[lab.relative_name(file.path)], []).append(file)
    names: dict[str, list[str]] = {}
    for name, cell in expected.items():
        names.setdefault(cell, []).append(name)
    shares = _doubling_shares(new)
    portions = [
        Portion(
            tuple(file for cell in cells for file in new[cell]),
            tuple(name for cell in cells for name in names[cell]),
            frozenset(cells), is_last=False,
        )
        for cells in shares[:-1]
    ]  # fmt: skip
    rest = tuple(file for cell in shares[-1] for file in new[cell])
    return [*portions, Portion(rest, tuple(everything), frozenset(new), is_last=True)]


def _doubling_shares(new: dict[str, list[NewFile]]) -> list[Sequence[str]]:
    """Divide cells with new files into shares, each of twice as many files as the one before."""
    shares: list[list[str]] = [[]]
    size, count = _FIRST, 0
    for cell, files in new.items():
        if count >= size:
            shares.append([])
            size, count = 2 * size, 0
        shares[-1].append(cell)
        count += len(files)
    return list(shares)
