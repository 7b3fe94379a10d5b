"""Contracts: a schema file is read strictly, and a table is held to it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from cellpipe.core import contracts
from cellpipe.core.contracts.checks import kept_levels
from cellpipe.core.contracts.shaping import shape_table
from cellpipe.core.contracts.validation import pandera_schema
from cellpipe.core.errors import ContractError, SchemaError
from made_files import used_files

GOOD = """
table: small
about: A table.
row: one thing
columns:
  amount: {type: float64, unit: Ah, min: 0, meaning: How much.}
"""


def record(**columns: list[object]) -> pl.DataFrame:
    base: dict[str, list[object]] = {
        "record_index": [1, 2, 3], "test_time_second": [0.0, 1.0, 2.0],
        "voltage_volt": [3.0, 3.1, 3.2], "current_ampere": [0.1, 0.1, 0.1],
    }  # fmt: skip
    return pl.DataFrame(base | columns)


def test_every_schema_file_can_be_read_and_every_column_has_a_meaning() -> None:
    assert len(contracts.table_names()) >= 15
    for name in contracts.table_names():
        schema = contracts.load_schema(name)
        assert schema.about
        assert all(column.meaning for column in schema.columns.values())
        assert all(k in schema.columns for k in schema.key)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (GOOD.replace("min: 0", "minn: 0"), "minn"),
        (GOOD.replace("float64", "floaty"), "type"),
        (GOOD.replace("meaning: How much.", ""), "meaning"),
        (GOOD.replace("table: small", "table: other"), "other"),
        (GOOD + "extra: 1\n", "extra"),
        ("table: [", "while parsing"),
    ],
)
def test_a_misspelt_schema_is_refused_with_its_place(wrong: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        contracts.parse_schema(wrong, "small")


def test_a_good_schema_is_accepted() -> None:
    assert contracts.parse_schema(GOOD, "small").columns["amount"].min == 0


def test_an_unknown_table_says_which_are_known() -> None:
    with pytest.raises(SchemaError, match="timeseries"):
        contracts.load_schema("no such table")


def test_a_good_table_is_given_back_in_the_contracts_order_and_types() -> None:
    shuffled = record().select("current_ampere", "voltage_volt", "test_time_second", "record_index")
    checked = contracts.validate("timeseries", shuffled)
    assert checked.columns == ["record_index", "test_time_second", "voltage_volt", "current_ampere"]
    assert checked.schema["record_index"] == pl.Int64


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (record().drop("voltage_volt"), "no column voltage_volt"),
        (record(voltage=[1.0, 2.0, 3.0]), "unknown column voltage"),
        (record(voltage_volt=["a", "b", "c"]), "nothing is cast"),
        (record(test_time_second=[0.0, -1.0, 2.0]), "test_time_second is below 0"),
        (record(voltage_volt=[1.0, None, 2.0]), "voltage_volt is empty"),
        (record(voltage_volt=[1.0, float("nan"), 2.0]), "voltage_volt is empty"),
        (record(current_ampere=[1.0, float("inf"), 2.0]), "current_ampere is empty"),
    ],
)
def test_a_table_that_breaks_its_contract_is_refused_with_the_reason(
    frame: pl.DataFrame, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        contracts.validate("timeseries", frame)


def test_bad_rows_of_a_raw_table_are_set_aside_counted_and_kept() -> None:
    frame = record(test_time_second=[0.0, -1.0, 2.0], voltage_volt=[3.0, 3.1, None])
    kept, rejected, findings = contracts.validate_rows("timeseries", frame)
    assert kept["record_index"].to_list() == [1]
    assert rejected["record_index"].to_list() == [2, 3]
    assert rejected["value"].to_list() == ["-1.0", None]
    assert findings[0].rows == 2
    assert "2 of 3 rows" in findings[0].sentence


def test_a_key_that_stands_twice_is_refused() -> None:
    row = contracts.empty_table("rejected_rows").clear()
    assert contracts.validate("rejected_rows", row).height == 0
    fits = pl.DataFrame({
        "cell_id": ["a", "a"], "spectrum": [1, 1], "circuit": ["R0", "R0"], "element": ["R0", "R0"],
        "parameter": ["R", "R"], "value": [1.0, 2.0], "standard_error": [0.1, 0.1],
        "precision": [0.1, 0.1], "unit": ["ohm", "ohm"], "identifiable": [True, True],
        "constraint": [None, None],
    }, schema_overrides={"constraint": pl.String})  # fmt: skip
    with pytest.raises(ContractError, match="unique"):
        contracts.validate("circuit_fits", fits)


def test_a_value_outside_a_list_is_refused() -> None:
    findings = pl.DataFrame({
        "subject_kind": ["cell"], "subject": ["a"], "cell_id": ["a"], "severity": ["terrible"],
        "code": ["x"], "sentence": ["s"], "remedy": [None], "since": [datetime(2026, 1, 1)],
        "rows": [None],
    }, schema=contracts.empty_table("findings").schema)  # fmt: skip
    with pytest.raises(ContractError, match="alarm, check, note"):
        contracts.validate("findings", findings)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=9))
def test_no_row_is_lost_between_kept_and_rejected(values: list[float]) -> None:
    count = len(values)
    frame = pl.DataFrame({
        "record_index": list(range(1, count + 1)),
        "test_time_second": [float(i) for i in range(count)],
        "voltage_volt": values, "current_ampere": [0.0] * count,
    })  # fmt: skip
    kept, rejected, _ = contracts.validate_rows("timeseries", frame)
    assert set(kept["record_index"]) | set(rejected["record_index"]) == set(range(1, count + 1))
    assert not set(kept["record_index"]) & set(rejected["record_index"])


def test_units_of_numbered_columns_are_found_by_their_pattern() -> None:
    assert contracts.column_metadata("timeseries", ["temperature_t7_celsius"]) == {
        "temperature_t7_celsius": {
            "unit": "°C", "bdf": "Temperature T1 / degC",
            "meaning": "Temperature at the auxiliary sensor whose number the column's name has, in "
            "°C; null where the instrument did not record it.",
        }
    }  # fmt: skip


@given(
    st.lists(st.sampled_from([None, -1.0, 0.0, 3.7, 1e4, 1e5, float("nan"), float("inf")]),
             min_size=1, max_size=6),
    st.sampled_from(["voltage_volt", "test_time_second", "ambient_temperature_celsius"]),
)  # fmt: skip
def test_the_quick_look_at_a_table_and_panderas_judgement_are_the_same(
    values: list[float | None], column: str
) -> None:
    table = record(ambient_temperature_celsius=[20.0, 20.0, 20.0])[: len(values)]
    table = pl.concat([table] * 2)[: len(values)]
    table = table.with_columns(pl.Series(column, values[: table.height], dtype=pl.Float64))
    shaped = shape_table("timeseries", table)
    quick = "error" in kept_levels("timeseries", shaped)
    try:
        pandera_schema("timeseries", tuple(shaped.columns)).validate(shaped, lazy=True)
    except SchemaErrors:
        assert not quick
    else:
        assert quick


RULED = """
table: small
about: A table.
row: one thing
columns:
  low: {type: float64, min: 0, meaning: The lower end of the range.}
  high: {type: float64, min: 0, nullable: true, meaning: The upper end of the range.}
  kind: {type: string, isin: [a, b], meaning: The kind of the thing.}
