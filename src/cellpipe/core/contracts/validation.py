"""Hold tables to their schemas with pandera: refuse them, set rows or values aside, or say so.

What can't be is an error: a table that an analysis made is refused; of a table that was read from a
file (``bad_rows: reject``) the row is set aside, or only the value where the column may be empty.
What should not be is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from cellpipe.core.contracts.checks import Check, kept_levels, table_checks
from cellpipe.core.contracts.rejection import describe_failures, refuse_wrong_column, set_aside
from cellpipe.core.contracts.schema import empty_table, find_column, load_schema
from cellpipe.core.contracts.shaping import contract_error, shape_table
from cellpipe.core.model import Finding
from cellpipe.core.recordings.whole_tables import repair_whole, whole_findings

if TYPE_CHECKING:
    import pandera.polars as pa

_NO_FAILURES = pl.DataFrame(
    schema={
        "column": pl.String, "check": pl.String, "failure_case": pl.String, "index": pl.Int64
    }
)  # fmt: skip


def validate(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Validate a table; return it with the types and the column order of its schema.

    NaN and infinities become null; integers are widened, nothing is rounded or cast.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type, or a value or row breaks a check.

    """
    return judge(name, frame)[0]


def judge(name: str, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Validate a table as :func:`validate` does; return it with what is unusual in it."""
    shaped = shape_table(name, frame)
    levels = kept_levels(name, shaped)
    if "error" not in levels:
        failures = find_failures(name, shaped)
        raise contract_error(name, describe_failures(failures))
    return shaped, [] if "warning" in levels else _list_unusual(name, shaped)


def validate_rows(
    name: str, frame: pl.DataFrame, ranges: Mapping[str, tuple[float, float]] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Validate the rows of a table that was read from a file; set aside and count the bad ones.

    What the rest of the table tells to be wrong is put right (order, test time), or set aside, too.

    A bad value in a column that may be empty is set aside alone; elsewhere its row is. Where more
    than half of the rows break the same bound, it is the column that is wrong: it is left out if it
    may be empty, and the table is refused if not. A bad row is an error if the table's schema does
    not set ``bad_rows: reject``.

    Parameters
    ----------
    name, frame
        The table.
    ranges
        Columns of which the file says that the instrument was set to measure within wider bounds
        than the schema's; values within are no failures.

    Returns
    -------
    table, rejected, findings
        The valid rows; a ``rejected_rows`` table with one row per offending value; and what was
        set aside, or is unusual.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type, a failure belongs to no single row, or
        most rows can't be used.

    """
    if load_schema(name).bad_rows == "error":
        table, unusual = judge(name, frame)
        return table, empty_table("rejected_rows"), unusual
    shaped = shape_table(name, frame)
    levels = kept_levels(name, shaped)
    failures = _NO_FAILURES
    if "error" not in levels:
        failures = _drop_measured(find_failures(name, shaped), ranges or {})
    if not failures.height:
        unusual = [] if "warning" in levels else _list_unusual(name, shaped)
        return _repair(name, shaped, empty_table("rejected_rows"), unusual)
    if failures["index"].null_count():
        raise contract_error(name, describe_failures(failures))
    refuse_wrong_column(name, shaped, failures)
    kept, finding = set_aside(name, shaped, failures)
    nowhere = pl.repeat(None, failures.height, dtype=pl.Int64, eager=True)
    has_index = "record_index" in shaped.columns
    numbers = shaped["record_index"].gather(failures["index"]) if has_index else nowhere
    rejected = failures.select(
        table=pl.lit(name),
        record_index=numbers,
        column="column",
        value="failure_case",
        reason="check",
    )
    said = [finding, *find_unusual(name, kept)]
    return _repair(name, kept, validate("rejected_rows", rejected), said)


def _repair(
    name: str, table: pl.DataFrame, rejected: pl.DataFrame, said: list[Finding]
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Put a table right as a whole, and say what contradicts itself in it."""
    repair = repair_whole(name, table)
    if repair is not None:
        table, said = repair.table, [*said, *repair.findings]
        if repair.left_out is not None:
            rejected = pl.concat([rejected, validate("rejected_rows", repair.left_out)])
    return table, rejected, [*said, *whole_findings(name, table)]


def _drop_measured(
    failures: pl.DataFrame, ranges: Mapping[str, tuple[float, float]]
) -> pl.DataFrame:
    """Return the failures but for values within the range that the instrument was set to."""
    for column, (low, high) in ranges.items():
        values = pl.col("failure_case").cast(pl.Float64, strict=False)
        is_measured = (pl.col("column") == column) & values.is_between(low, high)
        failures = failures.filter(~is_measured.fill_null(value=False))
    return failures


def find_unusual(name: str, table: pl.DataFrame) -> list[Finding]:
    """Return a finding for each usual bound, and each rule of a warning, that a valid table breaks.

    Parameters
    ----------
    name
        The table.
    table
        As :func:`validate` returned it.

    """
    return [] if "warning" in kept_levels(name, table) else _list_unusual(name, table)


def _list_unusual(name: str, table: pl.DataFrame) -> list[Finding]:
    checks = [c for c in table_checks(name, tuple(table.columns)) if c.level == "warning"]
    counts = table.select((~c.keeps).sum().alias(str(i)) for i, c in enumerate(checks)).row(0)
    return [
        _describe_unusual(name, table, check, count)
        for check, count in zip(checks, counts, strict=True)
        if count
    ]


def _describe_unusual(name: str, table: pl.DataFrame, check: Check, count: int) -> Finding:
    """Return the finding of a check of a level of warning; its code is the column's or table's."""
    where = f"In {count} of {table.height} rows of the table {name}"
    if check.column is None:
        sentence = f"{where} this does not hold: {check.sentence.rstrip('.')}."
        return Finding("warning", f"unusual_{name}", sentence, count)
    values = table.filter(~check.keeps)[check.column]
    worst = cast("float", values.min() if check.is_lower else values.max())
    side = "below" if check.is_lower else "above"
    sentence = (
        f"{where}, {check.column} is {side} {check.bound:g} "
        f"({'down' if check.is_lower else 'up'} to {worst:.4g}): {check.why}"
    )
    end = "" if sentence.endswith("?") else "."
    return Finding("warning", f"unusual_{check.column}", sentence + end, count)


def find_failures(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per value that breaks the contract: column, check, failure_case, index.

    pandera judges each value: only worth it where :func:`kept_levels` says that there are any.
    """
    from pandera.errors import SchemaErrors  # import takes 0.5 s and 90 MB: when needed

    try:
        pandera_schema(name, tuple(frame.columns)).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases: pl.DataFrame = error.failure_cases
        return cases.select(
            pl.col("column").cast(pl.String),
            pl.col("check").cast(pl.String),
            pl.col("failure_case").cast(pl.String),
            pl.col("index").cast(pl.Int64),
        )
    return _NO_FAILURES


@lru_cache(maxsize=256)
def pandera_schema(name: str, columns: tuple[str, ...]) -> pa.DataFrameSchema:
    """Return pandera's schema of a table with these columns."""
    import pandera.polars as pa

    schema = load_schema(name)
    checks = [check for check in table_checks(name, columns) if check.level == "error"]
    described: dict[str, Any] = {}
    for column in columns:
        spec = find_column(schema, column)
        if spec is not None:
            own = [_pandera_check(check) for check in checks if check.column == column]
            described[column] = pa.Column(spec.dtype, own, nullable=True)
    whole = [_pandera_check(check) for check in checks if check.column is None]
    return pa.DataFrameSchema(described, checks=whole, strict=True)


def _pandera_check(check: Check) -> pa.Check:
    import pandera.polars as pa

    keeps = check.keeps

    def hold(data: Any) -> pl.LazyFrame:
        held: pl.LazyFrame = data.lazyframe.select(keeps)
        return held

    return pa.Check(hold, error=check.sentence, ignore_na=False)
