"""Families of materials from names and formulas, and what they say of a cell."""

from __future__ import annotations

import re

from cellpipe.baselines.known_materials import known_materials
from cellpipe.core.model import Cell

_ELEMENT = re.compile(
    "Li|Al|Cl|Br|Si|Na|Mg|Zr|Ta|Ti|Ge|Sn|Sb|As|In|Ho|Lu|La|Nb|Ga|Er|Hf|Sc|Fe|[PSOIFBHNCYW]"
)
_FOIL = "lithium deposit"  # family of what lithium is plated on
_ALLOYS = ("Ag-C",)  # of that family, but lithium alloys with it before it is plated
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def electrolyte_family(name: str | None) -> str | None:
    """Return sulfide, halide, oxide, polymer, hydride or liquid for the name of an electrolyte.

    A polymer with a ceramic filler is a polymer, because the polymer contacts the electrodes; a
    polymer in a sulfide is a binder. A formula with sulfur is a sulfide; else, one with a halogen
    and no oxygen, or an oxyhalide of a metal, is a halide; else, one with oxygen and another
    element is an oxide. None if the name is not recognised.
    """
    text = (name or "").translate(_DIGITS).replace("_", " ")
    words = [text.replace(" ", ""), *re.split(r"[\s,;|@:]+", text)]
    formulas = [*map(_formula_family, [*words, *re.split(r"[\s/,;|@:-]+", text)])]
    if "sulfide" in formulas:
        return "sulfide"
    named = known_materials().family(text, ("electrolyte",))
    return named or next(filter(None, formulas), None)


def _formula_family(word: str) -> str | None:
    bare = re.sub(r"[^A-Za-wyz]", "", word)
    elements = set(_ELEMENT.findall(bare))
    if "Li" not in elements or _ELEMENT.sub("", bare):
        return None
    if "S" in elements:
        return "sulfide"
    halogens, others = elements & {"Cl", "Br", "I", "F"}, elements - {"Li", "H", "O"}
    if halogens and ("O" not in elements or (halogens - {"F"} and others - halogens)):
        return "halide"
    return "oxide" if "O" in elements and others - halogens else None


def cathode_family(name: str | None) -> str | None:
    """Return the family of a usual cathode material by its name; None if not recognised."""
    return known_materials().family(name, ("cathode",))


def plates_on_foil(cell: Cell) -> bool:
    """Tell whether a cell is a half cell whose working electrode holds no lithium of its own."""
    working = cell.materials.get("working")
    if cell.configuration != "half" or working is None:
        return False
    return working.family == _FOIL and working.name not in _ALLOYS
