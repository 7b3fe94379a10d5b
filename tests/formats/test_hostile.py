"""No file, however wrong, crashes, hangs, takes what its header claims, or breaks a contract.

20,000 wrong files over all formats; more with ``CELLPIPE_HOSTILE=200000`` in the environment. They
are read in a process of their own that may have a gigabyte more than at its start.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import hostile
import polars as pl
import pytest
import xlsxwriter

import cellpipe

SAMPLE = Path(__file__).parents[2] / "sample_data"
TOTAL = int(os.environ.get("CELLPIPE_HOSTILE", "20000"))
BATCH = 50
SMALL = {  # format: its share, and a small file in the sample lab or else among the real ones
    "biologic_mpr": (12, "biologic_mpr/SSB-01_01_OCV_C01.mpr"),
    "biologic_mpr_eis": (12, "biologic_mpr/SSB-01_03_PEIS_C01.mpr"),
    "biologic_mpr_new": (3, "mpr/yadg__mb.issue_149.mpr"),
    "biologic_mpt": (2, "biologic_mpt/SSB-02_02_PEIS_C02.mpt"),
    "arbin_csv": (2, "arbin_csv/SSB-03a_full_C2_Channel_6.csv"),
    "arbin_res": (8, "res/navani__arbin_example.res"),
    "neware_nda_22": (2, "nda/fastnda__nda_v22.nda"),
    "neware_nda_29": (4, "nda/navani__test.nda"),
    "neware_ndax": (3, "ndax/fastnda__interp-test.ndax"),
    "neware_ndax_aux": (5, "ndax/fastnda__Unit27_Example_Data_File.ndax"),
    "neware_csv": (2, "neware_csv/SSB-07_record.csv"),
    "neware_csv_gbk": (1, "neware_csv/SSB-05_record_zh.csv"),
    "neware_csv_nested": (1, "derived/neware-csv__derived_nested_zh_gbk.csv"),
    "maccor_txt": (2, "maccor/navani__maccor_example.txt"),
    "gamry_dta": (2, "gamry/gamryp__eispot_data.dta"),
    "zview_z": (5, "zview/impedancepy__exampleDataZPlot.z"),
    "novonix_csv": (1, "novonix/pyprobe__sample_data_novonix.csv"),
    "basytec_txt": (1, "basytec/pyprobe__sample_data_basytec.txt"),
    "pec_csv": (1, "pec/cellpy__Test25205.csv"),
    "arbin_xlsx": (12, ""),
    "neware_xlsx": (8, ""),
    "bdf_csv": (1, ""),
    "bdf_parquet": (10, ""),
}
ROWS = 40


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with pytest.MonkeyPatch.context() as here:
        here.setenv("POLARS_MAX_THREADS", "1")
        yield from _pool()


def _pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=hostile.limited
    ) as workers:
        yield workers


def small_file(form: str, folder: Path, real: Path | None) -> Path:
    """Give a small good file of a format: text is cut to its first records."""
    name = SMALL[form][1]
    if not name:
        return made_file(form, folder)
    source = SAMPLE / name
    if not source.is_file():
        if real is None:
            pytest.skip("the corpus of real instrument files is not beside the checkout")
        source = real / name
    path = folder / source.name
    content = source.read_bytes()
    text = source.suffix in {".csv", ".mpt", ".txt"}
    lines = content.split(b"\n")
    head = 70 + ROWS if source.suffix == ".mpt" else ROWS + 60 if "pec" in form else ROWS
    path.write_bytes(b"\n".join(lines[:head]) + b"\n" if text else content)
    return path


def made_file(form: str, folder: Path) -> Path:
    table = cellpipe.read(SAMPLE / "neware_csv/SSB-05_record_zh.csv").tables["timeseries"][:ROWS]
    path = folder / {"bdf_csv": "cell.bdf.csv", "bdf_parquet": "cell.bdf.parquet"}.get(
        form, "a.xlsx"
    )
    if form == "bdf_csv":
        table.write_csv(path)
    elif form == "bdf_parquet":
        table.write_parquet(path)
    else:
        names = {
            "arbin_xlsx": "Channel_1_1|Data_Point|Test_Time(s)|Step_Index|Current(A)|Voltage(V)|"
            "Charge_Capacity(Ah)",
            "neware_xlsx": "record|DataPoint|Total Time(s)|Step Index|Current(A)|Voltage(V)|"
            "Capacity(Ah)",
        }[form].split("|")
        columns = ("record_index", "test_time_second", "step_id", "current_ampere", "voltage_volt",
                   "vendor_charging_capacity_ah")  # fmt: skip
        with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
            for extra in ("unit", "test") if form == "neware_xlsx" else ():
                book.add_worksheet(extra).write_string(0, 0, extra)
            sheet = book.add_worksheet(names[0])
            sheet.write_row(0, 0, names[1:])
            for place, row in enumerate(table.select(columns).iter_rows(), 1):
                sheet.write_row(place, 0, row)
    return path


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory where the system has one: writing, not reading, took most time."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
@pytest.mark.parametrize("form", SMALL)
def test_a_wrong_file_is_read_with_findings_or_refused(
    form: str, in_memory: Path, pool: ProcessPoolExecutor
) -> None:
    real = Path(__file__).parents[3] / "shared" / "real_data"
    good = small_file(form, in_memory, real if real.is_dir() else None)
    cellpipe.read(good)
    content = good.read_bytes()
    number = -(-TOTAL * SMALL[form][0] // sum(share for share, _ in SMALL.values()))
    wrong: list[str] = []
    for first in range(0, number, BATCH):
        seeds = [f"{form}-{n}" for n in range(first, min(first + BATCH, number))]
        done = pool.submit(hostile.trials, good.name, content, seeds, in_memory)
        wrong += done.result(timeout=BATCH * hostile.SECONDS)
        assert len(wrong) < 20, wrong
    assert not wrong


def bomb(path: Path, name: str, head: bytes = b"", size: int = 5 << 28) -> Path:
    """Write an archive with a member that unpacks to gigabytes of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other in ("[Content_Types].xml", "xl/workbook.xml") if path.suffix == ".xlsx" else ():
            archive.writestr(other, b"<x/>")
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(head)
            for _ in range(size >> 24):
                member.write(bytes(1 << 24))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "member"),
    [
        ("cell.ndax", "data.ndc"),
        ("cell.xlsx", "xl/worksheets/sheet1.xml"),
        ("cell.nda.zip", "a.nda"),
    ],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    file: str, member: str, tmp_path: Path, pool: ProcessPoolExecutor
) -> None:
    path = bomb(tmp_path / file, member, b"\x01\x00\x0e")
    assert pool.submit(hostile.attempt, path).result(timeout=60) == ("", True)


