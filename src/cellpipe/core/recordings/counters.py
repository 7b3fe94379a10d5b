"""Whether the counters of charge and energy count at all while a current flows.

What they count is compared elsewhere. Those that are 0 throughout may be columns that the
instrument does not fill; those that stand still at another value, or fall, are no counters.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import CHARGES, ENERGIES
from cellpipe.core.recordings.records import Floats, Records, to_array

_FEWEST = 30  # records with a current
_SMALL = 0.01  # of the largest current
_LEAST = 0.002  # of a counter that stands still: what it would have shown
_FALLS, _RISES = 0.5, 0.05  # of what flowed; of the falls
_SAMPLE = 2000  # records that show whether a counter rises or falls
_PAIRS = {"charge": CHARGES, "energy": ENERGIES}


def counter_findings(
    table: pl.DataFrame, records: Records, *, charge_is_said: bool
) -> list[Finding]:
    """Return a finding for charge or energy counters that do not count.

    Parameters
    ----------
    table
        A ``timeseries``.
    records
        Its columns.
    charge_is_said
        Whether it is said already that current and charge counters disagree.

    """
    strong = np.abs(records.current) > _SMALL * records.largest
    if records.is_rest or np.count_nonzero(strong) < _FEWEST:
        return []
    found = []
    for what, names in _PAIRS.items():
        if not {*names} <= {*table.columns} or (what == "charge" and charge_is_said):
            continue
        if any(table[name].null_count() for name in names):  # written in some records only
            continue
        counters = [to_array(table[name]) for name in names]
        if all(map(_counts_up, counters)):
            continue
        flowed = np.abs(records.charges)
        if what == "energy":
            flowed = flowed * np.abs(records.voltage[1:])
        finding = _judge(what, counters, flowed, records)
        found += [finding] if finding else []
    return found


def _counts_up(counter: Floats) -> bool:
    """Return whether a counter rises more often than it falls, by some of its records."""
    steps = np.diff(np.abs(counter[:: max(counter.size // _SAMPLE, 1)]))
    return bool(np.count_nonzero(steps > 0) > np.count_nonzero(steps < 0))


def _judge(what: str, counters: list[Floats], flowed: Floats, records: Records) -> Finding | None:
    total = float(flowed.sum())
    unit = "Ah" if what == "charge" else "Wh"
    if not total:
        return None
    if not any(counter.any() for counter in counters):
        sentence = (
            f"The counters of {what} are 0 in all {records.time.size:,} records, while {total:.3g} "
            f"{unit} flow. The instrument does not seem to have counted."
        )
        return Finding("info", "counters_zero", sentence)
    if all(np.ptp(counter) == 0 for counter in counters):
        if total < _LEAST * max(float(np.abs(counter).max()) for counter in counters):
            return None
        values = " and ".join(f"{counter[0]:.6g}" for counter in counters)
        sentence = (
            f"The counters of {what} are {values} {unit} in all {records.time.size:,} records, "
            f"while {total:.3g} {unit} flow. Are they other columns?"
        )
        return Finding("warning", "counters_stand_still", sentence)
    changes = [np.diff(np.abs(counter)) * ~records.is_apart for counter in counters]
    falls = [float(-change.clip(max=0).sum()) for change in changes]
    rises = [float(change.clip(min=0).sum()) for change in changes]
    many = [np.count_nonzero(change < 0) >= _FEWEST for change in changes]
    if sum(falls) < _FALLS * total or sum(rises) > _RISES * sum(falls) or not any(many):
        return None
    sentence = (
        f"The counters of {what} fall by {sum(falls):.3g} {unit} in the steps and never rise, "
        f"while {total:.3g} {unit} flow. Are they what remains, or other columns?"
    )
    return Finding("warning", "counters_fall", sentence)
