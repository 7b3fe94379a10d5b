"""A receiver's REST interface: its answers, its silences, and its refusals in plain words."""

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
    """Where a receiver is, and what opens it. The token is never shown.

    ``certificate_authority`` is a .pem file that its certificate is checked against, where the
    system's own authorities don't know it.
    """

    url: str
    token: str = field(repr=False)
    certificate_authority: Path | None = None


class Server:
    """A receiver that is asked over HTTP.

    Parameters
    ----------
    name
        What it is called in messages.
    address
        Where it is.
    path
        Begins every request's path.
    headers
        Sent with each; the one with the token is among them.
    remedies
        What to do, by status of the answer.

    Raises
    ------
    SettingsError
        If the token would travel in clear, or the authority's file can't be read.

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
            trust_env=not is_loopback(address.url),  # no proxy between the machine and itself
        )  # fmt: skip

    def __enter__(self) -> Server:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def request(
        self, method: str, path: str, *, again: bool, ok: tuple[int, ...] = (200, 201, 204),
        **request: Any,
    ) -> httpx.Response:  # fmt: skip
        """Ask, and give the answer if its status is one of ``ok``.

        ``again`` says that asking twice does what asking once does: then silence and a busy server
        are met with patience.

        Raises
        ------
        NoAnswerError
            If no answer came.
        HandOnError
            If the server refuses.

        """
        tries = _MAX_ATTEMPTS if again else 1
        for number in range(1, tries + 1):
            try:
                answer = self._client.request(method, path, **request)
            except httpx.RequestError as error:
                if number == tries or isinstance(error, httpx.UnsupportedProtocol):
                    raise self._no_answer_error(error) from None  # what it says may hold headers
            else:
                if answer.status_code in ok:
                    return answer
                if answer.status_code not in _BUSY or number == tries:
                    raise self._refusal_error(method, path, answer)
            time.sleep(_PAUSE_SECONDS * 2 ** (number - 1))
        raise AssertionError  # pragma: no cover - the last try gives or raises

    def json(self, answer: httpx.Response) -> Any:
        """Return what an answer says.

        Raises
        ------
        HandOnError
            If it is no JSON: then something else answers at this address.

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
        said = self._redact(str(error)) or type(error).__name__
        return NoAnswerError(
            f"no answer from {self.url} ({said})", expected=f"{self.name}",
            remedy=f"{remedy}; the next night tries again",
        )  # fmt: skip

    def _refusal_error(self, method: str, path: str, answer: httpx.Response) -> DeliveryError:
        said = self._redact(_error_message(answer))[:300]
        status = answer.status_code
        default = "see the server's log; the next night tries again"
        if answer.is_redirect:
            default = "write the address it leads to into cellpipe.toml"
            said = f"it leads to {self._redact(answer.headers.get('location', 'nowhere'))}"
        return DeliveryError(
            f"the answer {status} to {method} {path.split('?', maxsplit=1)[0]} ({said})",
            expected=f"{self.name} at {self.url} to take it",
            remedy=self._remedies.get(status, default),
        )  # fmt: skip

    def _redact(self, text: str) -> str:
        """Keep the token out of what a server says."""
        return " ".join(text.replace(self._token, "***").split()) if self._token else text


def _error_message(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if isinstance(found, dict):
        parts = [str(found[key]) for key in ("message", "description") if found.get(key)]
        if found.get("errors"):
            parts.append(str(found["errors"]))
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
    """Refuse an address over which a token would travel in clear.

    Raises
    ------
    SettingsError
        If it is not https, and not this machine; or has a user, a question or no host.

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
    """Return whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
