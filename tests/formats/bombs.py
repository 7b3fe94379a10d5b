"""Small files that unpack, or are read, into gigabytes: how each is made, what is said of it."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
import xlsxwriter

SAMPLE = Path(__file__).parents[2] / "sample_data"
MEGABYTE = 1 << 20
_HEADERS = ("Data_Point", "Test_Time(s)", "Step_Index", "Current(A)", "Voltage(V)",
            "Charge_Capacity(Ah)")  # fmt: skip
_CELL = b"<c><v>1</v></c>"


def workbook(path: Path, far: str = "", rows: int = 20) -> Path:
    """Write a small Arbin workbook, with a value in a cell far away if wanted."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Channel_1_1")
        sheet.write_row(0, 0, _HEADERS)
        for row in range(1, rows):
            sheet.write_row(row, 0, (row, 10.0 * row, 1, 0.001, 3.5, 0.001 * row))
        if far:
            sheet.write_number(far, 1.0)
    return path


def _with_member(
    path: Path, name: str, chunks: Iterable[bytes], source: Path | None = None
) -> Path:
    """Write an archive like another one, one member of which is replaced."""
    source = source or workbook(path.with_suffix(".small.xlsx"))
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
        with new.open(name, "w", force_zip64=True) as stream:
            for chunk in chunks:
                stream.write(chunk)
    if source.name.endswith(".small.xlsx"):
        source.unlink()
    return path


