"""What the curves of an exported figure mean: its .csv says axes, series, x and y."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from shown_lab import Lab, Row
from shown_parts import plain
from shown_words import CYCLES


@dataclass(frozen=True)
class Drawn:
    """What a series draws: rows of a table, and what of them lies along x and up y.

    ``x``, ``y`` and ``series`` are expressions for the labels; what they name (cycle, direction,
    spectrum, name) chooses the rows. Two names for y are the two that stand there in turn.
    """

    figure: str
    x: str
    y: str
    series: str
    table: str = ""
    along: str = ""
    up: tuple[str, ...] = ()
    reason: str = ""  # why it is no stored number


# Drawn in part: printed cells, and peaks that are followed through enough cycles.
_CHOSEN = {"baselines", "baseline_comparison", "differential_capacity_peaks"}
_ALL_DRAWN = 400  # more points than these are thinned out
_VOLTS = r"(?:Cell voltage|Voltage vs [^(]+) \(V\)(?:, as measured)?"
_AMOUNT = r"(?:Specific c|C)apacity \((?P<unit>mAh/g|mAh)\b.*"
_CURVE = r"cycle (?P<cycle>\d+), (?P<direction>\w+)"
_SPECTRUM = r"spectrum (?P<spectrum>\d+), cycle \d+"
_BEGUN, _ROOT = r"Cycles begun", r"√\(time / h\)"
_CIRCUIT = "drawn from the circuit whose parameters stand in circuit_fits"
_PUBLISHED = "of the review, not of the lab: a line between printed points"
_LIFE = "held stretch by stretch against protocol_segments and impedance"
FIGURES = (
    Drawn("protocol", r"Time since the first record \((min|h|days)\)", "–", r"[\w /]+",
          reason=_LIFE),
    Drawn("cycling", "Cycle|–", _AMOUNT, r"(?P<half>charge|discharge)", "cycles", "cycle"),
    Drawn("cycling", "Cycle", r"Coulombic efficiency \(%\)", r"Coulombic efficiency.*", "cycles",
          "cycle", ("coulombic_efficiency:%",)),
    Drawn("profiles", _AMOUNT, _VOLTS, _CURVE, "voltage_profiles", "=per_gram capacity_ah",
          ("voltage_volt",)),
    Drawn("dqdv", _VOLTS, r"dQ/dV \(mAh(/g)?/V\).*", _CURVE, "differential_capacity",
          "voltage_volt", ("=slope",)),
    Drawn("peaks", "Cycle", _VOLTS, r"(?P<direction>\w+), .*", "differential_capacity_peaks",
          "=own cycle", ("voltage_volt",)),
    Drawn("peaks", "Cycle", r"Height \(mAh(/g)?/V\)", r"(?P<direction>\w+), .*",
          "differential_capacity_peaks", "=own cycle", ("=per_gram height_ah_per_volt",)),
    Drawn("nyquist", r"Z′ \(Ω\)", r"−Z″ \(Ω\)", _SPECTRUM, "impedance", "real_impedance_ohm",
          ("=minus imaginary_impedance_ohm",)),
    Drawn("nyquist", r"Z′ \(Ω\)", r"−Z″ \(Ω\)", _SPECTRUM + ", fit", reason=_CIRCUIT),
    Drawn("nyquist", r"Frequency \(Hz\)", r"Residual / \|Z\| \(%\)|–", _SPECTRUM, "impedance",
          "frequency_hertz", ("=residual real", "=residual imaginary")),
    Drawn("arcs", ".*", ".*", ".*", reason=_CIRCUIT + ", and times that are worked out beside it"),
    Drawn("resistance", _BEGUN, r"Interfacial resistance \(Ω cm²\)", "interfacial resistance",
          "interfacial_resistance", "cycle", ("areal_interfacial_resistance_ohm_cm2",)),
    Drawn("resistance", _BEGUN, r"Interfacial resistance \(Ω cm²\)", "one standard error from it",
          "interfacial_resistance", "cycle", ("=end_of_bar -", "=end_of_bar +")),
    Drawn("resistance", _ROOT, "–", "interfacial resistance", "interfacial_resistance",
          "=root_hours", ("areal_interfacial_resistance_ohm_cm2",)),
    Drawn("resistance", _ROOT, "–", "one standard error from it", "interfacial_resistance",
          "=root_hours", ("=end_of_bar -", "=end_of_bar +")),
    Drawn("resistance", _ROOT, "–", r"line \d+",
          reason="the law of growth, whose numbers stand in resistance_growth"),
    Drawn("retention", r"Cycle \(logarithmic\)", r"Retention \(%\)", "this cell", "cycles",
          "cycle", ("=retained",)),
    Drawn("retention", r"Cycle \(logarithmic\)", r"Retention \(%\)", r"(?P<name>[\w ]+), printed",
          "baselines", "later_cycle", ("retention_percent",)),
    Drawn("retention", ".*", ".*", r"[\w ]+(, range|, computed)?", reason=_PUBLISHED),
    Drawn("capacities", r"First discharge capacity \(.*\)", "–", r"line \d+",
          reason="a line from zero to the mark of this cell"),
    Drawn("capacities", r"First discharge capacity \((?P<unit>mAh/cm²|mAh/g).*\)", "–", "this cell",
          "cells", "first"),
    Drawn("capacities", r"First discharge capacity \(.*\)", "–", r"(?P<name>[\w ]+)",
          "baseline_comparison", "baseline_initial_capacity"),
    Drawn("field", "Last complete cycle", r"Areal capacity .*|–", "this cell", "cells",
          "retention_cycle", ("first_areal_discharging_capacity_mah_per_cm2",)),
    Drawn("field", ".*", ".*", r"[\w \[\]]+", reason=_PUBLISHED),
    Drawn("initial", r"Initial Coulombic efficiency \(%\)", "–", "this cell", "cells",
          "initial_coulombic_efficiency:%"),
    Drawn("initial", ".*", ".*", ".*", reason=_PUBLISHED),
)  # fmt: skip


def figure_faults(lab: Lab, figure: str, content: bytes, cell_id: str) -> Iterator[str]:
    """Return what a figure's data holds and the tables do not."""
    series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for line in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
        key = tuple(plain(line[name]) for name in ("x_axis", "y_axis", "series"))
        key = (*key[:2], key[2].removesuffix(", outside of the axis"))  # marks at its edge
        series.setdefault(key, []).append((float(line["x"]), float(line["y"])))
    for labels, points in series.items():
        found = None
        for drawn in (each for each in FIGURES if each.figure == figure):
            matches = [re.fullmatch(pattern, label) for pattern, label in
                       zip((drawn.x, drawn.y, drawn.series), labels, strict=True)]  # fmt: skip
            if all(matches):
                found = drawn
                break
        if found is None:
            yield f"{figure}: {labels} is not in the vocabulary"
        elif not found.reason:
            named = {k: v for m in matches if m for k, v in m.groupdict().items() if v}
            rows = _rows(lab, found, named, cell_id)
            for fault in _missing(lab, found, named, rows, np.array(points)):
                yield f"{figure}, {labels}: {fault}"
    if figure == "arcs":
        yield from _arc_faults(lab, series, cell_id)
    if figure == "protocol":
        yield from _life_faults(lab, series, cell_id)
    yield from _curves_left_out(lab, figure, list(series), cell_id)


