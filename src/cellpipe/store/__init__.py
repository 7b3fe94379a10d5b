"""The results folder: the only place that writes tables and remembers what was done.

::

    RESULTS/
    ├─ index.html                 the page to open
    ├─ all-cells.xlsx             the same as a workbook
    ├─ cells/                     a page and a workbook per cell
    ├─ tables/<table>/            parquet: one file per raw file's content, or per cell
    ├─ gathered/<table>.parquet   many cells' tables in one file, once there are a hundred
    ├─ ledger.sqlite              which file was read, which cell was computed from what
    ├─ ledger.copy.sqlite         its copy of last night
    ├─ digest.html, digest.txt    what the last night did
    ├─ summary.xlsx, summary.csv  a line a cell, for people to write into
    ├─ eln/                       archives for electronic lab notebooks, where they are asked for
    └─ damaged/                   what could not be used any more, put aside

A table is written before its row in the ledger, each atomically: whatever is killed whenever, the
next run ends in the same state as an undisturbed one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellpipe.store.layout import LAB, table_path
from cellpipe.store.ledger import Ledger
from cellpipe.store.records import CellEntry, Content, ResultFile, SeenFile

if TYPE_CHECKING:
    from cellpipe.store.results import Results, open_results
    from cellpipe.store.tables import read_table, write_table

__all__ = [
    "LAB",
    "CellEntry",
    "Content",
    "Ledger",
    "ResultFile",
    "Results",
    "SeenFile",
    "open_results",
    "read_table",
    "table_path",
    "write_table",
]


def __getattr__(name: str) -> Any:
    """Import what needs polars when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'cellpipe.store' has no attribute {name!r}")
    from importlib import import_module

    home = "results" if name in {"Results", "open_results"} else "tables"
    return getattr(import_module(f"cellpipe.store.{home}"), name)
