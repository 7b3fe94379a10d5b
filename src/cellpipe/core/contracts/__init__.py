"""Load the table schemas of ``schemas/``, and validate tables against them with pandera.

A schema file names a table, describes one row, and lists the columns with type, unit, bounds and
meaning. Unknown keys are refused, so that a misspelt bound can't be ignored. Tables are validated
only here, and later code relies on it. An installed package can add schemas: its entry point in the
group ``cellpipe.schemas`` names the folder.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellpipe.core.checkout import find_folder
from cellpipe.core.contracts.whole_tables import whole_findings
from cellpipe.core.errors import ContractError, SchemaError
from cellpipe.core.model import Finding

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import pandera.polars as pa

Type = Literal["string", "int64", "float64", "bool", "datetime"]
_NO_FAILURES = pl.DataFrame(schema={"column": pl.String, "check": pl.String, "index": pl.Int64})
_DTYPES: dict[Type, pl.DataType] = {
    "string": pl.String(),
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "datetime": pl.Datetime("us", "UTC"),
}


class Column(BaseModel):
    """One column of a table, as its schema file describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Type
    meaning: str
    unit: str = ""
    bdf: str = ""
    nullable: bool = False
    required: bool = True
    pattern: bool = False
    min: float | None = None
    max: float | None = None
    isin: tuple[str, ...] | None = None

    @property
    def dtype(self) -> pl.DataType:
        """Return the column's polars type."""
        return _DTYPES[self.type]


class Schema(BaseModel):
    """One schema file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    about: str
    row: str
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    key: tuple[str, ...] = ()
    bad_rows: Literal["reject", "error"] = "error"
    consolidate: bool = True


def schema_folder() -> Traversable:
    """Return the folder ``schemas/`` of the package or of an editable checkout."""
    return find_folder("schemas")


@cache
def _schema_files() -> dict[str, Traversable]:
    """Return each table's schema file: cellpipe's, then those of installed packages."""
    outside = (resources.files(point.value) for point in entry_points(group="cellpipe.schemas"))
    found: dict[str, Traversable] = {}
    for folder in (schema_folder(), *outside):
        for entry in folder.iterdir():
            name, _, suffix = entry.name.rpartition(".")
            if suffix == "yaml" and name in found:
                raise SchemaError(
                    f"a second schema called {name!r}", expected="one for each table",
                    remedy="give the package's table another name", file=str(entry),
                )  # fmt: skip
            if suffix == "yaml":
                found[name] = entry
    return found


@cache
def table_names() -> tuple[str, ...]:
    """Return the names of all tables, in alphabetical order."""
    return tuple(sorted(_schema_files()))


@cache
def load_schema(name: str) -> Schema:
    """Read the schema of a table.

    Raises
    ------
    SchemaError
        If no schema has that name, or its file has an unknown key or an invalid value.

    """
    if name not in table_names():
        known = ", ".join(table_names())
        raise SchemaError(
            f"no schema called {name!r}",
            expected=f"one of {known}",
            remedy="correct the name, or add the file to schemas/",
        )
    return parse_schema(_schema_files()[name].read_text(encoding="utf-8"), name)


def parse_schema(text: str, name: str) -> Schema:
    """Parse the text of a schema file, strictly.

    Raises
    ------
    SchemaError
        If it is not YAML, has an unknown key or an invalid value, or is of another table.

    """
    file = f"schemas/{name}.yaml"
    try:
        schema = Schema.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        remedy = "see docs/tables.md for the keys that are known"
        raise SchemaError(
            _first_error_line(error), remedy=remedy, file=file, expected="the keys of a schema"
        ) from error
    if schema.table != name:
        raise SchemaError(
            f"table: {schema.table}",
            expected=f"table: {name}",
            file=file,
            remedy="name the file and the table alike",
        )
    return schema


def _first_error_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = " → ".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}"
    return " ".join(str(error).split())


@cache
def empty_table(name: str) -> pl.DataFrame:
    """Return a table without rows, with its required columns."""
    return pl.DataFrame(
        schema={n: c.dtype for n, c in load_schema(name).columns.items() if c.required}
    )


def column_metadata(name: str, columns: list[str]) -> dict[str, dict[str, str]]:
    """Return unit, meaning and BDF label of each column, for the metadata of a file's fields."""
    described = {}
    for column in columns:
        spec = _find_spec(load_schema(name), column)
        if spec is not None:
            labels = {"unit": spec.unit, "meaning": spec.meaning, "bdf": spec.bdf}
            described[column] = {key: text for key, text in labels.items() if text}
    return described


