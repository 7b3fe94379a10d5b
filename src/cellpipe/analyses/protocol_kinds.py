"""The kind of each step: by the technique, the mode of the step, or the pattern of the current."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.symmetric_cells import is_symmetric
from cellpipe.core.model import Cell
from cellpipe.numerics.cycling import protocol
from cellpipe.numerics.cycling.protocol import SYMMETRIC, Runs

_TECHNIQUES = (  # the first that is found in a technique's name counts
    ("voltammogram", r"^(CV|CVA|LSV)$|voltammetry"),
    ("EIS", r"EIS\b|impedance|^ZIR$|^EISPOT$"),
    ("GITT", r"\bGITT\b|intermittent titration"),
    ("hold/float", r"^(CA|CstV)$|^chrono ?a(mperometry)?\b"),
)
_ONE_WAY = r"^(CP|CstC)$|^chrono ?p(otentiometry)?\b"  # current that is no part of cycles
_MODES = {"ramp": "voltammogram", "pulse": "HPPC/pulse", "impedance": "EIS"}
_OPEN_SECOND, _STORED_SECOND, _TOLD_SECOND = 3000.0, 86400.0, 600.0
_WEAK = 0.005
_OPEN = r"(?i)^(OCV|OCP|WAIT|CORPOT)$|open circuit|^wait"
_FEWEST_IN_A_ROW = 3  # half cycles with pulses, which are then cycled so
_ALIKE = 1.2  # of pulses beside a titration

Names = NDArray[Any]  # of kinds; "" where not told yet


def name_steps(
    cell: Cell, timeseries: pl.DataFrame, steps: pl.DataFrame, half_cycles: pl.DataFrame
) -> tuple[Names, Names]:
    """Return the kind of each step of recordings, and what tells it; "" where that is not told.

    Parameters
    ----------
    cell
        Its ``configuration`` says whether it is symmetric, or else its voltages do.
    timeseries, steps, half_cycles
        The cell's records, their steps, and its half cycles.

    """
    kinds, by = _told_kinds(steps)
    numbers = steps["recording"].rle_id().to_numpy()
    symmetric = is_symmetric(cell, half_cycles)
    if not symmetric:
        _name_short_pulses(steps, kinds, by, numbers)
    for number in np.unique(numbers):
        at = np.flatnonzero(numbers == number)
        own_kinds, own_by, own = kinds[at], by[at], steps[at]
        rows = slice(own["first_row"][0], own["last_row"][-1] + 1)
        _name_recording(own, own_kinds, own_by, timeseries[rows], symmetric=symmetric)
        kinds[at], by[at] = own_kinds, own_by
    return kinds, by


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
    steps: pl.DataFrame, kinds: Names, by: Names, records: pl.DataFrame, *, symmetric: bool
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
    if symmetric:
        runs, number = _runs(steps.filter(plain))
        kinds[plain] = np.where(protocol.current_ramps(runs)[number], SYMMETRIC[1], SYMMETRIC[0])
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


def name_half_cycles(
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
    for number in _routine(found, signs):
        del found[number]
    for number, (kind, _) in found.items():
        first, last = ranges[number]
        at = np.arange(first, last + 1)[kinds[first : last + 1] == ""]
        kinds[at], by[at] = kind, "current pattern"


def _routine(found: dict[int, tuple[str, float]], signs: NDArray[np.int64]) -> list[int]:
    """Return the half cycles whose pulses are part of the cycling.

    Those are three or more of one direction in a row: a test of its own is run once in a while.
    """
    numbers: list[int] = []
    for sign in (1, -1):
        row: list[int] = []
        for number in [*np.flatnonzero(signs == sign).tolist(), None]:
            if number is not None and found.get(number, ("",))[0] == "HPPC/pulse":
                row.append(number)
                continue
            numbers += row if len(row) >= _FEWEST_IN_A_ROW else []
            row = []
    return numbers


def name_rests(steps: pl.DataFrame, kinds: Names, by: Names) -> None:
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
