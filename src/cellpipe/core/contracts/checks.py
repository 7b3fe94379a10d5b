"""The checks of a table as expressions: bounds, allowed values, key, order and rules.

Each is true for a row that keeps it. pandera runs them (:mod:`validation`); one pass over all of
them says first whether there is anything to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.rules import LEVELS, Level, compile_rule, named_columns
from cellpipe.core.contracts.schema import Order, find_column, load_schema


@dataclass(frozen=True)
class Check:
    """One check: ``keeps`` is true, for each row or for the table, where it holds.

    ``column`` is None where it is about several columns; ``why`` is the reason of a ``bound``.
    """

    kind: Literal["filled", "bound", "key", "rule"]
    column: str | None
    sentence: str
    keeps: pl.Expr
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
        sentence = f"{' with '.join(schema.key)} stands more than once: it is to be unique"
        checks.append(Check("key", None, sentence, unique))
    for order in schema.order:
        if {order.column, *order.within} <= there:
            checks.append(Check("rule", None, order.sentence, _follows(order), order.level))
    for rule in schema.rules:
        if set(named_columns(rule.rule, schema.columns)) <= there:
            checks.append(Check("rule", None, rule.sentence, compile_rule(rule.rule), rule.level))
    return tuple(checks)


def kept_levels(name: str, frame: pl.DataFrame) -> frozenset[Level]:
    """Return the levels whose checks a table keeps.

    Bounds are compared with the column's extremes, and rows by their hashes: faster than row by
    row, and once for both levels.
    """
    if not frame.height:
        return frozenset(LEVELS)
    checks = table_checks(name, tuple(frame.columns))
    broken = _broken_rules(frame, [check for check in checks if check.kind == "rule"])
    extremes: dict[str, tuple[Any, Any]] = {}
    for check in checks:
        if check.level in broken or check.kind == "rule":
            continue
        if check.kind == "key":
            kept = _is_unique(frame, load_schema(name).key)
        elif check.kind == "filled":
            kept = not frame.get_column(str(check.column)).null_count()
        else:
            kept = _is_within(frame, check, extremes)
        if not kept:
            broken.add(check.level)
    return frozenset(LEVELS) - broken


def _broken_rules(frame: pl.DataFrame, rules: list[Check]) -> set[Level]:
    if not rules:
        return set()
    held = frame.select(check.keeps.all().alias(str(i)) for i, check in enumerate(rules)).row(0)
    return {check.level for check, kept in zip(rules, held, strict=True) if not kept}


def _is_unique(frame: pl.DataFrame, key: tuple[str, ...]) -> bool:
    keys = frame.select(key)
    return bool(keys.hash_rows().n_unique() == keys.height or not keys.is_duplicated().any())


def _is_within(frame: pl.DataFrame, check: Check, extremes: dict[str, tuple[Any, Any]]) -> bool:
    """Return whether a column keeps a bound; ``extremes`` remembers those that were found."""
    name = str(check.column)
    if name not in extremes:
        values = frame.get_column(name)
        extremes[name] = values.min(), values.max()
    low, high = extremes[name]
    if low is None or check.bound is None:
        return True
    return bool(low >= check.bound if check.is_lower else high <= check.bound)


def _column_checks(column: str, spec: Column) -> list[Check]:
    values = pl.col(column)
    checks: list[Check] = []
    if not spec.nullable:
        checks.append(Check("filled", column, f"{column} is empty", values.is_not_null()))
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
        checks.append(Check("rule", column, f"{column} is none of {allowed}", keeps))
    if spec.matches is not None:
        keeps = values.str.contains(f"^(?:{spec.matches})$").fill_null(value=True)
        checks.append(Check("rule", column, f"{column} is not like {spec.matches}", keeps))
    return checks


def _bound_check(column: str, bound: float, level: Level, why: str, *, is_lower: bool) -> Check:
    """Return the check of a bound, which an empty value keeps."""
    values = pl.col(column)
    keeps = (values >= bound if is_lower else values <= bound).fill_null(value=True)
    sentence = f"{column} is {'below' if is_lower else 'above'} {bound:g}"
    return Check("bound", column, sentence, keeps, level, why, is_lower, bound)


def _follows(order: Order) -> pl.Expr:
    """Return whether each value follows the one before it as it should."""
    values = pl.col(order.column)
    known = values.forward_fill() if order.order == "rising" else values  # a gap hides no fall
    before = known.shift(1)
    if order.within:
        before = before.over(order.within)
    step = values - before
    keeps = {"contiguous": step == 1, "counted": step.is_between(0, 1), "rising": step >= 0}
    return keeps[order.order].fill_null(value=True)
