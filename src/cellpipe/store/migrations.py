"""Define the layout of the ledger's tables, and migrate older layouts to it."""

from __future__ import annotations

from pathlib import Path

from cellpipe.core.errors import StoreError
from cellpipe.store.database import Database, Transaction

_FIRST = """
CREATE TABLE IF NOT EXISTS seen (
    folder TEXT NOT NULL, path TEXT NOT NULL, size BIGINT NOT NULL, modified_ns BIGINT NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (folder, path));
CREATE TABLE IF NOT EXISTS contents (
    sha256 TEXT PRIMARY KEY, reading TEXT NOT NULL, status TEXT NOT NULL, format TEXT,
    started_at TEXT, records BIGINT, spectra BIGINT, span_second DOUBLE PRECISION,
    throughput_ah DOUBLE PRECISION,
    tables TEXT NOT NULL, metadata TEXT NOT NULL, findings TEXT NOT NULL, reason TEXT);
CREATE TABLE IF NOT EXISTS cells (
    cell_id TEXT PRIMARY KEY, inputs TEXT NOT NULL, contents TEXT NOT NULL, findings TEXT NOT NULL)
"""
_THIRD = """
ALTER TABLE seen ADD COLUMN first_seen TEXT;
ALTER TABLE contents ADD COLUMN read_at TEXT;
ALTER TABLE contents ADD COLUMN seconds DOUBLE PRECISION;
ALTER TABLE cells ADD COLUMN computed_at TEXT;
ALTER TABLE cells ADD COLUMN seconds DOUBLE PRECISION;
CREATE TABLE written (
    path TEXT PRIMARY KEY, size BIGINT NOT NULL, modified_ns BIGINT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE history (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, subject TEXT NOT NULL, event TEXT NOT NULL,
    sha256 TEXT, reason TEXT, numbers TEXT, version TEXT NOT NULL, seconds DOUBLE PRECISION);
CREATE INDEX history_of ON history (subject, at);
CREATE TABLE faults (
    path TEXT PRIMARY KEY, size BIGINT, modified_ns BIGINT, reading TEXT NOT NULL,
    fault TEXT NOT NULL, times BIGINT NOT NULL);
CREATE TABLE queue (
    path TEXT PRIMARY KEY, size BIGINT NOT NULL, modified_ns BIGINT NOT NULL, batch TEXT,
    since TEXT NOT NULL);
CREATE TABLE writer (
    slot BIGINT PRIMARY KEY, token TEXT NOT NULL, holder TEXT NOT NULL, beat BIGINT NOT NULL);
CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL)
"""
_FOURTH = """
ALTER TABLE cells ADD COLUMN steps TEXT;
ALTER TABLE cells ADD COLUMN numbers TEXT;
UPDATE cells SET numbers = (SELECT h.numbers FROM history h WHERE h.subject = cells.cell_id
    AND h.event = 'computed' ORDER BY h.at DESC LIMIT 1)
"""
_FIFTH = "ALTER TABLE seen ADD COLUMN changed_ns BIGINT"
_SIXTH = """
ALTER TABLE contents ADD COLUMN extent TEXT;
CREATE TABLE shared_records (
    content TEXT NOT NULL, other TEXT NOT NULL, reading TEXT NOT NULL, found TEXT NOT NULL,
    PRIMARY KEY (content, other))
"""
LAYOUT = 6
_NOTES_RESULT_FILES = 3  # the first layout that records each result file as it was written
TABLES = (
    "seen",
    "contents",
    "shared_records",
    "cells",
    "written",
    "history",
    "faults",
    "queue",
    "marks",
)  # not from raw files
IDENTITY = "identity"  # name of the value that identifies the results
ADOPT = "files from before this layout are to be noted"
_STEPS = {
    2: _FIRST,
    3: _THIRD,
    4: _FOURTH,
    5: _FIFTH,
    6: _SIXTH,
}  # the script that leads to each layout


def migrate(database: Database, place: Path | str) -> None:
    """Create the ledger, or migrate an older one with its content, in one transaction.

    Raises
    ------
    StoreError
        If its layout is newer than this one, or older than the first that can be migrated.

    """
    if database.transact(lambda rows: rows.layout(), writes=False) == LAYOUT:
        return

    def steps(rows: Transaction) -> None:
        current = rows.layout()
        if current == LAYOUT:  # another process migrated it meanwhile
            return
        if current not in {0, *_STEPS}:
            raise StoreError(
                f"a ledger of layout {current}", expected=f"layout 2 to {LAYOUT}",
                remedy="use the cellpipe version that wrote it, or a new results folder",
                file=place,
            )  # fmt: skip
        for layout, script in _STEPS.items():
            for statement in script.split(";\n") if layout > current else ():
                rows.write(statement)
        if 0 < current < _NOTES_RESULT_FILES:
            rows.write("INSERT INTO marks VALUES (?, ?)", (ADOPT, str(current)))
        rows.set_layout(LAYOUT)

    database.transact(steps, writes=True)
