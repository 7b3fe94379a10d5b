"""Which cycles are complete, and why the others are not.

A cycle is complete if both halves came to their end (:mod:`cellpipe.numerics.cycling.ends`), both
began within the data, and the half cycle before them did not break off. A stub before the first
cycle, of less than a tenth of the usual capacity, is no cycle.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.model import Finding
from cellpipe.numerics.cycling.ends import BROKEN, ENDED, FILE, UNKNOWN

_CUT = 0.9  # of the next one's capacity; a smaller first half cycle may have begun before the data
STUB = 0.1  # of the usual capacity; a smaller cycle before all others is no cycle yet
_LIKE = 0.03  # of the usual charge: as much as the others hold
_SHOWN = 4  # cycles named in a finding

NO_CYCLE = {
    "GITT": "it is part of a GITT, whose pulses are no cycle",
    "ICI": "it is part of an ICI, whose interrupted current is no cycle",
    "HPPC/pulse": "it is part of a pulse test, whose pulses are no cycle",
    "hold/float": "it is the current of a hold, which is no cycle",
    "voltammogram": "it is a sweep of a voltammogram, which is no cycle",
}
NO_CYCLES_IN = {
    "GITT": "a GITT, whose pulses are no cycles",
    "ICI": "an ICI, whose interrupted current is no cycle",
    "HPPC/pulse": "a pulse test, whose pulses are no cycles",
    "hold/float": "a hold of the voltage, which is no cycle",
    "voltammogram": "a voltammogram, whose sweeps are no cycles",
}
_UNENDED = {BROKEN: "its {} broke off", FILE: "the data end in its {}",
            UNKNOWN: "the end of its {} is not known"}  # fmt: skip


def find_reasons(paired: pl.DataFrame, half_cycles: pl.DataFrame, lead: str) -> list[str | None]:
    """Return for each cycle why it is not complete, None where it is."""
    broke = _after_breaks(half_cycles)
    order = (lead, "discharge" if lead == "charge" else "charge")
    reasons = [
        NO_CYCLE.get(row["protocol"]) or _reason(row, order, broke)
        for row in paired.iter_rows(named=True)
    ]
    if reasons and reasons[0] is None and _is_first_cut(half_cycles):
        reasons[0] = f"its {lead} began before the data"
    sizes = paired.select(
        pl.max_horizontal("charge_capacity_ah", "discharge_capacity_ah")
    ).to_series().to_numpy()  # fmt: skip
    whole = [size for size, reason in zip(sizes, reasons, strict=True) if reason is None]
    usual = float(np.median(whole)) if whole else 0.0
    for place, size in enumerate(sizes):
        if size >= STUB * usual:
            break
        reasons[place] = reasons[place] or "it is a stub, of less than a tenth of the usual charge"
    return reasons


def _after_breaks(half_cycles: pl.DataFrame) -> set[int]:
    """Return the half cycles that begin where the one before them broke off.

    One that follows a lost half cycle does not if it holds as much as others of its direction.
    """
    whole = half_cycles.filter(pl.col("ended_by").is_in(ENDED))
    usual = dict(whole.group_by("direction").agg(pl.col("capacity_ah").median()).iter_rows())
    begun = set()
    for before, after in pairwise(half_cycles.iter_rows(named=True)):
        held = after["capacity_ah"] / (usual.get(after["direction"]) or np.inf)
        follows_lost = before["direction"] == after["direction"]
        if before["ended_by"] == BROKEN and not (follows_lost and abs(held - 1) <= _LIKE):
            begun.add(after["half_cycle"])
    return begun


def _reason(row: dict[str, Any], order: tuple[str, str], broke: set[int]) -> str | None:
    for side in order:
        if row[f"{side}_half_cycle"] is None:
            return f"its {side} is not in the data"
    for side in order:
        ended = row[f"{side}_ended_by"]
        if ended not in ENDED:
            return _UNENDED[ended].format(side)
        if row[f"{side}_begins_within"]:
            return f"its {side} began before the data"
    if row[f"{order[0]}_half_cycle"] in broke:
        return "the half cycle before it broke off"
    return None


def _is_first_cut(half_cycles: pl.DataFrame) -> bool:
    """Return whether the data begin within a half cycle.

    They do if no rest precedes it and its capacity is less than 90 % of the next one of its
    direction, while that one differs by less than 10 % from the half cycle between them.
    """
    if half_cycles.height < 3 or half_cycles["rest_voltage_before_volt"][0] is not None:
        return False
    first, between, following = half_cycles["capacity_ah"][:3]
    return bool(first < _CUT * following and abs(following - between) < (1 - _CUT) * between)


def end_findings(
    table: pl.DataFrame, half_cycles: pl.DataFrame, lost: NDArray[np.int64]
) -> tuple[Finding, ...]:
    """Return findings that name the half cycles that broke off, and the cycles that were lost."""
    findings = []
    broken = half_cycles.filter(pl.col("ended_by") == BROKEN)
    if broken.height:
        cycle_of = {
            half: row["cycle"]
            for row in table.iter_rows(named=True)
            for half in (row["charging_half_cycle"], row["discharging_half_cycle"])
        }
        named = [
            f"the {row['direction']} of cycle {cycle_of[row['half_cycle']]} at "
            f"{row['end_voltage_volt']:.4g} V after {1e3 * row['capacity_ah']:.4g} mAh"
            for row in broken.head(_SHOWN).iter_rows(named=True)
        ]
        more = f", and {broken.height - _SHOWN} more" if broken.height > _SHOWN else ""
        sentence = (
            f"Half cycles broke off before their end: {'; '.join(named)}{more}. Their cycles, and "
            "those that begin where they broke off, are in no efficiency, retention or mean."
        )
        findings.append(Finding("warning", "half_cycle_broken_off", sentence, broken.height))
    begun = half_cycles.filter(pl.col("begins_within"), pl.int_range(pl.len()) > 0)
    if begun.height:
        numbers = ", ".join(str(number) for number in begun["half_cycle"].head(_SHOWN))
        more = f" and {begun.height - _SHOWN} more" if begun.height > _SHOWN else ""
        sentence = (
            f"The first records of half cycle {numbers}{more} are not in the data: it begins in the"
            " middle of its step, behind a time without records, and its cycle is not complete. "
            "Look for the file that has them."
        )
        findings.append(Finding("warning", "beginning_missing", sentence, begun.height))
    for place in np.flatnonzero(lost):
        first, last = table["cycle"][int(place)] - int(lost[place]), table["cycle"][int(place)] - 1
        names = f"Cycle {first} is" if first == last else f"Cycles {first} to {last} are"
        sentence = (
            f"{names} not in the data: the instrument's own number goes on by "
            f"{int(lost[place]) + 1}, and the time for them is there. Look for the file that has "
            f"{'it' if first == last else 'them'}."
        )
        findings.append(Finding("warning", "cycles_lost", sentence, int(lost[place])))
    return tuple(findings)
