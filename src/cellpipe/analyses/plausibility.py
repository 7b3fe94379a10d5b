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

import polars as pl

from cellpipe.analyses.contradiction import Contradiction, gather_facts
from cellpipe.analyses.plausible_areas import hold_area, hold_current_density, hold_loadings
from cellpipe.analyses.plausible_capacities import (
    hold_lithiations,
    hold_nominal_capacity,
    hold_np_ratio,
    hold_specific_capacities,
)
from cellpipe.analyses.plausible_voltages import (
    hold_mean_voltages,
    hold_offset,
    hold_retention,
    hold_window,
)
from cellpipe.core.model import CONTRADICTION, Cell, Finding

CONFIRMED_WITHIN = 1.1  # of the number that is confirmed


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
        *hold_mean_voltages(facts),
    ]
    return [*found, *hold_window(facts), *hold_retention(facts)]


def contradiction_findings(
    cell: Cell, found: Iterable[Contradiction]
) -> tuple[str | None, tuple[Finding, ...]]:
    """Return the phrases of what is not confirmed, None if all is, and a finding for each."""
    listed = list(found)
    open_ones = [each for each in listed if not is_confirmed(each, cell.confirmed)]
    findings = [_describe(each) for each in open_ones]
    findings += [
        Finding("info", "confirmed_contradiction", f"{each.sentence} The cell sheet confirms it.")
        for each in listed
        if each not in open_ones
    ]
    if cell.confirmed and open_ones and len(open_ones) == len(listed):
        sentence = (
            f"The cell sheet's Confirmed says '{cell.confirmed}', which covers nothing of what "
            f"contradicts physics; it is to name the number, such as '{open_ones[0].phrase}'."
        )
        findings.append(Finding("warning", "confirmed_nothing", sentence))
    return "; ".join(each.phrase for each in open_ones) or None, tuple(findings)


def is_confirmed(found: Contradiction, confirmed: str | None) -> bool:
    """Return whether the sheet confirms this kind of contradiction, up to a number like this."""
    for part in (confirmed or "").split(";"):
        match = re.fullmatch(r"\s*(.*?)[\s:=]*(-?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*(\D*)", part)
        if match is None or match[1].strip().casefold() != found.kind.casefold():
            continue
        number = float(match[2].replace(",", "."))
        margin = CONFIRMED_WITHIN if (number > 0) == found.is_above else 1 / CONFIRMED_WITHIN
        limit = number * margin
        if found.value <= limit if found.is_above else found.value >= limit:
            return True
    return False


def _describe(found: Contradiction) -> Finding:
    slip = f" Likely: {found.slip}." if found.slip else ""
    sentence = (
        f"{found.sentence}{slip} If it is right all the same, write '{found.phrase}' into the cell "
        "sheet's column Confirmed."
    )
    code = found.kind.lower().replace(" ", "_").replace("/", "")
    return Finding("error", f"{CONTRADICTION}{code}", sentence)
