"""Neware `.ndax`: a zip of XML and of `.ndc` tables (version 14).

An `.ndc` is a row of 4096-byte pages. The first names the table's kind and version. Every other
page has its kind (u2), how many rows it holds (u2), a bit for each row from byte 4, and the rows
from byte 132. The zip stores its members uncompressed, so that its bytes depend on no compressor.
"""

import io
import struct
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from .counters import Row, grouped
from .lab import Plan
from .neware_text import step_kind

_PAGE, _HEAD = 4096, 132
_STEP_CODES = {"charge": 1, "discharge": 2, "rest": 4, "hold": 7}
_LOOP, _END = 5, 6
_CLIENT = "BTS Client 8.0.0.478(2024.06.24)(R3)"

_MAIN_ROW = np.dtype([("volt", "<f4"), ("ampere", "<f4")])
_RUN_ROW = np.dtype(
    [
        ("step_time", "<u4"), ("unused", "u1"), ("charge", "<f4"), ("discharge", "<f4"),
        ("charge_energy", "<f4"), ("discharge_energy", "<f4"), ("range", "<f4"), ("one", "<u4"),
        ("passed", "<u4"), ("unix", "<u4"), ("step", "<u4"), ("index", "<u4"), ("ms", "<i2"),
        ("ah", "<f4"), ("wh", "<f4"),
    ]
)  # fmt: skip
_STEP_ROW = np.dtype(
    [
        ("cycle", "<u4"), ("line", "<u4"), ("unused", "V16"), ("kind", "u1"),
        ("begun", "<u8"), ("index", "<u4"),
    ]
)  # fmt: skip


