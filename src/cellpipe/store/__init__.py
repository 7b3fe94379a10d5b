"""The results folder: the only place that writes tables and remembers what was done.

::

    RESULTS/
    ├─ index.html                 the page to open
    ├─ cells/                     a page and a workbook per cell
    ├─ tables/<table>/            parquet: one file per raw file's content, or per cell
    └─ ledger.sqlite              which file was read, which cell was computed from what

A table is written before its row in the ledger, each atomically: whatever is killed whenever, the
next run ends in the same state as an undisturbed one.
"""

from __future__ import annotations

from cellpipe.store.ledger import CellEntry, Content, Ledger, SeenFile
from cellpipe.store.results import Results, open_results
from cellpipe.store.tables import read_table, table_path, write_table

__all__ = [
    "CellEntry",
    "Content",
    "Ledger",
    "Results",
    "SeenFile",
    "open_results",
    "read_table",
    "table_path",
    "write_table",
]
