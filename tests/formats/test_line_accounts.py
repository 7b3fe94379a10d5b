"""Every line of a text file is a record, stands above them, is blank, or is said with its place."""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.core.model import Finding, Measurement
from cellpipe.formats.gaps import find_number_gaps, find_time_gaps
from cellpipe.formats.tabular import text_blocks

SAMPLE = Path(__file__).parents[2] / "sample_data"
NAMES = "Data_Point,Test_Time(s),Step_Index,Current(A),Voltage(V),Charge_Capacity(Ah),Remark\n"
TEXTS = (  # in the sample lab, or else among the real files: one of each reader, with its bytes
    "biologic_mpt/SSB-02_01_GCPL_C02.mpt",
    "arbin_csv/SSB-03a_full_C2_Channel_6.csv",
    "neware_csv/SSB-07_record.csv",
    "neware_csv/SSB-05_record_zh.csv",
    "neware-csv/cellpy__nw_regular_export_ife_example.csv",
    "derived/neware-csv__derived_nested_zh_gbk.csv",
    "maccor/cellpy__maccor_three.txt",
    "gamry/nomadhzb__OCP.DTA",
    "zview/impedancepy__exampleDataZPlot.z",
    "novonix/pyprobe__sample_data_novonix.csv",
    "basytec/pyprobe__sample_data_basytec.txt",
    "pec/cellpy__Test25205.csv",
)


def arbin(lines: int = 60) -> list[bytes]:
    """Return the lines of a small file of Arbin's, the first with the names."""
    rows = (f"{n},{n * 10},1,0.1,{3 + n / 1000:.4f},{n / 3600:.6f},ok\n" for n in range(1, lines))
    return [NAMES.encode(), *(row.encode() for row in rows)]


def read(folder: Path, content: bytes, name: str = "cell.csv") -> Measurement:
    path = folder / name
    path.write_bytes(content)
    return cellpipe.read(path)


def warnings(measurement: Measurement) -> dict[str, Finding]:
    return {f.code: f for f in measurement.findings if f.level != "info"}


def rows(measurement: Measurement) -> int:
    return sum(t.height for n, t in measurement.tables.items() if n in {"timeseries", "impedance"})


@pytest.fixture(params=TEXTS)
def text_file(request: pytest.FixtureRequest) -> Path:
    path = SAMPLE / request.param
    if path.is_file():
        return path
    real: Path = request.getfixturevalue("real_data")
    return real / request.param


