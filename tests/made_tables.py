"""Tables made from the schemas alone: good ones, and for every check one that breaks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.relations import prepare_relations
from cellpipe.core.contracts.rules import compile_rule, made_rows, named_columns, parse_expression
from cellpipe.core.contracts.schema import Relation, Schema, load_schema

ROWS = 4
TRIES = 3000
PAIRS = 60_000
ALONE = 500  # rows that are looked at one by one
SHA256 = "0123456789abcdef" * 4
Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Wrong:
    """A table that breaks one check, and the words by which that is known."""

    what: str
    said: str
    table: pl.DataFrame
    level: str = "error"


def plain_value(column: Column) -> Any:
    """Return a value within the usual range of a column."""
    if column.type == "string":
        return column.isin[0] if column.isin else SHA256 if column.matches else "a"
    if column.type == "bool":
        return False
    low = [bound for bound in (column.min, column.usual_min) if bound is not None]
    high = [bound for bound in (column.max, column.usual_max) if bound is not None]
    value = max([1.0, *low]) if not high else min(max([1.0, *low]), *high)
    return int(value) if column.type in {"int64", "datetime"} else value


def columns_of(schema: Schema) -> dict[str, Column]:
    return {n.replace(r"\d+", "1"): column for n, column in schema.columns.items()}


def changed(
    row: pl.DataFrame, names: list[str], schema: Schema, rule: str, count: int = TRIES
) -> pl.DataFrame:
    """Return many copies of a row, in which some columns have other values.

    In some of them one number is 1 and the others are 0, as shares that sum to 1 may be.
    """
    columns = columns_of(schema)
    drawn = made_rows(rule, {name: columns[name] for name in names}, count)
    numbers = [name for name in names if columns[name].type == "float64"]
    place = pl.int_range(pl.len())
    drawn = drawn.with_columns(
        pl.when(place < len(numbers))
        .then((place == own).cast(pl.Float64))
        .otherwise(name)
        .alias(name)
        for own, name in enumerate(numbers)
    )
    return pl.concat([_copies(row.drop(names), count), drawn], how="horizontal").select(row.columns)


def good_row(schema: Schema) -> pl.DataFrame:
    """Return one row that keeps every bound and rule, with as many values as can be."""
    columns = columns_of(schema)
    row = pl.DataFrame(
        {n: pl.Series([plain_value(c)], dtype=pl.Int64 if c.type == "datetime" else c.dtype)
         .cast(c.dtype) for n, c in columns.items()}
    )  # fmt: skip
    for _ in range(40):
        broken = [r for r in schema.rules if not row.select(compile_rule(r.rule)).to_series()[0]]
        if not broken:
            return row
        tried = changed(row, named_columns(broken[0].rule, columns), schema, broken[0].rule)
        row = tried[[broken_by_row(schema, tried).arg_min()]]
    raise AssertionError(f"no good row of {schema.table} was found")


def broken_by_row(schema: Schema, rows: pl.DataFrame) -> pl.Series:
    """Return how many rules each row breaks, as if it were a table of its own."""
    alone = [
        (~compile_rule(r.rule)).cast(pl.Int64)
        for r in schema.rules
        if rows.select(compile_rule(r.rule)).height == rows.height
    ]
    return rows.select(pl.sum_horizontal(pl.lit(0), *alone)).to_series()


def good_table(schema: Schema) -> pl.DataFrame:
    """Return a table of some rows that keeps everything that its schema says."""
    table = pl.concat([good_row(schema)] * ROWS)
    counted = [order.column for order in schema.order if order.order == "contiguous"]
    for name in counted or free_key(schema):
        table = table.with_columns(numbered(table, name))
    return table


def free_key(schema: Schema) -> list[str]:
    """Return a column of the key whose values may be told apart."""
    free = [
        n for n in schema.key
        if schema.columns[n].type in {"int64", "float64"} or not schema.columns[n].isin
    ]  # fmt: skip
    numbers = [n for n in free if schema.columns[n].type != "string"]
    return (numbers or free)[-1:]


def numbered(table: pl.DataFrame, name: str) -> pl.Series:
    start, dtype = table[name][0], table[name].dtype
    if dtype == pl.String:
        return pl.Series(name, [f"{start}{place}" for place in range(table.height)])
    return pl.Series(name, [start + place for place in range(table.height)], dtype=dtype)


def with_value(table: pl.DataFrame, name: str, value: object, row: int = -1) -> pl.DataFrame:
    values = table[name].to_list()
    values[row] = value
    return table.with_columns(pl.Series(name, values, dtype=table[name].dtype))


def wrong_tables(name: str) -> Iterator[Wrong]:
    """Yield for every check of a schema a table that breaks it."""
    schema = load_schema(name)
    good = good_table(schema)
    for column, spec in columns_of(schema).items():
        yield from _wrong_columns(good, column, spec)
    if schema.key:
        twice = good.with_columns(
            *(pl.lit(good[key][0], good[key].dtype).alias(key) for key in schema.key)
        )
        yield Wrong("key", f"{' with '.join(schema.key)} stands more than once", twice)
    for order in schema.order:
        first = good[order.column][0]
        values = [first + step for step in (5, 3, 2, 1)]
        table = good.with_columns(pl.Series(order.column, values, dtype=good[order.column].dtype))
        yield Wrong(f"order of {order.column}", order.sentence.rstrip("."), table, order.level)
    for rule in schema.rules:
        yield Wrong(
            rule.rule, rule.sentence.rstrip("."), _breaking(schema, good, rule.rule), rule.level
        )


def _wrong_columns(good: pl.DataFrame, column: str, spec: Column) -> Iterator[Wrong]:
    if not spec.nullable:
        yield Wrong(f"{column} empty", f"{column} is empty", with_value(good, column, None))
    for bound, side, step, level in (
        (spec.min, "below", -1, "error"), (spec.max, "above", 1, "error"),
        (spec.usual_min, "below", -1, "warning"), (spec.usual_max, "above", 1, "warning"),
    ):  # fmt: skip
        if bound is None or (bound in {spec.min, spec.max} and level == "warning"):
            continue
        size = 1 if spec.type == "int64" else max(1e-9, 1e-6 * abs(bound))
        beyond = bound + step * size
        value = int(beyond) if spec.type == "int64" else beyond
        table = with_value(good, column, value)
        yield Wrong(f"{column} {side}", f"{column} is {side} {bound:g}", table, level)
    if spec.isin is not None:
        other = with_value(good, column, "something else")
        yield Wrong(f"{column} isin", f"{column} is none of", other)
    if spec.matches is not None:
        yield Wrong(f"{column} matches", f"{column} is not like", with_value(good, column, "#"))


def _breaking(schema: Schema, good: pl.DataFrame, rule: str) -> pl.DataFrame:
    """Return a table that breaks one rule, and as few others as can be."""
    columns = columns_of(schema)
    names = named_columns(rule, columns)
    keeps = compile_rule(rule)
    tried = changed(good[-1:], names, schema, rule)
    if good.select(keeps).height == 1:  # a rule about the whole table
        for rows in tried.head(200 * ROWS).select(names).iter_slices(ROWS):
            several = good.with_columns(rows.get_columns())
            one = good.with_columns(pl.lit(rows[n][0], rows[n].dtype).alias(n) for n in names)
            for table in (one, several):
                if not table.select(keeps).item():
                    return table
        raise AssertionError(f"nothing breaks {rule}")
    wrong = tried.filter(~keeps)
    row = wrong[[broken_by_row(schema, wrong).arg_min()]]
    return pl.concat([good[:-1], row])


def related_tables(name: str, place: int) -> tuple[Tables, list[Tables]]:
    """Return the tables of a relation: some that keep it, and sets that break it."""
    prepared = prepare_relations(name)[place]
    relation, schema = prepared.relation, load_schema(name)
    other_schema = load_schema(relation.table)
    own, other = _without_matches(schema, prepared.own), _other_row(relation, other_schema)
    for mine, theirs in relation.match.items():
        own = own.with_columns(other[theirs].cast(own[mine].dtype).alias(mine))
    if relation.rule:
        (own, other), broken = _judged_pairs(relation, schema, own, other)
        wrong = [_pair(name, relation, *broken)]
    else:
        wrong = []
    if not relation.optional:
        mine = next(iter(relation.match))
        value = SHA256[::-1] if own[mine].dtype == pl.String else own[mine][0] + 17
        wrong.append(_pair(name, relation, with_value(own, mine, value), other))
    return _pair(name, relation, own, other), wrong


def _without_matches(schema: Schema, kept: tuple[str, ...]) -> pl.DataFrame:
    """Return a good row that has no match by the schema's relations, but for some columns."""
    row = good_row(schema)
    names = {mine for relation in schema.relations for mine in relation.match} - {*kept}
    empty = [name for name in names if schema.columns[name].nullable]
    return row.with_columns(pl.lit(None, row[name].dtype).alias(name) for name in empty)


