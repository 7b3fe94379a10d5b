"""Half cycles of a cell from the segments of all its recordings.

Protocol: segments are sorted by absolute time (by file if a file has no clock). Neighbours of the
same direction form one half cycle, so that one cut by the end of a file continues in the next.
Files of one format that go on with each other are one recording; between others the interval is
included if it is no longer than usual. Small segments are joined to a neighbour by the same rule as
within a file, unless a half cycle was lost between two files
(:mod:`cellpipe.analyses.missing_pieces`): then each is its own. The charge is that of the segments,
which say from which witness it is; a half cycle of segments with different ones says so. Where it
is not that of the instrument's counter although there is one, or nothing tells who is right, there
is a finding. What each ended by is told by :mod:`cellpipe.numerics.cycling.ends`.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.analyses.missing_pieces import (
    begins_within,
    find_missing_pieces,
    missing_pieces_findings,
    open_uncertainties,
    recording,
    split_lost_half_cycles,
)
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.cycling.ends import HalfCycleEnds, half_cycle_ends
from cellpipe.numerics.cycling.runs import number_half_cycles
from cellpipe.numerics.cycling.witnesses import CONTRADICTING, COUNTED, SEVERAL, SOME

_DIFFERENCE = 0.005
_MOST = 3.0  # usual intervals without records that the voltage does not tell
_SOON_SECOND = 3600.0  # from the end of a file to the start of the next, as if it were one
_FIRST = (
    "direction", "start_voltage_volt", "start_unix_time_second", "vendor_cycle_count",
    "file_sha256",
    "first_record_index", "rest_voltage_before_volt", "dc_resistance_ohm",
    "dc_resistance_delay_second",
)  # fmt: skip
_LAST = (
    "end_voltage_volt", "records_after", "last_file_sha256", "last_record_index",
    "rest_voltage_after_volt",
)  # fmt: skip


def add_half_cycles(segments: pl.DataFrame) -> pl.DataFrame:
    """Sort segments by time and add the number of their half cycle.

    Within a file, the order of records counts as the order of time, even if the clock disagrees.
    """
    ordered = segments
    if _has_several_files(segments) and not segments["start_unix_time_second"].null_count():
        monotonic_time = pl.col("start_unix_time_second").cum_max().over(recording(segments))
        ordered = segments.sort(monotonic_time, maintain_order=True)
    charging = (ordered["direction"] == "charge").to_numpy()
    numbers = number_half_cycles(
        np.where(charging, 1, -1).astype(np.int8),
        ordered["capacity_ah"].to_numpy(),
        ordered["duration_second"].to_numpy(),
        ordered["end_voltage_volt"].to_numpy(),
    )
    numbered = ordered.with_columns(pl.Series("half_cycle", numbers, dtype=pl.Int64))
    return split_lost_half_cycles(numbered)


def _has_several_files(segments: pl.DataFrame) -> bool:
    return segments.select(recording(segments)).to_series().n_unique() > 1


def _bridge_files(segments: pl.DataFrame) -> pl.DataFrame:
    """Add charge, energy and time between the last record of a file and the first of the next.

    Only if a half cycle continues in the next file within twice the interval between records;
    current and voltage are interpolated linearly. If nothing tells how long the interval was, what
    may have passed there is an uncertainty.
    """
    if not _has_several_files(segments):
        return segments
    gap = pl.col("start_unix_time_second") - pl.col("end_unix_time_second").shift(1)
    usual = pl.max_horizontal(_record_interval(), _record_interval().shift(1))
    joins = (
        (pl.col("half_cycle") == pl.col("half_cycle").shift(1))
        & (pl.col("direction") == pl.col("direction").shift(1))
        & (recording(segments) != recording(segments).shift(1))
        & (pl.col("records_after").shift(1) == 0)
        & pl.col("rest_voltage_before_volt").is_null()
    ).fill_null(value=False)
    continues = joins & (gap.is_between(0, 2 * usual, closed="right")).fill_null(value=False)
    current = (pl.col("start_current_ampere") + pl.col("end_current_ampere").shift(1)).abs() / 2
    charge = current * gap / 3600
    volt = (pl.col("start_voltage_volt") + pl.col("end_voltage_volt").shift(1)) / 2
    lost = pl.when(joins & ~continues).then(current * _missing_second(gap, usual) / 3600)
    return segments.with_columns(
        pl.when(continues).then(pl.col(name) + added).otherwise(pl.col(name)).alias(name)
        for name, added in {
            "capacity_ah": charge,
            "vendor_capacity_ah": charge,
            "energy_wh": charge * volt,
            "charge_uncertainty_ah": charge,
            "duration_second": gap,
        }.items()
    ).with_columns(pl.col("charge_uncertainty_ah") + lost.fill_null(0.0))


def _missing_second(gap: pl.Expr, usual: pl.Expr) -> pl.Expr:
    """Return for how long current may have flowed between two files, s.

    It is what the voltage went on by in usual intervals, one to three; no more than the clocks say.
    """
    sign = pl.when(pl.col("direction") == "charge").then(1.0).otherwise(-1.0)
    on = sign * (pl.col("start_voltage_volt") - pl.col("end_voltage_volt").shift(1))
    intervals = (on / pl.col("voltage_step_volt")).fill_nan(1.0).fill_null(1.0).clip(1.0, _MOST)
    return pl.min_horizontal(intervals * usual, pl.when(gap > 0).then(gap))


def _record_interval() -> pl.Expr:
    return pl.col("duration_second") / pl.col("records")


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    segments = add_half_cycles(tables["half_cycle_segments"])
    signed = _bridge_files(segments).with_columns(
        pl.col("charge_uncertainty_ah") + open_uncertainties(segments),
        sign=pl.when(pl.col("direction") == "charge").then(1).otherwise(-1),
    )
    net = pl.col("capacity_ah") * pl.col("sign")
    counted = pl.col("vendor_capacity_ah").null_count() == 0
    vendor = (pl.col("vendor_capacity_ah") * pl.col("sign")).sum().abs()
    table = (
        signed.group_by("half_cycle", maintain_order=True)
        .agg(
            pl.col(_FIRST).first(),
            pl.col(_LAST).last(),
            net=net.sum(),
            energy_wh=(pl.col("energy_wh") * pl.col("sign")).sum() * net.sum().sign(),
            vendor_capacity_ah=pl.when(counted).then(vendor),
            charge_source=_charge_source(),
            charge_uncertainty_ah=pl.col("charge_uncertainty_ah").sum(),
            constant_current_ampere=_constant_current(),
            constant_voltage_share=_weighted_mean(
                "constant_voltage_share", "capacity_ah"
            ).fill_null(0),
            duration_second=pl.col("duration_second").sum(),
            mean_temperature_celsius=_weighted_mean("mean_temperature_celsius", "duration_second"),
            segments=pl.len(),
            min_voltage_volt=pl.col("min_voltage_volt").min(),
            max_voltage_volt=pl.col("max_voltage_volt").max(),
            max_temperature_celsius=pl.col("max_temperature_celsius").max(),
        )
        .with_columns(
            cell_id=pl.lit(cell.cell_id),
            direction=pl.when(pl.col("net") > 0)
            .then(pl.lit("charge"))
            .when(pl.col("net") < 0)
            .then(pl.lit("discharge"))
            .otherwise("direction"),
            capacity_ah=pl.col("net").abs(),
            mean_voltage_volt=_positive_ratio(pl.col("energy_wh"), pl.col("net").abs()),
            vendor_capacity_difference=_positive_ratio(
                pl.col("net").abs(), pl.col("vendor_capacity_ah")
            )
            - 1,
        )
        .with_columns(
            mean_potential_volt=potential(cell, "mean_voltage_volt"),
            end_potential_volt=potential(cell, "end_voltage_volt"),
        )
        .drop("net")
    )
    missing = find_missing_pieces(signed)
    table = table.with_columns(_ended_by(cell, signed, table, missing), begins_within(signed))
    findings = (
        *_findings(table),
        *_find_overlaps(tables["half_cycle_segments"]),
        *missing_pieces_findings(signed, missing),
    )
    return (Result("half_cycles", table, findings),)


def _charge_source() -> pl.Expr:
    """Return the witness of the segments' charge; contradictory where a hundredth of it is."""
    charge, source = pl.col("capacity_ah"), pl.col("charge_source")
    contradicts = charge.filter(source == CONTRADICTING).sum() > SOME * charge.sum()
    used = source.filter(charge > SOME * charge.sum())
    return (
        pl.when(contradicts | ((source == CONTRADICTING).all()))
        .then(pl.lit(CONTRADICTING))
        .when(used.n_unique() > 1)
        .then(pl.lit(SEVERAL))
        .otherwise(pl.coalesce(used.first(), source.first()))
    )


