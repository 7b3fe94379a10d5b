"""A real Kadi4Mat takes what is handed on, keeps it once, and leaves to people what is theirs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from eln_rules import Archive
from importers import importer

from cellpipe.cli.main import main
from cellpipe.core import contracts
from cellpipe.core.errors import DeliveryError, NoAnswerError
from cellpipe.core.model import Cell
from cellpipe.handoff.eln import Sender, eln_archive
from cellpipe.handoff.kadi import check_access, open_server, push_record
from cellpipe.handoff.record import Attachment, Record, build_record, record_key
from cellpipe.handoff.rest import Address, Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]
TOOL = Path(__file__).parents[3] / "shared" / "tools" / "kadi" / "start_kadi.sh"


@dataclass(frozen=True)
class Kadi:
    url: str
    token: str
    environment: Path

    def said(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}/api{path}", headers=headers, trust_env=False).json()

    def changed(self, path: str, change: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.patch(f"{self.url}/api{path}", headers=headers, json=change, trust_env=False)
        answer.raise_for_status()

    def records(self, key: str) -> list[Any]:
        return [each for each in self.every() if each["identifier"] == key]

    def every(self) -> list[Any]:
        mine = self.said("/users/me")["id"]
        return list(self.said(f"/users/{mine}/records?per_page=100")["items"])

    def files(self, number: int) -> dict[str, Any]:
        found = self.said(f"/records/{number}/files?per_page=100")["items"]
        return {each["name"]: each for each in found}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def real() -> Iterator[Kadi]:
    programs = importer("kadi").programs
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not TOOL.is_file():
        pytest.skip("Kadi4Mat's start script is not beside the checkout")
    if not postgres:
        pytest.skip("no PostgreSQL of Debian on this machine")
    if os.getuid() != 0:
        pytest.skip("only root starts Kadi4Mat")
    work = Path("/var/tmp") / f"cellpipe-kadi-{os.getpid()}"  # noqa: S108 - PostgreSQL's user reads it
    shutil.rmtree(work, ignore_errors=True)
    port, database = free_port(), free_port()
    command = ["bash", str(TOOL), str(programs.parent), str(work), str(port), str(database)]
    log = work.with_suffix(".log")
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"Kadi4Mat does not start here: {log.read_text()[-500:]}")
    token = next(line[6:] for line in log.read_text().splitlines() if line.startswith("TOKEN="))
    yield Kadi(f"http://127.0.0.1:{port}", token, programs)
    os.kill(int((work / "kadi.pid").read_text()), signal.SIGTERM)
    stop = ["runuser", "-u", "postgres", "--", str(postgres[-1].parent / "pg_ctl"), "-D",
            str(work / "pg"), "-m", "immediate", "stop"]  # fmt: skip
    subprocess.run(stop, check=True, capture_output=True, cwd="/")
    shutil.rmtree(work)
    log.unlink()


@pytest.fixture
def server(real: Kadi) -> Iterator[Server]:
    with open_server(Address(real.url, real.token)) as opened:
        yield opened


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def few(record: Record, key: str) -> Record:
    files = tuple(f for f in record.files if f.name in {"SSB-06.html", "table-cycles.csv"})
    return replace(record, key=key, files=files)


def flat(extras: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give all typed entries by their key, nested ones too."""
    found: dict[str, dict[str, Any]] = {}
    for extra in extras:
        is_nested = extra["type"] == "dict"
        found |= flat(extra["value"]) if is_nested else {extra["key"]: extra}
    return found


def test_a_record_holds_every_value_unit_type_and_file(
    real: Kadi, server: Server, record: Record
) -> None:
    number, done = push_record(server, replace(record, key="cellpipe-whole"))
    assert done[0] == "created"
    held = flat(real.said(f"/records/{number}")["extras"])
    for value in record.values:
        extra = held[value.name]
        assert extra["value"] == value.value
        assert extra["type"] == type(value.value).__name__
        assert (extra.get("unit") or "") == value.unit
    files = real.files(number)
    for file in record.files:
        assert files[file.name]["size"] == len(file.content)
        assert files[file.name]["checksum"] == md5(file.content)


def test_twice_is_once(real: Kadi, server: Server, record: Record) -> None:
    one = few(record, "cellpipe-twice")
    first, _ = push_record(server, one)
    before = real.said(f"/records/{first}")["last_modified"]
    second, done = push_record(server, one)
    assert (second, done) == (first, [])
    assert len(real.records(one.key)) == 1
    assert real.said(f"/records/{first}")["last_modified"] == before


def test_a_changed_result_replaces_its_file_and_its_number(
    real: Kadi, server: Server, record: Record
) -> None:
    one = few(record, "cellpipe-changed")
    number, _ = push_record(server, one)
    values = tuple(
        replace(v, value=999) if v.identifier == "result.cycles" else v for v in one.values
    )
    files = (one.files[0], Attachment("table-cycles.csv", "Table cycles", b"changed"))
    _, done = push_record(server, replace(one, values=values, files=files))
    assert done == ["numbers updated", "table-cycles.csv replaced"]
    assert flat(real.said(f"/records/{number}")["extras"])["Cycles"]["value"] == 999
    assert real.files(number)["table-cycles.csv"]["size"] == len(b"changed")
    assert len(real.files(number)) == 2


