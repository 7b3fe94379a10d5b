"""Choose what a cell's capacities are shown per: its active mass if known, else nothing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cellpipe.core.model import Cell

MASS_FIELDS = {
    "cathode active mass": "cathode_active_mass_mg",
    "anode active mass": "anode_active_mass_mg",
}


@dataclass(frozen=True)
class CapacityScale:
    """How a charge in Ah is shown.

    ``per_ah`` converts Ah to ``unit``; ``areal_per_ah`` converts Ah to mAh/cm², None without an
    area. ``basis`` names the mass of a specific capacity, None for a plain charge in mAh.
    """

    per_ah: float
    unit: str
    name: str
    basis: str | None
    areal_per_ah: float | None

    @property
    def label(self) -> str:
        """Name, unit and basis for an axis."""
        basis = f", per {self.basis}" if self.basis else ""
        return f"{self.name} ({self.unit}{basis})"

    @property
    def stacked_label(self) -> str:
        """The same in two lines, for a vertical axis."""
        basis = f"\nper {self.basis}" if self.basis else ""
        return f"{self.name} ({self.unit}){basis}"


def capacity_scale(cell: Cell, *tables: pl.DataFrame) -> CapacityScale:
    """Return the scale for the first basis found in the tables; mAh without one or its mass."""
    areal = 1e3 / cell.area_cm2 if cell.area_cm2 else None
    basis = _basis(*tables)
    mass = active_mass_mg(cell, basis)
    if mass:
        return CapacityScale(1e6 / mass, "mAh/g", "Specific capacity", basis, areal)
    return CapacityScale(1e3, "mAh", "Capacity", None, areal)


def active_mass_mg(cell: Cell, basis: str | None) -> float | None:
    """Return the mass in mg that a basis names, from the cell sheet."""
    field = MASS_FIELDS.get(basis or "")
    mass: float | None = getattr(cell, field) if field else None
    return mass


def _basis(*tables: pl.DataFrame) -> str | None:
    for table in tables:
        bases = table["capacity_basis"].drop_nulls()
        if bases.len():
            return str(bases[0])
    return None
