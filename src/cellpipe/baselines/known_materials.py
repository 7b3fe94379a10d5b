"""The list of materials, schemas/materials.yaml: its contract, and materials by their names.

A lab's own entries go before those of the list; one that is called like one of the list replaces
what it says anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from cellpipe.baselines.formulas import molar_mass, theoretical_capacity
from cellpipe.baselines.material_names import (
    COMPOUND,
    composition,
    electrode_text,
    is_written_as_word,
    plain_name,
    split_words,
    unify_signs,
)
from cellpipe.core.contracts.columns import MATERIALS, Strict, load_yaml, schema_folder
from cellpipe.core.errors import SchemaError
from cellpipe.core.model import Material

ELECTRODES = ("cathode", "anode", "reference")
_AGREES = 0.01  # of a figure with the one that its formula gives
_ROLES = {"cathode": "cathode", "kathode": "cathode", "anode": "anode"}
_NO_NAMES = frozenset({"SE", "SN"})  # solid electrolyte and succinonitrile
_MOST_WORDS = 6  # of a name
_FOIL = "lithium deposit"  # family of what lithium is plated on
_ALLOYS = ("Ag-C",)  # of that family, but no foil
_BODIES = frozenset({"silicon", "carbon"})  # families of anodes in which S is no sulfur
_Positive = Annotated[float, Field(gt=0, le=1e4)]


class Entry(Strict):
    """One material of the list, as its file describes it."""

    role: Annotated[
        tuple[Literal["anode", "cathode", "electrolyte", "reference"], ...], Field(min_length=1)
    ]
    family: Annotated[str, Field(min_length=1, max_length=40)]
    names: tuple[Annotated[str, Field(min_length=1, max_length=80)], ...] = ()
    pattern: str | None = None
    formula: str = ""
    lithium: _Positive | None = None
    capacity: _Positive | None = None
    phase: str = ""
    most_lithium: _Positive | None = None
    most_phase: str = ""
    is_upper: bool = False
    window: tuple[float, float] | None = None
    potential: Annotated[float, Field(ge=-1, le=5)] | None = None
    density: Annotated[float, Field(gt=0, le=30)] | None = None
    molar_mass: _Positive | None = None
    sources: Annotated[dict[str, str], Field(default_factory=dict)]

    @field_validator("role", "names", mode="before")
    @classmethod
    def _accept_one(cls, given: object) -> object:
        """Take a single word for a list of it, and a number (811) for a word."""
        listed = given if isinstance(given, (list, tuple)) else (given,)
        return [f"{each}" if type(each) in (int, float) else each for each in listed]

    @model_validator(mode="after")
    def _check_figures(self) -> Self:
        if self.window is not None and not -1 <= self.window[0] < self.window[1] <= 6:
            raise ValueError("window: [lowest, highest] in V against Li+/Li, between -1 and 6")
        if self.pattern is not None:
            re.compile(self.pattern)
        if self.formula:
            _check_agreement("molar_mass", self.molar_mass, molar_mass(self.formula), "g/mol")
        if self.lithium and self.formula:
            own = theoretical_capacity(self.formula, self.lithium)
            _check_agreement("capacity", self.capacity, own, "mAh/g")
        elif self.lithium or self.most_lithium:
            raise ValueError("lithium: needs the formula that it is counted per")
        return self

    def material(self, name: str) -> Material:
        """Return the material that the entry describes."""
        capacity, most = self.capacity, None
        if self.lithium:
            capacity = theoretical_capacity(self.formula, self.lithium)
        if self.most_lithium:
            most = theoretical_capacity(self.formula, self.most_lithium)
        return Material(
            name, self.role, self.family, capacity, self.phase, most, self.most_phase,
            self.is_upper, self.window, self.potential, self.density,
            molar_mass(self.formula) if self.formula else self.molar_mass,
            self.sources.get("capacity", ""),
        )  # fmt: skip


def _check_agreement(name: str, given: float | None, computed: float, unit: str) -> None:
    if given is not None and abs(given / computed - 1) > _AGREES:
        raise ValueError(f"{name}: the formula gives {computed:.4g} {unit}, not {given:g}")


class Materials:
    """Materials by the names that people write."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = dict(entries)
        self._materials = {name: entry.material(name) for name, entry in entries.items()}
        self._by_name: dict[str, list[tuple[str, Material]]] = {}
        self._found: dict[tuple[str, frozenset[str]], Material | None] = {}
        for name, entry in entries.items():
            for each in (name, *entry.names):
                for key in _keys_of(each):
                    self._by_name.setdefault(key, []).append((each, self._materials[name]))

    def __iter__(self) -> Iterator[Material]:
        """Return the materials in the list's order."""
        return iter(self._materials.values())

    def find(self, text: str | None, roles: Iterable[str]) -> Material | None:
        """Return the material that a text names in one of these roles; None if none is known.

        The whole text is looked up first, then its words, the longest names first, and the kinds
        whose composition is open (``NCM85``). Of several electrodes ``choose_electrode`` tells
        which it is; of several electrolytes, it is the first.
        """
        key = (text or "", frozenset(roles))
        if key not in self._found:  # a sheet of thousands of rows has few names
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, text: str, wanted: frozenset[str]) -> Material | None:
        text = unify_signs(text)
        words = split_words(text)
        whole = self._named(words, wanted, text)
        if whole is not None:
            return whole
        if wanted <= {"electrolyte"}:
            found = [material for _, material in self._all_named(words, wanted)]
            return found[0] if found else self._by_pattern(text, wanted)
        said = {_ROLES[word.lower()] for word in words if word.lower() in _ROLES} & wanted
        if len(said) == 1:
            alone = self._named([word for word in words if word.lower() not in _ROLES], wanted)
            if alone is not None:
                return alone
            wanted = frozenset(said)
        return choose_electrode(self._electrodes(electrode_text(text), wanted))

    def _electrodes(self, text: str, wanted: frozenset[str]) -> list[tuple[str, Material]]:
        """Return all electrode materials that a text names, each as written."""
        found = []
        for match in list(COMPOUND.finditer(text)):  # its metals are no electrodes
            known = self._named(split_words(match[0]), wanted) or self._by_pattern(match[0], wanted)
            found += [] if known is None else [(match[0], known)]
            text = text.replace(match[0], " ")
        found += self._all_named(split_words(text), wanted)
        if not any("cathode" in material.roles for _, material in found):
            kind = self._by_pattern(text, wanted)
            if kind is not None and ("cathode" in kind.roles or not found):
                found.append((text, kind))
        return found

    def _all_named(self, words: list[str], wanted: frozenset[str]) -> list[tuple[str, Material]]:
        """Return what the words name, the longest names first; each word counts once."""
        found, place = [], 0
        while place < len(words):
            for end in range(min(len(words), place + _MOST_WORDS), place, -1):
                some = words[place:end]
                material = self._named(some, wanted)
                if material is None and len(some) == 1:
                    material = self._of_one_word(some[0], wanted)
                if material is not None:
                    found.append(("".join(some), material))
                    place = end - 1
                    break
            place += 1
        return found

    def _of_one_word(self, word: str, wanted: frozenset[str]) -> Material | None:
        """Return the kind of a word, or what it names without the digits at its end (Si100)."""
        kind, stem = self._by_pattern(word, wanted), re.sub(r"[\d.]+(?:nm|um)?$", "", word)
        return kind or (self._named([stem], wanted) if stem not in {"", word, "Li"} else None)

    def _named(
        self, words: list[str], wanted: frozenset[str], text: str | None = None
    ) -> Material | None:
        """Return the material whose name these words are."""
        if (words == ["in"] and text is None) or (len(words) == 1 and words[0] in _NO_NAMES):
            return None
        written = " ".join(words)
        plain = plain_name(text or written)
        known = list(self._by_name.get("/".join(words).lower() if len(plain) < 3 else plain, ()))
        known += self._by_name.get((composition(written) if len(words) == 1 else None) or "", ())
        for name, material in known:
            if wanted & set(material.roles) and is_written_as_word(written, name):
                return material
        return None

    def family(self, text: str | None, roles: Iterable[str]) -> str | None:
        """Return the family of the kind whose pattern a text holds; None if none does."""
        found = self._by_pattern(text or "", frozenset(roles))
        return found.family if found else None

    def _by_pattern(self, text: str, roles: frozenset[str]) -> Material | None:
        text = unify_signs(text)
        for name, entry in self.entries.items():
            is_wanted = bool(entry.pattern and roles & set(entry.role))
            if is_wanted and re.search(entry.pattern or "", text, re.IGNORECASE):
                return self._materials[name]
        return None


