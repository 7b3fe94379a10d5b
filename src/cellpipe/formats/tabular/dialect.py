"""Map vendors' headers to standard columns by tables of names, units and factors.

A header is a name with or without a unit after it: ``Current(mA)``, ``Test Time (s)``,
``Voltage / V``, ``Current``. The unit determines the factor; a header without a unit has the unit
that the vendor's documentation fixes for it (``bare``), or is refused if there is none. Nothing is
guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from cellpipe.core.errors import DamagedFileError

SECOND = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "ms": 1e-3}
CLOCK = SECOND | dict.fromkeys(  # text such as 4344:10:00.5, which needs no factor
    ("h:min:s.ms", "h:min:s", "h:m:s", "h:mm:ss", "hh:mm:ss", "h:mm:ss.ms", "hh:mm:ss.ms",
     "h:m:s.ms", "H:M:S", "HH:MM:SS"), 1.0
)  # fmt: skip
AMPERE = {"A": 1.0, "mA": 1e-3, "µA": 1e-6, "uA": 1e-6, "nA": 1e-9}
VOLT = {"V": 1.0, "mV": 1e-3, "µV": 1e-6, "uV": 1e-6}
AMPERE_HOUR = {"Ah": 1.0, "mAh": 1e-3, "µAh": 1e-6, "uAh": 1e-6, "mAs": 1 / 3.6e6, "As": 1 / 3600,
               "A.h": 1.0, "mA.h": 1e-3, "C": 1 / 3600}  # fmt: skip
WATT_HOUR = {"Wh": 1.0, "mWh": 1e-3, "µWh": 1e-6, "uWh": 1e-6, "mWs": 1 / 3.6e6, "Ws": 1 / 3600,
             "W.h": 1.0}  # fmt: skip
OHM = {"O": 1.0, "mO": 1e-3, "OHM": 1.0, "Ohms": 1.0, "ohms": 1.0} | {
    prefix + ohm: factor
    for ohm in ("Ohm", "ohm", "Ω")
    for prefix, factor in (
        ("", 1.0), ("µ", 1e-6), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("K", 1e3), ("M", 1e6),
        ("G", 1e9),
    )
}  # fmt: skip
HERTZ = {"Hz": 1.0, "hz": 1.0, "HZ": 1.0, "µHz": 1e-6, "uHz": 1e-6, "mHz": 1e-3, "kHz": 1e3,
         "KHz": 1e3, "MHz": 1e6, "rad/s": 1 / (2 * math.pi)}  # fmt: skip
CELSIUS = dict.fromkeys(  # the last ones are a degree sign damaged by an export or a codec
    ("C", "°C", "℃", "degC", "deg C", "oC", "Celsius",
     "", "?", "??", "?C", "\ufffd", "\ufffdC", "¡æ", "â„ƒ", "Â°C", "Ąć"), 1.0
)  # fmt: skip
NUMBER: dict[str, float] = {}
_TWINS = {0x3BC: "µ", 0x2126: "Ω"}  # Greek mu for the micro sign, the ohm sign for omega

_HEADER = re.compile(
    r"^(?P<name>.*?)\s*"
    r"(?:[(\[（](?P<inside>[^()\[\]（）]*)[)\]）](?P<number>[ _]\d+)?|/\s*(?P<after>\S+))?$"
)


@dataclass(frozen=True)
class Quantity:
    """A standard column and the vendor headers for it.

    ``names`` are compared without case, spaces, underscores and dots. ``units`` maps a unit to its
    factor to the standard unit; ``bare`` is the factor of a header without a unit (None: refused).
    ``numbered`` allows a number in the name, which goes into the target's ``{}``.
    """

    target: str
    names: tuple[str, ...]
    units: Mapping[str, float] = field(default_factory=lambda: NUMBER)
    bare: float | None = 1.0
    numbered: bool = False


@dataclass(frozen=True)
class Match:
    """A vendor's header, its standard column, and its factor to the standard unit."""

    header: str
    target: str
    factor: float


@dataclass(frozen=True)
class _Lookup:
    plain: Mapping[str, Quantity]
    numbered: tuple[tuple[re.Pattern[str], Quantity], ...]