def _ended_by(
    cell: Cell, segments: pl.DataFrame, table: pl.DataFrame, missing: pl.DataFrame
) -> pl.Series:
    """Return what each half cycle ended by."""
    joined = segments.join(
        table.select("half_cycle", "direction"), on="half_cycle", suffix="_whole"
    )
    own = joined.filter(pl.col("direction") == pl.col("direction_whole"))
    last = (
        pl.concat([own, joined], how="vertical").unique(
            "half_cycle", keep="last", maintain_order=True
        )
        if own["half_cycle"].n_unique() < table.height
        else own.unique("half_cycle", keep="last", maintain_order=True)
    ).sort("half_cycle")
    number = table["half_cycle"].to_numpy()
    halves = HalfCycleEnds(
        np.where(table["direction"] == "charge", 1, -1).astype(np.int8),
        table["capacity_ah"].to_numpy(),
        table["duration_second"].to_numpy(),
        table["start_voltage_volt"].to_numpy(),
        last["reached_voltage_volt"].to_numpy(),
        np.where(
            table["direction"] == "charge", table["max_voltage_volt"], table["min_voltage_volt"]
        ),
        last["voltage_step_volt"].to_numpy(),
        table["constant_current_ampere"].to_numpy(),
        last["reached_current_ampere"].to_numpy(),
        segments.group_by("half_cycle", maintain_order=True)
        .agg(pl.col("stretches").sum())["stretches"]
        .to_numpy(),
        _is_followed(table, last),
        np.isin(number, missing["half_cycle"].to_numpy()),
    )
    ended = half_cycle_ends(
        halves, cell.lower_voltage_volt, cell.upper_voltage_volt,
        symmetric=cell.configuration == "symmetric",
    )  # fmt: skip
    return pl.Series("ended_by", ended, dtype=pl.String)


