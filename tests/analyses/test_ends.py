"""What half cycles end by, and which numbers follow: the small cells of the corpus, and made ones.

A made cell is linear: its voltage rises from 2.6 to 4.2 V and falls from 4.1 to 2.5 V over 2 mAh.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe import read
from cellpipe.analyses import cells, comparison, cycles, half_cycles, protocol
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.analyses.registry import empty_input
from cellpipe.baselines import table1
from cellpipe.core.contracts import empty_table, validate
from cellpipe.core.model import Cell, Finding
from cellpipe.numerics.cycling.ends import ENDED

CORPUS = Path(__file__).parents[3] / "shared" / "cases" / "cycling"
corpus = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of cases is not there")
FULL = Cell("A", "full")
LIMITED = Cell("A", "full", lower_voltage_volt=2.5, upper_voltage_volt=4.2)
Step = tuple[float, float, float, float]  # mA, mAh, first and last volt


def tables_of(cell: Cell, *files: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    parts = [
        validate("half_cycle_segments", half_cycle_segments(file, f"{n:064}"))
        for n, file in enumerate(files)
    ]
    records = [file.with_columns(file_sha256=pl.lit(f"{n:064}")) for n, file in enumerate(files)]
    tables = {"half_cycle_segments": pl.concat(parts), "files": empty_table("files"),
              "timeseries": pl.concat(records, how="diagonal"),
              "impedance": empty_input("impedance"),
              "interfacial_resistance": empty_table("interfacial_resistance"),
              "baselines": table1()}  # fmt: skip
    findings = []
    for each in (half_cycles, protocol, cycles, cells, comparison):
        for result in each.ANALYSIS.compute(cell, tables):
            tables[result.analysis] = validate(result.analysis, result.table)
            findings += result.findings
    return tables, findings


def of_corpus(
    name: str, cell: Cell = FULL
) -> tuple[dict[str, pl.DataFrame], list[Finding], dict[str, object]]:
    paths = sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
    frames = [read(path).tables["timeseries"] for path in paths]
    tables, findings = tables_of(cell, *frames)
    return tables, findings, tables["cells"].row(0, named=True)


def ended(tables: dict[str, pl.DataFrame]) -> list[str]:
    return tables["half_cycles"]["ended_by"].to_list()


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings if finding.level == "warning"}


def record(
    *steps: Step, records: int = 100, rest_minutes: float = 0.0, step_counts: bool = True,
    start: float = 0.0,
) -> pl.DataFrame:  # fmt: skip
    """Make a time series; a step of no charge is a rest of an hour."""
    rows = [(start + second, 0.0, steps[0][2], 0) for second in (0.0, 59.0, 59.999)]
    now, number = start + 60.0, 1
    for ampere, charge, first, last in steps:
        seconds = 3600.0 * abs(charge / ampere) if ampere else 3600.0 * charge
        for share in np.linspace(0, 1, records):
            volt = first + share * (last - first)
            rows.append((now + share * seconds, ampere / 1e3, volt, number))
        now, number = now + seconds, number + 1
        if rest_minutes and ampere:
            middle = last - 0.05 * np.sign(ampere)
            minutes = [*range(int(rest_minutes)), rest_minutes - 1e-4]
            rows += [(now + 60 * m + 1e-3, 0.0, middle, number) for m in minutes]
            now, number = now + 60 * rest_minutes, number + 1
    time, current, volt, step = (np.array(column) for column in zip(*rows, strict=True))
    frame = pl.DataFrame(
        {
            "record_index": np.arange(1, len(rows) + 1), "test_time_second": time,
            "unix_time_second": 1.7e9 + time, "voltage_volt": volt, "current_ampere": current,
            "step_count": step.astype(np.int64),
        }
    )  # fmt: skip
    return frame if step_counts else frame.drop("step_count")


def charge(share: float = 1.0, milliampere: float = 0.5, of: float = 2.0) -> Step:
    return (milliampere, of * share, 2.6, 2.6 + 1.6 * share)


def discharge(share: float = 1.0, milliampere: float = 0.5, of: float = 2.0) -> Step:
    return (-milliampere, 0.99 * of * share, 4.1, 4.1 - 1.6 * share)


WHOLE = [charge(), discharge()]
SHAPES = pytest.mark.parametrize(
    ("rest_minutes", "step_counts", "cell"),
    [(rest, counts, cell) for rest in (0.0, 10.0) for counts in (True, False)
     for cell in (FULL, LIMITED)],
)  # fmt: skip


# The corpus


@corpus
def test_a_discharge_stopped_in_mid_test_is_in_no_number() -> None:
    tables, findings, row = of_corpus("S10b")
    assert ended(tables).count("broken off") == 1
    assert tables["half_cycles"].filter(pl.col("ended_by") == "broken off")["capacity_ah"][
        0
    ] == pytest.approx(0.8e-3, rel=1e-3)
    assert tables["cycles"].filter(~pl.col("complete"))["cycle"].to_list() == [4, 5]
    assert row["mean_coulombic_efficiency"] == pytest.approx(0.9950, abs=5e-5)
    assert "half_cycle_broken_off" in codes(findings)


@corpus
def test_a_gap_that_swallowed_a_half_cycle_adds_no_charges() -> None:
    tables, findings, row = of_corpus("S11")
    assert tables["half_cycles"]["capacity_ah"].max() < 2.1e-3
    assert "broken off" in ended(tables)
    assert "records_missing" in codes(findings)
    assert row["mean_coulombic_efficiency"] == pytest.approx(0.9950, abs=5e-5)


@corpus
def test_a_titration_that_still_runs_has_no_first_efficiency() -> None:
    tables, _, row = of_corpus("S30", Cell("A", "half", working_electrode_role="cathode"))
    assert tables["cycles"]["complete"].to_list() == [False]
    assert row["initial_coulombic_efficiency"] is None


@corpus
def test_a_rest_short_of_the_sheets_limit_ends_no_cycle() -> None:
    cell = Cell("A", "half", working_electrode_role="anode", anode_active_mass_mg=1.0,
                lower_voltage_volt=0.01, upper_voltage_volt=1.0)  # fmt: skip
    tables, _, row = of_corpus("S31", cell)
    assert ended(tables) == ["voltage limit", "broken off"]
    assert row["initial_coulombic_efficiency"] is None
    assert row["capacity_retention"] is None


@corpus
def test_a_constant_voltage_that_has_just_begun_is_no_end() -> None:
    tables, _, row = of_corpus("S08")
    assert ended(tables) == [*["current limit"] * 5, "end of file"]
    assert tables["cycles"]["complete"].to_list() == [True, True, False]
    assert (row["capacity_retention"], row["retention_cycle"]) == (pytest.approx(1.0), 2)


@corpus
def test_a_conditioning_discharge_is_not_the_first_cycle() -> None:
    _, _, row = of_corpus("U1")
    assert row["initial_coulombic_efficiency"] == pytest.approx(0.8, abs=1e-4)
    assert row["first_discharging_capacity_ah"] == pytest.approx(2.0e-3, rel=1e-4)
    assert row["mean_coulombic_efficiency"] == pytest.approx(0.9913, abs=5e-5)
    assert row["initial_remark"] is None


@corpus
def test_an_efficiency_above_one_says_that_the_cell_came_charged() -> None:
    tables, findings, row = of_corpus("S05")
    assert row["initial_coulombic_efficiency"] == pytest.approx(2.0, rel=1e-3)
    assert "came charged" in str(row["initial_remark"])
    assert "initial_efficiency_impossible" in codes(findings)
    assert row["mean_coulombic_efficiency"] == pytest.approx(0.99, abs=2e-4)
    assert tables["cycles"]["complete"].all()


@corpus
def test_a_check_cycle_is_compared_with_the_slow_cycle_before_it() -> None:
    tables, _, row = of_corpus("S06")
    assert row["formation_cycles"] == 3
    at = dict(tables["cycles"].select("cycle", "capacity_retention_at_rate").iter_rows())
    assert at[64] == pytest.approx(0.85, abs=1e-4)
    assert at[4] == 1.0
    assert row["capacity_retention_at_rate"] == pytest.approx(0.882, abs=1e-4)
    assert (row["retention_at_rate_cycle"], row["retention_at_rate_reference_cycle"]) == (63, 4)
    assert (row["check_cycle"], row["check_reference_cycle"]) == (65, 1)
    assert row["check_retention"] == pytest.approx(0.8495, abs=1e-4)
    assert row["capacity_retention"] == pytest.approx(0.8495, abs=1e-4)


@corpus
def test_a_symmetric_cell_has_no_efficiency_and_no_retention() -> None:
    tables, _, row = of_corpus("T7", Cell("A", "symmetric"))
    assert tables["cycles"].height == 30
    assert set(ended(tables)) == {"time limit"}
    assert tables["cycles"]["coulombic_efficiency"].null_count() == 30
    assert tables["cycles"]["capacity_retention"].null_count() == 30
    assert row["capacity_retention"] is None
    assert row["capacity_retention_at_rate"] is None


@corpus
@pytest.mark.parametrize("name", ["P1", "P2", "P3", "T18", "Wthou", "F_n5", "S20"])
def test_a_healthy_cell_keeps_all_its_cycles(name: str) -> None:
    silicon = Cell("A", "half", working_electrode_role="anode")
    tables, findings, _ = of_corpus(name, silicon if name in {"Wthou", "F_n5"} else FULL)
    assert tables["cycles"]["complete"].all()
    assert not codes(findings) & {"half_cycle_broken_off", "records_missing", "cycles_lost"}


# Made cells


@SHAPES
@pytest.mark.parametrize("share", [0.05, 0.4, 0.95])
@pytest.mark.parametrize("broken", [0, 1, 6, 7, 12, 13])
def test_a_half_cycle_that_stops_anywhere_is_in_no_number(
    share: float, broken: int, rest_minutes: float, step_counts: bool, cell: Cell
) -> None:
    """The first, a middle and the last cycle; resumed in the other direction, or resting."""
    steps = WHOLE * 7
    stop, other = (charge, discharge) if broken % 2 == 0 else (discharge, charge)
    steps[broken] = stop(share)
    if broken + 1 < len(steps):
        following = other(share if broken % 2 == 0 else 1.0)
        if broken % 2 == 0:  # the discharge begins where the charge stopped, and ends at its limit
            following = (following[0], following[1], 2.5 + 1.6 * share, 2.5)
        else:
            following = (following[0], 2.0 * share, 4.2 - 1.6 * share, 4.2)
        steps[broken + 1] = following
    frame = record(*steps, rest_minutes=rest_minutes, step_counts=step_counts)
    tables, _ = tables_of(cell, frame)
    halves = tables["half_cycles"]
    assert halves.height == 14
    assert [word in ENDED for word in ended(tables)] == [n != broken for n in range(14)]
    table = tables["cycles"]
    out = {broken // 2 + 1, broken // 2 + 2} if broken % 2 else {broken // 2 + 1}
    assert table.filter(~pl.col("complete"))["cycle"].to_list() == sorted(out & set(range(1, 8)))
    assert table["coulombic_efficiency"].drop_nulls().to_list() == pytest.approx(
        [0.99] * (7 - len(out & set(range(1, 8)))), abs=1e-3
    )
    kept = table["capacity_retention"].drop_nulls()
    assert kept.to_list() == pytest.approx([1.0] * len(kept), abs=1e-3)


@SHAPES
@pytest.mark.parametrize("share", [0.05, 0.4, 0.95])
def test_a_half_cycle_that_is_resumed_in_its_direction_is_whole(
    share: float, rest_minutes: float, step_counts: bool, cell: Cell
) -> None:
    first = charge(share)
    rest = (0.0, 5.0, first[3] - 0.05, first[3] - 0.05)
    second = (0.5, 2.0 * (1 - share), first[3], 4.2)
    steps = [*WHOLE * 2, first, rest, second, discharge(), *WHOLE * 2]
    frame = record(*steps, rest_minutes=rest_minutes, step_counts=step_counts)
    tables, findings = tables_of(cell, frame)
    assert tables["cycles"]["complete"].to_list() == [True] * 5
    assert tables["cycles"]["coulombic_efficiency"].to_list() == pytest.approx([0.99] * 5, abs=1e-3)
    assert not codes(findings)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_half_cycle_that_goes_on_in_another_file_days_later_is_whole(share: float) -> None:
    first = charge(share)
    before = record(*WHOLE * 2, first)
    start = float(before["test_time_second"][-1]) + 2 * 86_400
    after = record((0.0, 1.0, first[3] - 0.1, first[3] - 0.1),
                   (0.5, 2.0 * (1 - share), first[3] - 0.02, 4.2), discharge(), *WHOLE,
                   start=start)  # fmt: skip
    tables, findings = tables_of(FULL, before, after)
    assert tables["cycles"]["complete"].to_list() == [True] * 4
    doubt = {"long_pause", "efficiency_uncertain"}  # only its charge tells that none was lost
    assert codes(findings) == doubt
    assert max(tables["cycles"]["coulombic_efficiency_uncertainty"].drop_nulls()) > 0.019


def test_two_charges_that_hold_as_much_as_one_are_two_if_the_steps_went_on() -> None:
    """A charge and the next one are cut so that they make one whole; 20 h and 4 steps are lost."""
    whole = record(*WHOLE * 5)
    number = whole["step_count"].to_numpy()
    third, fourth = (np.flatnonzero(number == step) for step in (5, 7))
    before, after = whole[: third[50]], whole[fourth[50] :]
    tables, findings = tables_of(FULL, before, after)
    assert tables["half_cycles"]["capacity_ah"].max() < 2.01e-3
    assert "records_missing" in codes(findings)
    assert tables["cycles"]["coulombic_efficiency"].drop_nulls().to_list() == pytest.approx(
        [0.99] * 3, abs=1e-3
    )


def test_a_time_without_records_in_which_the_voltage_did_not_move_passed_no_charge() -> None:
    whole = record(*WHOLE * 5)
    number = whole["step_count"].to_numpy()
    third, fourth = (np.flatnonzero(number == step) for step in (6, 8))
    holed = pl.concat([whole[: third[50]], whole[fourth[50] :]]).drop("step_count")
    tables, findings = tables_of(FULL, holed)
    assert tables["half_cycles"]["capacity_ah"].max() < 2.01e-3
    assert codes(findings) & {"long_pause", "records_missing"}
    assert max(tables["cycles"]["coulombic_efficiency_uncertainty"].drop_nulls()) > 0.019


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("rest_minutes", [0.0, 30.0])
@pytest.mark.parametrize("files", [1, 2])
def test_a_half_cycle_without_its_first_records_is_in_no_efficiency(
    share: float, rest_minutes: float, files: int
) -> None:
    whole = record(*WHOLE * 5, rest_minutes=rest_minutes).drop("step_count")
    starts = np.flatnonzero((whole["current_ampere"] < 0) & (whole["current_ampere"].shift(1) >= 0))
    begin = int(starts[2])
    before, after = whole[:begin], whole[begin + int(100 * share) :]
    parts = [before, after] if files == 2 else [pl.concat([before, after])]
    tables, findings = tables_of(FULL, *parts)
    assert tables["cycles"].filter(~pl.col("complete"))["cycle"].to_list() == [3]
    assert "beginning_missing" in codes(findings)


@pytest.mark.parametrize("place", ["first", "last", "middle"])
@pytest.mark.parametrize("minutes", [15.0, 120.0])
def test_a_pause_within_a_step_adds_no_charge_wherever_it_is(place: str, minutes: float) -> None:
    whole = record(*WHOLE * 5).drop("step_count")
    runs = np.flatnonzero(np.diff((whole["current_ampere"] < 0).to_numpy().astype(int))) + 1
    at = {"first": runs[4] + 1, "last": runs[5] - 1, "middle": (runs[4] + runs[5]) // 2}[place]
    later = pl.when(pl.int_range(pl.len()) >= int(at)).then(60 * minutes).otherwise(0.0)
    paused = whole.with_columns(
        pl.col(name) + later for name in ("test_time_second", "unix_time_second")
    )
    tables, _ = tables_of(FULL, paused)
    cycle = tables["cycles"].row(2, named=True)
    doubt = cycle["coulombic_efficiency_uncertainty"] or 0.0
    known = cycle["coulombic_efficiency"] or 0.99  # none, if its end is not known
    assert known == pytest.approx(0.99, abs=max(1.1 * doubt, 2e-3))
    assert tables["half_cycles"]["capacity_ah"].max() < 2.01e-3


@pytest.mark.parametrize("minutes", [15.0, 120.0, 900.0])
@pytest.mark.parametrize("records", [30, 200])
def test_a_pause_that_a_counter_bears_out_leaves_the_charge_as_it_was_counted(
    minutes: float, records: int
) -> None:
    whole = record(*WHOLE * 5, records=records)
    time, ampere = (whole[n].to_numpy() for n in ("test_time_second", "current_ampere"))
    charge = np.append(0.0, np.diff(time) * ampere[1:] / 3600)
    runs = np.flatnonzero(np.diff((ampere < 0).astype(int))) + 1
    later = np.where(np.arange(len(time)) >= (runs[4] + runs[5]) // 2, 60 * minutes, 0.0)
    counted = whole.with_columns(
        pl.Series("vendor_charging_capacity_ah", np.cumsum(charge.clip(0))),
        pl.Series("vendor_discharging_capacity_ah", np.cumsum((-charge).clip(0))),
    )
    paused = counted.with_columns(
        pl.col(name) + later for name in ("test_time_second", "unix_time_second")
    )
    before, after = (tables_of(FULL, frame)[0]["half_cycles"] for frame in (counted, paused))
    assert after["capacity_ah"].to_list() == pytest.approx(before["capacity_ah"].to_list(), 1e-6)


@pytest.mark.parametrize("number", [6, 12, 30])
@pytest.mark.parametrize("is_counted", [True, False])
def test_a_test_time_that_stands_still_is_a_doubt_unless_a_counter_goes_on(
    number: int, is_counted: bool
) -> None:
    whole = record(*WHOLE * 4)
    time = whole["test_time_second"].to_numpy().copy()
    ampere = whole["current_ampere"].to_numpy()
    charge = np.append(0.0, np.diff(time) * ampere[1:] / 3600)
    begin = int(np.flatnonzero(ampere < 0)[40])
    time[begin + number :] -= time[begin + number] - time[begin]
    time[begin : begin + number] = time[begin]
    frame = whole.with_columns(pl.Series("test_time_second", time)).drop("unix_time_second")
    if is_counted:
        frame = frame.with_columns(
            pl.Series("vendor_charging_capacity_ah", np.cumsum(charge.clip(0))),
            pl.Series("vendor_discharging_capacity_ah", np.cumsum((-charge).clip(0))),
        )
    tables, _ = tables_of(FULL, frame)
    cycle = tables["cycles"].row(0, named=True)
    doubt = cycle["coulombic_efficiency_uncertainty"]
    assert abs(cycle["coulombic_efficiency"] - 0.99) <= doubt + 1e-3
    assert (doubt > 0.01) == (not is_counted)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("number", [1, 2])
def test_half_cycles_that_stop_at_one_place_once_or_twice_have_not_ended(
    share: float, number: int
) -> None:
    """A safety limit, or a cell whose charge before was short: no programme of its own."""
    stopped = [charge(), (-0.5, 1.98 * share, 4.1, 4.1 - 1.6 * share)]
    short = [(0.5, 2.0 * share, 4.2 - 1.6 * share, 4.2), stopped[1]]
    frame = record(*WHOLE * 3, *stopped, *short * (number - 1), charge(share), *WHOLE[1:2],
                   *WHOLE * 2)  # fmt: skip
    tables, _ = tables_of(FULL, frame)
    known = tables["cycles"]["coulombic_efficiency"].drop_nulls()
    assert known.to_list() == pytest.approx([0.99] * len(known), abs=1e-3)
    assert len(known) >= 5


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_piece_that_is_missing_between_two_files_makes_its_cycle_incomplete(
    share: float,
) -> None:
    before = record(*WHOLE * 2, charge(share))
    lost = 0.5 * (1 - share) + share
    start = float(before["test_time_second"][-1]) + 4 * 3600
    opening = (0.5, 2.0 * (1 - lost), 2.6 + 1.6 * lost, 4.2)
    after = record(opening, discharge(), *WHOLE, start=start)[1:]
    tables, findings = tables_of(FULL, before, after)
    assert tables["cycles"].filter(~pl.col("complete"))["cycle"].to_list() == [3]
    assert tables["cycles"].height == 4
    assert "records_missing" in codes(findings)
    assert "broken off" in ended(tables)


@pytest.mark.parametrize("seconds", [30.0, 7200.0])
def test_a_faster_step_in_the_next_file_is_no_missing_piece(seconds: float) -> None:
    """The voltage jumps on by the larger current's drop, and no charge was lost."""
    before = record(*WHOLE * 2, (0.1, 1.0, 2.6, 3.4))
    start = float(before["test_time_second"][-1]) + seconds
    after = record((0.5, 1.0, 3.5, 4.2), discharge(), *WHOLE, start=start)[3:]
    tables, findings = tables_of(FULL, before, after)
    assert tables["cycles"]["complete"].to_list() == [True] * 4
    doubt = {"long_pause", "efficiency_uncertain"} if seconds > 3600 else set()
    assert codes(findings) == doubt


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_lost_discharge_between_two_files_adds_no_charges(share: float) -> None:
    before = record(*WHOLE * 2, charge(share))
    start = float(before["test_time_second"][-1]) + 5 * 3600
    after = record(*WHOLE * 2, start=start)
    tables, findings = tables_of(FULL, before, after)
    assert tables["half_cycles"]["capacity_ah"].max() < 2.01e-3
    assert tables["cycles"].filter("complete")["coulombic_efficiency"].to_list() == pytest.approx(
        [0.99] * 4, abs=1e-3
    )
    assert "records_missing" in codes(findings)


