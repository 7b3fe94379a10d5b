"""Arbin: the `.csv` of MITS 10 and the `.xlsx` of MITS 7, positive currents on charge.

In the `.csv` the counters begin anew each cycle, in the `.xlsx` they run through the whole test.
"""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from .counters import Row, grouped

CREATED = datetime.fromisoformat("2026-01-01")

_CSV_NAMES = (
    "Data_Point,Date_Time,Test_Time(s),Step_Time(s),Cycle_Index,Step_Index,TC_Counter1,"
    "TC_Counter2,TC_Counter3,Current(A),Voltage(V),Power(W),Charge_Capacity(Ah),"
    "Discharge_Capacity(Ah),Charge_Energy(Wh),Discharge_Energy(Wh),ACR(Ohm),dV/dt(V/s),"
    "Internal_Resistance(Ohm),dQ/dV(Ah/V),dV/dQ(V/Ah),Aux_Temperature_1(C),Aux_dT/dt_1(C/s)"
)
_CHANNEL_NAMES = (
    "Data_Point", "Date_Time", "Test_Time(s)", "Step_Time(s)", "Step_Index", "Cycle_Index",
    "Voltage(V)", "Current(A)", "Charge_Capacity(Ah)", "Discharge_Capacity(Ah)",
    "Charge_Energy(Wh)", "Discharge_Energy(Wh)", "Internal Resistance(Ohm)", "dV/dt(V/s)",
)  # fmt: skip
_STATISTICS_NAMES = (
    "Cycle_Index", "Test_Time(s)", "Date_Time", "Current(A)", "Voltage(V)", "Charge_Capacity(Ah)",
    "Discharge_Capacity(Ah)", "Charge_Energy(Wh)", "Discharge_Energy(Wh)",
    "Internal_Resistance(Ohm)", "Charge_Time(s)", "DisCharge_Time(s)", "Vmax_On_Cycle(V)",
)  # fmt: skip


def csv_file(rows: Sequence[Row], begun: datetime, celsius: float) -> bytes:
    """Return a `.csv` as MITS 10 writes it: a tab before each date, month first, with a mark."""
    lines = [_CSV_NAMES]
    before: Row | None = None
    for number, row in enumerate(rows, start=1):
        lines.append(",".join(_csv_cells(number, row, before, begun, celsius)))
        before = row
    return b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n").encode()


def _csv_cells(
    number: int, row: Row, before: Row | None, begun: datetime, celsius: float
) -> list[str]:
    """One line of the `.csv`. The temperature swings by 0.15 °C over a day."""
    record = row.record
    day = record.time / 86400.0 % 1.0
    temperature = celsius + 0.6 * abs(day - 0.5) - 0.15
    return [
        str(number),
        "\t" + _moment(begun, record.time).strftime("%m/%d/%Y %H:%M:%S.%f")[:-3],
        f"{record.time:.4f}",
        f"{record.step_time:.4f}",
        str(record.cycle),
        str(record.index),
        str(max(record.cycle - 1, 0)),
        "0",
        "0",
        *(_short(value, 9) for value in (row.ampere, row.volt, row.ampere * row.volt)),
        *(_short(value, 9) for value in (*row.cycle_ah, *row.cycle_wh)),
        "",
        _short(_slope(row, before), 9),
        "",
        "",
        "",
        f"{temperature:.4f}",
        "0",
    ]


def _moment(begun: datetime, seconds: float) -> datetime:
    """Return the local time of a record, to the millisecond."""
    return begun + timedelta(milliseconds=round(seconds * 1000.0))


def _slope(row: Row, before: Row | None) -> float:
    """Change of the voltage in V/s since the record before, within one step."""
    if before is None or before.record.step != row.record.step:
        return 0.0
    passed = row.record.time - before.record.time
    return (row.volt - before.volt) / passed if passed > 0.0 else 0.0


def _short(value: float, digits: int) -> str:
    """Return a number without trailing zeros, 0 as `0`."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def xlsx_file(rows: Sequence[Row], begun: datetime, test: str) -> bytes:
    """Return a workbook with the sheets Global_Info, Channel_7_1 and Statistics_7."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": CREATED})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        _global_info(book.add_worksheet("Global_Info"), begun, test, moment)
        _channel(book.add_worksheet("Channel_7_1"), rows, begun, moment)
        _statistics(book.add_worksheet("Statistics_7"), rows, begun, moment)
    return buffer.getvalue()


def _global_info(sheet: Worksheet, begun: datetime, test: str, moment: Format) -> None:
    """Return the first sheet: which test on which channel, and when it began."""
    sheet.write_string(0, 3, "TEST REPORT")
    sheet.write_row(
        1, 3, [test, "Serial Number", "", "C:\\ArbinSoftware\\DataPro\\Result\\" + test]
    )
    sheet.write_datetime(2, 3, begun.replace(hour=0, minute=0, second=0, microsecond=0), moment)
    names = ("Channel", "Start DateTime", "Schedule File Name", "Creator", "Comments")
    sheet.write_row(3, 0, [*names, "Software Version", "Schedule Version", "Item ID", "Has Aux"])
    sheet.write_number(4, 0, 7)
    sheet.write_datetime(4, 1, begun, moment)
    sheet.write_row(4, 2, ["SSB\\full_C2_CCCV.sdu", "lab", "", "PV7.0 Build: 180508USB"])
    sheet.write_row(4, 6, ["Schedule Version 7.00.13", "", 0])


def _channel(sheet: Worksheet, rows: Sequence[Row], begun: datetime, moment: Format) -> None:
    """Return the records."""
    sheet.write_row(0, 0, _CHANNEL_NAMES)
    before: Row | None = None
    for number, row in enumerate(rows, start=1):
        record = row.record
        sheet.write_number(number, 0, number)
        sheet.write_datetime(number, 1, _moment(begun, record.time), moment)
        numbers = [round(record.time, 4), round(record.step_time, 4), record.index, record.cycle]
        numbers += [round(row.volt, 9), round(row.ampere, 12)]
        numbers += [round(value, 12) for value in (*row.test_ah, *row.test_wh)]
        for column, value in enumerate(numbers, start=2):
            sheet.write_number(number, column, value)
        sheet.write_number(number, 13, round(_slope(row, before), 9))
        before = row


def _statistics(sheet: Worksheet, rows: Sequence[Row], begun: datetime, moment: Format) -> None:
    """Return the last record of each cycle, with the time spent charging and discharging."""
    sheet.write_row(0, 0, _STATISTICS_NAMES)
    for number, cycle in enumerate(grouped(rows, "cycle"), start=1):
        last = cycle[-1]
        sheet.write_row(number, 0, [last.record.cycle, round(last.record.time, 4)])
        sheet.write_datetime(number, 2, _moment(begun, last.record.time), moment)
        numbers = [round(last.ampere, 12), round(last.volt, 9)]
        numbers += [round(value, 12) for value in (*last.test_ah, *last.test_wh)]
        numbers += [0.0, _flowing_time(cycle, 1.0), _flowing_time(cycle, -1.0)]
        numbers += [round(max(row.volt for row in cycle), 9)]
        sheet.write_row(number, 3, numbers)


def _flowing_time(cycle: Sequence[Row], sign: float) -> float:
    """Seconds for which a current of this sign flowed."""
    steps = grouped([row for row in cycle if row.record.nominal * sign > 0.0], "step")
    return round(sum(step[-1].record.step_time for step in steps), 4)
