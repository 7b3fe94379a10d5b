"""State of charge, temperature and technique in which each spectrum of a cell was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from cellpipe.core.model import Cell, Finding
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.states import SpectrumGroups, group_spectra

_FULL_VOLT = 0.05  # below the usual end of a charge
_NEAR = 2  # discharges to either side
_MOST_NAMED = 6

Rows = Sequence[Mapping[str, object]]


def find_groups(cell: Cell, rows: Rows, half_cycles: pl.DataFrame) -> tuple[SpectrumGroups, Floats]:
    """Return the groups of a cell's spectra, and the charge since full of each.

    Parameters
    ----------
    cell
        The cell; a symmetric one is never full.
    rows
        ``unix_time_second``, ``voltage_volt``, ``temperature_celsius`` and ``technique`` of
        each spectrum, in the order of time.
    half_cycles
        ``direction``, ``capacity_ah``, ``start_unix_time_second``, ``duration_second`` and
        ``end_voltage_volt``.

    """
    share = np.full(len(rows), np.nan)
    if cell.configuration != "symmetric":
        share = charge_since_full(_numbers(rows, "unix_time_second"), half_cycles)
    names = [str(row["technique"]) if row.get("technique") else None for row in rows]
    voltage, celsius = (_numbers(rows, name) for name in ("voltage_volt", "temperature_celsius"))
    return group_spectra(voltage, celsius, share, names), share


def _numbers(rows: Rows, name: str) -> Floats:
    values = [row[name] for row in rows]
    return np.array([v if isinstance(v, float) else np.nan for v in values], np.float64)


def charge_since_full(unix_time_second: Floats, half_cycles: pl.DataFrame) -> Floats:
    """Return the charge taken out since the cell was full, as a share of its capacity then.

    Full is the end of each charge that came within 50 mV of where half of all charges end, and its
    capacity the largest of the two discharges before and the two behind: capacities fade. Before
    the first charge, the share is what was still missing, at most all. NaN without cycles whose
    times are known.
    """
    unknown = np.full(len(unix_time_second), np.nan)
    timed = half_cycles.select("start_unix_time_second", "duration_second", "capacity_ah")
    if timed.is_empty() or sum(timed.null_count().row(0)):
        return unknown
    start, last, charge = (timed[name].to_numpy() for name in timed.columns)
    is_charge = (half_cycles["direction"] == "charge").to_numpy()
    top = half_cycles["end_voltage_volt"].fill_null(-np.inf).to_numpy()
    if not is_charge.any() or is_charge.all():
        return unknown
    full = (start + last)[is_charge & (top >= np.median(top[is_charge]) - _FULL_VOLT)]
    if not len(full):
        return unknown
    of_discharge = np.searchsorted(start[~is_charge], full - 1.0)
    capacity = np.array([
        charge[~is_charge][max(at - _NEAR, 0) : at + _NEAR].max(initial=0.0) for at in of_discharge
    ])  # fmt: skip

    def net(time: Floats) -> Floats:
        passed = np.clip((time[:, None] - start) / np.maximum(last, 1.0), 0, 1)
        return np.asarray(passed @ np.where(is_charge, charge, -charge), np.float64)

    before = np.searchsorted(full, unix_time_second, side="right") - 1
    place = np.maximum(before, 0)
    if (capacity[place] <= 0).any():
        return unknown
    taken = (net(full)[place] - net(unix_time_second)) / capacity[place]
    return np.asarray(np.where(before < 0, np.minimum(taken, 1.0), taken), np.float64)


def group_findings(groups: SpectrumGroups, rows: Rows) -> Iterator[Finding]:
    """Iterate over findings: temperatures and techniques that are followed apart, and sweeps."""
    for state, said in groups.varies.items():
        count = int(np.count_nonzero(groups.state == state))
        sentence = (
            f"Over {count} spectra the {said}: how their resistances differ is no growth, and "
            "no law of growth is looked for."
        )
        yield Finding("warning", "state_varies", sentence, count)
    celsius = _numbers(rows, "temperature_celsius")
    steps = [float(np.mean(celsius[groups.state == k])) for k in np.unique(groups.state)]
    distinct = sorted({round(value) for value in steps if np.isfinite(value)})
    apart = bool(len(distinct) > 1 and len(np.unique(groups.state)) > len(np.unique(groups.series)))
    if apart:
        named = ", ".join(f"{value}" for value in distinct[:_MOST_NAMED])
        more = "" if len(distinct) <= _MOST_NAMED else " …"
        sentence = (
            f"The spectra were measured at {len(distinct)} temperatures ({named}{more} °C): each "
            "is followed by itself, and a step of the temperature is no growth."
        )
        yield Finding("info", "temperature_steps", sentence, len(rows))
    names = sorted({str(row["technique"]) for row in rows if row.get("technique")})
    if len(names) > 1 and all(row.get("technique") for row in rows):
        sentence = f"Spectra of {', '.join(names)} are followed apart."
        yield Finding("info", "techniques_apart", sentence, len(rows))
