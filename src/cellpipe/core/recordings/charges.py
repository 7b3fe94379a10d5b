"""Compare the integrated charge of each step with the file's own counters.

A current in the wrong range or unit (2, 10 or 1000 times too large has happened with every maker)
shows at once: the charge that flows in a step, ∫I·dt, differs from what the instrument counted. The
current between two records is not known, but lies between their values unless it peaked: the sums
of the smaller and of the larger value times the interval enclose the charge (Darboux sums), however
far apart the records are and whether a maker stores mean or instantaneous values. A step is
reported only if its counted charge lies outside these bounds by more than a hundredth and by more
than the last digits explain. Steps with less than a hundredth of the largest step's charge are left
out, because counters have few digits there; so are impedance measurements.

Where the energy was counted, too, it says which of the three is wrong: of charge by current, charge
by counter and energy over voltage two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.directions import BY_COUNTER, BY_CURRENT, direction_findings
from cellpipe.core.recordings.energies import CHARGES, OTHER, Energies, find_slip
from cellpipe.core.recordings.records import (
    Flags,
    Floats,
    Records,
    growth,
    last_digit,
    say_ratio,
    to_array,
)

ALLOWED = 0.01
_SHORT, _ALLOWED_IN_SHORT = 5, 0.8  # records of a step, in which a current may peak unseen
_SMALL = 0.01
_FEWEST_RECORDS = 10
_MOST_STEPS = 0.5  # of the records: above, the column is no number of steps
_SAMPLES = 5000  # values used to find the last digit
_FAR = 10.0  # times: beyond, a clock in another unit explains a charge
_TURNED = 0.05
_RETURNS = 0.1  # of a counter: it went back to zero


@dataclass(frozen=True)
class _Steps:
    """Each step's charge by the mean current, and the counted one (Ah)."""

    middle: Floats
    counted: Floats

    def ratios(self) -> dict[int, float]:
        """Return how many times the counted charge the current gives, in each direction."""
        found = {}
        for sign in (1, -1):
            there = self.middle * sign > 0
            counted = float(self.counted[there].sum())
            found[sign] = float(self.middle[there].sum()) / counted if counted else 0.0
        return found


def charge_findings(
    table: pl.DataFrame, records: Records, energies: Energies | None = None, pace: float = 1.0
) -> tuple[list[Finding], Mapping[int, float]]:
    """Return what charge by current and by counters say against each other, and their ratios.

    Parameters
    ----------
    table
        A ``timeseries``. Without counters or steps there is no finding.
    records
        Its columns.
    energies
        What the counted energy says of the counters, where it is known.
    pace
        How fast the test time runs by the other clocks: that is said already.

    """
    needed = {*CHARGES, "step_count"}
    if not needed <= {*table.columns} or table.height < _FEWEST_RECORDS:
        return [], {}
    negative = _negative_findings(table)
    if negative:
        return negative, {}
    steps = _step_charges(table, records)
    ratios = steps.ratios()
    is_paced = max(pace, 1 / pace) > _FAR and any(
        abs(ratio / pace - 1) <= OTHER for ratio in ratios.values()
    )
    if is_paced:
        return [], ratios
    found = _step_findings(table, records, steps, energies or Energies())
    few = records.begins.size == 1 or records.begins.size > _MOST_STEPS * table.height
    return found or (direction_findings(table, records) if few else []), ratios


def _negative_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding if the charging counter is negative, as no maker's is."""
    low, high = table.select(pl.col(CHARGES[0]).min(), high=pl.col(CHARGES[0]).max()).row(0)
    if low is None or low >= 0 or high > 0:
        return []
    sentence = (
        f"The charging counter goes down from 0 to {low:.4g} Ah. Is its sign turned, or is it the "
        "counter of the discharge?"
    )
    return [Finding("warning", "counter_negative", sentence)]


