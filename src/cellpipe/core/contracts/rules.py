"""Rules of a table: an expression over its columns, in SQL, and the sentence that it stands for.

A rule is kept where its expression is true or, as with a CHECK of SQL, null: a value that is not
there breaks none. An expression with an aggregate (``SUM``, ``MAX``) is about the whole table. In a
relation, a column of the other table stands after ``other``: ``other.capacity_ah``.

A rule is tried when it is loaded, on rows drawn from the bounds of its columns and the numbers and
words that it names: one that no row breaks, or that every row breaks, is refused.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from cellpipe.core.contracts.columns import Column
from cellpipe.core.errors import SchemaError

Level = Literal["error", "warning"]
LEVELS: tuple[Level, ...] = ("error", "warning")
_TRIED_ROWS = 2000
_NUMBERS = (0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -1.0, -2.0, 0.1, 10.0, 100.0, 1e4, -1e4, 1e9)
_WORDS = ("a", "b", "")
_ALIKE = (1, True)
_EACH = 8  # of so many rows one has equal values in all columns, and one none
_NULLS = 0.15  # of the values of a column that may be empty


class Rule(BaseModel):
    """One rule: where ``rule`` is false, a row is wrong (error) or strange (warning)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    sentence: str
    level: Level = "error"


def parse_expression(text: str) -> pl.Expr:
    """Parse an SQL expression.

    Raises
    ------
    SchemaError
        If it is none.

    """
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise SchemaError(
            f"the expression {text!r} ({error})", expected="an expression of SQL over columns",
            remedy="correct it; strings stand in single quotes",
        ) from error  # fmt: skip


def compile_rule(rule: str) -> pl.Expr:
    """Return an expression that is true for each row, or for the table, that keeps a rule."""
    return parse_expression(rule).fill_null(value=True)


def check_rule(rule: str, columns: Mapping[str, Column]) -> None:
    """Try a rule on made-up rows.

    Parameters
    ----------
    rule
        The expression.
    columns
        The columns that it may name; those of another table as ``other.column``.

    Raises
    ------
    SchemaError
        If it names another column, gives no truth value, or no row breaks or keeps it.

    """
    check_names(rule, columns)
    used = named_columns(rule, columns)
    rows = made_rows(rule, {name: columns[name] for name in used}, _TRIED_ROWS)
    try:
        held = rows.select(parse_expression(rule)).to_series()
        if held.len() == 1:  # an aggregate: of many small tables
            held = pl.concat(
                rows[at : at + 1 + at % 7].select(parse_expression(rule)) for at in range(400)
            ).to_series()
    except pl.exceptions.PolarsError as error:
        raise SchemaError(
            f"the rule {rule!r} ({error})", expected="values that can be compared",
            remedy="correct it",
        ) from error  # fmt: skip
    if held.dtype != pl.Boolean:
        raise SchemaError(
            f"the rule {rule!r} gives no truth value", expected="a comparison",
            remedy="compare it with something",
        )  # fmt: skip
    is_broken, is_true = not held.fill_null(value=True).all(), bool(held.any())
    if not (is_broken and is_true):  # a null breaks none, but does not show that it can be kept
        raise SchemaError(
            f"the rule {rule!r}, which {'no' if is_broken else 'every'} row keeps of those tried",
            expected="one that some rows keep and others break",
            remedy="correct it, or take it out",
        )


def check_names(rule: str, columns: Mapping[str, Column]) -> None:
    """Raise SchemaError if a rule names a column that is none, or names none at all."""
    words = re.sub(r"'[^']*'", "", rule)
    dotted = {f"{a}.{b}" for a, b in re.findall(r"\b(\w+)\.([A-Za-z_]\w*)", words)}
    roots = set(parse_expression(rule).meta.root_names()) - {"other"}
    unknown = sorted((dotted | roots) - set(columns))
    if unknown:
        near = get_close_matches(unknown[0], columns, 1)
        raise SchemaError(
            f"no column {unknown[0]} in the rule {rule!r}",
            expected=f"perhaps {near[0]}" if near else f"one of {', '.join(columns)}",
            remedy="correct the name",
        )
    if not named_columns(rule, columns):
        raise SchemaError(
            f"the rule {rule!r}, which names no column", expected="an expression over columns",
            remedy="correct it, or take it out",
        )  # fmt: skip


def named_columns(rule: str, columns: Mapping[str, Column]) -> list[str]:
    """Return those of the columns that a rule names, in their order."""
    words = set(re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?", re.sub(r"'[^']*'", "", rule)))
    return [name for name in columns if name in words]


def made_rows(rule: str, columns: Mapping[str, Column], count: int) -> pl.DataFrame:
    """Return rows within the bounds of their columns, near what a rule names; always the same."""
    draw = np.random.default_rng(zlib.crc32(rule.encode()))
    numbers = [float(n) for n in re.findall(r"(?<![\w.])\d+\.?\d*(?:[eE][-+]?\d+)?", rule)]
    words = re.findall(r"'([^']*)'", rule)
    series = [_made_values(name, c, numbers, words, draw, count) for name, c in columns.items()]
    structs: dict[str, list[pl.Series]] = {}
    for one in series:
        structs.setdefault(one.name.partition(".")[0] if "." in one.name else "", []).append(one)
    frame = pl.DataFrame(structs.pop("", []))
    packed = [
        pl.DataFrame([one.alias(one.name.partition(".")[2]) for one in parts]).to_struct(table)
        for table, parts in structs.items()
    ]
    return pl.DataFrame([*frame.get_columns(), *packed])


def _made_values(
    name: str, column: Column, numbers: list[float], words: list[str], draw: np.random.Generator,
    count: int,
) -> pl.Series:  # fmt: skip
    pool: list[object]
    if column.type == "bool":
        pool = [True, False]
    elif column.type == "string":
        pool = list(column.isin or {*words, *_WORDS})
    else:
        bounds = (column.min, column.max, column.usual_min, column.usual_max)
        near = [*_NUMBERS, *(b for b in bounds if b is not None)]
        near += [n + step for n in numbers for step in (0, 1, -1)]
        near += [(a + b) / 2 for a, b in pairwise(sorted(set(numbers)))]
        low = float("-inf") if column.min is None else column.min
        high = float("inf") if column.max is None else column.max
        inside = sorted({n for n in near if low <= n <= high})
        whole = column.type != "float64"
        pool = [int(n) for n in inside if n == int(n)] if whole else list(inside)
    stored = pl.Int64() if column.type == "datetime" else column.dtype
    values = pl.Series(name, pool, dtype=stored).cast(column.dtype)
    place = draw.integers(len(pool), size=count)
    if column.type != "string":  # rows of equal numbers, and rows without any
        place[::_EACH] = next((pool.index(v) for v in _ALIKE if v in pool), 0)
    drawn = values.gather(place)
    if not column.nullable:
        return drawn
    empty = draw.random(count) < _NULLS
    empty[::_EACH], empty[1::_EACH] = False, True
    return (
        drawn.to_frame()
        .select(pl.when(~pl.Series(empty)).then(pl.col(name)).alias(name))
        .to_series()
    )
