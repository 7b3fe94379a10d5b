"""Read ZView's and ZPlot's .z files: one impedance spectrum.

Titles (``ZPLOT2 ASCII`` … ``End Comments``, or ``"ZPlotW Data File``; Autolab writes ``"Z60W Data
File``), which include the column names, are followed by one line per frequency, separated by commas
or tabs: ``Freq(Hz)``, ``Ampl``, ``Bias``, ``Time(Sec)``, ``Z'(a)``, ``Z''(b)`` and others. ``Z''``
is the imaginary part with its sign, negative if capacitive. ``Date`` (month-day-year) and ``Time``
are the computer's local clock.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.biologic.companion import parse_local_time
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.records import build_elapsed_recording
from cellpipe.formats.tabular.text_blocks import read_lines

_NAMES = ("Freq(Hz)", "Ampl", "Bias", "Time(Sec)", "Z'(a)", "Z''(b)")
_COLUMNS = {
    "frequency_hertz": 0, "test_time_second": 3, "real_impedance_ohm": 4,
    "imaginary_impedance_ohm": 5,
}  # fmt: skip
_STARTS = (b"ZPLOT2 ASCII", b'"ZPlotW Data File', b'"Z60W Data File')
_END = "End Comments"
_WHEN = r"Date:\s*(\S+)\s+Time:\s*(\S+)"
_LARGEST = 1 << 26  # bytes; a typical spectrum is a ten-thousandth of this


def read(path: Path) -> Recording:
    """Read a .z file.

    Raises
    ------
    DamagedFileError
        If it is too large, or no line names its columns.
    NoDataError
        If there is no frequency.

    """
    account = LineAccount(path, table="impedance")
    lines = read_lines(path, account, _LARGEST)
    header = next((number for number, line in enumerate(lines) if _is_header(line)), None)
    if header is None:
        raise DamagedFileError(
            "no line with Freq(Hz), Z'(a) and Z''(b)",
            expected="one above the records",
            remedy="save the spectrum again from ZView",
        )
    first = next((number for number, line in enumerate(lines) if line.startswith(_END)), header)
    account.titles = first + 1
    titles = "\n".join(lines[:first])
    frame = _read_records(lines, first + 1, account)
    findings = (*account.findings(), *_count_findings(titles, lines[header - 1], frame.height))
    return build_elapsed_recording(
        "impedance", frame, _start_time(titles), _metadata(titles), findings
    )


def _read_records(lines: list[str], first: int, account: LineAccount) -> pl.DataFrame:
    """Read the lines that have all values; reject the others."""
    rows = [
        (number, re.split(r"[,\t]", line)) for number, line in enumerate(lines) if number >= first
    ]
    rows = [(number, row) for number, row in rows if lines[number]]
    widths = Counter(len(row) for _, row in rows)
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    complete = []
    for number, row in rows:
        values = [_to_number(row[place]) for place in _COLUMNS.values() if place < len(row)]
        if len(row) != width or width < len(_NAMES):
            reason = f"another number of values than {max(width, len(_NAMES))}"
        elif any(value is None for value in values) or not (values[0] or 0) > 0:
            reason = "a value that is no number, or no frequency"
        else:
            complete.append(values)
            continue
        account.reject(number + 1, lines[number], reason)
    frame = pl.DataFrame(complete, schema=dict.fromkeys(_COLUMNS, pl.Float64), orient="row")
    return frame.with_columns(
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), spectrum=pl.lit(1, pl.Int64)
    )


def _to_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _count_findings(titles: str, above: str, found: int) -> tuple[Finding, ...]:
    """Compare the number of frequencies that the titles state with that of the records.

    It is under ``Data Points``, or in a line of its own above the column names.
    """
    stated = re.search(r"Data Points:\s*(\d+)", titles) or re.fullmatch(r"\s*(\d+)\s*", above)
    if stated is None or found >= int(stated[1]):
        return ()
    sentence = (
        f"The file states {stated[1]} frequencies and holds {found}: the sweep was stopped before "
        "its end, or records are missing."
    )
    return (Finding("warning", "fewer_than_stated", sentence, int(stated[1]) - found),)


def _is_header(line: str) -> bool:
    joined = re.sub(r"\s+\(", "(", line.strip('\ufeff "'))
    return tuple(re.split(r"[\s,\"]+", joined)[: len(_NAMES)]) == _NAMES


def _start_time(titles: str) -> datetime | None:
    when = re.search(_WHEN, titles)
    return parse_local_time(f"{when[1]} {when[2]}") if when else None


def _metadata(titles: str) -> dict[str, object]:
    kind = re.search(r"Experiment Type:\s*(\S.*)", titles)
    version = re.search(r"ZPlot:\s*(\S+)", titles)
    metadata: dict[str, object] = {"maker": "Scribner"}
    if kind:
        metadata["technique"] = kind[1].strip()
    if version:
        metadata["software_version"] = version[1]
    return metadata


def _claims(sample: Sample) -> bool:
    return sample.head.removeprefix(b"\xef\xbb\xbf").startswith(_STARTS)


FORMAT = Format(
    "zview_z", "Scribner", (".z",), _claims, read, is_complete=is_complete_text, version=3
)
