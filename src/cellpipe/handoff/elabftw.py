"""Deliver cells as experiments of eLabFTW, through its REST interface v2.

People write into their experiments: after the first delivery, title and text are theirs, and only
cellpipe's extra fields, missing tags and changed files are updated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cellpipe.core.errors import DeliveryError, NoAnswerError
from cellpipe.handoff.attachments import media_type
from cellpipe.handoff.record import Attachment, Record, Value
from cellpipe.handoff.rest import Address, Server

ID_FIELD = "cellpipe_id"
_GROUPS = {"cell": (1, "Cell"), "result": (2, "Results of cellpipe")}
_REMEDIES = {
    401: "the API key is wrong or has expired; make a new one in eLabFTW under Settings, API keys",
    403: "the API key may not write there; make one that can write",
    404: "it does not exist, or the key's owner may not see it; check the address",
    413: "the file is larger than the server takes; ask who runs it",
}
_RESULT_SUFFIX = " (cellpipe)"  # suffix of the names of results
_HASHED_BELOW = 100_000_000  # bytes; larger files have no sha256 there: name and size are compared


def open_server(address: Address) -> Server:
    """Return a connection to an eLabFTW server."""
    return Server(
        "eLabFTW", address, path="/api/v2", headers={"Authorization": address.token},
        remedies=_REMEDIES,
    )  # fmt: skip


def check_access(server: Server) -> None:
    """Check that the server answers and accepts the key.

    Raises
    ------
    DeliveryError
        If not.

    """
    server.json(server.request("GET", "/info", again=True))


def extra_fields(record: Record) -> dict[str, Any]:
    """Return a record's values as eLabFTW's metadata: typed fields with units, in two groups."""
    fields: dict[str, Any] = {
        ID_FIELD: {"type": "text", "value": record.key, "group_id": 2, "position": 0,
                   "description": "written by cellpipe, which finds the experiment by it"}
    }  # fmt: skip
    for position, value in enumerate(record.values, 1):
        group = value.identifier.partition(".")[0]
        fields[_label(value)] = _field(value) | {
            "group_id": _GROUPS[group][0], "position": position, "description": value.meaning
        }  # fmt: skip
    groups = [{"id": number, "name": name} for number, name in _GROUPS.values()]
    return {"open_server": {"extra_fields_groups": groups}, "extra_fields": fields}


def _label(value: Value) -> str:
    return value.name if value.identifier.startswith("cell.") else f"{value.name}{_RESULT_SUFFIX}"


def _field(value: Value) -> dict[str, Any]:
    if isinstance(value.value, bool):
        return {"type": "checkbox", "value": "on" if value.value else ""}
    if isinstance(value.value, str):
        return {"type": "text", "value": value.value}
    number: dict[str, Any] = {"type": "number", "value": str(value.value)}
    return number | ({"unit": value.unit, "units": [value.unit]} if value.unit else {})


def push_record(
    server: Server, record: Record, *, items: Sequence[int] = ()
) -> tuple[int, list[str]]:
    """Create or update the experiment of a cell.

    Parameters
    ----------
    server
        The connection from :func:`open_server`.
    record
        The cell.
    items
        Ids of resources that the experiment is linked to.

    Returns
    -------
    experiment, done
        Its id, and what was done to it; empty if it was up to date.

    Raises
    ------
    DeliveryError
        If the server refuses or does not answer, or several experiments have this cell's id.

    """
    metadata = extra_fields(record)
    found = _find_experiment(server, record.key)
    done = []
    if found is None:
        found = _create_experiment(server, record, metadata)
        done.append("created")
    number = int(found["id"])
    change = _metadata_patch(metadata, _metadata(found))
    if change:
        server.request("PATCH", f"/experiments/{number}", again=True, json=change)
        done += [] if done else ["numbers updated"]
    done += _add_tags(server, number, found, record)
    done += _upload_files(server, number, record.files)
    for item in items:
        path = f"/experiments/{number}/items_links/{item}"
        server.request("POST", path, again=True, json={"action": "create"})
    return number, done


def _find_experiment(server: Server, key: str) -> dict[str, Any] | None:
    """Return the experiment with a key, or None.

    The server's search is fuzzy, so the key is compared exactly.
    """
    query = {"extended": f'extrafield:s:{ID_FIELD}:"{key}"', "scope": "3", "limit": "100",
                "full": "1"}  # fmt: skip
    answer = server.json(server.request("GET", "/experiments", again=True, params=query))
    experiments = [
        each if "metadata" in each or "metadata_decoded" in each
        else server.json(server.request("GET", f"/experiments/{each['id']}", again=True))
        for each in answer
    ]  # fmt: skip
    matches = [each for each in experiments if _cellpipe_id(_metadata(each)) == key]
    if len(matches) > 1:
        ids = ", ".join(str(each["id"]) for each in matches)
        raise DeliveryError(
            f"{len(matches)} experiments with the id {key} ({ids})", expected="one",
            remedy="delete all but one in eLabFTW, or change their field cellpipe_id",
        )  # fmt: skip
    return matches[0] if matches else None


def _cellpipe_id(metadata: dict[str, Any]) -> object:
    fields = metadata.get("extra_fields")
    field = fields.get(ID_FIELD) if isinstance(fields, dict) else None
    return field.get("value") if isinstance(field, dict) else None


def _metadata(experiment: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of an experiment; servers send an object, a text, or both."""
    found = experiment.get("metadata_decoded") or experiment.get("metadata") or {}
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _create_experiment(server: Server, record: Record, metadata: dict[str, Any]) -> dict[str, Any]:
    """Create the experiment; after a lost answer look for it before creating another."""
    content: dict[str, Any] = {
        "title": record.title, "body": record.text, "content_type": 1, "metadata": metadata,
        "tags": list(record.tags),
    }  # fmt: skip
    if record.started_at is not None:
        content["date"] = f"{record.started_at:%Y-%m-%d}"
    for last in (False, True):
        try:
            answer = server.request("POST", "/experiments", again=False, json=content)
        except NoAnswerError:
            found = _find_experiment(server, record.key)
            if found is not None:
                return found
            if last:
                raise
            continue
        number = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        if not number.isdigit():
            raise DeliveryError(
                "an experiment without an address", expected="its id in the header Location",
                remedy="check the address of the server",
            )  # fmt: skip
        created = server.request("GET", f"/experiments/{number}", again=True)
        return dict(server.json(created))
    raise AssertionError  # pragma: no cover


