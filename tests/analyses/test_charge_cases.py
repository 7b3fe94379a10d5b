"""Recordings with a fault in one witness of their charge: the others give what is right.

The inputs and their right values are those of the corpus' cases; each stands for a kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe
from cellpipe.analyses import cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.contracts import empty_table, validate
from cellpipe.core.model import Cell, Finding

FULL = Cell("A", "full")
SILICON = Cell("A", "half", working_electrode_role="anode")
USUAL = [(2.0, 1.98), (1.96, 1.9404), (1.9208, 1.901592)]  # mAh of charge and discharge
PUT_RIGHT = {  # file, and what is said of it
    "08_time_one_zero_record": "time_goes_backwards",
    "09_time_first_of_step_zero": "time_goes_backwards",
    "11_time_ms_called_s_with_clock": "clock_pace_differs",
    "12_current_spike_one_record": "current_spike",
    "24_descending_neware": "records_reversed",
}


def computed(path: Path, cell: Cell) -> tuple[list[tuple[float, float]], list[Finding], object]:
    """Give charge and discharge of each cycle, mAh, what was said, and the table of cycles."""
    measured = cellpipe.read(path)
    segments = validate(
        "half_cycle_segments", half_cycle_segments(measured.tables["timeseries"], "0" * 64)
    )
    (halves,) = half_cycles.ANALYSIS.compute(cell, {"half_cycle_segments": segments})
    (made,) = cycles.ANALYSIS.compute(
        cell,
        {"half_cycles": halves.table, "protocol_segments": empty_table("protocol_segments")},
    )
    validate("half_cycles", halves.table)
    table = validate("cycles", made.table)
    sides = table.select("charging_capacity_ah", "discharging_capacity_ah") * 1e3
    return sides.rows(), [*measured.findings, *halves.findings], table


@pytest.mark.parametrize("name", PUT_RIGHT)
def test_a_fault_in_time_order_or_one_current_changes_no_charge_and_is_said(
    real_data: Path, name: str
) -> None:
    (path,) = (real_data.parent / "cases" / "files" / name).glob("SSB-01*")
    capacities, findings, table = computed(path, FULL)
    assert len(capacities) == len(USUAL)
    for found, right in zip(capacities, USUAL, strict=True):
        assert found == pytest.approx(right, rel=1e-4)
    assert table["coulombic_efficiency"].to_list() == pytest.approx([0.99] * 3, abs=1e-4)
    said = [finding for finding in findings if finding.level == "warning"]
    assert [finding.code for finding in said] == [PUT_RIGHT[name]]


def test_a_time_of_day_that_wraps_is_told_by_step_time_and_date(real_data: Path) -> None:
    folder = real_data.parent / "cases" / "files" / "20_excel_hours_wrap_24h"
    capacities, _, table = computed(folder / "SSB-01_a.csv", FULL)
    assert len(capacities) == 8
    assert capacities[4][0] == pytest.approx(5.5342, abs=1e-4)
    assert table["coulombic_efficiency"].to_list() == pytest.approx([0.99] * 8, abs=1e-4)


def test_a_total_time_of_0_at_each_start_is_put_right(real_data: Path) -> None:
    capacities, _, table = computed(
        real_data.parent / "cases" / "cycling" / "N1" / "a.csv", SILICON
    )
    assert capacities == [pytest.approx((7.0, 7.03), abs=1e-3)] * 4
    assert table["coulombic_efficiency"].to_list() == pytest.approx([0.9957] * 4, abs=1e-4)


def test_an_exact_counter_is_taken_where_records_are_few(real_data: Path) -> None:
    path = real_data.parent / "cases" / "cycling" / "T18" / "a.bdf.csv"
    _, _, table = computed(path, FULL)
    efficiencies = table["coulombic_efficiency"]
    assert efficiencies.mean() == pytest.approx(0.9999, abs=1e-7)
    assert efficiencies.product() == pytest.approx(0.9980, abs=2e-5)
    assert set(table["charging_charge_source"]) == {"counter"}
    assert table["coulombic_efficiency_uncertainty"].max() < 1e-6


def test_an_offset_in_long_rests_is_no_charge_and_is_in_the_uncertainty(real_data: Path) -> None:
    path = real_data.parent / "cases" / "cycling" / "S20" / "a.bdf.csv"
    _, _, table = computed(path, FULL)
    assert table["coulombic_efficiency"].to_list() == pytest.approx([0.995] * 3, abs=1e-4)
    assert table["coulombic_efficiency_uncertainty"].min() == pytest.approx(2 * 0.002, rel=0.01)


def test_a_float_below_the_threshold_is_charge_if_a_step_drives_it() -> None:
    """1 mA for 2 h, then 20 days at 4.2 V with 0.8 µA; 5 nA to 0.1 % of the current is a rest's."""
    float_second, current = 20 * 86_400.0, 0.8e-6
    since = [np.linspace(0, last, count) for last, count in (
        (7200.0, 121), (float_second, 481), (7200.0 * 0.95, 121))]  # fmt: skip
    ampere = [np.full(121, 1e-3), np.full(481, current), np.full(121, -1e-3)]
    volt = [np.linspace(3, 4.2, 121), np.full(481, 4.2), np.linspace(4.2, 3, 121)]
    modes = ["CC", "CV", "CC"]
    starts = np.cumsum([0.0, 7200.0, float_second])
    table = pl.DataFrame({
        "record_index": np.arange(1, 724),
        "test_time_second": np.concatenate([s + t for s, t in zip(starts, since, strict=True)]),
        "voltage_volt": np.concatenate(volt), "current_ampere": np.concatenate(ampere),
        "step_count": np.repeat([1, 2, 3], [121, 481, 121]),
        "step_mode": np.repeat(modes, [121, 481, 121]),
    })  # fmt: skip
    floated = current * float_second / 3600
    segments = half_cycle_segments(table, "0" * 64)
    assert segments["capacity_ah"].to_list() == pytest.approx([2e-3 + floated, 1.9e-3])
    resting = table.with_columns(pl.col("step_mode").replace("CV", "rest"))
    segments = half_cycle_segments(resting, "0" * 64)
    assert segments["capacity_ah"].to_list() == pytest.approx([2e-3, 1.9e-3])


def test_rows_that_stand_twice_around_a_turn_count_once(real_data: Path) -> None:
    path = real_data.parent / "cases" / "cycling" / "S23" / "a.bdf.csv"
    capacities, findings, _ = computed(path, FULL)
    assert capacities == [pytest.approx((2.01, 2.0), abs=1e-4)] * 3
    assert "time_goes_backwards" in [finding.code for finding in findings]


def test_the_mean_efficiency_of_a_real_cell_is_its_instruments_own(real_data: Path) -> None:
    """The counters of 45 whole cycles give 100.004 %; the current between records 99.94 %."""
    path = real_data / "arbin-csv" / "diffcap__CS2_33_12_23_10.csv"
    _, _, table = computed(path, FULL)
    whole = table.filter(table["cycle"] <= 45)  # the charge of cycle 9 has no constant voltage
    efficiency = whole["discharging_capacity_ah"] / whole["charging_capacity_ah"]
    assert efficiency.mean() == pytest.approx(1.00004, abs=2e-5)
