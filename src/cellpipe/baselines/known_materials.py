"""The list of materials, schemas/materials.yaml: its contract, and materials by their names.

A lab's own entries go before those of the list; one that is called like one of the list replaces
what it says anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from cellpipe.baselines.formulas import molar_mass, theoretical_capacity
from cellpipe.core.contracts.columns import MATERIALS, Strict, load_yaml, schema_folder
from cellpipe.core.errors import SchemaError
from cellpipe.core.model import Material

ELECTRODES = ("cathode", "anode", "reference")
_AGREES = 0.01  # of a figure with the one that its formula gives
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉µμ", "0123456789uu")
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
        self._by_name: dict[str, list[Material]] = {}
        self._found: dict[tuple[str, frozenset[str]], Material | None] = {}
        for name, entry in entries.items():
            for each in (name, *entry.names):
                self._by_name.setdefault(plain_name(each), []).append(self._materials[name])

    def __iter__(self) -> Iterator[Material]:
        """Return the materials in the list's order."""
        return iter(self._materials.values())

    def find(self, text: str | None, roles: Iterable[str]) -> Material | None:
        """Return the material that a text names in one of these roles; None if none is known.

        The whole text is looked up first, then its parts (``Si/LPSCl/C``, ``Li-In foil``), then
        names of kinds whose composition is open (``NCM85``).
        """
        key = (text or "", frozenset(roles))
        if key not in self._found:  # a sheet of thousands of rows has few names
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, text: str, wanted: frozenset[str]) -> Material | None:
        if not text:
            return None
        for part in name_parts(text):
            found = self._of_role(self._by_name.get(plain_name(part), ()), wanted)
            if found is not None:
                return found
        return self._by_pattern(text, wanted)

    def family(self, text: str | None, roles: Iterable[str]) -> str | None:
        """Return the family of the kind whose pattern a text holds; None if none does."""
        found = self._by_pattern(text or "", frozenset(roles))
        return found.family if found else None

    @staticmethod
    def _of_role(found: Iterable[Material], roles: frozenset[str]) -> Material | None:
        return next((each for each in found if roles & set(each.roles)), None)

    def _by_pattern(self, text: str, roles: frozenset[str]) -> Material | None:
        text = text.translate(_DIGITS)
        for name, entry in self.entries.items():
            is_wanted = bool(entry.pattern and roles & set(entry.role))
            if is_wanted and re.search(entry.pattern or "", text, re.IGNORECASE):
                return self._materials[name]
        return None


def plain_name(text: str) -> str:
    """Return a name without case, spaces, punctuation and small digits; µ is u."""
    return re.sub(r"[\W_]+", "", text.translate(_DIGITS)).lower()


def name_parts(text: str) -> list[str]:
    """Return a text and its parts, which may each be a name, the longest first.

    A part without its digits at the end (``Si100``) comes last.
    """
    parts = [each for each in re.split(r"[\s/|@,;:+()‖]+", text) if each]
    shorter = [each for part in parts for each in part.split("-") if each]
    stems = [re.sub(r"\d+$", "", each.translate(_DIGITS)) for each in (*parts, *shorter)]
    return [text, *parts, *shorter, *filter(None, stems)]


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
        except ValueError as error:
            faults[name] = str(error)
    rest = {name: entry for name, entry in listed.items() if name not in merged}
    return Materials(merged | rest), faults


def _update(known: dict[str, Any], given: object) -> object:
    """Return an entry of the list with what a lab says anew; names are added."""
    if not isinstance(given, Mapping) or not known:
        return given
    names = given.get("names", ())
    added = {"names": (*known.get("names", ()), *names)} if isinstance(names, list) else {}
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
