"""Text that leaves cellpipe: without control characters, and without the secrets of addresses.

Names of files, ids, cells of sheets and messages of other programs are written by others: a
terminal would obey what is hidden in them, and a line of a log could be taken for two.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

# C0 and C1, line and paragraph separators, and what turns the direction of a line round.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOT_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_NAME = r"[\w.-]*(?:passw(?:or)?d|pwd|secret|token|api_?key|access_?key|signature|credential)"
_USER = re.compile(
    r"\b([a-z][a-z0-9+.-]+:/{1,2})(?:[^\s/@:'\"<>]*:[^\s'\"<>]*|[^\s/@'\"<>]+)@", re.IGNORECASE
)
_VALUE = re.compile(rf"((?:\b|_){_NAME}\s?=\s?|[?&]sig=)[^\s&#'\",;]+", re.IGNORECASE)
_HARMLESS_USER = re.compile(r"postgres(?:ql)?:/{1,2}[^\s/@:'\"<>]*@", re.IGNORECASE)


def escape_controls(text: str) -> str:
    r"""Return one line of text with its control characters written out, as ``\x1b``."""
    return _CONTROLS.sub(_escape, text)


def escape_controls_in_lines(text: str) -> str:
    """Return text of several lines with all control characters written out but those of lines."""
    return _NOT_IN_LINES.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def redact(text: str) -> str:
    """Return text in which addresses have neither user and password nor other secrets."""
    if "://" in text or ":/" in text:
        text = _USER.sub(_redact_user, text)
    return _VALUE.sub(r"\1…", text) if "=" in text else text


def _redact_user(found: re.Match[str]) -> str:
    return found[0] if _HARMLESS_USER.fullmatch(found[0]) else f"{found[1]}…@"


def clean_line(text: str) -> str:
    """Return one line of text as it may be shown: redacted, control characters written out."""
    return escape_controls(redact(text))


def clean_lines(text: str) -> str:
    """Return lines of text as they may be shown."""
    return escape_controls_in_lines(redact(text))


def holds_secret(address: str) -> bool:
    """Return whether an address has a password, a key or a signed query in it.

    A user without a password is no secret in an address of PostgreSQL, and may be one in others.
    """
    scheme, _, rest = address.partition("://")
    place, _, query = rest.partition("?")
    if redact(address) != address or any(
        redact(f"{name}=x") != f"{name}=x" for name, _ in parse_qsl(query, keep_blank_values=True)
    ):
        return True
    if scheme.lower().startswith("postgres"):
        return False
    host, _, port = place.partition("/")[0].rpartition(":")
    return bool(host) and not port.isdecimal()
