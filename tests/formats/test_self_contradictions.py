"""What a good recording may be without a word: rescaled, cut, thinned, inductive, at rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cellpipe
from cellpipe.core.model import Finding
from cellpipe.core.recordings.spectra import spectrum_findings
from cellpipe.core.recordings.timeseries import recording_findings
from cellpipe.core.recordings.whole_tables import whole_findings

SAMPLE = Path(__file__).parents[2] / "sample_data"
TIMES = ("test_time_second", "step_time_second")
CHARGES = ("vendor_charging_capacity_ah", "vendor_discharging_capacity_ah")
ENERGIES = ("vendor_charging_energy_wh", "vendor_discharging_energy_wh")
SWEEP = np.logspace(6, -2, 60)
ALARMS = {  # files that give one, and what is wrong with them
    "real_data/maccor/navani__maccor_example.txt": {  # made up: its steps take half of its time
        "charge_disagrees", "clock_pace_differs"},
    "real_data/ndax/fastnda__test_2.ndax": {  # two short steps by 2 %; BTSDA exports the same
        "charge_disagrees"},
    "real_data/mpr/yadg__peis.mpr": {"impedance_spike"},  # one point at 51 Hz, beside the mains
    "real_data/mpt/yadg__peis.mpt": {"impedance_spike"},  # the same
    "real_data/spectra/yadg_peis.csv": {"impedance_spike"},  # the same
    "real_data/spectra/eisfitpy_Example2b.csv": {"impedance_spike"},  # 2 kΩ between 161 and 183 kΩ
    "real_data/mpt/pyimpspec__case-multiple-spectra.mpt": {  # one spectrum, three times
        "records_doubled"},
    "real_data/mpt/yadg__extract_cp.mpt": {  # 0 from record 5 on, though Ewe-Ece and power are not
        "voltage_zero"},
    "cases/cycling/N1/a.csv": {"time_goes_backwards"},  # a clock that restarts
    "cases/cycling/S23/a.bdf.csv": {"time_goes_backwards"},
    "cases/eis/T_posimag.mpt": {"imaginary_sign_turned"},
    "cases/files/08_time_one_zero_record/SSB-01_a.bdf.csv": {"time_goes_backwards"},
    "cases/files/09_time_first_of_step_zero/SSB-01_a.bdf.csv": {"time_goes_backwards"},
    "cases/files/11_time_ms_called_s_with_clock/SSB-01_a.bdf.csv": {"clock_pace_differs"},
    "cases/files/12_current_spike_one_record/SSB-01_a.bdf.csv": {"current_spike"},
    "cases/files/16_thousands_tab_int/SSB-01_a.txt": {"charge_disagrees"},  # 2.000 µA read as 2
    "cases/files/20_excel_hours_wrap_24h/SSB-01_a.csv": {"time_goes_backwards"},
    "cases/files/24_descending_neware/SSB-01_a.csv": {"records_reversed"},
}  # fmt: skip
PUT_RIGHT = {  # what is said while a table is read, and no more of what is stored
    "time_goes_backwards", "records_reversed", "clock_pace_differs", "current_spike",
    "step_time_exceeds_test_time", "imaginary_sign_turned",
}  # fmt: skip
factors = st.floats(1e-3, 1e3)


def recording() -> pl.DataFrame:
    path = SAMPLE / "neware_csv" / "SSB-07_record.csv"
    table = cellpipe.read(path, time_zone="UTC").tables["timeseries"]
    return table.filter(pl.col("cycle_count") <= 4)


GOOD = recording()


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def spectrum(impedance: np.ndarray, frequency: np.ndarray = SWEEP) -> pl.DataFrame:
    number = frequency.size
    return pl.DataFrame({
        "record_index": np.arange(1, number + 1), "spectrum": np.ones(number, np.int64),
        "test_time_second": np.cumsum(2 + 2 / frequency), "frequency_hertz": frequency,
        "real_impedance_ohm": impedance.real, "imaginary_impedance_ohm": impedance.imag,
    })  # fmt: skip


def arcs(
    series: float, arc: float, capacitance: float, inductance: float, frequency: np.ndarray = SWEEP
) -> np.ndarray:
    omega = 2j * np.pi * frequency
    return series + omega * inductance + arc / (1 + omega * arc * capacitance)


def alarms(path: Path) -> set[str]:
    """Return which warnings the tables of a file give; none if it can't be read."""
    try:
        parts = cellpipe.parts(path) or (None,)
        read = [cellpipe.read(path, part=part) for part in parts]
    except cellpipe.CellpipeError:
        return set()
    tables = [each.tables for each in read]
    found = [f for each in tables for name in each for f in whole_findings(name, each[name])]
    found += [f for each in read for f in each.findings if f.code in PUT_RIGHT]
    return {finding.code for finding in found if finding.level == "warning"}


