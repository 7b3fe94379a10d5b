"""Currents of few records within a constant one that nothing else of the recording bears out.

Both before and behind them the current is the same, the step goes on, and the voltage goes on as
before: a current that differs by so much would have moved it. A pulse moves it, and so does a
current that is interrupted.
"""

from __future__ import annotations

import numpy as np

from cellpipe.core.recordings.records import SAMPLE, Flags, Floats, Places, Records

MOST = 5  # records in a row
_AROUND = 4  # records on either side that hold the same current
_SAME = 0.01  # of that current
_LEAST = 0.02  # of the usual current; below, none is constant
_OFF = 0.1  # of that current, by which others are off
_ANSWER = 0.2  # of the voltage that the current would move
_FEWEST_TURNS = 3  # changes of current that tell the resistance
_LEAST_CHANGE = 0.5  # of the usual current; a smaller change does not tell it
_NOISE = 4.0  # times the voltage's noise
_STILL = 1e-3  # V, by which a voltage moves that does not answer, where no resistance is known
_LONG = 5.0  # times the intervals around: records are missing


def find_stray_currents(records: Records, record_index: Places) -> Places:
    """Return the records whose current nothing bears out, in their order.

    Parameters
    ----------
    records
        The columns of a recording.
    record_index
        Their numbers; where some are missing, nothing is said.

    """
    current, voltage = records.current, records.voltage
    none = np.zeros(0, np.intp)
    if current.size < 2 * _AROUND + MOST:
        return none
    usual = _usual(current)
    change = np.diff(current)
    np.abs(change, out=change)
    jumps = np.flatnonzero(change > _OFF * _LEAST * usual) + 1
    before = np.abs(current[jumps - 1])
    jumps = jumps[(before > _LEAST * usual) & (change[jumps - 1] > _OFF * before)]
    jumps = _candidates(current, jumps[(jumps >= _AROUND) & (jumps < current.size - _AROUND)])
    if not jumps.size:
        return none
    resistance = _resistance(records)
    found: list[int] = []
    for start in jumps.tolist():
        length = _length(current, start)
        span = slice(start - _AROUND, start + length + _AROUND)
        if not length or span.stop > current.size or _is_broken(records, record_index, span):
            continue
        around = np.r_[span.start : start, start + length : span.stop]
        constant = float(np.median(current[around]))
        if np.abs(current[around] - constant).max() > _SAME * abs(constant):
            continue
        inside = np.arange(start, start + length)
        if _is_borne_out(voltage, around, inside, resistance * (current[inside] - constant)):
            continue
        found += inside.tolist()
    return np.array(found, np.intp)


def _candidates(current: Floats, jumps: Places) -> Places:
    """Return the jumps behind which the current soon is what it was before."""
    back = np.zeros(jumps.size, np.bool_)
    for later in range(1, MOST + 1):
        at = np.minimum(jumps + later, current.size - 1)
        back |= np.abs(current[at] - current[jumps - 1]) <= _SAME * np.abs(current[jumps - 1])
    found: Places = jumps[back & (current[jumps - 1] != 0)]
    return found


def _length(current: Floats, start: int) -> int:
    """Return how many records differ from the one before; 0 if there are too many."""
    before = current[start - 1]
    for length in range(1, MOST + 1):
        if abs(current[start + length] - before) <= _SAME * abs(before):
            inside = current[start : start + length]
            return length if (np.abs(inside - before) > _OFF * abs(before)).all() else 0
    return 0


def _is_broken(records: Records, record_index: Places, span: slice) -> bool:
    """Return whether another step begins within some records, or records are missing there."""
    inside = slice(span.start, span.stop - 1)
    seconds = records.seconds[inside]
    usual = float(np.median(seconds))
    is_far = usual <= 0 or float(seconds.max()) > _LONG * usual
    gaps = np.diff(record_index[span]) > 1
    return bool(is_far or gaps.any() or records.is_apart[inside].any())


def _is_borne_out(voltage: Floats, around: Places, inside: Places, moved: Floats) -> bool:
    """Return whether the voltage answers to a current that would move it so far (0: unknown)."""
    line = np.polynomial.Polynomial.fit(around, voltage[around], 2)
    off = float(np.abs(voltage[inside] - line(inside)).max())
    noise = float(np.abs(voltage[around] - line(around)).max())
    expected = float(np.abs(moved).max())
    if not expected:
        return off > _NOISE * noise + _STILL
    return off > _ANSWER * expected or expected < _NOISE * noise


def _usual(current: Floats) -> float:
    """Return the median of the currents that flow, A; endless without one."""
    flowing = np.abs(current[:: current.size // SAMPLE + 1])
    return float(np.median(flowing[flowing > 0])) if flowing.any() else np.inf


def _resistance(records: Records) -> float:
    """Return how far the voltage moves by current where steps begin, Ω; 0 if few tell it."""
    change = np.diff(records.current)
    at = np.flatnonzero(np.abs(change) > _LEAST_CHANGE * _usual(records.current))
    lasting: Flags = np.zeros(at.size, np.bool_)
    if at.size:
        later = np.minimum(at + 1 + MOST, records.current.size - 1)
        earlier = np.maximum(at - MOST, 0)
        lasting = np.abs(records.current[later] - records.current[at + 1]) < np.abs(change[at]) / 2
        lasting &= np.abs(records.current[earlier] - records.current[at]) < np.abs(change[at]) / 2
    at = at[lasting]
    if at.size < _FEWEST_TURNS:
        return 0.0
    ohms = (records.voltage[at + 1] - records.voltage[at]) / change[at]
    return max(float(np.median(ohms)), 0.0)
