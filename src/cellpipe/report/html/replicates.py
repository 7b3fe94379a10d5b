"""Summarize groups of replicates: mean ± standard deviation of what their cells share."""

from __future__ import annotations

import polars as pl

from cellpipe.report.html.grid import Grid
from cellpipe.report.wording import NOTHING, format_fixed, format_number


def replicate_grid(cells: pl.DataFrame, cycles: pl.DataFrame) -> Grid:
    """Return one row per group of at least two cells.

    A number is averaged over the cells of a group only if all cells that have it have it on the
    same basis, first ones over those whose initial cycle is what it seems; retention at the last
    cycle that all of them completed, over the same reference cycle. The standard deviation is the
    sample's (n − 1). A cell that contradicts physics is in no mean.
    """
    body = []
    for (name,), group in (
        cells.drop_nulls("group").sort("group").group_by("group", maintain_order=True)
    ):
        sound = group.filter(pl.col("contradictions").is_null())
        left_out = group.height - sound.height
        if group.height > 1:
            count = f"{sound.height} ({left_out} contradict physics)" if left_out else sound.height
            body.append((str(name), str(count), *_numbers(sound, cycles)))
    heads = (
        "Group",
        "Cells",
        "First discharge",
        "Initial CE (%)",
        "Mean CE (%)",
        "Retention (%)",
        "Last interfacial resistance",
    )
    absent = "No two cells share a group in the cell sheet."
    return Grid(heads if body else (), tuple(body), frozenset({0}), absent=absent)


def _numbers(group: pl.DataFrame, cycles: pl.DataFrame) -> tuple[str, ...]:
    plain = group.filter(pl.col("initial_remark").is_null())
    return (
        _capacity(plain),
        _format_mean(_values(plain, "initial_coulombic_efficiency", 100), 2),
        _format_mean(_values(group, "mean_coulombic_efficiency", 100), 2),
        _retention(group, cycles),
        _resistance(group),
    )


def _values(group: pl.DataFrame, column: str, factor: float = 1.0) -> list[float]:
    return [factor * value for value in group[column].drop_nulls().to_list()]


def _format_mean(values: list[float], decimals: int | None = None) -> str:
    """Return mean ± standard deviation and the number of values as text; a dash for none."""
    if not values:
        return NOTHING
    series = pl.Series(values)
    write = format_number if decimals is None else (lambda value: format_fixed(value, decimals))
    mean = write(sum(values) / len(values))
    if len(values) == 1:
        return f"{mean} (n = 1)"
    deviation = float(str(series.std()))
    shown = format_number(deviation, 2) if decimals is None else format_fixed(deviation, decimals)
    return f"{mean} ± {shown} (n = {len(values)})"


def _capacity(group: pl.DataFrame) -> str:
    specific = group.drop_nulls("first_specific_discharging_capacity_mah_per_g")
    bases = specific["capacity_basis"].unique().to_list()
    if len(bases) > 1:
        return "different bases"
    if bases:
        values = _values(specific, "first_specific_discharging_capacity_mah_per_g")
        return f"{_format_mean(values, 1)} mAh/g, per {bases[0]}"
    areal = _values(group, "first_areal_discharging_capacity_mah_per_cm2")
    if areal:
        return f"{_format_mean(areal, 2)} mAh/cm²"
    charge = _values(group, "first_discharging_capacity_ah", 1e3)
    return f"{_format_mean(charge)} mAh" if charge else NOTHING


def _retention(group: pl.DataFrame, cycles: pl.DataFrame) -> str:
    last = group["retention_cycle"].drop_nulls().to_list()
    if not last:
        return NOTHING
    at = cycles.filter(
        pl.col("cell_id").is_in(group["cell_id"].to_list()) & (pl.col("cycle") == min(last))
    ).drop_nulls("capacity_retention")
    references = at["retention_reference_cycle"].unique().to_list()
    if len(references) != 1:
        return "different reference cycles" if references else NOTHING
    values = _values(at, "capacity_retention", 100)
    return f"{_format_mean(values, 1)}, cycle {min(last)} over {references[0]}"


def _resistance(group: pl.DataFrame) -> str:
    areal = _values(group, "last_areal_interfacial_resistance_ohm_cm2")
    if areal:
        return f"{_format_mean(areal)} Ω cm²"
    ohm = _values(group, "last_interfacial_resistance_ohm")
    return f"{_format_mean(ohm)} Ω" if ohm else NOTHING
