"""The checks of a table as expressions: bounds, allowed values, key, order and rules.

Each is true for a row that keeps it. pandera runs them (:mod:`validation`); one pass over all of
them says first whether there is anything to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.rules import Level, compile_rule, named_columns
from cellpipe.core.contracts.schema import Order, find_column, load_schema


@dataclass(frozen=True)
class Check:
    """One check: ``keeps`` is true, for each row or for the table, where it holds.

    ``column`` is None where it is about several columns; ``why`` is the reason of a bound.
    ``quick`` is the same for the whole table, by the column's extremes where that is faster.
    """

    column: str | None
    sentence: str
    keeps: pl.Expr
    quick: pl.Expr
    level: Level = "error"
    why: str = ""


@lru_cache(maxsize=256)  # files of one kind have the same columns
def table_checks(name: str, columns: tuple[str, ...]) -> tuple[Check, ...]:
    """Return the checks of a table with these columns; those of absent columns are left out."""
    schema = load_schema(name)
    checks: list[Check] = []
    for column in columns:
        spec = find_column(schema, column)
        if spec is not None:
            checks += _column_checks(column, spec)
    there = set(columns)
    if schema.key and set(schema.key) <= there:
        unique = pl.struct(schema.key).is_first_distinct()
        quick = pl.struct(schema.key).n_unique() == pl.len()
        sentence = f"{' with '.join(schema.key)} stands more than once: it is to be unique"
        checks.append(Check(None, sentence, unique, quick))
    for order in schema.order:
        if {order.column, *order.within} <= there:
            keeps = _follows(order)
            checks.append(Check(None, order.sentence, keeps, keeps.all(), order.level))
    for rule in schema.rules:
        if set(named_columns(rule.rule, schema.columns)) <= there:
            keeps = compile_rule(rule.rule)
            checks.append(Check(None, rule.sentence, keeps, keeps.all(), rule.level))
    return tuple(checks)


@lru_cache(maxsize=256)
def keeps_all(name: str, columns: tuple[str, ...], level: Level) -> pl.Expr:
    """Return one expression: whether a table keeps all its checks of a level."""
    checks = (check.quick for check in table_checks(name, columns) if check.level == level)
    return pl.all_horizontal(pl.lit(value=True), *checks)


def _column_checks(column: str, spec: Column) -> list[Check]:
    values = pl.col(column)
    checks: list[Check] = []
    if not spec.nullable:
        quick = values.null_count() == 0
        checks.append(Check(column, f"{column} is empty", values.is_not_null(), quick))
    levels: tuple[tuple[float | None, float | None, Level], ...] = (
        (spec.min, spec.max, "error"), (spec.usual_min, spec.usual_max, "warning"),
    )  # fmt: skip
    for low, high, level in levels:
        if low is not None:
            checks.append(_bound(column, f"below {low:g}", values >= low, values.min() >= low,
                                 level, spec.because))  # fmt: skip
        if high is not None:
            checks.append(_bound(column, f"above {high:g}", values <= high, values.max() <= high,
                                 level, spec.because))  # fmt: skip
    if spec.isin is not None:
        keeps = values.is_in(spec.isin).fill_null(value=True)
        allowed = ", ".join(spec.isin)
        checks.append(Check(column, f"{column} is none of {allowed}", keeps, keeps.all()))
    if spec.matches is not None:
        keeps = values.str.contains(f"^(?:{spec.matches})$").fill_null(value=True)
        checks.append(Check(column, f"{column} is not like {spec.matches}", keeps, keeps.all()))
    return checks


def _bound(
    column: str, side: str, keeps: pl.Expr, quick: pl.Expr, level: Level, why: str
) -> Check:  # fmt: skip
    """Return the check of a bound, which an empty value keeps."""
    kept, quickly = keeps.fill_null(value=True), quick.fill_null(value=True)
    return Check(column, f"{column} is {side}", kept, quickly, level, why)


def _follows(order: Order) -> pl.Expr:
    """Return whether each value follows the one before it as it should."""
    values = pl.col(order.column)
    before = values.shift(1).over(order.within) if order.within else values.shift(1)
    step = values - before
    keeps = {"contiguous": step == 1, "counted": step.is_between(0, 1), "rising": step >= 0}
    return keeps[order.order].fill_null(value=True)