def _step_findings(
    table: pl.DataFrame, records: Records, steps: _Steps, energies: Energies
) -> list[Finding]:
    middle, counted = steps.middle, steps.counted
    size = np.maximum(np.abs(counted), np.abs(middle))
    checked = np.zeros(size.size, np.bool_)
    for charge in (np.abs(counted), np.abs(middle)):
        checked |= charge > _SMALL * float(charge.max(initial=0))
    outside = np.abs(middle - counted)
    lengths = np.diff(np.append(records.begins, records.time.size))
    allowed = np.where(lengths < _SHORT, _ALLOWED_IN_SHORT, ALLOWED) * size
    wrong = checked & (outside > allowed)
    if wrong.any():  # only then is it asked how sure the charges are
        outside -= _allowance(table, records, middle)
        wrong &= (outside > allowed) & ~_fall_in_steps(table, records)
    if not wrong.any():
        return []
    worst = int(np.argmax(np.where(wrong, outside, 0)))
    step = int(to_array(table["step_count"])[records.begins[worst]])
    ratio = float(middle[worst] / counted[worst]) if counted[worst] else np.inf
    much = (
        f"{say_ratio(ratio)} times as much"
        if counted[worst]
        else f"{middle[worst]:.3g} Ah, counted: 0"
    )
    slip = _find_slip(ratio, energies, 1 if middle[worst] > 0 else -1)
    sentence = (
        f"In {int(wrong.sum())} of {int(checked.sum())} steps the current does not give the charge "
        f"that the instrument counted; in step {step} it gives {much}. "
        f"{slip or 'Check the range and unit of the current.'}"
    )
    return [Finding("warning", "charge_disagrees", sentence, int(wrong.sum()))]


def _find_slip(ratio: float, energies: Energies, sign: int) -> str:
    """Ask after the likely slip; the energy over the voltage says if counter or current is off."""
    if abs(ratio + 1) <= _TURNED:
        return "Has the current lost its sign, or are the two counters swapped?"
    by_current, by_counter = BY_CURRENT, BY_COUNTER
    if energies.agree(sign):
        by_counter = {}
    elif energies.agree(sign) is False and energies.follow_from({sign: ratio, -sign: ratio}):
        by_current = {}
    both = {
        factor: ", or ".join(text[factor] for text in (by_current, by_counter) if factor in text)
        for factor in {**by_current, **by_counter}
    }
    return find_slip(ratio, both)


def _step_charges(table: pl.DataFrame, records: Records) -> _Steps:
    """Return each step's charge by the current, and the counted one."""
    charged, discharged = (_count_by_step(table[name], records) for name in CHARGES)
    return _Steps(records.sum_by_step(records.charges), charged - discharged)


def _count_by_step(counter: pl.Series, records: Records) -> Floats:
    """Return how much a counter counts in each step, in one pass if it returns to zero in none."""
    values = to_array(counter)
    falls = np.flatnonzero(values[1:] < values[:-1])
    if records.in_spectrum is not None or values[0] < 0 or not records.is_apart[falls].all():
        return records.sum_by_step(growth(counter, records.apart))
    counted: Floats = values[np.append(records.begins[1:], values.size) - 1]
    return counted - values[records.begins]


def _allowance(table: pl.DataFrame, records: Records, charges: Floats) -> Floats:
    """Return how far each step's charge may be from the true one, in Ah."""
    swing = np.abs(np.diff(records.current)) / 2 + _fluctuation(records.current)
    finest = float(np.min(records.hours, where=records.hours > 0, initial=np.inf))
    length = records.sum_by_step(records.hours)
    coarse = np.abs(charges) * finest / np.where(length > 0, length, np.inf)  # of the clock
    allowance: Floats = records.sum_by_step(swing * records.hours) + _digits(table, records)
    return allowance + coarse


def _digits(table: pl.DataFrame, records: Records) -> Floats:
    """Return how much charge the last digits of current and counters may hide in each step."""
    stride = max(table.height // _SAMPLES, 1)
    counters = [last_digit(to_array(table[name].gather_every(stride))) for name in CHARGES]
    digit = last_digit(records.current[::stride])
    rounded = 2 if digit else 10  # of a current that is 0 throughout, no digit is known
    return records.sum_by_step(records.hours) * digit + rounded * max(counters)


def _fall_in_steps(table: pl.DataFrame, records: Records) -> Flags:
    """Return in which steps a counter goes down, but not to zero: current flows both ways there."""
    falls = np.zeros(records.begins.size, np.bool_)
    for name in CHARGES:
        values = np.abs(to_array(table[name]))
        fell = (values[1:] < values[:-1]) & (values[1:] > _RETURNS * values[:-1])
        fell[records.apart] = False
        falls |= records.sum_by_step(fell.astype(np.float64)) > 0
    return falls


def _fluctuation(current: Floats) -> Floats:
    """Return by how much the current goes to and fro at each record, as it may between two, too."""
    change = np.diff(current)
    turns = np.minimum(np.abs(change[1:]), np.abs(change[:-1])) * (change[1:] * change[:-1] < 0)
    larger: Floats = np.maximum(np.append(turns, 0.0), np.append(0.0, turns))
    return larger
