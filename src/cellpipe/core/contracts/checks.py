"""The checks of a table as expressions: bounds, allowed values, key, order and rules.

Each is true for a row that keeps it. pandera runs them (:mod:`validation`); one pass over all of
them says first whether there is anything to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.rules import LEVELS, Level, compile_rule, named_columns
from cellpipe.core.contracts.schema import Order, find_column, load_schema


@dataclass(frozen=True)
class Check:
    """One check: ``keeps`` is true, for each row or for the table, where it holds.

    ``column`` is None where it is about several columns; ``why`` is the reason of a bound.
    ``quick`` is the same for the whole table; for a bound it is the column's smallest value (of a
    lower bound) or largest, which is compared with ``bound``.
    """

    column: str | None
    sentence: str
    keeps: pl.Expr
    quick: pl.Expr
    level: Level = "error"
    why: str = ""
    is_lower: bool = False
    bound: float | None = None


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


def kept_levels(name: str, frame: pl.DataFrame) -> frozenset[Level]:
    """Return the levels whose checks a table keeps, all of them in one pass.

    Bounds are compared with the column's extremes: faster than row by row, and once for both.
    """
    checks, quick = _quick_checks(name, tuple(frame.columns))
    values = frame.select(quick).row(0)
    broken = {check.level for check, place in checks if not _is_kept(check, values[place])}
    return frozenset(LEVELS) - broken


def _is_kept(check: Check, value: Any) -> bool:
    if check.bound is None:
        return bool(value)
    if value is None:
        return True
    return bool(value >= check.bound if check.is_lower else value <= check.bound)


@lru_cache(maxsize=256)
def _quick_checks(
    name: str, columns: tuple[str, ...]
) -> tuple[tuple[tuple[Check, int], ...], tuple[pl.Expr, ...]]:
    """Return each check with the place of its quick value, and the expressions of these values."""
    expressions: list[pl.Expr] = [pl.lit(value=True).alias("0")]
    places: dict[object, int] = {}
    checks: list[tuple[Check, int]] = []
    for check in table_checks(name, columns):
        same = (check.column, check.is_lower) if check.bound is not None else object()
        if same not in places:
            places[same] = len(expressions)
            expressions.append(check.quick.alias(str(len(expressions))))
        checks.append((check, places[same]))
    return tuple(checks), tuple(expressions)


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
            checks.append(_bound_check(column, low, level, spec.because, is_lower=True))
        if high is not None:
            checks.append(_bound_check(column, high, level, spec.because, is_lower=False))
    if spec.isin is not None:
        keeps = values.is_in(spec.isin).fill_null(value=True)
        allowed = ", ".join(spec.isin)
        checks.append(Check(column, f"{column} is none of {allowed}", keeps, keeps.all()))
    if spec.matches is not None:
        keeps = values.str.contains(f"^(?:{spec.matches})$").fill_null(value=True)
        checks.append(Check(column, f"{column} is not like {spec.matches}", keeps, keeps.all()))
    return checks


def _bound_check(column: str, bound: float, level: Level, why: str, *, is_lower: bool) -> Check:
    """Return the check of a bound, which an empty value keeps."""
    values = pl.col(column)
    keeps = (values >= bound if is_lower else values <= bound).fill_null(value=True)
    sentence = f"{column} is {'below' if is_lower else 'above'} {bound:g}"
    extreme = values.min() if is_lower else values.max()
    return Check(column, sentence, keeps, extreme, level, why, is_lower, bound)


def _follows(order: Order) -> pl.Expr:
    """Return whether each value follows the one before it as it should."""
    values = pl.col(order.column)
    before = values.shift(1).over(order.within) if order.within else values.shift(1)
    step = values - before
    keeps = {"contiguous": step == 1, "counted": step.is_between(0, 1), "rising": step >= 0}
    return keeps[order.order].fill_null(value=True)
