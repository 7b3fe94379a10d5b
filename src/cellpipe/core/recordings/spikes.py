"""Whether one record of a recording leaps: far from both its neighbours, with nothing to say why.

A pulse, a step of the schedule and noise are none: the current stays the same, the step too, and no
other record lies as far from its neighbours.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Flags, Floats, Places, Records

_FEWEST = 30
MOST_SPIKES = 5
_FAR = 3.0  # times the largest of all other currents
_SAMPLES = 5000
_LEAST = 0.05  # V
_FURTHER = 10.0  # times as far from both its neighbours as any other record
_MOSTLY = 0.9  # of the intervals: they are longer where records are few, and the voltage moves
_VOLTAGE_OUTSIDE, _CURRENT_OUTSIDE = 0.5, 2.0  # of the range of all others
_SET = 0.01  # of the current: it is one that is set
_FAR_BEYOND = 100.0  # of the range of all others
_NOISE = 0.01  # of the range of all others
_STEADY = 0.05  # of the largest current: it counts as the same
_LONG = 5.0  # times the usual interval: records were left out
_ASK = "Is it a spike of the instrument, or a slip?"


def spike_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding for the one record whose current or voltage leaps."""
    if table.height < _FEWEST:
        return []
    at = find_current_spike(table, records)
    if at is not None:
        return [
            _finding(table, "current", "A", records.current, at, "and the voltage does not answer")
        ]
    at = _find_voltage_spike(records)
    if at is not None and not _is_missing_beside(table, records, at):
        return [
            _finding(table, "voltage", "V", records.voltage, at, "while the current stays the same")
        ]
    return []


def find_current_spike(table: pl.DataFrame, records: Records) -> int | None:
    """Return the one record whose current leaps while the voltage does not answer."""
    if table.height < _FEWEST:
        return None
    at = _find_current_spike(records)
    return None if at is None or _is_missing_beside(table, records, at) else at


def may_rush_in(records: Records, at: int) -> bool:
    """Return whether a step begins here and its current then falls, as where a voltage is set.

    Such a current is over long before the next record. One that is set is the same from then on.
    """
    after = records.current[at + 1 : at + 4]
    begins = bool((records.begins == at).any())
    return begins and after.size > 0 and float(np.ptp(after)) > _SET * abs(after.mean())


def _is_missing_beside(table: pl.DataFrame, records: Records, at: int) -> bool:
    """Return whether records before or after this one were left out, which may explain it."""
    near = slice(max(at - 1, 0), at + 1)
    gaps = np.diff(table["record_index"][max(at - 1, 0) : at + 2].to_numpy()) > 1
    usual = float(np.median(records.seconds))
    return bool(gaps.any() or (usual > 0 and (records.seconds[near] > _LONG * usual).any()))


def _finding(
    table: pl.DataFrame, word: str, unit: str, values: Floats, at: int, other: str
) -> Finding:
    sentence = (
        f"The {word} of record {table['record_index'][at]:,} is {values[at]:.4g} {unit} between "
        f"{values[at - 1]:.4g} and {values[at + 1]:.4g} {unit}, {other}. {_ASK}"
    )
    return Finding("warning", f"{word}_spike", sentence, 1)


def _find_current_spike(records: Records) -> int | None:
    """Return the record whose current is far out of the range of all others, if it is one."""
    current, voltage = records.current, records.voltage
    at = int(np.argmax(current) if current.max() == records.largest else np.argmin(current))
    if not 0 < at < current.size - 1:
        return None
    around = voltage[at - 1], voltage[at + 1], (voltage[at - 1] + voltage[at + 1]) / 2
    if min(abs(voltage[at] - other) for other in around) >= _LEAST:
        return None
    before, after = float(current[at - 1]), float(current[at + 1])
    others = np.setdiff1d(find_outliers(np.abs(current)), [at])  # one spike hides no other
    usual, place = current, at
    if others.size:
        usual, place = np.delete(current, others), at - int((others < at).sum())
    beyond = _beyond_others(usual, place)
    if beyond <= _CURRENT_OUTSIDE:
        return None
    own_step = np.isin([at, at + 1], records.begins).all()
    if beyond > _FAR_BEYOND and not own_step and not may_rush_in(records, at):
        return at  # at the ends of a step, too, where no neighbour has the step's current
    noise = _NOISE * abs(float(current[at])) / beyond
    is_steady = abs(after - before) <= max(_STEADY * max(abs(before), abs(after)), noise)
    return at if is_steady else None  # in a sweep or a hold the voltage answers to nothing


def _beyond_others(values: Floats, at: int) -> float:
    """Return how far out of the range of all others a value lies, in parts of it; 0 if it doesn't.

    0 too where all others are the same.
    """
    low = min(part.min(initial=np.inf) for part in (values[:at], values[at + 1 :]))
    high = max(part.max(initial=-np.inf) for part in (values[:at], values[at + 1 :]))
    beyond = float(max(low - values[at], values[at] - high, 0.0))
    return beyond / float(high - low) if high > low else 0.0


def _find_voltage_spike(records: Records) -> int | None:
    """Return the record whose voltage alone leaps while the current stays the same."""
    voltage = records.voltage
    change = np.diff(voltage)
    leaps = np.flatnonzero(np.abs(change) > _LEAST)
    places = leaps[:-1][leaps[1:] == leaps[:-1] + 1]  # of the first of two leaps in a row
    places = places[change[places] * change[places + 1] < 0]
    if not places.size:
        return None
    far = np.minimum(np.abs(change[places]), np.abs(change[places + 1]))
    before, after = _is_steady(records, places), _is_steady(records, places + 1)
    apart = records.is_apart[places] | records.is_apart[places + 1]
    far[~(before | after)] = 0.0
    doubtful: Flags = apart | ~(before & after)
    at = int(np.argmax(far))
    record = int(places[at]) + 1
    some = np.abs(change[:: change.size // _SAMPLES + 1])
    if far[at] <= _FURTHER * float(np.quantile(some, _MOSTLY)):
        return None
    if doubtful[at]:
        return record if _beyond_others(voltage, record) > _VOLTAGE_OUTSIDE else None
    beside = np.abs(places - places[at]) <= 1
    others = float(np.where(beside | doubtful, 0.0, far).max(initial=0.0))
    is_alone = far[at] > _FURTHER * max(others, _usual(change, record))
    return record if is_alone else None


def _usual(change: Floats, record: int) -> float:
    """Return how far records lie from their neighbours, but for one of them."""
    far = np.minimum(np.abs(change[1:]), np.abs(change[:-1]))
    far[(change[1:] * change[:-1] >= 0) | (far > _LEAST)] = 0.0
    far[max(record - 2, 0) : record + 1] = 0.0
    return float(far.max(initial=0.0))


def _is_steady(records: Records, intervals: Places) -> Flags:
    current = records.current
    steady: Flags = np.abs(current[intervals + 1] - current[intervals]) <= _STEADY * records.largest
    return steady


def find_outliers(sizes: Floats) -> Places:
    """Return the few records, in their order, whose current is far beyond that of all others."""
    top = np.argpartition(sizes, -MOST_SPIKES - 1)[-MOST_SPIKES - 1 :]
    top = top[np.argsort(-sizes[top])]
    far = np.flatnonzero(sizes[top[:-1]] > _FAR * sizes[top[1:]])
    number = int(far[-1]) + 1 if far.size and sizes[top[-1]] > 0 else 0
    return np.sort(top[:number])
