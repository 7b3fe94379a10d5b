"""The schema files of ``schemas/``: what a table is, its columns, bounds, rules and relations.

Unknown keys are refused, so that a misspelt bound can't be ignored. An installed package can add
schemas: its entry point in the group ``cellpipe.schemas`` names the folder.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
import yaml
from pydantic import Field, ValidationError

from cellpipe.core.contracts.columns import NO_TABLES, Column, Strict, load_yaml, schema_folder
from cellpipe.core.contracts.rules import Level, Rule, check_rule
from cellpipe.core.errors import SchemaError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Order(Strict):
    """How a column's values follow each other from row to row, within equal values of others.

    ``contiguous`` rises by one, ``counted`` stays or rises by one, ``rising`` never falls.
    """

    column: str
    order: Literal["contiguous", "counted", "rising"]
    within: tuple[str, ...] = ()
    level: Level = "error"
    sentence: str


class Relation(Strict):
    """What a row has to do with those rows of another table that it matches.

    ``match`` maps columns of this table to those of the other; a row whose own are null has no
    match. Unless ``optional``, the others have one, or those of which ``needed`` is true.
    ``where`` restricts the other table;
    ``values`` names aggregates of the rows that match (without it there is at most one). ``rule``
    is an expression over columns of this table and, after its name, the other's.
    """

    table: str
    match: Annotated[dict[str, str], Field(min_length=1)]
    sentence: str
    optional: bool = False
    needed: str = ""
    where: str = ""
    values: Annotated[dict[str, str], Field(default_factory=dict)]
    rule: str = ""
    level: Level = "error"


class Schema(Strict):
    """One schema file."""

    table: str
    about: str
    row: str
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    order: tuple[Order, ...] = ()
    relations: tuple[Relation, ...] = ()
    bad_rows: Literal["reject", "error"] = "error"
    consolidate: bool = True


@cache
def _schema_files() -> dict[str, Traversable]:
    """Return each table's schema file: cellpipe's, then those of installed packages."""
    outside = (resources.files(point.value) for point in entry_points(group="cellpipe.schemas"))
    found: dict[str, Traversable] = {}
    for folder in (schema_folder(), *outside):
        for entry in folder.iterdir():
            name, _, suffix = entry.name.rpartition(".")
            if suffix != "yaml" or name in NO_TABLES:
                continue
            if name in found:
                raise SchemaError(
                    f"a second schema called {name!r}", expected="one for each table",
                    remedy="give the package's table another name", file=str(entry),
                )  # fmt: skip
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
        If no schema has that name, or its file has an unknown key, an invalid value, or a rule
        that names no column of the table or that every row keeps.

    """
    if name not in table_names():
        known = ", ".join(table_names())
        raise SchemaError(
            f"no schema called {name!r}",
            expected=f"one of {known}",
            remedy="correct the name, or add the file to schemas/",
        )
    return parse_schema(_schema_files()[name].read_text(encoding="utf-8"), name)


@cache
def schema_digest(name: str) -> str:
    """Return a digest of what a table is held to: another one, other findings or refusals."""
    dumped = load_schema(name).model_dump(exclude={"about", "row"}, exclude_defaults=True)
    for column in dumped["columns"].values():
        del column["meaning"]
        column.pop("bdf", None)
    return hashlib.sha256(repr(dumped).encode()).hexdigest()


def parse_schema(text: str, name: str) -> Schema:
    """Parse the text of a schema file, strictly.

    Raises
    ------
    SchemaError
        If it is not YAML, has an unknown key or an invalid value, is of another table, or has a
        rule that names no column of the table or that every row keeps. Relations are tried when
        tables are held to them, for they need the other table's schema.

    """
    file = f"schemas/{name}.yaml"
    try:
        schema = Schema.model_validate(load_yaml(text))
    except (ValidationError, yaml.YAMLError) as error:
        remedy = "see docs/tables.md for the keys that are known"
        raise SchemaError(
            first_error_line(error), remedy=remedy, file=file, expected="the keys of a schema"
        ) from error
    if schema.table != name:
        raise SchemaError(
            f"table: {schema.table}",
            expected=f"table: {name}",
            file=file,
            remedy="name the file and the table alike",
        )
    try:
        _check_schema(schema)
    except SchemaError as error:
        raise error.with_file(file) from error
    return schema


def _check_schema(schema: Schema) -> None:
    named = [*schema.key, *(c for relation in schema.relations for c in relation.match)]
    named += [column for order in schema.order for column in (order.column, *order.within)]
    unknown = [column for column in named if column not in schema.columns]
    if unknown:
        raise SchemaError(
            f"no column {unknown[0]}", expected="key, order and match of columns of the table",
            remedy="correct the name",
        )  # fmt: skip
    odd = [f"{name} twice in the key" for name in schema.key if schema.key.count(name) > 1]
    odd += [
        f"an order of {order.column}, which is no number"
        for order in schema.order
        if not schema.columns[order.column].is_number
    ]
    if odd:
        raise SchemaError(
            odd[0],
            expected="each once in a key, and numbers in an order", remedy="correct it",
        )  # fmt: skip
    for rule in schema.rules:
        check_rule(rule.rule, schema.columns)


def first_error_line(error: Exception) -> str:
    """Return the first fault that a library found, on one line."""
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
        spec = find_column(load_schema(name), column)
        if spec is not None:
            labels = {"unit": spec.unit, "meaning": spec.meaning, "bdf": spec.bdf}
            described[column] = {key: text for key, text in labels.items() if text}
    return described


def find_column(schema: Schema, column: str) -> Column | None:
    """Return what a schema says of a column, by its name or by a pattern; None if nothing."""
    import re

    if column in schema.columns and not schema.columns[column].pattern:
        return schema.columns[column]
    for pattern, spec in schema.columns.items():
        if spec.pattern and re.fullmatch(pattern, column):
            return spec
    return None