@pytest.mark.slow
def test_of_all_real_files_and_cases_only_those_give_an_alarm_that_are_wrong(
    real_data: Path,
) -> None:
    shared = real_data.parent
    files = [path for name in ("real_data", "cases") for path in (shared / name).rglob("*")]
    said = {
        path.relative_to(shared).as_posix(): alarms(path)
        for path in sorted(files)
        if path.is_file()
    }
    assert len(said) > 300
    assert {name: codes for name, codes in said.items() if codes} == ALARMS


@given(current=factors, time=factors, voltage=st.floats(0.1, 2.0))
def test_other_units_of_everything_at_once_are_no_contradiction(
    current: float, time: float, voltage: float
) -> None:
    """A larger cell, cycled slower, at another voltage: all witnesses change together."""
    start = GOOD["unix_time_second"][0]
    table = GOOD.with_columns(
        pl.col("voltage_volt") * voltage,
        pl.col("current_ampere") * current,
        pl.col(TIMES) * time,
        (start + (pl.col("unix_time_second") - start) * time).alias("unix_time_second"),
        pl.col(CHARGES) * current * time,
        pl.col(ENERGIES) * current * time * voltage,
    )
    assert recording_findings(table) == []


@given(first=st.integers(0, GOOD.height - 1), number=st.integers(0, GOOD.height))
def test_a_recording_stays_good_wherever_it_is_cut(first: int, number: int) -> None:
    assert recording_findings(GOOD[first : first + number]) == []


@given(every=st.integers(1, 40))
def test_a_recording_stays_good_however_few_of_its_records_are_kept(every: int) -> None:
    assert recording_findings(GOOD.gather_every(every)) == []


@pytest.mark.parametrize(
    "name",
    [*CHARGES, *ENERGIES, "step_time_second", "unix_time_second", "step_type", "cycle_count"],
)
@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_recording_stays_good_without_a_word_of_a_column_that_is_empty(
    name: str, value: float | None
) -> None:
    """An instrument writes the header, and never a value."""
    kind = GOOD.schema[name]
    if value is not None and not kind.is_float():
        return
    empty = GOOD.with_columns(pl.lit(value, kind).alias(name))
    assert recording_findings(empty) == []


