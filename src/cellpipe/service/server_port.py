"""The port of a server that is started here: no other program gets it, or is taken for the server.

The process that starts the server opens the port, keeps it for its whole life and hands it on, so
that it is never free, not while the server starts and not between two of them. Windows hands on
no socket so simply: there the server opens it itself, and the one that starts it wants a proof
that it is the one, before any client is told the password.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import socket
import urllib.error
import urllib.request

from cellpipe.service.prefect_api import open_direct

SECRET = "CELLPIPE_SERVER_SECRET"  # noqa: S105 - the name of the variable
NONCE_HEADER, PROOF_HEADER = "X-Cellpipe-Nonce", "X-Cellpipe-Proof"
HANDS_ON = os.name == "posix"
_BACKLOG = 2048
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # as ::1 where IPv6 is switched off


def open_port(host: str, port: int) -> list[socket.socket]:
    """Listen at a port of every address that a host name stands for; 0: at any free one.

    Raises
    ------
    OSError
        If another program has it, or the address is none of this machine's.

    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            sockets.append(_listen(socket.socket(family, kind, protocol), address, host))
        except OSError as error:
            failure = error
            if error.errno not in _NOT_HERE:
                break
    if failure is not None and (failure.errno not in _NOT_HERE or not sockets):
        close_port(sockets)
        raise failure
    return sockets


def _listen(one: socket.socket, address: object, host: str) -> socket.socket:
    try:
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)  # on Windows
        one.setsockopt(socket.SOL_SOCKET, exclusive or socket.SO_REUSEADDR, 1)
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        one.bind(address)  # type: ignore[arg-type]
        one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def close_port(sockets: list[socket.socket]) -> None:
    """Let a port go."""
    for one in sockets:
        one.close()


def take_port(handed_on: str, host: str, port: int) -> list[socket.socket]:
    """Return the sockets that were handed on to this process, by their numbers, or open the port.

    ``handed_on``: numbers with commas; none where it opens the port itself.
    """
    sockets = [socket.socket(fileno=int(each)) for each in handed_on.split(",") if each]
    for one in sockets:
        one.set_inheritable(False)
    return sockets or open_port(host, port)


def descriptors(sockets: list[socket.socket]) -> list[int]:
    """Return the numbers of sockets, under which a child process inherits them."""
    return [one.fileno() for one in sockets]


def make_secret() -> str:
    """Return what a server and the process that starts it know, and nobody else."""
    return secrets.token_urlsafe(32)


def make_proof(secret: str, nonce: str) -> str:
    """Return what only somebody who knows the secret can answer to a nonce."""
    return hmac.new(secret.encode(), nonce.encode("latin-1"), hashlib.sha256).hexdigest()


def is_own_server(url: str, secret: str, timeout: float = 5.0) -> bool:
    """Return whether the server that was started here with a secret answers."""
    nonce = secrets.token_hex(16)
    request = urllib.request.Request(f"{url}/health", headers={NONCE_HEADER: nonce})  # noqa: S310
    with (
        contextlib.suppress(OSError, ValueError),
        open_direct(request, timeout=timeout) as answer,
    ):
        given = answer.headers.get(PROOF_HEADER, "")
        return hmac.compare_digest(given.encode(), make_proof(secret, nonce).encode())
    return False
