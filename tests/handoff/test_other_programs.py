"""The results are read by other programs as docs/read-the-results.md says; the notebook runs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cellpipe
from cellpipe.store import Results

pytestmark = pytest.mark.xdist_group("sample")
DOCS = Path(__file__).parents[2] / "docs"


def ran(example: str, results: Path) -> dict[str, Any]:
    """Run an example of the page on the sample lab's results; give its names."""
    page = (DOCS / "read-the-results.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```python (\w+)\n(.*?)```", page, re.DOTALL))
    code = blocks[example].replace("RESULTS", results.as_posix())
    names: dict[str, Any] = {}
    with warnings.catch_warnings():  # of the other program
        warnings.simplefilter("ignore")
        exec(compile(code, example, "exec"), names)  # noqa: S102 - the page's own example
    return names


@pytest.fixture(scope="module")
def expected(results: Path) -> list[tuple[Any, ...]]:
    table = Results(results)["cycles"].filter(pl.col("complete")).group_by("cell_id").agg(
        pl.col("cycle").max(), pl.col("discharging_capacity_ah").max()
    )  # fmt: skip
    return table.sort("cell_id").collect().rows()


def test_duckdb_polars_and_pandas_give_the_same(
    results: Path, expected: list[tuple[Any, ...]]
) -> None:
    duckdb = ran("duckdb", results)
    assert duckdb["found"].fetchall() == expected
    assert [cell for cell, _ in duckdb["lowest"].fetchall()] == [row[0] for row in expected]
    assert ran("polars", results)["found"].rows() == expected
    pandas = ran("pandas", results)["found"].reset_index()
    assert [tuple(row) for row in pandas.itertuples(index=False)] == expected


def test_cellpipe_itself_puts_the_cell_beside_each_record(results: Path) -> None:
    names = ran("cellpipe", results)
    assert names["found"].height
    assert set(names["records"]["cell_id"]) == {"SSB-01"}


def test_units_and_meanings_are_in_the_files(results: Path) -> None:
    import pyarrow.parquet

    for table in ("cycles", "timeseries"):
        path = next((results / "tables" / table).glob("*.parquet"))
        fields = pyarrow.parquet.read_schema(path)
        name = "discharging_capacity_ah" if table == "cycles" else "voltage_volt"
        described = fields.field(name).metadata
        assert described[b"unit"] in {b"Ah", b"V"}
        assert described[b"meaning"]
    assert fields.field("file_sha256").metadata[b"meaning"]


def test_every_raw_table_tells_its_rows_apart(results: Path) -> None:
    for table in ("timeseries", "impedance", "half_cycle_segments"):
        for path in (results / "tables" / table).glob("*.parquet"):
            named = pl.read_parquet(path, columns=["file_sha256"])["file_sha256"]
            assert named.is_empty() or set(named) == {path.stem}


@pytest.mark.slow
def test_the_example_notebook_runs(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULTS", str(results))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nbclient
        import nbformat

        book = nbformat.read(DOCS / "example.ipynb", as_version=4)
        nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert cellpipe.__version__
