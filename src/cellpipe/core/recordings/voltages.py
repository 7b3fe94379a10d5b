"""Whether the voltage of a recording can be one: it moves, and it does not leap for one record."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import ENERGIES
from cellpipe.core.recordings.records import Flags, Floats, Records, to_array

_FEWEST = 10
_STEADY = 0.05  # of the largest current: it counts as the same
_TINY = 0.0101  # V; 10 V in kV
_NEAR_ZERO = 0.2  # of the largest voltage of a cell in kV: it is never as near to 0
_MOST, _PARTLY = 0.5, 0.1
_STRETCH = 3  # records in a row
_LEAST_RANGE, _FAR, _FEWEST_TURNS = 0.3, 0.25, 3  # V; of the range, from its middle


def voltage_findings(table: pl.DataFrame, records: Records, some: Records) -> list[Finding]:
    """Return what of a voltage can't be: zero or constant throughout, tiny, a current.

    For the latter ``some`` of the records suffice.
    """
    outside = slice(None) if records.in_spectrum is None else ~records.in_spectrum
    voltage, current = records.voltage[outside], records.current[outside]
    if voltage.size < _FEWEST:
        return []
    if np.ptp(voltage) == 0:
        return _constant_findings(table, voltage, current)
    if records.is_rest:
        return _rest_findings(some)
    return _swapped_findings(some) or _tiny_findings(some, voltage)


def _rest_findings(records: Records) -> list[Finding]:
    """Return a finding if the voltage of a cell at rest goes up and down as no cell's does."""
    low, high = float(records.voltage.min()), float(records.voltage.max())
    if high == low:
        return []
    place = (records.voltage - low) / (high - low)
    ends = np.sign(np.where(np.abs(place - 0.5) > _FAR, place - 0.5, 0.0))
    ends = ends[ends != 0]
    turns = int(np.count_nonzero(ends[1:] != ends[:-1]))
    if records.in_spectrum is not None or high - low < _LEAST_RANGE or turns < _FEWEST_TURNS:
        return []
    sentence = (
        f"The voltage goes {turns} times between {low:.4g} and {high:.4g} V, but the current is 0 "
        "in all records. Was it recorded, and is it the right column?"
    )
    return [Finding("warning", "current_zero", sentence)]


def _constant_findings(table: pl.DataFrame, voltage: Floats, current: Floats) -> list[Finding]:
    """Return a finding if currents leave the voltage what it is, as in no cell that works.

    At rest, in a hold and in a cell with a short circuit it may well be constant, or 0.
    """
    largest = float(np.abs(current).max())
    both_ways = current.min() < -largest / 2 and current.max() > largest / 2
    if voltage[0] == 0:
        counted = any(to_array(table[name]).any() for name in ENERGIES if name in table.columns)
        if not (counted or (both_ways and is_driven(current))):
            return []
        sentence = (
            f"The voltage is 0 in all {voltage.size:,} records. Was it recorded, and is it the "
            "right column?"
        )
        return [Finding("warning", "voltage_zero", sentence, voltage.size)]
    strong = np.abs(current) > largest / 2
    few = min(np.count_nonzero(strong), np.count_nonzero(~strong)) < _FEWEST / 2
    changes = np.ptp(current) > _STEADY * largest and (both_ways or not few)
    rises = np.diff(np.abs(current)).max(initial=0.0) > _STEADY * largest
    is_held = current.min() * current.max() > 0 or (
        current.min() * current.max() == 0 and not rises
    )
    if not changes or is_held or not is_driven(current):
        return []  # at rest, or held by a current that goes to zero or to and fro
    sentence = (
        f"The voltage is {voltage[0]:.6g} V in all {voltage.size:,} records, though currents of "
        f"{current.min():.3g} to {current.max():.3g} A flow. Is it the right column?"
    )
    return [Finding("warning", "voltage_constant", sentence, voltage.size)]


def is_driven(current: Floats) -> bool:
    """Return whether most of the large currents are the same for some records, as one that is set.

    The current of a held voltage falls, or goes to and fro.
    """
    largest = float(np.abs(current).max())
    strong: Flags = np.abs(current) > largest / 2
    same = np.abs(np.diff(current)) <= _STEADY * largest
    begins = np.append(0, np.flatnonzero(~same | (strong[1:] != strong[:-1])) + 1)
    lengths = np.diff(np.append(begins, current.size))
    spread = np.maximum.reduceat(current, begins) - np.minimum.reduceat(current, begins)
    steady = strong[begins] & (lengths >= _STRETCH) & (spread <= _STEADY * largest)
    return float(lengths[steady].sum()) > _MOST * float(strong.sum())


def _tiny_findings(records: Records, voltage: Floats) -> list[Finding]:
    low, high = float(voltage.min()), float(voltage.max())
    largest = max(abs(low), abs(high))
    charge = records.charges
    whole = float(np.abs(charge).sum())
    both_ways = whole > 0 and _PARTLY < float(charge.clip(min=0).sum()) / whole < 1 - _PARTLY
    nearest = min(abs(low), abs(high))
    if largest > _TINY or low * high <= 0 or nearest < _NEAR_ZERO * largest or not both_ways:
        return []
    if not _drifts(records):
        return []
    sentence = (
        f"The voltage lies between {low * 1000:.4g} and {high * 1000:.4g} mV throughout, whichever "
        "way the current flows. Is the column in kV?"
    )
    return [Finding("warning", "voltage_tiny", sentence, voltage.size)]


def _drifts(records: Records) -> bool:
    """Return whether the voltage moves further while a current flows than when the current turns.

    That of a cell does; that of two like electrodes with an offset of the instrument does not.
    """
    flows = np.sign(records.current)
    begins = np.append(0, np.flatnonzero((flows[1:] != flows[:-1]) | records.is_apart) + 1)
    ends = np.append(begins[1:], flows.size) - 1
    moved = np.abs(records.voltage[ends] - records.voltage[begins])[flows[begins] != 0]
    return bool(moved.size) and float(moved.max()) > _MOST * float(np.ptp(records.voltage))


def _swapped_findings(records: Records) -> list[Finding]:
    """Return a finding if the voltage goes in steps of both signs and the current as a voltage."""
    voltage, current = records.voltage, records.current
    if (
        records.in_spectrum is not None
        or not 0.05 < np.abs(current).min() <= np.abs(current).max() < 6
    ):
        return []
    if current.min() * current.max() < 0 or voltage.min() >= 0 or voltage.max() <= 0:
        return []
    largest = float(np.abs(voltage).max())
    flows = np.where(np.abs(voltage) > 0.01 * largest, np.sign(voltage), 0)
    inside = (flows[1:] == flows[:-1]) & ~records.is_apart
    moved = np.diff(current) * inside * flows[1:]
    along, against = float(moved.clip(min=0).sum()), float(-moved.clip(max=0).sum())
    if along < 4 * against or not along:
        return []
    sentence = (
        f"The voltage changes its sign ({voltage.min():.3g} to {voltage.max():.3g} V) and the "
        f"current never does ({current.min():.3g} to {current.max():.3g} A), but rises and falls "
        "with the sign of the voltage. Are the two columns swapped?"
    )
    return [Finding("warning", "voltage_and_current_swapped", sentence, voltage.size)]
