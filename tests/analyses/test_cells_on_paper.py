"""Cells whose every number fits on paper, and what must not change whatever is done to a record."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpipe.analyses import cells, cycles, half_cycles, protocol
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.analyses.registry import empty_input
from cellpipe.core.contracts import empty_table, validate
from cellpipe.core.model import Cell

OHM = 50.0
FULL = Cell("A", "full", cathode_active_mass_mg=10.0, nominal_capacity_mah_per_g=200.0)
ANODE = Cell("B", "half", working_electrode_role="anode", anode_active_mass_mg=1.0,
             reference_offset_volt=0.62)  # fmt: skip
Step = tuple[float, float]  # current, A, and hours


def record(
    steps: list[Step], every: float = 60.0, window: float = 1.0, ohm: float = OHM
) -> pl.DataFrame:
    """Cycle a cell of one ohmic resistance whose open voltage is a straight line over the charge.

    It begins at 3 V, and a charge of ``window`` (Ah) lifts it by 1 V.
    """
    parts = [np.array([[0.0], [0.0], [3.0], [1], [0.0]])]
    passed, now = 0.0, 0.0
    for number, (ampere, hours) in enumerate(steps, 2):
        since = np.linspace(0, hours * 3600, max(round(hours * 3600 / every), 1) + 1)
        volt = 3 + (passed + ampere * since / 3600) / window + ampere * ohm
        ones = np.ones(len(since))
        parts.append(np.array([now + since, ampere * ones, volt, number * ones, since]))
        now += hours * 3600
        passed += ampere * hours
    time, current, volt, step, since = np.concatenate(parts, axis=1)
    return pl.DataFrame(
        {
            "record_index": np.arange(1, len(time) + 1),
            "test_time_second": time,
            "unix_time_second": time + 1.7e9,
            "step_time_second": since,
            "current_ampere": current,
            "voltage_volt": volt,
            "step_count": step.astype(np.int64),
        }
    )


def numbers(cell: Cell, *files: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Go from records, one frame per file, to half cycles, cycles and the cell's line."""
    parts = [half_cycle_segments(file, f"{n:064}") for n, file in enumerate(files)]
    records = [file.with_columns(file_sha256=pl.lit(f"{n:064}")) for n, file in enumerate(files)]
    tables = {"half_cycle_segments": pl.concat(parts), "files": empty_table("files"),
              "timeseries": pl.concat(records, how="diagonal"),
              "impedance": empty_input("impedance"),
              "interfacial_resistance": empty_table("interfacial_resistance")}  # fmt: skip
    for analysis in (
        half_cycles.ANALYSIS,
        protocol.ANALYSIS,
        cycles.ANALYSIS,
        cells.ANALYSIS,
    ):
        for result in analysis.compute(cell, tables):
            tables[result.analysis] = validate(result.analysis, result.table)
    return tables


ONE_CYCLE = [(0.0, 1.0), (2e-3, 1.0), (0.0, 0.5), (-2e-3, 0.9), (0.0, 0.5)]


