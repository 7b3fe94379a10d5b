"""The steps of a cell's records, in one pass: where direction, mode or the step's number change."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.analyses.charge_flow import find_directions
from cellpipe.analyses.missing_pieces import recording
from cellpipe.numerics.cycling import protocol

PAUSE_SECOND = 3600.0  # between spectra; a longer one is no part of them
_FLAT_VOLT, _UNSTEADY = 0.005, 1.5


def find_steps(timeseries: pl.DataFrame, cuts: tuple[int, ...] = ()) -> pl.DataFrame:
    """Return the steps of a cell's records in their order, one row each.

    A step begins with a recording, and where direction, mode, step number or measurement change.
    ``first_row`` and ``last_row`` are places in ``timeseries``; durations in s, currents in A.
    ``cuts`` are rows at which another step begins.
    """
    names = timeseries.columns
    optional = {"step_mode": pl.String, "technique": pl.String, "step_count": pl.Int64,
                "step_time_second": pl.Float64, "unix_time_second": pl.Float64}  # fmt: skip
    frame = timeseries.select(
        "file_sha256", "record_index", "test_time_second", "voltage_volt", "current_ampere",
        *(pl.col(n) if n in names else pl.lit(None, t).alias(n) for n, t in optional.items()),
        recording=recording(timeseries),
        measures=pl.col("frequency_hertz").is_not_null()
        if "frequency_hertz" in names else pl.lit(value=False),
    ).with_row_index("row")  # fmt: skip
    if _is_mixed(frame):
        frame = frame.sort("recording", maintain_order=True)
    frame = frame.with_columns(
        direction=_directions(timeseries, frame),
        interval=pl.col("test_time_second").diff().over("recording").clip(0).fill_null(0),
    )
    changes = pl.any_horizontal(
        pl.col(n).ne_missing(pl.col(n).shift(1))
        for n in ("recording", "direction", "step_mode", "step_count", "measures")
    )
    changes |= pl.col("row").is_in(cuts) | (
        pl.col("measures") & (pl.col("interval") > PAUSE_SECOND)
    )
    # What passed before a first record that was taken at once belongs to the step before.
    late = changes & (pl.col("step_time_second") < pl.col("interval") / 2).fill_null(value=False)
    passed = pl.when(~late).then("interval").otherwise(0.0)
    passed += pl.when(late).then("interval").otherwise(0.0).shift(-1, fill_value=0.0)
    size = pl.col("current_ampere").abs()
    return (
        frame.with_columns(step=changes.cum_sum(), passed=passed)
        .group_by("step", maintain_order=True)
        .agg(
            pl.col("recording", "direction", "measures", "step_mode", "technique").first(),
            pl.col("file_sha256", "record_index", "test_time_second", "unix_time_second",
                   "row").first().name.prefix("first_"),
            pl.col("file_sha256", "record_index", "test_time_second", "unix_time_second",
                   "row").last().name.prefix("last_"),
            duration=pl.col("passed").sum(), current=size.mean(),
            voltage=pl.col("voltage_volt").mean(),
            flat=(pl.col("voltage_volt").max() - pl.col("voltage_volt").min()) <= _FLAT_VOLT,
            unsteady=size.max() > _UNSTEADY * size.min(), records=pl.len(),
        )
    )  # fmt: skip


def _directions(timeseries: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    """Return the direction of each record of a frame that has the records' places (``row``)."""
    found = []
    for (_,), part in frame.group_by("recording", maintain_order=True):
        own = timeseries[part["row"]] if part.height < timeseries.height else timeseries
        time, current, voltage = (
            own[name].to_numpy() for name in ("test_time_second", "current_ampere", "voltage_volt")
        )
        found.append(find_directions(own, time, current, voltage)[0])
    whole = np.concatenate(found) if found else np.zeros(0, np.int8)
    return pl.Series(whole, dtype=pl.Int8)


def hold_begins(timeseries: pl.DataFrame, steps: pl.DataFrame) -> tuple[int, ...]:
    """Return the rows at which a long step goes over to holding the voltage."""
    long = steps.filter(
        "unsteady", ~pl.col("flat"), pl.col("direction") != 0,
        pl.col("duration") >= protocol.HELD_SECOND,
    )  # fmt: skip
    found = []
    for first, last in long.select("first_row", "last_row").iter_rows():
        part = timeseries[first : last + 1]
        volt, size = part["voltage_volt"].to_numpy(), np.abs(part["current_ampere"].to_numpy())
        away = np.flatnonzero(np.abs(volt - volt[-1]) > _FLAT_VOLT)
        begin = int(away[-1]) + 1 if len(away) else 0
        if 0 < begin < len(volt) - 1 and size[begin] > _UNSTEADY * size[-1]:
            found.append(first + begin)
    return tuple(found)


def _is_mixed(frame: pl.DataFrame) -> bool:
    """Return whether the records of a recording don't stand together."""
    return frame["recording"].rle_id().n_unique() > frame["recording"].n_unique()
