"""Arbin's quantities: what its columns are called, in MITS Pro of all ages and in its database.

Names stand with underscores (``Test_Time(s)``) or blanks (``Test Time (s)``), with a unit or, in
exports of the database, without one. Arbin documents s, A, V, Ah, Wh, Ohm and °C for those.
Current is positive while the cell is charged. ``Charge_Capacity`` and ``Discharge_Capacity`` run
side by side and go back to zero where the schedule says so: with the cycle, with a step, or never.
``Step_Index`` is the line of the schedule; steps as they were run are counted here. ``Data_Point``
numbers the records; the rows of a database export need not be in its order.
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
    *("steptype", "totaltime", "cumulativetime"),  # Neware's
    *("chargetime", "dischargetime", "vmaxoncycle"),  # Arbin's tables of cycles and of steps
}


def header_score(fields: Sequence[str]) -> int:
    """Count the columns known in a header line of records; 0 if it is none of Arbin's."""
    if any("/" in field.split("(")[0] and " / " in field for field in fields):
        return 0  # the Battery Data Format's "Current / A"
    found = find_targets(fields, QUANTITIES)
    names = {normalize_name(split_header(field)[0]) for field in fields}
    counted = {"record_index", "vendor_charging_capacity_ah"} & found.keys()
    if "testtime" not in names or "step_id" not in found or names & _FOREIGN_NAMES or not counted:
        return 0
    if not {"voltage_volt", "current_ampere"} & found.keys():
        return 0  # one of them is enough to be known as Arbin's and told what is missing
    return sum(2 if unit_is_known else 1 for unit_is_known in found.values())


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
    """Return the recording of Arbin's records in standard columns."""
    table, said = _sort_records(table)
    table = table.with_columns(count_steps(table))
    return build_recording(table, {"maker": "Arbin"} | dict(metadata), (*findings, *said))


def _sort_records(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Put records that are numbered once each into the order of their numbers."""
    if "record_index" not in table.columns or table["record_index"].is_sorted():
        return table, ()
    own = table["record_index"]
    if own.null_count() or own.n_unique() < own.len():
        return table, ()
    moved = int((own.diff() < 0).sum())
    sentence = "The file's rows are not in the order of Data_Point; they were put into it."
    return table.sort("record_index"), (Finding("info", "records_sorted", sentence, moved),)
