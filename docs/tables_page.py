"""The page on tables, from schemas/: columns, bounds, keys, rules, relations, quantities, units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from cellpipe.core import contracts
from cellpipe.core.contracts.columns import Column, Quantity, Strict, Type, load_quantities
from cellpipe.core.contracts.rules import Level, Rule
from cellpipe.core.contracts.schema import Order, Relation, Schema
from cellpipe.core.contracts.units import UNITS, Unit

HEAD = (
    "# Tables\n\nEvery table that is handed from one part to the next, as `schemas/` describes it. "
    "`cellpipe.open_results(RESULTS)` gives each by its name, and `cellpipe schemas --to "
    "frictionless|jsonschema|pandera` writes what stands here for other programs.\n\n"
    "Below what a column holds stand its type and unit, and what a value can be: one outside is "
    "refused, and in a table that was read from a raw file it is set aside and counted. What "
    "stands after *usually* is what it is in a sound cell: outside of it the value is used, and a "
    "finding says so. In brackets stands the reason, or the name of the [quantity](#quantities) "
    "that has it. A column that is there *if recorded* stands in the table if the instrument "
    "recorded it; *may be empty* means null.\n\n"
    "Rules, order and relations are said in a sentence and in SQL over the table's columns. Where "
    "the expression is false the table is refused, or, where *finding* stands behind it, used with "
    "a finding; where it is null, because a value is not there, the rule is kept. An expression "
    "with an aggregate (`SUM`, `MAX`) is about the whole table, and a column of another table "
    "stands after `other`. The row that a relation is about must be there, unless *if there is "
    "one* is said or the value by which it is found is empty.\n"
)
STEPS = {
    "contiguous": "rises by one", "counted": "stays or rises by one", "rising": "never falls"
}  # fmt: skip
KEYS: Mapping[type, tuple[str, dict[str, str]]] = {
    Schema: ("The file", {
        "table": "name of the table and of the file",
        "about": "what the table holds, in a sentence",
        "row": "what one row is",
        "columns": "the columns, each by its name",
        "key": "columns that are unique together",
        "rules": "list of rules that each row keeps, or the table",
        "order": "list of columns whose values follow each other",
        "relations": "list of what rows have to do with those of other tables of the cell",
        "bad_rows": "`reject` sets bad rows or values aside, `error` refuses the table",
        "consolidate": "`false`: the table is not gathered over all cells in one file",
    }),
    Column: ("A column, in `columns`", {
        "type": ", ".join(f"`{name}`" for name in get_args(Type)),
        "meaning": "what it holds, in a sentence that stands alone",
        "unit": "its [unit](#units)",
        "bdf": "its label in the Battery Data Format",
        "nullable": "`true`: a value may be empty",
        "required": "`false`: the column may be absent",
        "pattern": "`true`: the column's name is a regular expression for names of columns",
        "quantity": "name of the [quantity](#quantities) whose unit and bounds it has, as far as "
        "it gives none itself",
        "min": "what a value is at least",
        "max": "what a value is at most",
        "usual_min": "what it is at least in a sound cell",
        "usual_max": "what it is at most in a sound cell",
        "because": "why",
        "isin": "list of the texts that are allowed",
        "matches": "regular expression for the whole text",
    }),
    Rule: ("A rule, in `rules`", {
        "rule": "expression of SQL over columns; one that no row or every row breaks is refused",
        "sentence": "what it means",
        "level": "`error` or `warning`: the table is refused, or a finding says it",
    }),
    Order: ("An order, in `order`", {
        "column": "the column",
        "order": ", ".join(f"`{name}` {step}" for name, step in STEPS.items()),
        "within": "columns, within equal values of which the order holds",
        "sentence": "what it means",
        "level": "as of a rule",
    }),
    Relation: ("A relation, in `relations`", {
        "table": "the other table",
        "match": "columns of this table, each with the column of the other that has its value",
        "sentence": "what it means",
        "optional": "`true`: a row needs no match",
        "needed": "an expression over the table's columns: only rows for which it is true need a "
        "match",
        "where": "expression that restricts the rows of the other table",
        "values": "names of aggregates of the rows that match, each with its expression; without "
        "it there is at most one such row",
        "rule": "expression over columns of this table and, after `other`, those of the other or "
        "the aggregates",
        "level": "as of a rule",
    }),
    Quantity: ("A quantity, in `quantities.yaml`, by its name", {
        "unit": "its [unit](#units)",
        "because": "why it has these bounds",
        "min": "what a value is at least",
        "max": "what a value is at most",
        "usual_min": "what it is at least in a sound cell",
        "usual_max": "what it is at most in a sound cell",
    }),
}  # fmt: skip


def tables_page() -> str:
    """Return the page."""
    parts = [HEAD]
    for name in contracts.table_names():
        schema = contracts.load_schema(name)
        parts += [_columns_of(schema), _rules_of(schema)]
    return "".join([*parts, _quantities(), _units(), _keys()])


def _columns_of(schema: Schema) -> str:
    key = ", ".join(f"`{column}`" for column in schema.key)
    together = " together" if len(schema.key) > 1 else ""
    key = f" Unique{together}: {key}." if key else ""
    rows = "".join(
        f"| `{name}` | {spec.meaning}{f' BDF: {spec.bdf}.' if spec.bdf else ''}<br>"
        f"{values_of(spec)} |\n"
        for name, spec in schema.columns.items()
    )
    return (
        f"\n## {schema.table}\n\n{schema.about} One row: {schema.row}.{key}\n\n"
        f"| Column | What it holds |\n|---|---|\n{rows}"
    )


def values_of(spec: Column) -> str:
    """Return what values of a column can be: ``float64 / Ah: 0 to 1e5 (charge); may be empty``."""
    bounds = bounds_of(spec)
    parts = [f"{spec.type} / {spec.unit}" if spec.unit else spec.type]
    if bounds:
        own = "" if _has_reason(spec) else spec.because
        reason = ": ".join(filter(None, (spec.quantity, own)))
        parts[0] += f": {bounds}" + (f" ({reason})" if reason else "")
    if spec.isin is not None:
        parts.append(", ".join(f"*{text}*" for text in spec.isin))
    if spec.matches is not None:
        parts.append(f"like `{spec.matches}`")
    if spec.pattern:
        parts.append("columns of such names")
    if not spec.required:
        parts.append("if recorded")
    elif spec.nullable:
        parts.append("may be empty")
    return "; ".join(parts)


def _has_reason(spec: Column) -> bool:
    """Return whether the reason of a column's bounds is that of its quantity."""
    quantity = load_quantities().get(spec.quantity)
    return quantity is not None and quantity.because == spec.because