def _curves_left_out(
    lab: Lab, figure: str, labels: list[tuple[str, ...]], cell_id: str
) -> Iterator[str]:
    """Return the curves that a figure of cycles or of spectra does not have beside its others."""
    names = [name for _, _, name in labels]
    if figure == "nyquist":
        spectra = {row["spectrum"] for row in lab.rows("impedance", cell_id=cell_id)}
        drawn = {int(number) for name in names for number in re.findall(r"spectrum (\d+)", name)}
        if len(drawn) != min(6, len(spectra)):
            yield f"{figure}: {len(drawn)} of {len(spectra)} spectra are drawn"
        for number in drawn:  # the points, the fit, and two parts of the residual
            if sum(name.startswith(f"spectrum {number},") for name in names) != 4:
                yield f"{figure}: a curve of spectrum {number} is left out"
    if figure in {"profiles", "dqdv"}:
        table = {"profiles": "voltage_profiles", "dqdv": "differential_capacity"}[figure]
        halves = {row["half_cycle"] for row in lab.rows(table, cell_id=cell_id)}
        curves = {
            f"cycle {row['cycle']}, {half.removesuffix('ing')}": row[f"{half}_half_cycle"]
            for row in lab.rows("cycles", cell_id=cell_id)
            for half in ("charging", "discharging")
            if row[f"{half}_half_cycle"] in halves
        }
        for name in names:
            cycle = name.split(",")[0]
            for known in curves:
                said = known.replace("charg", "charge")
                if known.startswith(f"{cycle},") and said not in names:
                    yield f"{figure}: {said} is left out"
        number = len({each.split(",")[0] for each in curves})
        if len({name.split(",")[0] for name in names}) != min(6, number):
            yield f"{figure}: not all cycles that are shown are drawn: {sorted(set(names))}"


