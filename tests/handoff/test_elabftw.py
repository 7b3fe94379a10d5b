"""eLabFTW gets one experiment a cell, whatever happens on the way; people's words stay theirs.

The server here is a stand-in (elabftw_stand_in.py); each request is held against the server's own
OpenAPI description where one lies beside the checkout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cellpipe.core.errors import DeliveryError, NoAnswerError, SettingsError
from cellpipe.handoff.elabftw import check_access, extra_fields, open_server, push_record
from cellpipe.handoff.record import Attachment, Record
from cellpipe.handoff.rest import Address, Server
from elabftw_stand_in import KEY, StandIn

pytestmark = pytest.mark.xdist_group("sample")
OPENAPI = Path(__file__).parents[3] / "shared" / "tools" / "elabftw-openapi.yaml"


@pytest.fixture
def there() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture
def server(there: StandIn) -> Iterator[Server]:
    with open_server(Address(there.url, KEY)) as opened:
        yield opened


@pytest.fixture
def few(record: Record) -> Record:
    names = {"SSB-06.html", "SSB-06.xlsx", "table-cycles.csv"}
    return replace(record, files=tuple(f for f in record.files if f.name in names))


def with_cycles(record: Record, cycles: int) -> Record:
    values = tuple(
        replace(v, value=cycles) if v.identifier == "result.cycles" else v for v in record.values
    )
    return replace(record, values=values)


def test_a_cell_becomes_an_experiment_with_typed_fields(
    there: StandIn, server: Server, few: Record
) -> None:
    number, done = push_record(server, few)
    assert done[0] == "created"
    experiment = there.experiments[number]
    assert experiment["title"] == "SSB-06"
    assert experiment["body"].startswith("<h1>SSB-06</h1>")
    assert experiment["tags"] == list(few.tags)
    assert few.started_at is not None
    assert experiment["date"] == f"{few.started_at:%Y-%m-%d}"
    fields = there.fields(number)
    assert fields["cellpipe_id"]["value"] == few.key
    assert fields["Cycles (cellpipe)"]["value"] == "20"
    assert fields["Area"] == {**fields["Area"], "type": "number", "value": "0.785", "unit": "cm²"}
    assert len(fields) == len(few.values) + 1
    for file in few.files:
        assert there.active(number)[file.name]["hash"] == file.sha256


def test_twice_is_once_and_asks_for_nothing_but_what_is_there(
    there: StandIn, server: Server, few: Record
) -> None:
    first, _ = push_record(server, few)
    there.requests.clear()
    assert push_record(server, few) == (first, [])
    assert {method for method, *_ in there.requests} == {"GET"}
    assert len(there.experiments) == 1


def test_a_changed_result_replaces_its_file_and_its_number_only(
    there: StandIn, server: Server, few: Record
) -> None:
    number, _ = push_record(server, few)
    there.requests.clear()
    files = (*few.files[:2], Attachment("table-cycles.csv", "Table cycles", b"changed"))
    _, done = push_record(server, with_cycles(replace(few, files=files), 99))
    assert done == ["numbers updated", "table-cycles.csv replaced"]
    assert there.fields(number)["Cycles (cellpipe)"]["value"] == "99"
    states = [u["state"] for u in there.uploads[number] if u["real_name"] == "table-cycles.csv"]
    assert states == [2, 1]
    assert sum(method == "POST" for method, *_ in there.requests) == 1


def test_a_value_that_is_gone_is_gone_there_and_a_unit_is_never_mixed_up(
    there: StandIn, server: Server, few: Record
) -> None:
    number, _ = push_record(server, few)
    there.fields(number)["Glovebox"] = {"type": "text", "value": "B2", "description": "mine"}
    there.fields(number)["Area"]["unit"] = "mm²"
    fewer = tuple(v for v in few.values if v.identifier != "result.capacity_retention")
    assert push_record(server, replace(few, values=fewer))[1] == ["numbers updated"]
    fields = there.fields(number)
    assert "Capacity retention (cellpipe)" not in fields
    assert fields["Area"]["unit"] == "cm²"
    assert fields["Glovebox"]["value"] == "B2"
    assert push_record(server, replace(few, values=fewer))[1] == []


def test_what_people_wrote_is_never_touched(there: StandIn, server: Server, few: Record) -> None:
    number, _ = push_record(server, few)
    experiment = there.experiments[number]
    experiment["title"], experiment["body"] = "My favourite", "<p>cracked</p>"
    experiment["tags"] = ["mine"]
    there.fields(number)["Glovebox"] = {"type": "text", "value": "B2"}
    push_record(server, with_cycles(replace(few, text="<p>new</p>"), 5))
    assert (experiment["title"], experiment["body"]) == ("My favourite", "<p>cracked</p>")
    assert set(experiment["tags"]) == {"mine", *few.tags}
    assert there.fields(number)["Glovebox"]["value"] == "B2"
    for _, path, _, body in there.requests:
        if path.endswith(f"/experiments/{number}") and body:
            assert set(json.loads(body)) == {"metadatamerge"}


@pytest.mark.parametrize(
    "lost",
    [
        ("POST", "/experiments"),
        ("POST", "/experiments/N/uploads"),
        ("PATCH", "/experiments/N"),
        ("GET", "/experiments"),
        ("POST", "/experiments/N/tags"),
    ],
)
def test_a_lost_answer_leaves_one_experiment_and_each_file_once(
    there: StandIn, server: Server, few: Record, lost: tuple[str, str]
) -> None:
    if lost[0] == "PATCH" or lost[1].endswith("tags"):
        push_record(server, with_cycles(replace(few, tags=few.tags[:1]), 3))
    there.lost.append(lost)
    number, _ = push_record(server, few)
    assert not there.lost
    assert list(there.experiments) == [number]
    assert there.fields(number)["Cycles (cellpipe)"]["value"] == "20"
    assert sorted(there.active(number)) == sorted(file.name for file in few.files)
    assert len([u for u in there.uploads[number] if u["state"] == 1]) == len(few.files)


def test_an_old_server_that_ignores_metadata_at_first_gets_it_afterwards(
    there: StandIn, server: Server, few: Record
) -> None:
    there.ignores_metadata = True
    number, _ = push_record(server, few)
    assert there.fields(number)["cellpipe_id"]["value"] == few.key


def test_a_search_that_leaves_metadata_out_finds_the_experiment_all_the_same(
    there: StandIn, server: Server, few: Record
) -> None:
    there.lists_briefly = True
    number, _ = push_record(server, replace(few, files=()))
    assert push_record(server, replace(few, files=())) == (number, [])


def test_names_that_are_merely_alike_are_told_apart(
    there: StandIn, server: Server, few: Record
) -> None:
    longer, _ = push_record(server, replace(few, key="cellpipe-ssb-06b", title="SSB-06b", files=()))
    number, _ = push_record(server, replace(few, files=()))
    assert number != longer
    assert there.experiments[longer]["title"] == "SSB-06b"


def test_two_experiments_with_one_id_are_said_and_left_alone(
    there: StandIn, server: Server, few: Record
) -> None:
    number, _ = push_record(server, replace(few, files=()))
    there.experiments[999] = json.loads(json.dumps(there.experiments[number]))
    there.uploads[999], there.links[999] = [], []
    with pytest.raises(DeliveryError, match=rf"2 experiments .*{number}, 999.*delete all but one"):
        push_record(server, few)


def test_items_are_linked(there: StandIn, server: Server, few: Record) -> None:
    number, _ = push_record(server, replace(few, files=()), items=(12, 7))
    assert there.links[number] == [7, 12]


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "one that can write"), (413, "larger"), (500, "next night")]
)
def test_a_refusal_says_what_to_do(
    there: StandIn, server: Server, few: Record, status: int, remedy: str
) -> None:
    there.faults.append(("POST", "/experiments/N/uploads", status))
    with pytest.raises(DeliveryError) as refused:
        push_record(server, few)
    assert str(status) in refused.value.found
    assert remedy in refused.value.remedy


def test_a_busy_server_is_met_with_patience(there: StandIn, server: Server, few: Record) -> None:
    there.faults += [("GET", "/experiments", 503), ("GET", "/experiments/N/uploads", 429)]
    assert push_record(server, replace(few, files=()))[1][0] == "created"


def test_a_wrong_key_is_clear_and_never_repeated(there: StandIn) -> None:
    wrong = "9-secretsecret"
    with open_server(Address(there.url, wrong)) as server, pytest.raises(DeliveryError) as refused:
        check_access(server)
    assert "make a new one" in refused.value.remedy
    assert "***" in refused.value.found  # the server said the key; the message does not
    assert wrong not in f"{refused.value!r}{refused.value}{server!r}{Address('x', wrong)!r}"


def test_an_absent_server_and_one_that_is_something_else() -> None:
    with open_server(Address("http://127.0.0.1:9", KEY)) as server, pytest.raises(NoAnswerError):
        check_access(server)


def test_a_token_that_no_server_gave_is_refused_before_it_is_sent() -> None:
    with pytest.raises(SettingsError, match="copy it anew"):
        open_server(Address("https://eln.example.org", "„schlüssel“"))


@pytest.mark.parametrize(
    "url",
    ["http://eln.example.org", "ftp://x", "https://me:pw@eln.example.org", "https://", "",
     "https://eln.example.org:abc", "https://[eln", "https://eln..example.org"],
)  # fmt: skip
def test_a_token_never_travels_in_clear(url: str) -> None:
    with pytest.raises(SettingsError, match=r"expected https://") as refused:
        open_server(Address(url, KEY))
    assert "pw" not in str(refused.value)


def test_each_request_is_one_of_the_interface(there: StandIn, server: Server, few: Record) -> None:
    check_access(server)
    push_record(server, few, items=(3,))
    push_record(server, with_cycles(few, 1))
    shapes = {(m, re.sub(r"\d+", "{id}", p.partition("?")[0])) for m, p, *_ in there.requests}
    assert shapes == {
        ("GET", "/api/v{id}/info"),
        ("GET", "/api/v{id}/experiments"),
        ("POST", "/api/v{id}/experiments"),
        ("GET", "/api/v{id}/experiments/{id}"),
        ("PATCH", "/api/v{id}/experiments/{id}"),
        ("GET", "/api/v{id}/experiments/{id}/uploads"),
        ("POST", "/api/v{id}/experiments/{id}/uploads"),
        ("POST", "/api/v{id}/experiments/{id}/items_links/{id}"),
    }
    if not OPENAPI.is_file():
        pytest.skip("the shapes hold; eLabFTW's OpenAPI description is not beside the checkout")
    described: dict[str, Any] = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))["paths"]
    plain = {re.sub(r"\{\w+\}", "{id}", path): set(verbs) for path, verbs in described.items()}
    for method, path in shapes:
        known = path.removeprefix("/api/v{id}").replace("/experiments", "/{id}", 1)
        assert method.lower() in plain.get(known, plain.get(path.removeprefix("/api/v{id}"), ()))


def test_fields_keep_the_order_of_the_record(record: Record) -> None:
    fields = extra_fields(record)["extra_fields"]
    places = [field["position"] for field in fields.values()]
    assert places == list(range(len(record.values) + 1))