def bounds_of(spec: Column | Quantity) -> str:
    """Return bounds in words: ``0 to 1e5, usually up to 1000``."""
    hard, usual = _range(spec.min, spec.max), _range(spec.usual_min, spec.usual_max)
    return ", ".join(filter(None, (hard, f"usually {usual}" if usual else "")))


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"up to {number(high)}"
    return f"from {number(low)}" if high is None else f"{number(low)} to {number(high)}"


def number(value: float) -> str:
    """Return a number with all its digits: ``0.35``, ``1000``, ``1e9``, ``4102444800``."""
    plain = f"{value:.15g}"
    mantissa, _, exponent = f"{value:.14e}".partition("e")
    short = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    is_handy = 1e-3 <= abs(value) < 1e5 or value == 0
    shown = plain if is_handy or len(short) >= len(plain) else short
    return f"−{shown[1:]}" if value < 0 else shown


def _rules_of(schema: Schema) -> str:
    lines = [
        f"- {rule.sentence} `{' '.join(rule.rule.split())}`{_said(rule.level)}\n"
        for rule in schema.rules
    ]
    lines += [
        f"- {order.sentence} `{order.column}` {STEPS[order.order]}"
        + (f" within `{'`, `'.join(order.within)}`." if order.within else ".")
        + f"{_said(order.level)}\n"
        for order in schema.order
    ]
    related = [f"- {_relation(relation)}\n" for relation in schema.relations]
    text = f"\nRules and order:\n\n{''.join(lines)}" if lines else ""
    return text + (f"\nRelations:\n\n{''.join(related)}" if related else "")


def _said(level: Level) -> str:
    return " (*finding*)" if level == "warning" else ""


def _relation(relation: Relation) -> str:
    """Return a relation in words: its sentence, which rows match, and the rule for them."""
    match = " and ".join(
        f"`{other}` is {'the same' if own == other else f'`{own}`'}"
        for own, other in relation.match.items()
    )
    rows = f"{'rows' if relation.values else 'row'} of `{relation.table}` whose {match}"
    if relation.where:
        rows += f" and for which `{relation.where}`"
    sentence = f"{relation.sentence.rstrip('.')}."
    if relation.needed:
        sentence += f" (Where `{relation.needed}`.)"
    if not relation.rule:
        return f"{sentence} There is a {rows}.{_said(relation.level)}"
    if relation.optional:
        rows += ", if there are any" if relation.values else ", if there is one"
    values = ", ".join(f"`other.{name}` as `{text}`" for name, text in relation.values.items())
    rule = f"`{' '.join(relation.rule.split())}`"
    return f"{sentence} For the {rows}{f', {values}' if values else ''}: {rule}" + _said(
        relation.level
    )


def _quantities() -> str:
    rows = "".join(
        f"| {name} | {one.unit} | {_range(one.min, one.max)} | "
        f"{_range(one.usual_min, one.usual_max)} | {one.because} |\n"
        for name, one in load_quantities().items()
    )
    return (
        "\n## Quantities\n\nWhat a value of each physical quantity can be, what it usually is, and "
        "why (`schemas/quantities.yaml`). A column may have bounds of its own.\n\n"
        f"| Quantity | Unit | Values | Usually | Because |\n|---|---|---|---|---|\n{rows}"
    )


def _units() -> str:
    rows = "".join(
        f"| {unit.symbol} | {unit.name} | {_qudt(unit)} | {unit.bdf or ''} |\n"
        for unit in UNITS.values()
    )
    return (
        "\n## Units\n\nWith their names in [QUDT](https://qudt.org), and in labels of the Battery "
        "Data Format. Where QUDT has no such unit, its units and their powers are given.\n\n"
        f"| Unit | Name | QUDT | BDF |\n|---|---|---|---|\n{rows}"
    )


def _qudt(unit: Unit) -> str:
    if unit.iri is not None:
        return f"[{unit.qudt}]({unit.iri})"
    return " ".join(f"{name}^{power:g}" for name, power in unit.factors) or "–"


def _keys() -> str:
    parts = ["\n## Keys of a schema file\n\nA key that is not in these lists is refused.\n"]
    for model, (title, said) in KEYS.items():
        assert issubclass(model, (Strict, Rule))  # noqa: S101
        rows = "".join(f"| `{key}` | {said[key]} |\n" for key in model.model_fields)
        parts.append(f"\n### {title}\n\n| Key | What it says |\n|---|---|\n{rows}")
    return "".join(parts)
