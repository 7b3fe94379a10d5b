"""Define Neware's quantities: the column names of all versions of BTS and BTSDA exports.

BTSDA 8 writes ``DataPoint, Cycle Index, Step Index, Step Type, Time, Total Time, Current(mA),
Voltage(V) …``, BTS 5 to 7 ``Record ID, Cur(mA), Vol(V), Time(h:min:s.ms), Realtime``; both also in
Chinese. Units are in the header, in any scale that the user chose (µA, mV, mAs and mWs included).
Current is positive on charge; some old exports print it without a sign, which is then taken from
the kind of step. ``Time`` is the time in the step, ``Total Time`` (or ``Cumulative Time``) that in
the test, as ``h:m:s`` text with any number of hours or, with a unit, as a number. Where only the
step time is given, the times of the steps are added up. ``Date`` is the computer's local clock.
``Capacity`` and its charge and discharge parts restart at each step. ``Step Index`` is the line of
the schedule, ``Step Number`` counts the steps as run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.core.recordings.sign_correction import correct_signs
from cellpipe.formats import clock
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    CLOCK,
    OHM,
    VOLT,
    WATT_HOUR,
    Match,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    COUNTER_PARTS,
    CYCLE_TARGETS,
    build_recording,
    count_steps,
    match_required,
    require,
    split_counters,
    standard_columns,
)

QUANTITIES = (
    Quantity("record_index", ("DataPoint", "Record ID", "Record Index", "Record number",
             "Record Serial Number", "Record", "数据序号", "记录序号", "记录号", "记录ID")),
    Quantity("cycle_count", ("Cycle Index", "Cycle ID", "Cycle", "Cycle number",
             "循环号", "循环序号", "循环")),
    Quantity("step_id", ("Step Index", "Step ID", "Step", "Steps", "Raw Step ID",
             "工步号", "步次", "工步")),
    Quantity("step_count", ("Step Number", "Step Count", "工步序号")),
    Quantity("step_type", ("Step Type", "Step Name", "Status", "State",
             "工步类型", "工步名称", "工步状态", "状态")),
    Quantity("step_time_second", ("Time", "Step Time", "Record Time", "Relative Time",
             "时间", "工步时间", "记录时间", "相对时间", "步时间"), CLOCK),
    Quantity("test_time_second", ("Total Time", "Cumulative Time", "Accumulated Time",
             "总时间", "累计时间", "累积时间"), CLOCK),
    Quantity("unix_time_second", ("Date", "Absolute Time", "Realtime", "Date Time",
             "绝对时间", "系统时间", "日期", "实时时间")),
    Quantity("voltage_volt", ("Voltage", "Vol", "Volt", "电压"), VOLT, bare=None),
    Quantity("current_ampere", ("Current", "Cur", "Curr", "电流"), AMPERE, bare=None),
    Quantity("vendor_charging_capacity_ah", ("Chg. Cap.", "Charge Capacity", "Cap_Chg",
             "Capacitance_Chg", "Charge Cap.", "Capacity_Chg", "充电容量"), AMPERE_HOUR, bare=None),
    Quantity("vendor_discharging_capacity_ah", ("DChg. Cap.", "Discharge Capacity", "Cap_DChg",
             "Capacitance_DChg", "Discharge Cap.", "Capacity_DChg", "放电容量"),
             AMPERE_HOUR, bare=None),
    Quantity("vendor_charging_energy_wh", ("Chg. Energy", "Charge Energy", "Engy_Chg",
             "充电能量"), WATT_HOUR, bare=None),
    Quantity("vendor_discharging_energy_wh", ("DChg. Energy", "Discharge Energy", "Engy_DChg",
             "放电能量"), WATT_HOUR, bare=None),
    Quantity("capacity_ah", ("Capacity", "Capacityy", "Cap", "容量"), AMPERE_HOUR, bare=None),
    Quantity("energy_wh", ("Energy", "Engy", "能量"), WATT_HOUR, bare=None),
    Quantity("internal_resistance_ohm", ("DCIR", "IR", "Internal Resistance", "内阻", "直流内阻"),
             OHM, bare=None),
    Quantity("ambient_temperature_celsius", ("Ambient Temperature", "Env. Temp.", "环境温度"),
             CELSIUS),
    Quantity("temperature_t1_celsius", ("Temperature", "Temp", "温度"), CELSIUS),
    Quantity("temperature_t{}_celsius", ("T#", "temp#_1", "Temperature#", "Aux. T#", "温度#",
             "辅助温度#", "Aux.CH TU# T", "Auxiliary channel TU# T"), CELSIUS, numbered=True),
    Quantity("auxiliary_voltage_v{}_volt", ("V#", "Aux. V#", "辅助电压#", "Aux.CH TU# U",
             "Auxiliary channel TU# U"), VOLT, numbered=True),
)  # fmt: skip
CYCLE_QUANTITIES = (
    *(quantity for quantity in QUANTITIES if quantity.target in CYCLE_TARGETS),
    Quantity("charging_time_second", ("Chg. Time", "充电时间"), CLOCK),
    Quantity("discharging_time_second", ("DChg. Time", "放电时间"), CLOCK),
)
_NEEDED = {
    "voltage_volt": "Voltage(V)",
    "current_ampere": "Current(mA)",
}
_TIMES = ("test_time_second", "step_time_second", "unix_time_second")


def find_own_targets(fields: Sequence[str]) -> dict[str, bool]:
    """Return the quantities that a header line names, and whether the unit of each is known.

    Names with the unit after a slash (LAND's ``Voltage/V``, the Battery Data Format's ``Voltage /
    V``) and Arbin's ``Test_Time`` belong to other formats: the result is empty then.
    """
    targets = find_targets(fields, QUANTITIES)
    if not targets:
        return {}
    is_foreign = any(
        f.lower().replace("_", " ").startswith(("test time", "testtime")) for f in fields
    )
    has_slash = any("/" in f and "(" not in f for f in fields if _is_measured(f))
    return {} if is_foreign or has_slash else targets


def _is_measured(field: str) -> bool:
    return bool({"voltage_volt", "current_ampere"} & find_targets([field], QUANTITIES).keys())


def header_score(fields: Sequence[str]) -> int:
    """Score the known columns in a header line, 2 with a known unit, else 1; 0: not Neware's."""
    targets = find_own_targets(fields)
    times = {*_TIMES} & targets.keys()
    if "record_index" not in targets or "voltage_volt" not in targets or not times:
        return 0
    if not {"step_time_second", "test_time_second", "step_type"} & targets.keys():
        return 0
    return sum(2 if unit_is_known else 1 for unit_is_known in targets.values())


