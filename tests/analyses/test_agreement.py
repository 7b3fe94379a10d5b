"""Our cycles held against the instruments' own tables of cycles, and against what peers say.

The table that comes out stands in docs/agreement.md: ``CELLPIPE_WRITE_TRUTH=1`` writes it anew, and
without it the test holds what is measured against what stands there.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe
from cellpipe.analyses import cycles, half_cycles
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Cell

DOCS = Path(__file__).parents[2] / "docs"
PAGE, COUNTERS = DOCS / "agreement.tsv", DOCS / "agreement_counters.tsv"
LEAST_PERCENT = 1e-5
ALLOWED = 2e-4
RUNNING = {"diffcap__CS2_33_12_23_10.xlsx"}  # counters that run on from cycle to cycle
SMALL = 0.01  # of the largest capacity: what is below has few digits
SIDES = ("charging", "discharging")
WORDS = {"charge": "charging", "discharge": "discharging"}
COUNTED = {  # files whose counter and whose current say another thing, and why
    "mpr/yadg__gcpl.issue_149.mpr": "no current is stored: it is rebuilt from the counted charge",
    "mpr/cheminfo__test.mpr": "the current goes to and fro from record to record",
    "mpr/yadg__gcpl.issue_228.mpr": "no current is stored: it is rebuilt from the counted charge",
    "mpr/venkkris__220218-PanasonicBR2032-60-70-30min-rest-C50_C04.mpr":
        "no current is stored: it is rebuilt from the counted charge",
    "maccor/pyprobe__sample_data_maccor.csv": "three seconds, counted in thousandths of an Ah",
    "maccor/cellpy__maccor_three.txt": "few records while the current tapers",
    "neware-csv/cellpy__nw_regular_export_ife_example.csv":
        "the current overshoots at the start of the constant voltage, between two records",
    "nda/fastnda__2-1-6_61_07005012.nda": "pulses: a third of the time, recorded at their height",
    "nda/navani__test.nda": "few records while the current tapers",
    "ndax/fastnda__test_2.ndax": "the time of each step begins 0.3 s after its current",
    "landt/navani__NJK_CC_156_C30_C_x30.xlsx": "the time is written in 0.01 h",
}  # fmt: skip
SILICON = Cell("Si", "half", working_electrode_role="anode")


def computed(timeseries: pl.DataFrame, cell: Cell) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give half cycles and cycles."""
    segments = {"half_cycle_segments": half_cycle_segments(timeseries, "file")}
    (halves,) = half_cycles.ANALYSIS.compute(cell, segments)
    (made,) = cycles.ANALYSIS.compute(
        cell,
        {"half_cycles": halves.table, "protocol_segments": empty_table("protocol_segments")},
    )
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


def row_of(path: Path) -> dict[str, object] | None:
    """Compare one file; None if it has no table of cycles."""
    measured = cellpipe.read(path).tables
    if "vendor_cycles" not in measured:
        return None
    timeseries = measured["timeseries"]
    theirs = vendors(measured["vendor_cycles"], path.name)
    _, ours = computed(timeseries, Cell("any"))
    digits = {
        side: last_digit(measured["vendor_cycles"][f"vendor_{side}_capacity_ah"].to_numpy() * 1e3)
        for side in SIDES
    }
    worst = dict.fromkeys(SIDES, 0.0)
    reasons: set[str] = set()
    if ours.height != theirs.height:
        last = ours.tail(ours.height - theirs.height)
        assert not last["complete"].any(), path
        reasons.add("the last cycle was not run to its end, and the instrument lists whole ones")
    both = list(zip(ours.iter_rows(named=True), theirs.iter_rows(named=True), strict=False))
    for mine, vendor in both:
        for side in SIDES:
            counted, found = vendor[f"vendor_{side}_capacity_ah"], mine[f"{side}_capacity_ah"] or 0
            if counted < SMALL * theirs[f"vendor_{side}_capacity_ah"].max():
                continue
            worst[side] = max(worst[side], abs(found / counted - 1))
            if abs(found - counted) > 1e-6 * counted:
                assert abs(found - counted) <= digits[side] * 1e-3 + 1e-4 * counted, (path, mine)
    return {
        "file": f"{path.parent.name}/{path.name}", "vendor_cycles": theirs.height,
        "cycles": ours.height, "compared": len(both),
        **{f"{side}_percent": percent(worst[side]) for side in SIDES},
        "reason": "; ".join(sorted(reasons)),
    }  # fmt: skip