def test_what_people_wrote_survives(real: Kadi, server: Server, record: Record) -> None:
    one = few(record, "cellpipe-people")
    number, _ = push_record(server, one)
    held = real.said(f"/records/{number}")["extras"]
    own = {"key": "glovebox", "type": "str", "value": "B2"}
    written = {"title": "My favourite cell", "description": "cracked at the rim",
               "tags": ["mine"], "extras": [own, *held]}  # fmt: skip
    real.changed(f"/records/{number}", written)
    values = tuple(
        replace(v, value=7) if v.identifier == "result.cycles" else v for v in one.values
    )
    push_record(server, replace(one, values=values, line="another line"))
    now = real.said(f"/records/{number}")
    assert now["title"] == "My favourite cell"
    assert now["description"] == "cracked at the rim"
    assert {"mine", "cellpipe"} <= set(now["tags"])
    assert flat(now["extras"])["glovebox"]["value"] == "B2"
    assert flat(now["extras"])["Cycles"]["value"] == 7


class Deaf(httpx.BaseTransport):
    """Lets requests through, and loses the answers to some."""

    def __init__(self, lose: list[tuple[str, str]]) -> None:
        self.lose = lose
        self.inner = httpx.HTTPTransport()

    def close(self) -> None:
        self.inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.inner.handle_request(request)
        for method, part in self.lose:
            if request.method == method and part in request.url.path:
                answer.read()
                self.lose.remove((method, part))
                raise httpx.ReadError("the answer was lost", request=request)
        return answer


@pytest.mark.parametrize(
    "lost",
    [("POST", "/records"), ("POST", "/uploads"), ("PUT", "/uploads/"), ("GET", "/records/")],
)
def test_a_lost_answer_leaves_one_record_and_each_file_once(
    real: Kadi, record: Record, lost: tuple[str, str]
) -> None:
    key = f"cellpipe-lost-{hashlib.sha256(repr(lost).encode()).hexdigest()[:6]}"
    one = few(record, key)
    with open_server(Address(real.url, real.token)) as server:
        transport = Deaf([lost])
        headers, base = server._client.headers, server._client.base_url
        server._client.close()
        server._client = httpx.Client(transport=transport, headers=headers, base_url=base)
        number, _ = push_record(server, one)
        assert not transport.lose
    assert [each["id"] for each in real.records(key)] == [number]
    assert set(real.files(number)) == {file.name for file in one.files}


def test_long_names_and_groups_are_taken_too(real: Kadi, server: Server, record: Record) -> None:
    name = "SSB " + "long" * 60
    long = replace(record, key=record_key(name, "a-long-prefix-of-20x"), title=name, files=(),
                   tags=tuple(build_record(Cell(name, group="g" * 90), {
                       "cells": contracts.empty_table("cells"),
                       "findings": contracts.empty_table("findings"),
                   }, contracts.empty_table("files")).tags))  # fmt: skip
    number, _ = push_record(server, long)
    assert push_record(server, long) == (number, [])


def test_a_wrong_token_or_an_absent_server_is_a_clear_error(real: Kadi) -> None:
    secret = "pat_0123456789abcdef"  # noqa: S105 - of nobody
    with open_server(Address(real.url, secret)) as server, pytest.raises(DeliveryError) as refused:
        check_access(server)
    assert "make a new one" in refused.value.remedy
    away = Address(f"http://127.0.0.1:{free_port()}", secret)
    with open_server(away) as server, pytest.raises(NoAnswerError) as silent:
        check_access(server)
    assert "the next night tries again" in silent.value.remedy
    assert secret not in f"{refused.value!r}{refused.value}{silent.value!r}{silent.value}"


def test_its_own_importer_takes_the_archive_back_as_it_was(
    real: Kadi, record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "SSB-06.eln"
    content = eln_archive([record], "SSB-06", Sender(), made_at=datetime(2026, 1, 2, tzinfo=UTC))
    path.write_bytes(content)
    script = (
        "import sys; from kadi_apy import KadiManager; from kadi_apy.lib.imports import import_eln;"
        "import_eln(KadiManager(host=sys.argv[1], pat=sys.argv[2]), sys.argv[3])"
    )
    importer("kadi").run(script, real.url, real.token, str(path))
    newest = max(real.every(), key=lambda each: each["id"])
    held = real.said(f"/records/{newest['id']}")
    assert held["title"] == record.title
    assert set(held["tags"]) == set(record.tags)
    entries = flat(held["extras"])
    assert len(entries) == len(record.values)
    for node in Archive(content).of("PropertyValue"):
        extra = entries[node["propertyID"].rpartition(".")[2]]  # dots are levels to it
        assert extra["value"] == node["value"]
        assert extra["type"] == type(node["value"]).__name__
        assert (extra.get("unit") or "") == node.get("unitText", "")
    files = real.files(newest["id"])
    assert {n: f["checksum"] for n, f in files.items()} == {
        file.name: md5(file.content) for file in record.files
    }


def test_the_command_pushes_what_was_not_taken_yet(
    real: Kadi, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "results"
    shutil.copytree(results, out)
    settings = tmp_path / "cellpipe.toml"
    settings.write_text(
        f"[[lab]]\nfolder = 'raw'\nresults = {json.dumps(str(out))}\n[hand_on]\nprefix = 'lab2'\n"
        f"[hand_on.kadi]\nurl = '{real.url}'\ntoken = 'env:KADI'\n"
    )
    monkeypatch.setenv("KADI", real.token)
    command, named = ["push", "kadi", str(out)], ["--settings", str(settings)]
    assert main([*command, "SSB-06", "SSB-07", *named]) == 0
    said = capsys.readouterr().out
    assert "kadi, SSB-06: entry" in said
    assert "created" in said
    assert main([*command, *named, "SSB-06"]) == 0
    assert "Everything was there already." in capsys.readouterr().out
    assert len(real.records("lab2-ssb-06")) == 1
