"""Check a cell against limits: efficiency, sudden loss, retention, growth of resistance.

What only the lab as a whole can tell is in :mod:`cellpipe.pipeline.lab_alarms`.
"""

from __future__ import annotations

import polars as pl

from cellpipe.core.limits import Limits
from cellpipe.core.model import Finding

_LATEST = 3  # cycles whose median efficiency counts, so that one outlier raises no alarm


def check_limits(cell: pl.DataFrame, cycles: pl.DataFrame, limits: Limits) -> list[Finding]:
    """Return an alarm for each limit that a cell has crossed.

    A cell that strips and plates has no such limits: it holds no capacity that could be lost.

    Parameters
    ----------
    cell
        Its row of the table ``cells``.
    cycles
        Its cycles; those of usual cycling count that are complete, after the first complete one:
        no formation, rate test or check cycle.
    limits
        The limits. The efficiency is the median of the latest three cycles; a loss is one of the
        discharge capacity, from one cycle to the next at the usual rate, which no later cycle makes
        up for; the retention is that at the usual rate; the resistance is the interfacial one of
        the last spectrum over the first's.

    """
    row = cell.row(0, named=True) if cell.height else {}
    if row.get("configuration") == "symmetric" or row.get("plating_summary") is not None:
        return []
    counted = cycles.filter(
        pl.col("complete")
        & (pl.col("protocol") == "cycling")
        & (pl.col("cycle") > pl.col("cycle").filter("complete").min())
    ).sort("cycle")
    return [
        *_efficiency_alarms(counted, limits),
        *_loss_alarms(counted, limits),
        *_retention_alarms(row, limits),
        *_resistance_alarms(row, limits),
    ]


def _efficiency_alarms(cycles: pl.DataFrame, limits: Limits) -> list[Finding]:
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
    return [Finding("alarm", "coulombic_efficiency", sentence)]


def _loss_alarms(cycles: pl.DataFrame, limits: Limits) -> list[Finding]:
    """Return an alarm for the latest sudden loss at the usual rate that did not come back."""
    after = pl.col("discharging_capacity_ah")
    before, rate = after.shift(), pl.col("rate_group")
    usual = cycles["rate_group"].drop_nulls().mode().min()
    if usual is None:
        return []
    at_rate = cycles.with_columns(before=before, same=rate == rate.shift()).filter(rate == usual)
    best_later = after.reverse().cum_max().reverse()
    losses = at_rate.with_columns(loss=1 - after / pl.col("before"), best=best_later).filter(
        (pl.col("loss") > limits.sudden_loss)
        & pl.col("same")
        & (pl.col("best") < (1 - limits.sudden_loss) * pl.col("before"))
    )
    if losses.is_empty():
        return []
    last = losses.row(-1, named=True)
    sentence = (
        f"The discharge capacity fell by {100 * last['loss']:.1f} % in cycle {last['cycle']} "
        f"(limit {100 * limits.sudden_loss:g} % from one cycle to the next at the same rate)."
    )
    return [Finding("alarm", "sudden_loss", sentence)]


def _retention_alarms(row: dict[str, object], limits: Limits) -> list[Finding]:
    retention = row.get("capacity_retention_at_rate")
    if not isinstance(retention, float) or retention >= limits.retention:
        return []
    sentence = (
        f"The capacity is at {100 * retention:.1f} % of its reference (cycle "
        f"{row['retention_at_rate_cycle']} over cycle {row['retention_at_rate_reference_cycle']} "
        f"at the usual rate; limit {100 * limits.retention:g} %)."
    )
    return [Finding("alarm", "capacity_retention", sentence)]


def _resistance_alarms(row: dict[str, object], limits: Limits) -> list[Finding]:
    first, last = (row.get(f"{when}_interfacial_resistance_ohm") for when in ("first", "last"))
    if not isinstance(first, float) or not isinstance(last, float) or not first or not last:
        return []
    if last / first <= limits.resistance_growth:
        return []
    first_error, last_error = (
        row[f"{when}_interfacial_resistance_standard_error_ohm"] for when in ("first", "last")
    )
    sentence = (
        f"The interfacial resistance has grown to {last / first:.2g} times the first "
        f"({last:.3g} ± {last_error:.2g} Ω from {first:.3g} ± {first_error:.2g} Ω; limit "
        f"{limits.resistance_growth:g})."
    )
    return [Finding("alarm", "resistance_growth", sentence)]