def test_every_number_of_a_cycle_on_paper() -> None:
    """2 mA in for an hour, 2 mA out for 54 minutes, at 50 Ω; 1 V per 2 mAh."""
    tables = numbers(FULL, record(ONE_CYCLE, window=2e-3))
    row = tables["cycles"].row(0, named=True)
    expected = {
        "charging_capacity_ah": 2e-3, "discharging_capacity_ah": 1.8e-3,
        "coulombic_efficiency": 0.9, "specific_discharging_capacity_mah_per_g": 180.0,
        "mean_charging_voltage_volt": 3.5 + 0.1, "mean_discharging_voltage_volt": 3.55 - 0.1,
        "charging_energy_wh": 2e-3 * 3.6, "discharging_energy_wh": 1.8e-3 * 3.45,
        "energy_efficiency": 0.9 * 3.45 / 3.6, "voltage_hysteresis_volt": 0.15,
        "end_charging_voltage_volt": 4.1, "end_discharging_voltage_volt": 3.0,
        "rest_voltage_after_charging_volt": 4.0, "rest_voltage_after_discharging_volt": 3.1,
        "charging_dc_resistance_ohm": OHM, "discharging_dc_resistance_ohm": OHM,
        "charging_constant_voltage_share": 0.0, "charging_c_rate": 1.0, "discharging_c_rate": 1.0,
        "duration_second": 3600 + 3240, "start_unix_time_second": 1.7e9 + 3600,
        "capacity_retention": 1.0, "rate_group": 1,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert row["complete"]
    assert not row["formation_cycle"]


def test_a_half_cells_potentials_are_the_measured_ones_plus_the_offset() -> None:
    halves = numbers(ANODE, record([(-2e-3, 1.0), (2e-3, 0.9)], window=2e-3))["half_cycles"]
    assert halves["end_voltage_volt"].to_list() == pytest.approx([1.9, 3.0])
    assert halves["end_potential_volt"].to_list() == pytest.approx([2.52, 3.62])
    assert halves["mean_potential_volt"].to_list() == pytest.approx(
        [v + 0.62 for v in halves["mean_voltage_volt"]]
    )
    full = numbers(FULL, record(ONE_CYCLE))["half_cycles"]
    assert full["end_potential_volt"].null_count() == full.height


def test_the_share_at_constant_voltage_is_what_passed_while_the_current_tapered() -> None:
    """An hour at 1 mA to 4 V, then e^(−t/τ) with τ = 20 min: a third of the charge of before."""
    after = np.arange(1, 1200) * 6.0
    time = np.concatenate([np.arange(601) * 6.0, 3600 + after])
    current = np.concatenate([np.full(601, 1e-3), 1e-3 * np.exp(-after / 1200)])
    volt = np.concatenate([np.linspace(3, 4, 601), np.full(len(after), 4.0)])
    made = pl.DataFrame({"record_index": np.arange(1, len(time) + 1), "test_time_second": time,
                         "current_ampere": current, "voltage_volt": volt})  # fmt: skip
    half = half_cycle_segments(made, "0" * 64).row(0, named=True)
    assert half["capacity_ah"] == pytest.approx(1e-3 * (1 + (1 - np.exp(-5.995)) / 3), rel=1e-4)
    assert half["constant_voltage_share"] == pytest.approx(0.25, abs=0.01)
    assert half["constant_current_ampere"] == pytest.approx(1e-3, rel=0.01)


def test_a_resistance_is_not_taken_from_a_record_that_comes_late() -> None:
    late = record(ONE_CYCLE, every=60.0).filter(pl.col("step_time_second") != 0)
    row = numbers(FULL, late)["cycles"].row(0, named=True)
    assert row["charging_dc_resistance_ohm"] is None
    assert row["charging_capacity_ah"] == pytest.approx(2e-3, rel=1e-9)


def test_ageing_on_paper() -> None:
    """Three slow cycles, then 60 that lose half a per cent each."""
    steps = [s for _ in range(3) for s in ((1e-3, 2.0), (-1e-3, 2.0))]
    for n in range(60):
        hours = 1 - 0.005 * n
        steps += [(2e-3, hours), (-2e-3, hours)]
    row = numbers(FULL, record(steps, every=300.0))["cells"].row(0, named=True)
    assert (row["formation_cycles"], row["rates"], row["usual_rate_cycles"]) == (3, 2, 60)
    assert row["fade_per_cycle"] == pytest.approx(0.005, rel=1e-3)
    assert row["fade_per_cycle_low"] <= 0.005 <= row["fade_per_cycle_high"] + 1e-12
    assert row["cycles_to_90_percent"] == 4 + 21
    assert row["cycles_to_80_percent"] == 4 + 41
    assert row["capacity_retention_cycle_50"] == pytest.approx(1 - 0.005 * 46, rel=1e-3)
    assert row["capacity_retention_cycle_100"] is None
    assert row["reference_capacity_ah"] == pytest.approx(2e-3, rel=1e-6)
    assert row["cumulative_coulombic_efficiency"] == pytest.approx(1.0, rel=1e-3)


FEW = settings(max_examples=25)
PROTOCOLS = st.lists(
    st.tuples(st.floats(0.5e-3, 5e-3), st.floats(0.2, 2.0), st.floats(0.2, 2.0)),
    min_size=1, max_size=5,
)  # fmt: skip


def steps_of(protocol: list[tuple[float, float, float]]) -> list[Step]:
    return [step for ampere, up, down in protocol for step in ((ampere, up), (-ampere, down))]


COMPARED = (
    "charging_capacity_ah", "discharging_capacity_ah", "charging_energy_wh",
    "discharging_energy_wh", "coulombic_efficiency", "mean_charging_voltage_volt",
)  # fmt: skip


def same(one: pl.DataFrame, other: pl.DataFrame, rel: float) -> None:
    assert one.height == other.height
    for name in COMPARED:
        assert values(one, name) == pytest.approx(values(other, name), rel=rel), name


def values(table: pl.DataFrame, name: str) -> list[float]:
    """Give a column with −1 for null."""
    return table[name].cast(pl.Float64).fill_null(-1.0).to_list()


@FEW
@given(PROTOCOLS, st.data())
def test_splitting_a_record_into_two_files_changes_no_number(
    protocol: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    whole = record(steps_of(protocol))
    at = data.draw(st.integers(2, whole.height - 2))
    while whole["step_count"][at] != whole["step_count"][at - 1] and at < whole.height - 2:
        at += 1
    same(numbers(FULL, whole[:at], whole[at:])["cycles"], numbers(FULL, whole)["cycles"], 1e-6)


@FEW
@given(PROTOCOLS, st.integers(0, 9), st.floats(0.1, 5.0))
def test_a_rest_anywhere_between_steps_changes_no_capacity_and_no_energy(
    protocol: list[tuple[float, float, float]], at: int, hours: float
) -> None:
    steps = steps_of(protocol)
    at %= len(steps)
    rested = [*steps[:at], (0.0, hours), *steps[at:]]
    same(numbers(FULL, record(rested))["cycles"], numbers(FULL, record(steps))["cycles"], 1e-9)


@FEW
@given(PROTOCOLS, st.sampled_from([5.0, 20.0, 240.0]))
def test_recording_more_or_less_often_changes_no_number(
    protocol: list[tuple[float, float, float]], every: float
) -> None:
    steps = steps_of(protocol)
    other = numbers(FULL, record(steps, every=every))["cycles"]
    same(other, numbers(FULL, record(steps))["cycles"], 1e-9)


@FEW
@given(PROTOCOLS, st.floats(0.1, 100))
def test_a_larger_cell_has_larger_numbers_and_the_same_ratios(
    protocol: list[tuple[float, float, float]], factor: float
) -> None:
    small = numbers(FULL, record(steps_of(protocol)))["cycles"]
    larger = [(ampere * factor, hours) for ampere, hours in steps_of(protocol)]
    made = record(larger, window=factor, ohm=OHM / factor)  # one of a larger area
    large = numbers(FULL, made)["cycles"]
    for name in ("charging_capacity_ah", "discharging_capacity_ah", "charging_c_rate"):
        expected = [value * factor for value in small[name]]
        assert large[name].to_list() == pytest.approx(expected, rel=1e-9)
    for name in ("coulombic_efficiency", "capacity_retention", "rate_group"):
        assert values(large, name) == pytest.approx(values(small, name), rel=1e-9)


@FEW
@given(PROTOCOLS)
def test_reversing_the_sign_of_the_current_exchanges_charge_and_discharge(
    protocol: list[tuple[float, float, float]],
) -> None:
    made = record(steps_of(protocol))
    turned = made.with_columns(-pl.col("current_ampere"))
    one, other = (half_cycle_segments(frame, "0" * 64) for frame in (made, turned))
    swap = {"charge": "discharge", "discharge": "charge"}
    assert other["direction"].to_list() == [swap[word] for word in one["direction"]]
    for name in ("capacity_ah", "energy_wh", "duration_second", "constant_current_ampere"):
        assert other[name].to_list() == pytest.approx(one[name].to_list(), rel=1e-9)


def made(time: np.ndarray, current: np.ndarray, volt: np.ndarray, **others: object) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "record_index": np.arange(1, len(time) + 1),
            "test_time_second": time.astype(float),
            "current_ampere": current,
            "voltage_volt": volt,
            **others,
        }
    )


