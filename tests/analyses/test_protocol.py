"""What was done with a cell is told from its records: of real recordings, and of made ones."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cellpipe
from cellpipe.analyses import cells, cycles, half_cycles, protocol
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.analyses.registry import empty_input
from cellpipe.core.contracts import empty_table, validate
from cellpipe.core.model import Cell
from cellpipe.numerics.cycling.cycle_kinds import name_cycles
from cellpipe.numerics.cycling.protocol import NO_CYCLES

ROOT = Path(__file__).parents[2]
LABELS = Path(__file__).with_name("protocol_labels.csv")
SHA = "0" * 64
FULL, ANY = Cell("A", "full"), Cell("A")
Step = tuple[float, float, float, float]  # mA, s, first and last volt


def tables_of(
    cell: Cell, timeseries: pl.DataFrame, impedance: pl.DataFrame | None = None
) -> dict[str, pl.DataFrame]:
    """Go from records to stretches, cycles and the cell's line."""
    spectra = empty_input("impedance") if impedance is None else impedance
    tables = {
        "half_cycle_segments": validate(
            "half_cycle_segments", half_cycle_segments(timeseries, SHA)
        ) if timeseries.height else empty_table("half_cycle_segments"),
        "timeseries": timeseries.with_columns(file_sha256=pl.lit(SHA)),
        "impedance": spectra.with_columns(file_sha256=pl.lit(SHA)),
        "files": empty_table("files"),
        "interfacial_resistance": empty_table("interfacial_resistance"),
    }  # fmt: skip
    for each in (half_cycles, protocol, cycles, cells):
        for result in each.ANALYSIS.compute(cell, tables):
            tables[result.analysis] = validate(result.analysis, result.table)
    return tables


def record(*steps: Step, every: float = 60.0, counts: bool = True) -> pl.DataFrame:
    """Record steps of constant current whose voltage is a straight line."""
    time, current, volts, count = [], [], [], []
    now = 0.0
    for number, (milliampere, second, first, last) in enumerate(steps):
        own = np.linspace(0, second, max(int(second / every), 4) + 1)[1:]
        time += (now + own).tolist()
        volts += np.interp(own, [0, second], [first, last]).tolist()
        current += [milliampere * 1e-3] * len(own)
        count += [number] * len(own)
        now += second
    frame = pl.DataFrame({
        "record_index": np.arange(1, len(time) + 1), "test_time_second": time,
        "unix_time_second": np.array(time) + 1.7e9, "voltage_volt": volts,
        "current_ampere": current, "step_count": count,
    })  # fmt: skip
    return frame if counts else frame.drop("step_count")


def cycle(milliampere: float, share: float = 1.0) -> list[Step]:
    """Return a charge and a discharge of 2 mAh times a share."""
    second = 3600 * 2 * share / milliampere
    return [(milliampere, second, 2.6, 4.2), (-milliampere, second, 4.1, 2.5)]


