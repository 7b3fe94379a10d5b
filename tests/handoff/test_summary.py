"""The summary is brought up to date where it lies; nothing that people put into it is lost."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import fastnda.ndax  # noqa: F401 - puts another inflate in zlib's place, as a night does
import polars as pl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellpipe.core import contracts
from cellpipe.core.errors import SummaryError
from cellpipe.handoff.summary import update_summary
from cellpipe.handoff.workbook_part import fill_sheet
from cellpipe.report.excel.lab_workbook import cell_columns


def lab(*names: str, cycles: int = 10) -> pl.DataFrame:
    """Give a table of cells, each with some numbers."""
    blank = contracts.empty_table("cells")
    row: dict[str, object] = dict.fromkeys(blank.columns)
    row |= {"in_sheet": True, "files": 1, "cycles": cycles, "complete_cycles": cycles,
            "formation_cycles": 0, "rates": 1, "usual_rate_cycles": cycles, "spectra": 0,
            "first_discharging_capacity_ah": 0.001 * cycles}  # fmt: skip
    return pl.DataFrame([row | {"cell_id": name} for name in names], schema=blank.schema)


def sheet(content: bytes, name: str = "Cells") -> list[list[object]]:
    frame = pl.read_excel(content, sheet_name=name, has_header=False)
    return [list(row) for row in frame.iter_rows()]


def people(path: Path, cells: list[str]) -> None:
    """Write a summary as a person left it: sorted, a column of their own, a chart, a formula."""
    book = xlsxwriter.Workbook(str(path))
    page = book.add_worksheet("Cells")
    red = book.add_format({"bg_color": "#FF0000"})
    page.write_row(2, 0, ["My note", "Cell", "Cycles", "Kind"])
    for number, cell in enumerate(reversed(cells)):
        page.write_row(3 + number, 0, [f"note on {cell}", cell, 1, "?"], red)
    page.write_string(0, 0, "Title of mine")
    page.autofilter(2, 0, 2 + len(cells), 3)
    own = book.add_worksheet("My sheet")
    own.write_formula(0, 0, "=SUM(Cells!C4:C99)", None, 2)
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": ["Cells", 3, 2, 5, 2]})
    own.insert_chart(2, 2, chart)
    book.close()


def test_a_new_summary_holds_every_cell_and_says_whose_columns_are_whose(tmp_path: Path) -> None:
    assert update_summary(tmp_path, lab("A", "B"), {}) == []
    rows = sheet((tmp_path / "summary.xlsx").read_bytes())
    assert rows[0][0] == "Cell"
    assert [row[0] for row in rows[1:]] == ["A", "B"]
    assert "overwritten" in str(sheet((tmp_path / "summary.xlsx").read_bytes(), "Read me"))


def test_a_second_night_with_nothing_new_writes_nothing(tmp_path: Path) -> None:
    update_summary(tmp_path, lab("A", "B"), {})
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()}
    update_summary(tmp_path, lab("B", "A"), {})
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()} == before


def test_people_keep_their_columns_rows_sheets_charts_and_formats(tmp_path: Path) -> None:
    path = tmp_path / "summary.xlsx"
    people(path, ["A", "B"])
    with zipfile.ZipFile(path) as before:
        held = {n: before.read(n) for n in before.namelist()}
    assert update_summary(tmp_path, lab("A", "B", "C", cycles=42), {}) == []
    rows = sheet(path.read_bytes())
    assert rows[0][0] == "Title of mine"
    head = rows[1]  # the reader leaves the blank line out
    assert head[:4] == ["My note", "Cell", "Cycles", "Kind"]
    assert len(head) == len(set(head)) == 1 + len(cell_columns(lab("A")))
    assert [row[:3] for row in rows[2:]] == [
        ["note on B", "B", "42"], ["note on A", "A", "42"], [None, "C", "42"]
    ]  # fmt: skip
    with zipfile.ZipFile(path) as after:
        assert after.testzip() is None
        now = {n: after.read(n) for n in after.namelist()}
    assert now.keys() == held.keys()
    changed = {name for name in held if held[name] != now[name]}
    assert changed == {"xl/worksheets/sheet1.xml", "xl/workbook.xml"}
    text = now["xl/worksheets/sheet1.xml"].decode()
    assert 'autoFilter ref="A3:D6"' in text
    row = text.partition('<row r="6"')[2]
    style = text.partition('r="B5" s="')[2][:1]
    assert f'r="B6" s="{style}"' in row  # a new row looks like the one above
    assert b'fullCalcOnLoad="1"' in now["xl/workbook.xml"]


def test_a_value_that_is_gone_is_emptied_and_hostile_text_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "summary.xlsx"
    update_summary(tmp_path, lab("A"), {})
    gone = lab("A", "=cmd|'/c calc'!A1").with_columns(
        first_discharging_capacity_ah=pl.lit(None, pl.Float64), group=pl.lit("\x07<&>")
    )
    update_summary(tmp_path, gone, {})
    rows = sheet(path.read_bytes())
    place = rows[0].index("First discharge (mAh)")
    assert [row[place] for row in rows[1:]] == [None, None]
    assert {row[0] for row in rows[1:]} == {"A", "=cmd|'/c calc'!A1"}
    with zipfile.ZipFile(path) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    lines = (tmp_path / "summary.csv").read_text("utf-8-sig").splitlines()
    assert any(line.startswith(("\"'=cmd", "'=cmd")) for line in lines)


names = st.lists(st.text("abcXYZ 0-9_äΩ<&'\"", min_size=1, max_size=8).map(str.strip)
                 .filter(bool), unique_by=str.casefold, max_size=6)  # fmt: skip


@given(before=names, after=names)
def test_whatever_cells_come_every_line_of_before_stays(
    before: list[str], after: list[str]
) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True, "strings_to_formulas": False}) as made:
        page = made.add_worksheet("Cells")
        page.write_row(0, 0, ["Cell", "Mine"])
        for number, name in enumerate(before, 1):
            page.write_string(number, 0, name)
            page.write_string(number, 1, f"mine: {name}")
    columns = {"Cell": after, "N": [1.5] * len(after)}
    content, changed = fill_sheet(book.getvalue(), "Cells", "Cell", columns)
    assert changed >= len(after)
    again, more = fill_sheet(content, "Cells", "Cell", columns)
    assert (again, more) == (content, 0)
    if not after:
        return
    rows = sheet(content)[1:]
    held = {str(row[0]): row[1:] for row in rows}
    assert set(held) == {*before, *after}
    assert len(rows) == len(held)
    for name in before:
        assert held[name][0] == f"mine: {name}"
    for name in after:
        assert held[name][1] == "1.5"


@pytest.mark.parametrize("sign", ["~$summary.xlsx", ".~lock.summary.xlsx#"])
def test_a_file_that_is_open_is_left_alone_and_merged_once_it_is_closed(
    tmp_path: Path, sign: str
) -> None:
    marks: dict[str, str] = {}
    update_summary(tmp_path, lab("A"), marks)
    path, beside = tmp_path / "summary.xlsx", tmp_path / "summary (not merged yet).xlsx"
    before = path.read_bytes()
    (tmp_path / sign).write_text("Anna")
    said = update_summary(tmp_path, lab("A", "B"), marks)
    assert len(said) == 1
    assert "summary.xlsx is open in another program" in said[0]
    assert path.read_bytes() == before
    assert [row[0] for row in sheet(beside.read_bytes())[1:]] == ["A", "B"]
    people(path, ["A"])  # the person saves, and closes
    (tmp_path / sign).unlink()
    assert update_summary(tmp_path, lab("A", "B", "C"), marks) == []
    assert not beside.exists()
    rows = sheet(path.read_bytes())
    assert [row[1] for row in rows[2:]] == ["A", "B", "C"]
    assert rows[2][0] == "note on A"


def test_what_was_written_beside_and_changed_by_hand_is_not_deleted(tmp_path: Path) -> None:
    marks: dict[str, str] = {}
    update_summary(tmp_path, lab("A"), marks)
    beside = tmp_path / "summary (not merged yet).xlsx"
    (tmp_path / "~$summary.xlsx").write_text("")
    update_summary(tmp_path, lab("A", "B"), marks)
    people(beside, ["A", "B"])
    mine = beside.read_bytes()
    update_summary(tmp_path, lab("A", "B", "C"), marks)
    (tmp_path / "~$summary.xlsx").unlink()
    said = update_summary(tmp_path, lab("A", "B", "C"), marks)
    assert "changed by hand" in said[0]
    assert beside.read_bytes() == mine


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04broken"])
def test_a_file_that_is_no_workbook_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "summary.xlsx"
    path.write_bytes(content)
    said = update_summary(tmp_path, lab("A"), {})
    assert "save it as .xlsx" in said[0]
    assert path.read_bytes() == content
    assert (tmp_path / "summary (not merged yet).xlsx").is_file()
    assert (tmp_path / "summary.csv").is_file()


@pytest.mark.parametrize(("page", "head"), [("Mine", "Cell"), ("Cells", "Name")])
def test_a_workbook_without_our_sheet_or_column_says_which(page: str, head: str) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as made:
        made.add_worksheet(page).write_string(0, 0, head)
    with pytest.raises(SummaryError, match="give both their names back"):
        fill_sheet(book.getvalue(), "Cells", "Cell", {"Cell": ["A"]})


def table(path: Path, delimiter: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), delimiter=delimiter))


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "cp1252"),
                                                     ("\t", "utf-8")])  # fmt: skip
def test_a_csv_that_excel_saved_keeps_peoples_columns_and_its_dialect(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    path = tmp_path / "summary.csv"
    lines = [["Prüfer", "Cell", "First discharge (mAh)"], ["Jürgen", "B", "1"], ["Ann", "X", "2"]]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    path.write_bytes(text.encode(encoding))
    update_summary(tmp_path, lab("A", "B", cycles=7), {})
    found = table(path, delimiter)
    assert [row["Cell"] for row in found] == ["B", "X", "A"]
    assert [row["Prüfer"] for row in found] == ["Jürgen", "Ann", ""]
    assert found[0]["First discharge (mAh)"] == ("7,0" if delimiter == ";" else "7.0")
    assert found[1]["First discharge (mAh)"] == "2"  # no cell of ours: a person's own row


def edited(content: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """Give a workbook with one part changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text.decode()).encode() if name == part else text)
    return written.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def made(*names: str) -> bytes:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        page = workbook.add_worksheet("Cells")
        page.write_row(0, 0, ["Cell", "N", "Mine"])
        for number, name in enumerate(names, 1):
            page.write_row(number, 0, [name, 0, f"mine: {name}"])
    return book.getvalue()


