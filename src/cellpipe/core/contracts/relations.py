"""Relations between the tables of a cell: keys that must be there, sums that must agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from cellpipe.core.contracts.columns import Column
from cellpipe.core.contracts.rules import check_rule, compile_rule, named_columns, parse_expression
from cellpipe.core.contracts.schema import Relation, load_schema, table_names
from cellpipe.core.contracts.shaping import contract_error
from cellpipe.core.errors import SchemaError
from cellpipe.core.model import Finding


@dataclass(frozen=True)
class _Prepared:
    """A relation with the columns that it uses of both tables, what breaks it, and the rest."""

    relation: Relation
    own: tuple[str, ...]
    other: tuple[str, ...]
    wrong: pl.Expr
    where: pl.Expr | None
    values: tuple[pl.Expr, ...]


def validate_set(
    tables: Mapping[str, pl.DataFrame], names: Iterable[str] | None = None
) -> list[Finding]:
    """Hold tables of a cell to their relations with each other.

    Parameters
    ----------
    tables
        Tables by name, each as :func:`validate` returned it, perhaps with further columns.
    names
        The tables whose relations are looked at; all of them if not given. A relation to a table
        that is not among ``tables``, or lacks a column that it needs, is left out.

    Returns
    -------
    Findings of what is strange.

    Raises
    ------
    ContractError
        If rows lack their match in another table, or do not agree with it.

    """
    looked_at = [
        name
        for name in (tables if names is None else names)
        if name in table_names() and tables[name].height
    ]
    _refuse_several_cells({name: tables[name] for name in looked_at})
    held = []
    for name in looked_at:
        own = tables[name]
        for prepared in prepare_relations(name):
            other = tables.get(prepared.relation.table)
            if other is None or not set(prepared.other) <= {*other.columns}:
                continue
            if set(prepared.own) <= {*own.columns}:
                held.append((name, prepared, find_wrong_rows(prepared, own, other)))
    wrong = pl.collect_all([rows for _, _, rows in held])  # one plan for all of them
    return [
        finding
        for (name, prepared, _), rows in zip(held, wrong, strict=True)
        for finding in _say_wrong_rows(name, prepared.relation, rows)
    ]


def _refuse_several_cells(tables: Mapping[str, pl.DataFrame]) -> None:
    """Raise ContractError if tables of one cell name several."""
    known = (table["cell_id"].unique() for table in tables.values() if "cell_id" in table.columns)
    cells = sorted({str(cell) for ids in known for cell in ids})
    if len(cells) > 1:
        raise contract_error(", ".join(tables), f"rows of {', '.join(cells)}", "those of one cell")


@cache
def prepare_relations(name: str) -> tuple[_Prepared, ...]:
    """Return the relations of a schema, tried.

    Raises
    ------
    SchemaError
        If one names a table or a column that is none, or its rule can't be broken.

    """
    return tuple(_prepare(name, relation) for relation in load_schema(name).relations)


def _prepare(name: str, relation: Relation) -> _Prepared:
    own, other = load_schema(name).columns, load_schema(relation.table).columns
    used = [*relation.match.values(), *named_columns(relation.where, other)]
    for text in relation.values.values():
        used += parse_expression(text).meta.root_names()
    unknown = [column for column in used if column not in other]
    if unknown or (not relation.rule and relation.optional):
        found = f"no column {unknown[0]}" if unknown else "a relation that can't be broken"
        raise SchemaError(
            f"{found}, in the relation to {relation.table}",
            expected="columns of that table, and a rule where the match is optional",
            remedy="correct the relation", file=f"schemas/{name}.yaml",
        )  # fmt: skip
    _try_match(name, relation)
    named: list[str] = []
    mine = list(relation.match)
    if relation.needed:
        check_rule(relation.needed, own)
        mine += named_columns(relation.needed, own)
    if relation.rule:
        columns = {**own, **_other_columns(relation)}
        check_rule(relation.rule, columns)
        named = named_columns(relation.rule, columns)
        if not relation.values:
            used += [column.partition(".")[2] for column in named if "." in column]
    mine += [column for column in named if "." not in column]
    own_used, other_used = tuple(dict.fromkeys(mine)), tuple(dict.fromkeys(used))
    where = parse_expression(relation.where) if relation.where else None
    values = (parse_expression(text).alias(as_) for as_, text in relation.values.items())
    return _Prepared(relation, own_used, other_used, _wrong(relation), where, tuple(values))


def _try_match(name: str, relation: Relation) -> None:
    """Raise SchemaError if columns of unlike types are matched, or ``where`` meets no row."""
    own, other = load_schema(name).columns, load_schema(relation.table).columns
    unlike = [a for a, b in relation.match.items() if own[a].type != other[b].type]
    if unlike:
        raise SchemaError(
            f"the match of {unlike[0]} with a column of another type in {relation.table}",
            expected="columns of one type", remedy="correct it", file=f"schemas/{name}.yaml",
        )  # fmt: skip
    if relation.where:
        check_rule(relation.where, other)


def _other_columns(relation: Relation) -> dict[str, Column]:
    other = load_schema(relation.table).columns
    if relation.values:
        return {f"other.{name}": _aggregate(text, other) for name, text in relation.values.items()}
    return {f"other.{name}": spec for name, spec in other.items()}


def _aggregate(text: str, columns: Mapping[str, Column]) -> Column:
    """Return an aggregate as a column: as the one that it is a value of, or as a number."""
    of_one = re.fullmatch(r"(?:FIRST|LAST|MIN|MAX)\((\w+)\)", text.strip())
    if of_one and of_one[1] in columns:
        return columns[of_one[1]].model_copy(update={"nullable": True})
    return Column(type="float64", meaning="An aggregate.", nullable=True)


def find_wrong_rows(prepared: _Prepared, own: pl.DataFrame, other: pl.DataFrame) -> pl.LazyFrame:
    """Plan which rows of a table break one of its relations to another table."""
    keys = list(prepared.relation.match)
    mine = own.lazy().select(prepared.own)
    matches = _matches(prepared, other.lazy())
    joined = mine.join(matches, left_on=keys, right_on=[f"_{key}" for key in keys], how="left")
    return joined.filter(prepared.wrong).select(keys)


def _say_wrong_rows(name: str, relation: Relation, bad: pl.DataFrame) -> list[Finding]:
    if not bad.height:
        return []
    first = ", ".join(f"{key} {bad[key][0]}" for key in relation.match)
    said = f"{relation.sentence} (not so {bad.height} times, first {first})"
    if relation.level == "error":
        raise contract_error(name, said)
    return [Finding("warning", f"unusual_{name}", f"Table {name}: {said}.", bad.height)]


def _matches(prepared: _Prepared, other: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of the other table by what they are matched by, the rest as ``other``."""
    relation = prepared.relation
    rows = other.select(prepared.other)
    if prepared.where is not None:
        rows = rows.filter(prepared.where)
    by = list(relation.match.values())
    if prepared.values:
        rows = rows.group_by(by, maintain_order=True).agg(prepared.values)
    else:
        rows = rows.unique(by, keep="first", maintain_order=True)
    return rows.select(
        pl.struct(list(relation.values) or list(prepared.other)).alias("other"),
        pl.lit(value=True).alias("_there"),
        *(pl.col(column).alias(f"_{key}") for key, column in relation.match.items()),
    )


def _wrong(relation: Relation) -> pl.Expr:
    """Return which rows, joined with their matches, break a relation."""
    there = pl.col("_there").is_not_null()
    wrong = pl.lit(value=False)
    if not relation.optional:
        is_asked = pl.all_horizontal(pl.col(list(relation.match)).is_not_null())
        if relation.needed:
            is_asked &= parse_expression(relation.needed).fill_null(value=False)
        wrong |= ~there & is_asked
    if relation.rule:
        wrong |= there & ~compile_rule(relation.rule)
    return wrong
