"""Contracts in others' standards: valid by each standard, and as strict as cellpipe itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from importers import Importer

from cellpipe.cli.main import main
from cellpipe.core import contracts
from cellpipe.core.contracts import Column, Schema
from cellpipe.core.contracts.units import UNITS
from cellpipe.core.errors import CellpipeError, ContractError
from cellpipe.handoff.schemas import STANDARDS, schema_files
from cellpipe.handoff.schemas.data_package import NAME as DATA_PACKAGE
from cellpipe.handoff.schemas.pandera_module import NAME as MODULE
from cellpipe.pipeline.stored_cells import StoredCell
from cellpipe.report.long_tables import long_csv

NAMES = contracts.table_names()
TYPES = {"integer": "int64", "number": "float64", "boolean": "bool"}

pytestmark = pytest.mark.xdist_group("sample")


@pytest.fixture(scope="session")
def row_schemas() -> dict[str, dict[str, Any]]:
    files = schema_files("jsonschema")
    return {name: json.loads(files[f"{name}.schema.json"]) for name in NAMES}


@pytest.fixture(scope="session")
def package() -> dict[str, dict[str, Any]]:
    descriptor = json.loads(schema_files("frictionless")[DATA_PACKAGE])
    return {resource["name"]: resource for resource in descriptor["resources"]}


@pytest.fixture(scope="session")
def stored(results: Path) -> dict[str, list[pl.DataFrame]]:
    """Every table of the sample lab as it is stored."""
    folders = sorted((results / "tables").iterdir())
    return {
        folder.name: [pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]
        for folder in folders
    }


# The command.


def test_without_a_standard_each_table_is_listed_with_what_it_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schemas"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: {contracts.load_schema(name).about}" for name in NAMES]


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_command_writes_what_is_named_and_replaces_nobodys_file(
    standard: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["schemas", "cycles", "--to", standard, "--out", str(tmp_path)]
    assert main(command) == 0
    expected = schema_files(standard, ["cycles"])
    assert {name: (tmp_path / name).read_bytes() for name in expected} == expected
    assert all(b"half_cycle_segments" not in content for content in expected.values())
    (name,) = expected
    (tmp_path / name).write_text("mine", encoding="utf-8")
    assert main(command) == 2
    assert "changed since" in capsys.readouterr().err
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cycels"], "no table called 'cycels'"),
        (["--to", "pandera"], "--to without --out"),
        (["--out", "somewhere"], "--out without --to"),
    ],
)
def test_a_command_that_is_not_whole_says_what_is_missing(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schemas", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_table_that_is_none_is_named() -> None:
    with pytest.raises(CellpipeError, match="no table called 'nothing'"):
        schema_files("pandera", ["nothing"])


# Nothing is lost: the schema can be read back from the file.


def column_from(described: Mapping[str, Any], bounds: Mapping[str, Any], prefix: str) -> Any:
    """Return a column as its schema file has it, from a standard's description of it."""

    def further(key: str) -> Any:
        dashed = re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", key)
        return described.get(f"{prefix}{dashed}" if prefix else key)

    unit = further("unit") or ""
    assert further("qudt") == (UNITS[unit].iri if unit else None)
    quantity = {"quantity": further("quantity")} if further("quantity") else {}
    return {
        "meaning": described["description"], "unit": unit, "bdf": further("bdf") or "",
        "because": further("boundsReason") or "", **quantity,
        "min": bounds.get("minimum"), "max": bounds.get("maximum"),
        "usual_min": further("usualMinimum"), "usual_max": further("usualMaximum"),
    }  # fmt: skip


def table_from(described: Mapping[str, Any], prefix: str, key: str) -> dict[str, Any]:
    return {
        "row": described[f"{prefix}row"], "key": tuple(described.get(key, ())),
        "bad_rows": described["x-bad-rows" if prefix else "badRows"],
        "rules": described.get(f"{prefix}rules", ()), "order": described.get(f"{prefix}order", ()),
        "relations": described.get(f"{prefix}relations", ()),
    }  # fmt: skip