rules:
  - rule: low <= high
    sentence: The lower end is not above the upper one.
"""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("low <= hihg", "no column hihg.*perhaps high"),
        ("low <= low", "every row keeps"),
        ("low >= 0", "every row keeps"),  # its bound says so already
        ("low >= 0 OR low <= high", "every row keeps"),
        ("low IS NOT NULL", "every row keeps"),  # it may not be empty
        ("kind IN ('a', 'b')", "every row keeps"),
        ("low < 0 AND high IS NOT NULL", "no row keeps"),
        ("high > 5 AND high < 4", "no row keeps"),  # an empty value does not show that it can be
        ("high IS NULL AND high > 5", "no row keeps"),
        ("low + high", "no truth value"),
        ("1 < 2", "names no column"),
        ("low <", "expression"),
        ("low <= kind", "can be compared"),
    ],
)
def test_a_rule_that_can_not_be_broken_or_names_no_column_is_refused(rule: str, said: str) -> None:
    text = RULED.replace("rule: low <= high", f'rule: "{rule}"')
    with pytest.raises(SchemaError, match=said):
        contracts.parse_schema(text, "small")


def test_a_good_rule_is_accepted_and_may_be_about_the_whole_table() -> None:
    assert contracts.parse_schema(RULED, "small").rules[0].rule == "low <= high"
    for rule in ("MAX(high) > 0", "low < 5 OR kind = 'b'", "high IS NULL OR kind = 'a'",
                 "high > 2.5 AND high < 3.0", "COUNT(DISTINCT low) <= 3"):  # fmt: skip
        text = RULED.replace("rule: low <= high", f"rule: {rule}")
        assert contracts.parse_schema(text, "small").rules[0].rule == rule


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("type: float64, min: 0, meaning: The lower", "type: float64, min: 2, max: 1, meaning: The",
         "min"),
        ("type: float64, min: 0, meaning: The lower",
         "type: float64, quantity: voltages, meaning: The", "no quantity 'voltages'"),
        ("type: float64, min: 0, meaning: The lower",
         "type: float64, quantity: temperature, unit: K, meaning: The", "temperature is in °C"),
        ("type: string, isin: [a, b]", "type: string, min: 0", "no number"),
        ("type: float64, min: 0, meaning: The lower", "type: float64, isin: [a], meaning: The",
         "no text"),
        ("rules:", "key: [lwo]\nrules:", "no column lwo"),
        ("rules:", "key: [low, low]\nrules:", "low twice in the key"),
        ("rules:", "rules: []\nrules:", "the key 'rules' stands twice"),
        ("type: string, isin: [a, b]", "type: string, matches: '('", "matches"),
        ("type: string, isin: [a, b]", "type: string, isin: []", "allows no value"),
        ("type: float64, min: 0, meaning: The lower", "type: float64, min: .nan, meaning: The",
         "no finite number"),
        ("rules:", "order:\n  - {column: kind, order: rising, sentence: It rises.}\nrules:",
         "kind, which is no number"),
        ("rules:", "order:\n  - {column: lwo, order: rising, sentence: It rises.}\nrules:",
         "no column lwo"),
    ],
)  # fmt: skip
def test_bounds_keys_and_order_that_say_nothing_are_refused(
    was: str, is_now: str, said: str
) -> None:
    with pytest.raises(SchemaError, match=said):
        contracts.parse_schema(RULED.replace(was, is_now), "small")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("record_index", [1.5, 2.0, 3.0]),
        ("record_index", [2.0**60, 2.0, 3.0]),
        ("record_index", [True, True, True]),
        ("record_index", ["1", "2", "3"]),
        ("voltage_volt", ["3.71", "3.72", "3.73"]),
        ("voltage_volt", ["3,71", "3,72", "3,73"]),
        ("voltage_volt", [True, False, True]),
        ("voltage_volt", [2**53 + 1, 1, 1]),
    ],
)
def test_nothing_is_rounded_or_cast_in_silence(column: str, values: list[object]) -> None:
    with pytest.raises(ContractError, match=column):
        contracts.validate("timeseries", record(**{column: values}))


def test_what_another_type_holds_exactly_is_taken() -> None:
    given = record().with_columns(
        pl.col("record_index").cast(pl.UInt8), pl.col("voltage_volt").cast(pl.Float32),
        current_ampere=pl.Series([1, 2, 3]), cycle_count=pl.Series([1.0, 2.0, float("nan")]),
        step_count=pl.Series([None, None, None]),
    )  # fmt: skip
    table = contracts.validate("timeseries", given)
    assert table["current_ampere"].to_list() == [1.0, 2.0, 3.0]
    assert table["cycle_count"].to_list() == [1, 2, None]
    assert table["step_count"].dtype == pl.Int64


def test_decimals_and_what_is_no_table_are_refused_and_times_of_another_unit_are_taken() -> None:
    decimals = record(voltage_volt=[Decimal("1.5"), Decimal("1.6"), Decimal("1.7")])
    with pytest.raises(ContractError, match="Decimal"):
        contracts.validate("timeseries", decimals)
    with pytest.raises(ContractError, match="a LazyFrame"):
        contracts.validate("timeseries", record().lazy())  # type: ignore[arg-type]
    files = used_files("A", "a").with_columns(
        started_at=pl.Series([datetime(2025, 1, 1, tzinfo=UTC)]).dt.cast_time_unit("ms")
    )
    assert contracts.validate("files", files)["started_at"].dtype == pl.Datetime("us", "UTC")
    precise = pl.Series([1_700_000_000_000_000_001]).cast(pl.Datetime("ns", "UTC"))
    with pytest.raises(ContractError, match="started_at"):
        contracts.validate("files", files.with_columns(started_at=precise))


def test_rows_that_need_a_match_are_named_others_may_be_without() -> None:
    spectra = pl.DataFrame({
        "cell_id": ["a", "a"], "spectrum": [1, 2], "circuit": ["R0", None],
        "interfacial_resistance_ohm": [None, None],
    }, schema_overrides={"interfacial_resistance_ohm": pl.Float64})  # fmt: skip
    fits = pl.DataFrame({"cell_id": ["a"], "spectrum": [1], "circuit": ["R0"]})
    assert contracts.validate_set({"interfacial_resistance": spectra, "circuit_fits": fits}) == []
    with pytest.raises(ContractError, match=r"has the parameters of its circuit.*spectrum 1"):
        contracts.validate_set(
            {"interfacial_resistance": spectra, "circuit_fits": fits.with_columns(spectrum=7)},
            ["interfacial_resistance"],
        )


def test_a_bad_value_of_a_column_that_may_be_empty_does_not_cost_its_row() -> None:
    frame = record(ambient_temperature_celsius=[25.0, 1999.0, 25.0])
    kept, rejected, findings = contracts.validate_rows("timeseries", frame)
    assert kept["record_index"].to_list() == [1, 2, 3]
    assert kept["ambient_temperature_celsius"].to_list() == [25.0, None, 25.0]
    assert rejected["value"].to_list() == ["1999.0"]
    assert "1 values of ambient_temperature_celsius" in findings[0].sentence


def test_a_column_that_is_wrong_in_most_rows_refuses_the_table_and_names_the_unit() -> None:
    count = 20
    frame = pl.DataFrame({
        "record_index": range(1, count + 1), "test_time_second": [float(i) for i in range(count)],
        "voltage_volt": [3700.0 + i for i in range(count)], "current_ampere": [0.1] * count,
    })  # fmt: skip
    with pytest.raises(ContractError, match=r"3700 to 3719 V.*above 10.*is in mV"):
        contracts.validate_rows("timeseries", frame)


def test_what_should_not_be_is_a_finding_with_its_reason_and_the_table_stands() -> None:
    table = contracts.validate("timeseries", record(voltage_volt=[3.0, 7.5, 3.1]))
    (finding,) = contracts.find_unusual("timeseries", table)
    assert finding.level == "warning"
    assert finding.rows == 1
    assert "voltage_volt is above 6 (up to 7.5): cyclers of this field" in finding.sentence


def test_tables_of_two_cells_are_no_set_of_one() -> None:
    row = pl.DataFrame({"cell_id": ["a"], "half_cycle": [1]})
    with pytest.raises(ContractError, match="rows of a, b"):
        contracts.validate_set(
            {"half_cycles": row, "cycles": row.with_columns(cell_id=pl.lit("b"))}
        )


def test_a_schema_that_holds_tables_to_other_things_has_another_digest_other_words_have_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def digest(text: str) -> str:
        parsed = contracts.parse_schema(text, "small")
        monkeypatch.setattr("cellpipe.core.contracts.schema.load_schema", lambda _: parsed)
        contracts.schema_digest.cache_clear()
        return contracts.schema_digest("small")

    first = digest(RULED)
    assert digest(RULED.replace("A table.", "Another.").replace("The kind of", "What is")) == first
    for was, is_now in (("min: 0", "min: 1"), ("low <= high", "low < high"), ("[a, b]", "[a, c]"),
                        ("not above", "below")):  # fmt: skip
        assert digest(RULED.replace(was, is_now)) != first
    contracts.schema_digest.cache_clear()
