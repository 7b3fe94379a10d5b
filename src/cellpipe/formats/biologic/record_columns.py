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

    ``only`` names the columns to return; without it all are, with one column per flag.
    """
    rows = np.frombuffer(content, table.layout, table.count, table.start)
    names = [name for name in rows.dtype.names or () if not name.startswith("unknown_")]
    if only is not None:
        names = [name for name in names if name in only]
    columns = {name: np.empty(table.count, rows.dtype[name]) for name in names}
    for first in range(0, table.count, _BLOCK):
        block = rows[first : first + _BLOCK]
        for name, column in columns.items():
            column[first : first + _BLOCK] = block[name]
    packed = columns.pop("flags", None)
    if packed is not None:
        for name, mask in table.flags.items():
            columns[name] = (packed & mask) >> ((mask & -mask).bit_length() - 1)
    return pl.DataFrame(columns)
