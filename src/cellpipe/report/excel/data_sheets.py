"""Build the sheets after summary and cycles: curves, spectra, fits, arcs, laws, findings, files."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.parameter_table import wide_headers, widen_parameters
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
from cellpipe.report.fade_sentences import fade_sentence
from cellpipe.report.figures.choice import ShownCycle
from cellpipe.report.figures.impedance import fitted_impedance
from cellpipe.report.figures.scale import capacity_scale
from cellpipe.report.wording import format_time

# What the sheet of spectra shows is no table's column as it stands.
REAL, UPWARDS = "real", "minus_imaginary"
FITTED_REAL, FITTED_UPWARDS = "fitted_real", "fitted_minus_imaginary"


def _select_half_cycles(table: pl.DataFrame, shown: list[ShownCycle]) -> pl.DataFrame:
    """Return the rows of the shown half cycles, with their cycle's name as first column."""
    names = {half: cycle.label for cycle in shown for half in cycle.half_cycles}
    label = pl.col("half_cycle").replace_strict(names, default=None, return_dtype=pl.String)
    labelled = table.select(label.alias("label"), pl.all())
    return labelled.drop_nulls("label").sort("half_cycle", maintain_order=True)


def _half_cycle_columns(table: pl.DataFrame) -> list[SheetColumn]:
    return [
        SheetColumn("Cycle", table["label"].to_list(), TEXT, 14),
        SheetColumn("Direction", table["direction"].to_list()),
    ]


def _voltage_columns(cell: Cell, table: pl.DataFrame) -> list[SheetColumn]:
    volts = table["voltage_volt"]
    columns = [SheetColumn("Voltage, as measured (V)", volts.to_list(), FIXED_4)]
    if cell.reference_offset_volt:
        shifted = (volts + cell.reference_offset_volt).to_list()
        columns.append(SheetColumn("Voltage vs Li⁺/Li (V)", shifted, FIXED_4))
    return columns


def profile_columns(
    cell: Cell, profiles: pl.DataFrame, shown: list[ShownCycle], cycles: pl.DataFrame
) -> list[SheetColumn]:
    """Return the voltage profiles of the cycles that the page shows."""
    table = _select_half_cycles(profiles, shown)
    scale = capacity_scale(cell, cycles)
    columns = _half_cycle_columns(table)
    charge = table["capacity_ah"]
    columns.append(SheetColumn("Charge passed (mAh)", (charge * 1e3).to_list(), FIXED_4))
    if scale.basis:
        specific = (charge * scale.per_ah).to_list()
        head = f"Charge passed ({scale.unit}, per {scale.basis})"
        columns.append(SheetColumn(head, specific, FIXED_2, 18))
    return columns + _voltage_columns(cell, table)


def curve_columns(
    cell: Cell, differential: pl.DataFrame, shown: list[ShownCycle], cycles: pl.DataFrame
) -> list[SheetColumn]:
    """Return dQ/dV of the cycles that the page shows."""
    table = _select_half_cycles(differential, shown)
    scale = capacity_scale(cell, cycles)
    slope = (table["differential_capacity_ah_per_volt"] * scale.per_ah).to_list()
    per = f", per {scale.basis}" if scale.basis else ""
    made = [("grid", table["grid_step_volt"] * 1e3), ("smoothing", table["smoothing_volt"] * 1e3)]
    alike = "".join(f", {name} {v[0]:.4g} mV" for name, v in made if v.n_unique() == 1)
    others = [
        SheetColumn(f"{name.capitalize()} (mV)", values.to_list(), FIXED_2)
        for name, values in made
        if values.n_unique() > 1
    ]
    return [
        *_half_cycle_columns(table),
        *_voltage_columns(cell, table),
        SheetColumn(f"dQ/dV ({scale.unit}/V{per}{alike})", slope, FIXED_3, 18),
        *others,
    ]


