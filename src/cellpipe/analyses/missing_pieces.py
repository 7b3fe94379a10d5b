"""Current that was not recorded: half cycles lost between two files, and pieces of one.

Two files, or a file of which records are missing, may leave out what ran between them. If the next
records go on in the direction of those before, the two would be one half cycle, with the charge of
both. They are two, and one of the other direction was lost, if together they hold more than a half
cycle does and the voltage went back in between, or if the instrument's own number of the cycle or,
within a file, of the step went on. They are one with a piece missing if the voltage went on in
between.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.model import Finding
from cellpipe.numerics.cycling.ageing import SAME_RATE

_MORE, _TWICE = 1.05, 1.5  # of the usual charge: more than a half cycle holds, whatever the voltage
_STUB = 0.05  # of the charge of both files; with less before the gap, there was nothing to lose
_BACK, _WHOLLY_BACK = 0.25, 0.75  # of the voltage's way that it went back between two files
_ON_VOLT, _ON_STEPS = 0.01, 3.0  # the voltage went on: V, and of its change between records
_BEGUN, _BEGUN_SECOND = 5.0, 60.0  # a step began before the data: record intervals, and s
_LONG = 0.5  # of the usual half cycle: a gap that may hold another one
_LITTLE = 0.01  # of the charge; if the gap can't hold more, nothing is missing
_LESS = 0.97  # of the usual charge: a piece of the half cycle is missing
_NAMED = 5  # half cycles in a sentence
_OPEN = 0.02  # of the charges before and after: as much as these hold, and how sure that makes it

Floats = NDArray[np.float64]


def recording(table: pl.DataFrame) -> pl.Expr:
    """Return what names the recording of each row: that of joined files, else its file."""
    joined = ["recording_sha256"] if "recording_sha256" in table.columns else []
    return pl.coalesce(*joined, "file_sha256")


def split_lost_half_cycles(segments: pl.DataFrame) -> pl.DataFrame:
    """Return segments numbered anew where a half cycle was lost between two files."""
    joints = _joints(segments)
    if joints.is_empty():
        return segments
    more = pl.when("first").then(_TWICE).otherwise(_MORE)
    lost = joints.filter(pl.col("before") >= _STUB * pl.col("total")).filter(
        ((pl.col("excess") > more) & (pl.col("back") > _BACK))
        | (pl.col("excess") > _TWICE)
        | (pl.col("excess").is_null() & (pl.col("back") > _WHOLLY_BACK))
        | (pl.col("counted_on") & (pl.col("is_hole") | pl.col("is_long")))
        | (pl.col("stepped_on") & pl.col("like") & pl.col("is_open"))
        | (pl.col("is_hole") & ((pl.col("excess") > _MORE) | pl.col("steps_on")))
    )
    added = np.zeros(segments.height, np.int64)
    added[lost["place"].to_numpy()] = 1
    return segments.with_columns(pl.col("half_cycle") + pl.Series(np.cumsum(added)))


def find_missing_pieces(segments: pl.DataFrame) -> pl.DataFrame:
    """Return the half cycles after or within which records are missing, and between which files.

    Parameters
    ----------
    segments
        Segments with their half cycles, in the order of time.

    Returns
    -------
    ``half_cycle``, ``gap_second`` (null without a clock), ``place`` of the segment after the gap
    and ``whole`` (True if a whole half cycle of the other direction is missing), a row each.

    """
    same = pl.col("direction") == pl.col("direction").shift(1)
    other = pl.col("half_cycle") != pl.col("half_cycle").shift(1)
    name = recording(segments)
    file = name != name.shift(1)
    gap = pl.col("start_unix_time_second") - pl.col("end_unix_time_second").shift(1)
    lost = segments.with_row_index("place").select(
        pl.col("half_cycle").shift(1), gap.alias("gap_second"), "place",
        pl.lit(value=True).alias("whole"), found=same & other & (file | _is_hole()),
    ).filter("found").drop("found")  # fmt: skip
    joints = _joints(segments)
    went_on = joints.filter("could_pass").filter(
        (
            pl.col("like")
            & (pl.col("on") > pl.max_horizontal(_ON_VOLT, _ON_STEPS * pl.col("voltage_step_volt")))
        )
        | ((pl.col("excess") < _LESS) & pl.col("begun"))
        | (pl.col("is_open") & ~pl.col("is_like_others"))
    )
    pieces = went_on.select("half_cycle", "gap_second", "place", pl.lit(value=False).alias("whole"))
    return pl.concat([lost, pieces.cast(dict(lost.schema))])  # type: ignore[arg-type]


def begins_within(segments: pl.DataFrame) -> pl.Series:
    """Return whether each half cycle had begun before the first of its records.

    It had if its file begins with it, no rest before it, and its instrument's step had been running
    for longer than five records.
    """
    first = segments.unique("half_cycle", keep="first", maintain_order=True).sort("half_cycle")
    start = pl.col("start_step_time_second")
    opens = pl.col("segment") == 1
    begun = opens & pl.col("rest_voltage_before_volt").is_null() & _had_begun(start)
    return first.select(begins_within=begun.fill_null(value=False)).to_series()


def missing_pieces_findings(segments: pl.DataFrame) -> tuple[Finding, ...]:
    """Return a finding that says where records with current are missing between files."""
    found = []
    missing = find_missing_pieces(segments)
    if missing.height:
        parts = []
        for half_cycle, gap, _, whole in missing.head(_NAMED).iter_rows():
            hours = _hours(gap)
            what = "the half cycle of the other direction" if whole else "a piece of it"
            parts.append(f"{'after' if whole else 'in'} half cycle {half_cycle}{hours} {what}")
        more = f", and {missing.height - _NAMED} more" if missing.height > _NAMED else ""
        sentence = (
            f"Records are missing between files, or within one: {', '.join(parts)}{more}. The "
            "charges on both sides are not added, and the cycle is not complete. Look for the file "
            "that has them."
        )
        found.append(Finding("warning", "records_missing", sentence, missing.height))
    paused = _joints(segments).filter("is_open", "is_like_others")
    paused = paused.filter(~pl.col("half_cycle").is_in(missing["half_cycle"].implode()))
    if paused.height:
        parts = [
            f"in half cycle {half_cycle}{_hours(gap)}"
            for half_cycle, gap in paused.select("half_cycle", "gap_second")
            .head(_NAMED)
            .iter_rows()
        ]
        more = f", and {paused.height - _NAMED} more" if paused.height > _NAMED else ""
        sentence = (
            f"Nothing was recorded for long {', '.join(parts)}{more}. It is taken as a pause, "
            "because the half cycle then holds what its neighbours do, and its charge as sure to "
            f"{_OPEN:.0%}. If a file is missing, add it."
        )
        found.append(Finding("warning", "long_pause", sentence, paused.height))
    return tuple(found)


def _hours(gap: float | None) -> str:
    return "" if gap is None else f" ({gap / 3600:.3g} h)"


def _had_begun(start: pl.Expr) -> pl.Expr:
    interval = pl.col("duration_second") / pl.col("records")
    return start > pl.max_horizontal(_BEGUN * interval, pl.lit(_BEGUN_SECOND))


def _is_hole() -> pl.Expr:
    """Return whether a segment goes on behind records that are missing from its file."""
    return (
        (pl.col("last_file_sha256").shift(1) == pl.col("file_sha256"))
        & (pl.col("direction") == pl.col("direction").shift(1))
        & (pl.col("segment") == pl.col("segment").shift(1) + 1)
        & pl.col("rest_voltage_before_volt").is_null()
    ).fill_null(value=False)


def _joints(segments: pl.DataFrame) -> pl.DataFrame:
    """Return the segments that continue a half cycle of another file, and how.

    ``back`` is the share of the voltage's way that it went back, ``on`` how far it went on, V, both
    from the end of one file to the start of the other; ``excess`` is the charge of the half cycle
    over the usual one of its direction, null where it is the only one but for a running one;
    ``begun`` is whether the instrument's step had begun before the file; ``is_open`` is whether the
    time without records may hold another half cycle and no number of the instrument says that it
    does not, ``is_like_others`` whether the half cycle holds as much as its neighbours,
    ``stepped_on`` whether numbers say that there was another step; ``before`` and ``total`` are the
    charges before the gap and on both sides, Ah; ``first`` is whether the half cycle is the first
    of its direction, which may hold more than the others. ``like`` is whether the current is the
    same on both sides, ``could_pass`` whether more than a hundredth of the charge could have passed
    in the gap. Files that follow each other within two records are not among them; records
    that are missing within a file are (``is_hole``).
    """
    sign = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    name = recording(segments)
    other_file = name != name.shift(1)
    tested = pl.col("start_test_time_second") + pl.col("duration_second")
    gap = pl.coalesce(
        pl.col("start_unix_time_second") - pl.col("end_unix_time_second").shift(1),
        pl.when(~other_file).then(pl.col("start_test_time_second") - tested.shift(1)),
    )
    interval = pl.col("duration_second") / pl.col("records")
    usual = pl.max_horizontal(interval, interval.shift(1))
    unrecorded = pl.when(other_file).then(
        gap - pl.col("tail_second").shift(1) - pl.col("lead_second")
    ).otherwise(gap)  # fmt: skip
    seamless = (
        (gap <= 2 * usual) & (pl.col("records_after").shift(1) == 0)
        & pl.col("rest_voltage_before_volt").is_null()
    )  # fmt: skip
    is_long = unrecorded >= _LONG * pl.col("duration_second").median()
    step, last_step = pl.col("start_step_count"), pl.col("end_step_count").shift(1)
    steps_count_on = (pl.col("lead_second") == 0) & (step >= 2)  # else each file counts its own
    cycle = pl.col("vendor_cycle_count")
    same_cycle = (cycle == cycle.shift(1)) & (cycle >= 2)
    far_back = sign * (pl.col("start_voltage_volt") - pl.col("reached_voltage_volt").shift(1)) < (
        -pl.max_horizontal(_ON_VOLT, _ON_STEPS * pl.col("voltage_step_volt"))
    )
    goes_on = same_cycle | (steps_count_on & (step - last_step).is_between(0, 1))
    total = pl.col("capacity_ah").sum().over("half_cycle", "direction")
    is_running = (pl.col("half_cycle") == pl.col("half_cycle").last()) & (
        pl.col("records_after").last() == 0
    )
    wholes = (
        segments.filter(~is_running)
        .group_by("half_cycle", "direction")
        .agg(pl.col("capacity_ah").sum())
    )
    current = pl.col("start_current_ampere").abs()
    reached = pl.col("reached_voltage_volt").shift(1)
    begin = pl.col("start_voltage_volt").first().over("half_cycle")
    joints = (
        segments.with_row_index("place")
        .with_columns(
            total=total,
            before=pl.col("capacity_ah").cum_sum().shift(1).over("half_cycle", "direction"),
            first=pl.col("half_cycle") == pl.col("half_cycle").first().over("direction"),
            gap_second=gap,
            could_pass=(gap * current / 3600 >= _LITTLE * total).fill_null(value=True),
            step_changes_before=pl.col("step_changes").shift(1),
            like=(current / pl.col("reached_current_ampere").shift(1) - 1).abs() <= SAME_RATE,
            on=sign * (pl.col("start_voltage_volt") - reached),
            way=sign * (reached - begin),
            begun=_had_begun(pl.col("start_step_time_second"))
            & pl.col("rest_voltage_before_volt").is_null(),
            is_hole=_is_hole(),
            is_long=is_long.fill_null(value=False),
            is_open=(other_file | _is_hole())
            & is_long.fill_null(far_back)
            & ~goes_on.fill_null(value=False),
            stepped_on=(steps_count_on & (step - last_step >= 2)).fill_null(value=False),
            counted_on=(
                pl.col("vendor_cycle_count") > pl.col("vendor_cycle_count").shift(1)
            ).fill_null(value=False),
            joint=(pl.col("half_cycle") == pl.col("half_cycle").shift(1))
            & (pl.col("direction") == pl.col("direction").shift(1))
            & (((name != name.shift(1)) & ~seamless.fill_null(value=False)) | _is_hole()),
        )
        .with_columns(
            steps_on=(pl.col("step_changes_before") & pl.col("like")).fill_null(value=False)
        )
        .filter("joint")
        .with_columns(back=-pl.col("on") / pl.max_horizontal("way", pl.lit(1e-3)))
    )
    near, usuals = [], []
    for number, direction, total_ah in joints.select(
        "half_cycle", "direction", "total"
    ).iter_rows():
        others = wholes.filter(pl.col("direction") == direction, pl.col("half_cycle") != number)
        usuals.append(others["capacity_ah"].median())
        before = others.filter(pl.col("half_cycle") < number).sort("half_cycle").tail(1)
        after = others.filter(pl.col("half_cycle") > number).sort("half_cycle").head(1)
        beside = [*before["capacity_ah"], *after["capacity_ah"]]
        low, high = min(beside, default=np.nan), max(beside, default=np.nan)
        near.append(bool(low * (1 - _OPEN) <= total_ah <= high * (1 + _OPEN)))
    excess = pl.col("total") / pl.Series("usual", usuals, dtype=pl.Float64)
    return joints.with_columns(
        excess=excess, is_like_others=pl.Series("near", near, dtype=pl.Boolean)
    )


def open_uncertainties(segments: pl.DataFrame) -> pl.Series:
    """Return what half cycles may be off by that go on after an open time without records, Ah.

    It is told at the segment after the gap, of each segment; 0 elsewhere.
    """
    joints = _joints(segments).filter("is_open")
    doubt = np.zeros(segments.height)
    doubt[joints["place"].to_numpy()] = _OPEN * joints["total"].to_numpy()
    return pl.Series(doubt)
