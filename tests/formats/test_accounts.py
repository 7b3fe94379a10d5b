"""Every byte of a binary file and every row of a workbook is a record, known, or said to be lost.

The files are damaged where their records are; what is read afterwards must be records of the whole
file with their own values, and a warning must say that others are missing.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.core.errors import FileError
from cellpipe.core.model import Measurement

Harm = Callable[[bytes, int, random.Random], bytes]
FILES = {  # file, table, where its records begin and end
    "nda_8": ("nda/fastnda__nda8.nda", "timeseries", (2719, 2764273)),
    "nda_22": ("nda/fastnda__nda_v22.nda", "timeseries", (14221, 133503)),
    "nda_29": ("nda/navani__test.nda", "timeseries", (85385, 123655)),
    "nda_130": ("nda/fastnda__TestFile.nda", "timeseries", (1024, 374544)),
    "mpr": ("mpr/yadg__mb.issue_149.mpr", "timeseries", (8524, 94816)),
    "mpr_eis": ("mpr/yadg__geis.mpr", "impedance", (7320, 285400)),
}
VALUES = ("record_index", "voltage_volt", "current_ampere", "frequency_hertz")
TIMES = range(6)


def zero_sector(content: bytes, at: int, _chance: random.Random) -> bytes:
    at -= at % 512
    return content[:at] + bytes(512) + content[at + 512 :]


def insert_few(content: bytes, at: int, chance: random.Random) -> bytes:
    return content[:at] + chance.randbytes(chance.randrange(1, 6)) + content[at:]


def remove_few(content: bytes, at: int, chance: random.Random) -> bytes:
    return content[:at] + content[at + chance.randrange(1, 6) :]


def remove_sector(content: bytes, at: int, _chance: random.Random) -> bytes:
    return content[:at] + content[at + 512 :]


def zero_tail(content: bytes, at: int, _chance: random.Random) -> bytes:
    return content[:at] + bytes(len(content) - at)


def overwrite(content: bytes, at: int, chance: random.Random) -> bytes:
    return content[:at] + chance.randbytes(700) + content[at + 700 :]


HARMS = (zero_sector, insert_few, remove_few, remove_sector, zero_tail, overwrite)


def new_warnings(found: Measurement, good: Measurement) -> list[str]:
    known = {finding.sentence for finding in good.findings}
    return [f.code for f in found.findings if f.level != "info" and f.sentence not in known]


def strange_rows(found: pl.DataFrame, good: pl.DataFrame) -> int:
    """Count rows that are not in the good table."""
    names = [name for name in VALUES if name in good.columns]
    return (
        found.select(names)
        .join(good.select(names).unique(), on=names, how="anti", nulls_equal=True)
        .height
    )


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", FILES)
def test_records_that_are_lost_are_said_and_the_others_are_the_files_own(
    name: str, harm: Harm, real_data: Path, tmp_path: Path
) -> None:
    file, table, (begin, end) = FILES[name]
    good = cellpipe.read(real_data / file)
    content = (real_data / file).read_bytes()
    path = tmp_path / Path(file).name
    for number in TIMES:
        chance = random.Random(f"{name}-{harm.__name__}-{number}")
        path.write_bytes(harm(content, chance.randrange(begin + 2000, end - 2000), chance))
        try:
            found = cellpipe.read(path)
        except FileError:
            assert harm is zero_tail, f"{harm.__name__} {number} costs the whole file"
            continue
        if harm is zero_tail and table not in found.tables:
            assert new_warnings(found, good), number
            continue
        lost = good.tables[table].height - found.tables[table].height
        assert strange_rows(found.tables[table], good.tables[table]) == 0, number
        assert new_warnings(found, good), number
        if harm is not zero_tail:
            assert lost < 100, number


def test_a_record_that_stands_twice_counts_once(real_data: Path, tmp_path: Path) -> None:
    content = (real_data / "nda/fastnda__nda_v22.nda").read_bytes()
    good = cellpipe.read(real_data / "nda/fastnda__nda_v22.nda").tables["timeseries"]
    at = 14221 + 86 * 300
    path = tmp_path / "twice.nda"
    path.write_bytes(content[: at + 860] + content[at : at + 860] + content[at + 860 :])
    found = cellpipe.read(path)
    assert found.tables["timeseries"]["record_index"].is_unique().all()
    assert strange_rows(found.tables["timeseries"], good) == 0
    assert "records_repeated" in {finding.code for finding in found.findings}


def test_the_first_record_of_an_nda_can_be_lost_without_the_others(
    real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "nda/navani__test.nda"
    content = bytearray(source.read_bytes())
    content[85385 : 85385 + 2 * 86] = bytes(2 * 86)
    path = tmp_path / "late.nda"
    path.write_bytes(content)
    found, good = cellpipe.read(path), cellpipe.read(source)
    assert found.tables["timeseries"]["record_index"].to_list() == list(range(2, 440))
    assert strange_rows(found.tables["timeseries"], good.tables["timeseries"]) == 0
    assert {"records_lost", "start_missing"} <= {finding.code for finding in found.findings}


def test_bytes_behind_the_last_module_of_an_mpr_are_said(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "mpr/yadg__gcpl.issue_149.mpr"
    path = tmp_path / "longer.mpr"
    for more in (bytes(100), b"something"):
        path.write_bytes(source.read_bytes() + more)
        found = cellpipe.read(path)
        assert "bytes_left_over" in {finding.code for finding in found.findings}
        assert found.tables["timeseries"].equals(cellpipe.read(source).tables["timeseries"])


@pytest.mark.parametrize("stated", [0, 1, 100, 131, 133, 70_000])
def test_a_wrong_number_of_records_in_an_mpr_costs_none(
    stated: int, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "mpr/yadg__gcpl.issue_149.mpr"
    content = bytearray(source.read_bytes())
    at = content.find(b"MODULEVMP data") + 65
    assert struct.unpack_from("<I", content, at) == (132,)
    struct.pack_into("<I", content, at, stated)
    path = tmp_path / "miscounted.mpr"
    path.write_bytes(content)
    found = cellpipe.read(path)
    assert found.tables["timeseries"].equals(cellpipe.read(source).tables["timeseries"])
    assert "records_miscounted" in {finding.code for finding in found.findings}


def test_a_module_of_an_mpr_that_stands_twice_is_said(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "mpr/yadg__gcpl.issue_149.mpr"
    content = source.read_bytes()
    at = content.find(b"MODULEVMP LOG")
    path = tmp_path / "twice.mpr"
    path.write_bytes(content + content[at:])
    found = cellpipe.read(path)
    assert "bytes_left_over" in {finding.code for finding in found.findings}
    assert found.tables["timeseries"].equals(cellpipe.read(source).tables["timeseries"])


def with_member(source: Path, path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Write an archive again with changed members and right checksums of its own."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("member", ["data.ndc", "data_runInfo.ndc"])
def test_damaged_pages_of_an_ndax_are_said_and_cost_only_themselves(
    member: str, harm: Harm, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "ndax/aurora__nw4-120-6-1-36.ndax"
    good = cellpipe.read(source)
    columns = [*VALUES[:3], "test_time_second", "step_id", "vendor_charging_capacity_ah"]
    whole = good.tables["timeseries"].select(columns)
    path = tmp_path / "cell.ndax"
    for number in range(3):
        chance = random.Random(f"{member}-{harm.__name__}-{number}")

        def change(name: str, content: bytes, chance: random.Random = chance) -> bytes:
            at = chance.randrange(9000, 60_000)
            return harm(content, at, chance) if name == member else content

        with_member(source, path, change)
        found = cellpipe.read(path)
        table = found.tables["timeseries"].select(columns)
        beside = table.join(whole, on="record_index", how="left", suffix="_good")
        for name in columns[1:]:
            apart = (beside[name] - beside[f"{name}_good"]).abs().max()
            assert float(apart or 0) < 1e-3, (number, name)  # type: ignore[arg-type]
        assert table.height < whole.height
        assert "records_lost" in new_warnings(found, good), number


def test_every_page_of_the_real_ndax_has_its_checksum(real_data: Path) -> None:
    pages = 0
    for path in sorted((real_data / "ndax").iterdir()):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                size = 512 if content[2] == 2 else 4096
                if name.endswith(".ndc") and name != "data_Aux.ndc":  # a text without one
                    for at in range(size, len(content), size):
                        page = content[at : at + size]
                        assert zlib.crc32(page[:-4]) == int.from_bytes(page[-4:], "little"), name
                        pages += 1
    assert pages > 2000


def test_rows_of_zeros_in_a_res_are_no_records(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "res/navani__arbin_example.res"
    content = source.read_bytes()
    good = cellpipe.read(source)
    path = tmp_path / "cell.res"
    lost = 0
    for number in range(40):
        at = random.Random(number).randrange(300_000, len(content) - 5000)
        at -= at % 512
        path.write_bytes(content[:at] + bytes(512) + content[at + 512 :])
        try:
            found = cellpipe.read(path)
        except FileError:
            continue
        assert strange_rows(found.tables["timeseries"], good.tables["timeseries"]) == 0, number
        if found.tables["timeseries"].height < good.tables["timeseries"].height:
            lost += 1
            assert new_warnings(found, good), number
    assert lost


def workbook(source: Path, change: Callable[[bytes], bytes], *, seal: bool) -> bytes:
    """Return a workbook, not compressed, with a changed sheet of records.

    Without ``seal`` the checksum stays that of the sheet as it was.
    """
    packed = io.BytesIO()
    sheets = {}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as new:
        largest = max(old.infolist(), key=lambda info: info.file_size).filename
        for name in old.namelist():
            sheets[name] = old.read(name)
            inside = change(sheets[name]) if name == largest and seal else sheets[name]
            new.writestr(name, inside)
    content = packed.getvalue()
    return content if seal else content.replace(sheets[largest], change(sheets[largest]))


def blank_rows(sheet: bytes) -> bytes:
    begin, end = sheet.find(b'<row r="1500"'), sheet.find(b'<row r="1600"')
    return sheet[:begin] + b" " * (end - begin) + sheet[end:]


def test_rows_that_are_missing_in_a_sheet_are_said(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cell.xlsx"
    path.write_bytes(
        workbook(real_data / "derived/neware-xlsx__derived_btsda8_en.xlsx", blank_rows, seal=True)
    )
    found = cellpipe.read(path)
    assert found.tables["timeseries"].height == 2400
    assert ("rows_missing", 100) in {(f.code, f.rows) for f in found.findings}


def test_rows_that_are_missing_at_the_end_of_a_sheet_are_said(
    real_data: Path, tmp_path: Path
) -> None:
    def cut(sheet: bytes) -> bytes:
        return sheet[: sheet.find(b'<row r="2000"')] + sheet[sheet.find(b"</sheetData>") :]

    path = tmp_path / "cell.xlsx"
    path.write_bytes(
        workbook(real_data / "derived/neware-xlsx__derived_btsda8_en.xlsx", cut, seal=True)
    )
    found = cellpipe.read(path)
    assert found.tables["timeseries"].height == 1998
    assert ("file_cut_off", 502) in {(f.code, f.rows) for f in found.findings}


def test_a_sheet_with_a_wrong_checksum_is_refused(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "derived/neware-xlsx__derived_btsda8_en.xlsx"
    path = tmp_path / "cell.xlsx"
    path.write_bytes(workbook(source, blank_rows, seal=False))
    with pytest.raises(FileError, match="checksum"):
        cellpipe.read(path)
