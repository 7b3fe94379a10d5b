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