def test_lost_whole_cycles_leave_a_hole_in_the_numbering() -> None:
    """Cycles 4 to 6 lie in a file that is not there; the instrument counts on."""

    def counted(frame: pl.DataFrame, first: int) -> pl.DataFrame:
        down = (pl.col("current_ampere") < 0).shift(1, fill_value=False)
        starts = (pl.col("current_ampere") > 0) & down
        return frame.with_columns(cycle_count=first + starts.cast(pl.Int64).cum_sum())

    before = counted(record(*WHOLE * 3), 1)
    start = float(before["test_time_second"][-1]) + 3 * 8 * 3600
    after = counted(record(*WHOLE * 3, start=start), 7)
    tables, findings = tables_of(FULL, before, after)
    assert tables["cycles"]["cycle"].to_list() == [1, 2, 3, 7, 8, 9]
    assert tables["cycles"]["complete"].all()
    assert "Cycles 4 to 6 are not in the data" in " ".join(f.sentence for f in findings)


def test_a_cycle_that_is_lost_within_a_file_leaves_a_hole_in_the_numbering() -> None:
    whole = record(*WHOLE * 6, rest_minutes=30)
    falls = (pl.col("current_ampere") > 0) & (pl.col("current_ampere").shift(1) <= 0)
    whole = whole.with_columns(cycle_count=1 + (falls.cast(pl.Int64).cum_sum() - 1).clip(0))
    rests = np.flatnonzero((whole["current_ampere"] == 0) & (whole["cycle_count"] == 2))
    later = np.flatnonzero((whole["current_ampere"] == 0) & (whole["cycle_count"] == 3))
    tables, findings = tables_of(FULL, pl.concat([whole[: rests[-9]], whole[later[-9] :]]))
    assert tables["cycles"]["cycle"].to_list() == [1, 2, 4, 5, 6]
    assert "Cycle 3 is not in the data" in " ".join(f.sentence for f in findings)


