"""The ledger: what was read and computed, from what. SQLite, one short transaction per fact."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cellpipe.domain import Finding
from cellpipe.errors import StoreError

_LAYOUT = 2
_CREATE = """
CREATE TABLE IF NOT EXISTS seen (
    folder TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (folder, path));
CREATE TABLE IF NOT EXISTS contents (
    sha256 TEXT PRIMARY KEY, reading TEXT NOT NULL, status TEXT NOT NULL, format TEXT,
    started_at TEXT, records INTEGER, spectra INTEGER, span_second REAL, throughput_ah REAL,
    tables TEXT NOT NULL, metadata TEXT NOT NULL, findings TEXT NOT NULL, reason TEXT);
CREATE TABLE IF NOT EXISTS cells (
    cell_id TEXT PRIMARY KEY, inputs TEXT NOT NULL, contents TEXT NOT NULL,
    findings TEXT NOT NULL);
"""


@dataclass(frozen=True)
class SeenFile:
    """A file as it was last seen: enough to know that it did not change."""

    path: str
    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Content:
    """What reading a content gave.

    ``reading`` names the version and settings it was read with, ``tables`` the tables that were
    written; ``span_second`` is the test time it covers and ``throughput_ah`` the charge that
    passed in both directions.
    """

    sha256: str
    reading: str
    status: str
    format: str | None = None
    started_at: datetime | None = None
    records: int | None = None
    spectra: int | None = None
    span_second: float | None = None
    throughput_ah: float | None = None
    tables: tuple[str, ...] = ()
    metadata: str = "{}"
    findings: tuple[Finding, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class CellEntry:
    """From which inputs and contents a cell's tables were computed, and what was found."""

    cell_id: str
    inputs: str
    contents: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def _findings_text(findings: tuple[Finding, ...]) -> str:
    return json.dumps([asdict(finding) for finding in findings])


def _findings(text: str) -> tuple[Finding, ...]:
    return tuple(Finding(**found) for found in json.loads(text))


class Ledger:
    """The ledger of a results folder.

    Every call opens its own connection, so threads and processes may share the object.

    Raises
    ------
    StoreError
        If the folder can't be written, or its ledger is of another layout.

    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._connected() as connection:
                (layout,) = connection.execute("PRAGMA user_version").fetchone()
                if layout not in {0, _LAYOUT}:
                    raise StoreError(
                        f"a ledger of layout {layout}", expected=f"layout {_LAYOUT}",
                        remedy="use the cellpipe version that wrote it, or a new results folder",
                        file=self.path,
                    )  # fmt: skip
                connection.executescript(f"{_CREATE} PRAGMA user_version={_LAYOUT};")
        except OSError as error:
            raise StoreError(
                f"a results folder that can't be used ({error.strerror or error})",
                expected="a folder that can be written", remedy="choose another with --out",
                file=folder,
            ) from error  # fmt: skip

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=60)
            try:
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreError(
                f"a ledger that can't be used ({error})",
                expected="a results folder that can be read and written",
                remedy="close other programs that use it, or choose another with --out",
                file=self.path,
            ) from error

    def seen_files(self, folder: Path) -> dict[str, SeenFile]:
        """Give the files of a folder as they were last seen, by path within it."""
        query = "SELECT path, size, modified_ns, sha256 FROM seen WHERE folder = ?"
        with self._connected() as connection:
            rows = connection.execute(query, (str(folder),)).fetchall()
        return {row[0]: SeenFile(*row) for row in rows}

    def remember_file(self, folder: Path, file: SeenFile) -> None:
        """Note how a file was seen."""
        row = (str(folder), file.path, file.size, file.modified_ns, file.sha256)
        with self._connected() as connection:
            connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", row)

    def contents(self) -> dict[str, Content]:
        """Give what is known of every content, by sha256."""
        with self._connected() as connection:
            rows = connection.execute("SELECT * FROM contents").fetchall()
        return {row[0]: _content(row) for row in rows}

    def content(self, sha256: str) -> Content | None:
        """Give what is known of one content."""
        query = "SELECT * FROM contents WHERE sha256 = ?"
        with self._connected() as connection:
            row = connection.execute(query, (sha256,)).fetchone()
        return _content(row) if row else None

    def remember_content(self, content: Content) -> None:
        """Note what reading a content gave; its tables must be written already."""
        started = content.started_at.isoformat() if content.started_at else None
        row = (
            content.sha256, content.reading, content.status, content.format, started,
            content.records, content.spectra, content.span_second, content.throughput_ah,
            json.dumps(content.tables), content.metadata, _findings_text(content.findings),
            content.reason,
        )  # fmt: skip
        with self._connected() as connection:
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT OR REPLACE INTO contents VALUES ({places})", row)  # noqa: S608

    def forget_content(self, sha256: str) -> None:
        """Strike a content out; its tables must be gone already."""
        with self._connected() as connection:
            connection.execute("DELETE FROM contents WHERE sha256 = ?", (sha256,))

    def forget_files(self, folder: Path, paths: Iterable[str]) -> None:
        """Strike files out that are no longer in the folder."""
        rows = [(str(folder), path) for path in paths]
        with self._connected() as connection:
            connection.executemany("DELETE FROM seen WHERE folder = ? AND path = ?", rows)

    def folders(self) -> list[Path]:
        """Give the folders whose files were taken in."""
        with self._connected() as connection:
            rows = connection.execute("SELECT DISTINCT folder FROM seen").fetchall()
        return [Path(row[0]) for row in rows]

    def cells(self) -> dict[str, CellEntry]:
        """Give every cell that was computed, by id."""
        query = "SELECT cell_id, inputs, contents, findings FROM cells ORDER BY cell_id"
        with self._connected() as connection:
            rows = connection.execute(query).fetchall()
        return {
            row[0]: CellEntry(row[0], row[1], tuple(json.loads(row[2])), _findings(row[3]))
            for row in rows
        }

    def remember_cell(self, cell: CellEntry) -> None:
        """Note from what a cell was computed; its tables and pages must be written already."""
        row = (cell.cell_id, cell.inputs, json.dumps(cell.contents), _findings_text(cell.findings))
        with self._connected() as connection:
            connection.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", row)

    def forget_cell(self, cell_id: str) -> None:
        """Strike a cell out; its tables and pages must be gone already."""
        with self._connected() as connection:
            connection.execute("DELETE FROM cells WHERE cell_id = ?", (cell_id,))


def _content(row: tuple[Any, ...]) -> Content:
    started = datetime.fromisoformat(row[4]) if row[4] else None
    return Content(
        row[0], row[1], row[2], row[3], started, row[5], row[6], row[7], row[8],
        tuple(json.loads(row[9])), row[10], _findings(row[11]), row[12],
    )  # fmt: skip
