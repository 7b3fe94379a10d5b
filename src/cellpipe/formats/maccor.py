"""Read Maccor's text export (MIMS Client), tab- or comma-separated, with titles above the records.

``Amp-hr``, ``mAmps`` and the like contain their unit; ``Current [A]`` and plain ``Current`` occur
too, and are in amperes, volts and ampere-hours. ``Test (Min)`` is a number in the unit of its
header; ``TestTime`` is clock text, or a number without a unit: then the unit is derived from the
dates beside it, and a file without dates is refused. ``Volts`` holds millivolts in exports in mA,
which the ratio of energy to charge shows. Current is positive on charge; most exports print no
sign, which is then taken from ``State`` (C, D, R …). The counters restart at each step. ``DPt
Time`` is the computer's local clock; where it has no date, the date of the test is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.core.recordings.sign_correction import correct_signs
from cellpipe.formats import clock
from cellpipe.formats.damaged_records import LINE, find_unreadable
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    CLOCK,
    VOLT,
    WATT_HOUR,
    Match,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    DURATIONS,
    build_elapsed_recording,
    build_recording,
    count_steps,
    match_required,
    split_counters,
    standard_columns,
)

_RENAMED = (  # names that contain their unit
    (r"^(m?)Amp-?hrs?$", r"Capacity(\1Ah)"),
    (r"^(m?)Watt-?hrs?$", r"Energy(\1Wh)"),
    (r"^(m?)Amps$", r"Current(\1A)"),
    (r"^Volts$", "Voltage(V)"),
    (r"^(Test|Step) ?(?:Time)? ?\((Sec|Min|Hr)s?\)$", r"\1Time(\2)"),
    (r"^Cyc(?:le)?(?:#| C)?$", "Cycle"),
)
_TIMES = CLOCK | {"Sec": 1.0, "Min": 60.0, "Hr": 3600.0}
QUANTITIES = (
    Quantity("record_index", ("Rec#", "Rec")),
    Quantity("cycle_count", ("Cycle",)),
    Quantity("step_id", ("Step",)),
    Quantity("test_time_second", ("TestTime",), _TIMES),
    Quantity("step_time_second", ("StepTime",), _TIMES),
    Quantity("capacity_ah", ("Capacity", "Cap."), AMPERE_HOUR),
    Quantity("energy_wh", ("Energy", "Ener."), WATT_HOUR),
    Quantity("current_ampere", ("Current",), AMPERE),
    Quantity("voltage_volt", ("Voltage",), VOLT),
    Quantity("step_type", ("State", "Md")),
    Quantity("unix_time_second", ("DPt Time",)),
    Quantity("temperature_t{}_celsius", ("Temp #",), CELSIUS, numbered=True),
)
_NEEDED = {"test_time_second": "Test (Sec)", "voltage_volt": "Volts", "current_ampere": "Amps"}
_match_columns = partial(match_required, quantities=QUANTITIES, needed=_NEEDED)
_SECONDS = (1.0, 60.0, 3600.0)
_CLOCK_TEXT = r"^\s*\d{1,2}:\d\d:\d\d\s*$"
_TITLES = {
    "file": r"Filename:\s*(.*?)\s*Procedure:", "procedure": r"Procedure:?\s+(.*?)\s*(?:\t|\n|$)",
    "comments": r"Comment/Barcode:\s*(.*)", "channel": r"^Channel:?\s+(\S+)",
    "instrument": r"^Tester\s+(.*)", "description": r"^Description\s+(.*)",
}  # fmt: skip
_STARTED = r"(?:Date of Test:|Started)[\s,]+(\d[^\t\n]*?)\s*(?:\t|\n|$)"
_DAYS = ("%m/%d/%Y", "%d-%b-%y", "%d.%m.%Y", "%Y-%m-%d")


def _rename_field(field: str) -> str:
    for pattern, replacement in _RENAMED:
        field = re.sub(pattern, replacement, field)
    return field


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header line; 0 if it is not Maccor's."""
    if not fields or fields[0] not in {"Rec", "Rec#"}:
        return 0
    targets = find_targets(map(_rename_field, fields), QUANTITIES)
    is_header = {"record_index", "step_id", "test_time_second"} <= targets.keys()
    return sum(targets.values()) if is_header else 0


def read(path: Path) -> Recording:
    """Read a Maccor text file.

    Raises
    ------
    DamagedFileError
        If a needed column is missing, or a unit is unknown and can't be derived.
    NoDataError
        If there is no record.

    """
    header = delimited.read_header(path, header_score)
    if header is None:
        raise delimited.no_header_error("Maccor", "Rec#, Step, Amps, Volts")
    titles = delimited.read_titles(path, header)
    header = replace(header, fields=tuple(map(_rename_field, header.fields)))
    frame, matches, table_findings = delimited.read_vendor_table(path, header, _match_columns)
    findings = list(table_findings)
    matches, started = _resolve_start(frame, matches, titles)
    matches = _resolve_time_unit(frame, matches, findings)
    table = standard_columns(frame, matches, bare_seconds=True).with_columns(frame[LINE])
    for match in matches:
        if match.target in DURATIONS:
            what = f"value of the column {match.header}"
            findings += find_unreadable(
                frame[match.header], table[match.target], table, what, "values_unreadable"
            )
    table = _convert_to_volts(table, findings)
    table, sign_findings = correct_signs(table.with_columns(count_steps(table)))
    table, metadata = split_counters(table), _metadata(titles)
    if started is None:
        return build_recording(table, metadata, (*findings, *sign_findings))
    first = float(table["test_time_second"][0] or 0)
    started -= timedelta(seconds=first)  # it was the first record's time of day
    return build_elapsed_recording(
        "timeseries", table, started, metadata, (*findings, *sign_findings)
    )


