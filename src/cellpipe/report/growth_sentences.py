"""What is said of how a resistance changes: its law, its trend, or that no law describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cellpipe.numerics.impedance.growth import NO_LAW
from cellpipe.numerics.impedance.growth_laws import POWERS
from cellpipe.report.wording import format_number

_LAW_WORDS = {
    "constant": "It is constant but for {jumps} jumps",
    "square root": "It {goes} with the square root of time",
    "linear": "It {goes} linearly with time",
    "power": "It {goes} with time to the power of {law_exponent:.2f}",
    "logarithmic": "It {goes} with the logarithm of time",
    "saturating": "It {goes} and levels off",
    "exponential": "It {goes} ever faster, exponentially with time",
    "knee": "It follows two straight lines with a knee",
    "jump": "It is constant but for one jump",
}
_TREND_WORDS = {
    "rising": "It rises monotonically",
    "falling": "It falls monotonically",
    "not monotone": "It is not monotone: it rises and falls by more than its errors,",
}
_MOST_DIGITS = 7
_CERTAIN = 0.99


def law_sentence(law: Mapping[str, Any]) -> str:
    """Return what a row of ``resistance_growth`` says of how a resistance changes."""
    if law["varies"] is not None:
        first, last = _told_apart(law["first_resistance_ohm"], law["last_resistance_ohm"])
        return f"From {first} to {last} Ω while the {law['varies']}: that is no growth."
    parts = [_trend_sentence(law) if law["law"] in {None, NO_LAW} else _law_sentence(law)]
    if law["jumps"] and law["law"] is not None:
        size = format_number(law["first_jump_ohm"])
        parts.append(
            f"A jump of {size} Ω before spectrum {law['first_jump_spectrum']} is no growth."
        )
    if law["clock"] is not None:
        parts.append(_clock_sentence(law))
    return " ".join(parts)


def _trend_sentence(law: Mapping[str, Any]) -> str:
    """Return what is said where no law is named."""
    if law["trend"] == "unchanged":
        return _unchanged_sentence(law)
    first, last = _told_apart(law["first_resistance_ohm"], law["last_resistance_ohm"])
    said = f"{_TREND_WORDS[law['trend']]} from {first} to {last} Ω"
    if law["law"] is None:
        return f"{said}."
    odd, several = law["odd_spectrum"], law["describing_laws"]
    if odd is not None and not several:
        return f"{said}, but only spectrum {odd} differs; no simple law is named."
    said += "; no simple law describes it" if not several else "; no simple law stands out"
    if several > 1:
        said += f", for {several} describe it"
    return said + ("." if odd is None else f"; spectrum {odd} is left out.")


def _unchanged_sentence(law: Mapping[str, Any]) -> str:
    odd = law["odd_spectrum"]
    but = "" if odd is None else f", but for spectrum {odd}"
    return f"The resistance does not change beyond its errors{but}."


def _told_apart(first: float, last: float) -> tuple[str, str]:
    """Return two numbers with three digits, or as many more as they differ in."""
    for digits in range(3, _MOST_DIGITS):
        texts = format_number(first, digits), format_number(last, digits)
        if first == last or texts[0] != texts[1]:
            return texts
    return format_number(first, _MOST_DIGITS), format_number(last, _MOST_DIGITS)


def _law_sentence(law: Mapping[str, Any]) -> str:
    if law["trend"] == "unchanged":
        return _unchanged_sentence(law)
    amount = law["rate_ohm_per_hour_to_the_m"] or law["amplitude_ohm"] or 0.0
    words = _LAW_WORDS[law["law"]].format(goes="grows" if amount > 0 else "falls", **law)
    sentence = f"{words} ({_probability(law['law_probability'])}){_amounts(law)}"
    if law["law_start_hour"]:
        sentence += f", from {format_number(law['law_start_hour'])} h on"
    elif law["exponent_standard_error"] is not None and law["law"] in POWERS:
        error = format_number(1.96 * law["exponent_standard_error"], 2)
        sentence += f"; free exponent {law['exponent']:.2f} ± {error}"
    if law["odd_spectrum"] is not None:
        sentence += f"; without spectrum {law['odd_spectrum']}"
    return sentence + "."


def _amounts(law: Mapping[str, Any]) -> str:
    """Return the amplitude and time constant of a law, or its rate, with 95 % errors."""
    if law["amplitude_ohm"] is not None:
        error = format_number(1.96 * (law["amplitude_standard_error_ohm"] or 0.0), 2)
        return (
            f", amplitude {format_number(law['amplitude_ohm'])} ± {error} Ω (95 %), "
            f"time constant {format_number(law['time_constant_hour'])} h"
        )
    if law["law"] in {"jump", "constant"}:
        return ""
    power = law["law_exponent"]
    unit = {0.5: "h^½", 1.0: "h"}.get(power, f"h^{power:.2f}")
    error = format_number(1.96 * (law["rate_standard_error"] or 0.0), 2)
    said = f", rate {format_number(law['rate_ohm_per_hour_to_the_m'])} ± {error} Ω/{unit} (95 %)"
    if law["law"] == "knee":
        after = format_number(law["rate_after_knee_ohm_per_hour"])
        knee = format_number(law["knee_hour"])
        said += f" before {knee} h, {after} Ω/h behind it"
    return said


def _clock_sentence(law: Mapping[str, Any]) -> str:
    if law["clock_probability"] is None:
        return "Whether time, charge passed or cycles explain it is not told apart."
    verb = "explain" if law["clock"].endswith("cycles") else "explains"
    words = law["clock"][0].upper() + law["clock"][1:]
    rest = "" if " or " in law["clock"] else " best"
    return f"{words} {verb} it{rest} ({_probability(law['clock_probability'])})."


def _probability(value: float) -> str:
    """Return a probability in whole per cent, of which none is a hundred."""
    return "probability above 99%" if value > _CERTAIN else f"probability {value:.0%}"
