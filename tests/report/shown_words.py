"""What every label means: the one vocabulary that all that is shown is held against.

It is written from what a label says and from the meanings in ``schemas/*.yaml``, not from the code
that writes the label. A label that is not here fails the test, and so does a number in a sentence
that is not here. ``{name}`` stands for a number or text (names: ``shown_lab``), ``{name:unit}`` for
one in that unit, ``[[ ]]`` for what may be missing, ``{~table.column}`` for any text that stands
there. What is no result is ``{!reason}``, words without a digit, ``{#reason}``, a
number, or ``{##reason}``, any text. ``{%name}`` is a list that a function of ``shown_lists`` reads.
"""

from __future__ import annotations

from collections.abc import Mapping

Meaning = str | tuple[str, ...] | dict[str, str]
Words = Mapping[str, Meaning]


_HALVES = {"charge": "charging", "discharge": "discharging"}
CYCLES: dict[str, Meaning] = {
    "Cycle": "cycle",
    "Kind": "protocol",
    "Complete": "complete",
    "Not complete because": "incomplete_because",
    "At its rate (%)": "capacity_retention_at_rate",
    "Over cycle": "rate_reference_cycle",
    "Reference cycle at its rate": "rate_reference_cycle",
    "CE (%)": "coulombic_efficiency",
    "Coulombic efficiency": "coulombic_efficiency",
    "CE ± (%)": "coulombic_efficiency_uncertainty",
    "Coulombic efficiency ±": "coulombic_efficiency_uncertainty",
    "Retention (%) of cycle {retention_reference_cycle}": "capacity_retention",
    "Capacity retention": "capacity_retention",
    "Reference cycle of retention": "retention_reference_cycle",
    "Retention at its rate": "capacity_retention_at_rate",
    "Energy efficiency (%)": "energy_efficiency",
    "Energy efficiency": "energy_efficiency",
    "Hysteresis (V)": "voltage_hysteresis_volt",
    "Voltage hysteresis (V)": "voltage_hysteresis_volt",
    "C-rate (1/h)": "discharging_c_rate",  # the C-rate of a cycle is that of its discharge
    "Duration (h)": "duration_second",
    "Start (UTC)": "=time",
    "Instrument's cycle": "vendor_cycle_count",
    "Mean temperature (°C)": "mean_temperature_celsius",
    "Highest temperature (°C)": "max_temperature_celsius",
    "Rate": "rate_group",
    "Formation": "formation_cycle",
} | {
    label.format(shown): name.format(word)
    for shown, word in _HALVES.items()
    for label, name in {
        "{} (mAh)": "{}_capacity_ah",
        "{} ± (mAh)": "{}_charge_uncertainty_ah",
        "{} from": "{}_charge_source",
        "{} (mAh/g)": "specific_{}_capacity_mah_per_g",
        "{} (mAh/g, per {{capacity_basis}})": "specific_{}_capacity_mah_per_g",
        "{} (mAh/cm²)": "areal_{}_capacity_mah_per_cm2",
        "Mean voltage, {} (V)": "mean_{}_voltage_volt",
        "End voltage, {} (V)": "end_{}_voltage_volt",
        "Rest voltage after, {} (V)": "rest_voltage_after_{}_volt",
        "Share at constant voltage, {}": "{}_constant_voltage_share",
        "DC resistance, {} (Ω)": "{}_dc_resistance_ohm",
        "Ended by, {}": "half_cycles.ended_by@{}_half_cycle",
        "{}: first file": "=source {}_half_cycle file_sha256",
        "{}: first record": "half_cycles.first_record_index@{}_half_cycle",
        "{}: last file": "=source {}_half_cycle last_file_sha256",
        "{}: last record": "half_cycles.last_record_index@{}_half_cycle",
    }.items()
}
_SPECTRUM: dict[str, Meaning] = {
    "Spectrum": "spectrum",
    "Cycles begun": "interfacial_resistance.cycle",
    "Determined": "identifiable",
}
ARCS: dict[str, Meaning] = _SPECTRUM | {
    "Arc": "arc",
    "Process": "process",
    "Probability": "process_probability",
    "R (Ω)": "resistance_ohm",
    "Standard error (Ω)": "resistance_standard_error_ohm",
    "of that noise (Ω)": "resistance_precision_ohm",
    "R (Ω cm²)": "areal_resistance_ohm_cm2",
    "τ (s)": "time_constant_second",
    "n": "exponent",
    "C (F)": "capacitance_farad",
    "C, Brug (F)": "brug_capacitance_farad",
    "C (F/cm²)": "capacitance_farad_per_cm2",
}
FITS: dict[str, Meaning] = _SPECTRUM | {
    "Circuit": "circuit",
    "Element": "element",
    "Parameter": "parameter",
    "Value": "value",
    "Standard error": "standard_error",
    "of that noise": "precision",
    "Unit": "unit",
    "Residual (%)": "interfacial_resistance.relative_residual",
}
CHANGES: dict[str, Meaning] = {
    "State": "state",
    "First": "first_spectrum",
    "Last": "last_spectrum",
    "Interface arcs": "arcs",
    "Explanation": "explanation",
    "Unchanged": "unchanged_odds",
    "Contact": "contact_odds",
    "Film": "film_odds",
    "Both": "contact_and_film_odds",
    "Leads": "leads_odds",
    "None of these": "other_odds",
    "Area, last over first": "area_ratio",
    "Standard error of it": "area_ratio_standard_error",
    "Stack pressure (MPa)": "stack_pressure_mpa",
}
ENERGIES: dict[str, Meaning] = {
    "Series": "series",
    "Arc": "arc",
    "Process": "process",
    "E (eV)": "activation_energy_ev",
    "Standard error (eV)": "activation_energy_standard_error_ev",
    "95 % from (eV)": "activation_energy_low_ev",
    "to (eV)": "activation_energy_high_ev",
    "E (kJ/mol)": "activation_energy_kj_per_mol",
    "Line of": "straight_line_of",
    "Temperatures": "temperatures",
    "From (°C)": "lowest_temperature_celsius",
    "To (°C)": "highest_temperature_celsius",
    "Coldest slope (eV)": "coldest_slope_ev",
    "Hottest slope (eV)": "hottest_slope_ev",
}
RELAXATION: dict[str, Meaning] = {
    "Spectrum": "spectrum",
    "Peak": "peak",
    "Point": "point",
    "τ (s)": "time_constant_second",
    "Frequency (Hz)": "frequency_hertz",
    "γ (Ω)": "distribution_ohm",
    "R (Ω)": "resistance_ohm",
    "Standard error (Ω)": "resistance_standard_error_ohm",
    "C (F)": "capacitance_farad",
    "Stands alone": "stands_alone",
    "Relative residual": "relative_residual",
}
RESISTANCE: dict[str, Meaning] = {
    **_SPECTRUM,
    "Cycles begun": "cycle",
    "Interfacial resistance (Ω)": "interfacial_resistance_ohm",
    "R (Ω)": "interfacial_resistance_ohm",
    "Standard error (Ω)": "interfacial_resistance_standard_error_ohm",
    "of that noise (Ω)": "interfacial_resistance_precision_ohm",
    "Interfacial resistance (Ω cm²)": "areal_interfacial_resistance_ohm_cm2",
    "R (Ω cm²)": "areal_interfacial_resistance_ohm_cm2",
    "To bear in mind": "interfacial_resistance_remark",
    "Series resistance (Ω)": "series_resistance_ohm",
    "Series, standard error (Ω)": "series_resistance_standard_error_ohm",
    "Ionic conductivity (S/cm)": "ionic_conductivity_siemens_per_cm",
    "Conductivity, standard error (S/cm)": "ionic_conductivity_standard_error_siemens_per_cm",
    "Why no conductivity": "ionic_conductivity_remark",
    "Relative residual": "relative_residual",
    "Frequencies": "frequencies",
    "Left out": "frequencies_left_out",
    "Noise": "noise",
    "Kramers–Kronig, misses by": "kramers_kronig_violation",
    "State": "state",
    "Voltage (V)": "voltage_volt",
    "Circuit": "circuit",
    "File sha256": "file_sha256",
    "Spectrum in file": "spectrum_in_file",
    "Start (UTC)": "=time unix_time_second",
}
GROWTH: dict[str, Meaning] = {
    "State": "state",
    "Arc": "arc",
    "Process": "process",
    "Spectra": "spectra",
    "First (Ω)": "first_resistance_ohm",
    "Last (Ω)": "last_resistance_ohm",
    "Per cycle (Ω)": "growth_per_cycle_ohm",
    "Per √h (Ω)": "growth_per_root_hour_ohm:Ω per √h",
    "Trend": "trend",
    "Law": "law",
    "Probability": "law_probability",
    "Free exponent": "exponent",
    "Standard error of the exponent": "exponent_standard_error",
    "R₀ (Ω)": "initial_resistance_ohm",
    "Rate (Ω/h^m)": "rate_ohm_per_hour_to_the_m",
    "Standard error of the rate": "rate_standard_error",
    "From (h)": "law_start_hour",
    "Time constant (h)": "time_constant_hour",
    "Amplitude (Ω)": "amplitude_ohm",
    "Knee at (h)": "knee_hour",
    "Rate after the knee (Ω/h)": "rate_after_knee_ohm_per_hour",
    "Clock": "clock",
    "Probability of the clock": "clock_probability",
    "Odd spectrum": "odd_spectrum",
    "Jumps": "jumps",
    "Repeatability": "repeatability",
}
PROTOCOL: dict[str, Meaning] = {
    "Stretch": "stretch",
    "Kind": "kind",
    "Told by": "told_by",
    "Start (UTC)": "=time",
    "Duration (h)": "duration_second",
    "From cycle": "first_cycle",
    "To cycle": "last_cycle",
    "Charging current (mA)": "charging_current_ampere",
    "Discharging current (mA)": "discharging_current_ampere",
    "C-rate (1/h)": "c_rate",
    "Pulses": "pulses",
    "Spectra": "spectra",
    "Records": "records",
}
FADE: dict[str, Meaning] = {
    "Shape": "shape",
    "From cycle": "first_cycle",
    "To cycle": "last_cycle",
    "Knee or bend at cycle": "knee_cycle",
    "Correlation of neighbours": "noise_correlation",
    "Independent cycles": "effective_cycles",
    "80 %": "outlook",
    "80 % at cycle": "end_of_life_cycle",
    "80 %, 95 % from": "end_of_life_cycle_low",
    "80 %, 95 % to": "end_of_life_cycle_high",
    "Predicted up to cycle": "horizon_cycle",
    "In words": "{##the sentence of the page, whose numbers are held there}",
} | {
    f"{shown}{end}": f"{name}{part}"
    for shown, name in {"Fade per cycle": "fade_per_cycle", "Fade": "fade_per_cycle",
                        "Fade after it": "fade_after_per_cycle", "Knee": "knee_cycle"}.items()
    for end, part in {"": "", ", 95 % from": "_low", ", 95 % to": "_high"}.items()
}  # fmt: skip
EIS: dict[str, Meaning] = _SPECTRUM | {
    "Frequency (Hz)": "frequency_hertz",
    "Z′ (Ω)": "real_impedance_ohm",
    "−Z″ (Ω)": "=minus imaginary_impedance_ohm",
    "Z′, fit (Ω)": "=fitted real",
    "−Z″, fit (Ω)": "=fitted imaginary",
}
CURVE: dict[str, Meaning] = {
    "Cycle": "cycle {=own cycle}",
    "Direction": "direction",
    "Charge passed (mAh)": "capacity_ah",
    "Charge passed (mAh/g, per {=basis})": "=per_gram capacity_ah",
    "Voltage, as measured (V)": "voltage_volt",
    "Voltage vs Li⁺/Li (V)": "=potential",
    "dQ/dV ({!its unit}/V[[, per {=basis}]][[, grid {grid_step_volt:mV} mV]]"
    "[[, smoothing {smoothing_volt:mV} mV]])": "=per_gram differential_capacity_ah_per_volt",
    "Grid (mV)": "grid_step_volt",
    "Smoothing (mV)": "smoothing_volt",
}
FILES: dict[str, Meaning] = {
    "File": "path",
    "Status": "status",
    "Format": "format",
    "Records": "records",
    "Spectra": "spectra",
    "Start (UTC)": "started_at",
    "Size (B)": "size_byte",
    "sha256": "file_sha256",
    "Reason": "reason",
    "Written (UTC)": "modified_at",
    "Written (UTC), sorted by": "=stamp modified_at",
    "Written by": "cellpipe {##the program's version}",
}
FINDINGS: dict[str, Meaning] = {
    "About a": "subject_kind",
    "Subject": "subject",
    "Severity": "severity",
    "Kind": "code",
    "Sentence": "sentence",
    "What to do": "remedy",
    "Since": "=day since",
    "Rows": "rows",
}
BESIDE: dict[str, Meaning] = {
    "Cell": "cell_id",
    "Rank": "rank",
    "Published cell": "baselines.first_author_year",
    "From": ("{source}, row {row}", "source"),
    "Row": "row",
    "How this cell stands beside it": "verdict",
    "In common": "alike",
    "What differs": ("differences", "{%not_comparable}"),
    "To bear in mind": ("reason", "{%not_comparable}"),
    "Why not, or what to bear in mind": "reason",
    "Basis": "basis",
    "Unit": "unit",
    "This cell, first": "cell_initial_capacity",
    "The cell's first discharge": "cell_initial_capacity",
    "Published, first": "baseline_initial_capacity",
    "Published first discharge": "baseline_initial_capacity",
    "Ratio": "capacity_ratio",
    "Published value was converted": "baseline_initial_derived",
    "At cycle": "cycle",
    "Retention is": "standing",
    "This cell, retention": "cell_retention",
    "The cell's retention": "cell_retention",
    "This cell, at equal rate": "cell_retention_at_rate",
    "The cell's at equal rate": "cell_retention_at_rate",
    "Published then": (
        "{baseline_retention_low:%} % to {baseline_retention_high:%} %",
        "{baseline_retention_low:%}[[ %]]",
    ),
    "Published, low": "baseline_retention_low",
    "Published, high": "baseline_retention_high",
    "Published, printed": "baseline_retention_printed",
    "On a straight line": "interpolated",
    "This cell, loss per cycle to there": "cell_fade_to_cycle",
    "This cell, loss per cycle from the first to that one": "cell_fade_to_cycle",
    "Published loss per cycle, from": "baseline_fade_per_cycle_low",
    "Published loss per cycle, to": "baseline_fade_per_cycle_high",
    "Published, loss per cycle between its two points": (
        "{baseline_fade_per_cycle_low:%} % to {baseline_fade_per_cycle_high:%} %",
        "{baseline_fade_per_cycle_low:%}[[ %]]",
    ),
    "This cell, steady loss per cycle": "cell_fade_per_cycle",
    "Steady loss, 95 % from": "cell_fade_per_cycle_low",
    "Steady loss, 95 % to": "cell_fade_per_cycle_high",
    "This cell, steady loss per cycle (95 %)": (
        "{cell_fade_per_cycle:%} % ({cell_fade_per_cycle_low:%} % to"
        " {cell_fade_per_cycle_high:%} %)",
        "cell_fade_per_cycle",
    ),
    "Family (inferred)": "{!the family that its electrolyte is counted to, no number}",
    "Kind (inferred)": "baselines.cell_kind_inferred",
    "Basis (inferred)": "baselines.capacity_basis_inferred",
    "DOI": "baselines.doi",
} | {
    label: f"baselines.{name}"
    for name, labels in {
        "anode_composition": ("Anode", "Anode, as printed"),
        "solid_electrolyte": ("Electrolyte", "Electrolyte, as printed"),
        "cathode_composition": ("Cathode", "Cathode, as printed"),
        "temperature_text": ("Temperature", "Temperature, as printed"),
        "current_text": ("Current", "Current, as printed"),
        "voltage_text": ("Window (V)", "Window, as printed (V)"),
        "loading_text": ("Loading", "Loading, as printed"),
        "initial_text": ("Initial capacity, as printed", "Initial, as printed"),
        "later_text": ("Later capacity, as printed", "Later, as printed"),
        "retention_text": ("Retention, as printed",),
    }.items()
    for label in labels
}
STANDING = (
    "[[Retention [[above {=standings above}]][[, ]][[within the spread of {=standings within}]]"
    "[[, ]][[below {=standings below}]] of {=reached} published cell[[s]] whose last cycle the "
    "cell has reached.[[ {=ahead} more go[[es]] on for longer and do[[es]] not count.]]]]"
    "[[The cell has not yet reached the last cycle of any of {=ahead} published cells that can be "
    "compared.]][[The cell has not yet reached the last cycle of the one published cell that can "
    "be compared.]] "
    "Nearest is {nearest.first_author_year} ({nearest.source}, row {nearest.row}; {nearest.alike}):"
    " {%standing_of_nearest}, {nearest.cell_retention:%} % retained at cycle {nearest.cycle},"
    " published [[{nearest.baseline_retention_low:%} to ]]{nearest.baseline_retention_high:%} %"
    "[[, on a straight line to its end]];"
    " first discharge {nearest.capacity_ratio} times: {nearest.cell_initial_capacity}, published"
    " {nearest.baseline_initial_capacity} {nearest.unit} per {nearest.basis}."
    "[[ The first discharge was at another rate than later ones: retention contains that.]]"
)
_FIRST: Meaning = {
    "mAh": "first_discharging_capacity_ah",
    "mAh/g": "first_specific_discharging_capacity_mah_per_g",
    "mAh/cm²": "first_areal_discharging_capacity_mah_per_cm2",
}


