"""What a night hands on, it hands on once; what it could not is due again the next night."""

from __future__ import annotations

import socket
import zipfile
from pathlib import Path

import pytest
from eln_rules import Archive, broken

from cellpipe.cli.main import main
from cellpipe.store import Ledger
from elabftw_stand_in import KEY, StandIn

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def night(small_lab: Path, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the command of a night whose lab has a notebook, and wants archives.

    No figures are drawn: the archives' own tests have them.
    """
    monkeypatch.setattr("cellpipe.handoff.attachments.cell_panels", lambda *_: [])
    (small_lab / "SSB-08_02_GCPL_C03.mpr").unlink()
    monkeypatch.setenv("ELAB", KEY)
    path = tmp_path / "cellpipe.toml"
    path.write_text(
        f"[[lab]]\nfolder = '{small_lab.name}'\nresults = 'out'\n[hand_on]\neln = true\n"
        f"[hand_on.elabftw]\nurl = 'http://127.0.0.1:{port}'\ntoken = 'env:ELAB'\n"
    )
    return ["nightly", "--settings", str(path)]


def test_a_notebook_that_was_away_gets_everything_the_next_night(
    night: list[str], tmp_path: Path, port: int
) -> None:
    assert main(night) == 1
    said = (tmp_path / "out" / "digest.txt").read_text(encoding="utf-8")
    assert "Could not be handed on (1):\n  elabftw: found no answer" in said
    assert len(list((tmp_path / "out" / "eln").iterdir())) == 1  # the rest went on
    notebook = StandIn(port)
    try:
        assert main(night) == 0
        assert sorted(e["title"] for e in notebook.experiments.values()) == ["SSB-01", "SSB-05"]
        said = (tmp_path / "out" / "digest.txt").read_text(encoding="utf-8")
        assert "Handed on (2):" in said
        assert len(list((tmp_path / "out" / "eln").iterdir())) == 1
        notebook.requests.clear()
        assert main(night) == 0
        assert [path for _, path, *_ in notebook.requests] == ["/api/v2/info"]
    finally:
        notebook.close()


def test_a_cell_that_was_refused_is_due_again_and_the_others_go_on(
    night: list[str], tmp_path: Path, port: int
) -> None:
    notebook = StandIn(port)
    try:
        notebook.faults += [("POST", "/experiments/N/uploads", 413)]
        assert main(night) == 1
        said = (tmp_path / "out" / "digest.txt").read_text(encoding="utf-8")
        assert "elabftw, SSB-01: found the answer 413" in said
        assert len(notebook.experiments) == 2
        assert main(night) == 0
        assert len(notebook.experiments) == 2
        for number in notebook.experiments:
            assert len(notebook.active(number)) > 5
    finally:
        notebook.close()


def test_a_notebook_that_falls_silent_is_left_in_peace(
    night: list[str], tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellpipe.handoff.rest._PAUSE_SECONDS", 0.0)
    notebook = StandIn(port)
    try:
        notebook.lost += [("GET", "/experiments")] * 3
        assert main(night) == 1
        said = (tmp_path / "out" / "digest.txt").read_text(encoding="utf-8")
        assert "elabftw: 2 cells wait for the next night." in said
        assert not notebook.experiments
        assert main(night) == 0
        assert len(notebook.experiments) == 2
    finally:
        notebook.close()


def test_only_the_cell_that_changed_is_handed_on_again(
    night: list[str], small_lab: Path, tmp_path: Path, port: int
) -> None:
    notebook = StandIn(port)
    try:
        assert main(night) == 0
        (first,) = (tmp_path / "out" / "eln").iterdir()
        (small_lab / "SSB-01_03_PEIS_C01.mpr").unlink()
        notebook.requests.clear()
        assert main(night) == 0
        said = (tmp_path / "out" / "digest.txt").read_text(encoding="utf-8")
        assert "elabftw, SSB-01: entry" in said
        assert "elabftw, SSB-05" not in said
        (second,) = set((tmp_path / "out" / "eln").iterdir()) - {first}
        assert Archive(second.read_bytes()).parts == ["./SSB-01/"]
    finally:
        notebook.close()


@pytest.mark.pages
def test_the_archive_of_a_night_keeps_the_rules(night: list[str], tmp_path: Path) -> None:
    main(night)
    (path,) = (tmp_path / "out" / "eln").iterdir()
    assert broken(path.read_bytes()) == []
    assert zipfile.ZipFile(path).namelist()[0] == f"{path.stem}/ro-crate-metadata.json"
    assert Archive(path.read_bytes()).parts == ["./SSB-01/", "./SSB-05/"]
    taken = Ledger(tmp_path / "out").key_values("handed on to eln: ")
    assert set(taken) == {"handed on to eln: SSB-01", "handed on to eln: SSB-05"}
