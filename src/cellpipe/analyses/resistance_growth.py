"""Growth of the interfacial resistance over the life of a cell.

For every state of charge, of the total interfacial resistance and of each interface arc: first and
last value, whether it rises or falls, growth per cycle and per root of time, the law of its change
or that no simple one describes it, jumps (:mod:`cellpipe.numerics.impedance.growth`), and which
clock explains it (:mod:`cellpipe.numerics.impedance.growth_clocks`). Scatter from spectrum to
spectrum is held against the precision of each resistance, not against the misfit of the circuit,
which is the same in all. Time starts at the cell's first record. The law is null for fewer than
five spectra, or if a spectrum has no clock.

Spectra that stand apart from those beside them are left out, and so is the law where a state is not
one: where its voltage, charge or temperature varies.

Repeats are spectra of one state without a new cycle between them; their repeatability is that of
the sum, from separate fits of the spectra.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.impedance.growth import NO_LAW, Growth, fit_growth
from cellpipe.numerics.impedance.growth_clocks import find_clock
from cellpipe.numerics.impedance.growth_laws import TIMED
from cellpipe.numerics.impedance.processes import INTERFACE

_HOUR = 3600.0
_DIGITS = 7
_TOTAL = "all"
_TIME, _CHARGE, _CYCLES = "time", "charge passed", "cycles"
_SAME = "not told apart"


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    known = tables["interfacial_resistance"].filter(
        pl.col("interfacial_resistance_ohm").is_not_null()
        & pl.col("interfacial_resistance_remark").is_null()
    )
    apart = known.filter(pl.col("left_out_of_series").is_not_null())
    known = known.filter(pl.col("left_out_of_series").is_null())
    start = _start_time(known, tables["cycles"])
    passed = tables.get("half_cycles", empty_table("half_cycles"))
    rows: list[dict[str, object]] = []
    findings: list[Finding] = []
    for (state,), spectra in known.group_by("state", maintain_order=True):
        total = spectra.select(
            "spectrum", "cycle", "unix_time_second",
            resistance="interfacial_resistance_ohm",
            error=_error("interfacial_resistance"),
        )  # fmt: skip
        varies = spectra["varies"][0]
        of_state = apart.filter(state=state)
        row, law = _growth_row(total, start if varies is None else None, passed)
        row |= _left_out_columns(row, of_state)
        head = {"cell_id": cell.cell_id, "state": state, "varies": varies}
        rows.append({**head, "arc": _TOTAL, "process": "interface", **row,
                     "repeatability": _repeatability(spectra)})  # fmt: skip
        findings += _jump_findings(law, total) + _apart_findings(total, of_state)
        inside = tables["impedance_arcs"].filter(pl.col("process").is_in(INTERFACE)).join(
            spectra.select("spectrum", "cycle", "unix_time_second"), on="spectrum"
        )  # fmt: skip
        arcs = _arc_rows(inside, start if varies is None else None, passed)
        rows += [{**head, **arc, **_left_out_columns(arc, of_state)} for arc in arcs]
    frame = pl.DataFrame(rows, schema_overrides=empty_table("resistance_growth").schema)
    rounded = frame.with_columns(pl.selectors.float().fill_nan(None).round_sig_figs(_DIGITS))
    table = pl.concat([empty_table("resistance_growth"), rounded], how="diagonal")
    return (Result("resistance_growth", table, tuple(findings)),)


def _left_out_columns(row: dict[str, object], apart: pl.DataFrame) -> dict[str, object]:
    """Return the odd spectrum where it is one that was left out, not one that the law found."""
    known = row.get("law") not in {None, NO_LAW}
    if apart.is_empty() or row.get("odd_spectrum") is not None or not known:
        return {}
    return {"odd_spectrum": apart["spectrum"][0]}


def _apart_findings(points: pl.DataFrame, apart: pl.DataFrame) -> list[Finding]:
    """Return the resistance of each spectrum that was left out beside those of the others."""
    shown = pl.concat([
        points.select("spectrum", "resistance"),
        apart.select("spectrum", resistance="interfacial_resistance_ohm"),
    ]).sort("spectrum")  # fmt: skip
    places = [shown["spectrum"].index_of(number) for number in apart["spectrum"]]
    return [_odd_finding(shown, place, left_out=True) for place in places if place is not None]


def _start_time(spectra: pl.DataFrame, cycles: pl.DataFrame) -> float | None:
    """Return the time of the cell's first record, s; None if a spectrum has no clock."""
    if spectra["unix_time_second"].null_count() or spectra.is_empty():
        return None
    starts = [spectra["unix_time_second"].min(), cycles["start_unix_time_second"].min()]
    return min(float(str(start)) for start in starts if start is not None)


