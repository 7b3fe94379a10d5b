"""Molar masses and theoretical capacities from chemical formulas.

Standard atomic weights of IUPAC's Commission on Isotopic Abundances and Atomic Weights, abridged;
of lithium the conventional one, 6.94.
"""

from __future__ import annotations

import re

FARADAY = 96485.33212  # C/mol
ATOMIC_WEIGHTS = {
    "H": 1.008, "Li": 6.94, "B": 10.81, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998,
    "Na": 22.990, "Mg": 24.305, "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45,
    "K": 39.098, "Ca": 40.078, "Sc": 44.956, "Ti": 47.867, "V": 50.942, "Cr": 51.996,
    "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693, "Cu": 63.546, "Zn": 65.38,
    "Ga": 69.723, "Ge": 72.630, "As": 74.922, "Se": 78.971, "Br": 79.904, "Sr": 87.62,
    "Y": 88.906, "Zr": 91.224, "Nb": 92.906, "Mo": 95.95, "Ag": 107.87, "In": 114.82,
    "Sn": 118.71, "Sb": 121.76, "Te": 127.60, "I": 126.90, "La": 138.91, "Ho": 164.93,
    "Er": 167.26, "Yb": 173.05, "Lu": 174.97, "Hf": 178.49, "Ta": 180.95, "W": 183.84,
    "Au": 196.97, "Bi": 208.98,
}  # fmt: skip
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉·", "0123456789.")
_PART = re.compile(r"\(([^()]*)\)(\d+(?:\.\d+)?)?|([A-Z][a-z]?)(\d+(?:\.\d+)?)?")


def molar_mass(formula: str) -> float:
    """Return the molar mass of a formula such as ``Li1.3Al0.3Ti1.7(PO4)3``, g/mol.

    Raises
    ------
    ValueError
        If it is no formula, has no mass, or names an element whose weight is not known here.

    """
    total, end = 0.0, 0
    formula = formula.translate(_DIGITS)
    for part in _PART.finditer(formula):
        group, times, element, count = part.groups()
        if part.start() != end or (element and element not in ATOMIC_WEIGHTS):
            break
        weight = molar_mass(group) if element is None else ATOMIC_WEIGHTS[element]
        total += weight * float(times or count or 1)
        end = part.end()
    if not formula or end != len(formula) or total == 0:
        raise ValueError(f"{formula!r} is no formula such as LiFePO4")
    return total


def theoretical_capacity(formula: str, lithium: float) -> float:
    """Return the capacity of so many lithium per formula, mAh per g of the formula's mass."""
    return lithium * FARADAY / (3.6 * molar_mass(formula))
