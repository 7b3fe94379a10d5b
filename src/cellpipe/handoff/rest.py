"""A receiver's REST interface, with retries, and with errors that state a remedy."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from cellpipe.core.errors import DeliveryError, NoAnswerError, SettingsError

_MAX_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_BUSY = frozenset({429, 502, 503, 504})
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


@dataclass(frozen=True)
class Address:
    """The address of a receiver and its token, which is never shown.

    ``certificate_authority`` is a .pem file that the server's certificate is checked against, if
    the system's own authorities don't know it.
    """

    url: str
    token: str = field(repr=False)
    certificate_authority: Path | None = None


class Server:
    """A receiver with an HTTP interface.

    Parameters
    ----------
    name
        Its name in messages.
    address
        Its address and token.
    path
        Prefix of every request's path.
    headers
        Sent with each request, including the one with the token.
    remedies
        What to do, by status of the answer.

    Raises
    ------
    SettingsError
        If the token would be sent unencrypted or is not ASCII, or the authority's file can't be
        read.

    """

    def __init__(
        self,
        name: str,
        address: Address,
        *,
        path: str,
        headers: Mapping[str, str],
        remedies: Mapping[int, str],
    ) -> None:
        check_address(name, address.url)
        if not address.token.isascii():
            raise SettingsError(
                f"a token of {name} with letters that no token has", expected="plain ASCII",
                remedy="copy it anew, without quotation marks around it",
            )  # fmt: skip
        self.name = name
        self.url = address.url.rstrip("/")
        self._token = address.token
        self._remedies = remedies
        self._client = httpx.Client(
            base_url=self.url + path, headers={"Accept": "application/json", **headers},
            timeout=_TIMEOUT, verify=_ssl_context(address),
            trust_env=not is_loopback(address.url),  # no proxy for this machine itself
        )  # fmt: skip

    def __enter__(self) -> Server:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(
        self, method: str, path: str, *, again: bool, ok: tuple[int, ...] = (200, 201, 204),
        **request: Any,
    ) -> httpx.Response:  # fmt: skip
        """Send a request; return the answer if its status is one of ``ok``.

        ``again`` says that the request is idempotent; only then is it repeated if the server is
        silent or busy.

        Raises
        ------
        NoAnswerError
            If no answer came.
        DeliveryError
            If the server refuses.

        """
        attempts = _MAX_ATTEMPTS if again else 1
        for attempt in range(1, attempts + 1):
            try:
                answer = self._client.request(method, path, **request)
            except httpx.RequestError as error:
                if attempt == attempts or isinstance(error, httpx.UnsupportedProtocol):
                    raise self._no_answer_error(error) from None  # its message may hold headers
            else:
                if answer.status_code in ok:
                    return answer
                if answer.status_code not in _BUSY or attempt == attempts:
                    raise self._refusal_error(method, path, answer)
            time.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def json(self, answer: httpx.Response) -> Any:
        """Return the JSON content of an answer.

        Raises
        ------
        DeliveryError
            If it is not JSON: something else answers at this address.

        """
        try:
            return answer.json()
        except ValueError:
            raise DeliveryError(
                f"an answer of {self.url} that is no JSON", expected=f"{self.name}'s interface",
                remedy="write the address of the server's start page into cellpipe.toml",
            ) from None  # fmt: skip

    def _no_answer_error(self, error: httpx.RequestError) -> NoAnswerError:
        remedy = "check the address, and that this machine is in the lab's network"
        if "CERTIFICATE" in str(error).upper():
            remedy = "name the .pem file of the lab's authority under certificate_authority"
        message = self._redact(str(error)) or type(error).__name__
        return NoAnswerError(
            f"no answer from {self.url} ({message})", expected=f"{self.name}",
            remedy=f"{remedy}; the next night tries again",
        )  # fmt: skip

    def _refusal_error(self, method: str, path: str, answer: httpx.Response) -> DeliveryError:
        message = self._redact(_error_message(answer))[:300]
        status = answer.status_code
        default = "see the server's log; the next night tries again"
        if answer.is_redirect:
            default = "write the address it leads to into cellpipe.toml"
            message = f"it leads to {self._redact(answer.headers.get('location', 'nowhere'))}"
        return DeliveryError(
            f"the answer {status} to {method} {path.split('?', maxsplit=1)[0]} ({message})",
            expected=f"{self.name} at {self.url} to take it",
            remedy=self._remedies.get(status, default),
        )  # fmt: skip

    def _redact(self, text: str) -> str:
        """Return a server's text on one line, with the token masked."""
        return " ".join(text.replace(self._token, "***").split()) if self._token else text


def _error_message(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        content = {}
    if isinstance(content, dict):
        parts = [str(content[key]) for key in ("message", "description") if content.get(key)]
        if content.get("errors"):
            parts.append(str(content["errors"]))
        if parts:
            return ": ".join(parts)
    return answer.reason_phrase or "no reason given"


def _ssl_context(address: Address) -> ssl.SSLContext | bool:
    if address.certificate_authority is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(address.certificate_authority))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"an authority's certificate that can't be read ({error.strerror or error})",
            expected="a .pem file", remedy="ask who runs the server for it",
            file=address.certificate_authority,
        ) from None  # fmt: skip


def check_address(name: str, url: str) -> None:
    """Refuse an address over which a token would be sent unencrypted.

    Raises
    ------
    SettingsError
        If it is neither https nor this machine, has a user or a query, or has no host.

    """
    try:
        parts, _ = urlsplit(url), httpx.URL(url).host.encode("idna")
        _ = parts.port
    except (ValueError, httpx.InvalidURL):
        parts = urlsplit("")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    if not is_safe or not parts.hostname or parts.username or parts.query:
        raise SettingsError(
            f"the address {parts.scheme}://{parts.hostname or ''} of {name}",
            expected="https://, the host, and nothing secret",
            remedy="write the address of the server's start page, as https://eln.example.org",
        )  # fmt: skip


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