def _keys_of(name: str) -> list[str]:
    """Return what a name is looked up by: short ones keep the signs between their words (S/C)."""
    unified, plain = unify_signs(name), plain_name(name)
    if len(plain) < 3:
        return ["/".join(split_words(unified)).lower()] if plain else []
    formula = composition(unified)
    return list(dict.fromkeys([plain, plain_name(unified), *([formula] if formula else [])]))


def choose_electrode(found: Iterable[tuple[str, Material]]) -> Material | None:
    """Return which of the materials that a text names, each as written, is the electrode.

    A cathode is never named in an anode, while coatings, dopants and foils are named in both; S and
    Se stand in abbreviations, too. A foil is what something lies on. A mixture is limited by what
    holds most, and may hold less; what lithium is plated on has no limit.
    """
    known = {material.name: (written, material) for written, material in found}
    cathodes = {n: each for n, each in known.items() if "cathode" in each[1].roles}
    long = {n: each for n, each in cathodes.items() if len(plain_name(each[0])) > 1}
    if any(each.family in _BODIES for _, each in known.values()):
        cathodes = long
    known = long or cathodes or known
    listed = [material for _, material in known.values()]
    bodies = [m for m in listed if m.family != _FOIL or m.name in _ALLOYS]
    if all(each.family == "lithium" for each in bodies):  # Li on Cu, Cu against Li
        return listed[0] if listed else None
    listed = bodies
    if any(material.family == "silicon" for material in listed):  # lithium that it takes up
        listed = [material for material in listed if material.family != "lithium"]
    if len(listed) == 1:
        return listed[0]
    richest = max(listed, key=lambda each: each.most_capacity or each.capacity or math.inf)
    windows = [each.window for each in listed if each.window is not None]
    if not windows:
        return replace(richest, is_upper=True)
    widest = (min(low for low, _ in windows), max(high for _, high in windows))
    return replace(richest, is_upper=True, window=widest)


