"""Tell what a column of an impedance spectrum holds by its header: quantity, sign and unit.

``-Im(Z)/Ohm``, ``Z'' (kΩ)``, ``Zimag_ohm``, ``-Phase (°)``: the name says the quantity, a minus
before it that the values have the other sign, and the unit, if there is one, the factor. A known
name with an unknown unit is refused; a header without a unit is one in Hz or Ω, which the caller
has to say. A phase without a unit may be in degrees or in radians.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cellpipe.core.errors import DamagedFileError
from cellpipe.formats.tabular.dialect import CELSIUS, HERTZ, OHM, SECOND, VOLT

Role = Literal[
    "frequency", "real", "imaginary", "modulus", "phase", "time", "voltage", "temperature",
    "spectrum",
]  # fmt: skip
DEGREE = dict.fromkeys(("deg", "°", "degree", "degrees", "Deg", "DEG", "º"), 1.0)
RADIAN = dict.fromkeys(("rad", "Rad", "radian", "radians"), 180 / math.pi)
_ANGULAR = ("ω", "omega", "angularfrequency")  # never without its unit
_NAMES: dict[Role, tuple[str, ...]] = {
    "frequency": (
        "f", "freq", "frequency", "frequenz", "fréquence", "frequencia", "频率",
        *_ANGULAR,
    ),
    "real": (
        "z'", "zre", "zr", "zreal", "rez", "realz", "re", "real", "realpart", "realimpedance",
        "impedancereal", "impedancerealpart", "realpartofimpedance", "zprime", "z're", "zrealpart",
        "realteil", "partieréelle", "实部", "阻抗实部",
    ),
    "imaginary": (
        "z''", "zim", "zi", "zimag", "zimg", "imz", "imagz", "im", "imag", "imaginary",
        "imaginarypart", "imaginaryimpedance", "imagimpedance", "impedanceimag",
        "impedanceimaginary", "imaginarypartofimpedance", "imaginaryz", "zimaginary",
        "zdoubleprime", "z''im", "zimagpart", "imagpart",
        "imaginärteil", "imaginaerteil", "partieimaginaire", "虚部", "阻抗虚部",
    ),
    "modulus": (
        "|z|", "z", "zmod", "zabs", "absz", "modz", "modulus", "modulusz", "magnitude", "magz",
        "zmag", "zmodulus", "zmagnitude", "impedance", "impedancemodulus", "impedanz",
        "betrag", "阻抗模值",
    ),
    "phase": (
        "phase", "phasez", "zphase", "phi", "φ", "ϕ", "theta", "θ", "phaseangle", "zphz", "argz",
        "phaseofz", "zphaseangle", "phasenwinkel",
    ),
    "time": ("time", "elapsedtime", "testtime", "t"),
    "voltage": ("potential", "voltage", "ewe", "<ewe>", "ecell", "vdc", "edc", "cellvoltage"),
    "temperature": ("temperature", "temp", "ambienttemperature"),
    "spectrum": ("spectrum", "spectrumnumber", "sweep", "spectrumno", "scan"),
}  # fmt: skip
_ROLES = {name: role for role, names in _NAMES.items() for name in names}
_UNITS: Mapping[Role, Mapping[str, float]] = {
    "frequency": HERTZ, "real": OHM, "imaginary": OHM, "modulus": OHM, "phase": DEGREE | RADIAN,
    "time": SECOND, "voltage": VOLT, "spectrum": {},
    "temperature": {unit: 1.0 for unit in CELSIUS if unit} | dict.fromkeys(("K", "kelvin"), 1.0)
    | dict.fromkeys(("F", "°F", "degF"), 1 / 1.8),
}  # fmt: skip
_OFFSETS = dict.fromkeys(("K", "kelvin"), -273.15) | dict.fromkeys(("F", "°F", "degF"), -32 / 1.8)
IMPEDANCES: tuple[Role, ...] = ("real", "imaginary", "modulus")
_SIGNED: tuple[Role, ...] = ("imaginary", "phase")
_NEEDED: tuple[Role, ...] = ("frequency", *IMPEDANCES, "phase")  # their units must be known
_LIKE_ASCII = str.maketrans({
    "′": "'", "’": "'", "‘": "'", "`": "'", "´": "'", "ʹ": "'", "″": "''", "”": "''", "“": "''",
    '"': "''", "ʺ": "''", "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-",
    "\u03bc": "µ", "\u2126": "Ω", "∣": "|", "│": "|", "［": "[", "］": "]", "（": "(", "）": ")",
})  # fmt: skip
_MINUS = re.compile(r"^(?:-(?:1\s*[*·x]\s*)?|neg(?:ative|\.)?\s+|minus\s+)", re.IGNORECASE)
_WITH_UNIT = (
    re.compile(r"^(?P<name>.+?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*$"),
    re.compile(r"^(?P<name>[^/]+?)\s*/\s*(?P<unit>[^/].*)$"),
    re.compile(r"^(?P<name>.+?)(?:[\s_,;]+in[\s_]+|[\s_,;]+)(?P<unit>[^\s_,;]+)$"),
)
_AREA = re.compile(r"^(?P<ohm>\S+?)\s*[·.*⋅x×\s]?\s*cm\s*(?:²|\^?2)$")


@dataclass(frozen=True)
class ImpedanceHeader:
    """What a header says: the quantity, its sign (−1: turned round), its unit and its factor.

    ``unit`` is None where the header has none. ``is_areal``: the values are in Ω cm². ``offset`` is
    added to a value times its factor, as for a temperature in K.
    """

    header: str
    role: Role
    sign: int
    unit: str | None
    factor: float
    is_areal: bool = False
    offset: float = 0.0


@lru_cache(maxsize=4096)
def name_role(header: str) -> Role | None:
    """Return which quantity a header names, whatever its unit; None if it is none of a spectrum."""
    split = _split(header)
    return split[0] if split else None


@lru_cache(maxsize=4096)
def parse_impedance_header(header: str) -> ImpedanceHeader | None:
    """Return what a header says, None if it names nothing that a spectrum may have.

    Raises
    ------
    DamagedFileError
        If the quantity is one of the impedance or its frequency, and the unit is not known.

    """
    split = _split(header)
    if split is None:
        return None
    role, sign, unit = split
    found = with_unit(header, role, sign, unit)
    if found is None and role in _NEEDED:
        raise _unknown_unit_error(header, role, unit or "")
    return found


def _split(header: str) -> tuple[Role, int, str | None] | None:
    """Return quantity, sign and unit of a header.

    A last word that no sign sets apart is a unit only if it is a known one.
    """
    text = " ".join(header.translate(_LIKE_ASCII).strip("\ufeff ").split())
    role, sign = _find_role(text)
    if role is not None:
        return role, sign, "none" if _plain(text) in _ANGULAR else None
    for pattern in _WITH_UNIT:
        match = pattern.match(text)
        role, sign = _find_role(match["name"]) if match else (None, 1)
        if match is None or role is None:
            continue
        unit = match["unit"].strip()
        if role == "time" and unit in _UNITS["temperature"]:  # T (K) beside t (s)
            role = "temperature"
        if pattern is not _WITH_UNIT[-1] or with_unit(header, role, sign, unit):
            return role, sign, unit
    return None


def _find_role(name: str) -> tuple[Role | None, int]:
    """Return the quantity that a name without a unit stands for, and its sign."""
    bare = _MINUS.sub("", name.strip(), count=1)
    sign = 1 if bare == name.strip() else -1
    plain = _plain(bare)
    role = _ROLES.get(plain) or _ROLES.get(re.sub(r"[()\[\]]", "", plain))
    if sign < 0 and role not in _SIGNED:
        return None, 1
    return role, sign


def _plain(name: str) -> str:
    return re.sub(r"[\s_.:*]+|^[([]+", "", name.lower())


def with_unit(header: str, role: Role, sign: int, unit: str | None) -> ImpedanceHeader | None:
    """Return what a column holds by its quantity, sign and unit; None if the unit is not known."""
    if unit is None:
        is_optional = role in {"time", "voltage", "temperature"}
        return None if is_optional else ImpedanceHeader(header, role, sign, None, 1.0)
    unit = unit.translate(_LIKE_ASCII).strip(" ()[]")
    if role in {"real", "imaginary"} and unit in {"a", "b"}:  # ZView's Z'(a) and Z''(b)
        return ImpedanceHeader(header, role, sign, "Ω", 1.0)
    factor = _UNITS[role].get(unit)
    if factor is not None:
        offset = _OFFSETS.get(unit, 0.0) if role == "temperature" else 0.0
        return ImpedanceHeader(header, role, sign, unit, factor, offset=offset)
    area = _AREA.match(unit) if role in IMPEDANCES else None
    ohm = area["ohm"].rstrip(".·*⋅x×") if area else ""
    if ohm not in OHM:
        return None
    return ImpedanceHeader(header, role, sign, unit, OHM[ohm], is_areal=True)


def _unknown_unit_error(header: str, role: Role, unit: str) -> DamagedFileError:
    shown = {
        "frequency": "Hz, mHz, kHz, MHz or rad/s", "phase": "deg or rad",
    }.get(role, "Ω, µΩ, mΩ, kΩ, MΩ or, with the area, Ω cm²")  # fmt: skip
    return DamagedFileError(
        f"the column {header.strip()!r} in the unit {unit.strip()!r}", expected=shown,
        remedy="export the spectrum in one of these units, or correct the name of the column",
    )  # fmt: skip
