"""What an instrument's counters of charge or energy counted, whenever they went back to zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpipe.core.recordings.records import last_digit

_SAMPLES = 5000  # values used to find the last digit
_FEW_VALUES = 12  # of a current; how many digits were written is not known from them
_MOSTLY = 0.95  # of the starts of steps: a counter that falls there counts by steps
_FINEST = 1e-12  # of the largest value: finer than any number that was written
_WHOLE, _FINER = 1e-3, 0.02  # a number is whole; of the usual change: a rounding is below
_LIKE = 0.05  # of the charge by the current: it is that
_FLOAT32 = 2.0**-24  # relative rounding of a number of 32 bits

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Counter:
    """A net counter, or a pair of which one rises on charge and the other on discharge.

    ``up`` (n,) is the net count or that of the charge, ``down`` (n,) that of the discharge, None
    for a net counter. ``digit`` is the value of its last digit, 0 if it has all.
    """

    up: Floats
    down: Floats | None = None
    digit: float = 0.0

    @classmethod
    def of(cls, up: Floats, down: Floats | None = None) -> Counter:
        """Take the columns of a counter, and find its last digit.

        One of a pair that falls from 0 counts with the sign of its current, and is turned.
        """
        if down is not None:
            up, down = (
                -values if values.max(initial=0.0) <= 0 else values for values in (up, down)
            )
        counts = [values for values in (up, down) if values is not None and np.ptp(values) > 0]
        digits = [resolution(values) for values in counts]  # of one kind; one may be even by chance
        return cls(up, down, min(digits, default=0.0))

    def cut(self, span: slice) -> Counter:
        """Return some of the records."""
        return Counter(self.up[span], None if self.down is None else self.down[span], self.digit)

    def turn(self) -> Counter:
        """Return the counter as one that counts the other way."""
        if self.down is None:
            return Counter(-self.up, None, self.digit)
        return Counter(self.down, self.up, self.digit)

    def difference(self, begins: Places, ends: Places) -> Floats:
        """Return what was counted between the first and the last record of each step, signed."""
        net = self.up[ends] - self.up[begins]
        return net if self.down is None else net - (self.down[ends] - self.down[begins])

    def increments(self) -> Floats:
        """Return what was counted since the previous record, positive on charge; shape (n,).

        Where the counter went back it is negative, and no charge.
        """
        counted = np.empty_like(self.up)
        counted[:1] = 0.0
        np.subtract(self.up[1:], self.up[:-1], out=counted[1:])
        if self.down is not None:
            counted[1:] -= self.down[1:]
            counted[1:] += self.down[:-1]
        return counted

    def across(
        self, at: Places, old: Floats, new: Floats, expected: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return what was counted from the last record of a step to the first of the next one.

        Parameters
        ----------
        at
            First records of the new steps; shape (k,).
        old, new
            The currents before and after, 0 at rest; shape (k,).
        expected
            The charge of the new step by its current, Ah, positive; shape (k,).

        Returns
        -------
        before, after, total
            What belongs to the old step, to the new one and to both, signed, NaN where that is not
            known; shape (k,). After a reset, only what was counted since is known.

        """
        if self.down is None:
            unknown = np.full(at.size, np.nan)
            return unknown, unknown.copy(), self.up[at] - self.up[at - 1]
        risen = np.zeros(at.size)
        before, after = np.full((2, at.size), np.nan)
        is_reset = np.zeros(at.size, np.bool_)
        for values, sign in ((self.up, 1.0), (self.down, -1.0)):
            grown, since_reset = _growth(values, at, self.digit, expected)
            ours, theirs = old * sign > 0, new * sign > 0
            after = np.where(theirs & (since_reset | ~ours), sign * grown, after)
            before = np.where(ours & ~theirs & ~since_reset, sign * grown, before)
            is_reset |= since_reset & (ours | theirs)
            risen += np.where(ours | theirs, sign * grown, 0.0)
        return before, after, np.where(is_reset, np.nan, risen)


def _growth(values: Floats, at: Places, digit: float, expected: Floats) -> tuple[Floats, Flags]:
    """Return how much a counter grew into each new step, and whether it was set to zero there.

    One that falls at nearly all starts of steps counts by steps: it was set to zero at the others,
    too, whatever it shows. So was one that shows what the new step's current gives, and did not
    grow by that.
    """
    earlier, later = values[at - 1], values[at]
    held = earlier > 2 * digit
    fell = later < earlier - digit
    by_step = held.sum() > 1 and fell[held].mean() >= _MOSTLY
    shows = np.abs(later - expected) <= _LIKE * expected + 2 * digit
    nearer = np.abs(later - expected) < np.abs(later - earlier - expected)
    is_reset = held if by_step else held & shows & nearer
    is_reset |= fell
    return np.where(is_reset, later, later - earlier), is_reset


def resolution(values: Floats) -> float:
    """Return the value of the last digit that numbers were written with; 0 if they have all.

    Numbers of 32 bits are known, too: of an ampere hour, the last digit is then 6·10⁻⁸ Ah.
    """
    sample = values[:: max(values.size // _SAMPLES, 1)]
    digit = max(last_digit(sample), _grid(sample))
    if digit:
        return digit
    return _FLOAT32 * float(np.abs(sample).max(initial=0.0)) if _is_short(sample) else 0.0


def _grid(sample: Floats) -> float:
    """Return the step of which all values are multiples, as after a change of their unit; or 0.

    One as large as the usual change from value to value is no rounding.
    """
    change = np.abs(np.diff(sample))
    largest = float(np.abs(sample).max(initial=0.0))
    finest = _FINEST * largest
    change = change[change > finest]
    if not change.size:
        return 0.0
    usual = float(np.median(change))
    for values in (sample, change):  # constant currents give values far apart, and like changes
        gaps = np.diff(np.unique(values))
        grid = float(gaps.min(where=gaps > finest, initial=np.inf))
        grid = largest / max(round(largest / grid), 1)  # a difference of two has fewer digits
        number = sample / grid
        if grid < _FINER * usual and np.abs(number - np.round(number)).max() < _WHOLE:
            return grid
    return 0.0


def current_resolution(current: Floats) -> float:
    """Return the value of a current's last digit, A; 0 if it has all, or if few values tell it.

    Constant currents of a round value don't: 0.0020000 A is read as 0.002 A.
    """
    sample = current[:: max(current.size // _SAMPLES, 1)]
    return resolution(current) if np.unique(sample).size > _FEW_VALUES else 0.0


def _is_short(sample: Floats) -> bool:
    """Return whether all values are numbers of 32 bits, in Ah or in mAh."""
    return any(
        np.allclose(scaled.astype(np.float32).astype(np.float64), scaled, rtol=1e-12, atol=0)
        for scaled in (sample, sample * 1e3)
    )
