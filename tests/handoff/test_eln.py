"""Archives for electronic lab notebooks keep every rule that a real importer needs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eln_rules import METADATA, RULES, Archive, broken

from cellpipe.cli.main import main
from cellpipe.core.model import Cell
from cellpipe.handoff.eln import Sender, eln_archive
from cellpipe.handoff.record import Attachment, Record, Value, build_record, record_key
from cellpipe.pipeline.stored_cells import StoredCell

pytestmark = pytest.mark.xdist_group("sample")
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
LAB = Sender(
    "Battery Lab, University of X",
    ("Anna Müller <anna.mueller@example.org>", "Bo <https://orcid.org/0000-0002-1825-0097>"),
    "CC-BY-4.0",
)
Change = Callable[[dict[str, Any], list[tuple[str, bytes]]], None]


@pytest.fixture(scope="module")
def archive(record: Record) -> bytes:
    return eln_archive([record], "SSB-06", LAB, made_at=WHEN)


def changed(content: bytes, change: Change) -> bytes:
    """Give an archive with something changed in its metadata or its entries."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        entries = [(name, source.read(name)) for name in source.namelist()]
    crate = json.loads(entries[0][1])
    entries[0] = (entries[0][0], b"")
    change(crate, entries)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as target:
        for name, data in entries:
            is_crate = name.endswith(METADATA)
            target.writestr(name, json.dumps(crate).encode() if is_crate else data)
    return written.getvalue()


def node_of(crate: dict[str, Any], kind: str, place: int = 0) -> dict[str, Any]:
    found = [n for n in crate["@graph"] if n["@type"] == kind and n["@id"] != "./"]
    found_one: dict[str, Any] = found[place]
    return found_one


def moved(crate: dict[str, Any], entries: list[tuple[str, bytes]]) -> None:
    """Put a file into a folder of its own inside the experiment."""
    node = node_of(crate, "File")
    old, folder = node["@id"], node["@id"].rpartition("/")[0]
    node["@id"] = f"{folder}/inner/{old.rpartition('/')[2]}"
    for part in node_of(crate, "Dataset")["hasPart"]:
        part["@id"] = node["@id"] if part["@id"] == old else part["@id"]
    root = entries[0][0].partition("/")[0]
    names = {f"{root}/{old[2:]}": f"{root}/{node['@id'][2:]}"}
    entries[:] = [(names.get(name, name), data) for name, data in entries]


def spaced(crate: dict[str, Any], entries: list[tuple[str, bytes]]) -> None:
    moved(crate, entries)
    node = node_of(crate, "File")
    old = node["@id"]
    node["@id"] = old.replace("inner/", "a b ")
    for part in node_of(crate, "Dataset")["hasPart"]:
        part["@id"] = node["@id"] if part["@id"] == old else part["@id"]
    entries[:] = [(name.replace("inner/", "a b "), data) for name, data in entries]


def undotted(crate: dict[str, Any], _: list[tuple[str, bytes]]) -> None:
    text = json.dumps(crate["@graph"]).replace('"./SSB-06/page', '"SSB-06/page')
    file = node_of(crate, "File")["@id"]
    text = text.replace(f'"{file}"', f'"{file[2:]}"')
    crate["@graph"] = json.loads(text)


BREAKS: dict[str, Change] = {
    "context_is_11_with_sha256": lambda c, _: c.update({"@context": c["@context"][0]}),
    "metadata_comes_first": lambda _, e: e.reverse(),
    "ids_of_paths_begin_with_dot": undotted,
    "names_are_plain": spaced,
    "every_file_has_its_sha256": lambda c, _: node_of(c, "File").update(sha256="0" * 64),
    "every_file_has_its_size_as_text": lambda c, _: node_of(c, "File").update(contentSize=12),
    "publisher_has_name_and_area": lambda c, _: node_of(c, "Organization").pop("areaServed"),
    "root_holds_datasets_only": lambda _, e: e.append(("SSB-06/README.md", b"read me")),
    "types_are_plain_texts": lambda c, _: node_of(c, "Person").update({"@type": ["Person"]}),
    "files_lie_directly_in_their_dataset": moved,
    "keywords_are_one_text": lambda c, _: node_of(c, "Dataset").update(keywords=["battery"]),
    "values_are_named_and_finite": lambda c, _: node_of(c, "PropertyValue").update(value=None),
    "units_can_be_read": lambda c, _: node_of(c, "PropertyValue").update(unitText="mAh/cm2"),
    "datasets_are_experiments_with_text": lambda c, _: node_of(c, "Dataset").pop("temporal"),
}


