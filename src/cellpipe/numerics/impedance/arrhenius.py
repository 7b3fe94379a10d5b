"""Activation energy of a resistance from spectra at three temperatures or more.

The conductivity of an ion conductor follows σT = A exp(-E/kT) (T. Famprikis et al., Nat. Mater. 18,
1278 (2019), doi 10.1038/s41563-019-0431-3): ln(T/R) against 1/T is a straight line. The rate of a
reaction follows Arrhenius' law (IUPAC Gold Book, doi 10.1351/goldbook.A00102), and an interface's
resistance is inverse to it: ln(1/R) is one. The two energies differ by kT, about 0.026 eV.

The error of a point is that of the resistance and of the temperature: half a kelvin, for the sensor
is not in the cell. Points that scatter by more than these allow lie on no straight line, and then
there is no activation energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from cellpipe.numerics.impedance.elements import Floats

EV_PER_KELVIN = 8.617333262e-5
KJ_PER_MOL = 96.48533212  # of one eV
ZERO_CELSIUS = 273.15
FEWEST_TEMPERATURES = 3
_SAME_KELVIN = 2.0  # spectra one after the other within it are of one temperature
_SMALLEST_RANGE = 5.0  # K
_SENSOR_KELVIN = 0.5
_REPEATABILITY = 0.01
_UNLIKELY = 0.01
_INTERVAL = 1.96  # standard errors, 95 %
_ROUNDS = 4


@dataclass(frozen=True)
class ActivationEnergy:
    """A fitted straight line, eV; ``temperatures`` counts its points.

    ``low`` and ``high`` bound the interval of 95 %. ``chance`` is that of a scatter as large, by
    errors alone; ``straight`` whether it is above 1 %. ``cold`` and ``hot`` are the energies of the
    two coldest and the two hottest temperatures.
    """

    energy: float
    error: float
    low: float
    high: float
    chance: float
    straight: bool
    cold: float
    hot: float
    temperatures: int
    lowest_celsius: float
    highest_celsius: float


def fit_arrhenius(
    celsius: Floats, resistance_ohm: Floats, error_ohm: Floats, *, conductor: bool
) -> ActivationEnergy | None:
    """Fit the activation energy of a resistance.

    Parameters
    ----------
    celsius, resistance_ohm, error_ohm
        Temperature, °C, resistance and its standard error, ohm, of spectra in the order of time;
        shape (n,).
    conductor
        Whether it is an ion conductor's resistance, so that ln(T/R) counts, not ln(1/R).

    Returns
    -------
    The energy; None for fewer than three temperatures, or a range below 5 K.

    """
    points = _points(celsius, np.log(resistance_ohm), error_ohm / resistance_ohm)
    kelvin, value, error = points[:, 0] + ZERO_CELSIUS, points[:, 1], points[:, 2]
    distinct = 1 + int(np.count_nonzero(np.diff(np.sort(kelvin)) > _SAME_KELVIN))
    if distinct < FEWEST_TEMPERATURES or np.ptp(kelvin) < _SMALLEST_RANGE:
        return None
    x = 1 / (EV_PER_KELVIN * kelvin)
    y = (np.log(kelvin) if conductor else 0.0) - value
    slope, spread, misfit = 0.0, 0.0, 0.0
    for _ in range(_ROUNDS):
        by_sensor = slope * x / kelvin * _SENSOR_KELVIN
        weight = 1 / (error**2 + _REPEATABILITY**2 + by_sensor**2)
        slope, spread, misfit = _line(x, y, weight)
    freedom = len(x) - 2
    chance = float(chi2.sf(misfit, freedom))
    half = _INTERVAL * spread
    cold, hot = (-_line(x[part], y[part], weight[part])[0] for part in _ends(kelvin))
    return ActivationEnergy(
        -slope, spread, -slope - half, -slope + half, chance, chance > _UNLIKELY, cold, hot,
        distinct, float(points[:, 0].min()), float(points[:, 0].max()),
    )  # fmt: skip


def _points(celsius: Floats, value: Floats, error: Floats) -> Floats:
    """Return mean temperature, value and error of each visit to a temperature, (m, 3)."""
    first = np.concatenate([[True], np.abs(np.diff(celsius)) > _SAME_KELVIN])
    visit = np.cumsum(first) - 1
    count = np.bincount(visit)
    mean = [np.bincount(visit, values) / count for values in (celsius, value, error**2)]
    return np.stack([mean[0], mean[1], np.sqrt(mean[2] / count)], axis=1)


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float, float]:
    """Return the slope of a weighted straight line, its standard error, and the sum of squares."""
    middle_x, middle_y = np.average(x, weights=weight), np.average(y, weights=weight)
    size = float(np.sum(weight * (x - middle_x) ** 2))
    slope = float(np.sum(weight * (x - middle_x) * (y - middle_y))) / size
    misfit = float(np.sum(weight * (y - middle_y - slope * (x - middle_x)) ** 2))
    return slope, 1 / math.sqrt(size), misfit


def _ends(kelvin: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which points are at the two coldest, and which at the two hottest temperatures."""
    order = np.sort(kelvin)
    level = np.searchsorted(order[1:][np.diff(order) > _SAME_KELVIN], kelvin, side="right")
    return level <= 1, level >= level.max() - 1
