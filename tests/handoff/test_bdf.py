"""Recordings as files of the Battery Data Format: nothing is lost, and its validator passes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cellpipe
from cellpipe.cli.main import main
from cellpipe.core import contracts
from cellpipe.handoff.bdf import bdf_name, bdf_table, unmapped_columns
from cellpipe.store import LAB, read_table

pytestmark = pytest.mark.xdist_group("sample")


@pytest.fixture(scope="session")
def every(results: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Export every cell of the sample lab both ways; give the files by the content they are of."""
    out = tmp_path_factory.mktemp("bdf") / "results"
    shutil.copytree(results, out)
    cells = sorted(path.stem for path in (out / "cells").glob("*.html"))
    for more in ([], ["--parquet"]):
        assert main(["export", "bdf", str(out), *cells, *more]) == 0
    found = {}
    for sidecar in out.glob("exports/*/bdf/*.metadata.json"):
        sha256 = json.loads(sidecar.read_text(encoding="utf-8"))["source"]["file_sha256"]
        found[sha256] = sidecar.with_name(sidecar.name.replace(".metadata.json", ""))
    return found


def raw(results: Path, name: str, sha256: str) -> pl.DataFrame:
    found = read_table(results, name, sha256)
    return contracts.empty_table(name) if found is None else found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_reading_it_back_loses_nothing(results: Path, every: dict[str, Path], suffix: str) -> None:
    assert len(every) == 13
    for sha256, stem in every.items():
        before = raw(results, "timeseries", sha256)
        measurement = cellpipe.read(stem.with_name(f"{stem.name}.bdf.{suffix}"))
        after = measurement.tables["timeseries"]
        left_out = json.loads(stem.with_name(f"{stem.name}.metadata.json").read_text("utf-8"))
        held = [c for c in before.columns if before[c].null_count() < before.height]
        missing = set(held) - set(after.columns) - {"file_sha256"}
        assert missing == set(left_out["left_out"])
        for column in set(held) & set(after.columns):
            same_or_close(before[column], after[column])
        spectra = raw(results, "impedance", sha256)
        if spectra.height:
            again = measurement.tables["impedance"]
            for column in ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm",
                           "spectrum", "test_time_second"):  # fmt: skip
                same_or_close(spectra[column], again[column])


def same_or_close(before: pl.Series, after: pl.Series) -> None:
    if before.dtype.is_float():
        apart = ((before - after).abs() > 1e-9 * before.abs()).sum()
        assert apart == 0, before.name
        assert before.null_count() == after.null_count()
    else:
        assert before.equals(after), before.name


VALIDATE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from typer.testing import CliRunner
from bdf.cli import app
done = [CliRunner().invoke(app, ["validate", path]) for path in sys.argv[1:]]
print(json.dumps([(each.exit_code, each.output) for each in done]))
"""


@pytest.mark.slow
def test_the_formats_own_validator_passes(every: dict[str, Path], checks: Any) -> None:
    """PyPI's batterydf is older than BDF 1.3: what it calls unknown are labels of 1.3."""
    named = [
        *contracts.load_schema("timeseries").columns,
        *contracts.load_schema("impedance").columns,
    ]
    described = [contracts.column_metadata(table, named) for table in ("timeseries", "impedance")]
    labels = {said.get("bdf") for part in described for said in part.values()}
    labels.add("Temperature T1 / degC")
    paths = [str(stem.with_name(f"{stem.name}.bdf.csv")) for stem in every.values()]
    said = json.loads(checks.run(VALIDATE, *paths).splitlines()[-1])
    assert len(said) == len(paths)
    for code, text in said:
        assert code == 0, text
        unknown = {line.strip(" -") for line in text.splitlines() if " / " in line}
        assert unknown <= labels


def test_the_sidecar_tells_the_cell_the_file_and_what_was_left_out(every: dict[str, Path]) -> None:
    stem = next(stem for stem in every.values() if "SSB-06" in stem.name)
    said = json.loads(stem.with_name(f"{stem.name}.metadata.json").read_text(encoding="utf-8"))
    assert said["cell"]["area_cm2"] == {"name": "Area", "value": 0.785, "unit": "cm²",
                                        "source": "from the cell sheet"}  # fmt: skip
    assert said["source"]["format"] == "neware_xlsx"
    assert "vendor_charging_capacity_ah" in said["left_out"]
    assert said["conventions"]["current"] == "positive charges the cell"


def test_the_type_of_a_step_is_its_makers_word_or_its_mode() -> None:
    table = pl.DataFrame({
        "record_index": [1, 2], "test_time_second": [0.0, 1.0], "voltage_volt": [3.0, 3.1],
        "current_ampere": [0.0, 1.0], "step_mode": ["rest", "CC"],
        "step_type": pl.Series([None, None], dtype=pl.String),
    })  # fmt: skip
    for words in (["rest", "CC"], ["搁置", "恒流充电"]):
        typed = table if words == ["rest", "CC"] else table.with_columns(step_type=pl.Series(words))
        written = bdf_table(typed, contracts.empty_table("impedance"))
        assert written is not None
        assert written["Step Type"].to_list() == words
        assert unmapped_columns(typed) == []


def test_names_are_those_of_the_format() -> None:
    assert bdf_name("Battery Lab, TU X", "SSB 01/ü", None, 3) == (
        "Battery_Lab_TU_X__SSB_01__00000000_003"
    )


def test_what_lacks_current_is_not_made_up() -> None:
    spectra = pl.DataFrame(
        {"record_index": [1], "spectrum": [1], "test_time_second": [None],
         "frequency_hertz": [1.0], "real_impedance_ohm": [1.0], "imaginary_impedance_ohm": [-1.0]},
        schema_overrides={"test_time_second": pl.Float64},
    )  # fmt: skip
    assert bdf_table(contracts.empty_table("timeseries"), spectra) is None


def test_every_file_of_the_lab_is_among_them(results: Path, every: dict[str, Path]) -> None:
    files = read_table(results, "files", LAB)
    assert files is not None
    assert set(every) == set(files.filter(status="used")["file_sha256"])
