"""The newcomer's first commands: a workspace, and a look at what it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from cellpipe.cell_sheet.sheet import read_cell_sheet
from cellpipe.cli.main import main
from cellpipe.config.example import EXAMPLE
from cellpipe.config.settings import Settings, read_settings
from cellpipe.service import doctor
from made_files import neware_csv


@pytest.fixture
def workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "my lab"
    assert main(["init", str(folder), "--time-zone", "Europe/Berlin"]) == 0
    capsys.readouterr()
    return folder


def test_the_three_steps_that_are_printed_lead_to_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "lab"), "--time-zone", "Asia/Seoul"]) == 0
    said = capsys.readouterr().out
    (inbox,) = re.findall(r"1\. Copy raw files into (.*)", said)
    ((folder, command),) = re.findall(r'2\. cd "(.*)"\n +cellpipe (.*)', said)
    neware_csv(Path(inbox) / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    monkeypatch.chdir(folder)
    assert main(command.split(" ")) == 0
    (results,) = re.findall(r"3\. Open index.html in (.*)", said)
    assert (Path(results) / "index.html").is_file()
    assert "clocks in Asia/Seoul" in capsys.readouterr().err


def test_a_workspace_holds_settings_that_are_valid_and_a_sheet_that_is_read(
    workspace: Path,
) -> None:
    (lab,) = read_settings(workspace / "cellpipe.toml").lab
    assert (lab.folder, lab.results) == (workspace / "inbox", workspace / "results")
    assert lab.time_zone == "Europe/Berlin"
    assert not read_cell_sheet(workspace / "inbox").cells


def test_no_time_zone_is_guessed(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path / "lab")]) == 0
    assert read_settings(tmp_path / "lab" / "cellpipe.toml").lab[0].time_zone is None
    assert main(["init", str(tmp_path / "other"), "--time-zone", "Berlin time"]) == 2
    assert not (tmp_path / "other").exists()


def test_a_folder_with_raw_files_gets_a_sheet_only(tmp_path: Path) -> None:
    neware_csv(tmp_path / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    assert main(["init", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"A_1.csv", "cells.xlsx"}


def models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    elif isinstance(kind, UnionType) or get_args(kind):
        for part in get_args(kind):
            yield from models(part)


def test_the_settings_show_every_name_and_say_what_each_is() -> None:
    for model in models(Settings):
        for name, field in model.model_fields.items():
            if any(models(field.annotation)):
                assert re.search(rf"^(# )?\[+([a-z_]+\.)?{name}\]+", EXAMPLE, re.MULTILINE), name
            else:
                assert re.search(rf"^(# )?{name} = .*\S +# \w*", EXAMPLE, re.MULTILINE), name


def looked(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    code = main(["doctor", "--settings", str(path), "--json"])
    return code, {each["what"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_new_workspace_is_in_good_order(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    before = sorted(workspace.rglob("*"))
    code, found = looked(workspace / "cellpipe.toml", capsys)
    assert code == 0, [each for each in found.values() if each["state"] == "bad"]
    assert found["raw files"]["found"].startswith(str(workspace / "inbox"))
    assert found["time zone"]["found"] == "Europe/Berlin"
    assert sorted(workspace.rglob("*")) == before  # nothing was changed


def test_what_is_wrong_says_what_to_do(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(workspace / "inbox")
    (workspace / "results" / "ledger.url").write_text("postgresql://u:p@h/d")
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{_free_port()}/api")
        monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 0.3)
        path = workspace / "cellpipe.toml"
        path.write_text(
            path.read_text(encoding="utf-8").replace("port = 4200", f"port = {port}")
            + "[notify]\nto = ['env:NO_SUCH_TOKEN']\n",
            encoding="utf-8",
        )
        code, found = looked(path, capsys)
    assert code == 1
    bad = {what: each["remedy"] for what, each in found.items() if each["state"] == "bad"}
    assert bad.keys() == {"raw files", "ledger", "port", "PREFECT_API_URL", "notify.to"}
    assert all(bad.values())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_a_disk_that_is_full_and_a_folder_that_is_not_ones_own_are_found(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 5_000_000))  # type: ignore[attr-defined]
    monkeypatch.setattr(Path, "replace", _refused)
    code, found = looked(workspace / "cellpipe.toml", capsys)
    assert code == 1
    assert found["disk space"]["found"] == "5 MB free"
    assert "can't be written (Permission denied)" in found["results"]["found"]


def _refused(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_without_settings_it_says_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--settings", str(tmp_path / "cellpipe.toml")]) == 1
    assert "cellpipe init FOLDER makes a workspace" in capsys.readouterr().out


def test_scripts_read_json_of_a_file_and_of_results(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    neware_csv(workspace / "inbox" / "A_1.csv", "2026-03-02 10:00:00", rows=20)
    assert main(["check", str(workspace / "inbox" / "A_1.csv"), "--json"]) == 0
    (read,) = json.loads(capsys.readouterr().out)
    assert read["format"] == "neware_csv"
    assert read["tables"]["timeseries"]["rows"] == 4 * 20  # two cycles, each way
    (workspace / "inbox" / "bad.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE\x1a")
    inbox, results = str(workspace / "inbox"), str(workspace / "results")
    assert main(["process", inbox, "--out", results, "--json"]) == 1
    run = json.loads(capsys.readouterr().out)
    assert (run["read"], run["cells_updated"], len(run["failures"])) == (2, 1, 1)
    assert run["cells"][0]["cycles"] == 2
    assert Path(run["page"]).is_file()
    assert main(["history", results, "A_1", "--json"]) == 0
    assert [event["event"] for event in json.loads(capsys.readouterr().out)] == ["computed"]
    assert main(["status", results, "--json"]) == 1
    status = json.loads(capsys.readouterr().out)
    assert [name for name, _ in status["aside"]] == ["bad.mpr"]
    assert status["counts"]["used"] == 1


def completed(*words: str) -> set[str]:
    line = " ".join(("cellpipe", *words))
    script = (
        'eval "$(cellpipe completion bash)"\n'
        f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; COMP_LINE='{line}'\n"
        f"COMP_POINT={len(line)}; COMP_TYPE=9; _python_argcomplete cellpipe\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    return {word.strip() for word in done.stdout.split()}


def test_a_shell_completes_commands_and_options() -> None:
    assert completed("sta") == {"status"}
    assert completed("doctor", "--se") == {"--settings"}


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_get_a_script_that_names_the_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert "cellpipe" in capsys.readouterr().out


def test_a_workspace_is_not_made_a_second_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "lab")]) == 0
    assert main(["init", str(tmp_path / "lab")]) == 2
    assert "fill in" in capsys.readouterr().err
    assert not (tmp_path / "lab" / "cells.xlsx").exists()


def test_a_cell_sheet_in_a_folder_below_is_no_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "lab")]) == 0
    assert main(["init", str(tmp_path)]) == 0
    assert "no cell yet" in capsys.readouterr().out