def _metadata_patch(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the change that makes cellpipe's fields correct; {} if they are.

    A merge changes values only. If a field's type or unit differs, or a value no longer exists, all
    metadata are sent, including people's own fields as they are.
    """
    fields, known = ours["extra_fields"], theirs.get("extra_fields") or {}
    gone = [name for name, field in known.items() if name not in fields and _is_ours(name, field)]
    keys = ("type", "unit")
    changed = [name for name, field in fields.items() if name in known
              and any(field.get(key) != known[name].get(key) for key in keys)]  # fmt: skip
    if gone or changed:
        kept = {name: field for name, field in known.items() if name not in gone}
        return {"metadata": {**theirs, "extra_fields": {**kept, **fields}}}
    differs = any(
        str(known.get(name, {}).get("value")) != field["value"] for name, field in fields.items()
    )
    return {"metadatamerge": ours} if differs else {}


def _is_ours(name: str, field: dict[str, Any]) -> bool:
    """Return whether cellpipe made a field, judged by its name and its description."""
    of_sheet = str(field.get("description", "")).startswith(("from the cell sheet", "inferred: "))
    return name.endswith(_RESULT_SUFFIX) or of_sheet


def _add_tags(server: Server, number: int, found: dict[str, Any], record: Record) -> list[str]:
    existing = set(str(found.get("tags") or "").split("|"))
    missing = [tag for tag in record.tags if tag not in existing]
    for tag in missing:
        server.request("POST", f"/experiments/{number}/tags", again=True, json={"tag": tag})
    return [f"tag {tag}" for tag in missing]


def _upload_files(server: Server, number: int, files: Sequence[Attachment]) -> list[str]:
    path = f"/experiments/{number}/uploads"
    existing = _list_uploads(server, path)
    done = []
    for file in files:
        known = existing.get(file.name)
        if _is_same(known, file):
            continue
        place = f"{path}/{known['id']}" if known else path
        try:
            _send_file(server, place, file)
        except NoAnswerError:
            existing = _list_uploads(server, path)
            if not _is_same(existing.get(file.name), file):
                known = existing.get(file.name)
                _send_file(server, f"{path}/{known['id']}" if known else path, file)
        done.append(f"{file.name} {'replaced' if known else 'added'}")
    return done


def _list_uploads(server: Server, path: str) -> dict[str, dict[str, Any]]:
    answer = server.json(server.request("GET", path, again=True))
    return {str(each["real_name"]): each for each in answer if each.get("state", 1) == 1}


def _is_same(known: dict[str, Any] | None, file: Attachment) -> bool:
    if known is None:
        return False
    if known.get("hash"):
        return bool(known["hash"] == file.sha256)
    is_large = len(file.content) >= _HASHED_BELOW
    return is_large and int(known.get("filesize") or -1) == len(file.content)


def _send_file(server: Server, path: str, file: Attachment) -> None:
    server.request(
        "POST", path, again=False, data={"comment": file.about},
        files={"file": (file.name, file.content, media_type(file.name))},
    )  # fmt: skip
