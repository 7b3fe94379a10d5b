"""A folder of many small files, its undisturbed results, and processes to kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_lab import made_lab
from zygote import Zygote

from cellpipe.pipeline.run import process
from no_pages import nothing_drawn


@pytest.fixture(scope="session")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_lab(tmp_path_factory.mktemp("many") / "lab")


@pytest.fixture(scope="session")
def undisturbed(many_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    process(many_files, out)
    return out


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


@pytest.fixture
def few_files(tmp_path: Path) -> Path:
    return made_lab(tmp_path / "lab", files=6, cells=2)


@pytest.fixture(scope="session")
def few_undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    with nothing_drawn():  # as in the tests that hold their results against it
        process(made_lab(folder / "lab", files=6, cells=2), folder / "out")
    return folder / "out"