def _arc_faults(
    lab: Lab, series: dict[tuple[str, ...], list[tuple[float, float]]], cell_id: str
) -> Iterator[str]:
    """Return the arcs that are not as wide and as high as those of the last spectrum."""
    arcs = lab.rows("impedance_arcs", cell_id=cell_id)
    last = max(arc["spectrum"] for arc in arcs)
    shown = [arc for arc in arcs if arc["spectrum"] == last]
    for arc in shown:
        (points,) = (each for (x, _, name), each in series.items()
                     if name == arc["process"] and x.startswith("Z"))  # fmt: skip
        x, y = np.array(points).T
        wide, high = arc["resistance_ohm"], arc["resistance_ohm"] / 2
        high *= np.tan(np.pi * arc["exponent"] / 4)  # of a depressed semicircle
        if abs(np.ptp(x) - wide) > 0.01 * wide or abs(y.max() - high) > 0.01 * high:
            yield f"arcs: {arc['process']} is {np.ptp(x)} Ω wide, stored is {wide}"
    stored = {
        (round(row["real_impedance_ohm"], 5), round(-row["imaginary_impedance_ohm"], 5))
        for row in lab.rows("impedance", cell_id=cell_id, spectrum=last)
    }
    marks = [{(round(x, 5), round(y, 5)) for x, y in points}
             for (x, _, _), points in series.items() if x.startswith("Z")]  # fmt: skip
    if stored not in marks:
        yield f"arcs: the points of spectrum {last} are not drawn"
    ends = {f"spectrum {each}" for each in (min(arc["spectrum"] for arc in arcs), last)}
    if {name for x, _, name in series if x.startswith("Time")} != ends:
        yield f"arcs: the relaxation times are not those of {sorted(ends)}"


