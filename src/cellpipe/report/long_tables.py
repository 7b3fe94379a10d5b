"""A table as .csv that Excel opens as it is: UTF-8 with its mark, and no text as a formula."""

from __future__ import annotations

import re

import polars as pl

_FORMULA = "^[=+\\-@\t\r]"


def long_csv(table: pl.DataFrame) -> bytes:
    """Write a table in long format, all rows and columns; the same table gives the same bytes.

    Times are UTC. A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    texts = pl.col(pl.String)
    safe = pl.when(texts.str.contains(_FORMULA)).then(pl.lit("'") + texts).otherwise(texts)
    shown = table.with_columns(safe.name.keep()) if pl.String in table.dtypes else table
    return b"\xef\xbb\xbf" + shown.write_csv(datetime_format="%Y-%m-%d %H:%M:%S").encode()


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{text}" if re.match(_FORMULA, text) else text
