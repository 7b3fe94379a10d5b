"""What importers of .eln archives ask of a file, rule by rule; each breaks some real importer."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Callable
from typing import Any

Node = dict[str, Any]
METADATA = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
# Units that pint reads as what they are; a unit that it can't read loses its meaning silently.
UNITS = {"Ah", "mAh/g", "mAh/cm²", "%", "Ω", "Ω cm²", "mg", "cm²", "V", "MPa", "°C", "µm"}


class Archive:
    """An archive that was opened: its entries, its graph by id."""

    def __init__(self, content: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.names = archive.namelist()
            self.content = {name: archive.read(name) for name in self.names}
        self.root = self.names[0].partition("/")[0]
        place = next(name for name in self.names if name.endswith(METADATA))
        self.crate = json.loads(self.content[place])
        self.graph: list[Node] = self.crate["@graph"]
        self.nodes = {node["@id"]: node for node in self.graph}

    def of(self, kind: str) -> list[Node]:
        return [node for node in self.graph if node["@type"] == kind]

    @property
    def datasets(self) -> list[Node]:
        return [node for node in self.of("Dataset") if node["@id"] != "./"]

    @property
    def parts(self) -> list[str]:
        return [part["@id"] for part in self.nodes["./"]["hasPart"]]


def context_is_11_with_sha256(a: Archive) -> bool:
    conforms = a.nodes[METADATA]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    return bool(a.crate["@context"] == CONTEXT and conforms)


def metadata_comes_first(a: Archive) -> bool:
    return a.names[0] == f"{a.root}/{METADATA}" and len({n.split("/")[0] for n in a.names}) == 1


def ids_of_paths_begin_with_dot(a: Archive) -> bool:
    return all(node["@id"].startswith("./") for node in [*a.of("File"), *a.of("Dataset")])


def names_are_plain(a: Archive) -> bool:
    return all(re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", name) for name in a.names)


def every_file_has_its_sha256(a: Archive) -> bool:
    return all(
        node.get("sha256") == hashlib.sha256(_bytes(a, node)).hexdigest() for node in a.of("File")
    )


def every_file_has_its_size_as_text(a: Archive) -> bool:
    return all(node.get("contentSize") == str(len(_bytes(a, node))) for node in a.of("File"))


def publisher_has_name_and_area(a: Archive) -> bool:
    publisher = a.nodes.get(a.nodes[METADATA].get("sdPublisher", {}).get("@id", ""), {})
    said = publisher.get("name") and publisher.get("areaServed")
    return bool(publisher.get("@type") == "Organization" and said)


def root_holds_datasets_only(a: Archive) -> bool:
    listed = {part for part in a.parts if a.nodes[part]["@type"] == "Dataset"}
    on_top = {name for name in a.names if name.count("/") == 1} - {f"{a.root}/{METADATA}"}
    return set(a.parts) == listed == {node["@id"] for node in a.datasets} and not on_top


def types_are_plain_texts(a: Archive) -> bool:
    return all(isinstance(node["@type"], str) for node in a.graph)


def files_lie_directly_in_their_dataset(a: Archive) -> bool:
    files = [name for name in a.names if not name.endswith(METADATA)]
    parts = [part["@id"] for node in a.datasets for part in node["hasPart"]]
    named = {f"./{name.partition('/')[2]}" for name in files}
    return all(name.count("/") == 2 for name in files) and set(parts) == named


def keywords_are_one_text(a: Archive) -> bool:
    return all(
        isinstance(node.get("keywords"), str) and re.fullmatch(r"[a-z0-9_,-]+", node["keywords"])
        for node in a.datasets
    )


def values_are_named_and_finite(a: Archive) -> bool:
    def is_good(node: Node) -> bool:
        value = node.get("value")
        finite = not isinstance(value, float) or math.isfinite(value)
        return bool(node.get("propertyID") and node.get("name")) and finite and isinstance(
            value, (str, bool, int, float)
        )  # fmt: skip

    return all(map(is_good, a.of("PropertyValue")))


def units_can_be_read(a: Archive) -> bool:
    return all(node.get("unitText", "%") in UNITS for node in a.of("PropertyValue"))


def datasets_are_experiments_with_text(a: Archive) -> bool:
    return all(
        node.get("genre") == "experiment"
        and re.match(r"\d{4}-\d\d-\d\d", node.get("temporal", ""))
        and node.get("text", "").startswith("<")
        and node.get("description")
        and "\n" not in node["description"]
        for node in a.datasets
    )


def _bytes(a: Archive, node: Node) -> bytes:
    return a.content[f"{a.root}/{node['@id'].removeprefix('./')}"]


RULES: tuple[Callable[[Archive], bool], ...] = (
    context_is_11_with_sha256,
    metadata_comes_first,
    ids_of_paths_begin_with_dot,
    names_are_plain,
    every_file_has_its_sha256,
    every_file_has_its_size_as_text,
    publisher_has_name_and_area,
    root_holds_datasets_only,
    types_are_plain_texts,
    files_lie_directly_in_their_dataset,
    keywords_are_one_text,
    values_are_named_and_finite,
    units_can_be_read,
    datasets_are_experiments_with_text,
)


def broken(content: bytes) -> list[str]:
    """Name the rules that an archive breaks."""
    archive = Archive(content)
    names = []
    for rule in RULES:
        try:
            kept = rule(archive)
        except (KeyError, AttributeError, TypeError):  # another fault hides what it looks for
            kept = False
        if not kept:
            names.append(rule.__name__)
    return names
