"""Meanings and units of the schemas: a reader who sees one alone knows what the column holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cellpipe.core import contracts
from cellpipe.core.contracts import Schema
from cellpipe.core.contracts.units import QUDT, UNITS

TABLES = [contracts.load_schema(name) for name in contracts.table_names()]

LONGEST = 260  # characters, of a tooltip or a comment of a cell
LEANS = re.compile(
    r"(That|Those|This|These|Its|It|Same|The same|As printed)\b|The (highest|lowest)[.,;]"
    r"|(One standard error|Standard error|Upper end|Lower end)(?! of)\b"
    r"|.*\b(see|the same (of|per|for|as|from|by)|as above|as before|next \w+ columns?)\b"
)
UNIT_NAMED = re.compile(r"\bin (\S+?)(?=[\s,;.:]|$)")

# Numbers whose unit stands in another column of the same row: column and that column.
UNIT_BESIDE = {
    "baseline_comparison": {"cell_initial_capacity": "unit", "baseline_initial_capacity": "unit"},
    "baselines": {"initial_value": "initial_unit", "later_value_low": "later_unit",
                  "later_value_high": "later_unit"},
    "circuit_fits": {"value": "unit", "standard_error": "unit", "precision": "unit"},
    "review_text": {"value_low": "unit", "value_high": "unit"},
}  # fmt: skip

# Dimension (A, m, kg, K, s) and size in SI of QUDT's units, as its vocabulary gives them.
DIMENSIONLESS = (0, 0, 0, 0, 0)
VOCABULARY = {
    "UNITLESS": (DIMENSIONLESS, 1.0), "PERCENT": (DIMENSIONLESS, 0.01),
    "BYTE": (DIMENSIONLESS, 5.545177444479562), "SEC": ((0, 0, 0, 0, 1), 1.0),
    "HR": ((0, 0, 0, 0, 1), 3600.0), "PER-HR": ((0, 0, 0, 0, -1), 1 / 3600),
    "HZ": ((0, 0, 0, 0, -1), 1.0), "V": ((-1, 2, 1, 0, -3), 1.0), "A": ((1, 0, 0, 0, 0), 1.0),
    "MilliV": ((-1, 2, 1, 0, -3), 1e-3), "MilliA": ((1, 0, 0, 0, 0), 1e-3),
    "A-HR": ((1, 0, 0, 0, 1), 3600.0), "MilliA-HR": ((1, 0, 0, 0, 1), 3.6),
    "W-HR": ((0, 2, 1, 0, -2), 3600.0), "MilliA-HR-PER-GM": ((1, 0, -1, 0, 1), 3600.0),
    "OHM": ((-2, 2, 1, 0, -3), 1.0), "FARAD": ((2, -2, -1, 0, 4), 1.0),
    "DEG_C": ((0, 0, 0, 1, 0), 1.0), "CentiM2": ((0, 2, 0, 0, 0), 1e-4),
    "MicroM": ((0, 1, 0, 0, 0), 1e-6), "MilliGM": ((0, 0, 1, 0, 0), 1e-6),
    "MegaPA": ((0, -1, 1, 0, -2), 1e6), "S-PER-CentiM": ((2, -3, -1, 0, 3), 100.0),
    "EV": ((0, 2, 1, 0, -2), 1.602176634e-19),
    "KiloJ-PER-MOL": ((0, 2, 1, 0, -2), 1e3 / 6.02214076e23),  # a mole counts as its number
}  # fmt: skip

# The same of the symbols' parts, by the SI: what a chemist reads.
PARTS = {
    "1": (DIMENSIONLESS, 1.0), "%": (DIMENSIONLESS, 0.01),
    "B": (DIMENSIONLESS, 5.545177444479562), "s": ((0, 0, 0, 0, 1), 1.0),
    "h": ((0, 0, 0, 0, 1), 3600.0), "Hz": ((0, 0, 0, 0, -1), 1.0), "A": ((1, 0, 0, 0, 0), 1.0),
    "Ah": ((1, 0, 0, 0, 1), 3600.0), "mAh": ((1, 0, 0, 0, 1), 3.6),
    "mV": ((-1, 2, 1, 0, -3), 1e-3), "mA": ((1, 0, 0, 0, 0), 1e-3),
    "V": ((-1, 2, 1, 0, -3), 1.0), "Wh": ((0, 2, 1, 0, -2), 3600.0),
    "Ω": ((-2, 2, 1, 0, -3), 1.0), "F": ((2, -2, -1, 0, 4), 1.0), "°C": ((0, 0, 0, 1, 0), 1.0),
    "cm²": ((0, 2, 0, 0, 0), 1e-4), "cm⁻²": ((0, -2, 0, 0, 0), 1e4), "g": ((0, 0, 1, 0, 0), 1e-3),
    "mg": ((0, 0, 1, 0, 0), 1e-6), "µm": ((0, 1, 0, 0, 0), 1e-6),
    "MPa": ((0, -1, 1, 0, -2), 1e6), "h^-1/2": ((0, 0, 0, 0, -0.5), 3600.0**-0.5),
    "h^-1": ((0, 0, 0, 0, -1), 1 / 3600), "S": ((2, -2, -1, 0, 3), 1.0),
    "cm⁻¹": ((0, -1, 0, 0, 0), 100.0), "eV": ((0, 2, 1, 0, -2), 1.602176634e-19),
    "kJ": ((0, 2, 1, 0, -2), 1e3), "mol": (DIMENSIONLESS, 6.02214076e23),
}  # fmt: skip

Size = tuple[tuple[float, ...], float]


def sentence_faults(sentence: str) -> list[str]:
    """Why a sentence does not stand alone; none if it does."""
    faults = []
    if not re.match(r"[A-Z0-9Ω√∫°]", sentence):
        faults.append("does not begin with a capital or a symbol")
    if not sentence.endswith(".") or "\n" in sentence:
        faults.append("does not end with a full stop, on one line")
    if len(sentence.split()) < 5:
        faults.append("has fewer than five words")
    if len(sentence) > LONGEST:
        faults.append(f"has {len(sentence)} characters")
    if set('|"\\') & set(sentence):
        faults.append("has a character that ends a cell of a table or a quotation")
    if LEANS.match(sentence):
        faults.append("leans on another sentence")
    return faults


def meaning_faults(schema: Schema) -> list[str]:
    """What is wrong with the sentences of a schema."""
    faults = [f"about: {fault}" for fault in sentence_faults(schema.about)]
    seen: dict[str, str] = {}
    for name, column in schema.columns.items():
        faults += [f"{name}: {fault}" for fault in sentence_faults(column.meaning)]
        if column.meaning in seen:
            faults.append(f"{name}: has the meaning of {seen[column.meaning]}")
        seen[column.meaning] = name
        says_null = re.search(r"\bnull\b", column.meaning, re.IGNORECASE) is not None
        if says_null != column.nullable:
            faults.append(f"{name}: " + ("is never null" if says_null else "is null, and when?"))
        named = set(UNIT_NAMED.findall(column.meaning)) & ({*UNITS} - {"1"})
        if named - {column.unit}:
            faults.append(f"{name}: names {named}, its unit is {column.unit}")
    return faults


def unit_faults(schema: Schema) -> list[str]:
    """What is wrong with the units of a schema."""
    faults = []
    beside = UNIT_BESIDE.get(schema.table, {})
    for name, column in schema.columns.items():
        is_number = column.type in {"int64", "float64"}
        if column.unit and column.unit not in UNITS:
            faults.append(f"{name}: the unit {column.unit} is not known")
        elif column.unit and not is_number:
            faults.append(f"{name}: a unit, and no number")
        elif is_number and bool(column.unit) == (name in beside):
            faults.append(f"{name}: a number without a unit" if not column.unit else
                          f"{name}: a unit of its own and another column's")  # fmt: skip
        if name in beside and f"column {beside[name]}" not in column.meaning:
            faults.append(f"{name}: its meaning does not say where its unit stands")
        label = column.bdf.partition(" / ")[2]
        if label and (column.unit not in UNITS or UNITS[column.unit].bdf != label):
            faults.append(f"{name}: {column.bdf} is not in {column.unit}")
    return faults


def product(*powers: tuple[Size, float]) -> Size:
    """Dimension and size of a product of powers."""
    size = 1.0
    for (_, each), exponent in powers:
        size *= each**exponent
    dimension = tuple(
        sum(of[place] * exponent for (of, _), exponent in powers) for place in range(5)
    )
    return dimension, size


def read_symbol(symbol: str) -> Size:
    """Dimension and size of a unit as it is written: factors, and a divisor after a slash."""
    over, _, under = symbol.partition("/") if symbol not in PARTS else (symbol, "", "")
    if symbol.endswith("^-1/2"):
        over, under = symbol, ""
    return product(*((PARTS[part], 1) for part in over.split()),
                   *((PARTS[part], -1) for part in under.split()))  # fmt: skip


def made(columns: str, about: str = "A small table of made-up things.") -> Schema:
    text = f"table: small\nabout: {about}\nrow: one thing\ncolumns:\n{columns}"
    return contracts.parse_schema(text, "small")


def with_meaning(meaning: str) -> Schema:
    return made(f"  x: {{type: float64, unit: V, meaning: '{meaning}'}}\n")


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.table)
def test_every_meaning_is_a_whole_sentence_that_stands_alone(schema: Schema) -> None:
    assert meaning_faults(schema) == []


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.table)
def test_every_number_has_a_unit_that_is_known(schema: Schema) -> None:
    assert unit_faults(schema) == []


def test_the_page_on_analyses_shows_schemas_that_are_written_so() -> None:
    page = Path(__file__).parents[1] / "docs" / "add-an-analysis.md"
    texts = re.findall(r"```yaml[^\n]*\n(table: (\w+)\n.*?)```", page.read_text("utf-8"), re.DOTALL)
    shown = [contracts.parse_schema(text, name) for text, name in texts]
    assert [schema.table for schema in shown] == ["accumulated_loss", "vendor_throughput"]
    assert [meaning_faults(schema) + unit_faults(schema) for schema in shown] == [[], []]


def test_the_columns_whose_unit_stands_beside_them_are_there_and_so_is_the_unit() -> None:
    for table, columns in UNIT_BESIDE.items():
        assert {*columns, *columns.values()} <= {*contracts.load_schema(table).columns}


STANDS = "Voltage of the cell, in V as measured."


@pytest.mark.parametrize(
    ("meaning", "said"),
    [
        ("That cycle.", "fewer than five"), ("The highest.", "fewer than five"),
        ("Size.", "fewer than five"), ("As printed.", "fewer than five"),
        ("That cycle of the cell in which it was taken.", "leans"),
        ("The highest, of those that were recorded.", "leans"),
        ("The same of the discharge in that cycle.", "leans"),
        ("Its reference cycle, where it has any.", "leans"),
        ("As printed in the table of the review.", "leans"),
        ("One standard error, in the unit of the value.", "leans"),
        ("Standard error in the unit of the value.", "leans"),
        ("Upper end, where a range is printed.", "leans"),
        ("Charge of the discharge, the same as above.", "leans"),
        ("Jump of the voltage over that of the current; see half_cycles.", "leans"),
        ("charge or discharge, as the sign of the current says.", "capital"),
        ("Voltage at the last record of it", "full stop"),
        (f"Voltage of the cell{' and so on' * 30}.", "characters"),
        ("Residuals of the fit divided by |Z| at each.", "ends a cell of a table"),
        ("Voltage of the cell, null where there is none.", "never null"),
        ("Voltage of the cell, in Ah as it was measured.", "names {'Ah'}"),
    ],
)  # fmt: skip
def test_a_meaning_that_does_not_stand_alone_is_seen(meaning: str, said: str) -> None:
    assert meaning_faults(with_meaning(STANDS)) == []
    assert said in "; ".join(meaning_faults(with_meaning(meaning)))


def test_two_columns_of_one_meaning_and_a_null_that_is_not_told_are_seen() -> None:
    meaning = "meaning: Voltage of the cell as it was measured."
    two = made("".join(f"  {name}: {{type: float64, unit: V, {meaning}}}\n" for name in "xy"))
    assert meaning_faults(two) == ["y: has the meaning of x"]
    empty = made(f"  x: {{type: float64, unit: V, nullable: true, {meaning}}}\n")
    assert meaning_faults(empty) == ["x: is null, and when?"]
    assert meaning_faults(made(f"  x: {{type: float64, unit: V, {meaning}}}\n", "A table."))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("type: float64, unit: kV", "is not known"), ("type: float64", "without a unit"),
        ("type: int64", "without a unit"), ("type: string, unit: V", "no number"),
        ("type: float64, unit: V, bdf: Current / A", "is not in V"),
        ("type: float64, unit: Ω, bdf: Internal Resistance / Ohm", "is not in Ω"),
    ],
)  # fmt: skip
def test_a_unit_that_is_missing_or_not_known_is_seen(column: str, said: str) -> None:
    faults = unit_faults(made(f"  x: {{{column}, meaning: Amount of it.}}\n"))
    assert len(faults) == 1
    assert said in faults[0]
    assert not unit_faults(
        made("  x: {type: float64, unit: Ω, bdf: Internal Resistance / ohm, meaning: Amount.}\n")
    )


def test_units_are_called_by_their_symbols_and_no_two_have_one_name() -> None:
    assert all(symbol == unit.symbol for symbol, unit in UNITS.items())
    for names in ([u.name for u in UNITS.values()], [u.qudt for u in UNITS.values() if u.qudt]):
        assert len({*names}) == len(names)


def test_no_unit_is_listed_that_no_schema_uses() -> None:
    assert {*UNITS} == {c.unit for schema in TABLES for c in schema.columns.values() if c.unit}


@pytest.mark.parametrize("symbol", [symbol for symbol in UNITS if symbol != "Ω h^-m"])
def test_the_qudt_unit_of_a_symbol_has_its_dimension_and_size(symbol: str) -> None:
    unit = UNITS[symbol]
    assert (unit.qudt is None) == bool(unit.factors)
    names = unit.factors or ((str(unit.qudt), 1),)
    dimension, size = product(*((VOCABULARY[name], exponent) for name, exponent in names))
    wanted, wanted_size = read_symbol(symbol)
    assert dimension == wanted
    assert size == pytest.approx(wanted_size, rel=1e-12)
    assert unit.iri == (None if unit.qudt is None else QUDT + unit.qudt)


def test_a_power_that_each_row_sets_is_no_product_of_units() -> None:
    assert UNITS["Ω h^-m"].iri is None
    assert UNITS["Ω h^-m"].factors == ()


def test_one_symbol_taken_for_another_is_seen_by_dimension_or_size() -> None:
    pairs = [(one, other) for one in VOCABULARY for other in VOCABULARY if one < other]
    same = {(one, other) for one, other in pairs if VOCABULARY[one] == VOCABULARY[other]}
    assert same == set()
