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

import re
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.charge_flow import find_directions
from cellpipe.analyses.cycles import active_mass, pair_cycles
from cellpipe.analyses.missing_pieces import recording
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Analysis, Cell, Result, Tables
from cellpipe.numerics.cycling import protocol
from cellpipe.numerics.cycling.ageing import SAME_RATE
from cellpipe.numerics.cycling.protocol import NO_CYCLES, SYMMETRIC, TRAINS, Runs

_TECHNIQUES = (  # the first that is found in a technique's name counts
    ("voltammogram", r"^(CV|CVA|LSV)$|voltammetry"),
    ("EIS", r"EIS\b|impedance|^ZIR$|^EISPOT$"),
    ("GITT", r"\bGITT\b|intermittent titration"),
    ("hold/float", r"^(CA|CstV)$|^chrono ?a(mperometry)?\b"),
)
_ONE_WAY = r"^(CP|CstC)$|^chrono ?p(otentiometry)?\b"  # current that is no part of cycles
_MODES = {"ramp": "voltammogram", "pulse": "HPPC/pulse", "impedance": "EIS"}
_OPEN_SECOND, _STORED_SECOND, _TOLD_SECOND = 3000.0, 86400.0, 600.0
_PAUSE_SECOND = 3600.0  # between spectra; a longer one is no part of them
_FLAT_VOLT, _UNSTEADY, _WEAK = 0.005, 1.5, 0.005
_OPEN = r"(?i)^(OCV|OCP|WAIT|CORPOT)$|open circuit|^wait"
_ALIKE, _MOSTLY = 1.2, 0.8  # of pulses beside a titration; share of currents that are alike
_SIDES = ("charge", "discharge")
_TOLD = (*NO_CYCLES, *SYMMETRIC, "not told")

Names = NDArray[Any]  # of kinds; "" where not told yet


def find_steps(timeseries: pl.DataFrame, cuts: tuple[int, ...] = ()) -> pl.DataFrame:
    """Return the steps of a cell's records in their order, one row each.

    A step begins with a recording, and where direction, mode, step number or measurement change.
    ``first_row`` and ``last_row`` are places in ``timeseries``; durations in s, currents in A.
    ``cuts`` are rows at which another step begins.
    """
    names = timeseries.columns
    optional = {"step_mode": pl.String, "technique": pl.String, "step_count": pl.Int64,
                "step_time_second": pl.Float64, "unix_time_second": pl.Float64}  # fmt: skip
    frame = timeseries.select(
        "file_sha256", "record_index", "test_time_second", "voltage_volt", "current_ampere",
        *(pl.col(n) if n in names else pl.lit(None, t).alias(n) for n, t in optional.items()),
        recording=recording(timeseries),
        measures=pl.col("frequency_hertz").is_not_null()
        if "frequency_hertz" in names else pl.lit(value=False),
    ).with_row_index("row")  # fmt: skip
    if _is_mixed(frame):
        frame = frame.sort("recording", maintain_order=True)
    frame = frame.with_columns(
        direction=_directions(timeseries, frame),
        interval=pl.col("test_time_second").diff().over("recording").clip(0).fill_null(0),
    )
    changes = pl.any_horizontal(
        pl.col(n).ne_missing(pl.col(n).shift(1))
        for n in ("recording", "direction", "step_mode", "step_count", "measures")
    )
    changes |= pl.col("row").is_in(cuts) | (
        pl.col("measures") & (pl.col("interval") > _PAUSE_SECOND)
    )
    # What passed before a first record that was taken at once belongs to the step before.
    late = changes & (pl.col("step_time_second") < pl.col("interval") / 2).fill_null(value=False)
    passed = pl.when(~late).then("interval").otherwise(0.0)
    passed += pl.when(late).then("interval").otherwise(0.0).shift(-1, fill_value=0.0)
    size = pl.col("current_ampere").abs()
    return (
        frame.with_columns(step=changes.cum_sum(), passed=passed)
        .group_by("step", maintain_order=True)
        .agg(
            pl.col("recording", "direction", "measures", "step_mode", "technique").first(),
            pl.col("file_sha256", "record_index", "test_time_second", "unix_time_second",
                   "row").first().name.prefix("first_"),
            pl.col("file_sha256", "record_index", "test_time_second", "unix_time_second",
                   "row").last().name.prefix("last_"),
            duration=pl.col("passed").sum(), current=size.mean(),
            voltage=pl.col("voltage_volt").mean(),
            flat=(pl.col("voltage_volt").max() - pl.col("voltage_volt").min()) <= _FLAT_VOLT,
            unsteady=size.max() > _UNSTEADY * size.min(), records=pl.len(),
        )
    )  # fmt: skip