def test_a_drive_cycle_that_is_recorded_once_per_turn_is_a_discharge() -> None:
    time = np.arange(0, 3600, 20.0)
    swing = np.sin(2 * np.pi * time / 37) * np.random.default_rng(1).uniform(0.2, 1, len(time))
    current = -1e-3 + 2.5e-3 * swing
    drive = made(time, current, 3.6 + current * 10)
    charge = record([(1e-3, 1.0)])
    halves = numbers(FULL, charge.drop("unix_time_second"), drive)["half_cycles"]
    assert halves["direction"].to_list() == ["charge", "discharge"]
    net = -np.trapezoid(current, time) / 3600
    assert halves["capacity_ah"].to_list() == pytest.approx([1e-3, net], rel=0.03)


def test_a_file_that_records_only_the_end_of_each_step_has_its_half_cycles() -> None:
    """What passed before a file's first record can't be told from what another file holds."""
    time = 3600.0 * np.arange(1, 21)
    current = np.where(np.arange(20) % 2 == 0, 1e-3, -1e-3)
    steps = {"step_count": np.arange(1, 21), "step_time_second": np.full(20, 3600.0)}
    halves = numbers(FULL, made(time, current, 3.5 + 500 * current, **steps))["half_cycles"]
    assert halves.height == 19
    assert halves["capacity_ah"].to_list() == pytest.approx([1e-3] * 19)


