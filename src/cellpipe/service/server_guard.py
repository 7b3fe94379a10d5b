"""Refuse requests that other web pages make a browser send to the Prefect server.

A page of any site can address a server on the same machine: by forms, images, scripts, simple
requests and websockets, or under a name of its own that it lets lead to 127.0.0.1. What arrives
thus is known by its headers, which no page can forge: ``Host``, ``Origin``, ``Sec-Fetch-Site``
and the type of the body. It is refused before Prefect sees it. The password is Prefect's affair.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from cellpipe.service.prefect_api import LOOPBACK
from cellpipe.service.server_port import NONCE_HEADER, PROOF_HEADER, make_proof

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
_OWN_PAGE = {"same-origin", "none"}  # none: typed, or a bookmark
_POLICY_VIOLATION = 1008
_READ_BYTES = 1 << 20  # of a body that is refused
_CONTENT = (  # Prefect's pages ask this server only, not whoever counts visits to them
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (  # no page of another origin embeds an answer, nor shows a page in a frame
    (b"content-security-policy", _CONTENT.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """An ASGI application around another one that takes requests of its own pages and programs.

    Parameters
    ----------
    app
        The application that is guarded.
    hosts
        Names and addresses by which the server is called, besides those of the loopback device.
    secret
        What the process that started the server knows, and wants proved.

    """

    def __init__(self, app: App, hosts: Iterable[str] = (), secret: str = "") -> None:
        self._app = app
        self._secret = secret
        self._hosts = frozenset(_bare_name(host) for host in (*LOOPBACK, *hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        reason = find_refusal(scope, self._hosts)
        if reason is None:
            await self._app(scope, receive, _add_headers(send, self._prove(scope)))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
        else:
            await _read_body(receive)
            await _refuse(_add_headers(send), *reason)

    def _prove(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the header by which the server proves who it is, if it is asked to."""
        name = NONCE_HEADER.lower().encode()
        nonces = [value for key, value in scope["headers"] if key.lower() == name]
        if not self._secret or len(nonces) != 1:
            return []
        proof = make_proof(self._secret, nonces[0].decode("latin-1"))
        return [(PROOF_HEADER.lower().encode(), proof.encode())]


def find_refusal(scope: Scope, hosts: frozenset[str]) -> tuple[int, str] | None:
    """Return the status and the reason with which a request is refused, or None."""
    headers: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), []).append(value.decode("latin-1").strip().lower())
    host = _only(headers, b"host") or ""
    found = _HOST.fullmatch(host)
    if found is None or _bare_name(found[1]) not in hosts:
        return 403, (
            "This name does not belong to this server. If it shall, name it in cellpipe.toml, "
            "under [server]: hosts = [...]"
        )
    origins = headers.get(b"origin", [])
    if any(origin not in {f"http://{host}", f"https://{host}"} for origin in origins):
        return 403, "A page of another origin asked for this."
    sites = headers.get(b"sec-fetch-site", [])
    if not _OWN_PAGE.issuperset(sites) and not _opens_page(scope, headers):
        return 403, "A page of another site asked for this."
    if _has_body(headers) and _media_type(headers) != "application/json":
        return 415, "Only application/json is taken."
    return None


def _only(headers: dict[bytes, list[str]], name: bytes) -> str | None:
    """Return the value of a header that is there once; None otherwise."""
    values = headers.get(name, [])
    return values[0] if len(values) == 1 else None


def _bare_name(host: str) -> str:
    return host.strip("[]").lower()


def _opens_page(scope: Scope, headers: dict[bytes, list[str]]) -> bool:
    """Return whether a link is followed to a page of the server, in a window of its own."""
    return (
        scope.get("method") in {"GET", "HEAD"}
        and _only(headers, b"sec-fetch-mode") == "navigate"
        and _only(headers, b"sec-fetch-dest") == "document"
        and not (scope["path"] + "/").startswith("/api/")
    )


def _has_body(headers: dict[bytes, list[str]]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", ["0"]) != ["0"]


def _media_type(headers: dict[bytes, list[str]]) -> str:
    return (_only(headers, b"content-type") or "").partition(";")[0].strip()


def _add_headers(send: Send, more: Iterable[tuple[bytes, bytes]] = ()) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS, *more]
        await send(message)

    return send_with_headers


async def _read_body(receive: Receive) -> None:
    """Read a body of usual length, for a connection that is closed on it loses the answer."""
    length = 0
    while length < _READ_BYTES:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
