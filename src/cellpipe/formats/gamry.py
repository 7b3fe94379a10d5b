"""Read Gamry's .DTA files (Framework): labelled settings, then tables separated by tabs.

A line such as ``ZCURVE TABLE`` begins a table; the lines below, each after an empty field, hold the
names, the units and the records. ``ZCURVE`` is an impedance spectrum (``Zimag`` is negative if
capacitive); ``CURVE``, ``CURVE1`` … hold time, potential ``Vf`` and current ``Im``. An open-circuit
curve is read only if there is no other table. ``DATE`` and ``TIME`` are the computer's local clock
at the start. Positive current oxidises the working electrode. Gamry writes a temperature that no
probe can measure (below −200 °C or above 1000 °C) where there was no probe.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats import clock
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.gaps import find_number_gaps
from cellpipe.formats.tabular.dialect import OHM
from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.records import build_elapsed_recording
from cellpipe.formats.tabular.text_blocks import read_lines

_TABLE = re.compile(r"^(\w+)\tTABLE(?:\t(\d+))?")
_RECORD = re.compile(r"^\t\d+\t[^\t]*\t[^\t]*\t")
_LABEL = re.compile(r"^[A-Z][A-Z0-9_]*\t[A-Z]+\t")
_LARGEST = 1 << 28  # bytes; a typical file is a thousandth of this
_LABELS = {
    "TAG": "technique", "TITLE": "title", "PSTAT": "instrument", "PSTATSERIALNO": "serial_number",
    "FRAMEWORKVERSION": "software_version", "AREA": "electrode_area_cm2",
}  # fmt: skip
_IMPEDANCE = (
    ("Pt", "record_index"), ("Freq", "frequency_hertz"), ("Zreal", "real_impedance_ohm"),
    ("Zimag", "imaginary_impedance_ohm"), ("Time", "test_time_second"), ("Vdc", "voltage_volt"),
    ("Idc", "current_ampere"),
)  # fmt: skip
_CURVE = (("T", "test_time_second"), ("Vf", "voltage_volt"), ("Im", "current_ampere"))
_WANTED = {source for source, _ in (*_IMPEDANCE, *_CURVE)} | {"Temp"}
_TABLE_NAMES = ("ZCURVE", "CURVE", "OCVCURVE")
_OTHER_TABLES = (
    "OCVCURVE",
    "FRACURVE",
    "EFMCURVE",
    "CURVE",
    "ZCURVE",
)  # may be there and are not needed
_MODES = {"CV": "ramp", "LSV": "ramp", "CHRONOA": "CV", "CHRONOP": "CC"}  # by the technique
_UNITS = {"Freq": "Hz", "Zreal": "ohm", "Zimag": "ohm", "Time": "s", "T": "s", "Im": "A",
          "Idc": "A", "Vdc": "V"}  # fmt: skip
_SCALED = ("Zreal", "Zimag")  # which may be in another unit of Ω


@dataclass(frozen=True)
class _Table:
    name: str
    columns: dict[str, pl.Series]
    rows: int
    stated: int | None
    line: int


def read(path: Path) -> Recording:
    """Read a .DTA file.

    Raises
    ------
    DamagedFileError
        If it is too large, or its tables lack a needed column or state a unit that is not Gamry's.
    NoDataError
        If it has no table with records.

    """
    account = LineAccount(path)
    lines = read_lines(path, account, _LARGEST)
    labels = _parse_labels(lines)
    tables = [table for table in _parse_tables(lines, account) if table.rows]
    spectra = [table for table in tables if table.name.startswith("ZCURVE")]
    curves = [table for table in tables if table.name.startswith("CURVE")]
    spectra, curves, findings = _split_off_repeated(spectra, curves)
    curves = curves or [table for table in tables if table.name == "OCVCURVE"]
    if not spectra and not curves:
        raise NoDataError(
            f"the tables {', '.join(t.name for t in tables) or 'none'}",
            expected="a ZCURVE or a CURVE with records",
            remedy="nothing if the test was stopped at once; else copy the file again",
        )
    account.table = "impedance" if spectra else "timeseries"
    started, start_findings = _start_time(labels)
    findings += [*start_findings, *account.findings(), *_table_findings(spectra or curves)]
    if labels.get("TAG", "").upper().startswith("EIS") and not spectra:
        sentence = f"The technique is {labels['TAG']}, but there is no spectrum: it may be lost."
        findings.append(Finding("warning", "spectrum_missing", sentence))
    metadata = {"maker": "Gamry"} | {
        key: labels[label] for label, key in _LABELS.items() if labels.get(label)
    }
    if spectra:
        parts = [_spectrum(table, number) for number, table in enumerate(spectra, 1)]
        frame, name = pl.concat(parts, how="diagonal"), "impedance"
    else:
        mode = _MODES.get(labels.get("TAG", "").upper())
        frame = pl.concat([_curve(table, mode) for table in curves], how="diagonal")
        name = "timeseries"
    if labels.get("EXPERIMENTABORTED", "").upper().startswith("T"):
        sentence = "The experiment was stopped before its end."
        findings.append(Finding("info", "experiment_aborted", sentence))
    frame = frame.with_columns(record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    return build_elapsed_recording(name, frame, started, metadata, findings)


def _split_off_repeated(
    spectra: list[_Table], curves: list[_Table]
) -> tuple[list[_Table], list[_Table], list[Finding]]:
    """Return the tables without those that repeat another; say so, and which are not read."""
    findings = []
    once: list[_Table] = []
    for table in (*spectra, *curves):
        same = next((other for other in once if _holds_same(other, table)), None)
        if same is None:
            once.append(table)
            continue
        sentence = (
            f"The table {table.name} in line {table.line:,} repeats that in line {same.line:,}, "
            f"its {table.rows:,} records are left out: two files may have been joined."
        )
        findings.append(Finding("warning", "table_repeated", sentence, table.rows))
    for table in once:
        if spectra and table.name.startswith("CURVE"):
            sentence = (
                f"The table {table.name} in line {table.line:,} ({table.rows:,} records) stands "
                "beside a spectrum and is left out: export it to a file of its own."
            )
            findings.append(Finding("warning", "table_left_out", sentence, table.rows))
    names = Counter(table.name for table in once)
    for name in (name for name, number in names.items() if number > 1):
        lines = ", ".join(f"{table.line:,}" for table in once if table.name == name)
        sentence = (
            f"{names[name]} tables are called {name} (lines {lines}): two files may have been "
            "joined."
        )
        findings.append(Finding("warning", "tables_joined", sentence))
    return (
        [table for table in once if table.name.startswith("ZCURVE")],
        [table for table in once if table.name.startswith("CURVE")],
        findings,
    )


def _holds_same(one: _Table, other: _Table) -> bool:
    """Return whether two tables of a name hold the same records."""
    return (
        one.columns.keys() == other.columns.keys()
        and one.rows == other.rows
        and all(column.equals(other.columns[name]) for name, column in one.columns.items())
    )


def _parse_labels(lines: list[str]) -> dict[str, str]:
    """Return the settings by their labels; the value follows the label and its type."""
    labels: dict[str, str] = {}
    for line in lines:
        fields = [field.strip() for field in line.split("\t")]
        if line.startswith("\t") or len(fields) < 2 or fields[1] == "TABLE":
            continue
        labels.setdefault(fields[0], fields[1] if fields[0] == "TAG" else "".join(fields[2:3]))
    return labels


def _parse_tables(lines: list[str], account: LineAccount) -> Iterator[_Table]:
    """Yield the tables that may be read; lines below the first that belong to none are rejected.

    A table ends where the next begins, or at a label; any other line that has no empty first field
    is one of its records, damaged.
    """
    starts = [number for number, line in enumerate(lines) if _TABLE.match(line)]
    account.titles = starts[0] + 1 if starts else 0
    settings = {label[0] for line in lines[: account.titles] if (label := _LABEL.match(line))}
    for number, line in enumerate(lines[: account.titles], 1):
        if _RECORD.match(line):
            account.reject(number, line, "a record above the tables")
    for start, end in pairwise([*starts, len(lines)]):
        title = _TABLE.match(lines[start])
        numbers = [number for number in range(start + 1, end) if lines[number]]
        body = list(takewhile(lambda number: not _LABEL.match(lines[number]), numbers))
        for number in numbers[len(body) :]:
            label = _LABEL.match(lines[number])
            if not label:
                account.reject(number + 1, lines[number], "no table that it belongs to")
            elif label[0] in settings:
                account.reject(number + 1, lines[number], "a setting that stands above already")
        if title and title[1].startswith(_TABLE_NAMES) and len(body) >= 2:
            stated = int(title[2]) if title[2] else None
            yield _parse_table(title[1], stated, lines, body, account)
        elif title and not title[1].startswith(_OTHER_TABLES):
            account.reject(start + 1, lines[start], "a table that is not known")
        if title and title[1].startswith(("ZCURVE", "CURVE")) and len(body) <= 2:
            account.reject(start + 1, lines[start], "a table without records")


def _parse_table(
    name: str, stated: int | None, lines: list[str], body: list[int], account: LineAccount
) -> _Table:
    """Return a table's columns as numbers, without the lines that lack values."""
    fields = {number: lines[number].split("\t")[1:] for number in body}
    names, units = fields[body[0]], fields[body[1]]
    factors: dict[str, float] = {}
    for column, unit in zip(names, units, strict=False):
        if column in _SCALED and unit.strip() in OHM:
            factors[column] = OHM[unit.strip()]
        elif column in _UNITS and unit.strip() != _UNITS[column]:
            raise DamagedFileError(
                f"column {column!r} of table {name} in unit {unit!r}",
                expected=_UNITS[column],
                remedy="export the file again from Gamry Framework",
            )
    widths = Counter(len(fields[number]) for number in body[2:])
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    complete = []
    for number in body[2:]:  # the last column may have no values
        row = fields[number]
        if len(row) != width or width < len(names) - 1 or not lines[number].startswith("\t"):
            reason = f"another number of values than {max(width, len(names) - 1)} in table {name}"
            account.reject(number + 1, lines[number], reason)
        elif names[0] == "Pt" and not row[0].strip().isdigit():
            account.reject(number + 1, lines[number], "no number of a point")
        else:
            complete.append(row)
    columns = {
        column: pl.Series(
            column, [row[index] if index < len(row) else None for row in complete], pl.String
        )
        .str.replace(",", ".", literal=True)
        .cast(pl.Float64, strict=False)
        * factors.get(column, 1.0)
        for index, column in enumerate(names)
        if column in _WANTED
    }
    return _Table(name, columns, len(complete), stated, body[0])


