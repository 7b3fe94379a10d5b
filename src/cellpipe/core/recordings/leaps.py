"""Whether the test time leaps, or changes its unit, from some record on: as other clocks tell.

Dates may leap, too: in a pause, when summer time begins or ends, when somebody sets the clock. So a
step counts only if the dates agree with the step time against the test time, and a single interval
only if the test time goes on for hours in which the dates do not.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Floats, Records, to_array

_HOURS = 7200.0  # s; summer time is one hour
_COARSE = 1.5  # times the shortest time between two dates: how far dates may be rounded
_AGREE, _SECONDS = 0.1, 120.0  # of the time of a step, and s: clocks are not compared more closely
_FEWEST = 5  # intervals of a step in which the clocks differ: in one, there may be a pause


def leap_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if the test time leaps against dates, or against dates and step time.

    Parameters
    ----------
    table
        A ``timeseries``; without dates there is no finding.
    records
        Its columns.

    """
    if "unix_time_second" not in table.columns or table["unix_time_second"].null_count():
        return []
    shown = np.diff(to_array(table["unix_time_second"]))
    return _interval_findings(table, records, shown) or _step_findings(table, records, shown)


def _interval_findings(table: pl.DataFrame, records: Records, shown: Floats) -> list[Finding]:
    finest = float(np.min(shown, where=shown > 0, initial=np.inf))
    over = records.seconds - shown
    leaps = np.flatnonzero((over > max(_HOURS, _COARSE * finest)) & (shown >= 0))
    if not leaps.size:
        return []
    at = int(leaps[0])
    numbers = table["record_index"]
    more = f" It is so at {leaps.size - 1:,} other places." if leaps[1:].size else ""
    sentence = (
        f"From record {numbers[at]:,} to record {numbers[at + 1]:,} the test time goes on by "
        f"{records.seconds[at]:.6g} s, the dates by {shown[at]:.6g} s. Did the test time leap, is "
        f"it in another unit there, or was the clock set?{more}"
    )
    return [Finding("warning", "clock_leaps", sentence, int(leaps.size))]


def _step_findings(table: pl.DataFrame, records: Records, shown: Floats) -> list[Finding]:
    """Return a finding if step time and dates agree in a step, and the test time does not."""
    if "step_time_second" not in table.columns or table["step_time_second"].null_count():
        return []
    in_step = np.diff(to_array(table["step_time_second"]))
    inside = ~records.is_apart
    forward = (in_step >= 0) & (shown >= 0) & (records.seconds >= 0)
    differ = np.abs(records.seconds - in_step) > _AGREE * in_step
    test, step, dates, number, broken = (
        records.sum_by_step(np.asarray(values * inside, np.float64))
        for values in (records.seconds, in_step, shown, differ * 1.0, ~forward * 1.0)
    )
    agree = np.abs(step - dates) <= _AGREE * step + 2.0
    off = np.abs(test - step) > _AGREE * np.maximum(step, test) + _SECONDS
    wrong = np.flatnonzero(off & agree & (broken == 0) & (number >= _FEWEST))
    if not wrong.size:
        return []
    first = int(wrong[0])
    begin = int(records.begins[first])
    more = f" It is so in {wrong.size - 1:,} other steps." if wrong[1:].size else ""
    sentence = (
        f"In the step that begins with record {table['record_index'][begin]:,} the test time goes "
        f"on by {test[first]:.6g} s, but dates and step time by {step[first]:.6g} s. Did the test "
        f"time leap, or is it in another unit there?{more}"
    )
    return [Finding("warning", "clock_leaps", sentence, int(wrong.size))]