@given(
    names=st.sets(st.sampled_from([*CHARGES, *ENERGIES, "step_time_second", "unix_time_second"])),
    number=st.integers(2, 40),
)
def test_no_check_stops_at_columns_without_values_however_short_the_recording(
    names: set[str], number: int
) -> None:
    few = GOOD.gather_every(GOOD.height // number)
    assert recording_findings(few.with_columns(pl.lit(None).alias(name) for name in names)) == []


@given(at=st.integers(2, GOOD.height - 3), height=st.floats(0.5, 1.0))
def test_one_voltage_that_leaps_out_within_a_step_is_named(at: int, height: float) -> None:
    steps = GOOD["step_count"]
    if len({steps[at - 1], steps[at], steps[at + 1]}) > 1:
        return  # the schedule changes there
    volts = GOOD["voltage_volt"].to_numpy().copy()
    volts[at] += height
    (said,) = recording_findings(GOOD.with_columns(voltage_volt=volts))
    assert said.code == "voltage_spike"
    assert f"record {GOOD['record_index'][at]:,}" in said.sentence


def test_a_pulse_of_one_record_is_no_spike() -> None:
    """The current pulses for one record, and the voltage answers."""
    number = 400
    current = np.where(np.arange(number) == 200, -1.0, 0.0)
    table = pl.DataFrame({
        "record_index": np.arange(1, number + 1), "test_time_second": np.arange(number) * 1.0,
        "voltage_volt": 3.7 + 0.2 * current, "current_ampere": current,
    })  # fmt: skip
    assert recording_findings(table) == []


def test_a_rest_is_good_with_a_voltage_that_does_not_move_even_at_zero() -> None:
    """Two like electrodes, or a cell that was discharged to the end."""
    table = pl.DataFrame({
        "record_index": np.arange(1, 101), "test_time_second": np.arange(100) * 60.0,
        "voltage_volt": np.full(100, 2.25), "current_ampere": np.zeros(100),
    })  # fmt: skip
    assert recording_findings(table) == []
    assert recording_findings(table.with_columns(voltage_volt=pl.lit(0.0))) == []


def bare(voltage: np.ndarray, current: np.ndarray, every: float = 60.0) -> pl.DataFrame:
    number = voltage.size
    return pl.DataFrame({
        "record_index": np.arange(1, number + 1), "test_time_second": np.arange(number) * every,
        "voltage_volt": voltage, "current_ampere": current,
    })  # fmt: skip


def test_a_voltage_of_zero_is_named_only_if_charge_flows_both_ways_or_energy_was_counted() -> None:
    """A cell with a short circuit has none, whatever current flows."""
    zero, one_way = np.zeros(100), np.full(100, 1e-3)
    assert recording_findings(bare(zero, one_way)) == []
    both_ways = np.where(np.arange(100) < 50, 1e-3, -1e-3)
    assert codes(recording_findings(bare(zero, both_ways))) == ["voltage_zero"]
    counted = bare(zero, one_way).with_columns(vendor_charging_energy_wh=np.linspace(0, 1e-3, 100))
    assert codes(recording_findings(counted)) == ["voltage_zero"]


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(1e-9, 1e-3), decay=st.floats(0.0, 20.0))
def test_a_held_voltage_with_a_leakage_of_both_signs_is_good(
    seed: int, size: float, decay: float
) -> None:
    noise = np.random.default_rng(seed).normal(0, size, 2000)
    falling = 5 * size * np.exp(-decay * np.arange(2000) / 2000) * (decay > 1)
    assert recording_findings(bare(np.full(2000, 3.8), noise + falling)) == []
    floored = np.round(falling, 9)
    assert recording_findings(bare(np.full(2000, 3.8), floored)) == []


