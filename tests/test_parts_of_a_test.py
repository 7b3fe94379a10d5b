"""However a test was cut into files, its numbers are those of one whole export."""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_parts import BEGIN, Habit, MadeCell, as_file, made_test

EXAMPLES = int(os.environ.get("CELLPIPE_PART_EXAMPLES", "500"))
NUMBERS = ("capacity_ah", "energy_wh", "end_voltage_volt", "duration_second", "mean_voltage_volt")
NAMES = (
    "A_Wb_{}.csv", "A-{}.csv", "A ({}).csv", "A_part{}.csv", "A_{}_of_4.csv", "A_Channel_1_{}.csv"
)  # fmt: skip


@cache
def whole_test() -> pl.DataFrame:
    return made_test(3, interval=60.0)


@cache
def whole_numbers(habit: Habit) -> pl.DataFrame:
    return MadeCell({"A.csv": as_file(whole_test(), habit)}).half_cycles()


def assert_as_whole(found: pl.DataFrame, expected: pl.DataFrame, tolerance: float) -> None:
    assert found["direction"].to_list() == expected["direction"].to_list()
    for name in NUMBERS:
        assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=tolerance)


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(data=st.data())
def test_a_test_in_parts_has_the_numbers_of_one_export(data: st.DataObject) -> None:
    draw, whole = data.draw, whole_test()
    habit = Habit(
        clock=draw(st.sampled_from(["exact", "whole", "none"])),
        restarts=draw(st.booleans()),
        renumbers=draw(st.booleans()),
        has_step_time=draw(st.booleans()),
        has_counters=draw(st.booleans()),
    )
    cuts = draw(st.lists(st.integers(9, whole.height - 2), min_size=1, max_size=3, unique=True))
    edges = [0, *sorted(cuts), whole.height]
    overlap = draw(st.sampled_from([0, 0, 1, 3, 40]))
    frames = [
        as_file(whole[max(0, begin - overlap) : end], habit) for begin, end in pairwise(edges)
    ]
    pattern = draw(st.sampled_from(NAMES))
    order = list(range(len(frames)))
    by_content = habit.clock != "none" or not habit.restarts
    if by_content:  # else the names alone tell the order
        order = draw(st.permutations(order))
    files = {pattern.format(number + 1): frames[n] for number, n in enumerate(order)}
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(files)))
        files[name.replace(".csv", " - Copy.csv")] = files[name]
    cell = MadeCell(files)
    told = not habit.restarts or (
        habit.clock == "exact" or (habit.clock == "whole" and habit.has_step_time)
    )  # else as an interval at a cut, or a few equal records, can carry
    if not told and {"recording_perhaps_twice", "records_missing"} & {*cell.said()}:
        return
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6 if told else 0.1)
    if overlap > 30 or (overlap and by_content):
        level = "warning" if overlap > 1 else "info"
        assert "records_in_two_files" in cell.codes(level) or cell.unused


@settings(
    max_examples=EXAMPLES // 5, deadline=None, suppress_health_check=list(HealthCheck),
    database=None,
)  # fmt: skip
@given(data=st.data())
def test_exports_that_overlap_count_each_record_once(data: st.DataObject) -> None:
    draw, whole = data.draw, whole_test()
    habit = Habit(clock=draw(st.sampled_from(["whole", "exact"])), restarts=draw(st.booleans()))
    files = {}
    for number in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, whole.height - 60))
        end = draw(st.integers(begin + 60, whole.height))
        lasts = whole["test_time_second"][end - 1] - whole["test_time_second"][begin]
        zones = [z for z in (0, 3600, -6 * 3600, 5.75 * 3600) if abs(z) < lasts]
        zone = draw(st.sampled_from(zones))  # a test that follows could have any other
        frame = as_file(whole[begin:end], habit, ahead_second=zone, decimals=3)
        files[f"A_{9 - number}.csv"] = frame
    files["A_0.csv"] = as_file(whole, habit)
    cell = MadeCell(files)
    assert cell.used == ["A_0.csv"]
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


