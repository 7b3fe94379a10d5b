"""Short circuits of a symmetric cell, from the overpotential of its stretches of constant current.

Three signs are looked for: the voltage falls within a few records while the current stays; its
level in a stretch falls below what the cell ever had at that current or a smaller one; it bursts
into noise. A healthy cell does none of these: its overpotential grows, relaxes smoothly from a peak
after the current's onset, heals in rests to what it had before, follows the temperature and rises
with the current. Limits are calibrated with made cells (benchmarks/symmetric.py).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.symmetric import SAME_CURRENT, Stretches

Floats = NDArray[np.float64]
Kind = Literal["hard", "soft", "open"]
Sign = Literal["voltage drop", "resistance collapse", "noise burst"]
DROP: Sign = "voltage drop"
COLLAPSE: Sign = "resistance collapse"
BURST: Sign = "noise burst"

_SETTLED = 0.05  # of a stretch, after which the current's onset is over
_SIDES = (3, 5)  # records on either side of a drop, in a stretch of few and of many records
_MANY = 40
_DROPS = 0.7  # of the voltage before it: what a drop leaves
_STAYS, _STAY = 0.75, 8  # of the voltage before it, for so many records after it
_SHARP = 0.6  # of a drop within two intervals
_RECOVERS = 0.8  # of the voltage before a short
_LEVEL, _HIGHEST = 0.5, 0.8  # of the lowest level so far at the same current, and at a larger one
_FIRST_LEVEL = 0.25  # the same while there is only the first cycle
_NOISES = 6.0  # standard deviations of the noise, which a change must exceed
_BURST, _BURST_SHARE, _WINDOW, _IN_WINDOW, _TURNS = 10.0, 0.1, 20, 8, 3
_LEAST_PAIRS = 2
_FIRST_CYCLE = 2  # stretches
_HEAL_SECOND = 4 * 3600.0  # of rest, in which an interface may heal
_ENOUGH = 10  # records after a short, to tell whether it stays
_BARRIER_EV, _BOLTZMANN = 0.6, 8.617333e-5  # of the resistance with temperature, at most; eV/K


class Short(NamedTuple):
    """A short circuit.

    ``record`` is the first one that shows it and ``until`` that at which the cell recovered, None
    if it did not; ``stretch`` is the number of the stretch, from 0. Resistances are voltage over
    current before and after, Ω.
    """

    record: int
    until: int | None
    stretch: int
    kind: Kind
    sign: Sign
    before_ohm: float
    after_ohm: float


class ShortSearch(NamedTuple):
    """What a search for shorts found, and in how many stretches the voltage could tell."""

    shorts: tuple[Short, ...]
    judged: int


class _Past(NamedTuple):
    """What a stretch had: direction, current, level of the voltage, kelvin, noise, and its era.

    Eras lie between long rests, in which interfaces heal.
    """

    direction: int
    ampere: float
    level: float
    kelvin: float
    noise: float
    era: int


def find_shorts(
    volt: Floats, second: Floats, stretches: Stretches, celsius: Floats | None = None
) -> ShortSearch:
    """Return the short circuits of a symmetric cell.

    Parameters
    ----------
    volt
        Voltage of the records, V, shape (n,).
    second
        Time, s, shape (n,).
    stretches
        Its stretches of constant current.
    celsius
        Temperature, °C, shape (n,), NaN where it is not known; None without any.

    """
    past: list[_Past] = []
    found: list[Short] = []
    volt = volt - _find_offset(volt, stretches)
    rests = second[stretches.first[1:]] - second[stretches.last[:-1]]
    eras = np.concatenate([[0], np.cumsum(rests > _HEAL_SECOND)])
    opened: Short | None = None
    judged = 0
    for number in range(len(stretches.first)):
        a, b = int(stretches.first[number]), int(stretches.last[number])
        u = volt[a : b + 1] * float(stretches.direction[number])
        begin = _settled(second[a : b + 1])
        kelvin = _mean_kelvin(celsius, a, b)
        now = _describe(u, begin, stretches, number, kelvin)._replace(era=int(eras[number]))
        if opened is not None:
            if now.level / now.ampere < _RECOVERS * opened.before_ohm * _linear(now, past):
                continue
            found.append(opened._replace(until=a, kind="soft"))
            opened = None
        judged += bool(now.level > _NOISES * now.noise)
        opened, closed = _search(u, begin, a, number, now, past)
        found += closed
        if opened is None and not closed:
            past.append(now)
    if opened is not None:
        after = int(stretches.last[-1] - opened.record)
        kind: Kind = "hard" if after >= _ENOUGH else "open"
        found.append(opened._replace(kind=kind))
    return ShortSearch(_merge(found), judged)


def _linear(now: _Past, past: list[_Past]) -> float:
    """Return by how much a healthy resistance may be smaller at this current than before a short.

    The overpotential grows more slowly than the current.
    """
    before = past[-1].ampere if past else now.ampere
    return min(1.0, float((before / now.ampere) ** 0.25))


def _find_offset(volt: Floats, stretches: Stretches) -> float:
    """Return the voltage without current, V: half the sum of those of both directions.

    It is the median of neighbours with opposite currents of one size; 0 with fewer than two.
    """
    first, last, direction, ampere = stretches
    middles = [
        float(np.median(volt[(a + b) // 2 : b + 1])) for a, b in zip(first, last, strict=True)
    ]
    pairs = np.flatnonzero(
        (direction[1:] != direction[:-1])
        & (np.abs(np.diff(ampere)) <= SAME_CURRENT * ampere[1:])
    )  # fmt: skip
    if len(pairs) < _LEAST_PAIRS:
        return 0.0
    return float(np.median([(middles[k] + middles[k + 1]) / 2 for k in pairs]))


def _settled(second: Floats) -> int:
    """Return the first record of a stretch at which the current's onset is over."""
    passed = second - second[0]
    begin = int(np.searchsorted(passed, _SETTLED * passed[-1]))
    return min(max(begin, 1 if len(second) < 8 else 2), len(second) - 1)