def spectrum_columns(
    impedance: pl.DataFrame, growth: pl.DataFrame, fits: pl.DataFrame
) -> list[SheetColumn]:
    """Return all spectra, highest frequency first, with the values of the fitted circuit."""
    cycles = growth.select("spectrum", "cycle")
    table = impedance.join(cycles, on="spectrum", how="left").sort(
        "spectrum", "frequency_hertz", descending=[False, True]
    )
    real, imaginary = _fitted_columns(table, fits)
    return [
        SheetColumn("Spectrum", table["spectrum"].to_list(), FIXED_0),
        SheetColumn("Cycles begun", table["cycle"].to_list(), FIXED_0),
        SheetColumn("Frequency (Hz)", table["frequency_hertz"].to_list(), SCIENTIFIC),
        SheetColumn("Z′ (Ω)", table["real_impedance_ohm"].to_list(), FIXED_4, key=REAL),
        SheetColumn("−Z″ (Ω)", (-table["imaginary_impedance_ohm"]).to_list(), FIXED_4, key=UPWARDS),
        SheetColumn("Z′, fit (Ω)", real, FIXED_4, key=FITTED_REAL),
        SheetColumn("−Z″, fit (Ω)", imaginary, FIXED_4, key=FITTED_UPWARDS),
    ]


def _fitted_columns(
    table: pl.DataFrame, fits: pl.DataFrame
) -> tuple[list[float | None], list[float | None]]:
    real: list[float | None] = []
    imaginary: list[float | None] = []
    for (number,), points in table.group_by("spectrum", maintain_order=True):
        fit = fits.filter(pl.col("spectrum") == number)
        if fit.is_empty():
            blank: list[float | None] = [None] * points.height
            real, imaginary = real + blank, imaginary + blank
            continue
        z = fitted_impedance(fit, points["frequency_hertz"].to_numpy())
        real += [_round_digits(part) for part in np.real(z)]
        imaginary += [_round_digits(-part) for part in np.imag(z)]
    return real, imaginary


def _round_digits(value: float) -> float:
    """Return nine digits: in complex arithmetic the last bits depend on the arrays' alignment."""
    return float(f"{value:.9g}")


def resistance_columns(growth: pl.DataFrame) -> list[SheetColumn]:
    """Return the interfacial resistance of every spectrum."""
    table = growth.sort("spectrum")
    described = (
        ("Spectrum", "spectrum", FIXED_0),
        ("Cycles begun", "cycle", FIXED_0),
        ("Interfacial resistance (Ω)", "interfacial_resistance_ohm", FIXED_3),
        ("Standard error (Ω)", "interfacial_resistance_standard_error_ohm", FIXED_3),
        ("of that noise (Ω)", "interfacial_resistance_precision_ohm", FIXED_3),
        ("Interfacial resistance (Ω cm²)", "areal_interfacial_resistance_ohm_cm2", FIXED_3),
        ("To bear in mind", "interfacial_resistance_remark", TEXT),
        ("Series resistance (Ω)", "series_resistance_ohm", FIXED_3),
        ("Series, standard error (Ω)", "series_resistance_standard_error_ohm", FIXED_3),
        ("Ionic conductivity (S/cm)", "ionic_conductivity_siemens_per_cm", SCIENTIFIC),
        (
            "Conductivity, standard error (S/cm)",
            "ionic_conductivity_standard_error_siemens_per_cm",
            SCIENTIFIC,
        ),
        ("Why no conductivity", "ionic_conductivity_remark", TEXT),
        ("Relative residual", "relative_residual", PERCENT),
        ("Frequencies", "frequencies", FIXED_0),
        ("Left out", "frequencies_left_out", FIXED_0),
        ("Noise", "noise", PERCENT),
        ("Kramers–Kronig, misses by", "kramers_kronig_violation", PERCENT),
        ("Determined", "identifiable", TEXT),
        ("State", "state", FIXED_0),
        ("Voltage (V)", "voltage_volt", FIXED_4),
        ("Circuit", "circuit", TEXT),
        ("File sha256", "file_sha256", TEXT),
        ("Spectrum in file", "spectrum_in_file", FIXED_0),
    )
    columns = [SheetColumn(h, table[c].to_list(), s, 14, c) for h, c, s in described]
    starts = [None if t is None else format_time(t) for t in table["unix_time_second"].to_list()]
    return [*columns, SheetColumn("Start (UTC)", starts, TEXT, 17)]


