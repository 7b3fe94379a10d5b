"""Call Prefect's REST API with Python's standard library: the watch needs no Prefect client.

The key or password is taken from Prefect's own variables, ``PREFECT_API_KEY`` and
``PREFECT_API_AUTH_STRING``, which belong to the server that ``PREFECT_API_URL`` names: no other
server is told them.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from cellpipe.core.errors import ServerError

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback
DEPLOYMENT = "process-batch/watched"
_NOT_DEPLOYED = (
    f"a server with the deployment {DEPLOYMENT}",
    "deploy the flows: prefect deploy --all, or start cellpipe serve",
)
_REMEDIES = {
    401: ("the server's password", "set PREFECT_API_AUTH_STRING to it"),
    403: ("a server that is called so", "name it in its cellpipe.toml, under [server]: hosts"),
}
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - as a user may configure
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_direct(request: urllib.request.Request, *, timeout: float) -> Any:
    """Open a request to this machine, past any proxy."""
    return _DIRECT.open(request, timeout=timeout)


def call_api(
    url: str, path: str, body: dict[str, object] | None = None, *, timeout: float = 30.0
) -> Any:
    """Send a request to Prefect's API and return its JSON answer; with a body it is a POST.

    Raises
    ------
    ServerError
        If there is no answer, or an HTTP error, whose code is then its ``status``.

    """
    headers = {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/{path}", data, headers)  # noqa: S310
        for name, value in _auth_headers(url).items():
            request.add_unredirected_header(name, value)
        is_local = urllib.parse.urlsplit(url).hostname in LOOPBACK
        with (open_direct if is_local else urllib.request.urlopen)(
            request, timeout=timeout
        ) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        expected, remedy = _REMEDIES.get(error.code, _NOT_DEPLOYED)
        server_error = ServerError(
            f"the answer {error.code} from Prefect to {path.partition('?')[0]}",
            expected=expected, remedy=remedy,
        )  # fmt: skip
        server_error.status = error.code
        error.close()
        raise server_error from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ServerError(
            f"no answer from {url}", expected="the Prefect server of PREFECT_API_URL",
            remedy="start it; until then the files wait in the ledger",
        ) from error  # fmt: skip


def _auth_headers(url: str) -> dict[str, str]:
    if url.rstrip("/") != os.environ.get("PREFECT_API_URL", "").rstrip("/"):
        return {}
    key, login = os.environ.get("PREFECT_API_KEY"), os.environ.get("PREFECT_API_AUTH_STRING")
    if key:
        return {"Authorization": f"Bearer {key}"}
    if login:
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    return {}
