"""What was put into each cell, so that whoever reads the files can be held to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from .chemistry import Build, interphase_resistance
from .lab import BUILDS
from .protocol import Record, total_charge


@dataclass(frozen=True)
class Fact:
    """One true number of a cell: its value printed, and its unit (1 for a bare ratio)."""

    cell_id: str
    quantity: str
    value: str
    unit: str


def cell_facts(cell: str, records: Sequence[Record]) -> list[Fact]:
    """Cycles, first capacities, first-cycle efficiency, and retention between two cycles.

    The efficiency of a full cell is discharge / the charge before it, that of a half cell
    delithiation (charge) / the lithiation (discharge) before it. Retention is that of the
    capacity given back (full: discharge, half: delithiation) against cycle 1.
    """
    build = BUILDS[cell]
    cycles = max(record.cycle for record in records)
    charged, discharged = _both(records, 1)
    given, taken = (discharged, charged) if build.is_full else (charged, discharged)
    last_charged, last_discharged = _both(records, cycles)
    last = last_discharged if build.is_full else last_charged
    return [
        Fact(cell, "cycles", str(cycles), "1"),
        Fact(cell, "first_charging_capacity", f"{charged / 1000.0:.9f}", "Ah"),
        Fact(cell, "first_discharging_capacity", f"{discharged / 1000.0:.9f}", "Ah"),
        Fact(cell, "first_coulombic_efficiency", f"{given / taken:.6f}", "1"),
        Fact(cell, "last_charging_capacity", f"{last_charged / 1000.0:.9f}", "Ah"),
        Fact(cell, "last_discharging_capacity", f"{last_discharged / 1000.0:.9f}", "Ah"),
        Fact(cell, "last_capacity_retention_vs_cycle_1", f"{last / given:.6f}", "1"),
    ]


def _both(records: Sequence[Record], cycle: int) -> tuple[float, float]:
    """Charge and discharge of one cycle in mAh."""
    return (
        total_charge(records, positive=True, cycle=cycle),
        total_charge(records, positive=False, cycle=cycle),
    )


def circuit_facts(cell: str, build: Build) -> list[Fact]:
    """Return what is common to all spectra of a cell: the series resistances and the growth law."""
    return [
        Fact(cell, "bulk_resistance", f"{build.bulk_ohm:.3f}", "ohm"),
        Fact(cell, "grain_boundary_resistance", f"{build.grain_boundary_ohm:.3f}", "ohm"),
        Fact(cell, "interphase_resistance_at_start", f"{build.interphase_ohm:.3f}", "ohm"),
        Fact(cell, "interphase_growth", f"{build.interphase_growth:.4f}", "ohm/h^0.5"),
    ]


def spectrum_fact(cell: str, build: Build, name: str, seconds: float) -> Fact:
    """Return the interphase resistance put into a spectrum; the name says which file and number."""
    ohm = interphase_resistance(build, seconds / 3600.0)
    return Fact(cell, f"interphase_resistance {name}", f"{ohm:.4f}", "ohm")


def facts_csv(facts: Sequence[Fact]) -> bytes:
    """Return the table of facts."""
    lines = [f"{fact.cell_id},{fact.quantity},{fact.value},{fact.unit}" for fact in facts]
    return ("\n".join(["cell_id,quantity,value,unit", *lines]) + "\n").encode()
