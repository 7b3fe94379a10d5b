"""cellpipe.toml is read strictly: what is wrong is said with its place, and nothing is guessed."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from pathlib import Path

import pytest

from cellpipe.cli import watch
from cellpipe.cli.main import main
from cellpipe.config.example import EXAMPLE
from cellpipe.config.settings import Settings, read_settings
from cellpipe.core.errors import SettingsError
from cellpipe.system.time_zones import is_time_zone, suggest_time_zone


def written(folder: Path, text: str) -> Path:
    path = folder / "cellpipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_valid_and_says_the_defaults() -> None:
    found = tomllib.loads(EXAMPLE)
    given = Settings.model_validate(found)
    plain = Settings.model_validate({"lab": found["lab"]})
    assert given.watch == plain.watch
    assert given.server == plain.server
    assert given.nightly.cron == plain.nightly.cron
    assert given.cron_zone == "Europe/Berlin"


def test_serve_prints_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--example"]) == 0
    assert capsys.readouterr().out == EXAMPLE


def test_paths_are_from_the_settings_own_folder(tmp_path: Path) -> None:
    given = read_settings(
        written(
            tmp_path,
            "time_zone = 'Asia/Seoul'\n[[lab]]\n"
            "folder = 'in'\nresults = 'out'\nalso = ['/srv/x']\n",
        )
    )
    assert given.lab[0].folder == tmp_path / "in"
    assert given.lab[0].results == tmp_path / "out"
    assert given.lab[0].also == (Path("/srv/x"),)
    assert given.lab[0].time_zone == "Asia/Seoul"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lab"),
        ("[[lab]]\nfolder = 'a'\n", "lab.0.results"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[watch]\nsettle = 2\n", "watch.settle"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[watch]\nsettle_seconds = -1\n", "settle_seconds"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[watch]\nevents = 'perhaps'\n", "watch.events"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[server]\nport = 99999\n", "server.port"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[nightly]\ncron = 'soon'\n", "cron"),
        ("[[lab]]\nfolder = 'a'\nresults = 'b'\n[nightly]\ncron = '0 25 * * *'\n", "cron"),
        ("time_zone = 'Berlin'\n[[lab]]\nfolder = 'a'\nresults = 'b'\n", "Berlin"),
        ('[[lab]]\nfolder = "D:\\exports"\n', "single quotes"),
        ("[[lab]]\nfolder='a'\nresults='b'\n[[lab]]\nfolder='c'\nresults='b'\n", "two labs"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected .*remedy") as caught:
        read_settings(written(tmp_path, text))
    assert said in str(caught.value)


def test_settings_that_powershell_wrote_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cellpipe.toml"
    path.write_bytes(EXAMPLE.encode("utf-16"))
    assert read_settings(path).server.port == 4200
    path.write_bytes(EXAMPLE.replace("\n", "\r\n").encode("utf-8-sig"))
    assert read_settings(path).server.port == 4200


def test_absent_settings_are_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("watch", "nightly", "serve"):
        assert main([command]) == 2
        assert "serve --example" in capsys.readouterr().err
    assert main(["watch", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err


CRON = "[[lab]]\nfolder = 'a'\nresults = 'b'\n[nightly]\ncron = '{}'\n"


@pytest.mark.parametrize(
    "line", ["0 2 * * *", "*/15 0-6,22 1 JAN-mar MON-FRI", "5,35 * 1-31/2 * 0,7", "0 2 * * sun"]
)
def test_a_cron_line_that_prefect_takes_is_taken(line: str, tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, CRON.format(line))).nightly.cron == line


@pytest.mark.parametrize(
    "line",
    ["*/0 * * * *", "- - - - -", "5-1 * * * *", "MON 2 * * *", "0 2 * MON *", "1,, * * * *",
     "*-5 * * * *", "0 2 32 * *", "60 * * * *", "0 2 * * 8", "0 2 * *"],
)  # fmt: skip
def test_a_cron_line_that_prefect_would_refuse_later_is_refused_at_once(
    line: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="cron"):
        read_settings(written(tmp_path, CRON.format(line)))


def test_watching_a_folder_takes_the_time_zone_of_the_settings_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "time_zone = 'Asia/Seoul'\n[[lab]]\nfolder = 'a'\nresults = 'b'\n")
    for zone, expected in ((None, "Asia/Seoul"), ("Europe/Berlin", "Europe/Berlin")):
        options = Namespace(
            folder=tmp_path, out=tmp_path / "out", time_zone=zone,
            settings=tmp_path / "cellpipe.toml",
        )  # fmt: skip
        labs, given, _ = watch._resolve_labs(options)
        assert labs[0].time_zone == expected
        assert given.time_zone == "Asia/Seoul"


def test_a_time_zone_that_is_none_is_said_and_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["watch", str(tmp_path), "--out", str(tmp_path / "out"), "--time-zone", "Berlin"]
    assert main(command) == 2
    assert "the time zone 'Berlin'; expected an IANA name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"), ("New York", "America/New_York"),
        ("Asia/Tokio", "Asia/Tokyo"), ("GMT+1", "America/New_York"),
    ],
)  # fmt: skip
def test_a_zone_that_is_not_known_is_answered_with_one_that_may_be_meant(
    written: str, meant: str
) -> None:
    assert not is_time_zone(written)
    assert meant in suggest_time_zone(written)
    assert is_time_zone(meant)


def test_a_misspelt_setting_is_answered_with_the_one_of_a_similar_name(tmp_path: Path) -> None:
    text = "[[lab]]\nfolder = 'a'\nresults = 'b'\n[watch]\nsetle_seconds = 3\n"
    with pytest.raises(SettingsError, match="did you mean settle_seconds"):
        read_settings(written(tmp_path, text))
