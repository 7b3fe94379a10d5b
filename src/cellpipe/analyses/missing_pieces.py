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
    missing = find_missing_pieces(segments)
    if missing.is_empty():
        return ()
    parts = []
    for half_cycle, gap, _, whole in missing.head(5).iter_rows():
        hours = "" if gap is None else f" ({gap / 3600:.3g} h)"
        what = "the half cycle of the other direction" if whole else "a piece of it"
        parts.append(f"after half cycle {half_cycle}{hours} {what}" if whole
                     else f"in half cycle {half_cycle}{hours} {what}")  # fmt: skip
    more = f", and {missing.height - 5} more" if missing.height > 5 else ""
    sentence = (
        f"Records are missing between files, or within one: {', '.join(parts)}{more}. The charges "
        "on both sides are not added, and the cycle is not complete. Look for the file that has "
        "them."
    )
    return (Finding("warning", "records_missing", sentence, missing.height),)


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
    ``begun`` is whether the instrument's step had begun before the file; ``before`` and ``total``
    are the charges before the gap and on both sides, Ah; ``first`` is whether the half cycle is the
    first of its direction, which may hold more than the others. ``like`` is whether the current is
    the same on both sides, ``could_pass`` whether more than a hundredth of the charge could have
    passed in the gap. Files that follow each other within two records are not among them; records
    that are missing within a file are (``is_hole``).
    """
    sign = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    name = recording(segments)
    gap = pl.col("start_unix_time_second") - pl.col("end_unix_time_second").shift(1)
    interval = pl.col("duration_second") / pl.col("records")
    usual = pl.max_horizontal(interval, interval.shift(1))
    seamless = (
        (gap <= 2 * usual) & (pl.col("records_after").shift(1) == 0)
        & pl.col("rest_voltage_before_volt").is_null()
    )  # fmt: skip
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
            is_long=(gap >= _LONG * pl.col("duration_second").median()).fill_null(value=False),
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
    usuals = [
        wholes.filter((pl.col("half_cycle") != number) & (pl.col("direction") == direction))[
            "capacity_ah"
        ].median()
        for number, direction in joints.select("half_cycle", "direction").iter_rows()
    ]
    excess = pl.col("total") / pl.Series("usual", usuals, dtype=pl.Float64)
    return joints.with_columns(excess=excess)
