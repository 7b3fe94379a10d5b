"""The review's Table 1 as data, and the comparison of a cell with it.

Source: Molaiyan et al., eTransportation 23 (2025) 100391, doi 10.1016/j.etran.2024.100391, CC BY
4.0, Table 1. The ``*_text`` columns are as printed; what ends in ``_inferred`` is not printed.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import polars as pl

from cellpipe import contracts

REVIEW = "Molaiyan et al., eTransportation 23 (2025) 100391, Table 1"
REVIEW_DOI = "10.1016/j.etran.2024.100391"


@cache
def table1() -> pl.DataFrame:
    """Give the twelve rows of Table 1, as schemas/baselines.yaml says."""
    columns = contracts.schema("baselines").columns
    with (resources.files("cellpipe.baselines") / "table1.csv").open("rb") as stream:
        raw = pl.read_csv(
            stream, schema_overrides={name: column.dtype for name, column in columns.items()}
        )
    return contracts.checked("baselines", raw)
