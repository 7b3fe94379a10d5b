"""Records of two recordings side by side: shifts of their times, and which are equal at one.

Two exports of one test may round differently, begin and end anywhere, leave out records and count
their test time from another zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QUARTER_SECOND = 900.0  # time zones differ by quarters of an hour
ZONE_SECOND = 14.5 * 3600  # and clocks of one lab at most by this
CLOCK_SECOND = 2.5  # clocks printed in whole seconds, or set while a file was written
FINE_SECOND = 0.2  # clocks that have fractions of seconds
EQUAL = 0.99  # of the records at the same times: what differs more is another recording
COMMON = 0.9  # of the records of the file with fewer of them in the common span
NUMBER = "record_index"  # the count that numbers the records
_PLACES = (
    0,
    1,
    2,
    3,
    5,
    8,
    13,
    20,
    30,
    50,
    100,
    200,
    500,
    1000,
    2000,
    5000,
)  # of records that are searched for
_BLOCK = 12  # records that have to follow each other in both
_SAMPLES = 2000
_NEAR = 12  # records at one time that are looked at
_SHIFTS = 24  # that are tried
_SAME_SECOND = 1e-6  # two shifts that are one
_VOLT, _SHARE = 0.01, 0.05  # the coarsest steps of a voltage, V, and of a current, of its largest

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Records:
    """Records of one recording in their order, columns of shape (n,).

    Test time and absolute time in s (None: no clock), voltage in V, current in A. ``counters`` are
    the instrument's own, in Ah; ``counts`` its numbers of cycle and record (:data:`NUMBER`).
    """

    test_second: Floats
    voltage_volt: Floats
    current_ampere: Floats
    unix_second: Floats | None = None
    counters: Mapping[str, Floats] = field(default_factory=dict)
    counts: Mapping[str, Floats] = field(default_factory=dict)


class Match(NamedTuple):
    """Records of the second recording that the first has at the same time, and where it has them.

    ``at``, ``held`` have shape (k,). ``equal`` tells which have its voltage and current.
    """

    shift: float
    at: Indices
    held: Indices
    equal: Marks


class Alignment:
    """Two recordings and how equal they have to be.

    ``time`` is what both have in order: test time, else (or where asked for) the records' numbers.
    """

    def __init__(self, first: Records, second: Records, *, by_number: bool = False) -> None:
        self.first, self.second = first, second
        both = (first, second)
        clocks = [each.unix_second for each in both]
        self.has_clocks = all(clock is not None and np.isfinite(clock).any() for clock in clocks)
        numbers = [each.counts.get(NUMBER) for each in both]
        self.is_numbered = all(each is not None and _rises(each, 1.0) for each in numbers)
        self.in_order = not by_number and all(_rises(each.test_second) for each in both)
        times = [
            each.test_second if self.in_order else np.arange(len(each.test_second), dtype=float)
            for each in both
        ]
        if by_number:
            times = [each for each in numbers if each is not None] if self.is_numbered else times
        self.time, self.time_of_second = times
        self.test_tolerance = _tolerance(first.test_second, second.test_second, 1.0)
        self.time_tolerance = self.test_tolerance if self.in_order else 0.25
        steps = [_step(each.unix_second) for each in both if each.unix_second is not None]
        self.clock_tolerance = CLOCK_SECOND if max(steps, default=1.0) >= 1 else FINE_SECOND
        self.volt = _tolerance(first.voltage_volt, second.voltage_volt, _VOLT)
        largest = max(float(np.abs(each.current_ampere).max(initial=0.0)) for each in both)
        self.ampere = _tolerance(first.current_ampere, second.current_ampere, _SHARE * largest)

    def shifts(self) -> Iterator[float]:
        """Yield shifts that may lead from the second one's time to the first one's."""
        yield 0.0
        tried = [0.0]
        if self.has_clocks and self.in_order:
            origins = [_origin(each) for each in (self.first, self.second)]
            apart = origins[1] - origins[0]
            if abs(apart) > CLOCK_SECOND and abs(apart - round(apart)) < 1e-3:
                tried.append(apart)
                yield apart
        elif self.goes_on():
            return
        numbered = self._shift_by_number()
        if numbered is not None:
            tried.append(numbered)
            yield numbered
        for shift in self._anchors():
            if len(tried) > _SHIFTS:
                return
            if all(abs(shift - other) > _SAME_SECOND for other in tried):
                tried.append(shift)
                yield shift

    def _shift_by_number(self) -> float | None:
        """Return the shift that puts records of one number at one time, if numbers go on."""
        numbers = [each.counts.get(NUMBER) for each in (self.first, self.second)]
        if numbers[0] is None or numbers[1] is None or numbers[0][0] == numbers[1][0]:
            return None  # each file may have its own numbers
        lowest = max(numbers[0][0], numbers[1][0])
        here = int(np.searchsorted(numbers[0], lowest))
        there = int(np.searchsorted(numbers[1], lowest))
        if here == len(numbers[0]) or there == len(numbers[1]):
            return None
        return float(self.time[here] - self.time_of_second[there])

    def goes_on(self) -> bool:
        """Return whether test time or the instrument's numbers say that one follows the other."""
        pairs = [(self.first.test_second, self.second.test_second)] if self.in_order else []
        names = self.first.counts.keys() & self.second.counts.keys()
        pairs += [(self.first.counts[name], self.second.counts[name]) for name in sorted(names)]
        return any(one[-1] < other[0] or other[-1] < one[0] for one, other in pairs)

    def _anchors(self) -> Iterator[float]:
        """Yield shifts at which the beginning of one is found in the other."""
        ways = (
            (self.second, self.time_of_second, self.first, self.time, 1.0),
            (self.first, self.time, self.second, self.time_of_second, -1.0),
        )
        for short, short_time, long, long_time, sign in ways:
            for place in _PLACES:
                if place >= len(short_time):
                    break
                found = self._find(short, short_time, place, long, long_time)
                if 0 < len(found) <= _SHIFTS:
                    yield from (sign * (long_time[found] - short_time[place])).tolist()
                    break

    def _find(
        self, short: Records, short_time: Floats, place: int, long: Records, long_time: Floats
    ) -> Indices:
        """Return where records of one recording are found in the order and times of the other."""
        near_volt = np.abs(long.voltage_volt - short.voltage_volt[place]) <= self.volt
        near_ampere = np.abs(long.current_ampere - short.current_ampere[place]) <= self.ampere
        found = np.flatnonzero(near_volt & near_ampere)
        if self.has_clocks and short.unix_second is not None and long.unix_second is not None:
            apart = long.unix_second[found] - short.unix_second[place]
            found = found[like_a_zone(apart, self.clock_tolerance)]
        for ahead in range(1, min(_BLOCK, len(short_time) - place)):
            at, wanted = found + ahead, place + ahead
            inside = at < len(long_time)  # it may end here: what is left of it has to be equal
            here, there = found[inside], at[inside]
            equal = np.abs(long.voltage_volt[there] - short.voltage_volt[wanted]) <= self.volt
            equal &= np.abs(long.current_ampere[there] - short.current_ampere[wanted]) <= (
                self.ampere
            )
            passed = long_time[there] - long_time[here]
            equal &= np.abs(passed - short_time[wanted] + short_time[place]) <= (
                2 * self.time_tolerance
            )
            keep = np.ones(len(found), np.bool_)
            keep[inside] = equal
            found = found[keep]
        return found

    def match(self, shift: float) -> Match | None:
        """Return the second one's records at the first one's times; None if they are not equal.

        The times are tried as they are before as rounded.
        """
        single = 1e-3 + 1.2e-7 * float(np.abs(self.time).max())  # in single precision
        tried = sorted({min(each, self.time_tolerance) for each in (1e-5, single, np.inf)})
        return next(filter(None, (self._match(shift, tolerance) for tolerance in tried)), None)

    def _match(self, shift: float, tolerance: float) -> Match | None:
        time, shifted = self.time, self.time_of_second + shift
        low, high = max(time[0], shifted[0]) - tolerance, min(time[-1], shifted[-1]) + tolerance
        inside = np.arange(*np.searchsorted(shifted, [low, high], side="left"))
        of_first = int(np.diff(np.searchsorted(time, [low, high], side="left"))[0])
        if not len(inside) or not of_first:
            return None
        if len(inside) > 2 * _SAMPLES:  # a few tell that most are not equal
            some = inside[:: len(inside) // _SAMPLES]
            held, equal = self._find_held(some, shifted[some], tolerance)
            if equal.sum() < (COMMON - 0.1) * (held >= 0).sum():
                return None
        held, equal = self._find_held(inside, shifted[inside], tolerance)
        at_edge = (held == 0) | (held == len(time) - 1) | (inside == 0)
        at_edge |= inside == len(shifted) - 1
        seen = (held >= 0) & (equal | ~at_edge)  # the next record may come within the tolerance
        count, alike = int(seen.sum()), int(equal.sum())
        fewest = min(len(inside), of_first) - 2 * _NEAR
        if not alike or alike < max(EQUAL * count, COMMON * fewest):
            return None
        off = self.time[held[equal]] - shifted[inside[equal]]  # of a clock in whole seconds
        exact = shift + float(np.median(off)) if self.in_order and shift else shift
        return Match(exact, inside[seen], held[seen], equal[seen])

    def _find_held(
        self, inside: Indices, wanted: Floats, tolerance: float
    ) -> tuple[Indices, Marks]:
        """Return where the first one has records of these times (-1: nowhere), and if equal."""
        time = self.time
        start = np.searchsorted(time, wanted - tolerance, side="left")
        held = np.full(len(inside), -1, np.int64)
        equal = np.zeros(len(inside), np.bool_)
        for near in range(_NEAR):
            at = np.minimum(start + near, len(time) - 1)
            there = np.abs(time[at] - wanted) <= tolerance
            if not there.any():
                break
            same = there & ~equal & self._is_equal(at, inside)
            held = np.where(same | (there & (held < 0)), at, held)
            equal |= same
        return held, equal

    def _is_equal(self, at: Indices, inside: Indices) -> Marks:
        """Tell which records of the first one have the voltage and current of the second one's."""
        volt = np.abs(self.first.voltage_volt[at] - self.second.voltage_volt[inside])
        ampere = np.abs(self.first.current_ampere[at] - self.second.current_ampere[inside])
        marks: Marks = (volt <= self.volt) & (ampere <= self.ampere)
        return marks


def like_a_zone(apart: Floats, tolerance: float) -> Marks:
    """Tell which differences of two clocks, s, are none or those of time zones."""
    rest = np.abs(apart - QUARTER_SECOND * np.round(apart / QUARTER_SECOND))
    marks: Marks = (rest <= tolerance) & (np.abs(apart) <= ZONE_SECOND)
    return marks


def _rises(values: Floats, least: float = 0.0) -> bool:
    return bool(np.all(np.diff(values) >= least))


def _origin(records: Records) -> float:
    """Return the clock's time at the zero of the test time, s."""
    clock = records.unix_second
    return float("nan") if clock is None else float(np.nanmedian(clock - records.test_second))


def _tolerance(one: Floats, other: Floats, coarsest: float) -> float:
    """Return by how much equal values of two columns may differ: a step of the coarser one."""
    largest = max(float(np.abs(each).max(initial=0.0)) for each in (one, other))
    step = max(min(_step(each), coarsest) for each in (one, other))
    return 1.01 * step + 1.2e-7 * largest + 1e-12


def _step(values: Floats) -> float:
    """Return the power of ten of which all values are multiples: how finely they were printed."""
    sample = values[:: max(1, len(values) // _SAMPLES)]
    sample = sample[np.isfinite(sample)]
    for exponent in range(13):
        scaled = sample * 10.0**exponent
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-4):
            return float(10.0**-exponent)
    return 0.0
