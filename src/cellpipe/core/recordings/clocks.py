"""Whether the clocks of a recording agree: the times of test and step, and the time of day."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Floats, Records

_SAMPLES = 500  # intervals that are compared
_BLOCKS = 50  # of many records each, because dates are whole seconds
_LONG = 30.0  # s, for the same reason
_FEWEST = 5
_NEVER_SET = 315_532_800.0  # s; 1980: no cycler's clock is older
_AGREE = 0.1  # of 1: clocks are not compared more closely
_MOST, _NEARLY = 0.5, 0.9
UNITS = {"ms": 1e-3, "min": 60.0, "h": 3600.0, "days": 86_400.0, "µs": 1e-6}  # in s


def clock_findings(table: pl.DataFrame, records: Records) -> tuple[list[Finding], float]:
    """Return in which clocks time runs otherwise, and how fast the test time runs by the others."""
    found, paces = _compare_clocks(table, records)
    said, pace = _pace_findings(paces)
    return [*found, *said], pace


def find_paces(table: pl.DataFrame, records: Records) -> dict[str, float]:
    """Return how many seconds of dates and step time pass in one of the test time."""
    return _compare_clocks(table, records)[1]


def _compare_clocks(
    table: pl.DataFrame, records: Records
) -> tuple[list[Finding], dict[str, float]]:
    found: list[Finding] = []
    paces: dict[str, float] = {}
    if "unix_time_second" in table.columns:
        found += _date_findings(table["unix_time_second"], records, paces)
    if "step_time_second" in table.columns:
        found += _step_time_findings(table["step_time_second"], records, paces)
    return found, paces


def _date_findings(dates: pl.Series, records: Records, paces: dict[str, float]) -> list[Finding]:
    known = dates.is_not_null().to_numpy() if dates.null_count() else slice(None)
    moments, time = dates.to_numpy()[known].astype(np.float64), records.time[known]
    if moments.size < 2:
        return []
    found = []
    if moments.max() < _NEVER_SET:
        when = f"{np.datetime64(int(moments[0]), 's')}".replace("T", " ")
        sentence = (
            f"The dates begin at {when}: the clock was never set, or the column is no date. "
            "The order of files can't be told by it."
        )
        found.append(Finding("warning", "clock_never_set", sentence))
    stride = max(moments.size // _SAMPLES, 1)
    passed, shown = np.diff(time[::stride]), np.diff(moments[::stride])
    forward = passed > 0
    back = int((shown[forward] < 0).sum())
    if back > _MOST * int(forward.sum()) and back >= _FEWEST:
        sentence = (
            f"The dates run backwards while the test time runs forward: from "
            f"{np.datetime64(int(moments[0]), 's')} to {np.datetime64(int(moments[-1]), 's')}. "
            "Is the column another, or in reverse order?"
        )
        if back <= _NEARLY * int(forward.sum()):
            sentence = (
                f"The dates go to and fro while the test time runs forward: back at {back:,} of "
                f"{int(forward.sum()):,} places. Is the column another, or was it sorted alone?"
            )
        return [*found, Finding("warning", "clock_runs_backwards", sentence)]
    if forward.sum() >= _FEWEST and np.ptp(time) > _FEWEST * 60 and np.ptp(moments) == 0:
        sentence = (
            f"The date is {np.datetime64(int(moments[0]), 's')} in all records, while "
            f"the test time runs for {np.ptp(time):.4g} s. Is it that of the start?"
        )
        return [*found, Finding("warning", "clock_stands_still", sentence)]
    blocks = min(max(np.ptp(time) / _LONG, _FEWEST + 1), _BLOCKS)
    stride = max(int(moments.size / blocks), 1)
    passed, shown = np.diff(time[::stride]), np.diff(moments[::stride])
    long = (passed > 0) & (np.maximum(passed, shown) > _LONG)
    if back <= _AGREE * forward.sum():
        _add_pace(paces, "dates", shown[long], passed[long])
    return found


def _step_time_findings(
    times: pl.Series, records: Records, paces: dict[str, float]
) -> list[Finding]:
    in_step, time = times.cast(pl.Float64).to_numpy(), records.time  # null: NaN, compares false
    if in_step.size < 2:
        return []
    passed, shown = np.diff(time), np.diff(in_step)
    both = (passed > 0) & (shown > 0) & ~records.is_apart
    _add_pace(paces, "step time", shown[both], passed[both])
    if not _agrees(paces.get("step time", 1.0)):
        return []
    over = in_step > time * (1 + _AGREE) + 1.0
    count = int(over.sum())
    if count <= _MOST * time.size:
        return []
    at = int(np.argmax(over))
    sentence = (
        f"The step time is greater than the test time in {count / time.size:.0%} of the records, "
        f"first {in_step[at]:.6g} s against {time[at]:.6g} s. Are the two columns swapped?"
    )
    return [Finding("warning", "step_time_exceeds_test_time", sentence)]


def _add_pace(paces: dict[str, float], name: str, shown: Floats, passed: Floats) -> None:
    """Add how many seconds of a clock pass in one of the test time, where that is the same."""
    if shown.size < _FEWEST:
        return
    pace = float(np.median(shown / passed))
    if np.mean(np.abs(shown - pace * passed) <= _AGREE * pace * passed) > 1 - 2 * _AGREE:
        paces[name] = pace


def _agrees(pace: float) -> bool:
    return abs(pace - 1) <= _AGREE


def _pace_findings(paces: dict[str, float]) -> tuple[list[Finding], float]:
    """Say which clock runs at another pace: with three of them, the one that is alone."""
    off = {name: pace for name, pace in paces.items() if pace > 0 and not _agrees(pace)}
    if not off:
        return [], 1.0
    pace = 1 / next(iter(off.values()))
    if len(off) == 2 and _agrees(off["dates"] / off["step time"]):
        return [_pace_finding("the test time", pace, "dates and step time")], pace
    return [_pace_finding(f"the {name}", each, "the test time") for name, each in off.items()], pace


def _pace_finding(name: str, pace: float, other: str) -> Finding:
    """Say that a clock runs so many seconds in one second of the other."""
    slip = "Check the units."
    for unit, seconds in UNITS.items():
        if _agrees(pace * seconds):
            slip = f"{_ask(name)} in {unit}?"
        elif _agrees(pace / seconds):
            slip = f"{_ask(other)} in {unit}?"
    clock = name.capitalize()
    sentence = (
        f"{clock} {'advance' if 'dates' in name else 'advances'} by {pace:.4g} s while {other} "
        f"{'advance' if 'dates' in other else 'advances'} by 1 s. {slip}"
    )
    return Finding("warning", "clock_pace_differs", sentence)


def _ask(name: str) -> str:
    return f"Are {name}" if "dates" in name else f"Is {name}"
