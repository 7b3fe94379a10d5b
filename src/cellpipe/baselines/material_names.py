"""Names of materials as people write them: one form of each, their words, and their formulas."""

from __future__ import annotations

import re

_SIGNS = str.maketrans("₀₁₂₃₄₅₆₇₈₉µμₓ–—", "0123456789uux--")
_THIRDS = {"⅓": "1/3", "⅔": "2/3", "½": "1/2", "¼": "1/4", "⅕": "1/5", "⅛": "1/8"}
_WORDS = re.compile(r"(?:[\s/|@,;:()\[\]‖_-]|\+(?![δxy]))+")
_ELEMENT = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
_METALS = (
    "lithium|nickel|cobalt|manganese|copper|tin|silicon|germanium|alumini?um|iron|antimony|indium"
    "|silver|zinc|titanium|vanadium|sodium"
)
COMPOUND = re.compile(  # spelt out, such as nickel manganese cobalt oxide
    rf"\b(?:(?:{_METALS})[\s-]+)+(?:oxide|sul[fp]h?ide|nitride|fluoride|phosph[ai][td]e|selenide"
    r"|titanate|vanadate|niobate|silicide|chloride|carbide)s?\b",
    re.IGNORECASE,
)
_SUPPORT = re.compile(r"\s(?:on|auf|sur)\s.*", re.IGNORECASE)  # what an electrode lies on
_DOPED = re.compile(r"\S+[\s-]+(?:doped|dotiert\w*|substituted|dopé\w*)\b[\s-]*", re.IGNORECASE)
_SHARE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s?(?:%|wt%?|at%?)?(?=[A-Z])")  # of a composite: 60Si


def unify_signs(text: str) -> str:
    """Return a text with ordinary digits, decimal points, fractions and dashes; µ is u."""
    for sign, fraction in _THIRDS.items():
        text = text.replace(sign, fraction)
    text = re.sub(r"[正負负][極极]", " ", text.translate(_SIGNS))  # cathode, anode
    text = re.sub(r"(?<=[A-Za-z]\d)[,·](?=\d)", ".", text)
    text = re.sub(r"(?<=\d)[+±-][xyδ](?=[A-Z]|$)", "", text)  # Li4+xTi5O12
    text = re.sub(r"(?<=[A-Za-z])(\d)/(\d)(?!\d)", _to_decimal, text)
    return re.sub(r"(Li[\d.]*)[\[(]((?:[A-Z][a-z]?[\d.]*)+)[\])](?=O)", r"\1\2", text)


def _to_decimal(match: re.Match[str]) -> str:
    part, whole = int(match[1]), int(match[2])
    return f"{part / whole:.4g}" if 0 < part < whole else match[0]


def plain_name(text: str) -> str:
    """Return a name without case, spaces, punctuation and small digits; µ is u."""
    return re.sub(r"[\W_]+", "", text.translate(_SIGNS)).lower()


def split_words(text: str) -> list[str]:
    """Return the words of a text."""
    return [word for word in _WORDS.split(text) if word]


def composition(word: str) -> str | None:
    """Return a formula of three and more elements with the elements in one order; else None."""
    found = _ELEMENT.findall(word)
    if len(found) < 3 or "".join(element + count for element, count in found) != word:
        return None
    return " ".join(sorted(f"{element}{float(count or 1):.2f}" for element, count in found))


def electrode_text(text: str) -> str:
    """Return a text without what dopes an electrode, what it lies on, and shares (``60Si``)."""
    return _SHARE.sub("", _DOPED.sub(" ", _SUPPORT.sub("", text))).strip() or text


def is_written_as_word(written: str, name: str) -> bool:
    """Tell whether what is written is a name and no formula that is spelt alike (TiN, tin)."""
    if not name.isascii() or not name.islower():
        return True
    return all(part.islower() or part.isupper() or part.istitle() for part in written.split())
