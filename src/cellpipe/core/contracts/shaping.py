"""Shape a table as its schema has it: columns in order, exact types, nothing rounded or cast.

What is wider or narrower by type and equal by value is taken: an integer of another width, single
precision, an integer in a column of floats, a column without any value. A float in a column of
integers is taken only if every value is whole; text in a column of numbers, or a truth value, is
refused.
"""

from __future__ import annotations

import math
from functools import lru_cache

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.schema import (
    Schema,
    find_column,
    first_error_line,
    load_schema,
)
from cellpipe.core.errors import ContractError

_EXACT = 2**53  # the largest integer up to which a float holds each


def shape_table(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table with the types and the column order of its schema.

    NaN and infinities become null.

    Raises
    ------
    ContractError
        If a column is missing, unknown, or of a type that can't be taken exactly.

    """
    if not isinstance(frame, pl.DataFrame):
        raise contract_error(name, f"a {type(frame).__name__}", "a polars.DataFrame")
    types = frame.schema
    if tuple(types.items()) == _exact_types(name, tuple(types)):
        return _without_nonfinite(frame)
    schema = load_schema(name)
    specs = {column: find_column(schema, column) for column in frame.columns}
    unknown = [column for column, spec in specs.items() if spec is None]
    missing = [c for c, s in schema.columns.items() if s.required and c not in frame.columns]
    if unknown or missing:
        parts = [f"no column {', '.join(missing)}"] if missing else []
        parts += [f"unknown column {', '.join(unknown)}"] if unknown else []
        raise contract_error(name, "; ".join(parts), f"the columns of schemas/{name}.yaml")
    known = {column: spec for column, spec in specs.items() if spec is not None}
    order = list(schema.columns)
    in_order = sorted(known, key=lambda column: _column_position(order, column, schema))
    for column in in_order:
        _check_type(name, frame[column], known[column])
    finite = _without_nonfinite(frame)
    try:
        return finite.select(
            pl.col(c) if types[c] == known[c].dtype else pl.col(c).cast(known[c].dtype)
            for c in in_order
        )
    except pl.exceptions.PolarsError as error:
        raise contract_error(name, first_error_line(error)) from error


@lru_cache(maxsize=256)  # files of one kind have the same columns
def _exact_types(name: str, columns: tuple[str, ...]) -> tuple[tuple[str, pl.DataType], ...] | None:
    """Return columns and types that need no shaping; None where these columns do."""
    schema = load_schema(name)
    specs = [(column, find_column(schema, column)) for column in columns]
    there = {column for column, spec in specs if spec is not None}
    if len(there) < len(columns) or any(
        c not in there for c, spec in schema.columns.items() if spec.required
    ):
        return None
    order = list(schema.columns)
    if columns != tuple(sorted(there, key=lambda c: _column_position(order, c, schema))):
        return None
    return tuple((column, spec.dtype) for column, spec in specs if spec is not None)


def _without_nonfinite(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table in which NaN and infinities are null."""
    floats = [values for values in frame.get_columns() if values.dtype.is_float()]
    names = [values.name for values in floats if not math.isfinite(values.sum())]  # quicker
    return frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in names
    )


def contract_error(name: str, what: str, expected: str = "") -> ContractError:
    """Return the error of a table that is not what its schema says."""
    return ContractError(
        f"table {name}: {what}",
        expected=expected or f"what schemas/{name}.yaml says",
        remedy="correct what makes the table",
    )


def _check_type(name: str, values: pl.Series, spec: Column) -> None:
    """Raise ContractError if a column can't be taken without rounding or interpreting it."""
    have, wanted = values.dtype, spec.dtype
    if have in (wanted, pl.Null) or not values.len():
        return
    plain = have.is_integer() or have.is_float()
    if plain and wanted.is_numeric():
        inexact = values.filter(_is_inexact(values, wanted))
        if not inexact.len():
            return
        found = f"{values.name} holds {inexact[0]}"
        raise contract_error(name, found, f"values that {spec.type} holds exactly")
    is_utc = isinstance(have, pl.Datetime) and have.time_zone == "UTC"
    if is_utc and wanted.is_temporal() and not (values.dt.timestamp("ns") % 1000 != 0).any():
        return
    known = values.drop_nulls()
    example = f", e.g. {known[0]!r}" if known.len() else ""
    raise contract_error(
        name, f"{values.name} is of the type {have}{example}",
        f"{spec.type}: nothing is cast, for it would be guessed what is meant",
    )  # fmt: skip


def _is_inexact(values: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Return which numbers another numeric type can't hold; NaN and infinities are none."""
    if values.dtype.is_float() and wanted.is_integer():
        return values.is_finite() & ((values != values.round(0)) | (values.abs() > _EXACT))
    if values.dtype.is_integer() and wanted.is_float():
        return (values > _EXACT) | (values < -_EXACT)
    return pl.repeat(value=False, n=values.len(), dtype=pl.Boolean, eager=True)


def _column_position(order: list[str], column: str, schema: Schema) -> tuple[int, str]:
    if column in order:
        return order.index(column), column
    spec = find_column(schema, column)
    return next(i for i, name in enumerate(order) if schema.columns[name] is spec), column
