"""Templates of the vocabulary: what they stand for, and whether a text is what they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from shown_lab import NOTHING, NUMBER, Lab, NotMapped, Row, agree
from shown_lists import LISTS
from shown_words import Meaning

from cellpipe.core.contracts import load_schema

_TEXTS = {"=basis", "=source", "=newest", "=time", "=own_measure", "=printed_unit"}


@cache
def compiled(template: str, main: str) -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
    """Return a template as an expression, and the names and units that its groups stand for."""
    names: list[tuple[str, str]] = []
    made = ""
    for part in re.split(r"(\{[^}]*\}|\[\[|\]\])", template):
        if part in {"[[", "]]"}:
            made += {"[[": "(?:", "]]": ")?"}[part]
        elif part.startswith("{"):
            name, _, unit = part[1:-1].partition(":")
            names.append((name, "" if name.startswith(("!", "#")) else unit))
            made += _group(name, main)
        else:
            made += re.escape(part)
    return re.compile(made, re.DOTALL), tuple(names)


def _group(name: str, main: str) -> str:
    if name.startswith("!"):
        return r"(\D*?)"
    number = _is_number(name, main) or (name.startswith("#") and not name.startswith("##"))
    return f"({NUMBER}|{NOTHING})" if number else "(.*?)"


def _is_number(name: str, main: str) -> bool:
    if name.startswith(("~", "!", "#", "%")):
        return False
    if name.startswith("="):
        return name.split(maxsplit=1)[0] not in _TEXTS
    table, _, column = name.partition("@")[0].rpartition(".")
    table = {"nearest": "baseline_comparison", "law": "resistance_growth"}.get(table, table)
    if (table or main) == "review_text":
        return column == "ref"
    return load_schema(table or main).columns[column].type in {"int64", "float64"}


def holds(lab: Lab, template: str, text: str, row: Row, main: str) -> str | None:
    """Return why a text is not what a template makes of a row, or None."""
    pattern, names = compiled(template, main)
    match = pattern.fullmatch(text)
    if match is None:
        return f"{text!r} is not {template!r}"
    for (name, unit), shown in zip(names, match.groups(), strict=True):
        if shown is None or name.startswith(("!", "#")):
            continue
        if name.startswith("~"):
            if not lab.holds_text(name[1:], shown, row):
                return f"{shown!r} stands nowhere in {name[1:]}"
            continue
        if name.startswith("%"):
            if not LISTS[name[1:]](lab, row, shown):
                return f"{shown!r} is not what is stored"
            continue
        stored = lab.value(name, row, main).in_unit(unit)
        if not agree(shown, stored):
            return f"{shown} is shown for {name}, stored is {stored}"
    return None


def unit_of_label(label: str) -> str:
    """Return the unit in the brackets of a label: ``charge (mAh/g, per anode active mass)``."""
    found = re.search(r"\(([^(),]+)(?:, [^()]*)?\)(?: of cycle \d+)?$", label)
    return found[1] if found and not re.search(r"UTC|inferred|nominal|1C", found[1]) else ""


def meaning_of(words: Mapping[str, Meaning], label: str, main: str) -> tuple[str, Meaning]:
    """Return the label's entry in the vocabulary."""
    if label in words:
        return label, words[label]
    for template, meaning in words.items():
        if "{" in template and compiled(template, main)[0].fullmatch(label):
            return template, meaning
    raise NotMapped(f"the label {label!r} is not in the vocabulary of {main}")
