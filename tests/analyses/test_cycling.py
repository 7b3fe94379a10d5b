"""Half cycles and cycles: definitions by the kind of cell, held to real cells and to paper."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe
from cellpipe.analyses import half_cycles as half_cycles_module
from cellpipe.analyses import results_of
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.baselines import table1
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Cell
from cellpipe.pipeline.cell_inputs import _number_spectra
from made_files import sha256_of, used_files

MINUTE = 60.0


def timeseries(*steps: tuple[float, float, float, float]) -> pl.DataFrame:
    """Make a record from steps of (current A, minutes, first volt, last volt)."""
    parts, start = [], 0.0
    for number, (ampere, minutes, first, last) in enumerate(steps, 1):
        count = int(minutes) + 1
        parts.append(
            pl.DataFrame(
                {
                    "test_time_second": start + np.arange(count) * MINUTE,
                    "step_time_second": np.arange(count) * MINUTE,
                    "voltage_volt": np.linspace(first, last, count),
                    "current_ampere": np.full(count, ampere),
                    "step_count": np.full(count, number, np.int64),
                }
            )
        )
        start += minutes * MINUTE
    whole = pl.concat(parts)
    return whole.with_columns(
        record_index=pl.int_range(1, whole.height + 1, dtype=pl.Int64),
        unix_time_second=pl.col("test_time_second") + 1.7e9,
    )


def tables_of(cell: Cell, *records: pl.DataFrame) -> dict[str, pl.DataFrame]:
    raw = {
        "timeseries": pl.concat(
            [
                r.with_columns(file_sha256=pl.lit(sha256_of(f"file {i}")))
                for i, r in enumerate(records)
            ],
            how="diagonal",
        ),
        "half_cycle_segments": pl.concat(
            [half_cycle_segments(r, sha256_of(f"file {i}")) for i, r in enumerate(records)],
            how="diagonal",
        ),
        "impedance": _number_spectra(
            empty_table("impedance").with_columns(file_sha256=pl.lit("", pl.String))
        ),
        "files": used_files(cell.cell_id, *(f"file {i}" for i in range(len(records)))),
        "baselines": table1(),
    }
    return {result.analysis: result.table for result in results_of(cell, raw)}


FULL = Cell("A", "full", cathode_active_mass_mg=20.0, area_cm2=2.0)
HALF = Cell("B", "half", working_electrode_role="anode", anode_active_mass_mg=1.0)
CHARGE, DISCHARGE = (1.0, 60, 3.0, 4.2), (-1.0, 48, 4.1, 2.5)


def test_a_full_cells_efficiency_is_discharge_over_the_charge_before_it() -> None:
    cycles = tables_of(FULL, timeseries(CHARGE, DISCHARGE, CHARGE, DISCHARGE))["cycles"]
    assert cycles["cycle"].to_list() == [1, 2]
    assert cycles["charging_capacity_ah"].to_list() == pytest.approx([1.0, 1.0])
    assert cycles["discharging_capacity_ah"].to_list() == pytest.approx([0.8, 0.8])
    assert cycles["coulombic_efficiency"].to_list() == pytest.approx([0.8, 0.8])
    assert cycles["specific_discharging_capacity_mah_per_g"][0] == pytest.approx(40_000.0)
    assert cycles["areal_discharging_capacity_mah_per_cm2"][0] == pytest.approx(400.0)
    assert cycles["capacity_basis"][0] == "cathode active mass"


def test_a_silicon_half_cells_efficiency_is_delithiation_over_the_lithiation_before_it() -> None:
    lithiation, delithiation = (-1.0, 60, 0.5, -0.6), (1.0, 45, -0.5, 0.9)
    cycles = tables_of(HALF, timeseries(lithiation, delithiation, lithiation, delithiation))[
        "cycles"
    ]
    assert cycles.height == 2
    assert cycles["coulombic_efficiency"].to_list() == pytest.approx([0.75, 0.75])
    assert cycles["energy_efficiency"].null_count() == 2


def test_a_half_cell_that_begins_with_the_other_half_has_an_incomplete_first_cycle() -> None:
    lithiation, delithiation = (-1.0, 60, 0.5, -0.6), (1.0, 45, -0.5, 0.9)
    cycles = tables_of(HALF, timeseries(delithiation, lithiation, delithiation))["cycles"]
    assert cycles["complete"].to_list() == [False, True]
    assert cycles["coulombic_efficiency"].to_list() == [None, pytest.approx(0.75)]
    assert cycles["retention_reference_cycle"].unique().to_list() == [2]


def test_a_cathodes_half_cell_is_paired_as_a_full_cell() -> None:
    cell = Cell("C", "half", working_electrode_role="cathode", cathode_active_mass_mg=10.0)
    cycles = tables_of(cell, timeseries(CHARGE, DISCHARGE))["cycles"]
    assert cycles["coulombic_efficiency"][0] == pytest.approx(0.8)


def test_a_symmetric_cell_and_one_of_unknown_kind_get_no_efficiency() -> None:
    for cell in (Cell("S", "symmetric"), Cell("U")):
        cycles = tables_of(cell, timeseries(CHARGE, DISCHARGE))["cycles"]
        assert cycles["coulombic_efficiency"].null_count() == cycles.height == 1


def test_voltages_below_the_counter_electrode_keep_their_sign() -> None:
    """Against Li-In silicon works below 0 V: the mean voltages and their gap must say so."""
    lithiation, delithiation = (-1.0, 60, -0.2, -0.6), (1.0, 60, -0.4, 0.0)
    cycles = tables_of(HALF, timeseries(lithiation, delithiation))["cycles"]
    assert cycles["mean_discharging_voltage_volt"][0] == pytest.approx(-0.4, abs=1e-3)
    assert cycles["mean_charging_voltage_volt"][0] == pytest.approx(-0.2, abs=1e-3)
    assert cycles["voltage_hysteresis_volt"][0] == pytest.approx(0.2, abs=1e-3)
    assert cycles["charging_energy_wh"][0] < 0


def test_no_mass_means_no_specific_capacity_and_no_default() -> None:
    cycles = tables_of(Cell("N", "full"), timeseries(CHARGE, DISCHARGE))["cycles"]
    assert cycles["specific_discharging_capacity_mah_per_g"].null_count() == 1
    assert cycles["areal_discharging_capacity_mah_per_cm2"].null_count() == 1


def test_the_last_cycle_is_incomplete_if_it_did_not_come_to_its_end_voltage() -> None:
    short = (-1.0, 20, 4.1, 3.6)
    cycles = tables_of(FULL, timeseries(CHARGE, DISCHARGE, CHARGE, short))["cycles"]
    assert cycles["complete"].to_list() == [True, False]
    assert cycles["coulombic_efficiency"][1] is None


def test_a_first_cycle_that_is_still_running_is_incomplete() -> None:
    running = (-1.0, 15, 4.1, 3.7)
    cycles = tables_of(FULL, timeseries(CHARGE, running))["cycles"]
    assert cycles["complete"].to_list() == [False]
    assert cycles["coulombic_efficiency"][0] is None
    rested = tables_of(FULL, timeseries(CHARGE, running, (0.0, 10, 3.8, 3.9)))["cycles"]
    assert rested["complete"].to_list() == [False]  # a quarter of the charge: paused, or ended?
    ended = tables_of(FULL, timeseries(CHARGE, DISCHARGE, (0.0, 10, 2.8, 2.9)))["cycles"]
    assert ended["complete"].to_list() == [True]


def test_a_half_cell_whose_working_electrode_is_not_known_gets_no_efficiency() -> None:
    cell = Cell("X", "half", working_electrode="unobtainium", anode_active_mass_mg=1.0)
    cycles = tables_of(cell, timeseries(CHARGE, DISCHARGE))["cycles"]
    assert cycles["coulombic_efficiency"].null_count() == 1
    assert cycles["specific_discharging_capacity_mah_per_g"].null_count() == 1


def test_pulses_against_the_direction_are_taken_off_capacity_and_curves_alike() -> None:
    pulse = (1.0, 1, 3.4, 3.5)
    steps = [CHARGE, (-1.0, 20, 4.1, 3.4), pulse, (-1.0, 20, 3.4, 3.2), pulse, (-1.0, 20, 3.2, 2.5)]
    tables = tables_of(FULL, timeseries(*steps))
    discharge = tables["half_cycles"].filter(direction="discharge")
    assert discharge["capacity_ah"][0] == pytest.approx(58 / 60, rel=2e-2)
    profile = tables["voltage_profiles"].filter(direction="discharge")
    assert profile["capacity_ah"][-1] == pytest.approx(discharge["capacity_ah"][0], rel=1e-9)
    curve = tables["differential_capacity"].filter(direction="discharge")
    area = (curve["differential_capacity_ah_per_volt"] * curve["grid_step_volt"]).sum()
    assert area == pytest.approx(discharge["capacity_ah"][0], rel=5e-3)


def test_a_clock_that_is_set_back_changes_no_cycle() -> None:
    record = timeseries(CHARGE, DISCHARGE, CHARGE, DISCHARGE)
    back = pl.when(pl.col("record_index") > 100).then(3600.0).otherwise(0.0)
    moved = record.with_columns(unix_time_second=pl.col("unix_time_second") - back)
    columns = ["cycle", "charging_capacity_ah", "discharging_capacity_ah"]
    expected = tables_of(FULL, record)["cycles"].select(columns)
    assert tables_of(FULL, moved)["cycles"].select(columns).equals(expected)


def test_two_files_of_one_time_are_a_finding() -> None:
    record = timeseries(CHARGE, DISCHARGE)
    shifted = record.with_columns(unix_time_second=pl.col("unix_time_second") + 600)
    segments = pl.concat([half_cycle_segments(record, "a"), half_cycle_segments(shifted, "b")])
    (result,) = half_cycles_module.ANALYSIS.compute(FULL, {"half_cycle_segments": segments})
    assert "recordings_overlap" in {finding.code for finding in result.findings}


def test_an_export_of_every_second_record_keeps_the_durations() -> None:
    record = timeseries(CHARGE, DISCHARGE)
    thinned = record.filter(pl.col("record_index") % 2 == 1)
    halves = tables_of(FULL, thinned)["half_cycles"]
    assert halves["duration_second"].to_list() == pytest.approx([3600, 2880], rel=0.1)


def test_splitting_a_record_into_two_files_changes_no_number() -> None:
    whole = timeseries(CHARGE, DISCHARGE, CHARGE, DISCHARGE)
    expected = tables_of(FULL, whole)["cycles"]
    for at in (20, 61, 90, 150):
        split = tables_of(FULL, whole[:at], whole[at - 1 :])["cycles"]
        for column in ("charging_capacity_ah", "discharging_capacity_ah", "coulombic_efficiency"):
            assert split[column].to_list() == pytest.approx(expected[column].to_list(), rel=2e-2)
        assert split.height == 2


def test_a_rest_between_changes_no_capacity() -> None:
    rest = (0.0, 30, 4.2, 4.1)
    plain = tables_of(FULL, timeseries(CHARGE, DISCHARGE))["cycles"]
    rested = tables_of(FULL, timeseries(CHARGE, rest, DISCHARGE))["cycles"]
    for column in ("charging_capacity_ah", "discharging_capacity_ah"):
        assert rested[column].to_list() == pytest.approx(plain[column].to_list())


def test_scaling_the_mass_scales_the_specific_capacity_and_nothing_else() -> None:
    record = timeseries(CHARGE, DISCHARGE)
    one = tables_of(FULL, record)["cycles"]
    other = tables_of(Cell("A", "full", cathode_active_mass_mg=40.0, area_cm2=2.0), record)[
        "cycles"
    ]
    specific = [c for c in one.columns if c.startswith("specific")]
    assert other.drop(specific).equals(one.drop(specific))
    for column in specific:
        assert other[column][0] == pytest.approx(one[column][0] / 2)


def test_dq_dv_of_every_half_cycle_gives_its_capacity_back() -> None:
    tables = tables_of(FULL, timeseries(CHARGE, DISCHARGE, CHARGE, DISCHARGE))
    curves = tables["differential_capacity"]
    total = pl.col("differential_capacity_ah_per_volt") * pl.col("grid_step_volt")
    sums = curves.group_by("half_cycle", maintain_order=True).agg(total.sum())
    expected = tables["half_cycles"]["capacity_ah"].to_list()
    assert sums["differential_capacity_ah_per_volt"].to_list() == pytest.approx(expected, rel=5e-3)


def test_a_capacity_that_disagrees_with_the_counter_is_a_finding() -> None:
    record = timeseries(CHARGE, DISCHARGE)
    counted = record.with_columns(
        vendor_charging_capacity_ah=(pl.col("test_time_second") / 3600).clip(0, 1) * 1.02,
        vendor_discharging_capacity_ah=((pl.col("test_time_second") - 3600) / 3600).clip(0, 1),
    )
    segments = half_cycle_segments(counted, "file")
    (result,) = half_cycles_module.ANALYSIS.compute(FULL, {"half_cycle_segments": segments})
    assert [f.code for f in result.findings] == ["capacity_differs_from_counter"]


@pytest.fixture
def lab_of(real_data: Path, tmp_path: Path):
    def run(sheet: str, *names: str) -> cellpipe.Results:
        folder = tmp_path / "lab"
        folder.mkdir()
        for name in names:
            shutil.copy(real_data / name, folder)
        (folder / "cells.csv").write_text("Cell ID,Files,Configuration,Working electrode\n" + sheet)
        cellpipe.process(folder, tmp_path / "out")
        return cellpipe.open_results(tmp_path / "out")

    return run


def test_the_real_silicon_half_cell_has_the_efficiencies_that_are_stated_of_it(lab_of) -> None:
    results = lab_of("si,*.res,half,Si\n", "res/cellpy__20160805_test001_45_cc_01.res")
    cycles = results["cycles"].collect()
    assert cycles.height == 18
    stated = [0.926108, 1.084268, 1.091937, 1.038660]
    assert cycles["coulombic_efficiency"].to_list()[:4] == pytest.approx(stated, rel=3e-4)
    assert cycles["charging_capacity_ah"].to_list()[:4] == pytest.approx(
        [0.001625, 0.001700, 0.001732, 0.001576], rel=5e-4
    )
    assert cycles["discharging_capacity_ah"].to_list()[:4] == pytest.approx(
        [0.001755, 0.001567, 0.001586, 0.001517], rel=5e-4
    )


def test_the_real_silicon_half_cell_agrees_with_arbins_own_statistics(
    lab_of, real_data: Path
) -> None:
    import mmap

    from cellpipe.formats.jet4.database import read_table

    name = "res/cellpy__20160805_test001_45_cc_01.res"
    with (real_data / name).open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        statistics = read_table(data, "Channel_Statistic_Table")
        normal = read_table(data, "Channel_Normal_Table")
    vendor = statistics.join(normal, on="Data_Point").sort("Cycle_Index")
    assert vendor.height == 17
    cycles = lab_of("si,*.res,half,Si\n", name)["cycles"].collect()[: vendor.height]
    for ours, theirs in (
        ("charging_capacity_ah", "Charge_Capacity"),
        ("discharging_capacity_ah", "Discharge_Capacity"),
    ):
        assert cycles[ours].to_list() == pytest.approx(vendor[theirs].to_list(), rel=1e-3)


def test_the_real_full_cell_in_two_files_comes_out_as_stated(lab_of) -> None:
    results = lab_of(
        "aurora,aurora__*,full,LNMO\n",
        "mpr/aurora__250116_kigr_gen6_01_01_GCPL_CD8.mpr",
        "mpr/aurora__250116_kigr_gen6_01_02_GCPL_CD8.mpr",
    )
    assert results["timeseries"].collect().height == 4183
    cycles = results["cycles"].collect()
    assert cycles.height == 3
    assert cycles["coulombic_efficiency"][0] == pytest.approx(0.76112, abs=5e-4)
    halves = results["half_cycles"].collect()
    stated = [2.350108 + 0.000251, 1.789592, 1.881575, 1.849586, 1.870076, 1.846339]
    assert (halves["vendor_capacity_ah"] * 1e3).to_list() == pytest.approx(stated, abs=2e-6)
    assert (halves["capacity_ah"] * 1e3).to_list() == pytest.approx(stated, rel=1e-3)
    assert halves["segments"].to_list() == [1] * 6  # the parts of one test are one recording
