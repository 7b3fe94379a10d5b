"""Read ZView's and ZPlot's .z files: one impedance spectrum.

Titles (``ZPLOT2 ASCII`` … ``End Comments``, or ``"ZPlotW Data File``), which include the column
names, are followed by one line per frequency, separated by commas or tabs: ``Freq(Hz)``, ``Ampl``,
``Bias``, ``Time(Sec)``, ``Z'(a)``, ``Z''(b)`` and others. ``Z''`` is the imaginary part with its
sign, negative if capacitive. ``Date`` (month-day-year) and ``Time`` are the computer's local clock.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.biologic.companion import parse_local_time
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular.records import build_elapsed_recording

_NAMES = ("Freq(Hz)", "Ampl", "Bias", "Time(Sec)", "Z'(a)", "Z''(b)")
_COLUMNS = {
    "frequency_hertz": 0, "test_time_second": 3, "real_impedance_ohm": 4,
    "imaginary_impedance_ohm": 5,
}  # fmt: skip
_STARTS = (b"ZPLOT2 ASCII", b'"ZPlotW Data File')
_END = "End Comments"
_WHEN = r"Date:\s*(\S+)\s+Time:\s*(\S+)"
_LARGEST = 1 << 26  # bytes; a typical spectrum is a ten-thousandth of this


def read(path: Path) -> Recording:
    """Read a .z file.

    Raises
    ------
    DamagedFileError
        If no line names its columns.
    NoDataError
        If there is no frequency.

    """
    with path.open("rb") as stream:
        lines = stream.read(_LARGEST).decode("cp1252", "replace").splitlines()
    header = next((number for number, line in enumerate(lines) if _is_header(line)), None)
    if header is None:
        raise DamagedFileError(
            "no line with Freq(Hz), Z'(a) and Z''(b)",
            expected="one above the records",
            remedy="save the spectrum again from ZView",
        )
    first = next((number for number, line in enumerate(lines) if line.startswith(_END)), header)
    titles = "\n".join(lines[:first])
    rows = [re.split(r"[,\t]", line) for line in lines[first + 1 :] if line.strip()]
    width = max((len(row) for row in rows), default=0)
    complete = [row for row in rows if len(row) == width >= len(_NAMES)]
    findings = []
    if len(complete) < len(rows):
        sentence = f"{len(rows) - len(complete)} lines are not whole and are left out."
        findings.append(Finding("warning", "lines_left_out", sentence, len(rows) - len(complete)))
    frame = pl.DataFrame(
        {
            name: pl.Series([row[index] for row in complete], dtype=pl.String)
            for name, index in _COLUMNS.items()
        }
    ).select(pl.all().str.strip_chars().cast(pl.Float64, strict=False))
    frame = frame.filter(pl.col("frequency_hertz") > 0).with_columns(
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), spectrum=pl.lit(1, pl.Int64)
    )
    return build_elapsed_recording(
        "impedance", frame, _start_time(titles), _metadata(titles), findings
    )


def _is_header(line: str) -> bool:
    return tuple(re.split(r"[\s,\"]+", line.strip(' "'))[: len(_NAMES)]) == _NAMES


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
    return sample.head.startswith(_STARTS)


FORMAT = Format("zview_z", "Scribner", (".z",), _claims, read, is_complete=is_complete_text)
