from __future__ import annotations

import pytest
from made_cells import Reports, odd_cells

from cellpipe.core.model import AnalysisFacts
from cellpipe.report import write_cell_report


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Page and workbook of every odd cell, by what is odd about it."""
    folder = tmp_path_factory.mktemp("report")
    return {
        what: (
            one,
            *write_cell_report(
                one.cell, one.tables, one.files, folder, version="0.0.1", analyses=AnalysisFacts()
            ),
        )
        for what, one in odd_cells().items()
    }
