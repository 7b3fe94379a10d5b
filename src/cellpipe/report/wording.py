"""Format words and numbers for readers. Per cent is used here and in no lower layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cellpipe.baselines.materials import plates_on_foil
from cellpipe.core.model import Cell

NOTHING = "–"


@dataclass(frozen=True)
class KindWords:
    """Names of the two directions and of the efficiency for one kind of cell."""

    kind: str
    charge: str
    discharge: str
    efficiency: str


_FULL = KindWords("Full cell", "charge", "discharge", "discharge over the charge before it")
_HALF = KindWords(
    "Half cell",
    "delithiation (charge)",
    "lithiation (discharge)",
    "delithiation (charge) over the lithiation (discharge) before it",
)
_CATHODE_HALF = KindWords(
    "Half cell",
    "delithiation (charge)",
    "lithiation (discharge)",
    "lithiation (discharge) over the delithiation (charge) before it",
)
_FOIL = KindWords(
    "Half cell of a foil without lithium",
    "stripping (charge)",
    "plating (discharge)",
    "stripping (charge) over the plating (discharge) before it",
)
_SYMMETRIC = KindWords("Symmetric cell", "charge", "discharge", "")
_UNKNOWN = KindWords("Kind of cell not known", "charge", "discharge", "")


def kind_words(cell: Cell) -> KindWords:
    """Return the words for a cell; ``efficiency`` is empty if it isn't defined for its kind."""
    if cell.configuration == "half" and cell.working_electrode_role == "cathode":
        return _CATHODE_HALF
    if plates_on_foil(cell):
        return _FOIL
    known = {"full": _FULL, "half": _HALF, "symmetric": _SYMMETRIC}
    return known.get(cell.configuration or "", _UNKNOWN)


def format_number(value: float | None, digits: int = 3) -> str:
    """Return a number rounded to significant digits; a dash if it is None or not finite.

    An exponent is used only below 1e-4 and from 1e7 on.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 7:
        return f"{value:.{max(digits - 1 - exponent, 0)}f}".replace("-", "−")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}".replace("-", "−")


def format_with_error(value: float | None, error: float | None, digits: int = 3) -> str:
    """Return a number ± its standard error; with ? if there is none or it is too large."""
    from cellpipe.numerics.impedance.circuit_fit import is_determined

    if value is None:
        return NOTHING
    shown = format_number(value, digits)
    shown += "" if error is None else f" ± {format_number(error, 2)}"
    return shown if is_determined(value, error) else f"{shown} ?"


def format_fixed(value: float | None, decimals: int) -> str:
    """Return a number rounded to decimals; a dash if it is None or not finite."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{decimals}f}".replace("-", "−")


def format_percent(value: float | None, decimals: int = 1) -> str:
    """Return a fraction in per cent; a dash if it is None or not finite."""
    text = format_fixed(None if value is None else 100 * value, decimals)
    return text if text == NOTHING else f"{text} %"


def format_integer(value: int | None) -> str:
    """Return a whole number as text; a dash for None."""
    return NOTHING if value is None else str(value)


def pluralize(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun, in the plural unless the number is one."""
    return f"{value} {one if value == 1 else many or one + 's'}"


def format_time(value: float | datetime | None) -> str:
    """Return a time in UTC as text, a dash for None; a number is seconds since 1970."""
    if value is None:
        return NOTHING
    if not isinstance(value, datetime):
        value = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    return f"{value:%Y-%m-%d %H:%M}"
