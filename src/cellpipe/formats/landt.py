"""Read LAND's (LANHE's) Excel export: sheet ``Record`` with the records, ``Cycle`` with the cycles.

Units follow a slash (``TestTime/h``, ``Current/mA``). Current is positive on charge; ``Capacity``
restarts at each step; ``State`` (R, C_CC, D_CC …) is the kind of step. The records have no date and
no cycle number; ``Cycle`` has one row per cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellpipe.core.errors import NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.core.recordings.sign_correction import correct_signs
from cellpipe.formats.file_ends import is_complete_workbook
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import workbook
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    SECOND,
    VOLT,
    WATT_HOUR,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    build_recording,
    count_steps,
    match_required,
    split_counters,
    standard_columns,
    vendor_cycles,
)

QUANTITIES = (
    Quantity("record_index", ("Index", "Record")),
    Quantity("test_time_second", ("TestTime",), SECOND, bare=None),
    Quantity("step_time_second", ("StepTime",), SECOND, bare=None),
    Quantity("voltage_volt", ("Voltage",), VOLT, bare=None),
    Quantity("current_ampere", ("Current",), AMPERE, bare=None),
    Quantity("capacity_ah", ("Capacity",), AMPERE_HOUR, bare=None),
    Quantity("energy_wh", ("Energy",), WATT_HOUR, bare=None),
    Quantity("step_type", ("State",)),
    Quantity("cycle_count", ("Cycle-Index",)),
    Quantity("step_id", ("Step-Index",)),
    Quantity("unix_time_second", ("SysTime",)),
)
CYCLE_QUANTITIES = (
    Quantity("cycle_count", ("Index", "Cycle-Index", "Cycle")),
    Quantity("vendor_charging_capacity_ah", ("Charge-Cap",), AMPERE_HOUR, bare=None),
    Quantity("vendor_discharging_capacity_ah", ("Discharge-Cap",), AMPERE_HOUR, bare=None),
    Quantity("vendor_charging_energy_wh", ("Charge-Energy",), WATT_HOUR, bare=None),
    Quantity("vendor_discharging_energy_wh", ("Discharge-Energy",), WATT_HOUR, bare=None),
)
_NEEDED = {
    "test_time_second": "TestTime/h",
    "voltage_volt": "Voltage/V",
    "current_ampere": "Current/mA",
}
_VENDOR_CYCLES = "Cycle"


def _is_header(row: Sequence[str]) -> bool:
    targets = find_targets(row, QUANTITIES)
    return {*_NEEDED} <= targets.keys() and all("/" in field for field in row if "Time" in field)


def read(path: Path) -> Recording:
    """Read a LAND workbook.

    Raises
    ------
    DamagedFileError
        If it can't be opened, or a needed column is missing or in an unknown unit.
    NoDataError
        If no sheet holds records.

    """
    sheets = workbook.read_sheets(path)
    headers = [(s, index) for s in sheets for index, row in enumerate(s.rows) if _is_header(row)]
    if not headers:
        raise NoDataError(
            f"no records on the sheets {', '.join(sheet.name for sheet in sheets)}",
            expected="a sheet Record with TestTime/h, Voltage/V and Current/mA",
            remedy="export the workbook again with the records",
        )
    names = workbook.column_names(*headers[0])
    matches = match_required(names, QUANTITIES, _NEEDED)
    row_findings: list[Finding] = []
    frame = workbook.read_columns(
        path, *headers[0], matches, bare_seconds=False, findings=row_findings
    )
    table = standard_columns(frame, matches, bare_seconds=False)
    table, sign_findings = correct_signs(table.with_columns(count_steps(table)))
    recording = build_recording(
        split_counters(table), {"maker": "LAND"}, [*row_findings, *sign_findings]
    )
    if _VENDOR_CYCLES not in {sheet.name for sheet in sheets}:
        return recording
    cycle_rows = workbook.read_text_table(path, _VENDOR_CYCLES)
    cycles = vendor_cycles(cycle_rows, CYCLE_QUANTITIES, bare_seconds=False)
    return replace(recording, tables={**recording.tables, **cycles})


def _claims(sample: Sample) -> bool:
    names = workbook.sheet_names(sample)
    return bool(names) and any(
        _is_header(row) for sheet in workbook.try_read_sheets(sample.path) for row in sheet.rows
    )


FORMAT = Format(
    "landt_xlsx", "LAND", (".xlsx",), _claims, read, is_complete=is_complete_workbook, version=3
)
