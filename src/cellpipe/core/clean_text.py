"""Text that leaves cellpipe: without control characters, and without the secrets of addresses.

Names of files, ids, cells of sheets and messages of other programs are written by others: a
terminal would obey what is hidden in them, and a line of a log could be taken for two.
"""

from __future__ import annotations

import re

# C0 and C1, line and paragraph separators, and what turns the direction of a line round.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOT_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|pwd|secret|token|(?:api|access|account|secret|shared)_?key"
    r"|signature|credential)"
)
_QUERY_NAME = r"[\w.-]*(?:key|sas|pass|auth|code|sig)"
_USER = re.compile(
    r"\b([a-z][a-z0-9+.-]+:/{1,2})"
    r"(?:[^\s/@:'\"<>]*(?::|%3a)[^\s'\"<>]*|[^\s/@'\"<>]+)(?:@|%40)", re.IGNORECASE
)  # fmt: skip
_MISSPELT_USER = re.compile(  # s3//KEY:SECRET@bucket, s3:KEY:SECRET@bucket, //KEY:SECRET@bucket
    r"(\b(?:s3a?|gs|gcs|azs?|abfss?|https?|postgres(?:ql)?)(?:://?|:|//?)|(?<![\w:/])//)"
    r"[^\s/@:'\"<>]+(?::|%3a)[^\s'\"<>]*(?:@|%40)", re.IGNORECASE
)  # fmt: skip
_VALUE = re.compile(
    rf"((?:\b|_){_NAME}\s?=\s?|[?&]{_QUERY_NAME}=)"
    r"(?:(['\"])(?![\s,)\]]|env:|file:|prefect:)[^'\"]+\2|[^\s&#'\",;]+)",
    re.IGNORECASE,
)
_HARMLESS_USER = re.compile(r"postgres(?:ql)?:/{1,2}[^\s/@:'\"<>]*@", re.IGNORECASE)


def escape_controls(text: str) -> str:
    r"""Return one line of text with its control characters written out, as ``\x1b``."""
    return _CONTROLS.sub(_escape, text)


def escape_controls_in_lines(text: str) -> str:
    """Return text of several lines with all control characters written out but those of lines."""
    return _NOT_IN_LINES.sub(_escape, text)


def escape_controls_in_json(text: str) -> str:
    """Return JSON with all control characters in its texts as JSON escapes them; it says the same.

    Python's own writer leaves those behind ASCII as they are unless it escapes all letters.
    """
    return _NOT_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def redact(text: str) -> str:
    """Return text in which addresses have neither user and password nor other secrets."""
    if "@" in text or "%40" in text:
        text = _MISSPELT_USER.sub(r"\1…@", _USER.sub(_redact_user, text))
    return _VALUE.sub(r"\1…", text) if "=" in text else text


def _redact_user(found: re.Match[str]) -> str:
    return found[0] if _HARMLESS_USER.fullmatch(found[0]) else f"{found[1]}…@"


def clean_line(text: str) -> str:
    """Return one line of text as it may be shown: redacted, control characters written out."""
    return escape_controls(redact(text))


def clean_lines(text: str) -> str:
    """Return lines of text as they may be shown."""
    return escape_controls_in_lines(redact(text))


_PLACE = r"(?:(?:[\w.-]|%2[fF])+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
_SETTING = (
    r"(?:host|port|sslmode|sslrootcert|connect_timeout|target_session_attrs)"
    r"=(?:[\w.,/~-]|%2[fF])*"
)
_POSTGRES = re.compile(
    rf"postgres(?:ql)?://(?=[^/]|/[^?#])(?:[\w.+-]+@)?(?:{_PLACE}(?:,{_PLACE})*)?(?:/[\w.-]*)?"
    rf"(?:\?{_SETTING}(?:&{_SETTING})*)?(?:#[^\s:@=]*)?"
)
_BUCKET = re.compile(
    r"(?:https?://[^\s/?#@:%\\]+(?::\d{1,5})?|[a-z][a-z0-9+]+://[^\s/?#@:%\\]*)(?:/[^\s?#\\]*)?"
)
_USER_IN_PATH = re.compile(r"(?::|%(?:25)*3a).*(?:@|%(?:25)*40)", re.IGNORECASE)


def is_postgres_address(address: str) -> bool:
    """Return whether it is postgresql://user@host/database#schema: there is no room for a secret.

    What it may say beside that is where the server is, and how it is reached.
    """
    return _POSTGRES.fullmatch(address) is not None


def is_storage_address(address: str) -> bool:
    """Return whether it is scheme://bucket/path: without a user, a query, or what stands for one.

    The scheme is in lower case.
    """
    if _BUCKET.fullmatch(address) is None or redact(address) != address:
        return False
    return _USER_IN_PATH.search(address.partition("://")[2].partition("/")[2]) is None
