"""What an instrument did with a cell: the kind of a stretch of its records, by steps and current.

Kinds are named where a pattern is clear; a stretch without one is cycling, or is not told.

- GITT, ICI: five or more pulses of one direction and of like length in one half cycle, with rests
  of like length between them; short ones (up to a minute, a fifth of a pulse) are interruptions.
- HPPC/pulse: short pulses (up to two minutes, a fifth of the usual length) beside rests, between
  three or more longer stretches of one half cycle; or nothing but short pulses and rests. Pulses in
  three or more half cycles of one direction in a row are part of the cycling.
- Symmetric stripping/plating: by the sheet, or by the voltages (``symmetric.py``). CCD: of these,
  four or more rising currents.
- Voltammogram: the voltage rises and falls with one slope while the current changes.
- Hold/float: the voltage is held for ten hours, and twice as long as the current before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KINDS = (
    "formation", "cycling", "rate test", "check cycle", "GITT", "ICI", "HPPC/pulse", "hold/float",
    "storage", "voltammogram", "symmetric stripping/plating", "CCD", "OCV", "EIS", "not told",
)  # fmt: skip
TRAINS = ("GITT", "ICI", "HPPC/pulse")
NO_CYCLES = (*TRAINS, "hold/float", "voltammogram")  # their half cycles make no cycle
SYMMETRIC = ("symmetric stripping/plating", "CCD")
FEWEST_PULSES, _FEWEST_SHORT = 5, 3  # of a titration; short ones, and stretches between them
PULSE_SECOND, _BRIEF_SECOND, _SHORT = 120.0, 30.0, 0.2  # of the usual length
_INTERRUPT_SECOND = 60.0
_LIKE, _MOSTLY = 2.0, 0.6  # factor, and share of pulses that are alike
_SERIES = 40  # pulses; more in turn are fast cycling
_LEVELS, _RISE = 4, 1.05
HELD_SECOND, _HELD = 36000.0, 2.0
_SAMPLES, _FEWEST_SAMPLES = 1000, 40
_SLOPE, _STEADY = 0.1, 0.15

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]


class Runs(NamedTuple):
    """Stretches of one direction in the order of time; shape (n,) each.

    ``direction`` is +1 on charge, −1 on discharge, 0 at rest; ``duration`` in s; ``current`` is the
    mean magnitude, A; ``voltage`` the mean, V.
    """

    direction: Signs
    duration: Floats
    current: Floats
    voltage: Floats


def name_train(runs: Runs, main: int) -> str | None:
    """Return whether the runs of one half cycle are a GITT, an ICI or an HPPC; None if none.

    Parameters
    ----------
    runs
        Those of the half cycle, with the rests between them.
    main
        Direction of the half cycle.

    """
    driven, own = runs.direction != 0, runs.direction == main
    if driven.sum() < FEWEST_PULSES:
        return None
    brief = driven & (runs.duration <= PULSE_SECOND)
    long = own & ~brief
    if long.any():
        brief &= runs.duration <= _SHORT * float(np.median(runs.duration[long]))
        long = own & ~brief
        if _has_short_pulses(runs, brief, long):
            return "HPPC/pulse"
    elif (driven & ~own).any():
        return None
    else:
        long = own
    if long.sum() < FEWEST_PULSES or (driven & ~long).sum() > 0.1 * long.sum():
        return None
    first, last = np.flatnonzero(long)[[0, -1]]
    inside = np.arange(len(own)) > first
    inside &= (np.arange(len(own)) < last) & (runs.direction == 0)
    pulses, rests = runs.duration[long], runs.duration[inside]
    if len(rests) < FEWEST_PULSES - 1 or not (_are_alike(pulses) and _are_alike(rests)):
        return None
    rest = float(np.median(rests))
    return "ICI" if rest <= min(_INTERRUPT_SECOND, _SHORT * float(np.median(pulses))) else "GITT"


def _are_alike(values: Floats) -> bool:
    middle = float(np.median(values))
    alike = (values >= middle / _LIKE) & (values <= middle * _LIKE)
    return bool(alike.mean() >= _MOSTLY)


def _has_short_pulses(runs: Runs, brief: NDArray[np.bool_], long: NDArray[np.bool_]) -> bool:
    """Return whether short pulses beside rests stand between three longer stretches or more."""
    if brief.sum() < _FEWEST_SHORT or long.sum() < _FEWEST_SHORT:
        return False
    rests = np.append(runs.direction == 0, True)
    beside = brief & (rests[1:] | np.append(True, rests[:-2]))
    order = np.flatnonzero(brief | long)
    turns = int((brief[order][:-1] & long[order][1:]).sum())
    return bool(turns >= _FEWEST_SHORT - 1 and beside.sum() >= 0.5 * brief.sum())


def is_pulse_test(runs: Runs) -> bool:
    """Return whether a recording has nothing but short pulses, with rests between them."""
    driven = runs.direction != 0
    count, longest = int(driven.sum()), float(np.max(runs.duration[driven], initial=0.0))
    if not 2 <= count < _SERIES or longest > PULSE_SECOND or driven.all():
        return False
    return bool((~driven).sum() >= count / 2 or longest <= _BRIEF_SECOND)


def current_ramps(runs: Runs) -> NDArray[np.bool_]:
    """Return which runs are those of currents that rise level by level, four or more; shape (n,).

    A level has runs of both directions, or of one; its neighbours differ by more than 5 %.
    """
    places = np.flatnonzero(runs.direction != 0)
    found = np.zeros(len(runs.direction), np.bool_)
    if len(places) < _LEVELS:
        return found
    current = runs.current[places]
    begins, level = [0], current[0]
    for at in range(1, len(current)):
        if not level / _RISE <= current[at] <= level * _RISE:
            begins.append(at)
            level = current[at]
    levels = current[begins]
    ends = [*begins[1:], len(current)]
    start = 0
    for at in range(1, len(levels) + 1):
        if at < len(levels) and levels[at] > _RISE * levels[at - 1]:
            continue
        if at - start >= _LEVELS:
            found[places[begins[start]] : places[ends[at - 1] - 1] + 1] = True
        start = at
    return found


def is_sweep(
    time_second: Floats, voltage_volt: Floats, current_ampere: Floats, *, one_way: bool = False
) -> bool:
    """Return whether the voltage goes to and fro with one slope while the current changes.

    Parameters
    ----------
    time_second, voltage_volt, current_ampere
        Records of a recording; shape (n,).
    one_way
        Whether it need not go both ways, as where the instrument is known to drive the voltage.

    """
    if len(time_second) < _FEWEST_SAMPLES:
        return False
    places = np.unique(np.linspace(0, len(time_second) - 1, _SAMPLES).astype(int))
    time, volt, current = (x[places] for x in (time_second, voltage_volt, current_ampere))
    rises = np.diff(time) > 0
    if rises.sum() < _FEWEST_SAMPLES // 2:
        return False
    slope = np.diff(volt)[rises] / np.diff(time)[rises]
    usual = float(np.median(np.abs(slope)))
    if usual == 0:
        return False
    even = np.abs(np.abs(slope) / usual - 1) <= _SLOPE
    both = one_way or ((even & (slope > 0)).any() and (even & (slope < 0)).any())
    sides = [np.abs(current[current > 0]), np.abs(current[current < 0])]
    spread = max((float(side.std() / side.mean()) for side in sides if len(side) > 2), default=0.0)
    return bool(both and even.mean() >= 1 - 2 * _SLOPE and spread > _STEADY)


def find_holds(held: NDArray[np.bool_], direction: Signs, duration: Floats) -> NDArray[np.bool_]:
    """Return which steps hold the voltage for so long that they are more than the end of a step.

    Parameters
    ----------
    held
        Whether each step holds the voltage; shape (n,).
    direction, duration
        Of each step: +1, −1 or 0, and s; shape (n,).

    """
    found: NDArray[np.bool_] = held & (duration >= HELD_SECOND) & (direction != 0)
    for at in np.flatnonzero(found):
        before = at
        while before and not held[before - 1] and direction[before - 1] == direction[at]:
            before -= 1
        found[at] = duration[at] >= _HELD * duration[before:at].sum()
    return found
