"""What tells that records are missing between others: their numbers, and the steps in time."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding

_FEWEST, _FEWEST_UNEVEN = 6, 50  # records, below which a spacing says nothing
_SAME, _LONGER, _MUCH_LONGER = 0.01, 1.5, 5.0  # parts of the usual or the longest step
_MOST_GAPS = 2


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
    """Return a finding if one or two steps of time are far longer than all others.

    That is half as long again where the others are equal to 1 %, and five times the longest of the
    others where they differ. It is for records without numbers of their own, which tell it better.
    What is missing at the end tells nothing.
    """
    times = seconds.cast(pl.Float64).drop_nulls().to_numpy()
    if times.size < _FEWEST or not np.isfinite(times).all():
        return ()
    steps = np.diff(times)
    longest = float(np.partition(steps, -1 - _MOST_GAPS)[-1 - _MOST_GAPS])
    long = np.flatnonzero(steps > _LONGER * longest)
    if longest <= 0 or not long.size:
        return ()
    others = np.delete(steps, long)
    usual = float(np.median(others))
    is_even = bool((abs(others - usual) <= _SAME * usual).all())
    if not is_even:
        long = long[steps[long] > _MUCH_LONGER * longest]
    if not long.size or (not is_even and times.size < _FEWEST_UNEVEN):
        return ()
    shown = " and ".join(f"{steps[at]:.4g} s after {times[at]:.6g} s" for at in long)
    apart = f"{usual:.4g} s" if is_even else f"{longest:.4g} s at most"
    sentence = (
        f"There is no record for {shown}, though the others are {apart} apart: records may be "
        "missing there."
    )
    missing = int(np.round(steps[long] / usual - 1).sum()) if is_even else None
    return (Finding("warning", "records_missing", sentence, missing),)
