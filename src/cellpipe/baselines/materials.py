"""Families of materials, read off their names and formulas: what makes two cells alike."""

from __future__ import annotations

import re

_ELEMENT = re.compile(
    "Li|Al|Cl|Br|Si|Na|Mg|Zr|Ta|Ti|Ge|Sn|Sb|As|In|Ho|Lu|La|Nb|Ga|Er|Hf|Sc|Fe|[PSOIFBHNCYW]"
)
_POLYMERS = "PEO PPG PPO PAN PEG PCL PPC PTMC PMMA PVDF SPE CPE GPE HPE PPLLP PHP"
_NAMED = (
    ("polymer", rf"polymer|\b({_POLYMERS.replace(' ', '|')})\b|PEO|PPLLP"),
    ("hydride", r"\bLBHI?\b|LiBH4|borohydride"),
    ("sulfide", r"sulfide|sulphide|thiophosphate|argyrodite|\bL(G|S|Si|Sn)?PS(Cl?|Br?|I)*\b"),
    ("halide", r"halide|\b(LIC|LYC|LZC|LYB|LHC|LZOC|LZCO|LTOC)\b"),
    ("oxide", r"garnet|NASICON|perovskite|\b(LLZT?O|LATP|LAGP|LLTO|LIPON)\b"),
    ("liquid", r"LiPF6|\b(LP30|LP40|LP57|LiTFSI in|EC|DMC|EMC|DEC|FEC|DOL|DME)\b"),
)
_CATHODES = (
    ("LNMO", r"\bLNMO|LiNi0?\.5Mn1\.5"),
    ("NCM", r"N[CM][MC]A?\s*\d|N[CM][MC]A?\b|LiNi[\d.]*(?:Co|Mn)"),
    ("NCA", r"\bNCA"),
    ("LCO", r"\bLCO|LiCoO2"),
    ("LFP", r"\bLFP|LiFe-?PO"),
    ("LMO", r"\bLMO|LiMn2O4"),
    ("sulfur", r"\bsulfur|\bS8\b|Li2S/C"),
)
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def electrolyte_family(name: str | None) -> str | None:
    """Tell sulfide, halide, oxide, polymer, hydride and liquid electrolytes apart by their name.

    A polymer with a ceramic filler is a polymer, for the polymer is what is in touch with the
    electrodes. A formula is of the sulfides if it has sulfur, else of the halides if it has a
    halogen and no oxygen, or is an oxychloride of a metal, else of the oxides if it has oxygen and
    another element. None where the name tells nothing.
    """
    text = (name or "").translate(_DIGITS)
    for family, pattern in _NAMED:
        if re.search(pattern, text, re.IGNORECASE):
            return family
    words = [*re.split(r"[\s,;|@:]+", text), *re.split(r"[\s/,;|@:]+", text)]
    return next(filter(None, map(_formula_family, words)), None)


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
    """Tell the usual cathode materials apart by their name; None where it tells nothing."""
    text = (name or "").translate(_DIGITS)
    found = (family for family, pattern in _CATHODES if re.search(pattern, text, re.IGNORECASE))
    return next(found, None)
