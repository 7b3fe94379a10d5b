"""What the one who keeps it running asks of the ledger: status, history, retry, forget, rebuild."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe.core.errors import CellpipeError, StoreError
from cellpipe.store import LAB, read_table
from cellpipe.store.batch_queue import queued_files
from cellpipe.store.database import Transaction
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.store.history import Event, add_events, last_event, read_events
from cellpipe.store.ledger import LAST_COMPLETE_STATE, Ledger
from cellpipe.store.location import has_ledger
from cellpipe.store.manifest import quarantine_damaged
from cellpipe.store.migrations import IDENTITY
from cellpipe.store.ownership import check_mark
from cellpipe.store.recovery import quarantine_size
from cellpipe.store.snapshot import SEVERAL
from cellpipe.store.writer_lease import acquire, current_writer
from cellpipe.system.atomic_files import delete

_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class Status:
    """How a results folder stands: counts, who writes, and what could not be used.

    ``findings`` are those of the last run (None: no run came to its end); ``damaged`` are the
    number and the bytes of result files that were put into ``damaged/``.
    """

    folders: tuple[Path, ...]
    counts: dict[str, int]
    cells: int
    writer: str | None
    waiting: int
    aside: tuple[tuple[str, str], ...]
    last: Event | None
    night: Event | None
    damaged: tuple[int, int] = (0, 0)
    findings: pl.DataFrame | None = None


def open_ledger(out: Path) -> Ledger:
    """Open the ledger of results that are there.

    Raises
    ------
    StoreError
        If the folder holds no results.

    """
    if not has_ledger(out):
        raise StoreError(
            "no results", expected="a folder that cellpipe process wrote",
            remedy="run cellpipe process FOLDER --out RESULTS first", file=out,
        )  # fmt: skip
    ledger = Ledger(out)
    check_mark(ledger, ledger.key_value(IDENTITY))
    return ledger


def read_status(ledger: Ledger) -> Status:
    """Tell how a results folder stands."""
    state = ledger.snapshot()
    counts = {"used": 0, "set aside": 0, SEVERAL: 0}
    aside = []
    for name, file in sorted(state.seen.items()):
        content = state.contents.get(file.sha256)
        if content is not None:
            counts[content.status] += 1
            if content.status == "set aside":
                aside.append((name, content.reason or ""))
    for name, failure in sorted(state.failures.items()):
        rests = ", rests" if failure.reading and failure.attempts >= MAX_ATTEMPTS else ""
        aside.append((name, f"{failure.reason} ({failure.attempts} times{rests})"))
    folders = tuple(map(Path, state.folders))
    findings = read_table(ledger.folder, "findings", LAB)  # of an older version: others
    return Status(
        folders, counts, len(state.cells), current_writer(ledger),
        len(queued_files(ledger.database)), tuple(aside), last_event(ledger.database),
        last_event(ledger.database, "night"), quarantine_size(ledger.folder),
        findings if findings is not None and "severity" in findings.columns else None,
    )  # fmt: skip


def read_history(ledger: Ledger, subject: str) -> list[Event]:
    """Return what happened to a file (its path, or the end of it) or a cell, in order.

    Raises
    ------
    CellpipeError
        If nothing is known of it.

    """
    found = read_events(ledger.database, subject)
    if found:
        return found
    tail = subject.replace("\\", "/")
    every = read_events(ledger.database)
    found = [event for event in every if f"/{event.subject}".endswith(f"/{tail}")]
    if not found:
        names = sorted({event.subject for event in every})
        raise CellpipeError(
            f"nothing of {subject!r}", expected="a file or a cell that was seen",
            remedy=f"the ledger knows {len(names)} files and cells, such as {', '.join(names[:3])}",
        )  # fmt: skip
    return found


def retry(ledger: Ledger, subjects: list[str]) -> list[str]:
    """Let files be read, and cells computed, by the next run whatever is known of them.

    Without names: all that were set aside or rest. Gives their names.

    Raises
    ------
    CellpipeError
        If one is neither a file nor a cell that the ledger knows.

    """
    with acquire(ledger, wait_second=_WAIT_SECONDS):
        files, cells = _resolve_subjects(ledger, subjects)

        def work(rows: Transaction) -> None:
            for name in files:
                rows.write("DELETE FROM seen WHERE path = ?", (name,))
                rows.write("DELETE FROM faults WHERE path = ?", (name,))
                for sha256 in files[name]:
                    rows.write("UPDATE contents SET reading = '' WHERE sha256 = ?", (sha256,))
            for cell in cells:
                rows.write("UPDATE cells SET inputs = '' WHERE cell_id = ?", (cell,))
            rows.write("DELETE FROM marks WHERE name = ?", (LAST_COMPLETE_STATE,))
            add_events(rows, [Event(name, "to be tried again") for name in (*files, *cells)])

        ledger.update(work)
    return [*files, *cells]


def _resolve_subjects(
    ledger: Ledger, subjects: list[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Sort names into files, with their contents, and cells."""
    state = ledger.snapshot()
    seen, failed, contents = state.seen, state.failures, state.contents
    if not subjects:
        aside = {
            name: [file.sha256]
            for name, file in seen.items()
            if (content := contents.get(file.sha256)) and content.status == "set aside"
        }
        return aside | {name: [] for name in failed if name not in aside}, []
    files: dict[str, list[str]] = {}
    cells = []
    for subject in subjects:
        tail = f"/{subject.replace(chr(92), '/')}"
        names = {**seen, **failed}
        matching = [n for n in names if f"/{state.recording_file(n)}".endswith(tail)]
        files |= {name: [seen[name].sha256] if name in seen else [] for name in matching}
        if subject in state.cells:
            cells.append(subject)
        elif not matching:
            raise CellpipeError(
                f"nothing of {subject!r}", expected="a file or a cell that was seen",
                remedy="cellpipe status lists what was set aside",
            )  # fmt: skip
    return files, cells


def forget(ledger: Ledger, cell_id: str, outputs: list[Path]) -> None:
    """Remove a cell's results, for good; its raw files, and its history, stay.

    Raises
    ------
    CellpipeError
        If the ledger does not know it.

    """
    with acquire(ledger, wait_second=_WAIT_SECONDS):
        if ledger.cell(cell_id) is None:
            raise CellpipeError(
                f"no cell {cell_id!r}", expected="one that was computed",
                remedy=f"one of {', '.join(sorted(ledger.cells()))[:200]}",
            )  # fmt: skip
        quarantine_damaged(ledger)  # what somebody changed is kept
        for path in outputs:
            delete(path)
        ledger.forget_result_files(path.relative_to(ledger.folder).as_posix() for path in outputs)
        ledger.forget_cell(cell_id)

        def work(rows: Transaction) -> None:
            rows.write("DELETE FROM marks WHERE name = ?", (LAST_COMPLETE_STATE,))
            add_events(rows, [Event(cell_id, "forgotten")])

        ledger.update(work)


def invalidate_all(ledger: Ledger) -> None:
    """Let the next run read every file and compute every cell again."""
    with acquire(ledger, wait_second=_WAIT_SECONDS):

        def work(rows: Transaction) -> None:
            rows.write("UPDATE contents SET reading = ''")
            rows.write("UPDATE cells SET inputs = ''")
            rows.write("DELETE FROM faults")
            rows.write("DELETE FROM marks WHERE name = ?", (LAST_COMPLETE_STATE,))
            add_events(rows, [Event("run", "rebuild")])

        ledger.update(work)
