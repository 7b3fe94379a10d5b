"""Slips that people make in a cell sheet, tried on a number that can't be.

A slip is named only if the number is a usual one without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_AREAL = 40.0  # mAh/cm² of an electrode, by its charge or by its loading
LARGE_AREA, LITTLE_CHARGE = 10.0, 0.1  # cm² and mAh/cm²: no cell of that area holds so little
USUAL_SHARE = (0.4, 1.1)  # of the theoretical capacity, of what a cell gives in its best cycle
USUAL_LOADING = (0.02, 150.0)  # mg/cm²
_MASS_FACTORS = (
    (10.0, "a decimal point of the mass is one place off"),
    (1000.0, "the mass was written in g, not in mg"),
    (100.0, "a decimal point of the mass is two places off"),
)
_MILLI = 1000.0
_SOUND_AREAL, _USUAL_AREAL = (0.1, 20.0), 3.0  # mAh/cm² of cells of this field
_SAME = (0.7, 1.35)  # of what is expected, that a number of the sheet is


@dataclass(frozen=True)
class Electrode:
    """An electrode's charge against its theory: mAh, mg, cm², mAh/g; None where not known.

    ``expected`` is the capacity that it usually gives: 1C of the sheet, or the theoretical one; the
    other electrode's mass and capacity are those of a full cell.
    """

    charge: float
    mass: float
    area: float | None
    expected: float
    other_mass: float | None = None
    other_expected: float | None = None

    @property
    def specific(self) -> float:
        """The specific capacity, mAh/g."""
        return 1000 * self.charge / self.mass


def explain_specific_capacity(electrode: Electrode) -> str:
    """Return the slip that explains a specific capacity above theory; empty if none does."""
    area, charge = electrode.area, electrode.charge
    is_little = area is not None and area > LARGE_AREA and charge / area < LITTLE_CHARGE
    is_much = area is not None and charge / area > LARGEST_AREAL
    causes: list[str] = []
    if not is_much:
        causes += _mass_slips(electrode, is_area_sound=area is not None and not is_little)
    if (area is None or is_much) and _is_usual(electrode.specific / _MILLI, electrode.expected):
        areal = charge / _MILLI / area if area else None
        if areal is None or areal <= LARGEST_AREAL:
            causes.append("the file's charge or current is in mAh or mA, and was taken for Ah or A")
    if electrode.other_mass:
        swapped = 1000 * charge / electrode.other_mass
        is_other_sound = electrode.specific <= USUAL_SHARE[1] * (electrode.other_expected or 0.0)
        if _is_usual(swapped, electrode.expected) and is_other_sound:
            causes.insert(0, f"the two masses are swapped: it would be {plain(swapped)} mAh/g")
    return " or ".join(causes[:2])


def _mass_slips(electrode: Electrode, *, is_area_sound: bool) -> Iterator[str]:
    """Yield the first slip of the mass that explains the number."""
    for factor, words in _MASS_FACTORS:
        mass = factor * electrode.mass
        if not _is_usual(electrode.specific / factor, electrode.expected):
            continue
        loading = mass / electrode.area if electrode.area and is_area_sound else None
        if loading is None or USUAL_LOADING[0] <= loading <= USUAL_LOADING[1]:
            given = f"with {plain(mass)} mg it would be {plain(electrode.specific / factor)} mAh/g"
            yield f"{words}: {given}"
            return


def _is_usual(specific: float, expected: float) -> bool:
    return USUAL_SHARE[0] * expected <= specific <= USUAL_SHARE[1] * expected


def plain(value: float) -> str:
    """Return a number with four digits and without an exponent, as people write it in a sheet."""
    return f"{float(f'{value:.4g}'):.12g}"


def explain_areal_capacity(areal: float, area: float) -> str:
    """Return the slip of the area that explains a capacity per area (mAh/cm²); empty if none does.

    Of several that do, the one that leads nearest to a usual capacity.
    """
    slips = {
        100.0: f"the area was written in mm²: it would be {plain(area / 100)} cm²",
        0.01: f"the area was divided by 100 once too often: it would be {plain(area * 100)} cm²",
        10.0: f"a decimal point of the area is one place off: it would be {plain(area / 10)} cm²",
        0.1: f"a decimal point of the area is one place off: it would be {plain(area * 10)} cm²",
        0.001: "the file's charge or current is in mAh or mA, and was taken for Ah or A",
    }
    low, high = _SOUND_AREAL
    sound = [factor for factor in slips if low <= factor * areal <= high]
    if not sound:
        return ""
    return slips[min(sound, key=lambda factor: abs(math.log(factor * areal / _USUAL_AREAL)))]


def explain_ratio(value: float, expected: float, thing: str) -> str:
    """Return the factor of ten that lies between a number of the sheet and what it should be."""
    low, high = _SAME
    for factor, words in (
        (1000.0, "a sign of thousands was taken for a decimal one, or Ah stand for mAh"),
        (0.001, "a decimal point is missing, or mAh stand for Ah"),
        (10.0, "a decimal point is one place off"),
        (0.1, "a decimal point is one place off"),
    ):
        if low <= factor * value / expected <= high:
            return f"{words}: {thing} would be {plain(factor * value)}"
    return ""