@pytest.mark.parametrize("habit", [
    Habit("none", restarts=True, renumbers=True),
    Habit("none", restarts=True, renumbers=True, has_step_time=False),
    Habit("whole", restarts=True, has_step_time=False),
])  # fmt: skip
def test_a_step_that_a_file_cuts_goes_on_by_its_time_its_counter_or_the_clock(habit: Habit) -> None:
    whole = whole_test()
    files = {"A_1.csv": as_file(whole[:30], habit), "A_2.csv": as_file(whole[30:], habit)}
    tolerance = 1e-6 if habit.has_step_time else 1e-3  # of a clock in whole seconds, and a counter
    assert_as_whole(MadeCell(files).half_cycles(), whole_numbers(habit), tolerance)


def test_a_running_test_exported_each_day_is_used_once_and_compared_once() -> None:
    whole, habit = whole_test(), Habit()
    files = {f"A_{day}.csv": as_file(whole[: 40 * day], habit) for day in range(1, 11)}
    cell = MadeCell(files)
    assert cell.used == ["A_10.csv"]
    assert {status for status, _ in cell.unused.values()} == {"duplicate"}
    assert cell.codes() == []


def test_records_that_only_the_shorter_export_holds_are_kept() -> None:
    whole, habit = whole_test(), Habit()
    holed = pl.concat([whole[:100], whole[150:]])
    cell = MadeCell({"A_1.csv": as_file(whole[:200], habit), "A_2.csv": as_file(holed, habit)})
    assert cell.used == ["A_1.csv", "A_2.csv"]
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)
    (said,) = [f.sentence for f in cell.findings if f.level == "warning"]
    assert said == (
        "A_2.csv holds records 1 to 100, 151 to 200 of A_1.csv, too: what is in both counts once, "
        "and is left out of the latter."
    )


def test_the_one_record_that_an_instrument_writes_into_both_files_is_a_note() -> None:
    whole, habit = whole_test(), Habit()
    cell = MadeCell({"A_1.csv": as_file(whole[:100], habit), "A_2.csv": as_file(whole[99:], habit)})
    assert (cell.codes(), cell.codes("info")) == ([], ["records_in_two_files"])
    assert cell.findings[0].sentence.startswith("A_2.csv holds record 100 of A_1.csv, too")
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


def test_equal_programmes_on_other_days_are_all_kept() -> None:
    once = made_test(1, interval=60.0, noise_volt=0.0)
    days = {
        f"A_{day}.csv": as_file(
            once.with_columns(pl.col("unix_time_second") + day * apart), Habit()
        )
        for day in range(3)
        for apart in [20 * 3600.0]
    }
    cell = MadeCell(days)
    assert len(cell.used) == 3
    assert cell.half_cycles().height == 6
    assert cell.codes() == []


def test_records_missing_between_two_parts_are_said_and_add_no_charge() -> None:
    whole, habit = whole_test(), Habit()
    cell = MadeCell({"A_1.csv": as_file(whole[:30], habit), "A_2.csv": as_file(whole[40:], habit)})
    assert cell.codes() == ["records_missing_between_files"]
    short = whole_numbers(habit)["capacity_ah"][0] - cell.half_cycles()["capacity_ah"][0]
    assert short == pytest.approx(11 * 60 * 2e-3 / 3600, rel=1e-6)


def test_the_parts_of_a_recording_stay_named() -> None:
    whole, habit = whole_test(), Habit()
    cell = MadeCell({"A_1.csv": as_file(whole[:30], habit), "A_2.csv": as_file(whole[30:], habit)})
    first = cell.half_cycles().row(0, named=True)
    by_path = {file.path: file.content.sha256 for file in cell.files}
    assert (first["file_sha256"], first["last_file_sha256"]) == (
        by_path["A_1.csv"], by_path["A_2.csv"]
    )  # fmt: skip
    assert (first["first_record_index"], first["segments"]) == (1, 1)


def test_a_part_that_another_one_holds_does_not_hide_the_order_of_the_rest() -> None:
    whole, habit = whole_test(), Habit("none", has_step_time=False, has_counters=False)
    spans = {"A_1.csv": (0, 9), "A_2.csv": (42, 123), "A_3.csv": (0, 82), "A_4.csv": (83, 180)}
    cell = MadeCell({name: as_file(whole[a:b], habit) for name, (a, b) in spans.items()})
    assert cell.used == ["A_3.csv", "A_2.csv", "A_4.csv"]


