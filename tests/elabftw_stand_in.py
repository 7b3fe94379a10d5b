"""A stand-in for eLabFTW's REST interface v2: it keeps what it is told, and answers as it does.

Its behaviour is that of the public source of eLabFTW: search by likeness, metadata as a text beside
``metadata_decoded``, the id of what was made in ``Location`` only, replaced uploads kept as
archived, ``metadatamerge`` that keeps a field's type and unit. It is no eLabFTW.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

KEY = "3-0123456789abcdef"


class StandIn:
    """One server: its experiments, its uploads, every request, and answers that will be lost."""

    def __init__(self, port: int = 0) -> None:
        self.experiments: dict[int, dict[str, Any]] = {}
        self.uploads: dict[int, list[dict[str, Any]]] = {}
        self.links: dict[int, list[int]] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.lost: list[tuple[str, str]] = []  # method and path: done, and never answered
        self.faults: list[tuple[str, str, int]] = []  # method, path, status
        self.lists_briefly = False  # a search that leaves metadata out, as without full=1
        self.ignores_metadata = False  # as versions before 5.1 do on POST
        self._next = 100
        stand_in = self

        class Handler(_Handler):
            here = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def number(self) -> int:
        self._next += 1
        return self._next

    def active(self, experiment: int) -> dict[str, dict[str, Any]]:
        return {u["real_name"]: u for u in self.uploads[experiment] if u["state"] == 1}

    def fields(self, experiment: int) -> dict[str, Any]:
        found: dict[str, Any] = self.experiments[experiment]["metadata"]["extra_fields"]
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    here: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlparse(self.path)
        path = url.path.removeprefix("/api/v2")
        self.here.requests.append((method, self.path, dict(self.headers), body))
        kind = re.sub(r"\d+", "N", path)
        for fault in [f for f in self.here.faults if f[:2] == (method, kind)]:
            self.here.faults.remove(fault)
            return self._say(fault[2], {"code": fault[2], "message": "a fault", "description": ""})
        if self.headers.get("Authorization") != KEY:
            said = f"No API key like {self.headers.get('Authorization')}"
            return self._say(401, {"code": 401, "message": "Unauthorized", "description": said})
        status, answer, place = self._done(method, path, parse_qs(url.query), body)
        if (method, kind) in self.here.lost:
            self.here.lost.remove((method, kind))
            self.close_connection = True
            self.connection.close()
            return None
        return self._say(status, answer, place)

    def _say(self, status: int, answer: object, place: str = "") -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if place:
            self.send_header("Location", f"{self.here.url}/api/v2{place}")
        self.end_headers()
        self.wfile.write(content)

    def _done(
        self, method: str, path: str, question: dict[str, list[str]], body: bytes
    ) -> tuple[int, object, str]:
        if path == "/info":
            return 200, {"elabftw_version": "5.3.0"}, ""
        if path == "/experiments":
            made = method == "POST"
            return self._made(json.loads(body)) if made else (200, self._found(question), "")
        match = re.fullmatch(r"/experiments/(\d+)(?:/(\w+))?(?:/(\d+))?", path)
        if match is None or int(match[1]) not in self.here.experiments:
            return 404, {"code": 404, "message": "Not Found", "description": "nothing here"}, ""
        number, part, inner = int(match[1]), match[2], int(match[3] or 0)
        if part == "uploads":
            if method == "GET":
                return 200, list(self.here.active(number).values()), ""
            return self._uploaded(number, inner, body)
        said = json.loads(body) if body else {}
        experiment = self.here.experiments[number]
        if part == "tags":
            experiment["tags"] = [*experiment["tags"], said["tag"]]
        elif part == "items_links":
            self.here.links[number] = sorted({*self.here.links[number], inner})
        elif method == "PATCH":
            self._merged(experiment, said.pop("metadatamerge", {}))
            experiment.update(said)
        return (201 if method == "POST" else 200), self._shown(number), ""

    def _found(self, question: dict[str, list[str]]) -> list[object]:
        asked = re.fullmatch(r'extrafield:s:(\w+):"(.*)"', question["extended"][0])
        assert asked is not None
        hidden = {"metadata", "metadata_decoded"} if self.here.lists_briefly else set()
        return [
            {k: v for k, v in self._shown(number).items() if k not in hidden}
            for number, each in self.here.experiments.items()
            if asked[2].lower()
            in str((each["metadata"] or {}).get("extra_fields", {}).get(asked[1], {})).lower()
        ]

    def _made(self, said: dict[str, Any]) -> tuple[int, object, str]:
        number = self.here.number()
        if self.here.ignores_metadata:
            said["metadata"] = None
        defaults = {"metadata": None, "tags": []}
        self.here.experiments[number] = {**defaults, **said}
        self.here.uploads[number], self.here.links[number] = [], []
        return 201, None, f"/experiments/{number}"

    def _merged(self, experiment: dict[str, Any], new: dict[str, Any]) -> None:
        if not new:
            return
        held = experiment["metadata"] = experiment["metadata"] or {}
        fields = held.setdefault("extra_fields", {})
        for name, field in new.get("extra_fields", {}).items():
            fields[name] = {**fields[name], "value": field["value"]} if name in fields else field
        if "elabftw" in new:
            held.setdefault("elabftw", new["elabftw"])

    def _uploaded(self, number: int, old: int, body: bytes) -> tuple[int, object, str]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        }
        file, comment = parts["file"], parts["comment"]
        content = file.get_payload(decode=True)
        for upload in self.here.uploads[number]:
            if upload["id"] == old:
                upload["state"] = 2
        new = self.here.number()
        self.here.uploads[number].append({
            "id": new, "real_name": file.get_filename(), "comment": comment.get_content(),
            "hash": hashlib.sha256(content).hexdigest(), "filesize": len(content), "state": 1,
        })  # fmt: skip
        return 201, None, f"/experiments/{number}/uploads/{new}"

    def _shown(self, number: int) -> dict[str, Any]:
        experiment = self.here.experiments[number]
        held = experiment["metadata"]
        return {
            **experiment, "id": number, "tags": "|".join(experiment["tags"]) or None,
            "metadata": json.dumps(held) if held is not None else None,
            "metadata_decoded": held,
        }  # fmt: skip