def match_columns(headers: Sequence[str]) -> list[Match]:
    """Match headers with Neware's quantities.

    Raises
    ------
    DamagedFileError
        If a needed column is missing, or the unit of one is not known.

    """
    matches = match_required(headers, QUANTITIES, _NEEDED)
    if not {match.target for match in matches} & {*_TIMES}:
        require(matches, headers, {"test_time_second": "Total Time, Time or Date"})
    targets = {match.target for match in matches}
    totals = {total for total, *parts in COUNTER_PARTS if {*parts} <= targets}
    return [match for match in matches if match.target not in totals]


def to_standard_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert Neware's columns to standard columns."""
    return standard_columns(frame, match_columns(frame.columns), bare_seconds=False)


def to_recording(
    table: pl.DataFrame, metadata: Mapping[str, object], findings: Sequence[Finding] = ()
) -> Recording:
    """Return the recording built from Neware's records in standard columns."""
    all_findings = list(findings)
    table = _ensure_step_count(table)
    table = _ensure_test_time(table, all_findings)
    table, sign_findings = correct_signs(table)
    return build_recording(
        split_counters(table), {"maker": "Neware"} | dict(metadata), (*all_findings, *sign_findings)
    )


def _ensure_step_count(table: pl.DataFrame) -> pl.DataFrame:
    """Keep the instrument's count of the steps as run if it never decreases, else count them.

    The same name (工步序号) means the count in some exports and the line of the schedule in others:
    a column that decreases is the line.
    """
    if "step_count" in table.columns:
        counts = table["step_count"]
        if bool((counts.diff().drop_nulls() >= 0).all()) and counts.null_count() < counts.len():
            return table
        table = (
            table.drop("step_count")
            if "step_id" in table.columns
            else table.rename({"step_count": "step_id"})
        )
    return table.with_columns(count_steps(table))


def _ensure_test_time(table: pl.DataFrame, findings: list[Finding]) -> pl.DataFrame:
    """Add the test time (s) to a table that has none, from the step times or from the dates."""
    if "test_time_second" in table.columns:
        return table
    if "step_time_second" not in table.columns:
        return _add_time_from_dates(table, findings)
    findings.append(
        Finding("info", "test_time_derived", "The test time is put together from the steps' times.")
    )
    time = pl.col("step_time_second").forward_fill()
    begins = pl.col("step_count") != pl.col("step_count").shift(1)
    before = pl.when(begins).then(time.shift(1)).otherwise(0.0).fill_null(0.0).cum_sum()
    return table.with_columns(test_time_second=pl.col("step_time_second") + before)


def _add_time_from_dates(table: pl.DataFrame, findings: list[Finding]) -> pl.DataFrame:
    moments = clock.parse_dates(table["unix_time_second"], None).seconds
    if moments.null_count() == moments.len():
        raise DamagedFileError(
            "no time that can be read",
            expected="Total Time, Time or Date in every record",
            remedy="export the file again with a column of times",
        )
    findings.append(
        Finding("info", "test_time_derived", "The test time is that since the first date.")
    )
    return table.with_columns(test_time_second=clock.since_first_date(moments))
