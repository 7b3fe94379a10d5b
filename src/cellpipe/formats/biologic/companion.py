"""Dates in the text that EC-Lab writes: headers of .mpt files and .mpl logs beside an .mpr."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

_STARTED = re.compile(r"Acquisition started on : (\S+) (\S+)")
_PATTERNS = (
    "%m/%d/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%m.%d.%Y %H:%M:%S",
    "%m-%d-%Y %H:%M:%S.%f", "%m.%d.%Y %H:%M:%S.%f",
)  # fmt: skip


def read_acquisition_start(log: Path) -> datetime | None:
    """Read "Acquisition started on" from a log file, if it is there and says so."""
    try:
        text = log.read_bytes()[:65536].decode("cp1252", "replace")
    except OSError:
        return None
    return find_acquisition_start(text)


def find_acquisition_start(text: str) -> datetime | None:
    """Find the local start time in EC-Lab's header text; None if absent or made anonymous."""
    found = _STARTED.search(text)
    return parse_local_time(f"{found[1]} {found[2]}") if found else None


def parse_local_time(text: str) -> datetime | None:
    """Read a date and time as EC-Lab writes them (month first), or None."""
    for pattern in _PATTERNS:
        try:
            return datetime.strptime(text.strip().replace(",", "."), pattern)  # noqa: DTZ007
        except ValueError:
            continue
    return None
