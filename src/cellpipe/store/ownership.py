"""Tell cellpipe's own files in the results from what a killed run or somebody else left there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from cellpipe.core.errors import LockedFileError, StoreError
from cellpipe.store.layout import LAB_PAGES, TOP_FILES, is_result_name
from cellpipe.store.ledger import Ledger
from cellpipe.store.manifest import (
    describe_file,
    is_as_recorded,
    quarantine_files,
    result_names,
)
from cellpipe.store.migrations import IDENTITY
from cellpipe.store.own_results import looks_own
from cellpipe.system.atomic_files import delete, set_foreign_names
from cellpipe.system.own_folder import (
    MARK,
    delete_notes,
    foreign_names,
    mark_folder,
    read_mark,
    read_notes,
)

_log = logging.getLogger("cellpipe")


def confirm_mark(ledger: Ledger, identity: str | None) -> bool:
    """Tie a folder's mark and its ledger, of which the identity is given, to each other.

    Returns
    -------
    Whether the two knew each other. If not, the ledger is a new one, or an earlier version made the
    results, which are adopted.

    Raises
    ------
    StoreError
        If the mark is that of other results.

    """
    mark = check_mark(ledger, identity)
    if mark and identity is None:
        ledger.set_key_value(IDENTITY, mark)
    elif not mark:
        mark_folder(ledger.folder, ledger.identity())
        told = "%s holds results of an earlier version; it is marked as cellpipe's now"
        _log.warning(told, ledger.folder, extra={"aloud": True})
    return bool(mark) and identity is not None


def check_mark(ledger: Ledger, identity: str | None) -> str | None:
    """Return the id in the folder's mark; refuse one that is not the ledger's; as above."""
    mark = read_mark(ledger.folder)
    if mark and identity is not None and mark != identity:
        raise StoreError(
            "the mark of one results folder and the ledger of another", expected="those of one",
            remedy="bring back the files that belong here, or choose a new folder with --out",
            file=ledger.folder / MARK,
        )  # fmt: skip
    return mark


def remove_leftovers(ledger: Ledger) -> int:
    """Delete what a killed run, or a cell that failed, put into place and did not record.

    It is made again, as if it had never been written. What no run makes again (a digest, the copy
    of the cell sheet) is recorded instead. Only the writer may call it. Returns how many files
    there were.
    """
    pending = _find_unrecorded(ledger)
    redone = [name for name in pending if "/" in name or name in LAB_PAGES]
    is_held = False
    for name in redone:
        try:
            delete(ledger.folder / name)
        except LockedFileError:  # it stays as it was noted, for the next run
            is_held = True
    if redone:
        ledger.forget_result_files(redone)
    kept = [describe_file(ledger.folder, ledger.folder / n) for n in pending if n not in redone]
    if pending:
        ledger.record_result_files(kept, pages_due=True)
    if not is_held:
        delete_notes(ledger.folder)
    return len(pending)


def _find_unrecorded(ledger: Ledger) -> list[str]:
    """Return the result files that were put into place and are not recorded as they are."""
    notes = {name: states for name, states in read_notes(ledger.folder).items()
             if is_result_name(name)}  # fmt: skip
    recorded = ledger.recorded_files(sorted(notes)) if notes else {}
    found = []
    for name, states in sorted(notes.items()):
        with contextlib.suppress(OSError):
            status = (ledger.folder / name).stat()
            state, known = (status.st_size, status.st_mtime_ns), recorded.get(name)
            if state not in states:
                continue
            if known is None or not is_as_recorded(ledger.folder, known, status):
                found.append(name)
    return found


def find_foreign_files(ledger: Ledger, *, is_known: bool) -> None:
    """Bring the list of files that others put among the results up to date; forget missing ones.

    Where the ledger is new, or the results were made by an earlier version (not ``is_known``), what
    lies at their top is recorded, and a table that the ledger does not know is quarantined: a run
    left it.
    """
    folder = ledger.folder
    existing = result_names(folder)
    known = {written.path for written in ledger.result_files()}
    folded = {name.casefold(): name for name in known}
    foreign = {name for name in existing - known if not _is_known(folder, name, folded)}
    if not is_known:
        new = {name for name in foreign - foreign_names(folder) if looks_own(folder, name)}
        top = sorted(new.intersection(TOP_FILES))
        ledger.record_result_files(describe_file(folder, folder / name) for name in top)
        foreign -= {*top, *quarantine_files(folder, sorted(filter(_is_table, new)))}
    set_foreign_names(folder, foreign)
    existing_folded = {name.casefold() for name in existing}
    ledger.forget_result_files(name for name in known if name.casefold() not in existing_folded)


def _is_known(folder: Path, name: str, folded: Mapping[str, str]) -> bool:
    """Return whether a known name in other case leads to this file: a disk may keep an old case."""
    other = folded.get(name.casefold())
    try:
        return other is not None and (folder / name).samefile(folder / other)
    except OSError:
        return False


def _is_table(name: str) -> bool:
    return name.startswith(("tables/", "gathered/"))