def _table_findings(tables: list[_Table]) -> Iterator[Finding]:
    """Yield what the numbers of tables and of points tell of records that are missing."""
    numbers = [int(digits[0]) for t in tables if (digits := re.search(r"\d+$", t.name))]
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        shown = ", ".join(str(number) for number in numbers)
        sentence = f"The tables {tables[0].name[:-1]} are numbered {shown}: others are missing."
        yield Finding("warning", "records_missing", sentence)
    for table in tables:
        if table.stated is not None and table.rows < table.stated:
            sentence = (
                f"The table {table.name} states {table.stated:,} records and holds {table.rows:,}: "
                "the test was stopped before its end, or records are missing."
            )
            missing = table.stated - table.rows
            yield Finding("warning", "fewer_than_stated", sentence, missing)
        points = table.columns.get("Pt")
        if points is not None and points.null_count() == 0 and (points.diff() > 0).all():
            yield from find_number_gaps(points.cast(pl.Int64))


def _select_columns(
    table: _Table, wanted: tuple[tuple[str, str], ...], needed: int
) -> pl.DataFrame:
    missing = [source for source, _ in wanted[:needed] if source not in table.columns]
    if missing:
        raise DamagedFileError(
            f"a table {table.name} without {', '.join(missing)}",
            expected=f"{', '.join(source for source, _ in wanted[:needed])}",
            remedy="leave it out of the folder if its technique is none of a battery's cycling",
        )
    columns = [
        table.columns[source].alias(target) for source, target in wanted if source in table.columns
    ]
    frame = pl.DataFrame(columns)
    if "Temp" in table.columns:
        celsius = table.columns["Temp"]
        plausible = celsius.is_between(-200, 1000)
        if plausible.any():
            frame = frame.with_columns(
                celsius.alias("ambient_temperature_celsius").set(~plausible, None)
            )
    return frame


