"""People hear of a night by mail and webhook: what is new, what failed, what crossed a limit."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiosmtpd.controller import Controller

from cellpipe.analyses.alarms import check_limits
from cellpipe.config.settings import LabSettings, LimitSettings, NotifySettings, Settings
from cellpipe.core import contracts
from cellpipe.core.limits import Limits
from cellpipe.handoff.notices import send_notice
from cellpipe.pipeline.executors import LocalExecutor
from cellpipe.pipeline.run import run_lab
from cellpipe.pipeline.summary import Summary
from cellpipe.report.html.digest import Digest, digest_page, digest_text, digest_title
from cellpipe.service.nightly import run_night
from cellpipe.store.lab import Lab
from cellpipe.system.processes import Workers

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about


class Box:
    """A mail server's memory."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        self.mails.append(envelope.content.decode("utf-8", "replace"))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[str, Box]]:
    box = Box()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"mailto://127.0.0.1:{port}/?from=lab@example.org&to=boss@example.org&mode=insecure", box
    controller.stop()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_address[1]}/night", got
    server.shutdown()
    server.server_close()


def test_mail_and_webhook_are_delivered(
    mail: tuple[str, Box], hook: tuple[str, list[dict[str, Any]]]
) -> None:
    addresses = [("env:MAIL", mail[0]), ("env:HOOK", hook[0])]
    assert send_notice(addresses, "cellpipe: 2 alarms", "SSB-01: grün & <b>\n") == []
    assert "cellpipe: 2 alarms" in mail[1].mails[0]
    assert hook[1][0]["title"] == "cellpipe: 2 alarms"
    assert hook[1][0]["message"] == "SSB-01: grün & <b>"


def test_one_that_fails_is_named_by_its_reference_and_the_others_are_told(
    hook: tuple[str, list[dict[str, Any]]],
) -> None:
    away = ("env:AWAY", "jsons://me:s3cr3t@127.0.0.1:9/x")
    wrong = ("file:wrong", "s3cr3t and no address")
    said = send_notice([away, wrong, ("env:HOOK", hook[0])], "t", "x")
    assert len(said) == 2
    assert "env:AWAY (jsons) was not taken" in said[0]
    assert "file:wrong holds no address" in said[1]
    assert "s3cr3t" not in " ".join(said)
    assert len(hook[1]) == 1


def cycles(capacities: list[float], efficiency: float = 0.995) -> pl.DataFrame:
    count = len(capacities)
    return pl.DataFrame({
        "cycle": range(1, count + 1), "complete": [True] * count,
        "formation_cycle": [False] * count, "protocol": ["cycling"] * count,
        "rate_group": [1] * count,
        "discharging_capacity_ah": [float(each) for each in capacities],
        "coulombic_efficiency": [efficiency] * count,
    })  # fmt: skip


def cell(first: float | None = None, last: float | None = None) -> pl.DataFrame:
    row = {
        f"{end}_interfacial_resistance{name}_ohm": None if value is None else share * value
        for end, value in (("first", first), ("last", last))
        for name, share in (("", 1.0), ("_standard_error", 0.02))
    }
    return pl.DataFrame([row], schema=dict.fromkeys(row, pl.Float64))


LIMITS = Limits()
STEADY = [1.0, 0.99, 0.98, 0.97, 0.96]


def test_a_steady_cell_crosses_nothing() -> None:
    assert check_limits(cell(10, 19), cycles(STEADY), LIMITS) == []
    assert (
        check_limits(contracts.empty_table("cells"), contracts.empty_table("cycles"), LIMITS) == []
    )


@pytest.mark.parametrize(
    ("row", "table", "code", "words"),
    [
        (cell(), cycles(STEADY, 0.97), "coulombic_efficiency", "97.00 % (median of the cycles 3"),
        (cell(), cycles([1, 1, 1, 0.9]), "sudden_loss", "fell by 10.0 % in cycle 4"),
        (cell(10, 25), cycles(STEADY), "resistance_growth", "(25 ± 0.5 Ω from 10 ± 0.2 Ω"),
    ],
)
def test_each_limit_is_seen(row: pl.DataFrame, table: pl.DataFrame, code: str, words: str) -> None:
    (crossing,) = check_limits(row, table, LIMITS)
    assert crossing.code == code
    assert crossing.level == "alarm"
    assert words in crossing.sentence


