"""schemas/ as pandera schemas: the one place where a table is checked.

A schema file names a table, says in words what one row is, and lists its columns with type, unit,
bounds and meaning. The loader refuses a key that it doesn't know, so a misspelt bound can't be
ignored. From a checked table on, no code doubts it. A package outside names a folder with further
schemas through the entry point group ``cellpipe.schemas``.
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
    """One column of a table as its schema file describes it."""

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
        """The column's polars type."""
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
    """Return the folder ``schemas/``: inside the package, or at the top of an editable checkout."""
    return find_folder("schemas")


@cache
def _schema_files() -> dict[str, Traversable]:
    """Return each table's schema file: those of cellpipe, then those of installed packages."""
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
    """Names of all tables, in alphabetical order."""
    return tuple(sorted(_schema_files()))


@cache
def load_schema(name: str) -> Schema:
    """Read the schema of a table.

    Raises
    ------
    SchemaError
        If there is none of that name, or the file has a key or a value that isn't known.

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
    """Turn the text of a schema file into a schema, strictly."""
    file = f"schemas/{name}.yaml"
    try:
        found = Schema.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        remedy = "see docs/tables.md for the keys that are known"
        raise SchemaError(
            _first_error_line(error), remedy=remedy, file=file, expected="the keys of a schema"
        ) from error
    if found.table != name:
        raise SchemaError(
            f"table: {found.table}",
            expected=f"table: {name}",
            file=file,
            remedy="name the file and the table alike",
        )
    return found


def _first_error_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = " → ".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}"
    return " ".join(str(error).split())


@cache
def empty_table(name: str) -> pl.DataFrame:
    """Return the table without rows, with its required columns."""
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
    """Hold the contract against a table and give it back in the contract's types and order.

    NaN and infinities become null; whole numbers are widened, nothing is rounded.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type, or a value breaks its bounds.

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
    """Hold the contract against a table that was read: bad rows are set aside and counted.

    A table whose schema does not say ``bad_rows: reject`` is refused for a bad row.

    Returns
    -------
    table, rejected, findings
        The rows that keep the contract; a ``rejected_rows`` table of those that don't, one row
        per offending value; and a finding if there are any.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of another type.

    """
    if load_schema(name).bad_rows == "error":
        return validate(name, frame), empty_table("rejected_rows"), []
    shaped = _coerce(name, frame)
    failures = _find_failures(name, shaped)
    if not failures.height:
        return shaped, empty_table("rejected_rows"), []
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
        [Finding("warning", "rows_rejected", sentence, bad.len())],
    )


def _find_spec(found: Schema, column: str) -> Column | None:
    import re

    if column in found.columns and not found.columns[column].pattern:
        return found.columns[column]
    for pattern, spec in found.columns.items():
        if spec.pattern and re.fullmatch(pattern, column):
            return spec
    return None


def _coerce(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    found = load_schema(name)
    specs = {column: _find_spec(found, column) for column in frame.columns}
    unknown = [column for column, spec in specs.items() if spec is None]
    missing = [c for c, s in found.columns.items() if s.required and c not in frame.columns]
    if unknown or missing:
        parts = [f"no column {', '.join(missing)}"] if missing else []
        parts += [f"unknown column {', '.join(unknown)}"] if unknown else []
        raise ContractError(
            f"table {name}: {'; '.join(parts)}",
            expected=f"the columns of schemas/{name}.yaml",
            remedy="correct what makes the table",
        )
    known = {column: spec for column, spec in specs.items() if spec is not None}
    order = list(found.columns)
    in_order = sorted(known, key=lambda column: _column_position(order, column, found))
    types = frame.schema
    floats = [c for c in in_order if types[c].is_float()]
    finite = frame.select(pl.col(floats).is_finite().all()).row(0) if floats else ()
    strange = {c for c, whole in zip(floats, finite, strict=True) if not whole}
    try:
        return frame.select(_cast(types[c], c, known[c], c in strange) for c in in_order)
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"table {name}: {_first_error_line(error)}",
            expected=f"what schemas/{name}.yaml says",
            remedy="correct what makes the table",
        ) from error


def _column_position(order: list[str], column: str, found: Schema) -> tuple[int, str]:
    if column in order:
        return order.index(column), column
    spec = _find_spec(found, column)
    return next(i for i, name in enumerate(order) if found.columns[name] is spec), column


def _cast(dtype: pl.DataType, column: str, spec: Column, strange: bool) -> pl.Expr:
    expression = pl.col(column)
    if strange:
        expression = pl.when(expression.is_finite()).then(expression)
    return expression if dtype == spec.dtype else expression.cast(spec.dtype)


@cache
def _pandera_schema(name: str, columns: tuple[str, ...]) -> pa.DataFrameSchema:
    import pandera.polars as pa

    found = load_schema(name)
    described: dict[str, Any] = {}
    for column in columns:
        spec = _find_spec(found, column)
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
    return pa.DataFrameSchema(described, strict=True, unique=list(found.key) or None)


def _find_failures(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """One row per value that breaks the contract: column, check, failure_case, index."""
    if _is_within_bounds(name, frame):
        return _NO_FAILURES
    from pandera.errors import SchemaErrors  # it takes half a second and 90 MB: not before

    try:
        _pandera_schema(name, tuple(frame.columns)).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases: pl.DataFrame = error.failure_cases
        words = (
            pl.when(pl.col("check") == "not_nullable")
            .then(pl.col("column") + " is empty")
            .otherwise("check")
        )
        return cases.select(
            pl.col("column").cast(pl.String),
            words.cast(pl.String).alias("check"),
            pl.col("failure_case").cast(pl.String),
            pl.col("index").cast(pl.Int64),
        )
    return _NO_FAILURES


def _is_within_bounds(name: str, frame: pl.DataFrame) -> bool:
    """Return whether a shaped table surely keeps its contract, in one pass instead of one per check.

    pandera says what is wrong with a table; that nothing is, the table's extremes say.
    """
    kept = _bounds_expression(name, tuple(frame.columns))
    return kept is not None and bool(frame.select(kept).item())


@lru_cache(maxsize=256)  # files of one kind have the same columns
def _bounds_expression(name: str, columns: tuple[str, ...]) -> pl.Expr | None:
    found = load_schema(name)
    facts = [pl.lit(value=True)]
    for column in columns:
        spec = _find_spec(found, column)
        values = pl.col(column)
        if spec is None:
            return None
        if not spec.nullable:
            facts.append(values.null_count() == 0)
        if spec.min is not None:
            facts.append((values.min() >= spec.min).fill_null(value=True))
        if spec.max is not None:
            facts.append((values.max() <= spec.max).fill_null(value=True))
        if spec.isin is not None:
            facts.append(values.is_in(spec.isin).fill_null(value=True).all())
    if found.key:
        facts.append(pl.struct(found.key).n_unique() == pl.len())
    return pl.all_horizontal(facts)


def _describe_failures(failures: pl.DataFrame) -> str:
    counted = failures.group_by("check", maintain_order=True).agg(
        pl.len(), pl.col("failure_case").first(), pl.col("index").first()
    )
    parts = [
        f"{check} ({count} times, first {case!r} in row {index})"
        for check, count, case, index in counted.head(3).iter_rows()
    ]
    return ", ".join(parts)