def fit_columns(fits: pl.DataFrame) -> list[SheetColumn]:
    """Return the fitted parameters, one per row."""
    described = (
        ("Spectrum", "spectrum", FIXED_0, 10),
        ("Circuit", "circuit", TEXT, 28),
        ("Element", "element", TEXT, 10),
        ("Parameter", "parameter", TEXT, 10),
        ("Value", "value", SCIENTIFIC, 13),
        ("Standard error", "standard_error", SCIENTIFIC, 13),
        ("of that noise", "precision", SCIENTIFIC, 13),
        ("Unit", "unit", TEXT, 13),
        ("Determined", "identifiable", TEXT, 12),
    )
    return [SheetColumn(h, fits[c].to_list(), s, w) for h, c, s, w in described]


def parameter_columns(fits: pl.DataFrame) -> list[SheetColumn]:
    """Return the fitted parameters, one row a spectrum, with a column for each and its errors."""
    if fits.is_empty():
        return []
    table, heads = widen_parameters(fits), wide_headers(fits)
    flags = {name for name, kind in table.schema.items() if kind == pl.Boolean}
    return [
        SheetColumn("Spectrum", table["spectrum"].to_list(), FIXED_0, 10),
        SheetColumn("Circuit", table["circuit"].to_list(), TEXT, 28),
        *(
            SheetColumn(head, table[name].to_list(), TEXT if name in flags else SCIENTIFIC, 13)
            for name, head in heads.items()
        ),
    ]


def relaxation_columns(times: pl.DataFrame) -> list[SheetColumn]:
    """Return the distribution of relaxation times of every spectrum."""
    described = (
        ("Spectrum", "spectrum", FIXED_0, 10),
        ("Point", "point", FIXED_0, 8),
        ("τ (s)", "time_constant_second", SCIENTIFIC, 13),
        ("Frequency (Hz)", "frequency_hertz", SCIENTIFIC, 15),
        ("γ (Ω)", "distribution_ohm", SCIENTIFIC, 13),
    )
    return [SheetColumn(h, times[c].to_list(), s, w) for h, c, s, w in described]


def peak_columns(peaks: pl.DataFrame) -> list[SheetColumn]:
    """Return the peaks of the relaxation times, one per row."""
    described = (
        ("Spectrum", "spectrum", FIXED_0, 10),
        ("Peak", "peak", FIXED_0, 8),
        ("τ (s)", "time_constant_second", SCIENTIFIC, 13),
        ("Frequency (Hz)", "frequency_hertz", SCIENTIFIC, 15),
        ("R (Ω)", "resistance_ohm", SCIENTIFIC, 13),
        ("Standard error (Ω)", "resistance_standard_error_ohm", SCIENTIFIC, 17),
        ("C (F)", "capacitance_farad", SCIENTIFIC, 13),
        ("Stands alone", "stands_alone", TEXT, 12),
        ("Relative residual", "relative_residual", PERCENT, 16),
    )
    return [SheetColumn(h, peaks[c].to_list(), s, w) for h, c, s, w in described]


