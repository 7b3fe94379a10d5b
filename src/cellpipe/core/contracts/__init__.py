"""Contracts: what ``schemas/`` says of each table, and the validation of tables against it.

A schema file names a table, describes one row, and lists the columns with type, unit, bounds and
meaning, the rules that rows keep, their key and order, and their relations to other tables. Tables
are validated only here, and later code relies on it.
"""

from cellpipe.core.contracts.columns import Column, schema_folder
from cellpipe.core.contracts.relations import validate_set
from cellpipe.core.contracts.schema import (
    Schema,
    column_metadata,
    empty_table,
    find_column,
    load_schema,
    parse_schema,
    schema_digest,
    table_names,
)
from cellpipe.core.contracts.validation import find_unusual, judge, validate, validate_rows

__all__ = [
    "Column",
    "Schema",
    "column_metadata",
    "empty_table",
    "find_column",
    "find_unusual",
    "judge",
    "load_schema",
    "parse_schema",
    "schema_digest",
    "schema_folder",
    "table_names",
    "validate",
    "validate_rows",
    "validate_set",
]
