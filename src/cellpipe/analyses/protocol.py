"""What was done with a cell in every stretch of its recorded life: ``protocol_segments``.

One pass through the records gives the steps: where direction, mode or the instrument's step number
change. A step is told, in this order, by the technique of its file, by the mode of the step, and by
the pattern of current and voltage (:mod:`cellpipe.numerics.cycling.protocol`). What is a titration
or a pulse test is told of a whole half cycle. All other current makes cycles, whose kinds follow
from their rates (:mod:`cellpipe.numerics.cycling.cycle_kinds`); current of less than ten minutes in
one direction, and a constant current by a technique that makes no cycles, is not told. Rests belong
to what is around them, but for 50 minutes or more before all current (OCV) and a day or more
(storage, or OCV before the cell's first current).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.cycles import active_mass, pair_cycles
from cellpipe.analyses.protocol_kinds import Names, name_half_cycles, name_rests, name_steps
from cellpipe.analyses.protocol_steps import PAUSE_SECOND, find_steps, hold_begins
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.cycling.ageing import SAME_RATE
from cellpipe.numerics.cycling.protocol import NO_CYCLES, SYMMETRIC, TRAINS

_MOSTLY = 0.8  # of currents that are alike
_SIDES = ("charge", "discharge")
_TOLD = (*NO_CYCLES, *SYMMETRIC, "not told")


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    timeseries, halves = tables["timeseries"], tables["half_cycles"]
    steps = find_steps(timeseries)
    holds = hold_begins(timeseries, steps)
    steps = find_steps(timeseries, holds) if holds else steps
    kinds, by = name_steps(cell, timeseries, steps, halves)
    places = _locate_half_cycles(timeseries, halves, steps)
    name_half_cycles(steps, kinds, by, halves, places)
    name_rests(steps, kinds, by)
    of_half = kinds[places[0]] if halves.height else np.zeros(0, dtype=object)
    told = [kind if kind in _TOLD else "cycling" for kind in of_half]
    halves = halves.with_columns(pl.Series("protocol", told, dtype=pl.String))
    cycles, _ = pair_cycles(cell, halves)
    cycle_of = _cycles_of_halves(cycles)
    driven = steps["direction"].to_numpy() != 0
    for half, first, last in zip(halves["half_cycle"], *places, strict=True):
        at = np.arange(first, last + 1)
        at = at[(kinds[at] == "") & driven[at]]
        kinds[at] = cycle_of[half][1]
    kinds[(kinds == "") & driven] = "cycling"  # less than a half cycle, beside others
    table = _stretches(cell, steps, _spread(kinds, steps), by)
    table = _add_half_cycles(cell, table, halves, cycle_of, places[0])
    table = _add_spectra(cell, table, timeseries, tables["impedance"])
    return (Result("protocol_segments", table.drop("first_step", "last_step")),)


def _locate_half_cycles(
    timeseries: pl.DataFrame, half_cycles: pl.DataFrame, steps: pl.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last step of each half cycle; shape (k,) each."""
    rows = timeseries.select("file_sha256", "record_index").with_row_index("row")
    starts, order = steps["first_row"].to_numpy(), None
    if len(starts) and (np.diff(starts.astype(np.int64)) < 0).any():
        order = np.argsort(starts)
        starts = starts[order]
    places = []
    for end in ("first", "last"):
        file = "file_sha256" if end == "first" else "last_file_sha256"
        ends = half_cycles.select(
            file_sha256=pl.col(file), record_index=pl.col(f"{end}_record_index")
        )
        found = ends.join(
            rows.unique(["file_sha256", "record_index"], keep=end),
            on=["file_sha256", "record_index"], how="left", maintain_order="left",
        )["row"].fill_null(0).to_numpy()  # fmt: skip
        step = np.searchsorted(starts, found, side="right") - 1
        places.append(step if order is None else order[step])
    return places[0].astype(np.int64), places[1].astype(np.int64)


