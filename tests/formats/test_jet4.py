"""Jet 4 database files: real ones of a cycler, drafted ones for rare structures, damaged ones."""

from __future__ import annotations

import mmap
import struct
import time
import uuid
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe.formats.jet4.database import JetError, declared_row_count, read_table, table_names
from cellpipe.formats.jet4.values import decode_text

PAGE = 4096
REAL = Path(__file__).parents[2].parent / "shared" / "real_data" / "res"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real .res files in {REAL}")

NAVANI = "navani__arbin_example.res"
FC_1 = "cellpy__20210210_FC_01_cc_01.res"
FC_2 = "cellpy__20210210_FC_01_cc_02.res"
TEST_45 = "cellpy__20160805_test001_45_cc_01.res"
AUX = "cellpy__aux_one_x_dx.res"

NORMAL_COLUMNS = [
    "Test_ID",
    "Data_Point",
    "Test_Time",
    "Step_Time",
    "DateTime",
    "Step_Index",
    "Cycle_Index",
    "Is_FC_Data",
    "Current",
    "Voltage",
    "Charge_Capacity",
    "Discharge_Capacity",
    "Charge_Energy",
    "Discharge_Energy",
    "dV/dt",
    "Internal_Resistance",
    "AC_Impedance",
    "ACI_Phase_Angle",
]


def real(name: str) -> bytes:
    return (REAL / name).read_bytes()


# Drafting of small databases --------------------------------------------------------------------

BOOLEAN, BYTE, INTEGER, LONG, CURRENCY, SINGLE, DOUBLE, DATETIME = range(1, 9)
BINARY, TEXT, OLE, MEMO, GUID, DECIMAL = 9, 10, 11, 12, 15, 16
FIXED_SIZE = {
    BOOLEAN: 0,
    BYTE: 1,
    INTEGER: 2,
    LONG: 4,
    CURRENCY: 8,
    SINGLE: 4,
    DOUBLE: 8,
    DATETIME: 8,
    GUID: 16,
    DECIMAL: 17,
}
HEADER = bytes.fromhex("00010000") + b"Standard Jet DB\x00" + bytes((1, 0, 0, 0))
# The stored database key of a file that is not enciphered (the header is masked).
NO_KEY = bytes.fromhex("fb8abc4e")
CATALOGUE = [("Id", LONG), ("Name", TEXT), ("Type", INTEGER), ("Flags", LONG), ("LvProp", OLE)]

Spec = list[tuple[str, int]]
Value = bytes | bool | None


def rows_page(owner: int | bytes, rows: list[tuple[bytes, int]]) -> bytearray:
    """Lay rows, each with its slot flags, on a page."""
    page = bytearray(PAGE)
    tag = owner if isinstance(owner, bytes) else struct.pack("<I", owner)
    struct.pack_into("<BBH4sIH", page, 0, 1, 1, 0, tag, 0, len(rows))
    end = PAGE
    for index, (body, flags) in enumerate(rows):
        page[end - len(body) : end] = body
        end -= len(body)
        struct.pack_into("<H", page, 14 + 2 * index, end | flags)
    return page


def fixed_offsets(spec: Spec) -> list[int]:
    offsets, at = [], 0
    for _, kind in spec:
        offsets.append(at)
        at += FIXED_SIZE.get(kind, 0)
    return offsets


