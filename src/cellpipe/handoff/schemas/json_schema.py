"""Describe a row of a table as an object of JSON Schema, draft 2020-12: a file for each table.

Keywords that begin with ``x-`` say what JSON Schema has no word for: of a column its unit, quantity
and usual bounds with the reason, of a table its key, rules, order and relations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cellpipe.core.contracts import Column, Schema
from cellpipe.handoff.schemas.descriptions import (
    describe_further,
    describe_table,
    drop_empty,
    json_bytes,
    plain_number,
    stored_columns,
)

_TYPES = {"string": "string", "int64": "integer", "float64": "number", "bool": "boolean",
          "datetime": "string"}  # fmt: skip


def json_schema_files(schemas: Mapping[str, Schema]) -> dict[str, bytes]:
    """Return a JSON Schema for each table, by file name."""
    return {
        f"{name}.schema.json": json_bytes(describe_row(schema)) for name, schema in schemas.items()
    }


def describe_row(schema: Schema) -> dict[str, Any]:
    """Return the JSON Schema of a row of a table; times are texts of ISO 8601, with their zone."""
    named = {name: column for name, column in stored_columns(schema).items() if not column.pattern}
    patterns = {name: column for name, column in stored_columns(schema).items() if column.pattern}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": schema.table,
        "description": f"{schema.about} One row: {schema.row}.",
        "type": "object",
        "properties": {name: _describe_value(column) for name, column in named.items()},
        "required": [name for name, column in named.items() if column.required],
        **drop_empty({
            "patternProperties": {
                f"^(?:{name})$": _describe_value(column) for name, column in patterns.items()
            },
        }),
        "additionalProperties": False,
        **_extend(drop_empty({"key": list(schema.key)}) | describe_table(schema)),
    }  # fmt: skip


def _describe_value(column: Column) -> dict[str, Any]:
    of_type = _TYPES[column.type]
    allowed: list[str | None] = list(column.isin or ())
    if allowed and column.nullable:
        allowed.append(None)
    return drop_empty({
        "description": column.meaning,
        "type": [of_type, "null"] if column.nullable else of_type,
        "format": "date-time" if column.type == "datetime" else None,
        "minimum": plain_number(column.min),
        "maximum": plain_number(column.max),
        "enum": allowed,
        "pattern": None if column.matches is None else f"^(?:{column.matches})$",
        **_extend(describe_further(column)),
    })  # fmt: skip


def _extend(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys as keywords of one's own: ``usualMinimum`` as ``x-usual-minimum``."""
    return {
        "x-" + re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", key): value
        for key, value in described.items()
    }