def arc_columns(arcs: pl.DataFrame) -> list[SheetColumn]:
    """Return the arcs of every spectrum, one per row."""
    described = (
        ("Spectrum", "spectrum", FIXED_0, 10),
        ("Arc", "arc", TEXT, 8),
        ("Process", "process", TEXT, 16),
        ("Probability", "process_probability", PERCENT, 11),
        ("R (Ω)", "resistance_ohm", SCIENTIFIC, 13),
        ("Standard error (Ω)", "resistance_standard_error_ohm", SCIENTIFIC, 17),
        ("of that noise (Ω)", "resistance_precision_ohm", SCIENTIFIC, 16),
        ("R (Ω cm²)", "areal_resistance_ohm_cm2", SCIENTIFIC, 13),
        ("τ (s)", "time_constant_second", SCIENTIFIC, 13),
        ("n", "exponent", FIXED_4, 9),
        ("C (F)", "capacitance_farad", SCIENTIFIC, 13),
        ("C, Brug (F)", "brug_capacitance_farad", SCIENTIFIC, 13),
        ("C (F/cm²)", "capacitance_farad_per_cm2", SCIENTIFIC, 13),
        ("Determined", "identifiable", TEXT, 12),
    )
    return [SheetColumn(h, arcs[c].to_list(), s, w) for h, c, s, w in described]


def protocol_columns(stretches: pl.DataFrame) -> list[SheetColumn]:
    """Return what was done with the cell, one stretch per row."""
    rows = stretches.with_columns(
        pl.col("charging_current_ampere", "discharging_current_ampere") * 1e3,
        pl.col("duration_second") / 3600,
    )
    described = (
        ("Stretch", "stretch", FIXED_0, 8),
        ("Kind", "kind", TEXT, 14),
        ("Told by", "told_by", TEXT, 15),
        ("Start (UTC)", "start_unix_time_second", TEXT, 17),
        ("Duration (h)", "duration_second", FIXED_2, 12),
        ("From cycle", "first_cycle", FIXED_0, 11),
        ("To cycle", "last_cycle", FIXED_0, 11),
        ("Charging current (mA)", "charging_current_ampere", FIXED_4, 20),
        ("Discharging current (mA)", "discharging_current_ampere", FIXED_4, 22),
        ("C-rate (1/h)", "c_rate", FIXED_3, 12),
        ("Pulses", "pulses", FIXED_0, 8),
        ("Spectra", "spectra", FIXED_0, 8),
        ("Records", "records", FIXED_0, 10),
    )
    texts = {"start_unix_time_second": [format_time(t) for t in rows["start_unix_time_second"]]}
    return [SheetColumn(h, texts.get(c, rows[c].to_list()), s, w) for h, c, s, w in described]


def fade_columns(fade: pl.DataFrame) -> list[SheetColumn]:
    """Return how the capacity falls, in one row, and what that says in a sentence."""
    fine = "0.0000%"
    described = (
        ("Shape", "shape", TEXT, 10),
        ("From cycle", "first_cycle", FIXED_0, 11),
        ("To cycle", "last_cycle", FIXED_0, 11),
        ("Fade per cycle", "fade_per_cycle", fine, 12),
        ("Fade, 95 % from", "fade_per_cycle_low", fine, 14),
        ("Fade, 95 % to", "fade_per_cycle_high", fine, 14),
        ("Knee or bend at cycle", "knee_cycle", FIXED_2, 19),
        ("Knee, 95 % from", "knee_cycle_low", FIXED_2, 15),
        ("Knee, 95 % to", "knee_cycle_high", FIXED_2, 15),
        ("Fade after it", "fade_after_per_cycle", fine, 13),
        ("Fade after it, 95 % from", "fade_after_per_cycle_low", fine, 21),
        ("Fade after it, 95 % to", "fade_after_per_cycle_high", fine, 21),
        ("Correlation of neighbours", "noise_correlation", PERCENT, 22),
        ("Independent cycles", "effective_cycles", FIXED_4, 17),
        ("80 %", "outlook", TEXT, 12),
        ("80 % at cycle", "end_of_life_cycle", FIXED_0, 13),
        ("80 %, 95 % from", "end_of_life_cycle_low", FIXED_0, 15),
        ("80 %, 95 % to", "end_of_life_cycle_high", FIXED_0, 15),
        ("Predicted up to cycle", "horizon_cycle", FIXED_0, 18),
    )
    columns = [SheetColumn(h, fade[c].to_list(), s, w) for h, c, s, w in described]
    said = [fade_sentence(fade)] if fade.height else []
    return [*columns, SheetColumn("In words", said, TEXT, 100)]