def row(spec: Spec, values: list[Value]) -> bytes:
    """Encode a row; with fewer values than columns, a row from before the last were added."""
    fixed, variable, ends, mask = bytearray(), bytearray(), [], 0
    width = 2 + sum(FIXED_SIZE.get(kind, 0) for _, kind in spec[: len(values)])
    for index, ((_, kind), value) in enumerate(zip(spec, values, strict=False)):
        if value is not None and value is not False:
            mask |= 1 << index
        raw = value if isinstance(value, bytes) else b""
        if kind in FIXED_SIZE:
            fixed += raw.ljust(FIXED_SIZE[kind], b"\x00")
        else:
            ends.append(width + len(variable))
            variable += raw
    table = struct.pack(f"<{len(ends) + 1}H", *reversed([*ends, width + len(variable)]))
    table += struct.pack("<H", len(ends))
    has_variable = any(kind not in FIXED_SIZE for _, kind in spec)
    null_mask = mask.to_bytes((len(values) + 7) // 8, "little")
    body = struct.pack("<H", len(values)) + bytes(fixed) + bytes(variable)
    return body + (table if has_variable else b"") + null_mask


def definition(spec: Spec, declared: int, usage: int, decimals: int = 2) -> bytes:
    """Encode a definition without its page headers."""
    variable = sum(kind not in FIXED_SIZE for _, kind in spec)
    body = bytearray(63)
    struct.pack_into("<I", body, 16, declared)
    struct.pack_into("<BHHHII", body, 40, 0x4E, len(spec), variable, len(spec), 0, 0)
    struct.pack_into("<II", body, 55, usage, usage)
    order = 0
    for number, ((_, kind), offset) in enumerate(zip(spec, fixed_offsets(spec), strict=True)):
        fixed = kind in FIXED_SIZE
        entry = bytearray(25)
        struct.pack_into("<BIHHH", entry, 0, kind, 0x659, number, order, number)
        struct.pack_into("<BB", entry, 11, 18 if kind == DECIMAL else 0, decimals)
        struct.pack_into("<B", entry, 15, 2 | fixed)
        size = FIXED_SIZE.get(kind, 500 if kind in (TEXT, BINARY) else 0)
        struct.pack_into("<HH", entry, 21, offset, size)
        body += entry
        order += not fixed
    for name, _ in spec:
        raw = name.encode("utf-16-le")
        body += struct.pack("<H", len(raw)) + raw
    return bytes(body)


class Draft:
    """A database under construction: page 1 holds the usage maps, page 2 the catalogue."""

    def __init__(self) -> None:
        header = bytearray(PAGE)
        header[: len(HEADER)] = HEADER
        header[0x3E:0x42] = NO_KEY
        self.pages = [header, bytearray(PAGE), bytearray(PAGE)]
        self.maps: list[bytes] = []
        self.tables: list[tuple[int, str, int, int]] = []

    def add(self, page: bytes | bytearray) -> int:
        self.pages.append(bytearray(page))
        return len(self.pages) - 1

    def usage(self, pages: list[int]) -> int:
        """Add a usage map of kind 0; return the pointer to it."""
        bits = bytearray(64)
        for page in pages:
            bits[page // 8] |= 1 << page % 8
        self.maps.append(b"\x00" + bytes(4) + bytes(bits))
        return (1 << 8) | (len(self.maps) - 1)

    def define(self, body: bytes, at: int | None = None) -> int:
        """Spread a definition over as many pages as it needs."""
        first = self.add(bytes(PAGE)) if at is None else at
        page, following = first, 0
        for start in range(8, max(len(body), 9), PAGE - 8):
            more = start + PAGE - 8 < len(body)
            following = self.add(bytes(PAGE)) if more else 0
            piece = struct.pack("<BBHI", 2, 1, 0, following) + body[start : start + PAGE - 8]
            self.pages[page][: len(piece)] = piece
            page = following
        return first

    def table(
        self,
        name: str,
        spec: Spec,
        pages: list[list[tuple[bytes, int]]],
        usage: int | None = None,
        flags: int = 0,
        declared: int | None = None,
    ) -> int:
        """Add a table with rows laid out page by page; return the page of its definition."""
        numbers = [self.add(bytes(PAGE)) for _ in pages]
        shown = sum(slot_flags in (0, 0x4000) for rows in pages for _, slot_flags in rows)
        pointer = self.usage(numbers) if usage is None else usage
        first = self.define(definition(spec, shown if declared is None else declared, pointer))
        for number, rows in zip(numbers, pages, strict=True):
            self.pages[number] = rows_page(first, rows)
        self.tables.append((first, name, 1, flags))
        return first

    def finish(self) -> bytes:
        """Write the catalogue and the usage maps; return the file."""
        rows = [
            row(
                CATALOGUE,
                [
                    struct.pack("<I", p),
                    n.encode("utf-16-le"),
                    struct.pack("<H", k),
                    struct.pack("<I", f),
                    None,
                ],
            )
            for p, n, k, f in self.tables
        ]
        page = self.add(rows_page(2, [(body, 0) for body in rows]))
        pointer = self.usage([page])
        self.define(definition(CATALOGUE, len(rows), pointer), at=2)
        self.pages[1] = rows_page(0, [(body, 0) for body in self.maps])
        return b"".join(bytes(page) for page in self.pages)


def long(number: int) -> bytes:
    return struct.pack("<i", number)


ANIMALS: Spec = [("Number", LONG), ("Name", TEXT)]


def animal(number: int, name: str) -> bytes:
    return row(ANIMALS, [long(number), name.encode("utf-16-le")])


def animals(pages: list[list[tuple[bytes, int]]], **options: int) -> bytes:
    draft = Draft()
    draft.table("Animals", ANIMALS, pages, **options)
    return draft.finish()


ALL_KINDS: Spec = [
    ("Flag", BOOLEAN),
    ("Byte", BYTE),
    ("Integer", INTEGER),
    ("Long", LONG),
    ("Money", CURRENCY),
    ("Single", SINGLE),
    ("Double", DOUBLE),
    ("When", DATETIME),
    ("Raw", BINARY),
    ("Word", TEXT),
    ("Blob", OLE),
    ("Note", MEMO),
    ("Key", GUID),
    ("Amount", DECIMAL),
]
KEY = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def inline(value: bytes) -> bytes:
    return struct.pack("<III", len(value) | 0x80000000, 0, 0) + value


def full_row() -> list[Value]:
    return [
        True,
        b"\xff",
        struct.pack("<h", -32768),
        long(-2147483648),
        struct.pack("<q", -1234567),
        struct.pack("<f", 0.1),
        struct.pack("<d", -1e300),
        struct.pack("<d", 44237.5),
        b"\x00\xff\x80",
        "Ampère".encode("utf-16-le"),
        inline(b"\x01\x02"),
        inline("Zelle Ω".encode("utf-16-le")),
        KEY.bytes_le,
        b"\x80" + struct.pack("<IIII", 0, 0, 0, 12345),
    ]


def all_kinds() -> pl.DataFrame:
    rows = [row(ALL_KINDS, full_row()), row(ALL_KINDS, [None] * len(ALL_KINDS))]
    draft = Draft()
    draft.table("Kinds", ALL_KINDS, [[(body, 0) for body in rows]])
    return read_table(draft.finish(), "Kinds")


def with_long_value(head: int, pieces: list[bytes], length: int) -> bytes:
    """Draft a table ``Notes`` whose one memo lies on long-value pages, one piece a page."""
    draft = Draft()
    pages = [draft.add(bytes(PAGE)) for _ in pieces]
    pointers = [page << 8 for page in pages]
    following = [*pointers[1:], 0]
    for page, piece, after in zip(pages, pieces, following, strict=True):
        lead = b"" if head else struct.pack("<I", after)
        draft.pages[page] = rows_page(b"LVAL", [(lead + piece, 0)])
    value = struct.pack("<III", length | head, pointers[0], 0)
    draft.table("Notes", [("Note", MEMO)], [[(row([("Note", MEMO)], [value]), 0)]])
    return draft.finish()


# Real files -------------------------------------------------------------------------------------


@needs_real_files
@pytest.mark.parametrize(
    ("file", "rows"),
    [(TEST_45, 10261), (FC_1, 7218), (FC_2, 26989), (AUX, 7235), (NAVANI, 2150)],
)
def test_all_rows_of_a_real_file_are_read_and_are_as_many_as_it_declares(
    file: str, rows: int
) -> None:
    data = real(file)
    table = read_table(data, "Channel_Normal_Table")
    assert table.height == rows
    assert declared_row_count(data, "Channel_Normal_Table") == rows
    assert table.columns[:10] == NORMAL_COLUMNS[:10]


@needs_real_files
def test_the_user_tables_are_listed_in_the_order_of_the_catalogue() -> None:
    assert table_names(real(NAVANI)) == [
        "Version_Table",
        "Global_Table",
        "Resume_Table",
        "Channel_Normal_Table",
        "Channel_Statistic_Table",
        "Auxiliary_Table",
        "Event_Table",
        "Smart_Battery_Info_Table",
        "Smart_Battery_Data_Table",
        "MCell_Aci_Data_Table",
        "Aux_Global_Data_Table",
        "Smart_Battery_Clock_Stretch_Table",
    ]


@needs_real_files
def test_every_table_of_every_real_file_holds_the_rows_it_declares() -> None:
    compared = 0
    for path in sorted(REAL.glob("*.res")):
        data = path.read_bytes()
        for name in table_names(data):
            assert read_table(data, name).height == declared_row_count(data, name), (
                path.name,
                name,
            )
            compared += 1
    assert compared >= 76


@needs_real_files
def test_rows_keep_the_order_of_the_file_even_where_data_points_step_back() -> None:
    points = read_table(real(NAVANI), "Channel_Normal_Table")["Data_Point"]
    assert points[0] == 1
    assert points[1559:1561].to_list() == [1800, 1321]
    assert points[-1] == 2150
    assert points.n_unique() == 2150


@needs_real_files
def test_numbers_of_a_real_file_are_read_to_the_last_bit_in_their_own_widths() -> None:
    table = read_table(real(NAVANI), "Channel_Normal_Table")
    assert table.columns == NORMAL_COLUMNS
    assert table.dtypes == [
        *(pl.Int32, pl.Int32, pl.Float64, pl.Float64, pl.Float64, pl.Int16, pl.Int16, pl.UInt8),
        *(pl.Float32, pl.Float32, pl.Float64, pl.Float64, pl.Float64, pl.Float64),
        *(pl.Float32, pl.Float32, pl.Float32, pl.Float32),
    ]
    first, last = table.row(0, named=True), table.row(-1, named=True)
    assert first["Test_Time"] == pytest.approx(0.07259541979508601, rel=1e-15)
    assert first["DateTime"] == pytest.approx(45131.78472222222, rel=1e-15)
    assert first["Voltage"] == pytest.approx(3.8591957, rel=1e-7)
    assert last["Test_Time"] == pytest.approx(345733.3894574374, rel=1e-15)
    assert last["Voltage"] == pytest.approx(3.872108, rel=1e-7)
    assert (last["Step_Index"], last["Cycle_Index"]) == (5, 5)


@needs_real_files
def test_the_last_row_of_the_longest_real_file_is_read() -> None:
    last = read_table(real(FC_2), "Channel_Normal_Table").row(-1, named=True)
    assert last["Data_Point"] == 26989
    assert last["Step_Index"] == 11
    assert last["Charge_Capacity"] == pytest.approx(0.003331197146609, rel=1e-12)
    assert last["Discharge_Energy"] == pytest.approx(0.012002586626081, rel=1e-12)
    assert last["Internal_Resistance"] == pytest.approx(15.058882, rel=1e-7)


@needs_real_files
def test_a_newer_layout_with_further_columns_is_read_by_its_own_definition() -> None:
    table = read_table(real(AUX), "Channel_Normal_Table")
    assert table.columns == [
        *NORMAL_COLUMNS,
        *("PulseStageIndex", "PulseStageTime", "ACR"),
        *(f"TC_Counter{index}" for index in range(1, 5)),
    ]
    assert table["Charge_Capacity"][-1] == pytest.approx(1.595609426498413, rel=1e-15)
    temperature = read_table(real(AUX), "Auxiliary_Table")
    assert temperature.height == 7235
    assert temperature["X"][0] == pytest.approx(24.406582, rel=1e-7)
    assert temperature["dX_dt"][-1] == pytest.approx(-0.88540572, rel=1e-7)


@needs_real_files
@pytest.mark.parametrize(
    ("file", "name", "schedule", "channel", "start"),
    [
        (
            NAVANI,
            "ajm314_LCO_ajm5-SSB1-F_Wait48hr-Repeat-01-012",
            "AliceM\\LCO-ajm5-SSA8-N_5xCo10.sdu",
            12,
            45131.78472222222,
        ),
        (
            FC_2,
            "20210210_batmar_FC_01_cc_02-01-032",
            "BattMarine\\GITT_fullcell_3-4dot2V.sdu",
            32,
            44335.41164351852,
        ),
        (
            TEST_45,
            "20160805_sic006_45_cc_01-01-003",
            "SiNODE\\24h_rest_3cyc_C20_100cyc_c10_MR.sdu",
            3,
            42587.67804398148,
        ),
        (AUX, "aux_one_x_dx", "OCV.sdu", 31, 44140.44289351852),
    ],
)
def test_the_test_record_of_a_real_file_gives_name_schedule_channel_and_start(
    file: str, name: str, schedule: str, channel: int, start: float
) -> None:
    record = read_table(real(file), "Global_Table").row(0, named=True)
    assert record["Test_Name"] == name
    assert record["Schedule_File_Name"] == schedule
    assert record["Channel_Index"] == channel
    assert record["Start_DateTime"] == pytest.approx(start, rel=1e-15)
    assert record["Log_ChanStat_Data_Flag"] is True
    assert record["Log_Smart_Battery_Data_Flag"] is False


@needs_real_files
def test_events_of_a_real_file_are_read_as_text() -> None:
    events = read_table(real(FC_2), "Event_Table")
    assert events["Event_Describe"].to_list() == [
        *("Test start", "Unsafe", "Test end", "Test start", "Test end(Step 11 : Limit 1)")
    ]
    assert events["Event_Type"].to_list() == [0, 6, 1, 0, 1]


@needs_real_files
def test_a_real_file_of_27_thousand_rows_is_read_in_a_fraction_of_a_second() -> None:
    data = real(FC_2)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        read_table(data, "Channel_Normal_Table")
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2


@needs_real_files
def test_a_mapped_file_can_be_closed_after_reading_and_after_an_error() -> None:
    with (REAL / NAVANI).open("rb") as handle:
        mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        table = read_table(mapped, "Version_Table")
        try:
            read_table(mapped, "No_Such_Table")
        except JetError:
            mapped.close()
    assert mapped.closed
    assert table["Version_Schema_Field"].to_list() == ["Results File 5.23"]


@needs_real_files
def test_moved_rows_of_a_real_system_table_are_found_once_each() -> None:
    data = real(TEST_45)
    storage = read_table(data, "MSysAccessStorage")
    assert storage.height == declared_row_count(data, "MSysAccessStorage")
    assert storage["Id"].n_unique() == storage.height


# Drafted files: structures that are rare in cycler files -----------------------------------------


def test_every_kind_of_column_gets_its_type() -> None:
    assert dict(all_kinds().schema) == {
        "Flag": pl.Boolean,
        "Byte": pl.UInt8,
        "Integer": pl.Int16,
        "Long": pl.Int32,
        "Money": pl.Float64,
        "Single": pl.Float32,
        "Double": pl.Float64,
        "When": pl.Float64,
        "Raw": pl.Binary,
        "Word": pl.String,
        "Blob": pl.Binary,
        "Note": pl.String,
        "Key": pl.String,
        "Amount": pl.Float64,
    }


def test_every_kind_of_value_is_decoded() -> None:
    assert all_kinds().row(0, named=True) == {
        "Flag": True,
        "Byte": 255,
        "Integer": -32768,
        "Long": -2147483648,
        "Money": -123.4567,
        "Single": pytest.approx(0.1, rel=1e-7),
        "Double": -1e300,
        "When": 44237.5,
        "Raw": b"\x00\xff\x80",
        "Word": "Ampère",
        "Blob": b"\x01\x02",
        "Note": "Zelle Ω",
        "Key": "{01234567-89AB-CDEF-0123-456789ABCDEF}",
        "Amount": -123.45,
    }


def test_the_null_mask_makes_every_value_null_but_a_boolean_false() -> None:
    values = all_kinds().row(1, named=True)
    assert values.pop("Flag") is False
    assert set(values.values()) == {None}


def test_an_empty_text_is_not_null() -> None:
    data = animals([[(animal(1, ""), 0), (row(ANIMALS, [long(2), None]), 0)]])
    assert read_table(data, "Animals")["Name"].to_list() == ["", None]


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (b"\xff\xfeStrom", "Strom"),
        (b"\xff\xfeMessger\xe4t", "Messgerät"),
        (b"\xff\xfeR = 3 \x00\xa9\x03\x00!", "R = 3 Ω!"),
        (b"\xff\xfe\x00\xa9\x03A\x00", "ΩA"),
        ("µΩ".encode("utf-16-le"), "µΩ"),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_compressed_and_plain_text_are_decoded(raw: bytes, meant: str) -> None:
    assert decode_text(raw) == meant


def test_a_row_from_before_a_column_was_added_is_null_in_that_column() -> None:
    old = row(ANIMALS[:1], [long(1)])
    data = animals([[(old, 0), (animal(2, "Wal"), 0)]])
    assert read_table(data, "Animals").rows() == [(1, None), (2, "Wal")]


def test_a_deleted_row_is_left_out() -> None:
    data = animals([[(animal(1, "Ai"), 0), (animal(2, "Emu"), 0xC000), (animal(3, "Gnu"), 0)]])
    assert read_table(data, "Animals")["Number"].to_list() == [1, 3]


def test_a_moved_row_is_read_once_and_in_the_place_of_its_pointer() -> None:
    pointer = struct.pack("<I", 4 << 8 | 1)
    here = [(animal(1, "Ai"), 0), (pointer, 0x4000), (animal(3, "Gnu"), 0)]
    data = animals([here, [(animal(7, "Wolf"), 0), (animal(2, "Elefant"), 0x8000)]])
    assert read_table(data, "Animals")["Number"].to_list() == [1, 2, 3, 7]
    assert declared_row_count(data, "Animals") == 4


def test_two_pointers_to_one_row_are_an_error() -> None:
    pointer = struct.pack("<I", 4 << 8)
    data = animals([[(pointer, 0x4000), (pointer, 0x4000)], [(animal(2, "Emu"), 0x8000)]])
    with pytest.raises(JetError, match="two pointers"):
        read_table(data, "Animals")


def test_a_pointer_to_itself_is_an_error() -> None:
    data = animals([[(struct.pack("<I", 3 << 8), 0x4000)]])
    with pytest.raises(JetError, match="expected a row"):
        read_table(data, "Animals")


def test_a_long_value_in_one_row_is_read() -> None:
    note = "Notiz " * 100
    data = with_long_value(0x40000000, [note.encode("utf-16-le")], 1200)
    assert read_table(data, "Notes")["Note"].to_list() == [note]


def test_a_long_value_over_several_pages_is_joined() -> None:
    note = "Ω" * 5000
    raw = note.encode("utf-16-le")
    data = with_long_value(0, [raw[:4076], raw[4076:8152], raw[8152:]], 10000)
    assert read_table(data, "Notes")["Note"].to_list() == [note]


def test_a_long_value_that_leads_in_a_circle_is_an_error() -> None:
    data = bytearray(with_long_value(0, [b"x" * 100, b"y" * 100], 0x3FFFFFFF))
    struct.pack_into("<I", data, 5 * PAGE - 104, 3 << 8)
    with pytest.raises(JetError, match="lead to the same bytes again"):
        read_table(bytes(data), "Notes")


def test_a_long_value_that_claims_a_gigabyte_is_an_error() -> None:
    data = with_long_value(0x40000000, [b"short"], 0x3FFFFFFF)
    with pytest.raises(JetError, match="found 5 bytes, expected 1073741823"):
        read_table(data, "Notes")


def test_a_definition_over_several_pages_is_joined() -> None:
    spec: Spec = [(f"A_column_with_a_long_name_{index:03}", LONG) for index in range(250)]
    draft = Draft()
    values: list[Value] = [long(index) for index in range(250)]
    draft.table("Wide", spec, [[(row(spec, values), 0)]])
    table = read_table(draft.finish(), "Wide")
    assert table.columns == [name for name, _ in spec]
    assert table.row(0) == tuple(range(250))


def test_a_definition_that_leads_in_a_circle_is_an_error() -> None:
    draft = Draft()
    first = draft.table("Animals", ANIMALS, [])
    struct.pack_into("<I", draft.pages[first], 4, first)
    with pytest.raises(JetError, match="expected an end"):
        read_table(draft.finish(), "Animals")


def test_a_usage_map_on_pages_of_its_own_is_followed() -> None:
    draft = Draft()
    map_page = draft.add(bytes(PAGE))
    draft.maps.append(b"\x01" + struct.pack("<II", map_page, 0))
    rows = [[(animal(page, "Biber"), 0)] for page in range(20)]
    draft.table("Animals", ANIMALS, rows, usage=1 << 8)
    bits = sum(1 << page for page in range(map_page + 1, map_page + 21))
    draft.pages[map_page] = bytearray(b"\x05\x01\x00\x00" + bits.to_bytes(PAGE - 4, "little"))
    table = read_table(draft.finish(), "Animals")
    assert table["Number"].to_list() == list(range(20))


def test_pages_no_longer_in_the_usage_map_are_not_read() -> None:
    draft = Draft()
    first = draft.table("Animals", ANIMALS, [[(animal(1, "Ai"), 0)]])
    draft.add(rows_page(first, [(animal(2, "Dodo"), 0)]))
    assert read_table(draft.finish(), "Animals")["Name"].to_list() == ["Ai"]


def test_pages_that_a_usage_map_has_lost_are_read_if_they_complete_the_declared_rows() -> None:
    draft = Draft()
    first = draft.table("Animals", ANIMALS, [[(animal(1, "Ai"), 0)]], declared=2)
    draft.add(rows_page(first, [(animal(2, "Emu"), 0)]))
    assert read_table(draft.finish(), "Animals")["Name"].to_list() == ["Ai", "Emu"]


def test_a_table_that_declares_more_rows_than_it_holds_can_be_told() -> None:
    data = animals([[(animal(1, "Ai"), 0)]], declared=4_000_000_000)
    assert read_table(data, "Animals").height == 1
    assert declared_row_count(data, "Animals") == 4_000_000_000


def test_system_tables_are_not_listed_but_can_be_read() -> None:
    draft = Draft()
    draft.table("Animals", ANIMALS, [])
    draft.table("MSysHidden", ANIMALS, [[(animal(1, "Ai"), 0)]], flags=0x80000000)
    data = draft.finish()
    assert table_names(data) == ["Animals"]
    assert read_table(data, "MSysHidden").height == 1


def test_an_empty_table_keeps_its_columns() -> None:
    assert dict(read_table(animals([]), "Animals").schema) == {
        "Number": pl.Int32,
        "Name": pl.String,
    }


def test_a_table_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(JetError, match="found no table 'Plants', expected one of Animals"):
        read_table(animals([]), "Plants")


def test_the_successor_format_is_read_alike() -> None:
    data = bytearray(animals([[(animal(1, "Ai"), 0)]]))
    data[4:20], data[20] = b"Standard ACE DB\x00", 2
    assert read_table(bytes(data), "Animals").rows() == [(1, "Ai")]


@pytest.mark.parametrize(
    ("at", "change", "said"),
    [
        (20, b"\x00", "Jet 3"),
        (20, b"\x63", "version 99"),
        (0x3E, b"\x00\x00\x00\x00", "encrypted database"),
        (4, b"Standard SQL DB\x00", "expected 'Standard Jet DB'"),
        (2 * PAGE, b"\x01", "definition of 'MSysObjects': found type 0x01 on page 2"),
        (2 * PAGE + 45, b"\xff\xff", "found 65535 columns"),
        (2 * PAGE + 51, b"\xff\xff\xff\xff", "4294967295 indexes"),
        (2 * PAGE + 55, b"\x00\xff\xff\xff", "usage map of 'MSysObjects': found page 16777215"),
        (2 * PAGE + 63 + 125, b"\xff\xff", "an end in the name of column 0"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_was_found(at: int, change: bytes, said: str) -> None:
    data = bytearray(animals([[(animal(1, "Ai"), 0)]]))
    data[at : at + len(change)] = change
    with pytest.raises(JetError, match=said):
        table_names(bytes(data))


@pytest.mark.parametrize("size", [0, 1, 23, 24, 4096, 8192, 12287, 12288, 12289])
def test_a_file_cut_short_is_an_error(size: int) -> None:
    with pytest.raises(JetError, match="found"):
        table_names(animals([[(animal(1, "Ai"), 0)]])[:size])


def test_a_usage_map_that_names_pages_beyond_the_end_is_an_error() -> None:
    data = animals([[(animal(1, "Ai"), 0)], [(animal(2, "Emu"), 0)]])
    draft = Draft()
    draft.table("Animals", ANIMALS, [], usage=draft.usage([3, 200]))
    with pytest.raises(JetError, match="found page 200 in the usage map"):
        read_table(draft.finish(), "Animals")
    assert read_table(data, "Animals").height == 2


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (12, b"\xff\xff"),
        (14, b"\xff\x1f"),
        (14, b"\x00\x00"),
        (14, b"\xff\x0f"),
        (PAGE - 17, b"\xff\xff"),
        (PAGE - 5, b"\xff\xff"),
        (PAGE - 7, b"\xff\x0f"),
    ],
)
def test_a_row_that_contradicts_its_page_is_an_error(at: int, change: bytes) -> None:
    data = bytearray(animals([[(animal(1, "Ai"), 0)]]))
    data[3 * PAGE + at : 3 * PAGE + at + len(change)] = change
    with pytest.raises(JetError, match="found"):
        read_table(bytes(data), "Animals")


def test_a_row_that_stores_fewer_variable_values_than_the_table_is_null_in_the_others() -> None:
    data = bytearray(animals([[(animal(1, "Ai"), 0)]]))
    struct.pack_into("<H", data, 4 * PAGE - 3, 0)
    assert read_table(bytes(data), "Animals").rows() == [(1, None)]


# Damaged files ----------------------------------------------------------------------------------


def outcome(data: bytes) -> str:
    """Read all of a damaged file; only a table or a JetError may come out."""
    try:
        names = table_names(data)
    except JetError:
        return "error"
    seen = "table"
    for name in names[:6]:
        try:
            assert isinstance(read_table(data, name), pl.DataFrame)
        except JetError:
            seen = "error"
    return seen


def specimen() -> bytes:
    """Draft a file with each structure in it, small enough for damage to hit them."""
    draft = Draft()
    rows = [(row(ALL_KINDS, full_row()), 0), (row(ALL_KINDS, [None] * len(ALL_KINDS)), 0)]
    draft.table("Kinds", ALL_KINDS, [rows])
    page = draft.add(rows_page(b"LVAL", [(b"\x00" * 4 + b"Notiz", 0), (b"Wort", 0)]))
    values = [
        struct.pack("<III", 5, page << 8, 0),
        struct.pack("<III", 0x40000004, page << 8 | 1, 0),
    ]
    spec: Spec = [("Note", MEMO)]
    draft.table("Notes", spec, [[(row(spec, [value]), 0) for value in values]])
    draft.table("Animals", ANIMALS, [[(animal(n, "Ai"), 0xC000 * (n % 2)) for n in range(60)]])
    return draft.finish()


@pytest.mark.parametrize("eighth", range(8))
def test_a_drafted_file_cut_anywhere_gives_an_error_or_tables(eighth: int) -> None:
    data = specimen()
    step = len(data) // 40
    for size in range(eighth * step, len(data), 8 * step):
        assert outcome(data[:size]) in ("error", "table")
        whole = size // PAGE * PAGE
        assert outcome(data[:whole]) in ("error", "table")


@pytest.mark.parametrize("seed", range(120))
def test_a_drafted_file_with_flipped_bytes_gives_an_error_or_tables(seed: int) -> None:
    data = bytearray(specimen())
    used = [at for at, byte in enumerate(data) if byte]
    chance = np.random.default_rng(seed)
    for at in chance.choice(used, 1 + seed % 8, replace=False).tolist():
        data[at] = int(chance.integers(256))
    assert outcome(bytes(data)) in ("error", "table")


@needs_real_files
@pytest.mark.parametrize("pages", [3, 5, 10, 20, 40, 60, 80, 100, 129])
def test_a_real_file_cut_at_a_page_is_an_error_or_complete(pages: int) -> None:
    data = real(NAVANI)[: pages * PAGE]
    assert outcome(data) == "error"


@needs_real_files
@pytest.mark.parametrize("seed", range(60))
def test_a_real_file_with_flipped_bytes_gives_an_error_or_tables(seed: int) -> None:
    data = bytearray(real(NAVANI))
    chance = np.random.default_rng(seed)
    for at in chance.integers(len(data), size=20).tolist():
        data[at] = int(chance.integers(256))
    assert outcome(bytes(data)) in ("error", "table")
