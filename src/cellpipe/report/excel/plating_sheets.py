"""Build the sheets of cells that strip and plate: half cycles, shorts, critical current, trace."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cellpipe.report.excel.sheets import (
    FIXED_0,
    FIXED_2,
    FIXED_3,
    FIXED_4,
    PERCENT,
    SCIENTIFIC,
    TEXT,
    SheetColumn,
)
from cellpipe.report.wording import format_time

_Heads = Sequence[tuple[str, str, float, str, float]]  # head, column, factor, style, width
_STRIPPING: _Heads = (
    ("Half cycle", "stretch", 1, FIXED_0, 10),
    ("Current is", "direction", 1, TEXT, 10),
    ("From (h)", "start_hour", 1, FIXED_4, 11),
    ("Lasts (s)", "duration_second", 1, FIXED_2, 11),
    ("Current (A)", "current_ampere", 1, SCIENTIFIC, 11),
    ("Current density (mA/cm²)", "current_density_ma_per_cm2", 1, FIXED_4, 13),
    ("Overpotential, mean (mV)", "mean_overpotential_mv", 1, FIXED_3, 13),
    ("Overpotential, end (mV)", "end_overpotential_mv", 1, FIXED_3, 13),
    ("Overpotential, peak (mV)", "peak_overpotential_mv", 1, FIXED_3, 13),
    ("Polarisation (Ω)", "polarisation_ohm", 1, FIXED_3, 12),
    ("Polarisation (Ω cm²)", "polarisation_ohm_cm2", 1, FIXED_3, 12),
    ("Charge (mAh)", "charge_ah", 1e3, SCIENTIFIC, 11),
    ("Charge (mAh/cm²)", "areal_charge_mah_per_cm2", 1, FIXED_4, 11),
    ("Cumulative (mAh)", "cumulative_charge_ah", 1e3, SCIENTIFIC, 11),
    ("Cumulative (mAh/cm²)", "cumulative_areal_charge_mah_per_cm2", 1, FIXED_4, 12),
    ("Cell is", "state", 1, TEXT, 14),
)
_SHORTS: _Heads = (
    ("Short", "short", 1, FIXED_0, 8),
    ("Kind", "kind", 1, TEXT, 8),
    ("Seen by", "sign", 1, TEXT, 18),
    ("From (h)", "start_hour", 1, FIXED_4, 11),
    ("To (h)", "end_hour", 1, FIXED_4, 11),
    ("In half cycle", "stretch", 1, FIXED_0, 10),
    ("Current (A)", "current_ampere", 1, SCIENTIFIC, 11),
    ("Current density (mA/cm²)", "current_density_ma_per_cm2", 1, FIXED_4, 13),
    ("Charge before it (mAh)", "cumulative_charge_ah", 1e3, SCIENTIFIC, 12),
    ("Charge before it (mAh/cm²)", "cumulative_areal_charge_mah_per_cm2", 1, FIXED_4, 12),
    ("Before (Ω)", "before_ohm", 1, FIXED_3, 11),
    ("After (Ω)", "after_ohm", 1, FIXED_3, 11),
)
_CRITICAL: _Heads = (
    ("Known to be symmetric by", "known_from", 1, TEXT, 18),
    ("Verdict", "verdict", 1, TEXT, 20),
    ("Rising currents", "levels", 1, FIXED_0, 9),
    ("Largest held (A)", "held_ampere", 1, SCIENTIFIC, 12),
    ("Shorted at (A)", "shorted_ampere", 1, SCIENTIFIC, 12),
    ("Largest held (mA/cm²)", "critical_current_density_ma_per_cm2", 1, FIXED_4, 13),
    ("Shorted at (mA/cm²)", "shorted_current_density_ma_per_cm2", 1, FIXED_4, 13),
    ("Step between them (mA/cm²)", "step_ma_per_cm2", 1, FIXED_4, 13),
    ("Test from (h)", "start_hour", 1, FIXED_4, 11),
    ("Test to (h)", "end_hour", 1, FIXED_4, 11),
    ("First short (h)", "short_hour", 1, FIXED_4, 11),
    ("Shorts", "shorts", 1, FIXED_0, 8),
    ("Half cycles that could tell", "judged", 1, FIXED_0, 12),
    ("Half cycles", "half_cycles", 1, FIXED_0, 10),
)
_TRACE: _Heads = (
    ("Time (h)", "hour", 1, FIXED_4, 11),
    ("Voltage (V)", "voltage_volt", 1, FIXED_4, 11),
    ("Current (A)", "current_ampere", 1, SCIENTIFIC, 11),
)
_EFFICIENCY: _Heads = (
    ("Method", "method", 1, TEXT, 11),
    ("Used", "used", 1, TEXT, 8),
    ("Efficiency", "efficiency", 1, PERCENT, 11),
    ("From", "efficiency_low", 1, PERCENT, 11),
    ("To", "efficiency_high", 1, PERCENT, 11),
    ("Cycles", "cycles", 1, FIXED_0, 8),
    ("Q_T (mAh)", "reservoir_charge_ah", 1e3, FIXED_4, 11),
    ("Q_C (mAh)", "cycled_charge_ah", 1e3, FIXED_4, 11),
    ("Q_S (mAh)", "final_charge_ah", 1e3, FIXED_4, 11),
    ("To bear in mind", "remark", 1, TEXT, 40),
)


def stripping_columns(halves: pl.DataFrame) -> list[SheetColumn]:
    """Return the half cycles of a symmetric cell, with the clock at which each begins."""
    begins = [
        None if at is None else format_time(at) for at in halves["start_unix_time_second"].to_list()
    ]
    return [*_columns(halves, _STRIPPING), SheetColumn("Begins (UTC)", begins, TEXT, 17)]


def short_columns(shorts: pl.DataFrame) -> list[SheetColumn]:
    """Return the short circuits of a symmetric cell."""
    return _columns(shorts, _SHORTS)


def critical_columns(critical: pl.DataFrame) -> list[SheetColumn]:
    """Return the critical current of a symmetric cell, in one row."""
    return _columns(critical, _CRITICAL)


def trace_columns(trace: pl.DataFrame) -> list[SheetColumn]:
    """Return the voltage and the current that the page draws."""
    return _columns(trace, _TRACE)


def efficiency_columns(efficiency: pl.DataFrame) -> list[SheetColumn]:
    """Return the plating efficiency by each method."""
    used = pl.when("used").then(pl.lit("yes")).otherwise(pl.lit("no"))
    return _columns(efficiency.with_columns(used=used), _EFFICIENCY)


def _columns(table: pl.DataFrame, heads: _Heads) -> list[SheetColumn]:
    if table.is_empty():
        return []
    return [
        SheetColumn(
            head,
            (table[column] if factor == 1 else factor * table[column]).to_list(),
            style,
            width,
        )
        for head, column, factor, style, width in heads
    ]
