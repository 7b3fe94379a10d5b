"""Read the records of an .mpr's data module as columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from cellpipe.formats.biologic.modules import Content, Records

_BLOCK = 8192  # rows; small enough for the processor's cache while it is transposed


def read_columns(
    content: Content, table: Records, only: Collection[str] | None = None
) -> pl.DataFrame:
    """Return the records as columns with their stored types, in one pass over the bytes.

    ``only`` names the columns to return, flags among them; without it all are.
    """
    rows = np.frombuffer(content, table.layout, table.count, table.start)
    names = [name for name in rows.dtype.names or () if not name.startswith("unknown_")]
    if only is not None:
        packed = ["flags"] if table.flags.keys() & {*only} else []
        names = [name for name in names if name in {*only, *packed}]
    columns = {name: np.empty(table.count, rows.dtype[name]) for name in names}
    for first in range(0, table.count, _BLOCK):
        block = rows[first : first + _BLOCK]
        for name, column in columns.items():
            column[first : first + _BLOCK] = block[name]
    bits = columns.pop("flags", None)
    if bits is not None:
        for name, mask in table.flags.items():
            if only is None or name in only:
                columns[name] = (bits & mask) >> ((mask & -mask).bit_length() - 1)
    return pl.DataFrame(columns)
