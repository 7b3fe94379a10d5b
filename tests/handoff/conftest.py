"""A record of the sample lab, and the programs that take what is handed on."""

from __future__ import annotations

from pathlib import Path

import pytest
from importers import Importer, importer

from cellpipe.handoff.record import Record
from cellpipe.pipeline.stored_cells import StoredCell, read_stored_cells
from cellpipe.pipeline.summary import Summary
from cellpipe.service.delivery import record_from_cell


@pytest.fixture(scope="session")
def results(sample_run: Summary) -> Path:
    return sample_run.lab.results


@pytest.fixture(scope="session")
def finished(results: Path) -> StoredCell:
    return read_stored_cells(results, ["SSB-06"])[0]


@pytest.fixture(scope="session")
def record(results: Path, finished: StoredCell) -> Record:
    return record_from_cell(results, finished, "cellpipe")


@pytest.fixture(scope="session")
def checks() -> Importer:
    return importer("checks")
