"""Tables of many cells in one file: the same rows as the files one by one, whatever came since."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cellpipe import open_results
from cellpipe.core import contracts
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger, consolidated, write_table
from cellpipe.store.consolidated import consolidate_tables, consolidated_name
from cellpipe.store.writer_lease import acquire
from made_files import neware_csv
from result_facts import files

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consolidated, "ENOUGH", 2)


def written(out: Path, cell_id: str, cycles: int) -> None:
    rows = [{"cell_id": cell_id, "cycle": cycle} for cycle in range(cycles)]
    frame = pl.DataFrame(rows, schema_overrides=contracts.empty_table("cycles").schema)
    every = pl.concat([contracts.empty_table("cycles"), frame], how="diagonal")
    write_table(out, "cycles", cell_id, every)


def one_by_one(out: Path) -> pl.DataFrame:
    paths = sorted((out / "tables" / "cycles").glob("*.parquet"))
    return pl.concat([pl.read_parquet(path) for path in paths]).sort("cell_id", "cycle")


def through_results(out: Path) -> pl.DataFrame:
    return open_results(out)["cycles"].sort("cell_id", "cycle").collect()


CHANGES = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), st.sampled_from(["gather", "remove", 0, 1, 3, 7])),
    max_size=12,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_what_is_gathered_never_changes_what_results_give(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | int]]
) -> None:
    out = tmp_path_factory.mktemp("out")
    for cell_id in "ABC":
        written(out, cell_id, 2)
    consolidate_tables(out, all_of_it=True)
    for cell_id, change in changes:
        if change == "gather":
            consolidate_tables(out)
        elif change == "remove":
            (out / "tables" / "cycles" / f"{cell_id}.parquet").unlink(missing_ok=True)
        else:
            written(out, cell_id, int(change))
        if list((out / "tables" / "cycles").iterdir()):
            assert_frame_equal(through_results(out), one_by_one(out))
        else:
            assert through_results(out).is_empty()


def test_a_frame_that_is_read_after_others_were_gathered_has_no_row_twice(tmp_path: Path) -> None:
    for cell_id in "ABC":
        written(tmp_path, cell_id, 2)
    consolidate_tables(tmp_path, all_of_it=True)
    written(tmp_path, "D", 3)
    lazy = open_results(tmp_path)["cycles"]
    consolidate_tables(tmp_path, all_of_it=True)
    assert_frame_equal(lazy.sort("cell_id", "cycle").collect(), one_by_one(tmp_path))


def test_results_that_were_copied_or_whose_gathered_file_is_broken_are_read_anyway(
    tmp_path: Path,
) -> None:
    for cell_id in "ABC":
        written(tmp_path, cell_id, 2)
    consolidate_tables(tmp_path, all_of_it=True)
    for path in (tmp_path / "tables" / "cycles").iterdir():
        os.utime(path, (1, 1))
    assert_frame_equal(through_results(tmp_path), one_by_one(tmp_path))
    (tmp_path / consolidated_name("cycles")).write_bytes(b"no parquet")
    assert_frame_equal(through_results(tmp_path), one_by_one(tmp_path))


def test_a_lab_with_many_cells_has_its_tables_gathered_and_kept_up(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    for number, cell_id in enumerate("ABC"):
        neware_csv(lab / f"{cell_id}_1.csv", f"2025-03-0{number + 2} 10:00:00", rows=20)
    (lab / "cells.csv").write_text(
        "Cell ID,Files,Configuration,Electrolyte\n"
        "A,A_*,full,LPSCl\nB,B_*,full,LPSCl\nC,C_*,full,Li3InCl6\n"
    )
    process(lab, out)
    path = out / consolidated_name("cycles")
    found = duckdb.sql(f"""
        SELECT cell_id FROM '{path}' JOIN '{out}/tables/cell_sheet/lab.parquet' USING (cell_id)
        WHERE electrolyte = 'LPSCl' GROUP BY cell_id ORDER BY cell_id
    """)  # noqa: S608 - places of this test
    assert found.fetchall() == [("A",), ("B",)]
    before = files(out)
    assert process(lab, out).read == 0
    assert files(out) == before
    path.write_bytes(b"overwritten by hand")
    process(lab, out)
    assert_frame_equal(through_results(out), one_by_one(out))
    with acquire(Ledger(out)) as _:
        assert consolidate_tables(out, all_of_it=True) == []
    (lab / "C_1.csv").unlink()
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*;B_*,full\n")
    process(lab, out)
    assert set(through_results(out)["cell_id"]) == {"A", "C"}  # C's files are gone, B is A's now


def test_what_an_older_version_gathered_lacks_columns_and_has_others(tmp_path: Path) -> None:
    for cell_id in "ABC":
        written(tmp_path, cell_id, 2)
    consolidate_tables(tmp_path, all_of_it=True)
    place = tmp_path / consolidated_name("cycles")
    index = pl.read_parquet_metadata(place)
    older = pl.read_parquet(place).drop("complete").with_columns(no_more=1)
    older.write_parquet(place, metadata=index)
    written(tmp_path, "D", 3)
    found = through_results(tmp_path)
    assert found.columns == contracts.empty_table("cycles").columns
    assert found.height == 2 * 3 + 3
    consolidate_tables(tmp_path, all_of_it=True)
    assert through_results(tmp_path).height == 9


def test_which_tables_are_gathered_their_schemas_say() -> None:
    gathered = set(consolidated.consolidated_tables())
    schemas = {name: contracts.load_schema(name) for name in contracts.table_names()}
    assert {"cells", "cycles", "half_cycles", "interfacial_resistance"} <= gathered
    assert gathered == {
        name for name, schema in schemas.items()
        if schema.consolidate and "cell_id" in schema.columns
    }  # fmt: skip
    assert not gathered & {"voltage_profiles", "differential_capacity", "files", "findings"}
