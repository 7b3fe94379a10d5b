"""The sample lab's truth is known, so every number on the way to the report can be held to it."""

from __future__ import annotations

import polars as pl
import pytest

import cellpipe
from cellpipe.pipeline.summary import Summary

pytestmark = pytest.mark.xdist_group("sample")  # they share one run of the sample lab


@pytest.fixture(scope="module")
def cells(sample_run: Summary) -> dict[str, dict[str, object]]:
    return {row["cell_id"]: row for row in sample_run.cells.iter_rows(named=True)}


def test_every_cell_is_reported_and_only_the_two_bad_files_are_set_aside(
    sample_run: Summary,
) -> None:
    assert sorted(sample_run.cells["cell_id"]) == [
        "SSB-01", "SSB-02", "SSB-03a", "SSB-03b", "SSB-04", "SSB-05", "SSB-06", "SSB-07",
    ]  # fmt: skip
    assert {failure.path for failure in sample_run.failures} == {
        "arbin_csv/glovebox_log.csv",
        "biologic_mpr/SSB-08_02_GCPL_C03.mpr",
    }
    assert sample_run.exit_code == 1


@pytest.mark.parametrize(
    ("quantity", "column", "tolerance"),
    [
        ("cycles", "cycles", 0.0),
        ("first_charging_capacity", "first_charging_capacity_ah", 5e-4),
        ("first_discharging_capacity", "first_discharging_capacity_ah", 5e-4),
        ("first_coulombic_efficiency", "initial_coulombic_efficiency", 5e-4),
    ],
)
def test_cycling_numbers_equal_what_was_put_in(
    cells: dict[str, dict[str, object]],
    truth: pl.DataFrame,
    quantity: str,
    column: str,
    tolerance: float,
) -> None:
    for cell_id, value in truth.filter(quantity=quantity).select("cell_id", "value").iter_rows():
        if cell_id == "SSB-07" and "efficiency" in quantity:
            continue
        assert cells[cell_id][column] == pytest.approx(value, rel=tolerance), cell_id


def test_retention_is_that_of_the_reversible_capacity_and_names_its_cycles(
    cells: dict[str, dict[str, object]], truth: pl.DataFrame
) -> None:
    stated = truth.filter(quantity="last_capacity_retention_vs_cycle_1")
    for cell_id, value in stated.select("cell_id", "value").iter_rows():
        assert cells[cell_id]["capacity_retention"] == pytest.approx(value, rel=5e-4), cell_id
        assert cells[cell_id]["retention_reference_cycle"] == 1
        assert cells[cell_id]["retention_cycle"] == cells[cell_id]["cycles"]


def test_a_cell_that_is_not_in_the_sheet_gets_capacities_and_no_guessed_efficiency(
    cells: dict[str, dict[str, object]], sample_run: Summary
) -> None:
    unknown = cells["SSB-07"]
    assert unknown["configuration"] is None
    assert unknown["initial_coulombic_efficiency"] is None
    assert unknown["first_specific_discharging_capacity_mah_per_g"] is None
    assert unknown["first_discharging_capacity_ah"] == pytest.approx(0.003721735, rel=1e-3)
    said = sample_run.findings.filter(cell_id="SSB-07", code="not_in_sheet")["sentence"]
    assert "mAh/cm²" in said[0]


def test_the_growing_interphase_comes_back_within_two_per_cent_in_every_spectrum(
    sample_run: Summary, truth: pl.DataFrame
) -> None:
    results = cellpipe.open_results(sample_run.lab.results)
    files = results["files"].select("file_sha256", "path")
    fitted = (
        results["interfacial_resistance"].join(files, on="file_sha256").sort("spectrum").collect()
    )
    stated = {
        tuple(name.split(" ")[1:]): value
        for name, value in truth.select("quantity", "value").iter_rows()
        if name.startswith("interphase_resistance ")
    }
    assert fitted.height == len(stated) == 18
    for row in fitted.iter_rows(named=True):
        key = (row["path"].rpartition("/")[2], str(row["spectrum_in_file"]))
        assert row["interfacial_resistance_ohm"] == pytest.approx(stated[key], rel=0.02), key
        assert row["identifiable"]


def test_the_interphase_is_followed_through_the_cycles(sample_run: Summary) -> None:
    growth = (
        cellpipe.open_results(sample_run.lab.results)["interfacial_resistance"]
        .filter(pl.col("cell_id") == "SSB-01")
        .sort("spectrum")
        .collect()
    )
    assert growth["cycle"].to_list() == [2, *range(7, 63, 5)]
    assert growth["interfacial_resistance_ohm"].is_sorted()


def test_every_table_can_be_opened_by_name_and_says_which_cell(sample_run: Summary) -> None:
    results = cellpipe.open_results(sample_run.lab.results)
    for name in results:
        table = results[name].collect()
        if name != "baselines" and table.height:
            assert "cell_id" in table.columns, name
    with pytest.raises(KeyError):
        results["no such table"]


def test_charge_integrated_from_the_records_agrees_with_every_instruments_counter(
    sample_run: Summary,
) -> None:
    halves = cellpipe.open_results(sample_run.lab.results)["half_cycles"].collect()
    assert halves["vendor_capacity_ah"].null_count() == 0
    assert halves["vendor_capacity_difference"].abs().max() < 2e-3
