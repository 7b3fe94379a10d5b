"""Contradictions between a cell's numbers and physics, and the facts that are held against it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cellpipe.analyses.cycles import reversible_direction
from cellpipe.analyses.slips import plain
from cellpipe.core.model import Cell, Material

MARGIN = 1.05  # over a theoretical capacity
ONE_WAY_MARGIN = 1.5  # where nothing came back yet: a first half cycle has side reactions, too
DENSEST = 3862.0  # mAh/g of lithium itself: for a mass whose material is not known


@dataclass(frozen=True)
class Contradiction:
    """A number that physics does not allow: in a sentence, with the likely slip if one explains it.

    ``kind`` is what is confirmed in words; ``is_above`` whether the number is too high. Where
    ``is_check``, a sound cell may have it, too: it is to be looked at.
    """

    kind: str
    value: float
    unit: str
    sentence: str
    slip: str = ""
    is_above: bool = True
    is_check: bool = False

    @property
    def phrase(self) -> str:
        """What the column Confirmed of the sheet says if the number is right."""
        return f"{self.kind} {plain(self.value)} {self.unit}".strip()


@dataclass(frozen=True)
class Facts:
    """What is held against physics: charges in mAh, masses in mg, voltages in V.

    ``charge`` is what comes back; where nothing did yet (``is_one_way``), what went in.
    """

    cell: Cell
    charge: float | None
    first_lithiation: float | None
    first_efficiency: float | None
    current: float | None
    mean: tuple[float, float] | None  # of discharge and charge
    ends: tuple[float, float] | None
    retention: float | None
    is_one_way: bool = False
    is_whole: bool = True  # a cycle is complete
    half_ends: tuple[float, float] | None = None  # lowest and highest, where both directions are

    @property
    def areal(self) -> float | None:
        """The capacity per area, mAh/cm²."""
        area = self.cell.area_cm2
        return None if self.charge is None or not area else self.charge / area


def gather_facts(cell: Cell, cycles: pl.DataFrame, half_cycles: pl.DataFrame) -> Facts:
    """Return what is held against physics, from a cell's tables."""
    complete = cycles.filter("complete")
    is_charge = reversible_direction(cell) == "charge"
    back = "charging_capacity_ah" if is_charge else "discharging_capacity_ah"
    charge = _to_float(complete[back].max())
    is_one_way = False
    if charge is None:
        came_back = half_cycles.filter(direction="charge" if is_charge else "discharge")
        is_one_way = came_back.is_empty()
        halves = half_cycles if is_one_way else came_back
        charge = _to_float(halves["capacity_ah"].max())
    first = complete.head(1)
    current = half_cycles.select(pl.col("constant_current_ampere").abs().max()).item()
    rates = complete["capacity_retention_at_rate"].max()
    return Facts(
        cell,
        None if charge is None else 1e3 * charge,
        _milli(first["discharging_capacity_ah"].max()),
        _to_float(first["coulombic_efficiency"].max()),
        _milli(current),
        _pair(complete, "mean_{}_voltage_volt"),
        _pair(complete, "end_{}_voltage_volt"),
        _to_float(rates),
        is_one_way,
        complete.height > 0,
        _range_of_ends(half_cycles),
    )


def _to_float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _milli(value: object) -> float | None:
    return 1e3 * float(value) if isinstance(value, (int, float)) else None


def _range_of_ends(half_cycles: pl.DataFrame) -> tuple[float, float] | None:
    """Return the lowest and the highest end voltage; None unless both directions are there."""
    if half_cycles["direction"].drop_nulls().n_unique() < 2:
        return None
    ends = half_cycles["end_voltage_volt"]
    low, high = _to_float(ends.min()), _to_float(ends.max())
    return None if low is None or high is None else (low, high)


def _pair(cycles: pl.DataFrame, name: str) -> tuple[float, float] | None:
    """Return the medians of a column of discharge and of charge; None unless both are known."""
    low, high = (_to_float(cycles[name.format(d)].median()) for d in ("discharging", "charging"))
    return None if low is None or high is None else (low, high)


def electrodes_of(cell: Cell) -> list[tuple[str, float, Material | None]]:
    """Return name, active mass (mg) and material of each electrode whose mass is known."""
    sides = (("cathode", cell.cathode_active_mass_mg), ("anode", cell.anode_active_mass_mg))
    if cell.configuration == "half":
        role = cell.working_electrode_role
        material = cell.materials.get("working")
        return [(name, mass, material) for name, mass in sides if mass and name == role]
    if cell.configuration == "symmetric":
        return []
    return [(name, mass, cell.materials.get(name)) for name, mass in sides if mass]


def theory_limit(material: Material | None) -> tuple[float, str] | None:
    """Return the largest specific capacity that comes back, mAh/g, and in words what it is of.

    None where a material holds what is deposited on it. What is not silicon may be cycled over
    its further lithium, too.
    """
    if material is None:
        return DENSEST, "that of lithium, the densest of all electrodes"
    if material.capacity is None:
        return None
    if material.family == "silicon" or material.most_capacity is None:
        phase = f" ({material.phase}, {source_of(material)})" if material.phase else ""
        return material.capacity, f"the theoretical one of {material.name}{phase}"
    phase = f"{material.most_phase}, {source_of(material)}"
    return material.most_capacity, f"the theoretical one of {material.name} ({phase})"


def source_of(material: Material) -> str:
    """Return where the capacity of a material is from: a DOI, or how it was had."""
    is_doi = material.source.startswith("10.")
    return f"doi {material.source}" if is_doi else material.source or "convention"
