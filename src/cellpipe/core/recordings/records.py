"""The columns of a recording as arrays, with what every check of it asks of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
SAMPLE = 5_000  # rows
_MOST_SCALED = 1e20  # A; a larger current is that of a damaged record


@dataclass(frozen=True)
class Records:
    """Time in s, voltage in V, current in A, all ``(n,)``; and which intervals lead nowhere.

    ``is_apart`` ``(n - 1,)`` tells which intervals lead to another step, or lie in an impedance
    measurement, whose alternating current is not recorded. ``begins`` are the places where a step
    does.
    """

    time: Floats
    voltage: Floats
    current: Floats
    is_apart: Flags
    begins: Places
    in_spectrum: Flags | None

    @classmethod
    def of(cls, table: pl.DataFrame) -> Records:
        """Take the columns of a ``timeseries`` of one row or more."""
        time, voltage, current = (
            to_array(table[name]) for name in ("test_time_second", "voltage_volt", "current_ampere")
        )
        apart = np.zeros(table.height - 1, np.bool_)
        if "step_count" in table.columns:
            steps = to_array(table["step_count"])
            apart = steps[1:] != steps[:-1]
        begins = np.append(0, np.flatnonzero(apart) + 1)
        spectrum = None
        if "frequency_hertz" in table.columns:
            spectrum = table["frequency_hertz"].is_not_null().to_numpy()
            apart = apart | spectrum[1:] | spectrum[:-1]
        return cls(time, voltage, current, apart, begins, spectrum)

    @cached_property
    def apart(self) -> Places:
        """The places of the intervals that lead nowhere."""
        return np.flatnonzero(self.is_apart)

    @cached_property
    def seconds(self) -> Floats:
        """How far the time goes in each interval; negative where it goes back."""
        return np.diff(self.time)

    @cached_property
    def hours(self) -> Floats:
        """The length of each interval; 0 where it leads nowhere, or time goes back."""
        hours = self.seconds / 3600
        np.maximum(hours, 0, out=hours)
        hours[self.apart] = 0.0
        return hours

    @cached_property
    def charges(self) -> Floats:
        """The charge of each interval in Ah, by the mean of the currents at its two ends."""
        charges: Floats = self.current[1:] + self.current[:-1]
        charges *= self.seconds if self.seconds.min() >= 0 else np.maximum(self.seconds, 0)
        charges /= 7200
        charges[self.apart] = 0.0
        return charges

    def sum_by_step(self, values: Floats) -> Floats:
        """Sum over each step what there is of each interval."""
        if self.begins[-1] == values.size:  # the last step has one record, thus no interval
            values = np.append(values, 0.0)
        total: Floats = np.add.reduceat(values, self.begins)
        return total

    @cached_property
    def largest(self) -> float:
        """The largest current of either sign, in A."""
        return float(max(self.current.max(), -self.current.min()))

    @cached_property
    def usual(self) -> float:
        """The current above which half of the charge flows, in A; 0 if none does."""
        size = np.sort(np.abs(self.current[:: self.current.size // SAMPLE + 1]))
        passed = np.cumsum(size)
        return float(size[np.searchsorted(passed, passed[-1] / 2)])

    @cached_property
    def is_rest(self) -> bool:
        """Whether no current flows at any record outside of impedance measurements."""
        return self.largest == 0 or (
            self.in_spectrum is not None and not self.current[~self.in_spectrum].any()
        )


def take_sample(table: pl.DataFrame) -> pl.DataFrame:
    """Return rows that suffice where the question is about all of a table."""
    return table.gather_every(table.height // SAMPLE) if table.height >= 2 * SAMPLE else table


def is_empty(column: pl.Series) -> bool:
    """Return whether a column has no value at all."""
    return column.null_count() == column.len() or (
        column.dtype.is_float() and column[0] is not None and math.isnan(column[0])
        and bool(column.is_nan().all())
    )  # fmt: skip


def to_array(column: pl.Series) -> Floats:
    """Return a column's numbers; what is empty is as it was in the row before, or 0."""
    if column.dtype.is_float() and math.isnan(column.sum()):  # quicker than each value
        column = column.fill_nan(None)
    if column.null_count():
        column = column.fill_null(strategy="forward").fill_null(0)
    return column.to_numpy().astype(np.float64, copy=False)


def growth(counter: pl.Series, apart: Places) -> Floats:
    """Return how much a counter grows in each interval; one that returns to zero doesn't."""
    values = to_array(counter)
    grown: Floats = np.diff(np.abs(values) if values.min(initial=0.0) < 0 else values)
    np.maximum(grown, 0, out=grown)
    grown[apart] = 0.0
    return grown


def last_digit(values: Floats) -> float:
    """Return the value of one unit in the last printed digit; 0 if none can be found."""
    values = values[np.isfinite(values) & (np.abs(values) < _MOST_SCALED)]  # others are damaged
    if not values.any():
        return 0.0
    for place in range(13):
        scaled = values * 10.0**place
        error = np.abs(scaled - np.round(scaled)).max(initial=0)
        if np.abs(scaled).max() >= 1 and error < 1e-6 * max(1, 10.0 ** (place - 9)):
            return float(10.0**-place)
    return 0.0


def say_ratio(ratio: float) -> str:
    """Return a ratio as a reader has it: 1,000 and 0.00028, never 1e+03."""
    size = abs(ratio)
    if size >= 100:
        return f"{ratio:,.0f}" if size < 1e9 else f"{ratio:.2g}"
    return f"{ratio:.3g}" if size >= 1e-4 or not size else f"{ratio:.1g}"