def parse_entry(given: object) -> Entry:
    """Return an entry of the list.

    Raises
    ------
    ValueError
        If it is none; the text says which field, what was found and what is expected.

    """
    if not isinstance(given, Mapping):
        raise ValueError(f"found {given!r:.60}, expected its fields, such as role and family")
    try:
        return Entry.model_validate(dict(given))
    except ValidationError as error:
        raise ValueError(_describe_fault(error)) from error
    except re.error as error:
        raise ValueError(f"field pattern: found no regular expression ({error})") from error


_LISTS = {
    "window": "[lowest, highest] in V against Li+/Li, such as [2.5, 4.3]",
    "role": "one or several of [anode, cathode, electrolyte, reference]",
    "names": "names such as [Si-7, our silicon]; quote one that is yes, no, on or off",
}


def _describe_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    where = first["loc"]
    said = str(first["msg"]).removeprefix("Value error, ")
    if not where:
        name, _, rest = said.partition(": ")
        return f"field {name}: {rest}" if rest else said
    if first["type"] == "extra_forbidden":
        return f"field {where[0]}: is not known; known are {', '.join(Entry.model_fields)}"
    if first["type"] == "missing":
        return f"field {where[0]}: found nothing, expected a value"
    expected = re.sub(r"^Input should be ", "", said)
    if first["type"] in {"tuple_type", "too_short", "too_long", "string_type"}:
        expected = _LISTS.get(str(where[0]), expected)
    expected = expected.replace(", unable to parse string as a number", " with a decimal point")
    return f"field {where[0]}: found {first['input']!r:.60}, expected {expected}"


def merge_entries(own: Mapping[str, Mapping[str, Any]]) -> tuple[Materials, dict[str, str]]:
    """Return the materials with a lab's own before them, and why some of these are left out."""
    listed = known_materials().entries
    by_name = {plain_name(name): name for name in listed}
    merged: dict[str, Entry] = {}
    faults: dict[str, str] = {}
    for name, given in own.items():
        base = by_name.get(plain_name(name))
        known = {} if base is None else listed[base].model_dump(exclude_unset=True)
        try:
            merged[base or name] = parse_entry(_update(known, given))
        except (ValueError, ArithmeticError) as error:
            faults[name] = str(error)
    rest = {name: entry for name, entry in listed.items() if name not in merged}
    return Materials(merged | rest), faults


def _update(known: dict[str, Any], given: object) -> object:
    """Return an entry of the list with what a lab says anew; names are added."""
    if not isinstance(given, Mapping) or not known:
        return given
    names = given.get("names", [])
    names = names if isinstance(names, list) else [names] if names else []
    added = {"names": (*known.get("names", ()), *names)}
    if {"formula", "lithium"} & set(given):  # other figures, of another formula
        known = {k: v for k, v in known.items() if k not in {"capacity", "molar_mass"}}
    elif "capacity" in given:
        known = {k: v for k, v in known.items() if k not in {"lithium", "most_lithium"}}
    return {**known, **given, **added}


@cache
def known_materials() -> Materials:
    """Return the materials of schemas/materials.yaml.

    Raises
    ------
    SchemaError
        If an entry is not what the contract asks for.

    """
    file = f"{MATERIALS}.yaml"
    text = schema_folder().joinpath(file).read_text(encoding="utf-8")
    entries = {}
    for name, given in load_yaml(text).items():
        try:
            entries[str(name)] = parse_entry(given)
        except ValueError as error:
            raise SchemaError(
                f"entry {name}, {error}", expected="the fields that its head explains",
                remedy="correct it", file=f"schemas/{file}",
            ) from error  # fmt: skip
    return Materials(entries)
