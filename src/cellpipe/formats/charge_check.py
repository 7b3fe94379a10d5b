"""The charge of each step, integrated, against the file's own counters.

A current in the wrong range or unit (2, 10 or 1000 times too large has happened with every maker)
shows at once: the charge that flows through a step, ∫I·dt, is not what the instrument counted in
it. What a current was between two records is not known, but it lies between theirs unless it
peaked: the sums of the smaller and of the larger one times the interval enclose the charge
(Darboux), however far the records are apart and whether a maker gives a mean or an instant. A step
is only named if its counted charge lies outside by more than a hundredth and by more than the last
digits explain. Steps that hold less than a hundredth of the largest one's charge are
left out, for counters have few digits there, and so are impedance measurements.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cellpipe.core.model import Finding

ALLOWED = 0.01
_SMALL = 0.01
_FEWEST_RECORDS = 10
_SAMPLES = 5000  # currents that the last digit is told from
_COUNTERS = ("vendor_charging_capacity_ah", "vendor_discharging_capacity_ah")
Floats = npt.NDArray[np.float64]


def charge_findings(table: pl.DataFrame) -> list[Finding]:
    """Say how many steps' charges are further than a hundredth from what was counted.

    Parameters
    ----------
    table
        A ``timeseries``. Without counters or without steps nothing is said.

    """
    if not {*_COUNTERS, "step_count"} <= {*table.columns} or table.height < _FEWEST_RECORDS:
        return []
    lower, upper, counted, numbers = _step_charges(table)
    size = np.abs(counted)
    worth = size > _SMALL * float(size.max(initial=0))
    outside = np.maximum(lower - counted, counted - upper) / np.where(worth, size, np.inf)
    wrong = worth & (outside > ALLOWED)
    if not wrong.any():
        return []
    worst = int(np.argmax(np.where(wrong, outside, 0)))
    ratio = (lower[worst] + upper[worst]) / 2 / counted[worst]
    sentence = (
        f"In {int(wrong.sum())} of {int(worth.sum())} steps the current does not give the charge "
        f"that the instrument counted; in step {int(numbers[worst])} it gives {ratio:.3g} times "
        "as much. Check the current's range and unit."
    )
    return [Finding("warning", "charge_disagrees", sentence, int(wrong.sum()))]


def _step_charges(table: pl.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    """Return of each step the bounds of its charge, the counted charge (Ah), and its number."""
    used = table.select("step_count", "test_time_second", "current_ampere", *_COUNTERS)
    whole = used.with_columns(pl.all().fill_null(strategy="forward").fill_null(0))
    step = whole["step_count"].to_numpy()
    time, current, charge, discharge = (
        whole[name].cast(pl.Float64).to_numpy() for name in whole.columns[1:]
    )
    same = np.diff(step) == 0
    begins = np.concatenate(([0], np.flatnonzero(~same) + 1))
    within = same & ~_impedance_intervals(table)
    hours = np.diff(time).clip(min=0) * within / 3600

    def summed(values: Floats) -> Floats:
        total: Floats = np.add.reduceat(np.append(values, 0.0), begins)
        return total

    every = max(current.size // _SAMPLES, 1)
    digit = summed(hours) * _last_digit(current[::every])
    digit += max(_last_digit(counter[::every]) for counter in (charge, discharge))
    lower = summed(np.minimum(current[1:], current[:-1]) * hours) - digit
    upper = summed(np.maximum(current[1:], current[:-1]) * hours) + digit
    net = np.diff(charge).clip(min=0) - np.diff(np.abs(discharge)).clip(min=0)
    return lower, upper, summed(net * within), step[begins].astype(np.float64)


def _impedance_intervals(table: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which intervals an impedance measurement lies in: their current swings unseen."""
    if "frequency_hertz" not in table.columns:
        return np.zeros(table.height - 1, np.bool_)
    spectrum = table["frequency_hertz"].is_not_null().to_numpy()
    either: npt.NDArray[np.bool_] = spectrum[1:] | spectrum[:-1]
    return either


def _last_digit(values: Floats) -> float:
    """Return the decimal place to which numbers were printed; 0 if they were not."""
    if not values.any():
        return 0.0
    for place in range(13):
        scaled = values * 10.0**place
        if np.abs(scaled - np.round(scaled)).max(initial=0) < 1e-6 * max(1, 10.0 ** (place - 9)):
            return float(10.0**-place)
    return 0.0