def test_rows_stay_in_order_where_empty_ones_below_have_looks() -> None:
    styled = edited(made("A", "B"), SHEET, lambda text: text.replace(
        "</sheetData>", '<row r="6" ht="40" customHeight="1"/><row r="20" ht="9"/></sheetData>'
    ))  # fmt: skip
    content, _ = fill_sheet(styled, "Cells", "Cell", {"Cell": list("ABCDEF"), "N": [1] * 6})
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        numbers = re.findall(r'<row r="(\d+)"', book.read(SHEET).decode())
    assert numbers == ["1", "2", "3", "4", "5", "6", "7", "20"]


def test_a_formula_of_people_in_our_column_leaves_no_trace_in_the_calculation_chain() -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        page = workbook.add_worksheet("Cells")
        page.write_row(0, 0, ["Cell", "N"])
        page.write_string(1, 0, "A")
        page.write_formula(1, 1, "=1+1", None, 2)
    chain = '<Override PartName="/xl/calcChain.xml" ContentType="x/y"/></Types>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/calcChain"
    link = f'<Relationship Id="rId99" Type="{kind}" Target="calcChain.xml"/></Relationships>'
    content = edited(book.getvalue(), "[Content_Types].xml", lambda t: t.replace("</Types>", chain))
    content = edited(content, "xl/_rels/workbook.xml.rels",
                     lambda t: t.replace("</Relationships>", link))  # fmt: skip
    with zipfile.ZipFile(held := io.BytesIO(content), "a") as archive:
        archive.writestr("xl/calcChain.xml", '<calcChain><c r="B2" i="1"/></calcChain>')
    content, _ = fill_sheet(held.getvalue(), "Cells", "Cell", {"Cell": ["A"], "N": [7]})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "xl/calcChain.xml" not in archive.namelist()
        assert all(b"calcChain" not in archive.read(name) for name in archive.namelist())
    assert sheet(content)[1] == ["A", "7"]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        (SHEET, lambda t: t.replace(' r="A2"', "")),
        (SHEET, lambda t: t.replace("<sheetData>", "<sheetData")),
        (SHEET, lambda t: t.replace("<v>0</v>", "<v>99999</v>")),
        ("xl/_rels/workbook.xml.rels", lambda t: t.replace("rId1", "rId77")),
    ],
)
def test_an_odd_workbook_is_refused_and_not_filled_wrongly(
    tmp_path: Path, part: str, change: Callable[[str], str]
) -> None:
    content = edited(made("A"), part, change)
    with pytest.raises(SummaryError):
        fill_sheet(content, "Cells", "Cell", {"Cell": ["A", "B"], "N": [1, 2]})
    (tmp_path / "summary.xlsx").write_bytes(content)
    assert len(update_summary(tmp_path, lab("A"), {})) == 1
    assert (tmp_path / "summary.xlsx").read_bytes() == content