def _with_error(end: str, stem: str, unit: str) -> str:
    name = f"{end}_{stem}interfacial_resistance"
    return f"{{{name}_{unit}}} ± {{{name}_standard_error_{unit}}}"


_FIRST_TO_LAST: Meaning = (
    f"{_with_error('first', 'areal_', 'ohm_cm2')} → {_with_error('last', 'areal_', 'ohm_cm2')}"
    " Ω cm²",
    f"{_with_error('first', '', 'ohm')} → {_with_error('last', '', 'ohm')} Ω",
    f"{_with_error('first', 'areal_', 'ohm_cm2')} Ω cm²",  # of the only spectrum
    f"{_with_error('first', '', 'ohm')} Ω",
    "first_interfacial_resistance_ohm",
)
CELLS: dict[str, Meaning] = {
    "Cell": "cell_id",
    "Kind": ("configuration", "not known{configuration}"),
    "Group": "group",
    "Cycles": "cycles",
    "Complete cycles": "complete_cycles",
    "Spectra": "spectra",
    "First charge (mAh)": "first_charging_capacity_ah",
    "First discharge": _FIRST,
    "First discharge (mAh)": "first_discharging_capacity_ah",
    "First discharge (mAh/g)": "first_specific_discharging_capacity_mah_per_g",
    "First discharge (mAh/cm²)": "first_areal_discharging_capacity_mah_per_cm2",
    "Unit and basis": ("mAh/g {capacity_basis}", "mAh/cm²", "mAh"),
    "Basis": "capacity_basis",
    "Initial Coulombic efficiency": "initial_coulombic_efficiency",
    "Initial CE": "initial_coulombic_efficiency",
    "Mean Coulombic efficiency": "mean_coulombic_efficiency",
    "Mean CE after formation": "mean_coulombic_efficiency",
    "To bear in mind of the initial cycle": "initial_remark",
    "To bear in mind of the mean": "mean_efficiency_remark",
    "Against physics": "contradictions",
    "Capacity retention": "capacity_retention",
    "At cycle": "retention_cycle",
    "Cycle, Capacity retention": "retention_cycle",  # an axis: at the last cycle
    "Over cycle": "retention_reference_cycle",
    "Retention": "{capacity_retention:%} % cycle {retention_cycle} over "
    "{retention_reference_cycle}",
    "At equal rate": "{capacity_retention_at_rate:%} % cycle {retention_at_rate_cycle} over "
    "{retention_at_rate_reference_cycle}[[; check {check_retention:%} %, cycle {check_cycle} over "
    "{check_reference_cycle}]]",
    "Retention at equal rate": "capacity_retention_at_rate",
    "At cycle, equal rate": "retention_at_rate_cycle",
    "Over cycle, equal rate": "retention_at_rate_reference_cycle",
    "Check cycle's retention": "check_retention",
    "Retention of the check cycle": "check_retention",
    "Check cycle": "check_cycle",
    "Check over cycle": "check_reference_cycle",
    "Fade per cycle": "fade_per_cycle",
    "Fade per cycle at the usual rate": "fade_per_cycle",
    "Fade, 95 % from": "fade_per_cycle_low",
    "Fade, 95 % to": "fade_per_cycle_high",
    "Stripping and plating": "plating_summary",
    "Critical current density (mA/cm²)": "critical_current_density_ma_per_cm2",
    "Short circuit at (h)": "short_circuit_hour",
    "Plating efficiency": "plating_efficiency",
    "Below 90 % from cycle": "cycles_to_90_percent",
    "Below 80 % from cycle": "cycles_to_80_percent",
    "Formation cycles": "formation_cycles",
    "Cumulative Coulombic efficiency": "cumulative_coulombic_efficiency",
    "Scatter of the efficiency": "coulombic_efficiency_standard_deviation",
    "First interfacial resistance (Ω)": "first_interfacial_resistance_ohm",
    "Last interfacial resistance (Ω)": "last_interfacial_resistance_ohm",
    "First (Ω cm²)": "first_areal_interfacial_resistance_ohm_cm2",
    "Last (Ω cm²)": "last_areal_interfacial_resistance_ohm_cm2",
    "First, standard error (Ω)": "first_interfacial_resistance_standard_error_ohm",
    "Last, standard error (Ω)": "last_interfacial_resistance_standard_error_ohm",
    "First, standard error (Ω cm²)": "first_areal_interfacial_resistance_standard_error_ohm_cm2",
    "Last, standard error (Ω cm²)": "last_areal_interfacial_resistance_standard_error_ohm_cm2",
    "Why no interfacial resistance": "interfacial_resistance_remark",
    "Ionic conductivity (S/cm)": "ionic_conductivity_siemens_per_cm",
    "Conductivity, standard error (S/cm)": "ionic_conductivity_standard_error_siemens_per_cm",
    "Why no conductivity": "ionic_conductivity_remark",
    "Interfacial resistance": _FIRST_TO_LAST,
    "Standard error of the interfacial resistance, first spectrum": {
        "Ω": "first_interfacial_resistance_standard_error_ohm",
        "Ω cm²": "first_areal_interfacial_resistance_standard_error_ohm_cm2",
    },
    "Standard error of the interfacial resistance, last spectrum": {
        "Ω": "last_interfacial_resistance_standard_error_ohm",
        "Ω cm²": "last_areal_interfacial_resistance_standard_error_ohm_cm2",
    },
    "Interfacial resistance, first spectrum": {
        "Ω": "first_interfacial_resistance_ohm",
        "Ω cm²": "first_areal_interfacial_resistance_ohm_cm2",
    },
    "Interfacial resistance, last spectrum": {
        "Ω": "last_interfacial_resistance_ohm",
        "Ω cm²": "last_areal_interfacial_resistance_ohm_cm2",
    },
    "Checks": "{=checks}[[ {!which alarms}]]",
    "Newest file (UTC)": "[[new ]]{=newest}",
    "Retention beside published cells": (
        "above {=standings above} of {=reached}",
        "{%no_standing}",
    ),
    "Discharge capacity by cycle": "{!a drawing: shown_marks reads it}",
    "Workbook": "xlsx",
} | {
    f"Retention at cycle {n}": f"capacity_retention_cycle_{n}"
    for n in (10, 50, 100, 200, 500, 1000)
}
INDEX: dict[str, Meaning] = CELLS | {
    "Retention": (CELLS["Retention"], "capacity_retention"),  # type: ignore[dict-item]
    "Cycles, sorted by": "cycles",
    "First discharge, sorted by": _FIRST,
    "Initial CE, sorted by": "initial_coulombic_efficiency",
    "At equal rate": (CELLS["At equal rate"], "capacity_retention_at_rate"),  # type: ignore[dict-item]
    "At equal rate, sorted by": "capacity_retention_at_rate",
    "Mean CE after formation, sorted by": "mean_coulombic_efficiency",
    "Retention, sorted by": "capacity_retention",
    "Interfacial resistance, sorted by": (
        "last_areal_interfacial_resistance_ohm_cm2", "last_interfacial_resistance_ohm",
    ),
    "Retention beside published cells, sorted by": "=share_above",
    "Retention beside published cells, in words": (STANDING, "{%no_standing}"),
    "Checks, sorted by": "=checks",
    "Newest file (UTC), sorted by": "=newest seconds",
}  # fmt: skip
SHEET: dict[str, Meaning] = {
    "Cell ID": "cell_id",
    "cellpipe_id": "{##the name by which a notebook's entry is found again}",
    "Files": "{##names of files, as they are written in the cell sheet}",
    "Role of the working electrode": "{!a word of the cell sheet}",
} | {
    label: name
    for name, label in {
        "configuration": "Configuration", "working_electrode": "Working electrode",
        "cathode_active_mass_mg": "Cathode active mass",
        "anode_active_mass_mg": "Anode active mass",
        "area_cm2": "Area", "counter_electrode": "Counter electrode",
        "reference_offset_volt": "Reference offset vs Li⁺/Li",
        "nominal_capacity_mah_per_g": "Nominal capacity (1C)",
        "stack_pressure_mpa": "Stack pressure", "fabrication_pressure_mpa": "Fabrication pressure",
        "temperature_celsius": "Temperature", "lower_voltage_volt": "Lower voltage",
        "upper_voltage_volt": "Upper voltage", "electrolyte": "Electrolyte",
        "electrolyte_thickness_um": "Electrolyte thickness",
        "electrode_composition": "Electrode composition", "silicon": "Silicon",
        "np_ratio": "N/P ratio", "cathode": "Cathode", "group": "Group", "comment": "Comment",
        "confirmed": "Confirmed",
        "ended": "Ended",
    }.items()
}  # fmt: skip
REPLICATES: dict[str, Meaning] = {
    "Group": "group",
    "Cells": "=members",
    "First discharge": "{=mean first_specific_discharging_capacity_mah_per_g} ± "
    "{=std first_specific_discharging_capacity_mah_per_g} (n = "
    "{=n first_specific_discharging_capacity_mah_per_g}) mAh/g, per {capacity_basis}",
    "Retention (%)": "{=common mean:%} ± {=common std:%} (n = {=common n}), "
    "cycle {=common cycle} over {=common reference}",
    "Last interfacial resistance": (
        "{=mean last_areal_interfacial_resistance_ohm_cm2} ± "
        "{=std last_areal_interfacial_resistance_ohm_cm2} (n = "
        "{=n last_areal_interfacial_resistance_ohm_cm2}) Ω cm²",
        "last_interfacial_resistance_ohm",  # of the first of them: none
    ),
    "Stands apart": "{!words, as the sample lab's groups are of two cells}",
} | {
    label: f"{{=mean {name}:%}} ± {{=std {name}:%}} (n = {{=n {name}}})"
    for label, name in {
        "Initial CE (%)": "initial_coulombic_efficiency",
        "Mean CE (%)": "mean_coulombic_efficiency",
    }.items()
}

MISSING: dict[str, Meaning] = {
    "Cell": "cell_id",
    "In the cell sheet": "{!in words}",
    "What it would add": "{!names of fields and units}",
}
REVIEW: dict[str, Meaning] = {
    "Reference": "[{ref}]",
    "Published cell": "system",
    "Quantity": "quantity",
    "Published": ("{value_low} to {value_high}", "value_low"),
    "This cell": "=own_measure",
    "Unit": "=printed_unit",
    "Conditions": "conditions",
    "To bear in mind": ("[[the cell is at cycle {=last_cycle}]][[first discharge]][[over the first "
                        "discharge]][[; ]][[the text does not say whether full or half]]", "–"),
    "Section": "section",
    "DOI": "doi",
}  # fmt: skip