def growth_columns(laws: pl.DataFrame) -> list[SheetColumn]:
    """Return the laws of growth, one per row."""
    described = (
        ("State", "state", FIXED_0, 8),
        ("Arc", "arc", TEXT, 8),
        ("Process", "process", TEXT, 16),
        ("Spectra", "spectra", FIXED_0, 9),
        ("First (Ω)", "first_resistance_ohm", FIXED_4, 12),
        ("Last (Ω)", "last_resistance_ohm", FIXED_4, 12),
        ("Per cycle (Ω)", "growth_per_cycle_ohm", SCIENTIFIC, 13),
        ("Per √h (Ω)", "growth_per_root_hour_ohm", SCIENTIFIC, 13),
        ("Trend", "trend", TEXT, 13),
        ("Law", "law", TEXT, 14),
        ("Probability", "law_probability", PERCENT, 11),
        ("Free exponent", "exponent", FIXED_4, 13),
        ("Standard error of the exponent", "exponent_standard_error", FIXED_4, 27),
        ("R₀ (Ω)", "initial_resistance_ohm", FIXED_4, 12),
        ("Rate (Ω/h^m)", "rate_ohm_per_hour_to_the_m", SCIENTIFIC, 13),
        ("Standard error of the rate", "rate_standard_error", SCIENTIFIC, 23),
        ("From (h)", "law_start_hour", FIXED_4, 11),
        ("Time constant (h)", "time_constant_hour", FIXED_4, 16),
        ("Amplitude (Ω)", "amplitude_ohm", FIXED_4, 13),
        ("Knee at (h)", "knee_hour", FIXED_4, 12),
        ("Rate after the knee (Ω/h)", "rate_after_knee_ohm_per_hour", SCIENTIFIC, 23),
        ("Clock", "clock", TEXT, 24),
        ("Probability of the clock", "clock_probability", PERCENT, 21),
        ("Jumps", "jumps", FIXED_0, 8),
        ("Odd spectrum", "odd_spectrum", FIXED_0, 13),
        ("Repeatability", "repeatability", PERCENT, 13),
    )
    return [SheetColumn(h, laws[c].to_list(), s, w) for h, c, s, w in described]


def finding_columns(findings: pl.DataFrame) -> list[SheetColumn]:
    """Return the findings: what the data could not decide."""
    described = (
        ("Severity", "severity", 10),
        ("Kind", "code", 26),
        ("Sentence", "sentence", 100),
        ("What to do", "remedy", 60),
    )
    columns = [SheetColumn(h, findings[c].to_list(), TEXT, w) for h, c, w in described]
    since = [None if day is None else f"{day:%Y-%m-%d}" for day in findings["since"].to_list()]
    return [
        *columns,
        SheetColumn("Since", since, TEXT, 12),
        SheetColumn("Rows", findings["rows"].to_list(), FIXED_0),
    ]


def file_columns(files: pl.DataFrame, version: str) -> list[SheetColumn]:
    """Return the raw files, and the version of cellpipe that computed the numbers."""
    table = files.sort("path")
    starts = [None if t is None else format_time(t) for t in table["started_at"].to_list()]
    described = (
        ("File", "path", TEXT, 40),
        ("sha256", "file_sha256", TEXT, 68),
        ("Status", "status", TEXT, 11),
        ("Format", "format", TEXT, 16),
        ("Records", "records", FIXED_0, 11),
        ("Spectra", "spectra", FIXED_0, 9),
        ("Size (B)", "size_byte", FIXED_0, 12),
        ("Reason", "reason", TEXT, 60),
    )
    columns = [SheetColumn(h, table[c].to_list(), s, w) for h, c, s, w in described]
    return [
        *columns,
        SheetColumn("Start (UTC)", starts, TEXT, 17),
        SheetColumn("Written by", [f"cellpipe {version}"] * table.height, TEXT, 18),
    ]