def test_an_archive_keeps_every_rule(archive: bytes) -> None:
    assert broken(archive) == []


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_each_rule_sees_its_own_breach(archive: bytes, rule: str) -> None:
    assert rule in broken(changed(archive, BREAKS[rule]))


def test_the_same_record_gives_the_same_bytes(record: Record, archive: bytes) -> None:
    assert eln_archive([record], "SSB-06", LAB, made_at=WHEN) == archive


def test_it_holds_the_page_the_workbook_figures_tables_and_the_row_of_the_sheet(
    archive: bytes,
) -> None:
    names = {node["name"] for node in Archive(archive).of("File")}
    assert {"SSB-06.html", "SSB-06.xlsx", "cell-sheet.csv", "table-cycles.csv"} <= names
    assert any(name.startswith("figure-") and name.endswith(".svg") for name in names)
    assert any(name.startswith("figure-") and name.endswith(".png") for name in names)


def test_numbers_are_typed_values_with_units(archive: bytes, finished: StoredCell) -> None:
    values = {node["propertyID"]: node for node in Archive(archive).of("PropertyValue")}
    row = finished.tables["cells"].row(0, named=True)
    efficiency = values["result.initial_coulombic_efficiency"]
    assert efficiency["unitText"] == "%"
    assert efficiency["value"] == pytest.approx(100 * row["initial_coulombic_efficiency"])
    assert values["result.cycles"]["value"] == row["cycles"]
    assert "unitText" not in values["result.cycles"]
    assert values["cell.area_cm2"]["unitText"] == "cm²"
    assert values["cell.area_cm2"]["value"] == finished.cell.area_cm2