def _spread(kinds: Names, steps: pl.DataFrame) -> Names:
    """Give what is not told the kind before it in its recording, else the one behind it.

    Spectra between other steps count as these.
    """
    name = pl.col("recording")
    frame = steps.select("recording", kind=pl.Series(kinds.tolist(), dtype=pl.String))
    others = frame.filter(~pl.col("kind").is_in(["", "EIS", "OCV"]))["recording"].unique()
    embedded = (pl.col("kind") == "EIS") & name.is_in(others.implode())
    told = pl.when(~embedded & (pl.col("kind") != "")).then("kind")
    filled = told.forward_fill().over("recording")
    filled = filled.fill_null(told.backward_fill().over("recording")).fill_null("not told")
    return np.array(frame.select(filled).to_series().to_list(), dtype=object)


def _cycles_of_halves(cycles: pl.DataFrame) -> dict[int, tuple[int, str]]:
    """Return number and kind of the cycle of each half cycle."""
    found = {}
    for side in _SIDES:
        rows = cycles.drop_nulls(f"{side}_half_cycle")
        for half, cycle, kind in rows.select(f"{side}_half_cycle", "cycle", "protocol").iter_rows():
            found[half] = (cycle, kind)
    return found


def _stretches(cell: Cell, steps: pl.DataFrame, kinds: Names, by: Names) -> pl.DataFrame:
    """Join neighbouring steps of one recording and one kind."""
    ends = {
        "file_sha256": ("first_file_sha256", "first"),
        "last_file_sha256": ("last_file_sha256", "last"),
        "first_record_index": ("first_record_index", "first"),
        "last_record_index": ("last_record_index", "last"),
        "start_unix_time_second": ("first_unix_time_second", "first"),
        "end_unix_time_second": ("last_unix_time_second", "last"),
        "first_step": ("step_place", "first"), "last_step": ("step_place", "last"),
    }  # fmt: skip
    pulse = (pl.col("direction") != 0) & pl.col("direction").ne_missing(
        pl.col("direction").shift(1)
    )
    weight = pl.col("duration").sum().over("stretch", "by")
    named = steps.with_row_index("step_place").with_columns(
        kind=pl.Series(kinds.tolist(), dtype=pl.String),
        by=pl.Series(by.tolist(), dtype=pl.String),
        pulse=pulse,
    )
    since = pl.col("first_test_time_second") - pl.col("last_test_time_second").shift(1)
    paused = ((pl.col("kind") == "EIS") & (since > PAUSE_SECOND)).fill_null(value=False)
    named = named.with_columns(
        stretch=pl.struct("recording", "kind", pause=paused.cum_sum()).rle_id()
    )
    told = named.with_columns(weight=pl.when(pl.col("by") == "").then(-1.0).otherwise(weight))
    return (
        told.group_by("stretch", maintain_order=True)
        .agg(
            pl.col("kind").first(),
            told_by=pl.col("by").get(pl.col("weight").arg_max()),
            duration_second=(
                pl.col("last_test_time_second").last() - pl.col("first_test_time_second").first()
            ).clip(0),
            pulses=pl.when(pl.col("kind").first().is_in(TRAINS)).then(pl.col("pulse").sum()),
            records=pl.col("records").sum(),
            **{n: getattr(pl.col(of), end)() for n, (of, end) in ends.items()},
        )
        .with_columns(
            cell_id=pl.lit(cell.cell_id),
            told_by=pl.col("told_by").replace("", "current pattern"),
            stretch=pl.int_range(pl.len()),
        )
    )


def _add_half_cycles(
    cell: Cell,
    table: pl.DataFrame,
    halves: pl.DataFrame,
    cycle_of: dict[int, tuple[int, str]],
    places: NDArray[np.int64],
) -> pl.DataFrame:
    """Add half cycles, cycles, currents and rates."""
    stretch = np.searchsorted(table["first_step"].to_numpy(), places, side="right") - 1
    own = halves.select(
        "half_cycle", "direction", ampere="constant_current_ampere",
        cycle=pl.Series(
            [None if cycle_of[h][1] in NO_CYCLES else cycle_of[h][0] for h in halves["half_cycle"]],
            dtype=pl.Int64,
        ),
        stretch=pl.Series(stretch, dtype=pl.Int64),
    )  # fmt: skip
    found = own.group_by("stretch").agg(
        first_half_cycle=pl.col("half_cycle").min(), last_half_cycle=pl.col("half_cycle").max(),
        first_cycle=pl.col("cycle").min(), last_cycle=pl.col("cycle").max(),
        **{f"{word}_current_ampere": _usual_current(side)
           for side, word in zip(_SIDES, ("charging", "discharging"), strict=True)},
    )  # fmt: skip
    mass, _ = active_mass(cell)
    nominal = cell.nominal_capacity_mah_per_g
    one_c = nominal * mass * 1e-6 if mass and nominal else None
    ampere = pl.coalesce("discharging_current_ampere", "charging_current_ampere")
    return table.join(found, on="stretch", how="left", maintain_order="left").with_columns(
        c_rate=ampere / one_c if one_c else pl.lit(None, pl.Float64)
    )


