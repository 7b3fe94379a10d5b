"""Ends of half cycles: what each one ended by, told from limits, its peers and what follows it.

A half cycle came to its end if it reached the limit of the cell sheet, or the end that most half
cycles of its direction share: a voltage, else a charge or a duration, and at that voltage the
current to which most of its rate taper. One that falls short of it broke off. Where nothing is
shared, a half cycle that another step follows ended with its step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.cycling.ageing import SAME_RATE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

VOLTAGE, CAPACITY, TIME, CURRENT = "voltage limit", "capacity limit", "time limit", "current limit"
STEP, BROKEN, FILE, UNKNOWN = "step change", "broken off", "end of file", "not known"
ENDED = (VOLTAGE, CAPACITY, TIME, CURRENT, STEP)  # what a whole half cycle ends by

NEAR_VOLT, NEAR, LOOSE, MOST = 0.003, 0.005, 0.02, 0.05  # tolerance: V, and of the voltage window
EQUAL = 0.005  # relative difference of charges or durations that are one limit
EXACTLY, EARLY = 0.001, 3  # of charges short of the voltage: difference, and fewest that share it
SHARED = 0.5  # of the half cycles of a direction end at its shared end
TAPERED = 0.8  # of the constant current; below it a half cycle ended at constant voltage
UNFINISHED, BREAKS = 1.3, 2.0  # times the neighbours' last current; above it the current was still
# tapering: of the last half cycle of the data, and of one that another step follows
ROUND_VOLT, ROUNDED_VOLT = 0.01, 0.0012  # a set voltage is a multiple of 10 mV
PLATEAU_VOLT, NEARLY_ALL = 0.001, 0.8  # V short of the others; share of those with one charge
SHORT = 0.98  # of a peer's charge; less falls short of it
RETURNED = 0.5  # of the charge before it; less is no end of a first cycle that nothing confirms
PULSES = 3  # stretches of current from which on a rest is part of the half cycle
NEIGHBOURS = 100  # half cycles before and after, beside which the last current is looked at
MODES = 12  # most ends that half cycles of one direction may share


class HalfCycleEnds(NamedTuple):
    """What is known of the ends of a cell's half cycles in the order of time; shape (n,) each.

    ``direction`` is +1 or −1. ``voltage_volt`` is the furthest of the last records,
    ``furthest_volt`` of all, and ``voltage_step_volt`` the change between the last ones;
    ``current_ampere`` is the constant current and ``end_current_ampere`` the last one, as
    magnitudes. ``stretches`` counts the stretches of current between rests. ``followed`` is whether
    another step, a rest or the other direction is recorded after it in its file, ``interrupted``
    whether records with current are missing after it or within.
    """

    direction: NDArray[np.int8]
    charge_ah: Floats
    duration_second: Floats
    start_volt: Floats
    voltage_volt: Floats
    furthest_volt: Floats
    voltage_step_volt: Floats
    current_ampere: Floats
    end_current_ampere: Floats
    stretches: Indices
    followed: Flags
    interrupted: Flags


class _Peers(NamedTuple):
    """The half cycles of one direction, voltages positive in it; and the ends that they share."""

    volt: Floats
    tolerance: Floats
    at_voltage: Flags
    at_limit: Flags
    at_charge: Flags
    kind: str
    running: Flags


def half_cycle_ends(
    halves: HalfCycleEnds,
    lower_volt: float | None = None,
    upper_volt: float | None = None,
    *,
    symmetric: bool = False,
) -> list[str]:
    """Return what each half cycle ended by.

    Parameters
    ----------
    halves
        The half cycles of a cell.
    lower_volt, upper_volt
        Voltage limits of the cell sheet, V; they go before what the half cycles share.
    symmetric
        Whether the cell is symmetric: then charge or duration go before the voltage.

    Returns
    -------
    One of the module's words for each half cycle.

    """
    ended = np.full(len(halves.direction), UNKNOWN, dtype=object)
    if not len(ended):
        return []
    window = max(float(np.ptp(np.append(halves.voltage_volt, halves.start_volt))), 1e-3)
    for sign, limit in ((1, upper_volt), (-1, lower_volt)):
        at = np.flatnonzero(halves.direction == sign)
        if not len(at):
            continue
        own = HalfCycleEnds(*(column[at] for column in halves))  # type: ignore[arg-type]
        running = (at == len(ended) - 1) & ~own.followed
        signed = None if limit is None else sign * limit
        peers = _shared_ends(own, sign, signed, window, running, symmetric=symmetric)
        ended[at] = [_end(own, peers, place, signed) for place in range(len(at))]
    _judge_the_first(ended, halves, (lower_volt, upper_volt))
    _judge_the_last(ended, halves, window)
    ended[halves.interrupted] = BROKEN
    return [str(word) for word in ended]


def _shared_ends(
    own: HalfCycleEnds,
    sign: int,
    limit: float | None,
    window: float,
    running: Flags,
    *,
    symmetric: bool,
) -> _Peers:
    """Return which half cycles of one direction end where most of them do."""
    volt = sign * own.voltage_volt
    near = max(NEAR_VOLT, NEAR * window)
    steps = np.minimum(own.voltage_step_volt, MOST * window)
    counted = ~running
    none = np.zeros(len(volt), np.bool_)
    at_voltage = _members(volt, near, own.current_ampere, counted)
    is_coarse = not at_voltage.any()
    if is_coarse:
        coarse = max(near, LOOSE * window, float(np.median(steps)))
        at_voltage = _members(volt, coarse, own.current_ampere, counted)
    if not at_voltage.any():  # a slower step at the end may have let the voltage go back
        at_voltage = _members(sign * own.furthest_volt, near, own.current_ampere, counted)
    if not at_voltage.any() and running.any():  # two that agree, the last of which has no end
        alike = np.abs(volt - volt[-1]) <= near
        at_voltage = alike & (alike.sum() > 1)
        is_coarse = False
    at_charge, kind = _charge_members(own, counted)
    few = at_voltage.sum() < min(NEARLY_ALL * counted.sum(), at_charge.sum())
    prefers_charge = symmetric or is_coarse or few
    if at_charge.any() and prefers_charge:
        at_voltage = none
    elif at_voltage.any():
        at_voltage &= ~_are_on_a_plateau(own, volt, at_charge)
        at_charge, kind = _early_members(own, counted & ~at_voltage)
    if at_voltage.any():  # another rate may be recorded too seldom to show the same voltage
        shared = own.current_ampere[at_voltage]
        alone = [not _is_same_rate(current, shared).any() for current in own.current_ampere]
        at_voltage |= np.array(alone) & (volt >= volt[at_voltage].min() - steps) & ~running
    tolerance = np.maximum(near, steps)
    at_limit = none if limit is None else volt >= limit - near
    return _Peers(volt, tolerance, at_voltage, at_limit, at_charge, kind, running)


def _charge_members(own: HalfCycleEnds, counted: Flags) -> tuple[Flags, str]:
    """Return which half cycles hold the charge, or last the time, that most of them share."""
    charges, times = (
        _members(np.log(np.maximum(values, 1e-12)), EQUAL, own.current_ampere, counted)
        for values in (own.charge_ah, own.duration_second)
    )
    if charges.sum() != times.sum():
        return (charges, CAPACITY) if charges.sum() > times.sum() else (times, TIME)
    is_time = times.any() and _is_in_minutes(own.duration_second[times])
    return (times, TIME) if is_time else (charges, CAPACITY)


def _are_on_a_plateau(own: HalfCycleEnds, volt: Floats, at_charge: Flags) -> Flags:
    """Return which half cycles only seem to have come to the voltage, on a flat plateau.

    They hold less than the charge that nearly all share, at their rate, and are short of it by more
    than a millivolt and than the voltage scatters.
    """
    if at_charge.sum() < NEARLY_ALL * len(volt):
        return np.zeros(len(volt), np.bool_)
    rates = own.current_ampere[at_charge]
    alike = np.array([_is_same_rate(current, rates).any() for current in own.current_ampere])
    small = own.charge_ah < SHORT * own.charge_ah[at_charge].min()
    scatter = np.maximum(2 * own.voltage_step_volt, max(np.ptp(volt[at_charge]), PLATEAU_VOLT))
    seem: Flags = alike & small & (volt < volt[at_charge].min() - scatter)
    return seem


def _early_members(own: HalfCycleEnds, short: Flags) -> tuple[Flags, str]:
    """Return which of those short of the voltage share a charge or a time: three to 0.1 %."""
    best, kind = np.zeros(len(short), np.bool_), CAPACITY
    for values, name in ((own.charge_ah, CAPACITY), (own.duration_second, TIME)):
        logs = np.log(np.maximum(values, 1e-12))
        _, _, at = _densest(logs, np.flatnonzero(short), EXACTLY)
        if len(at) >= EARLY and len(at) > best.sum():
            best = np.isin(np.arange(len(short)), at)
            kind = name
    return best, kind


def _is_in_minutes(second: Floats) -> bool:
    """Return whether durations are usually a whole number of minutes, to two seconds."""
    return bool(np.median(np.abs(second - 60 * np.round(second / 60))) <= 2.0)


def _members(values: Floats, near: float, current: Floats, counted: Flags) -> Flags:
    """Return which values lie at an end that is shared: that of most, or of a kind of its own.

    A second end counts if its half cycles follow each other, or have a rate that those of the first
    don't have, or are three and a quarter of all.
    """
    found = np.zeros(len(values), np.bool_)
    left = np.flatnonzero(counted)
    total = len(left)
    first_rates = np.zeros(0)
    for number in range(MODES):
        low, high, at = _densest(values, left, 2 * near)
        if len(at) < 2:
            break
        if number == 0:
            if len(at) < SHARED * total:
                break
            first_rates = current[at]
        elif not _is_own_kind(at, current, first_rates, total):
            left = np.setdiff1d(left, at)
            continue
        found |= (values >= low - near / 2) & (values <= high + near / 2)
        left = left[~found[left]]
    return found


def _densest(values: Floats, at: Indices, width: float) -> tuple[float, float, Indices]:
    """Return the ends of the window of a width with most values, and the indices within."""
    if not len(at):
        return 0.0, 0.0, at
    order = at[np.argsort(values[at], kind="stable")]
    ordered = values[order]
    until = np.searchsorted(ordered, ordered + width, side="right")
    start = int(np.argmax(until - np.arange(len(ordered))))
    chosen = order[start : until[start]]
    return float(ordered[start]), float(ordered[until[start] - 1]), np.sort(chosen)


def _is_own_kind(at: Indices, current: Floats, first_rates: Floats, total: int) -> bool:
    if len(at) >= 3 and len(at) >= total / 4:
        return True
    together = bool((np.diff(at) == 1).all())
    return together or not any(_is_same_rate(current[place], first_rates).any() for place in at)


def _is_same_rate(current: float, others: Floats) -> Flags:
    low, high = current / (1 + SAME_RATE), current * (1 + SAME_RATE)
    same: Flags = (others >= low) & (others <= high)
    return same


def _end(own: HalfCycleEnds, peers: _Peers, place: int, limit: float | None) -> str:
    """Return what one half cycle ended by, by the limit of the sheet and by its peers."""
    if peers.at_limit[place] or peers.at_voltage[place]:
        return _end_at_voltage(own, peers, place)
    if peers.at_charge[place]:
        return peers.kind
    return FILE if peers.running[place] else _end_elsewhere(own, peers, place, limit)


def _end_elsewhere(own: HalfCycleEnds, peers: _Peers, place: int, limit: float | None) -> str:
    """Return what one half cycle ended by that came to no end that its peers share."""
    followed = STEP if own.followed[place] else UNKNOWN
    volt, short = peers.volt[place], peers.volt[place] + peers.tolerance[place]
    if limit is not None and short < limit:
        return BROKEN
    shared = peers.at_voltage | peers.at_charge
    if not shared.any():
        return BROKEN if _falls_short(own, peers, place) else followed
    more = peers.at_charge.any() and own.charge_ah[place] > own.charge_ah[shared].min()
    if more or volt >= peers.volt[shared].max():
        return followed
    if _is_same_rate(own.current_ampere[place], own.current_ampere[shared]).any():
        return BROKEN
    scatter = float(np.ptp(peers.volt[peers.at_voltage])) if peers.at_voltage.any() else 0.0
    return followed if _is_set_voltage(volt, scatter) else UNKNOWN


def _falls_short(own: HalfCycleEnds, peers: _Peers, place: int) -> bool:
    """Return whether the only other one of its direction and rate went further and held more."""
    others = np.flatnonzero(~peers.running)
    others = others[others != place]
    if len(others) != 1:
        return False
    other = int(others[0])
    same = _is_same_rate(own.current_ampere[place], own.current_ampere[[other]])[0]
    further = peers.volt[other] > peers.volt[place] + peers.tolerance[place]
    return bool(same and further and own.charge_ah[place] < SHORT * own.charge_ah[other])


def _is_set_voltage(volt: float, scatter_volt: float) -> bool:
    """Return whether a voltage may be one that was set: a multiple of 10 mV, as others scatter."""
    near = min(max(ROUNDED_VOLT, scatter_volt / 2), ROUND_VOLT / 4)
    return abs(volt - ROUND_VOLT * round(volt / ROUND_VOLT)) <= near


def _end_at_voltage(own: HalfCycleEnds, peers: _Peers, place: int) -> str:
    """Return what a half cycle that came to its voltage ended by: its current may still taper."""
    last, constant = own.end_current_ampere, own.current_ampere
    at = _alike_at_voltage(own, peers, place, slice(max(place - NEIGHBOURS, 0), place + NEIGHBOURS))
    if not len(at):
        at = _alike_at_voltage(own, peers, place, slice(None))
    tapers = last[at] < TAPERED * constant[at]
    itself = last[place] < TAPERED * constant[place]
    if not len(at) or tapers.mean() < SHARED:
        if not itself:
            return VOLTAGE
        return FILE if peers.running[place] else CURRENT
    at = at[tapers]
    after = int(np.searchsorted(at, place))
    near = at[max(after - 2, 0) : after + 2]
    share_current = np.median(np.abs(last[at] / np.median(last[at]) - 1)) <= SAME_RATE
    most = (UNFINISHED if peers.running[place] else BREAKS) * last[near].max()
    finished = last[place] <= most or (not share_current and itself)
    if not finished:
        return FILE if peers.running[place] else BROKEN
    return CURRENT if share_current and last[place] <= UNFINISHED * last[near].max() else TIME


def _alike_at_voltage(own: HalfCycleEnds, peers: _Peers, place: int, among: slice) -> Indices:
    """Return the others that came to the voltage at the rate of one; at any rate for the last."""
    there = (peers.at_limit[among] | peers.at_voltage[among]) & ~peers.running[among]
    start = among.start or 0
    there[place - start] = False
    alike = there & _is_same_rate(own.current_ampere[place], own.current_ampere[among])
    if peers.running[place] and not alike.any():
        alike = there
    at: Indices = start + np.flatnonzero(alike)
    return at


def _judge_the_first(
    ended: NDArray[np.object_], halves: HalfCycleEnds, limits: tuple[float | None, float | None]
) -> None:
    """Judge the first half cycles, where both directions end elsewhere than later: a formation.

    Two in a row are not broken off by chance, if another step follows each and no limit of the cell
    sheet says otherwise.
    """
    broke = (ended == BROKEN) & halves.followed
    leading = int(np.argmin(np.append(broke, False)))
    if leading >= 2 and limits == (None, None):
        ended[:leading] = STEP


def _judge_the_last(ended: NDArray[np.object_], halves: HalfCycleEnds, window: float) -> None:
    """Judge the last half cycle of data that hold none to compare it with.

    It ended if it came back to where the first one began. If a step follows it, it did unless it
    is one of pulses, in which a rest follows each, or holds less than half of the one before it.
    """
    last = len(ended) - 1
    sign = halves.direction[last]
    if ended[last] == BROKEN and halves.stretches[last] >= PULSES:
        ended[last] = FILE  # the next pulse follows a rest
    if last < 1 or (halves.direction[:last] == sign).any():
        return
    back = sign * (halves.start_volt[0] - halves.voltage_volt[last]) <= LOOSE * window
    small = halves.charge_ah[last] < RETURNED * halves.charge_ah[last - 1]
    pulses = halves.stretches[last] >= PULSES
    if ended[last] == FILE and back:
        ended[last] = VOLTAGE
    elif ended[last] == STEP and not back and (small or pulses):
        ended[last] = UNKNOWN
