"""Convert times of the instrument's clock to UTC.

A wall clock (Arbin, Neware) was read at every record, so each time is converted by itself. In the
hour that occurs twice in autumn the test time says which of the two it was, or that the clock goes
back; a file without either is taken to go on evenly. A clock that shows times that the zone leaves
out in spring was not changed: it keeps its first offset. A test time that is nothing but the
clock's follows it. An elapsed clock (BioLogic) was read once, at the start, and counts seconds from
there: one offset applies to all.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.model import Recording

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the instrument's own clock
_BACK_SECOND = 60.0  # a clock that goes back by more than this was set back
_SAME_SECOND = 1e-3  # by which a test time differs from the clock that it was made from

Floats = NDArray[np.float64]


def to_utc(frame: pl.DataFrame, recording: Recording, time_zone: str | None) -> pl.DataFrame:
    """Convert ``unix_time_second`` from the instrument's clock to UTC, if the zone is known."""
    has_times = "unix_time_second" in frame.columns and frame.height > 0
    if not has_times or recording.clock == "utc" or time_zone is None:
        return frame
    if recording.clock == "elapsed":
        shifted = pl.col("unix_time_second") + _elapsed_offset(frame, time_zone)
        return frame.with_columns(unix_time_second=shifted)
    local = frame["unix_time_second"]
    earlier, later = (_read_in_zone(local, time_zone, choice) for choice in ("earliest", "latest"))
    if earlier.null_count() > local.null_count():
        return frame.with_columns(unix_time_second=local + _first_offset(local, earlier))
    if earlier.equals(later) and _has_one_offset(local, earlier):
        return frame.with_columns(unix_time_second=earlier)
    test = frame.get_column("test_time_second", default=pl.Series([], dtype=pl.Float64))
    is_of_clock = len(test) > 0 and _is_of_clock(local, test)
    elapsed = np.diff(test.to_numpy()) if len(test) and not is_of_clock else None
    utc = _choose_passes(local.to_numpy(), earlier.to_numpy(), later.to_numpy(), elapsed)
    converted = pl.Series("unix_time_second", utc, nan_to_null=True)
    if is_of_clock:
        followed = test[0] + converted - converted.drop_nulls()[0]
        frame = frame.with_columns(test_time_second=followed.fill_null(test))
    return frame.with_columns(converted)


def _read_in_zone(local: pl.Series, time_zone: str, choice: str) -> pl.Series:
    """Return the UTC of local times, s since 1970; null where the zone leaves them out."""
    moments = pl.select(
        pl.from_epoch((local * 1e6).cast(pl.Int64), time_unit="us")
        .dt.replace_time_zone(time_zone, ambiguous=choice, non_existent="null")  # type: ignore[arg-type]
        .dt.timestamp("us")
        / 1e6
    )
    return moments.to_series().alias(local.name)


def _first_offset(local: pl.Series, utc: pl.Series) -> float:
    """Return the seconds from the clock to UTC at the first time that exists, s."""
    known = (utc - local).drop_nulls()
    return float(known[0]) if len(known) else 0.0


def _has_one_offset(local: pl.Series, utc: pl.Series) -> bool:
    return (utc - local).drop_nulls().round(0).n_unique() <= 1


def _is_of_clock(local: pl.Series, test: pl.Series) -> bool:
    """Return whether a test time is the time since the clock's first one."""
    apart = (local - test).drop_nulls()
    return len(apart) > 0 and float((apart - apart[0]).abs().max()) <= _SAME_SECOND


def _choose_passes(local: Floats, earlier: Floats, later: Floats, elapsed: Floats | None) -> Floats:
    """Return the UTC of local times of which some occur twice.

    Parameters
    ----------
    local, earlier, later
        Local times, and their UTC as the first and the second pass, s; shape (n,).
    elapsed
        Time between records by the instrument's test time, s, shape (n - 1,); None: not known.

    """
    utc = np.where(earlier == later, earlier, np.nan)
    passed = np.diff(local) if elapsed is None else elapsed
    usual = float(np.nanmedian(passed)) if len(passed) else 0.0
    twice = np.flatnonzero(np.isfinite(earlier) & (earlier != later))
    for n in twice:  # on from the record before
        if n == 0 or not np.isfinite(utc[n - 1]):
            continue
        back = elapsed is None and local[n] - local[n - 1] < -_BACK_SECOND
        was_later = utc[n - 1] == later[n - 1] != earlier[n - 1]
        if elapsed is None:
            utc[n] = later[n] if back or was_later else earlier[n]
        else:
            utc[n] = _nearest(utc[n - 1] + passed[n - 1], earlier[n], later[n])
    for n in twice[::-1]:  # back from the record after, at the beginning of a file
        if np.isfinite(utc[n]):
            continue
        if n + 1 == len(utc) or not np.isfinite(utc[n + 1]):
            utc[n] = earlier[n]
        elif elapsed is None:
            is_back = local[n + 1] - local[n] < -_BACK_SECOND
            step = 3600.0 + local[n + 1] - local[n] if is_back else usual
            utc[n] = _nearest(utc[n + 1] - step, earlier[n], later[n])
        else:
            utc[n] = _nearest(utc[n + 1] - passed[n], earlier[n], later[n])
    return utc


def _nearest(wanted: float, earlier: float, later: float) -> float:
    return earlier if abs(earlier - wanted) <= abs(later - wanted) else later


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
