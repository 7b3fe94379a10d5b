"""A current in the wrong range shows in the charge of its steps; sparse records do not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.core.model import Finding
from cellpipe.core.recordings.charges import charge_findings
from cellpipe.core.recordings.records import Records
from cellpipe.core.recordings.timeseries import recording_findings


def made(every: int = 1, factor: float = 1.0, *, decay: float = 0.0) -> pl.DataFrame:
    """Two steps of an hour, counted second by second, of which every n-th record is kept."""
    time = np.arange(7200.0)
    shape = np.exp(-decay * (time % 3600) / 3600)
    current = np.where(time < 3600, 1.0, -0.9) * shape
    hours = np.append(0.0, np.diff(time)) / 3600
    charge = np.where(time < 3600, np.cumsum(current.clip(min=0) * hours), 0.0)
    discharge = np.where(time >= 3600, np.cumsum((-current).clip(min=0) * hours), 0.0)
    return pl.DataFrame({
        "test_time_second": time, "current_ampere": current * factor,
        "voltage_volt": np.full(7200, 3.7),
        "step_count": np.where(time < 3600, 1, 2), "vendor_charging_capacity_ah": charge,
        "vendor_discharging_capacity_ah": discharge,
    })[::every]  # fmt: skip


def said_of(table: pl.DataFrame) -> list[Finding]:
    return charge_findings(table, Records.of(table))[0]


@given(every=st.integers(1, 300), decay=st.floats(0.0, 8.0))
def test_records_however_far_apart_raise_no_alarm(every: int, decay: float) -> None:
    assert said_of(made(every, decay=decay)) == []


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.98, 1.02, 2.0, 10.0, 1000.0, -1.0])
@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_a_current_in_the_wrong_range_or_sign_is_said(factor: float, decay: float) -> None:
    (said,) = said_of(made(10, factor, decay=decay))
    assert said.rows == 2
    told = float(said.sentence.split("it gives ")[1].split()[0].replace(",", ""))
    assert told == pytest.approx(factor, rel=6e-3)


def with_current(table: pl.DataFrame, at: int, current: float) -> pl.DataFrame:
    values = table["current_ampere"].to_numpy().copy()
    values[at] = current
    numbers = pl.int_range(1, pl.len() + 1).alias("record_index")
    return table.with_columns(numbers, current_ampere=values)


@given(
    place=st.sampled_from(["first", "last of a step", "first of a step", "last"]),
    times=st.floats(200, 1e4), sign=st.sampled_from([1, -1]),
)  # fmt: skip
def test_a_current_of_one_record_at_the_end_of_a_step_that_was_not_counted_is_named(
    place: str, times: float, sign: int
) -> None:
    table = made(60)
    half = table.height // 2
    at = {"first": 0, "last of a step": half - 1, "first of a step": half}.get(
        place, table.height - 1
    )
    found = recording_findings(with_current(table, at, sign * times))
    (said,) = [finding for finding in found if finding.code == "current_spike"]
    assert f"record {at + 1:,} " in said.sentence
    assert not any("lost its sign" in finding.sentence for finding in found)


@given(times=st.floats(1, 1e5), decay=st.floats(1.0, 8.0))
def test_a_current_that_rushes_in_where_a_voltage_is_set_is_good(
    times: float, decay: float
) -> None:
    table = made(60, decay=decay)
    found = recording_findings(with_current(table, 0, times))
    assert "current_spike" not in [finding.code for finding in found]


@pytest.mark.parametrize("step", ["row number", "1"])
@pytest.mark.parametrize("factor", [1e3, 1e-3, 1 / 3600])
def test_a_current_in_another_unit_is_said_without_steps_that_could_be_used(
    step: str, factor: float
) -> None:
    number = pl.int_range(1, pl.len() + 1) if step == "row number" else pl.lit(1)
    for every in (1, 10, 60):
        good = made(every).with_columns(number.cast(pl.Int64).alias("step_count"))
        assert said_of(good) == []
        (said,) = said_of(good.with_columns(pl.col("current_ampere") * factor))
        assert said.sentence.endswith("?")
