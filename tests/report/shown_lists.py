"""Lists of numbers in a sentence: functions that say whether each of them is a stored one."""

from __future__ import annotations

import re

from shown_derived import per_gram
from shown_lab import NUMBER, Lab, Row, agree
from shown_marks import MARKS


def reaches(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "cycle 14 reaches 2739 mAh/g/V; …" is true of the curves' extremes."""
    for cycle, number in re.findall(rf"cycle (\d+) reaches ({NUMBER})", text):
        found = lab.row("cycles", cell_id=row["cell_id"], cycle=int(cycle))
        factor = per_gram(lab, row["cell_id"])[0]
        ends = [
            sign * factor * max(p["differential_capacity_ah_per_volt"] for p in points)
            for sign, half in ((1, "charging_half_cycle"), (-1, "discharging_half_cycle"))
            if (points := lab.rows("differential_capacity", cell_id=row["cell_id"],
                                   half_cycle=found[half]))
        ]  # fmt: skip
        if not any(agree(number, end) for end in ends):
            return False
    return True


def lie_below(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "cycle 1: 78.5 %; …" are the efficiencies of those cycles."""
    return all(
        agree(number, 100 * lab.row("cycles", cell_id=row["cell_id"], cycle=int(cycle))[
            "coulombic_efficiency"])
        for cycle, number in re.findall(rf"cycle (\d+): ({NUMBER}) %", text)
    )  # fmt: skip


def fell(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "7.2 % in cycle 31" is the loss of the discharge capacity there."""
    loss, cycle = re.fullmatch(rf"({NUMBER}) % in cycle (\d+)", text).groups()  # type: ignore[union-attr]
    after, before = (
        lab.row("cycles", cell_id=row["cell_id"], cycle=int(cycle) - n)["discharging_capacity_ah"]
        for n in (0, 1)
    )
    return agree(loss, 100 * (1 - after / before))


def are_conditions(lab: Lab, row: Row, text: str) -> bool:
    """Return whether every value of a list stands in the cell sheet."""
    held = {f"{value:.10g}" if isinstance(value, float) else str(value)
            for each in lab.table("cell_sheet").to_dicts() for value in each.values()}  # fmt: skip
    parts = [part.split(" ")[0] if re.match(NUMBER, part) else part for part in text.split(", ")]
    return set(parts) <= held | {"not known"}


def are_cells(lab: Lab, row: Row, text: str) -> bool:
    """Return whether a text is a list of the lab's cells."""
    return set(re.split(" · |, ", text)) <= set(lab.cell_ids)


def _all_true(checks: list[bool]) -> bool:
    return bool(checks) and all(checks)


def are_spectra(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "spectrum 3, cycle 12, spectrum 6" are spectra of a cell and their cycles."""
    cell_id = row["cell_id"]
    found = re.findall(r"spectrum (\d+)(?:, cycle (\d+))?", text)
    whole = ", ".join(f"spectrum {n}, cycle {c}" if c else f"spectrum {n}" for n, c in found)
    cycle_of = {
        str(s["spectrum"]): s["cycle"] for s in lab.rows("interfacial_resistance", cell_id=cell_id)
    }
    return text == whole and _all_true(
        [n in cycle_of and (not c or agree(c, cycle_of[n])) for n, c in found]
    )


def are_cycles(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "cycle 1, cycle 2" are cycles of a cell."""
    numbers = re.findall(r"cycle (\d+)", text)
    return text == ", ".join(f"cycle {n}" for n in numbers) and _all_true(
        [bool(lab.rows("cycles", cell_id=row["cell_id"], cycle=int(n))) for n in numbers]
    )


def is_peak(lab: Lab, row: Row, text: str) -> bool:
    """Return whether a peak of the cell lies near this voltage, as measured or against lithium."""
    found: dict[tuple[str, int, str], list[float]] = {}
    for peak in lab.rows("differential_capacity_peaks", cell_id=row["cell_id"]):
        for name in ("voltage_volt", "potential_volt"):
            if peak[name] is not None:
                found.setdefault((peak["direction"], peak["peak"], name), []).append(peak[name])
    volts = float(text.replace("−", "-"))
    return any(min(values) - 0.05 <= volts <= max(values) + 0.05 for values in found.values())


def is_rate(lab: Lab, row: Row, text: str) -> bool:
    """Return whether a cycle of the cell was discharged at this C-rate."""
    rates = [c["discharging_c_rate"] for c in lab.rows("cycles", cell_id=row["cell_id"])]
    return any(rate is not None and agree(text, rate) for rate in rates)


def are_parts_of_sheet(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "counter electrode µSi · cathode NCM811" is what the sheet has below these."""
    sheet = (lab.rows("cell_sheet", cell_id=row["cell_id"]) or [{}])[0]
    columns = ("working_electrode", "counter_electrode", "electrolyte", "cathode")
    wanted = [f"{name.replace('_', ' ')} {sheet[name]}" for name in columns if sheet.get(name)]
    return text == " · ".join(wanted)


_ODDS = {
    "contact": "contact_odds", "a film": "film_odds", "both": "contact_and_film_odds",
    "leads": "leads_odds", "no change": "unchanged_odds", "none of these": "other_odds",
}  # fmt: skip


def is_change(lab: Lab, row: Row, text: str) -> bool:
    """Return whether "1 to 12, at 50 MPa …: … (odds: …). By what factor: …" is a stored change."""
    pattern = (
        rf"(\d+) to (\d+)(?:, at ({NUMBER}) MPa of stack pressure)?: (.*) \(odds: (.*)\)\. By what "
        rf"factor: (.*); in series: R × ({NUMBER})"
    )
    said = re.fullmatch(pattern, text)
    if said is None:
        return False
    first, last, pressure, words, odds, changes, series = said.groups()
    rows = lab.rows("interface_changes", cell_id=row["cell_id"], first_spectrum=int(first),
                    last_spectrum=int(last))  # fmt: skip
    parts = odds.replace("above 99 %", "100 %").split(", ")
    pairs = [re.fullmatch(rf"(.*) ({NUMBER}) %", part) for part in parts]
    return any(
        agree(pressure, one["stack_pressure_mpa"])
        and one["arc_changes"] == changes
        and agree(series, one["series_resistance_ratio"])
        and all(pair and agree(pair[2], 100 * one[_ODDS[pair[1]]]) for pair in pairs)
        and all(agree(number, one["area_ratio"]) for number in
                re.findall(rf"the area is ({NUMBER})", words))
        for one in rows
    )  # fmt: skip


LISTS = {
    "change": is_change,
    "reaches": reaches, "lie_below": lie_below, "sudden_loss": fell, "conditions": are_conditions,
    "cells": are_cells, "spectra": are_spectra, "cycles": are_cycles, "peak": is_peak,
    "rate": is_rate, "parts_of_sheet": are_parts_of_sheet, **MARKS,
}  # fmt: skip
