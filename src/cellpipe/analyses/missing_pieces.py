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

from cellpipe.core.model import Finding
from cellpipe.numerics.cycling.ageing import SAME_RATE

_MORE, _TWICE = 1.05, 1.5  # of the usual charge: more than a half cycle holds, whatever the voltage
_STUB = 0.05  # of the charge of both files; with less before the gap, there was nothing to lose
_BACK, _WHOLLY_BACK = 0.25, 0.75  # of the voltage's way that it went back between two files
_ON_VOLT, _ON_STEPS = 0.01, 3.0  # the voltage went on: V, and of its change between records
_BEGUN, _BEGUN_SECOND = 5.0, 60.0  # a step began before the data: record intervals, and s
_FAR = 3.0  # record intervals before a half cycle, in which its beginning may have been lost
_SHORTER = 0.995  # of the charge of others; one that lost its beginning holds less
_FEW = 2  # record numbers; a leap by more between two files is a loss
_LONG = 0.5  # of the usual half cycle: a gap that may hold another one
_LITTLE = 0.01  # of the charge; if the gap can't hold more, nothing is missing
_LESS = 0.97  # of the usual charge: a piece of the half cycle is missing
_NAMED = 5  # half cycles in a sentence
_OPEN = 0.02  # of the charges before and after: as much as these hold, and how sure that makes it

_PIECES = pl.Schema(
    {"half_cycle": pl.Int64, "gap_second": pl.Float64, "place": pl.UInt32, "whole": pl.Boolean}
)


def recording(table: pl.DataFrame) -> pl.Expr:
    """Return what names the recording of each row: that of joined files, else its file."""
    joined = ["recording_sha256"] if "recording_sha256" in table.columns else []
    return pl.coalesce(*joined, "file_sha256")


def split_lost_half_cycles(segments: pl.DataFrame) -> pl.DataFrame:
    """Return segments numbered anew where a half cycle was lost between two files."""
    joints = _joints(segments) if _has_joints(segments) else None
    if joints is None or joints.is_empty():
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
    if not _has_joints(segments):
        return pl.DataFrame(schema=_PIECES)
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
        | pl.col("numbers_leap")
    )
    pieces = went_on.select("half_cycle", "gap_second", "place", pl.lit(value=False).alias("whole"))
    return pl.concat([lost, pieces.cast(dict(lost.schema))])  # type: ignore[arg-type]


def begins_within(segments: pl.DataFrame) -> pl.Series:
    """Return whether each half cycle had begun before the first of its records.

    It had if its file begins with it, no rest before it, or nothing was recorded for long before
    it, and its instrument's step had been running for longer than five records; or, where no such
    time is known, if nothing was recorded for long before it, it begins further in its direction
    than others of its rate, and holds less.
    """
    first = segments.unique("half_cycle", keep="first", maintain_order=True).sort("half_cycle")
    start = pl.col("start_step_time_second")
    opens = pl.col("segment") == 1
    behind = pl.col("gap_before_second") > pl.max_horizontal(
        _FAR * pl.col("duration_second") / pl.col("records"), pl.lit(_BEGUN_SECOND)
    )
    unrested = opens & pl.col("rest_voltage_before_volt").is_null()
    begun = (unrested | behind.fill_null(value=False)) & _had_begun(start)
    told = first.select(begun.fill_null(value=False)).to_series()
    lost = _lost_beginnings(segments, first) if first["start_step_time_second"].has_nulls() else []
    return pl.Series("begins_within", told | first["half_cycle"].is_in(lost))


