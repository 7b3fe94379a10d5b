"""Neware: flat `.csv` exports of BTSDA, in English and in Chinese (GB18030)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from .counters import Row, clock_text

_ENGLISH_NAMES = (
    "DataPoint,Cycle Index,Step Index,Step Type,Time,Cumulative Time,Current(A),Voltage(V),"
    "Capacity(Ah),Spec. Cap.(mAh/g),Chg. Cap.(Ah),Chg. Spec. Cap.(mAh/g),DChg. Cap.(Ah),"
    "DChg. Spec. Cap.(mAh/g),Energy(Wh),Spec. Energy(mWh/g),Chg. Energy(Wh),"
    "Chg. Spec. Energy(mWh/g),DChg. Energy(Wh),DChg. Spec. Energy(mWh/g),Date,Power(W),"
    "dQ/dV(mAh/V),dQm/dV(mAh/V.g),Contact resistance(mO),Module start-stop switch"
)
_CHINESE_NAMES = (
    "数据序号,循环号,工步号,工步类型,时间,总时间,电流(A),电压(V),容量(Ah),充电容量(Ah),"
    "放电容量(Ah),能量(Wh),充电能量(Wh),放电能量(Wh),绝对时间,功率(W),"
)
ENGLISH_TYPES = {"rest": "Rest", "charge": "CC Chg", "hold": "CCCV Chg", "discharge": "CC DChg"}
CHINESE_TYPES = {
    "rest": "搁置",
    "charge": "恒流充电",
    "hold": "恒流恒压充电",
    "discharge": "恒流放电",
}


def step_kind(row: Row, *, holds: bool) -> str:
    """Return the kind of a row's step; `holds`: charges of this test end at constant voltage."""
    if row.record.nominal == 0.0:
        return "rest"
    if row.record.nominal < 0.0:
        return "discharge"
    return "hold" if holds else "charge"


def moment_text(row: Row, begun: datetime) -> str:
    """Return the local time of a row, to the second."""
    return f"{begun + timedelta(seconds=int(row.record.time + 0.5)):%Y-%m-%d %H:%M:%S}"


def english_csv(rows: Sequence[Row], begun: datetime, *, holds: bool) -> bytes:
    """Return the English export; no active mass was entered, so every specific value is 0.00."""
    lines = [_ENGLISH_NAMES]
    before: Row | None = None
    for number, row in enumerate(rows, start=1):
        charging = row.record.nominal > 0.0
        amounts = []
        for value in (row.step_ah, row.step_wh):
            parts = (value, value if charging else 0.0, 0.0 if charging else value)
            amounts += [text for part in parts for text in (f"{part:.8f}", "0.00")]
        cells = [
            *_front(number, row, ENGLISH_TYPES[step_kind(row, holds=holds)]),
            *amounts,
            moment_text(row, begun),
            f"{row.ampere * row.volt:.8f}",
            f"{_charge_per_volt(row, before):.4f}",
            "0.0000",
            "0",
            "Close",
        ]
        lines.append(",".join(cells))
        before = row
    return ("\r\n".join(lines) + "\r\n").encode()


def _front(number: int, row: Row, kind: str) -> list[str]:
    """Return the first eight cells of a line, which both languages share."""
    record = row.record
    return [
        str(number),
        str(record.cycle),
        str(record.index),
        kind,
        clock_text(record.step_time),
        clock_text(record.time),
        f"{row.ampere:.8f}",
        f"{row.volt:.4f}",
    ]


def _charge_per_volt(row: Row, before: Row | None) -> float:
    """dQ/dV in mAh/V since the row before, 0 at a step's start and where the voltage stood."""
    if before is None or before.record.step != row.record.step:
        return 0.0
    moved = row.volt - before.volt
    return abs(row.record.charge / moved) if abs(moved) > 2.0e-4 else 0.0


def chinese_csv(rows: Sequence[Row], begun: datetime, *, holds: bool) -> bytes:
    """Return the Chinese export in GB18030, with a comma at each line's end."""
    lines = [_CHINESE_NAMES]
    for number, row in enumerate(rows, start=1):
        charging = row.record.nominal > 0.0
        amounts = []
        for value in (row.step_ah, row.step_wh):
            parts = (value, value if charging else 0.0, 0.0 if charging else value)
            amounts += [f"{part:.8f}" for part in parts]
        cells = [
            *_front(number, row, CHINESE_TYPES[step_kind(row, holds=holds)]),
            *amounts,
            moment_text(row, begun),
            f"{row.ampere * row.volt:.8f}",
        ]
        lines.append(",".join(cells) + ",")
    return ("\r\n".join(lines) + "\r\n").encode("gb18030")
