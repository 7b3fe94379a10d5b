"""What is claimed of Arbin's text and Excel exports."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

import cellpipe
from cellpipe import formats
from cellpipe.core.errors import DamagedFileError, NoDataError, UnknownFormatError
from cellpipe.core.model import Recording
from cellpipe.formats.arbin import csv as arbin_csv
from cellpipe.formats.arbin import xlsx as arbin_xlsx

REAL = Path(__file__).parents[2].parent / "shared" / "real_data"
needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real instrument files are not at {REAL}"
)
CSV = REAL / "arbin-csv"
XLSX = REAL / "arbin-xlsx"
HEADER = (
    "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Step_Index,Cycle_Index,Current(A),Voltage(V),"
    "Charge_Capacity(Ah),Discharge_Capacity(Ah)"
)
ROWS = (
    "1,0,2024-05-13 10:00:00,0,1,1,0,3.0,0,0",
    "2,10,2024-05-13 10:00:10,10,1,1,0,3.0,0,0",
    "3,20,2024-05-13 10:00:20,10,2,1,0.36,3.5,0.001,0",
    "4,30,2024-05-13 10:00:30,20,2,1,0.36,3.6,0.002,0",
    "5,40,2024-05-13 10:00:40,10,3,1,-0.36,3.4,0.002,0.001",
)


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def table(recording: Recording) -> pl.DataFrame:
    return recording.tables["timeseries"]


def codes(recording: Recording) -> list[str]:
    return [finding.code for finding in recording.findings]


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = xlsxwriter.Workbook(path)
    date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for place, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, datetime | time):
                    sheet.write_datetime(place, column, cell, date)
                else:
                    sheet.write(place, column, cell)
    book.close()
    return path


def channel_rows(first: int, count: int) -> list[list[object]]:
    return [
        [i, i * 10.0, datetime(2024, 5, 13, 10, 0, i), i * 10.0, 1, 1, 0.5, 3.5 + i / 3, 0.0, 0.0]
        for i in range(first, first + count)
    ]


@needs_real_files
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("arbin-csv/beep__FastCharge_000025_CH8.csv", 248),
        ("arbin-csv/diffcap__CS2_33_12_23_10.csv", 17142),
        ("arbin-csv/electrochem__data.csv", 1917),
        ("arbin-csv/galv__arbin.csv", 21),
        ("arbin-csv/pyprobe__sample_data_arbin.csv", 13),
        ("arbin-csv/rovi__arbin_example.csv", 2142),
        ("arbin-xlsx/beep__LFP80_dry_08042022_wreset_wab25_Channel_25_Wb_1.xlsx", 4821),
        ("arbin-xlsx/diffcap__CS2_33_12_23_10.xlsx", 17142),
        ("arbin-xlsx/navani__bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx", 4526),
    ],
)
def test_every_real_file_is_read_whole_and_keeps_the_contract(name: str, rows: int) -> None:
    measurement = formats.read(REAL / name)
    assert measurement.tables["timeseries"].height == rows
    assert "rejected_rows" not in measurement.tables
    assert measurement.started_at is not None


@needs_real_files
@pytest.mark.parametrize(
    "path", sorted({*CSV.glob("*"), *XLSX.glob("*")} - {*CSV.glob("*_Metadata*")})
)
def test_charge_is_counted_while_the_current_is_positive(path: Path) -> None:
    found = formats.read(path).tables["timeseries"]
    grown = found.with_columns(
        charged=pl.col("vendor_charging_capacity_ah").diff().over("step_count"),
        discharged=pl.col("vendor_discharging_capacity_ah").diff().over("step_count"),
    )
    assert grown.filter((pl.col("charged") > 1e-7) & (pl.col("current_ampere") < -1e-6)).is_empty()
    assert grown.filter(
        (pl.col("discharged") > 1e-7) & (pl.col("current_ampere") > 1e-6)
    ).is_empty()


@needs_real_files
def test_the_workbook_and_the_text_of_one_test_are_identical() -> None:
    text = table(arbin_csv.FORMAT.read(CSV / "diffcap__CS2_33_12_23_10.csv"))
    sheet = table(arbin_xlsx.FORMAT.read(XLSX / "diffcap__CS2_33_12_23_10.xlsx"))
    assert text.columns == sheet.columns
    for name in text.columns:
        assert (text[name] - sheet[name]).abs().max() <= 1e-15, name


@needs_real_files
def test_cumulative_counters_end_a_cycle_where_the_statistics_sheet_says() -> None:
    recording = arbin_xlsx.FORMAT.read(XLSX / "diffcap__CS2_33_12_23_10.xlsx")
    last = table(recording).group_by("cycle_count").last().sort("cycle_count")
    charged = last["vendor_charging_capacity_ah"].to_list()
    discharged = last["vendor_discharging_capacity_ah"].to_list()
    assert charged[:3] == pytest.approx([0.855395, 1.71869, 2.58033], rel=5e-6)
    assert discharged[:3] == pytest.approx([0.863363, 1.72337, 2.58812], rel=5e-6)
    assert charged[1] - charged[0] == pytest.approx(0.863295, abs=5e-6)
    assert recording.tables["vendor_cycles"].height == 45
    assert recording.metadata["test_name"] == "12_16_10"
    assert recording.started_at == datetime(2010, 12, 16, 12, 41, 24)


@needs_real_files
def test_the_vendors_one_cycle_of_five_half_cycles_is_not_renumbered() -> None:
    path = XLSX / "navani__bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx"
    recording = arbin_xlsx.FORMAT.read(path)
    assert table(recording)["cycle_count"].unique().to_list() == [1]
    assert table(recording)["step_count"].max() == 5
    assert recording.metadata["channel"] == "11"
    assert recording.metadata["software_version"] == "PV7.0 Build: 180508USB"


@needs_real_files
def test_the_last_row_of_an_export_with_a_tab_before_its_dates() -> None:
    recording = arbin_csv.FORMAT.read(CSV / "pyprobe__sample_data_arbin.csv")
    last = table(recording).row(-1, named=True)
    assert last["test_time_second"] == 301.214
    assert last["step_count"] == 3
    assert last["current_ampere"] == 2.650138
    assert last["voltage_volt"] == 3.599601
    assert last["temperature_t1_celsius"] == 24.68785
    moment = datetime(2024, 9, 20, 8, 37, 5, 772000, UTC).timestamp()
    assert last["unix_time_second"] == pytest.approx(moment, abs=1e-6)
    net = last["vendor_charging_capacity_ah"] - last["vendor_discharging_capacity_ah"]
    assert net == pytest.approx(0.000400839 - 2.04379e-05)
    assert recording.clock == "local"


@needs_real_files
def test_epoch_seconds_of_a_database_dump_are_utc() -> None:
    recording = arbin_csv.FORMAT.read(CSV / "rovi__arbin_example.csv")
    assert recording.clock == "utc"
    assert recording.started_at == datetime(2017, 7, 2, 14, 39, 13, tzinfo=UTC)


@needs_real_files
def test_rows_of_a_database_dump_are_put_in_the_order_of_their_numbers() -> None:
    recording = arbin_csv.FORMAT.read(CSV / "electrochem__data.csv")
    assert codes(recording) == ["records_sorted"]
    assert table(recording)["record_index"].to_list() == list(range(1, 1918))
    assert (table(recording)["test_time_second"].diff().drop_nulls() >= 0).all()


@needs_real_files
def test_the_metadata_table_of_a_dump_is_refused() -> None:
    with pytest.raises(UnknownFormatError):
        formats.read(CSV / "beep__FastCharge_000025_CH8_Metadata.csv")


@needs_real_files
@pytest.mark.parametrize("share", [0.6, 0.6001, 0.99])
def test_a_half_copied_text_gives_its_whole_records_and_says_so(
    tmp_path: Path, share: float
) -> None:
    whole = (CSV / "diffcap__CS2_33_12_23_10.csv").read_bytes()
    cut = tmp_path / "cut.csv"
    cut.write_bytes(whole[: int(len(whole) * share)])
    recording = arbin_csv.FORMAT.read(cut)
    assert codes(recording) == ["file_cut_off"]
    full = table(arbin_csv.FORMAT.read(CSV / "diffcap__CS2_33_12_23_10.csv"))
    assert table(recording).equals(full.head(table(recording).height))


@needs_real_files
def test_a_half_copied_workbook_is_claimed_by_its_sheet_names_and_refused(tmp_path: Path) -> None:
    whole = (XLSX / "diffcap__CS2_33_12_23_10.xlsx").read_bytes()
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(DamagedFileError, match=r"workbook that can't be opened.*copy it again"):
        formats.read(cut)


@needs_real_files
def test_a_workbook_named_xls_is_read_for_what_it_is(tmp_path: Path) -> None:
    source = XLSX / "navani__bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx"
    copy = tmp_path / "old.xls"
    copy.write_bytes(source.read_bytes())
    assert formats.read(copy).tables["timeseries"].height == 4526


def test_no_file_of_another_maker_is_claimed() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real instrument files are not at {REAL}")
    own = {"arbin-csv", "arbin-xlsx"}
    for path in REAL.rglob("*"):
        if path.is_dir() or path.relative_to(REAL).parts[0] in own:
            continue
        with path.open("rb") as stream:
            sample = formats.Sample(path, stream.read(formats.HEAD_BYTES))
        assert not arbin_csv.FORMAT.claims(sample), path
        assert not arbin_xlsx.FORMAT.claims(sample), path


@pytest.mark.parametrize(
    "text",
    [
        "time,box,H2O/ppm,O2/ppm,pressure/mbar\n2024-01-01 00:00:00,1,0.1,0.2,3\n",
        "Test Time / s,Current / A,Voltage / V,Step Index / 1,Record Index / 1\n0,0,3,1,1\n",
        "cell,capacity,note\nA1,3,good\n",
        "index;test_time;step_time;step;cycle;current;voltage;charge_capacity\n0;1;1;1;1;0;3;0\n",
        "Cycle_Index,Step_Index,Test_Time,Current,Voltage,Charge_Capacity,Charge_Time\n1,1,5,0,3,0,5\n",
        "",
        "\x00\x01\x02binary\x00",
    ],
)
def test_other_tables_are_not_claimed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "glovebox_log.csv"
    path.write_text(text, encoding="utf-8")
    assert not arbin_csv.FORMAT.claims(formats.Sample(path, path.read_bytes()))


def test_steps_are_counted_as_they_were_run(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER, *ROWS, "6,50,2024-05-13 10:00:50,0,3,1,-0.3,3.3,0,0")
    found = table(arbin_csv.FORMAT.read(path))
    assert found["step_id"].to_list() == [1, 1, 2, 2, 3, 3]
    assert found["step_count"].to_list() == [1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        (HEADER.replace("Current(A)", "Current (mA)"), 1e-3),
        (HEADER.replace("Current(A)", "Current(uA)"), 1e-6),
        (HEADER.replace("Current(A)", "Current"), 1.0),
        (HEADER.replace("_", " "), 1.0),
        (HEADER.replace("_", "").replace("(", " ("), 1.0),
    ],
)
def test_units_come_from_the_header_and_names_may_be_spelt_otherwise(
    tmp_path: Path, header: str, factor: float
) -> None:
    found = formats.read(written(tmp_path / "a.csv", header, *ROWS)).tables["timeseries"]
    assert found["current_ampere"][2] == pytest.approx(0.36 * factor, rel=1e-15)
    assert found["vendor_charging_capacity_ah"][3] == 0.002


def test_an_unknown_unit_of_a_known_column_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER.replace("Current(A)", "Current(kA)"), *ROWS)
    with pytest.raises(
        DamagedFileError, match=r"a\.csv: found column 'Current\(kA\)' in unit 'kA'"
    ):
        formats.read(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", HEADER.replace("Voltage(V)", "Power(W)"), *ROWS)
    with pytest.raises(DamagedFileError, match=r"expected a column Voltage\(V\); remedy: export"):
        formats.read(path)


def test_a_header_without_records_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="a header without records"):
        formats.read(written(tmp_path / "a.csv", HEADER))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "gb18030"])
def test_the_encoding_is_found_from_the_header(tmp_path: Path, encoding: str) -> None:
    degree = "℃" if encoding == "gb18030" else "°C"
    header = HEADER.replace("Current(A)", "Current(A)") + f",Aux_Temperature({degree})_1"
    rows = [f"{row},25.5" for row in ROWS]
    path = written(tmp_path / "a.csv", header, *rows, encoding=encoding)
    found = formats.read(path).tables["timeseries"]
    assert found["temperature_t1_celsius"].to_list() == [25.5] * 5


def test_semicolons_decimal_commas_and_a_preamble_are_read(tmp_path: Path) -> None:
    rows = [row.replace(",", ";").replace("3.5", "3,5").replace("0.36", "0,36") for row in ROWS]
    rows = [row.replace("3.0", "3,0").replace("0.00", "0,00") for row in rows]
    path = written(tmp_path / "a.csv", "Test Name;x", "", HEADER.replace(",", ";"), *rows)
    found = table(arbin_csv.FORMAT.read(path))
    assert found["current_ampere"][2] == 0.36
    assert found["voltage_volt"][2] == 3.5
    assert found["vendor_discharging_capacity_ah"][4] == 0.001


def test_tabs_trailing_separators_blank_lines_and_crlf_are_read(tmp_path: Path) -> None:
    lines = [HEADER, *(f"{row}," for row in ROWS), "", ""]
    path = tmp_path / "a.txt"
    path.write_bytes("\r\n".join(lines).replace(",", "\t").encode())
    recording = arbin_csv.FORMAT.read(path)
    assert table(recording).height == 5
    assert recording.findings == ()


def test_what_is_no_number_becomes_empty_and_its_row_stays(tmp_path: Path) -> None:
    broken = ROWS[3].replace("3.6", "--")
    path = written(tmp_path / "a.csv", HEADER, *ROWS[:3], broken, ROWS[4].replace("3.4", " 3.4 "))
    measurement = formats.read(path)
    assert table(arbin_csv.FORMAT.read(path)).height == 5
    assert measurement.tables["timeseries"]["record_index"].to_list() == [1, 2, 3, 5]
    assert measurement.tables["timeseries"]["voltage_volt"][-1] == 3.4
    assert "rows_rejected" in [finding.code for finding in measurement.findings]


def test_a_whole_last_line_without_an_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEADER, *ROWS]), encoding="utf-8")
    recording = arbin_csv.FORMAT.read(path)
    assert table(recording).height == 5
    assert recording.findings == ()


@pytest.mark.parametrize(("lost", "rows", "last"), [(1, 5, None), (3, 5, None), (7, 4, 0.0)])
def test_a_value_that_may_be_cut_is_left_out(
    tmp_path: Path, lost: int, rows: int, last: float | None
) -> None:
    lines = [HEADER, *ROWS[:4], ROWS[4].replace(",0.001", ",0.002")]
    lines[4] = lines[4].removesuffix(",0") + ",0.000"
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(lines).encode()[:-lost])
    recording = arbin_csv.FORMAT.read(path)
    assert codes(recording) == ["file_cut_off"]
    assert table(recording).height == rows
    assert table(recording)["vendor_discharging_capacity_ah"][-1] == last


@pytest.mark.parametrize(
    ("dates", "clock"),
    [
        (["2024-05-13 10:00:00", "2024-05-13 10:00:10"], "local"),
        (["2024/05/13 10:00:00.0", "2024/05/13 10:00:10.0"], "local"),
        (["\t05/13/2024 10:00:00.000", "\t05/13/2024 10:00:10.000"], "local"),
        (["13/05/2024 10:00:00", "13/05/2024 10:00:10"], "local"),
        (["5/13/2024 10:00:00 AM", "5/13/2024 10:00:10 AM"], "local"),
        (["13.05.2024 10:00:00", "13.05.2024 10:00:10"], "local"),
        (["2024-05-13T10:00:00", "2024-05-13T10:00:10"], "local"),
        (["45425.416666666664", "45425.416782407410"], "local"),
        (["1715594400", "1715594410"], "utc"),
        (["1715594400000", "1715594410000"], "utc"),
        (["17155944000000000", "17155944100000000"], "utc"),
    ],
)
def test_dates_are_read_as_text_days_and_epochs(
    tmp_path: Path, dates: list[str], clock: str
) -> None:
    rows = [f"{i + 1},{i * 10},{date},{i * 10},1,1,0,3,0,0" for i, date in enumerate(dates)]
    recording = arbin_csv.FORMAT.read(written(tmp_path / "a.csv", HEADER, *rows))
    assert table(recording)["unix_time_second"].to_list() == [1715594400.0, 1715594410.0]
    assert recording.clock == clock
    assert recording.findings == ()


def test_the_order_of_day_and_month_is_the_one_in_which_time_advances(tmp_path: Path) -> None:
    rows = ["1,0,05/04/2024 10:00:00,0,1,1,0,3,0,0", "2,86400,06/04/2024 10:00:00,1,1,1,0,3,0,0"]
    recording = arbin_csv.FORMAT.read(written(tmp_path / "a.csv", HEADER, *rows))
    assert recording.started_at == datetime(2024, 4, 5, 10)
    assert recording.findings == ()


def test_an_order_of_day_and_month_that_nothing_settles_is_said(tmp_path: Path) -> None:
    row = "1,0,05/04/2024 10:00:00,0,1,1,0,3,0,0"
    recording = arbin_csv.FORMAT.read(written(tmp_path / "a.csv", HEADER, row))
    assert recording.started_at == datetime(2024, 5, 4, 10)
    assert codes(recording) == ["date_order_assumed"]


def test_dates_that_cant_be_read_are_said_and_left_out(tmp_path: Path) -> None:
    row = "1,0,yesterday,0,1,1,0,3,0,0"
    recording = arbin_csv.FORMAT.read(written(tmp_path / "a.csv", HEADER, row))
    assert codes(recording) == ["dates_unreadable"]
    assert recording.started_at is None


def test_a_channel_that_goes_on_over_several_sheets_is_joined_in_order(tmp_path: Path) -> None:
    header: list[object] = list(HEADER.split(","))
    info: list[list[object]] = [
        [None, None, None, "TEST REPORT"],
        [None, None, "Test Name", "cell_7", "Serial Number"],
        [None, None, "Export Time", "2024-05-14", "4711"],
        ["Channel", "Schedule File Name", "MASS(g)", "Comments"],
        [3, "formation.sdx", 0.0125, "silicon"],
    ]
    sheets = {
        "Global_Info": info,
        "Channel_3_1": [header, *channel_rows(1, 3)],
        "Channel_3_10": [header, *channel_rows(7, 3)],
        "Channel_3_2": [header, *channel_rows(4, 3)],
        "Statistics_3": [["Cycle_Index", "Test_Time(s)"], [1, 5.0], [2, 6.0]],
    }
    path = workbook(tmp_path / "a.xlsx", sheets)
    recording = arbin_xlsx.FORMAT.read(path)
    assert table(recording)["record_index"].to_list() == list(range(1, 10))
    assert table(recording)["voltage_volt"][0] == pytest.approx(3.5 + 1 / 3, rel=1e-15)
    assert (
        table(recording)["unix_time_second"][0]
        == datetime(2024, 5, 13, 10, 0, 1, tzinfo=UTC).timestamp()
    )
    expected = {
        "maker": "Arbin", "test_name": "cell_7", "instrument_serial_number": "4711", "channel": "3",
        "schedule_file_name": "formation.sdx", "mass_g": "0.0125", "comments": "silicon",
    }  # fmt: skip
    assert dict(recording.metadata) == expected
    assert formats.find_format(path) is arbin_xlsx.FORMAT


def test_each_channel_of_a_workbook_is_read_as_a_part_of_its_own(tmp_path: Path) -> None:
    header: list[object] = list(HEADER.split(","))
    statistics: list[object] = ["Cycle_Index", "Charge_Capacity(Ah)", "Discharge_Capacity(Ah)"]
    sheets = {
        "Channel_2_1": [header, *channel_rows(1, 3)],
        "Channel_10_1": [header, *channel_rows(4, 5)],
        "Statistics_2": [statistics, [1, 1e-3, 9e-4]],
        "Statistics_10": [statistics, [1, 2e-3, 9e-4], [2, 2e-3, 9e-4]],
    }
    path = workbook(tmp_path / "a.xlsx", sheets)
    assert formats.parts(path) == ("Channel_2", "Channel_10")
    two, ten = (formats.read(path, part=part) for part in formats.parts(path))
    assert two.tables["timeseries"]["record_index"].to_list() == [1, 2, 3]
    assert ten.tables["timeseries"]["record_index"].to_list() == [4, 5, 6, 7, 8]
    assert [m.tables["vendor_cycles"].height for m in (two, ten)] == [1, 2]
    assert len({formats.raw_file(path).sha256, two.raw_file.sha256, ten.raw_file.sha256}) == 3
    with pytest.raises(DamagedFileError, match=r"records of 2 channels \(2, 10\).*Channel_2"):
        formats.read(path)
    with pytest.raises(NoDataError, match=r"no part Channel_3.*one of Channel_2, Channel_10"):
        formats.read(path, part="Channel_3")


def test_a_file_with_one_recording_has_no_parts(tmp_path: Path) -> None:
    header: list[object] = list(HEADER.split(","))
    path = workbook(tmp_path / "a.xlsx", {"Channel_2_1": [header, *channel_rows(1, 3)]})
    assert formats.parts(path) == ()
    with pytest.raises(NoDataError, match="the file holds one"):
        formats.read(path, part="Channel_2")


def test_a_workbook_whose_channel_sheet_is_empty_is_no_data(tmp_path: Path) -> None:
    empty = workbook(tmp_path / "a.xlsx", {"Global_Info": [["x"]], "Channel_1_1": [[None]]})
    with pytest.raises(NoDataError, match="no records on the sheets Global_Info, Channel_1_1"):
        formats.read(empty)
    header: list[object] = list(HEADER.split(","))
    with pytest.raises(NoDataError, match="no record"):
        formats.read(workbook(tmp_path / "b.xlsx", {"Channel_1_1": [header]}))


def test_records_on_a_sheet_of_any_name_are_found_below_a_preamble(tmp_path: Path) -> None:
    header: list[object] = list(HEADER.split(","))
    rows = [["exported by hand"], [None], header, *channel_rows(1, 2)]
    found = formats.read(workbook(tmp_path / "a.xlsx", {"Sheet1": rows}))
    assert found.format == "arbin_xlsx"
    assert found.tables["timeseries"].height == 2


def test_text_and_day_numbers_in_date_cells_are_read(tmp_path: Path) -> None:
    header: list[object] = list(HEADER.split(","))
    day = [1, 0.0, 45425.416666666664, 0.0, 1, 1, 0, 3.0, 0, 0]
    text = [1, 0.0, "05/13/2024 10:00:00.000", 0.0, 1, 1, 0, 3.0, 0, 0]
    for name, row in (("day", day), ("text", text)):
        path = workbook(tmp_path / f"{name}.xlsx", {"Channel_1_1": [header, row]})
        assert table(arbin_xlsx.FORMAT.read(path))["unix_time_second"].to_list() == [1715594400.0]


def test_the_vendors_table_of_cycles_is_what_its_own_records_hold(real_data: Path) -> None:
    compared = 0
    files = [*(real_data / "res").iterdir(), *(real_data / "arbin-xlsx").glob("diffcap*")]
    for path in sorted(files):
        tables = cellpipe.read(path).tables
        if "vendor_cycles" not in tables:
            continue
        counters = ["vendor_charging_capacity_ah", "vendor_discharging_capacity_ah"]
        ends = (
            tables["timeseries"]
            .group_by("cycle_count", maintain_order=True)
            .agg(pl.col(counters).last())
        )
        both = tables["vendor_cycles"].join(ends, on="cycle_count", suffix="_of_records")
        assert both.height == tables["vendor_cycles"].height
        for name in counters:
            assert float((both[name] - both[f"{name}_of_records"]).abs().max()) < 1e-9, path.name
        compared += 1
    assert compared == 4


def test_a_sheet_of_statistics_that_is_not_arbins_is_left_alone(tmp_path: Path) -> None:
    header = ["Data_Point", "Test_Time(s)", "Step_Index", "Current(A)", "Voltage(V)",
              "Charge_Capacity(Ah)"]  # fmt: skip
    sheets = {"Channel_1": [header, *([n, n, 1, 0.1, 3.5, 0] for n in range(1, 5))],
              "Statistics": [["Mean", "Std"], [1, 2]]}  # fmt: skip
    path = workbook(tmp_path / "a.xlsx", sheets)
    assert set(cellpipe.read(path).tables) == {"timeseries"}
