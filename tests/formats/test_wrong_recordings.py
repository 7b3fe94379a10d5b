"""A recording with one wrong column never goes in silence: it is refused, set aside or named.

Each wrong file is made from a good one as somebody's export could have made it, and read as any
other. The good one gives no warning at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe

SAMPLE = Path(__file__).parents[2] / "sample_data"
CYCLES = 4
TIME, DATE, STEP_TIME = "test_time_second", "unix_time_second", "step_time_second"
VOLTAGE, CURRENT, STEP, CYCLE = "voltage_volt", "current_ampere", "step_count", "cycle_count"
CHARGED, DISCHARGED = "vendor_charging_capacity_ah", "vendor_discharging_capacity_ah"
ENERGY_IN, ENERGY_OUT = "vendor_charging_energy_wh", "vendor_discharging_energy_wh"
TEMPERATURE, INDEX, TYPE = "ambient_temperature_celsius", "record_index", "step_type"
FREQUENCY, REAL, IMAGINARY = "frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm"
Change = Callable[[pl.DataFrame], pl.DataFrame]


def times(factor: float, *columns: str) -> Change:
    return lambda table: table.with_columns(pl.col(columns) * factor)


def constant(column: str, value: float) -> Change:
    return lambda table: table.with_columns(pl.lit(value).alias(column))


def swap(one: str, other: str) -> Change:
    return lambda table: table.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))


def at_one(column: str, value: float, place: float = 0.4) -> Change:
    def change(table: pl.DataFrame) -> pl.DataFrame:
        at = int(place * table.height)
        values = table[column].to_numpy().copy()
        values[at] = value
        return table.with_columns(pl.Series(column, values))

    return change


def unnumbered(change: Change) -> Change:
    """Change a table as somebody does whose program numbers its rows when it writes them."""
    return lambda table: change(table).drop(INDEX)


def shifted(table: pl.DataFrame) -> pl.DataFrame:
    half = table[TIME][table.height // 2]
    later = pl.col(TIME) > half
    return table.with_columns(pl.when(later).then(pl.col(TIME) - half).otherwise(pl.col(TIME)))


REJECTED, REFUSED = "rows_rejected", "refused"
WRONG: dict[str, tuple[Change, str]] = {
    "voltage in mV": (times(1e3, VOLTAGE), REFUSED),
    "voltage in µV": (times(1e6, VOLTAGE), REFUSED),
    "voltage in kV": (times(1e-3, VOLTAGE), "voltage_tiny"),
    "voltage 0": (constant(VOLTAGE, 0.0), "voltage_zero"),
    "voltage constant": (constant(VOLTAGE, 3.7), "voltage_constant"),
    "voltage with its sign turned": (times(-1, VOLTAGE), "voltage_sign_turned"),
    "voltage with a spike": (at_one(VOLTAGE, 0.0), "voltage_spike"),
    "voltage with a record of 50 V": (at_one(VOLTAGE, 50.0), "voltage_spike or rows_rejected"),
    "voltage with a record of 4.9 V": (at_one(VOLTAGE, 4.9), "voltage_spike"),
    "current in mA": (times(1e3, CURRENT), "charge_disagrees"),
    "current in µA": (times(1e6, CURRENT), "charge_disagrees"),
    "current in kA": (times(1e-3, CURRENT), "charge_disagrees"),
    "current with its sign turned": (times(-1, CURRENT), "current_sign_turned"),
    "current without sign": (
        lambda table: table.with_columns(pl.col(CURRENT).abs()), "current_unsigned"),
    "current 0": (constant(CURRENT, 0.0), "current_zero or charge_disagrees"),
    "current with a spike": (at_one(CURRENT, 5.0), "current_spike"),
    "voltage and current swapped": (swap(VOLTAGE, CURRENT), "voltage_and_current_swapped"),
    "time in ms": (times(1e3, TIME), "clock_pace_differs"),
    "time in h": (times(1 / 3600, TIME), "clock_pace_differs"),
    "time in min": (times(1 / 60, TIME), "clock_pace_differs"),
    "time that stands still": (constant(TIME, 5.0), "time_stands_still"),
    "time that goes back": (shifted, "time_goes_backwards"),
    "time negative": (times(-1, TIME), REFUSED),
    "step time in ms": (times(1e3, STEP_TIME), "clock_pace_differs"),
    "step time and test time swapped": (swap(TIME, STEP_TIME), "step_time_exceeds_test_time"),
    "dates of 1970": (lambda table: table.with_columns(pl.col(TIME).alias(DATE)),
        "dates_unreadable"),
    "dates of 1973": (lambda table: table.with_columns((pl.col(TIME) + 1e8).alias(DATE)),
        "clock_never_set"),
    "dates that run backwards": (
        lambda table: table.with_columns((3.5e9 - pl.col(DATE)).alias(DATE)),
        "clock_runs_backwards"),
    "dates that stand still": (constant(DATE, 1.7e9), "clock_stands_still"),
    "rows reversed": (lambda table: table.reverse(), "records_reversed"),
    "rows reversed and numbered": (unnumbered(lambda table: table.reverse()), "records_reversed"),
    "rows doubled": (lambda table: pl.concat([table, table]), "records_doubled"),
    "rows doubled one by one": (
        unnumbered(lambda table: table[np.repeat(np.arange(table.height), 2)]), "records_doubled"),
    "record numbers all 1": (constant(INDEX, 1), "records_out_of_order"),
    "step numbers backwards": (
        lambda table: table.with_columns(pl.col(STEP).reverse()), "step_numbers_go_back"),
    "cycle numbers backwards": (
        lambda table: table.with_columns(pl.col(CYCLE).reverse()), "cycle_numbers_go_back"),
    "counters in mAh": (times(1e3, CHARGED, DISCHARGED), "charge_disagrees"),
    "counters in As": (times(3600, CHARGED, DISCHARGED), "charge_disagrees"),
    "one counter in mAh": (times(1e3, DISCHARGED), "charge_disagrees"),
    "counters swapped": (swap(CHARGED, DISCHARGED), "counters_swapped"),
    "charging counter negative": (times(-1, CHARGED), "counter_negative"),
    "energy in mWh": (times(1e3, ENERGY_IN, ENERGY_OUT), "energy_disagrees"),
    "energies swapped": (swap(ENERGY_IN, ENERGY_OUT), "energy_counters_swapped"),
    "temperature in K": (constant(TEMPERATURE, 298.15), "temperature_in_kelvin"),
    "steps called by the other word": (
        lambda table: table.with_columns(pl.col(TYPE).replace(
            {"CC Chg": "CC DChg", "CC DChg": "CC Chg"})), "current_sign_contradicts"),
    "voltage as text": (constant(VOLTAGE, "OK"), REFUSED),  # type: ignore[arg-type]
    "no voltage": (lambda table: table.drop(VOLTAGE), REFUSED),
}  # fmt: skip
WRONG_SPECTRA: dict[str, tuple[Change, str]] = {
    "Re and Im swapped": (swap(REAL, IMAGINARY), "impedance_columns_swapped"),
    "-Im instead of Im": (times(-1, IMAGINARY), "imaginary_sign_turned"),
    "-Re instead of Re": (times(-1, REAL), "real_part_negative"),
    "points shuffled": (
        unnumbered(lambda table: table.sample(fraction=1, shuffle=True, seed=3)),
        "frequencies_out_of_order"),
    "spectrum doubled": (
        unnumbered(lambda table: pl.concat([table, table])), "records_doubled"),
    "points doubled": (
        unnumbered(lambda table: table[np.repeat(np.arange(table.height), 2)]), "records_doubled"),
    "one point of 1 TΩ": (at_one(REAL, 1e12), REJECTED),
    "impedance in pΩ": (times(1e12, REAL, IMAGINARY), REFUSED),
    "frequency in kHz": (times(1e-3, FREQUENCY), "frequency_in_kilohertz"),
}  # fmt: skip

EXPORTS = {  # of two makers: the sample, and its own names of the columns
    "neware": ("neware_csv/SSB-07_record.csv", {
        INDEX: "DataPoint", VOLTAGE: "Voltage(V)", CURRENT: "Current(A)",
        CHARGED: "Chg. Cap.(Ah)", DISCHARGED: "DChg. Cap.(Ah)",
        ENERGY_IN: "Chg. Energy(Wh)", ENERGY_OUT: "DChg. Energy(Wh)"}),
    "arbin": ("arbin_csv/SSB-03a_full_C2_Channel_6.csv", {
        INDEX: "Data_Point", VOLTAGE: "Voltage(V)", CURRENT: "Current(A)",
        CHARGED: "Charge_Capacity(Ah)", DISCHARGED: "Discharge_Capacity(Ah)",
        ENERGY_IN: "Charge_Energy(Wh)", ENERGY_OUT: "Discharge_Energy(Wh)",
        TIME: "Test_Time(s)", STEP_TIME: "Step_Time(s)"}),
}  # fmt: skip
IN_EXPORTS = (
    "voltage in kV", "voltage 0", "voltage constant", "voltage with a spike", "current in mA",
    "current in kA", "current with its sign turned", "current without sign",
    "voltage and current swapped", "rows reversed", "record numbers all 1", "counters in mAh",
    "counters swapped", "charging counter negative", "energy in mWh", "energies swapped",
)  # fmt: skip
WITH_TIMES = (
    "time in ms",
    "time in h",
    "time that stands still",
    "step time and test time swapped",
)
IN_THEM = [
    *((maker, name) for maker in EXPORTS for name in IN_EXPORTS),
    *(("arbin", name) for name in WITH_TIMES),
]
ALSO = {  # what a maker's reader repairs and says, or another witness names
    "current without sign": {"current_sign_contradicts", "charge_disagrees"},
    "rows reversed": {"records_sorted"},
    "voltage and current swapped": {"charge_disagrees"},
}


@pytest.fixture(scope="module")
def good() -> pl.DataFrame:
    path = SAMPLE / "neware_csv" / "SSB-07_record.csv"
    table = cellpipe.read(path, time_zone="UTC").tables["timeseries"]
    table = table.filter(pl.col(CYCLE) <= CYCLES).with_columns(pl.lit(25.0).alias(TEMPERATURE))
    assert {TIME, DATE, STEP_TIME, TYPE, CHARGED, ENERGY_IN} <= {*table.columns}
    return table


@pytest.fixture(scope="module")
def good_spectrum() -> pl.DataFrame:
    path = SAMPLE / "biologic_mpr" / "SSB-01_03_PEIS_C01.mpr"
    table = cellpipe.read(path).tables["impedance"]
    return table.select(INDEX, TIME, FREQUENCY, REAL, IMAGINARY)


def told(path: Path, *levels: str) -> dict[str, str]:
    """Return the findings about a file by their code, and the reason if it is refused.

    Those of the level ``warning``, if no others are asked for.
    """
    try:
        findings = cellpipe.read(path, time_zone="UTC").findings
    except cellpipe.CellpipeError as error:
        return {REFUSED: str(error)}
    return {
        finding.code: finding.sentence
        for finding in findings
        if finding.level in (levels or ("warning",))
    }


@pytest.mark.parametrize("name", WRONG)
def test_no_wrong_recording_goes_in_silence(name: str, good: pl.DataFrame, tmp_path: Path) -> None:
    change, expected = WRONG[name]
    path = tmp_path / "a.bdf.csv"
    change(good).write_csv(path)
    found = told(path, *(("info",) if expected == "current_unsigned" else ()))
    print(found)
    assert {*expected.split(" or ")} & {*found}


def test_a_voltage_in_mv_without_any_witness_is_set_aside(
    good: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "a.bdf.csv"
    times(1e3, VOLTAGE)(good).drop(ENERGY_IN, ENERGY_OUT).write_csv(path)
    assert "if this column is in mV, correct its header" in told(path)[REFUSED]


def write_export(maker: str, change: Change, path: Path) -> None:
    """Write the first lines of a maker's export with changed columns."""
    file, own = EXPORTS[maker]
    lines = (SAMPLE / file).read_text(encoding="utf-8-sig").splitlines(keepends=True)[:1500]
    table = pl.read_csv("".join(lines).encode(), infer_schema=False)
    numbers = [
        pl.col(label).str.strip_chars().cast(pl.Float64).alias(ours) for ours, label in own.items()
    ]
    changed = change(table.with_columns(numbers))
    changed.with_columns(pl.col(ours).alias(label) for ours, label in own.items()).select(
        table.columns
    ).write_csv(path)


