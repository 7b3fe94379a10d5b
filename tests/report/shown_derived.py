"""What is worked out from stored numbers, once more, as the documentation says that it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
from shown_lab import ALIASES, DERIVED, Lab, Row, Stored, unit_of


def _time(lab: Lab, row: Row, column: str = "start_unix_time_second") -> Stored:
    seconds = row[column]
    return Stored(None if seconds is None else datetime.fromtimestamp(seconds, UTC))


def _source(lab: Lab, row: Row, half: str, which: str) -> Stored:
    found = lab.row("half_cycles", cell_id=row["cell_id"], half_cycle=row[half])
    return Stored(lab.row("files", file_sha256=found[which], cell_id=row["cell_id"])["path"])


def _group_values(lab: Lab, row: Row, column: str) -> list[float]:
    return [v[column] for v in lab.rows("cells", group=row["group"]) if v[column] is not None]


def _mean(lab: Lab, row: Row, column: str) -> Stored:
    values = _group_values(lab, row, column)
    return Stored(sum(values) / len(values), unit_of("cells", column))


def _deviation(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(pl.Series(_group_values(lab, row, column)).std(), unit_of("cells", column))


def _members(lab: Lab, row: Row) -> Stored:
    return Stored(len(lab.rows("cells", group=row["group"])), "1")


def _how_many(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(len(_group_values(lab, row, column)), "1")


def _last_common(lab: Lab, row: Row) -> tuple[int, pl.Series, int]:
    """Return the last cycle that all of a group completed, their retentions, and its reference."""
    cells = lab.rows("cells", group=row["group"])
    last = min(cell["retention_cycle"] for cell in cells)
    at = [lab.row("cycles", cell_id=cell["cell_id"], cycle=last) for cell in cells]
    retentions = pl.Series([cycle["capacity_retention"] for cycle in at])
    return last, retentions, at[0]["retention_reference_cycle"]


def _common(lab: Lab, row: Row, what: str) -> Stored:
    last, retentions, reference = _last_common(lab, row)
    return {
        "cycle": Stored(last, "1"), "reference": Stored(reference, "1"),
        "mean": Stored(retentions.mean(), "1"), "std": Stored(retentions.std(), "1"),
        "n": Stored(len(retentions), "1"),
    }[what]  # fmt: skip


def _standings(lab: Lab, row: Row, standing: str) -> Stored:
    """Count the published cells beside which a cell's retention stands like this."""
    rows = lab.rows("baseline_comparison", cell_id=row["cell_id"])
    return Stored(sum(r["standing"] == standing for r in rows if r["reached"]), "1")


def _compared(lab: Lab, row: Row) -> Stored:
    rows = lab.rows("baseline_comparison", cell_id=row["cell_id"])
    return Stored(sum(r["standing"] is not None for r in rows), "1")


def _reached(lab: Lab, row: Row) -> Stored:
    """Count the published cells that can be compared and whose last cycle the cell has reached."""
    rows = lab.rows("baseline_comparison", cell_id=row["cell_id"])
    return Stored(sum(r["standing"] is not None and r["reached"] for r in rows), "1")


def _ahead(lab: Lab, row: Row) -> Stored:
    return Stored(_compared(lab, row).value - _reached(lab, row).value, "1")


def _share_above(lab: Lab, row: Row) -> Stored:
    """Return what the index sorts standings by: those above, and half of those within."""
    of = _reached(lab, row).value
    above, within = (_standings(lab, row, each).value for each in ("above", "within"))
    return Stored((above + within / 2) / of if of else None)


def _count(lab: Lab, row: Row, table: str, column: str = "", value: str = "") -> Stored:
    """Count rows of a table: of the cell if there is one at hand, and with a value."""
    rows = lab.rows(table, cell_id=row["cell_id"]) if row else lab.table(table).to_dicts()
    return Stored(sum(not column or str(r[column]) == value.replace("_", " ") for r in rows), "1")


def _checks(lab: Lab, row: Row) -> Stored:
    """Count the findings of a cell that are more than a note."""
    return Stored(
        sum(r["severity"] != "note" for r in lab.rows("findings", cell_id=row["cell_id"]))
    )


def _newest(lab: Lab, row: Row, what: str = "text") -> Stored:
    rows = lab.rows("files", cell_id=row["cell_id"]) if row else lab.table("files").to_dicts()
    newest = max(r["modified_at"] for r in rows)
    return Stored(newest if what == "text" else newest.timestamp())


def per_gram(lab: Lab, cell_id: str) -> tuple[float, str]:
    """Return mAh/g per Ah of a cell, and what mass it is per; the mass stands in the cell sheet."""
    sheet = lab.rows("cell_sheet", cell_id=cell_id)
    basis = lab.row("cells", cell_id=cell_id)["capacity_basis"]
    if basis is None:
        return 1e3, ""
    mass = sheet[0][{"cathode active mass": "cathode_active_mass_mg",
                     "anode active mass": "anode_active_mass_mg"}[basis]]  # fmt: skip
    return 1e3 / (mass / 1e3), basis


