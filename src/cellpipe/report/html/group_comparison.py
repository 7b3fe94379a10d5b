"""Compare groups of cells: differences with their intervals, tests, cells needed, and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from cellpipe.numerics.groups.differences import (
    Difference,
    adjust_holm,
    compare_groups,
    needed_count,
    pooled_deviation,
)
from cellpipe.numerics.groups.outliers import Floats, median_interval
from cellpipe.numerics.groups.survival import estimate_survival
from cellpipe.report.groups import (
    Groups,
    GroupValues,
    Measure,
    collect_measures,
    cycles_of_life,
    shortest_cells,
)
from cellpipe.report.html.grid import Grid
from cellpipe.report.html.replicates import apart_text, mean_text
from cellpipe.report.wording import NOTHING, format_number, format_percent, pluralize

FEWEST_FOR_TEST = 3  # cells of a group; the scatter of two is one number
# Differences in percentage points, and of other numbers as a share of the first group's mean.
NEEDED = {"retention": (0.5, 1.0, 2.0, 5.0), "initial": (0.5, 1.0, 2.0), "mean": (0.05, 0.1, 0.5)}
RELATIVE_NEEDED = (0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Pair:
    """Two groups beside each other by one measure, with all cells or without those apart.

    ``chance`` is Welch's, corrected by Holm for all pairs and measures of its kind; None where
    there is no test.
    """

    measure: Measure
    first: GroupValues
    second: GroupValues
    difference: Difference | None
    chance: float | None
    whole: bool

    @property
    def values(self) -> tuple[Floats, Floats]:
        """The values that are compared."""
        if self.whole:
            return self.first.values, self.second.values
        return self.first.kept, self.second.kept


@dataclass(frozen=True)
class GroupComparison:
    """What a page says of several groups: sentences, and tables of groups, pairs and numbers."""

    sentences: tuple[str, ...]
    groups: Grid
    pairs: Grid
    needed: Grid
    life: Grid


def compare(cells: pl.DataFrame, cycles: pl.DataFrame, groups: Groups) -> GroupComparison:
    """Compare groups by all measures that they have.

    Parameters
    ----------
    cells, cycles
        Rows of these tables of the groups' cells.
    groups
        Cell IDs by the name of their group, at least two.

    """
    measures = collect_measures(cells, cycles, groups)
    shown = [each for each in measures if any(len(group.values) for group in each.groups)]
    whole = _pairs(shown, whole=True)
    without = _pairs(shown, whole=False)
    sentences = [
        *_limits_of_retention(cycles, groups, measures),
        *(_group_sentence(name, members, measures, place)
          for place, (name, members) in enumerate(groups.items())),
        *_pair_sentences(whole, without),
    ]  # fmt: skip
    return GroupComparison(
        tuple(sentences), _group_grid(shown, groups), _pair_grid(whole, without),
        _needed_grid(shown), _life_grid(cells, groups),
    )  # fmt: skip


def _pairs(measures: Sequence[Measure], *, whole: bool) -> list[Pair]:
    """Return all pairs of groups by all measures, corrected for their number."""
    pairs = []
    for measure in measures:
        for one, other in combinations(measure.groups, 2):
            values = (one.values, other.values) if whole else (one.kept, other.kept)
            enough = min(map(len, values)) >= FEWEST_FOR_TEST
            found = compare_groups(*values) if enough else None
            pairs.append(Pair(measure, one, other, found, None, whole))
    adjusted = iter(adjust_holm([pair.difference.welch for pair in pairs if pair.difference]))
    return [
        Pair(p.measure, p.first, p.second, p.difference, next(adjusted), whole)
        if p.difference else p for p in pairs
    ]  # fmt: skip


def _limits_of_retention(
    cycles: pl.DataFrame, groups: Groups, measures: Sequence[Measure]
) -> list[str]:
    """Say which cells end the comparison early, if others have gone on for long."""
    least, most, shortest = shortest_cells(cycles, groups)
    retention = measures[0]
    if retention.absent:
        return [f"Retention is not compared: {retention.absent}."]
    if not retention.basis or least >= 0.8 * most:
        return []
    have = "has" if len(shortest) == 1 else "have"
    sentence = (
        f"Retention is taken at {retention.basis}, the last that all have completed: "
        f"{', '.join(shortest)} {have} no more, others go on to cycle {most}."
    )
    return [sentence]


def _group_sentence(
    name: str, members: Sequence[str], measures: Sequence[Measure], place: int
) -> str:
    retention = measures[0]
    values = retention.groups[place].values if retention.groups else np.empty(0)
    said = f"{name}: {pluralize(len(members), 'cell')}"
    if len(values):
        middle = median_interval(values)
        said += f"; retention {mean_text(retention, values)} %, {retention.basis}"
        if len(values) >= FEWEST_FOR_TEST:
            said += (
                f", median {retention.write(middle.value)} % ({retention.write(middle.low)} to "
                f"{retention.write(middle.high)} % hold the true one with "
                f"{100 * middle.level:.0f} %)"
            )
    apart = apart_text(list(measures), place)
    if len(members) < FEWEST_FOR_TEST:
        return f"{said}. {_few(len(members))}"
    many = retention.groups and len(retention.groups[place].apart) > len(
        retention.groups[place].left_out
    )
    if many:
        apart += ": too many to be outliers; the group seems to hold two kinds of cells"
    return f"{said}. Stands apart: {apart}." if apart != NOTHING else f"{said}. None stands apart."


def _few(count: int) -> str:
    if count == 1:
        return (
            "One cell: how far replicates scatter, whether it is a good one, and whether a "
            "difference from another group is more than chance can't be said."
        )
    return (
        "Two cells: whether one of them stands apart can't be said, and their scatter is one "
        "number; no test is made with it."
    )


def _pair_sentences(whole: Sequence[Pair], without: Sequence[Pair]) -> list[str]:
    """Say for each pair how the retentions differ, without the cells that stand apart if any do."""
    said = []
    for pair, clean in zip(whole, without, strict=True):
        if pair.measure.key != "retention":
            continue
        apart = (*pair.first.left_out, *pair.second.left_out)
        names = f"{pair.first.name} against {pair.second.name}"
        if not apart:
            said.append(f"{names}: {_difference_text(pair)}.")
            continue
        said.append(
            f"{names}: without {', '.join(apart)}, {_difference_text(clean)}; with all cells, "
            f"{_difference_text(pair)}. Find out what happened to {', '.join(apart)} before "
            f"leaving {'it' if len(apart) == 1 else 'them'} out."
        )
    return said


def _difference_text(pair: Pair) -> str:
    measure, found = pair.measure, pair.difference
    first, second = pair.values
    if not len(first) or not len(second):
        return f"no {measure.name.lower()} of both"
    values = " against ".join(f"{mean_text(measure, each)}" for each in (first, second))
    lead = f"{measure.name.lower()} {values} {measure.unit}"
    if found is None or pair.chance is None:
        reason = "fewer than three cells" if min(len(first), len(second)) < 3 else "no scatter"
        return f"{lead}: no test ({reason})"
    sign = "more" if found.difference > 0 else "less"
    verdict = (
        f"{measure.write(abs(found.difference))} {measure.difference_unit} {sign}"
        if pair.chance < 0.05
        else "no difference is shown"
    )
    return (
        f"{lead}: {verdict} (difference {_interval(measure, found)} {measure.difference_unit}, "
        f"Hedges' g {_effect(found)}, p = {format_number(pair.chance, 2)} by Welch's test after "
        f"Holm)"
    )


def _interval(measure: Measure, found: Difference) -> str:
    low, high = measure.write(found.low), measure.write(found.high)
    return f"{measure.write(found.difference)}, 95 %: {low} to {high}"


def _effect(found: Difference) -> str:
    value, low, high = (
        format_number(v, 2) for v in (found.effect, found.effect_low, found.effect_high)
    )
    return f"{value} ({low} to {high})"


def _group_grid(measures: Sequence[Measure], groups: Groups) -> Grid:
    body = []
    for measure in measures:
        for group in measure.groups:
            if not len(group.values):
                continue
            middle = median_interval(group.values)
            several = len(group.values) >= FEWEST_FOR_TEST
            ends = f"{measure.write(middle.low)} to {measure.write(middle.high)}"
            body.append((
                _title(measure), group.name, f"{len(group.values)} of {len(groups[group.name])}",
                mean_text(measure, group.values).partition(" (n")[0],
                measure.write(middle.value) if several else NOTHING,
                f"{ends}, {100 * middle.level:.0f} %" if several else NOTHING,
                ", ".join(group.apart) or (NOTHING if several else "can't be told"),
                mean_text(measure, group.kept).partition(" (n")[0] if group.left_out else NOTHING,
            ))  # fmt: skip
    heads = ("Number", "Group", "Cells", "Mean ± s.d.", "Median", "holds the true one",
             "Stands apart", "Mean ± s.d. without")  # fmt: skip
    absent = "The groups' cells have no number."
    return Grid(heads if body else (), tuple(body), frozenset({0, 1, 6}), absent=absent)


def _title(measure: Measure) -> str:
    basis = f"; {measure.basis}" if measure.basis else ""
    return f"{measure.name} ({measure.unit}{basis})"


def _pair_grid(whole: Sequence[Pair], without: Sequence[Pair]) -> Grid:
    body = []
    for pair, clean in zip(whole, without, strict=True):
        body.append(_pair_row(pair, "all"))
        apart = (*pair.first.left_out, *pair.second.left_out)
        if apart:
            body.append(_pair_row(clean, f"without {', '.join(apart)}"))
    heads = ("Number", "Groups", "Cells", "Difference", "95 %", "Hedges' g", "95 % of g",
             "p (Welch)", "p after Holm", "p (permutation)")  # fmt: skip
    return Grid(heads if body else (), tuple(body), frozenset({0, 1, 2}),
                absent="There are no two groups.")  # fmt: skip


def _pair_row(pair: Pair, which: str) -> tuple[str, ...]:
    measure, found = pair.measure, pair.difference
    first, second = pair.values
    counts = f"{which}: {len(first)} and {len(second)}"
    names = f"{pair.first.name} − {pair.second.name}"
    if found is None or pair.chance is None:
        both = len(first) and len(second)
        shown = measure.write(float(first.mean() - second.mean())) if both else NOTHING
        return (_title(measure), names, counts, shown, *[NOTHING] * 6)
    least = " (the least it can be)" if found.permutation <= found.smallest * 1.001 else ""
    return (
        _title(measure), names, counts, measure.write(found.difference),
        f"{measure.write(found.low)} to {measure.write(found.high)}",
        format_number(found.effect, 2),
        f"{format_number(found.effect_low, 2)} to {format_number(found.effect_high, 2)}",
        format_number(found.welch, 2), format_number(pair.chance, 2),
        f"{format_number(found.permutation, 2)}{least}",
    )  # fmt: skip


def _needed_grid(measures: Sequence[Measure]) -> Grid:
    """Return how many cells of each group a difference needs, by the scatter within the groups."""
    body = []
    for measure in measures:
        deviation = pooled_deviation([group.kept for group in measure.groups])
        means = [float(group.kept.mean()) for group in measure.groups if len(group.kept)]
        freedom = sum(max(len(group.kept) - 1, 0) for group in measure.groups)
        if not math.isfinite(deviation) or not deviation or not means or freedom < 2:
            continue
        sizes = NEEDED.get(measure.key) or tuple(part * abs(means[0]) for part in RELATIVE_NEEDED)
        worst = deviation * math.sqrt(freedom / _low_quantile(freedom))
        for size in sizes:
            counts = [needed_count(size, each) for each in (deviation, worst)]
            body.append((
                f"{measure.name} ({measure.difference_unit})", format_number(deviation, 2),
                format_number(size, 2), *(_count(each) for each in counts),
            ))  # fmt: skip
    heads = ("Number", "Scatter within groups", "A difference of", "needs of each group",
             "if the true scatter is at its 80 % bound")  # fmt: skip
    absent = "The scatter within the groups is not known: three cells or more of a group tell it."
    return Grid(heads if body else (), tuple(body), frozenset({0}), absent=absent)


def _life_grid(cells: pl.DataFrame, groups: Groups) -> Grid:
    """Return when half of each group's cells are below 80 %, counting those that still run."""
    body = []
    for name, members in groups.items():
        last, passed = cycles_of_life(cells, members)
        if not len(last):
            continue
        curve = estimate_survival(last, passed)
        numbers = (curve.median, curve.median_low, curve.median_high)
        half, low, high = ("not reached" if n is None else f"{n:.0f}" for n in numbers)
        steps = "; ".join(
            f"{format_percent(share, 0)} from cycle {cycle:.0f}"
            for cycle, share in zip(curve.cycle, curve.share, strict=True)
        )
        body.append((
            name, str(len(last)), str(int(passed.sum())), f"{last.max():.0f}", half,
            NOTHING if curve.median is None else f"{low} to {high}", steps or "100 %",
        ))  # fmt: skip
    heads = ("Group", "Cells", "Below 80 %", "Counted up to cycle", "Half of them below 80 % at",
             "95 %", "Share above 80 %")  # fmt: skip
    return Grid(heads if body else (), tuple(body), frozenset({0, 6}),
                absent="No cell has a retention at the usual rate.")  # fmt: skip


def _low_quantile(freedom: int) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(0.2, freedom))


def _count(number: int | None) -> str:
    """Return a number of cells as text; a test wants three of each group, however small."""
    return "more than 1000" if number is None else str(max(number, FEWEST_FOR_TEST))