def test_authors_and_licence_come_from_the_settings(archive: bytes) -> None:
    nodes = Archive(archive).nodes
    assert nodes["#author-Anna_M_ller-" + _digits(nodes)]["email"] == "anna.mueller@example.org"
    assert nodes["https://orcid.org/0000-0002-1825-0097"]["name"] == "Bo"
    assert nodes["./"]["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}


def _digits(nodes: dict[str, Any]) -> str:
    return next(i for i in nodes if i.startswith("#author-Anna")).rpartition("-")[2]


def test_without_settings_it_says_that_nothing_is_stated(record: Record) -> None:
    content = eln_archive([record], "x", Sender(), made_at=WHEN)
    assert broken(content) == []
    nodes = Archive(content).nodes
    assert nodes["#licence"]["name"] == "no licence stated"
    assert nodes["#laboratory"]["name"] == "laboratory not named"


def test_only_elabftw_gets_its_extra_fields(record: Record, archive: bytes) -> None:
    assert "elabftw_metadata" not in json.dumps(Archive(archive).crate)
    content = eln_archive([record], "x", LAB, made_at=WHEN, for_elabftw=True)
    found = Archive(content)
    assert found.nodes["./"]["version"] == "107"
    field = next(n for n in found.of("PropertyValue") if n["propertyID"] == "elabftw_metadata")
    extra = json.loads(field["value"])["extra_fields"]
    assert extra["cellpipe_id"]["value"] == record.key
    assert extra["Area"] == {"type": "number", "value": "0.785", "unit": "cm²", "units": ["cm²"],
                             "group_id": 1, "position": extra["Area"]["position"],
                             "description": "from the cell sheet"}  # fmt: skip


def test_several_cells_go_into_one_archive(record: Record) -> None:
    other = replace(record, key="cellpipe-other", title="other")
    found = Archive(eln_archive([record, other], "night", LAB, made_at=WHEN))
    assert broken(eln_archive([record, other], "night", LAB, made_at=WHEN)) == []
    assert found.parts == ["./SSB-06/", "./other/"]


def test_odd_names_and_numbers_keep_the_rules(finished: StoredCell) -> None:
    cell = Cell('<script>alert("ü")</script> / C:\\ %20', group="Größe 1; 2", comment="=1+1\n")
    odd = build_record(cell, finished.tables, finished.files, (Attachment("a.csv", "x", b"1"),))
    odd = replace(odd, values=(*odd.values, Value("result.x", "x", float("nan"), "V")))
    content = eln_archive([odd], "a b/c", Sender('"; <x>'), made_at=WHEN)
    assert broken(content) == []
    assert "<script>" not in Archive(content).datasets[0]["text"]


def test_no_two_values_share_a_name(record: Record) -> None:
    names = [value.name for value in record.values]
    assert len(set(names)) == len(names)


def test_keys_are_told_apart_and_stay() -> None:
    names = ["SSB-01", "SSB.01", "SSB 01", "SSB_01", "Ω", "a" * 300, "CON"]
    keys = {record_key(name) for name in names}
    assert len(keys) == len(names)
    assert max(map(len, keys)) <= 50  # Kadi4Mat takes no longer ones
    assert all(key == key.lower() and key.isascii() for key in keys)
    assert record_key("SSB-01") == record_key("ssb-01") == "cellpipe-ssb-01"


def test_the_command_writes_an_archive_of_a_cell(results: Path, tmp_path: Path) -> None:
    code = main(["export", "eln", str(results), "SSB-06", "--to", str(tmp_path)])
    assert code == 0
    assert broken((tmp_path / "SSB-06" / "SSB-06.eln").read_bytes()) == []


VALIDATE = """
import json, pathlib, sys, tempfile, zipfile
import jsonschema, pint, requests, rocrate
context = (pathlib.Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
def local(url):
    answer = requests.Response()
    answer.url, answer._content, answer.encoding = url, context, "utf-8"
    answer.headers["Content-Type"] = "application/ld+json"
    answer.status_code = 200 if "w3id.org/ro/crate/1.1/context" in url else 504
    return answer
from rocrate_validator.utils import document_loader, http
http.HttpRequester.get = http.HttpRequester.head = lambda self, url, **_: local(url)
document_loader.install_document_loader()
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services
folder = pathlib.Path(tempfile.mkdtemp())
zipfile.ZipFile(sys.argv[1]).extractall(folder)
root = next(folder.iterdir())
crate = ROCrate(root)
settings = services.ValidationSettings(
    rocrate_uri=root, profile_identifier="ro-crate-1.1",
    requirement_severity=models.Severity.REQUIRED)
issues = [f"{i.check.identifier}: {i.message}" for i in services.validate(settings).get_issues()]
metadata = json.loads((root / "ro-crate-metadata.json").read_text())
reference = {"type": "object", "properties": {"@id": {"type": "string"}}}
text = {"type": "string"}
several = {"type": "array", "items": reference}
schema = {"type": "object", "required": ["@context", "@graph"], "properties": {"@graph": {
    "type": "array", "items": {"type": "object", "required": ["@id", "@type"], "properties": {
        "@id": text, "@type": text, "about": reference, "author": reference,
        "conformsTo": reference,
        "sdPublisher": reference,
        "version": text, "name": text, "encodingFormat": text,
        "url": text, "genre": text, "creativeWorkStatus": text, "identifier": text,
        "keywords": text, "dateCreated": text, "dateModified": text, "hasPart": several,
        "comment": several}}}}}
issues += [e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(metadata)]
units = pint.UnitRegistry()
named = {n["unitText"] for n in metadata["@graph"] if n.get("unitText")}
issues += [u for u in named if u != "%" and units(u).dimensionless]
print(json.dumps([len(list(crate.get_entities())), issues]))
"""


@pytest.mark.slow
def test_validators_of_others_find_nothing_required_missing(
    archive: bytes, record: Record, checks: Any, tmp_path: Path
) -> None:
    path = tmp_path / "SSB-06.eln"
    for content in (archive, eln_archive([record], "x", Sender(), made_at=WHEN, for_elabftw=True)):
        path.write_bytes(content)
        entities, issues = json.loads(checks.run(VALIDATE, str(path)).splitlines()[-1])
        assert issues == []
        assert entities > len(record.files)
