"""Write ``.eln`` archives (RO-Crate 1.1 in a zip) that electronic lab notebooks import.

Format: TheELNConsortium/TheELNFileFormat, SPECIFICATION.md. Importers are stricter, and each in its
own way; comments name what is done for one of them.
"""

from __future__ import annotations

import io
import json
import math
import re
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cellpipe._version import __version__
from cellpipe.core.clean_text import escape_controls_in_json
from cellpipe.handoff.attachments import media_type
from cellpipe.handoff.record import Record, Value
from cellpipe.system.atomic_files import file_name

Node = dict[str, Any]
METADATA = "ro-crate-metadata.json"
# sha256 is no term of RO-Crate 1.1; defined here, validators and importers accept it.
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
ELABFTW_VERSION = "107"  # from 103 on it follows references; before, it expected nested nodes
_NAMES = uuid.uuid5(uuid.NAMESPACE_OID, "cellpipe")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sender:
    """Who delivers, according to the settings.

    ``authors`` are ``Name <mail or ORCID>``; ``licence`` an SPDX name or an address. Empty
    fields are exported as not stated.
    """

    organisation: str = ""
    authors: tuple[str, ...] = ()
    licence: str = ""


def eln_archive(
    records: Sequence[Record], name: str, sender: Sender, *, made_at: datetime,
    for_elabftw: bool = False,
) -> bytes:  # fmt: skip
    """Return an archive of records; the same records give the same bytes.

    Parameters
    ----------
    records
        At least one; each becomes an entry of the notebook.
    name
        The archive's name without ``.eln``, and that of its only folder.
    sender
        Authors, organisation, licence.
    made_at
        The date of records whose files have none.
    for_elabftw
        Add the extra fields of eLabFTW, which other notebooks show as an odd text.

    """
    root = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    metadata = _metadata(records, sender, made_at, for_elabftw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # Must be first: Kadi takes the name of the root folder from the first entry.
        _add_file(archive, f"{root}/{METADATA}", metadata)
        for record in records:
            for file in record.files:
                _add_file(archive, f"{root}/{_folder(record)}/{file.name}", file.content)
    return buffer.getvalue()


def _add_file(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(path, _ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _folder(record: Record) -> str:
    return file_name(record.title)


def _metadata(
    records: Sequence[Record], sender: Sender, made_at: datetime, for_elabftw: bool
) -> bytes:
    dates = [record.changed_at for record in records if record.changed_at]
    when = _format_time(max(dates) if dates else made_at)
    authors = _authors(sender)
    licence = _licence(sender.licence)
    publisher = _organisation(sender.organisation)
    title = records[0].title if len(records) == 1 else f"{len(records)} cells"
    crate: Node = {
        "@id": "./", "@type": "Dataset", "name": f"cellpipe: {title}",
        "description": "Results of battery cells: numbers, tables, figures, report.",
        "datePublished": when, "license": _reference(licence), "publisher": _reference(publisher),
        "author": _reference(authors[0]),
        "hasPart": [{"@id": f"./{_folder(record)}/"} for record in records],
    }  # fmt: skip
    if len(authors) > 1:
        crate["contributor"] = [_reference(author) for author in authors[1:]]
    if for_elabftw:
        crate["version"] = ELABFTW_VERSION
    graph = [*_descriptor_nodes(when), crate, publisher, licence, *authors]
    for record in records:
        graph += _record_nodes(record, authors, when, for_elabftw)
    unique = {node["@id"]: node for node in graph}
    text = json.dumps(
        {"@context": CONTEXT, "@graph": list(unique.values())}, indent=1, ensure_ascii=False,
        allow_nan=False,
    )  # fmt: skip
    return escape_controls_in_json(text).encode()


def _descriptor_nodes(when: str) -> list[Node]:
    version = __version__
    return [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}, "dateCreated": when,
         "version": "1.1", "sdPublisher": {"@id": "#cellpipe"}},
        # Without areaServed, eLabFTW takes the archive for an early one of its own.
        {"@id": "#cellpipe", "@type": "Organization", "name": "cellpipe",
         "areaServed": "battery laboratories"},
        {"@id": "#cellpipe-software", "@type": "SoftwareApplication", "name": "cellpipe",
         "version": version, "softwareVersion": version},
    ]  # fmt: skip


def _record_nodes(
    record: Record, authors: Sequence[Node], when: str, for_elabftw: bool
) -> list[Node]:
    """Return the nodes of one record: the dataset, its values and files, and how it was made."""
    base = f"./{_folder(record)}/"
    created = _format_time(record.changed_at) if record.changed_at else when
    values = [_property_node(base, value) for value in record.values if _is_exportable(value)]
    if for_elabftw:
        values.append(_elabftw_node(base, record))
    files: list[Node] = [
        {"@id": base + file.name, "@type": "File", "name": file.name, "description": file.about,
         "encodingFormat": media_type(file.name), "contentSize": str(len(file.content)),
         "sha256": file.sha256, "dateCreated": created}
        for file in record.files
    ]  # fmt: skip
    sources: list[Node] = [
        {"@id": f"#raw-{sha256}", "@type": "CreativeWork", "name": path, "sha256": sha256}
        for path, sha256 in record.sources
    ]
    dataset: Node = {
        "@id": base, "@type": "Dataset", "name": record.title, "description": record.line,
        "genre": "experiment", "identifier": str(uuid.uuid5(_NAMES, record.key)),
        "alternateName": record.key, "dateCreated": created, "dateModified": created,
        "temporal": _format_time(record.started_at) if record.started_at else created,
        "text": record.text, "encodingFormat": "text/html", "keywords": ",".join(record.tags),
        "author": _reference(authors[0]), "creator": _reference(authors[0]),
        "hasPart": [_reference(file) for file in files],
        "variableMeasured": [_reference(value) for value in values],
    }  # fmt: skip
    action: Node = {
        "@id": f"{base}#analysis", "@type": "CreateAction", "name": "analysis by cellpipe",
        "endTime": created, "instrument": {"@id": "#cellpipe-software"},
        "agent": _reference(authors[0]),
        "object": [_reference(source) for source in sources] or [{"@id": base}],
        "result": [{"@id": base}],
    }  # fmt: skip
    return [dataset, action, *files, *values, *sources]


def _is_exportable(value: Value) -> bool:
    return (
        not (isinstance(value.value, float) and not math.isfinite(value.value))
        and value.value != ""
    )


def _property_node(base: str, value: Value) -> Node:
    node: Node = {
        "@id": f"{base}#value-{value.identifier}", "@type": "PropertyValue",
        "propertyID": value.identifier, "name": value.name, "value": value.value,
    }  # fmt: skip
    if value.unit:
        node["unitText"] = value.unit
    if value.meaning:
        node["description"] = value.meaning
    return node


def _elabftw_node(base: str, record: Record) -> Node:
    from cellpipe.handoff.elabftw import extra_fields

    return {
        "@id": f"{base}#value-elabftw_metadata", "@type": "PropertyValue",
        "propertyID": "elabftw_metadata", "name": "Extra fields of eLabFTW",
        "value": json.dumps(extra_fields(record), ensure_ascii=False),
    }  # fmt: skip


def _authors(sender: Sender) -> list[Node]:
    organisation = _organisation(sender.organisation)
    named = [text for text in sender.authors if text.strip(" <>")]
    people = [_person(text) | {"affiliation": _reference(organisation)} for text in named]
    return people or [organisation]


def _person(text: str) -> Node:
    before, _, inside = text.partition("<")
    name, address = before.strip(" \"'"), inside.partition(">")[0].strip()
    if address.startswith("https://orcid.org/"):
        return {"@id": address, "@type": "Person", "name": name or address}
    name = name or address
    node: Node = {"@id": f"#author-{file_name(name)}", "@type": "Person", "name": name}
    if "@" in address:
        node["email"] = address
    return node


def _organisation(name: str) -> Node:
    if not name:
        return {"@id": "#laboratory", "@type": "Organization", "name": "laboratory not named"}
    return {"@id": f"#{file_name(name)}", "@type": "Organization", "name": name}


def _licence(licence: str) -> Node:
    if not licence:
        return {
            "@id": "#licence", "@type": "CreativeWork", "name": "no licence stated",
            "description": "The laboratory that hands this on states no licence.",
        }  # fmt: skip
    is_address = licence.startswith(("https://", "http://"))
    place = licence if is_address else f"https://spdx.org/licenses/{licence}"
    return {"@id": place, "@type": "CreativeWork", "name": licence, "description": licence}


def _reference(node: Mapping[str, Any]) -> Node:
    return {"@id": node["@id"]}


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
