"""Write tables as .csv that Excel opens directly: UTF-8 with a BOM, no text as a formula."""

from __future__ import annotations

import re

import polars as pl

_FORMULA = "^[=+\\-@\t\r]"


def long_csv(table: pl.DataFrame) -> bytes:
    """Return all rows and columns of a table as .csv; the same table gives the same bytes.

    Times are UTC. A text that a spreadsheet would read as a formula gets a leading apostrophe.
    """
    strings = pl.col(pl.String)
    safe = pl.when(strings.str.contains(_FORMULA)).then(pl.lit("'") + strings).otherwise(strings)
    escaped = table.with_columns(safe.name.keep()) if pl.String in table.dtypes else table
    return b"\xef\xbb\xbf" + escaped.write_csv(datetime_format="%Y-%m-%d %H:%M:%S").encode()


def escape_formula(text: str) -> str:
    """Return the text, with a leading apostrophe if a spreadsheet would read it as a formula."""
    return f"'{text}" if re.match(_FORMULA, text) else text
