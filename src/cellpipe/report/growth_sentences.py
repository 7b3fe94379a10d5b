"""What is said of how a resistance changes: its law, its trend, or that no law describes it."""

from __future__ import annotations

from typing import Any

from cellpipe.numerics.impedance.growth import NO_LAW

_LAW_WORDS = {
    "square root": "It {goes} with the square root of time",
    "linear": "It {goes} linearly with time",
    "power": "It {goes} with time to the power of {law_exponent:.2f}",
    "logarithmic": "It {goes} with the logarithm of time",
    "saturating": "It {goes} and levels off",
    "exponential": "It {goes} exponentially with time",
    "knee": "It follows two straight lines with a knee at {knee_hour:.3g} h",
    "jump": "It has one value before a jump and another behind it",
}
_TRENDS = {
    "rising": "It rises from {first_resistance_ohm:.3g} to {last_resistance_ohm:.3g} Ω",
    "falling": "It falls from {first_resistance_ohm:.3g} to {last_resistance_ohm:.3g} Ω",
    "not monotone": "It rises and falls by more than its errors, from "
    "{first_resistance_ohm:.3g} to {last_resistance_ohm:.3g} Ω",
}


def law_sentence(law: dict[str, Any]) -> str:
    """Return what a row of ``resistance_growth`` says of how a resistance changes."""
    if law["trend"] == "unchanged":
        return "The resistance does not change beyond its errors."
    if law["law"] in {None, NO_LAW}:
        more = "; no simple law describes how" if law["law"] else ""
        return f"{_TRENDS[law['trend']].format(**law)}{more}."
    amount = law["rate_ohm_per_hour_to_the_m"] or law["amplitude_ohm"] or 0.0
    words = _LAW_WORDS[law["law"]].format(goes="grows" if amount > 0 else "falls", **law)
    sentence = f"{words} (probability {law['law_probability']:.0%})"
    if law["amplitude_ohm"] is not None:
        error = 1.96 * (law["amplitude_standard_error_ohm"] or 0.0)
        sentence += (
            f", amplitude {law['amplitude_ohm']:.3g} ± {error:.2g} Ω (95 %), "
            f"time constant {law['time_constant_hour']:.3g} h"
        )
    elif law["law"] != "jump":
        power = law["law_exponent"]
        unit = {0.5: "h^½", 1.0: "h"}.get(power, f"h^{power:.2f}")
        error = 1.96 * (law["rate_standard_error"] or 0.0)
        sentence += f", rate {law['rate_ohm_per_hour_to_the_m']:.3g} ± {error:.2g} Ω/{unit} (95 %)"
    if law["law"] == "knee":
        sentence += f" before the knee, {law['rate_after_knee_ohm_per_hour']:.3g} Ω/h behind it"
    if law["law_start_hour"]:
        sentence += f", from {law['law_start_hour']:.3g} h on"
    if law["exponent_standard_error"] is not None and law["law"] in {"square root", "linear"}:
        error = 1.96 * law["exponent_standard_error"]
        sentence += f"; free exponent {law['exponent']:.2f} ± {error:.2g}"
    return sentence + "."
