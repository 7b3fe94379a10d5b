"""Deliver cells as records of Kadi4Mat, through its REST interface.

A record is found by its identifier, which is the cell's key. People write into their records: after
the first delivery, title and description are theirs; cellpipe's values are in one nested entry of
the extras, and the other entries are left unchanged.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cellpipe.core.errors import DeliveryError, NoAnswerError
from cellpipe.handoff.attachments import media_type
from cellpipe.handoff.record import Attachment, Record, Value
from cellpipe.handoff.rest import Address, Server

ENTRY = "cellpipe"
_CHUNK_SIZE = 10_000_000  # bytes; Kadi4Mat's, of files that are sent in chunks
_LONGEST_TITLE = 150
_OCTETS = {"Content-Type": "application/octet-stream"}
_REMEDIES = {
    401: "the token is wrong or has expired; make a new one in Kadi4Mat under Settings, Access "
    "tokens",
    403: "the token may not write there; make one with the scopes for records",
    404: "it does not exist, or the token's owner may not see it; check the address",
    413: "the file is larger than the server takes, or the quota is used up",
}


def open_server(address: Address) -> Server:
    """Return a connection to a Kadi4Mat server."""
    return Server(
        "Kadi4Mat", address, path="/api", remedies=_REMEDIES,
        headers={"Authorization": f"Bearer {address.token}"},
    )  # fmt: skip


def check_access(server: Server) -> None:
    """Check that the server answers and accepts the token.

    Raises
    ------
    DeliveryError
        If not.

    """
    server.request("GET", "/users/me", again=True, ok=(200, 403))  # 403: a token without that scope


def extras(record: Record) -> list[dict[str, Any]]:
    """Return a record's values as Kadi4Mat's extras: one entry that holds them all, typed."""
    parts = {"cell": "cell sheet", "result": "results"}
    groups = [
        {"key": name, "type": "dict",
         "value": [_extra(v) for v in record.values if v.identifier.startswith(f"{part}.")]}
        for part, name in parts.items()
    ]  # fmt: skip
    return [{"key": ENTRY, "type": "dict", "value": groups}]


def _extra(value: Value) -> dict[str, Any]:
    kinds = {bool: "bool", int: "int", float: "float", str: "str"}
    entry = {"key": value.name, "type": kinds[type(value.value)], "value": value.value}
    is_number = isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
    return entry | ({"unit": value.unit} if is_number and value.unit else {})


def push_record(server: Server, record: Record) -> tuple[int, list[str]]:
    """Create or update the record of a cell.

    Returns
    -------
    record, done
        Its id, and what was done to it; empty if it was up to date.

    Raises
    ------
    DeliveryError
        If the server refuses or does not answer.

    """
    found = _find_record(server, record.key)
    done: list[str] = []
    if found is None:
        found = _create_record(server, record)
        done.append("created")
    else:
        done += _update_record(server, found, record)
    number = int(found["id"])
    return number, done + _upload_files(server, number, record)


def _find_record(server: Server, key: str) -> dict[str, Any] | None:
    path = f"/records/identifier/{key}"
    answer = server.request("GET", path, again=True, ok=(200, 404))
    return dict(server.json(answer)) if answer.status_code == 200 else None


def _create_record(server: Server, record: Record) -> dict[str, Any]:
    """Create the record; repeating it changes nothing, as identifiers are unique."""
    content = {
        "identifier": record.key, "title": record.title[:_LONGEST_TITLE], "type": "cell",
        "description": record.line, "tags": list(record.tags), "extras": extras(record),
    }  # fmt: skip
    answer = server.request("POST", "/records", again=True, ok=(201, 400), json=content)
    if answer.status_code == 201:
        return dict(server.json(answer))
    found = _find_record(server, record.key)
    if found is None:
        reason = server.json(answer).get("errors") or server.json(answer)
        raise DeliveryError(
            f"the record {record.key} refused ({reason})", expected="it to be taken",
            remedy="if the identifier is in use: restore the record from Kadi4Mat's trash, or set "
            "another prefix in cellpipe.toml",
        )  # fmt: skip
    return found


def _update_record(server: Server, found: dict[str, Any], record: Record) -> list[str]:
    """Update cellpipe's entry and add missing tags; the rest belongs to people."""
    ours = extras(record)
    others = [extra for extra in found.get("extras", []) if extra.get("key") != ENTRY]
    before = [extra for extra in found.get("extras", []) if extra.get("key") == ENTRY]
    tags = list(dict.fromkeys([*found.get("tags", []), *record.tags]))
    change: dict[str, Any] = {}
    if _strip_server_fields(before) != _strip_server_fields(ours):
        change["extras"] = [*others, *ours]
    if sorted(tags) != sorted(found.get("tags", [])):
        change["tags"] = tags
    if not change:
        return []
    server.request("PATCH", f"/records/{found['id']}", again=True, json=change)
    return ["numbers updated" if "extras" in change else "tags updated"]


