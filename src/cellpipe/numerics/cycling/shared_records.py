"""Records that two recordings share: the same time, voltage and current, whatever their clocks say.

Where both have a clock it has to agree, or to differ as time zones do; where one has none, the
instrument's own counters and numbers must not speak against it, and one place alone may fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellpipe.numerics.cycling.record_alignment import (
    EQUAL,
    NUMBER,
    Alignment,
    Floats,
    Indices,
    Match,
    Records,
    like_a_zone,
)

INFORMATIVE = 10  # records with a new voltage or current: fewer prove nothing without a clock
_OF_AN_INTERVAL = 0.25  # usual between records: clocks that differ by less say which is which


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


class _Pair(Alignment):
    """Two recordings, with what speaks for and against their being one."""

    def judge(self, match: Match) -> Shared | None:
        """Return what is shared, if clocks or, without them, counters don't speak against it."""
        at, held = match.at[match.equal], match.held[match.equal]
        shift = match.shift
        if not self.in_order:
            apart = self.first.test_second[held] - self.second.test_second[at]
            shift = float(np.median(apart))
            if np.mean(np.abs(apart - shift) <= self.test_tolerance) < EQUAL:
                return None
        if not self.has_clocks:
            is_told = match.shift == 0 or self.has_equal_numbers(match) or self._is_informative(at)
            is_other = self.goes_on() or self._counters_differ(at, held)
            return Shared(match.at, shift) if is_told and not is_other else None
        apart = self._clock_differences(at, held)
        near = self.clock_tolerance
        if not len(apart) or like_a_zone(apart, near).mean() < EQUAL or self._is_numbered_on():
            return None
        clock = float(np.median(apart))
        if abs(clock) <= near:
            is_told = match.shift == 0 or self._is_next(clock) or self._is_informative(at)
            return Shared(match.at, shift) if is_told else None
        if not self._is_informative(at) or self.goes_on() or self._counters_differ(at, held):
            return None
        return Shared(match.at, shift, clock) if self._cannot_follow(at, held) else _DOUBTFUL

    def has_equal_numbers(self, match: Match) -> bool:
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