def assert_same(name: str, made: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
    """Assert that a schema read back is the one that was written."""
    expected = contracts.load_schema(name)
    own = {one: columns[one] for one in columns if one in expected.columns}
    assert set(columns) - set(own) <= {"file_sha256"}
    again = Schema.model_validate({
        "table": name, "about": expected.about, "columns": own,
        "consolidate": expected.consolidate, **made,
    })  # fmt: skip
    assert again == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_data_package_says_all_that_the_schema_says(
    name: str, package: dict[str, dict[str, Any]]
) -> None:
    table = package[name]["schema"]
    columns = {}
    for is_pattern, fields in ((False, table["fields"]), (True, table.get("patternFields", []))):
        for field in fields:
            bounds = field.get("constraints", {})
            allowed = bounds.get("enum")
            columns[field["name"]] = column_from(field, bounds, "") | {
                "type": TYPES.get(field["type"], field["type"]), "pattern": is_pattern,
                "nullable": "required" not in bounds, "required": "optional" not in field,
                "isin": allowed and tuple(allowed), "matches": bounds.get("pattern"),
            }  # fmt: skip
    assert_same(name, table_from(table, "", "primaryKey"), columns)


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_says_all_that_the_schema_says(
    name: str, row_schemas: dict[str, dict[str, Any]]
) -> None:
    table = row_schemas[name]
    columns = {}
    for is_pattern, key in ((False, "properties"), (True, "patternProperties")):
        for place, value in table.get(key, {}).items():
            column = re.sub(r"^\^\(\?:(.*)\)\$$", r"\1", place)
            of_type = value["type"] if isinstance(value["type"], str) else value["type"][0]
            is_time = value.get("format") == "date-time"
            allowed = [each for each in value.get("enum", ()) if each is not None]
            matches = value.get("pattern")
            columns[column] = column_from(value, value, "x-") | {
                "type": "datetime" if is_time else TYPES.get(of_type, of_type),
                "pattern": is_pattern, "nullable": "null" in value["type"],
                "required": column in table["required"], "isin": tuple(allowed) or None,
                "matches": matches and matches.removeprefix("^(?:").removesuffix(")$"),
            }  # fmt: skip
    assert_same(name, table_from(table, "x-", "x-key"), columns)


# JSON Schema, by its own validator.


def json_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    return [
        {key: value.isoformat() if isinstance(value, datetime) else value
         for key, value in row.items()}
        for row in table.to_dicts()
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_is_valid_by_its_draft(
    name: str, row_schemas: dict[str, dict[str, Any]]
) -> None:
    jsonschema.Draft202012Validator.check_schema(row_schemas[name])


def test_rows_of_the_sample_lab_are_valid_by_json_schema(
    row_schemas: dict[str, dict[str, Any]], stored: dict[str, list[pl.DataFrame]]
) -> None:
    assert len(stored) >= 18
    for name, tables in stored.items():
        validator = jsonschema.Draft202012Validator(row_schemas[name])
        for table in tables:
            for row in json_rows(table.head(20)):
                errors = [f"{name}: {error.message}" for error in validator.iter_errors(row)]
                assert not errors


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cycles", {"cycle": "1"}),
        ("cycles", {"cycle": 1.5}),
        ("cycles", {"cycle": 0}),
        ("cycles", {"cell_id": None}),
        ("cycles", {"coulombic_efficiency": -0.1}),
        ("cycles", {"capacity_basis": "mass"}),
        ("cycles", {"max_temperature_celsius": -400.0}),
        ("cycles", {"unknown": 1}),
        ("half_cycles", {"file_sha256": "0" * 63}),
        ("half_cycles", {"file_sha256": "0" * 65}),
        ("half_cycles", {"direction": None}),
        ("timeseries", {"voltage_volt": 900.0}),
        ("timeseries", {"temperature_t1_celsius": -400.0}),
        ("timeseries", {"a_temperature_t1_celsius": 20.0}),
    ],
)
def test_a_row_that_can_not_be_is_refused_by_json_schema(
    name: str, change: dict[str, Any], row_schemas: dict[str, dict[str, Any]],
    stored: dict[str, list[pl.DataFrame]],
) -> None:  # fmt: skip
    validator = jsonschema.Draft202012Validator(row_schemas[name])
    row = json_rows(stored[name][0].head(1))[0]
    assert validator.is_valid(row)
    assert not validator.is_valid(row | change)
    (column,) = change
    without = {key: value for key, value in row.items() if key != column}
    is_required = column in row_schemas[name]["required"]
    assert validator.is_valid(without) != is_required


# Frictionless, by its own program.

VALIDATE = """
import json, sys
from frictionless import Package
report = Package(sys.argv[1]).validate()
kinds = {task.name: sorted({error.type for error in task.errors}) for task in report.tasks}
print(json.dumps({"valid": report.valid, "kinds": kinds,
                  "errors": [error.note for error in report.errors]}))
"""