@lru_cache(maxsize=4096)
def split_header(header: str) -> tuple[str, str | None]:
    """Split ``Current(mA)`` into its name and its unit (None if there is none).

    A number after the unit belongs to the name: ``Aux_Temperature(C)_1``.
    """
    match = _HEADER.match(header.strip().lstrip("\ufeff"))
    if match is None:
        return header.strip(), None
    unit = match["inside"] if match["inside"] is not None else match["after"]
    name = match["name"].strip() + (match["number"] or "")
    return name, unit.strip().translate(_TWINS) if unit is not None else None


@lru_cache(maxsize=4096)
def normalize_name(name: str) -> str:
    """Return a name for comparison: lower case, without spaces, underscores, dots and dashes."""
    return re.sub(r"[\s_.\-]+", "", name).lower()


def match_headers(headers: Iterable[str], quantities: tuple[Quantity, ...]) -> list[Match]:
    """Match headers with quantities; of several headers for a target the first is used.

    Raises
    ------
    DamagedFileError
        If a known name has an unknown unit.

    """
    matches: list[Match] = []
    matched_targets: set[str] = set()
    lookup = _cached_lookup(quantities)
    for header in headers:
        name, unit = split_header(header)
        quantity, target = _find_quantity(normalize_name(name), lookup)
        if quantity is None or target in matched_targets:
            continue
        matched_targets.add(target)
        matches.append(Match(header, target, _factor(header, unit, quantity)))
    return matches


def find_targets(headers: Iterable[str], quantities: tuple[Quantity, ...]) -> dict[str, bool]:
    """Return the targets of headers, and whether the unit of each is known; raise nothing."""
    targets: dict[str, bool] = {}
    lookup = _cached_lookup(quantities)
    for header in headers:
        name, unit = split_header(header)
        quantity, target = _find_quantity(normalize_name(name), lookup)
        if quantity is not None:
            targets.setdefault(target, _find_factor(unit, quantity) is not None)
    return targets


_LOOKUPS: dict[int, tuple[tuple[Quantity, ...], _Lookup]] = {}


def _cached_lookup(quantities: tuple[Quantity, ...]) -> _Lookup:
    """Return a maker's lookup, built once; the tuple is kept, so that no other gets its id."""
    known = _LOOKUPS.get(id(quantities))
    if known is None:
        known = _LOOKUPS[id(quantities)] = (quantities, _build_lookup(quantities))
    return known[1]


def _build_lookup(quantities: tuple[Quantity, ...]) -> _Lookup:
    plain = [(normalize_name(n), q) for q in quantities if not q.numbered for n in q.names]
    numbered = [(normalize_name(n), q) for q in quantities if q.numbered for n in q.names]
    patterns = [(re.compile(re.escape(name).replace("\\#", r"(\d+)")), q) for name, q in numbered]
    return _Lookup(dict(reversed(plain)), tuple(patterns))


def _find_quantity(name: str, lookup: _Lookup) -> tuple[Quantity | None, str]:
    plain = lookup.plain.get(name)
    if plain is not None:
        return plain, plain.target
    for pattern, quantity in lookup.numbered:
        number = pattern.fullmatch(name)
        if number:
            return quantity, quantity.target.format(int(number[1]))
    return None, ""


def _factor(header: str, unit: str | None, quantity: Quantity) -> float:
    factor = _find_factor(unit, quantity)
    if factor is not None:
        return factor
    expected = ", ".join(quantity.units) or "no unit"
    raise DamagedFileError(
        f"column {header!r} in unit {unit or 'none'!r}",
        expected=f"one of {expected}",
        remedy="export the file again with one of these units",
    )


def _find_factor(unit: str | None, quantity: Quantity) -> float | None:
    if unit is not None and unit in quantity.units:
        return quantity.units[unit]
    return quantity.bare if unit is None or not quantity.units else None


def standard_expressions(frame: pl.DataFrame, matches: list[Match]) -> list[pl.Expr]:
    """Return the expressions that rename and rescale a vendor's numeric columns."""
    return [
        _number(frame, match).alias(match.target)
        for match in matches
        if match.header in frame.columns
    ]


def _number(frame: pl.DataFrame, match: Match) -> pl.Expr:
    column = pl.col(match.header)
    if frame.schema[match.header] == pl.String:
        column = column.str.strip_chars()
    number = column.cast(pl.Float64, strict=False)
    return number if match.factor == 1 else number * match.factor
