"""Segments of all files of a cell to its half cycles.

Protocol: segments are put in the order of their absolute times (in the order of the files where a
file has no clock); neighbours of the same direction are one half cycle, so one that is cut by a
file's end goes on in the next; small ones belong to their neighbour, by the same rule as within a
file. Integrated and counted charge stand side by side; above 0.5 % their difference is a finding.
"""

from __future__ import annotations

import polars as pl

from cellpipe.domain import Analysis, Cell, Finding, Result, Tables
from cellpipe.numerics.runs import merged_numbers

_DIFFERENCE = 0.005


def numbered(segments: pl.DataFrame) -> pl.DataFrame:
    """Put segments in the order of time and add the number of their half cycle.

    Within a file the order of its records is the order of time, whatever its clock says.
    """
    timed = segments.height and not segments["start_unix_time_second"].null_count()
    never_back = pl.col("start_unix_time_second").cum_max().over("file_sha256")
    ordered = segments.sort(never_back, maintain_order=True) if timed else segments
    sign = ordered["direction"].replace_strict({"charge": 1, "discharge": -1}, return_dtype=pl.Int8)
    numbers = merged_numbers(
        sign.to_numpy(), ordered["capacity_ah"].to_numpy(), ordered["duration_second"].to_numpy()
    )
    return ordered.with_columns(pl.Series("half_cycle", numbers, dtype=pl.Int64))


def _compute(cell: Cell, tables: Tables) -> tuple[Result, ...]:
    signed = numbered(tables["half_cycle_segments"]).with_columns(
        sign=pl.when(pl.col("direction") == "charge").then(1).otherwise(-1)
    )
    net = pl.col("capacity_ah") * pl.col("sign")
    vendor = pl.col("vendor_capacity_ah") * pl.col("sign")
    weight = pl.col("mean_temperature_celsius") * pl.col("duration_second")
    table = (
        signed.group_by("half_cycle", maintain_order=True)
        .agg(
            cell_id=pl.lit(cell.cell_id),
            net=net.sum(),
            energy_wh=(pl.col("energy_wh") * pl.col("sign")).sum() * net.sum().sign(),
            vendor_capacity_ah=pl.when(pl.col("vendor_capacity_ah").null_count() == 0).then(
                vendor.sum().abs()
            ),
            start_voltage_volt=pl.col("start_voltage_volt").first(),
            end_voltage_volt=pl.col("end_voltage_volt").last(),
            min_voltage_volt=pl.col("min_voltage_volt").min(),
            max_voltage_volt=pl.col("max_voltage_volt").max(),
            max_current_ampere=pl.col("max_current_ampere").max(),
            constant_voltage_share=(pl.col("constant_voltage_share") * pl.col("capacity_ah")).sum()
            / pl.col("capacity_ah").sum(),
            start_unix_time_second=pl.col("start_unix_time_second").first(),
            duration_second=pl.col("duration_second").sum(),
            vendor_cycle_count=pl.col("vendor_cycle_count").first(),
            mean_temperature_celsius=weight.sum() / pl.col("duration_second").sum(),
            records_after=pl.col("records_after").last(),
            segments=pl.len(),
            file_sha256=pl.col("file_sha256").first(),
            first_record_index=pl.col("first_record_index").first(),
            last_file_sha256=pl.col("file_sha256").last(),
            last_record_index=pl.col("last_record_index").last(),
        )
        .with_columns(
            direction=pl.when(pl.col("net") > 0)
            .then(pl.lit("charge"))
            .otherwise(pl.lit("discharge")),
            capacity_ah=pl.col("net").abs(),
            mean_voltage_volt=pl.col("energy_wh") / pl.col("net").abs(),
            vendor_capacity_difference=pl.col("net").abs() / pl.col("vendor_capacity_ah") - 1,
            mean_temperature_celsius=pl.when(
                pl.col("mean_temperature_celsius").is_finite()
            ).then("mean_temperature_celsius"),
        )
        .drop("net")
    )  # fmt: skip
    findings = (*_findings(table), *_overlaps(tables["half_cycle_segments"]))
    return (Result("half_cycles", table, findings),)


def _overlaps(segments: pl.DataFrame) -> tuple[Finding, ...]:
    """Find segments of different files at the same time: a cell can't be in two tests at once."""
    start, lasted = pl.col("start_unix_time_second"), pl.col("duration_second")
    ordered = segments.filter(start.is_not_null()).sort("start_unix_time_second")
    shared = (start + lasted).shift(1) - start
    other_file = pl.col("file_sha256") != pl.col("file_sha256").shift(1)
    shorter = pl.min_horizontal(lasted, lasted.shift(1))
    together = ordered.filter(other_file & (shared > 0.05 * shorter) & (shorter > 0)).height
    if not together:
        return ()
    sentence = (
        f"{together} stretches of current from two files overlap in time: the same test may be "
        "there twice, or the instruments' time zone is wrong. Capacities may be doubled."
    )
    return (Finding("warning", "recordings_overlap", sentence, together),)


def _findings(table: pl.DataFrame) -> tuple[Finding, ...]:
    largest = table["capacity_ah"].max()
    if not isinstance(largest, float):
        return ()
    apart = table.filter(
        (pl.col("vendor_capacity_difference").abs() > _DIFFERENCE)
        & (pl.col("capacity_ah") > 0.01 * largest)
    )
    if not apart.height:
        return ()
    worst = float(apart["vendor_capacity_difference"].abs().max() or 0.0)  # type: ignore[arg-type]
    sentence = (
        f"In {apart.height} of {table.height} half cycles the charge integrated from the records "
        f"differs from the instrument's counter by more than 0.5 %, at most {worst:.1%}."
    )
    return (Finding("warning", "capacity_differs_from_counter", sentence, apart.height),)


ANALYSIS = Analysis("half_cycles", ("half_cycle_segments",), ("half_cycles",), _compute)
