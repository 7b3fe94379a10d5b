"""File names for cells: safe on Windows, macOS and Linux, and never the same for two cells."""

from __future__ import annotations

import hashlib
import re

_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in range(10)}
)
_LONGEST = 64


def file_name(cell_id: str) -> str:
    """Give the name (without a suffix) under which a cell's page and workbook lie.

    An id of ``A-Z 0-9 . _ -`` is its own name. Whatever else it holds becomes ``_``, and eight
    hexadecimal digits of the id's sha256 are put behind it. Small letters get these digits too,
    because Windows and macOS take ``ssb-1`` and ``SSB-1`` for the same file; so do names that
    Windows keeps for itself, names that are too long, and names that end like such digits.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", cell_id)[:_LONGEST].strip(".-") or "cell"
    if safe == cell_id and not _needs_digits(safe):
        return safe
    digest = hashlib.sha256(cell_id.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    stem = f"cell_{safe}" if _is_reserved(safe) else safe
    return f"{stem}-{digest}"


def _needs_digits(name: str) -> bool:
    ends_like_digits = re.search(r"-[0-9A-F]{8}$", name) is not None
    return name != name.upper() or ends_like_digits or _is_reserved(name)


def _is_reserved(name: str) -> bool:
    return name.partition(".")[0].upper() in _RESERVED
