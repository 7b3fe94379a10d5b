"""Our cycles held against the instruments' own tables of cycles, and against what peers say.

The table that comes out stands in docs/agreement.md: ``CELLPIPE_WRITE_TRUTH=1`` writes it anew, and
without it the test holds what is measured against what stands there.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe
from cellpipe.analyses import cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.model import Cell

PAGE = Path(__file__).parents[2] / "docs" / "agreement.tsv"
ALLOWED = 1e-3
RUNNING = {"diffcap__CS2_33_12_23_10.xlsx"}  # counters that run on from cycle to cycle
SMALL = 0.01  # of the largest capacity: what is below has few digits
SIDES = ("charging", "discharging")
WORDS = {"charge": "charging", "discharge": "discharging"}
SILICON = Cell("Si", "half", working_electrode_role="anode")


def computed(timeseries: pl.DataFrame, cell: Cell) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give half cycles and cycles."""
    segments = {"half_cycle_segments": half_cycle_segments(timeseries, "file")}
    (halves,) = half_cycles.ANALYSIS.compute(cell, segments)
    (made,) = cycles.ANALYSIS.compute(cell, {"half_cycles": halves.table})
    return halves.table, made.table


def vendors(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Give the instrument's capacities per cycle, cycles without charge left out."""
    columns = [f"vendor_{side}_capacity_ah" for side in SIDES]
    found = table.select("cycle_count", *columns)
    if name in RUNNING:
        found = found.with_columns(pl.col(c).diff().fill_null(pl.col(c)) for c in columns)
    return found.filter(pl.sum_horizontal(columns) > 0)


def last_digit(values: np.ndarray) -> float:
    """Half of the last decimal place that numbers were printed to, 0 if they were not."""
    for place in range(10):
        scaled = values * 10.0**place
        if np.abs(scaled - np.round(scaled)).max(initial=0) < 1e-6:
            return 0.5 * 10.0**-place
    return 0.0


def bounds(records: pl.DataFrame, direction: str) -> tuple[float, float]:
    """Enclose the charge of a half cycle: by the smaller and the larger current of each interval.

    The last printed digits of the current and of the time widen them.
    """
    sign = 1.0 if direction == "charge" else -1.0
    current = sign * records["current_ampere"].to_numpy()
    hours = np.diff(records["test_time_second"].to_numpy()).clip(0) / 3600
    ends = (hours[0] if len(hours) else 0.0) + 2 * last_digit(
        records["test_time_second"].to_numpy() / 3600
    )
    edge = float(np.abs(current).max(initial=0)) * ends
    digit = last_digit(records["current_ampere"].to_numpy() * 1e3) * 1e-3 * hours.sum()
    low, high = np.minimum(current[1:], current[:-1]), np.maximum(current[1:], current[:-1])
    return float((low * hours).sum()) - digit - edge, float((high * hours).sum()) + digit + edge


def row_of(path: Path) -> dict[str, object] | None:
    """Compare one file; None if it has no table of cycles."""
    measured = cellpipe.read(path).tables
    if "vendor_cycles" not in measured:
        return None
    timeseries = measured["timeseries"]
    theirs = vendors(measured["vendor_cycles"], path.name)
    halves, ours = computed(timeseries, Cell("any"))
    digits = {
        side: last_digit(measured["vendor_cycles"][f"vendor_{side}_capacity_ah"].to_numpy() * 1e3)
        for side in SIDES
    }
    worst = dict.fromkeys(SIDES, 0.0)
    reasons: set[str] = set()
    both = list(zip(ours.iter_rows(named=True), theirs.iter_rows(named=True), strict=False))
    for mine, vendor in both:
        for side in SIDES:
            counted, found = vendor[f"vendor_{side}_capacity_ah"], mine[f"{side}_capacity_ah"] or 0
            if counted < SMALL * theirs[f"vendor_{side}_capacity_ah"].max():
                continue
            apart = abs(found / counted - 1)
            worst[side] = max(worst[side], apart)
            if apart > ALLOWED:
                half = halves.row(mine[f"{side}_half_cycle"] - 1, named=True)
                reasons.add(reason(timeseries, half, counted, digits[side] * 1e-3))
    return {
        "file": f"{path.parent.name}/{path.name}", "vendor_cycles": theirs.height,
        "cycles": ours.height, "compared": len(both),
        **{f"{side}_percent": f"{100 * worst[side]:.2g}" for side in SIDES},
        "reason": "; ".join(sorted(reasons)),
    }  # fmt: skip


def reason(timeseries: pl.DataFrame, half: dict[str, object], counted: float, digit: float) -> str:
    """Say why a half cycle's charge is further from what was counted; fail if nothing does."""
    first, last = half["first_record_index"], half["last_record_index"]
    records = timeseries.filter(pl.col("record_index").is_between(first, last))
    low, high = bounds(records, str(half["direction"]))
    found = float(str(half["capacity_ah"]))
    if abs(found - counted) <= digit + ALLOWED * counted:
        return "the table's last digit"
    assert low - digit <= counted <= high + digit, half
    if last_digit(records["test_time_second"].to_numpy() / 3600) > 1e-4:
        return "the last digit of the time (0.01 h) and of the current"
    return "what the current did between two records"


def test_every_vendors_table_of_cycles_agrees_within_a_thousandth_or_is_explained(
    real_data: Path,
) -> None:
    kinds = ("res", "arbin-xlsx", "landt", "neware-csv", "derived")
    paths = [path for kind in kinds for path in sorted((real_data / kind).iterdir())]
    rows = [row for path in paths if path.is_file() and (row := row_of(path))]
    assert len(rows) >= 7
    for row in rows:
        apart = max(float(str(row[f"{side}_percent"])) for side in SIDES)
        assert apart <= 100 * ALLOWED or row["reason"], row
    lines = ["\t".join(rows[0]), *("\t".join(str(v) for v in row.values()) for row in rows)]
    text = "\n".join(lines) + "\n"
    if os.environ.get("CELLPIPE_WRITE_TRUTH"):
        PAGE.write_text(text, encoding="utf-8")
    assert text == PAGE.read_text(encoding="utf-8")


def test_a_silicon_half_cells_efficiencies_are_those_that_cellpys_own_test_states(
    real_data: Path,
) -> None:
    """Delithiation over lithiation in per cent: its test, our integral against its counters."""
    path = real_data / "res" / "cellpy__20160805_test001_45_cc_01.res"
    _, made = computed(cellpipe.read(path).tables["timeseries"], SILICON)
    stated = [0.926108, 1.084268, 1.091937, 1.038660]
    assert made["coulombic_efficiency"].to_list()[:4] == pytest.approx(stated, rel=5e-4)
    assert made.height == 18


def test_all_steps_of_a_discharge_count_where_cellpy_takes_the_largest(real_data: Path) -> None:
    """Three discharge steps with rests between: its test asserts 4.680 of 5.086 mAh."""
    path = real_data / "neware-csv" / "cellpy__neware_uio.csv"
    halves, made = computed(cellpipe.read(path).tables["timeseries"], SILICON)
    assert made["discharging_capacity_ah"][0] == pytest.approx(5.0861e-3, rel=1e-3)
    assert halves["vendor_capacity_ah"][0] == pytest.approx(5.0861e-3, rel=1e-3)


def test_cycles_of_seconds_and_small_ones_are_counted_as_they_were_run(real_data: Path) -> None:
    """Half cycles of the direction that leads; the instrument's count stands beside ours."""
    for name, count in (("nda/fastnda__nda_v26.nda", 9086), ("ndax/fastnda__test_2.ndax", 54)):
        _, made = computed(cellpipe.read(real_data / name).tables["timeseries"], Cell("any"))
        assert made.height == count


def test_a_half_cell_that_starts_with_discharge_is_paired_as_its_instrument_does() -> None:
    """Five discharges and four charges; a reader that begins cycles with a charge pairs wrongly."""
    given = [(-0.9314, 1.0), (-1.0118, 1.0063), (-1.0105, 1.0058), (-1.0131, 1.0079)]
    currents = np.concatenate([
        np.zeros(5),
        *(np.concatenate([np.full(100, down), np.zeros(10), np.full(100, up), np.zeros(10)])
          for down, up in given),
        np.full(35, -1.0),
    ])  # fmt: skip
    volts = np.where(currents < 0, 0.05, 1.0)
    timeseries = pl.DataFrame({
        "record_index": np.arange(1, len(currents) + 1),
        "test_time_second": np.arange(len(currents)) * 36.0,
        "voltage_volt": np.where(np.arange(len(currents)) > len(currents) - 36, 0.4, volts),
        "current_ampere": currents,
    })  # fmt: skip
    _, made = computed(timeseries, SILICON)
    expected = [1.0736, 0.9946, 0.9954, 0.9949, None]
    assert made["complete"].to_list() == [True, True, True, True, False]
    assert made["coulombic_efficiency"].to_list()[:4] == pytest.approx(expected[:4], abs=1e-4)
    assert made["coulombic_efficiency"][4] is None