@pytest.mark.parametrize(("maker", "name"), IN_THEM)
def test_nor_does_one_in_an_export_of_a_maker(maker: str, name: str, tmp_path: Path) -> None:
    change, expected = WRONG[name]
    write_export(maker, change, tmp_path / "a.csv")
    found = told(tmp_path / "a.csv", "info", "warning")
    print(found)
    assert {*expected.split(" or "), *ALSO.get(name, ())} & {*found}


@pytest.mark.parametrize("maker", EXPORTS)
def test_the_export_itself_gives_no_finding(maker: str, tmp_path: Path) -> None:
    write_export(maker, lambda table: table, tmp_path / "a.csv")
    assert told(tmp_path / "a.csv", "info", "warning") == {}


@pytest.mark.parametrize("name", WRONG_SPECTRA)
def test_no_wrong_spectrum_goes_in_silence(
    name: str, good_spectrum: pl.DataFrame, tmp_path: Path
) -> None:
    change, expected = WRONG_SPECTRA[name]
    path = tmp_path / "a.bdf.csv"
    change(good_spectrum).write_csv(path)
    found = told(path)
    print(found)
    assert {*expected.split(" or ")} & {*found}


def test_the_good_recording_and_spectrum_give_no_warning(
    good: pl.DataFrame, good_spectrum: pl.DataFrame, tmp_path: Path
) -> None:
    for number, table in enumerate((good, good_spectrum, good.drop(INDEX))):
        path = tmp_path / f"{number}.bdf.csv"
        table.write_csv(path)
        assert told(path) == {}
