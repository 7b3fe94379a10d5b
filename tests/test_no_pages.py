"""What stands in for pages where none is asked about: nothing is drawn, and nothing is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

import cellpipe
from cellpipe.pipeline.run import process
from made_files import neware_csv
from no_pages import SIGN, nothing_drawn
from result_facts import files

PAGES = ("index.html", "all-cells.xlsx", "cells/A.html", "cells/A.xlsx")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    neware_csv(folder / "A_1.csv", "2026-03-02 10:00:00", rows=10)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\n")
    return folder


def test_nothing_is_drawn_and_reports_that_would_differ_still_do(lab: Path, tmp_path: Path) -> None:
    with nothing_drawn():
        for name in ("one", "two"):
            process(lab, tmp_path / name)
        neware_csv(lab / "A_1.csv", "2026-03-02 10:00:00", rows=10, factor=0.99)
        process(lab, tmp_path / "other")
    for page in PAGES:
        one, two, other = ((tmp_path / n / page).read_bytes() for n in ("one", "two", "other"))
        assert SIGN in one
        assert one == two
        assert one != other


def test_the_tables_are_those_of_a_run_that_draws(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "drawn")
    with nothing_drawn():
        process(lab, tmp_path / "not")
    drawn, without = files(tmp_path / "drawn"), files(tmp_path / "not")
    assert {name for name in drawn if drawn[name] != without[name]} == set(PAGES)
    assert drawn.keys() == without.keys()
    assert cellpipe.open_results(tmp_path / "not")["cycles"].collect().height == 2


@pytest.mark.pages
@pytest.mark.usefixtures("no_pages")
def test_a_test_that_asks_about_pages_has_them(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "out")
    assert (tmp_path / "out" / "cells" / "A.html").read_bytes().startswith(b"<!doctype html>")
