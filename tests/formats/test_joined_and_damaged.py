"""Joined files, lines without values and records that can't be true are said with their place."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

import cellpipe
from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Measurement
from cellpipe.formats.tabular import text_blocks

SAMPLE = Path(__file__).parents[2] / "sample_data"
NAMES = "Data_Point,Test_Time(s),Date_Time,Step_Index,Current(A),Voltage(V),Charge_Capacity(Ah)\n"
START = datetime(2025, 3, 1, 12, 0, 0)
ONE_OF_EACH = (  # flat text: lines of titles and names, and what separates values
    ("pec/cellpy__Test25205.csv", ","),
    ("novonix/pyprobe__sample_data_novonix.csv", ","),
    ("mpt/yadg__cp.mpt", "\t"),
    ("maccor/cellpy__maccor_three.txt", "\t"),
    ("basytec/pyprobe__sample_data_basytec.txt", "\t"),
    ("neware-csv/fastnda__interp-test.csv", ","),
    ("arbin-csv/galv__arbin.csv", ","),
)
NESTED = "neware-csv/cellpy__nw_regular_export_ife_example.csv"


def arbin(lines: int = 200) -> list[str]:
    """Return the lines of a small file of Arbin's, the first with the names."""
    return [NAMES, *(record(number) for number in range(1, lines))]


def record(number: int) -> str:
    moment = START + timedelta(seconds=10 * number)
    return (
        f"{number},{number * 10},{moment:%m/%d/%Y %H:%M:%S},1,0.1,{3 + number / 1000:.4f},"
        f"{number / 3600:.6f}\n"
    )


