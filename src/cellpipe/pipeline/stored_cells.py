"""Cells that have been computed, taken from the results folder alone: to compare, to hand out.

Neither the raw files nor the folder they are in need to be there.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe import analyses
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import CONTRADICTION, Cell
from cellpipe.pipeline.cell_history import InputFile, order_files
from cellpipe.pipeline.cell_inputs import CellInputs, read_input_tables
from cellpipe.pipeline.overlaps import Overlaps
from cellpipe.pipeline.sheet_snapshot import read_last_cells
from cellpipe.store import LAB, read_table
from cellpipe.store.lab import Lab, lab_of_results


@dataclass(frozen=True)
class StoredCell:
    """A cell as its results have it: its row of the sheet, its tables, its rows of ``files``."""

    cell: Cell
    tables: Mapping[str, pl.DataFrame]
    files: pl.DataFrame


def read_stored_cells(
    out: Path, cell_ids: Sequence[str] = (), groups: Sequence[str] = ()
) -> list[StoredCell]:
    """Take cells from the results, in the order they are named; those of groups after them.

    Raises
    ------
    CellpipeError
        If there are no results, or a cell or a group that is named is not in them.

    """
    lab = lab_of_results(out)
    return [_read_cell(lab, cell_id) for cell_id in stored_cell_ids(out, cell_ids, groups)]


def stored_cell_ids(
    out: Path, cell_ids: Sequence[str] = (), groups: Sequence[str] = ()
) -> list[str]:
    """Return the ids of cells that are named, as the results write them; errors as above."""
    lab = lab_of_results(out)
    entries = lab.ledger.cells() if (out / "tables").is_dir() else {}
    if not entries:
        raise CellpipeError(
            "no results of a cell", expected="a results folder", file=out,
            remedy="make them with cellpipe process FOLDER --out RESULTS",
        )  # fmt: skip
    by_name = {name.casefold(): name for name in entries}
    chosen = [_resolve_id(each, by_name) for each in cell_ids]
    for group in groups:
        chosen += _group_ids(out, group, list(entries))
    return list(dict.fromkeys(chosen))


def _resolve_id(cell_id: str, by_name: Mapping[str, str]) -> str:
    if cell_id.casefold() not in by_name:
        near = difflib.get_close_matches(cell_id, list(by_name.values()), 3, 0.5)
        shown = near or sorted(by_name.values())[:5]
        raise CellpipeError(
            f"no cell called {cell_id!r}", expected=f"a cell of the results, such as {shown[0]}",
            remedy=f"one of these may be meant: {', '.join(shown)}",
        )  # fmt: skip
    return by_name[cell_id.casefold()]


def _group_ids(out: Path, group: str, cell_ids: Sequence[str]) -> list[str]:
    tables = [read_table(out, "cells", cell_id) for cell_id in cell_ids]
    rows = pl.concat([contracts.empty_table("cells"), *(t for t in tables if t is not None)])
    found = rows.filter(pl.col("group") == group)["cell_id"].sort().to_list()
    if not found:
        known = rows["group"].drop_nulls().unique().sort().to_list()
        raise CellpipeError(
            f"no group called {group!r}", expected="a group of the cell sheet",
            remedy=f"known groups: {', '.join(known) or 'none'}",
        )  # fmt: skip
    return found


def cycled_cell_ids(out: Path) -> list[str]:
    """Return the ids of all cells of the sheet that have a complete cycle."""
    tables = [read_table(out, "cells", cell_id) for cell_id in lab_of_results(out).ledger.cells()]
    rows = pl.concat([contracts.empty_table("cells"), *(t for t in tables if t is not None)])
    return rows.filter("in_sheet", pl.col("complete_cycles") > 0)["cell_id"].sort().to_list()


def _read_cell(lab: Lab, cell_id: str) -> StoredCell:
    entry = lab.ledger.cells()[cell_id]
    cell = next((c for c in read_last_cells(lab.results) if c.cell_id == cell_id), None)
    state = lab.ledger.snapshot()
    listed = read_table(lab.results, "files", LAB)
    rows = (contracts.empty_table("files") if listed is None else listed).filter(cell_id=cell_id)
    paths = dict(rows.select("file_sha256", "path").iter_rows())
    files = [
        InputFile(paths.get(sha256, sha256), 0, state.contents[sha256])
        for sha256 in entry.contents
        if sha256 in state.contents
    ]
    kept, _ = order_files(files, {}, Overlaps(state))
    in_order = sorted(kept, key=lambda file: entry.contents.index(file.content.sha256))
    inputs = CellInputs(cell or Cell(cell_id, in_sheet=False), tuple(in_order))
    tables = read_input_tables(lab, inputs)
    for analysis in analyses.all_analyses():
        for name in analysis.makes:
            made = read_table(lab.results, name, cell_id)
            tables[name] = (
                contracts.empty_table(name) if made is None else _check_columns(name, made)
            )
    said = read_table(lab.results, "findings", LAB)
    told = contracts.empty_table("findings") if said is None else said
    tables["findings"] = _check_columns("findings", told).filter(cell_id=cell_id)
    return StoredCell(inputs.cell, tables, rows.with_columns(modified_at=None))


def _check_columns(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """Refuse a table that another version wrote, with other columns."""
    missing = [
        column for column in contracts.empty_table(name).columns if column not in table.columns
    ]
    if missing:
        raise CellpipeError(
            f"results of an older version (the table {name} has no {missing[0]})",
            expected="those of this one", remedy="run cellpipe process FOLDER --out RESULTS anew",
        )  # fmt: skip
    return table


def contradicting_cells(lab: Lab) -> frozenset[str]:
    """Return the cells that contradict physics: nobody is given their numbers."""
    return frozenset(
        name
        for name, entry in lab.ledger.cells().items()
        if any(finding.code.startswith(CONTRADICTION) for finding in entry.findings)
    )


def refuse_contradiction(stored: StoredCell) -> None:
    """Refuse to hand on a cell that contradicts physics.

    Raises
    ------
    CellpipeError
        If it does, and the cell sheet does not confirm it.

    """
    said = stored.tables["cells"]["contradictions"].drop_nulls()
    if said.len():
        raise CellpipeError(
            f"a cell that contradicts physics ({said[0]})",
            expected="one whose numbers can be",
            remedy="correct the cell sheet, or confirm it in its column Confirmed, and run "
            "cellpipe process again",
        )
