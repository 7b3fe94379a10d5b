"""The ledger: what was read and computed, and from what; one short transaction per fact."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cellpipe.core.errors import DamagedLedgerError
from cellpipe.store.failures import FileFailure, clear_failures, count_failure, read_failures
from cellpipe.store.history import Event, add_events, upsert_statement, utc_now
from cellpipe.store.location import open_database
from cellpipe.store.migrations import IDENTITY
from cellpipe.store.overlaps import Overlap, forget_overlaps, read_overlaps, write_overlaps
from cellpipe.store.records import (
    CELL_COLUMNS,
    CONTENT_COLUMNS,
    CellEntry,
    Content,
    ResultFile,
    SeenFile,
    cell_from_row,
    cell_row,
    content_from_row,
    content_row,
)
from cellpipe.store.recovery import recover_ledger
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.store.writer_lease import check_lease

if TYPE_CHECKING:
    from cellpipe.store.database import Database, Row, Transaction

T = TypeVar("T")
PAGES_DUE = "the lab's pages are to be written"
LAST_COMPLETE_STATE = "state of the folders that the results are of"  # with it, nothing is new
_SEEN = "SELECT path, size, modified_ns, sha256, changed_ns FROM seen WHERE folder = ?"
_CONTENTS = f"SELECT {CONTENT_COLUMNS} FROM contents"  # noqa: S608 - the ledger's own names
_CELLS = f"SELECT {CELL_COLUMNS} FROM cells ORDER BY cell_id"  # noqa: S608

_ARRIVALS = """SELECT seen.path, seen.first_seen, contents.read_at,
    (SELECT count(DISTINCT h.sha256) FROM history h
     WHERE h.subject = seen.path AND h.event = 'read')
    FROM seen LEFT JOIN contents ON contents.sha256 = seen.sha256 WHERE seen.folder = ?"""
_NIGHTS = "SELECT at FROM history WHERE subject = 'night' ORDER BY at, id"
_RESULT_FILE = "path, size, modified_ns, sha256"
_SET_VALUE = upsert_statement("marks", "name, value", "name")
_AT_ONCE = 500  # names in one statement


@dataclass(frozen=True)
class Arrival:
    """When the results first held a file, when its content was read, and how many it had."""

    first_seen: datetime | None
    read_at: datetime | None
    contents: int

    @property
    def is_new_since(self) -> datetime | None:
        """Since when the results hold what is in it: of a file that was moved, or read again."""
        known = [time for time in (self.first_seen, self.read_at) if time is not None]
        return min(known) if self.first_seen is not None else None


class Arrivals(NamedTuple):
    """When files came, by path, and when nights began, in order."""

    files: Mapping[str, Arrival]
    nights: Sequence[datetime]


class Ledger:
    """The ledger of a results folder: ``ledger.sqlite`` in it, or the PostgreSQL of ``ledger.url``.

    Threads and processes may share the object. Facts about results can be changed only while
    ``token`` is the writer's (:func:`cellpipe.store.writer_lease.acquire`).

    Raises
    ------
    StoreError
        If the folder can't be written, or its ledger has a newer layout.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token: str | None = None
        _ = self.database

    @cached_property
    def database(self) -> Database:
        """Return the database that holds the rows."""
        return open_database(self.folder)

    def repair(self) -> None:
        """Quarantine a damaged ledger; what replaces it is opened on the next access."""
        self.database.close()
        self.__dict__.pop("database", None)
        recover_ledger(self.folder)

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return self._transact(lambda rows: rows.read(statement, values))

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        """Read in one transaction; repair a damaged ledger if no run is writing."""
        try:
            return self.database.transact(work, writes=False)
        except DamagedLedgerError:
            if self.token is not None:  # the run itself starts again
                raise
            self.repair()
            return self.database.transact(work, writes=False)

    def update(self, work: Callable[[Transaction], T]) -> T:
        """Run work that changes facts about results, if this run is the writer.

        Raises
        ------
        LeaseError
            If it is not.

        """

        def work_as_writer(rows: Transaction) -> T:
            check_lease(rows, self.token, self.database.lock_row)
            return work(rows)

        return self.database.transact(work_as_writer, writes=True)

    def snapshot(self, folder: Path | None = None) -> LedgerSnapshot:
        """Read the state in one transaction, with the files of one folder or of all."""
        query = (_SEEN, (str(folder),)) if folder else (f"{_SEEN} OR TRUE", ("",))

        def work(rows: Transaction) -> LedgerSnapshot:
            seen = [SeenFile(*row) for row in rows.read(*query)]
            contents = map(content_from_row, rows.read(_CONTENTS))
            cells = map(cell_from_row, rows.read(_CELLS))
            values = rows.read("SELECT name, value FROM marks")
            folders = rows.read("SELECT DISTINCT folder FROM seen")
            return LedgerSnapshot(
                {file.path: file for file in seen},
                {content.sha256: content for content in contents},
                {cell.cell_id: cell for cell in cells},
                read_failures(rows),
                {str(name): str(value) for name, value in values},
                tuple(str(row[0]) for row in folders),
                read_overlaps(rows),
            )

        return self._transact(work)

    def seen_files(self, folder: Path) -> dict[str, SeenFile]:
        """Return the files of a folder as they were last seen, by path within it."""
        return {row[0]: SeenFile(*row) for row in self._read(_SEEN, (str(folder),))}

    def arrivals(self, folder: Path) -> Arrivals:
        """Return when each file of a folder came, by path within it, and when nights were."""
        rows, nights = self._transact(
            lambda rows: (rows.read(_ARRIVALS, (str(folder),)), rows.read(_NIGHTS))
        )
        files = {
            str(path): Arrival(_to_time(first), _to_time(read), int(count))
            for path, first, read, count in rows
        }
        return Arrivals(files, [datetime.fromisoformat(str(at)) for (at,) in nights])

    def contents(self) -> dict[str, Content]:
        """Return all contents that were read, by sha256."""
        return {row[0]: content_from_row(row) for row in self._read(_CONTENTS)}

    def content(self, sha256: str) -> Content | None:
        """Return one content, or None if it was not read."""
        query = f"SELECT {CONTENT_COLUMNS} FROM contents WHERE sha256 = ?"  # noqa: S608
        rows = self._read(query, (sha256,))
        return content_from_row(rows[0]) if rows else None

    def record_files(
        self,
        folder: Path,
        files: Iterable[SeenFile],
        contents: Iterable[Content] = (),
        written: Iterable[ResultFile] = (),
        events: Iterable[Event] = (),
    ) -> None:
        """Record what reading files gave, in one transaction; write their tables first."""
        now = utc_now()
        known = [content_row(content, now) for content in contents]
        seen = [
            (str(folder), f.path, f.size, f.modified_ns, f.sha256, f.changed_ns, now) for f in files
        ]

        def work(rows: Transaction) -> None:
            _upsert_result_files(rows, written)
            if known:
                rows.write(_SET_VALUE, (PAGES_DUE, "yes"))
            for row in known:
                rows.write(upsert_statement("contents", CONTENT_COLUMNS, "sha256"), row)
            columns = "folder, path, size, modified_ns, sha256, changed_ns, first_seen"
            for file in seen:
                rows.write(
                    upsert_statement("seen", columns, "folder, path", keep="first_seen"), file
                )
            clear_failures(rows, [file[1] for file in seen])
            add_events(rows, events)

        self.update(work)

    def record_change_times(self, folder: Path, files: Iterable[SeenFile]) -> None:
        """Record when files changed last that were recorded without it; nothing else of them."""
        rows = [(f.changed_ns, str(folder), f.path) for f in files]
        statement = (
            "UPDATE seen SET changed_ns = ? WHERE folder = ? AND path = ? AND changed_ns IS NULL"
        )
        if rows:
            self.update(lambda transaction: transaction.write(statement, *rows))

    def file_failures(self) -> dict[str, FileFailure]:
        """Return the temporary failures of files, by path."""
        return self.database.transact(read_failures, writes=False)

    def record_failure(self, failure: FileFailure) -> int:
        """Record a failure; return how often the same one came in a row."""
        return self.update(lambda rows: count_failure(rows, failure))

    def forget_content(self, sha256: str) -> None:
        """Delete the row of a content; delete its tables first."""

        def work(rows: Transaction) -> None:
            rows.write("DELETE FROM contents WHERE sha256 = ?", (sha256,))
            forget_overlaps(rows, sha256)

        self.update(work)

    def record_overlaps(self, overlaps: Sequence[Overlap]) -> None:
        """Record which records pairs of contents share."""
        if overlaps:
            self.update(lambda rows: write_overlaps(rows, overlaps))

    def forget_files(self, folder: Path, paths: Iterable[str]) -> None:
        """Delete the rows of files that are no longer in the folder."""
        gone = [(str(folder), path) for path in paths]

        def work(rows: Transaction) -> None:
            rows.write("DELETE FROM seen WHERE folder = ? AND path = ?", *gone)
            clear_failures(rows, [path for _, path in gone])

        if gone:
            self.update(work)

    def folders(self) -> list[Path]:
        """Return the folders whose files were ingested."""
        return [Path(row[0]) for row in self._read("SELECT DISTINCT folder FROM seen")]

    def cells(self) -> dict[str, CellEntry]:
        """Return all cells that were computed, by id."""
        return {row[0]: cell_from_row(row) for row in self._read(_CELLS)}

    def cell(self, cell_id: str) -> CellEntry | None:
        """Return one cell, or None if it was not computed."""
        query = f"SELECT {CELL_COLUMNS} FROM cells WHERE cell_id = ?"  # noqa: S608
        rows = self._read(query, (cell_id,))
        return cell_from_row(rows[0]) if rows else None

    def record_cell(
        self, cell: CellEntry, written: Iterable[ResultFile] = (), events: Iterable[Event] = ()
    ) -> None:
        """Record what a cell was computed from; write its tables and pages first."""
        row = cell_row(cell, utc_now())

        def work(rows: Transaction) -> None:
            _upsert_result_files(rows, written)
            rows.write(_SET_VALUE, (PAGES_DUE, "yes"))
            rows.write(upsert_statement("cells", CELL_COLUMNS, "cell_id"), row)
            add_events(rows, events)

        self.update(work)

    def forget_cell(self, cell_id: str) -> None:
        """Delete the row of a cell; delete its tables and pages first."""
        self.update(lambda rows: rows.write("DELETE FROM cells WHERE cell_id = ?", (cell_id,)))

    def record_result_files(
        self, written: Iterable[ResultFile], *, pages_due: bool = False
    ) -> None:
        """Record result files as they were written; and that the lab's pages are due, if asked."""

        def work(rows: Transaction) -> None:
            _upsert_result_files(rows, written)
            if pages_due:
                rows.write(_SET_VALUE, (PAGES_DUE, "yes"))

        self.update(work)

    def recorded_files(self, names: Sequence[str]) -> dict[str, ResultFile]:
        """Return the recorded result files of these names, by name."""
        found: list[Row] = []
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            places = ", ".join("?" * len(some))
            query = f"SELECT {_RESULT_FILE} FROM written WHERE path IN ({places})"  # noqa: S608
            found += self._read(query, some)
        return {row[0]: ResultFile(*row) for row in found}

    def result_files(self, after: str = "", at_most: int = 2**31) -> list[ResultFile]:
        """Return recorded result files in order of paths, those after one path, at most so many."""
        query = f"SELECT {_RESULT_FILE} FROM written WHERE path > ? ORDER BY path LIMIT ?"  # noqa: S608
        return [ResultFile(*row) for row in self._read(query, (after, at_most))]

    def forget_result_files(self, paths: Iterable[str]) -> None:
        """Delete the rows of result files that no longer exist."""
        gone = [(path,) for path in paths]
        if gone:
            self.update(lambda rows: rows.write("DELETE FROM written WHERE path = ?", *gone))

    def key_value(self, name: str) -> str | None:
        """Return the value stored under a name, or None."""
        rows = self._read("SELECT value FROM marks WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def identity(self) -> str:
        """Return the id that distinguishes these results from all others; create it if needed."""
        held = self.key_value(IDENTITY)
        if held is None:
            held = uuid.uuid4().hex
            self.set_key_value(IDENTITY, held)
        return held

    def key_values(self, beginning: str) -> dict[str, str]:
        """Return the values stored under all names with a prefix."""
        rows = self._read("SELECT name, value FROM marks")
        return {str(r[0]): str(r[1]) for r in rows if str(r[0]).startswith(beginning)}

    def set_key_value(self, name: str, value: str | None) -> None:
        """Store a value under a name, or (None) delete it."""
        if value is None:
            self.update(lambda rows: rows.write("DELETE FROM marks WHERE name = ?", (name,)))
        else:
            self.update(lambda rows: rows.write(_SET_VALUE, (name, value)))


def _to_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _upsert_result_files(rows: Transaction, written: Iterable[ResultFile]) -> None:
    values = [(w.path, w.size, w.modified_ns, w.sha256) for w in written]
    if values:
        rows.write(upsert_statement("written", _RESULT_FILE, "path"), *values)
