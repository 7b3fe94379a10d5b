"""Summarize groups of replicates: mean ± standard deviation, median, and who stands apart."""

from __future__ import annotations

import polars as pl

from cellpipe.numerics.groups.outliers import FEWEST_FOR_Z, LIMIT, Floats, median_interval
from cellpipe.report.groups import GroupValues, Measure, collect_measures
from cellpipe.report.html.grid import Grid
from cellpipe.report.wording import NOTHING, format_fixed, format_number

FEWEST_FOR_MEDIAN = 3  # values from which a median says more than a mean
EXPLANATION = (
    "Mean ± standard deviation (n − 1) of the cells that have the number; from three cells on the "
    "median, and the ordered values that hold the true one with the chance given. Stands apart: "
    f"modified z beyond {LIMIT} (Iglewicz and Hoaglin), of three cells outside the 95 % interval "
    "of the two others (Student). In a fifth of groups of four or five good cells one is named by "
    "chance: look at what happened to it before leaving it out."
)


def replicate_grid(cells: pl.DataFrame, cycles: pl.DataFrame) -> Grid:
    """Return one row per group of at least two cells; see :func:`summarize_replicates`."""
    return summarize_replicates(cells, cycles)[0]


def summarize_replicates(cells: pl.DataFrame, cycles: pl.DataFrame) -> tuple[Grid, frozenset[str]]:
    """Return one row per group of at least two cells, and the cells that stand apart.

    A number is averaged over the cells of a group only if all cells that have it have it on the
    same basis, first ones over those whose initial cycle is what it seems; retention at the last
    cycle that all of them completed, over the same reference cycle. The standard deviation is the
    sample's (n − 1). A cell that stands apart is in the mean, and named; one that contradicts
    physics is in no mean.
    """
    body, apart = [], set()
    for (name,), group in (
        cells.drop_nulls("group").sort("group").group_by("group", maintain_order=True)
    ):
        sound = group.filter(pl.col("contradictions").is_null())
        left_out = group.height - sound.height
        if group.height > 1:
            members = {str(name): group["cell_id"].sort().to_list()}
            measures = collect_measures(group, cycles, members)
            texts = (summary_text(measure, 0) for measure in _in_order(measures))
            apart |= {cell for each in measures for own in each.groups for cell in own.apart}
            count = f"{sound.height} ({left_out} contradict physics)" if left_out else sound.height
            body.append((str(name), str(count), *texts, apart_text(measures, 0)))
    heads = (
        "Group",
        "Cells",
        "First discharge",
        "Initial CE (%)",
        "Mean CE (%)",
        "Retention (%)",
        "Last interfacial resistance",
        "Stands apart",
    )
    absent = "No two cells share a group in the cell sheet."
    texts_of = frozenset({0, *range(2, len(heads))})  # long ones are to wrap
    grid = Grid(heads if body else (), tuple(body), texts_of, absent=absent)
    return grid, frozenset(apart)


def _in_order(measures: list[Measure]) -> list[Measure]:
    by_key = {measure.key: measure for measure in measures}
    return [by_key[key] for key in ("first", "initial", "mean", "retention", "resistance")]


def summary_text(measure: Measure, place: int) -> str:
    """Return what a group's values of a measure are, with what it is taken at; a dash for none."""
    if measure.absent:
        return measure.absent
    group = measure.groups[place] if measure.groups else None
    if group is None or not len(group.values):
        return NOTHING
    unit = "" if measure.unit == "%" else f" {measure.unit}"
    basis = f", {measure.basis}" if measure.basis else ""
    return f"{mean_text(measure, group.values)}{unit}{basis}{_median_text(measure, group)}"


def mean_text(measure: Measure, values: Floats) -> str:
    """Return mean ± standard deviation and the number of values as text."""
    mean = measure.write(float(values.mean()))
    if len(values) == 1:
        return f"{mean} (n = 1)"
    deviation = float(values.std(ddof=1))
    shown = (
        format_number(deviation, 2)
        if measure.decimals is None
        else format_fixed(deviation, measure.decimals)
    )
    return f"{mean} ± {shown} (n = {len(values)})"


def _median_text(measure: Measure, group: GroupValues) -> str:
    if len(group.values) < FEWEST_FOR_MEDIAN:
        return ""
    middle = median_interval(group.values)
    ends = f"{measure.write(middle.low)} to {measure.write(middle.high)}"
    return f"; median {measure.write(middle.value)} ({ends}, {100 * middle.level:.0f} %)"


def apart_text(measures: list[Measure], place: int) -> str:
    """Return which cells of a group stand apart, by which number and how far; a dash for none."""
    by_cell: dict[str, list[str]] = {}
    sizes = []
    for measure in measures:
        group = measure.groups[place] if measure.groups else None
        if group is None:
            continue
        sizes.append(len(group.values))
        for cell, value, score, is_out in zip(
            group.cells, group.values, group.outliers.score, group.outliers.is_outlier, strict=True
        ):
            if is_out:
                unit = f" {measure.unit}".rstrip()
                by_cell.setdefault(cell, []).append(
                    f"{measure.name} {measure.write(value)}{unit}, {group.outliers.rule} "
                    f"{format_number(score, 3)}"
                )
    if by_cell:
        return "; ".join(f"{cell} ({'; '.join(said)})" for cell, said in by_cell.items())
    few = max(sizes, default=0) < FEWEST_FOR_Z - 1
    return "can't be told of fewer than three" if few else NOTHING