def test_a_block_of_zeros_is_said_with_its_bytes(text_file: Path, tmp_path: Path) -> None:
    content = text_file.read_bytes()
    good = cellpipe.read(text_file)
    size = min(4096, len(content) // 8)
    first = len(content) * 3 // 4
    damaged = content[:first] + bytes(size) + content[first + size :]
    found = read(tmp_path, damaged, text_file.name)
    sentence = warnings(found)["bytes_erased"].sentence
    assert f"zeros instead of text: bytes {first:,} to {first + size - 1:,} (line " in sentence
    assert rows(found) < rows(good)
    assert found.tables["rejected_rows"]["reason"].str.contains("zeros").any()


def test_a_tail_of_zeros_is_said_and_the_line_before_it_left_out(
    text_file: Path, tmp_path: Path
) -> None:
    content = text_file.read_bytes()
    first = len(content) * 3 // 4
    found = read(tmp_path, content[:first] + bytes(len(content) - first), text_file.name)
    sentence = warnings(found)["bytes_erased"].sentence
    assert f"from byte {first:,} (line " in sentence
    assert "to the end of the file" in sentence
    whole = content[: content.rfind(b"\n", 0, first) + 1]
    assert rows(found) == rows(read(tmp_path, whole, text_file.name))


def test_bytes_of_0xff_are_no_text_either(tmp_path: Path) -> None:
    content = b"".join(arbin())
    damaged = content[:800] + b"\xff" * 512 + content[1312:]
    sentence = warnings(read(tmp_path, damaged))["bytes_erased"].sentence
    assert "bytes 0xFF instead of text: bytes 800 to 1,311" in sentence


def test_zeros_above_the_records_are_said(tmp_path: Path) -> None:
    source = SAMPLE / "biologic_mpt/SSB-02_02_PEIS_C02.mpt"
    content = source.read_bytes()
    at = content.index(b"\n", 900) + 3
    found = read(tmp_path, content[:at] + bytes(8) + content[at + 8 :], source.name)
    assert "above the records" in warnings(found)["bytes_erased"].sentence


def test_wherever_a_quotation_mark_is_set_it_costs_at_most_its_line(tmp_path: Path) -> None:
    lines = arbin()
    content, start = b"".join(lines), len(lines[0])
    for at in range(start, len(content), 7):
        found = read(tmp_path, content[:at] + b'"' + content[at:])
        number = content.count(b"\n", 0, at) + 1
        assert rows(found) == 58, at
        assert f"Line {number} is left out" in warnings(found)["lines_left_out"].sentence
        assert found.tables["rejected_rows"]["column"].to_list() == [f"line {number}"]


def test_pairs_of_quotation_marks_swallow_no_line(tmp_path: Path) -> None:
    lines = arbin()
    chance = random.Random(4)
    for _ in range(60):
        damaged = list(lines)
        for number in chance.sample(range(1, len(lines)), 2):
            for _ in range(2):
                at = chance.randrange(len(damaged[number]))
                damaged[number] = damaged[number][:at] + b'"' + damaged[number][at:]
        found = read(tmp_path, b"".join(damaged))
        left_out = found.tables.get("rejected_rows", pl.DataFrame({"record_index": []}))
        assert rows(found) + left_out.height >= 59


@pytest.mark.parametrize("block", [1 << 11, 1 << 22])
def test_records_and_rejected_lines_add_up_to_the_lines(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(text_blocks, "_SHORT", 64)
    chance = random.Random(1)
    for _ in range(25):
        lines = arbin(400)
        spoilt = sorted(chance.sample(range(1, 399), chance.choice((1, 2, 9))))
        for number in spoilt:
            change = chance.choice(((b",", b""), (b",", b",,"), (b",ok", b"")))
            lines[number] = lines[number].replace(*change, 1)
        found = read(tmp_path, b"".join(lines))
        rejected = found.tables["rejected_rows"]
        assert rows(found) + len(spoilt) == 399
        assert rejected["column"].to_list() == [f"line {number + 1}" for number in spoilt]


def test_swapped_blocks_leave_no_line_with_values_of_two(tmp_path: Path) -> None:
    """Lines with too many and with too few values add up to the usual number."""
    lines = arbin(200)
    content = b"".join(lines)
    chance = random.Random(2)
    for _ in range(40):
        one, two = sorted(chance.sample(range(len(lines[0]), len(content) - 64), 2))
        size = min(64, two - one)
        swapped = (content[:one] + content[two : two + size] + content[one + size : two]
                   + content[one : one + size] + content[two + size :])  # fmt: skip
        found = read(tmp_path, swapped)
        kept = sum(line.count(b",") == 6 for line in swapped.splitlines()[1:])
        left_out = found.tables.get(
            "rejected_rows", pl.DataFrame({"column": []}, schema={"column": pl.String})
        )
        by_contract = left_out.filter(~pl.col("column").str.starts_with("line ")).height
        assert rows(found) + by_contract == kept


def test_a_lost_line_end_rejects_the_two_lines_that_it_joined(tmp_path: Path) -> None:
    lines = arbin()
    lines[20] = lines[20].rstrip(b"\n")
    found = read(tmp_path, b"".join(lines))
    assert rows(found) == 57
    sentence = warnings(found)["lines_left_out"].sentence
    assert sentence == "Line 21 is left out: too many values (7 are usual)."
    assert found.tables["rejected_rows"]["value"][0].startswith("20,200,1,")


def test_a_value_that_is_no_number_is_said_with_its_line(tmp_path: Path) -> None:
    lines = arbin()
    lines[7] = lines[7].replace(b"0.001944", b"0.0x1944")
    found = read(tmp_path, b"".join(lines))
    assert rows(found) == 59
    sentence = warnings(found)["values_unreadable"].sentence
    assert sentence == (
        "One value is no number in the column Charge_Capacity(Ah) and left out: "
        "'0.0x1944' in line 8."
    )


def test_lines_that_are_gone_are_said_by_the_record_numbers(tmp_path: Path) -> None:
    lines = arbin()
    found = read(tmp_path, b"".join(lines[:30] + lines[40:]))
    finding = warnings(found)["records_missing"]
    assert finding.rows == 10
    assert "30 to 39" in finding.sentence


def test_record_numbers_out_of_order_are_said(tmp_path: Path) -> None:
    lines = arbin()
    found = read(tmp_path, b"".join([*lines[:30], *lines[20:25], *lines[40:]]))
    assert "first in row 30" in warnings(found)["records_out_of_order"].sentence


def test_a_gap_in_even_times_is_said_and_an_uneven_protocol_is_not_accused() -> None:
    even = pl.Series([float(n) for n in range(40) if not 20 <= n < 25])
    assert find_time_gaps(even)[0].rows == 5
    growing = pl.Series([1.1**n for n in range(80)])
    assert find_time_gaps(growing) == ()
    uneven = pl.Series([n + 0.3 * (n % 2) for n in range(100) if not 50 <= n < 70])
    assert "after 49.3 s" in find_time_gaps(uneven)[0].sentence
    assert find_number_gaps(pl.Series([5, 6, 7])) == ()


def test_the_last_line_is_named_where_the_file_ends_within_it(tmp_path: Path) -> None:
    content = b"".join(arbin())
    sentence = warnings(read(tmp_path, content[:-20]))["file_cut_off"].sentence
    assert sentence.startswith("The file ends within line 60:")


def test_a_record_above_the_column_names_is_said(tmp_path: Path) -> None:
    lines = arbin()
    found = read(tmp_path, b"".join([*lines[1:4], lines[0], *lines[4:]]))
    assert "a record above the column names" in warnings(found)["lines_left_out"].sentence


def test_a_damaged_line_of_column_names_is_said(tmp_path: Path) -> None:
    lines = arbin()
    lines[0] = lines[0].replace(b",Remark", b"")
    assert (
        "7 values stand under 6"
        in warnings(read(tmp_path, b"".join(lines)))["header_damaged"].sentence
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_intact_text_has_no_warning_in_any_encoding(
    encoding: str, end: str, tmp_path: Path
) -> None:
    text = b"".join(arbin()).decode().replace("\n", end)
    found = read(tmp_path, text.encode(encoding))
    assert rows(found) == 59
    assert not warnings(found)


def test_zeros_in_a_utf_16_text_are_said_with_their_line(tmp_path: Path) -> None:
    text = b"".join(arbin()).decode()
    at = text.index("\n", 500) + 5
    found = read(tmp_path, (text[:at] + "\x00" * 40 + text[at + 40 :]).encode("utf-16"))
    line = text.count("\n", 0, at) + 1
    assert f"40 in line {line}" in warnings(found)["bytes_erased"].sentence


def test_the_loops_of_an_mpt_say_how_many_records_it_had(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "mpt" / "yadg__gcpl.issue_149.mpt"
    lines = source.read_bytes().splitlines(keepends=True)
    assert not warnings(cellpipe.read(source))
    found = read(tmp_path, b"".join(lines[:-5]), source.name)
    assert warnings(found)["fewer_than_stated"].rows == 5


def test_an_mpt_with_a_blank_first_row_keeps_its_records(tmp_path: Path) -> None:
    source = SAMPLE / "biologic_mpt/SSB-02_02_PEIS_C02.mpt"
    content = source.read_bytes()
    count = re.search(rb"Nb header lines : (\d+)", content)
    assert count is not None
    lines = content.split(b"\n")
    lines.insert(int(count[1]), b"")
    assert rows(read(tmp_path, b"\n".join(lines), source.name)) == rows(cellpipe.read(source))


def test_gamrys_stated_number_of_records_is_compared(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "nomadhzb__OCP.DTA"
    assert not warnings(cellpipe.read(source))
    lines = source.read_bytes().splitlines(keepends=True)
    cut = warnings(read(tmp_path, b"".join(lines[:-7]), source.name))
    assert cut["fewer_than_stated"].rows == 7
    gap = warnings(read(tmp_path, b"".join([*lines[:100], *lines[104:]]), source.name))
    assert gap["records_missing"].rows == 4


def test_a_damaged_line_does_not_end_gamrys_table(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "nomadhzb__EISPOT.DTA"
    lines = source.read_bytes().splitlines(keepends=True)
    lines[90] = b'"' + lines[90]
    found = read(tmp_path, b"".join(lines), source.name)
    assert rows(found) == rows(cellpipe.read(source)) - 1
    assert "Line 91 is left out" in warnings(found)["lines_left_out"].sentence


def test_gamrys_numbered_tables_are_counted(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "gamryp__cv_data.dta"
    content = source.read_bytes()
    assert not warnings(cellpipe.read(source))
    second, third = content.index(b"CURVE2\t"), content.index(b"CURVE3\t")
    found = warnings(read(tmp_path, content[:second] + content[third:], source.name))
    assert "numbered 1, 3, 4, 5" in found["records_missing"].sentence
