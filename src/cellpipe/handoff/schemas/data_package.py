"""Describe tables as a Data Package: a Table Schema for each (https://datapackage.org).

The files are those that ``cellpipe export tables`` writes, beside which the descriptor belongs.
Properties that the standard does not have: of a field ``unit``, ``qudt``, ``quantity``, ``bdf``,
``usualMinimum``, ``usualMaximum``, ``boundsReason`` and ``optional`` (the column may be absent);
of a schema ``row``, ``badRows``, ``rules``, ``order``, ``relations`` and ``patternFields``: columns
whose name is a regular expression, which can't be fields. A foreign key holds within one cell; a
relation of a column that may be empty is none, for validators look for the cell with an empty key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cellpipe._version import __version__
from cellpipe.core.contracts import Column, Schema
from cellpipe.core.contracts.schema import Relation
from cellpipe.handoff.schemas.descriptions import (
    describe_further,
    describe_table,
    drop_empty,
    json_bytes,
    plain_number,
    stored_columns,
)

NAME = "datapackage.json"
_PROFILE = "https://datapackage.org/profiles/2.0/"
_TYPES = {"string": "string", "int64": "integer", "float64": "number", "bool": "boolean",
          "datetime": "datetime"}  # fmt: skip
_DATETIME = "%Y-%m-%d %H:%M:%S"  # as cellpipe.report.long_tables writes it


def package_files(schemas: Mapping[str, Schema]) -> dict[str, bytes]:
    """Return the descriptor of a Data Package whose resources are these tables."""
    resources = [_describe_resource(schema, schemas) for schema in schemas.values()]
    descriptor = {
        "$schema": f"{_PROFILE}datapackage.json",
        "name": "cellpipe",
        "title": "Tables of cellpipe",
        "description": "What each table of cellpipe holds, by its schemas. Usual bounds, rules, "
        "order and relations stand in properties of their own, as expressions of SQL with a "
        "sentence each; where an expression is false, the row is wrong (error) or strange "
        "(warning). In a relation, a column of the other table stands after other.",
        "version": __version__,
        "resources": resources,
    }
    return {NAME: json_bytes(descriptor)}


def _describe_resource(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {
        "name": schema.table,
        "path": f"{schema.table}.csv",
        "title": schema.table.replace("_", " "),
        "description": f"{schema.about} One row: {schema.row}.",
        "type": "table",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": describe_schema(schema, schemas),
    }


def describe_schema(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """Return a table as a Table Schema.

    Parameters
    ----------
    schema
        The table.
    schemas
        The tables of the package; foreign keys lead to these only.

    """
    named = {name: column for name, column in stored_columns(schema).items() if not column.pattern}
    patterns = {name: column for name, column in stored_columns(schema).items() if column.pattern}
    is_whole = all(column.required for column in stored_columns(schema).values())
    keys = [
        _foreign_key(schema, relation, schemas[relation.table])
        for relation in schema.relations
        if relation.table in schemas
        and not (relation.optional or relation.needed or relation.where or relation.values)
        and not any(schema.columns[name].nullable for name in relation.match)
    ]
    return drop_empty({
        "$schema": f"{_PROFILE}tableschema.json",
        "fields": [_describe_field(name, column) for name, column in named.items()],
        "fieldsMatch": "equal" if is_whole else "partial",
        "missingValues": [""],
        "primaryKey": list(schema.key),
        "foreignKeys": keys,
        "patternFields": [_describe_field(name, column) for name, column in patterns.items()],
        **describe_table(schema),
    })  # fmt: skip


def _foreign_key(schema: Schema, relation: Relation, other: Schema) -> dict[str, Any]:
    """Return a relation as a foreign key; relations are within a cell, so its ID belongs to it."""
    shared = ["cell_id"] if {"cell_id"} <= {*schema.columns} & {*other.columns} else []
    shared = [name for name in shared if name not in relation.match]
    return {
        "fields": [*shared, *relation.match],
        "reference": {
            "resource": "" if relation.table == schema.table else relation.table,
            "fields": [*shared, *relation.match.values()],
        },
    }


def _describe_field(name: str, column: Column) -> dict[str, Any]:
    constraints = drop_empty({
        "required": None if column.nullable else True,
        "minimum": plain_number(column.min),
        "maximum": plain_number(column.max),
        "enum": list(column.isin or ()),
        "pattern": column.matches,
    })  # fmt: skip
    return drop_empty({
        "name": name,
        "type": _TYPES[column.type],
        "format": _DATETIME if column.type == "datetime" else None,
        "description": column.meaning,
        "constraints": constraints,
        "optional": None if column.required else True,
        **describe_further(column),
    })  # fmt: skip
