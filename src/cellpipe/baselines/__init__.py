"""Published cells as data, the review's Table 1 first, and the comparison of a cell with them.

Source: Molaiyan et al., eTransportation 23 (2025) 100391, doi 10.1016/j.etran.2024.100391, CC BY
4.0, Table 1. The ``*_text`` columns are as printed; what ends in ``_inferred`` is not printed.
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
    """Return the twelve rows of Table 1, as schemas/baselines.yaml says."""
    return contracts.validate("baselines", _read_packaged("baselines", "table1.csv"))


@cache
def review_text() -> pl.DataFrame:
    """Return the figures of the review's running text, as schemas/review_text.yaml says."""
    return contracts.validate("review_text", _read_packaged("review_text", "review_text.csv"))


def _read_packaged(name: str, file: str) -> pl.DataFrame:
    columns = contracts.load_schema(name).columns
    with (resources.files("cellpipe.baselines") / file).open("rb") as stream:
        return pl.read_csv(stream, schema_overrides={n: c.dtype for n, c in columns.items()})
