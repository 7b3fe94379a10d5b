"""Recognise what cellpipe wrote by what is in it, where no ledger can tell any more."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl

from cellpipe.store.layout import BASELINES_COPY, MATERIALS_COPY, SHEET_COPY
from cellpipe.system.regular_files import open_regular

_LOOK = 1 << 16  # bytes at each end of a page
_CREATED = b"2000-01-01T00:00:00Z"  # in every workbook of cellpipe's: the same bytes each time
_COLUMNS = {"cell_id", "file_sha256", "first_author_year"}  # each table has one of them


def looks_own(folder: Path, name: str) -> bool:
    """Return whether a file in the results holds what cellpipe writes under such a name."""
    path = folder / name
    if name.startswith((SHEET_COPY, BASELINES_COPY, MATERIALS_COPY)):
        return True  # a copy of a file of people's: nothing in it tells
    try:
        if path.suffix == ".parquet":
            return not _COLUMNS.isdisjoint(pl.read_parquet_schema(path))
        if path.suffix == ".xlsx":
            with open_regular(path) as stream, zipfile.ZipFile(stream) as book:
                return _CREATED in book.read("docProps/core.xml")
        with open_regular(path) as stream:
            head = stream.read(_LOOK)
            stream.seek(max(0, path.stat().st_size - _LOOK))
            return b"cellpipe" in head or b"cellpipe" in stream.read()
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, EOFError,
            pl.exceptions.PolarsError, pl.exceptions.PanicException):  # fmt: skip
        return False
