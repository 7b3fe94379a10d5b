"""What the instrument drives is charge, what it calls a rest is none, and modes tell shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cellpipe
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.recordings.timeseries import recording_findings

MODE, CURRENT, VOLTAGE = "step_mode", "current_ampere", "voltage_volt"
Step = tuple[str | None, float, float, float]  # mode, hours, A at its beginning and at its end


def record(*steps: Step, every: float = 60.0) -> pl.DataFrame:
    """Return a recording whose current is linear in each step; 1 mAh lifts the voltage by 0.5 V.

    While a voltage is held it stays where it was.
    """
    parts, now, volt = [], 0.0, 3.2
    for number, (mode, hours, first, last) in enumerate(steps, 1):
        count = max(round(hours * 3600 / every), 2) + 1
        since = np.linspace(0, hours * 3600, count)
        current = np.linspace(first, last, count)
        passed = since / 3600 * (first + current) / 2
        volts = volt + (0.0 if mode in {"CV", "rest"} else 500.0 * passed)
        parts.append(pl.DataFrame({
            "test_time_second": now + since, "step_time_second": since, CURRENT: current,
            VOLTAGE: np.broadcast_to(volts, since.shape), "step_count": np.full(count, number),
            MODE: pl.Series([mode] * count, dtype=pl.String),
        }))  # fmt: skip
        now, volt = now + since[-1], float(np.broadcast_to(volts, since.shape)[-1])
    return pl.concat(parts).with_row_index("record_index", 1).with_columns(
        pl.col("record_index").cast(pl.Int64), pl.col("step_count").cast(pl.Int64)
    )  # fmt: skip


def segments(table: pl.DataFrame) -> pl.DataFrame:
    return half_cycle_segments(table, "a" * 64)


def capacities(table: pl.DataFrame) -> list[float]:
    return segments(table)["capacity_ah"].to_list()


CYCLE: tuple[Step, ...] = (("CC", 2.0, 1e-3, 1e-3), ("rest", 0.5, 0, 0), ("CC", 1.9, -1e-3, -1e-3))


@pytest.mark.parametrize("mode", ["CV", "CCCV", "driven"])
def test_a_float_below_the_threshold_is_charge(mode: str) -> None:
    """Twenty days at 0.8 µA, a thousandth of the usual current, hold 16 % of the capacity."""
    table = record(CYCLE[0], (mode, 480.0, 0.8e-6, 0.8e-6), *CYCLE[1:])
    charged, discharged = capacities(table)
    assert charged == pytest.approx(2e-3 + 480 * 0.8e-6, rel=1e-3)
    assert discharged == pytest.approx(1.9e-3, rel=1e-3)
    assert capacities(table.drop(MODE))[0] == pytest.approx(2e-3, rel=1e-3)  # who knows?


@given(offset=st.floats(-2e-5, 2e-5), hours=st.floats(0.1, 400), place=st.integers(0, len(CYCLE)))
@settings(max_examples=200)
def test_a_rest_with_an_offset_is_no_charge_wherever_it_is(
    offset: float, hours: float, place: int
) -> None:
    """An offset of up to 2 % of the current, for up to two weeks."""
    rest: Step = ("rest", hours, offset, offset)
    table = record(*CYCLE[:place], rest, *CYCLE[place:], every=120)
    assert capacities(table) == pytest.approx(capacities(record(*CYCLE, every=120)), rel=1e-6)


@given(
    level=st.floats(1e-8, 0.9e-6), sign=st.sampled_from([1, -1]), noise=st.floats(0, 3),
    mode=st.sampled_from(["CC", "CV", "CCCV", "CP", "CR", "driven"]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=200)
def test_a_step_below_the_threshold_counts_when_driven_and_its_noise_does_not(
    level: float, sign: int, noise: float, mode: str, seed: int
) -> None:
    """Noise of up to three times the current itself changes sign at most records."""
    held: Step = (mode, 100.0, sign * level, sign * level)
    before = (CYCLE[0],) if sign > 0 else (CYCLE[0], CYCLE[2])
    table = record(*before, held)
    weak = pl.col(CURRENT).abs() < 1e-5
    random = np.random.default_rng(seed).standard_normal(table.height) * noise * level
    mean = np.mean(random[table["step_count"].to_numpy() == len(before) + 1])
    noisy = table.with_columns(pl.when(weak).then(pl.col(CURRENT) + random).otherwise(CURRENT))
    found = segments(noisy)
    way = pl.when(pl.col("direction") == "charge").then(1).otherwise(-1)
    net = float(found.select((pl.col("capacity_ah") * way).sum()).item())
    expected = (2e-3 if sign > 0 else 1e-4) + 100 * (sign * level + mean)
    tolerance = 100 * noise * level / 6000**0.5
    assert net == pytest.approx(expected, abs=tolerance + 2e-7)


def test_a_step_that_is_called_a_rest_and_is_none_is_charge_and_said() -> None:
    """Words that are shifted by a step: the current of the other steps flows in the rests."""
    table = record(*CYCLE, ("rest", 0.5, 0, 0), *CYCLE)
    words = table[MODE].to_list()
    shifted = table.with_columns(pl.Series(MODE, [*words[31:], *words[:31]]))
    wrong = table.with_columns(pl.lit("rest").alias(MODE))
    half = table.with_columns(
        pl.when(pl.col("step_count") > 4).then(pl.lit("rest")).otherwise(MODE).alias(MODE)
    )
    assert capacities(half) == pytest.approx(capacities(table), rel=1e-3)
    for each in (shifted, wrong, half):
        assert "rests_carry_current" in [f.code for f in recording_findings(each)]
    assert recording_findings(table) == []


def test_noise_about_zero_in_a_held_step_is_nothing() -> None:
    table = record(CYCLE[0], ("CV", 100.0, 0.0, 0.0))
    noise = np.random.default_rng(1).standard_normal(table.height) * 1e-7
    noise -= noise[table["step_count"].to_numpy() == 2].mean()
    noisy = table.with_columns(
        pl.when(pl.col(MODE) == "CV").then(pl.Series(noise)).otherwise(CURRENT).alias(CURRENT)
    )
    found = segments(noisy)
    assert found["capacity_ah"].to_list() == pytest.approx([2e-3], rel=1e-6)
    assert found["duration_second"].to_list() == pytest.approx([7200], rel=1e-2)


def test_the_modes_tell_the_share_at_constant_voltage_and_the_constant_current() -> None:
    """A voltage that drifts by 50 mV while it is held, and one that stands still at CC."""
    table = record(("CC", 1.0, 1e-3, 1e-3), ("CV", 1.0, 1e-3, 0.0), ("CC", 1.5, -1e-3, -1e-3))
    drift = pl.col(VOLTAGE) + pl.when(pl.col(MODE) == "CV").then(
        0.05 * pl.col("step_time_second") / 3600).otherwise(0.0)  # fmt: skip
    found = segments(table.with_columns(drift))
    assert found["constant_voltage_share"].to_list() == pytest.approx([1 / 3, 0.0], abs=2e-3)
    assert found["constant_current_ampere"].to_list() == pytest.approx([1e-3, 1e-3], rel=2e-3)
    by_shape = segments(table.drop(MODE))  # without modes, of a voltage that is held well
    assert by_shape["constant_voltage_share"].to_list() == pytest.approx([1 / 3, 0.0], abs=0.02)


@given(hold=st.floats(0.1, 3), rest=st.floats(0.1, 3), ampere=st.floats(1e-4, 1e-2))
@settings(max_examples=100)
def test_without_modes_the_numbers_are_those_that_the_shape_tells(
    hold: float, rest: float, ampere: float
) -> None:
    steps: tuple[Step, ...] = (
        ("CC", 2.0, ampere, ampere), ("CV", hold, ampere, ampere / 20), ("rest", rest, 0.0, 0.0),
        ("CC", 1.9, -ampere, -ampere),
    )  # fmt: skip
    told = segments(record(*steps))
    shape = segments(record(*steps).drop(MODE))
    for name in ("capacity_ah", "energy_wh", "constant_current_ampere", "end_voltage_volt"):
        assert shape[name].to_list() == pytest.approx(told[name].to_list(), rel=0.01)
    share = "constant_voltage_share"
    assert shape[share].to_list() == pytest.approx(told[share].to_list(), abs=0.02)


def test_a_half_cycle_at_constant_voltage_has_no_constant_current_and_no_resistance() -> None:
    table = record(("rest", 0.5, 0, 0), ("CV", 2.0, 1e-3, 1e-4), ("CC", 1.0, -1e-3, -1e-3))
    held, driven = segments(table).iter_rows(named=True)
    assert held["constant_voltage_share"] == 1
    assert held["constant_current_ampere"] is None
    assert held["dc_resistance_ohm"] is None
    assert driven["constant_current_ampere"] == pytest.approx(1e-3)


def test_a_current_that_has_not_settled_tells_no_resistance() -> None:
    """The first record after a rest holds 2 µA of 1 mA, or the rest before still half of it."""
    table = record(("rest", 0.5, 0, 0), ("CC", 1.0, 1e-3, 1e-3)).with_columns(
        pl.col(VOLTAGE) + 0.05 * (pl.col(MODE) == "CC")
    )
    first = table["record_index"].filter(table[MODE] == "CC")[0]
    assert segments(table)["dc_resistance_ohm"][0] == pytest.approx(50)
    for place, ampere in ((first, 2e-6), (first - 1, 5e-4)):
        changed = pl.when(pl.col("record_index") == place).then(ampere).otherwise(CURRENT)
        assert segments(table.with_columns(changed.alias(CURRENT)))["dc_resistance_ohm"][0] is None


@given(faint=st.floats(1e-7, 9e-5), sign=st.sampled_from([1, -1]), relaxed=st.floats(0, 0.05))
@settings(max_examples=100)
def test_what_is_recorded_behind_a_step_is_no_part_of_the_half_cycle(
    faint: float, sign: int, relaxed: float
) -> None:
    """One record of microamperes in a step of its own, with a voltage that relaxes already."""
    steps = (("CC", 2.0, 1e-3, 1e-3), ("CC", 1.9, -1e-3, -1e-3))
    parts = []
    for number, step in enumerate(record(*steps).partition_by("step_count")):
        part = step.with_columns(pl.col("step_count") + number)
        behind = part[-1].with_columns(
            pl.lit(sign * faint).alias(CURRENT),
            pl.col("test_time_second") + 0.1,
            pl.col(VOLTAGE) + (relaxed if number else -relaxed),
            pl.lit(0.1).alias("step_time_second"),
            pl.col("step_count") + 1,
        )
        parts += [part, behind]
    table = pl.concat(parts).drop(MODE).with_columns(
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    )  # fmt: skip
    found, expected = segments(table), segments(record(*steps).drop(MODE))
    for name in ("end_voltage_volt", "min_voltage_volt", "max_voltage_volt", "capacity_ah"):
        assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-3)


def test_the_half_cycles_of_an_arbin_file_end_at_their_voltage_limits(real_data: Path) -> None:
    """Each step is followed by a record of 0.3 to 28 µA, of 0.996 V behind a charge to 1 V."""
    path = real_data / "res" / "cellpy__20160805_test001_45_cc_01.res"
    found = segments(cellpipe.read(path).tables["timeseries"])
    ends = found.group_by("direction").agg(pl.col("end_voltage_volt").median().alias("usual"))
    joined = found.join(ends, on="direction")
    off = joined.filter((pl.col("end_voltage_volt") - pl.col("usual")).abs() > 0.002)
    assert dict(ends.iter_rows()) == {
        "charge": pytest.approx(1.0, abs=1e-3), "discharge": pytest.approx(0.05, abs=1e-3)
    }  # fmt: skip
    assert off["segment"].to_list() == [found.height]  # it runs still
    assert found.height == 35


@pytest.mark.slow
def test_the_shares_of_real_biologic_files_are_those_of_their_mode_bits(real_data: Path) -> None:
    """The charge of the records with the bit for a held potential over that of the half cycle."""
    checked = 0
    for path in sorted(real_data.glob("mpr/*.mpr")):
        table = cellpipe.read(path).tables.get("timeseries")
        if table is None or not table.height or not (table[MODE] == "CV").any():
            continue
        charge = (
            table["net_capacity_ah"].diff().fill_null(0)
            if "net_capacity_ah" in table.columns
            else table[CURRENT] * table["test_time_second"].diff().fill_null(0) / 3600
        )
        with_charge = table.with_columns(charge.alias("dq"))
        for row in segments(table).iter_rows(named=True):
            first, last = row["first_record_index"], row["last_record_index"]
            inside = pl.col("record_index").is_between(first + 1, last)
            part = with_charge.filter(inside & pl.col(MODE).is_in(["CC", "CV"]))
            total = abs(float(part["dq"].sum()))
            if part.height < 20 or not total:
                continue
            held = abs(float(part.filter(pl.col(MODE) == "CV")["dq"].sum()))
            assert row["constant_voltage_share"] == pytest.approx(held / total, abs=0.01), path.name
            checked += 1
    assert checked > 200
