"""Records that two recordings share: the same time, voltage and current, whatever their clocks say.

Two exports of one test may round differently, begin and end anywhere, leave out records, count
their test time from another zero and have clocks that differ by a time zone. What they share is
found at a shift of their test times at which the records of the common span are equal.
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
INFORMATIVE = 10  # records with a new voltage or current: fewer prove nothing without a clock
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
_OF_AN_INTERVAL = 0.25  # usual between records: clocks that differ by less say which is which
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


class Shared(NamedTuple):
    """Places of the second recording's records that the first one holds, too, in order.

    ``test_second`` and ``clock_second`` make its times those of the first. ``is_doubtful``: nothing
    says whether they are the same, and none is named.
    """

    at: Indices
    test_second: float = 0.0
    clock_second: float = 0.0
    is_doubtful: bool = False


_DOUBTFUL = Shared(np.zeros(0, np.int64), is_doubtful=True)


class _Match(NamedTuple):
    """Records of the second recording that the first has at the same time, and where it has them.

    ``at``, ``held`` have shape (k,). ``equal`` tells which have its voltage and current.
    """

    shift: float
    at: Indices
    held: Indices
    equal: Marks


def find_common(first: Records, second: Records) -> Shared | None:
    """Find the second recording's records that the first holds; None if they share none.

    The times, voltages and currents of the common span decide. Where both have a clock it has to
    agree, or to differ as time zones do. Where one has none, the instrument's counters must not
    differ, the records must be distinct, and one shift alone may fit.
    """
    if not (len(first.test_second) and len(second.test_second)):
        return None
    numbered = _Pair(first, second, by_number=True)
    match = numbered.match(0.0) if numbered.is_numbered else None
    shared = numbered.judge(match) if match is not None else None
    return _find_by_time(_Pair(first, second)) if shared is None else shared


def _find_by_time(pair: _Pair) -> Shared | None:
    found: list[Shared] = []
    for shift in pair.shifts():
        match = pair.match(shift)
        shared = pair.judge(match) if match is not None else None
        if match is None or shared is None:
            continue
        if pair.has_clocks or shift == 0 or pair.has_equal_numbers(match):
            return shared
        found.append(shared)
    if len(found) > 1:
        return _DOUBTFUL
    return found[0] if found else None


class _Pair:
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
        self._in_order = not by_number and all(_rises(each.test_second) for each in both)
        times = [
            each.test_second if self._in_order else np.arange(len(each.test_second), dtype=float)
            for each in both
        ]
        if by_number:
            times = [each for each in numbers if each is not None] if self.is_numbered else times
        self.time, self.time_of_second = times
        self.test_tolerance = _tolerance(first.test_second, second.test_second, 1.0)
        self.time_tolerance = self.test_tolerance if self._in_order else 0.25
        steps = [_step(each.unix_second) for each in both if each.unix_second is not None]
        self.clock_tolerance = CLOCK_SECOND if max(steps, default=1.0) >= 1 else FINE_SECOND
        self.volt = _tolerance(first.voltage_volt, second.voltage_volt, _VOLT)
        largest = max(float(np.abs(each.current_ampere).max(initial=0.0)) for each in both)
        self.ampere = _tolerance(first.current_ampere, second.current_ampere, _SHARE * largest)

    def shifts(self) -> Iterator[float]:
        """Yield shifts that may lead from the second one's time to the first one's."""
        yield 0.0
        tried = [0.0]
        if self.has_clocks and self._in_order:
            origins = [_origin(each) for each in (self.first, self.second)]
            apart = origins[1] - origins[0]
            if abs(apart) > CLOCK_SECOND and abs(apart - round(apart)) < 1e-3:
                tried.append(apart)
                yield apart
        elif self._goes_on():
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

    def _goes_on(self) -> bool:
        """Return whether test time or the instrument's numbers say that one follows the other."""
        pairs = [(self.first.test_second, self.second.test_second)] if self._in_order else []
        names = self.first.counts.keys() & self.second.counts.keys()
        pairs += [(self.first.counts[name], self.second.counts[name]) for name in sorted(names)]
        return any(one[-1] < other[0] or other[-1] < one[0] for one, other in pairs)

    def _is_numbered_on(self) -> bool:
        """Return whether the instrument's record numbers go on from the earlier to the later."""
        one, other = (each.counts.get(NUMBER) for each in (self.first, self.second))
        clocks = self.first.unix_second, self.second.unix_second
        if one is None or other is None or clocks[0] is None or clocks[1] is None:
            return False
        if one[-1] < other[0]:
            return bool(clocks[0][0] <= clocks[1][0])
        return bool(other[-1] < one[0] and clocks[1][0] <= clocks[0][0])

    def _is_next(self, clock_second: float) -> bool:
        """Return whether clocks differ by so little that they tell one record from the next."""
        intervals = np.diff(self.second.test_second)
        usual = float(np.median(intervals)) if len(intervals) else 0.0
        return abs(clock_second) <= _OF_AN_INTERVAL * usual

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
            found = found[_like_a_zone(apart, self.clock_tolerance)]
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

    def match(self, shift: float) -> _Match | None:
        """Return the second one's records at the first one's times; None if they are not equal.

        The times are tried as they are before as rounded.
        """
        single = 1e-3 + 1.2e-7 * float(np.abs(self.time).max())  # in single precision
        tried = sorted({min(each, self.time_tolerance) for each in (1e-5, single, np.inf)})
        return next(filter(None, (self._match(shift, tolerance) for tolerance in tried)), None)

    def _match(self, shift: float, tolerance: float) -> _Match | None:
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
        return _Match(shift, inside[seen], held[seen], equal[seen])

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

    def judge(self, match: _Match) -> Shared | None:
        """Return what is shared, if clocks or, without them, counters don't speak against it."""
        at, held = match.at[match.equal], match.held[match.equal]
        shift = match.shift
        if not self._in_order:
            apart = self.first.test_second[held] - self.second.test_second[at]
            shift = float(np.median(apart))
            if np.mean(np.abs(apart - shift) <= self.test_tolerance) < EQUAL:
                return None
        if not self.has_clocks:
            is_told = match.shift == 0 or self.has_equal_numbers(match) or self._is_informative(at)
            is_other = self._goes_on() or self._counters_differ(at, held)
            return Shared(match.at, shift) if is_told and not is_other else None
        apart = self._clock_differences(at, held)
        near = self.clock_tolerance
        if not len(apart) or _like_a_zone(apart, near).mean() < EQUAL or self._is_numbered_on():
            return None
        clock = float(np.median(apart))
        if abs(clock) <= near:
            is_told = match.shift == 0 or self._is_next(clock) or self._is_informative(at)
            return Shared(match.at, shift) if is_told else None
        if not self._is_informative(at) or self._goes_on() or self._counters_differ(at, held):
            return None
        return Shared(match.at, shift, clock) if self._cannot_follow(at, held) else _DOUBTFUL

    def has_equal_numbers(self, match: _Match) -> bool:
        """Return whether equal records have one number, in files whose numbers go on."""
        one, other = (each.counts.get(NUMBER) for each in (self.first, self.second))
        if one is None or other is None or one[0] == other[0]:
            return False
        return bool(np.array_equal(one[match.held], other[match.at]))

    def _clock_differences(self, at: Indices, held: Indices) -> Floats:
        """Return by how much the first one's clock is ahead at equal records, s."""
        if self.first.unix_second is None or self.second.unix_second is None:
            return np.zeros(0)
        apart = self.first.unix_second[held] - self.second.unix_second[at]
        return apart[np.isfinite(apart)]

    def _cannot_follow(self, at: Indices, held: Indices) -> bool:
        """Return whether records whose clocks differ can't be two recordings one after the other.

        As their clocks say it they were recorded at once, or they repeat each other's noise.
        """
        if self.first.unix_second is None or self.second.unix_second is None:
            return False
        (one, other), (begin, end) = (
            (clock[0], clock[-1])
            for clock in (self.first.unix_second[held], self.second.unix_second[at])
        )
        return bool(begin < other and one < end) or self._is_noisy(at)

    def _is_noisy(self, at: Indices) -> bool:
        """Return whether the voltage goes up and down as only a measured one does."""
        bends = np.diff(self.second.voltage_volt[at], 2)
        turns = np.count_nonzero((bends[1:] * bends[:-1] < 0) & (np.abs(bends[1:]) > self.volt / 2))
        return bool(turns >= max(2 * INFORMATIVE, len(at) / 10))

    def _is_informative(self, at: Indices) -> bool:
        """Return whether enough of the records differ from the one before."""
        volt, ampere = (
            np.abs(np.diff(column[at]))
            for column in (self.second.voltage_volt, self.second.current_ampere)
        )
        changes = np.count_nonzero((volt > self.volt / 2) | (ampere > self.ampere))
        return bool(changes >= INFORMATIVE)

    def _counters_differ(self, at: Indices, held: Indices) -> bool:
        """Return whether a counter of the instrument shows something else in equal records."""
        for name in self.first.counters.keys() & self.second.counters.keys():
            one, other = self.first.counters[name], self.second.counters[name]
            apart = np.abs(one[held] - other[at])
            known = np.isfinite(apart)
            largest = max(np.abs(each[np.isfinite(each)]).max(initial=0.0) for each in (one, other))
            allowed = 1e-3 * float(largest)
            if known.any() and float(np.mean(apart[known] > allowed)) > 1 - EQUAL:
                return True
        return False


def _like_a_zone(apart: Floats, tolerance: float) -> Marks:
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
