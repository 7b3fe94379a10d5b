"""Which spectra of a cell are one series: those of one state of charge, temperature and technique.

A change of state changes a charge transfer several times over, and ten kelvin some twofold. Spectra
of several states are therefore followed apart. Where a state hardly recurs, as in a sweep of the
state of charge or a ramp of the temperature, the spectra stay together, and what varies is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.elements import Floats

STATE_VOLT, STATE_CHARGE, STATE_KELVIN = 0.15, 0.1, 3.0
_CLOSE_VOLT, _CLOSE_TIMES, _LEAST_VOLT = 0.015, 6.0, 1e-3
_MOST_STATES, _FEWEST_OF_STATE = 6, 3
_UNITS = {"voltage": "V", "temperature": "°C"}

Places = NDArray[np.int64]


@dataclass(frozen=True)
class SpectrumGroups:
    """Groups of n spectra, numbered from 1, shape (n,).

    ``series``: of one state of charge and one technique; they have the same arcs and are fitted
    together. ``state``: of one temperature, too; their change is growth. ``varies``: by state, what
    still varies in it and is no growth, in words.
    """

    series: Places
    state: Places
    varies: dict[int, str]


def group_spectra(
    voltage_volt: Floats,
    celsius: Floats,
    charge_since_full: Floats,
    techniques: Sequence[str | None],
) -> SpectrumGroups:
    """Group spectra by state of charge, technique and temperature.

    Parameters
    ----------
    voltage_volt, celsius, charge_since_full
        Mean voltage, V, temperature, °C, and charge since the cell was full as a share of its
        capacity, of each spectrum, shape (n,); NaN where not known.
    techniques
        Name of the technique of each, or None.

    """
    voltage = _charge_states(voltage_volt)
    share = _cluster(charge_since_full, STATE_CHARGE)[0]
    kinds = [technique or "" for technique in techniques]
    if None in techniques:  # a technique that one file does not name is no other technique
        kinds = [""] * len(kinds)
    names = {name: place for place, name in enumerate(sorted(set(kinds)))}
    of_kind = np.array([names[name] for name in kinds], np.int64)
    temperature = _cluster(celsius, STATE_KELVIN)[0]
    series = _number(np.stack([voltage, share, of_kind], axis=1))
    state = _number(np.stack([voltage, share, of_kind, temperature], axis=1))
    varies = {}
    for number in np.unique(state).tolist():
        inside = state == number
        said = [
            _range_words(name, values[inside])
            for name, values, gap in (
                ("voltage", voltage_volt, STATE_VOLT),
                ("charge since full", charge_since_full, 2 * STATE_CHARGE),
                ("temperature", celsius, STATE_KELVIN),
            )
            if np.ptp(values[inside]) > gap
        ]
        if said:
            varies[number] = " and the ".join(said)
    return SpectrumGroups(series, state, varies)


def _range_words(name: str, values: Floats) -> str:
    low, high = float(values.min()), float(values.max())
    if name not in _UNITS:
        return f"{name} runs from {low:.0%} to {high:.0%} of the capacity"
    digits = 2 if name == "voltage" else 1
    return f"{name} runs from {low:.{digits}f} to {high:.{digits}f} {_UNITS[name]}"


def _number(keys: Places) -> Places:
    """Return the number, from 1, of each row's combination, in the order of the keys."""
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1) + 1, np.int64)


def _cluster(values: Floats, gap: float) -> tuple[Places, bool]:
    """Return the cluster of each value, and whether values sweep instead of recurring.

    They sweep, and are one cluster, where most of them hardly recur or a cluster is wide.
    """
    clusters = np.zeros(len(values), np.int64)
    if not np.isfinite(values).all():
        return clusters, False
    order = np.argsort(values, kind="stable")
    clusters[order[1:]] = np.cumsum(np.diff(values[order]) > gap)
    sizes = np.bincount(clusters)
    wide = any(np.ptp(values[clusters == k]) > 2 * gap for k in range(len(sizes)))
    single = int(sizes[sizes < _FEWEST_OF_STATE].sum())
    if len(sizes) > 1 and (wide or 2 * single > len(values)):
        return np.zeros(len(values), np.int64), True
    return clusters, wide


def _charge_states(voltage: Floats) -> Places:
    """Return clusters of voltages: far apart, or apart by far more than those of one state."""
    clusters, swept = _cluster(voltage, STATE_VOLT)
    if swept or clusters.max(initial=0) or not np.isfinite(voltage).all() or len(voltage) < 2:
        return clusters
    order = np.argsort(voltage, kind="stable")
    gaps = np.diff(voltage[order])
    ranked = np.sort(gaps)[::-1]
    for count in range(min(_MOST_STATES, len(ranked)) - 1, 0, -1):
        within = max(float(ranked[count]) if count < len(ranked) else 0.0, _LEAST_VOLT)
        if ranked[count - 1] < max(_CLOSE_VOLT, _CLOSE_TIMES * within):
            continue
        trial = np.zeros(len(voltage), np.int64)
        trial[order[1:]] = np.cumsum(gaps > within)
        if (np.bincount(trial) >= _FEWEST_OF_STATE).all() and _recur(trial):
            return trial
    return clusters


def _recur(clusters: Places) -> bool:
    """Return whether the states come back: more runs than states."""
    return int(np.count_nonzero(np.diff(clusters))) + 1 > len(np.unique(clusters))
