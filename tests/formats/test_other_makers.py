"""Makers beside the three: values that the origins' own tests, or the makers' own tables, state."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.core.errors import DamagedFileError

SAMPLE = Path(__file__).parents[2] / "sample_data"


def timeseries(path: Path) -> pl.DataFrame:
    return cellpipe.read(path).tables["timeseries"]


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        (
            "maccor/pyprobe__sample_data_maccor.csv",
            {"test_time_second": 13.06, "current_ampere": 28.798, "voltage_volt": 3.716,
             "vendor_charging_capacity_ah": 0.024, "temperature_t1_celsius": 22.2591},
        ),
        (
            "basytec/pyprobe__sample_data_basytec.txt",
            {"test_time_second": 70.235804, "current_ampere": 0.449602, "voltage_volt": 3.53285,
             "vendor_charging_capacity_ah": 0.001248917, "temperature_t1_celsius": 25.47953,
             "unix_time_second": 1687197483.235803},
        ),
        (
            "novonix/pyprobe__sample_data_novonix.csv",
            {"test_time_second": 12287.48004, "current_ampere": 0.49999387,
             "voltage_volt": 4.12864581, "temperature_t1_celsius": 24.792},
        ),
    ],
)  # fmt: skip
def test_the_last_record_is_what_the_origins_own_test_states(
    real_data: Path, name: str, stated: dict[str, float]
) -> None:
    last = timeseries(real_data / name).row(-1, named=True)
    for column, value in stated.items():
        assert last[column] == pytest.approx(value, rel=1e-6), column


def test_a_maccor_number_without_a_unit_is_what_the_dates_beside_it_say(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "maccor/cellpy__maccor_two.txt")
    table = measurement.tables["timeseries"]
    assert "time_unit_by_dates" in {f.code for f in measurement.findings}
    assert table["test_time_second"][1] == 60
    assert table["voltage_volt"][0] == pytest.approx(0.1377)


def test_a_maccor_time_that_nothing_tells_the_unit_of_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.txt"
    path.write_text("Rec#\tCyc#\tStep\tTestTime\tStepTime\tAmps\tVolts\n1\t0\t1\t0\t0\t0\t3.5\n"
                    "2\t0\t1\t1\t1\t0\t3.5\n")  # fmt: skip
    with pytest.raises(DamagedFileError, match="no unit"):
        cellpipe.read(path)


def test_maccor_millivolts_under_volts_are_told_by_energy_over_charge(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "maccor/cellpy__maccor_three.txt")
    table = measurement.tables["timeseries"]
    assert "voltage_in_millivolt" in {f.code for f in measurement.findings}
    assert 0 < float(table["voltage_volt"].min()) < float(table["voltage_volt"].max()) < 5


def test_a_maccor_discharge_is_negative_where_only_the_state_says_so(real_data: Path) -> None:
    table = timeseries(real_data / "maccor/navani__maccor_example.txt")
    signs = table.group_by("step_type").agg(pl.col("current_ampere").sign().unique())
    assert dict(signs.iter_rows()) == {"R": [0.0], "C": [1.0], "D": [-1.0]}


def test_land_steps_hold_the_charges_of_lands_own_table(real_data: Path) -> None:
    import fastexcel

    path = next((real_data / "landt").iterdir())
    modes = fastexcel.read_excel(path).load_sheet("Mode").to_polars()
    table = timeseries(path)
    counted = pl.col("vendor_charging_capacity_ah") + pl.col("vendor_discharging_capacity_ah")
    steps = table.group_by("step_count").agg(counted.max() * 1e3).sort("step_count")
    assert steps.height == modes.height
    apart = (steps.to_series(1) - modes["Capacity/mAh"].cast(pl.Float64)).abs()
    assert float(apart.max()) <= 1e-4  # it prints four decimals


def test_gamry_spectra_have_the_points_that_the_origins_own_test_states(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "gamry/impedancepy__exampleDataGamry.DTA")
    spectrum = measurement.tables["impedance"]
    assert spectrum.height == 72
    first, last = spectrum.row(0, named=True), spectrum.row(-1, named=True)
    assert (first["real_impedance_ohm"], first["imaginary_impedance_ohm"]) == (825.8584, -1367.239)
    assert last["frequency_hertz"] == pytest.approx(1.58898e-2)
    assert last["imaginary_impedance_ohm"] == pytest.approx(-6635.557)


def test_gamry_says_what_it_left_out_and_that_an_experiment_was_stopped(real_data: Path) -> None:
    strange = cellpipe.read(real_data / "gamry/gamryp__eispot_data.dta")
    assert next(f for f in strange.findings if f.code == "lines_left_out").rows == 4
    stopped = cellpipe.read(real_data / "gamry/impedancepy__exampleDataGamryABORT.DTA")
    assert "experiment_aborted" in {f.code for f in stopped.findings}


def test_a_gamry_file_with_decimal_commas_reads_as_one_with_points(
    real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "gamry/impedancepy__exampleDataGamry.DTA"
    path = tmp_path / "comma.DTA"
    head, mark, body = source.read_bytes().partition(b"ZCURVE")
    path.write_bytes(head + mark + body.replace(b".", b","))
    one, other = cellpipe.read(path), cellpipe.read(source)
    assert one.tables["impedance"].equals(other.tables["impedance"])


def test_zview_spectra_are_read_with_and_without_titles(real_data: Path) -> None:
    for name, first in (("ZPlot", 147.77), ("ZPlot_noComments", 642.62)):
        path = real_data / f"zview/impedancepy__exampleData{name}.z"
        spectrum = cellpipe.read(path).tables["impedance"]
        assert spectrum["real_impedance_ohm"][0] == first
        assert (spectrum["imaginary_impedance_ohm"] < 0).all()
        assert spectrum["frequency_hertz"][0] == 3e5


def test_the_battery_data_format_gives_what_the_raw_file_gives(real_data: Path) -> None:
    ours = timeseries(real_data / "neware-csv/fivestar__raw_data_output_from_cycler.csv")
    theirs = timeseries(real_data / "oracle/fivestar__structured_battery_data.bdf.csv")
    for column in ("test_time_second", "voltage_volt", "current_ampere"):
        assert float((ours[column] - theirs[column]).abs().max()) < 1e-6, column
    res = timeseries(real_data / "res/navani__arbin_example.res")
    bdf = timeseries(real_data / "oracle/datalab__arbin_example.bdf.csv")
    assert float((res["voltage_volt"] - bdf["voltage_volt"]).abs().max()) < 1e-6


def test_a_table_of_cellpipes_own_is_in_the_battery_data_format(tmp_path: Path) -> None:
    table = timeseries(SAMPLE / "neware_csv/SSB-05_record_zh.csv")
    table.write_parquet(tmp_path / "cell.bdf.parquet")
    table.write_csv(tmp_path / "cell.bdf.csv")
    for path in sorted(tmp_path.iterdir()):
        again = cellpipe.read(path)
        assert again.format == "bdf"
        kept = [c for c in table.columns if c in again.tables["timeseries"].columns]
        assert {"cycle_count", "step_count", "unix_time_second", "step_type"} <= {*kept}
        assert again.tables["timeseries"].select(kept).equals(table.select(kept)), path.name


def test_a_parquet_file_of_something_else_is_no_measurement(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "voltage": [3.0]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(cellpipe.CellpipeError, match="no format knows"):
        cellpipe.read(tmp_path / "x.parquet")


def test_a_pec_file_with_two_cells_is_refused(real_data: Path, tmp_path: Path) -> None:
    source = next((real_data / "pec").iterdir()).read_text(encoding="utf-8")
    head, _, last = source.rstrip("\n").rpartition("\n")
    path = tmp_path / "two.csv"
    path.write_text(f"{head}\n{last}\n{last.replace('345626_9356111', '345626_9356112')}\n")
    with pytest.raises(DamagedFileError, match="2 cells"):
        cellpipe.read(path)


def test_the_three_columns_that_the_battery_data_format_needs_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "cell.bdf.csv"
    rows = "".join(f"{n},3.{n},0.1\n" for n in range(10))
    path.write_text("Test Time / s,Voltage / V,Current / A\n" + rows)
    assert timeseries(path)["step_count"].to_list() == [1] * 10


def test_spectra_beside_a_recording_in_the_battery_data_format_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "cell.bdf.csv"
    head = "Test Time / s,Voltage / V,Current / A,Frequency / Hz,Real Impedance / ohm,"
    path.write_text(
        f"{head}Imaginary Impedance / ohm\n0,3.5,0,,,\n1,3.5,0,1000,5,-1\n2,3.5,0,10,9,-2\n"
    )
    tables = cellpipe.read(path).tables
    assert (tables["timeseries"].height, tables["impedance"].height) == (3, 2)


def test_a_novonix_protocol_of_any_length_is_passed_over(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "novonix/pyprobe__sample_data_novonix.csv"
    path = tmp_path / "long.csv"
    path.write_bytes(source.read_bytes().replace(b"[End Protocol]", b"x" * 300_000 + b"\n" * 200
                                                 + b"[End Protocol]"))  # fmt: skip
    assert timeseries(path).equals(timeseries(source))


@pytest.mark.parametrize("end", [b"\r\r\n", b"\r\n", b"\n", b"\r"])
def test_no_line_is_lost_whatever_ends_them(real_data: Path, tmp_path: Path, end: bytes) -> None:
    source = real_data / "novonix/pyprobe__sample_data_novonix.csv"
    path = tmp_path / "ends.csv"
    path.write_bytes(end.join(source.read_bytes().splitlines()) + end)
    assert timeseries(path).height == timeseries(source).height


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_decimal_comma_counts_wherever_the_first_one_stands(tmp_path: Path, quote: str) -> None:
    path = tmp_path / "cell.txt"
    rows = [
        f"{n}\t0\t1\t{quote}{n},5{quote}\tR\t{quote}3,01{quote}\t{quote}0,5{quote}"
        for n in range(1, 30)
    ]
    head = "Rec#\tCyc#\tStep\tTest (Sec)\tState\tVolts\tAmps"
    path.write_text("\n".join([head, "0\t0\t1\t0\tR\t3\t0", *rows]) + "\n")
    table = timeseries(path)
    assert table.height == 30
    assert table["voltage_volt"][1] == 3.01
    assert table["test_time_second"][1] == 1.5


def test_a_spectrum_that_ends_within_a_line_loses_that_line_and_says_so(
    real_data: Path, tmp_path: Path
) -> None:
    for name in (
        "zview/impedancepy__exampleDataZPlot.z",
        "gamry/impedancepy__exampleDataGamry.DTA",
    ):
        content = (real_data / name).read_bytes().rstrip()
        path = tmp_path / Path(name).name
        path.write_bytes(content[: content.rindex(b"\t", 0, len(content) - 24) + 3])
        cut, whole = cellpipe.read(path), cellpipe.read(real_data / name)
        assert cut.tables["impedance"].height == whole.tables["impedance"].height - 1, name
        assert "lines_left_out" in {f.code for f in cut.findings}


def test_a_maccor_clock_without_dates_is_that_of_its_first_record(tmp_path: Path) -> None:
    path = tmp_path / "cell.txt"
    head = "Date of Test:\t01/15/2025\nRec#\tCyc#\tStep\tTest (Sec)\tAmps\tVolts\tDPt Time"
    path.write_text(f"{head}\n5\t0\t1\t10\t0\t3.5\t11:50:10\n6\t0\t1\t20\t0\t3.5\t11:50:20\n")
    table = cellpipe.read(path, time_zone="UTC").tables["timeseries"]
    assert pl.from_epoch(table["unix_time_second"]).dt.to_string("%H:%M:%S")[0] == "11:50:10"


def test_a_gamry_spectrum_without_times_has_no_clock_of_its_points(tmp_path: Path) -> None:
    path = tmp_path / "z.dta"
    path.write_text("EXPLAIN\nTAG\tEISPOT\nDATE\tLABEL\t12/31/2021\nTIME\tLABEL\t12:00:00\n"
                    "ZCURVE\tTABLE\n\tPt\tFreq\tZreal\tZimag\n\t#\tHz\tohm\tohm\n"
                    "\t0\t1000\t5\t-1\n\t1\t100\t6\t-2\n")  # fmt: skip
    measurement = cellpipe.read(path, time_zone="Europe/Berlin")
    assert measurement.tables["impedance"].height == 2