def _find_header(matches: Sequence[Match], target: str) -> str:
    return next((match.header for match in matches if match.target == target), "")


def _resolve_start(
    frame: pl.DataFrame, matches: list[Match], titles: str
) -> tuple[list[Match], datetime | None]:
    """Return the matches and, where the dates are times of day only, the start by the titles.

    Such a column of times is left out of the matches.
    """
    column = _find_header(matches, "unix_time_second")
    times = frame[column].drop_nulls() if column else pl.Series(dtype=pl.String)
    if not times.len() or not re.match(_CLOCK_TEXT, times[0]):
        return matches, None
    rest = [match for match in matches if match.header != column]
    day = _test_day(titles)
    if day is None:
        return rest, None
    hours, minutes, seconds = (int(part) for part in times[0].split(":"))
    return rest, day.replace(hour=hours, minute=minutes, second=seconds)


def _test_day(titles: str) -> datetime | None:
    stated = re.search(_STARTED, titles)
    if stated is None:
        return None
    for pattern in _DAYS:
        try:
            return datetime.strptime(stated[1].split()[0], pattern)  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _resolve_time_unit(
    frame: pl.DataFrame, matches: list[Match], findings: list[Finding]
) -> list[Match]:
    """Derive the unit of a test time that states none from the dates beside it.

    Raises
    ------
    DamagedFileError
        If the dates don't allow it.

    """
    column = _find_header(matches, "test_time_second")
    if "(" in column or frame[column].dtype != pl.String:
        return matches
    numbers = frame[column].str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.null_count() == numbers.len():
        return matches
    factor = _unit_from_dates(
        numbers, frame.get_column(_find_header(matches, "unix_time_second"), default=None)
    )
    if factor is None:
        raise DamagedFileError(
            f"column {column!r} with numbers and no unit",
            expected="a unit in its header, or dates that tell it",
            remedy="export the file again with times as h:m:s",
        )
    sentence = f"The test time has no unit; by the dates one is {factor:g} s."
    findings.append(Finding("info", "time_unit_by_dates", sentence))
    times = {"test_time_second", "step_time_second"}
    return [replace(match, factor=factor) if match.target in times else match for match in matches]


def _unit_from_dates(numbers: pl.Series, dates: pl.Series | None) -> float | None:
    """Return the unit, in seconds, with which the times span as long as the dates, or None."""
    if dates is None:
        return None
    moments = clock.parse_dates(dates, None).seconds
    both = pl.DataFrame({"time": numbers, "moment": moments}).drop_nulls()
    if both.height < 2 or both["time"][-1] <= both["time"][0]:
        return None
    ratio = (both["moment"][-1] - both["moment"][0]) / (both["time"][-1] - both["time"][0])
    return next((unit for unit in _SECONDS if abs(ratio / unit - 1) < 0.05), None)


def _convert_to_volts(table: pl.DataFrame, findings: list[Finding]) -> pl.DataFrame:
    """Convert a column Volts that holds millivolts, by the ratio of energy to charge, to volts."""
    if not {"capacity_ah", "energy_wh"} <= {*table.columns}:
        return table
    counted = table.filter((pl.col("capacity_ah").abs() > 0) & (pl.col("energy_wh").abs() > 0))
    mean_voltage = (counted["energy_wh"] / counted["capacity_ah"]).abs()
    ratio = (counted["voltage_volt"].abs() / mean_voltage).median()
    if not isinstance(ratio, float) or not 300 < ratio < 3000:
        return table
    sentence = "The column Volts holds millivolts: its energy over its charge says so."
    findings.append(Finding("info", "voltage_in_millivolt", sentence, table.height))
    return table.with_columns(pl.col("voltage_volt") / 1000)


def _metadata(titles: str) -> dict[str, object]:
    metadata: dict[str, object] = {"maker": "Maccor"}
    for name, pattern in _TITLES.items():
        match = re.search(pattern, titles, re.MULTILINE)
        if match and match[1].strip():
            metadata[name] = match[1].strip()
    return metadata


def _claims(sample: Sample) -> bool:
    return delimited.find_header(sample.head, header_score) is not None


FORMAT = Format(
    "maccor_txt",
    "Maccor",
    (".txt", ".csv", *(f".{n:03d}" for n in range(1000))),
    _claims,
    read,
    is_complete=is_complete_text,
    version=3,
)