@given(offset=st.floats(-5e-3, 5e-3), size=st.floats(1e-5, 3e-3), creep=st.floats(0.0, 0.3))
def test_two_like_electrodes_at_a_few_mv_with_an_offset_are_good(
    offset: float, size: float, creep: float
) -> None:
    number = 1200
    current = np.where(np.arange(number) // 100 % 2 == 0, 1e-3, -1e-3)
    creeping = 1 + creep * (np.arange(number) % 100) / 100
    voltage = offset + size * np.sign(current) * creeping
    assert recording_findings(bare(voltage, current)) == []


@given(at=st.integers(2, GOOD.height - 3), height=st.floats(0.5, 1.0))
def test_a_voltage_that_leaps_where_records_were_left_out_is_not_named(
    at: int, height: float
) -> None:
    volts = GOOD["voltage_volt"].to_numpy().copy()
    volts[at] += height
    table = GOOD.with_columns(voltage_volt=volts)
    places = pl.int_range(pl.len())
    assert recording_findings(table.filter(places != at - 1)) == []


def test_a_cell_that_is_cycled_without_a_current_and_a_net_capacity_in_mah_are_named() -> None:
    time = np.arange(2000) * 60.0
    current = np.where(time // 12_000 % 2 == 0, 1e-3, -1e-3)
    net = np.append(0.0, np.cumsum((current[1:] + current[:-1]) / 2 * np.diff(time) / 3600))
    table = pl.DataFrame({
        "record_index": np.arange(1, 2001), "test_time_second": time,
        "voltage_volt": 3 + net / net.max(), "current_ampere": current,
        "step_count": (time // 12_000).astype(int) + 1, "net_capacity_ah": net,
    })  # fmt: skip
    assert recording_findings(table) == []
    without = table.drop("net_capacity_ah").with_columns(current_ampere=pl.lit(0.0))
    assert codes(recording_findings(without)) == ["current_zero"]
    (said,) = recording_findings(table.with_columns(pl.col("net_capacity_ah") * 1000))
    assert "the net capacity in mAh" in said.sentence


def test_a_held_voltage_with_a_falling_current_is_good() -> None:
    time = np.arange(100) * 60.0
    table = pl.DataFrame({
        "record_index": np.arange(1, 101), "test_time_second": time,
        "voltage_volt": np.full(100, 4.2), "current_ampere": 1e-3 * np.exp(-time / 1800),
    })  # fmt: skip
    assert recording_findings(table) == []


@pytest.mark.parametrize(
    ("charge", "energy", "slip"),
    [(1e3, 1.0, "the counter in mAh"), (1.0, 1e3, "the energy in mWh")],
)
def test_of_three_witnesses_the_one_that_is_alone_is_named(
    charge: float, energy: float, slip: str
) -> None:
    table = GOOD.with_columns(pl.col(CHARGES) * charge, pl.col(ENERGIES) * energy)
    (said,) = recording_findings(table)
    assert slip in said.sentence
    assert "current" not in said.sentence.partition("Is ")[2]


def test_a_test_time_in_ms_is_named_once_though_dates_step_time_and_charge_tell_it() -> None:
    (said,) = recording_findings(GOOD.with_columns(pl.col("test_time_second") * 1000))
    assert said.sentence.endswith("Is the test time in ms?")


@given(
    series=st.floats(1, 100), arc=st.floats(5, 500), capacitance=st.floats(1e-7, 1e-3),
    inductance=st.floats(0, 1e-6), factor=st.floats(1e-3, 1e3),
)  # fmt: skip
def test_no_spectrum_of_an_arc_and_leads_is_an_alarm(
    series: float, arc: float, capacitance: float, inductance: float, factor: float
) -> None:
    impedance = arcs(series, arc, capacitance, inductance)
    for one in (impedance, impedance[::-1]):
        sweep = SWEEP if one is impedance else SWEEP[::-1]
        assert spectrum_findings(spectrum(factor * one, sweep)) == []


@given(series=st.floats(1, 100), arc=st.floats(20, 500), capacitance=st.floats(1e-6, 1e-3))
def test_turned_signs_and_swapped_columns_of_an_arc_are_told_apart(
    series: float, arc: float, capacitance: float
) -> None:
    impedance = arcs(series, arc, capacitance, 0.0)
    swapped = impedance.imag + 1j * impedance.real
    assert codes(spectrum_findings(spectrum(impedance.conj()))) == ["imaginary_sign_turned"]
    assert codes(spectrum_findings(spectrum(-impedance.conj()))) == ["real_part_negative"]
    (said,) = codes(spectrum_findings(spectrum(swapped)))
    assert said in {"impedance_columns_swapped", "real_part_negative"}


def test_a_blocking_electrode_and_a_diffusion_are_no_alarm() -> None:
    omega = 2j * np.pi * SWEEP
    for impedance in (50 + 1 / (omega * 1e-5), 50 + 20 / np.sqrt(omega), 1 / (omega * 1e-5) ** 0.9):
        assert spectrum_findings(spectrum(impedance)) == []


def test_sweeps_up_down_and_in_groups_are_in_order_and_shuffled_ones_are_not() -> None:
    groups = SWEEP.reshape(10, 6)[:, ::-1].ravel()  # of a multisine: each upwards, the groups down
    both = np.concatenate([SWEEP, SWEEP[::-1] * 1.01])
    shuffled = np.random.default_rng(5).permutation(SWEEP)
    for sweep in (SWEEP, SWEEP[::-1], groups, both):
        assert spectrum_findings(spectrum(arcs(10, 50, 1e-5, 0, sweep), sweep)) == []
    said = codes(spectrum_findings(spectrum(arcs(10, 50, 1e-5, 0, shuffled), shuffled)))
    assert said == ["frequencies_out_of_order"]


@given(at=st.integers(0, SWEEP.size - 1), factor=st.sampled_from([1e-4, 1e4, 1e9]))
def test_one_point_decades_off_is_named_wherever_it_is(at: int, factor: float) -> None:
    impedance = arcs(10, 50, 1e-5, 0)
    impedance[at] *= factor
    (said,) = [f for f in spectrum_findings(spectrum(impedance)) if f.code == "impedance_spike"]
    assert f"record {at + 1:,})" in said.sentence


def test_spectra_that_each_begin_their_time_at_zero_are_good_and_one_that_goes_back_is_not() -> (
    None
):
    one = spectrum(arcs(10, 50, 1e-5, 0))
    three = pl.concat(
        one.with_columns(
            pl.lit(number, pl.Int64).alias("spectrum"), pl.col("real_impedance_ohm") + number
        )
        for number in (1, 2, 3)
    ).with_columns(record_index=pl.int_range(1, pl.len() + 1))
    assert spectrum_findings(three) == []
    back = one.with_columns(pl.col("test_time_second").reverse())
    assert "time_goes_backwards" in codes(spectrum_findings(back))


@given(places=st.sets(st.integers(0, SWEEP.size - 1), min_size=1, max_size=SWEEP.size // 3))
@pytest.mark.parametrize(
    ("name", "value"),
    [("frequency_hertz", 0.0), ("frequency_hertz", -1.0), ("real_impedance_ohm", None)],
)
def test_points_of_a_spectrum_that_can_not_be_used_are_counted_and_end_no_spectrum(
    name: str, value: float | None, places: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("spectra") / "a.bdf.csv"
    is_wrong = pl.int_range(pl.len()).is_in(places)
    wrong = pl.when(is_wrong).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
    spectrum(arcs(10, 50, 1e-5, 0)).with_columns(wrong).drop("spectrum").write_csv(path)
    read = cellpipe.read(path)
    table = read.tables["impedance"]
    assert table.height == SWEEP.size - len(places)
    assert table["spectrum"].unique().to_list() == [1]
    (said,) = [finding for finding in read.findings if finding.code == "rows_rejected"]
    assert said.rows == len(places)


def test_a_record_without_a_time_is_no_leap_of_the_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.bdf.csv"
    at = pl.int_range(pl.len()) == 500
    time = pl.when(at).then(float("nan")).otherwise(pl.col("test_time_second"))
    GOOD.with_columns(time.alias("test_time_second")).write_csv(path)
    said = codes([f for f in cellpipe.read(path).findings if f.level == "warning"])
    assert said == ["rows_rejected"]


DATE, TEST = "unix_time_second", "test_time_second"
HOURS = 7300.0  # s; of two hours no clock is set for summer time


def from_record(at: int, column: str, change: pl.Expr) -> pl.DataFrame:
    later = pl.int_range(pl.len()) >= at
    return GOOD.with_columns(pl.when(later).then(change).otherwise(pl.col(column)).alias(column))


@given(at=st.integers(1, GOOD.height - 1), leap=st.floats(HOURS, 1e7))
def test_a_test_time_that_leaps_ahead_of_the_dates_is_named_with_its_place(
    at: int, leap: float
) -> None:
    found = recording_findings(from_record(at, TEST, pl.col(TEST) + leap))
    (said,) = [finding for finding in found if finding.code == "clock_leaps"]
    assert f"to record {GOOD['record_index'][at]:,} the test time" in said.sentence
    assert "charge_disagrees" not in codes(found)


@pytest.mark.parametrize("factor", [1 / 60, 1 / 3600, 60.0, 1000.0])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_test_time_in_another_unit_from_some_record_on_is_named(
    factor: float, part: float
) -> None:
    at = int(part * GOOD.height)
    begin = GOOD[TEST][at]
    changed = from_record(at, TEST, begin + (pl.col(TEST) - begin) * factor)
    assert "clock_leaps" in codes(recording_findings(changed))


@given(
    at=st.integers(1, GOOD.height - 1), pause=st.floats(0, 1e6), hour=st.sampled_from([-1, 0, 1])
)
def test_pauses_and_summer_time_are_no_leap(at: int, pause: float, hour: int) -> None:
    """In a pause the dates go on, and the test time may or may not."""
    dates = from_record(at, DATE, pl.col(DATE) + pause + 3600 * hour)
    assert recording_findings(dates) == []
    both = dates.with_columns(from_record(at, TEST, pl.col(TEST) + pause)[TEST])
    assert "clock_leaps" not in codes(recording_findings(both))


def test_dates_that_are_whole_minutes_or_days_are_no_leap() -> None:
    for each in (60, 86_400):
        coarse = GOOD.with_columns((pl.col(DATE) // each * each).alias(DATE))
        assert "clock_leaps" not in codes(recording_findings(coarse))


@pytest.mark.parametrize(("names", "word"), [(CHARGES, "charge"), (ENERGIES, "energy")])
def test_counters_that_do_not_count_while_a_current_flows_are_named(
    names: tuple[str, str], word: str
) -> None:
    fall = GOOD.with_columns((pl.col(name).max() - pl.col(name)).alias(name) for name in names)
    for table, code in (
        (GOOD.with_columns(pl.lit(0.5).alias(name) for name in names), "counters_stand_still"),
        (fall, "counters_fall"),
    ):
        said = recording_findings(table)
        assert code in codes(said) or "charge_disagrees" in codes(said)
        assert all(word in f.sentence for f in said if f.code == code)


def test_energy_counters_that_were_never_filled_are_a_note_and_those_of_a_rest_are_none() -> None:
    zero = GOOD.with_columns(pl.lit(0.0).alias(name) for name in ENERGIES)
    (said,) = recording_findings(zero)
    assert (said.code, said.level) == ("counters_zero", "info")
    rest = zero.with_columns(pl.lit(0.0).alias(name) for name in ("current_ampere", *CHARGES))
    assert "counters_zero" not in codes(recording_findings(rest))


def test_dates_in_reverse_and_dates_that_were_shuffled_are_told_apart() -> None:
    for dates, word in (
        (GOOD[DATE].reverse(), "run backwards"),
        (GOOD[DATE].shuffle(seed=2), "go to and fro"),
    ):
        found = recording_findings(GOOD.with_columns(dates.alias(DATE)))
        said = [f.sentence for f in found if f.code == "clock_runs_backwards"]
        assert all(word in sentence for sentence in said)
        assert said


def test_counters_that_are_written_at_the_end_of_each_step_only_are_good() -> None:
    last = pl.col("step_count") != pl.col("step_count").shift(-1).fill_null(0)
    ends = GOOD.with_columns(pl.when(last).then(pl.col(n)).alias(n) for n in (*CHARGES, *ENERGIES))
    assert recording_findings(ends) == []


FLOWING = np.flatnonzero(GOOD["current_ampere"].to_numpy() != 0)
VOLTS = GOOD["voltage_volt"].to_numpy()


def with_voltage(volts: np.ndarray) -> pl.DataFrame:
    return GOOD.with_columns(voltage_volt=volts)


@given(places=st.sets(st.sampled_from(FLOWING.tolist()), min_size=2, max_size=200))
def test_voltages_of_zero_among_those_of_a_cell_are_counted_and_placed(places: set[int]) -> None:
    volts = VOLTS.copy()
    volts[list(places)] = 0.0
    (said,) = [f for f in recording_findings(with_voltage(volts)) if f.code == "voltage_zero"]
    assert said.rows == len(places)
    assert f"record {GOOD['record_index'][min(places)]:,}," in said.sentence


def test_a_cell_that_comes_to_zero_through_all_that_lies_between_is_good() -> None:
    """A half cell at its lower limit, with exact zeros."""
    low = GOOD["voltage_volt"].min()
    volts = np.maximum(VOLTS - low - 0.05, 0.0)
    said = codes(recording_findings(with_voltage(volts).drop(ENERGIES)))
    assert not {"voltage_zero", "voltage_stuck", "voltage_spike"} & {*said}


@given(part=st.floats(0.45, 0.7))  # before, the current must have changed some times
def test_a_voltage_that_is_zero_or_stuck_from_some_record_on_is_named(part: float) -> None:
    at = int(part * GOOD.height)
    for value, code in ((0.0, "voltage_zero"), (VOLTS[at], "voltage_stuck")):
        volts = np.where(np.arange(GOOD.height) >= at, value, VOLTS)
        (said,) = [f for f in recording_findings(with_voltage(volts)) if f.code == code]
        assert f"record {GOOD['record_index'][at]:,}" in said.sentence or code == "voltage_zero"


@given(at=st.sampled_from(FLOWING[10:-10].tolist()))
def test_a_voltage_of_the_other_sign_from_some_record_on_is_named(at: int) -> None:
    same = np.abs(np.diff(GOOD["current_ampere"].to_numpy()))[at - 1] == 0
    if GOOD["step_count"][at] != GOOD["step_count"][at - 1] or not same:
        return  # a step of the current may turn the voltage
    volts = np.where(np.arange(GOOD.height) >= at, -VOLTS, VOLTS)
    found = recording_findings(with_voltage(volts))
    (said,) = [finding for finding in found if finding.code == "voltage_sign_turned"]
    assert f"to record {GOOD['record_index'][at]:,} " in said.sentence