def kinds(tables: dict[str, pl.DataFrame]) -> list[str]:
    return tables["protocol_segments"]["kind"].to_list()


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "../shared").exists(), reason="the corpus is not there")
def test_of_recordings_that_were_named_by_eye_nineteen_in_twenty_are_told_right() -> None:
    """The labels were written from traces of voltage and current before any of them was told."""
    wrong = []
    rows = list(csv.DictReader(LABELS.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        read = cellpipe.read(ROOT / row["path"]).tables
        series = read.get("timeseries", empty_table("timeseries"))
        stretches = tables_of(ANY, series, read.get("impedance"))["protocol_segments"]
        told = {*stretches["kind"], *(["EIS"] if stretches["spectra"].sum() else [])}
        if told != {*row["kinds"].split("; ")}:
            wrong.append((row["path"], row["kinds"], sorted(told)))
    assert len(rows) >= 60
    assert len(wrong) <= 0.05 * len(rows), wrong


def test_every_record_is_in_one_stretch_and_every_half_cycle_begins_in_one() -> None:
    steps = [(0.0, 7200.0, 3.0, 3.0), *cycle(0.2), *cycle(1.0) * 8, *cycle(0.2), *cycle(1.0) * 3]
    made = tables_of(FULL, record(*steps))
    stretches = made["protocol_segments"]
    assert kinds(made) == ["OCV", "formation", "cycling", "check cycle", "cycling"]
    assert stretches["records"].sum() == made["timeseries"].height
    for before, after in pairwise(stretches.iter_rows(named=True)):
        assert after["first_record_index"] == before["last_record_index"] + 1
    own = stretches.drop_nulls("first_half_cycle")
    halves = [n for a, b in own.select("first_half_cycle", "last_half_cycle").iter_rows()
              for n in range(a, b + 1)]  # fmt: skip
    assert halves == made["half_cycles"]["half_cycle"].to_list()


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize(
    ("rest", "kind"), [(3600.0, "GITT"), (600.0, "GITT"), (10.0, "ICI"), (2.0, "ICI")]
)
def test_pulses_with_rests_make_no_cycle(rest: float, kind: str, counts: bool) -> None:
    up = [(0.2, 600.0, 2.6 + 0.05 * n, 2.7 + 0.05 * n) for n in range(30)]
    down = [(-0.2, 600.0, 4.1 - 0.05 * n, 4.0 - 0.05 * n) for n in range(30)]
    steps = [s for pulse in up + down for s in (pulse, (0.0, rest, pulse[3], pulse[3]))]
    made = tables_of(FULL, record(*steps, every=1.0 if rest < 60 else 30.0, counts=counts))
    assert kinds(made) == [kind]
    assert made["protocol_segments"]["pulses"].to_list() == [60]
    row = made["cells"].row(0, named=True)
    assert (row["cycles"], row["complete_cycles"]) == (0, 0)
    assert row["initial_coulombic_efficiency"] is row["capacity_retention"] is None
    assert kind in row["no_cycle_reason"]
    assert made["cycles"]["coulombic_efficiency"].null_count() == made["cycles"].height


def test_pulses_at_many_states_of_charge_are_a_pulse_test_and_one_in_each_cycle_is_not() -> None:
    points = [
        step for n in range(9) for step in (
            (-0.4, 1800.0, 4.1 - 0.15 * n, 4.0 - 0.15 * n), (0.0, 3600.0, 4.0, 4.0),
            (-2.0, 10.0, 3.9, 3.8), (0.0, 40.0, 3.9, 3.9), (1.5, 10.0, 4.0, 4.1),
            (0.0, 40.0, 3.9, 3.9),
        )
    ]  # fmt: skip
    charge = (0.4, 16200.0, 2.6, 4.2)
    made = tables_of(FULL, record(charge, *points, every=2.0))
    assert kinds(made)[-1] == "HPPC/pulse"
    assert made["cells"]["cycles"].to_list() == [0]
    once = [(-1.0, 7200.0, 4.1, 2.5), (0.0, 40.0, 2.6, 2.6), (2.0, 10.0, 2.7, 2.8)]
    usual = [step for _ in range(6) for step in ((1.0, 7200.0, 2.6, 4.2), *once)]
    assert set(kinds(tables_of(FULL, record(*usual, every=2.0)))) == {"cycling"}


@pytest.mark.parametrize("slope", [0.1e-3, 5e-3])
def test_a_sweep_of_the_voltage_is_a_voltammogram_without_any_word_for_it(slope: float) -> None:
    turns = [2.5, 4.2, 2.5, 4.2, 2.5, 4.2, 2.5]
    time = np.concatenate([[0], np.cumsum(np.abs(np.diff(turns))) / slope])
    now = np.linspace(0, time[-1], 3000)
    volt = np.interp(now, time, turns)
    rising = np.gradient(volt) > 0
    peak = np.exp(-(((volt - np.where(rising, 3.7, 3.5)) / 0.1) ** 2))
    frame = pl.DataFrame({
        "record_index": np.arange(1, 3001), "test_time_second": now, "voltage_volt": volt,
        "current_ampere": np.where(rising, 1.0, -1.0) * (1e-4 + 1e-3 * peak),
    })  # fmt: skip
    made = tables_of(FULL, frame)
    assert kinds(made) == ["voltammogram"]
    row = made["cells"].row(0, named=True)
    assert row["cycles"] == 0
    assert row["capacity_retention"] is row["initial_coulombic_efficiency"] is None
    steady = frame.with_columns(current_ampere=np.where(rising, 1e-3, -1e-3))
    assert kinds(tables_of(FULL, steady)) == ["cycling"]


def test_the_technique_of_the_file_goes_before_the_pattern() -> None:
    frame = record(*cycle(1.0) * 3)
    for technique, kind in (("CV", "voltammogram"), ("LSV", "voltammogram"), ("CA", "hold/float")):
        named = frame.with_columns(technique=pl.lit(technique))
        stretches = tables_of(FULL, named)["protocol_segments"]
        assert stretches.select("kind", "told_by").rows() == [(kind, "technique")]


def pairs(*milliampere: float, volt: float = 0.05) -> pl.DataFrame:
    steps = [(sign * each, 3600.0, sign * volt, sign * 1.1 * volt)
             for each in milliampere for sign in (1, -1)]  # fmt: skip
    return record(*steps)


def test_a_voltage_with_the_sign_of_the_current_is_stripping_and_plating_and_keeps_nothing() -> (
    None
):
    for cell in (ANY, Cell("A", "symmetric")):
        made = tables_of(cell, pairs(*[0.5] * 10))
        assert kinds(made) == ["symmetric stripping/plating"]
        assert made["cycles"]["capacity_retention"].null_count() == 10
        assert made["cells"]["capacity_retention"].to_list() == [None]
        rising = tables_of(cell, pairs(0.1, 0.2, 0.3, 0.4, 0.5))
        assert kinds(rising) == ["CCD"]
    assert kinds(tables_of(FULL, pairs(*[0.5] * 10))) == ["cycling"]


def test_a_rest_of_days_is_storage_and_a_held_voltage_is_a_float() -> None:
    days = (0.0, 5 * 86400.0, 4.1, 4.05)
    made = tables_of(FULL, record(*cycle(1.0) * 4, days, *cycle(1.0) * 4, every=600.0))
    assert kinds(made) == ["cycling", "storage", "cycling"]
    held = record((1.0, 7200.0, 2.6, 4.2), (0.05, 2 * 86400.0, 4.2, 4.2), every=600.0)
    modes = pl.when(pl.col("step_count") == 1).then(pl.lit("CV")).otherwise(pl.lit("CC"))
    assert kinds(tables_of(FULL, held.with_columns(step_mode=modes))) == ["cycling", "hold/float"]


def test_a_single_cycle_has_no_retention() -> None:
    row = tables_of(FULL, record(*cycle(1.0)))["cells"].row(0, named=True)
    assert (row["cycles"], row["complete_cycles"]) == (1, 1)
    assert row["capacity_retention"] is row["capacity_retention_at_rate"] is None


def test_the_rates_of_a_test_are_named_and_what_goes_on_for_long_is_cycling() -> None:
    def named(*blocks: tuple[float, int], formation: int = 0) -> list[tuple[str, int]]:
        current = np.repeat([[b, b] for b, _ in blocks], [n for _, n in blocks], axis=0)
        groups = np.unique(current[:, 0], return_inverse=True)[1] + 1
        found = name_cycles(groups, current, formation)
        begins = [0, *(i for i, (a, b) in enumerate(pairwise(found), 1) if a != b), len(found)]
        return [(found[a], b - a) for a, b in pairwise(begins)]

    rising = [(0.1, 5), (0.2, 5), (0.5, 5), (1.0, 5)]
    assert named(*rising) == [("rate test", 20)]
    assert named(*rising, (0.1, 5)) == [("rate test", 25)]
    assert named(*rising, (0.2, 100)) == [("rate test", 20), ("cycling", 100)]
    assert named((0.1, 2), (1.0, 50), (0.1, 1), (1.0, 50), formation=2) == [
        ("formation", 2), ("cycling", 50), ("check cycle", 1), ("cycling", 50),
    ]  # fmt: skip
    assert named((1.0, 50), (2.0, 50)) == [("cycling", 100)]


def test_kinds_that_make_no_cycles_are_those_of_the_schema() -> None:
    from cellpipe.core.contracts import load_schema
    from cellpipe.numerics.cycling.protocol import KINDS

    assert load_schema("protocol_segments").columns["kind"].isin == KINDS
    assert {*NO_CYCLES} < {*(load_schema("cycles").columns["protocol"].isin or ())}


def pulsed(pulse: float = 10.0) -> list[Step]:
    """Return a charge and a discharge of 2 mAh that four short pulses beside rests interrupt."""
    parts = [
        step for n in range(4) for step in (
            (-0.4, 3600.0, 4.1 - 0.3 * n, 3.8 - 0.3 * n), (0.0, 300.0, 3.9, 3.9),
            (-2.0, pulse, 3.8, 3.7), (0.0, 60.0, 3.9, 3.9),
        )
    ]  # fmt: skip
    return [(0.4, 18000.0, 2.6, 4.2), *parts, (-0.4, 3600.0, 2.9, 2.5)]


def test_pulses_in_every_discharge_are_part_of_the_cycling_and_keep_its_numbers() -> None:
    made = tables_of(FULL, record(*(step for _ in range(5) for step in pulsed()), every=5.0))
    row = made["cells"].row(0, named=True)
    assert "HPPC/pulse" not in kinds(made)
    assert (row["cycles"], row["complete_cycles"]) == (5, 5)
    assert row["initial_coulombic_efficiency"] == pytest.approx(2.0222 / 2.0, abs=2e-3)
    assert row["capacity_retention"] == pytest.approx(1.0)


def test_an_efficiency_after_a_pulse_test_is_not_called_the_first_without_a_remark() -> None:
    later = [step for _ in range(4) for step in cycle(0.4)]
    made = tables_of(FULL, record(*pulsed(), *later, every=5.0))
    row = made["cells"].row(0, named=True)
    assert kinds(made)[0:2] != ["cycling"]
    assert row["initial_cycle"] == 2
    assert "cycle 1 is a pulse test" in (row["initial_remark"] or "")


def test_neighbours_in_a_rate_test_are_no_check_of_the_ageing() -> None:
    rates = [rate for rate in (0.2, 0.4, 1.0, 2.0, 0.2) for _ in range(3)]
    made = tables_of(FULL, record(*(step for rate in rates for step in cycle(rate))))
    assert "rate test" in kinds(made)
    row = made["cells"].row(0, named=True)
    assert row["check_retention"] is row["check_cycle"] is None


def test_a_sheet_that_calls_a_cell_symmetric_does_not_name_what_its_voltage_contradicts() -> None:
    made = tables_of(Cell("A", "symmetric"), record(*(s for _ in range(4) for s in cycle(0.4))))
    assert "symmetric stripping/plating" not in kinds(made)
    assert made["cells"]["capacity_retention"].to_list() == [None]