def read(folder: Path, lines: list[str] | list[bytes], name: str = "cell.csv") -> Measurement:
    path = folder / name
    path.write_bytes(b"".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    return cellpipe.read(path)


def warnings(measurement: Measurement) -> dict[str, Finding]:
    return {f.code: f for f in measurement.findings if f.level != "info"}


def rows(measurement: Measurement) -> int:
    return sum(t.height for n, t in measurement.tables.items() if n in {"timeseries", "impedance"})


def rejected_lines(measurement: Measurement) -> list[str]:
    rejected = measurement.tables.get("rejected_rows")
    return [] if rejected is None else rejected["column"].to_list()


@pytest.mark.parametrize(("name", "separator"), ONE_OF_EACH)
def test_lines_of_separators_alone_are_counted(
    name: str, separator: str, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / name
    lines = source.read_bytes().splitlines(keepends=True)
    for number in (len(lines) - 6, len(lines) - 5):
        lines[number] = separator.encode() * lines[number].count(separator.encode()) + b"\r\n"
    good, found = cellpipe.read(source), read(tmp_path, lines, source.name)
    assert rows(found) == rows(good) - 2
    assert warnings(found)["lines_left_out"].rows == 2
    assert rejected_lines(found)[:2] == [f"line {len(lines) - 5}", f"line {len(lines) - 4}"]


@pytest.mark.parametrize("block", [1 << 11, 1 << 22])
def test_what_follows_names_in_another_order_is_left_out(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(text_blocks, "_SHORT", 64)
    lines = arbin()
    lines.insert(120, NAMES.replace("Current(A),Voltage(V)", "Voltage(V),Current(A)"))
    found = read(tmp_path, lines)
    assert rows(found) == 119
    assert warnings(found)["second_column_names"].sentence == (
        "Line 121 names the columns anew; it and what follows it (81 lines) are left out: two "
        "files may have been joined."
    )
    assert rejected_lines(found) == [f"line {number}" for number in range(121, 202)]
    assert found.tables["timeseries"]["current_ampere"].max() == pytest.approx(0.1)


def test_the_same_names_once_more_cost_their_line_only(tmp_path: Path) -> None:
    lines = arbin()
    lines.insert(120, NAMES)
    found = read(tmp_path, lines)
    assert rows(found) == 199
    assert list(warnings(found)) == ["lines_left_out"]
    assert rejected_lines(found) == ["line 121"]


def test_names_in_another_order_in_an_mpt(tmp_path: Path) -> None:
    source = SAMPLE / "biologic_mpt/SSB-02_01_GCPL_C02.mpt"
    lines = source.read_bytes().splitlines(keepends=True)
    names = lines[67].replace(b"Ewe/V", b"?").replace(b"<I>/mA", b"Ewe/V").replace(b"?", b"<I>/mA")
    lines.insert(2289, names)
    found = read(tmp_path, lines, source.name)
    assert rows(found) == 2289 - 68
    assert warnings(found)["second_column_names"].sentence.startswith("Line 2,290 names")


@pytest.mark.parametrize("number", [1, 2, 25])
@pytest.mark.parametrize("change", [(b",,", b",,,"), (b",,", b","), (b",,", b"")])
def test_nested_lines_at_no_levels_place_are_rejected(
    number: int, change: tuple[bytes, bytes], real_data: Path, tmp_path: Path
) -> None:
    source = real_data / NESTED
    lines = source.read_bytes().splitlines(keepends=True)
    places = [at for at, line in enumerate(lines) if line.startswith(b",,") and at > 5000]
    for at in places[:number]:
        lines[at] = lines[at].replace(*change, 1)
    good, found = cellpipe.read(source), read(tmp_path, lines, source.name)
    assert rows(found) == rows(good) - number
    assert rejected_lines(found) == [f"line {at + 1}" for at in places[:number]]
    assert found.tables["vendor_cycles"].equals(good.tables["vendor_cycles"])


def test_a_second_nested_export_is_left_out_whole(real_data: Path, tmp_path: Path) -> None:
    source = real_data / NESTED
    lines = source.read_bytes().splitlines(keepends=True)
    found, good = read(tmp_path, [*lines, *lines], source.name), cellpipe.read(source)
    assert rows(found) == rows(good)
    assert found.tables["vendor_cycles"].equals(good.tables["vendor_cycles"])
    assert warnings(found)["second_column_names"].rows == len(lines)


def test_dates_that_cannot_be_read_are_said_with_their_line(tmp_path: Path) -> None:
    lines = arbin()
    for number in range(50, 70):
        lines[number] = lines[number].replace("03/01/2025", "##/##/####")
    found = read(tmp_path, lines)
    assert rows(found) == 199
    assert warnings(found)["dates_unreadable"].sentence == (
        "20 dates can't be read and are left out: the first is '##/##/#### 12:08:20' in line 51."
    )
    assert found.tables["timeseries"]["unix_time_second"].null_count() == 20


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pec/cellpy__Test25205.csv", b"01/09", b"01x09"),
        ("novonix/pyprobe__sample_data_novonix.csv", b":", b"x"),
        ("neware-csv/fastnda__interp-test.csv", b"-", b"x"),
    ],
)
def test_one_damaged_date_is_said(
    name: str, old: bytes, new: bytes, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / name
    lines = source.read_bytes().splitlines(keepends=True)
    at = len(lines) - 5
    place = lines[at].rfind(old)
    lines[at] = lines[at][:place] + new + lines[at][place + len(old) :]
    found = read(tmp_path, lines, source.name)
    said = warnings(found)["dates_unreadable"].sentence
    assert said.startswith("One date can't be read and is left out: ")
    assert said.endswith(f"in line {at + 1}.")


def test_a_damaged_step_time_is_said(tmp_path: Path) -> None:
    names = NAMES.replace("Step_Index", "Step_Index,Step_Time(s)")
    body = [line.replace(",1,0.1,", f",1,0:{n // 60:02}:{n % 60:02},0.1,") for n, line in
            enumerate(arbin()[1:])]  # fmt: skip
    body[80] = body[80].replace("0:01:20", "0:0x:20")
    found = read(tmp_path, [names, *body])
    assert warnings(found)["values_unreadable"].sentence == (
        "One value is no number in the column Step_Time(s) and left out: '0:0x:20' in line 82."
    )


def test_a_damaged_step_time_of_maccors_is_said(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "maccor" / "cellpy__maccor_three.txt"
    lines = source.read_bytes().splitlines(keepends=True)
    fields = lines[100].split(b"\t")
    fields[4] = b"0d x0:00:10"  # StepTime
    lines[100] = b"\t".join(fields)
    found = read(tmp_path, lines, source.name)
    assert warnings(found)["values_unreadable"].sentence.endswith("'0d x0:00:10' in line 101.")


@pytest.mark.parametrize(("year", "direction"), [("2052", "forwards"), ("1998", "back")])
def test_dates_far_from_their_neighbours_are_said(
    year: str, direction: str, tmp_path: Path
) -> None:
    lines = arbin()
    for number in range(50, 90):
        lines[number] = lines[number].replace("2025", year)
    sentence = warnings(read(tmp_path, lines))["dates_leap"].sentence
    assert sentence.startswith("The dates leap at 2 places, first by 9,86")
    assert f"days {direction}, in line 51:" in sentence


def test_a_pause_of_two_months_is_no_leap(tmp_path: Path) -> None:
    lines = [line.replace("03/01/", "05/01/") if n > 100 else line for n, line in
             enumerate(arbin())]  # fmt: skip
    assert not warnings(read(tmp_path, lines))


def test_records_of_zeros_between_others_are_rejected(tmp_path: Path) -> None:
    lines = arbin()
    for number in range(50, 80):
        head = lines[number].split(",")
        lines[number] = f"{head[0]},0,{head[2]},0,0,0,0\n"
    found = read(tmp_path, lines)
    assert rows(found) == 169
    assert warnings(found)["records_of_zeros"].rows == 30
    assert "the first in line 51" in warnings(found)["records_of_zeros"].sentence
    assert rejected_lines(found) == [f"line {number}" for number in range(51, 81)]


def test_a_cell_at_rest_whose_contact_was_lost_keeps_its_records(tmp_path: Path) -> None:
    """The counters of the records beside are 0 too, and the time goes on."""
    lines = [line.rsplit(",", 3)[0] + f",0,{0 if 50 < n < 60 else 3.2},0\n" if n else line
             for n, line in enumerate(arbin())]  # fmt: skip
    found = read(tmp_path, lines)
    assert rows(found) == 199
    assert "records_of_zeros" not in warnings(found)


def gamry_tables(source: Path) -> tuple[bytes, bytes]:
    content = source.read_bytes()
    at = content.index(b"ZCURVE\tTABLE")
    return content[:at], content[at:]


def test_the_same_spectrum_twice_is_read_once(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "pyimpspec__data.dta"
    head, table = gamry_tables(source)
    found, good = read(tmp_path, [head, table, table], source.name), cellpipe.read(source)
    assert found.tables["impedance"].equals(good.tables["impedance"])
    assert warnings(found)["table_repeated"].rows == rows(good)


def test_a_curve_beside_a_spectrum_is_said(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "pyimpspec__data.dta"
    head, table = gamry_tables(source)
    curve = (real_data / "gamry" / "gamryp__chronoa_data.dta").read_bytes()
    curve = curve[curve.index(b"CURVE\tTABLE") :]
    found = read(tmp_path, [head, curve, table], source.name)
    assert rows(found) == rows(cellpipe.read(source))
    assert "10 records) stands beside a spectrum" in warnings(found)["table_left_out"].sentence


@pytest.mark.parametrize("folder", ["neware_ndax", "neware_xlsx", "arbin_xlsx"])
def test_joined_archives_are_refused(folder: str, tmp_path: Path) -> None:
    source = next((SAMPLE / folder).iterdir())
    content = source.read_bytes()
    with pytest.raises(DamagedFileError, match=f"{len(content):,} bytes before the archive"):
        read(tmp_path, [content, content], source.name)


def test_no_undamaged_real_file_has_such_a_finding(real_data: Path) -> None:
    new = {"second_column_names", "dates_leap", "records_of_zeros", "table_repeated",
           "table_left_out", "tables_joined"}  # fmt: skip
    for name in [*(name for name, _ in ONE_OF_EACH), NESTED]:
        assert not new & warnings(cellpipe.read(real_data / name)).keys()
