"""Where the real files lie, and the sample lab processed once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings

from cellpipe.pipeline.run import process
from cellpipe.pipeline.summary import Summary
from cellpipe.system.processes import Workers

pytest_plugins = ["groups", "no_pages", "skips"]
settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
REAL = ROOT.parent / "shared" / "real_data"
CASES = ROOT.parent / "shared" / "cases"


@pytest.fixture(autouse=True)
def _work_in_this_process(request: pytest.FixtureRequest) -> Iterator[None]:
    """Do the work of runs here, where it sees what tests patch, but for tests of processes."""
    if request.node.get_closest_marker("processes"):
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Workers, "_call", lambda _, work, arguments, *__: work(*arguments))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL.is_dir():
        pytest.skip("the corpus of real instrument files is not beside the checkout")
    return REAL


@pytest.fixture(scope="session")
def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip("the small inputs with right values are not beside the checkout")
    return CASES


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return process(SAMPLE, tmp_path_factory.mktemp("sample") / "results")


@pytest.fixture(scope="session")
def truth() -> pl.DataFrame:
    return pl.read_csv(SAMPLE / "truth.tsv")


@pytest.fixture
def small_lab(tmp_path: Path) -> Path:
    """Give a folder with the files of two sample cells, one broken file and the cell sheet."""
    folder = tmp_path / "lab"
    folder.mkdir()
    for path in (
        *SAMPLE.glob("biologic_mpr/SSB-01_0[23]*"),
        *SAMPLE.glob("neware_csv/SSB-05*"),
        SAMPLE / "biologic_mpr" / "SSB-08_02_GCPL_C03.mpr",
        SAMPLE / "cells.xlsx",
    ):
        shutil.copy2(path, folder)
    return folder