def _life_faults(
    lab: Lab, series: dict[tuple[str, ...], list[tuple[float, float]]], cell_id: str
) -> Iterator[str]:
    """Return the stretches and spectra that are not drawn where they are stored."""
    rows = lab.rows("protocol_segments", cell_id=cell_id)
    zero = min(row["start_unix_time_second"] for row in rows)
    drawn: dict[str, list[float]] = {}
    factor = 3600.0
    for (x, _, name), points in series.items():
        factor = {"days": 86400.0, "h": 3600.0, "min": 60.0}[x.split("(")[1].rstrip(")")]
        drawn[name] = sorted(factor * at for at, _ in points)
    wanted: dict[str, list[float]] = {}
    for row in rows:
        ends = (row["start_unix_time_second"], row["end_unix_time_second"])
        wanted.setdefault(row["kind"], []).extend(end - zero for end in ends)
    first: dict[int, float] = {}
    for point in lab.rows("impedance", cell_id=cell_id):
        first.setdefault(point["spectrum"], point["unix_time_second"] - zero)
    wanted["spectrum"] = list(first.values())
    for name, times in wanted.items():
        if times and not np.allclose(drawn.get(name, []), sorted(times), rtol=1e-6, atol=1):
            yield f"protocol: {name} is drawn at {drawn.get(name)} s, stored is {sorted(times)}"
    if set(drawn) - set(wanted) - {"file"}:
        yield f"protocol: {set(drawn) - set(wanted)} is drawn and not stored"


def _rows(lab: Lab, drawn: Drawn, named: dict[str, str], cell_id: str) -> list[Row]:
    cycles = lab.rows("cycles", cell_id=cell_id)
    halves = {c[f"{word}_half_cycle"]: c["cycle"] for c in cycles
              for word in ("charging", "discharging")}  # fmt: skip
    if "name" in named:
        own = {} if drawn.table == "baselines" else {"cell_id": cell_id}
        return lab.rows(drawn.table, first_author_year=named["name"], **own)
    found = [{"cycle": halves.get(row.get("half_cycle")), **row}
             for row in lab.rows(drawn.table, cell_id=cell_id)]  # fmt: skip
    kept = {key: int(value) if value.isdigit() else value for key, value in named.items()
            if key in {"cycle", "direction", "spectrum"}}  # fmt: skip
    return [row for row in found if all(row[key] == value for key, value in kept.items())]


def _missing(
    lab: Lab, drawn: Drawn, named: dict[str, str], rows: list[Row], points: np.ndarray
) -> Iterator[str]:
    """Return a point that is drawn and that no row has, if there is one."""
    along, ups = drawn.along, drawn.up
    if "half" in named:
        half, unit = named["half"], named["unit"]
        ups = (f"{CYCLES[f'{half} ({unit})']}:{unit}",)
    if along == "first":
        areal = named["unit"] == "mAh/cm²"
        along = "first_areal_discharging_capacity_mah_per_cm2" if areal else \
            "first_specific_discharging_capacity_mah_per_g"  # fmt: skip
    x = _column(lab, along, drawn.table, rows)
    columns = [_column(lab, up, drawn.table, rows) for up in ups] or [np.full(len(rows), np.nan)]
    for px, py in points:
        near = np.isclose(x, px, rtol=1e-7, atol=1e-12)
        fits = near & np.any([np.isclose(y, py, rtol=1e-6, atol=1e-9) for y in columns], axis=0)
        if not (fits if ups else near).any():
            yield f"({px}, {py}) is drawn and not stored as ({along}, {' or '.join(ups)})"
            return
    if len(rows) > _ALL_DRAWN or drawn.table in _CHOSEN:
        return
    for up, column in zip(ups, columns, strict=False):
        for rx, ry in zip(x, column, strict=True):
            near = np.isclose(points[:, 0], rx, rtol=1e-7, atol=1e-12)
            near &= np.isclose(points[:, 1], ry, rtol=1e-6, atol=1e-9)
            if np.isfinite([rx, ry]).all() and not (near.any() or _by_axis(drawn)):
                yield f"({rx}, {ry}) is stored as ({along}, {up}) and not drawn"
                return


def _by_axis(drawn: Drawn) -> bool:
    """Return whether real and imaginary part are two curves, of which each axis has one."""
    return "=residual real" in drawn.up


def _column(lab: Lab, name: str, table: str, rows: list[Row]) -> np.ndarray:
    name, _, unit = name.partition(":")
    values = [lab.value(name, row, table).in_unit(unit) for row in rows]
    return np.array([np.nan if value is None else value for value in values], float)
