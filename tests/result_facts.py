"""What two results folders must have in common to be called equal."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

FACTS = {
    "seen": "path, size, modified_ns, sha256",
    "contents": "sha256, reading, status, format, started_at, records, spectra, span_second, "
    "throughput_ah, tables, metadata, findings, reason",
    "cells": "cell_id, inputs, contents, findings",
    "written": "path, size, sha256",
    "faults": "path, reading, fault, times",
    "queue": "path",
    "writer": "slot",
}  # what does not depend on the clock


def files(out: Path) -> dict[str, str]:
    """Give every file of results but the ledger, the mark and logs, by its digest."""
    own = (
        "ledger",
        "cellpipe-results.txt",
        "cellpipe.log",
        "watch.log",
        "digest.txt",
        "prefect/",
        "damaged/",
    )
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not (name := path.relative_to(out).as_posix()).startswith(own)
    }


def facts(out: Path) -> dict[str, list[tuple[object, ...]]]:
    """Give the ledger's facts, without what depends on the clock."""
    with closing(sqlite3.connect(out / "ledger.sqlite")) as ledger:
        return {
            table: sorted(ledger.execute(f"SELECT {columns} FROM {table}"), key=repr)  # noqa: S608
            for table, columns in FACTS.items()
        }


def assert_equal(out: Path, other: Path) -> None:
    """Hold two results against each other: tables, pages and ledger."""
    assert files(out) == files(other)
    one, two = facts(out), facts(other)
    for table in FACTS:
        assert one[table] == two[table], table
