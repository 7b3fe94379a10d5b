"""Every check of every schema is alive: a table made to break it is refused by it, a good one not.

The tables are made from the schemas alone (:mod:`made_tables`), so that a new rule, bound, key or
relation is tried without a word here.
"""

from __future__ import annotations

import re

import polars as pl
import pytest

from cellpipe.core import contracts
from cellpipe.core.contracts import relations
from cellpipe.core.contracts.checks import table_checks
from cellpipe.core.contracts.relations import prepare_relations, validate_set
from cellpipe.core.contracts.shaping import shape_table
from cellpipe.core.contracts.validation import find_failures, find_unusual
from cellpipe.core.errors import ContractError
from made_tables import Wrong, good_table, related_tables, wrong_tables

TABLES = contracts.table_names()
RELATIONS = [
    (name, place)
    for name in TABLES
    for place in range(len(contracts.load_schema(name).relations))
]  # fmt: skip


def broken_checks(name: str, table: pl.DataFrame) -> set[tuple[str, str]]:
    """Return level and sentence of the checks that a table breaks."""
    shaped = shape_table(name, table)
    checks = table_checks(name, tuple(shaped.columns))
    held = shaped.select(c.keeps.all().alias(str(i)) for i, c in enumerate(checks)).row(0)
    return {
        (c.level, c.sentence.rstrip(".")) for c, kept in zip(checks, held, strict=True) if not kept
    }


def is_caught(name: str, wrong: Wrong) -> bool:
    said = broken_checks(name, wrong.table)
    return any(level == wrong.level and s.startswith(wrong.said) for level, s in said)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_made_from_its_schema_passes_without_a_word(name: str) -> None:
    table = good_table(contracts.load_schema(name))
    assert contracts.validate(name, table).height == table.height
    assert find_unusual(name, table) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_bound_key_order_and_rule_refuses_the_table_that_breaks_it(
    name: str, record_property: pytest.RecordProperty
) -> None:
    wrong = list(wrong_tables(name))
    missed = [one.what for one in wrong if not is_caught(name, one)]
    record_property("wrong tables", len(wrong))
    print(f"\n{name}: {len(wrong)} wrong tables")
    assert missed == []


@pytest.mark.parametrize("name", TABLES)
def test_pandera_and_the_findings_say_what_the_checks_say(name: str) -> None:
    for one in list(wrong_tables(name))[::9]:
        shaped = shape_table(name, one.table)
        broken = broken_checks(name, one.table)
        judged = {s.rstrip(".") for s in find_failures(name, shaped)["check"].unique()}
        assert judged == {sentence for level, sentence in broken if level == "error"}
        found = [finding.sentence for finding in find_unusual(name, shaped)]
        warned = [sentence for level, sentence in broken if level == "warning"]
        assert len(found) == len(warned)
        assert all(any(s in told for told in found) for s in warned)


@pytest.mark.parametrize(("name", "place"), RELATIONS)
def test_every_relation_refuses_the_tables_that_break_it(
    name: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_relations(name)[place]
    good, wrong = related_tables(name, place)
    monkeypatch.setattr(relations, "prepare_relations", lambda _: (prepared,))
    assert validate_set(good, [name]) == []
    assert wrong
    for tables in wrong:
        with pytest.raises(ContractError, match=re.escape(prepared.relation.sentence)):
            validate_set(tables, [name])