def _lost_beginnings(segments: pl.DataFrame, first: pl.DataFrame) -> list[int]:
    """Return the half cycles whose first records are not in the data, told by their peers."""
    name = recording(segments)
    before = segments.select(
        "half_cycle",
        gap=pl.when(name != name.shift(1))
        .then(
            pl.col("start_unix_time_second")
            - pl.col("end_unix_time_second").shift(1)
            - pl.col("tail_second").shift(1)
            - pl.col("lead_second")
        )
        .otherwise("gap_before_second"),
        follows=pl.int_range(pl.len()) > 0,
    ).unique("half_cycle", keep="first", maintain_order=True)
    whole = segments.group_by("half_cycle").agg(total=pl.col("capacity_ah").sum())
    sign = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    rows = (
        first.join(before, on="half_cycle").join(whole, on="half_cycle").sort("half_cycle")
    ).with_columns(
        start=sign * pl.col("start_voltage_volt"),
        sign=sign,
        drop=sign * (pl.col("start_voltage_volt") - pl.col("rest_voltage_before_volt")),
        interval=pl.col("duration_second") / pl.col("records"),
    )
    number, charging, ampere, total, start, drop, step, interval, gap = (
        rows[column].cast(pl.Float64).to_numpy()
        for column in (
            "half_cycle", "sign", "start_current_ampere", "total", "start", "drop",
            "voltage_step_volt", "interval", "gap",
        )
    )  # fmt: skip
    suspect = rows.select(pl.col("follows") & pl.col("start_step_time_second").is_null())
    is_far = ~(gap <= np.maximum(_FAR * interval, _BEGUN_SECOND))  # also where no clock tells
    found = []
    for place in np.flatnonzero(suspect.to_series().to_numpy() & is_far):
        peers = (charging == charging[place]) & (np.arange(len(number)) != place)
        peers &= np.abs(ampere / ampere[place] - 1) <= SAME_RATE
        if not peers.any():
            continue
        seen = start if np.isnan(drop[place]) or np.isnan(drop[peers]).any() else drop
        further = seen[place] - np.median(seen[peers])
        margin = max(_ON_VOLT, _ON_STEPS * np.nan_to_num(step[place]))
        if further > margin and total[place] < _SHORTER * np.median(total[peers]):
            found.append(int(number[place]))
    return found


def missing_pieces_findings(segments: pl.DataFrame, missing: pl.DataFrame) -> tuple[Finding, ...]:
    """Return findings that say where records with current are missing, and what is a long pause.

    ``missing`` is what :func:`find_missing_pieces` found in the segments.
    """
    if not _has_joints(segments):
        return ()
    found = []
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