def judged(checks: Importer, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checks.run(VALIDATE, str(folder / DATA_PACKAGE)))
    return found


def write_package(folder: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in schema_files("frictionless", list(tables)).items():
        (folder / name).write_bytes(content)
    for name, table in tables.items():
        (folder / f"{name}.csv").write_bytes(long_csv(table))


@pytest.mark.slow
def test_exported_tables_are_valid_by_frictionless(
    checks: Importer, finished: StoredCell, tmp_path: Path
) -> None:
    tables = {name: table for name, table in finished.tables.items() if table.height}
    assert {"cycles", "timeseries", "half_cycles", "files", "cells"} <= set(tables)
    write_package(tmp_path, tables)
    found = judged(checks, tmp_path)
    assert found == {"valid": True, "kinds": {name: [] for name in tables}, "errors": []}


@pytest.mark.slow
def test_frictionless_knows_every_word_of_the_descriptor_of_all_tables(
    checks: Importer, tmp_path: Path
) -> None:
    (tmp_path / DATA_PACKAGE).write_bytes(schema_files("frictionless")[DATA_PACKAGE])
    script = (
        "import sys; from frictionless import Package; package = Package(sys.argv[1]);"
        "print(len(package.resources), sum(len(r.schema.foreign_keys) for r in package.resources))"
    )
    resources, keys = checks.run(script, str(tmp_path / DATA_PACKAGE)).split()
    schemas = [contracts.load_schema(name) for name in NAMES]
    firm = [
        relation for schema in schemas for relation in schema.relations
        if not (relation.optional or relation.where or relation.needed or relation.values)
        and not any(schema.columns[column].nullable for column in relation.match)
    ]  # fmt: skip
    assert (int(resources), int(keys)) == (len(NAMES), len(firm))
    assert len(firm) >= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("constraint-error", "max_voltage_volt", 900.0),
        ("constraint-error", "direction", "up"),
        ("constraint-error", "file_sha256", "0" * 63),
        ("constraint-error", "capacity_ah", None),
        ("type-error", "half_cycle", 1.5),
        ("primary-key", "half_cycle", 1),
        ("foreign-key", "first_record_index", 999_999),
    ],
)
def test_frictionless_refuses_what_the_contract_refuses(
    kind: str, column: str, value: Any, checks: Importer, finished: StoredCell, tmp_path: Path
) -> None:
    names = ("half_cycles", "half_cycle_segments", "files")
    tables = {name: finished.tables[name] for name in names}
    first = pl.int_range(pl.len()) == 0
    changed = pl.when(first).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    if kind == "primary-key":
        changed = pl.lit(value).alias(column)
    write_package(tmp_path, tables | {"half_cycles": tables["half_cycles"].with_columns(changed)})
    found = judged(checks, tmp_path)
    assert kind in found["kinds"]["half_cycles"]


# pandera, in a process that does not have cellpipe.

CHANGE = """
import polars as pl

def changed(table, kind, column, value):
    first = pl.int_range(pl.len()) == 0
    if kind == "twice":
        return pl.concat([table, table.head(1)])
    if kind == "reversed":
        return table.reverse()
    if kind == "text":
        return table.with_columns(pl.col(column).cast(pl.String))
    if kind == "absent":
        return table.drop(column)
    if kind == "more":
        return table.with_columns(pl.lit(1).alias("unknown"))
    if kind == "cell":
        put = pl.when(first).then(pl.lit(value, table.schema[column]))
        return table.with_columns(put.otherwise(pl.col(column)).alias(column))
    return table
"""
JUDGE = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
import cellpipe_tables
from pandera.errors import SchemaErrors, SchemaWarning
assert not [name for name in sys.modules if name.partition(".")[0] == "cellpipe"]
verdicts = []
for name, path, *change in json.load(open(sys.argv[1] + "/cases.json")):
    table = changed(pl.read_parquet(path), *change)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            cellpipe_tables.SCHEMAS[name].validate(table, lazy=True)
            said = []
        except SchemaErrors as error:
            said = error.failure_cases["check"].cast(pl.String).unique().sort().to_list()
    verdicts.append([said, sum(one.category is SchemaWarning for one in heard)])
