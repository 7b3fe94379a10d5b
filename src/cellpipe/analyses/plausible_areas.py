"""Areas, loadings and current densities, held against what electrodes of this field have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cellpipe.analyses.contradiction import Contradiction, Facts, electrodes_of
from cellpipe.analyses.slips import (
    LARGE_AREA,
    LARGEST_AREAL,
    LITTLE_CHARGE,
    explain_areal_capacity,
    plain,
)
from cellpipe.core.model import Cell

LOADINGS = (0.002, 300.0)  # mg/cm²: 10 nm of silicon, and more than any electrode
LARGEST_FORCE = 1e6  # N, of a press of 100 t
PRESSED_AREA = 50.0  # cm², of a pellet or a pouch that such a press may have pressed
LARGEST_CURRENT_DENSITY = 50.0  # mA/cm²
THICKEST_CATHODE = 60.0  # mg/cm², above which a mass is doubted that a slip explains
_FILM_SHARES = (0.3, 1.05)  # of theory, that a film gives whose mass is right
_FILM = re.compile(
    r"film|\bnm\b|sputter|evapor|\b(?:PVD|PLD|CVD|ALD)\b|LiPON|schicht|薄膜", re.IGNORECASE
)
_BULK = re.compile(r"foil|wafer|folie|feuille|plate|sheet|\bdis[ck]|箔|ウェハ", re.IGNORECASE)
_FOILS = frozenset({"lithium", "indium", "lithium deposit"})


def hold_area(facts: Facts) -> Iterator[Contradiction]:
    """Hold the area against the charge and the force that its pressure takes."""
    cell, area, areal = facts.cell, facts.cell.area_cm2, facts.areal
    if area is None:
        return
    pressures = (cell.fabrication_pressure_mpa, cell.stack_pressure_mpa)
    force = 100 * area * max((each for each in pressures if each), default=0.0)
    if areal is not None and areal > LARGEST_AREAL and cell.configuration != "symmetric":
        sentence = (
            f"The capacity per area is {plain(areal)} mAh/cm² with {plain(area)} cm²; no electrode "
            f"of this field holds more than {LARGEST_AREAL:g} mAh/cm² (convention)."
        )
        slip = explain_areal_capacity(areal, area)
        yield Contradiction("areal capacity", areal, "mAh/cm²", sentence, slip)
    elif _holds_little(facts, area) and not _is_thin_film(facts, area):
        sentence = (
            f"The area is {plain(area)} cm², and the capacity {areal or 0:.2g} mAh/cm² of it: no "
            f"cell of more than {LARGE_AREA:g} cm² holds less than {LITTLE_CHARGE:g} mAh/cm² "
            "(convention)."
        )
        slip = explain_areal_capacity(areal or 0.0, area)
        yield Contradiction("area", area, "cm²", sentence, slip)
    elif area > PRESSED_AREA and force > LARGEST_FORCE and (areal is None or areal < 0.5):
        sentence = (
            f"The area is {plain(area)} cm²: its pressure in the cell sheet takes a force of "
            f"{plain(force / 1e3)} kN, of {plain(force / 9810)} t; presses of this field reach "
            f"{plain(LARGEST_FORCE / 1e3)} kN (convention)."
        )
        slip = f"the area was written in mm²: it would be {plain(area / 100)} cm²"
        yield Contradiction("area", area, "cm²", sentence, slip if area < 1000 else "")


def _holds_little(facts: Facts, area: float) -> bool:
    areal = facts.areal
    return facts.is_whole and area > LARGE_AREA and areal is not None and areal < LITTLE_CHARGE


def _is_thin_film(facts: Facts, area: float) -> bool:
    """Tell whether the sheet speaks of a film, whose mass has the charge and the loading of one."""
    cell = facts.cell
    written = (cell.working_electrode, cell.cathode, cell.silicon, cell.electrode_composition,
               cell.electrolyte)  # fmt: skip
    if not _FILM.search(" ".join(filter(None, written))):
        return False
    low, high = _FILM_SHARES
    for _, mass, material in electrodes_of(cell):
        theory = material.capacity if material else None
        is_agreed = theory and low <= 1e3 * (facts.charge or 0.0) / mass / theory <= high
        if is_agreed and mass / area >= LOADINGS[0]:
            return True
    return False


def hold_current_density(facts: Facts) -> Iterator[Contradiction]:
    """Hold the largest constant current per area against what cells bear."""
    area = facts.cell.area_cm2
    if not area or facts.current is None or facts.current / area <= LARGEST_CURRENT_DENSITY:
        return
    density = facts.current / area
    sentence = (
        f"The current density is {plain(density)} mA/cm² ({plain(facts.current)} mA on "
        f"{plain(area)} cm²); no solid cell of this field bears more than "
        f"{LARGEST_CURRENT_DENSITY:g} (convention)."
    )
    slip = ""
    if 0.02 <= density / 100 <= 10:
        slip = f"the area was divided by 100 once too often: it would be {plain(area * 100)} cm²"
    yield Contradiction("current density", density, "mA/cm²", sentence, slip)


def hold_loadings(facts: Facts) -> Iterator[Contradiction]:
    """Hold the mass per area against that of electrodes."""
    cell, area = facts.cell, facts.cell.area_cm2
    for name, mass, material in electrodes_of(cell) if area else ():
        assert area is not None  # noqa: S101
        loading = mass / area
        if material is not None and material.family in _FOILS:
            continue
        theory = material.capacity if material and not material.is_upper else None
        highest = min(LOADINGS[1], 1e3 * LARGEST_AREAL / theory if theory else LOADINGS[1])
        slip = _loading_slip(facts, mass, area, theory)
        if name == "cathode" and slip:
            highest = min(highest, THICKEST_CATHODE)
        if LOADINGS[0] <= loading <= highest:
            continue
        if loading > highest and name == "anode" and _is_in_excess(cell, slip):
            continue
        of = f" of the {name}" if cell.configuration == "full" else ""
        limits = f"{LOADINGS[0]:g} to {plain(highest)} mg/cm²"
        sentence = (
            f"The loading{of} is {loading:.3g} mg/cm² ({plain(mass)} mg on {plain(area)} cm²); "
            f"electrodes of this field have {limits} (convention)."
        )
        is_above = loading > highest
        yield Contradiction(f"loading{of}", loading, "mg/cm²", sentence, slip, is_above=is_above)


def _is_in_excess(cell: Cell, slip: str) -> bool:
    """Tell whether an anode is a foil or a wafer, of which the cell uses a part only.

    A metal is one unless a slip of its mass explains what the cell gives.
    """
    written = f"{cell.working_electrode or ''} {cell.counter_electrode or ''} {cell.silicon or ''}"
    material = cell.materials.get("working" if cell.configuration == "half" else "anode")
    is_metal = material is not None and material.family == "alloy" and not slip
    return is_metal or bool(_BULK.search(written))


def _loading_slip(facts: Facts, mass: float, area: float, theory: float | None) -> str:
    """Return whether mass or area explains a loading, by the charge; empty if neither does."""
    areal = facts.areal
    if areal is not None and (areal > LARGEST_AREAL or areal < LITTLE_CHARGE) and area != 0:
        return explain_areal_capacity(areal, area)
    if facts.charge is None or theory is None:
        return ""
    for factor, words in ((1000.0, "the mass was written in g"), (0.1, "a decimal point is off"),
                          (0.01, "a decimal point is off"), (10.0, "a decimal point is off"),
                          (0.001, "the mass was written in µg")):  # fmt: skip
        if 0.4 <= 1e3 * facts.charge / (factor * mass) / theory <= 1.1:
            return f"{words}: the mass would be {plain(factor * mass)} mg"
    return ""
