"""Numbers of groups of cells: what their cells share, at the cycle that all of them have reached.

What stands apart is named and stays in the numbers of all cells; the numbers without it stand
beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.numerics.groups.outliers import Floats, Outliers, find_outliers
from cellpipe.report.wording import format_fixed, format_number

Groups = Mapping[str, Sequence[str]]  # the cells of each group


@dataclass(frozen=True)
class GroupValues:
    """A group's values of one measure: one of each cell that has it, in the order of ``cells``."""

    name: str
    cells: tuple[str, ...]
    values: Floats

    @cached_property
    def outliers(self) -> Outliers:
        """Which of the cells stand apart from the others."""
        return find_outliers(self.values)

    @property
    def apart(self) -> tuple[str, ...]:
        """The cells that stand apart."""
        return tuple(
            cell
            for cell, is_out in zip(self.cells, self.outliers.is_outlier, strict=True)
            if is_out
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """The cells that stand apart, if they are few: more than a fourth are no outliers."""
        return self.apart if len(self.apart) <= max(1, len(self.cells) // 4) else ()

    @property
    def kept(self) -> Floats:
        """The values without the cells that are left out."""
        return self.values[~self.outliers.is_outlier] if self.left_out else self.values


@dataclass(frozen=True)
class Measure:
    """One number over groups: name, unit, decimals (None: three digits), and what it is taken at.

    ``absent`` says why there is none.
    """

    key: str
    name: str
    unit: str
    decimals: int | None
    basis: str = ""
    groups: tuple[GroupValues, ...] = ()
    absent: str = ""

    def write(self, value: float) -> str:
        """Write a value of it, without its unit."""
        if self.decimals is None:
            return format_number(value)
        text = format_fixed(value, self.decimals)
        return text.removeprefix("−") if float(text.replace("−", "-")) == 0 else text

    @property
    def difference_unit(self) -> str:
        """The unit of a difference."""
        return "percentage points" if self.unit == "%" else self.unit


def collect_measures(cells: pl.DataFrame, cycles: pl.DataFrame, groups: Groups) -> list[Measure]:
    """Return the numbers that groups are compared by.

    Retention is taken at the last cycle that all cells have completed, over one reference cycle;
    capacities on one basis; first ones of cells whose initial cycle is what it seems. A cell whose
    numbers contradict physics is in none.

    Parameters
    ----------
    cells, cycles
        Rows of these tables; those of other cells are not looked at.
    groups
        Cell IDs by the name of their group.

    """
    sound = {*cells.filter(pl.col("contradictions").is_null())["cell_id"]}
    groups = {name: [c for c in members if c in sound] for name, members in groups.items()}
    chosen = [cell_id for members in groups.values() for cell_id in members]
    cells = cells.filter(pl.col("cell_id").is_in(chosen))
    cycles = cycles.filter(pl.col("cell_id").is_in(chosen))
    plain = cells.filter(pl.col("initial_remark").is_null())
    initial, mean = (
        Measure(key, name, "%", 2) for key, name in (("initial", "Initial CE"), ("mean", "Mean CE"))
    )
    return [
        _retention(cycles, groups),
        _first_discharge(plain, groups),
        _of_column(initial, plain, "initial_coulombic_efficiency", groups, 100),
        _of_column(mean, cells, "mean_coulombic_efficiency", groups, 100),
        _resistance(cells, groups),
    ]


def _of_column(
    measure: Measure, cells: pl.DataFrame, column: str, groups: Groups, factor: float = 1.0
) -> Measure:
    """Return a measure with a column's values times a factor."""
    known = dict(cells.select("cell_id", factor * pl.col(column)).drop_nulls().iter_rows())
    return replace(measure, groups=_by_group(known, groups))


def _by_group(known: Mapping[str, float], groups: Groups) -> tuple[GroupValues, ...]:
    found = []
    for name, members in groups.items():
        having = tuple(cell for cell in members if cell in known)
        found.append(GroupValues(name, having, np.array([known[c] for c in having], np.float64)))
    return tuple(found)


def _first_discharge(cells: pl.DataFrame, groups: Groups) -> Measure:
    key, name = "first", "First discharge"
    specific = "first_specific_discharging_capacity_mah_per_g"
    bases = cells.drop_nulls(specific)["capacity_basis"].unique().to_list()
    if len(bases) > 1:
        return Measure(key, name, "", None, absent="different bases")
    if bases:
        per_gram = Measure(key, name, "mAh/g", 1, f"per {bases[0]}")
        return _of_column(per_gram, cells, specific, groups)
    areal = "first_areal_discharging_capacity_mah_per_cm2"
    if cells[areal].count():
        return _of_column(Measure(key, name, "mAh/cm²", 2), cells, areal, groups)
    plain = Measure(key, name, "mAh", None)
    return _of_column(plain, cells, "first_discharging_capacity_ah", groups, 1e3)


def _resistance(cells: pl.DataFrame, groups: Groups) -> Measure:
    key, name = "resistance", "Last interfacial resistance"
    areal, ohm = "last_areal_interfacial_resistance_ohm_cm2", "last_interfacial_resistance_ohm"
    if cells[areal].count():
        return _of_column(Measure(key, name, "Ω cm²", None), cells, areal, groups)
    return _of_column(Measure(key, name, "Ω", None), cells, ohm, groups)


def _retention(cycles: pl.DataFrame, groups: Groups) -> Measure:
    """Return the retention at the last cycle that every cell with cycles has completed."""
    key, name = "retention", "Retention"
    known = cycles.filter("complete").drop_nulls("capacity_retention")
    if known.is_empty():
        return Measure(key, name, "%", 1)
    count = known["cell_id"].n_unique()
    shared = known.group_by("cycle").len().filter(pl.col("len") == count)["cycle"].max()
    if shared is None:
        return Measure(key, name, "%", 1, absent="no cycle that all have completed")
    at = known.filter(cycle=shared).sort("cell_id")
    references = at["retention_reference_cycle"].unique().to_list()
    if len(references) != 1:
        return Measure(key, name, "%", 1, absent="different reference cycles")
    values = dict(at.select("cell_id", 100 * pl.col("capacity_retention")).iter_rows())
    basis = f"cycle {at['cycle'][0]} over {references[0]}"
    return Measure(key, name, "%", 1, basis, _by_group(values, groups))


def cycles_of_life(cells: pl.DataFrame, members: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the cycle at which each cell fell below 80 %, or its last one, and whether it did.

    At the usual rate; cells without a retention at it are left out.
    """
    chosen = cells.filter(pl.col("cell_id").is_in(list(members)))
    known = chosen.drop_nulls("retention_at_rate_cycle")
    passed = known["cycles_to_80_percent"]
    last = passed.fill_null(known["retention_at_rate_cycle"])
    return last.to_numpy().astype(np.float64), passed.is_not_null().to_numpy()


def shortest_cells(cycles: pl.DataFrame, groups: Groups) -> tuple[int, int, list[str]]:
    """Return the last cycle of the shortest cell, that of the longest, and the shortest cells."""
    chosen = [cell_id for members in groups.values() for cell_id in members]
    known = cycles.filter(pl.col("cell_id").is_in(chosen), "complete").drop_nulls(
        "capacity_retention"
    )
    last = dict(known.group_by("cell_id").agg(pl.col("cycle").max()).sort("cell_id").iter_rows())
    if not last:
        return 0, 0, []
    least = min(last.values())
    return least, max(last.values()), [name for name, cycle in last.items() if cycle == least]
