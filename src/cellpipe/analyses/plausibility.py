"""Numbers of a cell held against physics: theory, masses, area, potentials, and each other.

Each limit has margins, so that a sound cell never breaks it: what does contradicts the sheet, the
file, or both. The specific capacity is that of what comes back (silicon: the delithiation), in the
best complete cycle. A capacity per area above loading times theory, and a half cycle that at its
C-rate lasts longer than its capacity allows, are the same contradiction as a specific capacity
above theory or above 1C.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from cellpipe.analyses.contradiction import Contradiction, gather_facts
from cellpipe.analyses.plausible_areas import hold_area, hold_current_density, hold_loadings
from cellpipe.analyses.plausible_capacities import (
    hold_lithiations,
    hold_nominal_capacity,
    hold_np_ratio,
    hold_small_capacities,
    hold_specific_capacities,
)
from cellpipe.analyses.plausible_voltages import (
    hold_configuration,
    hold_mean_voltages,
    hold_offset,
    hold_window,
    retention_above_usual,
)
from cellpipe.core.model import CONTRADICTION, Cell, Finding

BROKEN_FIRST = 0.5  # efficiency of a first cycle that was not whole
CONFIRMED_WITHIN = 1.1  # of the number that is confirmed
_LOOK = "Look at the first cycles, and at the column Temperature."
_NUMBER = re.compile(  # behind the kind; a unit may follow, whose digits are not the number's
    r"[\s:=]*(-?\d+(?:[.,]\d+|[ \u00a0\u202f]\d{3})*(?:e[+-]?\d+)?)(?:\s*[^\d\s].*)?", re.IGNORECASE
)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:[.,\s]\d{3})+")


def find_contradictions(
    cell: Cell, cycles: pl.DataFrame, half_cycles: pl.DataFrame
) -> list[Contradiction]:
    """Return what contradicts physics, in a cell and its sheet; the same cause is said once."""
    facts = gather_facts(cell, cycles, half_cycles)
    found = list(hold_specific_capacities(facts))
    is_mass_wrong = bool(found)
    if not is_mass_wrong:
        found += [*hold_lithiations(facts), *hold_nominal_capacity(facts)]
    areal = list(hold_area(facts)) or list(hold_current_density(facts))
    found += areal if areal or is_mass_wrong else hold_loadings(facts)
    found += [
        *hold_np_ratio(facts),
        *hold_offset(facts),
    ]
    found += list(hold_configuration(facts)) or hold_mean_voltages(facts)
    found += [*hold_small_capacities(facts), *hold_window(facts)]
    retention = retention_above_usual(facts)
    first = facts.first_efficiency
    is_broken = first is not None and not BROKEN_FIRST <= first <= 1 / BROKEN_FIRST
    if retention is not None and (is_broken or is_mass_wrong):
        found.append(replace(retention, slip=""))
    elif retention is not None:
        found.append(replace(retention, is_check=True))
    return found


def contradiction_findings(
    cell: Cell, found: Iterable[Contradiction]
) -> tuple[str | None, tuple[Finding, ...]]:
    """Return the phrases of what is not confirmed, None if all is, and a finding for each.

    What sound cells have, too, if seldom (``is_check``), is no contradiction but to be looked at.
    """
    given = list(found)
    listed = [each for each in given if not each.is_check]
    open_ones = [each for each in listed if not is_confirmed(each, cell.confirmed)]
    findings = [_describe(each) for each in open_ones]
    findings += [
        Finding("info", "confirmed_contradiction", f"{each.sentence} The cell sheet confirms it.")
        for each in listed
        if each not in open_ones
    ]
    findings += [
        Finding("warning", f"high_{each.kind}", f"{each.sentence} {each.slip}", remedy=_LOOK)
        for each in given
        if each.is_check and not is_confirmed(each, cell.confirmed)
    ]
    if cell.confirmed and open_ones and len(open_ones) == len(listed):
        sentence = (
            f"The cell sheet's Confirmed says '{cell.confirmed}', which covers nothing of what "
            f"contradicts physics; it is to name the number, such as '{open_ones[0].phrase}'."
            f"{''.join(_ask_of_thousands(each, cell.confirmed) for each in open_ones)}"
        )
        findings.append(Finding("warning", "confirmed_nothing", sentence))
    return "; ".join(each.phrase for each in open_ones) or None, tuple(findings)


def is_confirmed(found: Contradiction, confirmed: str | None) -> bool:
    """Return whether the sheet confirms this kind of contradiction, up to a number like this."""
    for written in _numbers_written(found.kind, confirmed):
        number = _to_number(written, found.value)
        if number is None:
            continue
        margin = CONFIRMED_WITHIN if (number > 0) == found.is_above else 1 / CONFIRMED_WITHIN
        limit = number * margin
        if found.value <= limit if found.is_above else found.value >= limit:
            return True
    return False


def _numbers_written(kind: str, confirmed: str | None) -> list[str]:
    """Return the numbers that the sheet confirms for a kind, as written."""
    parts = [part.strip() for part in (confirmed or "").split(";")]
    about = [part[len(kind) :] for part in parts if part.casefold().startswith(kind.casefold())]
    return [match[1] for match in map(_NUMBER.fullmatch, about) if match]


def _to_number(written: str, found: float) -> float | None:
    """Return the number; with what may be a sign of thousands, the one that is as found."""
    readings = [re.sub(r"\s", "", written).replace(",", ".")]
    if _THOUSANDS.fullmatch(written):
        readings.append(re.sub(r"[.,\s]", "", written))
    numbers = [float(each) for each in readings if each.count(".") < 2]
    near = [each for each in numbers if found and abs(each / found - 1) < CONFIRMED_WITHIN - 1]
    return next(iter(near or numbers), None)


def _ask_of_thousands(found: Contradiction, confirmed: str) -> str:
    """Return what is to be asked of a number whose sign may be one of thousands; else empty."""
    for written in _numbers_written(found.kind, confirmed):
        if _THOUSANDS.fullmatch(written):
            without = re.sub(r"[.,\s]", "", written)
            return f" If '{written}' means {without}, it is to stand without a sign of thousands."
    return ""


def _describe(found: Contradiction) -> Finding:
    slip = f" Likely: {found.slip}." if found.slip else ""
    sentence = (
        f"{found.sentence}{slip} If it is right all the same, write '{found.phrase}' into the cell "
        "sheet's column Confirmed."
    )
    code = found.kind.lower().replace(" ", "_").replace("/", "")
    return Finding("error", f"{CONTRADICTION}{code}", sentence)