@pytest.mark.parametrize("entity", ["internal", "external"])
def test_xml_with_entities_is_not_expanded(
    entity: str, tmp_path: Path, pool: ProcessPoolExecutor
) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    declared = {"internal": f'<!ENTITY l0 "ha">{laughs}',
                "external": '<!ENTITY l9 SYSTEM "file:///etc/passwd">'}[entity]  # fmt: skip
    xml = f'<?xml version="1.0"?><!DOCTYPE r [{declared}]><root><config>&l9;</config></root>'
    source = next((SAMPLE / "neware_ndax").glob("*.ndax"))
    path = tmp_path / "cell.ndax"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, xml if name == "TestInfo.xml" else old.read(name))
    assert pool.submit(hostile.trial, path).result(timeout=60) == ""
    measurement = cellpipe.read(path)
    assert "description_damaged" in {f.code for f in measurement.findings}
    assert "root:" not in str(dict(measurement.metadata))


def test_negative_times_are_set_aside_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv"
    rows = "\n".join(f"{n},{n - 3},1,0.1,3.5,0" for n in range(1, 9))
    path.write_text(
        f"Data_Point,Test_Time(s),Step_Index,Current(A),Voltage(V),Charge_Capacity(Ah)\n{rows}\n"
    )
    measurement = cellpipe.read(path)
    assert measurement.tables["timeseries"].height == 6
    assert measurement.tables["rejected_rows"]["value"].cast(pl.Float64).to_list() == [-2.0, -1.0]