def test_every_vendors_table_of_cycles_agrees_in_number_and_within_two_ten_thousandths(
    real_data: Path,
) -> None:
    kinds = ("res", "arbin-xlsx", "landt", "neware-csv", "derived")
    paths = [path for kind in kinds for path in sorted((real_data / kind).iterdir())]
    rows = [row for path in paths if path.is_file() and (row := row_of(path))]
    assert len(rows) >= 7
    for row in rows:
        apart = max(float(str(row[f"{side}_percent"]).lstrip("< ")) for side in SIDES)
        assert apart <= 100 * ALLOWED, row
        assert row["vendor_cycles"] == row["cycles"] or row["reason"], row
    hold(PAGE, rows)


def percent(share: float) -> str:
    """Write a difference in percent; what is below the last digit of all tables is not told."""
    return f"{100 * share:.2g}" if 100 * share >= LEAST_PERCENT else f"< {LEAST_PERCENT:.5f}"


def hold(page: Path, rows: list[dict[str, object]]) -> None:
    """Hold what was measured against what stands in the documentation, or write it there."""
    lines = ["\t".join(rows[0]), *("\t".join(str(v) for v in row.values()) for row in rows)]
    text = "\n".join(lines) + "\n"
    if os.environ.get("CELLPIPE_WRITE_TRUTH"):
        page.write_text(text, encoding="utf-8")
    assert text == page.read_text(encoding="utf-8")


def count(records: pl.DataFrame) -> float:
    """Add up what the file's own counter rose by, Ah; where it fell, it began anew.

    Written without the code that it is held against: a net count by its ends, others by increments.
    """
    if "net_capacity_ah" in records.columns and not records["net_capacity_ah"].null_count():
        return float(records["net_capacity_ah"][-1] - records["net_capacity_ah"][0])
    total = 0.0
    for side, sign in zip(SIDES, (1, -1), strict=True):
        values = records[f"vendor_{side}_capacity_ah"].to_list()
        total += sign * sum(b - a if b >= a else b for a, b in pairwise(values))
    return total


def counted_row(name: str, real_data: Path) -> dict[str, object]:
    """Compare the half cycles of a file with its counter, and so their current alone."""
    timeseries = cellpipe.read(real_data / name).tables["timeseries"]
    halves, _ = computed(timeseries, Cell("any"))
    alone, _ = computed(
        timeseries.drop("net_capacity_ah", *(f"vendor_{s}_capacity_ah" for s in SIDES),
                        strict=False), Cell("any"))  # fmt: skip
    largest = halves["capacity_ah"].max()
    index = timeseries["record_index"].to_numpy()
    ours, integral, compared = 0.0, 0.0, 0
    for half, other in zip(halves.iter_rows(named=True), alone.iter_rows(named=True), strict=False):
        first, last = (
            int(np.searchsorted(index, half[f"{end}_record_index"])) for end in ("first", "last")
        )
        rests = timeseries["current_ampere"][max(first - 1, 0)] == 0
        follows = timeseries["current_ampere"][last + 1 : last + 2].to_list() == [0]
        counted = abs(count(timeseries[first - (first > 0 and rests) : last + 1 + follows]))
        if half["capacity_ah"] < SMALL * largest or not counted:
            continue
        compared += 1
        ours = max(ours, abs(half["capacity_ah"] / counted - 1))
        if half["first_record_index"] == other["first_record_index"]:
            integral = max(integral, abs(other["capacity_ah"] / counted - 1))
    sources = ", ".join(halves["charge_source"].unique().sort())
    return {
        "file": name, "half_cycles": compared, "current_percent": percent(integral),
        "percent": percent(ours), "source": sources, "reason": COUNTED[name],
    }  # fmt: skip


def test_charges_are_those_of_the_counter_where_the_current_says_less(real_data: Path) -> None:
    rows = [counted_row(name, real_data) for name in COUNTED]
    hold(COUNTERS, rows)
    for row in rows:
        assert float(str(row["percent"]).lstrip("< ")) <= 100 * ALLOWED, row


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