def test_what_is_no_loss_is_none() -> None:
    """The first cycle's irreversible part, formation, another rate and a cut cycle are none."""
    assert check_limits(cell(), cycles([1, 0.8, 0.8, 0.8]), LIMITS) == []
    at_rates = cycles([1, 1, 0.7, 0.7, 1]).with_columns(rate_group=pl.Series([1, 1, 2, 2, 1]))
    assert check_limits(cell(), at_rates, LIMITS) == []
    came_back = cycles([1, 1, 1, 0.8, 1, 1, 0.99])  # as after a cold night
    assert check_limits(cell(), came_back, LIMITS) == []
    cut = cycles([1, 1, 1, 0.2]).with_columns(complete=pl.Series([True, True, True, False]))
    assert check_limits(cell(), cut, LIMITS) == []


def test_a_crossing_is_told_once_and_a_tighter_limit_anew(small_lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    one = LabSettings(folder=small_lab, results=out)

    def a_night(limits: LimitSettings) -> str:
        settings = Settings(lab=(one,), limits=limits)
        ended = run_night(Lab(small_lab, out), run_here, settings=settings)
        return ended.digest.read_text(encoding="utf-8")

    tight = LimitSettings(coulombic_efficiency=0.9999)
    assert "Coulombic efficiency is" not in a_night(LimitSettings())
    assert "SSB-05: The Coulombic efficiency is" in a_night(tight)
    assert "Coulombic efficiency is" not in a_night(tight).split("Alarms")[0]
    page = (out / "digest.html").read_text(encoding="utf-8")
    assert "No request" not in page
    assert "default-src 'none'" in page


def run_here(lab: Lab) -> Summary:
    return run_lab(lab, LocalExecutor(Workers(1)))


def made(**more: Any) -> Digest:
    given: dict[str, Any] = {"made_at": "2026-01-02T02:00:00+00:00", "since": "", "read": 0}
    return Digest(**given | {"page": Path("results/index.html"), "computed": []} | more)


@pytest.mark.parametrize(
    ("found", "news", "alarms"),
    [
        (made(), False, False),
        (made(read=1), True, False),
        (made(computed=["A"]), True, False),
        (made(rejected=[("a.mpr", "cut")]), True, False),
        (made(alarms=[("A", "fell")]), True, True),
        (made(failed=["kadi: away"]), True, True),
    ],
)
def test_people_hear_what_they_asked_for(found: Digest, news: bool, alarms: bool) -> None:
    assert found.has_news("always")
    assert found.has_news("news") is news
    assert found.has_news("alarms") is alarms


def test_the_digests_page_and_text_say_the_same_and_escape_names() -> None:
    found = made(alarms=[("<script>", "fell & fell")], failed=["kadi: away"], done=["x.eln"],
                 computed=["A b"], rejected=[("a.mpr", "cut")])  # fmt: skip
    text, page = digest_text(found), digest_page(found, version="1")
    assert "<script>: fell & fell" in text
    assert "<script>" not in page.partition("</style>")[2]
    assert "&lt;script&gt;" in page
    for words in ("kadi: away", "x.eln", "a.mpr", "cut"):
        assert words in text
        assert words in page
    assert digest_title(found) == (
        "cellpipe: 1 cell computed, 1 alarm, 1 set aside, 1 not handed on"
    )


def test_what_a_dead_mail_server_did_not_take_is_told_once_it_lives(
    small_lab: Path, tmp_path: Path, hook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "results"
    one = LabSettings(folder=small_lab, results=out)
    limits = LimitSettings(coulombic_efficiency=0.9999)
    given = Settings(lab=(one,), notify=NotifySettings(to=("env:HOOK",)), limits=limits)
    for address in ("json://127.0.0.1:9/x", hook[0], hook[0]):
        monkeypatch.setenv("HOOK", address)
        run_night(Lab(small_lab, out), run_here, settings=given)
    first, last = (each["message"] for each in hook[1])
    assert "SSB-05: The Coulombic efficiency is" in first
    assert "1 file read" not in last
    assert "SSB-05" not in last


def test_nobody_is_told_of_a_night_without_news(
    small_lab: Path, tmp_path: Path, hook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOOK", hook[0])
    out = tmp_path / "results"
    one = LabSettings(folder=small_lab, results=out)
    given = Settings(lab=(one,), notify=NotifySettings(to=("env:HOOK",)))
    (small_lab / "SSB-08_02_GCPL_C03.mpr").unlink()
    for _ in range(2):
        ended = run_night(Lab(small_lab, out), run_here, settings=given)
        assert ended.failed == ()
    assert [each["title"] for each in hook[1]] == ["cellpipe: 2 cells computed"]