def _pair(name: str, relation: Relation, own: pl.DataFrame, other: pl.DataFrame) -> Tables:
    if name != relation.table:
        return {name: own, relation.table: other}
    nothing = [pl.lit(None, other[mine].dtype).alias(mine) for mine in relation.match]
    return {name: pl.concat([other.with_columns(nothing), own])}


def _other_row(relation: Relation, schema: Schema) -> pl.DataFrame:
    """Return a row of the other table that satisfies ``where``."""
    row = good_row(schema)
    if not relation.where:
        return row
    columns = columns_of(schema)
    used = {n: columns[n] for n in named_columns(relation.where, columns)}
    drawn = made_rows(relation.where, used, TRIES)
    kept = drawn.filter(parse_expression(relation.where))[:1]
    return row.with_columns(kept.get_columns())


def _judged_pairs(
    relation: Relation, schema: Schema, own: pl.DataFrame, other: pl.DataFrame
) -> tuple[tuple[pl.DataFrame, pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]:
    """Return a pair of rows that keeps the rule of a relation, and one that breaks it."""
    other_schema = load_schema(relation.table)
    fixed = {*relation.match.values(), *named_columns(relation.where, columns_of(other_schema))}
    text = " ".join([relation.rule.replace("other.", ""), *relation.values.values()])
    mine = [n for n in named_columns(relation.rule, columns_of(schema)) if n not in relation.match]
    theirs = [n for n in named_columns(text, columns_of(other_schema)) if n not in fixed]
    owns = changed(own, mine, schema, relation.rule, PAIRS)
    others = _copies(other, PAIRS)
    if theirs:
        others = changed(other, theirs, other_schema, text, PAIRS)
    seen = others
    if relation.values:
        made = [parse_expression(t).alias(a) for a, t in relation.values.items()]
        seen = pl.concat([others[i : i + 1].select(made) for i in range(ALONE)])
        owns, others = owns[:ALONE], others[:ALONE]
    owns = _agreeing(relation.rule, owns, seen)
    both = owns.with_columns(seen.to_struct("other"))
    kept = both.select(parse_expression(relation.rule).fill_null(value=False)).to_series()
    broken = both.select(~compile_rule(relation.rule)).to_series()
    first, second = kept.arg_true()[0], broken.arg_true()[0]
    return (owns[[first]], others[[first]]), (owns[[second]], others[[second]])


def _agreeing(rule: str, owns: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Return rows of which every second has those values of the other table that a rule asks."""
    asked = r"(?<![\w.])(\w+) (?:=|-|IS NOT DISTINCT FROM) other\.(\w+)"
    pairs = dict(re.findall(asked, rule))
    is_second = pl.int_range(pl.len()) % 2 == 0
    return owns.with_columns(
        pl.when(is_second).then(seen[theirs].cast(owns[mine].dtype)).otherwise(pl.col(mine))
        .alias(mine)
        for mine, theirs in pairs.items()
    )  # fmt: skip


def _copies(row: pl.DataFrame, count: int) -> pl.DataFrame:
    return row[[0] * count]
