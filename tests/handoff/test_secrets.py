"""Secrets are named, never written down; none of them is ever shown."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellpipe.cli.main import main
from cellpipe.config.settings import read_settings
from cellpipe.core.errors import SettingsError
from cellpipe.handoff.rest import Address, Server
from cellpipe.handoff.secrets import resolve_secret
from cellpipe.pipeline.run import process
from cellpipe.service.nightly import run_night
from cellpipe.store.lab import Lab
from elabftw_stand_in import KEY, StandIn


def test_a_secret_comes_from_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", " abc ")
    (tmp_path / "token").write_text("def\n")
    (tmp_path / "token").chmod(0o600)
    assert resolve_secret("env:A_TOKEN", tmp_path) == "abc"
    assert resolve_secret("file:token", tmp_path) == "def"
    assert resolve_secret("prefect:lab", tmp_path, lambda name: f"block {name}") == "block lab"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret")
    (tmp_path / "token").chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600") as refused:
        resolve_secret("file:token", tmp_path)
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [
        ("env:NOT_SET", "set the variable NOT_SET"),
        ("file:absent", "write it there"),
        ("prefect:lab", "put it into a file"),
        ("pat_0123", "put it into a file"),
    ],
)
def test_a_secret_that_is_not_there_says_what_to_do(
    tmp_path: Path, reference: str, remedy: str
) -> None:
    with pytest.raises(SettingsError, match=remedy) as refused:
        resolve_secret(reference, tmp_path)
    assert "pat_0123" not in str(refused.value)


def toml(folder: Path, more: str) -> Path:
    path = folder / "cellpipe.toml"
    path.write_text(f"{more}[[lab]]\nfolder = 'lab'\nresults = 'results'\n")
    return path


@pytest.mark.parametrize(
    "more",
    [
        "[hand_on.kadi]\nurl = 'https://x'\ntoken = 'pat_s3cr3t'\n",
        "[hand_on.kadi]\nurl = 'https://x'\ntoken = ['pat_s3cr3t']\n",
        "[notify]\nto = ['mailtos://me:pat_s3cr3t@x.org']\n",
        "[notify]\nto = 'mailtos://me:pat_s3cr3t@x.org'\n",
        "[hand_on]\nkadi = 'pat_s3cr3t'\n",
        "[hand_on]\nelabftw = ['pat_s3cr3t']\n",
        "notify = 'mailtos://me:pat_s3cr3t@x.org'\n",
    ],
)
def test_a_secret_in_the_settings_is_refused_and_not_repeated(
    tmp_path: Path, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = toml(tmp_path, more)
    with pytest.raises(SettingsError) as refused:
        read_settings(path)
    assert "pat_s3cr3t" not in f"{refused.value!r}{refused.value}{refused.value.__cause__}"
    assert main(["nightly", "--settings", str(path)]) == 2
    said = capsys.readouterr()
    assert "pat_s3cr3t" not in said.out + said.err


@pytest.fixture
def there() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.mark.parametrize("key", [KEY, "8-anotherkeythatiswrong"])
def test_no_secret_is_found_anywhere_after_a_night(
    small_lab: Path, tmp_path: Path, there: StandIn, key: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("ELAB_KEY", key)
    for path in small_lab.glob("SSB-01*"):  # one cell has all places in which a secret could be
        path.unlink()
    mail = "jsons://me:p4ssw0rd@127.0.0.1:9/hook"
    monkeypatch.setenv("HOOK", mail)
    caplog.set_level(logging.DEBUG)
    out = tmp_path / "results"
    more = (
        f"[hand_on]\neln = true\n[hand_on.elabftw]\nurl = '{there.url}'\ntoken = 'env:ELAB_KEY'\n"
        "[notify]\nto = ['env:HOOK']\nwhen = 'always'\n"
    )
    code = main(["nightly", "--settings", str(toml(tmp_path, more))])
    said = capsys.readouterr()
    assert code == 1
    assert there.requests
    written = [path for path in out.rglob("*") if path.is_file()]
    assert any(path.suffix == ".eln" for path in written)
    places = {str(path): path.read_bytes() for path in written}
    places["terminal"] = (said.out + said.err).encode()
    places["log"] = caplog.text.encode()
    with sqlite3.connect(out / "ledger.sqlite") as ledger:
        places["ledger"] = "\n".join(ledger.iterdump()).encode()
    ledger.close()
    found = [name for name, text in places.items()
             for word in (key, "p4ssw0rd") if word.encode() in text]  # fmt: skip
    assert found == []


def test_a_nights_parameters_hold_no_secret() -> None:
    from cellpipe.core.checkout import flow_module

    parameters = flow_module("nightly").nightly.parameters.properties
    assert set(parameters) == {"labs"}
    assert parameters["labs"]["items"]["type"] == "string"  # names


def test_certificates_are_checked_and_an_authority_can_be_named(tmp_path: Path) -> None:
    with Server("x", Address("https://127.0.0.1:9", "t"), path="", headers={}, remedies={}) as one:
        assert one._client._transport._pool._ssl_context.verify_mode.name == "CERT_REQUIRED"  # type: ignore[attr-defined]
    absent = Address("https://127.0.0.1:9", "t", tmp_path / "absent.pem")
    with pytest.raises(SettingsError, match="ask who runs the server"):
        Server("x", absent, path="", headers={}, remedies={})


def test_a_night_without_settings_hands_on_the_summary_only(
    small_lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    ended = run_night(Lab(small_lab, out), lambda lab: process(lab.folder, lab.results))
    assert ended.failed == ()
    assert (out / "summary.xlsx").is_file()
    assert (out / "summary.csv").is_file()
    assert not (out / "eln").exists()