def test_a_part_whose_clock_is_days_early_stands_where_names_and_cycles_put_it() -> None:
    whole, habit = whole_test(), Habit(restarts=True)
    parts = {
        "A_1.csv": as_file(whole[:180], habit),
        "A_2.csv": as_file(whole[180:], habit, ahead_second=-3 * 86_400.0),
    }
    cell = MadeCell(parts)
    assert cell.used == ["A_1.csv", "A_2.csv"]
    assert cell.codes() == ["clock_contradicts_order"]
    assert_as_whole(cell.half_cycles(), whole_numbers(Habit(restarts=True)), 1e-6)


def test_a_part_whose_clock_was_never_set_stands_where_its_test_time_puts_it() -> None:
    whole, habit = whole_test(), Habit()
    early = as_file(whole[180:], habit).with_columns(pl.col("unix_time_second") - BEGIN)
    cell = MadeCell({"A_9.csv": as_file(whole[:180], habit), "A_1.csv": early})
    assert cell.used == ["A_9.csv", "A_1.csv"]
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("hours", [-2.0, -1.0, 1.0, 2.0, 5.75])
@pytest.mark.parametrize("cut", [30, 120, 180])
def test_a_part_whose_clock_is_in_another_zone_goes_on_within_its_step(
    cut: int, hours: float, restarts: bool
) -> None:
    whole, habit = whole_test(), Habit(restarts=restarts)
    later = as_file(whole[cut:], habit, ahead_second=3600.0 * hours)
    cell = MadeCell({"A_1.csv": as_file(whole[:cut], habit), "A_2.csv": later})
    if restarts and hours < 0 and cut == 30:  # half an hour: by nothing but its name the first
        assert "recordings_overlap" in cell.said()
        assert not cell.cycles()["complete"][0]
    else:
        assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


def test_files_that_both_begin_at_the_start_of_the_test_go_on_by_their_test_time() -> None:
    """Linked techniques are stamped with the start of the first."""
    whole, habit = whole_test(), Habit()
    second = as_file(whole[180:], habit)
    lasts = second["test_time_second"][0] - whole["test_time_second"][0]
    second = second.with_columns(pl.col("unix_time_second") - lasts)
    cell = MadeCell({"A_1.csv": as_file(whole[:180], habit), "A_2.csv": second})
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


@pytest.mark.parametrize("cut", [20, 30, 150])
def test_an_interval_that_nothing_tells_between_two_files_is_in_the_uncertainty(cut: int) -> None:
    whole, habit = whole_test(), Habit("none", True, True, has_step_time=False, has_counters=False)
    cell = MadeCell(
        {"A_1.csv": as_file(whole[:cut], habit), "A_2.csv": as_file(whole[cut:], habit)}
    )
    found = cell.half_cycles()
    off = (found["capacity_ah"] - whole_numbers(habit)["capacity_ah"]).abs()
    assert off.max() > 1e-5
    assert (off <= found["charge_uncertainty_ah"]).all()


@pytest.mark.parametrize("cuts", [(278, 279), (278, 281), (30, 150)])
def test_a_clock_that_the_test_time_bears_out_goes_before_the_names(cuts: tuple[int, int]) -> None:
    whole, habit = whole_test(), Habit("exact")
    first, second, third = (
        as_file(whole[a:b], habit) for a, b in pairwise((0, *cuts, whole.height))
    )
    cell = MadeCell({"A_1.csv": first, "A_2.csv": third, "A_3.csv": second})
    assert cell.used == ["A_1.csv", "A_3.csv", "A_2.csv"]
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)


def test_one_shared_record_tells_the_time_more_exactly_than_clocks_in_whole_seconds() -> None:
    whole, habit = whole_test(), Habit("whole", restarts=True, renumbers=True, has_counters=False)
    spans = {"A_1.csv": (0, 327), "A_2.csv": (326, 329), "A_3.csv": (328, whole.height)}
    cell = MadeCell({name: as_file(whole[a:b], habit) for name, (a, b) in spans.items()})
    assert_as_whole(cell.half_cycles(), whole_numbers(habit), 1e-6)