def _is_followed(table: pl.DataFrame, last: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whether what came after each half cycle was recorded, in its file or soon after."""
    start = table["start_unix_time_second"].shift(-1).cast(pl.Float64).to_numpy()
    end = last["end_unix_time_second"].cast(pl.Float64).to_numpy()
    soon = start - end <= _SOON_SECOND  # NaN, as where there is no clock or no next one, is not
    goes_on = ~last["step_changes"].fill_null(value=True).to_numpy()
    goes_on[:-1] = False  # before a turn of the current the step ended, however it is counted
    followed: NDArray[np.bool_] = (last["records_after"].to_numpy() > 0) & ~goes_on | soon
    return followed


def _positive_ratio(over: pl.Expr, under: pl.Expr) -> pl.Expr:
    return pl.when(under > 0).then(over / under)


def _weighted_mean(name: str, weight: str) -> pl.Expr:
    """Return the weighted mean of a column over the segments that have it; null if none has."""
    known = pl.col(weight).filter(pl.col(name).is_not_null())
    mean = (pl.col(name) * pl.col(weight)).sum() / known.sum()
    return pl.when(mean.is_finite()).then(mean)


def _constant_current() -> pl.Expr:
    """Return the charge at constant current divided by its time, over all segments."""
    charge = pl.col("capacity_ah") * (1 - pl.col("constant_voltage_share"))
    flows = (pl.col("constant_current_ampere") > 0) & (charge > 0)
    time = (charge / pl.col("constant_current_ampere")).filter(flows).sum()
    return pl.when(time > 0).then(charge.filter(flows).sum() / time).otherwise(
        pl.col("constant_current_ampere").max()
    )  # fmt: skip


def potential(cell: Cell, voltage: str) -> pl.Expr:
    """Return a half cell's voltage against Li+/Li; null if the sheet has no offset."""
    offset = cell.reference_offset_volt if cell.configuration == "half" else None
    return pl.lit(None, pl.Float64) if offset is None else pl.col(voltage) + offset


def _find_overlaps(segments: pl.DataFrame) -> tuple[Finding, ...]:
    """Return a finding if segments of different files overlap in time, which one cell can't do."""
    if not _has_several_files(segments):
        return ()
    start, duration = pl.col("start_unix_time_second"), pl.col("duration_second")
    ordered = segments.filter(start.is_not_null()).sort("start_unix_time_second")
    shared = (start + duration).shift(1) - start
    other_file = recording(segments) != recording(segments).shift(1)
    shorter = pl.min_horizontal(duration, duration.shift(1))
    overlapping = ordered.filter(other_file & (shared > 0.05 * shorter) & (shorter > 0)).height
    if not overlapping:
        return ()
    sentence = (
        f"{overlapping} stretches of current from two files overlap in time: the same test may be "
        "there twice, or the instruments' time zone is wrong. Capacities may be doubled."
    )
    return (Finding("warning", "recordings_overlap", sentence, overlapping),)


def _findings(table: pl.DataFrame) -> tuple[Finding, ...]:
    """Return what was not taken from a counter although there is one, and what nobody decides."""
    largest = table["capacity_ah"].max()
    if not isinstance(largest, float):
        return ()
    large = table.filter(pl.max_horizontal("capacity_ah", "vendor_capacity_ah") > 0.01 * largest)
    counted = large.filter(pl.col("vendor_capacity_ah").is_not_null())
    apart = pl.col("vendor_capacity_difference").abs().fill_null(1.0)
    found = []
    doubtful = large.filter(pl.col("charge_source") == CONTRADICTING)
    if doubtful.height:
        off = pl.col("charge_uncertainty_ah") / pl.col("capacity_ah")
        worst = doubtful.filter(pl.col("capacity_ah") > 0).select(off.max()).item()
        sentence = (
            f"In {doubtful.height} of {table.height} half cycles current, counter and clocks give "
            f"different charges, by up to {worst or 0:.1%}, and nothing else in the files tells "
            "which is right. Capacities there are by the current over the test time, and their "
            "cycles have no Coulombic efficiency."
        )
        found.append(Finding("warning", "capacity_differs_from_counter", sentence, doubtful.height))
    others = counted.filter(
        (apart > _DIFFERENCE) & ~pl.col("charge_source").is_in([COUNTED, CONTRADICTING])
    )
    if others.height:
        worst = others.select(apart.max()).item()
        sentence = (
            f"In {others.height} of {table.height} half cycles the charge is integrated from the "
            f"current, because the instrument's counter differs by up to {worst:.1%} and the "
            "other clocks or the counted energy side with the current, or the counter has too few "
            "digits to tell so small a charge."
        )
        found.append(Finding("warning", "capacity_differs_from_counter", sentence, others.height))
    return tuple(found)


ANALYSIS = Analysis(
    "half_cycles", ("half_cycle_segments",), ("half_cycles",), _compute, version=4,
    fields=(
        "cell_id", "configuration", "reference_offset_volt", "lower_voltage_volt",
        "upper_voltage_volt",
    ),
)  # fmt: skip