def taper(volt: float, milliampere: float, hours: float, records: int = 60) -> list[Step]:
    """Return a constant voltage as short steps, whose current falls by e in half an hour."""
    edges = np.linspace(0, hours, records)
    return [
        (milliampere * np.exp(-2 * a), milliampere * np.exp(-2 * a) * (b - a), volt, volt)
        for a, b in pairwise(edges)
    ]


@pytest.mark.parametrize("hours", [0.05, 0.3])
@pytest.mark.parametrize("cell", [FULL, LIMITED])
@pytest.mark.parametrize("broken", [0, 3, 5])
def test_a_constant_voltage_that_stops_early_is_no_end(
    hours: float, cell: Cell, broken: int
) -> None:
    steps = []
    for n in range(6):
        steps += [charge(), *taper(4.2, 0.5, hours if n == broken else 1.5), discharge()]
    frame = record(*steps, records=8).with_columns(step_count=pl.lit(1, pl.Int64))
    tables, _ = tables_of(cell, frame.drop("step_count"))
    charges = tables["half_cycles"].filter(pl.col("direction") == "charge")["ended_by"].to_list()
    assert charges == ["broken off" if n == broken else "current limit" for n in range(6)]
    assert tables["cycles"].filter(~pl.col("complete"))["cycle"][0] == broken + 1


