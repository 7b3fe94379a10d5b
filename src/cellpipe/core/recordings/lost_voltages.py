"""Whether the voltage is lost in a part of a recording: 0, stuck, or of the other sign from there.

Each of these is no state of a cell, whose voltage answers to the current and goes through what lies
between. A cell that is deeply discharged, shorted or held is none of them.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Floats, Records, last_digit
from cellpipe.core.recordings.voltages import is_driven

_FEWEST = 30
_CELL = 1.0  # V; a cell that is never below does not come to 0
_SMALL, _STEADY = 0.01, 0.05  # of the largest current: it flows; it stays the same
_JUMP = 0.2  # of the largest current: a step of it
_SAME = 0.05  # of a voltage
_LONG = 0.05  # of all records: a voltage is stuck
_DIGITS = 10.0  # last digits by which the voltage answers elsewhere
_MOSTLY, _FEWEST_STEPS = 0.9, 4
_SAMPLES = 5000


def lost_voltage_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if the voltage is 0, stuck or turned in a part of the records.

    Parameters
    ----------
    table
        A ``timeseries``.
    records
        Its columns.

    """
    if records.is_rest or records.in_spectrum is not None or table.height < _FEWEST:
        return []
    numbers = table["record_index"]
    return (
        _zero_findings(numbers, records)
        or _turned_findings(numbers, records)
        or _stuck_findings(numbers, records)
    )


def _zero_findings(numbers: pl.Series, records: Records) -> list[Finding]:
    zero = records.voltage == 0
    if not zero.any() or zero.all():
        return []
    size = np.abs(records.voltage)
    nearest = float(np.min(size, where=~zero, initial=np.inf))
    lost = zero & (np.abs(records.current) > _SMALL * records.largest)
    inside = ~records.is_apart[1:] & ~records.is_apart[:-1]
    lost[1:-1] |= zero[1:-1] & ~zero[2:] & ~zero[:-2] & inside
    places = np.flatnonzero(lost)
    if nearest <= _CELL or not places.size:
        return []
    if places.size == 1 and 0 < places[0] < zero.size - 1:
        return []  # one spike is said as such
    sentence = (
        f"The voltage is exactly 0 in {places.size:,} of {zero.size:,} records, first in record "
        f"{numbers[int(places[0])]:,}, and {nearest:.4g} V or more in all others. Was a contact "
        "lost, or was the voltage not recorded there?"
    )
    return [Finding("warning", "voltage_zero", sentence, int(places.size))]


def _turned_findings(numbers: pl.Series, records: Records) -> list[Finding]:
    """Return a finding if the voltage turns its sign, and nothing else changes."""
    before, after = records.voltage[:-1], records.voltage[1:]
    if records.voltage.min() >= 0 or records.voltage.max() <= 0:
        return []
    small = np.minimum(np.abs(before), np.abs(after))
    turned = (before * after < 0) & (small > _CELL) & ~records.is_apart
    turned &= np.abs(before + after) <= _SAME * small
    turned &= np.abs(np.diff(records.current)) <= _STEADY * records.largest
    places = np.flatnonzero(turned)
    if not places.size:
        return []
    at = int(places[0])
    more = f" It does so at {places.size - 1:,} other places." if places[1:].size else ""
    sentence = (
        f"The voltage turns its sign from record {numbers[at]:,} ({before[at]:.4g} V) to record "
        f"{numbers[at + 1]:,} ({after[at]:.4g} V), while the current stays the same. Were the "
        f"contacts exchanged, or is the sign wrong from there?{more}"
    )
    return [Finding("warning", "voltage_sign_turned", sentence, int(places.size))]


def _stuck_findings(numbers: pl.Series, records: Records) -> list[Finding]:
    """Return a finding if steps of the current move the voltage, but not in one long part."""
    voltage = records.voltage
    begins = np.append(0, np.flatnonzero(np.diff(voltage)) + 1)
    lengths = np.diff(np.append(begins, voltage.size))
    longest = int(np.argmax(lengths))
    begin, length = int(begins[longest]), int(lengths[longest])
    if length < max(_FEWEST, _LONG * voltage.size):
        return []
    steps = np.flatnonzero(np.abs(np.diff(records.current)) > _JUMP * records.largest)
    inside = (steps >= begin) & (steps < begin + length - 1)
    answers: Floats = np.abs(np.diff(voltage))[steps[~inside]]
    digit = last_digit(voltage[:: voltage.size // _SAMPLES + 1])
    part = records.current[begin : begin + length]
    if inside.sum() < 2 or answers.size < _FEWEST_STEPS or not is_driven(part):
        return []
    if not digit or np.mean(answers > _DIGITS * digit) < _MOSTLY:
        return []
    sentence = (
        f"The voltage is {voltage[begin]:.6g} V in the {length:,} records from record "
        f"{numbers[begin]:,} on, though the current changes there {int(inside.sum()):,} times, and "
        "elsewhere the voltage answers to it. Was it recorded there?"
    )
    return [Finding("warning", "voltage_stuck", sentence, length)]