def _per_gram(lab: Lab, row: Row, column: str) -> Stored:
    factor, basis = per_gram(lab, row["cell_id"])
    unit = "mAh/g" if basis else "mAh"
    volts = "/V" if column.endswith("per_volt") else ""
    return Stored(row[column] * factor, unit + volts)


def _basis(lab: Lab, row: Row) -> Stored:
    return Stored(per_gram(lab, row["cell_id"])[1])


def _potential(lab: Lab, row: Row) -> Stored:
    offset = lab.row("cell_sheet", cell_id=row["cell_id"])["reference_offset_volt"]
    return Stored(row["voltage_volt"] + offset, "V")


def _minus(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(-row[column], unit_of("impedance", column))


def _fitted(lab: Lab, row: Row, part: str) -> Stored:
    """Return what the fitted circuit gives at a frequency; nine digits of it are shown."""
    z = _fit(lab, row)
    return Stored(float(f"{z.real if part == 'real' else -z.imag:.9g}"), "Ω")


def _fit(lab: Lab, row: Row) -> complex:
    fits = lab.rows("circuit_fits", cell_id=row["cell_id"], spectrum=row["spectrum"])
    values = {(fit["element"], fit["parameter"]): fit["value"] for fit in fits}
    return impedance_of(fits[0]["circuit"], values, 2j * math.pi * row["frequency_hertz"])


def impedance_of(circuit: str, values: Mapping[tuple[str, str], float], s: complex) -> complex:
    """Return the impedance of a circuit of R and CPE: ``-`` in series, ``p( , )`` in parallel."""
    total, depth, start = 0j, 0, 0
    for place, sign in enumerate(circuit + "-"):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign != "-" or depth:
            continue
        part, start = circuit[start:place], place + 1
        if part.startswith("p("):
            branches = part[2:-1].split(",")
            total += 1 / sum(1 / impedance_of(branch, values, s) for branch in branches)
        elif part.startswith("CPE"):
            total += 1 / (values[part, "Q"] * s ** values[part, "n"])
        else:
            total += values[part, "R"]
    return total


def _range_of(lab: Lab, row: Row, column: str, which: str) -> Stored:
    """Return an end of what a cell's curves of the shown cycles have in a column."""
    values = lab.table("differential_capacity").filter(pl.col("cell_id") == row["cell_id"])[column]
    return Stored(values.min() if which == "low" else values.max(), "V")


def _own(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(row[column])


def _stamp(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(row[column].timestamp())


def _day(lab: Lab, row: Row, column: str) -> Stored:
    return Stored(f"{row[column]:%Y-%m-%d}")


def _law_band(lab: Lab, row: Row, column: str) -> Stored:
    """Return half of a 95 % interval: 1.96 standard errors."""
    return Stored(1.96 * _last_law(lab, row)[1][column], "")


def _last_arc(lab: Lab, row: Row, place: str, column: str) -> Stored:
    arcs = lab.rows("impedance_arcs", cell_id=row["cell_id"], spectrum=row["spectra"])
    return Stored(arcs[int(place)][column], unit_of("impedance_arcs", column))


def _peaks(lab: Lab, row: Row) -> Stored:
    """Count the peaks that are followed through at least three cycles, both directions."""
    seen: dict[tuple[str, int], int] = {}
    for peak in lab.rows("differential_capacity_peaks", cell_id=row["cell_id"]):
        key = (peak["direction"], peak["peak"])
        seen[key] = seen.get(key, 0) + 1
    return Stored(sum(number >= 3 for number in seen.values()))


def _with_capacity(lab: Lab, row: Row) -> Stored:
    rows = lab.rows("baseline_comparison", cell_id=row["cell_id"])
    return Stored(sum(r["comparable"] and r["baseline_initial_capacity"] is not None for r in rows))


def _last_cycle(lab: Lab, row: Row) -> Stored:
    cycles = lab.rows("cycles", cell_id=row["cell_id"])
    return Stored(max(c["cycle"] for c in cycles if c["complete"]), "1")


def _own_measure(lab: Lab, row: Row) -> Stored:
    """Return the cell's number that stands beside a figure of the review's text, in its unit."""
    measure, cell_id = row["measure_inferred"], row["cell_id"]
    own = lab.row("cells", cell_id=cell_id)
    if measure.endswith("coulombic_efficiency"):
        return Stored(None if own[measure] is None else 100 * own[measure])
    at = lab.rows("cycles", cell_id=cell_id, cycle=row["cycle_inferred"])
    if not at:
        return Stored(None)
    if measure == "areal_capacity":
        return Stored(at[0]["areal_discharging_capacity_mah_per_cm2"])
    first = lab.row("cycles", cell_id=cell_id, cycle=1)["discharging_capacity_ah"]
    return Stored(100 * at[0]["discharging_capacity_ah"] / first)


def _printed_unit(lab: Lab, row: Row) -> Stored:
    return Stored(row["unit"].replace("cm2", "cm²"))


def _slope(lab: Lab, row: Row) -> Stored:
    """Return dQ/dV as a figure draws it: charge upwards, discharge downwards."""
    found = _per_gram(lab, row, "differential_capacity_ah_per_volt")
    sign = 1 if row["direction"] == "charge" else -1
    return Stored(sign * found.value, found.unit)


def _residual(lab: Lab, row: Row, part: str) -> Stored:
    """Return measured minus fitted over the magnitude, in per cent."""
    measured = complex(row["real_impedance_ohm"], row["imaginary_impedance_ohm"])
    residual = 100 * (measured - _fit(lab, row)) / abs(measured)
    return Stored(residual.real if part == "real" else residual.imag)


def _root_hours(lab: Lab, row: Row) -> Stored:
    """Return the root of the hours since the cell's first record with a current or a spectrum."""
    starts = [
        *(c["start_unix_time_second"] for c in lab.rows("cycles", cell_id=row["cell_id"])),
        *(
            s["unix_time_second"]
            for s in lab.rows("interfacial_resistance", cell_id=row["cell_id"])
        ),
    ]
    return Stored(((row["unix_time_second"] - min(starts)) / 3600) ** 0.5)


def _end_of_bar(lab: Lab, row: Row, sign: str) -> Stored:
    """Return the areal resistance, one standard error more or less."""
    ohm, areal = row["interfacial_resistance_ohm"], row["areal_interfacial_resistance_ohm_cm2"]
    error = row["interfacial_resistance_standard_error_ohm"] * areal / ohm
    return Stored(areal + (error if sign == "+" else -error))


def _retained(lab: Lab, row: Row) -> Stored:
    """Return the discharge of a cycle over the first one, in per cent."""
    first = lab.row("cycles", cell_id=row["cell_id"], cycle=1)["discharging_capacity_ah"]
    return Stored(100 * row["discharging_capacity_ah"] / first)


def _reference(lab: Lab, row: Row) -> Stored:
    """Return the reference cycle of the retention, if it is one for all cells."""
    found = {cell["retention_reference_cycle"] for cell in lab.table("cells").to_dicts()}
    return Stored(found.pop() if len(found) == 1 else None)


def _last_of_all(lab: Lab, row: Row) -> Stored:
    return Stored(min(_last_cycle(lab, {"cell_id": cell_id}).value for cell_id in lab.cell_ids))


def _growth(lab: Lab, row: Row) -> Stored:
    return Stored(row["last_interfacial_resistance_ohm"] / row["first_interfacial_resistance_ohm"])


def _latest(lab: Lab, row: Row) -> list[Row]:
    """Return the latest three complete cycles that are no formation and have an efficiency."""
    return [
        c for c in lab.rows("cycles", cell_id=row["cell_id"])
        if c["complete"] and not c["formation_cycle"] and c["coulombic_efficiency"] is not None
    ][-3:]  # fmt: skip


def _latest_cycle(lab: Lab, row: Row, place: str) -> Stored:
    return Stored(_latest(lab, row)[int(place)]["cycle"])


def _latest_median(lab: Lab, row: Row) -> Stored:
    return Stored(sorted(c["coulombic_efficiency"] for c in _latest(lab, row))[1], "1")


def _nearest(lab: Lab, row: Row, *, with_retention: bool = True) -> tuple[str, Row]:
    rows = lab.rows("baseline_comparison", cell_id=row["cell_id"])
    ranked = [r for r in rows if r["comparable"] and (r["standing"] or not with_retention)]
    return "baseline_comparison", min(ranked, key=lambda r: r["rank"])


def standing_row(lab: Lab, row: Row) -> Row:
    """Return a cell's row beside the nearest published cell with a retention."""
    return _nearest(lab, row)[1]


def _last_law(lab: Lab, row: Row) -> tuple[str, Row]:
    rows = lab.rows("resistance_growth", cell_id=row["cell_id"], arc="all")
    return "resistance_growth", rows[0]


ALIASES |= {
    "nearest": _nearest, "law": _last_law,
}  # fmt: skip


DERIVED |= {
    "time": _time, "source": _source, "mean": _mean, "std": _deviation, "n": _how_many,
    "common": _common, "standings": _standings, "compared": _compared,
    "reached": _reached, "ahead": _ahead, "count": _count,
    "share_above": _share_above, "checks": _checks, "newest": _newest, "per_gram": _per_gram,
    "basis": _basis, "potential": _potential, "minus": _minus, "fitted": _fitted,
    "reference": _reference, "last_common": _last_of_all, "growth": _growth,
    "latest": _latest_cycle, "latest_median": _latest_median, "slope": _slope,
    "residual": _residual, "root_hours": _root_hours, "end_of_bar": _end_of_bar,
    "retained": _retained, "members": _members, "range": _range_of, "own": _own,
    "stamp": _stamp, "day": _day, "law_band": _law_band,
    "last_arc": _last_arc, "peaks": _peaks, "with_capacity": _with_capacity,
    "own_measure": _own_measure, "printed_unit": _printed_unit, "last_cycle": _last_cycle,
}  # fmt: skip
