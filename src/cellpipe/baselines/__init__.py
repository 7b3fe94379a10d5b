"""Published cells as data, and text for the comparison of a cell with them.

Source: Molaiyan et al., eTransportation 23 (2025) 100391, doi 10.1016/j.etran.2024.100391, CC BY
4.0, Table 1. Columns ``*_text`` are as printed; columns ``*_inferred`` are not printed there.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import polars as pl

from cellpipe.core import contracts

TABLE_1 = "Table 1"
REVIEW = "Molaiyan et al., eTransportation 23 (2025) 100391, Table 1"
REVIEW_DOI = "10.1016/j.etran.2024.100391"


@cache
def table1() -> pl.DataFrame:
    """Return the twelve rows of Table 1, as defined in schemas/baselines.yaml."""
    return contracts.validate("baselines", _read_packaged("baselines", "table1.csv"))


@cache
def review_text() -> pl.DataFrame:
    """Return the numbers in the review's text, as defined in schemas/review_text.yaml."""
    return contracts.validate("review_text", _read_packaged("review_text", "review_text.csv"))


def _read_packaged(name: str, file: str) -> pl.DataFrame:
    columns = contracts.load_schema(name).columns
    with (resources.files("cellpipe.baselines") / file).open("rb") as stream:
        return pl.read_csv(stream, schema_overrides={n: c.dtype for n, c in columns.items()})
