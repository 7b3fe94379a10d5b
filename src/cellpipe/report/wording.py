"""Words and numbers as people read them. Per cent exists here and nowhere below."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cellpipe.core.model import Cell

NOTHING = "–"


@dataclass(frozen=True)
class KindWords:
    """How the two directions and the efficiency are called in a kind of cell."""

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
_SYMMETRIC = KindWords("Symmetric cell", "charge", "discharge", "")
_UNKNOWN = KindWords("Kind of cell not known", "charge", "discharge", "")


def kind_words(cell: Cell) -> KindWords:
    """Return the words for a cell; an efficiency without words is one that isn't defined."""
    if cell.configuration == "half" and cell.working_electrode_role == "cathode":
        return _CATHODE_HALF
    known = {"full": _FULL, "half": _HALF, "symmetric": _SYMMETRIC}
    return known.get(cell.configuration or "", _UNKNOWN)


def format_number(value: float | None, digits: int = 3) -> str:
    """Round to significant digits without an exponent where that can be read."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 7:
        return f"{value:.{max(digits - 1 - exponent, 0)}f}".replace("-", "−")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}".replace("-", "−")


def format_fixed(value: float | None, decimals: int) -> str:
    """Round to decimals."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{decimals}f}".replace("-", "−")


def format_percent(value: float | None, decimals: int = 1) -> str:
    """Write a fraction as per cent."""
    text = format_fixed(None if value is None else 100 * value, decimals)
    return text if text == NOTHING else f"{text} %"


def format_integer(value: int | None) -> str:
    """Write a whole number."""
    return NOTHING if value is None else str(value)


def pluralize(value: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{value} {one if value == 1 else many or one + 's'}"


def format_time(value: float | datetime | None) -> str:
    """Write a time in UTC; a number is seconds since 1970."""
    if value is None:
        return NOTHING
    if not isinstance(value, datetime):
        value = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    return f"{value:%Y-%m-%d %H:%M}"
