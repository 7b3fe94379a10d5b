"""Units of the schemas, with their names in QUDT and in the labels of the Battery Data Format.

QUDT (https://qudt.org, release 3) is the vocabulary that the ontology of the Battery Data Format
refers to. It has no unit for a resistance times an area, a capacity per area or per voltage, and
none with a root of time: these are given as products of powers of its units. A number without a
dimension, be it a ratio, a count or a number in a series, has the unit 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

QUDT = "http://qudt.org/vocab/unit/"


@dataclass(frozen=True)
class Unit:
    """A unit as the schemas write it.

    ``name`` is in words. ``qudt`` is its name in QUDT; None where QUDT has none: ``factors`` are
    then the QUDT units and exponents that it is the product of, none if an exponent is no constant.
    ``bdf`` is the unit in labels of the Battery Data Format; None where no label has it.
    """

    symbol: str
    name: str
    qudt: str | None = None
    bdf: str | None = None
    factors: tuple[tuple[str, float], ...] = ()

    @property
    def iri(self) -> str | None:
        """The IRI of the QUDT unit; None where QUDT has none."""
        return None if self.qudt is None else QUDT + self.qudt


UNITS: Mapping[str, Unit] = MappingProxyType({
    unit.symbol: unit
    for unit in (
        Unit("1", "one", "UNITLESS", "1"),
        Unit("%", "per cent", "PERCENT"),
        Unit("s", "second", "SEC", "s"),
        Unit("h", "hour", "HR"),
        Unit("1/h", "per hour", "PER-HR"),
        Unit("Hz", "hertz", "HZ", "Hz"),
        Unit("V", "volt", "V", "V"),
        Unit("mV", "millivolt", "MilliV"),
        Unit("A", "ampere", "A", "A"),
        Unit("mA/cm²", "milliampere per square centimetre",
             factors=(("MilliA", 1), ("CentiM2", -1))),
        Unit("Ah", "ampere hour", "A-HR", "Ah"),
        Unit("Wh", "watt hour", "W-HR", "Wh"),
        Unit("eV", "electronvolt", "EV"),
        Unit("kJ/mol", "kilojoule per mole", "KiloJ-PER-MOL"),
        Unit("mAh/g", "milliampere hour per gram", "MilliA-HR-PER-GM"),
        Unit("mAh/cm²", "milliampere hour per square centimetre",
             factors=(("MilliA-HR", 1), ("CentiM2", -1))),
        Unit("Ah/V", "ampere hour per volt", factors=(("A-HR", 1), ("V", -1))),
        Unit("V/Ah", "volt per ampere hour", factors=(("V", 1), ("A-HR", -1))),
        Unit("Ω", "ohm", "OHM", "ohm"),
        Unit("Ω cm²", "ohm square centimetre", factors=(("OHM", 1), ("CentiM2", 1))),
        Unit("Ω h^-1", "ohm per hour", factors=(("OHM", 1), ("HR", -1))),
        Unit("Ω h^-1/2", "ohm per square root of an hour", factors=(("OHM", 1), ("HR", -0.5))),
        Unit("Ω h^-m", "ohm per hour to the power m, the exponent of the row's law"),
        Unit("S cm⁻¹", "siemens per centimetre", "S-PER-CentiM"),
        Unit("F", "farad", "FARAD"),
        Unit("F cm⁻²", "farad per square centimetre", factors=(("FARAD", 1), ("CentiM2", -1))),
        Unit("°C", "degree Celsius", "DEG_C", "degC"),
        Unit("cm²", "square centimetre", "CentiM2"),
        Unit("µm", "micrometre", "MicroM"),
        Unit("mg", "milligram", "MilliGM"),
        Unit("MPa", "megapascal", "MegaPA"),
        Unit("B", "byte", "BYTE"),
    )
})  # fmt: skip
