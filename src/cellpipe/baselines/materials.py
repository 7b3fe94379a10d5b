"""Families of materials from names and formulas, for the similarity of cells."""

from __future__ import annotations

import re

_ELEMENT = re.compile(
    "Li|Al|Cl|Br|Si|Na|Mg|Zr|Ta|Ti|Ge|Sn|Sb|As|In|Ho|Lu|La|Nb|Ga|Er|Hf|Sc|Fe|[PSOIFBHNCYW]"
)
_POLYMERS = "PEO PPG PPO PAN PEG PCL PPC PTMC PMMA PVDF SPE CPE GPE HPE PPLLP PHP"
_SULFIDE = r"sulfide|sulphide|thiophosphate|argyrodite|\bL(G|S|Si|Sn)?PS(Cl?|Br?|I|[\d.])*\b"
_NAMED = (
    ("polymer", rf"polymer|\b({_POLYMERS.replace(' ', '|')})\b|PEO|PPLLP"),
    ("hydride", r"\bLBHI?\b|LiBH4|borohydride"),
    ("halide", r"halide|\b(LIC|LYC|LZC|LYB|LHC|LZOC|LZCO|LTOC)\b"),
    ("oxide", r"garnet|NASICON|perovskite|\b(LLZ\w?O|LATP|LAGP|LLTO|LIPON)\b"),
    ("liquid", r"LiPF6|\b(LP30|LP40|LP57|LiTFSI in|EC|DMC|EMC|DEC|FEC|DOL|DME)\b"),
)
_CATHODES = (
    ("NCA", r"\bNCA\b|LiNi[\d.]*Co[\d.]*Al"),
    ("LNMO", r"\bLNMO|LiNi0?\.5Mn1\.5"),
    ("NCM", r"N[CM][MC]A?\s*\d|N[CM][MC]A?\b|LiNi[\d.]*(?:Co|Mn)"),
    ("LCO", r"\bLCO|LiCoO2"),
    ("LFP", r"\bLFP|LiFe-?PO"),
    ("LMO", r"\bLMO|LiMn2O4"),
    ("sulfur", r"\bsulfur|\bS8\b|Li2S/C"),
)
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
    if "sulfide" in formulas or re.search(_SULFIDE, text, re.IGNORECASE):
        return "sulfide"
    named = (f for f, pattern in _NAMED if re.search(pattern, text, re.IGNORECASE))
    return next(named, None) or next(filter(None, formulas), None)


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
    text = (name or "").translate(_DIGITS)
    families = (family for family, pattern in _CATHODES if re.search(pattern, text, re.IGNORECASE))
    return next(families, None)
