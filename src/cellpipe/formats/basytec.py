"""Read BaSyTec's text export: titles that begin with ``~``, then tab-separated records.

The header's units are in brackets; ``Ah-Cyc-Charge`` and the like are in ampere-hours by name.
Current is positive on charge. ``Time`` counts from ``~Start of Test``, the computer's local clock
(day.month.year). ``Line`` is the line of the test plan, ``Command`` the kind of step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from cellpipe.core.model import Recording
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    CELSIUS,
    OHM,
    SECOND,
    VOLT,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    build_elapsed_recording,
    count_steps,
    match_required,
    metadata_from_labels,
)

QUANTITIES = (
    Quantity("test_time_second", ("~Time", "Time"), SECOND, bare=None),
    Quantity("record_index", ("DataSet",)),
    Quantity("step_time_second", ("t-Step",), SECOND, bare=None),
    Quantity("step_id", ("Line",)),
    Quantity("step_type", ("Command",)),
    Quantity("voltage_volt", ("U",), VOLT, bare=None),
    Quantity("current_ampere", ("I",), AMPERE, bare=None),
    Quantity("vendor_charging_capacity_ah", ("Ah-Cyc-Charge",)),
    Quantity("vendor_discharging_capacity_ah", ("Ah-Cyc-Discharge",)),
    Quantity("vendor_charging_energy_wh", ("Wh-Cyc-Charge",)),
    Quantity("vendor_discharging_energy_wh", ("Wh-Cyc-Discharge",)),
    Quantity("cycle_count", ("Cyc-Count",)),
    Quantity("internal_resistance_ohm", ("R-DC",), OHM),
    Quantity("temperature_t{}_celsius", ("T#",), CELSIUS, numbered=True),
)
_NEEDED = {"test_time_second": "Time[s]", "voltage_volt": "U[V]", "current_ampere": "I[A]"}
_match_columns = partial(match_required, quantities=QUANTITIES, needed=_NEEDED)
_STARTED = r"~Start of Test: *(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d)"


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header line; 0 if it is not BaSyTec's."""
    targets = find_targets(fields, QUANTITIES)
    is_header = fields[0].startswith("~") and {"voltage_volt", "current_ampere"} <= targets.keys()
    return sum(targets.values()) if is_header else 0


def read(path: Path) -> Recording:
    """Read a BaSyTec text file.

    Raises
    ------
    DamagedFileError
        If a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    header = delimited.read_header(path, header_score)
    if header is None:
        raise delimited.no_header_error("BaSyTec", "~Time[s], U[V], I[A]")
    titles = delimited.read_titles(path, header)
    header = replace(header, fields=(header.fields[0].lstrip("~"), *header.fields[1:]))
    table, findings = delimited.read_flat_table(path, header, _match_columns, bare_seconds=False)
    started = re.search(_STARTED, titles)
    moment = datetime.strptime(started[1], "%d.%m.%Y %H:%M:%S") if started else None  # noqa: DTZ007
    table = table.with_columns(count_steps(table))
    return build_elapsed_recording("timeseries", table, moment, _metadata(titles), findings)


def _metadata(titles: str) -> dict[str, object]:
    pairs = re.findall(r"^~([A-Z][\w ()]*): *(\S.*)$", titles, re.MULTILINE)
    return {"maker": "BaSyTec"} | metadata_from_labels(pairs)


def _claims(sample: Sample) -> bool:
    return delimited.find_header(sample.head, header_score) is not None


FORMAT = Format(
    "basytec_txt",
    "BaSyTec",
    (".txt", ".csv"),
    _claims,
    read,
    is_complete=is_complete_text,
    version=3,
)
