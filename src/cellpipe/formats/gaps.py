"""What tells that records are missing between others: their numbers, and times evenly spaced."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding

_FEWEST = 12  # records, below which a spacing is not called even
_SAME, _LONGER = 0.01, 1.5  # parts of the usual step
_MOST_GAPS = 3


def find_number_gaps(increasing: pl.Series) -> tuple[Finding, ...]:
    """Return a finding if record numbers of the instrument's, which increase, skip some."""
    numbers = increasing.to_numpy()
    steps = np.diff(numbers)
    places = np.flatnonzero(steps > 1)
    if not places.size:
        return ()
    missing = int((steps[places] - 1).sum())
    shown = ", ".join(f"{numbers[at] + 1:,} to {numbers[at + 1] - 1:,}" if steps[at] > 2
                      else f"{numbers[at] + 1:,}" for at in places[:3])  # fmt: skip
    more = f" and {places.size - 3:,} other ranges" if places.size > 3 else ""
    what = f"Record {shown} is" if missing == 1 else f"{missing:,} records are"
    which = "" if missing == 1 else f": {shown}{more}"
    sentence = f"{what} not in the file, by the numbers of the others{which}."
    return (Finding("warning", "records_missing", sentence, missing),)


def find_time_gaps(seconds: pl.Series) -> tuple[Finding, ...]:
    """Return a finding if one to three steps of time are longer than all others, which are equal.

    It is for records without numbers of their own: where these are, they tell it better. The times
    of a protocol whose records are not evenly spaced tell nothing, nor does a missing end.
    """
    times = seconds.cast(pl.Float64).to_numpy()
    if times.size < _FEWEST or not np.isfinite(times).all():
        return ()
    steps = np.diff(times)
    usual = float(np.median(steps))
    if usual <= 0:
        return ()
    long = np.flatnonzero(steps > _LONGER * usual)
    others = np.delete(steps, long)
    if not 0 < long.size <= _MOST_GAPS or (abs(others - usual) > _SAME * usual).any():
        return ()
    missing = int(np.round(steps[long] / usual - 1).sum())
    shown = ", ".join(f"{times[at]:.6g} s" for at in long)
    what = "One record seems" if missing == 1 else f"About {missing:,} records seem"
    sentence = f"{what} to be missing: they are {usual:.4g} s apart, but not after {shown}."
    return (Finding("warning", "records_missing", sentence, missing),)