def _has_joints(segments: pl.DataFrame) -> bool:
    """Return whether there are several recordings, or records that are missing within one."""
    several = segments.select(recording(segments)).to_series().n_unique() > 1
    return several or bool(segments.select(_is_hole().any()).item())


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
    that are missing within a file are (``is_hole``). Others are told by :func:`_gap_columns` and
    :func:`_beside_others`.
    """
    sign = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    current = pl.col("start_current_ampere").abs()
    reached = pl.col("reached_voltage_volt").shift(1)
    begin = pl.col("start_voltage_volt").first().over("half_cycle")
    total = pl.col("capacity_ah").sum().over("half_cycle", "direction")
    name = recording(segments)
    joints = (
        segments.with_row_index("place")
        .with_columns(
            total=total,
            before=pl.col("capacity_ah").cum_sum().shift(1).over("half_cycle", "direction"),
            first=pl.col("half_cycle") == pl.col("half_cycle").first().over("direction"),
            like=(current / pl.col("reached_current_ampere").shift(1) - 1).abs() <= SAME_RATE,
            on=sign * (pl.col("start_voltage_volt") - reached),
            way=sign * (reached - begin),
            begun=_had_begun(pl.col("start_step_time_second"))
            & pl.col("rest_voltage_before_volt").is_null(),
            step_changes_before=pl.col("step_changes").shift(1),
            is_hole=_is_hole(),
            is_other_file=name != name.shift(1),
        )
        .with_columns(**_gap_columns())
        .with_columns(
            could_pass=(pl.col("gap_second") * current / 3600 >= _LITTLE * pl.col("total"))
            .fill_null(value=True),
            steps_on=(pl.col("step_changes_before") & pl.col("like")).fill_null(value=False),
            back=-pl.col("on") / pl.max_horizontal("way", pl.lit(1e-3)),
        )
        .filter(
            (pl.col("half_cycle") == pl.col("half_cycle").shift(1))
            & (pl.col("direction") == pl.col("direction").shift(1))
            & ((pl.col("is_other_file") & ~pl.col("is_seamless")) | pl.col("is_hole"))
        )
    )  # fmt: skip
    return joints.with_columns(_beside_others(segments, joints))


def _gap_columns() -> dict[str, pl.Expr]:
    """Return what a gap may hold, by its length and by the numbers of the instrument.

    ``gap_second`` is from current to current, null where no clock tells. ``is_long`` is whether
    what was not recorded of it may hold another half cycle; ``is_open`` whether, besides, no number
    says that it holds none (without a clock, whether the voltage went far back); ``counted_on`` and
    ``stepped_on`` whether the instrument's cycle, or its step by two, went on; ``numbers_leap``
    whether the numbers of its records say that some are missing while the current flowed.
    """
    is_other_file, interval = pl.col("is_other_file"), pl.col("duration_second") / pl.col("records")
    tested = pl.col("start_test_time_second") + pl.col("duration_second")
    gap = pl.coalesce(
        pl.col("start_unix_time_second") - pl.col("end_unix_time_second").shift(1),
        pl.when(~is_other_file).then(pl.col("start_test_time_second") - tested.shift(1)),
    )
    recorded = pl.col("tail_second").shift(1) + pl.col("lead_second")
    unrecorded = gap - pl.when(is_other_file).then(recorded).otherwise(0.0)
    is_long = unrecorded >= _LONG * pl.col("duration_second").median()
    step, last_step = pl.col("start_step_count"), pl.col("end_step_count").shift(1)
    steps_count_on = (pl.col("lead_second") == 0) & (step >= 2)  # else each file counts its own
    cycle = pl.col("vendor_cycle_count")
    goes_on = ((cycle == cycle.shift(1)) & (cycle >= 2)) | (
        steps_count_on & (step - last_step).is_between(0, 1)
    )
    far_back = pl.col("on") < -pl.max_horizontal(_ON_VOLT, _ON_STEPS * pl.col("voltage_step_volt"))
    seamless = (
        (gap <= 2 * pl.max_horizontal(interval, interval.shift(1)))
        & (pl.col("records_after").shift(1) == 0)
        & pl.col("rest_voltage_before_volt").is_null()
    )
    number, last_number = pl.col("first_record_index"), pl.col("last_record_index").shift(1)
    runs_on = (pl.col("records_after").shift(1) == 0) & (pl.col("lead_second") == 0)
    is_open = (is_other_file | pl.col("is_hole")) & is_long.fill_null(far_back)
    return {
        "gap_second": gap,
        "is_long": is_long.fill_null(value=False),
        "is_open": is_open & ~goes_on.fill_null(value=False),
        "is_seamless": seamless.fill_null(value=False),
        "counted_on": (cycle > cycle.shift(1)).fill_null(value=False),
        "numbers_leap": (is_other_file & runs_on & (number > last_number + _FEW)).fill_null(
            value=False
        ),
        "stepped_on": (steps_count_on & (step - last_step >= 2)).fill_null(value=False),
    }


def _beside_others(segments: pl.DataFrame, joints: pl.DataFrame) -> list[pl.Series]:
    """Return ``excess`` of each joint, and whether its half cycle ``is_like_others``.

    It is if it holds as much as those of its direction before and after it.
    """
    is_running = (pl.col("half_cycle") == pl.col("half_cycle").last()) & (
        pl.col("records_after").last() == 0
    )
    wholes = (
        segments.filter(~is_running)
        .group_by("half_cycle", "direction", maintain_order=True)
        .agg(pl.col("capacity_ah").sum())
    )
    like, excess = [], []
    for number, direction, total in joints.select("half_cycle", "direction", "total").iter_rows():
        others = wholes.filter(pl.col("direction") == direction, pl.col("half_cycle") != number)
        usual = others["capacity_ah"].median()
        excess.append(total / usual if isinstance(usual, float) and usual else None)
        beside = [
            *others.filter(pl.col("half_cycle") < number)["capacity_ah"].tail(1),
            *others.filter(pl.col("half_cycle") > number)["capacity_ah"].head(1),
        ]
        low, high = min(beside, default=np.nan), max(beside, default=np.nan)
        like.append(bool(low * (1 - _OPEN) <= total <= high * (1 + _OPEN)))
    return [
        pl.Series("excess", excess, dtype=pl.Float64),
        pl.Series("is_like_others", like, dtype=pl.Boolean),
    ]


def open_uncertainties(segments: pl.DataFrame) -> pl.Series:
    """Return what half cycles may be off by that go on after an open time without records, Ah.

    It is told at the segment after the gap, of each segment; 0 elsewhere.
    """
    doubt = np.zeros(segments.height)
    if not _has_joints(segments):
        return pl.Series(doubt)
    joints = _joints(segments).filter("is_open")
    doubt[joints["place"].to_numpy()] = _OPEN * joints["total"].to_numpy()
    return pl.Series(doubt)