print(json.dumps(verdicts))
"""
CHANGED = ("cycles", "timeseries", "files", "half_cycle_segments", "differential_capacity")
Case = tuple[str, str, str, str | None, Any]  # table, its file, kind of change, column, value


def cases_of(name: str, path: str, table: pl.DataFrame) -> list[Case]:
    """Return a good table, and changes of it: one for each thing that its schema says."""
    schema = contracts.load_schema(name)
    cases: list[Case] = [
        (name, path, kind, None, None) for kind in ("", "twice", "reversed", "more")
    ]
    for column in table.columns:
        spec = contracts.find_column(schema, column)
        if spec is None:
            continue
        values = changes_of(spec, table[column][0])
        cases += [(name, path, "cell", column, value) for value in values]
        if spec.type != "string":
            cases.append((name, path, "text", column, None))
        if spec.required:
            cases.append((name, path, "absent", column, None))
    return cases


def changes_of(spec: Column, there: Any) -> list[Any]:
    """Return values to put into a column: null, one beyond each bound, and another one."""
    if spec.type == "string":
        return [None, "nonsense"]
    if spec.type == "bool":
        return [None, not there]
    values: list[Any] = [None]
    whole = spec.type == "int64"
    for bound, step in ((spec.min, -1), (spec.max, 1), (spec.usual_min, -1), (spec.usual_max, 1)):
        if bound is not None:
            beyond = bound + step * (1 if whole else max(1e-3, abs(bound) / 8))
            values.append(int(beyond) if whole else beyond)
    if isinstance(there, (int, float)):
        values.append(there + 3 if whole else there * 1.5 + 1e-3)
    return values


def verdict_of_cellpipe(name: str, table: pl.DataFrame) -> tuple[bool, bool]:
    """Return whether cellpipe refuses a table, and whether it finds it unusual."""
    known = contracts.load_schema(name).columns
    if "file_sha256" not in known and "file_sha256" in table.columns:
        table = table.drop("file_sha256")
    try:
        kept = contracts.validate(name, table)
    except ContractError:
        return True, False
    return False, bool(contracts.find_unusual(name, kept))


@pytest.mark.slow
def test_the_module_judges_tables_as_cellpipe_does_and_does_not_need_it(
    stored: dict[str, list[pl.DataFrame]], tmp_path: Path
) -> None:
    (tmp_path / MODULE).write_bytes(schema_files("pandera")[MODULE])
    cases: list[Case] = []
    for name, tables in stored.items():
        path = str(tmp_path / f"{name}.parquet")
        table = max(tables, key=lambda each: (each.height > 0, each.width)).head(8)
        table.write_parquet(path)
        if name in CHANGED:
            whole, others = cases_of(name, path, table)[:4], cases_of(name, path, table)[4:]
            first = [case for case in others if case[2] == "absent" or case[4] == "nonsense"]
            cases += [*whole, *first[:6], *others[::4]]
        else:
            cases.append((name, path, "", None, None))
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    command = [sys.executable, "-I", "-c", CHANGE + JUDGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    verdicts = json.loads(done.stdout)
    names: dict[str, Any] = {}
    exec(CHANGE, names)  # noqa: S102 - the same changes
    apart = []
    said: set[str] = set()
    for case, (errors, warnings) in zip(cases, verdicts, strict=True):
        name, path, *change = case
        refused, unusual = verdict_of_cellpipe(
            name, names["changed"](pl.read_parquet(path), *change)
        )
        said |= set(errors)
        if bool(errors) != refused or (not refused and bool(warnings) != unusual):
            apart.append((name, *change, errors, warnings, refused, unusual))
    assert not apart
    assert len(cases) > 150
    assert sum(bool(warnings) and not errors for errors, warnings in verdicts) >= 3
    rules = {rule.sentence for name in CHANGED for rule in contracts.load_schema(name).rules}
    assert len(said & rules) > 10
    orders = {order.sentence for name in CHANGED for order in contracts.load_schema(name).order}
    kinds = (r"dtype\(", "not_nullable", " is below ", " is above ", " is none of ",
             " is not like ", " stands more than once", "column_in_schema",
             "column_in_dataframe")  # fmt: skip
    missing = [kind for kind in kinds if not any(re.search(kind, one) for one in said)]
    assert not missing
    assert said & orders


def test_the_module_is_laid_out_as_a_formatter_would(tmp_path: Path) -> None:
    (tmp_path / MODULE).write_bytes(schema_files("pandera")[MODULE])
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