def _usual_current(side: str) -> pl.Expr:
    """Return the median current of half cycles of a direction; null if many differ from it."""
    ampere = pl.col("ampere").filter(pl.col("direction") == side)
    near = (ampere / ampere.median() - 1).abs() <= SAME_RATE
    return pl.when(near.mean() >= _MOSTLY).then(ampere.median())


def _add_spectra(
    cell: Cell, table: pl.DataFrame, timeseries: pl.DataFrame, impedance: pl.DataFrame
) -> pl.DataFrame:
    """Add the number of spectra to stretches, and stretches of files with nothing but spectra."""
    unix = pl.col("unix_time_second") if "unix_time_second" in impedance.columns else pl.lit(None)
    spectra = impedance.group_by("spectrum", maintain_order=True).agg(
        pl.col("file_sha256").first(), pl.col("record_index").first(),
        start=unix.first().cast(pl.Float64), end=unix.last().cast(pl.Float64),
        last=pl.col("record_index").last(), records=pl.len(),
        begin=pl.col("test_time_second").first(), until=pl.col("test_time_second").last(),
        technique=pl.col("technique").first()
        if "technique" in impedance.columns else pl.lit(None, pl.String),
    )  # fmt: skip
    rows = [*table.iter_rows(named=True)]
    counts = [0] * len(rows)
    known = set(timeseries["file_sha256"].unique())
    others: dict[str, dict[str, Any]] = {}
    for one in spectra.iter_rows(named=True):
        place = next((n for n, row in enumerate(rows) if _holds(row, one)), None)
        if place is not None:
            counts[place] += 1
        elif one["file_sha256"] not in known:
            alone = others.setdefault(one["file_sha256"], _only_spectra(cell, one))
            alone["spectra"] += 1
            alone["records"] += one["records"]
            alone |= {"last_record_index": one["last"], "end_unix_time_second": one["end"]}
            alone["duration_second"] = max((one["until"] or 0) - alone["begin"], 0)
    for row, count in zip(rows, counts, strict=True):
        row["spectra"] = count
    made = pl.DataFrame(
        [*rows, *others.values()],
        schema=empty_table("protocol_segments").schema
        | {"first_step": pl.UInt32, "last_step": pl.UInt32},
        strict=False,
    )
    if not made["start_unix_time_second"].null_count():
        made = made.sort("start_unix_time_second", maintain_order=True)
    return made.with_columns(stretch=pl.int_range(1, pl.len() + 1))


def _holds(row: dict[str, Any], spectrum: dict[str, Any]) -> bool:
    """Return whether a spectrum was measured in a stretch, by its file and first record."""
    file, record = spectrum["file_sha256"], spectrum["record_index"]
    if file not in {row["file_sha256"], row["last_file_sha256"]} or record is None:
        return False
    after = file != row["file_sha256"] or record >= row["first_record_index"]
    before = file != row["last_file_sha256"] or record <= row["last_record_index"]
    return bool(after and before)


def _only_spectra(cell: Cell, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_id": cell.cell_id, "kind": "EIS",
        "told_by": "technique" if one["technique"] else "current pattern",
        "file_sha256": one["file_sha256"], "last_file_sha256": one["file_sha256"],
        "first_record_index": one["record_index"], "start_unix_time_second": one["start"],
        "begin": one["begin"] or 0.0, "records": 0, "spectra": 0,
    }  # fmt: skip


ANALYSIS = Analysis(
    "protocol", ("timeseries", "half_cycles", "impedance"), ("protocol_segments",), _compute,
    fields=(
        "cell_id", "configuration", "working_electrode_role", "cathode_active_mass_mg",
        "anode_active_mass_mg", "nominal_capacity_mah_per_g",
    ),
)  # fmt: skip
