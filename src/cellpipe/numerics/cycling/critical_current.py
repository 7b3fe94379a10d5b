"""The critical current density of a symmetric cell: at which rising current it is shorted."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.symmetric import SAME_CURRENT

Floats = NDArray[np.float64]
Verdict = Literal["shorted", "not shorted", "shorted at the lowest", "no rising current"]
FEWEST_LEVELS = 3


class CriticalCurrent(NamedTuple):
    """What a test with rising currents says; currents in A, NaN where there is none.

    ``held`` is the largest current before the short, or of the test if there was none;
    ``shorted`` that of the short; ``levels`` counts the rising currents. ``first`` and ``last`` are
    the stretches of the test, from 0.
    """

    verdict: Verdict
    held: float
    shorted: float
    levels: int
    first: int
    last: int


NO_TEST = CriticalCurrent("no rising current", np.nan, np.nan, 0, -1, -1)


def find_critical_current(ampere: Floats, short: int | None) -> CriticalCurrent:
    """Return the critical current of stretches of constant current.

    A test is the longest run of three or more currents, each larger than the one before it. A last
    current with fewer stretches than the one before it was not held to its end.

    Parameters
    ----------
    ampere
        Size of the current of each stretch, in order; shape (m,).
    short
        Number of the stretch with the first short, from 0; None without one.

    """
    begins, current = _levels(ampere)
    runs = [run for run in _rising_runs(current) if run[1] - run[0] >= FEWEST_LEVELS]
    if not runs:
        return NO_TEST
    level = None if short is None else int(np.searchsorted(begins, short, side="right")) - 1
    if level is None:
        start, stop = max(runs, key=lambda run: run[1] - run[0])
        counts = np.diff(np.append(begins, len(ampere)))
        whole = stop - 1 if counts[stop - 1] >= counts[stop - 2] else stop - 2
        last = int(begins[stop]) - 1 if stop < len(begins) else len(ampere) - 1
        return CriticalCurrent(
            "not shorted", float(current[whole]), np.nan, stop - start, int(begins[start]), last
        )
    for start, stop in runs:
        if not start <= level < stop:
            continue
        last = int(begins[stop]) - 1 if stop < len(begins) else len(ampere) - 1
        place = (int(begins[start]), last)
        shorted = float(current[level])
        if level == start:
            return CriticalCurrent("shorted at the lowest", np.nan, shorted, stop - start, *place)
        held = float(current[level - 1])
        return CriticalCurrent("shorted", held, shorted, stop - start, *place)
    return NO_TEST


def _levels(ampere: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the first stretch of each run of one current, and that current, A."""
    begins = [0] if len(ampere) else []
    for place in range(1, len(ampere)):
        if abs(ampere[place] / ampere[begins[-1]] - 1) > SAME_CURRENT:
            begins.append(place)
    ends = [*begins[1:], len(ampere)]
    current = [float(np.median(ampere[a:b])) for a, b in zip(begins, ends, strict=False)]
    return np.array(begins, np.int64), np.array(current)


def _rising_runs(current: Floats) -> list[tuple[int, int]]:
    """Return the runs of currents of which each is larger than the one before it."""
    cuts = [0, *(np.flatnonzero(np.diff(current) < 0) + 1).tolist(), len(current)]
    return [(a, b) for a, b in pairwise(cuts) if b > a]