def _spectrum(table: _Table, number: int) -> pl.DataFrame:
    frame = _select_columns(table, _IMPEDANCE, 4)
    if "test_time_second" not in frame.columns:
        frame = frame.with_columns(test_time_second=pl.lit(None, pl.Float64))
    return frame.with_columns(spectrum=pl.lit(number, pl.Int64))


def _curve(table: _Table, mode: str | None) -> pl.DataFrame:
    """Return a curve's records; ``mode`` is that of its technique, if known."""
    frame = _select_columns(table, _CURVE, 2)
    if table.name.startswith("OCV") or "current_ampere" not in frame.columns:
        mode = "rest"
    if "current_ampere" not in frame.columns:
        frame = frame.with_columns(current_ampere=pl.lit(0.0))
    return frame.with_columns(step_mode=pl.lit(mode, pl.String))


def _start_time(labels: dict[str, str]) -> tuple[datetime | None, list[Finding]]:
    text = f"{labels.get('DATE', '')} {labels.get('TIME', '')}".strip()
    if not labels.get("DATE"):
        return None, []
    dates = clock.parse_dates(pl.Series([text]), None)
    seconds = dates.seconds[0]
    if seconds is None:
        return None, list(dates.findings)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - the instrument's local clock
    return epoch + timedelta(seconds=float(seconds)), list(dates.findings)


def _claims(sample: Sample) -> bool:
    head = sample.head.removeprefix(b"\xef\xbb\xbf")
    return head.startswith(b"EXPLAIN") and (b"\tTABLE" in head or b"\nTAG\t" in head)


FORMAT = Format(
    "gamry_dta", "Gamry", (".dta",), _claims, read, is_complete=is_complete_text, version=5
)