def _mean_kelvin(celsius: Floats | None, a: int, b: int) -> float:
    if celsius is None:
        return np.nan
    known = celsius[a : b + 1]
    known = known[np.isfinite(known)]
    return float(known.mean()) + 273.15 if len(known) else np.nan


def _describe(u: Floats, begin: int, stretches: Stretches, number: int, kelvin: float) -> _Past:
    steps = np.diff(u[begin:])
    noise = 1.4826 / np.sqrt(2) * float(np.median(np.abs(steps - np.median(steps)))) if (
        len(steps) > 2
    ) else 0.0  # fmt: skip
    level = float(np.median(u[max(begin, len(u) // 2) :]))
    ampere = float(stretches.ampere[number])
    return _Past(int(stretches.direction[number]), ampere, level, kelvin, noise, 0)


def _search(
    u: Floats, begin: int, offset: int, number: int, now: _Past, past: list[_Past]
) -> tuple[Short | None, list[Short]]:
    """Return the short that is open at the end of a stretch, and those that recovered within."""
    closed: list[Short] = []
    noise = min([now.noise, *(each.noise for each in past)])
    at = begin
    while True:
        drop = _find_drop(u, at, noise)
        if drop is None:
            break
        before = float(np.median(u[max(drop - _side(u), 0) : drop]))
        after = float(np.median(u[drop + 1 : drop + 1 + _STAY]))
        short = Short(
            offset + drop, None, number, "open", DROP, before / now.ampere, after / now.ampere
        )
        back = _find_recovery(u, drop + 1, _RECOVERS * before)
        if back is None:
            return short, closed
        closed.append(short._replace(until=offset + back, kind="soft"))
        at = back + 1
    if closed:
        return None, closed
    lowest, usual = _lowest_level(now, past)
    if now.level < lowest and usual - now.level > _NOISES * noise and usual > _NOISES * noise:
        below = np.flatnonzero(u[begin:] < lowest)
        first = begin + int(below[0]) if len(below) and below[0] > 0 else 0
        return Short(
            offset + first, None, number, "open", COLLAPSE, usual / now.ampere,
            now.level / now.ampere,
        ), closed  # fmt: skip
    burst = _find_burst(u, begin, noise, usual if past else now.level)
    if burst is not None:
        ohm = now.level / now.ampere
        low = float(u[burst[0] : burst[1] + 1].min()) / now.ampere
        end = offset + burst[1]
        return None, [Short(offset + burst[0], end, number, "soft", BURST, ohm, low)]
    return None, closed


def _side(u: Floats) -> int:
    return _SIDES[len(u) >= _MANY]


def _find_drop(u: Floats, begin: int, noise: float) -> int | None:
    """Return the first record at which the voltage has dropped, sharply and to stay."""
    count, side = len(u), _side(u)
    if count - begin < 2 * side + 1:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(u, side)
    middle = np.median(windows, axis=1)  # of a record and those after it
    places = np.arange(begin + side, count - side)
    before, after = middle[places - side], middle[places + 1]
    fall = before - after
    sharp = u[places - 1] - np.minimum(u[places], u[places + 1])
    is_drop = (
        (after < _DROPS * before) & (fall > _NOISES * noise) & (sharp > _SHARP * fall)
        & (u[places] < (1 + _DROPS) / 2 * before)
    )  # fmt: skip
    for place in places[is_drop]:
        reference = float(np.median(u[place - side : place]))
        stays = float(np.median(u[place + 1 : place + 1 + _STAY]))
        if stays < _STAYS * reference:
            return int(place)
    return None


def _find_recovery(u: Floats, begin: int, level: float) -> int | None:
    """Return the first record from which the voltage is above a level again, for some records."""
    side = _side(u)
    if len(u) - begin < side:
        return None
    middle = np.median(np.lib.stride_tricks.sliding_window_view(u[begin:], side), axis=1)
    above = np.flatnonzero(middle >= level)
    return begin + int(above[0]) + side // 2 if len(above) else None


def _lowest_level(now: _Past, past: list[_Past]) -> tuple[float, float]:
    """Return the lowest level that a healthy cell may have now, and the one it is taken from, V.

    It is taken from the same current or, without one, from the next smaller or larger one; after a
    long rest from all of them, whichever is lowest.
    """
    alike = [p for p in past if p.direction == now.direction] or past
    if not alike:
        return -np.inf, now.level
    own = [p for p in alike if p.era == now.era]
    if own:
        below = [p.ampere for p in own if p.ampere < (1 + SAME_CURRENT) * now.ampere]
        nearest = max(below) if below else min(p.ampere for p in own)
        alike = [p for p in own if abs(p.ampere / nearest - 1) <= 2 * SAME_CURRENT]
    few = _FIRST_LEVEL / _LEVEL if len(past) <= _FIRST_CYCLE else 1.0
    return min((few * _healthy_share(now, each) * each.level, each.level) for each in alike)


def _healthy_share(now: _Past, each: _Past) -> float:
    """Return the share of an earlier level that a healthy cell keeps, by current and warmth."""
    growth = now.ampere / each.ampere
    if growth < 1 - SAME_CURRENT:
        share = _LEVEL * growth
    else:
        share = min(_LEVEL * max(growth, 1.0) ** 0.5, _HIGHEST)
    if now.kelvin > each.kelvin:
        inverse = 1 / each.kelvin - 1 / now.kelvin
        share *= float(np.exp(-_BARRIER_EV / _BOLTZMANN * inverse))
    return share


def _find_burst(u: Floats, begin: int, noise: float, level: float) -> tuple[int, int] | None:
    """Return first and last record of the first burst of noise."""
    steps = np.diff(u[begin:])
    large = np.abs(steps) > max(_BURST * noise, _BURST_SHARE * abs(level))
    if large.sum() < _IN_WINDOW:
        return None
    counted = np.convolve(large, np.ones(_WINDOW, np.int64))[: len(large)]
    for end in np.flatnonzero(counted >= _IN_WINDOW).tolist():
        start = max(0, end - _WINDOW + 1)
        signs = np.sign(steps[start : end + 1][large[start : end + 1]])
        falls = u[begin + start : begin + end + 2].min() < level - _BURST_SHARE * abs(level)
        if (np.diff(signs) != 0).sum() >= _TURNS and falls:
            first = start + int(np.argmax(large[start : end + 1]))
            latest = int(np.flatnonzero(large)[-1])
            last = latest if latest - end < _WINDOW else end
            return begin + first, begin + last + 1
    return None


def _merge(shorts: list[Short]) -> tuple[Short, ...]:
    """Join shorts that follow each other within the same or the next stretch."""
    merged: list[Short] = []
    latest = -2
    for short in shorts:
        if merged and short.stretch - latest <= 1:
            merged[-1] = merged[-1]._replace(
                until=short.until, kind=short.kind,
                after_ohm=min(merged[-1].after_ohm, short.after_ohm),
            )  # fmt: skip
        else:
            merged.append(short)
        latest = short.stretch
    return tuple(merged)
