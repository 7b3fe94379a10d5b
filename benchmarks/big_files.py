"""Large files for measuring: blocks of real records, repeated until a file has its size."""

from __future__ import annotations

import struct
from pathlib import Path

import fastexcel
import xlsxwriter

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
MPR = SAMPLE / "biologic_mpr" / "SSB-01_04_GCPL_C01.mpr"
MPT = SAMPLE / "biologic_mpt" / "SSB-02_01_GCPL_C02.mpt"
ARBIN_CSV = SAMPLE / "arbin_csv" / "SSB-03a_full_C2_Channel_6.csv"
ARBIN_XLSX = SAMPLE / "arbin_xlsx" / "SSB-03b_full_C2_Channel_7.xlsx"
NEWARE_CSV = SAMPLE / "neware_csv" / "SSB-07_record.csv"
NEWARE_GBK = SAMPLE / "neware_csv" / "SSB-05_record_zh.csv"


def mpr(path: Path, megabytes: float) -> Path:
    """Repeat the records of an .mpr; the counts in its header are those of the new file."""
    source = MPR.read_bytes()
    at = source.index(b"MODULEVMP data")
    (length,) = struct.unpack_from("<I", source, at + 41)
    start = at + 57
    (count,) = struct.unpack_from("<I", source, start)
    head = 405 if struct.unpack_from("<I", source, at + 45)[0] == 2 else 406
    records = source[start + head : start + length]
    times = max(int(megabytes * 1e6 / len(records)), 1)
    with path.open("wb") as out:
        out.write(source[: at + 41] + struct.pack("<I", head + times * len(records)))
        out.write(source[at + 45 : start] + struct.pack("<I", times * count))
        out.write(source[start + 4 : start + head])
        for _ in range(times):
            out.write(records)
        out.write(source[start + length :])
    return path


def text(source: Path, path: Path, megabytes: float, header_lines: int) -> Path:
    """Repeat the lines below the header of a text file."""
    lines = source.read_bytes().split(b"\n", header_lines)
    head, body = b"\n".join(lines[:header_lines]) + b"\n", lines[header_lines]
    body = body if body.endswith(b"\n") else body + b"\n"
    with path.open("wb") as out:
        out.write(head)
        for _ in range(max(int(megabytes * 1e6 / len(body)), 1)):
            out.write(body)
    return path


def mpt(path: Path, megabytes: float, *, comma: bool) -> Path:
    """Repeat the lines of an .mpt, with decimal commas or points."""
    count = int(MPT.read_bytes()[:512].split(b"Nb header lines : ")[1].split()[0])
    source = path
    if not comma:
        source = path.with_suffix(".point")
        head, _, body = MPT.read_bytes().partition(b"\nmode\t")
        source.write_bytes(head + b"\nmode\t" + body.replace(b",", b"."))
    else:
        source = MPT
    return text(source, path, megabytes, count)


def xlsx(path: Path, rows: int) -> Path:
    """Repeat the rows of an Arbin workbook's channel sheet."""
    book = fastexcel.read_excel(ARBIN_XLSX)
    name = next(n for n in book.sheet_names if n.startswith("Channel"))
    frame = book.load_sheet(name).to_polars()
    records = frame.drop("Date_Time", strict=False).rows()
    heads = [c for c in frame.columns if c != "Date_Time"]
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as out:
        sheet = out.add_worksheet(name)
        sheet.write_row(0, 0, heads)
        for row in range(rows):
            sheet.write_row(row + 1, 0, records[row % len(records)])
    return path