def _directions(timeseries: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    """Return the direction of each record of a frame that has the records' places (``row``)."""
    found = []
    for (_,), part in frame.group_by("recording", maintain_order=True):
        own = timeseries[part["row"]] if part.height < timeseries.height else timeseries
        time, current, voltage = (
            own[name].to_numpy() for name in ("test_time_second", "current_ampere", "voltage_volt")
        )
        found.append(find_directions(own, time, current, voltage)[0])
    whole = np.concatenate(found) if found else np.zeros(0, np.int8)
    return pl.Series(whole, dtype=pl.Int8)


def _hold_begins(timeseries: pl.DataFrame, steps: pl.DataFrame) -> tuple[int, ...]:
    """Return the rows at which a long step goes over to holding the voltage."""
    long = steps.filter(
        "unsteady", ~pl.col("flat"), pl.col("direction") != 0,
        pl.col("duration") >= protocol.HELD_SECOND,
    )  # fmt: skip
    found = []
    for first, last in long.select("first_row", "last_row").iter_rows():
        part = timeseries[first : last + 1]
        volt, size = part["voltage_volt"].to_numpy(), np.abs(part["current_ampere"].to_numpy())
        away = np.flatnonzero(np.abs(volt - volt[-1]) > _FLAT_VOLT)
        begin = int(away[-1]) + 1 if len(away) else 0
        if 0 < begin < len(volt) - 1 and size[begin] > _UNSTEADY * size[-1]:
            found.append(first + begin)
    return tuple(found)


def _is_mixed(frame: pl.DataFrame) -> bool:
    """Return whether the records of a recording don't stand together."""
    return frame["recording"].rle_id().n_unique() > frame["recording"].n_unique()


def _told_kinds(steps: pl.DataFrame) -> tuple[Names, Names]:
    """Return what technique and mode tell of each step, and by which of them."""
    kinds, by = (np.full(steps.height, "", dtype=object) for _ in range(2))
    for mode, kind in _MODES.items():
        at = (steps["step_mode"] == mode).fill_null(value=False).to_numpy()
        kinds[at], by[at] = kind, "step table"
    for technique in steps["technique"].drop_nulls().unique():
        found = [k for k, pattern in _TECHNIQUES if re.search(pattern, technique, re.IGNORECASE)]
        if found:
            at = (steps["technique"] == technique).fill_null(value=False).to_numpy()
            kinds[at], by[at] = found[0], "technique"
    at = steps["measures"].to_numpy()
    named = at & (steps["technique"].is_not_null().to_numpy())
    kinds[at], by[at] = "EIS", "current pattern"
    by[named] = "technique"
    return kinds, by


def _runs(steps: pl.DataFrame) -> tuple[Runs, NDArray[np.int64]]:
    """Join neighbouring steps of one direction; return the runs, and the run of each step."""
    direction = steps["direction"].to_numpy()
    number = np.cumsum(np.diff(direction, prepend=direction[:1]) != 0)
    joined = steps.select(
        "direction", "duration", current=pl.col("current") * pl.col("duration"),
        voltage=pl.col("voltage") * pl.col("duration"), mean=pl.col("voltage"),
        plain=pl.col("current"), run=pl.Series(number),
    ).group_by("run", maintain_order=True).agg(
        pl.col("direction").first(), pl.col("duration", "current", "voltage").sum(),
        pl.col("mean", "plain").mean(),
    )  # fmt: skip
    lasts = pl.col("duration") > 0
    joined = joined.with_columns(
        current=pl.when(lasts).then(pl.col("current") / pl.col("duration")).otherwise("plain"),
        voltage=pl.when(lasts).then(pl.col("voltage") / pl.col("duration")).otherwise("mean"),
    )
    columns = (joined[n].to_numpy() for n in ("direction", "duration", "current", "voltage"))
    return Runs(*columns), number


def _is_symmetric(cell: Cell, steps: pl.DataFrame, kinds: Names) -> bool:
    """Return whether a cell is symmetric, by the sheet or else by its voltage."""
    if cell.configuration is not None:
        return cell.configuration == "symmetric"
    plain = steps.filter(pl.Series(kinds == ""))
    return plain.height > 0 and protocol.is_symmetric(_runs(plain)[0])


def _name_short_pulses(
    steps: pl.DataFrame, kinds: Names, by: Names, numbers: NDArray[np.int64]
) -> None:
    """Name the recordings that have nothing but short pulses, seen together."""
    pool = np.zeros(len(kinds), np.bool_)
    for number in np.unique(numbers):
        at = (numbers == number) & (kinds == "")
        if at.any():
            runs, _ = _runs(_without_weak(steps.filter(pl.Series(at))))
            longest = float(np.max(runs.duration[runs.direction != 0], initial=0.0))
            pool |= at & (longest <= protocol.PULSE_SECOND)
    if pool.any():
        runs, _ = _runs(_without_weak(steps.filter(pl.Series(pool))))
        if protocol.is_pulse_test(runs):
            kinds[pool], by[pool] = "HPPC/pulse", "current pattern"


def _without_weak(steps: pl.DataFrame) -> pl.DataFrame:
    """Return steps of which those with next to no current are rests."""
    weak = pl.col("current") < _WEAK * pl.col("current").max()
    return steps.with_columns(direction=pl.when(weak).then(0).otherwise("direction"))


def _name_recording(
    steps: pl.DataFrame, kinds: Names, by: Names, records: pl.DataFrame, *, is_symmetric: bool
) -> None:
    """Name the steps of one recording as far as their pattern tells; ``kinds`` is filled in."""
    plain = kinds == ""
    direction = steps["direction"].to_numpy()
    driven = plain & (direction != 0)
    if not driven.any():
        return
    modes = steps["step_mode"].to_list()
    unknown = np.array([mode is None for mode in modes])
    led = np.array([mode == "CV" for mode in modes])
    seconds, unsteady = steps["duration"].to_numpy(), steps["unsteady"].to_numpy() & driven
    changes = seconds[unsteady].sum() > seconds[driven].sum() / 2  # the current within steps
    untold = (unknown | led)[driven].all() and steps["technique"].null_count() == steps.height
    if changes and untold:
        columns = ("test_time_second", "voltage_volt", "current_ampere")
        values = (records[n].to_numpy() for n in columns)
        if protocol.is_sweep(*values, one_way=bool(led[driven].all())):
            kinds[plain], by[plain] = "voltammogram", "current pattern"
            return
    if is_symmetric:
        runs, number = _runs(steps.filter(plain))
        kinds[plain] = np.where(protocol.find_rising(runs)[number], SYMMETRIC[1], SYMMETRIC[0])
        by[plain] = "current pattern"
        return
    held = led | (steps["flat"] & steps["unsteady"]).to_numpy()
    held = protocol.find_holds(held & plain, direction, seconds)
    kinds[held] = "hold/float"
    by[held] = np.where(led[held], "step table", "current pattern")
    told = steps["technique"].fill_null("").str.contains(f"(?i){_ONE_WAY}").to_numpy()
    rest = driven & ~held
    one_way = len(np.unique(direction[rest])) == 1
    if one_way and (told[rest].all() or seconds[rest].sum() < _TOLD_SECOND):
        kinds[plain & ~held], by[plain & ~held] = "not told", "current pattern"


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


def _name_half_cycles(
    steps: pl.DataFrame,
    kinds: Names,
    by: Names,
    halves: pl.DataFrame,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Name the half cycles that are titrations or pulse tests, and all of their steps."""
    found: dict[int, tuple[str, float]] = {}
    signs = np.where(halves["direction"] == "charge", 1, -1)
    driven = np.cumsum(np.append(0, steps["direction"].to_numpy() != 0))
    ranges = list(zip(*places, strict=True))
    for number, (first, last) in enumerate(ranges):
        few = driven[last + 1] - driven[first] < protocol.FEWEST_PULSES
        if few or not set(kinds[first : last + 1]) <= {"", "EIS"}:
            continue
        runs, _ = _runs(steps[first : last + 1])
        kind = protocol.name_train(runs, int(signs[number]))
        if kind is not None:
            pulse = float(np.median(runs.duration[runs.direction != 0]))
            found[number] = (kind, pulse)
    for number in [each + side for each in found for side in (-1, 1)]:  # just begun beside one
        beside = found.get(number - 1) or found.get(number + 1)
        if number in found or not 0 <= number < len(ranges) or beside is None:
            continue
        first, last = ranges[number]
        runs, _ = _runs(steps[first : last + 1])
        pulses = runs.duration[runs.direction != 0]
        if set(kinds[first : last + 1]) <= {"", "EIS"} and (pulses <= _ALIKE * beside[1]).all():
            found[number] = beside
    for number, (kind, _) in found.items():
        first, last = ranges[number]
        at = np.arange(first, last + 1)[kinds[first : last + 1] == ""]
        kinds[at], by[at] = kind, "current pattern"


def _name_rests(steps: pl.DataFrame, kinds: Names, by: Names) -> None:
    """Name rests: open circuit before all current of a recording, and storage."""
    direction, measures = steps["direction"].to_numpy(), steps["measures"].to_numpy()
    rests = (direction == 0) & ~measures & (kinds == "")
    names = steps["recording"].rle_id().to_numpy()
    seen = np.cumsum(direction != 0) > 0
    duration = steps["duration"].to_numpy()
    for number in np.unique(names):
        at = np.flatnonzero(names == number)
        own = direction[at] != 0
        told = (steps["step_mode"][at] == "rest").fill_null(value=False).to_numpy()
        word = np.where(told, "step table", "current pattern")
        if not (own | measures[at] | (kinds[at] != "")).any():
            is_stored = seen[at[0]] and duration[at].sum() >= _STORED_SECOND
            kinds[at] = "storage" if is_stored else "OCV"
            of_technique = steps["technique"][at].fill_null("").str.contains(_OPEN).to_numpy()
            by[at] = np.where(of_technique & ~is_stored, "technique", word)
            continue
        runs, run = _runs(steps[at])
        long = runs.duration >= _STORED_SECOND
        first = int(np.argmax(runs.direction != 0)) if own.any() else len(runs.direction)
        for place in np.flatnonzero(runs.direction == 0):
            here = at[run == place]
            if not rests[here].all():
                continue
            opens = place < first and runs.duration[place] >= _OPEN_SECOND
            if long[place] or opens:
                kinds[here] = "storage" if long[place] and seen[here[0]] else "OCV"
                by[here] = word[run == place]


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


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    timeseries, halves = tables["timeseries"], tables["half_cycles"]
    steps = find_steps(timeseries)
    holds = _hold_begins(timeseries, steps)
    steps = find_steps(timeseries, holds) if holds else steps
    kinds, by = _told_kinds(steps)
    numbers = steps["recording"].rle_id().to_numpy()
    symmetric = _is_symmetric(cell, steps, kinds)
    if not symmetric:
        _name_short_pulses(steps, kinds, by, numbers)
    for number in np.unique(numbers):
        at = np.flatnonzero(numbers == number)
        own_kinds, own_by, own = kinds[at], by[at], steps[at]
        rows = slice(own["first_row"][0], own["last_row"][-1] + 1)
        _name_recording(own, own_kinds, own_by, timeseries[rows], is_symmetric=symmetric)
        kinds[at], by[at] = own_kinds, own_by
    places = _locate_half_cycles(timeseries, halves, steps)
    _name_half_cycles(steps, kinds, by, halves, places)
    _name_rests(steps, kinds, by)
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
    paused = ((pl.col("kind") == "EIS") & (since > _PAUSE_SECOND)).fill_null(value=False)
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
