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
from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.schema import empty_table, find_column, load_schema
from cellpipe.core.contracts.shaping import contract_error, shape_table
from cellpipe.core.contracts.whole_tables import whole_findings
from cellpipe.core.errors import ContractError
from cellpipe.core.model import Finding

if TYPE_CHECKING:
    import pandera.polars as pa

_MOST_BAD = 0.5  # of the rows; where more have one fault, it is the column's
_PREFIXES = {1e3: "m", 1e6: "µ", 1e9: "n"}  # of units that are so many times smaller
_PREFIXED = {"V", "A", "s", "Ω", "Ah", "Wh"}
_FEWEST = 10  # rows, from which on a share of them says something
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
    shaped = shape_table(name, frame)
    failures = find_failures(name, shaped)
    if failures.height:
        raise contract_error(name, _describe_failures(failures))
    return shaped


def validate_rows(
    name: str, frame: pl.DataFrame, ranges: Mapping[str, tuple[float, float]] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Validate the rows of a table that was read from a file; set aside and count the bad ones.

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
        table = validate(name, frame)
        return table, empty_table("rejected_rows"), find_unusual(name, table)
    shaped = shape_table(name, frame)
    levels = kept_levels(name, shaped)
    if "error" in levels:
        unusual = [] if "warning" in levels else find_unusual(name, shaped)
        return shaped, empty_table("rejected_rows"), [*unusual, *whole_findings(name, shaped)]
    failures = find_failures(name, shaped)
    for column, (low, high) in (ranges or {}).items():
        values = pl.col("failure_case").cast(pl.Float64, strict=False)
        is_measured = (pl.col("column") == column) & values.is_between(low, high)
        failures = failures.filter(~is_measured.fill_null(value=False))
    if not failures.height:
        said = [*find_unusual(name, shaped), *whole_findings(name, shaped)]
        return shaped, empty_table("rejected_rows"), said
    if failures["index"].null_count():
        raise contract_error(name, _describe_failures(failures))
    _refuse_wrong_column(name, shaped, failures)
    kept, finding = _set_aside(name, shaped, failures)
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
    said = [finding, *find_unusual(name, kept), *whole_findings(name, kept)]
    return kept, validate("rejected_rows", rejected), said


def find_unusual(name: str, table: pl.DataFrame) -> list[Finding]:
    """Return a finding for each usual bound, and each rule of a warning, that a valid table breaks.

    Parameters
    ----------
    name
        The table.
    table
        As :func:`validate` returned it.

    """
    if not table.height or "warning" in kept_levels(name, table):
        return []
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
    """Return one row per value that breaks the contract: column, check, failure_case, index."""
    if "error" in kept_levels(name, frame):
        return _NO_FAILURES
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


def _refuse_wrong_column(name: str, table: pl.DataFrame, failures: pl.DataFrame) -> None:
    """Raise ContractError if most rows break one check of a column that may not be empty."""
    schema = load_schema(name)
    for column, check, count in failures.group_by("column", "check").len().iter_rows():
        spec = find_column(schema, column) if column else None
        if spec is None or spec.nullable:
            continue
        if table.height < _FEWEST or count <= _MOST_BAD * table.height:
            continue
        if table[column].null_count() == table.height:
            continue
        unit = f" {spec.unit}" if spec.unit not in {"", "1"} else ""
        low, high = (cast("float", end) for end in (table[column].min(), table[column].max()))
        raise ContractError(
            f"{column} from {low:g} to {high:g}{unit}: {check} in {count} of {table.height} rows",
            expected=f"{spec.min:g} to {spec.max:g}{unit}: {spec.because}"
            if spec.min is not None and spec.max is not None
            else f"what schemas/{name}.yaml says",
            remedy=_likely_slip(low, high, spec),
        )


def _likely_slip(low: float, high: float, spec: Column) -> str:
    """Say what to look at where a whole column is out of its bounds; try other units of it."""
    for factor, prefix in _PREFIXES.items():
        inside = [spec.min is None or spec.min <= low / factor]
        inside += [spec.max is None or high / factor <= spec.max]
        if all(inside) and spec.unit in _PREFIXED:
            return f"if this column is in {prefix}{spec.unit}, correct its header"
    return "look at the unit in the header of this column, and at the order of the columns"


def _set_aside(
    name: str, table: pl.DataFrame, failures: pl.DataFrame
) -> tuple[pl.DataFrame, Finding]:
    """Return a table without what can't be used, and the finding that says what that was."""
    schema = load_schema(name)
    specs = {column: find_column(schema, column) for column in failures["column"].unique()}
    alone = [column for column, spec in specs.items() if spec is not None and spec.nullable]
    values = failures.filter(pl.col("column").is_in(alone))
    rows = failures.filter(~pl.col("column").is_in(alone))["index"].unique()
    number = pl.int_range(pl.len())
    emptied = [
        pl.when(~number.is_in(own["index"].implode())).then(pl.col(column)).alias(column)
        for (column,), own in values.group_by("column")
    ]
    kept = table.with_columns(emptied).filter(~number.is_in(rows.implode()))
    parts = []
    if rows.len():
        parts.append(f"{rows.len()} of {table.height} rows of {name}")
    if values.height:
        parts.append(f"{values.height} values of {', '.join(sorted(alone))}")
    sentence = (
        f"{' and '.join(parts)} can't be used and were set aside: {_describe_failures(failures)}."
    )
    return kept, Finding("warning", "rows_rejected", sentence, rows.len() or values.height)


def _describe_failures(failures: pl.DataFrame) -> str:
    """Name the checks that fail, with the first value, or for a rule the first row, of each."""
    counts = failures.group_by("check", maintain_order=True).agg(
        pl.len(), pl.col("column", "failure_case", "index").first()
    )
    parts = []
    for check, count, column, case, index in counts.head(3).iter_rows():
        value = f" {case!r}" if column and case is not None else ""
        place = "" if index is None else f" in row {index}"
        times = "once" if count == 1 else f"{count} times"
        parts.append(f"{check.rstrip('.')} ({times}, first{value}{place})")
    return ", ".join(parts)