def _repeated(head: bytes, unit: bytes, size: int, tail: bytes = b"") -> Iterable[bytes]:
    block = unit * (MEGABYTE // len(unit))
    yield head
    for _ in range(size // len(block)):
        yield block
    yield tail


def sheet(path: Path) -> None:
    rows = b"<row>" + _CELL * 10 + b"</row>"
    chunks = _repeated(b"<worksheet><sheetData>", rows, 400 * MEGABYTE, b"</sheetData></worksheet>")
    _with_member(path, "xl/worksheets/sheet1.xml", chunks)


def sheet_that_states_less(path: Path) -> None:
    """Write a sheet whose directory entry states a thousandth of what it unpacks to."""
    rows = b"<row>" + _CELL * 10 + b"</row>"
    chunks = _repeated(b"<worksheet><sheetData>", rows, 200 * MEGABYTE, b"</sheetData></worksheet>")
    name = "xl/worksheets/sheet1.xml"
    _with_member(path, name, chunks)
    with zipfile.ZipFile(path) as archive:
        size, begin = archive.getinfo(name).file_size, archive.start_dir
    content = path.read_bytes()
    directory = content[begin:].replace(struct.pack("<I", size), struct.pack("<I", size // 1000))
    path.write_bytes(content[:begin] + directory)


def book_names(path: Path) -> None:
    head = b'<workbook><sheets><sheet name="a" sheetId="1" r:id="rId1"/>'
    chunks = _repeated(head, b"<sheet/>", 400 * MEGABYTE, b"</sheets></workbook>")
    _with_member(path, "xl/workbook.xml", chunks)


def shared_strings(path: Path) -> None:
    chunks = _repeated(b"<sst><si><t>", b"a", 400 * MEGABYTE, b"</t></si></sst>")
    _with_member(path, "xl/sharedStrings.xml", chunks)


def one_long_string(path: Path) -> None:
    chunks = _repeated(b"<sst><si><t>", b"a", 20 * MEGABYTE, b"</t></si></sst>")
    _with_member(path, "xl/sharedStrings.xml", chunks)


def styles(path: Path) -> None:
    chunks = _repeated(
        b"<styleSheet><cellXfs>", b"<xf/>", 30 * MEGABYTE, b"</cellXfs></styleSheet>"
    )
    _with_member(path, "xl/styles.xml", chunks)


def far_cell(path: Path) -> None:
    workbook(path, "XFD1048576")


def far_row(path: Path) -> None:
    workbook(path, "F1048576")


def far_in_two_letters(path: Path) -> None:
    workbook(path, "ZZ900000")


def false_dimension(path: Path) -> None:
    """State a used range of the whole sheet in a workbook that holds one stray cell."""
    small = workbook(path.with_suffix(".other.xlsx"), "XFD1048576")
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(small) as archive:
        content = archive.read(name).replace(b'ref="A1:XFD1048576"', b'ref="A1:F20"')
    _with_member(path, name, [content], small)
    small.unlink()


def _with_row(path: Path, row: bytes, extra: dict[str, bytes] | None = None) -> None:
    """Write a small workbook with one more row, and other members."""
    small = workbook(path.with_suffix(".other.xlsx"))
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(small) as archive:
        content = archive.read(name).replace(b"</sheetData>", row + b"</sheetData>")
    _with_member(path, name, [content], small)
    small.unlink()
    with zipfile.ZipFile(path, "a") as archive:
        for member, data in (extra or {}).items():
            archive.writestr(member, data)


def far_after_a_line_end(path: Path) -> None:
    _with_row(path, b'<row r="1048576"><c\nr="XFD1048576"><v>1</v></c></row>')


def far_behind_other_attributes(path: Path) -> None:
    row = b"<row\tr = '1048576'><c s=\"0\" t=' r=\"A1\"' r = 'XFD1048576'><v>1</v></c></row>"
    _with_row(path, row)


def far_in_five_digits(path: Path) -> None:
    _with_row(path, b'<row r="99999"><c r="ZZ99999"><v>1</v></c></row>')


def far_without_places(path: Path) -> None:
    """Write cells that state no place into the last row."""
    _with_row(path, b'<row r="1048576">' + _CELL * 16_000 + b"</row>")


def sheet_at_another_place(path: Path) -> None:
    """Write a far cell into a sheet that has the name of something else."""
    small = workbook(path.with_suffix(".other.xlsx"), "XFD1048576")
    with (
        zipfile.ZipFile(small) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            content = old.read(member).replace(b"worksheets/sheet1.xml", b"x/sheet1.bin")
            new.writestr(member.replace("worksheets/sheet1.xml", "x/sheet1.bin"), content)
    small.unlink()


def ballast(path: Path) -> None:
    """Write a large sheet, and a picture that makes the file large too."""
    sheet(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/media/image1.png", random.Random(1).randbytes(8 * MEGABYTE))


def many_sheets(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        for number in range(20_000):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", "<worksheet/>")


def twice_the_same_member(path: Path) -> None:
    import warnings

    workbook(path)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")


def long_line(path: Path) -> None:
    """Write an Arbin .csv whose third line is 200 MB long."""
    with path.open("wb") as stream:
        stream.write(",".join(_HEADERS).encode() + b"\n1,10,1,0.001,3.5,0.001\n")
        stream.writelines(_repeated(b"", b"1,", 200 * MEGABYTE))


def many_columns(path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(",".join(_HEADERS).encode() + b"\n")
        for row in range(3):
            stream.write(
                f"{row},{10 * row},1,0.001,3.5,0.001".encode() + b",1" * 10_000_000 + b"\n"
            )


def text_without_lines(path: Path) -> None:
    source = next((SAMPLE / "biologic_mpt").glob("*.mpt")).read_bytes()
    with path.open("wb") as stream:
        stream.write(source[: source.rfind(b"\n") + 1])
        stream.writelines(_repeated(b"", b"0" * 1024, 200 * MEGABYTE))


def neware_member(path: Path) -> None:
    source = next((SAMPLE / "neware_ndax").glob("*.ndax"))
    _with_member(path, "data.ndc", _repeated(b"\x01\x00\x0e", bytes(4096), 400 * MEGABYTE), source)


def archive_in_archive(path: Path) -> None:
    inner = path.with_suffix(".inner")
    with (
        zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("b.nda", "w", force_zip64=True) as stream,
    ):
        stream.writelines(_repeated(b"NEWARE", bytes(4096), 200 * MEGABYTE))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(inner, "a.zip")
        with archive.open("a.nda", "w", force_zip64=True) as stream:
            stream.writelines(_repeated(b"NEWARE", bytes(4096), 400 * MEGABYTE))
    inner.unlink()


def module_length(path: Path) -> None:
    """State four gigabytes in the head of each module of a .mpr."""
    content = bytearray(next((SAMPLE / "biologic_mpr").glob("*OCV*.mpr")).read_bytes())
    at = content.find(b"VMP data")
    at = at if at > 0 else content.find(b"MODULE")
    struct.pack_into("<I", content, at + 35, 0xFFFFFFF0)
    path.write_bytes(content)


def page_count(path: Path) -> None:
    """Write a Jet 4 database whose page says that 65535 rows are in it."""
    page = bytearray(4096)
    page[:20] = b"\x00\x01\x00\x00Standard Jet DB\x00"
    page[0x14] = 1
    rows = bytearray(b"\x01\x01" + bytes(10) + b"\xff\xff") + b"\xff" * (4096 - 14)
    path.write_bytes(bytes(page) + bytes(rows) * 2000)


def record_count(path: Path) -> None:
    """State four billion bytes of records in the head of an .nda."""
    content = bytearray(4096)
    content[:6], content[14] = b"NEWARE", 29
    struct.pack_into("<2I", content, 64, 0xFFFFFF00, 0xFFFFFFFF)
    path.write_bytes(content)


def parquet_rows(path: Path) -> None:
    pl.select(
        pl.repeat(1.0, 60_000_000).alias("Test Time / s"),
        pl.repeat(1.0, 60_000_000).alias("Voltage / V"),
        pl.repeat(1.0, 60_000_000).alias("Current / A"),
    ).write_parquet(path, compression="zstd")


def _bdf_columns() -> list[pl.Expr]:
    names = ("Test Time / s", "Voltage / V", "Current / A")
    return [pl.repeat(1.0, 100_000).alias(name) for name in names]


def parquet_lists(path: Path) -> None:
    values = pl.repeat(1.0, 150_000_000).implode().alias("Voltage / V")
    others = [column.first() for column in _bdf_columns()[::2]]
    pl.select(values, *others).write_parquet(path, compression="zstd")


def parquet_texts(path: Path) -> None:
    """Write one long text, which parquet keeps once, a hundred thousand times."""
    texts = pl.repeat("a" * 20_000, 100_000).alias("Step Type")
    pl.select(texts, *_bdf_columns()).write_parquet(path, compression="zstd")


def _after_a_file(path: Path, kind: str, unit: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(next((SAMPLE / kind).glob(f"*{path.suffix}")).read_bytes())
        stream.writelines(_repeated(b"", unit, 100 * MEGABYTE))


def empty_lines(path: Path) -> None:
    _after_a_file(path, "arbin_csv", b"\r\n")


def short_lines(path: Path) -> None:
    _after_a_file(path, "biologic_mpt", b"1,2\n")


BOMBS: dict[str, tuple[str, Callable[[Path], None], str]] = {  # file, maker, what is said of it
    "a sheet that unpacks to 0.4 GB": ("a.xlsx", sheet, "sheet1.xml"),
    "a sheet that states less than it holds": ("b.xlsx", sheet_that_states_less, "sheet1.xml"),
    "a workbook.xml of 0.4 GB": ("c.xlsx", book_names, "workbook.xml"),
    "0.4 GB of shared strings": ("d.xlsx", shared_strings, "sharedStrings.xml"),
    "one shared string of 20 MB": ("e.xlsx", one_long_string, "in one cell"),
    "30 MB of styles": ("f.xlsx", styles, "styles.xml"),
    "a value in XFD1048576": ("g.xlsx", far_cell, "XFD1048576"),
    "a value in F1048576": ("h.xlsx", far_row, "F1048576"),
    "a value in ZZ900000": ("i.xlsx", far_in_two_letters, "ZZ900000"),
    "a dimension that is not true": ("j.xlsx", false_dimension, "XFD1048576"),
    "20,000 sheets": ("k.xlsx", many_sheets, "20,001 members"),
    "two members of one name": ("l.xlsx", twice_the_same_member, "2 members"),
    "a line of 200 MB": ("m.csv", long_line, "a line of more than"),
    "ten million columns": ("n.csv", many_columns, "a line of more than"),
    "200 MB of text without a line": ("o.mpt", text_without_lines, "a line of more than"),
    "a data.ndc of 0.4 GB": ("p.ndax", neware_member, "data.ndc"),
    "an archive in an archive": ("q.nda.zip", archive_in_archive, "a.nda"),
    "a module of 4 GB": ("r.mpr", module_length, "states a length of"),
    "65,535 rows in a page": ("s.res", page_count, "found"),
    "4 GB of records": ("t.nda", record_count, "found"),
    "180 million values in parquet": ("u.bdf.parquet", parquet_rows, "60,000,000 rows"),
    "XFD1048576 after a line end": ("v.xlsx", far_after_a_line_end, "XFD1048576"),
    "XFD1048576 after others": ("w.xlsx", far_behind_other_attributes, "XFD1048576"),
    "a value in ZZ99999": ("x.xlsx", far_in_five_digits, "ZZ99999"),
    "a last row of cells without places": ("y.xlsx", far_without_places, "row 1048576"),
    "a sheet at another place": ("z.xlsx", sheet_at_another_place, "XFD1048576"),
    "a picture beside a sheet of 0.4 GB": ("aa.xlsx", ballast, "sheet1.xml"),
    "150 million values in one row": ("ab.bdf.parquet", parquet_lists, "several values in a row"),
    "2 GB of texts": ("ac.bdf.parquet", parquet_texts, "a text of 20,000 bytes"),
    "52 million empty lines": ("ad.csv", empty_lines, "empty ones or almost"),
    "26 million short lines": ("ae.mpt", short_lines, "empty ones or almost"),
}  # fmt: skip
