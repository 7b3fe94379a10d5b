"""What is said of how a cell's capacity falls: its slopes, its knee, and when it passes 80 %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.report.wording import format_number


def fade_sentence(fade: pl.DataFrame) -> str:
    """Return what a cell's row of ``capacity_fade`` says; empty if it has none."""
    if fade.is_empty():
        return ""
    row = fade.row(0, named=True)
    return f"{_shape_sentence(row)} {_life_sentence(row)}"


def _shape_sentence(row: Mapping[str, Any]) -> str:
    where = f"From cycle {row['first_cycle']} to {row['last_cycle']} at the usual rate"
    before = _slope_text(row, "fade_per_cycle")
    if row["shape"] == "straight":
        return f"{where}, one straight line describes the retention: {before} per cycle."
    if row["shape"] in {"curved", "irregular"}:
        how = "bends smoothly" if row["shape"] == "curved" else "wanders, as no line does"
        return f"{where}, the retention {how}: {before} per cycle on average."
    knee = _cycle_text(row)
    name = "a knee" if row["shape"] == "knee" else "a bend"
    after = _slope_text(row, "fade_after_per_cycle")
    return (
        f"{where}, the retention has {name} at cycle {knee}: {before} per cycle before, "
        f"{after} after it."
    )


def _slope_text(row: Mapping[str, Any], name: str) -> str:
    """Return a slope with its interval, as lost or gained."""
    value, low, high = (100 * row[each] for each in (name, f"{name}_low", f"{name}_high"))
    word = "lost"
    if value < 0:
        value, low, high, word = -value, -high, -low, "gained"
    ends = f"{format_number(low)} % to {format_number(high)} %"
    return f"{format_number(value)} % (95 %: {ends}) {word}"


def _cycle_text(row: Mapping[str, Any]) -> str:
    low, high = (format_number(row[f"knee_cycle_{end}"]) for end in ("low", "high"))
    return f"{format_number(row['knee_cycle'])} (95 %: {low} to {high})"


def _life_sentence(row: Mapping[str, Any]) -> str:
    if row["outlook"] == "reached":
        return f"80 % was passed at cycle {row['end_of_life_cycle']}."
    lead = "80 % is not reached"
    if row["outlook"] == "within":
        high = row["end_of_life_cycle_high"]
        until = f"to {high}" if high is not None else f"to beyond {row['horizon_cycle']}"
        return (
            f"{lead}; if the slope stays, it is at cycle {row['end_of_life_cycle']} (95 %: "
            f"{row['end_of_life_cycle_low']} {until}). No line foresees a later knee."
        )
    if row["outlook"] == "beyond":
        return (
            f"{lead}, and if the slope stays not before cycle "
            f"{row['end_of_life_cycle_low'] or row['horizon_cycle']}; the data bear no prediction "
            f"beyond cycle {row['horizon_cycle']}."
        )
    reasons = {
        "not borne": "its first cycles do not predict its later ones",
        "not falling": "no fall is certain",
        "too few": "there are too few cycles since the last bend",
    }
    return f"{lead}, and no prediction is made: {reasons[row['outlook']]}."
