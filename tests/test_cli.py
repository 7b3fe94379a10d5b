"""The command line: what it says, and the exit codes that scripts go by."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cellpipe.cli import command_names, main

SAMPLE = Path(__file__).parents[1] / "sample_data"


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ((), *((name,) for name in command_names())):
        with pytest.raises(SystemExit) as stopped:
            main([*command, "--help"])
        assert stopped.value.code == 0
        assert "example" in capsys.readouterr().out


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "process" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"cellpipe {version('cellpipe')}"


def test_process_ends_with_two_tables_and_the_page_to_open(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["process", str(small_lab), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    for part in ("SSB-01", "78.5 %", "Could not be used", "SSB-08_02_GCPL_C03.mpr", "remedy",
                 str(tmp_path / "out" / "index.html")):  # fmt: skip
        assert part in shown.replace("\n", ""), part
    assert (tmp_path / "out" / "cellpipe.log").read_text(encoding="utf-8").count("files ") == 4
    assert main(arguments) == 1
    assert "Nothing new: 4 files unchanged." in capsys.readouterr().out


def test_a_narrow_terminal_gets_a_list_in_which_no_cell_is_cut_short(
    small_lab: Path, tmp_path: Path
) -> None:
    from rich.console import Console

    from cellpipe import terminal
    from cellpipe.pipeline import process

    summary = process(small_lab, tmp_path / "out")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(terminal._cells_list(summary))
    shown = console.export_text()
    assert "SSB-01" in shown
    assert "…" not in shown
    assert max(map(len, shown.split("\n"))) <= 80


def test_exit_codes_say_all_used_some_set_aside_nothing_done(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_lab / "SSB-08_02_GCPL_C03.mpr").unlink()
    for path in small_lab.glob("SSB-01*"):
        path.unlink()
    assert main(["process", str(small_lab), "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "empty").mkdir()
    assert main(["process", str(tmp_path / "empty"), "--out", str(tmp_path / "b")]) == 2
    assert main(["process", str(tmp_path / "nowhere"), "--out", str(tmp_path / "c")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_fault_in_the_program_is_never_taken_for_files_set_aside(
    small_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from cellpipe import pipeline

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("made to fail")

    monkeypatch.setattr(pipeline, "grouped", fail)
    assert main(["process", str(small_lab), "--out", str(tmp_path / "out")]) == 2
    assert "a fault in cellpipe itself (ZeroDivisionError" in capsys.readouterr().err
    assert "made to fail" in (tmp_path / "out" / "cellpipe.log").read_text(encoding="utf-8")


def test_a_ledger_of_another_layout_is_refused_in_words(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    with sqlite3.connect(tmp_path / "out" / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    assert main(["process", str(small_lab), "--out", str(tmp_path / "out")]) == 2
    assert "a ledger of layout 99" in capsys.readouterr().err


def test_check_shows_what_would_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SAMPLE / "biologic_mpr/SSB-01_03_PEIS_C01.mpr")]) == 0
    shown = capsys.readouterr().out
    assert "biologic_mpr" in shown
    assert "impedance: 72 rows" in shown.replace("\n", "")
    assert main(["check", str(SAMPLE / "arbin_csv/glovebox_log.csv")]) == 2
    assert "no format knows" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.mpr"]) == 2
    assert "nowhere.mpr" in capsys.readouterr().err


def test_baselines_shows_all_twelve_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baselines"]) == 0
    shown = capsys.readouterr().out
    assert "Cao 2022" in shown
    assert "Zhang 2022" in shown


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cellpipe", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("cellpipe ")