@settings(max_examples=60)
@example(place=49, bit=1)  # within the packed bytes, which another inflate may unpack
@given(place=st.integers(0, 5000), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_no_more_than_an_error(place: int, bit: int) -> None:
    content = bytearray(made("A", "B"))
    content[place % len(content)] ^= 1 << bit
    with contextlib.suppress(SummaryError):
        fill_sheet(bytes(content), "Cells", "Cell", {"Cell": ["A"], "N": [1]})


def test_a_table_with_a_row_of_totals_is_left_as_it_is() -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        heads = [{"header": "Cell", "total_string": "Total"}, {"header": "N"}]
        workbook.add_worksheet("Cells").add_table(
            "A1:B3", {"columns": heads, "data": [["A", 1]], "total_row": True}
        )
    with pytest.raises(SummaryError, match="row of totals"):
        fill_sheet(book.getvalue(), "Cells", "Cell", {"Cell": ["A", "B"], "N": [1, 2]})


def test_ids_that_a_spreadsheet_takes_for_numbers_keep_their_rows(tmp_path: Path) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        page = workbook.add_worksheet("Cells")
        page.write_row(0, 0, ["Cell", "Mine"])
        page.write_row(1, 0, [17, "seventeen"])
        page.write_row(2, 0, [1, "one"])
    (tmp_path / "summary.xlsx").write_bytes(book.getvalue())
    (tmp_path / "summary.csv").write_bytes("Cell;Mine\r\n1,5;a\r\n1;b\r\n".encode("cp1252"))
    for _ in range(2):
        assert update_summary(tmp_path, lab("001", "17", "1.5"), {}) == []
    rows = sheet((tmp_path / "summary.xlsx").read_bytes())[1:]
    assert [row[:2] for row in rows] == [["17", "seventeen"], ["001", "one"], ["1.5", None]]
    found = table(tmp_path / "summary.csv", ";")
    assert [(row["Cell"], row["Mine"]) for row in found] == [
        ("1.5", "a"), ("001", "b"), ("17", "")
    ]  # fmt: skip


def test_heads_that_excel_saved_without_unicode_are_known_again(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    update_summary(tmp_path, lab("A"), {})
    before = path.read_text("utf-8-sig")
    saved = io.StringIO()
    csv.writer(saved, delimiter=";").writerows(csv.reader(io.StringIO(before)))
    path.write_bytes(saved.getvalue().encode("cp1252", "replace"))
    assert b"First (? cm" in path.read_bytes()
    update_summary(tmp_path, lab("A"), {})
    assert table(path, ";")[0].keys() == next(csv.DictReader(io.StringIO(before))).keys()
    path.write_bytes(before.replace("\r\n", "\r").encode())  # as a Macintosh of old
    assert update_summary(tmp_path, lab("A", "B"), {}) == []
    assert [row["Cell"] for row in table(path, ",")] == ["A", "B"]


def test_the_file_beside_may_be_open_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: dict[str, str] = {}
    update_summary(tmp_path, lab("A"), marks)
    (tmp_path / "~$summary.xlsx").write_text("")
    update_summary(tmp_path, lab("A", "B"), marks)

    replaced, open_one = Path.replace, "summary (not merged yet).xlsx"

    def held(path: Path, target: Path) -> Path:
        if target.name == open_one:
            raise PermissionError(13, "used by another process", str(path))
        return replaced(path, target)

    monkeypatch.setattr(Path, "replace", held)
    said = update_summary(tmp_path, lab("A", "B", "C"), marks)
    assert any("is open, too" in sentence for sentence in said)
    assert len(table(tmp_path / "summary.csv", ",")) == 3