def validate(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Validate a table; return it with the types and the column order of its schema.

    NaN and infinities become null; integers are widened, nothing is rounded.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type, or a value breaks a check.

    """
    shaped = _coerce(name, frame)
    failures = _find_failures(name, shaped)
    if failures.height:
        raise ContractError(
            f"table {name}: {_describe_failures(failures)}",
            expected=f"what schemas/{name}.yaml says",
            remedy="correct what makes the table",
        )
    return shaped


def validate_rows(
    name: str, frame: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Validate the rows of a table that was read from a file; reject and count the bad ones.

    A bad row is an error if the table's schema does not set ``bad_rows: reject``.

    Returns
    -------
    table, rejected, findings
        The valid rows; a ``rejected_rows`` table with one row per offending value; a finding if
        there are any, and what the valid rows as a whole say against each other.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type, or a failure belongs to no single row.

    """
    if load_schema(name).bad_rows == "error":
        return validate(name, frame), empty_table("rejected_rows"), []
    shaped = _coerce(name, frame)
    failures = _find_failures(name, shaped)
    if not failures.height:
        return shaped, empty_table("rejected_rows"), whole_findings(name, shaped)
    if failures["index"].null_count():
        raise ContractError(
            f"table {name}: {_describe_failures(failures)}",
            expected=f"what schemas/{name}.yaml says",
            remedy="correct what makes the table",
        )
    bad = failures["index"].unique().sort()
    rejected = failures.select(
        table=pl.lit(name),
        record_index=shaped["record_index"].gather(failures["index"]),
        column="column",
        value="failure_case",
        reason="check",
    )
    kept = shaped.with_row_index("_row").filter(~pl.col("_row").is_in(bad.implode())).drop("_row")
    sentence = (
        f"{bad.len()} of {shaped.height} rows of {name} can't be used and were set aside: "
        f"{_describe_failures(failures)}."
    )
    return (
        kept,
        validate("rejected_rows", rejected),
        [Finding("warning", "rows_rejected", sentence, bad.len()), *whole_findings(name, kept)],
    )


def _find_spec(schema: Schema, column: str) -> Column | None:
    import re

    if column in schema.columns and not schema.columns[column].pattern:
        return schema.columns[column]
    for pattern, spec in schema.columns.items():
        if spec.pattern and re.fullmatch(pattern, column):
            return spec
    return None


def _coerce(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    schema = load_schema(name)
    specs = {column: _find_spec(schema, column) for column in frame.columns}
    unknown = [column for column, spec in specs.items() if spec is None]
    missing = [c for c, s in schema.columns.items() if s.required and c not in frame.columns]
    if unknown or missing:
        parts = [f"no column {', '.join(missing)}"] if missing else []
        parts += [f"unknown column {', '.join(unknown)}"] if unknown else []
        raise ContractError(
            f"table {name}: {'; '.join(parts)}",
            expected=f"the columns of schemas/{name}.yaml",
            remedy="correct what makes the table",
        )
    known = {column: spec for column, spec in specs.items() if spec is not None}
    order = list(schema.columns)
    in_order = sorted(known, key=lambda column: _column_position(order, column, schema))
    types = frame.schema
    floats = [c for c in in_order if types[c].is_float()]
    finite = frame.select(pl.col(floats).is_finite().all()).row(0) if floats else ()
    nonfinite = {c for c, is_finite in zip(floats, finite, strict=True) if not is_finite}
    try:
        return frame.select(_cast(types[c], c, known[c], c in nonfinite) for c in in_order)
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"table {name}: {_first_error_line(error)}",
            expected=f"what schemas/{name}.yaml says",
            remedy="correct what makes the table",
        ) from error


def _column_position(order: list[str], column: str, schema: Schema) -> tuple[int, str]:
    if column in order:
        return order.index(column), column
    spec = _find_spec(schema, column)
    return next(i for i, name in enumerate(order) if schema.columns[name] is spec), column


def _cast(dtype: pl.DataType, column: str, spec: Column, nonfinite: bool) -> pl.Expr:
    expression = pl.col(column)
    if nonfinite:
        expression = pl.when(expression.is_finite()).then(expression)
    return expression if dtype == spec.dtype else expression.cast(spec.dtype)


@cache
def _pandera_schema(name: str, columns: tuple[str, ...]) -> pa.DataFrameSchema:
    import pandera.polars as pa

    schema = load_schema(name)
    described: dict[str, Any] = {}
    for column in columns:
        spec = _find_spec(schema, column)
        if spec is None:
            continue
        checks = []
        if spec.min is not None:
            checks.append(pa.Check.ge(spec.min, error=f"{column} is below {spec.min:g}"))
        if spec.max is not None:
            checks.append(pa.Check.le(spec.max, error=f"{column} is above {spec.max:g}"))
        if spec.isin is not None:
            allowed = ", ".join(spec.isin)
            checks.append(pa.Check.isin(spec.isin, error=f"{column} is none of {allowed}"))
        described[column] = pa.Column(spec.dtype, checks, nullable=spec.nullable)
    return pa.DataFrameSchema(described, strict=True, unique=list(schema.key) or None)


def _find_failures(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per value that breaks the contract: column, check, failure_case, index."""
    if _is_within_bounds(name, frame):
        return _NO_FAILURES
    from pandera.errors import SchemaErrors  # import takes 0.5 s and 90 MB: when needed

    try:
        _pandera_schema(name, tuple(frame.columns)).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases: pl.DataFrame = error.failure_cases
        message = (
            pl.when(pl.col("check") == "not_nullable")
            .then(pl.col("column") + " is empty")
            .otherwise("check")
        )
        return cases.select(
            pl.col("column").cast(pl.String),
            message.cast(pl.String).alias("check"),
            pl.col("failure_case").cast(pl.String),
            pl.col("index").cast(pl.Int64),
        )
    return _NO_FAILURES


def _is_within_bounds(name: str, frame: pl.DataFrame) -> bool:
    """Return whether a coerced table is valid, in one pass instead of one per check.

    This compares the table's extremes with the bounds; pandera says which values are invalid. False
    also where it can't be decided this way.
    """
    condition = _bounds_expression(name, tuple(frame.columns))
    return condition is not None and bool(frame.select(condition).item())


@lru_cache(maxsize=256)  # files of one kind have the same columns
def _bounds_expression(name: str, columns: tuple[str, ...]) -> pl.Expr | None:
    schema = load_schema(name)
    conditions = [pl.lit(value=True)]
    for column in columns:
        spec = _find_spec(schema, column)
        values = pl.col(column)
        if spec is None:
            return None
        if not spec.nullable:
            conditions.append(values.null_count() == 0)
        if spec.min is not None:
            conditions.append((values.min() >= spec.min).fill_null(value=True))
        if spec.max is not None:
            conditions.append((values.max() <= spec.max).fill_null(value=True))
        if spec.isin is not None:
            conditions.append(values.is_in(spec.isin).fill_null(value=True).all())
    if schema.key:
        conditions.append(pl.struct(schema.key).n_unique() == pl.len())
    return pl.all_horizontal(conditions)


def _describe_failures(failures: pl.DataFrame) -> str:
    counts = failures.group_by("check", maintain_order=True).agg(
        pl.len(), pl.col("failure_case").first(), pl.col("index").first()
    )
    parts = [
        f"{check} ({count} times, first {case!r} in row {index})"
        for check, count, case, index in counts.head(3).iter_rows()
    ]
    return ", ".join(parts)
