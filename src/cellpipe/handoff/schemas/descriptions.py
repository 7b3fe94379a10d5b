"""What schemas say in JSON: columns, rules, order and relations as plain mappings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cellpipe.core.contracts import Column, Schema, load_schema
from cellpipe.core.contracts.units import UNITS


def stored_columns(schema: Schema) -> dict[str, Column]:
    """Return the columns of a table as it is stored.

    A table that was read from a raw file, which has some columns only if they were recorded, gets
    the column ``file_sha256`` there.
    """
    is_raw = any(not column.required for column in schema.columns.values())
    if not is_raw:
        return schema.columns
    meaning = "SHA-256 of the content of the raw file that the row was read from."
    added = load_schema("half_cycle_segments").columns["file_sha256"]
    stored = added.model_copy(update={"required": False, "meaning": meaning})
    return schema.columns | {"file_sha256": stored}


def drop_empty(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without what is None, an empty text or an empty list."""
    return {key: value for key, value in described.items() if value not in (None, "", [], {}, ())}


def plain_number(bound: float | None) -> float | None:
    """Return a bound as an integer where it is whole, so that it is written as ``5``."""
    return int(bound) if bound is not None and bound == int(bound) else bound


def describe_further(column: Column) -> dict[str, Any]:
    """Return what a column's schema says and a standard has no word for.

    The unit by its symbol and its IRI in QUDT, the quantity, the label of the Battery Data Format,
    the usual bounds, and the reason of all bounds.
    """
    unit = UNITS.get(column.unit)
    return drop_empty({
        "unit": column.unit,
        "qudt": None if unit is None else unit.iri,
        "quantity": column.quantity,
        "bdf": column.bdf,
        "usualMinimum": plain_number(column.usual_min),
        "usualMaximum": plain_number(column.usual_max),
        "boundsReason": column.because,
    })  # fmt: skip


def describe_table(schema: Schema) -> dict[str, Any]:
    """Return rules, order and relations of a table, each with its sentence and its level."""
    return drop_empty({
        "row": schema.row,
        "badRows": schema.bad_rows,
        "rules": [rule.model_dump() for rule in schema.rules],
        "order": [order.model_dump(mode="json") for order in schema.order],
        "relations": [drop_empty(relation.model_dump()) for relation in schema.relations],
    })  # fmt: skip


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as the bytes of a JSON file."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
