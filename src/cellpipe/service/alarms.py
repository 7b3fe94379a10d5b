"""Check a cell against limits: efficiency, loss of capacity, growth of resistance, and shorts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cellpipe.config.settings import LimitSettings

_LATEST = 3  # cycles whose median efficiency counts, so that one outlier raises no alarm


@dataclass(frozen=True)
class Alarm:
    """A limit that a cell has crossed; ``code`` distinguishes this crossing from later ones."""

    code: str
    sentence: str


def check_limits(cell: pl.DataFrame, cycles: pl.DataFrame, limits: LimitSettings) -> list[Alarm]:
    """Return an alarm for each limit that a cell has crossed.

    Parameters
    ----------
    cell
        Its row of the table ``cells``.
    cycles
        Its cycles; those of usual cycling count that are complete, after the first complete one:
        no formation, rate test or check cycle.
    limits
        The limits. The efficiency is the median of the latest three cycles; a loss is one of the
        discharge capacity, from one cycle to the next at the same rate; the resistance is
        the interfacial one of the last spectrum over the first's. A cell that strips and plates
        holds no capacity that could be lost; a short circuit of it is an alarm whatever the limits.

    """
    counted = cycles.filter(
        pl.col("complete")
        & (pl.col("protocol") == "cycling")
        & (pl.col("cycle") > pl.col("cycle").filter("complete").min())
    ).sort("cycle")
    row = cell.row(0, named=True) if cell.height else {}
    summary, hour = row.get("plating_summary"), row.get("short_circuit_hour")
    alarms = [*_efficiency_alarms(counted, limits), *_loss_alarms(counted, limits)]
    if summary is not None:
        alarms = []
    if hour is not None:
        alarms.append(Alarm("short_circuit", f"The cell is shorted: {summary}."))
    first, last = (row.get(f"{when}_interfacial_resistance_ohm") for when in ("first", "last"))
    if first and last and last / first > limits.resistance_growth:
        first_error, last_error = (
            row[f"{when}_interfacial_resistance_standard_error_ohm"] for when in ("first", "last")
        )
        sentence = (
            f"The interfacial resistance has grown to {last / first:.2g} times the first "
            f"({last:.3g} ± {last_error:.2g} Ω from {first:.3g} ± {first_error:.2g} Ω; limit "
            f"{limits.resistance_growth:g})."
        )
        alarms.append(Alarm("resistance_growth", sentence))
    return alarms


def _efficiency_alarms(cycles: pl.DataFrame, limits: LimitSettings) -> list[Alarm]:
    latest = cycles.drop_nulls("coulombic_efficiency").tail(_LATEST)
    median = latest["coulombic_efficiency"].median()
    if latest.height < _LATEST or not isinstance(median, float):
        return []
    if median >= limits.coulombic_efficiency:
        return []
    sentence = (
        f"The Coulombic efficiency is {100 * median:.2f} % (median of the cycles "
        f"{latest['cycle'][0]} to {latest['cycle'][-1]}; "
        f"limit {100 * limits.coulombic_efficiency:g} %)."
    )
    return [Alarm("coulombic_efficiency", sentence)]


def _loss_alarms(cycles: pl.DataFrame, limits: LimitSettings) -> list[Alarm]:
    """Return an alarm for the latest sudden loss, if there is one."""
    after = pl.col("discharging_capacity_ah")
    before, rate = after.shift(), pl.col("rate_group")
    losses = cycles.with_columns(loss=1 - after / before).filter(
        (pl.col("loss") > limits.sudden_loss) & (rate == rate.shift())
    )
    if losses.is_empty():
        return []
    last = losses.row(-1, named=True)
    sentence = (
        f"The discharge capacity fell by {100 * last['loss']:.1f} % in cycle {last['cycle']} "
        f"(limit {100 * limits.sudden_loss:g} % from one cycle to the next at the same rate)."
    )
    return [Alarm(f"sudden_loss in cycle {last['cycle']}", sentence)]