def _strip_server_fields(extra: Any) -> Any:
    """Return an entry of the extras without what the server adds to it."""
    if isinstance(extra, list):
        return [_strip_server_fields(each) for each in extra]
    if isinstance(extra, dict):
        kept = ("key", "type", "value", "unit")
        return {key: _strip_server_fields(extra[key]) for key in kept if extra.get(key) is not None}
    return extra


def _upload_files(server: Server, number: int, record: Record) -> list[str]:
    existing = _list_files(server, number)
    done = []
    for file in record.files:
        known = existing.get(file.name)
        if _is_same(known, file):
            continue
        try:
            _send_file(server, number, file, known)
        except NoAnswerError:
            known = _list_files(server, number).get(file.name)
            if not _is_same(known, file):
                _send_file(server, number, file, known)
        done.append(f"{file.name} {'replaced' if file.name in existing else 'added'}")
    return done


def _list_files(server: Server, number: int) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = {}
    page, pages = 1, 1
    while page <= pages:
        path = f"/records/{number}/files"
        query = {"per_page": "100", "page": str(page)}
        answer = server.json(server.request("GET", path, again=True, params=query))
        files |= {str(each["name"]): each for each in answer["items"]}
        page, pages = page + 1, int(answer["_pagination"]["total_pages"])
    return files


def _is_same(known: dict[str, Any] | None, file: Attachment) -> bool:
    if known is None:
        return False
    checksum = str(known.get("checksum"))
    return checksum == (
        _multipart_checksum(file.content) if "-" in checksum else _md5(file.content)
    )


def _multipart_checksum(content: bytes) -> str:
    """Return the checksum of a file sent in chunks: of the chunks' checksums, and their number."""
    chunks = [content[start : start + _CHUNK_SIZE] for start in range(0, len(content), _CHUNK_SIZE)]
    digests = b"".join(hashlib.md5(p, usedforsecurity=False).digest() for p in chunks)
    return f"{_md5(digests)}-{len(chunks)}"


def _send_file(server: Server, number: int, file: Attachment, known: dict[str, Any] | None) -> None:
    """Send a file: announce it, then send its bytes, whole or in the server's chunks."""
    description = {"size": len(file.content), "description": file.about,
            "mimetype": media_type(file.name)}  # fmt: skip
    path = f"/records/{number}"
    if known is None:
        answer = server.request("POST", f"{path}/uploads", again=True, ok=(201, 409),
                             json={**description, "name": file.name})  # fmt: skip
        if answer.status_code == 409:
            known = server.json(answer).get("file") or {}
    if known is not None:
        answer = server.request("PUT", f"{path}/files/{known['id']}", again=True, json=description)
    upload = server.json(answer)
    place = f"{path}/uploads/{upload['id']}"
    if upload.get("upload_type") != "chunked":
        headers = _OCTETS | {"Kadi-MD5-Checksum": _md5(file.content)}
        server.request("PUT", place, again=False, content=file.content, headers=headers)
        return
    size = int(upload["_meta"]["chunk_size"])
    for index, start in enumerate(range(0, len(file.content), size)):
        chunk = file.content[start : start + size]
        headers = _OCTETS | {"Kadi-Chunk-Index": str(index), "Kadi-Chunk-Size": str(len(chunk)),
                             "Kadi-MD5-Checksum": _md5(chunk)}  # fmt: skip
        server.request("PUT", place, again=True, content=chunk, headers=headers)
    server.request("POST", place, again=False, ok=(200, 202))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
