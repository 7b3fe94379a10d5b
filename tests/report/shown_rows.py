"""Hold how many rows a document shows against how many there are: none is left out, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from shown_lab import NOTHING, Lab, Row
from shown_parts import Parts, Table, plain
from shown_places import PLACES

Count = Callable[[Lab, str | None], int]


def _all_of(table: str, times: int = 1, **values: object) -> Count:
    """Count the rows of a table, of the cell if there is one, that have these values."""

    def count(lab: Lab, cell_id: str | None) -> int:
        own = {} if cell_id is None else {"cell_id": cell_id}
        return times * len(lab.rows(table, **own, **values))

    return count


def _groups(lab: Lab, _: str | None) -> int:
    found = Counter(row["group"] for row in lab.table("cells").to_dicts() if row["group"])
    return sum(number > 1 for number in found.values())


def _incomplete(lab: Lab, _: str | None) -> int:
    return sum(_wants_something(row) for row in lab.table("cells").to_dicts())


def _wants_something(row: Row) -> bool:
    per = ("first_specific_discharging_capacity_mah_per_g",
           "first_areal_discharging_capacity_mah_per_cm2")  # fmt: skip
    cycled = row["first_discharging_capacity_ah"] is not None
    ohm_only = (
        row["last_interfacial_resistance_ohm"] is not None
        and row["last_areal_interfacial_resistance_ohm_cm2"] is None
    )
    return (
        row["configuration"] is None
        or ohm_only
        or (cycled and any(row[name] is None for name in per))
    )


def _with_retention(lab: Lab) -> list[Row]:
    rows = lab.rows("baseline_comparison", comparable=True)
    return [row for row in rows if None not in (row["cell_retention"], row["cycle"])]


def _compared_cells(lab: Lab, _: str | None) -> int:
    return len({row["cell_id"] for row in _with_retention(lab)})


def _fitted_spectra(lab: Lab, cell_id: str | None) -> int:
    return len({row["spectrum"] for row in lab.rows("circuit_fits", cell_id=cell_id)})


ROWS: Mapping[str, Mapping[str, Count]] = {
    "page of a cell": {
        "Key numbers": lambda *_: 7,
        "Protocol": _all_of("protocol_segments"),
        "Cycles": _all_of("cycles"),
        "Changes of the interfaces": _all_of("interface_changes"),
        "Arcs of the impedance spectra": _all_of("impedance_arcs"),
        "Impedance fits": _all_of("circuit_fits"),
        "Peaks of the relaxation times": _all_of("relaxation_peaks"),
        "Beside published cells": _all_of("baseline_comparison", times=2),  # words, numbers
        "Where these numbers come from": _all_of("files"),
    },
    "workbook of a cell": {
        "Protocol": _all_of("protocol_segments"),
        "Cycles": _all_of("cycles"),
        "EIS": _all_of("impedance"),
        "Resistance": _all_of("interfacial_resistance"),
        "Growth": _all_of("resistance_growth"),
        "Fade": _all_of("capacity_fade"),
        "Arcs": _all_of("impedance_arcs"),
        "Fits": _all_of("circuit_fits"),
        "Parameters": _fitted_spectra,
        "Relaxation peaks": _all_of("relaxation_peaks"),
        "Relaxation times": _all_of("relaxation_times"),
        "Baselines": _all_of("baseline_comparison"),
        "Findings": _all_of("findings"),
        "Provenance": _all_of("files"),
    },
    "index": {
        "All cells": _all_of("cells"),
        "Replicates": _groups,
        "Retention beside published cells": _compared_cells,
        "What the cell sheet would add": _incomplete,
        "Could not be used": _all_of("files", status="set aside"),
    },
    "workbook of all cells": {
        "Cells": _all_of("cells"),
        "Replicates": _groups,
        "Baselines": _all_of("baseline_comparison", comparable=True),
        "Findings": _all_of("findings"),
        "Provenance": _all_of("files"),
    },
    "summary": {"Cells": _all_of("cells")},
}


def row_faults(lab: Lab, kind: str, parts: Parts, cell_id: str | None) -> Iterator[str]:
    """Return the tables of a document that have more or fewer rows than there are."""
    shown: Counter[str] = Counter()
    for table in parts.tables:
        shown[table.caption] += len(table.rows)
        if table.caption == "Retention beside published cells":
            yield from _matrix_faults(lab, table)
        if table.caption in {"Profiles", "dQdV"} and cell_id is not None:
            yield from _curve_faults(lab, table, cell_id)
    for caption, count in ROWS[kind].items():
        if shown[caption] != (wanted := count(lab, cell_id)):
            yield f"{caption}: {shown[caption]} rows are shown, there are {wanted}"
    yield from _repeated(parts)
    if kind == "page of a cell":
        yield from _check_faults(lab, parts, cell_id)


def _repeated(parts: Parts) -> Iterator[str]:
    for table in parts.tables:
        place = PLACES.get(table.caption)
        if place is None or place.form != "rows" or not set(place.keys) & set(table.heads):
            continue
        keys = Counter(tuple(row.get(head) for head in place.keys) for row in table.rows)
        if twice := [key for key, number in keys.items() if number > 1]:
            yield f"{table.caption}: the row {twice[0]} stands twice"


def _check_faults(lab: Lab, parts: Parts, cell_id: str | None) -> Iterator[str]:
    """Return why the checks of a page are not the cell's findings, each with its level."""
    found = lab.rows("findings", cell_id=cell_id)
    against = [row for row in found if row["code"].startswith("contradiction_")]
    for severity in ("alarm", "check"):
        shown = sorted(said for each, said in parts.checks if each == severity)
        wanted = sorted(
            _said(row) for row in found if row["severity"] == severity and row not in against
        )
        if shown != wanted:
            yield f"findings of the severity {severity}: shown are {shown}, there are {wanted}"
    for row in found:
        said = _said(row).removeprefix("Check: ")
        if row["severity"] == "note" and said not in parts.sentences:
            yield f"the note {said!r} is not shown"


