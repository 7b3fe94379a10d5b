"""Clocks that are set to summer time and back: the hours are those that passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellpipe.formats import read

CHANGES = {  # UTC of the change
    ("Europe/Berlin", "autumn"): datetime(2024, 10, 27, 1, tzinfo=UTC),
    ("Europe/Berlin", "spring"): datetime(2024, 3, 31, 1, tzinfo=UTC),
    ("America/New_York", "autumn"): datetime(2024, 11, 3, 6, tzinfo=UTC),
    ("America/New_York", "spring"): datetime(2024, 3, 10, 7, tzinfo=UTC),
}


def write_neware(
    path: Path, begin: datetime, zone: str, seconds: list[float], *, total: bool, step: bool
) -> None:
    """Write a Neware export with local dates; ``total`` and ``step`` times where asked for."""
    head = ["DataPoint", "Cycle Index", "Step Index", "Step Type", "Current(mA)", "Voltage(V)"]
    head += ["Total Time(s)"] * total + ["Time(s)"] * step + ["Date"]
    lines = [",".join(head)]
    for number, second in enumerate(seconds, 1):
        moment = (begin + timedelta(seconds=second)).astimezone(ZoneInfo(zone))
        values = [str(number), "1", "1", "CC Chg", "2.0", f"{3 + number / 1000:.4f}"]
        values += [f"{second:.1f}"] * (total + step) + [f"{moment:%Y-%m-%d %H:%M:%S}"]
        lines.append(",".join(values))
    path.write_text("\n".join(lines) + "\n")


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    change=st.sampled_from(list(CHANGES.items())),
    before_minute=st.integers(-50, 240),
    interval=st.sampled_from([10, 60, 600, 1500]),
    total=st.booleans(),
    step=st.booleans(),
)
def test_dates_through_a_change_of_the_clock_are_what_passed(
    tmp_path: Path,
    change: tuple[tuple[str, str], datetime],
    before_minute: int,
    interval: int,
    total: bool,
    step: bool,
) -> None:
    (zone, _), moment = change
    begin = moment - timedelta(minutes=before_minute)
    seconds = [float(interval * n) for n in range(6 * 3600 // interval)]
    path = tmp_path / "A_1.csv"
    write_neware(path, begin, zone, seconds, total=total, step=step)
    frame = read(path, time_zone=zone).tables["timeseries"]
    clock = [begin.timestamp() + second for second in seconds]
    assert frame["unix_time_second"].to_list() == pytest.approx(clock, abs=1e-3)
    assert frame["test_time_second"].to_list() == pytest.approx(seconds, abs=1e-3)


def test_a_clock_that_goes_back_without_a_zone_goes_on_in_the_test_time(tmp_path: Path) -> None:
    begin = CHANGES["Europe/Berlin", "autumn"] - timedelta(hours=2)
    seconds = [60.0 * n for n in range(360)]
    write_neware(tmp_path / "A.csv", begin, "Europe/Berlin", seconds, total=False, step=False)
    measurement = read(tmp_path / "A.csv")
    assert measurement.tables["timeseries"]["test_time_second"].to_list() == seconds
    assert "time_goes_backwards" not in {finding.code for finding in measurement.findings}


def test_a_clock_that_was_not_changed_in_spring_keeps_its_offset(tmp_path: Path) -> None:
    begin = CHANGES["Europe/Berlin", "spring"] - timedelta(hours=2)
    seconds = [60.0 * n for n in range(360)]
    write_neware(tmp_path / "A.csv", begin, "Etc/GMT-1", seconds, total=False, step=False)
    frame = read(tmp_path / "A.csv", time_zone="Europe/Berlin").tables["timeseries"]
    assert frame["test_time_second"].to_list() == seconds
    clock: pl.Series = frame["unix_time_second"] - begin.timestamp()
    assert clock.to_list() == seconds