def flat(milliampere: float, charge_mah: float, first: float, last: float) -> Step:
    return (milliampere, charge_mah, first, last)


@pytest.mark.parametrize("broken", [None, 0, 3])
def test_cells_that_are_cycled_to_a_capacity_keep_their_cycles(broken: int | None) -> None:
    """Lithium is plated to 1 mAh at voltages that drift, and stripped to 1 V."""
    steps = []
    for n in range(8):
        share = 0.4 if n == broken else 1.0
        drift = -0.03 - 0.004 * n
        steps += [flat(-0.5, 1.0 * share, -0.02, drift), flat(0.5, 0.98 * share, 0.02, 1.0)]
    cell = Cell("A", "half", working_electrode_role="anode")
    tables, _ = tables_of(cell, record(*steps))
    plated = tables["half_cycles"].filter(pl.col("direction") == "discharge")["ended_by"].to_list()
    assert [word == "broken off" for word in plated] == [n == broken for n in range(8)]
    assert tables["cycles"]["complete"].to_list() == [n != broken for n in range(8)]
    assert plated.count("capacity limit") + plated.count("time limit") >= 7


@pytest.mark.parametrize("broken", [None, 4])
def test_cells_that_are_cycled_to_a_time_keep_their_cycles(broken: int | None) -> None:
    """An hour each way, at currents that rise from pair to pair: the charges differ."""
    steps = []
    for n in range(8):
        hours = 0.4 if n == broken else 1.0
        milliampere, volt = 0.2 + 0.1 * (n // 2), 0.05 + 0.01 * n
        steps += [flat(sign * milliampere, milliampere * hours, sign * 0.8 * volt, sign * volt)
                  for sign in (1, -1)]  # fmt: skip
    tables, _ = tables_of(Cell("A", "symmetric"), record(*steps))
    whole = [word == "time limit" for word in ended(tables)]
    assert whole == [n // 2 != broken for n in range(16)]


def test_a_rate_test_is_whole_and_no_formation() -> None:
    steps = []
    for rate, held in ((0.1, 2.0), (0.2, 1.9), (0.5, 1.7), (1.0, 1.4), (0.1, 1.98)):
        steps += [charge(1.0, rate, held), discharge(1.0, rate, held)] * 4
    tables, _ = tables_of(FULL, record(*steps))
    row = tables["cells"].row(0, named=True)
    assert tables["cycles"]["complete"].all()
    assert row["formation_cycles"] == 0
    unequal = []
    for rate, held, times in ((0.1, 2.0, 5), (0.2, 1.9, 5), (0.5, 1.7, 5), (1.0, 1.4, 9)):
        unequal += [charge(1.0, rate, held), discharge(1.0, rate, held)] * times
    assert tables_of(FULL, record(*unequal))[0]["cells"]["formation_cycles"][0] == 0


def test_formation_to_other_limits_keeps_its_cycles_and_is_in_no_mean() -> None:
    formation = [(0.1, 2.2, 2.6, 3.9), (-0.1, 1.76, 3.8, 2.8)]
    tables, _ = tables_of(FULL, record(*formation * 2, *WHOLE * 6))
    row = tables["cells"].row(0, named=True)
    assert tables["cycles"]["complete"].all()
    assert row["formation_cycles"] == 2
    assert row["initial_coulombic_efficiency"] == pytest.approx(0.8)
    assert row["mean_coulombic_efficiency"] == pytest.approx(0.99)


def test_one_formation_cycle_to_other_limits_at_the_usual_rate_is_complete() -> None:
    tables, findings = tables_of(FULL, record((0.5, 2.2, 2.6, 4.0), (-0.5, 1.8, 3.9, 2.7),
                                              *WHOLE * 5))  # fmt: skip
    assert tables["cycles"]["complete"].all()
    assert not codes(findings)


def titration(pulses: int, milliampere: float) -> list[Step]:
    """Return pulses of 0.1 mAh of a titration of twenty, each with a rest of two hours."""
    steps = []
    for n in range(pulses):
        low, high = 3.0 + 0.06 * n, 3.06 + 0.06 * n
        first, last = (low, high) if milliampere > 0 else (7.2 - low, 7.2 - high)
        steps += [(milliampere, 0.1, first, last), (0.0, 2.0, last - 0.1 * milliampere,
                                                    last - 0.1 * milliampere)]  # fmt: skip
    return steps


def test_a_titration_has_ended_when_it_has_come_back_and_is_no_cycle() -> None:
    cell = Cell("A", "half", working_electrode_role="cathode")
    whole = titration(20, 0.2) + titration(20, -0.2)
    ended, _ = tables_of(cell, record(*whole))
    assert set(ended["half_cycles"]["ended_by"]) <= set(ENDED)
    assert ended["cycles"]["protocol"].to_list() == ["GITT"]
    assert ended["cells"]["cycles"].to_list() == [0]
    assert ended["cells"]["capacity_retention"].to_list() == [None]
    for pulses in (8, 16):
        running = titration(20, 0.2) + titration(pulses, -0.2)
        once, findings = tables_of(cell, record(*running))
        twice, _ = tables_of(cell, record(*whole, *running))
        for tables, last in ((once, 2), (twice, 4)):
            assert tables["half_cycles"]["ended_by"][last - 1] not in ENDED
            assert set(tables["half_cycles"]["ended_by"][: last - 1]) <= set(ENDED)
            assert not tables["cycles"]["complete"].any()
            assert tables["cycles"]["coulombic_efficiency"].null_count() == last / 2
        assert not codes(findings)


@pytest.mark.parametrize("minutes", [10.0, 3000.0])
def test_a_charge_that_ends_with_its_file_and_turns_in_the_next_broke_off(minutes: float) -> None:
    before = record(*WHOLE * 2, charge(0.4))
    start = float(before["test_time_second"][-1]) + 60 * minutes
    after = record((-0.5, 0.79, 3.2, 2.5), *WHOLE * 2, start=start)
    tables, findings = tables_of(FULL, before, after)
    assert tables["cycles"].filter(~pl.col("complete"))["cycle"].to_list() == [3]
    assert "half_cycle_broken_off" in codes(findings)


def test_a_half_cycle_that_had_begun_before_the_data_makes_its_cycle_incomplete() -> None:
    time = pl.col("test_time_second")
    frame = record(*WHOLE * 3).with_columns(step_time_second=time - time.first().over("step_count"))
    tables, _ = tables_of(FULL, frame[50:])
    assert tables["half_cycles"]["begins_within"].to_list() == [True, *[False] * 5]
    assert tables["cycles"]["complete"].to_list() == [False, True, True]


def test_a_stub_before_the_first_cycle_is_not_the_initial_one() -> None:
    """A conditioning charge and discharge of 0.05 mAh, then formation."""
    stub = [(0.2, 0.05, 3.0, 3.2), (-0.2, 0.05, 3.2, 2.5)]
    steps = [*stub, (0.5, 2.5, 2.6, 4.2), discharge(), *WHOLE * 4]
    row = tables_of(FULL, record(*steps))[0]["cells"].row(0, named=True)
    assert row["initial_cycle"] == 2
    assert row["initial_coulombic_efficiency"] == pytest.approx(1.98 / 2.5)


def test_a_current_that_trickles_after_a_step_does_not_change_its_end() -> None:
    """The last record of each charge is a microampere, at a voltage that has fallen already."""
    frame = record(*WHOLE * 4)
    turns = (pl.col("current_ampere") > 0) & (pl.col("current_ampere").shift(-1) < 0)
    stray = frame.with_columns(
        voltage_volt=pl.when(turns).then(3.6).otherwise("voltage_volt"),
        current_ampere=pl.when(turns).then(1e-6).otherwise("current_ampere"),
    )
    ends = frame.with_row_index().filter(turns)["index"].to_list()
    stray = pl.concat([frame, stray[ends].with_columns(pl.col("test_time_second") + 1.0,
                       pl.col("unix_time_second") + 1.0)])  # fmt: skip
    stray = stray.sort("test_time_second", maintain_order=True).with_columns(
        record_index=pl.int_range(1, pl.len() + 1)
    )
    tables, _ = tables_of(LIMITED, stray)
    assert set(ended(tables)) == {"voltage limit"}
    assert tables["cycles"]["complete"].all()
