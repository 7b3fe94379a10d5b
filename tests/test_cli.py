"""The command line: what it says, and the exit codes that scripts go by."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cellpipe.cli.main import command_names, main
from cellpipe.config.settings import read_settings
from cellpipe.core.errors import SettingsError

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about

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

    from cellpipe.cli import console
    from cellpipe.pipeline.run import process

    summary = process(small_lab, tmp_path / "out")
    screen = Console(width=80, record=True, file=io.StringIO())
    screen.print(console._cells_list(summary))
    shown = screen.export_text()
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
    from cellpipe.pipeline import run

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("made to fail")

    monkeypatch.setattr(run, "group_files", fail)
    assert main(["process", str(small_lab), "--out", str(tmp_path / "out")]) == 2
    assert "a fault in cellpipe itself (ZeroDivisionError" in capsys.readouterr().err
    assert "made to fail" in (tmp_path / "out" / "cellpipe.log").read_text(encoding="utf-8")


def test_a_ledger_of_another_layout_is_refused_in_words(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["process", str(small_lab), "--out", str(tmp_path / "out")])
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


def test_a_folder_that_is_locked_is_said_to_be_and_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "locked/x.mpr")

    places: tuple[tuple[str, object, str], ...] = (
        ("check", os, "open"), ("eis", Path, "stat"), ("init", Path, "exists"),
    )  # fmt: skip
    for command, place, patched in places:
        with monkeypatch.context() as patch:
            patch.setattr(place, patched, locked)
            assert main([command, "locked/x.mpr"]) == 2, command
        said = capsys.readouterr().err
        assert "can't be opened (Permission denied)" in said, command
        assert "remedy: check your rights" in said, command


@pytest.mark.parametrize("command", [["completion", "bash"], ["baselines"]])
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(command: list[str]) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "cellpipe", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()  # before a word was read
    said = run.stderr.read().decode()
    run.stderr.close()
    assert (run.wait(60), said) == (0, "")


def test_what_went_wrong_is_json_too_for_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (["check", "nothing.mpr"], ["process", "nowhere", "--out", str(tmp_path)],
                 ["status", str(tmp_path / "nothing")]):  # fmt: skip
        assert main([*line, "--json"]) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["found"], line
        assert error["remedy"], line


def test_numbers_are_never_cut_whatever_the_names_are(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in small_lab.glob("SSB-05*"):
        path.rename(path.with_name(f"{'a-name-as-people-give-them-' * 3}.csv"))
    main(["process", str(small_lab), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    assert "…" not in shown.replace(" … and ", "")  # of findings of a kind, a few are named
    assert "30 cycles" in shown


def test_published_cells_can_be_read_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    from cellpipe.cli import show_baselines

    monkeypatch.setattr(show_baselines, "make_console", lambda: Console(width=80))
    assert main(["baselines"]) == 0
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "columnar Si" in shown
    assert max(map(len, shown.split("\n"))) <= 80


def test_a_file_that_was_cut_off_is_named_at_the_end_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (SAMPLE / "neware_csv/SSB-05_record_zh.csv").read_bytes()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/SSB-05.csv").write_bytes(whole[:100_000])
    assert main(["process", str(tmp_path / "lab"), "--out", str(tmp_path / "out")]) == 0
    assert "Check: a file of SSB-05 was cut off" in capsys.readouterr().out


def test_settings_beside_the_folder_say_the_zone_and_the_command_line_wins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cellpipe.pipeline.job import load_lab

    lab = tmp_path / "lab"
    assert main(["init", str(lab), "--time-zone", "Europe/Berlin"]) == 0
    shutil.copy2(SAMPLE / "neware_csv/SSB-05_record_zh.csv", lab / "inbox")
    line = ["process", str(lab / "inbox")]
    main(line)
    said = capsys.readouterr().err
    assert f"As {lab / 'cellpipe.toml'} says: results {lab / 'results'}, clocks in Europe" in said
    assert load_lab(lab / "results").time_zone == "Europe/Berlin"
    main([*line, "--time-zone", "Asia/Seoul"])
    said = capsys.readouterr().err
    assert "--time-zone Asia/Seoul is used, not Europe/Berlin as /" in said
    assert load_lab(lab / "results").time_zone == "Asia/Seoul"


def test_in_a_workspace_no_command_needs_a_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path / "lab"
    assert main(["init", str(lab), "--time-zone", "Europe/Berlin"]) == 0
    for path in (*SAMPLE.glob("neware_csv/SSB-05*"), *SAMPLE.glob("biologic_mpr/SSB-01_02*")):
        shutil.copy2(path, lab / "inbox")
    monkeypatch.chdir(lab / "inbox")  # anywhere in the workspace
    assert main(["process"]) == 0
    for command in (
        ["status"], ["history", "SSB-05_record_zh"], ["compare", "SSB-05_record_zh", "SSB-01"],
        ["export", "tables", "SSB-05_record_zh"], ["retry", "SSB-05_record_zh"],
        ["forget", "SSB-01"], ["rebuild"],
    ):  # fmt: skip
        assert main(command) == 0, (command, capsys.readouterr().err)
    assert (lab / "results" / "exports" / "SSB-05_record_zh").is_dir()
    assert main(["push", "kadi", "SSB-05_record_zh"]) == 2
    assert "[hand_on.kadi]" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 2
    assert "a workspace to be in" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["results/", "./results/../results", "RESULTS", "link"])
def test_two_labs_with_one_results_folder_are_refused_however_it_is_spelt(
    tmp_path: Path, other: str
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "results")
    path = tmp_path / "cellpipe.toml"
    labs = (("a", "results"), ("b", other))
    path.write_text("".join(f"[[lab]]\nfolder = '{a}'\nresults = '{b}'\n" for a, b in labs))
    with pytest.raises(SettingsError, match="a results folder for each"):
        read_settings(path)


def test_a_run_that_waits_for_another_says_so(
    small_lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cellpipe.store import Ledger
    from cellpipe.store.writer_lease import acquire

    line = ["process", str(small_lab), "--out", str(tmp_path / "out"), "--wait", "1"]
    with acquire(Ledger(tmp_path / "out")):
        assert main(line) == 2
    said = capsys.readouterr().err
    assert said.count("waiting for another run (process") == 1
    assert "at most 1 s" in said


def test_the_first_warning_of_each_cell_is_said_at_the_end_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (SAMPLE / "neware_csv/SSB-07_record.csv").read_text(encoding="utf-8-sig").splitlines()
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "good_a.csv").write_text("\n".join(lines[:900]) + "\n")
    place = lines[0].split(",").index("Current(A)")
    rows = [line.split(",") for line in lines[1:900]]
    rows = [[*row[:place], str(1000 * float(row[place])), *row[place + 1 :]] for row in rows]
    wrong = [lines[0], *(",".join(row) for row in rows)]
    (lab / "wrong_a.csv").write_text("\n".join(wrong) + "\n")
    main(["process", str(lab), "--out", str(tmp_path / "out")])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Check: wrong_a: wrong_a.csv: In " in shown
    assert "it gives 1,000 times as much" in shown
    assert "Check: good" not in shown
