"""The kind of each cycle: formation, a rate test, a check at another rate, or cycling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.ageing import SIMILAR, Floats, Integers, usual_rate

CYCLE_KINDS = ("formation", "cycling", "rate test", "check cycle")
_STEP = 1.2  # factor between neighbouring rates of a rate test
_RATES, _RATES_OF_ONE = 3, 4  # of a rate test; with one cycle each, four
_MOST = 20  # cycles at one rate of a rate test
_MOST_CHECKS, _FEWEST_BETWEEN = 3, 3  # cycles of a check, and at the usual rate before it


def name_cycles(
    groups: Integers, current_ampere: Floats, formation: int, usual: int | None = None
) -> list[str]:
    """Return the kind of each cycle.

    A rate test is a row of three or more rates that rise or fall by a fifth or more, each for a
    like number of cycles, and the return to one of them. A check is of up to three cycles behind
    three or more at the usual rate, slower than these or at a rate that was run before.

    Parameters
    ----------
    groups
        Number of the rate of each cycle; shape (n,).
    current_ampere
        Magnitudes of the charging and the discharging current, A; shape (n, 2).
    formation
        Number of formation cycles, which come first.
    usual
        Number of the usual rate; None: the most frequent one.

    """
    kinds = np.full(len(groups), "cycling", dtype=object)
    kinds[:formation] = "formation"
    begins = np.flatnonzero(np.diff(groups, prepend=0))
    lengths = np.diff(np.append(begins, len(groups)))
    current = current_ampere[begins] if len(begins) else np.zeros((0, 2))
    usual = usual_rate(groups[formation:]) if usual is None else usual
    for first, last in _rate_tests(groups[begins], current, lengths, begins >= formation):
        kinds[begins[first] : begins[last] + lengths[last]] = "rate test"
    for block, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        here = slice(begin, begin + length)
        if (kinds[here] == "cycling").all() and _is_check(groups, begins, lengths, block, usual):
            is_slower = _is_slower(current_ampere, groups, int(begin), usual)
            if is_slower or (groups[:begin] == groups[begin]).any():
                kinds[here] = "check cycle"
    return [str(kind) for kind in kinds]


def _rate_tests(
    group: Integers, current: Floats, lengths: Integers, counts: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Return first and last block of each rate test."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.log(current[1:] / current[:-1])
    largest = np.nan_to_num(
        np.where(np.abs(steps[:, :1]) > np.abs(steps[:, 1:]), steps[:, :1], steps[:, 1:])
    ).ravel()
    found, first = [], 0
    while first < len(group) - 1:
        if not counts[first]:
            first += 1
            continue
        sign, last = np.sign(largest[first]), first
        while (
            last < len(group) - 1 and sign and sign * largest[last] >= np.log(_STEP)
            and _is_similar(lengths[first], lengths[last + 1])
        ):  # fmt: skip
            last += 1
        rates = last - first + 1
        enough = _RATES if lengths[first : last + 1].min() > 1 else _RATES_OF_ONE
        if rates >= enough and lengths[first : last + 1].max() <= _MOST:
            back = last + 1
            if (
                back < len(group) and group[back] in group[first:last]
                and lengths[back] <= SIMILAR * lengths[first]
            ):  # fmt: skip
                last = back
            found.append((first, last))
        first = last if last > first else first + 1
    return found


def _is_similar(one: int, other: int) -> bool:
    return bool(other <= SIMILAR * one and one <= SIMILAR * other)


def _is_check(
    groups: Integers, begins: Integers, lengths: Integers, block: int, usual: int
) -> bool:
    """Return whether a short block stands behind enough cycles at the usual rate."""
    if groups[begins[block]] == usual or lengths[block] > _MOST_CHECKS:
        return False
    return int((groups[: begins[block]] == usual).sum()) >= _FEWEST_BETWEEN


def _is_slower(current: Floats, groups: Integers, at: int, usual: int) -> bool:
    """Return whether a cycle's currents are no higher than the usual ones, one of them lower."""
    first = int(np.flatnonzero(groups == usual)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = current[at] / current[first]
    known = ratio[np.isfinite(ratio)]
    return bool(len(known) and known.max() <= 1.1 and known.min() <= 1 / _STEP)
