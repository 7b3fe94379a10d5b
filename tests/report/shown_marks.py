"""Signs, words and small drawings that say what numbers say: worked out from the numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from shown_derived import DERIVED, standing_row
from shown_lab import NOTHING, Lab, Row
from shown_parts import Parts

_SIGNS = {"above": "▲ ", "within": "● ", "below": "▼ ", None: ""}
_EDGE = 3.0  # of a drawing at the size of a word, in its own pixels


def _standing(row: Row) -> str | None:
    """Return how a cell's retention stands beside a published one, by the numbers."""
    if row["standing"] is None:
        return None
    names = ("baseline_retention_low", "cell_retention", "baseline_retention_high")
    low, retention, high = (round(100 * row[name], 1) for name in names)  # as they are shown
    if retention > high:
        return "above"
    return "below" if retention < low else "within"


def is_sign(_: Lab, row: Row, text: str) -> bool:
    """Return whether a sign before a retention is that of its standing."""
    return text == _SIGNS[_standing(row)]


def is_standing_of_nearest(lab: Lab, row: Row, text: str) -> bool:
    """Return whether the words are those of the standing beside the nearest published cell."""
    nearest = standing_row(lab, row)
    so_far = " so far" if nearest["interpolated"] and not nearest["reached"] else ""
    words = {"above": ("above",), "within": ("within",), "below": ("below",)}
    said = text.removesuffix(so_far)
    return any(said.startswith(word) for word in words[_standing(nearest) or ""])


def has_no_standing(lab: Lab, row: Row, text: str) -> bool:
    """Return whether nothing, or why there is nothing, stands where nothing can be compared."""
    return DERIVED["reached"](lab, row).value == 0 and not any(map(str.isdigit, text))


def is_not_comparable(_: Lab, row: Row, text: str) -> bool:
    """Return whether a dash stands beside a published cell that is not compared, or empty."""
    return text == NOTHING and not row.get("comparable")


def is_direction(lab: Lab, row: Row, text: str) -> bool:
    """Return whether words name the two halves by which the cell's efficiency is divided.

    As in the table of docs/conventions.md; the quotient of cycle 1 must be that of the words.
    """
    sheet = (lab.rows("cell_sheet", cell_id=row["cell_id"]) or [{}])[0]
    is_anode = sheet.get("working_electrode_role") != "cathode"
    upper, lower = (
        ("charge", "discharge")
        if row["configuration"] == "half" and is_anode
        else ("discharge", "charge")
    )
    charge, discharge = row["first_charging_capacity_ah"], row["first_discharging_capacity_ah"]
    quotient = charge / discharge if upper == "charge" else discharge / charge
    return text == f"{upper} over the {lower} before it" and bool(
        np.isclose(quotient, row["initial_coulombic_efficiency"])
    )


def is_kind(_: Lab, row: Row, text: str) -> bool:
    """Return whether the words are those of the cell's configuration."""
    kind = row["configuration"]
    return text == ("Kind of cell not known" if kind is None else f"{kind.capitalize()} cell")


MARKS = {
    "sign": is_sign, "standing_of_nearest": is_standing_of_nearest,
    "no_standing": has_no_standing, "not_comparable": is_not_comparable,
    "direction_of_efficiency": is_direction, "kind": is_kind,
}  # fmt: skip


def spark_faults(lab: Lab, parts: Parts) -> Iterator[str]:
    """Return the drawings of the index that are not the discharge capacities of their cell."""
    for cell_id, (width, height, label, drawn) in parts.sparks.items():
        known = [
            (row["cycle"], row["discharging_capacity_ah"])
            for row in lab.rows("cycles", cell_id=cell_id)
            if row["complete"] and row["discharging_capacity_ah"] is not None
        ]
        x, y = np.array(known, float).T
        across = _EDGE + (width - 2 * _EDGE) * (x - x[0]) / max(x[-1] - x[0], 1)
        up = height - _EDGE - (height - 2 * _EDGE) * y / y.max()
        wanted = {(f"{a:.1f}", f"{b:.1f}") for a, b in zip(across, up, strict=True)}
        if not set(drawn) <= wanted or len(drawn) < min(len(known), 20):
            yield f"the drawing of {cell_id} is not its discharge capacity"
        said = f"Discharge capacity, cycles {x[0]:.0f} to {x[-1]:.0f}, from zero"
        if label != said:
            yield f"the drawing of {cell_id} is called {label!r}, and is {said!r}"
    if parts.sparks and set(parts.sparks) != set(lab.cell_ids):
        yield f"only {sorted(parts.sparks)} have a drawing"
