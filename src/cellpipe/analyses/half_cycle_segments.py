"""Time series to segments: stretches of current in one direction within one file.

Protocol: a record is charge, discharge or rest by the sign of its current above the noise
(:mod:`cellpipe.numerics.runs`), records of an impedance spectrum are rest; charge is integrated by
:mod:`cellpipe.numerics.integrate`; a segment is what lies between two turns of the current. Energy
is V·dQ in the direction of the segment: it is negative where the voltage is. Nothing is null but
what the file leaves out (vendor's counters, clock, temperature). Runs once per content of a file.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.numerics.integrate import charge_increments, counter_increments
from cellpipe.numerics.runs import directions, segment_numbers

_LIMIT_VOLT = 0.003  # within this of its extreme voltage a record is at the voltage limit
_TAPERED = 0.98  # of the constant current: below it the current tapers


def records_with_charge(timeseries: pl.DataFrame) -> pl.DataFrame:
    """Add to each record its direction, its charge and its segment.

    Adds ``charge_ah`` (Ah since the record before, positive on charge), ``vendor_charge_ah`` (by
    the instrument's counters; null without them), ``direction`` (+1, −1, 0) and ``segment`` (0
    outside of any).
    """
    time = timeseries["test_time_second"].to_numpy()
    current = timeseries["current_ampere"].to_numpy()
    direction = directions(current)
    if "frequency_hertz" in timeseries.columns:  # the mean current of an impedance record is noise
        direction[timeseries["frequency_hertz"].is_not_null().to_numpy()] = 0
    charge = charge_increments(
        time,
        current,
        _new_step(timeseries, direction),
        step_time_second=_optional(timeseries, "step_time_second"),
        net_capacity_ah=_optional(timeseries, "net_capacity_ah"),
    )
    segment = segment_numbers(direction, charge, time)
    vendor = _vendor_charge(timeseries)
    return timeseries.with_columns(
        pl.Series("charge_ah", charge),
        pl.lit(None, pl.Float64).alias("vendor_charge_ah")
        if vendor is None
        else pl.Series("vendor_charge_ah", vendor),
        pl.Series("direction", direction),
        pl.Series("segment", segment),
    )


def half_cycle_segments(timeseries: pl.DataFrame, file_sha256: str) -> pl.DataFrame:
    """Give one row per segment of a file, as schemas/half_cycle_segments.yaml says."""
    indexed = records_with_charge(timeseries).with_row_index("position")
    records = indexed.filter(pl.col("segment") > 0)
    taken = [c for c in ("unix_time_second", "cycle_count") if c in records.columns]
    temperature = _temperature(records)
    clock = pl.col("unix_time_second").first() if "unix_time_second" in taken else pl.lit(None)
    cycle = pl.col("cycle_count").first() if "cycle_count" in taken else pl.lit(None)
    power = (pl.col("charge_ah") * _mean_voltage()).sum()
    interval = pl.col("test_time_second").diff().clip(0, None)
    return (
        records.group_by("segment", maintain_order=True)
        .agg(
            net=pl.col("charge_ah").sum(),
            first_record_index=pl.col("record_index").first(),
            last_record_index=pl.col("record_index").last(),
            records=pl.len(),
            records_after=timeseries.height - 1 - pl.col("position").last().cast(pl.Int64),
            energy_wh=power * pl.col("charge_ah").sum().sign(),
            vendor=pl.col("vendor_charge_ah").sum(),
            counted=pl.col("vendor_charge_ah").is_not_null().any(),
            start_unix_time_second=clock,
            start_test_time_second=pl.col("test_time_second").first(),
            duration_second=interval.filter(_without_gaps()).sum(),
            start_voltage_volt=pl.col("voltage_volt").first(),
            end_voltage_volt=pl.col("voltage_volt").last(),
            min_voltage_volt=pl.col("voltage_volt").min(),
            max_voltage_volt=pl.col("voltage_volt").max(),
            max_current_ampere=pl.col("current_ampere").abs().quantile(0.9),
            constant_voltage_share=_constant_voltage_share(),
            vendor_cycle_count=cycle,
            mean_temperature_celsius=temperature,
        )
        .with_columns(
            file_sha256=pl.lit(file_sha256),
            direction=pl.when(pl.col("net") > 0).then(pl.lit("charge")).otherwise(
                pl.lit("discharge")
            ),
            capacity_ah=pl.col("net").abs(),
            vendor_capacity_ah=pl.when("counted").then(pl.col("vendor").abs()),
        )
        .drop("net", "vendor", "counted")
    )  # fmt: skip


def _new_step(
    timeseries: pl.DataFrame, direction: np.ndarray[tuple[int], np.dtype[np.int8]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """A new step begins where the instrument says so, or where the direction changes."""
    changed: np.ndarray[tuple[int], np.dtype[np.bool_]]
    changed = np.diff(direction, prepend=direction[:1]) != 0
    if "step_count" in timeseries.columns:
        counted = timeseries["step_count"].diff().fill_null(0).to_numpy() != 0
        changed = changed | counted
    return changed


def _optional(
    timeseries: pl.DataFrame, column: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if column not in timeseries.columns or timeseries[column].null_count():
        return None
    return timeseries[column].to_numpy()


def _vendor_charge(
    timeseries: pl.DataFrame,
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Charge between records by the instrument's own counters, or None without them."""
    net = _optional(timeseries, "net_capacity_ah")
    if net is not None:
        return np.diff(net, prepend=net[:1])
    up = _optional(timeseries, "vendor_charging_capacity_ah")
    down = _optional(timeseries, "vendor_discharging_capacity_ah")
    if up is None or down is None:
        return None
    return counter_increments(up) - counter_increments(down)


def _mean_voltage() -> pl.Expr:
    before = pl.col("voltage_volt").shift(1).fill_null(pl.col("voltage_volt").first())
    return (pl.col("voltage_volt") + before) / 2


def _without_gaps() -> pl.Expr:
    """Records that follow the one before at once: no rest between them."""
    return pl.col("position").diff() == 1


def _constant_voltage_share() -> pl.Expr:
    charging = pl.col("charge_ah").sum() > 0
    extreme = pl.when(charging).then(pl.col("voltage_volt").max()).otherwise(
        pl.col("voltage_volt").min()
    )  # fmt: skip
    held = (pl.col("voltage_volt") - extreme).abs() < _LIMIT_VOLT
    size = pl.col("current_ampere").abs()
    tapered = size < _TAPERED * size.quantile(0.9)
    total = pl.col("charge_ah").abs().sum()
    share = pl.col("charge_ah").abs().filter(held & tapered).sum() / total
    return pl.when(total > 0).then(share).otherwise(0.0)


def _temperature(records: pl.DataFrame) -> pl.Expr:
    names = ["ambient_temperature_celsius"]
    names += sorted(c for c in records.columns if c.startswith("temperature_t"))
    present = [name for name in names if name in records.columns]
    return pl.col(present[0]).mean() if present else pl.lit(None, pl.Float64)
