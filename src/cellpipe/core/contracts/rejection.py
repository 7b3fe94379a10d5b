"""Set aside what a table of a file can't be, or refuse the table where a whole column is wrong."""

from __future__ import annotations

from typing import cast

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.schema import find_column, load_schema
from cellpipe.core.errors import ContractError
from cellpipe.core.model import Finding

_MOST_BAD = 0.5  # of the rows; where more have one fault, it is the column's
_PREFIXES = {1e3: "m", 1e6: "µ", 1e9: "n"}  # of units that are so many times smaller
_PREFIXED = {"V", "A", "s", "Ω", "Ah", "Wh"}
_FEWEST = 10  # rows, from which on a share of them says something


def refuse_wrong_column(name: str, table: pl.DataFrame, failures: pl.DataFrame) -> None:
    """Raise ContractError if most rows break a check of a column that may not be empty."""
    schema = load_schema(name)
    counts = failures.group_by("column", maintain_order=True).agg(
        pl.col("check").unique(maintain_order=True).str.join(" or "), pl.col("index").n_unique()
    )
    for column, check, count in counts.iter_rows():
        spec = find_column(schema, column) if column else None
        if spec is None or spec.nullable:
            continue
        if table.height < _FEWEST or count <= _MOST_BAD * table.height:
            continue
        if table[column].null_count() > _MOST_BAD * table.height:
            raise ContractError(
                f"{column} without a number in {table[column].null_count()} of {table.height} rows",
                expected="one in each row",
                remedy="look at the column in the file: is it another one, or are its numbers "
                "written in another way (1.234,5)?",
            )
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


def set_aside(
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
        f"{' and '.join(parts)} can't be used and were set aside: {describe_failures(failures)}."
    )
    return kept, Finding("warning", "rows_rejected", sentence, rows.len() or values.height)


def describe_failures(failures: pl.DataFrame) -> str:
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