def _said(row: Row) -> str:
    head = "Alarm: " if row["severity"] == "alarm" else "Check: "
    remedy = f" {row['remedy']}" if row["remedy"] else ""
    return plain(f"{head}{row['sentence']}{remedy} (since {row['since']:%Y-%m-%d})")


def _matrix_faults(lab: Lab, table: Table) -> Iterator[str]:
    filled = sum(row[head] != NOTHING for row in table.rows for head in table.heads[1:])
    if filled != (wanted := len(_with_retention(lab))):
        yield f"{table.caption}: {filled} fields are filled, there are {wanted}"


def _curve_faults(lab: Lab, table: Table, cell_id: str) -> Iterator[str]:
    """Return the half cycles of a sheet that are not whole, and those that lack their other."""
    shown = Counter((row["Cycle"], str(row["Direction"])) for row in table.rows)
    for (cycle, direction), number in shown.items():
        row = lab.row("cycles", cell_id=cell_id, cycle=int(cycle.removeprefix("cycle ")))
        half = row[f"{direction.removesuffix('e')}ing_half_cycle"]
        name = PLACES[table.caption].table
        if number != (wanted := len(lab.rows(name, cell_id=cell_id, half_cycle=half))):
            yield f"{table.caption}: {cycle}, {direction}: {number} points of {wanted}"
    names = {cycle for cycle, _ in shown}
    curves = {row["half_cycle"] for row in lab.rows(PLACES[table.caption].table, cell_id=cell_id)}
    cycles = sum(
        bool({row["charging_half_cycle"], row["discharging_half_cycle"]} & curves)
        for row in lab.rows("cycles", cell_id=cell_id)
    )
    if len(names) != min(6, cycles):
        yield f"{table.caption}: {len(names)} cycles are shown, {cycles} have curves"
    for cycle in names:
        row = lab.row("cycles", cell_id=cell_id, cycle=int(cycle.removeprefix("cycle ")))
        for direction in ("charge", "discharge"):
            half = row[f"{direction.removesuffix('e')}ing_half_cycle"]
            if half in curves and (cycle, direction) not in shown:
                yield f"{table.caption}: {cycle} lacks its {direction}"
