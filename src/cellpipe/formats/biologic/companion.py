"""Read the dates in EC-Lab's text: headers of .mpt files and .mpl logs beside an .mpr."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from cellpipe.system.regular_files import read_regular

_STARTED = re.compile(r"Acquisition started on : (\S+) (\S+)")
_PATTERNS = (
    "%m/%d/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%m.%d.%Y %H:%M:%S",
    "%m-%d-%Y %H:%M:%S.%f", "%m.%d.%Y %H:%M:%S.%f",
)  # fmt: skip


def read_acquisition_start(log: Path) -> datetime | None:
    """Read "Acquisition started on" from a log file; None if the file or the line is missing."""
    try:
        text = read_regular(log)[:65536].decode("cp1252", "replace")
    except OSError:
        return None
    return find_acquisition_start(text)


def find_acquisition_start(text: str) -> datetime | None:
    """Find the local start time in EC-Lab's header text; None if absent or anonymised."""
    match = _STARTED.search(text)
    return parse_local_time(f"{match[1]} {match[2]}") if match else None


def parse_local_time(text: str) -> datetime | None:
    """Parse a date and time as EC-Lab writes them (month first), else return None."""
    for pattern in _PATTERNS:
        try:
            return datetime.strptime(text.strip().replace(",", "."), pattern)  # noqa: DTZ007
        except ValueError:
            continue
    return None
