"""The results folder: the only package that writes its tables and records what was done.

::

    RESULTS/
    ├─ index.html                 the page to open
    ├─ all-cells.xlsx             the same as a workbook
    ├─ cells/                     a page and a workbook per cell
    ├─ tables/<table>/            parquet: one file per raw file's content, or per cell
    ├─ gathered/<table>.parquet   the tables of many cells in one file, from a hundred cells on
    ├─ ledger.sqlite              which files were read, and what each cell was computed from
    ├─ ledger.copy.sqlite         its copy of last night
    ├─ digest.html, digest.txt    what the last nightly run did
    ├─ summary.xlsx, summary.csv  one row per cell, for people to add to
    ├─ eln/                       archives for electronic lab notebooks, if requested
    └─ damaged/                   quarantine for what can't be used any more

A table is written before its row in the ledger, each atomically: if a run is killed at any moment,
the next run ends in the same state as an undisturbed one.
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
    """Import what needs polars on first access."""
    if name not in __all__:
        raise AttributeError(f"module 'cellpipe.store' has no attribute {name!r}")
    from importlib import import_module

    home = "results" if name in {"Results", "open_results"} else "tables"
    return getattr(import_module(f"cellpipe.store.{home}"), name)
