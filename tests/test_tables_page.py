"""The page on tables leaves out nothing of what the schemas say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from cellpipe.core import contracts
from cellpipe.core.contracts.columns import Column, Quantity, load_quantities
from cellpipe.core.contracts.rules import Rule
from cellpipe.core.contracts.schema import Order, Relation, Schema
from cellpipe.core.contracts.units import UNITS

PAGE = (Path(__file__).parents[1] / "docs" / "tables.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.])[−]?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")


@cache
def sections() -> dict[str, str]:
    parts = (part.partition("\n") for part in PAGE.split("\n## ")[1:])
    return {title: text for title, _, text in parts}


def rows(section: str) -> dict[str, list[str]]:
    """Return the rows of tables in a section, by their first cell."""
    found = {}
    for line in sections()[section].splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line[1:-1].split(" | ")]
            found[cells[0].strip("` ")] = cells
    return found


def numbers(text: str) -> list[float]:
    return [float(each.replace("−", "-")) for each in NUMBER.findall(text)]


def given(*bounds: float | None) -> list[float]:
    return [bound for bound in bounds if bound is not None]


def bounds(spec: Column | Quantity) -> list[float]:
    return given(spec.min, spec.max, spec.usual_min, spec.usual_max)


def test_every_table_has_a_section_and_the_page_no_other() -> None:
    known = {*contracts.table_names(), "Quantities", "Units", "Keys of a schema file"}
    assert set(sections()) == known


@pytest.mark.parametrize("name", contracts.table_names())
def test_each_column_shows_its_bounds_values_pattern_and_whether_it_may_be_empty(name: str) -> None:
    schema, shown = contracts.load_schema(name), rows(name)
    assert set(shown) == {*schema.columns, "Column"}
    for column, spec in schema.columns.items():
        meaning, values = shown[column][1].split("<br>")
        of_type = f"{spec.type} / {spec.unit}" if spec.unit else spec.type
        assert re.match(rf"{re.escape(of_type)}(?=[:;]|$)", values)
        assert meaning.startswith(spec.meaning)
        assert spec.bdf in meaning
        of_quantity = load_quantities().get(spec.quantity)
        if bounds(spec):
            head, _, reason = values.removeprefix(f"{of_type}: ").partition(" (")
            assert numbers(head) == bounds(spec), column
            assert (" usually " in f" {head}") == bool(given(spec.usual_min, spec.usual_max)), (
                column
            )
            assert spec.because in values or of_quantity is not None, column
            if of_quantity is not None:
                assert reason.startswith(spec.quantity)
                assert spec.because == of_quantity.because or spec.because in values
        allowed = [f"*{text}*" for text in spec.isin or ()]
        assert ", ".join(allowed) in values
        assert spec.matches is None or f"`{spec.matches}`" in values
        assert spec.required or "if recorded" in values
        assert not (spec.nullable and spec.required) or "may be empty" in values
        assert spec.nullable or "may be empty" not in values


@pytest.mark.parametrize("name", contracts.table_names())
def test_each_key_rule_order_and_relation_is_there_in_words_and_in_sql(name: str) -> None:
    schema, text = contracts.load_schema(name), sections()[name]
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    key = ", ".join(f"`{column}`" for column in schema.key)
    assert not key or re.search(rf"Unique(?: together)?: {re.escape(key)}\.", text)
    said = [*schema.rules, *schema.order, *schema.relations]
    assert len(lines) == len(said)
    for one, line in zip(said, lines, strict=True):
        assert line.startswith(f"- {one.sentence.rstrip('.')}.")
        assert ("*finding*" in line) == (one.level == "warning")
        expressions = [one.rule] if isinstance(one, Rule) else []
        if isinstance(one, Order):
            expressions += [one.column, *one.within]
        if isinstance(one, Relation):
            expressions += [one.table, *one.match, *one.match.values(), one.where, one.rule]
            expressions += [f"other.{value}" for value in one.values]
            expressions += one.values.values()
            assert ("if there" in line) == one.optional
        for expression in filter(None, expressions):
            assert f"`{' '.join(expression.split())}`" in line


def test_each_quantity_shows_its_unit_bounds_and_reason() -> None:
    shown = rows("Quantities")
    assert set(shown) == {*load_quantities(), "Quantity"}
    for name, one in load_quantities().items():
        _, unit, values, usually, because = shown[name]
        assert (unit, because) == (one.unit, one.because)
        assert numbers(values) == given(one.min, one.max)
        assert numbers(usually) == given(one.usual_min, one.usual_max)


def test_each_unit_shows_its_names() -> None:
    shown = rows("Units")
    assert set(shown) == {*UNITS, "Unit"}
    for symbol, unit in UNITS.items():
        _, name, qudt, bdf = shown[symbol]
        assert (name, bdf) == (unit.name, unit.bdf or "")
        assert unit.iri is None or f"[{unit.qudt}]({unit.iri})" == qudt
        assert all(f"{factor}^{power:g}" in qudt for factor, power in unit.factors)


def test_each_key_of_a_schema_file_is_named() -> None:
    parts = sections()["Keys of a schema file"].split("\n### ")[1:]
    models = (Schema, Column, Rule, Order, Relation, Quantity)
    for model, part in zip(models, parts, strict=True):
        named = re.findall(r"^\| `(\w+)` \| .", part, re.MULTILINE)
        assert sorted(named) == sorted(model.model_fields)
