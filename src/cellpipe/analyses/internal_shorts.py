"""Findings about internal short circuits of full cells, and of half cells of a cathode."""

from __future__ import annotations

import numpy as np

from cellpipe.analyses.symmetric_cells import Life, collect_life
from cellpipe.core.model import Cell, Finding, Tables
from cellpipe.numerics.cycling.charge_shorts import (
    find_charge_falls,
    is_shorted,
    runaway_charges,
)

_SOUND = 3  # cycles before, by which the falls of the voltage in a charge are judged


def internal_short_findings(cell: Cell, tables: Tables) -> tuple[Finding, ...]:
    """Return one finding at most: the cycle and time from which a cell is shorted within.

    Its charge runs far beyond all before it, little of that comes back, and the voltage falls again
    and again while the cell is charged.
    """
    is_anode = cell.configuration == "half" and cell.working_electrode_role != "cathode"
    capacities = ("charging_capacity_ah", "discharging_capacity_ah")
    cycles = tables["cycles"].drop_nulls(capacities).sort("cycle")
    if cell.configuration not in {"full", "half"} or is_anode or cycles.height <= _SOUND:
        return ()
    charged, discharged = (cycles[name].to_numpy() for name in capacities)
    places = runaway_charges(charged, discharged)
    if not len(places):
        return ()
    life = collect_life(tables["timeseries"])
    halves = dict(tables["half_cycles"].select("half_cycle", "start_unix_time_second").iter_rows())
    for place in places.tolist():
        numbers = cycles["charging_half_cycle"][place - _SOUND : place + 1].to_list()
        falls = [_falls(life, halves.get(number)) for number in numbers]
        usual = max((len(each) for each in falls[:-1]), default=0)
        if len(falls[-1]) and is_shorted(len(falls[-1]), usual):
            row = cycles.row(place, named=True)
            return (_finding(row, float(life.second[falls[-1][0]]) / 3600, len(falls[-1])),)
    return ()


def _falls(life: Life, start: float | None) -> np.ndarray:
    """Return the records of a charge at which its voltage falls; it begins at a time, s."""
    none = np.zeros(0, np.int64)
    if start is None or not np.isfinite(life.unix).all():
        return none
    first = int(np.searchsorted(life.unix, start))
    ends = np.flatnonzero(life.direction[first:] < 0)
    last = first + int(ends[0]) if len(ends) else len(life.volt)
    charges = first + np.flatnonzero(life.direction[first:last] > 0)
    if len(charges) < _SOUND:
        return none
    return charges[find_charge_falls(life.volt[charges], life.ampere[charges])]


def _finding(row: dict[str, float], hour: float, falls: int) -> Finding:
    into, out = (1e3 * row[f"{word}_capacity_ah"] for word in ("charging", "discharging"))
    sentence = (
        f"Internal short circuit in cycle {row['cycle']}, from {hour:.4g} h on: {into:.4g} mAh "
        f"were charged, far more than in any cycle before, {out:.4g} mAh came back, and the "
        f"voltage fell {falls} times while the cell was charged. Capacities from there on are not "
        "the cell's own."
    )
    return Finding("warning", "internal_short_circuit", sentence, falls)
