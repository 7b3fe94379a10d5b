"""What is claimed of Neware's text and Excel exports."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from cellpipe import formats
from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Recording
from cellpipe.formats import clock
from cellpipe.formats.neware import csv as neware_csv
from cellpipe.formats.neware import xlsx as neware_xlsx

REAL = Path(__file__).parents[2].parent / "shared" / "real_data"
needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real instrument files are not at {REAL}"
)
CSV = REAL / "neware-csv"
DERIVED = REAL / "derived"
ORACLE = REAL / "oracle"
FIVESTAR = CSV / "fivestar__raw_data_output_from_cycler.csv"

FLAT = (
    "DataPoint,Cycle Index,Step Index,Step Type,Time,Total Time,Current(mA),Voltage(V),"
    "Capacity(mAh),Chg. Cap.(mAh),DChg. Cap.(mAh),Date"
)
FLAT_ROWS = (
    "1,1,1,Rest,00:00:00,00:00:00,0,3.0,0,0,0,2024-05-13 10:00:00",
    "2,1,1,Rest,00:00:10,00:00:10,0,3.0,0,0,0,2024-05-13 10:00:10",
    "3,1,2,CC Chg,00:00:00,00:00:10,360,3.5,0,0,0,2024-05-13 10:00:10",
    "4,1,2,CC Chg,00:00:10,00:00:20,360,3.6,1,1,0,2024-05-13 10:00:20",
    "5,1,3,CC DChg,00:00:10,00:00:30,-360,3.4,1,0,1,2024-05-13 10:00:30",
)
CHINESE = (
    "数据序号,循环号,工步号,工步类型,时间,总时间,电流(mA),电压(V),"
    "容量(mAh),充电容量(mAh),放电容量(mAh),绝对时间"
)
CHINESE_ROWS = tuple(
    row.replace("Rest", "搁置").replace("CC Chg", "恒流充电").replace("CC DChg", "恒流放电")
    for row in FLAT_ROWS
)
NESTED = (
    "Cycle ID,Cap_Chg(mAh),Cap_DChg(mAh),Charge/Discharge Efficiency(%)",
    ",Step ID,Step Name,Step Time(h:min:s.ms),Capacity(mAh)",
    ",,Record ID,Time(h:min:s.ms),Vol(mV),Cur(mA),Cap(mAh),Realtime",
    "1,1,1,100",
    ",1,CC_Chg,0:00:10.000,1",
    ",,1,0:00:00.000,3500,360,0,2024-05-13 10:00:00",
    ",,2,0:00:10.000,3600,360,1,2024-05-13 10:00:10",
    ",2,CC_DChg,0:00:20.000,1",
    ",,3,0:00:00.000,3500,360,0,2024-05-13 10:00:10",
    ",,4,0:00:20.000,3400,360,1,2024-05-13 10:00:30",
    "2,1,1,100",
    ",1,CC_Chg,0:00:10.000,1",
    ",,5,0:00:10.000,3600,360,1,2024-05-13 10:00:40",
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
    shown = {
        time: book.add_format({"num_format": "hh:mm:ss"}),
        timedelta: book.add_format({"num_format": "[h]:mm:ss"}),
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
    }
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for place, row in enumerate(rows):
            for column, cell in enumerate(row):
                if type(cell) in shown:
                    sheet.write_datetime(place, column, cell, shown[type(cell)])
                else:
                    sheet.write(place, column, cell)
    book.close()
    return path


@needs_real_files
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("neware-csv/cellpy__neware_uio.csv", 9065),
        ("neware-csv/cellpy__nw_regular_export_ife_example.csv", 9295),
        ("neware-csv/fastnda__interp-test.csv", 333),
        ("neware-csv/fivestar__raw_data_output_from_cycler.csv", 13084),
        ("derived/neware-csv__derived_flat_zh_gb18030.csv", 2500),
        ("derived/neware-csv__derived_nested_zh_gbk.csv", 2500),
        ("derived/neware-xlsx__derived_btsda8_en.xlsx", 2500),
    ],
)
def test_every_real_file_is_read_whole_and_keeps_the_contract(name: str, rows: int) -> None:
    measurement = formats.read(REAL / name)
    found = measurement.tables["timeseries"]
    assert found.height == rows
    assert "rejected_rows" not in measurement.tables
    assert measurement.started_at is not None
    assert (found["test_time_second"].diff().drop_nulls() >= 0).all()


@needs_real_files
@pytest.mark.parametrize("path", [*sorted(CSV.glob("*")), *sorted(DERIVED.glob("*"))])
def test_charge_is_counted_while_the_current_is_positive(path: Path) -> None:
    found = formats.read(path).tables["timeseries"]
    grown = found.with_columns(
        charged=pl.col("vendor_charging_capacity_ah").diff().over("step_count"),
        discharged=pl.col("vendor_discharging_capacity_ah").diff().over("step_count"),
    )
    assert grown.filter((pl.col("charged") > 1e-7) & (pl.col("current_ampere") < 0)).is_empty()
    assert grown.filter((pl.col("discharged") > 1e-7) & (pl.col("current_ampere") > 0)).is_empty()


@needs_real_files
def test_the_capacities_of_four_cycles_are_those_that_are_stated() -> None:
    found = table(neware_csv.FORMAT.read(CSV / "cellpy__neware_uio.csv"))
    highest = found.group_by("cycle_count").max().sort("cycle_count")
    assert highest["cycle_count"].to_list() == [1, 2, 3, 4]
    charged = [0.00424934, 0.00424668, 0.00424183, 0.00143796]
    discharged = [0.00468031, 0.00406473, 0.00402979, 0.00331516]
    assert highest["vendor_charging_capacity_ah"].to_list() == charged
    assert highest["vendor_discharging_capacity_ah"].to_list() == discharged
    assert found["test_time_second"][-1] == (144 * 60 + 2) * 60 + 18


@needs_real_files
def test_the_vendors_own_text_says_what_its_binary_file_holds() -> None:
    found = table(neware_csv.FORMAT.read(CSV / "fastnda__interp-test.csv"))
    truth = pl.read_parquet(ORACLE / "fastnda__interp-test.parquet")
    pairs = (
        ("cycle_count", "Cycle Index", 1, 0),
        ("step_id", "Step Index", 1, 0),
        ("step_time_second", "Time", 1, 0),
        ("test_time_second", "Total Time", 1, 0),
        ("voltage_volt", "Voltage(mV)", 1e-3, 1e-10),
        ("current_ampere", "Current(uA)", 1e-6, 0),
    )
    for ours, theirs, factor, within in pairs:
        apart = found[ours].cast(pl.Float64) - truth[theirs].cast(pl.Float64) * factor
        assert apart.abs().max() <= within, ours
    moments = truth["Date"].dt.epoch("ms") / 1000
    assert (found["unix_time_second"] - moments).abs().max() < 1e-6


@needs_real_files
def test_a_rate_test_with_auxiliary_channels_equals_its_published_conversion() -> None:
    found = table(neware_csv.FORMAT.read(FIVESTAR))
    truth = pl.read_csv(ORACLE / "fivestar__structured_battery_data.bdf.csv")
    pairs = {
        "test_time_second": "Test Time / s",
        "current_ampere": "Current / A",
        "voltage_volt": "Voltage / V",
        "step_id": "Step Count / 1",
        "temperature_t1_celsius": "Temperature 1 / °C",
        "temperature_t2_celsius": "Temperature 2 / °C",
        "temperature_t3_celsius": "Temperature 3 / °C",
    }
    for ours, theirs in pairs.items():
        assert (found[ours] - truth[theirs]).abs().max() == 0, ours
    assert found["auxiliary_voltage_v3_volt"][-1] == 0.0002
    assert found["step_count"].max() == truth["Step Count / 1"].n_unique()


@needs_real_files
def test_a_nested_export_gives_each_record_its_cycle_and_its_step() -> None:
    recording = neware_csv.FORMAT.read(CSV / "cellpy__nw_regular_export_ife_example.csv")
    found = table(recording)
    assert recording.tables["vendor_cycles"].height == 20
    assert found["cycle_count"].to_list() == sorted(found["cycle_count"].to_list())
    assert found["cycle_count"].n_unique() == 20
    assert found["step_count"].n_unique() == 81
    first = found.filter(pl.col("cycle_count") == 1)
    assert first["vendor_charging_capacity_ah"].max() == pytest.approx(0.02256, abs=5e-6)
    assert first["vendor_discharging_capacity_ah"].max() == pytest.approx(0.33067, abs=5e-6)
    assert first["step_type"].unique(maintain_order=True).to_list() == ["Rest", "CC Chg", "CC DChg"]
    assert first["step_id"].unique().sort().to_list() == [1, 2, 3, 4, 5]


@needs_real_files
@pytest.mark.parametrize(
    "name",
    [
        "neware-csv__derived_flat_zh_gb18030.csv",
        "neware-csv__derived_nested_zh_gbk.csv",
        "neware-xlsx__derived_btsda8_en.xlsx",
    ],
)
def test_three_layouts_of_one_recording_give_its_values(name: str) -> None:
    found = formats.read(DERIVED / name).tables["timeseries"]
    truth = table(neware_csv.FORMAT.read(FIVESTAR)).head(2500)
    for column in ("current_ampere", "voltage_volt"):
        assert (found[column] - truth[column]).abs().max() < 1e-12, column
    assert (found["test_time_second"] - truth["test_time_second"]).abs().max() < 1.0
    assert found["step_count"].to_list() == truth["step_count"].to_list()
    assert found["cycle_count"].to_list() == [1] * 2500


@needs_real_files
def test_a_btsda_8_workbook_says_what_was_measured() -> None:
    recording = neware_xlsx.FORMAT.read(DERIVED / "neware-xlsx__derived_btsda8_en.xlsx")
    assert recording.metadata["device"] == "29-2-4"
    assert recording.metadata["active_material"] == "0mg"
    assert recording.tables["vendor_cycles"].height == 1


@needs_real_files
@pytest.mark.parametrize(
    "name", ["cellpy__neware_uio.csv", "cellpy__nw_regular_export_ife_example.csv"]
)
def test_a_half_copied_text_gives_its_whole_records_and_says_so(tmp_path: Path, name: str) -> None:
    whole = (CSV / name).read_bytes()
    cut = tmp_path / "cut.csv"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    recording = neware_csv.FORMAT.read(cut)
    assert codes(recording) == ["file_cut_off"]
    full = table(neware_csv.FORMAT.read(CSV / name))
    assert table(recording).equals(full.head(table(recording).height))
    assert table(recording).height > 0.5 * full.height


def test_no_file_of_another_maker_is_claimed() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real instrument files are not at {REAL}")
    for path in REAL.rglob("*"):
        if path.is_dir() or path.relative_to(REAL).parts[0] in {"neware-csv", "derived"}:
            continue
        with path.open("rb") as stream:
            sample = formats.Sample(path, stream.read(formats.HEAD_BYTES))
        assert not neware_csv.FORMAT.claims(sample), path
        assert not neware_xlsx.FORMAT.claims(sample), path


@pytest.mark.parametrize(
    "text",
    [
        "time,box,H2O/ppm,O2/ppm,pressure/mbar\n2024-01-01 00:00:00,1,0.1,0.2,3\n",
        "Record Index / 1,Step Time / s,Current / A,Voltage / V,Step Type\n1,0,0,3,Rest\n",
        "Record,StepTime/Sec,Voltage/V,Current/mA,State\n1,0,3,0,R\n",
        "Cycle Number,Step Type,Step Time (h),Current (A),Potential (V)\n1,2,3,4,5\n",
        "cell,cycle,capacity\nA1,1,3\n",
    ],
)
def test_other_tables_are_not_claimed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "glovebox_log.csv"
    path.write_text(text, encoding="utf-8")
    assert not neware_csv.FORMAT.claims(formats.Sample(path, path.read_bytes()))


@pytest.mark.parametrize(
    ("header", "rows", "encoding"),
    [
        (FLAT, FLAT_ROWS, "utf-8"),
        (FLAT, FLAT_ROWS, "utf-8-sig"),
        (FLAT, CHINESE_ROWS, "gb18030"),
        (CHINESE, CHINESE_ROWS, "utf-8"),
        (CHINESE, CHINESE_ROWS, "gb18030"),
        (CHINESE.replace("(", "（").replace(")", "）"), CHINESE_ROWS, "gb18030"),
        (CHINESE, CHINESE_ROWS, "utf-16"),
        (FLAT.replace("Total Time", "Cumulative Time").replace("Cycle Index", "Cycle ID"),
         FLAT_ROWS, "cp1252"),
        (FLAT.replace("DataPoint", "Record number").replace("Date", "Absolute Time"),
         FLAT_ROWS, "utf-8"),
    ],
)  # fmt: skip
def test_the_flat_export_in_its_languages_and_encodings(
    tmp_path: Path, header: str, rows: tuple[str, ...], encoding: str
) -> None:
    path = written(tmp_path / "x_record.csv", header, *rows, encoding=encoding)
    measurement = formats.read(path)
    found = measurement.tables["timeseries"]
    assert measurement.format == "neware_csv"
    assert found["current_ampere"].to_list() == pytest.approx([0, 0, 0.36, 0.36, -0.36])
    assert found["test_time_second"].to_list() == [0, 10, 10, 20, 30]
    assert found["step_count"].to_list() == [1, 1, 2, 2, 3]
    assert found["vendor_charging_capacity_ah"].to_list() == [0, 0, 0, 0.001, 0]
    assert found["vendor_discharging_capacity_ah"].to_list() == [0, 0, 0, 0, 0.001]
    assert found["step_type"][4] == ("恒流放电" if "恒流充电" in rows[2] else "CC DChg")


@pytest.mark.parametrize(
    ("unit", "encoding", "factor"),
    [
        ("A", "utf-8", 1.0),
        ("uA", "utf-8", 1e-6),
        ("µA", "utf-8", 1e-6),
        ("\u03bcA", "utf-8", 1e-6),
        ("µA", "cp1252", 1e-6),
    ],
)
def test_the_unit_in_the_header_decides_the_scale(
    tmp_path: Path, unit: str, encoding: str, factor: float
) -> None:
    header = FLAT.replace("Current(mA)", f"Current({unit})").replace("(mAh)", "(mAs)")
    path = written(tmp_path / "a.csv", header, *FLAT_ROWS, encoding=encoding)
    found = formats.read(path).tables["timeseries"]
    assert found["current_ampere"][4] == pytest.approx(-360 * factor)
    assert found["vendor_charging_capacity_ah"][3] == pytest.approx(1 / 3.6e6)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (FLAT.replace("Current(mA)", "Current(?A)"), r"Current\(\?A\)"),
        (FLAT.replace("Voltage(V)", "Voltage"), "Voltage"),
        (FLAT.replace("Total Time", "Total Time(day)"), r"Total Time\(day\)"),
    ],
)
def test_an_unknown_unit_of_a_known_column_is_refused_by_name(
    tmp_path: Path, header: str, column: str
) -> None:
    with pytest.raises(DamagedFileError, match=f"column '{column}' in unit .*; remedy: export"):
        formats.read(written(tmp_path / "a.csv", header, *FLAT_ROWS))


def test_a_missing_current_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", FLAT.replace("Current(mA)", "Power(mW)"), *FLAT_ROWS)
    with pytest.raises(DamagedFileError, match=r"expected a column Current\(mA\)"):
        formats.read(path)


@pytest.mark.parametrize("degree", ["℃", "°C", "?", ""])
def test_a_spoilt_degree_sign_does_not_hide_a_temperature(tmp_path: Path, degree: str) -> None:
    rows = [f"{row},25.5," for row in FLAT_ROWS]
    path = written(tmp_path / "a.csv", f"{FLAT},T1({degree}),", *rows, encoding="gb18030")
    assert formats.read(path).tables["timeseries"]["temperature_t1_celsius"].to_list() == [25.5] * 5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:10", 10.0),
        ("4344:10:00", 4344 * 3600 + 600.0),
        ("0:01:02.500", 62.5),
        ("00:01:02,500", 62.5),
        ("1d 02:03:04", 86400 + 7384.0),
        ("2-03:04:05", 2 * 86400 + 11045.0),
        ("3天 00:00:01.5", 3 * 86400 + 1.5),
        (" 00:00:01 ", 1.0),
        ("soon", None),
    ],
)
def test_clock_text_is_read_as_it_stands(text: str, seconds: float | None) -> None:
    found = clock.to_seconds(pl.Series("Time", ["00:00:00", text]), 1.0, has_unit=False)
    assert found.to_list() == [0.0, seconds]


def test_times_as_numbers_need_a_unit(tmp_path: Path) -> None:
    rows = [row.replace("00:00:", "") for row in FLAT_ROWS]
    header = FLAT.replace("Total Time", "Total Time(min)").replace("Time,", "Time(s),", 1)
    found = formats.read(written(tmp_path / "a.csv", header, *rows)).tables["timeseries"]
    assert found["test_time_second"].to_list() == [0, 600, 600, 1200, 1800]
    assert found["step_time_second"].to_list() == [0, 10, 0, 10, 10]
    with pytest.raises(DamagedFileError, match=r"column 'Time' with numbers .* and no unit"):
        formats.read(written(tmp_path / "b.csv", FLAT, *rows))


def test_a_nested_report_with_empty_fields_in_front_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", *(line.replace(",", "\t") for line in NESTED))
    recording = neware_csv.FORMAT.read(path)
    found = table(recording)
    assert formats.find_format(path) is neware_csv.FORMAT
    assert found["cycle_count"].to_list() == [1, 1, 1, 1, 2]
    assert found["step_id"].to_list() == [1, 1, 2, 2, 1]
    assert found["step_count"].to_list() == [1, 1, 2, 2, 3]
    assert found["voltage_volt"].to_list() == pytest.approx([3.5, 3.6, 3.5, 3.4, 3.6])
    assert recording.tables["vendor_cycles"].height == 2


def test_a_nested_report_whose_cycles_and_steps_are_bare_numbers_is_read(tmp_path: Path) -> None:
    lines = (
        "Cycle ID,,,,,,,,,",
        ",Step ID,,,,,,,,DCIR(O)",
        ",,Record ID,Time(h:min:s.ms),Voltage(V),Current(mA),Temperature(C),Cap(mAh),Realtime,",
        "1,,,,,,,,,",
        ",1,,,,,,,,0.015",
        ",,1,0:00:01.0,3.20,1000,25,1,2026-04-02 00:00:01,",
        ",,2,0:00:02.0,3.22,1000,25.1,2,2026-04-02 00:00:02,",
        "2,,,,,,,,,",
        ",1,,,,,,,,0.020",
        ",,1,0:00:01.0,3.15,-500,25.3,1,2026-04-02 00:10:01,",
    )
    recording = neware_csv.FORMAT.read(written(tmp_path / "a.csv", *lines))
    found = table(recording)
    assert found["cycle_count"].to_list() == [1, 1, 2]
    assert found["step_count"].to_list() == [1, 1, 2]
    assert found["record_index"].to_list() == [1, 2, 3]
    assert found["current_ampere"].to_list() == [1, 1, -0.5]
    assert found["temperature_t1_celsius"].to_list() == [25, 25.1, 25.3]


def test_a_flat_report_with_letters_for_steps_and_no_signs_is_read(tmp_path: Path) -> None:
    lines = (
        "DateTime,Cycle ID,Step ID,Record ID,Time(h:min:s.ms),Voltage(V),Current(mA),Status,"
        "Capacitance_Chg(mAh),Capacitance_DChg(mAh),Engy_Chg(mWh),Engy_DChg(mWh)\n"
        "2026-01-01 00:00:00,1,1,1,0:00:00.0,3.50,1000,C,0,0,0,0\n"
        "2026-01-01 00:00:10,1,1,2,0:00:10.0,3.60,1000,C,10,0,36,0\n"
        "2026-01-01 00:00:20,1,2,3,0:00:00.0,3.55,1000,D,10,5,36,18"
    )
    found = formats.read(written(tmp_path / "a.csv", lines)).tables["timeseries"]
    assert found["current_ampere"].to_list() == [1, 1, -1]
    assert found["vendor_discharging_energy_wh"].to_list() == pytest.approx([0, 0, 0.018])
    assert found["test_time_second"].to_list() == [0, 10, 10]


def test_step_times_are_put_one_behind_the_other_where_no_test_time_is_given(
    tmp_path: Path,
) -> None:
    recording = neware_csv.FORMAT.read(written(tmp_path / "a.csv", *NESTED))
    assert table(recording)["test_time_second"].to_list() == [0, 10, 10, 30, 40]
    assert "test_time_derived" in codes(recording)


def test_currents_without_a_sign_get_that_of_their_step(tmp_path: Path) -> None:
    recording = neware_csv.FORMAT.read(written(tmp_path / "a.csv", *NESTED))
    assert table(recording)["current_ampere"].to_list() == pytest.approx(
        [0.36, 0.36, -0.36, -0.36, 0.36]
    )
    assert table(recording)["vendor_discharging_capacity_ah"].to_list() == [0, 0, 0, 0.001, 0]
    assert "current_unsigned" in codes(recording)


def test_a_name_that_stands_for_count_or_line_is_told_by_whether_it_goes_back(
    tmp_path: Path,
) -> None:
    header = CHINESE.replace("工步号", "工步序号")
    counted = table(neware_csv.FORMAT.read(written(tmp_path / "a.csv", header, *CHINESE_ROWS)))
    assert counted["step_count"].to_list() == [1, 1, 2, 2, 3]
    assert "step_id" not in counted.columns
    again = "6,2,1,搁置,00:00:00,00:00:30,0,3.4,0,0,0,2024-05-13 10:00:30"
    lines = table(neware_csv.FORMAT.read(written(tmp_path / "b.csv", header, *CHINESE_ROWS, again)))
    assert lines["step_id"].to_list() == [1, 1, 2, 2, 3, 1]
    assert lines["step_count"].to_list() == [1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    "lines",
    [
        (
            "循环号,起始绝对时间,充电容量(mAh),放电容量(mAh),充放电效率(%)",
            "1,2024-05-13 10:00:00,1,1,100",
        ),
        ("循环号,工步号,工步序号,工步类型,工步时间,容量(mAh)", "1,1,1,搁置,00:00:10,0"),
        ("Cycle Index,Chg. Cap.(Ah),DChg. Cap.(Ah),Chg.-DChg. Eff(%)", "1,1,1,100"),
    ],
)
def test_companions_without_records_are_refused_with_a_remedy(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    path = written(tmp_path / "x_cycle.csv", *lines, encoding="gb18030")
    with pytest.raises(
        NoDataError, match=r"a table of (cycle|step)s; expected the records.*_record"
    ):
        formats.read(path)


def test_a_header_without_records_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="a header without records"):
        formats.read(written(tmp_path / "a.csv", FLAT))


def test_a_row_cut_within_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join([FLAT, *FLAT_ROWS]).encode()[:-30])
    recording = neware_csv.FORMAT.read(path)
    assert table(recording).height == 4
    assert codes(recording) == ["file_cut_off"]


STEP_SHEET: list[list[object]] = [
    ["Cycle Index", "Step Index", "Step Number", "Step Type", "Step Time"],
    [1, 1, 1, "CC Chg", "00:00:10"],
    [2, 5, 2, "CC DChg", "00:00:10"],
]
RECORD_HEADER: list[object] = [
    *("DataPoint", "Step Type", "Time", "Total Time", "Current(uA)", "Voltage(V)", "Date")
]


def record_rows(zero: object, ten: object, thirty_hours: object) -> list[list[object]]:
    start = datetime(2024, 5, 13, 10)
    return [
        RECORD_HEADER,
        [1, "CC Chg", zero, zero, 1 / 3, 3.5, start],
        [2, "CC Chg", ten, ten, 1 / 3, 3.6, start],
        [3, "CC DChg", zero, ten, -1 / 3, 3.6, start],
        [4, "CC DChg", thirty_hours, thirty_hours, -1 / 3, 3.4, start],
    ]


@pytest.mark.parametrize(
    "times",
    [
        ("00:00:00", "00:00:10", "30:00:00"),
        (timedelta(0), timedelta(seconds=10), timedelta(hours=30)),
        (time(0), time(0, 0, 10), timedelta(hours=30)),
    ],
)
def test_records_get_the_cycles_of_the_step_sheet(
    tmp_path: Path, times: tuple[object, ...]
) -> None:
    sheets = {"test": [["x"]], "step": STEP_SHEET, "record": record_rows(*times)}
    path = workbook(tmp_path / "a.xlsx", sheets)
    found = formats.read(path).tables["timeseries"]
    assert found["cycle_count"].to_list() == [1, 1, 2, 2]
    assert found["step_id"].to_list() == [1, 1, 5, 5]
    assert found["test_time_second"].to_list() == [0, 10, 10, 108000]
    assert found["current_ampere"][0] == pytest.approx(1e-6 / 3, rel=1e-14)
    assert found["unix_time_second"][0] == 1715594400.0


def test_steps_that_dont_match_the_step_sheet_are_said(tmp_path: Path) -> None:
    sheets = {"step": STEP_SHEET[:2], "record": record_rows("00:00:00", "00:00:10", "00:00:30")}
    recording = neware_xlsx.FORMAT.read(workbook(tmp_path / "a.xlsx", sheets))
    assert codes(recording) == ["steps_not_matched"]
    assert "cycle_count" not in table(recording).columns
    assert table(recording)["step_count"].to_list() == [1, 1, 2, 2]


def test_detail_sheets_are_joined_in_order_and_others_left_alone(tmp_path: Path) -> None:
    names = (
        "Record Index,Status,JumpTo,Cycle,Step,Cur(mA),Voltage(V),CapaCity(mAh),"
        "Relative Time(h:min:s.ms),Absolute Time"
    )
    header: list[object] = list(names.split(","))
    start = "2024-05-13 10:00:00"
    one: list[object] = [1, "CC_Chg", 1, 1, 1, 360, 3.5, 0, "0:00:00.000", start]
    two: list[object] = [2, "CC_Chg", 1, 1, 1, 360, 3.6, 1, "0:00:10.000", start]
    sheets: dict[str, list[list[object]]] = {
        "Info": [["x"]],
        "Detail_67_1_1": [header, one],
        "DetailVol_67_1_1": [
            ["Record Index", "Relative Time(h:min:s.ms)", "Aux.CH TU1 U(V)"],
            [1, "0:00:00", 1],
        ],
        "Detail_67_1_2": [header, two],
    }
    found = formats.read(workbook(tmp_path / "a.xlsx", sheets)).tables["timeseries"]
    assert found["record_index"].to_list() == [1, 2]
    assert found["vendor_charging_capacity_ah"].to_list() == [0, 0.001]
    assert found["test_time_second"].to_list() == [0, 10]


def test_a_workbook_of_one_nested_sheet_is_read(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [
            float(cell) if cell.replace(".", "").isdigit() else cell or None
            for cell in line.split(",")
        ]
        for line in NESTED
    ]
    path = workbook(tmp_path / "a.xlsx", {"Sheet1": rows})
    found = formats.read(path).tables["timeseries"]
    assert found["cycle_count"].to_list() == [1, 1, 1, 1, 2]
    assert found["current_ampere"].to_list() == pytest.approx([0.36, 0.36, -0.36, -0.36, 0.36])


def test_a_workbook_without_records_is_no_data(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"test": [["x"]], "record": [["no", "records"]]})
    with pytest.raises(NoDataError, match="no records on the sheets test, record"):
        formats.read(path)


def test_a_workbook_of_another_kind_is_not_claimed(tmp_path: Path) -> None:
    header: list[object] = ["Index", "TestTime/h", "StepTime/h", "Voltage/V", "Current/mA", "State"]
    path = workbook(tmp_path / "a.xlsx", {"Record": [header], "Cycle": [["Index"]]})
    assert not neware_xlsx.FORMAT.claims(formats.Sample(path, path.read_bytes()))