@pytest.mark.parametrize("noise", [0.0, 2e-7, 2e-6])
def test_long_rests_with_a_noisy_zero_change_nothing(noise: float) -> None:
    clean = record([(2e-3, 1.0), (0.0, 60.0), (-2e-3, 0.9), (0.0, 60.0)], window=4e-3)
    random = np.random.default_rng(2)
    noisy = clean.with_columns(
        pl.col("current_ampere") + noise * random.standard_normal(clean.height)
    )
    row = numbers(FULL, noisy)["half_cycles"]
    assert row["capacity_ah"].to_list() == pytest.approx([2e-3, 1.8e-3], rel=2e-3)
    assert row["constant_current_ampere"].to_list() == pytest.approx([2e-3] * 2, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_noise_about_zero_at_the_end_of_a_float_stays_with_the_charge(seed: int) -> None:
    float_current = np.random.default_rng(seed).normal(0, 2e-5, 600)
    current = np.concatenate([np.full(61, 2e-3), float_current, np.full(60, -2e-3)])
    volt = np.concatenate([np.linspace(3, 4.2, 61), np.full(600, 4.2), np.linspace(4.1, 3, 60)])
    halves = numbers(FULL, made(np.arange(721) * 60.0, current, volt))["half_cycles"]
    assert halves["capacity_ah"].to_list() == pytest.approx([2e-3, 2e-3], rel=0.02)
    assert halves["constant_current_ampere"].to_list() == pytest.approx([2e-3, 2e-3], rel=0.05)


def test_recordings_without_a_half_cycle_or_with_one_record_of_current_are_no_error() -> None:
    still = made(np.arange(5) * 60.0, np.zeros(5), np.full(5, 3.0))
    assert numbers(FULL, still)["half_cycles"].height == 0
    for count in (1, 3):
        current = np.zeros(count)
        current[-1] = 1e-3
        halves = numbers(FULL, made(np.arange(count) * 60.0, current, np.full(count, 3.0)))
        assert halves["half_cycles"]["direction"].to_list() == ["charge"]


def test_what_passes_after_the_last_record_of_a_step_is_counted() -> None:
    """Recorded every minute, while each half lasts 3645 s: 2.025 mAh at 2 mA."""
    time = np.arange(0.0, 12_000.0, 60.0)
    turns = np.array([300.0, 3945.0, 5745.0, 9390.0])
    step = np.searchsorted(turns, time, side="right")
    current = np.choose(step, [0.0, 2e-3, 0.0, -2e-3, 0.0])
    since = time - np.concatenate([[0.0], turns])[step]
    passed = np.interp(time, turns, np.array([0, 3645, 3645, 0.0]) * 2e-3 / 3600)
    steps = {"step_count": step + 1, "step_time_second": since}
    for counter in ({}, {"net_capacity_ah": passed}):
        halves = numbers(FULL, made(time, current, 3.5 + passed, **steps, **counter))["half_cycles"]
        assert halves["capacity_ah"].to_list() == pytest.approx([2.025e-3] * 2, rel=1e-6)
        assert halves["duration_second"].to_list() == pytest.approx([3645] * 2, rel=1e-6)
    assert halves["vendor_capacity_ah"].to_list() == pytest.approx([2.025e-3] * 2, rel=1e-6)


@pytest.mark.parametrize(("overshoot", "noise"), [(0.005, 0.0), (0.0, 0.001), (0.0, 0.002)])
def test_an_overshoot_or_noise_hides_no_constant_voltage(overshoot: float, noise: float) -> None:
    after = np.arange(1, 340) * 20.0
    current = np.concatenate([np.full(181, 1e-3), 1e-3 * np.exp(-after / 1200)])
    volt = np.concatenate([np.linspace(3, 4.2, 181), np.full(len(after), 4.2)])
    volt[181] += overshoot
    volt += noise * np.random.default_rng(3).standard_normal(len(volt))
    row = half_cycle_segments(made(np.arange(520) * 20.0, current, volt), "0" * 64)
    assert row["constant_voltage_share"][0] == pytest.approx(0.24, abs=0.02)
    assert row["constant_current_ampere"][0] == pytest.approx(1e-3, rel=0.02)


def test_a_flat_voltage_with_a_noisy_current_is_not_held_by_anything() -> None:
    noise = 1 + 0.015 * np.random.default_rng(4).standard_normal(400)
    current = 1e-3 * noise * np.repeat([1, -1], 200)
    row = half_cycle_segments(
        made(np.arange(400) * 60.0, current, np.sign(current) * 0.02), "0" * 64
    )
    assert row["constant_voltage_share"].to_list() == [0.0, 0.0]


def test_a_file_that_begins_in_mid_half_cycle_gives_no_efficiency_of_its_first_cycle() -> None:
    tables = numbers(FULL, record([(2e-3, 1.0), (-2e-3, 0.95)] * 5, window=2e-3)[45:])
    assert tables["cycles"]["complete"].to_list()[:4] == [False, True, True, True]
    row = tables["cells"].row(0, named=True)
    assert row["initial_cycle"] == 2
    assert "cycle 1 is not complete" in row["initial_remark"]  # so it is not shown as the cell's
    assert tables["cells"]["cumulative_coulombic_efficiency"][0] < 1
    formed = numbers(FULL, record([(2e-3, 1.0), (-2e-3, 0.8), (2e-3, 0.8), (-2e-3, 0.8)])[1:])
    assert formed["cycles"]["complete"].to_list() == [True, True]
