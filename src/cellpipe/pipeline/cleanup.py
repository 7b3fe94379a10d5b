"""Remove what a later state replaced; keep the results of cells whose files were taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cellpipe.core.errors import LockedFileError
from cellpipe.core.model import Finding
from cellpipe.pipeline.cell_inputs import Grouping
from cellpipe.pipeline.compute import cell_outputs
from cellpipe.pipeline.plan import Plan
from cellpipe.store.lab import Lab
from cellpipe.store.layout import table_path
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.atomic_files import delete
from cellpipe.system.scan import Failure


def remove_outdated(
    lab: Lab, state: LedgerSnapshot, plan: Plan, grouping: Grouping
) -> tuple[LedgerSnapshot, list[Finding]]:
    """Remove what a later state replaced; return the state after it, and what is to be said.

    A cell that is gone though its files are there (they belong to another one now, or to none)
    loses its results; one whose files are no longer in the folder keeps them, and a finding says
    so. Tables of contents that neither a file nor a cell names any more are removed. Nothing is
    removed while a part of the folder is out of reach.
    """
    is_emptied = not plan.files and not plan.is_partial  # so may a share that can't be reached
    if hides_files(lab, plan.unreachable) or is_emptied:
        return state, []
    names = [lab.relative_name(path) for path in plan.files]
    there = {*names, *(recording for recording, _ in state.recordings(names))}
    gone = sorted((state.seen.keys() | state.failures.keys()) - there)
    lab.ledger.forget_files(lab.folder, gone)
    state = state.without(files=set(gone))
    removed, findings = _remove_cells(lab, state, grouping)
    state = state.without(cells=removed)
    _remove_contents(lab, state)
    return state, findings


def hides_files(lab: Lab, unreachable: Sequence[Failure]) -> bool:
    """Return whether what is out of reach may be more than links that lead nowhere."""
    return any(
        failure.path == "." or not lab.raw.path(failure.path).is_symlink()
        for failure in unreachable
    )


def _remove_cells(
    lab: Lab, state: LedgerSnapshot, grouping: Grouping
) -> tuple[set[str], list[Finding]]:
    """Remove the results of cells that are no more; name them, and say which are kept."""
    current = {inputs.cell.cell_id for inputs in grouping.cells}
    here = {file.sha256 for file in state.seen.values()}
    removed, findings = set(), []
    outdated = [entry for cell_id, entry in state.cells.items() if cell_id not in current]
    keep = _output_paths(lab, current) if outdated else {}
    for entry in outdated:
        if not here & set(entry.contents):
            sentence = f"The files of {entry.cell_id} are no longer there; its results are kept."
            findings.append(Finding("info", "cell_kept", sentence))
            continue
        try:
            gone = _delete_files(cell_outputs(lab, entry.cell_id), keep)
        except LockedFileError as error:
            findings.append(Finding("warning", "held_open", f"{entry.cell_id}: {error}"))
            continue
        names = [path.relative_to(lab.results).as_posix() for path in gone]
        lab.ledger.forget_result_files(names)
        lab.ledger.forget_cell(entry.cell_id)
        removed.add(entry.cell_id)
    return removed, findings


def _remove_contents(lab: Lab, state: LedgerSnapshot) -> None:
    """Remove the tables of contents that neither a file nor a cell names any more."""
    named = {file.sha256 for file in state.seen.values()}
    named |= {sha256 for entry in state.cells.values() for sha256 in entry.contents}
    for content in state.contents.values():
        if content.sha256 not in named:
            paths = [table_path(lab.results, name, content.sha256) for name in content.tables]
            with suppress(LockedFileError):  # a program reads it; the next run removes it
                _delete_files(paths, {})
                lab.ledger.forget_content(content.sha256)


def _output_paths(lab: Lab, cell_ids: Iterable[str]) -> dict[str, Path]:
    """Return the paths of these cells' results, by the path without regard to case."""
    paths = (path for cell_id in cell_ids for path in cell_outputs(lab, cell_id))
    return {str(path).casefold(): path for path in paths}


def _delete_files(paths: Iterable[Path], keep: Mapping[str, Path]) -> list[Path]:
    """Delete files; return those that are gone. One that another cell's name leads to is kept.

    On some disks two names that differ in case are one file, on others they are two.
    """
    gone = []
    for path in paths:
        other = keep.get(str(path).casefold())
        if other is None or not _is_same_file(path, other):
            delete(path)
            gone.append(path)
    return gone


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