def ndax_file(
    rows: Sequence[Row],
    begun: datetime,
    unix: int,
    cell: str,
    plan: Plan,
    currents: Sequence[float],
) -> bytes:
    """Return the bytes of the archive.

    `unix` is `begun` in seconds since 1970 (UTC); `currents` are
    those of formation and ageing in mA.
    """
    holds = plan.hold_rate > 0.0
    ended = begun + timedelta(seconds=int(rows[-1].record.time))
    stamp = ended.strftime("%Y%m%d%H%M%S")
    members = {
        "Step.xml": _protocol_xml(plan, currents, stamp, holds=holds),
        "TestInfo.xml": _test_xml(cell, begun, ended, stamp),
        "VersionInfo.xml": _version_xml(stamp),
        "data.ndc": _table(1, _main_rows(rows)),
        "data_step.ndc": _table(7, _step_rows(rows, holds=holds)),
        "data_runInfo.ndc": _table(18, _run_rows(rows, unix)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, (2025, 8, 1, 12, 0, 0))
            member.create_system, member.external_attr = 0, 0
            archive.writestr(member, content)
    return buffer.getvalue()


def _table(kind: int, rows: NDArray[np.void]) -> bytes:
    """Return an `.ndc` table of one kind."""
    per_page = (_PAGE - _HEAD - 1) // rows.dtype.itemsize
    pages = [struct.pack("<HHIII", kind, 14, 1, 0, 1).ljust(_PAGE, b"\x00")]
    for first in range(0, len(rows), per_page):
        part = rows[first : first + per_page]
        bits = np.packbits(np.ones(len(part), dtype=np.uint8), bitorder="little").tobytes()
        head = struct.pack("<HH", kind + 1, len(part)) + bits
        pages.append((head.ljust(_HEAD, b"\x00") + part.tobytes()).ljust(_PAGE, b"\x00"))
    return b"".join(pages)


def _main_rows(rows: Sequence[Row]) -> NDArray[np.void]:
    """Voltage in V and current in A of every record."""
    table = np.zeros(len(rows), dtype=_MAIN_ROW)
    table["volt"] = [round(row.volt, 5) for row in rows]
    table["ampere"] = [round(row.ampere, 9) for row in rows]
    return table


def _run_rows(rows: Sequence[Row], unix: int) -> NDArray[np.void]:
    """Return times in ms, and the charges (Ah) and energies (Wh) since the step began."""
    table = np.zeros(len(rows), dtype=_RUN_ROW)
    last_ms = 0
    for index, (entry, row) in enumerate(zip(table, rows, strict=True), start=1):
        record = row.record
        test_ms, step_ms = round(record.time * 1000.0), round(record.step_time * 1000.0)
        entry["step_time"], entry["passed"] = step_ms, test_ms - last_ms if step_ms else 0
        entry["unix"], entry["ms"] = unix + test_ms // 1000, test_ms % 1000
        entry["step"], entry["index"] = record.step, index
        side = "charge" if record.nominal > 0.0 else "discharge"
        entry[side], entry[f"{side}_energy"] = round(row.step_ah, 10), round(row.step_wh, 10)
        entry["ah"], entry["wh"] = round(sum(row.test_ah), 10), round(sum(row.test_wh), 10)
        entry["range"], entry["one"] = 0.1, 1
        last_ms = test_ms
    return table


def _step_rows(rows: Sequence[Row], *, holds: bool) -> NDArray[np.void]:
    """Each step: its cycle (from 0), protocol line, kind, start in ms, and first record."""
    steps = grouped(rows, "step")
    table = np.zeros(len(steps), dtype=_STEP_ROW)
    index = 1
    for entry, step in zip(table, steps, strict=True):
        first = step[0].record
        entry["cycle"], entry["line"] = first.cycle - 1, first.index
        entry["kind"] = _STEP_CODES[step_kind(step[0], holds=holds)]
        entry["begun"] = round((first.time - first.step_time) * 1000.0)
        entry["index"] = index
        index += len(step)
    return table


def _document(kind: str, attributes: str, inner: str) -> bytes:
    """Return an XML member with its root and `config` elements."""
    head = '<?xml version="1.0" encoding="GB2312"?>\r\n<root>\r\n'
    body = f'  <config type="{kind}" {attributes}>\r\n{inner}  </config>\r\n</root>\r\n'
    return (head + body).encode("gb2312")


def _protocol_xml(plan: Plan, currents: Sequence[float], stamp: str, *, holds: bool) -> bytes:
    """Return the protocol: currents in mA, voltages in 0.1 mV, times in ms."""
    charge = _STEP_CODES["hold" if holds else "charge"]
    formation, ageing = currents
    blocks = [(formation, plan.formation_cycles), (ageing, plan.cycles - plan.formation_cycles)]
    lines = [_line(1, _STEP_CODES["rest"], {"Time": 7_200_000})]
    for current, cycles in blocks:
        first = len(lines) + 1
        upper, lower = round(plan.window.upper * 1e4), round(plan.window.lower * 1e4)
        limits: dict[str, float] = {"Curr": current, "Stop_Volt": upper}
        if holds:
            limits = {"Curr": current, "Volt": upper}
            limits["Stop_Curr"] = round(plan.hold_rate * currents[1] / plan.rate, 3)
        rest = {"Time": int(plan.rest * 1000.0)}
        lines.append(_line(first, charge, limits))
        lines.append(_line(first + 1, _STEP_CODES["rest"], rest))
        down = {"Curr": current, "Stop_Volt": lower}
        lines.append(_line(first + 2, _STEP_CODES["discharge"], down))
        lines.append(_line(first + 3, _STEP_CODES["rest"], rest))
        lines.append(_line(first + 4, _LOOP, {"Start_Step": first, "Cycle_Count": cycles}))
    lines.append(_line(len(lines) + 1, _END, {}))
    head = '    <Head_Info>\r\n      <Scale Value="1" />\r\n    </Head_Info>\r\n'
    inner = f'    <Step_Info Num="{len(lines)}">\r\n{"".join(lines)}    </Step_Info>\r\n'
    attributes = f'version="17" client_version="{_CLIENT}" date="{stamp}"'
    return _document("Step File", attributes, head + inner)


def _line(number: int, code: int, limits: dict[str, float]) -> str:
    """One line of the protocol."""
    group = "Other" if code == _LOOP else "Main"
    values = "".join(f'<{name} Value="{value}" />' for name, value in limits.items())
    limit = f"<Limit><{group}>{values}</{group}></Limit>" if values else ""
    attributes = f'Step_ID="{number}" Step_Type="{code}"'
    return f"      <Step{number} {attributes}>{limit}</Step{number}>\r\n"


def _test_xml(cell: str, begun: datetime, ended: datetime, stamp: str) -> bytes:
    """Which device and channel, and when the test began and ended (local time)."""
    times = f'StartTime="{begun:%Y-%m-%d %H:%M:%S}" EndTime="{ended:%Y-%m-%d %H:%M:%S}"'
    place = 'DevType="27" DevID="120" UnitID="0" ChlID="13" TestID="204"'
    inner = f'    <TestInfo {place} CurrRange="100" VoltRange="5" Barcode="{cell}" {times} />\r\n'
    return _document("Test Info File", f'version="1" date="{stamp}"', inner)


def _version_xml(stamp: str) -> bytes:
    """Return the versions of server and client."""
    inner = (
        '    <ZwjVersion SvrVer="BTSServer(R3)-8.0.0.390 (2024.06.24)" '
        'CurrClientVer="BTS Client 8.0.0.478(2024.06.24)" />\r\n'
    )
    return _document("Version Info File", f'version="1" date="{stamp}"', inner)