def _error(name: str) -> pl.Expr:
    """Return the standard error from the noise alone; the whole one where that is not known."""
    return pl.coalesce(f"{name}_precision_ohm", f"{name}_standard_error_ohm")


def _arc_rows(
    arcs: pl.DataFrame, start: float | None, passed: pl.DataFrame
) -> list[dict[str, object]]:
    out = []
    for (name,), rows in arcs.sort("spectrum").group_by("arc", maintain_order=True):
        points = rows.select(
            "spectrum", "cycle", "unix_time_second", resistance="resistance_ohm",
            error=_error("resistance"),
        )  # fmt: skip
        row, _ = _growth_row(points, start, passed)
        out.append({"arc": name, "process": rows["process"][0], **row})
    return out


def _growth_row(
    points: pl.DataFrame, start: float | None, passed: pl.DataFrame
) -> tuple[dict[str, object], Growth | None]:
    resistance = points["resistance"].to_numpy()
    first, last = float(resistance[0]), float(resistance[-1])
    row: dict[str, object] = {
        "spectra": points.height, "first_resistance_ohm": first, "last_resistance_ohm": last,
    }  # fmt: skip
    cycles = points["cycle"]
    if not cycles.null_count() and cycles[-1] > cycles[0]:
        row["growth_per_cycle_ohm"] = (last - first) / (cycles[-1] - cycles[0])
    if start is None or points["error"].null_count() == points.height:
        return row, None  # without an error, as of a resistance that was fixed, nothing is tested
    time = points["unix_time_second"].to_numpy() - start
    root = np.sqrt(np.maximum(time, 0) / _HOUR)
    if root[-1] > root[0]:
        row["growth_per_root_hour_ohm"] = (last - first) / float(root[-1] - root[0])
    if (np.diff(time) < 0).any():
        return row, None
    law = fit_growth(time / _HOUR, resistance, points["error"].fill_null(0.0).to_numpy())
    if law is None:
        return row, None
    row |= {
        "law": law.law, "law_probability": law.probability, "trend": law.trend,
        "no_change_chance": law.chance, "describing_laws": len(law.describing),
        "jumps": len(law.jumps),
        "odd_spectrum": None if law.odd is None else int(points["spectrum"][law.odd]),
        **_law_columns(law), **_clock_columns(points, law, start, passed),
    }  # fmt: skip
    if "power" in law.describing:
        row |= {"exponent": law.exponent, "exponent_standard_error": law.exponent_error}
    if law.jumps:
        place, step = law.jumps[0]
        row |= {"first_jump_spectrum": int(points["spectrum"][place]), "first_jump_ohm": step}
    return row, law


def _law_columns(law: Growth) -> dict[str, float]:
    """Return the parameters of a law, of those columns that it has."""
    if law.law == NO_LAW:
        return {}
    found = {"initial_resistance_ohm": law.initial, "law_start_hour": law.start}
    if law.law in TIMED:
        timed = {"time_constant_hour": law.parameter, "amplitude_ohm": law.rate,
                 "amplitude_standard_error_ohm": law.rate_error}  # fmt: skip
        return found | timed
    if law.law == "jump":
        return found
    found |= {"rate_ohm_per_hour_to_the_m": law.rate, "rate_standard_error": law.rate_error}
    if law.law == "knee":
        knee = {"knee_hour": law.parameter, "rate_after_knee_ohm_per_hour": law.rate_after}
        return found | knee | {"law_exponent": 1.0}
    return found if law.law == "constant" else found | {"law_exponent": law.parameter}


