"""Convert times of the instrument's clock to UTC.

A wall clock (Arbin, Neware) was read at every record, so each time is converted by itself; in the
hour that occurs twice in autumn, the second pass begins where the clock goes back. An elapsed clock
(BioLogic) was read once, at the start, and counts seconds from there: one offset applies to all.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import polars as pl

from cellpipe.core.model import Recording

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the instrument's own clock
_BACK_SECOND = 60.0  # a clock that goes back by more than this was set back


def to_utc(frame: pl.DataFrame, recording: Recording, time_zone: str | None) -> pl.DataFrame:
    """Convert ``unix_time_second`` from the instrument's clock to UTC, if the zone is known."""
    has_times = "unix_time_second" in frame.columns and frame.height > 0
    if not has_times or recording.clock == "utc" or time_zone is None:
        return frame
    if recording.clock == "elapsed":
        shifted = pl.col("unix_time_second") + _elapsed_offset(frame, time_zone)
        return frame.with_columns(unix_time_second=shifted)
    local = pl.from_epoch((pl.col("unix_time_second") * 1e6).cast(pl.Int64), time_unit="us")
    first, second = (
        local.dt.replace_time_zone(time_zone, ambiguous=choice, non_existent="null").dt.timestamp(
            "us"
        )
        / 1e6
        for choice in ("earliest", "latest")
    )
    set_back = (pl.col("unix_time_second").diff() < -_BACK_SECOND).fill_null(value=False)
    return frame.with_columns(
        unix_time_second=pl.when(set_back.cum_sum() > 0).then(second).otherwise(first)
    )


def _elapsed_offset(frame: pl.DataFrame, time_zone: str) -> float:
    """Return the seconds from the instrument's clock to UTC at the start of the acquisition."""
    known = frame.select("unix_time_second", "test_time_second").drop_nulls()
    if not known.height:
        return 0.0
    started = float(known["unix_time_second"][0]) - float(known["test_time_second"][0])
    zero = _EPOCH + timedelta(seconds=started)
    aware = zero.replace(tzinfo=zoneinfo.ZoneInfo(time_zone)).astimezone(UTC)
    return (aware.replace(tzinfo=None) - zero).total_seconds()


def utc_start_time(
    recording: Recording, tables: dict[str, pl.DataFrame], time_zone: str | None
) -> datetime | None:
    """Return the start of a recording in UTC, None if it is not known.

    For an elapsed clock it is the time of the first record, where that has one.
    """
    started = recording.started_at
    if started is None or started.tzinfo is not None:
        return started.astimezone(UTC) if started else None
    if recording.clock == "utc" or time_zone is None:
        return started.replace(tzinfo=UTC)
    if recording.clock == "elapsed":
        for frame in tables.values():
            times = frame.get_column("unix_time_second", default=None)
            if times is not None and times.drop_nulls().len():
                seconds = float(times.drop_nulls()[0])
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return started.replace(tzinfo=zoneinfo.ZoneInfo(time_zone)).astimezone(UTC)
