"""Table 1: as printed, number by number, and compared like with like."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from cellpipe.baselines import comparison, table1
from cellpipe.contracts import empty
from cellpipe.domain import Cell

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "table1.csv"


def cycles(capacities_ah: list[float], *, mass: float | None = None, basis: str | None = None,
           area: float | None = None) -> pl.DataFrame:  # fmt: skip
    count = len(capacities_ah)
    frame = pl.DataFrame({
        "cell_id": ["A"] * count, "cycle": list(range(1, count + 1)), "complete": [True] * count,
        "discharging_capacity_ah": capacities_ah, "capacity_basis": [basis] * count,
        "specific_discharging_capacity_mah_per_g": [
            q * 1e6 / mass if mass else None for q in capacities_ah
        ],
        "areal_discharging_capacity_mah_per_cm2": [
            q * 1e3 / area if area else None for q in capacities_ah
        ],
    }, schema_overrides={"capacity_basis": pl.String})  # fmt: skip
    return pl.concat([empty("cycles"), frame], how="diagonal_relaxed")


def compared(cell: Cell, table: pl.DataFrame) -> dict[int, dict[str, object]]:
    tables = {"cycles": table, "baselines": table1()}
    (result,) = comparison.ANALYSIS.compute(cell, tables)
    return {row["row"]: row for row in result.table.iter_rows(named=True)}


def test_table_1_is_the_transcription_to_the_letter() -> None:
    if not REFERENCE.is_file():
        pytest.skip("the transcription is not beside the checkout")
    with REFERENCE.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    ours = table1()
    assert ours.height == len(rows) == 12
    for row, mine in zip(rows, ours.iter_rows(named=True), strict=True):
        for name, text in row.items():
            value = mine[name]
            if isinstance(value, float | int):
                assert float(text) == value, name
            else:
                assert (value or "") == text, name


def test_a_full_cell_is_compared_with_full_cells_only_and_every_row_says_why_not() -> None:
    cell = Cell("A", "full", cathode_active_mass_mg=10.0, area_cm2=1.0)
    table = cycles([0.0015] * 3, mass=10.0, basis="cathode active mass", area=1.0)
    rows = compared(cell, table)
    assert len(rows) == 12
    assert [n for n, row in rows.items() if row["comparable"]] == [1, 2, 3, 4, 6, 8, 9, 11, 12]
    for number in (5, 7, 10):
        assert rows[number]["reason"] == "the row is a half cell"


def test_capacities_stand_on_one_basis() -> None:
    cell = Cell("A", "full", cathode_active_mass_mg=10.0, area_cm2=1.0)
    rows = compared(cell, cycles([0.0015] * 3, mass=10.0, basis="cathode active mass", area=1.0))
    assert rows[1]["unit"] == "mAh/g"
    assert rows[1]["cell_initial_capacity"] == pytest.approx(150.0)
    assert rows[1]["capacity_ratio"] == pytest.approx(150 / 145)
    assert rows[4]["unit"] == "mAh/cm2"
    assert rows[4]["cell_initial_capacity"] == pytest.approx(1.5)
    assert rows[4]["capacity_ratio"] == pytest.approx(1.5 / 1.875)


def test_without_a_mass_a_rows_printed_loading_makes_areas_comparable_and_is_marked() -> None:
    cell = Cell("A", "full", area_cm2=1.0)
    rows = compared(cell, cycles([0.0015] * 3, area=1.0))
    assert rows[1]["baseline_initial_derived"]
    assert rows[1]["baseline_initial_capacity"] == pytest.approx(145 * 10 * 1e-3)
    assert rows[3]["baseline_initial_capacity"] == pytest.approx(143 * 12.8 * 1e-3)
    assert rows[12]["baseline_initial_capacity"] == pytest.approx(135 * 3.5 * 1e-3)
    assert not rows[2]["comparable"]  # it prints the loading of its anode only
    assert not rows[11]["comparable"]  # it prints none


@pytest.mark.parametrize(
    ("text", "basis", "loading"),
    [
        ("NCM811: 10 mg cm-2", "cathode active material", 10.0),
        ("Si: 1.0 mg cm-2; NCM811: 12.8 mg cm-2", "cathode active material", 12.8),
        ("µSi: 1.67 mg cm-2; NCM811: 25 mg cm-2", "cathode active material", 25.0),
        ("Si-C loading: 4.8 mg cm-2, n/p = 2", "cathode active material", None),
        ("Si: 0.9 mg cm-2", "anode active material", 0.9),
        ("-", "anode active material", None),
    ],
)
def test_the_loading_is_that_of_the_material_the_capacity_is_per(
    text: str, basis: str, loading: float | None
) -> None:
    assert comparison.loading_mg_per_cm2(text, basis) == loading


def test_retention_is_compared_at_the_rows_own_cycle() -> None:
    cell = Cell("A", "full", cathode_active_mass_mg=10.0)
    fading = [0.0015 * (1 - 0.002 * n) for n in range(60)]
    row = compared(cell, cycles(fading, mass=10.0, basis="cathode active mass"))[3]
    assert row["cycle"] == 50
    assert not row["interpolated"]
    assert row["cell_retention"] == pytest.approx(1 - 0.002 * 49)
    assert row["baseline_retention_low"] == pytest.approx(118 / 143)
    assert row["baseline_retention_printed"] == pytest.approx(0.82)


def test_a_cell_that_has_not_got_there_is_compared_at_its_last_cycle_and_marked() -> None:
    cell = Cell("A", "full", cathode_active_mass_mg=10.0)
    row = compared(cell, cycles([0.0015] * 11, mass=10.0, basis="cathode active mass"))[1]
    assert row["interpolated"]
    assert row["cycle"] == 11
    assert row["baseline_retention_low"] == pytest.approx(1 - (1 - 91 / 145) * 10 / 999)
    assert "interpolated" in str(row["reason"])


def test_the_papers_disagreement_with_itself_is_shown() -> None:
    cell = Cell("A", "full", cathode_active_mass_mg=10.0, area_cm2=1.0)
    table = cycles([0.0015] * 3, mass=10.0, basis="cathode active mass", area=1.0)
    rows = compared(cell, table)
    assert "printed 73.1 %, but the printed capacities give 81.5 %" in str(rows[12]["reason"])
    assert "printed 87.7 %, but the printed capacities give 87.2 %" in str(rows[2]["reason"])
    assert "printed 80 %, but the printed capacities give 83.3 %" in str(rows[8]["reason"])
    assert "one capacity only" in str(rows[6]["reason"])


def test_a_half_cell_is_compared_by_its_lithiation() -> None:
    cell = Cell("A", "half", anode_active_mass_mg=1.0, working_electrode_role="anode")
    rows = compared(cell, cycles([0.002, 0.0019], mass=1.0, basis="anode active mass"))
    assert [n for n, row in rows.items() if row["comparable"]] == [5, 7, 10]
    assert rows[5]["capacity_ratio"] == pytest.approx(2000 / 1606)


def test_a_cell_of_unknown_kind_is_compared_with_none() -> None:
    rows = compared(Cell("A"), cycles([0.001]))
    assert not any(row["comparable"] for row in rows.values())
    assert "does not say" in str(rows[1]["reason"])
