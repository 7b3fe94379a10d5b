"""Compare the integrated charge of each step with the file's own counters.

A current in the wrong range or unit (2, 10 or 1000 times too large has happened with every maker)
shows at once: the charge that flows in a step, ∫I·dt, differs from what the instrument counted. The
current between two records is not known, but lies between their values unless it peaked: the sums
of the smaller and of the larger value times the interval enclose the charge (Darboux sums), however
far apart the records are and whether a maker stores mean or instantaneous values. A step is
reported only if its counted charge lies outside these bounds by more than a hundredth and by more
than the last digits explain. Steps with less than a hundredth of the largest step's charge are left
out, because counters have few digits there; so are impedance measurements.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cellpipe.core.model import Finding

ALLOWED = 0.01
_SMALL = 0.01
_FEWEST_RECORDS = 10
_SAMPLES = 5000  # values used to find the last digit
_COUNTERS = ("vendor_charging_capacity_ah", "vendor_discharging_capacity_ah")
_MOST_SCALED = 1e20  # A; a larger current is that of a damaged record
Floats = npt.NDArray[np.float64]


def charge_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding if the charge of any step differs from the counted one by over a hundredth.

    Parameters
    ----------
    table
        A ``timeseries``. Without counters or steps there is no finding.

    """
    if not {*_COUNTERS, "step_count"} <= {*table.columns} or table.height < _FEWEST_RECORDS:
        return []
    lower, upper, counted, numbers = _step_charges(table)
    size = np.abs(counted)
    checked = size > _SMALL * float(size.max(initial=0))
    outside = np.maximum(lower - counted, counted - upper) / np.where(checked, size, np.inf)
    wrong = checked & (outside > ALLOWED)
    if not wrong.any():
        return []
    worst = int(np.argmax(np.where(wrong, outside, 0)))
    ratio = (lower[worst] + upper[worst]) / 2 / counted[worst]
    sentence = (
        f"In {int(wrong.sum())} of {int(checked.sum())} steps the current does not give the charge "
        f"that the instrument counted; in step {int(numbers[worst])} it gives {ratio:.3g} times "
        "as much. Check the current's range and unit."
    )
    return [Finding("warning", "charge_disagrees", sentence, int(wrong.sum()))]


def _step_charges(table: pl.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    """Return each step's lower and upper charge bound, its counted charge (all Ah) and number."""
    used = table.select("step_count", "test_time_second", "current_ampere", *_COUNTERS)
    filled = used.with_columns(pl.all().fill_null(strategy="forward").fill_null(0))
    step = filled["step_count"].to_numpy()
    time, current, charge, discharge = (
        filled[name].cast(pl.Float64).to_numpy() for name in filled.columns[1:]
    )
    same = np.diff(step) == 0
    begins = np.concatenate(([0], np.flatnonzero(~same) + 1))
    within = same & ~_impedance_intervals(table)
    hours = np.diff(time).clip(min=0) * within / 3600

    def sum_by_step(values: Floats) -> Floats:
        total: Floats = np.add.reduceat(np.append(values, 0.0), begins)
        return total

    stride = max(current.size // _SAMPLES, 1)
    tolerance = sum_by_step(hours) * _last_digit(current[::stride])
    tolerance += max(_last_digit(counter[::stride]) for counter in (charge, discharge))
    lower = sum_by_step(np.minimum(current[1:], current[:-1]) * hours) - tolerance
    upper = sum_by_step(np.maximum(current[1:], current[:-1]) * hours) + tolerance
    net = np.diff(charge).clip(min=0) - np.diff(np.abs(discharge)).clip(min=0)
    return lower, upper, sum_by_step(net * within), step[begins].astype(np.float64)


def _impedance_intervals(table: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which intervals lie in an impedance measurement, whose AC current isn't recorded."""
    if "frequency_hertz" not in table.columns:
        return np.zeros(table.height - 1, np.bool_)
    in_spectrum = table["frequency_hertz"].is_not_null().to_numpy()
    intervals: npt.NDArray[np.bool_] = in_spectrum[1:] | in_spectrum[:-1]
    return intervals


def _last_digit(values: Floats) -> float:
    """Return the value of one unit in the last printed digit; 0 if none can be found."""
    values = values[np.isfinite(values) & (np.abs(values) < _MOST_SCALED)]  # others are damaged
    if not values.any():
        return 0.0
    for place in range(13):
        scaled = values * 10.0**place
        if np.abs(scaled - np.round(scaled)).max(initial=0) < 1e-6 * max(1, 10.0 ** (place - 9)):
            return float(10.0**-place)
    return 0.0
