"""Runs that draw nothing: a line of digests in place of each page and workbook.

Drawing is most of a small run's time. Where a claim is about tables, the ledger, files or what is
said, the three writers of :mod:`cellpipe.report` are replaced, in this process, by ones that write
what the report was given: a digest of every table. So results whose reports would differ for their
input still differ, byte for byte; that the same input draws the same page is tests/report's claim.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from cellpipe import report
from cellpipe.core.model import Cell
from cellpipe.system.atomic_files import file_name, write_bytes
from cellpipe.system.processes import Workers

SIGN = b"cellpipe, in place of a report: "


def digest(tables: Mapping[str, pl.DataFrame], *more: object) -> bytes:
    """Return a line that changes with every table and everything else that a report shows."""
    held = hashlib.sha256(repr(more).encode("utf-8", "surrogatepass"))
    for name in sorted(tables):
        written = io.BytesIO()
        tables[name].write_parquet(written, compression="uncompressed", statistics=False)
        held.update(name.encode() + written.getvalue())
    return SIGN + held.hexdigest().encode()


def _cell_report(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    folder: Path,
    **versions: object,
) -> tuple[Path, Path]:
    told = {name: what for name, what in versions.items() if not callable(what)}
    line = digest({**tables, "files": files}, cell, told)
    stem = folder / "cells" / file_name(cell.cell_id)
    page, book = (stem.with_name(f"{stem.name}{suffix}") for suffix in (".html", ".xlsx"))
    return write_bytes(page, line), write_bytes(book, _book(line))


def _book(line: bytes) -> bytes:
    """Return an archive that says when it was created, as workbooks do, and holds the line."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as book:
        book.writestr(zipfile.ZipInfo("docProps/core.xml"), b"2000-01-01T00:00:00Z" + line)
    return written.getvalue()


def _index(tables: Mapping[str, pl.DataFrame], folder: Path, **versions: object) -> Path:
    return write_bytes(folder / "index.html", digest(tables, versions))


def _lab_workbook(tables: Mapping[str, pl.DataFrame], folder: Path, **versions: object) -> Path:
    return write_bytes(folder / "all-cells.xlsx", _book(digest(tables, versions)))


@contextmanager
def nothing_drawn(*, here: bool = True) -> Iterator[None]:
    """Let runs in this process draw nothing, and do all work in it (another one still draws)."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report, "write_cell_report", _cell_report)
        patched.setattr(report, "write_index", _index)
        patched.setattr(report, "write_lab_workbook", _lab_workbook)
        if here:
            patched.setattr(Workers, "_call", lambda _, work, arguments, *__: work(*arguments))
        yield


@pytest.fixture
def no_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    """Draw nothing in this test, unless it is marked ``pages``: its claim is about them."""
    if request.node.get_closest_marker("pages"):
        yield
        return
    with nothing_drawn(here=not request.node.get_closest_marker("processes")):
        yield
