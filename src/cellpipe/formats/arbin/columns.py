"""Define Arbin's quantities: the column names of all versions of MITS Pro and of its database.

Names have underscores (``Test_Time(s)``) or spaces (``Test Time (s)``), and a unit or, in exports
of the database, none. Arbin documents s, A, V, Ah, Wh, Ohm and °C for those. Current is positive on
charge. ``Charge_Capacity`` and ``Discharge_Capacity`` count in parallel and return to zero where
the schedule says so: at a cycle, at a step, or never. ``Step_Index`` is the line of the schedule;
the steps as run are counted here; what a line does is known only where an export has a column
``Step_Type`` or ``Mode``. ``Data_Point`` numbers the records; the rows of a database export
need not be in its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from cellpipe.core.model import Finding, Recording
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    OHM,
    SECOND,
    VOLT,
    WATT_HOUR,
    Match,
    Quantity,
    find_targets,
    normalize_name,
    split_header,
)
from cellpipe.formats.tabular.records import (
    CYCLE_TARGETS,
    build_recording,
    count_steps,
    match_required,
)

QUANTITIES = (
    Quantity("record_index", ("Data_Point",)),
    Quantity("test_time_second", ("Test_Time", "Total_Time"), SECOND),
    Quantity("step_time_second", ("Step_Time",), SECOND),
    Quantity("unix_time_second", ("Date_Time",)),
    Quantity("voltage_volt", ("Voltage",), VOLT),
    Quantity("current_ampere", ("Current",), AMPERE),
    Quantity("cycle_count", ("Cycle_Index", "Cycle_ID")),
    Quantity("step_id", ("Step_Index", "Step_ID")),
    Quantity("step_type", ("Step_Type", "Mode")),
    Quantity("internal_resistance_ohm", ("Internal_Resistance",), OHM),
    Quantity("vendor_charging_capacity_ah", ("Charge_Capacity",), AMPERE_HOUR),
    Quantity("vendor_discharging_capacity_ah", ("Discharge_Capacity",), AMPERE_HOUR),
    Quantity("vendor_charging_energy_wh", ("Charge_Energy",), WATT_HOUR),
    Quantity("vendor_discharging_energy_wh", ("Discharge_Energy",), WATT_HOUR),
    Quantity("temperature_t1_celsius", ("Temperature", "Aux_Temperature"), CELSIUS),
    Quantity("temperature_t{}_celsius", ("Aux_Temperature_#",), CELSIUS, numbered=True),
    Quantity("auxiliary_voltage_v{}_volt", ("Aux_Voltage_#",), VOLT, numbered=True),
)
CYCLE_QUANTITIES = (
    *(quantity for quantity in QUANTITIES if quantity.target in {*CYCLE_TARGETS, "record_index"}),
    Quantity("charging_time_second", ("Charge_Time",), SECOND),
    Quantity("discharging_time_second", ("Discharge_Time",), SECOND),
    Quantity("highest_voltage_volt", ("Vmax_On_Cycle",), VOLT),
)
_NEEDED = {
    "test_time_second": "Test_Time(s)",
    "voltage_volt": "Voltage(V)",
    "current_ampere": "Current(A)",
}
_FOREIGN_NAMES = {
    *("totaltime", "cumulativetime"),  # Neware's
    *("chargetime", "dischargetime", "vmaxoncycle"),  # Arbin's tables of cycles and of steps
}


def header_score(fields: Sequence[str]) -> int:
    """Score the known columns in a header line, 2 with a known unit, else 1; 0: not Arbin's."""
    if any("/" in field.split("(")[0] and " / " in field for field in fields):
        return 0  # the Battery Data Format's "Current / A"
    targets = find_targets(fields, QUANTITIES)
    names = {normalize_name(split_header(field)[0]) for field in fields}
    counts = {"record_index", "vendor_charging_capacity_ah"} & targets.keys()
    if "testtime" not in names or "step_id" not in targets or names & _FOREIGN_NAMES or not counts:
        return 0
    if not {"voltage_volt", "current_ampere"} & targets.keys():
        return 0  # one of them identifies the file; reading it then reports the missing one
    return sum(2 if unit_is_known else 1 for unit_is_known in targets.values())


def match_columns(headers: Sequence[str]) -> list[Match]:
    """Match headers with Arbin's quantities.

    Raises
    ------
    DamagedFileError
        If a needed column is missing, or the unit of one is not known.

    """
    return match_required(headers, QUANTITIES, _NEEDED)


def to_recording(
    table: pl.DataFrame, metadata: Mapping[str, object], findings: Sequence[Finding] = ()
) -> Recording:
    """Return the recording built from Arbin's records in standard columns."""
    table, sort_findings = _sort_records(table)
    table = table.with_columns(count_steps(table))
    return build_recording(table, {"maker": "Arbin"} | dict(metadata), (*findings, *sort_findings))


def _sort_records(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Sort records by their numbers, if no number is missing or repeated."""
    if "record_index" not in table.columns or table["record_index"].is_sorted():
        return table, ()
    numbers = table["record_index"]
    if numbers.null_count() or numbers.n_unique() < numbers.len():
        return table, ()
    moved = int((numbers.diff() < 0).sum())
    sentence = "The file's rows are not in the order of Data_Point; they were put into it."
    return table.sort("record_index"), (Finding("info", "records_sorted", sentence, moved),)
