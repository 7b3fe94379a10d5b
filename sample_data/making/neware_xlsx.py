"""Neware `.xlsx` as BTSDA 8 exports it: one sheet each for units, test, cycles, steps, records."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from .arbin import CREATED
from .counters import Row, clock_text, grouped
from .lab import Plan
from .neware_text import ENGLISH_TYPES, moment_text, step_kind

_CYCLE_NAMES = (
    "Cycle Index", "Chg. Cap.(mAh)", "DChg. Cap.(mAh)", "Chg.-DChg. Eff(%)", "Chg. Energy(Wh)",
    "DChg. Energy(Wh)", "Chg. Time", "DChg. Time",
)  # fmt: skip
_STEP_NAMES = (
    "Cycle Index", "Step Index", "Step Number", "Step Type", "Step Time", "Oneset Date",
    "End Date", "Capacity(mAh)", "Energy(Wh)", "Oneset Volt.(V)", "End Voltage(V)",
)  # fmt: skip
_RECORD_NAMES = (
    "DataPoint", "Cycle Index", "Step Index", "Step Type", "Time", "Total Time", "Current(mA)",
    "Voltage(V)", "Capacity(mAh)", "Energy(Wh)", "Date", "Power(W)",
)  # fmt: skip
_LOG_NAMES = ("No.", "DataPoint", "Time", "Class", "Event", "Detailed log ",
              "Detailed log description ")  # fmt: skip
_IDLE_NAMES = ("No.", "DataPoint", "Date", "State", "Voltage(V)", "Current(mA)")


def xlsx_file(rows: Sequence[Row], begun: datetime, name: str, plan: Plan) -> bytes:
    """Return the bytes of the workbook."""
    buffer = io.BytesIO()
    holds = plan.hold_rate > 0.0
    ended = begun + timedelta(seconds=int(rows[-1].record.time + 0.5))
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": CREATED})
        _unit(book.add_worksheet("unit"), begun, ended, name)
        _test(book.add_worksheet("test"), plan)
        _cycles(book.add_worksheet("cycle"), rows)
        _steps(book.add_worksheet("step"), rows, begun, holds=holds)
        _records(book.add_worksheet("record"), rows, begun, holds=holds)
        book.add_worksheet("log").write_row(0, 0, _LOG_NAMES)
        book.add_worksheet("idle").write_row(0, 0, _IDLE_NAMES)
        curve = book.add_worksheet("curve")
        curve.write_string(0, 0, "Total Time-Voltage&&Current&&Capacity&&Energy")
    return buffer.getvalue()


def _unit(sheet: Worksheet, begun: datetime, ended: datetime, name: str) -> None:
    """Which channel of which device, and when."""
    sheet.write_string(0, 0, name)
    sheet.write_row(1, 0, ["device", 27, "1", 4])
    sheet.write_row(2, 0, ["Start time", "", f"{begun:%Y-%m-%d %H:%M:%S}", ""])
    sheet.write_row(2, 4, ["End time", "", f"{ended:%Y-%m-%d %H:%M:%S}"])
    sheet.write_string(3, 0, "NDA file path")
    sheet.write_string(4, 0, "List of unit plans")


def _test(sheet: Worksheet, plan: Plan) -> None:
    """Return what the operator typed in."""
    sheet.write_string(0, 0, "Test information")
    upper = f"{plan.window.upper:g}V"
    sheet.write_row(1, 0, ["Start step ID", "", "1", "Volt. upper", "", upper, "P/N"])
    sheet.write_row(2, 0, ["Active material", "", "0mg", "Nominal capacity", "", "-"])


def _cycles(sheet: Worksheet, rows: Sequence[Row]) -> None:
    """One row per cycle; the efficiency is discharge / charge, whatever kind the cell is."""
    sheet.write_row(0, 0, _CYCLE_NAMES)
    for number, cycle in enumerate(grouped(rows, "cycle"), start=1):
        (charged, discharged), (gained, given) = cycle[-1].cycle_ah, cycle[-1].cycle_wh
        efficiency = discharged / charged * 100.0
        numbers = [cycle[-1].record.cycle, charged * 1e3, discharged * 1e3, efficiency]
        places = (0, 4, 4, 2)
        sheet.write_row(number, 0, [round(n, p) for n, p in zip(numbers, places, strict=True)])
        sheet.write_row(number, 4, [round(gained, 7), round(given, 7)])
        sheet.write_row(number, 6, [_flowing(cycle, 1.0), _flowing(cycle, -1.0)])


def _flowing(cycle: Sequence[Row], sign: float) -> str:
    """Time for which a current of this sign flowed."""
    steps = grouped([row for row in cycle if row.record.nominal * sign > 0.0], "step")
    return clock_text(sum(step[-1].record.step_time for step in steps))


def _steps(sheet: Worksheet, rows: Sequence[Row], begun: datetime, *, holds: bool) -> None:
    """One row per step."""
    sheet.write_row(0, 0, _STEP_NAMES)
    for number, step in enumerate(grouped(rows, "step"), start=1):
        first, last = step[0], step[-1]
        kind = ENGLISH_TYPES[step_kind(first, holds=holds)]
        sheet.write_row(number, 0, [first.record.cycle, first.record.index, number, kind])
        sheet.write_row(number, 4, [clock_text(last.record.step_time), moment_text(first, begun)])
        sheet.write_row(number, 6, [moment_text(last, begun), round(last.step_ah * 1e3, 4)])
        sheet.write_row(number, 8, [round(last.step_wh, 7), round(first.volt, 4)])
        sheet.write_number(number, 10, round(last.volt, 4))


def _records(sheet: Worksheet, rows: Sequence[Row], begun: datetime, *, holds: bool) -> None:
    """One row per record: current in mA, capacity in mAh since the step began."""
    sheet.write_row(0, 0, _RECORD_NAMES)
    for number, row in enumerate(rows, start=1):
        record = row.record
        sheet.write_row(number, 0, [number, record.cycle, record.index])
        sheet.write_string(number, 3, ENGLISH_TYPES[step_kind(row, holds=holds)])
        sheet.write_string(number, 4, clock_text(record.step_time))
        sheet.write_string(number, 5, clock_text(record.time))
        numbers = [round(row.ampere * 1e3, 4), round(row.volt, 4), round(row.step_ah * 1e3, 4)]
        sheet.write_row(number, 6, [*numbers, round(row.step_wh, 7)])
        sheet.write_string(number, 10, moment_text(row, begun))
        sheet.write_number(number, 11, round(row.ampere * row.volt, 8))
