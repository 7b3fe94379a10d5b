from __future__ import annotations

from pathlib import Path

import pytest
from made_cells import Made, made, odd_cells

from cellpipe import contracts
from cellpipe.report import write_cell_report, write_index

import polars as pl  # isort: skip

VERSION = "0.0.1"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Made, Path, Path]]:
    """Page and workbook of every odd cell, by what is odd about it."""
    folder = tmp_path_factory.mktemp("report")
    return {
        what: (one, *write_cell_report(one.cell, one.tables, one.files, folder, version=VERSION))
        for what, one in odd_cells().items()
    }