def _clock_columns(
    points: pl.DataFrame, law: Growth, start: float, passed: pl.DataFrame
) -> dict[str, object]:
    """Return the clock that explains the change, where there are several and no jump."""
    rests_on_one = law.odd is not None and not law.describing
    if law.trend == "unchanged" or law.jumps or rests_on_one:
        return {}
    kept = points.filter(pl.int_range(pl.len()) != (-1 if law.odd is None else law.odd))
    clocks = {_TIME: kept["unix_time_second"].to_numpy() - start}
    charge = _charge_passed(kept["unix_time_second"], passed)
    if charge is not None:
        clocks[_CHARGE] = charge
    if not kept["cycle"].null_count():
        clocks[_CYCLES] = kept["cycle"].to_numpy().astype(np.float64)
    error = kept["error"].fill_null(0.0).to_numpy()
    found = find_clock(clocks, kept["resistance"].to_numpy(), error)
    if found is None:
        return {}
    names, probability = found
    if len(names) == len(clocks):
        return {"clock": _SAME}
    return {"clock": " or ".join(names), "clock_probability": probability}


def _charge_passed(times: pl.Series, passed: pl.DataFrame) -> np.ndarray | None:
    """Return the charge that passed before each time, Ah; None where it is not known."""
    known = passed.select("start_unix_time_second", "duration_second", "capacity_ah")
    if known.is_empty() or sum(known.null_count().row(0)):
        return None
    starts, lasts, charges = (known[name].to_numpy() for name in known.columns)
    since = times.to_numpy()[:, None] - starts[None, :]
    shares = np.clip(since / np.maximum(lasts, 1.0), 0.0, 1.0)
    return np.asarray(np.maximum.accumulate(shares @ np.abs(charges)), np.float64)


def _repeatability(spectra: pl.DataFrame) -> float | None:
    """Return the relative standard deviation of repeats, from separate fits; None without any."""
    separate = spectra.filter(
        pl.col("cycle").is_not_null() & pl.col("single_fit_resistance_ohm").is_not_null()
    )
    groups = separate.group_by("cycle").agg(
        count=pl.len(), mean=pl.col("single_fit_resistance_ohm").mean(),
        variance=pl.col("single_fit_resistance_ohm").var(),
    ).filter(pl.col("count") > 1)  # fmt: skip
    if groups.is_empty():
        return None
    freedom = groups["count"].to_numpy() - 1
    relative = groups["variance"].to_numpy() / groups["mean"].to_numpy() ** 2
    return float(np.sqrt((freedom * relative).sum() / freedom.sum()))


def _jump_findings(law: Growth | None, points: pl.DataFrame) -> list[Finding]:
    if law is None:
        return []
    odd = [] if law.odd is None else [_odd_finding(points, law.odd)]
    return odd + [
        Finding(
            "warning", "resistance_jumped",
            f"The interfacial resistance {'rose' if step > 0 else 'fell'} by {abs(step):.3g} Ω at "
            f"once before spectrum {points['spectrum'][place]}, which no law of growth explains: "
            f"{'a contact may be lost' if step > 0 else 'look for a short'}.",
            1,
        )
        for place, step in law.jumps
    ]  # fmt: skip


def _odd_finding(points: pl.DataFrame, place: int, *, left_out: bool = False) -> Finding:
    shown, number = points["resistance"], points["spectrum"][place]
    if 0 < place < points.height - 1:
        beside = f"between {shown[place - 1]:.4g} and {shown[place + 1]:.4g} Ω"
        so = "it is left out of the law"
    else:
        beside = f"that beside it {shown[1 if place == 0 else place - 1]:.4g} Ω"
        so = "it is left out" if left_out else "no law is named, for the others are one"
    sentence = (
        f"The interfacial resistance of spectrum {number} is {shown[place]:.4g} Ω, {beside}: {so}. "
        "Was the cell at rest, and well connected?"
    )
    return Finding("warning", "resistance_odd", sentence, 1)


ANALYSIS = Analysis(
    "resistance_growth",
    ("interfacial_resistance", "impedance_arcs", "cycles", "half_cycles"),
    ("resistance_growth",),
    _compute,
    version=3,
    fields=("cell_id",),
    columns={
        "cycles": ("start_unix_time_second",),
        "half_cycles": ("start_unix_time_second", "duration_second", "capacity_ah"),
    },
)
