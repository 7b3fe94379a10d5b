"""Hold the curves of the page of several cells against each cell's own tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
from shown_lab import Lab, Row

Points = list[tuple[float, float]]
_PER_AREA = {"mAh/cm²": "areal_discharging_capacity_mah_per_cm2",
             "mAh/g": "specific_discharging_capacity_mah_per_g"}  # fmt: skip


def read_curves(content: bytes) -> dict[tuple[str, str], Points]:
    """Return the points of a figure's data by its y axis and the series."""
    found: dict[tuple[str, str], Points] = {}
    for line in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
        point = float(line["x"]), float(line["y"])
        found.setdefault((line["y_axis"], line["series"]), []).append(point)
    return found


def several_faults(lab: Lab, key: str, content: bytes, cell_ids: list[str]) -> Iterator[str]:
    """Return the curves that are not those of the cell that they are named for, both ways."""
    drawn = read_curves(content)
    x_axis = next(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))["x_axis"]
    axis = next(iter(drawn))[0]
    wanted = {
        (axis, name): points
        for cell_id in cell_ids
        for name, points in _wanted(lab, key, cell_id, f"{x_axis} {axis}", cell_ids)
        if points
    }
    shown = {name: points for name, points in drawn.items() if not name[1].endswith(", fit")}
    if set(shown) != set(wanted):
        yield f"{key}: drawn are {sorted(shown)}, there are {sorted(wanted)}"
    for name in set(shown) & set(wanted):
        one, other = (np.array(sorted(each)) for each in (shown[name], wanted[name]))
        if one.shape != other.shape or not np.allclose(one, other, rtol=1e-6, atol=1e-9):
            yield f"{key}: {name[1]} is not what is stored of it"


def _wanted(
    lab: Lab, key: str, cell_id: str, axes: str, cell_ids: list[str]
) -> Iterator[tuple[str, Points]]:
    complete = [row for row in lab.rows("cycles", cell_id=cell_id) if row["complete"]]
    if key == "capacities":
        found = [each for each in _PER_AREA.items() if each[0] in axes]
        column, factor = (found[0][1], 1.0) if found else ("discharging_capacity_ah", 1e3)
        yield cell_id, _points(complete, "cycle", column, factor)
    elif key == "retentions":
        yield cell_id, _points(complete, "cycle", "capacity_retention", 100)
    elif key == "efficiencies":
        later = [row for row in complete if row["cycle"] > 1]
        yield cell_id, _points(later, "cycle", "coulombic_efficiency", 100)
    elif key == "resistance":
        name = "areal_interfacial_resistance_ohm_cm2" if "cm²" in axes else \
            "interfacial_resistance_ohm"  # fmt: skip
        rows = lab.rows("interfacial_resistance", cell_id=cell_id)
        yield cell_id, _points(rows, "cycle", name)
    elif key == "nyquist":
        yield cell_id, _last_spectrum(lab, cell_id, per_area="cm²" in axes)
    elif key == "profiles":
        yield from _profiles(lab, cell_id, axes, cell_ids)


def _points(rows: list[Row], x: str, y: str, factor: float = 1.0) -> Points:
    return [(row[x], factor * row[y]) for row in rows if None not in (row[x], row[y])]


def _last_spectrum(lab: Lab, cell_id: str, *, per_area: bool) -> Points:
    points = lab.rows("impedance", cell_id=cell_id)
    factor = lab.row("cell_sheet", cell_id=cell_id)["area_cm2"] if per_area and points else 1.0
    last = max((point["spectrum"] for point in points), default=None)
    return [
        (factor * point["real_impedance_ohm"], -factor * point["imaginary_impedance_ohm"])
        for point in points
        if point["spectrum"] == last
    ]


def _profiles(
    lab: Lab, cell_id: str, axes: str, cell_ids: list[str]
) -> Iterator[tuple[str, Points]]:
    last = min(
        max(row["cycle"] for row in lab.rows("cycles", cell_id=each) if row["complete"])
        for each in cell_ids
    )
    row = lab.row("cycles", cell_id=cell_id, cycle=last)
    factor = 1e3
    for unit, column in _PER_AREA.items():
        if unit in axes:
            factor = row[column] / row["discharging_capacity_ah"]
    for name, half in ((cell_id, "charging"), (f"{cell_id}, discharge", "discharging")):
        rows = lab.rows("voltage_profiles", cell_id=cell_id, half_cycle=row[f"{half}_half_cycle"])
        yield name, [(factor * each["capacity_ah"], each["voltage_volt"]) for each in rows]
