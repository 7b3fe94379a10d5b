"""Which small currents are an offset or noise at open circuit, and which are driven.

An instrument's offset of some thousandths of its range looks like a current. Where its step types
are known they say what is driven. Where they are not, a small current that sets in abruptly after a
driven one, and stays the same while the voltage leaves the value at which the driven one ended, is
no charge: at a constant voltage the voltage stays and the current falls. Above a hundredth of the
usual current it must be the same after charge and discharge, as no driven one is, or the voltage
must go against it. Small currents that go to and fro about zero are noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALL, LARGEST = 0.01, 0.12  # of the usual current: an offset is below; one that others bear out
ABRUPT = 1.5  # times: the current before was larger by that
STEADY = 0.2  # of an offset, by which it changes
SAME = 0.1  # of an offset that is larger than others, by which it changes
LEFT_VOLT = 0.01  # the voltage has left the one at which the current ended
FEWEST = 3  # records of a stretch
FEWEST_OF_NOISE, TO_AND_FRO = 8, 0.2  # records, and changes of sign among them
LOUD = 4.0  # standard deviations of noise, above which it ends
SURE = 5.0  # standard errors by which the mean of noise differs from zero
FEW, SOME = 0.02, 0.1  # of the charge of the longest stretch: that of an offset is below; of one
# that is the same behind charge and discharge

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Directions = NDArray[np.int8]


class _Stretch(NamedTuple):
    """Records of a small steady current, its median, A, and whether it is known to be no charge."""

    start: int
    end: int
    offset: float
    is_offset: bool


def find_offset(
    time_second: Floats, current_ampere: Floats, voltage_volt: Floats, direction: Directions
) -> tuple[Directions, float]:
    """Return the directions without those of offsets and noise at rest, and an offset's median, A.

    Parameters
    ----------
    time_second, current_ampere, voltage_volt
        Time in the test, s, current, A, and voltage, V; shape (n,).
    direction
        +1, −1 or 0 for each record, by its current; shape (n,).

    """
    size = np.abs(current_ampere)
    flowing = size[:: max(size.size // 100_000, 1)]
    flowing = np.sort(flowing[flowing > 0])
    if not flowing.size:
        return direction, 0.0
    passed = np.cumsum(flowing)
    usual = float(flowing[np.searchsorted(passed, passed[-1] / 2)])
    small = size < LARGEST * usual
    if not (small & (direction != 0)).any():
        return direction, 0.0
    told = direction.copy()
    edges = np.flatnonzero(np.diff(small, prepend=False, append=False))
    found: list[_Stretch] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if not direction[start:end].any():
            continue
        noise = _find_noise(current_ampere[start:end])
        if noise is not None:
            span = slice(start + noise.start, start + noise.stop)
            mean = float(current_ampere[span].mean())
            error = float(current_ampere[span].std()) / np.sqrt(span.stop - span.start)
            told[span] = np.sign(mean) if abs(mean) > SURE * error else 0
            continue
        found += _stretches(current_ampere, voltage_volt, direction, (start, end), SMALL * usual)
    offsets: list[float] = []
    agreeing = _agreeing(found)
    ways = {np.sign(current_ampere[stretch.start - 1]) for stretch in agreeing if stretch.start}
    most = (SOME if len(ways) > 1 else FEW) * usual * _longest(time_second, ~small)
    for stretch in agreeing:
        lasted = float(time_second[stretch.end - 1] - time_second[stretch.start])
        if abs(stretch.offset) < SMALL * usual or abs(stretch.offset) * lasted <= most:
            told[stretch.start : stretch.end] = 0
            offsets.append(stretch.offset)
    return told, float(np.median(offsets)) if offsets else 0.0


def _longest(time: Floats, flows: Flags) -> float:
    """Return how long the longest stretch of the usual currents is, s."""
    edges = np.flatnonzero(np.diff(flows, prepend=False, append=False))
    if not edges.size:
        return 0.0
    return float((time[edges[1::2] - 1] - time[edges[::2]]).max())


def _find_noise(current: Floats) -> slice | None:
    """Return where a current goes to and fro about zero; None where it does not."""
    signs = np.sign(current)
    turns = np.flatnonzero(signs[1:] * signs[:-1] < 0)
    if current.size < FEWEST_OF_NOISE or turns.size < TO_AND_FRO * current.size:
        return None
    start, stop = int(turns[0]), int(turns[-1]) + 2
    loud = np.abs(current) > LOUD * float(current[start:stop].std())
    before, after = np.flatnonzero(loud[:start]), np.flatnonzero(loud[stop:])
    first = int(before[-1]) + 1 if before.size else 0
    return slice(first, stop + int(after[0]) if after.size else current.size)


def _stretches(
    current: Floats, voltage: Floats, direction: Directions, span: tuple[int, int], small: float
) -> list[_Stretch]:
    """Divide small currents where they jump, and return those that stay the same."""
    start, end = span
    inside = current[start:end]
    larger = np.maximum(np.abs(inside[1:]), np.abs(inside[:-1]))
    jumps = start + 1 + np.flatnonzero(np.abs(np.diff(inside)) > STEADY * larger)
    begins, stops = np.append(start, jumps), np.append(jumps, end)
    asked = (stops - begins >= FEWEST) & (direction[begins] != 0)
    found = []
    for begin, stop in zip(begins[asked].tolist(), stops[asked].tolist(), strict=True):
        offset = _offset(current[begin:stop])
        if offset:
            leaves = _leaves(current, voltage, begin, stop, offset)
            against = offset * float(voltage[stop - 1] - voltage[begin]) <= 0
            onward = begin > 0 and offset * current[begin - 1] > 0
            same = float(np.ptp(current[begin:stop])) <= SAME * abs(offset)
            is_offset = leaves and (abs(offset) < small or (onward and against and same))
            found.append(_Stretch(begin, stop, offset, is_offset))
    return found


def _agreeing(found: list[_Stretch]) -> list[_Stretch]:
    """Return the stretches that are offsets, and those that have the same current."""
    known = [stretch.offset for stretch in found if stretch.is_offset]
    return [
        stretch
        for stretch in found
        if stretch.is_offset
        or any(abs(stretch.offset - offset) <= STEADY * abs(offset) for offset in known)
    ]


def _offset(current: Floats) -> float:
    """Return the median of a current that stays the same; 0 of one that does not."""
    if current.size < FEWEST:
        return 0.0
    offset = float(np.median(current))
    spread = float(np.median(np.abs(current - offset)))
    drift = abs(float(np.median(current[: FEWEST + 2]) - np.median(current[-FEWEST - 2 :])))
    return offset if max(spread, drift) <= STEADY * abs(offset) else 0.0


def _leaves(current: Floats, voltage: Floats, start: int, end: int, offset: float) -> bool:
    """Return whether a large current ends before, and the voltage then relaxes from its value."""
    if start == 0:
        return False
    before = float(current[start - 1])
    if abs(before) < ABRUPT * abs(offset):
        return False
    moved = float(np.median(voltage[start:end]) - voltage[start - 1])
    return bool(moved * np.sign(before) < -LEFT_VOLT)
