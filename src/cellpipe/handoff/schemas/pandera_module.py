"""Write the contracts of tables as a Python module of pandera's schemas for polars.

The module needs polars and pandera only. It judges a table as cellpipe does: what is an error
there fails here, what is a finding there is a warning here. Relations to other tables stand in the
metadata of a schema, for pandera checks one table at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

from cellpipe._version import __version__
from cellpipe.core.contracts import Column, Schema
from cellpipe.core.contracts.rules import Level, named_columns
from cellpipe.handoff.schemas.descriptions import (
    describe_further,
    describe_table,
    plain_number,
    stored_columns,
)
from cellpipe.handoff.schemas.python_text import Call, Node, literal, render

NAME = "cellpipe_tables.py"
_DTYPES = {"string": "pl.String", "int64": "pl.Int64", "float64": "pl.Float64",
           "bool": "pl.Boolean", "datetime": 'pl.Datetime("us", "UTC")'}  # fmt: skip
_HEAD = '''\
"""Tables of cellpipe {version} as schemas of pandera for polars.

``SCHEMAS["cycles"].validate(table, lazy=True)`` raises SchemaErrors for what can't be, and warns
of what should not be. The table is a DataFrame: of a LazyFrame, pandera looks at types only. NaN
and infinities are to be null, as cellpipe writes them.
"""

import pandera.polars as pa
import polars as pl


def rule(expression, columns, sentence, *, warning=False):
    """Check an expression of SQL that is true, or null, for each row that keeps the rule."""
    keeps = pl.sql_expr(expression).fill_null(True)
    return _check(keeps, columns, sentence, warning)


def order(kind, column, within, sentence, *, warning=False):
    """Check how values of a column follow each other within equal values of other columns."""
    values = pl.col(column)
    before = (values.forward_fill() if kind == "rising" else values).shift(1)
    if within:
        before = before.over(within)
    step = values - before
    keeps = {{
        "contiguous": step == 1,
        "counted": step.is_between(0, 1),
        "rising": step >= 0,
    }}
    return _check(keeps[kind].fill_null(True), [column, *within], sentence, warning)


def key(columns):
    """Check that no two rows have the same values in these columns."""
    sentence = f"{{' with '.join(columns)}} stands more than once: it is to be unique"
    return _check(pl.struct(columns).is_first_distinct(), columns, sentence, False)


def _check(keeps, columns, sentence, warning):
    def hold(data):
        there = set(data.lazyframe.collect_schema().names())
        return data.lazyframe.select(keeps if set(columns) <= there else pl.lit(True))

    return pa.Check(hold, error=sentence, raise_warning=warning, ignore_na=False)


SCHEMAS = {{}}
'''


def module_files(schemas: Mapping[str, Schema]) -> dict[str, bytes]:
    """Return one module with a schema for each table, in the dictionary ``SCHEMAS``."""
    parts = [_HEAD.format(version=__version__)]
    parts += [
        "\n" + render(f'SCHEMAS["{name}"] = ', _describe_table(schema))
        for name, schema in schemas.items()
    ]
    return {NAME: "".join(parts).encode()}


def _describe_table(schema: Schema) -> Node:
    columns: dict[str, Node] = {}
    for name, column in stored_columns(schema).items():
        columns[f"^(?:{name})$" if column.pattern else name] = _describe_column(name, column)
    checks: list[Node] = [Call("key", (literal(list(schema.key)),))] if schema.key else []
    for order in schema.order:
        given = (order.order, order.column, list(order.within), order.sentence)
        checks.append(Call("order", (*map(literal, given), *_warning(order.level))))
    for rule in schema.rules:
        used = named_columns(rule.rule, schema.columns)
        given_rule = map(literal, (rule.rule, used, rule.sentence))
        checks.append(Call("rule", (*given_rule, *_warning(rule.level))))
    further = describe_table(schema)
    metadata = {key: further[key] for key in ("row", "badRows", "relations") if key in further}
    return Call("pa.DataFrameSchema", (
        literal(columns),
        ("checks", literal(checks)),
        ("strict", "True"),
        ("name", literal(schema.table)),
        ("description", literal(schema.about)),
        ("metadata", literal(metadata)),
    ))  # fmt: skip


def _describe_column(name: str, column: Column) -> Node:
    given: list[Node | tuple[str, Node]] = [_DTYPES[column.type]]
    checks = _describe_checks(name, column)
    if checks:
        given.append(("checks", literal(checks)))
    flags = {"nullable": column.nullable, "required": column.required, "regex": column.pattern}
    usual = {"nullable": False, "required": True, "regex": False}
    given += [(flag, str(value)) for flag, value in flags.items() if value != usual[flag]]
    given.append(("description", literal(column.meaning)))
    metadata = describe_further(column)
    if metadata:
        given.append(("metadata", literal(metadata)))
    return Call("pa.Column", tuple(given))


def _describe_checks(name: str, column: Column) -> list[Node]:
    checks: list[Node] = []
    bounds: tuple[tuple[str, str, float | None, Level], ...] = (
        ("ge", "below", column.min, "error"), ("le", "above", column.max, "error"),
        ("ge", "below", column.usual_min, "warning"), ("le", "above", column.usual_max, "warning"),
    )  # fmt: skip
    for check, side, bound, level in bounds:
        if bound is not None:
            error = literal(f"{name} is {side} {bound:g}")
            given = (literal(plain_number(bound)), ("error", error), *_warning(level, "raise_"))
            checks.append(Call(f"pa.Check.{check}", given))
    if column.isin is not None:
        error = literal(f"{name} is none of {', '.join(column.isin)}")
        checks.append(Call("pa.Check.isin", (literal(list(column.isin)), ("error", error))))
    if column.matches is not None:
        error = literal(f"{name} is not like {column.matches}")
        given_text = (literal(f"^(?:{column.matches})$"), ("error", error))
        checks.append(Call("pa.Check.str_matches", given_text))
    return checks


def _warning(level: Level, prefix: str = "") -> tuple[tuple[str, Node], ...]:
    return ((f"{prefix}warning", "True"),) if level == "warning" else ()
